//! Holds what is known of the checkpoints of this log: their events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::LogId;
use imbl::{OrdMap, OrdSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the checkpoints of a log. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "checkpoint.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A key signs from here on.
    #[serde(rename = "checkpoint.KeyAdded")]
    KeyAdded { key: String },
    /// A key does not count any more.
    #[serde(rename = "checkpoint.KeyRetired")]
    KeyRetired { key: String, reason: String },
    /// Somebody wants a checkpoint now.
    #[serde(rename = "checkpoint.Requested")]
    Requested { reason: String },
    /// A checkpoint was signed.
    #[serde(rename = "checkpoint.Recorded")]
    Recorded { note: String, root: Sha256Hex, size: u64 },
}

/// The checkpoints of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoints {
    /// The keys that sign, as `NAME+ID+KEY` of c2sp.org/signed-note.
    pub keys: OrdSet<String>,
    /// Keys that do not count any more, by the position that says so. They never come back.
    pub retired: OrdMap<String, u64>,
    /// Size and root of each checkpoint, by the position that records it.
    pub recorded: OrdMap<u64, (u64, Sha256Hex)>,
}

impl Checkpoints {
    /// The first checkpoint that was recorded behind a position: its size and root.
    #[must_use]
    pub fn first_after(&self, position: u64) -> Option<(u64, Sha256Hex)> {
        self.recorded.range(position + 1..).next().map(|(_, found)| *found)
    }

    pub(crate) fn newest_size(&self) -> u64 {
        self.recorded.get_max().map_or(0, |(_, (size, _))| *size)
    }
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Kept = "kept",
    }
}

impl Decider for Checkpoints {
    type Id = LogId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        Phase::Kept
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::KeyAdded { key } => {
                self.keys.insert(key.clone());
            }
            Event::KeyRetired { key, .. } => {
                self.keys.remove(key);
                self.retired.insert(key.clone(), at.position);
            }
            Event::Requested { .. } => {}
            Event::Recorded { root, size, .. } => {
                self.recorded.insert(at.position, (*size, *root));
            }
        }
    }
}

/// The one stream of checkpoints that a log has.
///
/// # Panics
/// Never: the id is a literal one.
#[must_use]
pub fn this_log() -> LogId {
    "log".parse().expect("a literal id")
}
