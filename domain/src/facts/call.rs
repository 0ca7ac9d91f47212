//! Holds what is known of a call: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{
    BudgetLine, CallId, CommitmentKey, CutOffKey, FundId, FundSource, GrantId, ProposalId,
};
use crate::kernel::money::Money;
use crate::kernel::time::LocalTime;
use crate::rulebook::Document;
use imbl::OrdMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most proposals that one round can take: their ranking and their award are one commit each, which
/// has room for so many with the longest ids and reasons.
pub const PROPOSALS_PER_ROUND_MAX: usize = 50;

/// The longest reason in a ranking or an award, in bytes of JSON: there is one for every proposal, and
/// an award writes it twice, into the call and into the proposal.
pub const ROUND_REASON_BYTES_MAX: usize = 250;

/// What happens to a call. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "call.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It opened, with the rules that it keeps.
    #[serde(rename = "call.Opened")]
    Opened {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<Budget>,
        cut_offs: Vec<CutOffAt>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens_until: Option<LocalTime>,
        rules: Arc<Document>,
        rules_sha256: Sha256Hex,
        title: String,
    },
    /// A cut-off was added to the calendar.
    #[serde(rename = "call.CutOffAdded")]
    CutOffAdded { at: LocalTime, cut_off: CutOffKey, reason: String },
    /// A cut-off was moved.
    #[serde(rename = "call.CutOffMoved")]
    CutOffMoved { at: LocalTime, cut_off: CutOffKey, from: LocalTime, reason: String },
    /// A cut-off was cancelled: its proposals fall to the next.
    #[serde(rename = "call.CutOffCancelled")]
    CutOffCancelled { cut_off: CutOffKey, reason: String },
    /// A cut-off closed over the proposals that were received by its instant.
    #[serde(rename = "call.CutOffClosed")]
    CutOffClosed { admitted: Vec<ProposalId>, at: LocalTime, cut_off: CutOffKey },
    /// A proposal that was received in time was recorded only after its cut-off had closed.
    #[serde(rename = "call.AdmittedAfterClosing")]
    AdmittedAfterClosing { cut_off: CutOffKey, proposal: ProposalId },
    /// The envelope was raised.
    #[serde(rename = "call.BudgetRaised")]
    BudgetRaised { by: Money, reason: String },
    /// A round was decided.
    #[serde(rename = "call.RoundAwarded")]
    RoundAwarded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<CommitmentKey>,
        cut_off: CutOffKey,
        funded: Vec<Funded>,
        rejected: Vec<Rejected>,
        reserve: Vec<ProposalId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
    /// A proposal of the reserve list was awarded after all.
    #[serde(rename = "call.ReserveActivated")]
    ReserveActivated {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<CommitmentKey>,
        cut_off: CutOffKey,
        grant: GrantId,
        proposal: ProposalId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
    /// What the decision of a round rested on is void: a conflict of interest was learnt after it.
    #[serde(rename = "call.ReexaminationDue")]
    ReexaminationDue { cut_off: CutOffKey, proposal: ProposalId },
    /// The decision of a round was looked at again.
    #[serde(rename = "call.Reexamined")]
    Reexamined { cut_off: CutOffKey, reason: String },
    /// The money is used up: no more proposals are taken.
    #[serde(rename = "call.Exhausted")]
    Exhausted { reason: String },
    /// No more proposals are taken, for good.
    #[serde(rename = "call.Closed")]
    Closed { reason: String },
}

/// Where the money of a call comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What the call may award in all.
    pub envelope: Money,
    /// The fund.
    pub fund: FundId,
    /// Its budget line.
    pub line: BudgetLine,
    /// Whose money.
    pub source: FundSource,
}

/// A line of the calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutOffAt {
    /// When it closes, in the call's zone.
    pub at: LocalTime,
    /// Its key, for example `R1`.
    pub key: CutOffKey,
}

/// An award.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Funded {
    /// The grant that it becomes.
    pub grant: GrantId,
    /// The proposal.
    pub proposal: ProposalId,
    /// What the Union gives; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union: Option<Money>,
}

/// A rejection with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// The proposal.
    pub proposal: ProposalId,
    /// Why.
    #[schemars(length(min = 1, max = 250))]
    pub reason: String,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where it is in its life.
    pub phase: Phase,
    /// Full name.
    pub title: String,
    /// The rules that it opened with; there from the first event on.
    pub rules: Option<Arc<Document>>,
    /// Digest of their canonical JSON.
    pub rules_sha256: Option<Sha256Hex>,
    /// When it stops taking proposals.
    pub opens_until: Option<LocalTime>,
    /// Where the money comes from; the envelope includes later increases.
    pub budget: Option<Budget>,
    /// Union money awarded so far, as far as it is known.
    pub awarded: Money,
    /// The calendar, cancelled cut-offs included.
    pub cut_offs: OrdMap<CutOffKey, CutOff>,
}

phases! {
    /// Where a call is in its life.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Phase {
        /// Takes proposals.
        #[default]
        Open = "open",
        /// Takes none: the money is used up.
        Exhausted = "exhausted",
        /// Takes none, for good.
        Closed = "closed",
    }
}

/// One cut-off and its round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutOff {
    /// When it closes or closed.
    pub at: LocalTime,
    /// The same as an instant.
    pub instant: Timestamp,
    /// What became of it.
    pub status: CutOffStatus,
}

/// What became of a cut-off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutOffStatus {
    /// Not yet closed.
    Open,
    /// Will not take place.
    Cancelled,
    /// Closed over these proposals.
    Closed(Arc<Round>),
}

/// What a closed cut-off holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The proposals in it.
    pub admitted: Vec<ProposalId>,
    /// The decision on them, once there is one.
    pub decision: Option<RoundDecision>,
}

/// The decision on a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundDecision {
    /// The global commitment that it draws on.
    pub commitment: Option<CommitmentKey>,
    /// When it was taken.
    pub decided_at: Timestamp,
    /// Union total as decided.
    pub union: Option<Money>,
    /// Awards, reserve activations included.
    pub funded: Vec<Funded>,
    /// Reserve list in rank order, without those activated.
    pub reserve: Vec<ProposalId>,
    /// Rejections.
    pub rejected: Vec<ProposalId>,
    /// Proposals in which a conflict of interest was learnt since; the decision is to be looked at again.
    pub questioned: Vec<ProposalId>,
}

impl Decider for Call {
    type Id = CallId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        self.phase
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Opened { budget, cut_offs, opens_until, rules, rules_sha256, title } => {
                self.budget.clone_from(budget);
                self.opens_until.clone_from(opens_until);
                self.rules = Some(Arc::clone(rules));
                self.rules_sha256 = Some(*rules_sha256);
                self.title.clone_from(title);
                for cut_off in cut_offs {
                    self.put(&cut_off.key, &cut_off.at, CutOffStatus::Open);
                }
            }
            Event::CutOffAdded { at, cut_off, .. } | Event::CutOffMoved { at, cut_off, .. } => {
                self.put(cut_off, at, CutOffStatus::Open);
            }
            Event::CutOffCancelled { cut_off, .. } => {
                if let Some(found) = self.cut_offs.get_mut(cut_off) {
                    found.status = CutOffStatus::Cancelled;
                }
            }
            Event::CutOffClosed { admitted, at, cut_off } => {
                let round = Round { admitted: admitted.clone(), decision: None };
                self.put(cut_off, at, CutOffStatus::Closed(Arc::new(round)));
            }
            Event::AdmittedAfterClosing { cut_off, proposal } => {
                self.change_round(cut_off, |round| round.admitted.push(proposal.clone()));
            }
            Event::BudgetRaised { by, .. } => {
                if let Some(budget) = &mut self.budget {
                    budget.envelope.add(*by);
                }
                self.phase = Phase::Open;
            }
            Event::RoundAwarded { commitment, cut_off, funded, rejected, reserve, union } => {
                self.awarded.add(known_total(*union, funded));
                let decision = RoundDecision {
                    commitment: commitment.clone(),
                    decided_at: at.effective_at,
                    union: *union,
                    funded: funded.clone(),
                    reserve: reserve.clone(),
                    rejected: rejected.iter().map(|one| one.proposal.clone()).collect(),
                    questioned: Vec::new(),
                };
                self.change_round(cut_off, |round| round.decision = Some(decision));
            }
            Event::ReserveActivated { commitment, cut_off, grant, proposal, union } => {
                let (grant, proposal) = (grant.clone(), proposal.clone());
                let award = Funded { grant, proposal, union: *union };
                self.activate(cut_off, commitment.as_ref(), award);
            }
            Event::ReexaminationDue { cut_off, proposal } => {
                self.change_decision(cut_off, |made| made.questioned.push(proposal.clone()));
            }
            Event::Reexamined { cut_off, .. } => {
                self.change_decision(cut_off, |made| made.questioned.clear());
            }
            Event::Exhausted { .. } => self.phase = Phase::Exhausted,
            Event::Closed { .. } => self.phase = Phase::Closed,
        }
    }
}

/// The Union total of a decision: as decided, or else what is known of its parts.
fn known_total(union: Option<Money>, funded: &[Funded]) -> Money {
    union.unwrap_or_else(|| {
        let mut sum = Money::ZERO;
        funded.iter().filter_map(|one| one.union).for_each(|amount| sum.add(amount));
        sum
    })
}

impl Call {
    fn put(&mut self, key: &CutOffKey, at: &LocalTime, status: CutOffStatus) {
        // An accepted cut-off names one instant; the zone rules are compiled in.
        let instant = at.instant().unwrap_or_default();
        self.cut_offs.insert(key.clone(), CutOff { at: at.clone(), instant, status });
    }

    fn change_round(&mut self, cut_off: &CutOffKey, change: impl FnOnce(&mut Round)) {
        if let Some(CutOff { status: CutOffStatus::Closed(round), .. }) =
            self.cut_offs.get_mut(cut_off)
        {
            change(Arc::make_mut(round));
        }
    }

    fn change_decision(&mut self, cut_off: &CutOffKey, change: impl FnOnce(&mut RoundDecision)) {
        self.change_round(cut_off, |round| {
            if let Some(decision) = &mut round.decision {
                change(decision);
            }
        });
    }

    fn activate(&mut self, cut_off: &CutOffKey, commitment: Option<&CommitmentKey>, award: Funded) {
        let union = award.union.unwrap_or_default();
        let mut counted = false;
        self.change_decision(cut_off, |decision| {
            counted = decision.union.is_some() && decision.commitment.as_ref() == commitment;
            decision.reserve.retain(|other| *other != award.proposal);
            decision.funded.push(award);
        });
        // Out of a commitment whose total was decided, the amount has been counted already.
        if !counted {
            self.awarded.add(union);
        }
    }

    /// The cut-off for what is received at an instant: the first that is not before it.
    #[must_use]
    pub fn cut_off_for(&self, received_at: Timestamp) -> Option<(&CutOffKey, &CutOff)> {
        self.cut_offs
            .iter()
            .filter(|(_, one)| one.status != CutOffStatus::Cancelled)
            .filter(|(_, one)| received_at <= one.instant)
            .min_by_key(|(_, one)| one.instant)
    }
}
