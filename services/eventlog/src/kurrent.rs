//! The log over EventStoreDB, also called KurrentDB: a stream with one event for each group.
//!
//! The data of an event is the body of its group, entries on lines of their own; its metadata says which
//! positions it holds, its checksum, and which group it follows. So a group is acknowledged by one
//! write, and any tool of the database shows the log.
//!
//! What it shares with other servers is in `remote`. ADR/0014 says what is proven of it, and what is not.

mod event;
mod news;
mod options;
mod settings;
mod store;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::log::{Error, Group, Log, Position};
use crate::remote::Remote;
pub use crate::remote::{
    ANSWER_WAIT, APPEND_WAIT, CONNECT_WAIT, POLL_INTERVAL, READ_WAIT, RETRY_PAUSE,
};
pub use news::NEWS_INTERVAL;
use news::News;
pub use options::{BadUrl, Options};
pub use settings::stream_metadata;
use wire::Wire;

/// A log in a stream of EventStoreDB. Any number of handles may read it and append to it, in this process
/// and elsewhere; of those that append at one head, one succeeds.
pub struct Kurrent {
    inner: Arc<Remote<Wire>>,
    is_read_only: bool,
    follower: JoinHandle<()>,
}

impl Kurrent {
    /// Opens the log to append and to read, and marks its stream as one if it is new. Refuses a stream
    /// whose metadata lets history be dropped.
    ///
    /// Must be called on a Tokio runtime with time and I/O, which lives as long as the log. Checks
    /// the last event only; a reader checks each event that it reads.
    pub async fn open(options: &Options) -> Result<Kurrent, Error> {
        Kurrent::open_as(options, false).await
    }

    /// Opens the log to read. Its stream must be there.
    pub async fn open_read_only(options: &Options) -> Result<Kurrent, Error> {
        Kurrent::open_as(options, true).await
    }

    async fn open_as(options: &Options, is_read_only: bool) -> Result<Kurrent, Error> {
        let wire = Wire::new(options)?;
        settings::prepare(&wire, !is_read_only).await?;
        let inner = Remote::open(wire).await?;
        let follower = Remote::follow(&inner, News::of(&inner));
        Ok(Kurrent { inner, is_read_only, follower })
    }

    /// Takes the log over from every other handle, and returns the head: an append of another handle
    /// that is decided on what came before is refused ([`Error::Fenced`]), even if it is on its way. Of
    /// two that take over at once, the later one has the log.
    ///
    /// Until somebody takes over, any handle may append.
    pub async fn take_over(&self) -> Result<Position, Error> {
        if self.is_read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.take_over().await
    }
}

impl Drop for Kurrent {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[async_trait]
impl Log for Kurrent {
    async fn append(
        &self,
        expected_head: Position,
        entries: Vec<Bytes>,
    ) -> Result<Position, Error> {
        if self.is_read_only {
            return Err(Error::ReadOnly);
        }
        self.inner.append(expected_head, &entries).await
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        self.inner.read(from, bytes_max).await
    }

    /// Asks the server each time, so that it also sees what others have appended.
    async fn head(&self) -> Result<Position, Error> {
        self.inner.refresh().await.map(|tip| tip.position)
    }

    /// Waits through outages too, and goes on when a server answers again.
    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.inner.wait_for(position).await
    }
}
