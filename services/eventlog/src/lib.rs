//! A totally ordered log of commit groups with compare-and-append, and the adapters that keep it.
//!
//! The log does not look into its entries: to it, one entry is one line of UTF-8 text.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub mod cqrs;
pub mod faulty;
mod log;
pub mod memory;
pub mod sqlite;
mod tail;

pub use faulty::Faulty;
pub use log::{
    Damage, ENTRY_BYTES_MAX, Error, GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Group, Log, Place,
    Position, body_bytes,
};
pub use memory::Memory;
pub use sqlite::Sqlite;
pub use tail::{Tail, tail};
