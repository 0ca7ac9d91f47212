//! What a log needs of the database.

use eventstore::Error as Failure;

use super::event;
use super::wire::{Range, Wire};
use crate::log::{Damage, Error, Place};
use crate::remote::{Batch, Last, Proposed, Published, READ_WAIT, Sequence, Store, Tip, until};

/// In what a server says of an append, or an event, that is longer than it takes: for either there are
/// words of its own, and the crate hands over nothing but the words.
const TOO_LONG: &str = "Maximum Append";

impl Store for Wire {
    fn name(&self) -> String {
        format!("stream {}", self.stream)
    }

    fn place(sequence: Sequence) -> Place {
        event::place(sequence)
    }

    /// The server does not tell its limit before it refuses.
    fn check_body(&self, _: usize) -> Result<(), Error> {
        Ok(())
    }

    async fn last(&self) -> Result<Last, Error> {
        until(READ_WAIT, || async {
            let events = self.events(&self.stream, Range::Last).await;
            let events = events.map_err(|failure| self.failed(&failure))?;
            let Some(event) = events.first() else {
                return Ok(Last { sequence: 0, stored: None });
            };
            let stored = event::read(event).map_err(Error::Corrupt)?;
            Ok(Last { sequence: stored.sequence, stored: Some(stored) })
        })
        .await
    }

    async fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, Error> {
        let range = Range::From { sequence: from, events_max: messages_max, bytes_max };
        let events = self.events(&self.stream, range).await;
        let events = events.map_err(|failure| self.failed(&failure))?;
        let mut messages = Vec::new();
        for (sequence, event) in (from..).zip(&events) {
            if event.revision.checked_add(1) != Some(sequence) {
                let is_first = messages.is_empty();
                return Ok(if is_first { Batch::Missing } else { Batch::Messages(messages) });
            }
            messages.push(event::read(event).map_err(Error::Corrupt)?);
        }
        Ok(if messages.is_empty() { Batch::NotThere } else { Batch::Messages(messages) })
    }

    async fn publish(&self, after: &Tip, new: &Proposed) -> Result<Published, Error> {
        let event = event::event(after, new);
        match self.append(&self.stream, after.sequence, event).await {
            Ok(sequence) => Ok(Published::At(sequence)),
            Err(Failure::WrongExpectedVersion { .. }) => Ok(Published::Fenced),
            Err(Failure::Grpc { message, .. }) if message.contains(TOO_LONG) => {
                let what = "the group in bytes, by the limits of the server";
                let got = new.body.len();
                Err(Error::TooLarge { what, limit: got.saturating_sub(1), got })
            }
            Err(failure) => match self.failed(&failure) {
                Error::Unavailable(why) => Ok(Published::Unknown(why)),
                error => Err(error),
            },
        }
    }
}

impl Wire {
    pub(super) fn failed(&self, failure: &Failure) -> Error {
        if matches!(failure, Failure::ResourceDeleted) {
            let what = format!("{} was deleted for ever", self.stream);
            return Error::Corrupt(Damage { place: Place::Stream, what });
        }
        self.unavailable(failure)
    }
}
