//! What the log adds up to: the facts that views rest on, each folded once. No fold knows a view.

pub mod audits;
pub mod books;
pub mod calendar;
pub mod calls;
pub mod checkpoints;
pub mod claims;
pub mod compute;
pub mod journal;
pub mod ledger;
pub mod payees;
pub mod persons;
pub mod proposals;
pub mod ranking;
pub mod tasks;
pub mod timeline;

/// The table of folds: one line each, with the name of its field and its type. It is handed to the macros that
/// make something for every fold.
macro_rules! table {
    ($make:ident) => {
        $make! {
            audits: crate::folds::audits::Audits;
            books: crate::folds::books::Books;
            calendar: crate::folds::calendar::Calendar;
            calls: crate::folds::calls::Calls;
            checkpoints: crate::folds::checkpoints::Checkpoints;
            claims: crate::folds::claims::Claims;
            compute: crate::folds::compute::Compute;
            journal: crate::folds::journal::Journal;
            ledger: crate::folds::ledger::Ledger;
            payees: crate::folds::payees::Payees;
            persons: crate::folds::persons::Persons;
            proposals: crate::folds::proposals::Proposals;
            ranking: crate::folds::ranking::Ranking;
            tasks: crate::folds::tasks::Tasks;
            timeline: crate::folds::timeline::Timeline;
        }
    };
}

pub(crate) use table;
