//! `tranche bench`: how fast we are, beside what the same disk and the same processor can do at best.
//!
//! Contenders take turns in one run, so that a noisy machine is noisy for all of them. The numbers
//! are integers; the page in `ADR/measurements.md` is what a run wrote.

mod client;
mod growing;
mod lineage;
mod machine;
mod measure;
#[cfg(feature = "nats")]
mod nats;
mod page;
mod reading;
mod rivals;
mod verifying;
mod workload;
mod writing;

pub use machine::Machine;
pub use page::{Against, Line, PAGE_START, Section, Target, markdown, text};

use crate::engine::{OpenError, SubmitError};
use domain::Refusal;
use eventlog::tlog::note::{Algorithm, Signer};
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use writing::{Contest, Place};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// How many durable commands a second.
    Writing,
    /// How many events a second into every view.
    Replay,
    /// How long a budget as of a moment takes.
    Past,
    /// How long the why of a figure takes.
    Why,
    /// What proof costs a writer and a leaf, and how long proofs and verification take.
    Proof,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everybody writes under this directory; nothing stays there.
    pub directory: PathBuf,
    /// Whether it is a short run, for a first impression.
    pub is_quick: bool,
    /// How long a turn of writing lasts.
    pub turn: Duration,
    /// How many turns everybody has.
    pub turns: usize,
    /// Which of the questions.
    pub questions: Vec<Question>,
    /// Numbers of clients.
    pub clients: Vec<usize>,
    /// So many events are replayed.
    pub replayed: usize,
    /// Lengths of the logs that are asked about the past, growing.
    pub lengths: Vec<usize>,
    /// Sizes of the trees that grow, growing.
    pub leaves: Vec<u64>,
    /// So many events are verified.
    pub verified: usize,
    /// Where a log over NATS is measured; streams are made there and deleted.
    #[cfg(feature = "nats")]
    pub nats: Vec<eventlog::nats::Options>,
}

impl Options {
    /// The whole measurement: minutes.
    #[must_use]
    pub fn whole(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            is_quick: false,
            turn: Duration::from_secs(1),
            turns: 5,
            questions: vec![
                Question::Writing,
                Question::Replay,
                Question::Past,
                Question::Why,
                Question::Proof,
            ],
            clients: vec![1, 64, 256, 1_024],
            replayed: 100_000,
            lengths: vec![10_000, 100_000, 1_000_000],
            leaves: vec![10_000, 1_000_000, 10_000_000],
            verified: 1_000_000,
            #[cfg(feature = "nats")]
            nats: Vec::new(),
        }
    }

    /// Whether logs over NATS are measured.
    fn is_of_servers(&self) -> bool {
        #[cfg(feature = "nats")]
        let is_so = !self.nats.is_empty();
        #[cfg(not(feature = "nats"))]
        let is_so = false;
        is_so
    }

    /// A short one: seconds.
    #[must_use]
    pub fn quick(directory: &Path) -> Self {
        Self {
            is_quick: true,
            turn: Duration::from_millis(300),
            turns: 1,
            replayed: 20_000,
            lengths: vec![10_000, 100_000],
            leaves: vec![10_000, 100_000],
            verified: 20_000,
            ..Self::whole(directory)
        }
    }
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// On what.
    pub machine: Machine,
    /// Why the numbers mean little.
    pub warnings: Vec<String>,
    /// The numbers.
    pub sections: Vec<Section>,
    #[serde(skip)]
    options: Options,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The directory, a file or a connection.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The log said no.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// The engine did not start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A command has no receipt.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A command of the workload cannot be read, or a rule refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Plain SQLite said no.
    #[error("plain SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The server gave another answer than we want.
    #[error("{0} was answered with status {1}")]
    Answer(String, u16),
    /// The tree of a log.
    #[error(transparent)]
    Proof(#[from] crate::proof::ProofError),
    /// A proof of ours does not hold.
    #[error(transparent)]
    Tlog(#[from] eventlog::tlog::Error),
    /// Figures cannot be made.
    #[error(transparent)]
    Figures(#[from] prometheus::Error),
    /// Verification found something in a log that nobody has touched.
    #[error("verification of a sound log found: {0}")]
    Found(String),
    /// A part of the measurement panicked.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Measures; `tell` hears what is going on.
///
/// # Errors
/// When a contender cannot do its work.
pub async fn run(
    options: &Options,
    at: Timestamp,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> Result<Outcome, BenchError> {
    let place = Place::new(&options.directory)?;
    let mut machine = Machine::look(&place.0, at);
    let Options { turn, turns, .. } = *options;
    let asks = |question| options.questions.contains(&question);
    let mut sections = Vec::new();
    if asks(Question::Writing) {
        let contest = Contest { directory: &place.0, length: turn };
        sections.push(page::writing(&contest.run(&options.clients, turns, &tell).await?));
    }
    #[cfg(feature = "nats")]
    if !options.nats.is_empty() {
        let contest = Contest { directory: &place.0, length: turn };
        sections.extend(nats::run(options, &contest, &tell).await?);
    }
    let (asks_replay, asks_past) = (asks(Question::Replay), asks(Question::Past));
    let asks_why = asks(Question::Why);
    let tell = Arc::new(tell);
    let telling = Arc::clone(&tell);
    let longest = options.lengths.last().copied().unwrap_or(0);
    let (replayed, lengths) = (options.replayed, options.lengths.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let (mut sections, tell) = (Vec::new(), &*telling);
        if asks_replay {
            sections.push(page::replay(&reading::replay(replayed, turns, tell)?));
        }
        if asks_past {
            sections.push(page::past(&reading::past(&lengths, turns, tell)?));
        }
        if asks_why {
            sections.push(page::why(&lineage::whys(longest, turns, tell)));
        }
        Ok::<_, Refusal>(sections)
    });
    sections.extend(reading.await??);
    if asks(Question::Proof) {
        let contest = Contest { directory: &place.0, length: turn };
        sections.push(page::proven(&contest.proven(&options.clients, turns, &*tell).await?));
        let growing = growing::growing(&place.0, &options.leaves, turns, &*tell).await?;
        sections.extend([page::growing(&growing), page::proofs(&growing)]);
        let verified = options.verified;
        sections
            .push(page::verifying(&verifying::verifying(&place.0, verified, turns, &*tell).await?));
    }
    machine.look_after();
    Ok(Outcome { warnings: machine.warnings(), machine, sections, options: options.clone() })
}

/// The key that signs what is measured. Its seed is no secret, since it signs nothing else.
fn key() -> Signer {
    Signer::from_seed("bench.example/tranche", Algorithm::Ed25519, &[7; 32])
        .expect("a literal name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tiny_measurement_goes_through_and_leaves_nothing_behind() {
        let place = Place::new(&std::env::temp_dir()).unwrap();
        let options = Options {
            turn: Duration::from_millis(20),
            clients: vec![1, 3],
            replayed: 50,
            lengths: vec![100, 400],
            leaves: vec![300, 1_000],
            verified: 600,
            ..Options::quick(&place.0)
        };
        let outcome = run(&options, Timestamp::UNIX_EPOCH, |_| ()).await.unwrap();
        let counts: Vec<usize> = outcome.sections.iter().map(|it| it.lines.len()).collect();
        assert_eq!(counts, [9, 4, 2, 10, 4, 2, 3, 6]);
        let lines = outcome.sections.iter().flat_map(|section| &section.lines);
        for line in lines.clone() {
            assert!(line.per_second > 0, "{line:?}");
        }
        let (text, page) = (text(&outcome), markdown(&outcome));
        for line in lines {
            assert!(text.contains(&line.contender) && page.contains(&line.contender));
        }
        assert!(page.contains("debug build"), "{page}");
        assert!(!page.contains(place.0.to_str().unwrap()), "no path of one machine");
        assert_eq!(std::fs::read_dir(&place.0).unwrap().count(), 0);
    }
}
