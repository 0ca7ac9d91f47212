//! The commit: the unit of atomicity, order, durability, idempotency and proof (design.md, section 2).
//! One accepted command makes one commit; its canonical JSON is one entry of the log.

use crate::canonical::{self, INTEGER_MAX, Sha256Hex};
use crate::command::{Actor, Evidence};
use crate::ids::{CommandId, StreamId};
use crate::schemas;
use crate::text::as_text;
use crate::upcast::{self, Tables};
use crate::world::{Event, upcasters};
use jiff::Timestamp;
use serde::de::{IntoDeserializer, MapAccess};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
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
    /// Hash of its content (see [`crate::command::Parsed`]).
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

/// Why an entry of the log is not a commit that we can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON of a commit.
    #[error("not a commit: {0}")]
    Json(#[from] serde_json::Error),
    /// An event that this program does not know.
    #[error(
        "event {kind:?} with schema version {version} is unknown to this program: a newer program is \
         needed, if one wrote it"
    )]
    UnknownEvent {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u32,
    },
    /// An event of a version that this program does not know.
    #[error(
        "event {kind:?} has schema version {version}, and this program reads at most {newest}: a newer \
         program is needed"
    )]
    NewerEvent {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u32,
        /// The newest that is known.
        newest: u32,
    },
    /// The data of an event does not fit its type.
    #[error("event {kind:?} cannot be read: {error}")]
    Event {
        /// Its type.
        kind: String,
        /// Why.
        error: serde_json::Error,
    },
}

impl Commit {
    /// Canonical bytes: what is stored and hashed.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_bytes(self)
    }

    /// Whether `stored`, which was read as this commit, is in canonical form.
    ///
    /// # Errors
    /// When it has none.
    pub fn is_canonical(&self, stored: &[u8]) -> Result<bool, serde_json::Error> {
        self.is_canonical_by(stored, upcasters)
    }

    pub(crate) fn is_canonical_by(
        &self,
        stored: &[u8],
        tables: Tables,
    ) -> Result<bool, serde_json::Error> {
        if self.encode()? == stored {
            return Ok(true);
        }
        // What was made new on the way in differs: then the stored text speaks for itself.
        let written: StoredCommit<'_> = serde_json::from_slice(stored)?;
        let is_old = written.events.iter().any(|event| event.schema_version < event.newest(tables));
        let value: Value = serde_json::from_slice(stored)?;
        Ok(is_old && canonical::to_bytes(&value)? == stored)
    }

    /// Reads a stored commit. This is the one place where stored events enter the program, and where
    /// old ones are made new.
    ///
    /// # Errors
    /// [`DecodeError`] names the event.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_by(bytes, upcasters)
    }

    pub(crate) fn decode_by(bytes: &[u8], tables: Tables) -> Result<Self, DecodeError> {
        let stored: StoredCommit<'_> = serde_json::from_slice(bytes)?;
        let versions = stored.events.iter().map(|event| event.version);
        let counted = stored.decided_on.values().copied().chain(versions).chain([stored.position]);
        if counted.max() > Some(INTEGER_MAX) {
            let what = "a position or version beyond 2^53 - 1, which cannot be written";
            return Err(DecodeError::Json(serde::de::Error::custom(what)));
        }
        let events = stored.events.into_iter().map(|event| event.read(tables));
        let events = events.collect::<Result<_, _>>()?;
        Ok(Self {
            actor: stored.actor,
            causation_id: stored.causation_id,
            command: stored.command.into(),
            command_hash: stored.command_hash,
            command_id: stored.command_id,
            commit_id: stored.commit_id,
            correlation_id: stored.correlation_id,
            decided_on: stored.decided_on,
            events,
            evidence: stored.evidence,
            position: stored.position,
            received_at: stored.received_at,
            recorded_at: stored.recorded_at,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCommit<'a> {
    actor: Actor,
    #[serde(default)]
    causation_id: Option<CommandId>,
    command: String,
    command_hash: Sha256Hex,
    command_id: CommandId,
    commit_id: CommitId,
    #[serde(default)]
    correlation_id: Option<CommandId>,
    decided_on: BTreeMap<StreamId, u64>,
    #[serde(borrow)]
    events: Vec<StoredEvent<'a>>,
    #[serde(default)]
    evidence: Option<Evidence>,
    position: u64,
    received_at: Timestamp,
    recorded_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEvent<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    effective_at: Timestamp,
    schema_version: u32,
    stream: StreamId,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    version: u64,
}

impl StoredEvent<'_> {
    fn table(&self, tables: Tables) -> &'static [upcast::Upcaster] {
        self.kind.split_once('.').map_or(&[], |(category, _)| tables(category))
    }

    /// The newest version of its type.
    fn newest(&self, tables: Tables) -> u32 {
        upcast::newest(self.table(tables), &self.kind)
    }

    fn read(self, tables: Tables) -> Result<Recorded, DecodeError> {
        let kind = &*self.kind;
        let (version, newest) = (self.schema_version, self.newest(tables));
        let unknown = || DecodeError::UnknownEvent { kind: kind.to_owned(), version };
        let wrong = |error| match schemas::is_known(kind) {
            true => DecodeError::Event { kind: kind.to_owned(), error },
            false => unknown(),
        };
        if version == 0 || version > newest {
            return Err(if version > newest && schemas::is_known(kind) {
                DecodeError::NewerEvent { kind: kind.to_owned(), version, newest }
            } else {
                unknown()
            });
        }
        let event = if version == newest {
            Event::decode(kind, self.data)
        } else {
            let old: Value = serde_json::from_str(self.data.get()).map_err(wrong)?;
            let new = upcast::lift(self.table(tables), kind, version, old);
            Event::decode(kind, &to_raw_value(&new).map_err(wrong)?)
        };
        Ok(Recorded {
            effective_at: self.effective_at,
            event: event.ok_or_else(unknown)?.map_err(wrong)?,
            schema_version: newest,
            stream: self.stream,
            version: self.version,
        })
    }
}

/// Reads an adjacently tagged event (`type`, `data`) with the tag first, whatever the order of the
/// stored members, so that serde need not buffer the data.
pub(crate) fn decode_event<'de, E: Deserialize<'de>>(
    kind: &'de str,
    data: &'de RawValue,
) -> Result<E, serde_json::Error> {
    struct TagFirst<'de> {
        kind: Option<&'de str>,
        data: Option<&'de RawValue>,
    }

    impl<'de> MapAccess<'de> for TagFirst<'de> {
        type Error = serde_json::Error;

        fn next_key_seed<K: serde::de::DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, Self::Error> {
            let key = match (self.kind, self.data) {
                (Some(_), _) => "type",
                (None, Some(_)) => "data",
                (None, None) => return Ok(None),
            };
            seed.deserialize(key.into_deserializer()).map(Some)
        }

        fn next_value_seed<V: serde::de::DeserializeSeed<'de>>(
            &mut self,
            seed: V,
        ) -> Result<V::Value, Self::Error> {
            if let Some(kind) = self.kind.take() {
                return seed.deserialize(kind.into_deserializer());
            }
            match self.data.take() {
                Some(data) => seed.deserialize(data),
                None => Err(serde::de::Error::custom("no value is left")),
            }
        }
    }

    let access = TagFirst { kind: Some(kind), data: Some(data) };
    E::deserialize(serde::de::value::MapAccessDeserializer::new(access))
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
