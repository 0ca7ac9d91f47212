//! Why a call says no.

use crate::decide::call::CUT_OFFS_MAX;
use crate::kernel::ids::{CallId, GrantId, Key, ProposalId, StreamKey};
use crate::kernel::money::Money;
use crate::kernel::refusal::{Kind, Reason, Rule};
use jiff::Timestamp;

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
    /// It has not closed.
    #[error("cut-off {0} has not closed yet")]
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
    /// A conflict of interest was learnt after the decision.
    #[error(
        "a conflict of interest was learnt after cut-off {0} was decided: it is to be reexamined"
    )]
    ReexaminationDue(Key),
    /// Nothing to look at again.
    #[error("nothing of the decision on cut-off {0} is to be reexamined")]
    NothingToReexamine(Key),
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
    #[error("global commitment {0} was made for another call, round, line or source")]
    OtherCommitment(Key),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = CallId::CATEGORY;

    fn rule(&self) -> Rule {
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        match self {
            Self::BadRules { .. } => Rule::ours("rules are data (design.md, 5)"),
            Self::TooManyCutOffs => Rule::ours("every input has a limit"),
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
            Self::ReexaminationDue(_) | Self::NothingToReexamine(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 61: conflict of interests")
            }
            Self::RoundDecided(_)
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
            Self::BadRules { .. } | Self::TooManyCutOffs => Kind::Malformed,
            Self::CutOffClosed(_)
            | Self::CutOffCancelled(_)
            | Self::RoundDecided(_)
            | Self::GrantExists(_) => Kind::Conflict,
            _ => Kind::Rule,
        }
    }
}
