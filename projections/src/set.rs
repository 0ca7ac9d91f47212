//! Every view at one position of the log.

use crate::projection::Projection;
use crate::query::Query;
use crate::report::Report;
use domain::Commit;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Makes [`Views`] of the table of views.
macro_rules! make_set {
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
            /// of the query to the past are those of [`crate::History::report`].
            #[must_use]
            pub fn report(&self, name: &str, query: &Query) -> Option<Report> {
                $(if name == <$type as Projection>::NAME {
                    return Some(answer(&self.$field, query, self.position, self.recorded_at));
                })*
                None
            }
        }

        /// Every view by name, with one sentence about it.
        pub const VIEWS: &[(&str, &str)] =
            &[$((<$type as Projection>::NAME, <$type as Projection>::SUMMARY)),*];
    };
}

crate::views::table!(make_set);

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

/// The report of a view, with the moment it speaks of.
pub(crate) fn answer<P: Projection>(
    view: &P,
    query: &Query,
    head: u64,
    recorded_at: Timestamp,
) -> Report {
    let instant =
        query.instant().or((head > 0 && query.moment.position != Some(0)).then_some(recorded_at));
    let query = Query { now: instant, ..query.clone() };
    let mut report = view.report(&query);
    report.as_of = query.moment;
    report.position = query.moment.position.map_or(head, |limit| limit.min(head));
    report
}
