//! What every view answers, by its name: now, and as of any moment of the past.

use crate::history::{CommitSource, Facts, History, SourceError};
use crate::query::Query;
use crate::report::Report;
use crate::set::Views;
use crate::view::View;
use jiff::Timestamp;

/// Makes the answers of the table of views.
macro_rules! make_answers {
    ($($view:ty;)*) => {
        /// Every view by name, with one sentence about it.
        pub const VIEWS: &[(&str, &str)] =
            &[$((<$view as View>::NAME, <$view as View>::SUMMARY)),*];

        impl Views {
            /// What a view answers about now; `None` when there is no such view. The restrictions
            /// of the query to the past are those of [`History::report`].
            #[must_use]
            pub fn report(&self, name: &str, query: &Query) -> Option<Report> {
                $(if name == <$view as View>::NAME {
                    let facts = <<$view as View>::Facts as Facts>::now(self);
                    return Some(answer::<$view>(&facts, query, self.position, self.recorded_at));
                })*
                None
            }
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
                $(if name == <$view as View>::NAME {
                    return self.answer::<$view>(query, source).map(Some);
                })*
                Ok(None)
            }
        }
    };
}

crate::views::table!(make_answers);

/// The names of the views, in the order of the table.
pub fn names() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|(name, _)| *name)
}

impl History {
    fn answer<V: View<Facts: Facts>>(
        &self,
        query: &Query,
        source: &dyn CommitSource,
    ) -> Result<Report, SourceError> {
        let facts: V::Facts = self.as_of(&query.moment, source)?;
        let query = self.fixed(query, source)?;
        Ok(answer::<V>(&facts, &query, self.views().position, self.views().recorded_at))
    }
}

/// The report of a view, with the moment it speaks of.
fn answer<V: View<Facts: Facts>>(
    facts: &V::Facts,
    query: &Query,
    head: u64,
    recorded_at: Timestamp,
) -> Report {
    let instant =
        query.instant().or((head > 0 && query.moment.position != Some(0)).then_some(recorded_at));
    let query = Query { now: instant, ..query.clone() };
    let mut report = V::report(facts, &query);
    report.as_of = query.moment;
    report.position = query.moment.position.map_or(head, |limit| limit.min(head));
    report
}
