//! Proof that a log was only ever appended to: its entries are the leaves of an RFC 6962 Merkle tree,
//! published in the formats of C2SP, so that programs which we did not write can check it.
//!
//! Everything here is pure: bytes in, bytes out. The entry at position `p` is leaf `p - 1`, since trees
//! count from 0.
//!
//! | module | format |
//! |---|---|
//! | [`Hash`], [`Tree`] | RFC 6962, section 2.1, with SHA-256 |
//! | [`tile`] | c2sp.org/tlog-tiles |
//! | [`note`] | c2sp.org/signed-note |
//! | [`Checkpoint`] | c2sp.org/tlog-checkpoint |
//! | [`Proof`] | c2sp.org/tlog-proof@v1 |
//! | [`cosign`] | c2sp.org/tlog-cosignature (`cosignature/v1`), c2sp.org/tlog-witness |

mod builder;
mod checkpoint;
pub mod cosign;
mod hash;
pub mod note;
mod proof;
#[cfg(test)]
mod tests;
pub mod tile;
mod tree;

pub use builder::Builder;
pub use checkpoint::Checkpoint;
pub use hash::Hash;
pub use proof::Proof;
pub use tree::{Tree, verify_consistency, verify_inclusion};

/// The most hashes of a proof: a tree of 2^64 leaves is that high.
pub const PROOF_HASHES_MAX: usize = 64;

/// Why a text is not what it should be, or does not prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text breaks its format.
    #[error("{format}: {what}")]
    Format {
        /// The format, as in the table of this module.
        format: &'static str,
        /// What is wrong.
        what: String,
    },
    /// No signature of a known key, or a wrong one.
    #[error("signature: {0}")]
    Signature(String),
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root of the tree")]
    Root,
    /// A leaf or a size that the tree does not have.
    #[error("{0} is not in a tree of {1} leaves")]
    Outside(u64, u64),
}

impl Error {
    fn format(format: &'static str, what: impl Into<String>) -> Self {
        Error::Format { format, what: what.into() }
    }
}

/// The most bytes of a stranger's text that a message repeats.
const SHOWN_BYTES_MAX: usize = 40;

/// The beginning of a text for a message, quoted: strangers do not fill our logs and answers.
fn shown(text: &str) -> String {
    let short = &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)];
    if short.len() == text.len() { format!("{text:?}") } else { format!("{short:?}...") }
}

/// A number as C2SP writes it: decimal, no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (text == u64::to_string(&number)).then_some(number)
}
