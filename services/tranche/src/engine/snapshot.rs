//! Snapshots: a cache of the folds beside the log, so that a start need not read all of history.
//! Never the truth: one that does not fit the log or this build in every detail is left alone, and
//! the folds are made again. But one that is whole and holds more than the log has seen it: then the log
//! has lost its end, and nothing is decided on what is left before a person has looked.
//!
//! A file is a line of JSON (the header), the folds as JSON, and the receipts in 32 bytes a command.

mod check;

pub use check::{SnapshotCheck, check_snapshots};

use super::receipts::{LINE_BYTES, ReceiptLine, Receipts};
use super::state::Reactions;
use domain::World;
use domain::kernel::canonical::Sha256Hex;
use eventlog::Log;
use imbl::Vector;
use projections::Views;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::runtime::Handle;

/// So many snapshots are kept: the newest, and one for the case that it is damaged.
const KEPT: usize = 2;
/// The hash of the sources that define the shapes of the folds (see `build.rs`).
pub(super) const SHAPES: &str = env!("TRANCHE_SHAPES");
const EXTENSION: &str = "snapshot";

/// What a snapshot holds, at one position.
pub(crate) struct Content {
    pub world: World,
    pub reactions: Reactions,
    pub views: Views,
    pub lines: Vector<ReceiptLine>,
}

impl Content {
    pub fn receipts(&self) -> Receipts {
        let mut receipts = Receipts::default();
        (1..).zip(&self.lines).for_each(|(position, line)| receipts.add(*line, position));
        receipts
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    position: u64,
    /// SHA-256 of the commit at that position.
    commit: Sha256Hex,
    shapes: String,
    /// Bytes of the JSON after this line.
    json_bytes: usize,
    /// SHA-256 of everything after this line.
    digest: Sha256Hex,
}

#[derive(Serialize)]
struct Folds<'a> {
    world: &'a World,
    reactions: &'a Reactions,
    views: &'a Views,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFolds {
    world: World,
    reactions: Reactions,
    views: Views,
}

/// Why a snapshot is not used.
#[derive(Debug)]
enum Unfit {
    /// Nothing is wrong with it, but it is of another build, or was replaced by a newer one.
    Past(&'static str),
    /// It is damaged.
    Damaged(String),
    /// It is whole, and the log does not hold what it was made of.
    NotOfThisLog(u64, String),
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

impl From<&str> for Unfit {
    fn from(why: &str) -> Self {
        Self::Damaged(why.to_owned())
    }
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Past("a newer one has replaced it"),
            _ => Self::Damaged(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Unfit {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A whole snapshot of a commit that the log does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "position {position}: {} was made there, and {why}. Commits are lost, or this is another log: \
     restore the log. To go on with the log as it is, move the snapshot away: it is a cache",
    file.display()
)]
pub struct TailLost {
    /// The position of the snapshot.
    pub position: u64,
    /// The snapshot.
    pub file: PathBuf,
    /// Says what the log has there.
    pub why: String,
}

/// The snapshots of one log.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub dir: PathBuf,
    pub log: Arc<dyn Log>,
    pub runtime: Handle,
}

impl Shelf {
    /// Loads the newest snapshot that fits. Blocks.
    ///
    /// # Errors
    /// When a whole one was made of commits that the log does not have.
    pub fn load(&self) -> Result<Option<Content>, TailLost> {
        let files = match files(&self.dir) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, dir = %self.dir.display(), "no snapshot can be read");
                return Ok(None);
            }
        };
        for file in files.into_iter().rev() {
            let warn = |why| tracing::warn!(file = %file.display(), why, "ignoring a snapshot");
            match self.read(&file) {
                Ok(content) => return Ok(Some(content)),
                Err(Unfit::Past(why)) => warn(why),
                Err(Unfit::Damaged(why)) => warn(&why),
                Err(Unfit::NotOfThisLog(position, why)) => {
                    return Err(TailLost { position, file, why });
                }
            }
        }
        Ok(None)
    }

    fn read(&self, file: &Path) -> Result<Content, Unfit> {
        let bytes = fs::read(file)?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no header")?;
        let (header, body) = (&bytes[..end], &bytes[end + 1..]);
        let header: Header = serde_json::from_slice(header)?;
        if Sha256Hex::of(body) != header.digest {
            return Err("its digest is wrong".into());
        }
        if !file.ends_with(name(header.position)) {
            return Err("its name is not that of its position".into());
        }
        self.is_of_this_log(&header)?;
        if header.shapes != SHAPES {
            return Err(Unfit::Past("another build made it"));
        }
        let (json, lines) = body.split_at_checked(header.json_bytes).ok_or("it is cut off")?;
        let StoredFolds { world, reactions, views } = serde_json::from_slice(json)?;
        let (lines, rest) = lines.as_chunks::<LINE_BYTES>();
        let lines: Vector<ReceiptLine> = lines.iter().map(ReceiptLine::from_bytes).collect();
        let positions = [world.position, views.position, lines.len() as u64];
        if !rest.is_empty() || positions.iter().any(|position| *position != header.position) {
            return Err("its parts are of different positions".into());
        }
        Ok(Content { world, reactions, views, lines })
    }

    fn is_of_this_log(&self, header: &Header) -> Result<(), Unfit> {
        let position = header.position;
        // Asked for now: whoever writes the log may have gone on since we began.
        let head = self.runtime.block_on(self.log.head());
        let head = head.map_err(|error| error.to_string())?;
        let other = |why| Err(Unfit::NotOfThisLog(position, why));
        if position > head {
            return other(format!("the log ends at {head}"));
        }
        if self.commit_hash(position)? != header.commit {
            return other("the log has another commit there".to_owned());
        }
        Ok(())
    }

    fn commit_hash(&self, position: u64) -> Result<Sha256Hex, String> {
        commit_hash(&self.log, &self.runtime, position)
    }

    /// Writes a snapshot: whole, under its name, or not at all. Blocks.
    fn write(&self, content: &Content) -> Result<(), String> {
        let position = content.world.position;
        let Content { world, reactions, views, lines } = content;
        let folds = Folds { world, reactions, views };
        let mut body = serde_json::to_vec(&folds).map_err(|error| error.to_string())?;
        let json_bytes = body.len();
        body.reserve(lines.len() * LINE_BYTES);
        lines.iter().for_each(|line| body.extend_from_slice(&line.to_bytes()));
        let header = Header {
            position,
            commit: self.commit_hash(position)?,
            shapes: SHAPES.to_owned(),
            json_bytes,
            digest: Sha256Hex::of(&body),
        };
        let mut header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
        header.push(b'\n');
        self.store(position, &header, &body).map_err(|error| error.to_string())
    }

    fn store(&self, position: u64, header: &[u8], body: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let file = self.dir.join(name(position));
        let unfinished = file.with_extension("tmp");
        let mut out = File::create(&unfinished)?;
        out.write_all(header)?;
        out.write_all(body)?;
        out.sync_all()?;
        fs::rename(&unfinished, &file)?;
        #[cfg(unix)]
        File::open(&self.dir)?.sync_all()?;
        let files = files(&self.dir)?;
        let mut old = files.iter().rev().skip(KEPT);
        old.try_for_each(fs::remove_file)
    }
}

/// SHA-256 of the commit at a position. Blocks.
pub(super) fn commit_hash(
    log: &Arc<dyn Log>,
    runtime: &Handle,
    position: u64,
) -> Result<Sha256Hex, String> {
    let groups = runtime.block_on(log.read(position, 1)).map_err(|error| error.to_string())?;
    let entry = groups.first().filter(|group| group.first == position);
    let entry = entry.and_then(|group| group.entries.first());
    Ok(Sha256Hex::of(entry.ok_or("the log has no such commit")?))
}

fn name(position: u64) -> String {
    format!("{position:020}.{EXTENSION}")
}

/// The snapshots in a directory, the oldest first: their names are their positions.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == EXTENSION));
    files.sort();
    Ok(files)
}

/// Writes snapshots beside the work.
pub(crate) struct Snapshots {
    shelf: Shelf,
    every: u64,
    last: u64,
    writing: Option<JoinHandle<()>>,
}

impl Snapshots {
    pub fn new(shelf: Shelf, every: u64, last: u64) -> Self {
        Self { shelf, every, last, writing: None }
    }

    /// Gives the position of the last one.
    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn is_due(&self, position: u64) -> bool {
        let is_idle = || self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        position >= self.last + self.every && is_idle()
    }

    /// Writes one in the background.
    pub fn write(&mut self, content: Content) {
        self.last = content.world.position;
        let shelf = self.shelf.clone();
        let spawned = thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || report(&shelf, &content));
        self.writing = spawned.ok();
    }

    /// Writes the last one, unless there is nothing new.
    pub fn write_last(&mut self, content: &Content) {
        if let Some(writing) = self.writing.take() {
            // If it panicked, it has said so itself.
            let _ = writing.join();
        }
        if content.world.position > self.last {
            report(&self.shelf, content);
        }
    }
}

fn report(shelf: &Shelf, content: &Content) {
    let position = content.world.position;
    match shelf.write(content) {
        Ok(()) => tracing::info!(position, "wrote a snapshot"),
        Err(error) => tracing::warn!(%error, position, "a snapshot could not be written"),
    }
}
