//! Reading history: one thread reads, others decode, and one folds. Decoding costs the most, so
//! that the folds come nearly for free on two cores.

use super::ledger::{Ledger, Line};
use super::reader::{Digests, Published, ReadError, decode};
use super::snapshot::{Content, Shelf, SnapshotCheck, TailLost, check};
use super::state::{Managers, State};
use bytes::Bytes;
use domain::{Commit, canonical};
use eventlog::Log;
use imbl::Vector;
use projections::{History, Views};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use tokio::runtime::Handle;

/// How much is read and decoded at a time, in bytes.
const CHUNK_BYTES: usize = 1 << 20;
/// How many chunks wait for each decoding thread.
const CHUNKS_WAITING_MAX: usize = 4;

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

/// How far the reading of history is.
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
    pub ledger: Ledger,
    pub history: History,
    pub lines: Vector<Line>,
    /// The position of the snapshot that it began with.
    pub from_snapshot: u64,
}

impl Loaded {
    pub fn resume(content: Option<Content>, managers: Managers) -> Self {
        let Some(content) = content else {
            return Self {
                state: State::new(managers),
                ledger: Ledger::default(),
                history: History::default(),
                lines: Vector::new(),
                from_snapshot: 0,
            };
        };
        Self {
            ledger: content.ledger(),
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
        self.ledger.add(line, commit.position);
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

/// Holds the snapshots in a directory against a replay of the log.
///
/// # Errors
/// When the log cannot be read up to the newest of them.
pub async fn check_snapshots(log: Arc<dyn Log>, dir: PathBuf) -> Result<SnapshotCheck, OpenError> {
    blocking(move |runtime| check(&Shelf { dir, log, runtime: runtime.clone() })).await
}

/// What a replay from the first commit gave.
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
        let (mut world, mut views) = (domain::World::default(), Views::default());
        let mut events = 0;
        let tell = |position| tell(progress.as_ref(), position, head);
        fold(&*log, runtime, 0, tell, |Decoded { commit, .. }| {
            if commit.position > head {
                return;
            }
            events += commit.events.len() as u64;
            world.apply(&commit);
            views.apply(&commit);
        })?;
        let digests = Digests { world: canonical::digest(&world)?, views: views.digests()? };
        Ok(ReplayReport { commits: world.position, events, digests })
    })
    .await
}

fn tell(progress: Option<&OnProgress>, position: u64, head: u64) {
    if let Some(progress) = progress {
        progress(Progress { position, head });
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Handle) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(&runtime)).await;
    done.map_err(|error| OpenError::Failed(error.to_string()))?
}

pub(crate) struct Decoded {
    commit: Arc<Commit>,
    line: Line,
}

impl Decoded {
    pub fn of(commit: Commit) -> Self {
        Self { line: Line::of(&commit), commit: Arc::new(commit) }
    }

    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

/// Entries from a position on.
type Chunk = (u64, Vec<Bytes>);
type DecodedChunk = Result<Vec<Decoded>, ReadError>;

/// Folds every commit after `from`, in order.
pub(crate) fn fold(
    log: &dyn Log,
    runtime: &Handle,
    from: u64,
    tell: impl Fn(u64),
    mut step: impl FnMut(Decoded),
) -> Result<(), OpenError> {
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().max(2) - 1);
    thread::scope(|scope| {
        let (mut to, mut back) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (chunks, inbox) = sync_channel::<Chunk>(CHUNKS_WAITING_MAX);
            let (outbox, decoded) = sync_channel::<DecodedChunk>(CHUNKS_WAITING_MAX);
            scope.spawn(move || decode_all(&inbox, &outbox));
            to.push(chunks);
            back.push(decoded);
        }
        let reading = scope.spawn(move || runtime.block_on(read_all(log, from, &to)));
        // The chunks went round the threads in turn, and come back so.
        for decoded in back.iter().cycle() {
            let Ok(decoded) = decoded.recv() else { break };
            let decoded = decoded?;
            let last = decoded.last().map_or(from, |last| last.commit.position);
            decoded.into_iter().for_each(&mut step);
            tell(last);
        }
        drop(back);
        let read = reading.join();
        Ok(read.unwrap_or_else(|_| Err(eventlog::Error::Unavailable("reading failed".into())))?)
    })
}

async fn read_all(
    log: &dyn Log,
    from: u64,
    to: &[SyncSender<Chunk>],
) -> Result<(), eventlog::Error> {
    let mut next = from + 1;
    for thread in to.iter().cycle() {
        let groups = log.read(next, CHUNK_BYTES).await?;
        let first = next;
        let entries: Vec<Bytes> = groups.into_iter().flat_map(|group| group.entries).collect();
        next += entries.len() as u64;
        if entries.is_empty() || thread.send((first, entries)).is_err() {
            break;
        }
    }
    Ok(())
}

fn decode_all(chunks: &Receiver<Chunk>, decoded: &SyncSender<DecodedChunk>) {
    while let Ok((first, entries)) = chunks.recv() {
        let decode = |(position, entry): (u64, &Bytes)| decode(position, entry).map(Decoded::of);
        let result = (first..).zip(&entries).map(decode).collect();
        if decoded.send(result).is_err() {
            return;
        }
    }
}
