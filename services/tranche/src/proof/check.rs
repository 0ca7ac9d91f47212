//! The tree of a log made anew from its entries alone, and held against everything that was said about
//! it: checkpoints, and the hashes of each entry as they were.

use super::shelf::{Shelf, is_leaves};
use crate::engine::{OpenError, ReadError, blocking, decoders, in_order};
use bytes::Bytes;
use eventlog::tlog::tile::{Tile, WIDTH};
use eventlog::tlog::{Builder, Checkpoint, Hash};
use eventlog::{Log, Position};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An entry is not what it was when its hash was kept.
    Entry(Position),
    /// The tree of so many entries has another root than was said.
    Root {
        /// The size.
        size: u64,
        /// What was said.
        expected: Hash,
        /// What it is.
        found: Hash,
        /// The first entry before it that is not what it was, if a hash of it was kept.
        position: Option<Position>,
    },
    /// The log ends before that size.
    Shorter {
        /// The size that was said.
        size: u64,
        /// The last position.
        head: Position,
    },
}

impl std::fmt::Display for Found {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Found::Entry(position) => {
                write!(
                    out,
                    "the commit at position {position} is not what it was when it was hashed"
                )
            }
            Found::Root { size, expected, found, position } => {
                write!(
                    out,
                    "the tree of {size} commits has the root {found}, and the checkpoint {expected}"
                )?;
                match position {
                    Some(at) => write!(out, "; the first that differs is at position {at}"),
                    None => write!(out, "; a commit at or before position {size} was changed"),
                }
            }
            Found::Shorter { size, head } => {
                write!(out, "the log ends at {head}, and a checkpoint of {size} commits was signed")
            }
        }
    }
}

/// Takes entries in order, from the first.
#[derive(Debug, Default)]
pub struct Check {
    builder: Builder,
    /// Tiles that were kept.
    kept: Option<Shelf>,
    /// Roots that were said, by size.
    expected: BTreeMap<u64, Vec<Hash>>,
    found: Vec<Found>,
    /// The first entry that differs from a kept hash.
    differs: Option<Position>,
    /// How many roots were said and held.
    held: usize,
}

impl Check {
    /// A check against tiles that were kept, if there are any.
    pub fn new(kept: Option<Shelf>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Checkpoints that must hold: those of sizes that were taken already cannot be checked.
    pub fn expect_all(&mut self, checkpoints: impl IntoIterator<Item = Checkpoint>) {
        for Checkpoint { size, root, .. } in checkpoints {
            self.expected.entry(size).or_default().push(root);
        }
    }

    /// Takes the entries of a log from the first to a position. One thread reads, others hash the entries.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn take_log(
        mut self,
        log: Arc<dyn Log>,
        to: Position,
    ) -> Result<Self, eventlog::Error> {
        let taken = blocking(move |runtime| {
            let look = |_, entry: &Bytes| Ok(Hash::leaf(entry));
            in_order((&*log, runtime), 0..to, decoders(), look, |leaves| {
                leaves.into_iter().for_each(|leaf| self.take_hash(leaf));
            })?;
            Ok(self)
        });
        taken.await.map_err(|error| match error {
            OpenError::Read(ReadError::Log(error)) => error,
            other => eventlog::Error::Unavailable(other.to_string()),
        })
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &[u8]) {
        self.take_hash(Hash::leaf(entry));
    }

    /// Takes the hash of the next entry.
    pub fn take_hash(&mut self, leaf: Hash) {
        if self.builder.size() == 0 {
            self.check_root();
        }
        let (kept, differs) = (&self.kept, &mut self.differs);
        let compare = |tile: Tile, hashes: &[Hash]| {
            let before = kept.as_ref().filter(|_| is_leaves(tile));
            // A tile that is missing or damaged says nothing about the log.
            if let Some(before) = before.and_then(|shelf| shelf.read(tile).ok()) {
                let mut pairs = (tile.index * WIDTH + 1..).zip(hashes.iter().zip(&before));
                if let Some((position, _)) = pairs.find(|(_, (one, other))| one != other) {
                    differs.get_or_insert(position);
                }
            }
            Ok::<_, Infallible>(())
        };
        let Ok(()) = self.builder.push(leaf, compare);
        self.check_root();
    }

    fn check_root(&mut self) {
        let size = self.builder.size();
        for expected in self.expected.remove(&size).unwrap_or_default() {
            let found = self.builder.root();
            if found == expected {
                self.held += 1;
            } else {
                self.found.push(Found::Root { size, expected, found, position: None });
            }
        }
    }

    /// The first root that does not hold.
    pub fn first_root(&self) -> Option<Found> {
        let found = self.found.iter().find(|found| matches!(found, Found::Root { .. }))?;
        Some(self.with_position(found.clone()))
    }

    /// A root is the first to say that something differs, and kept hashes say what.
    fn with_position(&self, mut found: Found) -> Found {
        if let Found::Root { size, position, .. } = &mut found {
            *position = self.differs.filter(|differs| differs <= size);
        }
        found
    }

    /// What does not fit, at the end of the log; and how many checkpoints held.
    pub fn finish(mut self) -> (Vec<Found>, usize) {
        if self.builder.size() == 0 {
            self.check_root();
        }
        let head = self.builder.size();
        let mut found: Vec<_> = self.differs.map(Found::Entry).into_iter().collect();
        found.extend(self.found.iter().cloned().map(|found| self.with_position(found)));
        found.extend(self.expected.keys().map(|size| Found::Shorter { size: *size, head }));
        (found, self.held)
    }
}
