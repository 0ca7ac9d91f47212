//! What a view is.

use crate::query::{AsOf, Query};
use crate::report::{Report, Table};
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A fold of the log, made for readers.
///
/// The state is made of `imbl` maps and vectors, so that a clone is cheap and shares what has not
/// changed. Its JSON has text keys and no floats. Folding never fails and never judges: a filter on
/// the past may hide an earlier event, so every event must be taken in any order.
pub trait Projection:
    Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync
{
    /// Its name: in commands, addresses and snapshots.
    const NAME: &'static str;
    /// One sentence for a person.
    const SUMMARY: &'static str;
    /// A clone is kept every so many commits, for questions about the past: few commits when the
    /// state is small, many when it has a row per proposal or stream.
    const EVERY: u64 = SMALL;

    /// Takes one event in.
    fn apply(&mut self, commit: &Commit, event: &Recorded);

    /// What it answers. The state is already as of the moment that the query asks for.
    fn report(&self, query: &Query) -> Report;

    /// One table of what it answers. A view that is asked for the why of a figure makes no others. Where
    /// the first column names a row for good and one is named, other rows and the sums may be left out.
    fn table(&self, key: &str, query: &Query, _row: Option<&str>) -> Option<Table> {
        self.report(query).tables.into_iter().find(|table| table.key == key)
    }

    /// The state as of a moment, when the view keeps enough to tell by itself.
    fn narrowed(&self, _: &AsOf) -> Option<Self> {
        None
    }

    /// SHA-256 of the state in canonical JSON.
    ///
    /// # Errors
    /// When the state holds a number that has no canonical form.
    fn digest(&self) -> Result<Sha256Hex, serde_json::Error> {
        canonical::digest(self)
    }
}

/// How sure what a commit tells is. The least sure of several is the greatest.
pub(crate) fn confidence(commit: &Commit) -> Option<Confidence> {
    commit.evidence.as_ref().map(|evidence| evidence.confidence)
}

/// [`Projection::EVERY`] of a view whose state is small.
pub const SMALL: u64 = 256;
/// [`Projection::EVERY`] of a view with a row per proposal or stream.
pub const LARGE: u64 = 8_192;
