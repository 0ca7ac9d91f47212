//! Folds what is durable into the views, shows it, and then gives the answers: whoever has an
//! answer finds it in the views.

use super::appender::Batch;
use super::inbox::{CloseAtEnd, Inbox};
use super::index::Keeper;
use super::metrics::Metrics;
use super::published::Published;
use super::receipts::ReceiptLine;
use super::replay::Loaded;
use super::shown::Shown;
use super::snapshot::{Content, Snapshots};
use super::state::State;
use imbl::Vector;
use projections::History;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use tokio::sync::watch;

/// The publishing thread.
pub(crate) struct Publisher {
    pub inbox: Arc<Inbox>,
    pub history: History,
    pub lines: Vector<ReceiptLine>,
    pub shown: watch::Sender<Arc<Published>>,
    pub index: Arc<Keeper>,
    pub snapshots: Option<Snapshots>,
    pub metrics: Metrics,
    /// Is set when somebody waits for a last snapshot.
    pub is_stopping: Arc<AtomicBool>,
}

impl Publisher {
    /// Publishes until the appending thread ends; then writes a last snapshot if it was asked to, and
    /// hands over what it has.
    pub fn run(mut self, batches: &Receiver<Batch>) -> Shown {
        let guard = CloseAtEnd(Arc::clone(&self.inbox));
        while let Ok(batch) = batches.recv() {
            self.publish(batch);
        }
        drop(guard);
        let content = self.content();
        if let Some(snapshots) = &mut self.snapshots
            && self.is_stopping.load(Ordering::Acquire)
        {
            snapshots.write_last(&content);
        }
        let from_snapshot = self.snapshots.as_ref().map_or(0, Snapshots::last);
        let state = self.shown.borrow().state.clone();
        let (receipts, history, lines) = (content.receipts(), self.history, content.lines);
        let loaded = Loaded { state, receipts, history, lines, from_snapshot };
        Shown { loaded, readers: self.shown, index: self.index }
    }

    fn publish(&mut self, batch: Batch) {
        let Batch { commits, lines, answers, state, .. } = batch;
        if !commits.is_empty() {
            self.fold(&commits, lines, state);
        }
        for (reply, answer) in answers {
            reply.give(answer);
        }
        self.metrics.queue_depth.set(i64::try_from(self.inbox.depth()).unwrap_or(i64::MAX));
    }

    fn fold(&mut self, commits: &[Arc<domain::Commit>], lines: Vec<ReceiptLine>, state: State) {
        for commit in commits {
            self.history.apply(commit);
        }
        self.lines.extend(lines);
        self.metrics.shown(state.world.position);
        let published = Published { state, history: self.history.clone() };
        self.shown.send_replace(Arc::new(published));
        let is_due = |snapshots: &Snapshots| snapshots.is_due(self.lines.len() as u64);
        if self.snapshots.as_ref().is_some_and(is_due) {
            let content = self.content();
            if let Some(snapshots) = &mut self.snapshots {
                snapshots.write(content);
            }
        }
    }

    fn content(&self) -> Content {
        let State { world, reactions, .. } = self.shown.borrow().state.clone();
        let views = self.history.views().clone();
        Content { world, reactions, views, lines: self.lines.clone() }
    }
}
