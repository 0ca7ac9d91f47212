//! The read models. Each is a pure fold of the log: no clock, no input or output, no failure.
//!
//! Read in this order: [`projection`] (what a view is, and what one may ask of it), [`report`] (what
//! it answers), [`history`] (how it answers for the past), [`lineage`] (why it answers so), then any view:
//! one file each.
//!
//! A new view is its file, its `mod` line, and its line in the table below.

pub mod history;
pub mod lineage;
pub mod projection;
pub mod report;
pub mod search;

mod books;
mod proposals;
mod published;
mod tasks;

pub mod audit;
pub mod budget;
pub mod checkpoints;
pub mod compute;
pub mod deadlines;
pub mod inbox;
pub mod journal;
pub mod ledger;
pub mod matching;
pub mod payees;
pub mod persons;
pub mod pipeline;
pub mod portfolio;
pub mod ranking;
pub mod register;
pub mod timeline;

pub use history::{CommitSource, History, SourceError};
pub use projection::{AsOf, Projection, Query};
pub use report::{Cell, Report, Table};

use domain::Commit;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The table of views: one line each, and from it the set of all views and its history.
macro_rules! views {
    ($($field:ident: $type:ty;)*) => {
        /// Every view at one position of the log. Cloning costs nothing; a clone never changes.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct Views {
            /// The last commit that has been folded.
            pub position: u64,
            /// When it was recorded.
            pub recorded_at: Timestamp,
            /// The latest instant at which anything folded was true.
            pub effective_max: Timestamp,
            $(#[doc = concat!("The view `", stringify!($field), "`.")] pub $field: $type,)*
        }

        impl Views {
            /// Folds a commit in.
            pub fn apply(&mut self, commit: &Commit) {
                for event in &commit.events {
                    self.effective_max = self.effective_max.max(event.effective_at);
                    $(self.$field.apply(commit, event);)*
                }
                self.position = commit.position;
                self.recorded_at = self.recorded_at.max(commit.recorded_at);
            }

            /// The digest of every view, by name: equal states have equal digests.
            ///
            /// # Errors
            /// When a view holds a number that has no canonical form.
            pub fn digests(&self) -> Result<BTreeMap<&'static str, Sha256Hex>, serde_json::Error> {
                Ok(BTreeMap::from([$((<$type as Projection>::NAME, self.$field.digest()?)),*]))
            }

            /// What a view answers about now; `None` when there is no such view. The restrictions
            /// of the query to the past are those of [`History::report`].
            #[must_use]
            pub fn report(&self, name: &str, query: &Query) -> Option<Report> {
                $(if name == <$type as Projection>::NAME {
                    return Some(history::answer(&self.$field, query, self.position, self.recorded_at));
                })*
                None
            }
        }

        $(impl history::InViews for $type {
            fn of(views: &Views) -> &Self {
                &views.$field
            }

            fn kept(kept: &AllKept) -> &history::Kept<Self> {
                &kept.$field
            }
        })*

        /// Every view by name, with one sentence about it.
        pub const VIEWS: &[(&str, &str)] =
            &[$((<$type as Projection>::NAME, <$type as Projection>::SUMMARY)),*];

        /// The digest of every view as of a moment.
        #[cfg(test)]
        fn digests_as_of(
            history: &History,
            moment: &AsOf,
            source: &dyn CommitSource,
        ) -> BTreeMap<&'static str, Sha256Hex> {
            let digest = "a view has a digest";
            BTreeMap::from([$((
                <$type as Projection>::NAME,
                history.as_of::<$type>(moment, source).expect("in memory").digest().expect(digest),
            )),*])
        }

        impl History {
            /// What a view answers about the past; `None` when there is no such view.
            ///
            /// # Errors
            /// When the log cannot be read.
            pub fn report(
                &self,
                name: &str,
                query: &Query,
                source: &dyn CommitSource,
            ) -> Result<Option<Report>, SourceError> {
                $(if name == <$type as Projection>::NAME {
                    return self.answer::<$type>(query, source).map(Some);
                })*
                Ok(None)
            }
        }

        impl History {
            /// Where a figure of a view comes from (see [`lineage`]); `None` when there is no such view.
            ///
            /// # Errors
            /// When the log cannot be read, or the pointer leads nowhere.
            pub fn why(
                &self,
                name: &str,
                asked: (&Query, &str),
                candidates: lineage::Candidates<'_>,
                source: &dyn CommitSource,
            ) -> Result<Option<lineage::Lineage>, lineage::WhyError> {
                $(if name == <$type as Projection>::NAME {
                    return self.lineage::<$type>(asked, candidates, source).map(Some);
                })*
                Ok(None)
            }

            /// What changed in a view between two moments; `None` when there is no such view.
            ///
            /// # Errors
            /// When the log cannot be read.
            pub fn diff(
                &self,
                name: &str,
                moments: (&Query, &Query),
                source: &dyn CommitSource,
            ) -> Result<Option<lineage::Diff>, SourceError> {
                $(if name == <$type as Projection>::NAME {
                    return self.difference::<$type>(moments, source).map(Some);
                })*
                Ok(None)
            }
        }

        /// The kept clones of every view.
        #[derive(Clone, Debug, Default)]
        pub struct AllKept {
            $($field: history::Kept<$type>,)*
        }

        impl AllKept {
            fn keep(&mut self, views: &Views) {
                $(self.$field.keep(&views.$field, views);)*
            }

            #[cfg(test)]
            fn scale(&mut self, every: u64, clones_max: usize) {
                $(self.$field.scale(every, clones_max);)*
            }

            fn push(&mut self, views: &Views) {
                $(self.$field.push(&views.$field, views);)*
            }
        }
    };
}

views! {
    audit: audit::Audit;
    checkpoints: checkpoints::Checkpoints;
    budget: budget::Budget;
    compute: compute::Compute;
    deadlines: deadlines::Deadlines;
    inbox: inbox::Inbox;
    journal: journal::Journal;
    ledger: ledger::Ledger;
    matching: matching::Match;
    payees: payees::Payees;
    persons: persons::Persons;
    pipeline: pipeline::Pipeline;
    portfolio: portfolio::Portfolio;
    ranking: ranking::Ranking;
    register: register::Register;
    timeline: timeline::Timeline;
}

#[cfg(test)]
mod given;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

/// The names of the views, in the order of the table.
pub fn names() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|(name, _)| *name)
}

/// Folds commits from nothing.
pub fn fold<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Views {
    let mut views = Views::default();
    for commit in commits {
        views.apply(commit);
    }
    views
}
