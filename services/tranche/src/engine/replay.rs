//! Reading history: one thread reads, others decode, and one folds. Decoding costs the most, so
//! that the folds come nearly for free on two cores.

use super::published::{Digests, Published, ReadError, decode};
use super::receipts::{ReceiptLine, Receipts};
use super::snapshot::{Content, Shelf, TailLost};
use super::state::{Managers, State};
use bytes::Bytes;
use domain::Commit;
use domain::kernel::canonical;
use eventlog::Log;
use eventlog::scan::{decoders, in_order};
use imbl::Vector;
use projections::{History, Views};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Why an engine could not be opened, or history not be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log cannot be read, or holds what this program does not know.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The figures for Prometheus cannot be made.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// A fold has no canonical form.
    #[error("a digest cannot be made: {0}")]
    Digest(#[from] serde_json::Error),
    /// A snapshot shows that the log has lost commits.
    #[error(transparent)]
    TailLost(#[from] TailLost),
    /// A fold panicked.
    #[error("reading history failed: {0}")]
    Failed(String),
}

impl From<eventlog::Error> for OpenError {
    fn from(error: eventlog::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Tells how far the reading of history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last commit that was folded.
    pub position: u64,
    /// The last one there is.
    pub head: u64,
}

/// Called now and then while history is read.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// The folds at the end of the log.
pub(crate) struct Loaded {
    pub state: State,
    pub receipts: Receipts,
    pub history: History,
    pub lines: Vector<ReceiptLine>,
    /// The position of the snapshot that it began with.
    pub from_snapshot: u64,
}

impl Loaded {
    pub fn resume(content: Option<Content>, managers: Managers) -> Self {
        let Some(content) = content else {
            return Self {
                state: State::new(managers),
                receipts: Receipts::default(),
                history: History::default(),
                lines: Vector::new(),
                from_snapshot: 0,
            };
        };
        Self {
            receipts: content.receipts(),
            from_snapshot: content.world.position,
            state: State::resume(content.world, content.reactions, managers),
            history: History::resume(content.views),
            lines: content.lines,
        }
    }

    pub fn published(&self) -> Published {
        Published { state: self.state.clone(), history: self.history.clone() }
    }

    pub fn take(&mut self, Decoded { commit, line }: Decoded) {
        self.state.take(&commit);
        self.history.apply(&commit);
        self.receipts.add(line, commit.position);
        self.lines.push_back(line);
    }
}

/// Reads the newest snapshot, if there is one that fits, and the log after it.
pub(crate) async fn load(
    log: Arc<dyn Log>,
    snapshots: Option<Shelf>,
    managers: Managers,
    progress: Option<OnProgress>,
) -> Result<Loaded, OpenError> {
    let head = log.head().await?;
    blocking(move |runtime| {
        let content = snapshots.map_or(Ok(None), |shelf| shelf.load())?;
        let mut loaded = Loaded::resume(content, managers);
        let from = loaded.state.world.position;
        let tell = |position| tell(progress.as_ref(), position, head);
        fold(&*log, runtime, from, tell, |decoded| loaded.take(decoded))?;
        Ok(loaded)
    })
    .await
}

/// Holds the result of a replay from the first commit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReplayReport {
    /// Commits, and so the last position.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// Of the folds; equal to those of a running engine at the same position.
    pub digests: Digests,
}

/// Folds the whole log from its first commit, without any snapshot.
///
/// # Errors
/// When the log cannot be read to its end.
pub async fn replay(
    log: Arc<dyn Log>,
    progress: Option<OnProgress>,
) -> Result<ReplayReport, OpenError> {
    let head = log.head().await?;
    replay_to(log, head, progress).await
}

/// Folds the log from its first commit to a position, without any snapshot.
///
/// # Errors
/// When the log cannot be read that far.
pub async fn replay_to(
    log: Arc<dyn Log>,
    head: u64,
    progress: Option<OnProgress>,
) -> Result<ReplayReport, OpenError> {
    blocking(move |runtime| {
        let mut folds = Folds::default();
        let look = |position, entry: &Bytes| decode(position, entry);
        in_order((&*log, runtime), 0..head, decoders(), look, |commits| {
            commits.iter().for_each(|commit| folds.take(commit));
            tell(progress.as_ref(), folds.world.position, head);
        })?;
        folds.report()
    })
    .await
}

/// The state and the views.
#[derive(Default)]
pub(crate) struct Folds {
    world: domain::World,
    views: Views,
    events: u64,
}

impl Folds {
    pub fn take(&mut self, commit: &Commit) {
        self.events += commit.events.len() as u64;
        self.world.apply(commit);
        self.views.apply(commit);
    }

    pub fn report(self) -> Result<ReplayReport, OpenError> {
        let Self { world, views, events } = self;
        let digests = Digests { world: canonical::digest(&world)?, views: views.digests()? };
        Ok(ReplayReport { commits: world.position, events, digests })
    }
}

fn tell(progress: Option<&OnProgress>, position: u64, head: u64) {
    if let Some(progress) = progress {
        progress(Progress { position, head });
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Handle) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(&runtime)).await;
    done.map_err(|error| OpenError::Failed(error.to_string()))?
}

pub(crate) struct Decoded {
    commit: Arc<Commit>,
    line: ReceiptLine,
}

impl Decoded {
    pub fn of(commit: Commit) -> Self {
        Self { line: ReceiptLine::of(&commit), commit: Arc::new(commit) }
    }

    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

/// Folds every commit after `from`, in order.
pub(crate) fn fold(
    log: &dyn Log,
    runtime: &Handle,
    from: u64,
    tell: impl Fn(u64),
    mut step: impl FnMut(Decoded),
) -> Result<(), OpenError> {
    let look = |position, entry: &Bytes| decode(position, entry).map(Decoded::of);
    let step = |chunk: Vec<Decoded>| {
        let last = chunk.last().map_or(from, |last| last.commit.position);
        chunk.into_iter().for_each(&mut step);
        tell(last);
    };
    Ok(in_order((log, runtime), from..u64::MAX, decoders(), look, step)?)
}
