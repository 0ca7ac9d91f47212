//! Decides what becomes of an awarded proposal: hosting agreement, procurement, grant agreement,
//! amendments, reports and closure. The Union's share of a cost never passes its ceiling.

pub mod account;
pub mod agreement;
pub(crate) mod budget;
pub(crate) mod checks;
pub mod hosting;
pub mod refusals;
pub mod report;

use crate::decide::grant::account::{DecideAccount, NameAccount};
use crate::decide::grant::agreement::{Accept, DecideAmendment, RequestAmendment, SetBudget, Sign};
use crate::decide::grant::checks::committed_funds;
use crate::decide::grant::hosting::{ConcludeHostingAgreement, SignContract, StartProcurement};
pub(crate) use crate::decide::grant::refusals::Rejection;
use crate::decide::grant::report::{AssessReport, SubmitReport};
use crate::decide::prelude::*;
use crate::decide::standing;
use crate::facts::grant::{Event, Origin, Party, Phase, Terms};
use crate::facts::{fund, proposal};

commands! {
    |it| it.grant, Phase;

    Prepare "grant.prepare" "Begin to turn an awarded proposal into a grant"
        by [ProgrammeOfficer, System] in [new] under FR, "Art. 203: grants follow an award";
    SetBudget "grant.set_budget" "Set the budget: cost items and beneficiaries"
        by [Applicant, ProgrammeOfficer] in [Preparation, HostingAgreed, Active]
        under MGA, "Art. 5: budget";
    ConcludeHostingAgreement "grant.conclude_hosting_agreement"
        "Record the hosting agreement, before any procurement"
        by [ProgrammeOfficer, AuthorisingOfficer] in [Preparation, Active] needs [Document]
        under "Council Reg. (EU) 2021/1173", "Art. 10: hosting agreement";
    StartProcurement "grant.start_procurement" "Launch a procurement, after the hosting agreement"
        by [ProgrammeOfficer, AuthorisingOfficer] in [Preparation, HostingAgreed, Active]
        under "Council Reg. (EU) 2021/1173", "Art. 10: hosting agreement before acquisition";
    SignContract "grant.sign_contract" "Sign the contract of a procurement"
        by [AuthorisingOfficer] in [HostingAgreed, Active]
        under "Council Reg. (EU) 2021/1173", "Art. 12a: up to half of the acquisition costs";
    Accept "grant.accept" "Sign the grant agreement as its coordinator"
        by [Applicant] in [Preparation, HostingAgreed, Active]
        under MGA, "Art. 44: entry into force";
    Sign "grant.sign" "Sign the grant agreement, which enters into force"
        by [AuthorisingOfficer] in [Preparation, HostingAgreed, Active] needs [OtherPerson]
        under MGA, "Art. 44: entry into force";
    RequestAmendment "grant.request_amendment" "Ask for an amendment of the grant agreement"
        by [Applicant] in [Active, Suspended] under MGA, "Art. 39: amendments";
    DecideAmendment "grant.decide_amendment" "Agree to an amendment, or refuse it"
        by [AuthorisingOfficer] in [Active, Suspended] needs [OtherPerson]
        under MGA, "Art. 39: amendments";
    NameAccount "grant.name_account" "Say to which bank account the grant is to be paid"
        by [Applicant, ProgrammeOfficer]
        in [Preparation, HostingAgreed, Active, Suspended, Terminated, Closed] needs [Document]
        under MGA, "Art. 22: payments to the coordinator's account";
    DecideAccount "grant.decide_account"
        "Confirm or refuse the bank account that someone else named for the grant"
        by [AccountingOfficer]
        in [Preparation, HostingAgreed, Active, Suspended, Terminated, Closed] needs [Document, OtherPerson]
        under FR, "Art. 77: the accounting officer";
    Suspend "grant.suspend" "Suspend the grant; nothing is paid meanwhile"
        by [AuthorisingOfficer] in [Active] under MGA, "Art. 31: suspension";
    Resume "grant.resume" "Lift the suspension"
        by [AuthorisingOfficer] in [Suspended] under MGA, "Art. 31: suspension";
    Terminate "grant.terminate" "Terminate the grant before its end"
        by [Applicant, AuthorisingOfficer] in [Preparation, HostingAgreed, Active, Suspended]
        under MGA, "Art. 32: termination";
    SubmitReport "grant.submit_report" "Hand in a periodic or final report with its costs"
        by [Applicant] in [Active, Suspended, Terminated] needs [Document]
        under MGA, "Art. 21: reporting";
    AssessReport "grant.assess_report" "Accept the costs of a report, or some of them"
        by [ProgrammeOfficer, AuthorisingOfficer]
        in [Active, Suspended, Terminated] needs [OtherPerson]
        under MGA, "Art. 22 and 27: accepted and rejected costs";
    Close "grant.close" "Close a settled grant and release the unpaid rest"
        by [AuthorisingOfficer] in [Active, Terminated]
        under FR, "Art. 114: decommitment of the rest";
}

/// Begins to turn an awarded proposal into a grant, under the rules of its call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// The fund, when it is not the one of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// The grant.
    pub grant: GrantId,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for Prepare {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let (id, stream) = (&self.proposal, self.proposal.stream());
        let proposal = world.find(&world.proposals, id)?;
        let awarded = proposal.phase() == proposal::Phase::Awarded;
        let Some(call) = proposal.call.as_ref().filter(|_| awarded) else {
            let phase = proposal.phase().into();
            let refusal = Refusal::from(Rejection::NotAwarded { proposal: stream, phase });
            return Err(refusal.at("/proposal"));
        };
        if proposal.grant.as_ref() != Some(&self.grant) {
            return Err(Refusal::from(Rejection::OtherGrant(stream)).at("/grant"));
        }
        let opened = world.find(&world.calls, call)?;
        let rules = opened.rules.as_ref().map(|rules| Terms {
            deadlines: Some(rules.deadlines.clone()),
            funding: rules.funding.clone(),
            payments: rules.payments.clone(),
        });
        let budget = opened.budget.as_ref().map(|budget| budget.fund.clone());
        let origin = Origin {
            applicant: proposal.applicant.clone(),
            call: call.clone(),
            country: proposal.content.country,
            fund: self.fund.clone().or(budget),
            proposal: id.clone(),
            rules: rules.unwrap_or_default(),
            title: proposal.content.title.clone(),
        };
        Ok(vec![NewEvent::on(&self.grant, Event::Prepared(Box::new(origin)))])
    }
}

/// Suspends a grant: nothing is paid meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Suspend {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.grant, Event::Suspended { reason: self.reason.clone() })])
    }
}

/// Lifts the suspension of a grant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Resume {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.grant, Event::Resumed { reason: self.reason.clone() })])
    }
}

/// Terminates a grant before its end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terminate {
    /// On whose initiative.
    pub by: Party,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Terminate {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        if meta.actor.role == Role::Applicant {
            world.find(&world.grants, &self.grant)?.check_applicant(meta)?;
            if self.by != Party::Consortium {
                let refusal = Refusal::from(Rejection::OtherParty(Party::Consortium));
                return Err(refusal.at("/by"));
            }
        }
        let event = Event::Terminated { by: self.by, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Closes a grant that is settled, and releases what was never paid.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The grant.
    pub grant: GrantId,
}

impl Decide for Close {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        grant.accounts.check_none_waits()?;
        if !grant.commitments.is_empty() && !grant.final_assessed() {
            return Err(Rejection::NoFinalReport.into());
        }
        let standing = standing::Standing::of(world, &self.grant);
        if let Some(open) = standing.open() {
            return Err(Rejection::PaymentOpen(open.clone()).into());
        }
        let (paid, due, withheld) = (standing.paid()?, grant.due(), standing.withheld()?);
        if paid != due {
            return Err(Rejection::NotSettled { paid, due }.into());
        }
        if withheld.is_positive() {
            return Err(Rejection::InsuranceHeld(withheld).into());
        }
        let mut events = vec![NewEvent::on(&self.grant, Event::Closed {})];
        for (fund, individual) in committed_funds(world, &self.grant) {
            let amount = individual.amount.minus(individual.paid)?;
            if amount.is_positive() {
                let (grant, reason) = (self.grant.clone(), "the grant is closed".to_owned());
                events.push(NewEvent::on(
                    fund,
                    fund::Event::GrantDecommitted { amount, grant, reason },
                ));
            }
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::grant::*;

    #[test]
    fn only_an_awarded_proposal_becomes_a_grant_and_only_its_own() {
        let drafted = drafted().by(Role::System).when("grant.prepare", PREPARE);
        drafted.refused("grant.not_awarded").at("/proposal");
        let other = awarded().when("grant.prepare", r#"{"grant":"H","proposal":"P"}"#);
        other.refused("grant.other_grant").at("/grant");
    }

    #[test]
    fn a_grant_keeps_the_rules_fund_and_applicant_of_its_call() {
        let scenario = awarded().when("grant.prepare", PREPARE).recorded(&["grant.Prepared"]);
        let grant = the_grant(&scenario);
        let origin = grant.origin.as_ref().unwrap();
        assert_eq!(origin.fund.as_ref().unwrap().as_str(), "F");
        assert_eq!(origin.applicant.as_ref().unwrap().as_str(), "applicant");
        assert_eq!(grant.terms().payments.unwrap().prefinancing_max.to_string(), "7/10");
        scenario.when("grant.prepare", PREPARE).refused("command.exists");
    }

    #[test]
    fn nothing_happens_to_a_suspended_grant_until_it_is_resumed() {
        let reason = r#"{"grant":"G","reason":"audit"}"#;
        let suspended = signed().done("grant.suspend", reason);
        suspended
            .when("grant.close", r#"{"grant":"G"}"#)
            .refused("command.wrong_state")
            .when("grant.resume", reason)
            .then(&["grant.Resumed"]);
    }

    #[test]
    fn the_applicant_terminates_for_the_consortium_only() {
        let scenario = signed()
            .by(Role::Applicant)
            .when("grant.terminate", r#"{"grant":"G","by":"authority","reason":"insolvency"}"#);
        scenario
            .refused("grant.other_party")
            .at("/by")
            .when("grant.terminate", r#"{"grant":"G","by":"consortium","reason":"insolvency"}"#)
            .then(&["grant.Terminated"]);
    }

    #[test]
    fn someone_else_does_not_act_for_the_consortium() {
        let stranger = budgeted().by_person("stranger", Role::Applicant);
        stranger.when("grant.accept", GRANT).refused("grant.not_applicant");
    }

    #[test]
    fn a_grant_that_was_never_signed_can_be_given_up_and_frees_its_money() {
        let ended = budgeted()
            .by(Role::AuthorisingOfficer)
            .done("grant.terminate", r#"{"grant":"G","by":"authority","reason":"no match"}"#)
            .when("grant.close", GRANT)
            .recorded(&["grant.Closed", "fund.GrantDecommitted"]);
        assert_eq!(commitment(&ended).amount, crate::kernel::money::Money::ZERO);
    }

    #[test]
    fn a_grant_closes_when_all_that_is_due_is_paid() {
        let close = |scenario: crate::testing::Scenario| {
            scenario.by(Role::AuthorisingOfficer).when("grant.close", GRANT)
        };
        let scenario = close(signed()).refused("grant.no_final_report");
        let scenario =
            close(assessed(reported(scenario, "R", "final", 2000, 1000), "R", 1600, 800))
                .refused("grant.not_settled");
        let scenario = initiated(scenario, "B", "balance", 800, r#""report":"R""#);
        let scenario = close(scenario).refused("grant.payment_open");
        let scenario =
            close(paid(scenario, "B")).recorded(&["grant.Closed", "fund.GrantDecommitted"]);
        assert_eq!(
            serde_json::to_value(&scenario.commits.last().unwrap().events[1].event).unwrap()["data"]
                ["amount"],
            "EUR 700.00"
        );
    }

    #[test]
    fn a_grant_does_not_close_while_the_insurance_holds_money() {
        let clause = r#""clause":"Art. 22.2""#;
        let ahead = paid(initiated(signed(), "PF", "pre_financing", 700, clause), "PF");
        let spent = assessed(reported(ahead, "R", "final", 1400, 700), "R", 1400, 700);
        let scenario = spent.by(Role::AuthorisingOfficer).when("grant.close", GRANT);
        let scenario = scenario.refused("grant.insurance_held");
        // Nothing is left to pay, but what was withheld is paid out.
        let released = paid(initiated(scenario, "B", "balance", 0, r#""report":"R""#), "B");
        assert_eq!(released.commits.last().unwrap().events.len(), 1);
        let payment = the_payment(&released, "B");
        assert_eq!(payment.order.as_ref().unwrap().net, crate::kernel::money::Money::euro(50));
        released
            .by(Role::AuthorisingOfficer)
            .when("grant.close", GRANT)
            .then(&["grant.Closed", "fund.GrantDecommitted"]);
    }
}
