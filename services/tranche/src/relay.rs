//! The relay: every event of the log once, in order, as a CloudEvent on a subject of its own, for
//! systems that do not know what a commit is. What it stores is derived, and can be made again.
//!
//! Message n of its stream is event n of the log. So the number of the last message says where to go
//! on, and a batch that is fenced with that number is stored once, whoever sends it how often.
//! ADR/0013 says why.

pub mod message;
pub mod metrics;
#[cfg(feature = "nats")]
mod publish;
#[cfg(feature = "nats")]
mod run;
#[cfg(feature = "nats")]
mod stream;
#[cfg(test)]
mod tests;

pub use metrics::Metrics;
#[cfg(feature = "nats")]
pub use run::{Relay, Relayed, run};
#[cfg(feature = "nats")]
pub use stream::{SERVER_VERSION_MIN, stream_settings};

use std::time::Duration;

/// The most events of one batch, by the servers' limit. A commit never has more: see
/// [`COMMIT_EVENTS_MAX`].
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// More events than any commit can have: one takes at least 110 bytes of the commit's 65 535.
pub const COMMIT_EVENTS_MAX: usize = domain::facts::commit::COMMIT_BYTES_MAX / 110;
const _: () = assert!(COMMIT_EVENTS_MAX <= BATCH_EVENTS_MAX);
/// How long a batch may take to be stored: a server that syncs does so for each message.
pub const PUBLISH_WAIT: Duration = Duration::from_secs(10);
/// The first pause after a failure; each one after it is twice as long, up to [`PAUSE_MAX`].
pub const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause after a failure.
pub const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a relay leaves the field to another that was faster.
pub const YIELD_PAUSE: Duration = Duration::from_millis(500);

/// Why a relay cannot go on. It never skips an event.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The log, or the connection to the stream, failed. An outage is waited for and tried again.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// The stream, or its server, is set up so that it cannot be relayed to.
    #[error("{0}")]
    Settings(eventlog::Error),
    /// More was relayed than the log has: it was restored from an old copy, perhaps. `relay
    /// --rebuild` makes the stream anew.
    #[error(
        "the stream has events up to position {relayed}, and the log ends at {head}: this is not \
             the log that was relayed, or an older copy of it; --rebuild makes the stream anew"
    )]
    AheadOfLog {
        /// The last position in the stream, or in the log where its events end.
        relayed: u64,
        /// The head of the log.
        head: u64,
    },
    /// The log has another commit where the stream ends.
    #[error(
        "position {position} of the log is commit {found}, and what was relayed is commit \
             {relayed}: this is another log; --rebuild makes the stream anew"
    )]
    OtherLog {
        /// The position.
        position: u64,
        /// The commit in the log.
        found: String,
        /// The commit in the stream.
        relayed: String,
    },
    /// A message of the stream is not the relay's, or its number is not that of its event.
    #[error("message {sequence} of stream {stream} is not the relay's; --rebuild makes it anew")]
    Foreign {
        /// The stream.
        stream: String,
        /// The number of the message.
        sequence: u64,
    },
    /// An event is longer than a message may be.
    #[error(
        "event {index} of position {position} takes {bytes} bytes, and the limit of the NATS \
             server (max_payload) is {limit}"
    )]
    TooLarge {
        /// The position of its commit.
        position: u64,
        /// Its place in the commit, from 1.
        index: usize,
        /// Its length with headers, in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A commit of the log cannot be read, or has no canonical form.
    #[error("position {position}: {why}")]
    Unreadable {
        /// The position.
        position: u64,
        /// Why.
        why: String,
    },
}

impl RelayError {
    /// Whether it may pass by itself.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Log(eventlog::Error::Unavailable(_)))
    }
}
