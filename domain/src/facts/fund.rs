//! Holds what is known of a fund: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::ids::{
    BudgetLine, CallId, CommitmentKey, CutOffKey, FundId, FundSource, GrantId, PaymentId,
};
use crate::kernel::money::Money;
use imbl::OrdMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a fund. Stored for ever: a shape changes only with a new schema version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "fund.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// The budgetary authority voted an appropriation.
    #[serde(rename = "fund.AppropriationVoted")]
    AppropriationVoted { amount: Money, line: BudgetLine, source: FundSource },
    /// An appropriation was raised.
    #[serde(rename = "fund.AppropriationIncreased")]
    AppropriationIncreased { amount: Money, line: BudgetLine, reason: String, source: FundSource },
    /// Unused appropriation left for another fund.
    #[serde(rename = "fund.CarriedOver")]
    CarriedOver { amount: Money, line: BudgetLine, source: FundSource, to: FundId },
    /// Appropriation arrived from another fund.
    #[serde(rename = "fund.CarriedIn")]
    CarriedIn { amount: Money, from: FundId, line: BudgetLine, source: FundSource },
    /// Money was reserved for a call or one of its rounds; recipients or amounts still unknown.
    #[serde(rename = "fund.GloballyCommitted")]
    GloballyCommitted {
        amount: Money,
        call: CallId,
        commitment: CommitmentKey,
        line: BudgetLine,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<CutOffKey>,
        source: FundSource,
    },
    /// A global commitment was raised.
    #[serde(rename = "fund.GlobalCommitmentIncreased")]
    GlobalCommitmentIncreased { amount: Money, commitment: CommitmentKey, reason: String },
    /// Recipient and amount are known.
    #[serde(rename = "fund.IndividuallyCommitted")]
    IndividuallyCommitted { amount: Money, commitment: CommitmentKey, grant: GrantId },
    /// The agreement or contract with the recipient was signed.
    #[serde(rename = "fund.LegallyCommitted")]
    LegallyCommitted { amount: Money, grant: GrantId },
    /// Money left the account.
    #[serde(rename = "fund.Paid")]
    Paid { amount: Money, grant: GrantId, payment: PaymentId },
    /// A payment came back or was recovered.
    #[serde(rename = "fund.Returned")]
    Returned { amount: Money, grant: GrantId, payment: PaymentId },
    /// The unused rest of a global commitment was released.
    #[serde(rename = "fund.GlobalDecommitted")]
    GlobalDecommitted { amount: Money, commitment: CommitmentKey, reason: String },
    /// The unpaid rest of an individual and legal commitment was released.
    #[serde(rename = "fund.GrantDecommitted")]
    GrantDecommitted { amount: Money, grant: GrantId, reason: String },
}

/// One fund: the appropriations of one authority and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fund {
    /// By budget line, then source.
    pub lines: OrdMap<BudgetLine, OrdMap<FundSource, FundLine>>,
    /// Global commitments by their key.
    pub commitments: OrdMap<CommitmentKey, Global>,
    /// Individual commitments by grant.
    pub grants: OrdMap<GrantId, Individual>,
}

/// One budget line from one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FundLine {
    /// Voted, raised and carried in, less what was carried over.
    pub appropriated: Money,
    /// Global commitments, less what was released.
    pub committed: Money,
}

/// One global commitment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Global {
    /// Its budget line.
    pub line: BudgetLine,
    /// Its source.
    pub source: FundSource,
    /// For which call.
    pub call: CallId,
    /// For which round, if for one.
    pub round: Option<CutOffKey>,
    /// Committed, less what was released.
    pub amount: Money,
    /// Of it, committed individually.
    pub individual: Money,
}

/// One individual commitment, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Individual {
    /// Out of which global commitment.
    pub commitment: CommitmentKey,
    /// Committed, less what was released.
    pub amount: Money,
    /// Of it, under a signed agreement or contract.
    pub legal: Money,
    /// Of that, paid and not returned.
    pub paid: Money,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Open = "open",
    }
}

impl Decider for Fund {
    type Id = FundId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        Phase::Open
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::AppropriationVoted { amount, line, source }
            | Event::AppropriationIncreased { amount, line, source, .. }
            | Event::CarriedIn { amount, line, source, .. } => {
                self.line_mut(line, source).appropriated.add(*amount);
            }
            Event::CarriedOver { amount, line, source, .. } => {
                self.line_mut(line, source).appropriated.subtract(*amount);
            }
            Event::GloballyCommitted { amount, call, commitment, line, round, source } => {
                self.line_mut(line, source).committed.add(*amount);
                let global = Global {
                    line: line.clone(),
                    source: source.clone(),
                    call: call.clone(),
                    round: round.clone(),
                    amount: *amount,
                    individual: Money::ZERO,
                };
                self.commitments.insert(commitment.clone(), global);
            }
            Event::GlobalCommitmentIncreased { amount, commitment, .. } => {
                self.change_global(commitment, |total| total.add(*amount));
            }
            Event::GlobalDecommitted { amount, commitment, .. } => {
                self.change_global(commitment, |total| total.subtract(*amount));
            }
            Event::IndividuallyCommitted { amount, commitment, grant } => {
                if let Some(global) = self.commitments.get_mut(commitment) {
                    global.individual.add(*amount);
                }
                let individual = self.grants.entry(grant.clone()).or_insert_with(|| Individual {
                    commitment: commitment.clone(),
                    amount: Money::ZERO,
                    legal: Money::ZERO,
                    paid: Money::ZERO,
                });
                individual.amount.add(*amount);
            }
            Event::LegallyCommitted { amount, grant } => {
                self.change_grant(grant, |individual| individual.legal.add(*amount));
            }
            Event::Paid { amount, grant, .. } => {
                self.change_grant(grant, |individual| individual.paid.add(*amount));
            }
            Event::Returned { amount, grant, .. } => {
                self.change_grant(grant, |individual| individual.paid.subtract(*amount));
            }
            Event::GrantDecommitted { amount, grant, .. } => self.release_grant(grant, *amount),
        }
    }
}

impl Fund {
    fn line_mut(&mut self, line: &BudgetLine, source: &FundSource) -> &mut FundLine {
        self.lines.entry(line.clone()).or_default().entry(source.clone()).or_default()
    }

    fn change_global(&mut self, commitment: &CommitmentKey, change: impl Fn(&mut Money)) {
        if let Some(global) = self.commitments.get_mut(commitment) {
            change(&mut global.amount);
            let (line, source) = (global.line.clone(), global.source.clone());
            change(&mut self.line_mut(&line, &source).committed);
        }
    }

    fn change_grant(&mut self, grant: &GrantId, change: impl FnOnce(&mut Individual)) {
        if let Some(individual) = self.grants.get_mut(grant) {
            change(individual);
        }
    }

    /// What is released from a grant returns to its global commitment.
    fn release_grant(&mut self, grant: &GrantId, amount: Money) {
        let Some(individual) = self.grants.get_mut(grant) else { return };
        individual.amount.subtract(amount);
        if individual.legal > individual.amount {
            individual.legal = individual.amount;
        }
        if let Some(global) = self.commitments.get_mut(&individual.commitment) {
            global.individual.subtract(amount);
        }
    }

    /// What is committed globally to a call.
    #[must_use]
    pub fn committed_to(&self, call: &CallId) -> Money {
        let mut sum = Money::ZERO;
        let of_call = self.commitments.values().filter(|global| global.call == *call);
        of_call.for_each(|global| sum.add(global.amount));
        sum
    }
}
