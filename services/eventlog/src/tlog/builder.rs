//! A tree that grows by one leaf after the other, at a cost that does not depend on its size.

use super::tile::{self, HEIGHT, LEVEL_MAX, Tile, Tiles, WIDTH};
use super::{Error, Hash, Tree};

/// Grows a tree. It holds what must be known to go on: the open tiles, and the roots of the complete
/// subtrees. A leaf costs one hash of its own and on average one of nodes.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    size: u64,
    /// The complete subtrees of which the tree consists, the largest first.
    peaks: Vec<Hash>,
    /// The open tile of each level.
    open: Vec<Vec<Hash>>,
}

impl Builder {
    /// Goes on with the first `size` leaves of a tree whose full tiles can be read. `kept` may give the
    /// first hashes of a tile above the leaves that is open, of which each is made from 256 others if not.
    ///
    /// # Errors
    /// Those of reading.
    ///
    /// # Panics
    /// If `size` is not a number of full tiles: the hashes of leaves in an open tile are not asked for.
    pub fn resume<E: From<Error>>(
        size: u64,
        read: impl Fn(Tile) -> Result<Vec<Hash>, E>,
        kept: impl Fn(Tile) -> Vec<Hash>,
    ) -> Result<Builder, E> {
        assert_eq!(size % WIDTH, 0, "only full tiles are kept");
        let tree = Tiles(read);
        let mut builder = Builder { size, ..Builder::default() };
        for level in 0..=LEVEL_MAX {
            let count = size >> (level * HEIGHT);
            let width = count % WIDTH;
            let open = Tile { kind: tile::Kind::Hashes(level), index: count / WIDTH, width };
            let mut hashes = if level > 0 && width > 0 { kept(open) } else { Vec::new() };
            hashes.truncate(usize::try_from(width).unwrap_or(0));
            for index in count - width + hashes.len() as u64..count {
                hashes.push(tree.subtree(level * HEIGHT, index)?);
            }
            builder.open.push(hashes);
        }
        // An open tile of n hashes holds a peak for each bit of n, the largest first.
        for open in builder.open.iter().rev() {
            let mut rest = &open[..];
            while !rest.is_empty() {
                let (peak, after) = rest.split_at(1 << rest.len().ilog2());
                builder.peaks.push(tile::fold(peak));
                rest = after;
            }
        }
        Ok(builder)
    }

    /// Counts the leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, and hands on each tile that it fills.
    ///
    /// # Errors
    /// Those of `filled`; then the builder must not be used any more.
    pub fn push<E>(
        &mut self,
        leaf: Hash,
        mut filled: impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut node, mut height) = (leaf, 0);
        self.keep(node, height, &mut filled)?;
        while self.size >> height & 1 == 1 {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            (node, height) = (Hash::node(left, node), height + 1);
            self.keep(node, height, &mut filled)?;
        }
        self.peaks.push(node);
        self.size += 1;
        Ok(())
    }

    /// Keeps the node in the open tile of its level, if its height is at the foot of tiles.
    fn keep<E>(
        &mut self,
        node: Hash,
        height: u32,
        filled: &mut impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (level, 0) = (height / HEIGHT, height % HEIGHT) else { return Ok(()) };
        let place = level as usize;
        if self.open.len() <= place {
            self.open.resize_with(place + 1, Vec::new);
        }
        let open = &mut self.open[place];
        open.push(node);
        if open.len() as u64 == WIDTH {
            // The leaf that is being appended is not in the size yet.
            filled(Tile::full(level, self.size >> (height + HEIGHT)), open)?;
            open.clear();
        }
        Ok(())
    }

    /// Computes the root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Hash::empty() };
        peaks.fold(last, |right, left| Hash::node(left, right))
    }

    /// Lists the open tiles above the leaves, and their hashes: what takes long to make again.
    pub fn open_above(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        (1..).zip(self.open.iter().skip(1)).filter(|(_, open)| !open.is_empty()).map(
            |(level, open)| {
                let index = (self.size >> (level * HEIGHT)) / WIDTH;
                let kind = tile::Kind::Hashes(level);
                (Tile { kind, index, width: open.len() as u64 }, &open[..])
            },
        )
    }

    /// Gives the first hashes of a tile that is still open, if they are there.
    pub fn open(&self, tile: Tile) -> Option<&[Hash]> {
        let tile::Kind::Hashes(level) = tile.kind else { return None };
        let count = self.size >> (level * HEIGHT);
        let open = self.open.get(level as usize).filter(|_| tile.index == count / WIDTH)?;
        open.get(..usize::try_from(tile.width).ok()?)
    }
}
