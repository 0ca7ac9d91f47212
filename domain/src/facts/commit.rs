//! The commit: the unit of atomicity, order, durability, idempotency and proof (ADR/README.md).
//! One accepted command makes one commit; its canonical JSON is one entry of the log.

use crate::facts::event::Event;
use crate::kernel::actor::{Actor, Evidence};
use crate::kernel::canonical;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{CommandId, StreamId};
use crate::kernel::text::as_text;
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The longest commit, in bytes (the limit of an entry of the log).
pub const COMMIT_BYTES_MAX: usize = 65_535;

/// One accepted command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Commit {
    /// Who asked.
    pub actor: Actor,
    /// The commit or command that led to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<CommandId>,
    /// Name of the command.
    pub command: Cow<'static, str>,
    /// Hash of its content (see [`crate::decide::command::Parsed`]).
    pub command_hash: Sha256Hex,
    /// Its id.
    pub command_id: CommandId,
    /// UUIDv7 of the recording instant; its random part is derived from the command id.
    pub commit_id: CommitId,
    /// The conversation it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CommandId>,
    /// The versions that the written streams had.
    pub decided_on: BTreeMap<StreamId, u64>,
    /// What happened, 1..n.
    pub events: Vec<Recorded>,
    /// Where the fact comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Place in the log, 1..n without gaps.
    pub position: u64,
    /// When the command reached us.
    pub received_at: Timestamp,
    /// When it was recorded; strictly increasing along the log.
    pub recorded_at: Timestamp,
}

/// One event of a commit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// When it was true.
    pub effective_at: Timestamp,
    /// What happened (`type` and `data`).
    #[serde(flatten)]
    pub event: Event,
    /// Version of the shape of `data`: the newest of its type, whatever was stored.
    pub schema_version: u32,
    /// The stream.
    pub stream: StreamId,
    /// Place in the stream, 1..n without gaps.
    pub version: u64,
}

impl Commit {
    /// Canonical bytes: what is stored and hashed.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_bytes(self)
    }
}

/// A UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(uuid::Uuid);

impl CommitId {
    /// The id of the commit of a command recorded at an instant: the same on every replay.
    #[must_use]
    pub fn derive(recorded_at: Timestamp, command_id: &CommandId, position: u64) -> Self {
        let digest = Sha256Hex::of(format!("{position} {command_id}").as_bytes()).0;
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        let milliseconds = u64::try_from(recorded_at.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::str::FromStr for CommitId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::Uuid::try_parse(text).map(Self)
    }
}

as_text!(CommitId, "CommitId", "^[0-9a-f-]{36}$", "0191dbf2-3c00-7a1b-8000-000000000000");
