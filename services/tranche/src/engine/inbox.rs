//! The way to the deciding thread: a bounded queue of requests, and reports that overtake them.

use super::receipts::ReceiptLine;
use super::request::{Answer, Request, SubmitError};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Where an answer goes. It frees the place in the queue when it is gone.
pub(crate) struct Reply {
    answer: oneshot::Sender<Answer>,
    _place: QueuePlace,
}

impl Reply {
    /// Gives the answer; nobody may be waiting any more.
    pub fn give(self, answer: Answer) {
        // A caller that has gone away reads the log, or asks again with the same id.
        let _ = self.answer.send(answer);
    }
}

struct QueuePlace(Arc<AtomicUsize>);

impl Drop for QueuePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is asked of the deciding thread.
pub(crate) enum Work {
    /// Decide a command; its line is made by the caller, so that the deciding thread need not.
    Decide(Box<(Request, ReceiptLine)>),
    /// Say when nothing is left to do.
    Settle,
}

/// Work in the queue, and who waits for it.
pub(crate) struct Item {
    pub work: Work,
    /// When it was put there: a timer that was due by then comes before it.
    pub queued_at: Timestamp,
    pub reply: Reply,
}

/// What the deciding thread must know.
pub(crate) enum AppendReport {
    /// The batch is durable.
    Durable,
    /// The batch is dropped, and the log does not answer.
    Down(Arc<str>),
    /// The batch is dropped (unless it was before); this is what the log holds.
    Lost(Box<Lost>),
}

/// Where to go on after a loss.
pub(crate) struct Lost {
    pub reason: Arc<str>,
    pub state: super::state::State,
    /// Holds what was read from the log and not decided here, with positions.
    pub lines: Vec<(ReceiptLine, u64)>,
}

#[derive(Default)]
struct Queue {
    reports: Vec<AppendReport>,
    items: VecDeque<Item>,
    is_moved: bool,
    is_closed: bool,
}

/// The queue. Bounded by the number of requests that have no answer yet, wherever they are.
pub(crate) struct Inbox {
    state: Mutex<Queue>,
    changed: Condvar,
    closing: Condvar,
    /// Whether there are reports: for a look without the lock.
    is_reported: AtomicBool,
    unanswered: Arc<AtomicUsize>,
    limit: usize,
}

impl Inbox {
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            closing: Condvar::new(),
            is_reported: AtomicBool::new(false),
            unanswered: Arc::default(),
            limit,
        }
    }

    /// Requests without an answer.
    pub fn depth(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Puts work in the queue.
    pub fn push(
        &self,
        work: Work,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        let before = self.unanswered.fetch_add(1, Ordering::Relaxed);
        let place = QueuePlace(Arc::clone(&self.unanswered));
        if before >= self.limit {
            return Err(SubmitError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let reply = Reply { answer, _place: place };
        let mut state = self.lock();
        if state.is_closed {
            return Err(SubmitError::Stopping);
        }
        // Under the lock, so that the order in the queue is the order of these instants.
        state.items.push_back(Item { work, queued_at: now(), reply });
        let was_empty = state.items.len() == 1;
        drop(state);
        if was_empty {
            self.changed.notify_one();
        }
        Ok(answered)
    }

    pub fn report(&self, report: AppendReport) {
        let mut state = self.lock();
        state.reports.push(report);
        self.is_reported.store(true, Ordering::Release);
        drop(state);
        self.changed.notify_one();
    }

    /// Tells whether a report waits.
    pub fn has_reports(&self) -> bool {
        self.is_reported.load(Ordering::Acquire)
    }

    /// Says that the clock has moved.
    pub fn moved(&self) {
        self.lock().is_moved = true;
        self.changed.notify_one();
    }

    /// Takes no more requests; what is in the queue is still done.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
        self.closing.notify_all();
    }

    /// Sleeps, and tells whether the inbox was closed meanwhile.
    pub fn sleep(&self, length: Duration) -> bool {
        let state = self.lock();
        let slept = self.closing.wait_timeout_while(state, length, |state| !state.is_closed);
        slept.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    /// Takes the reports, and the requests too if there is a place for them, and says whether the
    /// inbox is closed. Sleeps while there is nothing, `sleep` at most; forever without it.
    pub fn take(
        &self,
        sleep: Option<Duration>,
        mut items: Option<&mut VecDeque<Item>>,
    ) -> (Vec<AppendReport>, bool) {
        let wants_items = items.is_some();
        let is_idle = |state: &mut Queue| {
            let for_items = !state.items.is_empty() || state.is_moved || state.is_closed;
            state.reports.is_empty() && !(wants_items && for_items)
        };
        let state = self.lock();
        let mut state = match sleep {
            None => self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(sleep) => {
                let waited = self.changed.wait_timeout_while(state, sleep, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if let Some(items) = &mut items {
            state.is_moved = false;
            std::mem::swap(&mut state.items, items);
        }
        self.is_reported.store(false, Ordering::Release);
        (std::mem::take(&mut state.reports), state.is_closed)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the inbox when a thread ends: without all of them the engine cannot answer.
pub(crate) struct CloseAtEnd(pub Arc<Inbox>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}
