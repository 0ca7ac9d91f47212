//! Why an allocation says no.

use crate::kernel::compute::ComputeTime;
use crate::kernel::ids::{ActorId, AllocationId, CallId, Key, StreamKey};
use crate::kernel::refusal::{Kind, Reason, Rule};
use jiff::civil::Date;

/// Why an allocation says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Somebody else asks.
    #[error("only {0}, or someone on behalf of {0}, may do this")]
    NotTheApplicant(ActorId),
    /// Decides about the own request.
    #[error("{0} made this request and may not decide about it")]
    OwnRequest(ActorId),
    /// The call is about something else.
    #[error("call {0} gives no compute time")]
    NoAccess(CallId),
    /// The call takes no requests any more.
    #[error("call {0} takes no more requests")]
    CallNotOpen(CallId),
    /// Nothing at all.
    #[error("an amount of compute time must be more than nothing")]
    Nothing,
    /// Below the call's minimum.
    #[error("{asked} is less than the {min} GPU-hours that the call asks for at least")]
    TooLittle { asked: ComputeTime, min: i64 },
    /// Above the call's maximum.
    #[error("{asked} is more than the {max} GPU-hours that the call gives at most")]
    TooMuch { asked: ComputeTime, max: i64 },
    /// Not one of the call's durations.
    #[error("{asked} months are not among the durations of the call: {allowed}")]
    Months { asked: u32, allowed: String },
    /// The machine cannot do it.
    #[error("the technical check found it not feasible")]
    NotFeasible,
    /// More than was asked for.
    #[error("{asked} is more than the {requested} requested")]
    MoreThanRequested { asked: ComputeTime, requested: ComputeTime },
    /// Ends before it starts, or runs longer than asked for.
    #[error("it may run from {starts} to {latest} at the latest; got {ends}")]
    Period { starts: Date, ends: Date, latest: Date },
    /// One machine or one pool, not both and not neither.
    #[error("time is granted on one system or on a pool of partitions: give one of the two")]
    SystemOrPool,
    /// A pool that could be taken for a partition.
    #[error("{0} is the name of a partition; a pool needs a name of its own")]
    PoolName(Key),
    /// The account belongs to another allocation.
    #[error("account {account} belongs to {allocation}")]
    AccountTaken { account: Key, allocation: AllocationId },
    /// Used where nothing was granted.
    #[error("nothing is granted on partition {0}")]
    NotGranted(Key),
    /// Reported twice.
    #[error("usage of {0} is recorded already; correct it")]
    PeriodRecorded(Key),
    /// Not reported yet.
    #[error("no usage of {0} is recorded")]
    NoSuchPeriod(Key),
    /// More used than awarded, and nobody says why.
    #[error("used {used} of {awarded}: an overrun needs a reason")]
    OverrunWithoutReason { used: ComputeTime, awarded: ComputeTime },
    /// Neither more time nor a later end.
    #[error("an extension gives more time, a later end, or both")]
    NothingToExtend,
    /// An end that is no later.
    #[error("it ends on {now} already; {asked} is no extension")]
    NotLater { now: Date, asked: Date },
    /// Ended before its time, and nobody says why.
    #[error("it runs until {0}: an earlier end needs a reason")]
    EarlyWithoutReason(Date),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = AllocationId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::NotTheApplicant(_) | Self::OwnRequest(_) => OWN,
            Self::NoAccess(_) | Self::TooLittle { .. } | Self::TooMuch { .. } => {
                Rule::of(ACCESS_RULES, "access: min_gpu_hours, max_gpu_hours")
            }
            Self::Months { .. } | Self::Period { .. } | Self::NotLater { .. } => {
                Rule::of(ACCESS_RULES, "access: months")
            }
            Self::CallNotOpen(_) => Rule::of(ACCESS_RULES, "deadlines: opening and closing"),
            Self::NotFeasible => CHECK_FIRST,
            Self::MoreThanRequested { .. } | Self::NothingToExtend => AWARD,
            Self::SystemOrPool | Self::PoolName(_) | Self::NotGranted(_) => {
                Rule::ours("compute time belongs to partitions (design.md, 5)")
            }
            Self::AccountTaken { .. } => Rule::ours("one account, one allocation"),
            Self::Nothing
            | Self::PeriodRecorded(_)
            | Self::NoSuchPeriod(_)
            | Self::OverrunWithoutReason { .. }
            | Self::EarlyWithoutReason(_) => USED_WITHIN_AWARD,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotTheApplicant(_) | Self::OwnRequest(_) => Kind::Forbidden,
            Self::AccountTaken { .. } | Self::PeriodRecorded(_) => Kind::Conflict,
            Self::NoSuchPeriod(_) => Kind::NotFound,
            _ => Kind::Rule,
        }
    }
}

pub(crate) const ACCESS_RULES: &str = "rules document of the call";

pub(crate) const OWN: Rule = Rule::ours("nobody decides about an own request");

pub(crate) const AWARD: Rule = Rule::of(ACCESS_RULES, "access: award within request and offer");

pub(crate) const CHECK_FIRST: Rule = Rule::of(ACCESS_RULES, "access: technical check before award");

pub(crate) const USED_WITHIN_AWARD: Rule =
    Rule::ours("used <= awarded, or an overrun says by how much and why (design.md, 10.11)");
