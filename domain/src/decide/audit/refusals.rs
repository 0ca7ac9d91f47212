//! Why an audit engagement says no.

use crate::decide::audit::ANSWER_DAYS_MAX;
use crate::facts::audit::Standing;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{AuditId, Key, PaymentId, StreamKey};
use crate::kernel::money::Money;
use crate::kernel::refusal;
use crate::kernel::refusal::{Reason, Rule};
use crate::kernel::sampling::{NoSize, SAMPLE_MAX};
use jiff::Timestamp;
use jiff::civil::Date;

/// Why an audit says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Out of its bounds.
    #[error("the auditee has 1 to {ANSWER_DAYS_MAX} days to answer; got {0}")]
    AnswerDays(u32),
    /// The end comes first.
    #[error("{to} lies before {from}")]
    Backwards { from: Date, to: Date },
    /// Nothing to tolerate, or less than nothing.
    #[error("what is tolerable is more than nothing, what is expected is not less; got {0}")]
    NotPositive(Money),
    /// An amount of less than nothing.
    #[error("{0} is less than nothing")]
    Negative(Money),
    /// Another nonce than the one that was committed to.
    #[error("the SHA-256 of this nonce is {got}, and {committed} was committed to")]
    OtherNonce { committed: Sha256Hex, got: Sha256Hex },
    /// It may have been known before the commitment.
    #[error(
        "the first checkpoint after position {committed}, where the nonce was committed to, is of {size} \
         commits with root {root}"
    )]
    OtherCheckpoint { size: u64, committed: u64, root: Sha256Hex },
    /// There is none yet.
    #[error(
        "no checkpoint was recorded after position {committed}, where the nonce was committed to; ask \
         for one (checkpoint.request)"
    )]
    NoCheckpoint { committed: u64 },
    /// Something is missing, or there is too much.
    #[error(
        "the population is not complete: {place} has {control}, its items add up to {population}"
    )]
    Incomplete { place: String, population: Money, control: Money },
    /// No item.
    #[error("there is nothing to draw from in this period")]
    Empty,
    /// The formula has no answer.
    #[error("{0}")]
    NoSize(NoSize),
    /// It would not fit into a commit.
    #[error(
        "{0} items would be drawn, the most is {SAMPLE_MAX}: narrow the scope or raise what is tolerable"
    )]
    TooLarge(usize),
    /// Else whoever does not like the sample could try again.
    #[error(
        "a checkpoint was recorded after position {committed}, where the nonce was committed to, so the \
         sample can be known: draw it first (audit.draw)"
    )]
    NotDrawn { committed: u64 },
    /// Not drawn.
    #[error("{0} is not in the sample")]
    NotInSample(String),
    /// Who audits has not acted.
    #[error("{actor} {step} at position {position}: another auditor must audit payment {payment}")]
    ActedOn { actor: String, step: &'static str, position: u64, payment: PaymentId },
    /// A key that is in use.
    #[error("finding {0} exists already")]
    FindingExists(Key),
    /// A key that is not there.
    #[error("there is no finding {0}")]
    NoFinding(Key),
    /// It is further, or not so far.
    #[error("finding {finding} is {stage}")]
    OtherStage { finding: Key, stage: Standing },
    /// The auditor does not answer for the auditee.
    #[error("the auditor who raised it does not answer it")]
    OwnFinding,
    /// Not theirs to answer.
    #[error("a coordinator answers for their own grant only, and this finding names none")]
    NotAuditee,
    /// Said once.
    #[error("finding {0} has been answered")]
    Answered(Key),
    /// Contradictory procedure.
    #[error("the auditee has not answered {finding} and has time until {answer_by}")]
    NotHeard { finding: Key, answer_by: Timestamp },
    /// Nothing has moved.
    #[error("payment {0} has not been carried out")]
    NotCarriedOut(PaymentId),
    /// The payment that is in error does not correct itself.
    #[error("payment {0} is what the finding is about")]
    Itself(PaymentId),
    /// More than was moved or found.
    #[error("{asked} is more than the {left} left to correct")]
    CorrectionExceeded { asked: Money, left: Money },
    /// Not yet.
    #[error("{left} of finding {finding} is not corrected")]
    NotCorrected { finding: Key, left: Money },
    /// Something is open.
    #[error("finding {finding} is {stage}")]
    NotSettled { finding: Key, stage: Standing },
    /// An item was not looked at.
    #[error("{0} of the sample has not been tested")]
    NotTested(String),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = AuditId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::AnswerDays(_)
            | Self::OwnFinding
            | Self::NotAuditee
            | Self::Answered(_)
            | Self::NotHeard { .. } => HEARD,
            Self::Incomplete { .. } => Rule::of("ISA 500", "para. 9: completeness of information"),
            Self::OtherNonce { .. }
            | Self::OtherCheckpoint { .. }
            | Self::NoCheckpoint { .. }
            | Self::NotDrawn { .. } => VERIFIABLE,
            Self::ActedOn { .. } => {
                Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 36: segregation of duties")
            }
            Self::NotPositive(_)
            | Self::Empty
            | Self::NoSize(_)
            | Self::TooLarge(_)
            | Self::NotInSample(_)
            | Self::NotTested(_)
            | Self::Backwards { .. } => SAMPLING,
            Self::FindingExists(_) | Self::NoFinding(_) => {
                Rule::ours("a key names one thing for ever")
            }
            Self::Negative(_)
            | Self::OtherStage { .. }
            | Self::NotCarriedOut(_)
            | Self::Itself(_)
            | Self::CorrectionExceeded { .. }
            | Self::NotCorrected { .. }
            | Self::NotSettled { .. } => FOLLOW_UP,
        }
    }

    fn kind(&self) -> refusal::Kind {
        match self {
            Self::ActedOn { .. } | Self::OwnFinding | Self::NotAuditee => refusal::Kind::Forbidden,
            _ => refusal::Kind::Rule,
        }
    }
}

pub(crate) const SAMPLING: Rule =
    Rule::of("ISA 530", "para. 6-8: design, size and selection of samples");

pub(crate) const VERIFIABLE: Rule = Rule::ours("neither side can steer a sample (ADR 0017)");

pub(crate) const HEARD: Rule =
    Rule::of("EU model grant agreement", "Art. 25: contradictory procedure");

pub(crate) const FOLLOW_UP: Rule = Rule::of("ISSAI 100", "para. 51: follow-up of findings");
