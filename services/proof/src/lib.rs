//! Verifies what Tranche has stored, for somebody who does not trust it: a log, an audit pack, or the proof of
//! one commit. Nothing here decides, records or serves (ADR/0026).
//!
//! | to check | begin at |
//! |---|---|
//! | a whole log | [`verdict::Report`], [`verify::entries`] |
//! | its bytes and its tree alone | [`Check::take_log`] |
//! | a pack, without its log | [`pack::check::check`] |
//! | the proof of one commit | [`verdict::proof`] |

mod check;
pub mod documents;
mod error;
mod expected;
mod failure;
pub mod keys;
pub mod pack;
mod quorum;
mod recorded;
mod shelf;
mod stored;
pub mod verdict;
pub mod verify;

pub use check::{Check, Found};
pub use error::Error;
pub use expected::Expected;
pub use failure::{Exit, Failure};
pub use quorum::{Quorum, read_witnesses};
pub use recorded::{Recorded, retired_by, signed_late};
pub use shelf::{Shelf, hex_name, must_be_regular};
pub use stored::Stored;

/// The directory of the tree beside an embedded log.
pub const DIRECTORY: &str = "proof";
