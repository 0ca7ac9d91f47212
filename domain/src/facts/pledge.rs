//! Holds what is known of a pledge: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{ActorId, CallId, Country, CutOffKey, GrantId, PledgeId};
use crate::kernel::money::Money;
use imbl::OrdSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a pledge. Amounts are steps: each adds to what came before. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub kind: PledgeKind,
    /// The umbrella that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PledgeId>,
    /// To which round, when it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<CutOffKey>,
    /// By which state; absent when the participating states promise together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Country>,
}

/// In what form a contribution is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[schemars(rename = "Kind")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PledgeKind {
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

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Withdrawn = "withdrawn",
        Counted = "counted",
        Certified = "certified",
        Reported = "reported",
        Signed = "signed",
        Pledged = "pledged",
    }
}

impl Decider for Pledge {
    type Id = PledgeId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        match self {
            Self { withdrawn: true, .. } => Phase::Withdrawn,
            _ if self.counted.is_positive() => Phase::Counted,
            _ if self.certified.is_positive() => Phase::Certified,
            _ if self.reported.is_positive() => Phase::Reported,
            _ if self.signed.is_positive() => Phase::Signed,
            _ => Phase::Pledged,
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

impl Pledge {
    /// What was promised so far.
    #[must_use]
    pub fn pledged(&self) -> Money {
        self.promise.as_ref().map_or(Money::ZERO, |promise| promise.amount)
    }

    pub(crate) fn is_part_of(&self, umbrella: &PledgeId) -> bool {
        let part_of = self.promise.as_ref().and_then(|promise| promise.part_of.as_ref());
        !self.withdrawn && part_of == Some(umbrella)
    }

    /// Whether it can match Union money for a grant.
    pub(crate) fn matches(&self, grant: &GrantId) -> bool {
        let Some(promise) = &self.promise else { return false };
        !self.withdrawn && promise.kind != PledgeKind::Rrf && promise.grant.as_ref() == Some(grant)
    }
}
