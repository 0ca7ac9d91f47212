//! What a log needs of JetStream, as requests of our own.

use async_nats::Subscriber;

use super::message::{self, HEADERS_BYTES_MAX};
use super::wire::{self, Wire};
use crate::log::{Damage, Error, Place};
use crate::remote::{ANSWER_WAIT, Batch, Last, Notices, Proposed, Published, Sequence, Store, Tip};

/// The last sequence is not the expected one. The second is said for a sequence that a batch that is
/// being stored has taken.
pub(super) const WRONG_LAST_SEQUENCE: [u64; 2] = [10071, 10164];
/// The message is longer than the stream takes.
const MESSAGE_TOO_LONG: u64 = 10054;

impl Store for Wire {
    fn name(&self) -> String {
        format!("stream {}", self.stream)
    }

    fn place(sequence: Sequence) -> Place {
        Place::Message { sequence }
    }

    /// Servers tell their limit when they connect, and the client would refuse more than it.
    fn check_body(&self, bytes: usize) -> Result<(), Error> {
        let limit = self.server().max_payload.saturating_sub(HEADERS_BYTES_MAX);
        if bytes > limit { Err(too_large(bytes, limit)) } else { Ok(()) }
    }

    async fn last(&self) -> Result<Last, Error> {
        let info = self
            .info(false)
            .await?
            .map_err(|refused| Error::Unavailable(format!("stream {}: {refused}", self.stream)))?;
        let last = info.state.last_seq;
        if info.state.messages != last {
            let what = format!("of {last} messages {} are there", info.state.messages);
            return Err(Error::Corrupt(Damage { place: Place::Stream, what }));
        }
        Ok(Last { sequence: last, stored: None })
    }

    async fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, Error> {
        self.get(from, messages_max, bytes_max).await
    }

    async fn publish(&self, after: &Tip, new: &Proposed) -> Result<Published, Error> {
        let headers = message::headers(&self.stream, after, new.id, new.entries, &new.body);
        let asked = self.ask_jetstream(ANSWER_WAIT, self.subject(), headers, new.body.clone());
        let answer = match asked.await {
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
                Err(too_large(new.body.len(), new.body.len().saturating_sub(1)))
            }
            Err(refused) => Ok(Published::Unknown(refused.to_string())),
        }
    }
}

fn too_large(got: usize, limit: usize) -> Error {
    Error::TooLarge { what: "the group in bytes, by the limits of the NATS server", limit, got }
}

/// The server publishes the headers of each message that it has stored. Anyone with the right to
/// publish could send such a notice, too.
impl Notices for Subscriber {
    async fn next(&mut self) -> Option<Option<Sequence>> {
        // Nothing more comes when the client is closed.
        let notice = wire::next_forever(self).await?;
        Some(message::sequence(&notice))
    }
}
