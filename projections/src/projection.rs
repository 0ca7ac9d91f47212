//! What a view is, and what one may ask of it.

use crate::journal::Tests;
use crate::report::{Report, Table};
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{ActorId, StreamId};
use domain::{Commit, Role};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

/// A moment of the past, on up to three axes. What is absent does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// Only events that were true by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Only commits that were recorded by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// Only commits up to this place in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

impl AsOf {
    /// Now: no restriction.
    pub const NOW: Self = Self { as_of: None, known_at: None, position: None };

    /// Whether a commit is within the position and the knowledge asked for.
    #[must_use]
    pub fn knows(&self, position: u64, recorded_at: Timestamp) -> bool {
        self.position.is_none_or(|limit| position <= limit)
            && self.known_at.is_none_or(|limit| recorded_at <= limit)
    }

    /// Whether an event was true at the moment asked for.
    #[must_use]
    pub fn was_true(&self, effective_at: Timestamp) -> bool {
        self.as_of.is_none_or(|limit| effective_at <= limit)
    }

    /// Whether an event counts.
    #[must_use]
    pub fn admits(&self, commit: &Commit, event: &Recorded) -> bool {
        self.knows(commit.position, commit.recorded_at) && self.was_true(event.effective_at)
    }
}

/// A question to a view. Views use of it what they can.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Only what this person did, or has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorId>,
    /// Only streams of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// At most so many rows, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The moment asked for.
    #[serde(default)]
    pub moment: AsOf,
    /// The instant by which something is late; when absent, that of the moment asked for, or else
    /// that of the last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// Only what this role did, or has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// What the journal is asked; the usual when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
}

impl Query {
    /// About a moment of the past, without other restrictions.
    #[must_use]
    pub fn at(moment: AsOf) -> Self {
        Self { moment, ..Self::default() }
    }

    /// The instant by which something is late.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        self.now.or(self.moment.as_of).or(self.moment.known_at)
    }
}
