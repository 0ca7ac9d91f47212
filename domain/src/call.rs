//! Decides when a call takes proposals: it opens with its rules, keeps a calendar of cut-offs, and each
//! cut-off closes at its instant over exactly the proposals received by then. Awards are in `round.rs`.

use crate::canonical::Sha256Hex;
use crate::command::Entry;
use crate::ids::{CallId, FundId, GrantId, Key, ProposalId, StreamKey};
use crate::money::Money;
use crate::rejection::{Kind, Reason, Rule};
use crate::rules::Document;
use crate::time::LocalTime;
use crate::world::{At, Decider};
use imbl::OrdMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most cut-offs that a call may have.
pub const CUT_OFFS_MAX: usize = 200;
/// The most proposals that one round can take: their award is one commit, with a few events each.
pub const PROPOSALS_PER_ROUND_MAX: usize = 100;

/// What happens to a call. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
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
    CutOffAdded { at: LocalTime, cut_off: Key, reason: String },
    /// A cut-off was moved.
    #[serde(rename = "call.CutOffMoved")]
    CutOffMoved { at: LocalTime, cut_off: Key, from: LocalTime, reason: String },
    /// A cut-off was cancelled: its proposals fall to the next.
    #[serde(rename = "call.CutOffCancelled")]
    CutOffCancelled { cut_off: Key, reason: String },
    /// A cut-off closed over the proposals that were received by its instant.
    #[serde(rename = "call.CutOffClosed")]
    CutOffClosed { admitted: Vec<ProposalId>, at: LocalTime, cut_off: Key },
    /// A proposal that was received in time was recorded only after its cut-off had closed.
    #[serde(rename = "call.AdmittedAfterClosing")]
    AdmittedAfterClosing { cut_off: Key, proposal: ProposalId },
    /// The envelope was raised.
    #[serde(rename = "call.BudgetRaised")]
    BudgetRaised { by: Money, reason: String },
    /// A round was decided.
    #[serde(rename = "call.RoundAwarded")]
    RoundAwarded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<Key>,
        cut_off: Key,
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
        commitment: Option<Key>,
        cut_off: Key,
        grant: GrantId,
        proposal: ProposalId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
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
    pub line: Key,
    /// Whose money.
    pub source: Key,
}

/// A line of the calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutOffAt {
    /// When it closes, in the call's zone.
    pub at: LocalTime,
    /// Its key, for example `R1`.
    pub key: Key,
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
    #[schemars(length(min = 1, max = 2000))]
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
    pub cut_offs: OrdMap<Key, CutOff>,
}

/// Where a call is in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// Takes proposals.
    #[default]
    Open,
    /// Takes none: the money is used up.
    Exhausted,
    /// Takes none, for good.
    Closed,
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
    pub commitment: Option<Key>,
    /// Union total as decided.
    pub union: Option<Money>,
    /// Awards, reserve activations included.
    pub funded: Vec<Funded>,
    /// Reserve list in rank order, without those activated.
    pub reserve: Vec<ProposalId>,
    /// Rejections.
    pub rejected: Vec<ProposalId>,
}

/// Why a call says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The rules document has mistakes.
    #[error("the rules document has {count} mistakes: {list}")]
    BadRules { count: usize, list: String },
    /// More cut-offs than a calendar holds.
    #[error("a call has at most {CUT_OFFS_MAX} cut-offs")]
    TooManyCutOffs,
    /// Two cut-offs of one key or one instant.
    #[error("cut-off {0} has the key or the instant of another")]
    CutOffTwice(Key),
    /// No such cut-off.
    #[error("the call has no cut-off {0}")]
    NoCutOff(Key),
    /// A cut-off of the past.
    #[error("cut-off {cut_off} would lie at {at}, and it is {now}")]
    CutOffInThePast { cut_off: Key, at: Timestamp, now: Timestamp },
    /// A cut-off after the end of the call.
    #[error("cut-off {0} lies after the end of the call")]
    CutOffAfterEnd(Key),
    /// It closed, and a closed cut-off never opens again.
    #[error("cut-off {0} has closed; it does not open again")]
    CutOffClosed(Key),
    /// It was cancelled.
    #[error("cut-off {0} was cancelled")]
    CutOffCancelled(Key),
    /// Its instant has not come.
    #[error("cut-off {cut_off} closes at {at}, and it is {now}")]
    CutOffNotDue { cut_off: Key, at: Timestamp, now: Timestamp },
    /// A cut-off is still to come.
    #[error("cut-off {0} is still to come: close or cancel it first")]
    CutOffOpen(Key),
    /// Zero or less.
    #[error("an amount must be more than nothing; got {0}")]
    NotPositive(Money),
    /// The call gives no money that we know of.
    #[error("the call has no budget")]
    NoBudget,
    /// The round was decided already.
    #[error("the round of cut-off {0} has been decided already")]
    RoundDecided(Key),
    /// The round was not decided.
    #[error("the round of cut-off {0} has not been decided")]
    RoundNotDecided(Key),
    /// More proposals than one decision can hold.
    #[error("a decision names at most {PROPOSALS_PER_ROUND_MAX} proposals in each of its lists")]
    TooManyProposals,
    /// A proposal in two lists, or twice in one.
    #[error("proposal {0} is named twice")]
    NamedTwice(ProposalId),
    /// A proposal of another round.
    #[error("proposal {proposal} is not in the round of cut-off {cut_off}")]
    NotInRound { proposal: ProposalId, cut_off: Key },
    /// Not yet checked.
    #[error("proposal {0} has not been checked for admissibility and eligibility")]
    NotChecked(ProposalId),
    /// Not to be decided.
    #[error("proposal {proposal} is {phase}: there is nothing to decide on it")]
    NotEligible { proposal: ProposalId, phase: &'static str },
    /// An eligible proposal was left out.
    #[error("the decision leaves out {0}, which is eligible")]
    LeftOut(ProposalId),
    /// The panel has not ranked the round.
    #[error("the round of cut-off {0} has not been ranked by its panel")]
    NotRanked(Key),
    /// Below a threshold.
    #[error("proposal {0} did not pass every threshold")]
    BelowThreshold(ProposalId),
    /// Passed over without a reason.
    #[error("proposal {skipped} ranks above {funded}: fund it, or reject it with a reason")]
    PassedOver { skipped: ProposalId, funded: ProposalId },
    /// The reserve list is not in rank order.
    #[error("the reserve list is in the order of the ranking; {0} is out of place")]
    ReserveOutOfOrder(ProposalId),
    /// Not the first of the reserve list.
    #[error("{next} is next on the reserve list, not {asked}")]
    NotNextInReserve { asked: ProposalId, next: ProposalId },
    /// Not on the reserve list.
    #[error("proposal {0} is not on the reserve list")]
    NotInReserve(ProposalId),
    /// A grant id in use.
    #[error("grant {0} exists already")]
    GrantExists(GrantId),
    /// More than was asked for.
    #[error("{asked} is more than the {requested} that {proposal} asked for")]
    MoreThanRequested { asked: Money, requested: Money, proposal: ProposalId },
    /// More than the envelope.
    #[error("{asked} is more than the {left} left of the call's envelope")]
    EnvelopeExceeded { asked: Money, left: Money },
    /// The parts are more than the whole.
    #[error("the known amounts make {sum}, more than the round's total of {union}")]
    PartsExceedTotal { sum: Money, union: Money },
    /// Money without a commitment to draw on.
    #[error("money is awarded out of a global commitment: name its key")]
    NoCommitment,
    /// A commitment for something else.
    #[error("global commitment {0} was made for another call or round")]
    OtherCommitment(Key),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = CallId::CATEGORY;

    fn rule(&self) -> Rule {
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        match self {
            Self::BadRules { .. } => Rule::ours("rules are data (design.md, 5)"),
            Self::TooManyCutOffs | Self::TooManyProposals => Rule::ours("every input has a limit"),
            Self::CutOffTwice(_)
            | Self::NoCutOff(_)
            | Self::CutOffInThePast { .. }
            | Self::CutOffAfterEnd(_)
            | Self::CutOffClosed(_)
            | Self::CutOffCancelled(_)
            | Self::CutOffNotDue { .. }
            | Self::CutOffOpen(_)
            | Self::NotInRound { .. } => Rule::ours("the calendar of cut-offs (design.md, 10.8)"),
            Self::NotChecked(_) | Self::NotEligible { .. } => {
                Rule::of("rules document", "submission.questions, eligibility.questions")
            }
            Self::NotRanked(_)
            | Self::BelowThreshold(_)
            | Self::PassedOver { .. }
            | Self::ReserveOutOfOrder(_)
            | Self::NotNextInReserve { .. }
            | Self::NotInReserve(_) => Rule::of("rules document", "evaluation"),
            Self::RoundDecided(_)
            | Self::RoundNotDecided(_)
            | Self::NamedTwice(_)
            | Self::LeftOut(_)
            | Self::GrantExists(_) => {
                Rule::ours("a round is decided once and whole (design.md, 2)")
            }
            Self::NotPositive(_)
            | Self::NoBudget
            | Self::MoreThanRequested { .. }
            | Self::EnvelopeExceeded { .. }
            | Self::PartsExceedTotal { .. } => Rule::ours("commitments add up (design.md, 10.2)"),
            Self::NoCommitment | Self::OtherCommitment(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 112(4): global commitments")
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoCutOff(_) => Kind::NotFound,
            Self::BadRules { .. } | Self::TooManyCutOffs | Self::TooManyProposals => {
                Kind::Malformed
            }
            Self::CutOffClosed(_)
            | Self::CutOffCancelled(_)
            | Self::RoundDecided(_)
            | Self::RoundNotDecided(_)
            | Self::GrantExists(_) => Kind::Conflict,
            _ => Kind::Rule,
        }
    }
}

impl Decider for Call {
    type Id = CallId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        self.phase.into()
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
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
                    union: *union,
                    funded: funded.clone(),
                    reserve: reserve.clone(),
                    rejected: rejected.iter().map(|one| one.proposal.clone()).collect(),
                };
                self.change_round(cut_off, |round| round.decision = Some(decision));
            }
            Event::ReserveActivated { cut_off, grant, proposal, union, .. } => {
                self.activate(cut_off, grant, proposal, *union);
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
    fn put(&mut self, key: &Key, at: &LocalTime, status: CutOffStatus) {
        // An accepted cut-off names one instant; the zone rules are compiled in.
        let instant = at.instant().unwrap_or_default();
        self.cut_offs.insert(key.clone(), CutOff { at: at.clone(), instant, status });
    }

    fn change_round(&mut self, cut_off: &Key, change: impl FnOnce(&mut Round)) {
        if let Some(CutOff { status: CutOffStatus::Closed(round), .. }) =
            self.cut_offs.get_mut(cut_off)
        {
            change(Arc::make_mut(round));
        }
    }

    fn activate(
        &mut self,
        cut_off: &Key,
        grant: &GrantId,
        proposal: &ProposalId,
        union: Option<Money>,
    ) {
        let award = Funded { grant: grant.clone(), proposal: proposal.clone(), union };
        let mut within = false;
        self.change_round(cut_off, |round| {
            if let Some(decision) = &mut round.decision {
                within = decision.union.is_some();
                decision.reserve.retain(|other| *other != award.proposal);
                decision.funded.push(award);
            }
        });
        // Out of a round whose total was decided, the amount has been counted already.
        if !within {
            self.awarded.add(union.unwrap_or_default());
        }
    }
}

/// The commands.
pub const COMMANDS: &[Entry] = &[];
