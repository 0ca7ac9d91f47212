//! What a fold of the log is.

use crate::query::AsOf;
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Facts that a log adds up to, for views to rest on.
///
/// The state is made of `imbl` maps and vectors, so that a clone is cheap and shares what has not
/// changed. Its JSON has text keys and no floats. Folding never fails and never judges: a filter on
/// the past may hide an earlier event, so every event must be taken in any order.
pub trait Fold: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// A clone is kept every so many commits, for questions about the past: few commits when the
    /// state is small, many when it has a row per proposal or stream.
    const EVERY: u64 = SMALL;

    /// Takes one event in.
    fn apply(&mut self, commit: &Commit, event: &Recorded);

    /// Gives the state as of a moment, when it keeps enough to tell by itself.
    fn narrowed(&self, _: &AsOf) -> Option<Self> {
        None
    }

    /// Gives the SHA-256 of the state in canonical JSON.
    ///
    /// # Errors
    /// When the state holds a number that has no canonical form.
    fn digest(&self) -> Result<Sha256Hex, serde_json::Error> {
        canonical::digest(self)
    }
}

/// Tells how sure what a commit tells is. The least sure of several is the greatest.
pub(crate) fn confidence(commit: &Commit) -> Option<Confidence> {
    commit.evidence.as_ref().map(|evidence| evidence.confidence)
}

/// [`Fold::EVERY`] of a small state.
pub const SMALL: u64 = 256;
/// [`Fold::EVERY`] of a state with a row per proposal or stream.
pub const LARGE: u64 = 8_192;
