//! The signed checkpoints of the log that the log itself holds, the keys that sign, and whether one is
//! due.

use crate::projection::{LARGE, Projection, Query};
use crate::report::{Cell, Kind, Report, Table};
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
    recorded: Vector<Row>,
    keys: OrdMap<String, KeyRow>,
    /// The first commit that waits for a checkpoint.
    waits: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    position: u64,
    recorded_at: Timestamp,
    root: Sha256Hex,
    size: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeyRow {
    since: u64,
    retired: Option<(u64, String)>,
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

impl Projection for Checkpoints {
    const NAME: &'static str = "checkpoints";
    const SUMMARY: &'static str = "Signed checkpoints of the log, and the keys that sign them";
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

    fn report(&self, _: &Query) -> Report {
        let mut recorded = Table::new(
            "recorded",
            "Recorded",
            &[
                ("position", "Position", Kind::Count),
                ("recorded_at", "Recorded", Kind::Instant),
                ("size", "Commits", Kind::Count),
                ("root", "Root", Kind::Text),
            ],
        );
        for Row { position, recorded_at, root, size } in &self.recorded {
            recorded.push([
                Cell::Count(*position),
                (*recorded_at).into(),
                Cell::Count(*size),
                Cell::text(root),
            ]);
        }
        let mut keys = Table::new(
            "keys",
            "Keys",
            &[
                ("key", "Key", Kind::Text),
                ("since", "Since", Kind::Count),
                ("retired", "Retired", Kind::Count),
                ("reason", "Reason", Kind::Text),
            ],
        );
        for (key, KeyRow { since, retired }) in &self.keys {
            let (at, reason) = retired.clone().unzip();
            keys.push([
                Cell::text(key),
                Cell::Count(*since),
                at.map_or(Cell::Empty, Cell::Count),
                reason.map_or(Cell::Empty, Cell::text),
            ]);
        }
        let report = Report::new(Self::NAME, "Checkpoints").with(recorded).with(keys);
        match self.waits {
            Some(position) => report.note(format!("One is awaited since position {position}.")),
            None => report,
        }
    }
}
