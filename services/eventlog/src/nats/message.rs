//! One message and the group in it.

use async_nats::{HeaderMap, Message};
use uuid::Uuid;

use crate::body;
use crate::log::{Damage, Place};
use crate::remote::{Claims, Sequence, Stored, Tip};

/// The version of the format, kept in the stream's metadata. A program refuses every other.
pub(super) const FORMAT: &str = "1";

/// The position of the first entry, in decimal.
const FIRST: &str = "Eventlog-First";
/// The position of the last entry, in decimal.
const LAST: &str = "Eventlog-Last";
/// The checksum of the group ([`body::checksum`]), in decimal.
const CRC32: &str = "Eventlog-Crc32";
/// The id of the group before; of the nil UUID in the first message. A stream that lost messages and
/// took others in their place is found out by it.
const AFTER: &str = "Eventlog-After";
/// The id of the group. The server stores a second message of one id only after its window.
const ID: &str = "Nats-Msg-Id";
/// The server stores the message only if the stream's last sequence is this.
const EXPECTED_SEQUENCE: &str = "Nats-Expected-Last-Sequence";
/// The server stores the message only if the stream of the subject has this name.
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
/// The server says the number of a message that it hands out.
const SEQUENCE: &str = "Nats-Sequence";

/// The most bytes that the headers of a group take: see `the_headers_of_a_group_fit`.
pub(super) const HEADERS_BYTES_MAX: usize = 1_024;

/// The headers of a group that follows `tip`; of a mark, if it has no entries.
pub(super) fn headers(stream: &str, tip: &Tip, id: Uuid, entries: usize, body: &[u8]) -> HeaderMap {
    let first = tip.position + 1;
    let values = [
        (ID, id.to_string()),
        (EXPECTED_SEQUENCE, tip.sequence.to_string()),
        (EXPECTED_STREAM, stream.to_owned()),
        (FIRST, first.to_string()),
        (LAST, (tip.position + entries as u64).to_string()),
        (CRC32, body::checksum(first, body).to_string()),
        (AFTER, tip.id.to_string()),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        headers.insert(name, value.as_str());
    }
    headers
}

/// The number of a message that a server handed out or told about.
pub(super) fn sequence(message: &Message) -> Option<Sequence> {
    header(message, SEQUENCE)?.parse().ok()
}

/// Reads a message, and checks everything that it says about itself.
pub(super) fn read(sequence: Sequence, message: &Message) -> Result<Stored, Damage> {
    let place = Place::Message { sequence };
    let damage = |what| Damage { place, what };
    let text =
        |name| header(message, name).ok_or_else(|| damage(format!("the header {name} is missing")));
    let number = |name| {
        let text = text(name)?;
        text.parse::<u64>().map_err(|_| damage(format!("the header {name} is {text:?}")))
    };
    let uuid = |name| {
        let text = text(name)?;
        Uuid::parse_str(text).map_err(|_| damage(format!("the header {name} is {text:?}")))
    };
    let (first, last, crc32) = (number(FIRST)?, number(LAST)?, number(CRC32)?);
    let (id, after) = (uuid(ID)?, uuid(AFTER)?);
    let claims = Claims { first, last, crc32, id, after };
    Stored::check(sequence, place, &claims, message.payload.clone())
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(|value| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_a_group_fit() {
        let tip = Tip { sequence: u64::MAX, position: u64::MAX - 5_000, id: Uuid::max() };
        let headers = headers(&"s".repeat(128), &tip, Uuid::max(), 4_096, b"body");
        // Each line ends with CR LF, after `NATS/1.0` and before an empty line.
        let lines = headers.iter().map(|(name, values)| {
            values
                .iter()
                .map(|value| name.to_string().len() + value.as_str().len() + 4)
                .sum::<usize>()
        });
        let bytes = lines.sum::<usize>() + "NATS/1.0\r\n\r\n".len();
        assert!(bytes <= HEADERS_BYTES_MAX, "{bytes}");
        const { assert!(crate::log::GROUP_BYTES_MAX + HEADERS_BYTES_MAX <= 1 << 20) }; // The usual max_payload.
    }
}
