//! Hosting agreement, then procurement, then contract: the machine of a grant.

use super::budget::{check_ceiling, check_not_negative};
use super::{Event, Rejection};
use crate::canonical::Sha256Hex;
use crate::command::{Command, Decision, Declaration, Meta, Need, NewEvent, Role, check_text};
use crate::fund;
use crate::ids::{FundId, GrantId, Key, StreamId, StreamKey};
use crate::money::Money;
use crate::rejection::{Refusal, Rule};
use crate::world::World;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The signed contract of a procurement. What is absent was not published: unknown, not nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The fund that pays.
    pub fund: FundId,
    /// Paid by participating states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<Money>,
    /// Of which procurement.
    pub procurement: Key,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Key>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Paid by the Union.
    pub union: Money,
}

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

impl Command for ConcludeHostingAgreement {
    const DECLARATION: Declaration = Declaration {
        name: "grant.conclude_hosting_agreement",
        summary: "Record the hosting agreement, before any procurement",
        roles: &[Role::ProgrammeOfficer, Role::AuthorisingOfficer],
        from: &["preparation", "active"],
        needs: &[Need::Document],
        rule: Rule::of("Council Reg. (EU) 2021/1173", "Art. 10: hosting agreement"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

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
    pub procurement: Key,
    /// What is tendered.
    #[schemars(length(min = 1, max = 2000))]
    pub tender: String,
}

impl Command for StartProcurement {
    const DECLARATION: Declaration = Declaration {
        name: "grant.start_procurement",
        summary: "Launch a procurement, after the hosting agreement",
        roles: &[Role::ProgrammeOfficer, Role::AuthorisingOfficer],
        from: &["preparation", "hosting_agreed", "active"],
        needs: &[],
        rule: Rule::of(
            "Council Reg. (EU) 2021/1173",
            "Art. 10: hosting agreement before acquisition",
        ),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_text("tender", &self.tender)?;
        let grant = world.find(&world.grants, &self.grant)?;
        if grant.hosting.is_none() {
            return Err(Rejection::NoHostingAgreement.into());
        }
        if grant.procurements.contains_key(&self.procurement) {
            let key = self.procurement.clone();
            let refusal = Refusal::from(Rejection::KeyUsed { what: "procurement", key });
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
    pub procurement: Key,
    /// With whom; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Key>,
    /// What it costs; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Paid by the Union.
    pub union: Money,
}

impl Command for SignContract {
    const DECLARATION: Declaration = Declaration {
        name: "grant.sign_contract",
        summary: "Sign the contract of a procurement",
        roles: &[Role::AuthorisingOfficer],
        from: &["hosting_agreed", "active"],
        needs: &[],
        rule: Rule::of(
            "Council Reg. (EU) 2021/1173",
            "Art. 12a: up to half of the acquisition costs",
        ),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        let key = self.procurement.clone();
        match grant.procurements.get(&key) {
            Some(None) => {}
            Some(Some(_)) => return Err(Rejection::Decided { what: "procurement", key }.into()),
            None => return Err(Rejection::UnknownKey { what: "procurement", key }.into()),
        }
        check_not_negative(self.national.unwrap_or_default())?;
        if let Some(total) = self.total {
            let parts = self.union.plus(self.national.unwrap_or_default())?;
            if parts > total {
                return Err(Rejection::DoesNotAddUp { item: key, parts, total }.into());
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
