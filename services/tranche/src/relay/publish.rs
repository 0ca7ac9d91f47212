//! Storing messages all or none, behind a message that is known.

use super::message::Message;
use super::stream::unavailable;
use super::{PUBLISH_WAIT, RelayError};
use async_nats::HeaderMap;
use bytes::Bytes;
use eventlog::nats::wire::{Wire, parsed};
use tokio::time::timeout;
use uuid::Uuid;

/// The last sequence is not the expected one; the second is said for one that is on its way.
const WRONG_LAST_SEQUENCE: [u64; 2] = [10071, 10164];
/// A message of the batch is stored already, inside the window.
const DUPLICATE: u64 = 10201;
/// The message is longer than the stream takes.
const MESSAGE_TOO_LONG: u64 = 10054;

/// The most bytes that the headers of a batch and of NATS itself add to ours.
const PROTOCOL_BYTES_MAX: usize = 512;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// It is stored, in order, right behind the expected message.
    Stored,
    /// The last message is, or is about to be, another: someone else relays.
    Fenced,
}

/// Stores messages in one atomic batch right behind message `after`.
///
/// Any error but [`RelayError::TooLarge`] says nothing about whether they were stored.
pub(super) async fn publish(
    wire: &Wire,
    after: u64,
    messages: &[Message],
) -> Result<Published, RelayError> {
    let limit = wire.client().server_info().max_payload;
    messages.iter().try_for_each(|message| check_size(message, limit))?;
    let Some((last, others)) = messages.split_last() else { return Ok(Published::Stored) };
    let batch = Uuid::now_v7().to_string();
    for (number, message) in (1_usize..).zip(others) {
        let headers = headers(message, &batch, number, after);
        let (subject, body) = (message.subject.clone(), Bytes::from(message.body.clone()));
        let sent = wire.client().publish_with_headers(subject, headers, body);
        let late = |_| eventlog::Error::Unavailable("no room in the queue of NATS".to_owned());
        let failed =
            |error: async_nats::PublishError| eventlog::Error::Unavailable(error.to_string());
        timeout(PUBLISH_WAIT, sent).await.map_err(late)?.map_err(failed)?;
    }
    let mut headers = headers(last, &batch, messages.len(), after);
    headers.insert("Nats-Batch-Commit", "1");
    let (subject, body) = (last.subject.clone(), Bytes::from(last.body.clone()));
    let answer = wire.ask_within(PUBLISH_WAIT, subject, headers, body).await?;
    match parsed(&answer.payload)? {
        Ok(answer) => {
            let expected = after + messages.len() as u64;
            if answer["seq"].as_u64() == Some(expected) {
                return Ok(Published::Stored);
            }
            let what = format!("the server acknowledged {answer} instead of message {expected}");
            Err(eventlog::Error::Unavailable(what).into())
        }
        Err(no) if WRONG_LAST_SEQUENCE.contains(&no.err_code) || no.err_code == DUPLICATE => {
            Ok(Published::Fenced)
        }
        Err(no) if no.err_code == MESSAGE_TOO_LONG => {
            let longest = messages.iter().max_by_key(|message| bytes(message)).unwrap_or(last);
            Err(too_large(longest, limit))
        }
        Err(no) => Err(unavailable(wire, &no)),
    }
}

fn headers(message: &Message, batch: &str, number: usize, after: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        headers.insert(name.as_str(), value.as_str());
    }
    headers.insert("Nats-Msg-Id", message.id().as_str());
    headers.insert("Nats-Batch-Id", batch);
    headers.insert("Nats-Batch-Sequence", number.to_string().as_str());
    if number == 1 {
        headers.insert("Nats-Expected-Last-Sequence", after.to_string().as_str());
    }
    headers
}

fn bytes(message: &Message) -> usize {
    let line = |(name, value): &(String, String)| name.len() + value.len() + ": \r\n".len();
    message.headers.iter().map(line).sum::<usize>() + message.body.len() + PROTOCOL_BYTES_MAX
}

fn check_size(message: &Message, limit: usize) -> Result<(), RelayError> {
    if bytes(message) > limit { Err(too_large(message, limit)) } else { Ok(()) }
}

fn too_large(message: &Message, limit: usize) -> RelayError {
    let (position, index) = (message.position, message.index);
    RelayError::TooLarge { position, index, bytes: bytes(message), limit }
}
