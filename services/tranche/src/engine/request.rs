//! What is asked of the engine, and what it answers.

use domain::facts::commit::{Commit, CommitId};
use domain::kernel::actor::{Actor, Evidence};
use domain::kernel::ids::{CommandId, StreamId};
use domain::{Parsed, Refusal};
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One command, read and hashed by the caller, so that the deciding thread need not.
#[derive(Debug)]
pub struct Request {
    /// The command.
    pub parsed: Parsed,
    /// Who gives it.
    pub actor: Actor,
    /// Names this wish for ever: the same id never decides twice.
    pub command_id: CommandId,
    /// The conversation it belongs to.
    pub correlation_id: Option<CommandId>,
    /// What led to it.
    pub causation_id: Option<CommandId>,
    /// When it was true, if that was earlier than now.
    pub effective_at: Option<Timestamp>,
    /// Where the fact comes from.
    pub evidence: Option<Evidence>,
    /// The version of the subject stream that the caller saw; any when `None`.
    pub expected_version: Option<u64>,
    /// When it reached us; the moment of submission when `None`.
    pub received_at: Option<Timestamp>,
    /// Decide, but record nothing.
    pub dry_run: bool,
}

impl Request {
    /// A command of an actor, without anything that may be left out.
    #[must_use]
    pub fn new(parsed: Parsed, actor: Actor, command_id: CommandId) -> Self {
        Self {
            parsed,
            actor,
            command_id,
            correlation_id: None,
            causation_id: None,
            effective_at: None,
            evidence: None,
            expected_version: None,
            received_at: None,
            dry_run: false,
        }
    }
}

/// An accepted command. When it arrives, the views show the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it is in the log; `None` when it was true already, or only a rehearsal.
    pub position: Option<u64>,
    /// Its commit, when there is one.
    pub commit_id: Option<CommitId>,
    /// When it was decided.
    pub recorded_at: Timestamp,
    /// The command was known: this is the answer of the first time.
    pub replayed: bool,
    /// The streams that were written, with their new versions.
    pub streams: Vec<(StreamId, u64)>,
    /// The types of the events, in order.
    pub events: Vec<Cow<'static, str>>,
}

impl Receipt {
    pub(crate) fn of(commit: &Commit, replayed: bool) -> Self {
        let streams = commit.decided_on.keys().map(|stream| {
            let written = commit.events.iter().rev().find(|event| event.stream == *stream);
            (stream.clone(), written.map_or(0, |event| event.version))
        });
        Self {
            position: Some(commit.position),
            commit_id: Some(commit.commit_id),
            recorded_at: commit.recorded_at,
            replayed,
            streams: streams.collect(),
            events: commit.events.iter().map(|recorded| recorded.event.kind().into()).collect(),
        }
    }

    pub(crate) fn nothing(recorded_at: Timestamp) -> Self {
        Self {
            position: None,
            commit_id: None,
            recorded_at,
            replayed: false,
            streams: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn rehearsal(commit: &Commit) -> Self {
        Self { position: None, commit_id: None, ..Self::of(commit, false) }
    }
}

/// Why a command has no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A rule says no. Ask again only with something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log did not say that the decision is durable: it may be recorded or not. Ask again with
    /// the same command id, and it is decided at most once.
    #[error("the log is unavailable: {reason}")]
    Unavailable {
        /// What is wrong.
        reason: Arc<str>,
        /// When it may be worth another try.
        retry_after: Duration,
    },
    /// More commands wait than the engine takes.
    #[error("too many commands are waiting")]
    Busy,
    /// The engine is going down. Nothing was decided.
    #[error("the engine is stopping")]
    Stopping,
}

/// An answer of the deciding thread, kept until everything that it rests on is durable.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Decided and recorded now.
    Recorded(Arc<Commit>),
    /// Known: recorded earlier, at this position.
    Known(u64),
    /// Accepted without a record.
    Done(Receipt),
    /// Nothing is left to do before this instant; `None`: no timer is set.
    Settled(Option<Timestamp>),
    /// No.
    Not(SubmitError),
}
