//! Holds what is known of a published figure: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::ids::{ClaimId, StreamId};
use crate::kernel::money::Money;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a claim. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "claim.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A figure was published.
    #[serde(rename = "claim.Published")]
    Published(Figures),
    /// The publisher took it back.
    #[serde(rename = "claim.Withdrawn")]
    Withdrawn { reason: String },
}

/// A published set of figures. What is absent was not published: unknown, not nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The stream that it is about, for example `grant-SLAIF`.
    pub about: StreamId,
    /// The national share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<Money>,
    /// When it was published.
    pub published: Date,
    /// The regional share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional: Option<Money>,
    /// The share of the Recovery and Resilience Facility, which is Union money itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrf: Option<Money>,
    /// The total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// The Union's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union: Option<Money>,
    /// What the figures are for, for example `machine contract`.
    #[schemars(length(min = 1, max = 200))]
    pub what: String,
}

/// One claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What was published.
    pub figures: Option<Figures>,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Withdrawn = "withdrawn",
        Published = "published",
    }
}

impl Decider for Claim {
    type Id = ClaimId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        if self.withdrawn { Phase::Withdrawn } else { Phase::Published }
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Published(figures) => self.figures = Some(figures.clone()),
            Event::Withdrawn { .. } => self.withdrawn = true,
        }
    }
}
