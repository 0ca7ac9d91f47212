//! Whether a handle may append: until it sees that another has taken the log over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::message::{Sequence, Stored};
use crate::log::Error;

/// What a handle knows of its right to append.
#[derive(Debug, Default)]
pub(super) struct Reign(Mutex<ReignState>);

#[derive(Debug, Default)]
struct ReignState {
    /// Marks up to here are of the past.
    since: Sequence,
    /// The mark of this handle.
    own: Uuid,
    is_over: bool,
}

impl Reign {
    /// It begins behind a message, with a mark of our own (or none, at the opening).
    pub(super) fn begin(&self, since: Sequence, own: Uuid) {
        *self.lock() = ReignState { since, own, is_over: false };
    }

    /// A mark was read. History holds those of former writers, and they change nothing.
    pub(super) fn see(&self, mark: &Stored) {
        let mut state = self.lock();
        state.is_over |= mark.sequence > state.since && mark.id != state.own;
    }

    /// Refuses when another has taken over.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.lock().is_over { Err(Error::Fenced) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, ReignState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
