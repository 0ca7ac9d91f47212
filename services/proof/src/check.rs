//! The tree of a log made anew from its entries alone, and held against everything that was said about
//! it: checkpoints, and the hashes of each entry as they were.

use crate::Error;
use crate::shelf::{Shelf, leaves_path};
use bytes::Bytes;
use eventlog::scan::{blocking, decoders, in_order};
use eventlog::tlog::tile::{HEIGHT, Kind, Tile, WIDTH};
use eventlog::tlog::{Builder, Checkpoint, Hash};
use eventlog::{Log, Position};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
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
        /// The largest smaller size of which a checkpoint holds; 0 when there is none.
        after: u64,
        /// The largest size from this one on of which a checkpoint holds all the same.
        later: Option<u64>,
    },
    /// The log ends before that size.
    Shorter {
        /// The size that was said.
        size: u64,
        /// The last position.
        head: Position,
    },
    /// A hash that was kept is another one, and the log fits to a checkpoint.
    Kept {
        /// What was kept: a path in the directory of the tree.
        file: String,
        /// The entry that it is of.
        position: Position,
        /// The size of the checkpoint.
        size: u64,
    },
    /// What was kept cannot be used.
    Damaged {
        /// What was kept: a path in the directory of the tree.
        file: String,
        /// Why not.
        what: String,
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
            Found::Root { size, expected, found, position, after, later } => {
                write!(
                    out,
                    "the tree of {size} commits has the root {found}, and the checkpoint {expected}"
                )?;
                let first = after + 1;
                match position {
                    Some(at) => write!(out, "; the first that differs is at position {at}")?,
                    None if *after == 0 => {
                        write!(out, "; a commit at or before position {size} was changed")?;
                    }
                    None if first == *size => {
                        write!(out, "; the commit at position {size} was changed")?;
                    }
                    None => write!(out, "; a commit between {first} and {size} was changed")?,
                }
                match later {
                    Some(later) => write!(
                        out,
                        "; another checkpoint, of {later} commits, holds: two histories were signed"
                    ),
                    None => Ok(()),
                }
            }
            Found::Shorter { size, head } => {
                write!(out, "the log ends at {head}, and a checkpoint of {size} commits was signed")
            }
            Found::Kept { file, position, size } => write!(
                out,
                "{file} has another hash of the commit at position {position} than the log, which fits \
                 to a checkpoint of {size} commits: {file} was changed, or the commit was before that \
                 was signed"
            ),
            Found::Damaged { file, what } => write!(out, "{file} is damaged: {what}"),
        }
    }
}

/// Takes entries in order, from the first.
#[derive(Debug, Default)]
pub struct Check {
    builder: Builder,
    /// Tiles that were kept.
    kept: Option<Shelf>,
    /// First hashes of tiles of leaves that were kept before the tiles were full, by their index, and
    /// where.
    leaves: BTreeMap<u64, Vec<(String, Vec<Hash>)>>,
    /// Roots that were said, by size, and whether by the log itself.
    expected: BTreeMap<u64, Vec<(Hash, bool)>>,
    found: Vec<Found>,
    /// The first entry that differs from each tile and file that was kept.
    differs: BTreeMap<String, Position>,
    /// Tiles above the leaves that differ, and the entries below the hash that does.
    above: Vec<(String, RangeInclusive<Position>)>,
    /// How many roots were said and held.
    held: usize,
    /// The sizes of those that somebody else than the log has said.
    holding: BTreeSet<u64>,
}

impl Check {
    /// A check against tiles that were kept, if there are any.
    pub fn new(kept: Option<Shelf>) -> Self {
        let mut check = Self { kept, ..Self::default() };
        for (index, hashes) in check.kept.as_ref().map(Shelf::all_leaves).unwrap_or_default() {
            let file = leaves_path(index);
            match hashes {
                Ok(hashes) => check.expect_leaves(file, index, hashes),
                Err(error) => check.damaged(file, &error),
            }
        }
        check
    }

    /// The first hashes of a tile of leaves, as they were, and where that is known from.
    pub fn expect_leaves(&mut self, from: String, index: u64, hashes: Vec<Hash>) {
        self.leaves.entry(index).or_default().push((from, hashes));
    }

    fn damaged(&mut self, file: String, error: &Error) {
        let what = match error {
            Error::File { error, .. } if error.kind() == ErrorKind::NotFound => return,
            Error::File { error, .. } => error.to_string(),
            other => other.to_string(),
        };
        self.found.push(Found::Damaged { file, what });
    }

    /// Checkpoints that must hold: those of sizes that were taken already cannot be checked.
    pub fn expect_all(&mut self, checkpoints: impl IntoIterator<Item = Checkpoint>) {
        for Checkpoint { size, root, .. } in checkpoints {
            self.expected.entry(size).or_default().push((root, false));
        }
    }

    /// Checkpoints that the log itself says: they must hold, too. What differs is not looked for by
    /// them, since whoever changes the log may change them.
    pub fn expect_recorded(&mut self, checkpoints: impl IntoIterator<Item = Checkpoint>) {
        for Checkpoint { size, root, .. } in checkpoints {
            self.expected.entry(size).or_default().push((root, true));
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
        blocking(move |runtime| {
            let look = |_, entry: &Bytes| Ok::<_, eventlog::Error>(Hash::leaf(entry));
            in_order((&*log, runtime), 0..to, decoders(), look, |leaves| {
                leaves.into_iter().for_each(|leaf| self.take_hash(leaf));
            })?;
            Ok(self)
        })
        .await
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
        let index = self.builder.size();
        let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        for (from, hashes) in self.leaves.get(&(index / WIDTH)).into_iter().flatten() {
            if hashes.get(place).is_some_and(|before| *before != leaf) {
                self.differs.entry(from.clone()).or_insert(index + 1);
            }
        }
        let mut filled = Vec::new();
        let keep = |tile: Tile, hashes: &[Hash]| {
            filled.push((tile, hashes.to_vec()));
            Ok::<_, Infallible>(())
        };
        let Ok(()) = self.builder.push(leaf, keep);
        for (tile, hashes) in filled {
            self.compare(tile, &hashes);
        }
        self.check_root();
    }

    /// Holds a tile against what was kept of it.
    fn compare(&mut self, tile: Tile, hashes: &[Hash]) {
        let Some(shelf) = &self.kept else { return };
        let before = match shelf.read(tile) {
            Ok(before) => before,
            // One that is missing is made again from the log, when that is what was signed.
            Err(error) => return self.damaged(tile.to_string(), &error),
        };
        let mut pairs = (tile.index * WIDTH..).zip(hashes.iter().zip(&before));
        let Some((at, _)) = pairs.find(|(_, (one, other))| one != other) else { return };
        let Kind::Hashes(level) = tile.kind else { return };
        if level == 0 {
            self.differs.insert(tile.to_string(), at + 1);
        } else {
            let below = (at << (level * HEIGHT)) + 1..=(at + 1) << (level * HEIGHT);
            self.above.push((tile.to_string(), below));
        }
    }

    fn check_root(&mut self) {
        let size = self.builder.size();
        for (expected, is_recorded) in self.expected.remove(&size).unwrap_or_default() {
            let found = self.builder.root();
            if found == expected {
                self.held += 1;
                if !is_recorded {
                    self.holding.insert(size);
                }
                continue;
            }
            let root = Found::Root { size, expected, found, position: None, after: 0, later: None };
            // The same checkpoint may be kept in several places.
            if !self.found.contains(&root) {
                self.found.push(root);
            }
        }
    }

    /// The first root that does not hold.
    pub fn first_root(&self) -> Option<Found> {
        let found = self.found.iter().find(|found| matches!(found, Found::Root { .. }))?;
        let entries = self.differs.values().copied().filter(|at| self.fault(*at).is_none());
        Some(self.located(found.clone(), entries.min()))
    }

    /// The largest size that holds, and is smaller.
    fn after(&self, size: u64) -> u64 {
        self.holding.range(..size).next_back().copied().unwrap_or(0)
    }

    /// The size of a checkpoint by which an entry is what it was, whatever else was kept of it.
    fn fault(&self, position: Position) -> Option<u64> {
        let is_changed = self.found.iter().any(|found| match found {
            Found::Root { size, .. } => (self.after(*size) + 1..=*size).contains(&position),
            _ => false,
        });
        self.holding.range(position..).next().copied().filter(|_| !is_changed)
    }

    /// A root is the first to say that something differs; kept hashes say what, and other roots where.
    fn located(&self, mut found: Found, first: Option<Position>) -> Found {
        if let Found::Root { size, position, after, later, .. } = &mut found {
            *after = self.after(*size);
            *position = first.filter(|first| first <= size);
            *later = self.holding.range(*size..).next_back().copied();
        }
        found
    }

    /// What does not fit, at the end of the log; and how many checkpoints held.
    pub fn finish(mut self) -> (Vec<Found>, usize) {
        if self.builder.size() == 0 {
            self.check_root();
        }
        let head = self.builder.size();
        let (mut first, mut kept) = (None::<Position>, Vec::new());
        for (file, position) in &self.differs {
            match self.fault(*position) {
                Some(size) => {
                    kept.push(Found::Kept { file: file.clone(), position: *position, size });
                }
                None => first = Some(first.map_or(*position, |first| first.min(*position))),
            }
        }
        let mut found: Vec<_> = first.map(Found::Entry).into_iter().collect();
        found.extend(self.found.iter().cloned().map(|found| self.located(found, first)));
        found.extend(kept);
        // The hash above an entry that was changed is that of what it was, and right.
        let above = self
            .above
            .iter()
            .filter(|(_, below)| !self.differs.values().any(|position| below.contains(position)));
        let what = "it has another hash than the leaves below it give";
        found.extend(
            above.map(|(file, _)| Found::Damaged { file: file.clone(), what: what.to_owned() }),
        );
        found.extend(self.expected.keys().map(|size| Found::Shorter { size: *size, head }));
        (found, self.held)
    }
}
