//! One event and the group in it.

use bytes::Bytes;
use eventstore::{EventData, RecordedEvent};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::body;
use crate::log::{Damage, Place};
use crate::remote::{Claims, Proposed, Sequence, Stored, Tip};

/// The type of every event of a log.
const TYPE: &str = "EventlogGroup";

/// The most bytes that metadata, type and framing add to a body: see `an_event_fits`.
#[cfg(test)]
const ENVELOPE_BYTES_MAX: usize = 1_024;

/// What the metadata of an event says, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    /// The position of the first entry.
    first: u64,
    /// The position of the last entry.
    last: u64,
    /// The checksum of the group ([`body::checksum`]).
    crc32: u32,
    /// The id of the group before; the nil UUID in the first event. A stream that lost events and took
    /// others in their place is found out by it.
    after: Uuid,
}

/// The place of a message: the database counts events from 0.
pub(super) fn place(sequence: Sequence) -> Place {
    Place::Event { revision: sequence.saturating_sub(1) }
}

/// The event of a group that follows `tip`. Its id is that of the group.
pub(super) fn event(tip: &Tip, new: &Proposed) -> EventData {
    let first = tip.position + 1;
    let metadata = Metadata {
        first,
        last: tip.position + new.entries as u64,
        crc32: body::checksum(first, &new.body),
        after: tip.id,
    };
    let metadata = serde_json::to_vec(&metadata).expect("numbers and a UUID are JSON");
    EventData::binary(TYPE, new.body.clone()).id(new.id).metadata(Bytes::from(metadata))
}

/// Reads an event, and checks everything that it says about itself.
pub(super) fn read(event: &RecordedEvent) -> Result<Stored, Damage> {
    let sequence = event.revision.saturating_add(1);
    let damage = |what| Damage { place: place(sequence), what };
    if event.event_type != TYPE {
        return Err(damage(format!("its type is {:?}, and should be {TYPE}", event.event_type)));
    }
    let metadata = serde_json::from_slice::<Metadata>(&event.custom_metadata);
    let metadata = metadata.map_err(|error| damage(format!("its metadata: {error}")))?;
    let Metadata { first, last, crc32, after } = metadata;
    let claims = Claims { first, last, crc32: crc32.into(), id: event.id, after };
    Stored::check(sequence, place(sequence), &claims, event.data.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits() {
        let metadata =
            Metadata { first: u64::MAX, last: u64::MAX, crc32: u32::MAX, after: Uuid::max() };
        let bytes = serde_json::to_vec(&metadata).unwrap().len() + TYPE.len();
        assert!(bytes <= ENVELOPE_BYTES_MAX, "{bytes}");
        const { assert!(crate::log::GROUP_BYTES_MAX + ENVELOPE_BYTES_MAX <= 1 << 20) }; // The usual MaxAppendSize.
    }
}
