//! Holds what is known of a process manager: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::facts::timer::{CommandData, Refused};
use crate::kernel::ids::{CommandId, ProcessId};
use imbl::OrdMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a process manager. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "process.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A reaction was refused.
    #[serde(rename = "process.Parked")]
    Parked { reaction: CommandId, refused: Refused, wish: CommandData },
    /// A person dealt with it.
    #[serde(rename = "process.Resolved")]
    Resolved { how: String, reaction: CommandId },
}

/// One process manager.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Reactions that wait for a person.
    pub parked: OrdMap<CommandId, (CommandData, Refused)>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Running = "running",
        Parked = "parked",
    }
}

impl Decider for Process {
    type Id = ProcessId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        if self.parked.is_empty() { Phase::Running } else { Phase::Parked }
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Parked { reaction, refused, wish } => {
                self.parked.insert(reaction.clone(), (wish.clone(), refused.clone()));
            }
            Event::Resolved { reaction, .. } => {
                self.parked.remove(reaction);
            }
        }
    }
}
