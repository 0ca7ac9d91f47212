//! The engine: one deciding thread per log, durable before it answers (ADR/README.md).
//!
//! ```text
//! submit -> inbox -> writer -----> appender ------> publisher -> answer
//!                    decides       makes durable    folds, shows
//!                      ^---- durable, lost ---'
//! ```
//!
//! Three threads, one batch in each at most: while one batch is shown and the next is made durable,
//! the third is decided. Every answer, a refusal too, waits for the batch that it was decided with.

mod appender;
mod envelope;
mod follower;
mod inbox;
mod index;
mod metrics;
mod options;
mod published;
mod publisher;
mod reactions;
mod reader;
mod receipts;
mod replay;
mod request;
mod shown;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod why;
mod writer;

pub use envelope::Envelope;
pub use follower::Follower;
#[cfg(feature = "nats")]
pub(crate) use follower::follow;
pub use metrics::Metrics;
pub use options::{EngineOptions, QUEUE_MAX, SNAPSHOT_EVERY};
pub use published::{Digests, Published, ReadError, decode};
pub use reader::{Reader, Stored};
pub(crate) use replay::Folds;
pub use replay::{OnProgress, OpenError, Progress, ReplayReport, replay, replay_to};
pub use request::{Receipt, Request, SubmitError, Written};
#[cfg(feature = "nats")]
pub(crate) use shown::Shown;
pub use snapshot::{SnapshotCheck, TailLost, check_snapshots};
pub use state::Managers;
pub use why::AskError;

use crate::clock::Clock;
use appender::{Appender, Batch, RETRY_AFTER_OUTAGE};
use eventlog::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Log, Rehearsal};
use inbox::{Inbox, Work};
use jiff::Timestamp;
use projections::{AsOf, Query, Report};
use publisher::Publisher;
use receipts::ReceiptLine;
use replay::Loaded;
use request::Answer;
#[cfg(not(feature = "nats"))]
use shown::Shown;
use snapshot::Snapshots;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use tokio::runtime::Handle;
use writer::{Limits, Writer};

/// A handle of a running engine; its clones are one engine. It ends when the last handle is dropped,
/// or with [`Engine::stop`].
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Arc<Inbox>,
    clock: Clock,
    reader: Reader,
    metrics: Metrics,
    threads: Mutex<Option<Threads>>,
    is_stopping: Arc<AtomicBool>,
}

struct Threads {
    writer: JoinHandle<()>,
    appender: JoinHandle<()>,
    publisher: JoinHandle<Shown>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl Engine {
    /// Reads the log and starts deciding. Timers that came due meanwhile fire, and reactions that a
    /// crash left behind are decided.
    ///
    /// # Errors
    /// When the log cannot be read to its end, or a thread cannot be started.
    pub async fn open(
        log: Arc<dyn Log>,
        clock: Clock,
        options: EngineOptions,
    ) -> Result<Self, OpenError> {
        let shown = Shown::open(&log, &options).await?;
        Self::start(shown, log, clock, &options)
    }

    /// Starts an engine that decides as one on this log would, and records nothing there: what it decides
    /// is kept in memory. Another process may write the log meanwhile.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn rehearse(
        log: Arc<dyn Log>,
        clock: Clock,
        options: EngineOptions,
    ) -> Result<Self, OpenError> {
        let shown = Shown::open(&log, &options).await?;
        let log = Arc::new(Rehearsal::new(log, shown.position()));
        // Neither snapshots nor an index are kept of what never happened.
        let options = EngineOptions { snapshots: None, ..options };
        Self::start(Shown { index: Arc::default(), ..shown }, log, clock, &options)
    }

    /// Starts deciding on folds that are at the end of the log.
    pub(crate) fn start(
        shown: Shown,
        log: Arc<dyn Log>,
        clock: Clock,
        options: &EngineOptions,
    ) -> Result<Self, OpenError> {
        let runtime = Handle::current();
        let shelf = options.shelf(&log, &runtime);
        let metrics = options.metrics.clone().map_or_else(Metrics::new, Ok)?;
        let from = shown.loaded.from_snapshot;
        let snapshots = shelf.map(|shelf| Snapshots::new(shelf, options.snapshot_every, from));
        let inbox = Arc::new(Inbox::new(options.queue_max));
        let listener = Arc::downgrade(&inbox);
        clock.on_move(move || listener.upgrade().map(|inbox| inbox.moved()).is_some());
        let parts = Parts { log, clock, runtime, inbox, metrics, snapshots };
        parts.start(shown, options.group_commits_max)
    }

    /// Gives a command, and waits until it is durable and shown.
    ///
    /// # Errors
    /// A rule says no, or the decision could not be made durable (see [`SubmitError`]).
    pub async fn submit(&self, request: Request) -> Result<Receipt, SubmitError> {
        let Envelope { actor, command_id, dry_run, .. } = &request.envelope;
        let (line, dry_run) = (ReceiptLine::new(command_id, &request.parsed.hash, actor), *dry_run);
        let answer = self.ask(Work::Decide(Box::new((request, line)))).await;
        let result = match answer {
            Ok(Answer::Recorded(commit)) => Ok(Receipt::of(&commit, false)),
            Ok(Answer::Done(receipt)) => Ok(receipt),
            Ok(Answer::Known(position)) => self.first_receipt(position).await,
            Ok(Answer::Not(error)) | Err(error) => Err(error),
            Ok(Answer::Settled(_)) => Err(SubmitError::Stopping),
        };
        self.shared.metrics.answered(&result);
        result.map(|receipt| Receipt { dry_run, ..receipt })
    }

    async fn first_receipt(&self, position: u64) -> Result<Receipt, SubmitError> {
        let reason = match self.shared.reader.read_commit(position).await {
            Ok(Some(stored)) => return Ok(Receipt::of(&stored.commit, true)),
            Ok(None) => format!("the log has no commit {position}"),
            Err(error) => error.to_string(),
        };
        Err(SubmitError::Unavailable { reason: reason.into(), retry_after: RETRY_AFTER_OUTAGE })
    }

    async fn ask(&self, work: Work) -> Result<Answer, SubmitError> {
        let answered = self.shared.inbox.push(work, || self.shared.clock.now())?;
        // Without an answer, the thread that had the request has ended.
        answered.await.map_err(|_| SubmitError::Stopping)
    }

    /// Waits until every command given so far is durable and shown, with all that follows from it,
    /// and no timer is due. Returns when the next timer is due.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn settle(&self) -> Result<Option<Timestamp>, SubmitError> {
        match self.ask(Work::Settle).await? {
            Answer::Settled(next) => Ok(next),
            Answer::Not(error) => Err(error),
            _ => Err(SubmitError::Stopping),
        }
    }

    /// Moves the manual clock of this engine on to an instant, stopping at every timer on the way,
    /// so that each fires at its own due time, with everything that follows.
    ///
    /// # Errors
    /// When the log does not answer, or the clock is the system's.
    pub async fn advance_to(&self, instant: Timestamp) -> Result<(), SubmitError> {
        let Some(hands) = self.shared.clock.by_hand() else {
            let reason = "the system's clock cannot be moved".into();
            return Err(SubmitError::Unavailable { reason, retry_after: RETRY_AFTER_OUTAGE });
        };
        while let Some(due) = self.settle().await?.filter(|due| *due <= instant) {
            hands.set(due);
        }
        hands.set(instant);
        self.settle().await?;
        Ok(())
    }

    /// Gives readers what is durable, also while the engine is busy, and after it has stopped.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.shared.reader.clone()
    }

    /// Gives the newest durable state and views.
    #[must_use]
    pub fn now(&self) -> Arc<Published> {
        self.shared.reader.now()
    }

    /// Waits until a position is shown.
    ///
    /// # Errors
    /// When the engine stops before.
    pub async fn wait_for(&self, position: u64) -> Result<Arc<Published>, ReadError> {
        self.shared.reader.wait_for(position).await
    }

    /// Shows a view as of a moment; `None` when there is no such view.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn as_of(&self, view: &str, moment: AsOf) -> Result<Option<Report>, ReadError> {
        self.shared.reader.report(view, Query::at(moment)).await
    }

    /// Gives the clock that decisions are made by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock.clone()
    }

    /// Gives its figures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Decides what is in the queue, makes it durable, writes a snapshot, and ends. The log is free
    /// for another writer when all handles and readers are gone too.
    pub async fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        self.end().await;
    }

    /// The same without a snapshot. What it showed is handed over to who asks first; `None` too when
    /// a thread has panicked.
    pub(crate) async fn end(&self) -> Option<Shown> {
        self.shared.inbox.close();
        let threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let joined = tokio::task::spawn_blocking(move || {
            let Threads { writer, appender, publisher } = threads;
            // A thread that panicked has said so itself.
            let _ = (writer.join(), appender.join());
            publisher.join().ok()
        });
        joined.await.ok().flatten()
    }
}

/// What the threads are made of.
struct Parts {
    log: Arc<dyn Log>,
    clock: Clock,
    runtime: Handle,
    inbox: Arc<Inbox>,
    metrics: Metrics,
    snapshots: Option<Snapshots>,
}

impl Parts {
    fn start(self, shown: Shown, group_commits_max: usize) -> Result<Engine, OpenError> {
        let Self { log, clock, runtime, inbox, metrics, snapshots } = self;
        let reader = shown.reader(&log, &runtime);
        let Shown { loaded, readers: shown, index } = shown;
        let Loaded { state, receipts, history, lines, .. } = loaded;
        metrics.durable(state.world.position);
        metrics.shown(state.world.position);
        let (to_appender, batches) = mpsc::channel::<Batch>();
        let (to_publisher, durable) = mpsc::channel::<Batch>();
        let limits = Limits {
            commits: group_commits_max.clamp(1, GROUP_ENTRIES_MAX),
            bytes: GROUP_BYTES_MAX,
        };
        let writer = Writer::new(
            (clock.clone(), limits, metrics.clone()),
            Arc::clone(&inbox),
            to_appender,
            (state.clone(), receipts),
        );
        let appender = Appender {
            log: Arc::clone(&log),
            runtime: runtime.clone(),
            inbox: Arc::clone(&inbox),
            publisher: to_publisher,
            metrics: metrics.clone(),
            state,
            failures: 0,
        };
        let is_stopping = Arc::<AtomicBool>::default();
        let publisher = Publisher {
            inbox: Arc::clone(&inbox),
            history,
            lines,
            shown,
            index,
            snapshots,
            metrics: metrics.clone(),
            is_stopping: Arc::clone(&is_stopping),
        };
        let threads = Threads {
            writer: thread("decide", move || writer.run())?,
            appender: thread("append", move || appender.run(&batches))?,
            publisher: thread("publish", move || publisher.run(&durable))?,
        };
        let threads = Mutex::new(Some(threads));
        let shared = Shared { inbox, clock, reader, metrics, threads, is_stopping };
        Ok(Engine { shared: Arc::new(shared) })
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}
