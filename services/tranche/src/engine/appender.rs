//! Makes batches durable, and finds out what the log holds when it does not say.
//!
//! After an append without a clear answer the log is read back: the batch is there exactly, and all
//! is well; or it is not, and everything that was decided on it is dropped. While the log does not
//! answer at all, requests are answered `Unavailable` at once, and we go on asking it.

use super::inbox::{AppendReport, CloseAtEnd, Inbox, Lost, Reply};
use super::metrics::Metrics;
use super::published::decode;
use super::receipts::ReceiptLine;
use super::request::{Answer, SubmitError};
use super::state::State;
use bytes::Bytes;
use domain::Commit;
use eventlog::{Log, READ_BYTES};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long the first wait is while the log does not answer; each next one is twice as long.
const WAIT_MIN: Duration = Duration::from_millis(50);
/// How long such a wait is at most.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// When to come back after a decision was dropped although the log answers.
pub(crate) const RETRY_AFTER_LOSS: Duration = Duration::from_millis(100);
/// When to come back while the log does not answer.
pub(crate) const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(2);

/// Decisions that become durable together, and the answers that wait for it.
#[derive(Default)]
pub(crate) struct Batch {
    pub entries: Vec<Bytes>,
    pub commits: Vec<Arc<Commit>>,
    pub lines: Vec<ReceiptLine>,
    pub bytes: usize,
    pub answers: Vec<(Reply, Answer)>,
    /// The state after it.
    pub state: State,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.answers.is_empty()
    }

    pub fn push(&mut self, commit: Arc<Commit>, bytes: Vec<u8>, line: ReceiptLine) {
        self.bytes += bytes.len() + 1;
        self.entries.push(bytes.into());
        self.commits.push(commit);
        self.lines.push(line);
    }

    /// Answers that nothing here is known to be durable.
    pub fn fail(self, reason: &Arc<str>, retry_after: Duration) {
        for (reply, _) in self.answers {
            let reason = Arc::clone(reason);
            reply.give(Answer::Not(SubmitError::Unavailable { reason, retry_after }));
        }
    }
}

/// The appending thread.
pub(crate) struct Appender {
    pub log: Arc<dyn Log>,
    pub runtime: Handle,
    pub inbox: Arc<Inbox>,
    pub publisher: Sender<Batch>,
    pub metrics: Metrics,
    /// The state of what is durable.
    pub state: State,
    /// Counts the appends in a row that have failed.
    pub failures: u32,
}

impl Appender {
    /// Appends until the deciding thread ends.
    pub fn run(mut self, batches: &Receiver<Batch>) {
        let _guard = CloseAtEnd(Arc::clone(&self.inbox));
        while let Ok(mut batch) = batches.recv() {
            let entries = std::mem::take(&mut batch.entries);
            let result = if entries.is_empty() { Ok(()) } else { self.append(&entries) };
            match result {
                Ok(()) => self.keep(batch),
                Err(error) => {
                    if !self.find_out(batch, &entries, &error) {
                        return;
                    }
                }
            }
        }
    }

    fn append(&self, entries: &[Bytes]) -> Result<(), eventlog::Error> {
        let begun = Instant::now();
        let head = self.head();
        self.runtime.block_on(self.log.append(head, entries.to_vec()))?;
        self.metrics.appended(entries.len(), begun.elapsed());
        Ok(())
    }

    fn head(&self) -> u64 {
        self.state.world.position
    }

    /// The batch is durable.
    fn keep(&mut self, batch: Batch) {
        self.failures = 0;
        self.state = batch.state.clone();
        self.metrics.durable(self.head());
        self.inbox.report(AppendReport::Durable);
        self.publish(batch);
    }

    fn publish(&self, batch: Batch) {
        // Without a publisher the answers are dropped, which says that the engine is stopping.
        let _ = self.publisher.send(batch);
    }

    /// Reads the log back after an error. False: the engine stops before the log has answered.
    fn find_out(&mut self, batch: Batch, ours: &[Bytes], error: &eventlog::Error) -> bool {
        tracing::warn!(%error, "an append has failed; reading the log back");
        self.metrics.append_failures.inc();
        if matches!(error, eventlog::Error::Conflict { .. } | eventlog::Error::Fenced) {
            self.metrics.fence_conflicts.inc();
        }
        let reason: Arc<str> = error.to_string().into();
        let entries = match self.read_back() {
            Ok(entries) if entries.starts_with(ours) => {
                self.keep(batch);
                return true;
            }
            Ok(entries) => self.decode(&entries),
            Err(error) => Err(error),
        };
        self.failures += 1;
        let why: Arc<str> = match entries {
            // Once is bad luck; again and nothing new is an outage.
            Ok(commits) if self.failures == 1 || !commits.is_empty() => {
                let lost = self.lost(commits, &reason);
                self.inbox.report(lost);
                batch.fail(&reason, RETRY_AFTER_LOSS);
                return true;
            }
            Ok(_) => Arc::clone(&reason),
            Err(second) => second.into(),
        };
        tracing::error!(%why, "the log does not answer: commands wait for it to come back");
        // First the report: who asks again at once must not be decided on what is lost.
        self.inbox.report(AppendReport::Down(Arc::clone(&reason)));
        batch.fail(&reason, RETRY_AFTER_OUTAGE);
        let Some(commits) = self.wait_for_log() else { return false };
        let lost = self.lost(commits, &reason);
        self.inbox.report(lost);
        true
    }

    /// Takes in what the log holds, which is where to go on.
    fn lost(&mut self, commits: Vec<Commit>, reason: &Arc<str>) -> AppendReport {
        let lines = self.catch_up(commits);
        let (reason, state) = (Arc::clone(reason), self.state.clone());
        AppendReport::Lost(Box::new(Lost { reason, state, lines }))
    }

    /// Everything after what we know to be durable.
    fn read_back(&self) -> Result<Vec<Bytes>, String> {
        let known = self.head();
        let read = async {
            let head = self.log.head().await?;
            let mut entries: Vec<Bytes> = Vec::new();
            while known + (entries.len() as u64) < head {
                let from = known + entries.len() as u64 + 1;
                let groups = self.log.read(from, READ_BYTES).await?;
                if groups.is_empty() {
                    break;
                }
                entries.extend(groups.into_iter().flat_map(|group| group.entries));
            }
            Ok((head, entries))
        };
        let result: Result<_, eventlog::Error> = self.runtime.block_on(read);
        let (head, entries) = result.map_err(|error| error.to_string())?;
        if head < known {
            return Err(format!("the log ends at {head}, and {known} was durable"));
        }
        Ok(entries)
    }

    fn decode(&self, entries: &[Bytes]) -> Result<Vec<Commit>, String> {
        let positions = self.head() + 1..;
        let decoded = positions.zip(entries).map(|(position, entry)| decode(position, entry));
        decoded.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn wait_for_log(&self) -> Option<Vec<Commit>> {
        let mut wait = WAIT_MIN * 2_u32.saturating_pow(self.failures.min(10));
        loop {
            wait = wait.min(WAIT_MAX);
            if self.inbox.sleep(wait) {
                return None;
            }
            match self.read_back().and_then(|entries| self.decode(&entries)) {
                Ok(commits) => return Some(commits),
                Err(error) => tracing::warn!(%error, "the log still does not answer"),
            }
            wait *= 2;
        }
    }

    /// Takes in and shows what is in the log and was not decided here.
    fn catch_up(&mut self, commits: Vec<Commit>) -> Vec<(ReceiptLine, u64)> {
        let mut batch = Batch::default();
        for commit in commits {
            self.state.take(&commit);
            batch.lines.push(ReceiptLine::of(&commit));
            batch.commits.push(Arc::new(commit));
        }
        let positions = batch.commits.iter().map(|commit| commit.position);
        let lines = batch.lines.iter().copied().zip(positions).collect();
        batch.state = self.state.clone();
        self.metrics.durable(self.head());
        self.publish(batch);
        lines
    }
}
