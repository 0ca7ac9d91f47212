//! Hosting agreement, then procurement, then contract: the machine of a grant.

use crate::decide::fund;
use crate::decide::grant::budget::{check_ceiling, check_not_negative};
use crate::decide::grant::checks::check_award;
use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::grant::Event;
use crate::facts::grant::hosting::Contract;

/// Records the signed hosting agreement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcludeHostingAgreement {
    /// Hash of the agreement.
    pub document: Sha256Hex,
    /// The grant.
    pub grant: GrantId,
    /// When it was signed, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_on: Option<Date>,
}

impl Attached for ConcludeHostingAgreement {
    fn document(&self) -> &impl Written {
        &self.document
    }
}

impl Decide for ConcludeHostingAgreement {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        if world.find(&world.grants, &self.grant)?.hosting.is_some() {
            return Err(Rejection::HostingAgreed.into());
        }
        let event = Event::HostingAgreed { document: self.document, signed_on: self.signed_on };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Launches a procurement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartProcurement {
    /// The grant.
    pub grant: GrantId,
    /// Its key in this grant.
    pub procurement: ProcurementKey,
    /// What is tendered.
    #[schemars(length(min = 1, max = 2000))]
    pub tender: String,
}

impl Decide for StartProcurement {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_text("tender", &self.tender)?;
        let grant = world.find(&world.grants, &self.grant)?;
        if grant.hosting.is_none() {
            return Err(Rejection::NoHostingAgreement.into());
        }
        if grant.procurements.contains_key(&self.procurement) {
            let key = self.procurement.clone();
            let refusal =
                Refusal::from(Rejection::KeyUsed { what: "procurement", key: key.to_string() });
            return Err(refusal.at("/procurement"));
        }
        let (procurement, tender) = (self.procurement.clone(), self.tender.clone());
        Ok(vec![NewEvent::on(&self.grant, Event::ProcurementStarted { procurement, tender })])
    }
}

/// Signs the contract of a procurement: a legal commitment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignContract {
    /// The fund that pays, when it is not the grant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// The grant.
    pub grant: GrantId,
    /// Paid by participating states; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<Money>,
    /// Of which procurement.
    pub procurement: ProcurementKey,
    /// With whom; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<SupplierKey>,
    /// What it costs; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Paid by the Union.
    pub union: Money,
}

impl Decide for SignContract {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        check_award(world, grant)?;
        let key = self.procurement.clone();
        match grant.procurements.get(&key) {
            Some(None) => {}
            Some(Some(_)) => {
                return Err(Rejection::Decided { what: "procurement", key: key.to_string() }.into());
            }
            None => {
                return Err(
                    Rejection::UnknownKey { what: "procurement", key: key.to_string() }.into()
                );
            }
        }
        check_not_negative(self.national.unwrap_or_default())?;
        if let Some(total) = self.total {
            let parts = self.union.plus(self.national.unwrap_or_default())?;
            if parts > total {
                return Err(Rejection::DoesNotAddUp { item: key.to_string(), parts, total }.into());
            }
            check_ceiling(&key, self.union, grant.terms().acquisition(), total)
                .map_err(|refusal| refusal.at("/union"))?;
        }
        let fund = grant.paying_fund(world, &self.grant, self.fund.as_ref())?;
        let commitment = fund::commit_legally(world, &fund, &self.grant, self.union)?;
        let contract = Contract {
            fund,
            national: self.national,
            procurement: key,
            supplier: self.supplier.clone(),
            total: self.total,
            union: self.union,
        };
        Ok(vec![NewEvent::on(&self.grant, Event::ContractSigned(contract)), commitment])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::kernel::ids::GrantId;
    use crate::testing::Scenario;
    use crate::testing::grant::*;

    const START: &str = r#"{"grant":"G","procurement":"machine","tender":"a supercomputer"}"#;

    fn agree() -> String {
        format!(r#"{{"grant":"G","document":"{}"}}"#, "0".repeat(64))
    }

    fn hosted() -> Scenario {
        prepared()
            .by(Role::AuthorisingOfficer)
            .done(
                "fund.commit_individually",
                r#"{"fund":"F","commitment":"R1","grant":"G","amount":"EUR 1500"}"#,
            )
            .done("grant.conclude_hosting_agreement", &agree())
            .done("grant.start_procurement", START)
    }

    fn contract(figures: &str) -> String {
        format!(r#"{{"grant":"G","procurement":"machine",{figures}}}"#)
    }

    #[test]
    fn the_hosting_agreement_comes_before_the_procurement() {
        let scenario = prepared()
            .by(Role::AuthorisingOfficer)
            .when("grant.start_procurement", START)
            .refused("grant.no_hosting_agreement")
            .when("grant.conclude_hosting_agreement", &agree())
            .recorded(&["grant.HostingAgreed"]);
        assert_eq!(scenario.world.phase(&"grant-G".parse().unwrap()), "hosting_agreed");
        let started = scenario.when("grant.start_procurement", START);
        started
            .recorded(&["grant.ProcurementStarted"])
            .when("grant.start_procurement", START)
            .refused("grant.key_used");
    }

    #[test]
    fn there_is_one_hosting_agreement() {
        let again = signed()
            .by(Role::AuthorisingOfficer)
            .done("grant.conclude_hosting_agreement", &agree());
        again.when("grant.conclude_hosting_agreement", &agree()).refused("grant.hosting_agreed");
    }

    #[test]
    fn a_contract_is_a_legal_commitment_of_up_to_half() {
        let scenario = hosted()
            .when("grant.sign_contract", &contract(r#""total":"EUR 2000","union":"EUR 1000.01""#))
            .refused("grant.ceiling_exceeded")
            .at("/union")
            .when(
                "grant.sign_contract",
                &contract(r#""total":"EUR 2000","union":"EUR 1000","national":"EUR 1001""#),
            )
            .refused("grant.does_not_add_up")
            .when("grant.sign_contract", &contract(r#""total":"EUR 2000","union":"EUR 1000""#))
            .recorded(&["grant.ContractSigned", "fund.LegallyCommitted"]);
        assert_eq!(scenario.world.phase(&"grant-G".parse().unwrap()), "active");
        scenario
            .when("grant.sign_contract", &contract(r#""union":"EUR 1""#))
            .refused("grant.decided");
    }

    #[test]
    fn a_contract_of_unknown_total_stays_within_the_commitment() {
        hosted()
            .when("grant.sign_contract", &contract(r#""union":"EUR 1500.01""#))
            .refused("fund.individual_commitment_exceeded")
            .when("grant.sign_contract", &contract(r#""union":"EUR 1500""#))
            .then(&["grant.ContractSigned", "fund.LegallyCommitted"]);
    }

    #[test]
    fn a_contract_belongs_to_a_procurement() {
        let other = contract(r#""union":"EUR 1""#).replace("machine", "other");
        hosted().when("grant.sign_contract", &other).refused("grant.unknown_key");
    }

    #[test]
    fn a_grant_without_a_fund_is_paid_by_the_one_that_has_committed_to_it() {
        let mut scenario = hosted();
        let id: GrantId = "G".parse().unwrap();
        let grant = scenario.world.grants.get_mut(&id).unwrap();
        std::sync::Arc::make_mut(grant).origin.as_mut().unwrap().fund = None;
        let contract = contract(r#""union":"EUR 1""#);
        let release = r#"{"fund":"F","grant":"G","amount":"EUR 1500","reason":"other fund"}"#;
        let other = r#""fund":"H","line":"02 04","source":"HE""#;
        scenario
            .by(Role::GoverningBoard)
            .done("fund.vote_appropriation", &format!(r#"{{{other},"amount":"EUR 9"}}"#))
            .by(Role::AuthorisingOfficer)
            .done(
                "fund.commit_globally",
                &format!(r#"{{{other},"call":"C","commitment":"H1","amount":"EUR 9"}}"#),
            )
            .done(
                "fund.commit_individually",
                r#"{"fund":"H","commitment":"H1","grant":"G","amount":"EUR 9"}"#,
            )
            .when("grant.sign_contract", &contract)
            .refused("grant.several_funds")
            .done("fund.decommit_grant", release)
            .when("grant.sign_contract", &contract)
            .then(&["grant.ContractSigned", "fund.LegallyCommitted"]);
    }

    #[test]
    fn nothing_is_signed_without_a_fund_that_has_committed() {
        let mut scenario = prepared()
            .by(Role::AuthorisingOfficer)
            .done("grant.conclude_hosting_agreement", &agree())
            .done("grant.start_procurement", START);
        let id: GrantId = "G".parse().unwrap();
        let grant = scenario.world.grants.get_mut(&id).unwrap();
        std::sync::Arc::make_mut(grant).origin.as_mut().unwrap().fund = None;
        scenario
            .when("grant.sign_contract", &contract(r#""union":"EUR 1""#))
            .refused("grant.not_committed");
    }

    #[test]
    fn a_contract_is_no_agreement_to_amend() {
        let change = r#"{"kind":"dates","starts":"2025-01-01","ends":"2028-06-30"}"#;
        hosted()
            .done("grant.sign_contract", &contract(r#""union":"EUR 1""#))
            .by(Role::Applicant)
            .when(
                "grant.request_amendment",
                &format!(r#"{{"grant":"G","amendment":"A","reason":"delay","change":{change}}}"#),
            )
            .refused("grant.no_agreement");
    }
}
