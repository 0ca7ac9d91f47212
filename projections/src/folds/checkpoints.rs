//! The signed checkpoints of the log that the log itself holds, the keys that sign, and whether one is
//! due.

use crate::fold::{Fold, LARGE};
use domain::facts::commit::Recorded;
use domain::facts::{audit, checkpoint};
use domain::kernel::canonical::Sha256Hex;
use domain::{Commit, Event};
use imbl::{OrdMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoints {
    pub(crate) recorded: Vector<Row>,
    pub(crate) keys: OrdMap<String, KeyRow>,
    /// The first commit that waits for a checkpoint.
    pub(crate) waits: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) root: Sha256Hex,
    pub(crate) size: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    pub(crate) since: u64,
    pub(crate) retired: Option<(u64, String)>,
}

impl Checkpoints {
    /// When the newest was recorded, and how many commits it covers.
    #[must_use]
    pub fn newest(&self) -> Option<(Timestamp, u64)> {
        self.recorded.last().map(|row| (row.recorded_at, row.size))
    }

    /// Size and root of each, in the order of the log.
    pub fn roots(&self) -> impl Iterator<Item = (u64, Sha256Hex)> {
        self.recorded.iter().map(|row| (row.size, row.root))
    }

    /// Whether somebody waits for one: it was asked for, or an auditor has committed to a nonce.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.waits.is_some()
    }
}

impl Fold for Checkpoints {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let position = commit.position;
        match &event.event {
            Event::Audit(audit::Event::NonceCommitted { .. })
            | Event::Checkpoint(checkpoint::Event::Requested { .. }) => {
                self.waits.get_or_insert(position);
            }
            Event::Checkpoint(checkpoint::Event::KeyAdded { key }) => {
                self.keys.insert(key.clone(), KeyRow { since: position, retired: None });
            }
            Event::Checkpoint(checkpoint::Event::KeyRetired { key, reason }) => {
                if let Some(row) = self.keys.get_mut(key) {
                    row.retired = Some((position, reason.clone()));
                }
            }
            Event::Checkpoint(checkpoint::Event::Recorded { root, size, .. }) => {
                let (root, size, recorded_at) = (*root, *size, commit.recorded_at);
                self.recorded.push_back(Row { position, recorded_at, root, size });
                if self.waits.is_some_and(|first| first <= size) {
                    self.waits = None;
                }
            }
            _ => {}
        }
    }
}
