//! The log over NATS JetStream: a stream with one subject, and one message for each group.
//!
//! The payload of a message is the body of its group, entries on lines of their own; its headers say
//! which positions it holds, its checksum, and which group it follows. So a group is acknowledged by
//! one write on each replica, and any NATS tool shows the log.
//!
//! What it shares with other servers is in `remote`. ADR/0011 says what an acknowledgement means on how
//! many disks.

mod lease;
mod login;
mod message;
mod options;
#[cfg(any(test, feature = "testing"))]
pub mod server;
mod settings;
mod store;
#[cfg(test)]
mod tests;
pub mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::log::{Error, Group, Log, Position};
use crate::remote::Remote;
pub use crate::remote::{
    ANSWER_WAIT, APPEND_WAIT, CONNECT_WAIT, POLL_INTERVAL, READ_WAIT, RETRY_PAUSE,
};
pub use lease::{LEASE, LEASE_TURN, Lease, Standing};
pub use options::{API, BadUrl, Options, REPLICAS};
pub use settings::{
    DUPLICATE_WINDOW, Durability, SERVER_VERSION_MIN, SETTINGS_WAIT, Sync, stream_settings,
};
pub use wire::Wire;

/// A log in a JetStream stream. Any number of handles may read it and append to it, in this process
/// and elsewhere; of those that append at one head, one succeeds.
pub struct Nats {
    inner: Arc<Remote<Wire>>,
    durability: Durability,
    is_read_only: bool,
    follower: JoinHandle<()>,
}

impl Nats {
    /// Opens the log to append and to read, and makes its stream if it is missing. Refuses a stream
    /// or a server whose settings would break the promises of a log.
    ///
    /// Must be called on a Tokio runtime with time and I/O, which lives as long as the log. Checks
    /// the last message only; a reader checks each message that it reads.
    pub async fn open(options: &Options) -> Result<Nats, Error> {
        Nats::open_as(options, false).await
    }

    /// Opens the log to read. Its stream must be there.
    pub async fn open_read_only(options: &Options) -> Result<Nats, Error> {
        Nats::open_as(options, true).await
    }

    async fn open_as(options: &Options, is_read_only: bool) -> Result<Nats, Error> {
        let wire = Wire::connect(options).await?;
        let durability = settings::prepare(&wire, options.replicas, !is_read_only).await?;
        let notices = wire.notices().await?;
        let inner = Remote::open(wire).await?;
        let follower = Remote::follow(&inner, notices);
        Ok(Nats { inner, durability, is_read_only, follower })
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

    /// Gives the connection, to those who keep something beside the log.
    pub fn wire(&self) -> &Wire {
        &self.inner.store
    }

    /// Gives the head as far as this handle has seen it, without asking a server.
    pub fn known_head(&self) -> Position {
        self.inner.tip().position
    }

    /// Tells what the servers said at the opening about when they sync.
    pub fn durability(&self) -> &Durability {
        &self.durability
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[async_trait]
impl Log for Nats {
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
