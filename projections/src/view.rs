//! What a view is: a pure function of facts, with no state of its own.

use crate::query::Query;
use crate::report::{Report, Table};

/// What is shown of some facts.
pub trait View {
    /// The fold that it shows, or a pair of them.
    type Facts;

    /// Its name: in commands and addresses.
    const NAME: &'static str;
    /// One sentence for a person.
    const SUMMARY: &'static str;

    /// Answers a question. The facts are already as of the moment that it asks for.
    fn report(facts: &Self::Facts, query: &Query) -> Report;

    /// Makes one table of the answer. A view that is asked for the why of a figure makes no others. Where
    /// the first column names a row for good and one is named, other rows and the sums may be left out.
    fn table(facts: &Self::Facts, key: &str, query: &Query, _row: Option<&str>) -> Option<Table> {
        Self::report(facts, query).tables.into_iter().find(|table| table.key == key)
    }
}
