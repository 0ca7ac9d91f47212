//! What one may ask of a view: about which moment of the past, and about what.

pub mod journal;

use domain::facts::commit::Recorded;
use domain::kernel::ids::{ActorId, StreamId};
use domain::{Commit, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// What the journal tests are asked; the usual when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<journal::Tests>,
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
