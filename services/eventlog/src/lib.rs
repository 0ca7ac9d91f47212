#![doc = include_str!("../README.md")]

mod body;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub mod cqrs;
pub mod faulty;
#[cfg(feature = "kurrent")]
pub mod kurrent;
mod log;
pub mod memory;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(test)]
mod readme;
mod rehearsal;
#[cfg(any(feature = "kurrent", feature = "nats"))]
mod remote;
pub mod scan;
pub mod sqlite;
mod tail;
pub mod tlog;
#[cfg(any(feature = "kurrent", feature = "tls"))]
pub mod tls;

pub use faulty::Faulty;
#[cfg(feature = "kurrent")]
pub use kurrent::Kurrent;
pub use log::{
    Damage, ENTRY_BYTES_MAX, Error, GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Group, Log, Place,
    Position, READ_BYTES, Setting, body_bytes,
};
pub use memory::Memory;
#[cfg(feature = "nats")]
pub use nats::Nats;
pub use rehearsal::Rehearsal;
pub use sqlite::Sqlite;
pub use tail::{Tail, tail};
