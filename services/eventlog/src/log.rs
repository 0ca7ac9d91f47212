//! The contract of every log: what an adapter must promise, in which units, and how it may fail.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

/// The place of an entry in the log: 1, 2, 3 and so on without a gap. A head of 0 is an empty log.
pub type Position = u64;

/// The longest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The most entries that one append may hold.
pub const GROUP_ENTRIES_MAX: usize = 4_096;

/// The longest body of a group, in bytes: its entries with one newline between each two.
///
/// A group is one message or one event on the networked stores, whose usual limit is 1 MiB with
/// headers.
pub const GROUP_BYTES_MAX: usize = 1_000_000;

/// Entries that were appended together, and are stored all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The position of the first of `entries`.
    pub first: Position,
    /// At least one entry, in order.
    pub entries: Vec<Bytes>,
}

impl Group {
    /// Gives the position of the last entry.
    pub fn last(&self) -> Position {
        self.first + self.entries.len() as Position - 1
    }

    /// Lists the entries with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (Position, &Bytes)> {
        (self.first..).zip(&self.entries)
    }

    /// Cuts the entries before `from` off; a group that starts at or after `from` stays as it is.
    ///
    /// The group must hold a position at or after `from`, since a group is never empty.
    #[must_use]
    pub fn trimmed(mut self, from: Position) -> Group {
        debug_assert!(from <= self.last(), "{from} is after the group's last position");
        let before = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.entries.drain(..before.min(self.entries.len()));
        self.first = self.first.max(from);
        self
    }
}

/// Limits what one read asks for, in bytes, when somebody reads on to the end: few calls, little memory.
pub const READ_BYTES: usize = 1 << 20;

/// A totally ordered list of commit groups with compare-and-append.
///
/// Promises of every adapter, checked by the contract suite (`contract::run`):
/// - Positions start at 1 and have no gap. What was read once reads the same for ever.
/// - A group is stored whole or not at all, and no reader sees a part of it.
/// - Of all appends that expect the same head, at most one succeeds.
/// - An entry is neither shown by `read`, `head` or `wait_for` nor acknowledged by `append` before
///   it is durable, as the adapter defines it.
/// - Dropping a future stops the waiting. It does not take back an append that has begun.
///
/// **An error other than [`Error::Conflict`], [`Error::Fenced`], [`Error::TooLarge`] and
/// [`Error::BadEntry`] says nothing about whether the group was stored; the caller finds out by
/// reading.**
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Appends `entries` as the positions from `expected_head + 1`, and returns the new head. The
    /// group is durable when this returns `Ok`.
    ///
    /// The limits of the group are checked first, then the head. When either is wrong, nothing has
    /// changed.
    async fn append(&self, expected_head: Position, entries: Vec<Bytes>)
    -> Result<Position, Error>;

    /// Reads whole groups in order, beginning with the one that holds `from`, and stops before
    /// their bodies exceed `bytes_max`. The first group is returned whatever its length, so a
    /// reader always gets on; after it the reading may stop sooner. Only an answer without groups says that
    /// the log ends there.
    ///
    /// A group that starts before `from` is trimmed to start at `from`. Reading from 0 is reading
    /// from 1; reading past the head gives no groups.
    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error>;

    /// Gives the position of the last durable entry; 0 when there is none.
    async fn head(&self) -> Result<Position, Error>;

    /// Waits until the head is at least `position`, and returns the head. It has no limit of its
    /// own: whoever wants one drops the future.
    async fn wait_for(&self, position: Position) -> Result<Position, Error>;
}

/// Checks the limits that every adapter owes its callers, and returns the length of the body.
pub fn body_bytes(entries: &[Bytes]) -> Result<usize, Error> {
    if entries.is_empty() {
        return Err(Error::BadEntry { index: 0, what: "is missing: a group has at least one" });
    }
    at_most("the number of entries", GROUP_ENTRIES_MAX, entries.len())?;
    for (index, entry) in entries.iter().enumerate() {
        let bad = |what| Err(Error::BadEntry { index, what });
        at_most("an entry in bytes", ENTRY_BYTES_MAX, entry.len())?;
        if entry.is_empty() {
            return bad("is empty");
        }
        if entry.contains(&b'\n') {
            return bad("contains a newline");
        }
        if str::from_utf8(entry).is_err() {
            return bad("is not UTF-8");
        }
    }
    let bytes = entries.iter().map(Bytes::len).sum::<usize>() + entries.len() - 1;
    at_most("the group in bytes", GROUP_BYTES_MAX, bytes)?;
    Ok(bytes)
}

fn at_most(what: &'static str, limit: usize, got: usize) -> Result<(), Error> {
    if got > limit { Err(Error::TooLarge { what, limit, got }) } else { Ok(()) }
}

/// Why a log did not do as it was asked.
///
/// Only `Conflict`, `Fenced`, `TooLarge` and `BadEntry` say that nothing was stored (see [`Log`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The head is not where the caller believed it to be.
    #[error("the head is at {actual}, not at {expected}")]
    Conflict {
        /// What the caller expected.
        expected: Position,
        /// The head at the time of the refusal.
        actual: Position,
    },
    /// An entry or a group exceeds a limit.
    #[error("{what}: {got}, and the limit is {limit}")]
    TooLarge {
        /// What was measured, with its unit.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
        /// What was offered.
        got: usize,
    },
    /// An entry is not one line of text.
    #[error("entry {index} of the group {what}")]
    BadEntry {
        /// The entry's index in the group, from 0.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another writer has taken the log over from this handle (see the adapter). Nothing was stored.
    #[error("another writer has taken the log over")]
    Fenced,
    /// This handle was opened to read.
    #[error("this log is open for reading only")]
    ReadOnly,
    /// The credentials do not allow it: to do what.
    #[error("the credentials may not {0}")]
    Forbidden(String),
    /// Another writer has the log.
    #[error("another writer{} has the log in {}", by(*pid), path.display())]
    Locked {
        /// The directory of the log.
        path: PathBuf,
        /// The process that holds it, if it could be read.
        pid: Option<u32>,
    },
    /// The files belong to another program, or to another release of this one.
    #[error("{} is not a log that this release reads: {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found, and what was wanted.
        found: String,
    },
    /// The store is set up so that it could not keep what a log promises.
    #[error("{store} cannot keep a log: {}", listed(wrong))]
    Settings {
        /// The store, with its name.
        store: String,
        /// Every setting that is wrong.
        wrong: Vec<Setting>,
    },
    /// What is stored is not what was written. Nothing was repaired or cut.
    #[error("the log is damaged: {0}")]
    Corrupt(Damage),
    /// The store did not answer, or could not do its work. It may be worth another try.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn listed(wrong: &[Setting]) -> String {
    wrong.iter().map(Setting::to_string).collect::<Vec<_>>().join("; ")
}

/// A setting of a store that would break a promise of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as the store calls it.
    pub name: String,
    /// The value that was found.
    pub found: String,
    /// The value that it must have.
    pub wanted: String,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, and must be {}", self.name, self.found, self.wanted)
    }
}

/// One thing that is wrong with a stored log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Gives the place where it is.
    pub place: Place,
    /// Says what is wrong there, for a person.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The place of a [`Damage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole, or a part of it that belongs to no row that can be named.
    File,
    /// The stored group that claims these positions.
    Row {
        /// The first position of the group.
        first: Position,
        /// The last position of the group.
        last: Position,
    },
    /// A message of a stream.
    Message {
        /// Its sequence number in the stream.
        sequence: u64,
    },
    /// An event of a stream.
    Event {
        /// Its number in the stream, from 0.
        revision: u64,
    },
    /// A stream as a whole.
    Stream,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => write!(f, "file"),
            Place::Row { first, last } => write!(f, "row {first}..{last}"),
            Place::Message { sequence } => write!(f, "message {sequence}"),
            Place::Event { revision } => write!(f, "event {revision}"),
            Place::Stream => write!(f, "stream"),
        }
    }
}
