//! Decides how far a Member State's contribution has come: pledged >= signed >= reported >=
//! certified >= counted. Union money in other clothes is recorded, and never counted as a match.

use crate::canonical::Sha256Hex;
use crate::command::Entry;
use crate::ids::{ActorId, CallId, Country, GrantId, Key, PledgeId, StreamKey};
use crate::money::Money;
use crate::rejection::{Reason, Rule};
use crate::world::{At, Decider};
use imbl::OrdSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a pledge. Amounts are steps: each adds to what came before. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "pledge.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It was promised.
    #[serde(rename = "pledge.Made")]
    Made(Promise),
    /// More was promised.
    #[serde(rename = "pledge.Raised")]
    Raised { amount: Money, reason: String },
    /// It was bound by signature.
    #[serde(rename = "pledge.Signed")]
    Signed {
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Sha256Hex>,
    },
    /// It was reported as spent.
    #[serde(rename = "pledge.Reported")]
    Reported { amount: Money },
    /// Someone else certified what was reported.
    #[serde(rename = "pledge.Certified")]
    Certified {
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Sha256Hex>,
    },
    /// It counts as a match of the Union's money.
    #[serde(rename = "pledge.Counted")]
    Counted { amount: Money },
    /// It was taken back.
    #[serde(rename = "pledge.Withdrawn")]
    Withdrawn { reason: String },
}

/// What is promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// How much.
    pub amount: Money,
    /// To which call.
    pub call: CallId,
    /// To which grant, when it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// In what form.
    pub kind: Kind,
    /// The umbrella that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PledgeId>,
    /// To which round, when it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Key>,
    /// By which state; absent when the participating states promise together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Country>,
}

/// In what form a contribution is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Money of the state.
    Cash,
    /// Work, machines, operating costs.
    InKind,
    /// Money of a region.
    Regional,
    /// The Recovery and Resilience Facility: Union money itself, so never a match.
    Rrf,
}

/// One pledge. Each amount is the sum of its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pledge {
    /// Certified as spent.
    pub certified: Money,
    /// Counted as a match.
    pub counted: Money,
    /// What was promised, and the sum promised so far.
    pub promise: Option<Promise>,
    /// Reported as spent.
    pub reported: Money,
    /// Everyone who reported, and on whose behalf.
    pub reporters: OrdSet<ActorId>,
    /// Bound by signature.
    pub signed: Money,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

/// Why a pledge says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Zero or less.
    #[error("a contribution is more than nothing; got {0}")]
    NotPositive(Money),
    /// An umbrella in an umbrella.
    #[error("{0} is itself a part: parts have no parts")]
    Nested(PledgeId),
    /// An umbrella for something else.
    #[error("{0} is for another call, form or grant, or was withdrawn")]
    OtherUmbrella(PledgeId),
    /// More than the umbrella covers.
    #[error("{asked} is more than the {left} left of {umbrella}")]
    UmbrellaExceeded { asked: Money, left: Money, umbrella: PledgeId },
    /// A step beyond the one before it.
    #[error("{asked} more cannot be {step}: only {left} is {before} and not yet {step}")]
    StepExceeded { step: &'static str, asked: Money, left: Money, before: &'static str },
    /// Certified by who reported.
    #[error("another person must certify than the one who reported")]
    SamePerson,
    /// Union money does not match Union money.
    #[error("money of the Recovery and Resilience Facility is Union money: it matches nothing")]
    UnionMoney,
    /// What was counted stays.
    #[error("{0} has been counted as a match already")]
    AlreadyCounted(Money),
    /// An umbrella over parts.
    #[error("{0} is a part of it: withdraw the parts first")]
    HasParts(PledgeId),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = PledgeId::CATEGORY;

    fn rule(&self) -> Rule {
        const EUROHPC: &str = "Council Reg. (EU) 2021/1173";
        match self {
            Self::NotPositive(_)
            | Self::Nested(_)
            | Self::OtherUmbrella(_)
            | Self::UmbrellaExceeded { .. } => {
                Rule::ours("the parts of a contribution add up to no more than the whole")
            }
            Self::StepExceeded { .. } | Self::AlreadyCounted(_) | Self::HasParts(_) => Rule::ours(
                "pledged >= signed >= reported >= certified >= counted (design.md, 10.4)",
            ),
            Self::SamePerson => {
                Rule::of(EUROHPC, "contributions are certified by an independent auditor")
            }
            Self::UnionMoney => {
                Rule::of("Reg. (EU) 2021/241", "Art. 9: no double funding of the same cost")
            }
        }
    }
}

impl Decider for Pledge {
    type Id = PledgeId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        match self {
            Self { withdrawn: true, .. } => "withdrawn",
            _ if self.counted.is_positive() => "counted",
            _ if self.certified.is_positive() => "certified",
            _ if self.reported.is_positive() => "reported",
            _ if self.signed.is_positive() => "signed",
            _ => "pledged",
        }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Made(promise) => self.promise = Some(promise.clone()),
            Event::Raised { amount, .. } => {
                if let Some(promise) = &mut self.promise {
                    promise.amount.add(*amount);
                }
            }
            Event::Signed { amount, .. } => self.signed.add(*amount),
            Event::Reported { amount } => {
                self.reported.add(*amount);
                self.reporters.insert(at.actor.id.clone());
                self.reporters.extend(at.actor.on_behalf_of.clone());
            }
            Event::Certified { amount, .. } => self.certified.add(*amount),
            Event::Counted { amount } => self.counted.add(*amount),
            Event::Withdrawn { .. } => self.withdrawn = true,
        }
    }
}
/// The commands of a pledge.
pub const COMMANDS: &[Entry] = &[];
