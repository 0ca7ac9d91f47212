//! The grant agreement: budget, the two signatures, amendments.

use crate::decide::grant::checks::{check_award, check_dates, check_other_person};
use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::decide::{fund, pledge};
use crate::facts::grant::agreement::Agreement;
use crate::facts::grant::budget::{Beneficiary, Budget, Item};
use crate::facts::grant::change::Change;
use crate::facts::grant::{Event, Grant};

impl Grant {
    fn check_not_signed(&self) -> Result<(), Refusal> {
        self.agreement.as_ref().map_or(Ok(()), |_| Err(Rejection::InForce.into()))
    }

    /// The agreement as it would stand after a change.
    pub(super) fn amended(&self, change: &Change) -> Result<(Budget, Date, Date), Refusal> {
        let (Some(agreement), Some(budget)) = (&self.agreement, &self.budget) else {
            return Err(Rejection::NoAgreement.into());
        };
        let (mut budget, mut starts, mut ends) = (budget.clone(), agreement.starts, agreement.ends);
        match change {
            Change::Budget { budget: new } => budget = new.clone(),
            Change::Dates { ends: last, starts: first } => (starts, ends) = (*first, *last),
            Change::AddBeneficiary { beneficiary, from } => {
                let giver = budget.member(from)?;
                giver.union = giver.union.minus(beneficiary.union)?;
                budget.beneficiaries.push(beneficiary.clone());
            }
            Change::RemoveBeneficiary { beneficiary, to } => {
                let share = budget.member(beneficiary)?.union;
                budget.beneficiaries.retain(|member| member.beneficiary != *beneficiary);
                let taker = budget.member(to)?;
                taker.union = taker.union.plus(share)?;
            }
        }
        check_dates(starts, ends)?;
        let sums = budget.check(&self.terms())?;
        check_sums((agreement.union, agreement.total), sums)?;
        Ok((budget, starts, ends))
    }
}

/// Sums are the Union's share and the total.
fn check_sums(agreed: (Money, Money), asked: (Money, Money)) -> Result<(), Refusal> {
    if agreed == asked {
        return Ok(());
    }
    let ((union, total), (asked_union, asked_total)) = (agreed, asked);
    Err(Rejection::SumsDiffer { union, total, asked_union, asked_total }.into())
}

/// Sets the budget before signature.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// Who takes part.
    #[schemars(length(min = 1, max = 100))]
    pub beneficiaries: Vec<Beneficiary>,
    /// The grant.
    pub grant: GrantId,
    /// The cost items.
    #[schemars(length(min = 1, max = 50))]
    pub items: Vec<Item>,
}

impl Decide for SetBudget {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        if meta.actor.role == Role::Applicant {
            grant.check_applicant(meta)?;
        }
        grant.check_not_signed()?;
        let budget =
            Budget { beneficiaries: self.beneficiaries.clone(), items: self.items.clone() };
        budget.check(&grant.terms())?;
        Ok(vec![NewEvent::on(&self.grant, Event::BudgetSet(budget))])
    }
}

/// Signs the grant agreement for the consortium.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The grant.
    pub grant: GrantId,
}

impl Decide for Accept {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_applicant(meta)?;
        grant.check_not_signed()?;
        if grant.budget.is_none() {
            return Err(Rejection::NoBudget.into());
        }
        if grant.accepted_by.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![NewEvent::on(&self.grant, Event::Accepted {})])
    }
}

/// Signs the grant agreement for the authority: a legal commitment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// Last day of the action.
    pub ends: Date,
    /// The fund that pays, when it is not the grant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// The grant.
    pub grant: GrantId,
    /// First day of the action.
    pub starts: Date,
    /// What the action costs.
    pub total: Money,
    /// At most this is paid by the Union.
    pub union: Money,
}

impl Meets<needs::OtherPerson> for Sign {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(grant) = world.grants.get(&self.grant) else { return Ok(()) };
        let accepted_by = grant.accepted_by.as_ref();
        accepted_by.map_or(Ok(()), |by| check_other_person(meta, by, "signed for the consortium"))
    }
}

impl Decide for Sign {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_not_signed()?;
        check_award(world, grant)?;
        let terms = grant.terms();
        let budget = grant.budget.as_ref().ok_or(Rejection::NoBudget)?;
        check_sums(budget.check(&terms)?, (self.union, self.total))?;
        check_dates(self.starts, self.ends).map_err(|refusal| refusal.at("/ends"))?;
        if grant.accepted_by.is_none() {
            return Err(Rejection::NotAccepted.into());
        }
        let signed = pledge::signed_for(world, &self.grant)?;
        if terms.funding.is_some_and(|funding| funding.matched) && signed < self.union {
            return Err(Rejection::NotMatched { union: self.union, signed }.into());
        }
        let fund = grant.paying_fund(world, &self.grant, self.fund.as_ref())?;
        let commitment = fund::commit_legally(world, &fund, &self.grant, self.union)?;
        let (ends, starts, total, union) = (self.ends, self.starts, self.total, self.union);
        let agreement = Agreement { ends, fund, starts, total, union };
        Ok(vec![NewEvent::on(&self.grant, Event::Signed(agreement)), commitment])
    }
}

/// Asks for an amendment of the agreement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestAmendment {
    /// Its key in this grant.
    pub amendment: AmendmentKey,
    /// What would change.
    pub change: Change,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for RequestAmendment {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_applicant(meta)?;
        let amendment = self.amendment.clone();
        if grant.amendments.contains_key(&amendment) {
            return Err(Rejection::KeyUsed { what: "amendment", key: amendment.to_string() }.into());
        }
        grant.amended(&self.change).map_err(|refusal| refusal.at("/change"))?;
        let (change, reason) = (self.change.clone(), self.reason.clone());
        let event = Event::AmendmentRequested { amendment, change, reason };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Agrees to an amendment, or not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideAmendment {
    /// Which.
    pub amendment: AmendmentKey,
    /// Whether the authority agrees.
    pub approved: bool,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Meets<needs::OtherPerson> for DecideAmendment {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(grant) = world.grants.get(&self.grant) else { return Ok(()) };
        let amendment = grant.amendments.get(&self.amendment);
        amendment.map_or(Ok(()), |(asked_by, _)| check_other_person(meta, asked_by, "asked for it"))
    }
}

impl Decide for DecideAmendment {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let grant = world.find(&world.grants, &self.grant)?;
        let (amendment, reason) = (self.amendment.clone(), self.reason.clone());
        let change = match grant.amendments.get(&amendment) {
            Some((_, Some(change))) => change,
            Some(_) => {
                return Err(
                    Rejection::Decided { what: "amendment", key: amendment.to_string() }.into()
                );
            }
            None => {
                return Err(Rejection::UnknownKey {
                    what: "amendment",
                    key: amendment.to_string(),
                }
                .into());
            }
        };
        let event = if self.approved {
            // Another amendment may have been agreed since this one was asked for.
            let (budget, starts, ends) = grant.amended(change)?;
            Event::Amended { amendment, budget, ends, reason, starts }
        } else {
            Event::AmendmentRefused { amendment, reason }
        };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::Scenario;
    use crate::testing::grant::*;

    fn sign(scenario: Scenario) -> Scenario {
        scenario.by(Role::AuthorisingOfficer).when("grant.sign", SIGN)
    }

    fn accepted(scenario: Scenario) -> Scenario {
        scenario.by(Role::Applicant).done("grant.accept", GRANT)
    }

    #[test]
    fn the_agreement_enters_into_force_with_the_last_signature() {
        sign(prepared()).refused("grant.no_budget");
        prepared().by(Role::Applicant).when("grant.accept", GRANT).refused("grant.no_budget");
        let scenario = sign(matched(budgeted(), 1000)).refused("grant.not_accepted");
        let scenario =
            sign(accepted(scenario)).recorded(&["grant.Signed", "fund.LegallyCommitted"]);
        assert_eq!(scenario.world.phase(&"grant-G".parse().unwrap()), "active");
        let scenario = sign(scenario).refused("grant.in_force");
        let late = scenario.by(Role::Applicant).when("grant.set_budget", &budget(900, 2000));
        late.refused("grant.in_force");
    }

    #[test]
    fn a_new_budget_needs_a_new_signature() {
        let changed = accepted(matched(budgeted(), 1000))
            .by(Role::Applicant)
            .done("grant.set_budget", &budget(1000, 2000));
        sign(changed).refused("grant.not_accepted");
    }

    #[test]
    fn one_person_does_not_sign_for_both_sides() {
        let accepted = accepted(matched(budgeted(), 1000));
        let both = accepted.by_person("applicant", Role::AuthorisingOfficer);
        both.when("grant.sign", SIGN).refused("grant.same_person");
    }

    #[test]
    fn states_sign_for_their_half_before_the_union_does() {
        sign(accepted(matched(budgeted(), 999))).refused("grant.not_matched");
    }

    #[test]
    fn the_agreement_is_about_the_budget() {
        let wrong = SIGN.replace("EUR 1000", "EUR 1001");
        accepted(matched(budgeted(), 1000))
            .by(Role::AuthorisingOfficer)
            .when("grant.sign", &wrong)
            .refused("grant.sums_differ")
            .when("grant.sign", &SIGN.replace("2027-12-31", "2024-12-31"))
            .refused("grant.backwards")
            .at("/ends");
    }

    #[test]
    fn money_is_committed_in_the_budget_before_anything_is_signed() {
        let scenario = prepared().by(Role::Applicant).done("grant.set_budget", &budget(1000, 2000));
        sign(accepted(matched(scenario, 1000))).refused("fund.no_individual_commitment");
    }

    fn ask(scenario: Scenario, change: &str) -> Scenario {
        scenario.by(Role::Applicant).when(
            "grant.request_amendment",
            &format!(r#"{{"grant":"G","amendment":"A","reason":"delay","change":{change}}}"#),
        )
    }

    fn decide(scenario: Scenario, approved: bool) -> Scenario {
        scenario.by(Role::AuthorisingOfficer).when(
            "grant.decide_amendment",
            &format!(
                r#"{{"grant":"G","amendment":"A","approved":{approved},"reason":"justified"}}"#
            ),
        )
    }

    const LATER: &str = r#"{"kind":"dates","starts":"2025-01-01","ends":"2028-06-30"}"#;

    #[test]
    fn an_amendment_is_asked_for_and_decided_once() {
        let scenario = decide(signed(), true).refused("grant.unknown_key");
        let scenario = ask(scenario, LATER).recorded(&["grant.AmendmentRequested"]);
        let scenario = ask(scenario, LATER).refused("grant.key_used");
        let scenario = decide(scenario, true).recorded(&["grant.Amended"]);
        let agreement = the_grant(&scenario).agreement.as_ref().unwrap();
        assert_eq!(agreement.ends.to_string(), "2028-06-30");
        decide(scenario, true).refused("grant.decided");
    }

    #[test]
    fn a_refused_amendment_changes_nothing() {
        let asked = ask(signed(), LATER).recorded(&["grant.AmendmentRequested"]);
        let refused = decide(asked, false).recorded(&["grant.AmendmentRefused"]);
        let agreement = the_grant(&refused).agreement.as_ref().unwrap();
        assert_eq!(agreement.ends.to_string(), "2027-12-31");
    }

    #[test]
    fn who_asked_for_an_amendment_does_not_decide_it() {
        let asked = ask(signed(), LATER).recorded(&["grant.AmendmentRequested"]);
        let same = asked.by_person("applicant", Role::AuthorisingOfficer);
        same.when(
            "grant.decide_amendment",
            r#"{"grant":"G","amendment":"A","approved":true,"reason":"mine"}"#,
        )
        .refused("grant.same_person");
    }

    #[test]
    fn an_amendment_keeps_the_sums_of_the_agreement() {
        let less = budget(900, 1800).replace(r#""grant":"G","#, "");
        let change = format!(r#"{{"kind":"budget","budget":{less}}}"#);
        ask(signed(), &change).refused("grant.sums_differ").at("/change");
        ask(accepted(budgeted()), LATER).refused("command.wrong_state");
    }

    #[test]
    fn the_share_of_who_leaves_passes_on() {
        let leave = r#"{"kind":"remove_beneficiary","beneficiary":"lab","to":"host"}"#;
        let asked = ask(signed(), leave).recorded(&["grant.AmendmentRequested"]);
        let left = decide(asked, true).recorded(&["grant.Amended"]);
        let budget = the_grant(&left).budget.as_ref().unwrap();
        let [host] = budget.beneficiaries.as_slice() else { panic!("one is left") };
        assert_eq!(host.union.to_string(), "EUR 1000.00");
        let unknown = r#"{"kind":"remove_beneficiary","beneficiary":"nobody","to":"host"}"#;
        ask(signed(), unknown).refused("grant.unknown_key");
    }

    #[test]
    fn who_joins_takes_a_share_from_another() {
        let join = |union: &str| {
            format!(
                r#"{{"kind":"add_beneficiary","from":"lab","beneficiary":{{"beneficiary":"sme","country":"EE","role":"beneficiary","union":"{union}"}}}}"#
            )
        };
        ask(signed(), &join("EUR 101")).refused("grant.negative");
        ask(signed(), &join("EUR 100")).then(&["grant.AmendmentRequested"]);
    }
}
