//! The read models. Each is a pure fold of the log: no clock, no input or output, no failure.
//!
//! Read in this order: [`mod@fold`] and [`view`] (what a view is, and what it rests on), [`query`]
//! (what one may ask of it), [`report`] (what it answers), [`history`] (how it answers for the past),
//! [`lineage`] (why it answers so), then any of [`folds`] and [`views`]: one file each.
//!
//! A new view is its file, and its `mod` line and its line in the table in [`views`].

pub mod audit;
pub mod fold;
pub mod folds;
pub mod history;
pub mod lineage;
pub mod query;
pub mod report;
pub mod search;
pub mod view;
pub mod views;

mod answers;
mod set;

pub use answers::{VIEWS, names};
pub use fold::Fold;
pub use history::{CommitSource, History, SourceError};
pub use query::{AsOf, Query};
pub use report::{Cell, Report, Table};
pub use set::{Views, fold};
pub use view::View;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
