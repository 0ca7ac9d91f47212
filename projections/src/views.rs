//! What people see: one file for each view.

pub mod budget;
pub mod checkpoints;
pub mod compute;
pub mod deadlines;
pub mod inbox;
pub mod journal;
pub mod matching;
pub mod payees;
pub mod persons;
pub mod pipeline;
pub mod portfolio;
pub mod ranking;
pub mod register;
pub mod timeline;

/// The table of views: one line each, with the name of its field and its type. It is handed to the macros that
/// make something for every view.
macro_rules! table {
    ($make:ident) => {
        $make! {
            audit: crate::audit::Audit;
            checkpoints: crate::views::checkpoints::Checkpoints;
            budget: crate::views::budget::Budget;
            compute: crate::views::compute::Compute;
            deadlines: crate::views::deadlines::Deadlines;
            inbox: crate::views::inbox::Inbox;
            journal: crate::views::journal::Journal;
            ledger: crate::folds::ledger::Ledger;
            matching: crate::views::matching::Match;
            payees: crate::views::payees::Payees;
            persons: crate::views::persons::Persons;
            pipeline: crate::views::pipeline::Pipeline;
            portfolio: crate::views::portfolio::Portfolio;
            ranking: crate::views::ranking::Ranking;
            register: crate::views::register::Register;
            timeline: crate::views::timeline::Timeline;
        }
    };
}

pub(crate) use table;
