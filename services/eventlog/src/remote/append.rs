//! Appending: one message, fenced by the sequence of the tip, tried again under the same id. And taking
//! the log over: a message without entries, which moves the fence for everybody else.

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::handle::Remote;
use super::message::Tip;
use super::store::{Proposed, Published, Store};
use super::waits::{APPEND_WAIT, RETRY_PAUSE};
use crate::body;
use crate::log::{Error, Position};

/// What is behind the tip that a try was fenced with.
enum Behind {
    Ours(Tip),
    Others,
    Nothing,
}

impl<S: Store> Remote<S> {
    pub(crate) async fn append(
        &self,
        expected: Position,
        entries: &[Bytes],
    ) -> Result<Position, Error> {
        let body = Bytes::from(body::join(entries)?);
        self.store.check_body(body.len())?;
        let mut tip = self.tip();
        if tip.position != expected {
            tip = self.refresh().await?;
        }
        self.reign.check()?;
        if tip.position != expected {
            return Err(Error::Conflict { expected, actual: tip.position });
        }
        let new = Proposed { id: Uuid::now_v7(), entries: entries.len(), body };
        let stored = self.store(&tip, &new).await?;
        self.advance(stored);
        Ok(stored.position)
    }

    /// Stores a mark behind the last message, and returns the head. Every append that was fenced with
    /// what came before it is refused, on its way too.
    pub(crate) async fn take_over(&self) -> Result<Position, Error> {
        let deadline = Instant::now() + APPEND_WAIT;
        loop {
            let tip = self.refresh().await?;
            let mark = Proposed { id: Uuid::now_v7(), entries: 0, body: Bytes::new() };
            self.reign.begin(tip.sequence, mark.id);
            match self.store(&tip, &mark).await {
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
    async fn store(&self, tip: &Tip, new: &Proposed) -> Result<Tip, Error> {
        let stored = Tip {
            sequence: tip.sequence + 1,
            position: tip.position + new.entries as u64,
            id: new.id,
        };
        let deadline = Instant::now() + APPEND_WAIT;
        loop {
            let why = match self.store.publish(tip, new).await? {
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

    /// Looks for a group right behind a tip, and takes in the head.
    async fn look_behind(&self, tip: &Tip, id: Uuid) -> Result<Behind, Error> {
        if self.refresh().await?.sequence <= tip.sequence {
            return Ok(Behind::Nothing);
        }
        let found = self.message(tip.sequence + 1).await?;
        found.check_order(tip.position + 1, tip.id).map_err(Error::Corrupt)?;
        Ok(if found.id == id { Behind::Ours(found.tip()) } else { Behind::Others })
    }
}
