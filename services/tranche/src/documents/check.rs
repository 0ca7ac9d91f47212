//! Documents against the log: which of those that events name are missing or changed, and which no event
//! names and may go.

use super::{Documents, Error, Stored};
use domain::World;
use domain::facts::documents;
use domain::facts::documents::Named;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::StreamId;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use tranche_proof::documents::Census;

/// The shortest time, in days, after which a document that no event names may go: a command that names it
/// may be on its way.
pub const DAYS_MIN: u32 = 1;

/// What is wrong with a document that an event names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The position of the commit that names it.
    pub position: Position,
    /// The event that names it, the field and the hash.
    #[serde(flatten)]
    pub named: Named,
    /// What is kept there instead; `None` when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named: Named { field, sha256, stream, what, .. }, changed, .. } = self;
        write!(f, "{stream} {field} names a {what}, {sha256}, which is ")?;
        match changed {
            None => write!(f, "missing"),
            Some(found) => write!(f, "changed: what is kept under its name {found}"),
        }
    }
}

/// A document that no event names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Which one.
    #[serde(flatten)]
    pub stored: Stored,
    /// Why it stays.
    pub stays: Option<Stays>,
}

/// Why a document that no event names stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stays {
    /// It was put not long ago: a command that names it may be on its way.
    Young,
    /// What is recorded on this stream keeps it.
    Held(StreamId),
}

/// Reads each document that is named once, and tells each place that names one which is not there.
///
/// # Errors
/// When the store cannot be read.
pub async fn check(census: &Census, store: &Documents) -> Result<Vec<Finding>, Error> {
    let mut wrong: BTreeMap<Sha256Hex, Option<String>> = BTreeMap::new();
    for sha256 in census.hashes() {
        match store.get(sha256).await {
            Ok(Some(_)) => {}
            Ok(None) => drop(wrong.insert(sha256, None)),
            Err(Error::Changed { found, .. }) => drop(wrong.insert(sha256, Some(found))),
            Err(error) => return Err(error),
        }
    }
    let found = census.named().iter().filter_map(|(position, named)| {
        let changed = wrong.get(&named.sha256)?.clone();
        Some(Finding { position: *position, named: named.clone(), changed })
    });
    Ok(found.collect())
}

/// Lists the documents of a list that no event names, and whether each may go. `stored` is to be older than
/// what was taken in, so that what is named meanwhile is not among them.
#[must_use]
pub fn orphans(
    census: &Census,
    stored: Vec<Stored>,
    world: &World,
    (now, days): (Timestamp, u32),
) -> Vec<Orphan> {
    let named = census.hashes();
    let age = SignedDuration::from_hours(i64::from(days.max(DAYS_MIN)) * 24);
    let orphans = stored.into_iter().filter(|stored| !named.contains(&stored.sha256));
    let orphans = orphans.map(|stored| {
        let stays = if now.duration_since(stored.put_at) < age {
            Some(Stays::Young)
        } else {
            documents::held(world).map(Stays::Held)
        };
        Orphan { stored, stays }
    });
    orphans.collect()
}

/// Removes those that may go.
///
/// # Errors
/// When one cannot be removed.
pub async fn collect(store: &Documents, orphans: &[Orphan]) -> Result<(), Error> {
    for orphan in orphans.iter().filter(|orphan| orphan.stays.is_none()) {
        store.remove(orphan.stored.sha256).await?;
    }
    Ok(())
}
