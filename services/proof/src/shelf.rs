//! The directory of a tree: its full tiles under the paths that they are published at, what is known of
//! those that are not full, and the newest signed checkpoint. Tiles are a cache of the log. The checkpoint is a promise, and not made anew.

use crate::Error;
use domain::kernel::canonical::Sha256Hex;
use eventlog::tlog::note::{self, Note};
use eventlog::tlog::tile::{self, Kind, Tile, WIDTH};
use eventlog::tlog::{Hash, Tree};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The newest signed checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// Held by whoever writes the newest checkpoint: a service and a command may share a tree.
const LOCK: &str = "lock";
/// The end of the name of a file that is not whole yet.
const PARTIAL: &str = ".partial";

/// The open tiles above the leaves, as they were not long ago.
const OPEN: &str = "open";
/// Tiles of leaves before they are full, each under its index.
const LEAVES: &str = "leaves";

/// A directory with tiles.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// Takes a directory, which is made if it is missing.
    pub fn open(dir: &Path) -> Result<Shelf, Error> {
        fs::create_dir_all(dir).map_err(|error| Error::file(dir, error))?;
        Ok(Shelf { dir: dir.to_owned() })
    }

    /// How many leaves of a log of `head` entries are in full tiles here, without a gap.
    pub fn size(&self, head: u64) -> u64 {
        let is_there = |index: u64| self.dir.join(Tile::full(0, index).to_string()).exists();
        let (mut some, mut none) = (0, head / WIDTH + 1);
        while some + 1 < none {
            let middle = u64::midpoint(some, none);
            if is_there(middle - 1) { some = middle } else { none = middle }
        }
        some * WIDTH
    }

    /// The first hashes of a full tile.
    pub fn read(&self, tile: Tile) -> Result<Vec<Hash>, Error> {
        let full = Tile { width: WIDTH, ..tile };
        let path = self.dir.join(full.to_string());
        let bytes = read_regular(&path).map_err(|error| Error::file(&path, error))?;
        let mut hashes = tile::decode(&bytes, WIDTH)?;
        hashes.truncate(usize::try_from(tile.width).unwrap_or(usize::MAX));
        Ok(hashes)
    }

    /// Keeps a full tile. It appears whole or not at all; whether it survives a loss of power does not
    /// matter, since it is made again from the log.
    pub fn write(&self, tile: Tile, hashes: &[Hash]) -> Result<(), Error> {
        self.put(&tile.to_string(), &tile::encode(hashes), false)
    }

    /// Keeps open tiles above the leaves, which saves reading hundreds of full ones at the next start: the
    /// SHA-256 of what follows, then for each its path, a newline, and its hashes.
    pub fn keep_open<'a>(
        &self,
        tiles: impl Iterator<Item = (Tile, &'a [Hash])>,
    ) -> Result<(), Error> {
        self.seal(OPEN, tiles)
    }

    fn seal<'a>(
        &self,
        name: &str,
        tiles: impl Iterator<Item = (Tile, &'a [Hash])>,
    ) -> Result<(), Error> {
        let mut body = Vec::new();
        for (tile, hashes) in tiles {
            body.extend_from_slice(tile.to_string().as_bytes());
            body.push(b'\n');
            body.extend_from_slice(&tile::encode(hashes));
        }
        let mut bytes = Sha256::digest(&body).to_vec();
        bytes.append(&mut body);
        self.put(name, &bytes, false)
    }

    /// What was kept of the open tiles: all of it, or nothing when it is missing or not whole.
    pub fn kept_open(&self) -> Vec<(Tile, Vec<Hash>)> {
        self.sealed(OPEN).unwrap_or_default()
    }

    /// What was kept under a name with a digest.
    fn sealed(&self, name: &str) -> Result<Vec<(Tile, Vec<Hash>)>, Error> {
        let path = self.dir.join(name);
        let failed = |error| Error::file(&path, error);
        let bytes = read_regular(&path).map_err(failed)?;
        let whole = bytes.split_at_checked(Hash::BYTES).filter(|(digest, body)| {
            let found: [u8; Hash::BYTES] = Sha256::digest(body).into();
            *digest == found
        });
        let tiles = whole.and_then(|(_, body)| opened(body));
        tiles.ok_or_else(|| failed(io::Error::other("it is not what its digest says")))
    }

    /// Keeps the first hashes of a tile of leaves that is not full, so that it is known which entry is
    /// changed later. What was kept of it before stays if it is more, or says something else.
    pub fn keep_leaves(&self, tile: Tile, hashes: &[Hash]) -> Result<(), Error> {
        match self.leaves(tile.index) {
            Ok(kept) if kept.len() >= hashes.len() || !hashes.starts_with(&kept) => Ok(()),
            _ => self.seal(&leaves_path(tile.index), std::iter::once((tile, hashes))),
        }
    }

    /// Forgets what was kept of a tile of leaves before it was full, if the full one says the same.
    pub fn drop_leaves(&self, index: u64, full: &[Hash]) -> Result<(), Error> {
        match self.leaves(index) {
            Ok(kept) if full.starts_with(&kept) => {
                let path = self.dir.join(leaves_path(index));
                fs::remove_file(&path).map_err(|error| Error::file(&path, error))
            }
            _ => Ok(()),
        }
    }

    fn leaves(&self, index: u64) -> Result<Vec<Hash>, Error> {
        let tiles = self.sealed(&leaves_path(index))?.into_iter();
        let mut of_it = tiles.filter(|(tile, _)| is_leaves(*tile) && tile.index == index);
        Ok(of_it.next().map(|(_, hashes)| hashes).unwrap_or_default())
    }

    /// Everything that was kept of tiles of leaves before they were full, by their index.
    pub fn all_leaves(&self) -> Vec<(u64, Result<Vec<Hash>, Error>)> {
        let found = fs::read_dir(self.dir.join(LEAVES)).into_iter().flatten().flatten();
        let names = found.filter_map(|entry| entry.file_name().into_string().ok()?.parse().ok());
        let mut indexes: Vec<u64> = names.collect();
        indexes.sort_unstable();
        indexes.into_iter().map(|index| (index, self.leaves(index))).collect()
    }

    /// Writes a file of the tree by its path, such as a bundle for plain file hosting.
    pub fn put(&self, name: &str, bytes: &[u8], is_synced: bool) -> Result<(), Error> {
        let path = self.dir.join(name);
        let parent = path.parent().unwrap_or(&self.dir);
        let write = || -> io::Result<()> {
            fs::create_dir_all(parent)?;
            let partial = path.with_extension(format!("{}{PARTIAL}", std::process::id()));
            let mut file = File::create(&partial)?;
            file.write_all(bytes)?;
            if is_synced {
                file.sync_all()?;
            }
            fs::rename(&partial, &path)?;
            if is_synced { File::open(parent)?.sync_all() } else { Ok(()) }
        };
        write().map_err(|error| Error::file(&path, error))
    }

    /// Forgets all tiles; what was kept of leaves before that stays.
    pub fn clear(&self) -> Result<(), Error> {
        let (dir, open) = (self.dir.join("tile"), self.dir.join(OPEN));
        for (path, removed) in [(&dir, fs::remove_dir_all(&dir)), (&open, fs::remove_file(&open))] {
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(Error::file(path, error));
            }
        }
        Ok(())
    }

    /// The newest checkpoint that was signed.
    pub fn checkpoint(&self) -> Result<Option<Note>, Error> {
        self.note(CHECKPOINT)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A note by its path, if there is one.
    pub fn note(&self, name: &str) -> Result<Option<Note>, Error> {
        let path = self.dir.join(name);
        match read_regular(&path)
            .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        {
            Ok(text) => Ok(Some(Note::parse(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file(&path, error)),
        }
    }

    /// The notes in a directory of the tree, in the order of their names; none when it is missing.
    pub fn notes(&self, name: &str) -> Result<Vec<Note>, Error> {
        let dir = self.dir.join(name);
        let found = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let found = found.map_err(|error| Error::file(&dir, error))?;
        let mut names: Vec<_> =
            found.iter().filter_map(|one| one.file_name().into_string().ok()).collect();
        names.retain(|name| !name.ends_with(PARTIAL));
        names.sort();
        let notes = names.iter().map(|one| self.note(&format!("{name}/{one}")));
        Ok(notes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Keeps other processes from writing a checkpoint as long as what is returned lives.
    pub fn locked(&self) -> Result<File, Error> {
        let path = self.dir.join(LOCK);
        let lock = || -> io::Result<File> {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| Error::file(&path, error))
    }

    /// Keeps a checkpoint. It is on the disk when this returns.
    pub fn keep_checkpoint(&self, note: &Note) -> Result<(), Error> {
        debug_assert!(note.to_string().len() <= note::BYTES_MAX);
        self.put(CHECKPOINT, note.to_string().as_bytes(), true)
    }
}

/// Only what is in full tiles.
impl Tree for Shelf {
    type Error = Error;

    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Error> {
        tile::Tiles(|tile| self.read(tile)).subtree(height, index)
    }
}

fn opened(mut body: &[u8]) -> Option<Vec<(Tile, Vec<Hash>)>> {
    let mut tiles = Vec::new();
    while !body.is_empty() {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let tile = Tile::parse(std::str::from_utf8(&body[..end]).ok()?).ok()?;
        let length = usize::try_from(tile.width).ok()? * Hash::BYTES;
        let (hashes, rest) = body[end + 1..].split_at_checked(length)?;
        tiles.push((tile, tile::decode(hashes, tile.width).ok()?));
        body = rest;
    }
    Some(tiles)
}

/// Where a tile of leaves is kept before it is full.
pub fn leaves_path(index: u64) -> String {
    format!("{LEAVES}/{index}")
}

/// Reads a file, and never waits for one that is none: a pipe, a device, a socket.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    must_be_regular(path)?;
    fs::read(path)
}

/// Refuses what is no regular file.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when it is none.
pub fn must_be_regular(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// Whether a tile is one of leaves.
fn is_leaves(tile: Tile) -> bool {
    tile.kind == Kind::Hashes(0)
}

/// A name of a file for any text: its SHA-256.
pub fn hex_name(text: &str) -> String {
    Sha256Hex::of(text.as_bytes()).to_string()
}
