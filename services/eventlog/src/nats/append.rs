//! Appending: one message, fenced by the sequence of the tip, tried again under the same id. And taking
//! the log over: a message without entries, which moves the fence for everybody else.

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::message::{self, HEADERS_BYTES_MAX};
use super::{APPEND_WAIT, Inner, RETRY_PAUSE, Sequence, Tip, wire};
use crate::{Error, Position, body};

/// The last sequence is not the expected one. The second is said for a sequence that a batch that is
/// being stored has taken.
pub(super) const WRONG_LAST_SEQUENCE: [u64; 2] = [10071, 10164];
/// The message is longer than the stream takes.
const MESSAGE_TOO_LONG: u64 = 10054;

/// What became of one try.
enum Published {
    /// It is stored, and is this message.
    At(Sequence),
    /// The last sequence is, or is about to be, another.
    Fenced,
    /// Nobody knows.
    Unknown(String),
}

/// What is behind the tip that a try was fenced with.
enum Behind {
    Ours(Tip),
    Others,
    Nothing,
}

impl Inner {
    pub(super) async fn append(
        &self,
        expected: Position,
        entries: &[Bytes],
    ) -> Result<Position, Error> {
        let body = Bytes::from(body::join(entries)?);
        self.check_payload(body.len())?;
        let mut tip = self.tip();
        if tip.position != expected {
            tip = self.refresh().await?;
        }
        self.reign.check()?;
        if tip.position != expected {
            return Err(Error::Conflict { expected, actual: tip.position });
        }
        let id = Uuid::now_v7();
        let headers = message::headers(&self.wire.stream, &tip, id, entries.len(), &body);
        let stored =
            Tip { sequence: tip.sequence + 1, position: expected + entries.len() as u64, id };
        let stored = self.store(&tip, stored, &headers, &body).await?;
        self.advance(stored);
        Ok(stored.position)
    }

    /// Stores a mark behind the last message, and returns the head. Every append that was fenced with
    /// what came before it is refused, on its way too.
    pub(super) async fn take_over(&self) -> Result<Position, Error> {
        let deadline = Instant::now() + APPEND_WAIT;
        loop {
            let tip = self.refresh().await?;
            let id = Uuid::now_v7();
            self.reign.begin(tip.sequence, id);
            let headers = message::headers(&self.wire.stream, &tip, id, 0, b"");
            let stored = Tip { sequence: tip.sequence + 1, position: tip.position, id };
            match self.store(&tip, stored, &headers, &Bytes::new()).await {
                Ok(stored) => {
                    self.advance(stored);
                    return Ok(stored.position);
                }
                // Somebody was faster: behind that, then.
                Err(Error::Conflict { .. } | Error::Fenced) if Instant::now() < deadline => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries until it is known what became of the message, for [`APPEND_WAIT`].
    ///
    /// A try whose answer is lost may be stored. The next one has the same id and the same fence, so
    /// both together are stored once. A cluster looks at the id first and acknowledges a duplicate;
    /// one server, and a cluster that has forgotten the id, refuse, and then the first is looked for.
    async fn store(
        &self,
        tip: &Tip,
        stored: Tip,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Tip, Error> {
        let deadline = Instant::now() + APPEND_WAIT;
        loop {
            let why = match self.publish(headers, body).await? {
                Published::At(sequence) if sequence == stored.sequence => return Ok(stored),
                Published::At(sequence) => {
                    format!("the server stored message {sequence} instead of {}", stored.sequence)
                }
                Published::Fenced => match self.look_behind(tip, stored.id).await {
                    Ok(Behind::Ours(found)) => return Ok(found),
                    Ok(Behind::Others) => {
                        self.reign.check()?;
                        let (expected, actual) = (tip.position, self.tip().position);
                        return Err(Error::Conflict { expected, actual });
                    }
                    // A cluster also refuses what would follow a message that is on its way, and that
                    // may still get lost: then there is no conflict, and the next try succeeds.
                    Ok(Behind::Nothing) => "another message is on its way".to_owned(),
                    Err(Error::Unavailable(why)) => why,
                    Err(error) => return Err(error),
                },
                Published::Unknown(why) => why,
            };
            if Instant::now() >= deadline {
                let what = format!("{why}; the group may be stored, now or later");
                return Err(Error::Unavailable(what));
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn publish(&self, headers: &HeaderMap, body: &Bytes) -> Result<Published, Error> {
        let asked = self.wire.ask(self.wire.subject(), headers.clone(), body.clone()).await;
        let answer = match asked.and_then(|answer| wire::parsed(&answer.payload)) {
            Ok(answer) => answer,
            Err(Error::Unavailable(why)) => return Ok(Published::Unknown(why)),
            Err(error) => return Err(error),
        };
        match answer {
            Ok(answer) => Ok(match answer["seq"].as_u64() {
                Some(sequence) => Published::At(sequence),
                None => Published::Unknown("a server acknowledged without a number".to_owned()),
            }),
            Err(refused) if WRONG_LAST_SEQUENCE.contains(&refused.err_code) => {
                Ok(Published::Fenced)
            }
            Err(refused) if refused.err_code == MESSAGE_TOO_LONG => {
                Err(too_large(body.len(), body.len().saturating_sub(1)))
            }
            Err(refused) => Ok(Published::Unknown(refused.to_string())),
        }
    }

    /// Looks for a group right behind a tip, and takes in the head.
    async fn look_behind(&self, tip: &Tip, id: Uuid) -> Result<Behind, Error> {
        if self.refresh().await?.sequence <= tip.sequence {
            return Ok(Behind::Nothing);
        }
        let found = self.message(tip.sequence + 1).await?;
        found.check_order(tip.position + 1, tip.id).map_err(Error::Corrupt)?;
        Ok(if found.id == id { Behind::Ours(found.tip()) } else { Behind::Others })
    }

    /// Servers tell their limit when they connect, and the client would refuse more than it.
    fn check_payload(&self, bytes: usize) -> Result<(), Error> {
        let limit = self.wire.server().max_payload.saturating_sub(HEADERS_BYTES_MAX);
        if bytes > limit { Err(too_large(bytes, limit)) } else { Ok(()) }
    }
}

fn too_large(got: usize, limit: usize) -> Error {
    Error::TooLarge { what: "the group in bytes, by the limits of the NATS server", limit, got }
}
