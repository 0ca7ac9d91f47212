//! Tiles of hashes and bundles of entries, and the paths under which they are published:
//! c2sp.org/tlog-tiles.

use super::{Error, Hash, Tree, decimal, shown};
use bytes::{BufMut, Bytes};
use std::fmt;

/// The height of a tile, and how many hashes a full one holds.
pub const HEIGHT: u32 = 8;
/// The hashes of a full tile, and the entries of a full bundle.
pub const WIDTH: u64 = 1 << HEIGHT;
/// The bytes of a full tile.
pub const BYTES: usize = (1 << HEIGHT) * Hash::BYTES;
/// The highest level of a tree of 2^64 leaves: the format allows more digits than that needs.
pub const LEVEL_MAX: u32 = u64::BITS / HEIGHT - 1;

const FORMAT: &str = "tile";

/// Tells apart what is published under `tile/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The entries themselves.
    Entries,
    /// Hashes: level 0 is those of leaves, each level above those of full tiles below.
    Hashes(u32),
}

/// One published resource under `tile/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Says what it holds.
    pub kind: Kind,
    /// Its place in its level, from 0.
    pub index: u64,
    /// Counts its hashes or entries, 1 to [`WIDTH`].
    pub width: u64,
}

impl Tile {
    /// Names a full tile of hashes.
    pub fn full(level: u32, index: u64) -> Tile {
        Tile { kind: Kind::Hashes(level), index, width: WIDTH }
    }

    /// Lists all tiles and bundles of a tree of this size, each as wide as it is there.
    pub fn all(size: u64) -> impl Iterator<Item = Tile> {
        let levels = (0..=LEVEL_MAX).map(Kind::Hashes);
        let kinds = std::iter::once(Kind::Entries).chain(levels);
        kinds.flat_map(move |kind| {
            let count = size.checked_shr(kind.level() * HEIGHT).unwrap_or(0);
            let full = (0..count / WIDTH).map(move |index| Tile { kind, index, width: WIDTH });
            let rest = Tile { kind, index: count / WIDTH, width: count % WIDTH };
            full.chain((rest.width > 0).then_some(rest))
        })
    }

    /// Tells whether a tree of this size has it.
    pub fn is_in(&self, size: u64) -> bool {
        let count = size.checked_shr(self.kind.level() * HEIGHT).unwrap_or(0);
        let end = self.index.checked_mul(WIDTH).and_then(|from| from.checked_add(self.width));
        end.is_some_and(|end| end <= count)
    }

    /// Reads a path such as `tile/0/x001/234.p/17`.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn parse(path: &str) -> Result<Tile, Error> {
        let wrong = || Error::format(FORMAT, format!("{} is not the path of a tile", shown(path)));
        let rest = path.strip_prefix("tile/").ok_or_else(wrong)?;
        let (kind, rest) = rest.split_once('/').ok_or_else(wrong)?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => {
                let level = decimal(level).and_then(|level| u32::try_from(level).ok());
                Kind::Hashes(level.filter(|level| *level <= LEVEL_MAX).ok_or_else(wrong)?)
            }
        };
        let (number, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((number, width)) => (number, decimal(width).ok_or_else(wrong)?),
        };
        let mut index = 0_u64;
        for element in number.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let digits = digits.parse::<u64>().ok().filter(|_| is_number).ok_or_else(wrong)?;
            let next = index.checked_mul(1_000).and_then(|index| index.checked_add(digits));
            index = next.ok_or_else(wrong)?;
        }
        let tile = Tile { kind, index, width };
        // One resource has one path: so other zeros, other `x` and a full partial tile are none.
        if (1..=WIDTH).contains(&width) && tile.to_string() == path {
            Ok(tile)
        } else {
            Err(wrong())
        }
    }
}

impl Kind {
    fn level(self) -> u32 {
        match self {
            Kind::Entries => 0,
            Kind::Hashes(level) => level,
        }
    }
}

/// The path, without the prefix of the log.
impl fmt::Display for Tile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => out.write_str("tile/entries")?,
            Kind::Hashes(level) => write!(out, "tile/{level}")?,
        }
        let digits = self.index.to_string();
        let digits = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        let last = digits.len() - 3;
        for at in (0..last).step_by(3) {
            write!(out, "/x{}", &digits[at..at + 3])?;
        }
        write!(out, "/{}", &digits[last..])?;
        if self.width == WIDTH { Ok(()) } else { write!(out, ".p/{}", self.width) }
    }
}

/// Writes the bytes of a tile of hashes.
pub fn encode(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads the hashes of a tile.
///
/// # Errors
/// When there are not as many as its width says.
pub fn decode(bytes: &[u8], width: u64) -> Result<Vec<Hash>, Error> {
    let (hashes, rest) = bytes.as_chunks();
    if rest.is_empty() && hashes.len() as u64 == width {
        return Ok(hashes.iter().copied().map(Hash).collect());
    }
    let length = bytes.len();
    Err(Error::format(FORMAT, format!("{length} bytes are not {width} hashes")))
}

/// Writes the bytes of a bundle.
///
/// # Panics
/// If an entry is longer than [`crate::ENTRY_BYTES_MAX`], which no log holds.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut bundle = Vec::new();
    for entry in entries {
        bundle.put_u16(
            u16::try_from(entry.len()).expect("an entry of a log has at most 65 535 bytes"),
        );
        bundle.put_slice(entry);
    }
    bundle
}

/// Reads the entries of a bundle.
///
/// # Errors
/// When there are not as many as its width says.
pub fn decode_bundle(bundle: &Bytes, width: u64) -> Result<Vec<Bytes>, Error> {
    let wrong = |what: String| Error::format("entry bundle", what);
    let (mut entries, mut at) = (Vec::new(), 0);
    while at < bundle.len() {
        let entry = bundle.get(at..at + 2).and_then(|length| {
            let from = at + 2;
            let to = from + usize::from(u16::from_be_bytes(length.try_into().ok()?));
            (to <= bundle.len()).then(|| bundle.slice(from..to))
        });
        let entry =
            entry.ok_or_else(|| wrong(format!("it ends within entry {}", entries.len())))?;
        at += 2 + entry.len();
        entries.push(entry);
        if entries.len() as u64 > width {
            break;
        }
    }
    let count = entries.len() as u64;
    let differs = || wrong(format!("it does not hold {width} entries"));
    if count == width { Ok(entries) } else { Err(differs()) }
}

/// A tree of which the tiles can be read. Each tile may come wider than it is asked for.
#[derive(Clone, Debug)]
pub struct Tiles<R>(
    /// Reads the first `width` hashes of a tile.
    pub R,
);

impl<R, E> Tree for Tiles<R>
where
    R: Fn(Tile) -> Result<Vec<Hash>, E>,
    E: From<Error>,
{
    type Error = E;

    fn subtree(&self, height: u32, index: u64) -> Result<Hash, E> {
        // The hash of a full tile is taken from that tile, not from its parent, which may be open still.
        let level = height.saturating_sub(1) / HEIGHT;
        let height = height - level * HEIGHT;
        let (first, count) = (index << height, 1 << height);
        let (tile, from) = (first / WIDTH, first % WIDTH);
        let tile = Tile { kind: Kind::Hashes(level), index: tile, width: from + count };
        let hashes = (self.0)(tile)?;
        let range = usize::try_from(from).ok().zip(usize::try_from(from + count).ok());
        let range = range.and_then(|(from, to)| hashes.get(from..to));
        let missing = || Error::format(FORMAT, format!("{tile} is too short"));
        Ok(fold(range.ok_or_else(missing)?))
    }
}

/// The hash of a complete subtree, from those at its foot; their number is a power of two.
pub(super) fn fold(hashes: &[Hash]) -> Hash {
    if let [hash] = hashes {
        return *hash;
    }
    let (left, right) = hashes.split_at(hashes.len() / 2);
    Hash::node(fold(left), fold(right))
}
