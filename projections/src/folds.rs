//! What the log adds up to: the facts that views rest on. No fold knows a view.

pub mod ledger;

pub(crate) mod books;
pub(crate) mod claims;
pub(crate) mod proposals;
pub(crate) mod tasks;
