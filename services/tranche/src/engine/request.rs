//! What is asked of the engine, and what it answers.

use super::envelope::Envelope;
use domain::facts::commit::{Commit, CommitId};
use domain::kernel::actor::Actor;
use domain::kernel::ids::{CommandId, StreamId};
use domain::{Parsed, Refusal};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One command, read and hashed by the caller, so that the deciding thread need not.
#[derive(Debug)]
pub struct Request {
    /// The command.
    pub parsed: Parsed,
    /// What comes with it.
    pub envelope: Envelope,
    /// When it reached us; the moment of submission when `None`.
    pub received_at: Option<Timestamp>,
}

impl Request {
    /// Makes a request of an actor, without anything that may be left out.
    #[must_use]
    pub fn new(parsed: Parsed, actor: Actor, command_id: CommandId) -> Self {
        Self { parsed, envelope: Envelope::new(actor, command_id), received_at: None }
    }

    /// The same, which only decides.
    #[must_use]
    pub fn rehearsed(mut self) -> Self {
        self.envelope.dry_run = true;
        self
    }
}

/// An accepted command. When it arrives, the views show the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Receipt {
    /// The id of the command.
    pub command_id: CommandId,
    /// Absent when nothing was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(default, with = "String")]
    pub commit_id: Option<CommitId>,
    /// Whether it was only a rehearsal.
    pub dry_run: bool,
    /// The types of the events, in order.
    pub events: Vec<Cow<'static, str>>,
    /// Where it is in the log. Absent when it was true already, or only a rehearsal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(default, with = "u64")]
    pub position: Option<u64>,
    /// When it was decided.
    pub recorded_at: Timestamp,
    /// Whether the command was known: this is the answer of the first time.
    pub replayed: bool,
    /// The streams that were written.
    pub streams: Vec<Written>,
}

/// A stream that a command has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Written {
    /// Its name.
    pub stream: StreamId,
    /// Its new version.
    pub version: u64,
}

impl Receipt {
    pub(crate) fn of(commit: &Commit, replayed: bool) -> Self {
        let streams = commit.decided_on.keys().map(|stream| {
            let last = commit.events.iter().rev().find(|event| event.stream == *stream);
            Written { stream: stream.clone(), version: last.map_or(0, |event| event.version) }
        });
        Self {
            command_id: commit.command_id.clone(),
            commit_id: Some(commit.commit_id),
            dry_run: false,
            events: commit.events.iter().map(|recorded| recorded.event.kind().into()).collect(),
            position: Some(commit.position),
            recorded_at: commit.recorded_at,
            replayed,
            streams: streams.collect(),
        }
    }

    pub(crate) fn nothing(command_id: CommandId, recorded_at: Timestamp) -> Self {
        Self {
            command_id,
            commit_id: None,
            dry_run: false,
            events: Vec::new(),
            position: None,
            recorded_at,
            replayed: false,
            streams: Vec::new(),
        }
    }

    pub(crate) fn rehearsal(commit: &Commit) -> Self {
        Self { position: None, commit_id: None, dry_run: true, ..Self::of(commit, false) }
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
