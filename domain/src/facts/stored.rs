//! Reads stored commits. This is the one place where stored events enter the program, and where old
//! ones are made new.

use crate::facts::commit::{Commit, CommitId, Recorded};
use crate::facts::event::{Event, upcasters};
use crate::facts::stream::Decider;
use crate::facts::upcast::Tables;
use crate::facts::{schemas, streams, upcast};
use crate::kernel::actor::{Actor, Evidence};
use crate::kernel::canonical;
use crate::kernel::canonical::{INTEGER_MAX, Sha256Hex};
use crate::kernel::ids::{CommandId, StreamId, StreamKey};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{IntoDeserializer, MapAccess};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::collections::BTreeMap;

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

macro_rules! make_decode {
    ($($variant:ident: $module:ident::$state:ident in $field:ident;)*) => {
        $(use crate::facts::$module;)*

        impl Event {
            /// Reads a stored event of the newest version; `None` when no kind of stream has such a type.
            pub(crate) fn decode<'de>(
                kind: &'de str,
                data: &'de RawValue,
            ) -> Option<Result<Self, serde_json::Error>> {
                let (category, _) = kind.split_once('.')?;
                $(if category == <$module::$state as Decider>::Id::CATEGORY {
                    return Some(decode_event(kind, data).map(Self::$variant));
                })*
                None
            }
        }
    };
}

streams!(make_decode);

impl Commit {
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
