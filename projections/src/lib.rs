//! The read models. Each is a pure fold of the log: no clock, no input or output, no failure.
//!
//! Read in this order: [`projection`] (what a view is), [`query`] (what one may ask of it), [`report`] (what
//! it answers), [`history`] (how it answers for the past), [`lineage`] (why it answers so), then any of
//! [`views`]: one file each. What several of them rest on is in [`folds`].
//!
//! A new view is its file, and its `mod` line and its line in the table in [`views`].

pub mod audit;
pub mod folds;
pub mod history;
pub mod lineage;
pub mod projection;
pub mod query;
pub mod report;
pub mod search;
pub mod set;
pub mod views;

pub use history::{CommitSource, History, SourceError};
pub use projection::Projection;
pub use query::{AsOf, Query};
pub use report::{Cell, Report, Table};
pub use set::{VIEWS, Views, fold, names};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
