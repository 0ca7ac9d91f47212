//! Hashes of leaves and nodes: RFC 6962, section 2.1, with SHA-256.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;

/// The hash of a leaf, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; Hash::BYTES]);

impl Hash {
    /// The length of a hash, in bytes.
    pub const BYTES: usize = 32;

    /// Gives the root of a tree without leaves.
    pub fn empty() -> Hash {
        Hash(Sha256::digest([]).into())
    }

    /// Hashes an entry. The byte before it keeps it from being taken for a node.
    pub fn leaf(entry: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
    }

    /// Hashes two subtrees side by side.
    pub fn node(left: Hash, right: Hash) -> Hash {
        // Put together first: one long update is faster than three short ones.
        let mut both = [1; 1 + 2 * Hash::BYTES];
        both[1..=Hash::BYTES].copy_from_slice(&left.0);
        both[1 + Hash::BYTES..].copy_from_slice(&right.0);
        Hash(Sha256::digest(both).into())
    }

    /// Reads Base64 of exactly 32 bytes.
    pub(super) fn parse(text: &str) -> Option<Hash> {
        Some(Hash(BASE64_STANDARD.decode(text).ok()?.try_into().ok()?))
    }
}

/// Base64, as in checkpoints and proofs.
impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
