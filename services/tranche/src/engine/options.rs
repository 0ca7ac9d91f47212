//! How an engine runs.

use super::metrics::Metrics;
use super::replay::OnProgress;
use super::snapshot::Shelf;
use super::state::Managers;
use eventlog::{GROUP_ENTRIES_MAX, Log};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The most requests that may be without an answer.
pub const QUEUE_MAX: usize = 16_384;
/// A snapshot is written every so many commits.
pub const SNAPSHOT_EVERY: u64 = 50_000;

/// Sets how an engine runs.
#[derive(Clone)]
pub struct EngineOptions {
    /// The most requests that may be without an answer; the next one is told that we are busy.
    pub queue_max: usize,
    /// The most commits of a group.
    pub group_commits_max: usize,
    /// Where snapshots are kept; without a place, every start reads the whole log.
    pub snapshots: Option<PathBuf>,
    /// A snapshot is written every so many commits.
    pub snapshot_every: u64,
    /// The process managers.
    pub managers: Managers,
    /// Told how far the reading of history is, at the start.
    pub progress: Option<OnProgress>,
    /// Counts here; with `None`, the engine makes its own figures.
    pub metrics: Option<Metrics>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            queue_max: QUEUE_MAX,
            group_commits_max: GROUP_ENTRIES_MAX,
            snapshots: None,
            snapshot_every: SNAPSHOT_EVERY,
            managers: domain::process::react::react,
            progress: None,
            metrics: None,
        }
    }
}

impl EngineOptions {
    /// Gives the snapshots of a log, if they are kept.
    pub(super) fn shelf(&self, log: &Arc<dyn Log>, runtime: &Handle) -> Option<Shelf> {
        let (log, runtime) = (Arc::clone(log), runtime.clone());
        self.snapshots.clone().map(|dir| Shelf { dir, log, runtime })
    }
}
