//! The grant agreement: budget, the two signatures, amendments.

use super::budget::{Beneficiary, Budget, Item};
use super::{APPLICANT, Event, Grant, Rejection, check_dates, check_other_person};
use crate::command::{Command, Decision, Declaration, Meta, Need, NewEvent, Role, check_text};
use crate::fund;
use crate::ids::{FundId, GrantId, Key, StreamId, StreamKey};
use crate::money::Money;
use crate::pledge;
use crate::rejection::{Refusal, Rule};
use crate::world::World;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The signed grant agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Last day of the action.
    pub ends: Date,
    /// The fund that pays.
    pub fund: FundId,
    /// First day of the action.
    pub starts: Date,
    /// What the action costs.
    pub total: Money,
    /// At most this is paid by the Union.
    pub union: Money,
}

/// What an amendment changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Change {
    /// Money moves between items or beneficiaries; the sums of the agreement stay.
    Budget {
        /// The new budget.
        budget: Budget,
    },
    /// Other first or last day.
    Dates {
        /// Last day.
        ends: Date,
        /// First day.
        starts: Date,
    },
    /// Someone joins, with a share taken from another.
    AddBeneficiary {
        /// Who.
        beneficiary: Beneficiary,
        /// Who gives the share.
        from: Key,
    },
    /// Someone leaves, and their share passes on.
    RemoveBeneficiary {
        /// Who.
        beneficiary: Key,
        /// Who takes the share over.
        to: Key,
    },
}

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

impl Command for SetBudget {
    const DECLARATION: Declaration = Declaration {
        name: "grant.set_budget",
        summary: "Set the budget: cost items and beneficiaries",
        roles: &[Role::Applicant, Role::ProgrammeOfficer],
        from: &["preparation", "hosting_agreed", "active"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 5: budget"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

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

impl Command for Accept {
    const DECLARATION: Declaration = Declaration {
        name: "grant.accept",
        summary: "Sign the grant agreement as its coordinator",
        roles: APPLICANT,
        from: &["preparation", "hosting_agreed", "active"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 44: entry into force"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

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

impl Command for Sign {
    const DECLARATION: Declaration = Declaration {
        name: "grant.sign",
        summary: "Sign the grant agreement, which enters into force",
        roles: &[Role::AuthorisingOfficer],
        from: &["preparation", "hosting_agreed", "active"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("EU model grant agreement", "Art. 44: entry into force"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_not_signed()?;
        let terms = grant.terms();
        let budget = grant.budget.as_ref().ok_or(Rejection::NoBudget)?;
        check_sums(budget.check(&terms)?, (self.union, self.total))?;
        check_dates(self.starts, self.ends).map_err(|refusal| refusal.at("/ends"))?;
        let accepted_by = grant.accepted_by.as_ref().ok_or(Rejection::NotAccepted)?;
        check_other_person(meta, accepted_by, "signed for the consortium")?;
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
    pub amendment: Key,
    /// What would change.
    pub change: Change,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for RequestAmendment {
    const DECLARATION: Declaration = Declaration {
        name: "grant.request_amendment",
        summary: "Ask for an amendment of the grant agreement",
        roles: APPLICANT,
        from: &["active", "suspended"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 39: amendments"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("reason", &self.reason)?;
        let grant = world.find(&world.grants, &self.grant)?;
        grant.check_applicant(meta)?;
        let amendment = self.amendment.clone();
        if grant.amendments.contains_key(&amendment) {
            return Err(Rejection::KeyUsed { what: "amendment", key: amendment }.into());
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
    pub amendment: Key,
    /// Whether the authority agrees.
    pub approved: bool,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for DecideAmendment {
    const DECLARATION: Declaration = Declaration {
        name: "grant.decide_amendment",
        summary: "Agree to an amendment, or refuse it",
        roles: &[Role::AuthorisingOfficer],
        from: &["active", "suspended"],
        needs: &[Need::OtherPerson],
        rule: Rule::of("EU model grant agreement", "Art. 39: amendments"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("reason", &self.reason)?;
        let grant = world.find(&world.grants, &self.grant)?;
        let (amendment, reason) = (self.amendment.clone(), self.reason.clone());
        let (asked_by, change) = match grant.amendments.get(&amendment) {
            Some((asked_by, Some(change))) => (asked_by, change),
            Some(_) => return Err(Rejection::Decided { what: "amendment", key: amendment }.into()),
            None => return Err(Rejection::UnknownKey { what: "amendment", key: amendment }.into()),
        };
        check_other_person(meta, asked_by, "asked for it")?;
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
