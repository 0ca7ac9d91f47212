//! The log over NATS JetStream: a stream with one subject, and one message for each group.
//!
//! The payload of a message is the body of its group, entries on lines of their own; its headers say
//! which positions it holds, its checksum, and which group it follows. So a group is acknowledged by
//! one write on each replica, and any NATS tool shows the log.
//!
//! A stream counts messages and a log counts entries, so the two numbers differ. The adapter knows
//! both for the last message (its *tip*); an append names the tip's sequence as the expected last one,
//! and the server refuses it if another message has come since. ADR/0011 says what an acknowledgement
//! means on how many disks.

mod append;
mod follow;
mod lease;
mod login;
mod message;
mod options;
mod read;
mod reign;
#[cfg(any(test, feature = "testing"))]
pub mod server;
mod settings;
#[cfg(test)]
mod tests;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{Error, Group, Log, Position};
pub use lease::{LEASE, LEASE_TURN, Lease, Standing};
pub use options::{API, BadUrl, Options, REPLICAS};
use reign::Reign;
pub use settings::{DUPLICATE_WINDOW, Durability, SERVER_VERSION_MIN, Sync, stream_settings};
pub use wire::Wire;

/// How long connecting may take.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long one request waits for its answer. A server that syncs at each write may need a while.
pub const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// For how long an append is tried again, with the same message id, before the log is unavailable.
/// The last try may end [`ANSWER_WAIT`] later.
pub const APPEND_WAIT: Duration = Duration::from_secs(5);
/// For how long a read or a look at the head is tried again. The last try may end [`ANSWER_WAIT`]
/// later.
pub const READ_WAIT: Duration = Duration::from_secs(3);
/// The pause before something is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long the servers may take to tell their settings when a log is opened.
pub const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// How often a waiting reader looks at the head, in case a notice of a new group was lost.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The number of a message in its stream, from 1.
type Sequence = u64;

/// A log in a JetStream stream. Any number of handles may read it and append to it, in this process
/// and elsewhere; of those that append at one head, one succeeds.
pub struct Nats {
    inner: Arc<Inner>,
    durability: Durability,
    is_read_only: bool,
    follower: JoinHandle<()>,
}

struct Inner {
    wire: Wire,
    progress: watch::Sender<Progress>,
    /// The messages that readers will probably want next, by the position they begin with.
    links: Mutex<BTreeMap<Position, Link>>,
    /// Whether this handle may append.
    reign: Reign,
}

/// How far the log is, as far as this handle knows.
#[derive(Clone, Debug, Default)]
struct Progress {
    tip: Tip,
    /// Why looking at the head failed, if trying again does not help.
    failure: Option<Error>,
}

/// The last message: its number, the last position it holds, and its group. Zeros when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tip {
    sequence: Sequence,
    position: Position,
    id: Uuid,
}

/// A message, and the group that it must follow.
#[derive(Clone, Copy, Debug)]
struct Link {
    sequence: Sequence,
    after: Uuid,
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
        let first = Link { sequence: 1, after: Uuid::nil() };
        let inner = Arc::new(Inner {
            wire,
            progress: watch::Sender::new(Progress::default()),
            links: Mutex::new(BTreeMap::from([(1, first)])),
            reign: Reign::default(),
        });
        let tip = inner.refresh().await?;
        inner.reign.begin(tip.sequence, Uuid::nil());
        let follower = tokio::spawn(follow::follow(Arc::downgrade(&inner), notices));
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

    /// The connection, for who keeps something beside the log.
    pub fn wire(&self) -> &Wire {
        &self.inner.wire
    }

    /// The head as far as this handle has seen it, without asking a server.
    pub fn known_head(&self) -> Position {
        self.inner.tip().position
    }

    /// What the servers say about when they sync, as of the opening.
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

impl Inner {
    fn tip(&self) -> Tip {
        self.progress.borrow().tip
    }

    /// Takes in what was seen in the stream. A slower answer does not take the tip back.
    fn advance(&self, tip: Tip) {
        self.progress.send_if_modified(|progress| {
            let is_news = tip.sequence > progress.tip.sequence || progress.failure.is_some();
            if tip.sequence > progress.tip.sequence {
                progress.tip = tip;
            }
            progress.failure = None;
            is_news
        });
    }
}
