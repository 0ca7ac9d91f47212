//! Holds what is known of a timer: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::ids::TimerId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a timer. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "timer.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It will give `command` at `due`. Setting it again replaces both.
    #[serde(rename = "timer.Set")]
    Set { due: Timestamp, wish: CommandData },
    /// It gave its command, which was accepted or refused.
    #[serde(rename = "timer.Fired")]
    Fired {
        due: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Refused>,
    },
    /// A person has seen why its command was refused.
    #[serde(rename = "timer.Acknowledged")]
    Acknowledged { reason: String },
    /// It will not fire.
    #[serde(rename = "timer.Cancelled")]
    Cancelled { reason: String },
}

/// A command as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wish")]
pub struct CommandData {
    /// Its name.
    pub command: String,
    /// Its payload.
    pub data: serde_json::Value,
}

/// Why the command of a timer was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// Code of the refusal.
    pub code: String,
    /// Its sentence.
    pub message: String,
}

/// One timer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    /// What it will do and when; `None` once it fired or was cancelled.
    pub pending: Option<(Timestamp, CommandData)>,
    /// Why its command was refused, if it was and nobody has acknowledged it.
    pub refused: Option<Refused>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Pending = "pending",
        Ended = "ended",
    }
}

impl Decider for Timer {
    type Id = TimerId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        if self.pending.is_some() { Phase::Pending } else { Phase::Ended }
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Set { due, wish } => {
                self.pending = Some((*due, wish.clone()));
                self.refused = None;
            }
            Event::Fired { refused, .. } => {
                self.pending = None;
                self.refused.clone_from(refused);
            }
            Event::Acknowledged { .. } => self.refused = None,
            Event::Cancelled { .. } => self.pending = None,
        }
    }
}
