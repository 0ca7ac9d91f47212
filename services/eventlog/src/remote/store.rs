//! What a log needs of a server that keeps its stream.

use std::future::Future;

use bytes::Bytes;
use uuid::Uuid;

use super::message::{Sequence, Stored, Tip};
use crate::log::{Error, Place};

/// What a log needs of a server that keeps its stream.
pub(crate) trait Store: Send + Sync + 'static {
    /// What it is called in a sentence.
    fn name(&self) -> String;

    /// The place of a message, as its people count.
    fn place(sequence: Sequence) -> Place;

    /// Refuses a body that the server would not take.
    fn check_body(&self, bytes: usize) -> Result<(), Error>;

    /// The last message, by who leads the stream.
    fn last(&self) -> impl Future<Output = Result<Last, Error>> + Send;

    /// Reads messages from one on, tried once: at least one, and no more once these limits are reached.
    fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Batch, Error>> + Send;

    /// Stores a message right behind a tip or not at all, tried once.
    fn publish(
        &self,
        after: &Tip,
        new: &Proposed,
    ) -> impl Future<Output = Result<Published, Error>> + Send;
}

/// The end of a stream.
pub(crate) struct Last {
    /// The number of the last message; 0 when there is none.
    pub(crate) sequence: Sequence,
    /// The message itself, if the server told it with the number.
    pub(crate) stored: Option<Stored>,
}

/// What came back for a range of messages.
pub(crate) enum Batch {
    /// At least one message, the first of them the one that was asked for, without a gap.
    Messages(Vec<Stored>),
    /// The server that answered does not have the message.
    NotThere,
    /// It has later messages, but not this one.
    Missing,
}

/// A group that is to be stored; a mark, if it has no entries.
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) entries: usize,
    pub(crate) body: Bytes,
}

/// What became of one try to store a message.
pub(crate) enum Published {
    /// It is stored, and is this message.
    At(Sequence),
    /// The last message is, or is about to be, another.
    Fenced,
    /// Nobody knows.
    Unknown(String),
}
