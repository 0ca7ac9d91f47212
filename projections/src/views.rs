//! What people see: one file for each view, a pure function of facts.

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

/// The table of views: one line each, in the order in which they are listed. It is handed to the macros that
/// make something for every view.
macro_rules! table {
    ($make:ident) => {
        $make! {
            crate::views::audit::Audit;
            crate::views::checkpoints::Checkpoints;
            crate::views::budget::Budget;
            crate::views::compute::Compute;
            crate::views::deadlines::Deadlines;
            crate::views::inbox::Inbox;
            crate::views::journal::Journal;
            crate::views::ledger::Ledger;
            crate::views::matching::Match;
            crate::views::payees::Payees;
            crate::views::persons::Persons;
            crate::views::pipeline::Pipeline;
            crate::views::portfolio::Portfolio;
            crate::views::ranking::Ranking;
            crate::views::register::Register;
            crate::views::timeline::Timeline;
        }
    };
}

pub(crate) use table;
