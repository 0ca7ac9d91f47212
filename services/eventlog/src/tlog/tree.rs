//! Roots and proofs of a tree whose complete subtrees are at hand, and their verification.

use super::{Error, Hash, PROOF_HASHES_MAX};

/// A tree of which the hashes of complete subtrees can be asked for.
pub trait Tree {
    /// What can go wrong when a hash is looked up.
    type Error;

    /// The hash of the leaves from `index * 2^height` on, `2^height` of them.
    ///
    /// # Errors
    /// When it cannot be had.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Self::Error>;

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// When a hash cannot be had.
    fn root(&self, size: u64) -> Result<Hash, Self::Error> {
        if size == 0 { Ok(Hash::empty()) } else { self.of_range(0, size) }
    }

    /// The hashes that lead from a leaf to the root of the first `size` leaves: RFC 6962, section 2.1.1.
    ///
    /// # Errors
    /// When a hash cannot be had.
    ///
    /// # Panics
    /// If the leaf is not among them.
    fn inclusion(&self, leaf: u64, size: u64) -> Result<Vec<Hash>, Self::Error> {
        assert!(leaf < size, "leaf {leaf} is not in a tree of {size}");
        let (mut path, mut from, mut to) = (Vec::new(), 0, size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if leaf < middle {
                path.push(self.of_range(middle, to)?);
                to = middle;
            } else {
                path.push(self.of_range(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The hashes that show the first `old` leaves to be the beginning of the first `size`: RFC 6962,
    /// section 2.1.2. None, when either holds no leaf or both are the same.
    ///
    /// # Errors
    /// When a hash cannot be had.
    ///
    /// # Panics
    /// If `old` is larger than `size`.
    fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, Self::Error> {
        assert!(old <= size, "{old} leaves are more than {size}");
        let (mut path, mut from, mut to) = (Vec::new(), 0, size);
        if old == 0 {
            return Ok(path);
        }
        while old < to {
            let middle = from + split(to - from);
            if old <= middle {
                path.push(self.of_range(middle, to)?);
                to = middle;
            } else {
                path.push(self.of_range(from, middle)?);
                from = middle;
            }
        }
        if from > 0 {
            path.push(self.of_range(from, to)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The hash of the leaves in `from..to`, a range as the recursion of RFC 6962 makes them.
    ///
    /// # Errors
    /// When a hash cannot be had.
    fn of_range(&self, from: u64, to: u64) -> Result<Hash, Self::Error> {
        let count = to - from;
        if count.is_power_of_two() {
            let height = count.trailing_zeros();
            return self.subtree(height, from >> height);
        }
        let middle = from + split(count);
        Ok(Hash::node(self.of_range(from, middle)?, self.of_range(middle, to)?))
    }
}

/// The largest power of two below a number, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Checks that a leaf with this hash is in the tree with this root: RFC 9162, section 2.1.3.2.
///
/// # Errors
/// [`Error::Outside`], or [`Error::Root`] when the path leads elsewhere.
pub fn verify_inclusion(
    leaf: u64,
    hash: Hash,
    size: u64,
    root: Hash,
    path: &[Hash],
) -> Result<(), Error> {
    if leaf >= size {
        return Err(Error::Outside(leaf, size));
    }
    if path.len() > PROOF_HASHES_MAX {
        return Err(Error::Root);
    }
    let (mut node, mut last, mut found) = (leaf, size - 1, hash);
    for step in path {
        if last == 0 {
            return Err(Error::Root);
        }
        if node % 2 == 1 || node == last {
            found = Hash::node(*step, found);
            while node % 2 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            found = Hash::node(found, *step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && found == root { Ok(()) } else { Err(Error::Root) }
}

/// Checks that the tree with the root `old.1` is the beginning of the other: RFC 9162, section 2.1.4.2.
/// A tree without leaves is the beginning of every other.
///
/// # Errors
/// [`Error::Outside`] when the old one is larger, [`Error::Root`] when the path leads elsewhere.
pub fn verify_consistency(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> Result<(), Error> {
    let ((old_size, old_root), (size, root)) = (old, new);
    if old_size > size {
        return Err(Error::Outside(old_size, size));
    }
    if old_size == 0 {
        let holds = path.is_empty() && old_root == Hash::empty();
        let holds = holds && (size > 0 || root == old_root);
        return if holds { Ok(()) } else { Err(Error::Root) };
    }
    if old_size == size {
        return if path.is_empty() && old_root == root { Ok(()) } else { Err(Error::Root) };
    }
    if path.len() > PROOF_HASHES_MAX {
        return Err(Error::Root);
    }
    // A complete old tree is a node of the new one, so its root need not be sent.
    let mut steps = path.iter().copied();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return Err(Error::Root) };
    let (mut node, mut last) = (old_size - 1, size - 1);
    while node % 2 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_found, mut found) = (first, first);
    for step in steps {
        if last == 0 {
            return Err(Error::Root);
        }
        if node % 2 == 1 || node == last {
            (old_found, found) = (Hash::node(step, old_found), Hash::node(step, found));
            while node % 2 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            found = Hash::node(found, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && old_found == old_root && found == root { Ok(()) } else { Err(Error::Root) }
}
