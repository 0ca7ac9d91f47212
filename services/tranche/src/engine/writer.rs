//! The deciding thread: one decision after the other on the newest state, durable or not. While a
//! batch is made durable, the next is decided on top of it.
//!
//! What comes first: reactions, so that the consequences of a commit stand right behind it; then
//! timers that were due when the next request came; then requests in the order of their coming.

use super::appender::{Batch, RETRY_AFTER_LOSS, RETRY_AFTER_OUTAGE};
use super::inbox::{AppendReport, CloseAtEnd, Inbox, Item, Lost, Reply, Work};
use super::metrics::Metrics;
use super::receipts::{Found, ReceiptLine, Receipts};
use super::request::{Answer, Receipt, Request, SubmitError};
use super::state::State;
use crate::clock::Clock;
use domain::decide::command::{Meta, Parsed};
use domain::facts::commit::COMMIT_BYTES_MAX;
use domain::kernel::actor::Actor;
use domain::kernel::refusal::{Common, Refusal};
use domain::kernel::time::to_microsecond;
use domain::{Commit, Role};
use jiff::{Timestamp, ToSpan};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How long a batch may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub commits: usize,
    pub bytes: usize,
}

/// From so many decisions on, a batch is worth its sync when the log is idle.
const WORTH_A_SYNC: usize = 16;

/// The deciding thread.
pub(crate) struct Writer {
    clock: Clock,
    inbox: Arc<Inbox>,
    appender: Sender<Batch>,
    metrics: Metrics,
    limits: Limits,
    pub(super) actor: Actor,
    pub(super) state: State,
    pub(super) receipts: Receipts,
    /// The state before the open batch.
    base: State,
    open: Batch,
    /// The lines of the batch that is being made durable.
    in_flight: Option<Vec<ReceiptLine>>,
    queue: VecDeque<Item>,
    down: Option<Arc<str>>,
    is_closing: bool,
}

impl Writer {
    pub fn new(
        (clock, limits, metrics): (Clock, Limits, Metrics),
        inbox: Arc<Inbox>,
        appender: Sender<Batch>,
        (state, receipts): (State, Receipts),
    ) -> Self {
        let actor = Actor {
            id: domain::process::react::ENGINE.parse().expect("a literal id"),
            on_behalf_of: None,
            role: Role::System,
        };
        Self {
            clock,
            inbox,
            appender,
            metrics,
            limits,
            actor,
            base: state.clone(),
            state,
            receipts,
            open: Batch::default(),
            in_flight: None,
            queue: VecDeque::new(),
            down: None,
            is_closing: false,
        }
    }

    /// Decides until the inbox is closed and everything in it has been handed over and is durable.
    pub fn run(mut self) {
        let _guard = CloseAtEnd(Arc::clone(&self.inbox));
        loop {
            if !self.work() {
                return;
            }
            let is_done = self.queue.is_empty() && self.open.is_empty();
            if self.is_closing && self.in_flight.is_none() && is_done {
                return;
            }
            let wants_items = self.queue.is_empty() && self.has_room() && !self.is_closing;
            let sleep = self.sleep().filter(|_| wants_items);
            let items = wants_items.then_some(&mut self.queue);
            let (reports, is_closed) = self.inbox.take(sleep, items);
            // Once it is closed, what was taken is all that there will ever be.
            self.is_closing |= is_closed && wants_items;
            self.receive(reports);
        }
    }

    fn receive(&mut self, reports: Vec<AppendReport>) {
        for report in reports {
            match report {
                AppendReport::Durable => self.in_flight = None,
                AppendReport::Down(reason) => {
                    self.drop_all(&reason, RETRY_AFTER_OUTAGE);
                    self.down = Some(reason);
                }
                AppendReport::Lost(lost) => self.go_on_from(*lost),
            }
        }
    }

    /// Decides what there is and room for. False: the appender has gone.
    fn work(&mut self) -> bool {
        loop {
            if self.inbox.has_reports() {
                return true;
            }
            if !self.has_room() || self.can_go() {
                if self.in_flight.is_some() {
                    return true;
                }
                if !self.hand_over() {
                    return false;
                }
            } else if !self.step() {
                return self.in_flight.is_some() || self.open.is_empty() || self.hand_over();
            }
        }
    }

    fn has_room(&self) -> bool {
        self.open.commits.len() < self.limits.commits
            && self.open.bytes + COMMIT_BYTES_MAX < self.limits.bytes
    }

    /// Whether the log is idle and there is enough for it: so that deciding, appending and
    /// publishing go on side by side, instead of one after the other for everything that waits.
    fn can_go(&self) -> bool {
        self.in_flight.is_none() && self.open.commits.len() >= WORTH_A_SYNC
    }

    fn hand_over(&mut self) -> bool {
        let mut batch = std::mem::take(&mut self.open);
        batch.state = self.state.clone();
        self.base = self.state.clone();
        self.in_flight = Some(batch.lines.clone());
        self.appender.send(batch).is_ok()
    }

    /// How long to sleep when there is nothing to do; forever when `None`.
    fn sleep(&self) -> Option<Duration> {
        let due = self.state.next_due().filter(|_| self.down.is_none())?;
        self.clock.sleep_until(due)
    }

    /// One decision. False: there is nothing to decide.
    fn step(&mut self) -> bool {
        if let Some(reason) = self.down.clone() {
            for item in self.queue.drain(..) {
                let retry_after = RETRY_AFTER_OUTAGE;
                let reason = Arc::clone(&reason);
                let error = SubmitError::Unavailable { reason, retry_after };
                item.reply.give(Answer::Not(error));
            }
            return false;
        }
        if let Some(reaction) = self.state.reactions.first().cloned() {
            self.react(&reaction);
            return true;
        }
        let next = self.state.timers.get_min().cloned();
        if let Some((due, timer)) = next
            && due <= self.queue.front().map_or_else(|| self.clock.now(), |item| item.queued_at)
        {
            self.fire(due, &timer);
            return true;
        }
        let Some(item) = self.queue.pop_front() else { return false };
        match item.work {
            Work::Settle => self.answer(item.reply, Answer::Settled(self.state.next_due())),
            Work::Decide(asked) => self.decide_safely(*asked, item.queued_at, item.reply),
        }
        true
    }

    /// A rule that panics is a bug that must not stop everybody else.
    fn decide_safely(
        &mut self,
        (request, line): (Request, ReceiptLine),
        queued_at: Timestamp,
        reply: Reply,
    ) {
        let name = request.parsed.command.declaration().name;
        let id = request.envelope.command_id.clone();
        let decide = AssertUnwindSafe(|| self.decide(request, line, queued_at));
        match catch_unwind(decide) {
            Ok(answer) => self.answer(reply, answer),
            Err(_) => {
                tracing::error!(command = name, "a rule panicked; open decisions are dropped");
                let reason: Arc<str> = format!("the rule of {name} failed: a bug").into();
                // Waits with the others, and fails with them.
                self.answer(reply, Answer::Done(Receipt::nothing(id, queued_at)));
                self.drop_open(&reason, RETRY_AFTER_LOSS);
            }
        }
    }

    fn decide(&mut self, request: Request, line: ReceiptLine, queued_at: Timestamp) -> Answer {
        let Request { parsed, envelope, received_at } = request;
        let refuse = |refusal: Common| Answer::Not(SubmitError::Refused(refusal.into()));
        match self.receipts.find(line) {
            Found::At(position) => return Answer::Known(position),
            Found::Other => return refuse(Common::IdReused(envelope.command_id.to_string())),
            Found::New => {}
        }
        let target = parsed.command.target();
        let actual = self.state.world.version(&target);
        if let Some(expected) = envelope.expected_version.filter(|expected| *expected != actual) {
            return refuse(Common::WrongVersion { stream: target.to_string(), expected, actual });
        }
        let recorded_at = self.next_instant();
        let received_at = to_microsecond(received_at.unwrap_or(queued_at)).min(recorded_at);
        let dry_run = envelope.dry_run;
        let meta = envelope.meta(received_at, recorded_at);
        match self.state.world.commit(&parsed, &meta) {
            Err(refusal) => Answer::Not(SubmitError::Refused(refusal)),
            Ok(None) => Answer::Done(Receipt::nothing(meta.command_id, recorded_at)),
            Ok(Some((commit, _))) if dry_run => Answer::Done(Receipt::rehearsal(&commit)),
            Ok(Some((commit, bytes))) => Answer::Recorded(self.record(commit, bytes, line)),
        }
    }

    /// Decides a command of the engine's own. True: it was recorded; false: it was true already.
    pub(super) fn decide_own(&mut self, parsed: &Parsed, meta: &Meta) -> Result<bool, Refusal> {
        let line = ReceiptLine::new(&meta.command_id, &parsed.hash, &meta.actor);
        if self.receipts.find(line) != Found::New {
            return Err(Common::IdReused(meta.command_id.to_string()).into());
        }
        let Some((commit, bytes)) = self.state.world.commit(parsed, meta)? else {
            return Ok(false);
        };
        self.record(commit, bytes, line);
        Ok(true)
    }

    fn record(&mut self, commit: Commit, bytes: Vec<u8>, line: ReceiptLine) -> Arc<Commit> {
        let commit = Arc::new(commit);
        self.state.take(&commit);
        self.receipts.add(line, commit.position);
        self.open.push(Arc::clone(&commit), bytes, line);
        commit
    }

    /// Every answer waits until all that it rests on is durable and shown, a refusal too.
    fn answer(&mut self, reply: Reply, answer: Answer) {
        self.open.answers.push((reply, answer));
    }

    /// The instant of the next commit: now, and later than the last one.
    pub(super) fn next_instant(&self) -> Timestamp {
        let now = to_microsecond(self.clock.now());
        let last = self.state.world.recorded_at;
        last.checked_add(1.microsecond()).map_or(now, |next| now.max(next))
    }

    pub(super) fn parked(&self) {
        self.metrics.parked.inc();
    }

    fn drop_all(&mut self, reason: &Arc<str>, retry_after: Duration) {
        self.drop_open(reason, retry_after);
        self.receipts.forget(&self.in_flight.take().unwrap_or_default());
    }

    /// Drops what has not been handed over.
    fn drop_open(&mut self, reason: &Arc<str>, retry_after: Duration) {
        let open = std::mem::take(&mut self.open);
        self.receipts.forget(&open.lines);
        open.fail(reason, retry_after);
        self.state = self.base.clone();
    }

    fn go_on_from(&mut self, lost: Lost) {
        self.drop_all(&lost.reason, RETRY_AFTER_LOSS);
        for (line, position) in lost.lines {
            self.receipts.add(line, position);
        }
        self.base = lost.state.clone();
        self.state = lost.state;
        self.down = None;
    }
}
