//! Verification of a whole log on the disk, beside bare SHA-256 of the same bytes.

use super::measure::Turn;
use super::workload::Fill;
use super::writing::Place;
use super::{BenchError, key};
use crate::clock::Clock;
use crate::engine::{self, Engine};
use crate::proof::{self, OpenAgain, Prover};
use bytes::Bytes;
use eventlog::tlog::{Builder, Checkpoint, Hash};
use eventlog::{Log, Sqlite, sqlite};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tranche_proof::{Check, DIRECTORY, Shelf, verify};

/// So many commits are in a group of the log.
const GROUP: usize = 256;
/// How much of the file is read at once, in bytes.
const READ_BYTES: usize = 1 << 20;

/// What was measured. Things are entries, each with one event.
#[derive(Debug, Default)]
pub struct Verifying {
    /// How many entries there are.
    pub entries: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// One SHA-256 over all bytes, from memory: the ceiling.
    pub bare: Vec<Turn>,
    /// One SHA-256 over the file of the log.
    pub file: Vec<Turn>,
    /// Leaves and nodes of the tree, from memory.
    pub tree: Vec<Turn>,
    /// What `tranche verify --bytes` does: the log is opened and read, and its tree held against the tiles and
    /// the signed checkpoint.
    pub log: Vec<Turn>,
    /// All that `tranche verify` does.
    pub everything: Vec<Turn>,
    /// What a running service does: the tree, and every view folded anew and held against the live ones.
    pub service: Vec<Turn>,
}

/// Verifies a log of so many entries; every contender has `turns` turns, in alternation.
///
/// # Errors
/// When the log cannot be made or read, or something is found.
pub async fn verifying(
    directory: &Path,
    entries: usize,
    turns: usize,
    tell: &dyn Fn(&str),
) -> Result<Verifying, BenchError> {
    tell(&format!("a log of {entries} events is made"));
    let place = Place::new(directory)?;
    let entries = fill(&place.0, entries).await?;
    let bytes: Vec<u8> = entries.concat();
    let shelf = place.0.join(DIRECTORY);
    let prover = Prover::open(open(&place.0)?, &shelf, vec![key()]).await?;
    let prover = Arc::new(prover);
    let (signed, _) = prover.checkpoint()?;
    let count = entries.len() as u64;
    let mut verifying =
        Verifying { entries: count, bytes: bytes.len() as u64, ..Verifying::default() };
    let engine =
        Engine::open(open(&place.0)?, Clock::system(), engine::EngineOptions::default()).await?;
    let again = place.0.clone();
    let again: OpenAgain = Arc::new(move || {
        let log = open(&again);
        Box::pin(async move { log })
    });
    for turn in 1..=turns {
        tell(&format!("verification, turn {turn} of {turns}"));
        let timed = |start: Instant| Turn { done: count, took: start.elapsed(), ..Turn::default() };
        let start = Instant::now();
        black_box(Sha256::digest(&bytes));
        verifying.bare.push(timed(start));
        let start = Instant::now();
        hash_file(&place.0.join("log.sqlite"))?;
        verifying.file.push(timed(start));
        let start = Instant::now();
        let root = root_of(&entries);
        verifying.tree.push(timed(start));
        let start = Instant::now();
        let (log, check) = (open(&place.0)?, expecting(&shelf, &signed)?);
        check_tree(log, check, count).await?;
        verifying.log.push(timed(start));
        assert_eq!(root, signed.root, "the tree of the log is that of its entries");
        let start = Instant::now();
        sound(&sqlite::check(&place.0)?.damages)?;
        let (log, check) = (open(&place.0)?, expecting(&shelf, &signed)?);
        let checked = verify::entries(log, count, (check, None), |_| ()).await?;
        verifying.everything.push(timed(start));
        sound(&checked.findings)?;
        let start = Instant::now();
        sound(&proof::verify_once(&again, &engine.reader(), Arc::clone(&prover)).await?)?;
        verifying.service.push(timed(start));
    }
    engine.stop().await;
    Ok(verifying)
}

/// Writes a log, and gives its entries.
async fn fill(dir: &Path, count: usize) -> Result<Vec<Bytes>, BenchError> {
    let mut fill = Fill::default();
    let made: Result<Vec<Bytes>, domain::Refusal> =
        (0..count).map(|_| Ok(fill.next()?.1.into())).collect();
    let (entries, log) = (made?, Sqlite::open(dir)?);
    let mut head = 0;
    for group in entries.chunks(GROUP) {
        head = log.append(head, group.to_vec()).await?;
    }
    Ok(entries)
}

fn open(dir: &Path) -> Result<Arc<dyn Log>, eventlog::Error> {
    Ok(Arc::new(Sqlite::open_unchecked(dir)?))
}

fn expecting(shelf: &Path, signed: &Checkpoint) -> Result<Check, BenchError> {
    let mut check = Check::new(Some(Shelf::open(shelf).map_err(proof::ProofError::from)?));
    check.expect_all([signed.clone()]);
    Ok(check)
}

async fn check_tree(log: Arc<dyn Log>, check: Check, to: u64) -> Result<(), BenchError> {
    let (found, held) = check.take_log(log, to).await?.finish();
    assert_eq!(held, 1, "the signed checkpoint was held against the log");
    sound(&found)
}

/// What is found in a log that nobody has touched is a fault of ours.
fn sound<T: std::fmt::Debug>(findings: &[T]) -> Result<(), BenchError> {
    match findings.first() {
        None => Ok(()),
        Some(first) => Err(BenchError::Found(format!("{first:?}"))),
    }
}

fn hash_file(path: &Path) -> std::io::Result<()> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    black_box(hash.finalize());
    Ok(())
}

fn root_of(entries: &[Bytes]) -> Hash {
    let mut builder = Builder::default();
    for entry in entries {
        let Ok(()) = builder.push(Hash::leaf(entry), |_, _| Ok::<_, Infallible>(()));
    }
    builder.root()
}
