//! A totally ordered log of commit groups with compare-and-append, and the adapters that keep it.
//!
//! The log does not look into its entries: to it, one entry is one line of UTF-8 text.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), eventlog::Error> {
//! use eventlog::{Error, Log, Memory};
//!
//! let log = Memory::new();
//! let head = log.append(0, vec!["first".into(), "second".into()]).await?;
//! assert_eq!(head, 2);
//!
//! let too_late = log.append(0, vec!["third".into()]).await;
//! assert_eq!(too_late, Err(Error::Conflict { expected: 0, actual: 2 }));
//!
//! let groups = log.read(2, 1_000).await?;
//! assert_eq!((groups[0].first, groups[0].entries[0].as_ref()), (2, b"second".as_slice()));
//! # Ok(())
//! # }
//! ```

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
#[cfg(any(feature = "kurrent", feature = "nats"))]
mod remote;
pub mod sqlite;
mod tail;

pub use faulty::Faulty;
#[cfg(feature = "kurrent")]
pub use kurrent::Kurrent;
pub use log::{
    Damage, ENTRY_BYTES_MAX, Error, GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Group, Log, Place,
    Position, Setting, body_bytes,
};
pub use memory::Memory;
#[cfg(feature = "nats")]
pub use nats::Nats;
pub use sqlite::Sqlite;
pub use tail::{Tail, tail};
