//! What is shown of one durable position: the state, the views and their digests; and why a log cannot be
//! read.

use super::state::State;
use domain::facts::stored::DecodeError;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::{Commit, World};
use jiff::Timestamp;
use projections::{History, SourceError, Views};
use std::collections::BTreeMap;

/// The state and the views of one durable position: never changes, and costs nothing to keep.
#[derive(Clone)]
pub struct Published {
    pub(crate) state: State,
    pub(crate) history: History,
}

impl Published {
    /// Gives the position of the last commit that it shows.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.state.world.position
    }

    /// Tells when that commit was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.state.world.recorded_at
    }

    /// Gives the state of every stream.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.state.world
    }

    /// Gives the views.
    #[must_use]
    pub fn views(&self) -> &Views {
        self.history.views()
    }

    /// Tells when the next timer is due.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.state.next_due()
    }

    /// Computes the digest of the world and of every view.
    ///
    /// # Errors
    /// When one of them holds a number that has no canonical form.
    pub fn digests(&self) -> Result<Digests, serde_json::Error> {
        Ok(Digests { world: canonical::digest(self.world())?, views: self.views().digests()? })
    }
}

/// Digests at one position: equal states have equal digests.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Digests {
    /// Of the state of every stream.
    pub world: Sha256Hex,
    /// Of every view.
    pub views: BTreeMap<&'static str, Sha256Hex>,
}

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log says no.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// An entry is not a commit that this program knows.
    #[error("position {position}: {error}")]
    Decode {
        /// Where.
        position: u64,
        /// Why.
        error: DecodeError,
    },
    /// An entry is the commit of another position.
    #[error("position {0} holds the commit of another position")]
    Misplaced(u64),
    /// The one who publishes has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// A view cannot be asked for the past.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Reads the commit that is stored at a position.
///
/// # Errors
/// When it is no commit that this program knows, or that of another position.
pub fn decode(position: u64, entry: &[u8]) -> Result<Commit, ReadError> {
    let commit = Commit::decode(entry).map_err(|error| ReadError::Decode { position, error })?;
    if commit.position == position { Ok(commit) } else { Err(ReadError::Misplaced(position)) }
}
