//! The tree of long logs: what a leaf costs, and what the proof of a commit does. The tree and its tiles
//! are on the disk, made by the code that a service runs; the entries are made up when they are read, so
//! that a log of ten million of them takes no disk.

use super::measure::Turn;
use super::writing::{Place, sample};
use super::{BenchError, key};
use crate::proof::Prover;
use async_trait::async_trait;
use bytes::Bytes;
use eventlog::tlog::Proof;
use eventlog::{Error, Group, Log, Position};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tranche_proof::DIRECTORY;

/// So many leaves are appended at once: as many as a tile holds.
const BATCH: u64 = 256;
/// So many times in a turn.
const BATCHES: u64 = 40;
/// A tree up to this size is made anew for each turn, so that it stays as small as it is said to be.
const REMADE_MAX: u64 = 100_000;
/// So many proofs are made and checked in a turn.
const PROOFS: u64 = 1_000;
/// So many times in a turn a tree is opened anew to make one.
const OPENED: u64 = 20;
/// As many hexadecimal digits as a number has.
const DIGITS: usize = 16;
/// After this, an entry has more digits than that, which tell nobody anything.
const BEFORE_DIGITS: &[u8] = br#""command_hash":""#;

/// A tree that began with so many leaves.
#[derive(Debug)]
pub struct Grown {
    /// How many.
    pub leaves: u64,
    /// Each turn appends; the time of one leaf is that of a batch, divided.
    pub turns: Vec<Turn>,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Growing {
    /// By size.
    pub grown: Vec<Grown>,
    /// Bytes of an entry, on average.
    pub entry_bytes: u64,
    /// Proofs of random commits of the largest tree, which is open.
    pub made: Vec<Turn>,
    /// The same, and the tree is opened for each.
    pub opened: Vec<Turn>,
    /// Each proof read as a file and checked, with its entry and the public key.
    pub checked: Vec<Turn>,
}

/// Lets trees of these sizes grow, in alternation, and asks the largest for proofs.
///
/// # Errors
/// When a tile cannot be written or read.
pub async fn growing(
    directory: &Path,
    sizes: &[u64],
    turns: usize,
    tell: &dyn Fn(&str),
) -> Result<Growing, BenchError> {
    let sample = sample()?;
    let bytes: usize = sample.iter().map(Bytes::len).sum();
    let entry_bytes = (bytes / sample.len().max(1)) as u64;
    let mut growing = Growing { entry_bytes, ..Growing::default() };
    let mut trees = Vec::new();
    for size in sizes {
        tell(&format!("a tree of {size} leaves is made"));
        trees.push((*size, Tree::of(directory, *size, &sample).await?));
        growing.grown.push(Grown { leaves: *size, turns: Vec::new() });
    }
    for turn in 0..turns {
        tell(&format!("trees grow, turn {} of {turns}", turn + 1));
        for ((size, tree), grown) in trees.iter_mut().zip(&mut growing.grown) {
            if turn > 0 && *size <= REMADE_MAX {
                *tree = Tree::of(directory, *size, &sample).await?;
            }
            grown.turns.push(tree.grow().await?);
        }
    }
    let Some((_, tree)) = trees.pop() else { return Ok(growing) };
    for turn in 0..turns as u64 {
        tell(&format!("proofs, turn {} of {turns}", turn + 1));
        let (made, checked) = tree.prove(turn).await?;
        growing.made.push(made);
        growing.checked.push(checked);
        growing.opened.push(tree.prove_anew(turn).await?);
    }
    Ok(growing)
}

/// A tree beside a log that is made up.
struct Tree {
    place: Place,
    log: Arc<MadeUp>,
    prover: Prover,
}

impl Tree {
    async fn of(directory: &Path, size: u64, sample: &[Bytes]) -> Result<Self, BenchError> {
        let place = Place::new(directory)?;
        let log = Arc::new(MadeUp { sample: sample.to_vec(), head: AtomicU64::new(size) });
        let prover = Prover::open(log.clone(), &place.0.join(DIRECTORY), vec![key()]).await?;
        Ok(Self { place, log, prover })
    }

    /// A turn of appending.
    async fn grow(&self) -> Result<Turn, BenchError> {
        let mut turn = Turn { done: BATCHES * BATCH, ..Turn::default() };
        for _ in 0..BATCHES {
            self.log.head.fetch_add(BATCH, Ordering::Relaxed);
            let began = Instant::now();
            self.prover.catch_up().await?;
            let took = began.elapsed();
            turn.took += took;
            turn.latencies.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / BATCH);
        }
        turn.latencies.sort_unstable();
        Ok(turn)
    }

    /// Proofs of random commits, and their checks.
    async fn prove(&self, seed: u64) -> Result<(Turn, Turn), BenchError> {
        // Signed once, as a service does when it has grown; every proof rests on it.
        self.prover.checkpoint()?;
        let (mut made, mut checked) = (Turn::default(), Turn::default());
        let (known, origin) = (self.prover.verifiers().to_vec(), self.prover.origin().to_owned());
        for question in 0..PROOFS {
            let position = self.random(seed * PROOFS + question);
            let proof = made.time(|| self.prover.proof(position))?.expect("it is in the tree");
            let (file, entry) = (proof.to_string(), self.log.entry(position));
            checked.time(|| Proof::parse(&file)?.verify(&entry, &known, &origin))?;
        }
        Ok((alone(made), alone(checked)))
    }

    /// The same with a tree that is opened for each proof, as a process does that has just begun.
    async fn prove_anew(&self, seed: u64) -> Result<Turn, BenchError> {
        let mut turn = Turn::default();
        for question in 0..OPENED {
            let position = self.random(seed * OPENED + question);
            let (log, dir) = (self.log.clone(), self.place.0.join(DIRECTORY));
            let began = Instant::now();
            let prover = Prover::open(log, &dir, vec![key()]).await?;
            prover.proof(position)?.expect("it is in the tree");
            turn.count(began);
        }
        Ok(alone(turn))
    }

    /// A position, from a sequence that jumps all over the log and is the same in every run.
    fn random(&self, number: u64) -> Position {
        let number = number.wrapping_mul(11_400_714_819_323_198_485);
        number % self.log.head.load(Ordering::Relaxed) + 1
    }
}

/// One client: the times of its things are all of its time.
fn alone(turn: Turn) -> Turn {
    let took = std::time::Duration::from_nanos(turn.latencies.iter().sum());
    Turn::join(vec![turn], took)
}

/// A log whose entries are those of the workload, with the position in each.
#[derive(Debug)]
struct MadeUp {
    sample: Vec<Bytes>,
    head: AtomicU64,
}

impl MadeUp {
    fn entry(&self, position: Position) -> Bytes {
        let index = usize::try_from(position).unwrap_or(0) % self.sample.len();
        let mut entry = self.sample[index].to_vec();
        // The mark is in the first part of every entry of ours.
        let mark = entry.windows(BEFORE_DIGITS.len()).position(|window| window == BEFORE_DIGITS);
        if let Some(from) = mark.map(|mark| mark + BEFORE_DIGITS.len())
            && let Some(digits) = entry.get_mut(from..from + DIGITS)
        {
            digits.copy_from_slice(format!("{position:0>DIGITS$x}").as_bytes());
        }
        entry.into()
    }
}

#[async_trait]
impl Log for MadeUp {
    async fn append(&self, _: Position, _: Vec<Bytes>) -> Result<Position, Error> {
        Err(Error::ReadOnly)
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        let (from, head) = (from.max(1), self.head.load(Ordering::Relaxed));
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for position in from..=head {
            let entry = self.entry(position);
            bytes += entry.len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(if entries.is_empty() { Vec::new() } else { vec![Group { first: from, entries }] })
    }

    async fn head(&self) -> Result<Position, Error> {
        Ok(self.head.load(Ordering::Relaxed))
    }

    async fn wait_for(&self, _: Position) -> Result<Position, Error> {
        self.head().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventlog::tlog::Tree as _;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn no_two_entries_are_alike_and_each_is_of_its_length() {
        let sample = sample().unwrap();
        let log = MadeUp { sample, head: AtomicU64::new(2_500) };
        let groups = log.read(1, 1 << 30).await.unwrap();
        let entries: BTreeSet<_> = groups.iter().flat_map(|group| &group.entries).collect();
        assert_eq!(entries.len(), 2_500);
        let entry = log.entry(2_001);
        assert_eq!(entry.len(), log.sample[1].len());
        assert!(domain::Commit::decode(&entry).is_ok());
        assert!(log.read(2_501, 1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_tree_that_grew_in_turns_is_that_of_its_log() {
        let sample = sample().unwrap();
        let tree = Tree::of(&std::env::temp_dir(), 1_000, &sample).await.unwrap();
        let turn = tree.grow().await.unwrap();
        assert_eq!((turn.done, turn.latencies.len()), (10_240, 40));
        let whole = Tree::of(&std::env::temp_dir(), 11_240, &sample).await.unwrap();
        assert_eq!(tree.prover.root(11_240).unwrap(), whole.prover.root(11_240).unwrap());
    }
}
