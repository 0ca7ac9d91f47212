//! Reading: replay into all projections against decoding alone, and the budget as of random moments
//! on logs of three lengths.

use super::measure::{Turn, median, micros};
use super::workload::Fill;
use bytes::Bytes;
use domain::{Commit, Refusal};
use jiff::{Timestamp, ToSpan};
use projections::{AsOf, CommitSource, History, Query, SourceError, Views};
use std::sync::Arc;
use std::time::Instant;

/// So many questions about the past are asked of each log.
const QUESTIONS: u64 = 200;

/// Rates in events per second over the same bytes.
#[derive(Debug)]
pub struct Replay {
    /// How many events there were.
    pub events: u64,
    /// Into `serde_json::Value`.
    pub untyped: Turn,
    /// Into typed commits, nothing done with them.
    pub decode: Turn,
    /// Into typed commits and every projection, on one thread.
    pub fold: Turn,
    /// As `tranche replay` does it: one thread decodes while the other folds.
    pub replay: Turn,
}

/// Measures replay over `events` events; every contender has `turns` turns, in alternation.
///
/// # Errors
/// When the workload is refused.
pub fn replay(events: usize, turns: usize) -> Result<Replay, Refusal> {
    let entries = Fill::default().next(events)?;
    let (mut untyped, mut decode, mut fold, mut replay) = (vec![], vec![], vec![], vec![]);
    for _ in 0..turns {
        untyped.push(timed(&entries, |entry| {
            let value: serde_json::Value = serde_json::from_slice(entry).unwrap_or_default();
            std::hint::black_box(value);
        }));
        decode.push(timed(&entries, |entry| {
            std::hint::black_box(Commit::decode(entry).ok());
        }));
        let mut views = Views::default();
        fold.push(timed(&entries, |entry| {
            if let Ok(commit) = Commit::decode(entry) {
                views.apply(&commit);
            }
        }));
        replay.push(pipelined(&entries));
    }
    Ok(Replay {
        events: entries.len() as u64,
        untyped: median(untyped),
        decode: median(decode),
        fold: median(fold),
        replay: median(replay),
    })
}

fn timed(entries: &[Bytes], mut work: impl FnMut(&Bytes)) -> Turn {
    let start = Instant::now();
    entries.iter().for_each(&mut work);
    Turn { done: entries.len() as u64, took: start.elapsed(), latencies_us: Vec::new() }
}

/// So many commits are handed from the decoding to the folding thread at once.
const BATCH: usize = 512;
/// So many batches may wait between them.
const BATCHES_WAITING_MAX: usize = 8;

fn pipelined(entries: &[Bytes]) -> Turn {
    let start = Instant::now();
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<Commit>>(BATCHES_WAITING_MAX);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for batch in entries.chunks(BATCH) {
                let commits = batch.iter().filter_map(|entry| Commit::decode(entry).ok()).collect();
                if sender.send(commits).is_err() {
                    break;
                }
            }
        });
        let mut views = Views::default();
        for commits in receiver {
            commits.iter().for_each(|commit| views.apply(commit));
        }
        std::hint::black_box(views);
    });
    Turn { done: entries.len() as u64, took: start.elapsed(), latencies_us: Vec::new() }
}

/// One length of log: how long a budget as of a random moment takes.
#[derive(Debug)]
pub struct Past {
    /// Events in the log.
    pub events: u64,
    /// One turn of many questions.
    pub questions: Turn,
}

/// Asks for the budget as of random moments (effective and recorded alternate) of logs of these lengths.
///
/// # Errors
/// When the workload is refused.
pub fn past(lengths: &[usize], turns: usize) -> Result<Vec<Past>, Refusal> {
    let mut logs = Vec::new();
    for length in lengths {
        let entries = Fill::default().next(*length)?;
        let mut history = History::default();
        for entry in &entries {
            if let Ok(commit) = Commit::decode(entry) {
                history.apply(&Arc::new(commit));
            }
        }
        logs.push((history, Entries(entries)));
    }
    let mut all: Vec<Vec<Turn>> = lengths.iter().map(|_| Vec::new()).collect();
    for turn in 0..turns {
        for (index, (history, entries)) in logs.iter().enumerate() {
            all[index].push(ask(history, entries, turn as u64));
        }
    }
    let events = logs.iter().map(|(_, entries)| entries.0.len() as u64);
    Ok(events.zip(all).map(|(events, turns)| Past { events, questions: median(turns) }).collect())
}

fn ask(history: &History, entries: &Entries, seed: u64) -> Turn {
    let first: Timestamp = "2015-01-01T00:00:00Z".parse().unwrap_or_default();
    let length = entries.0.len() as u64;
    let start = Instant::now();
    let mut latencies_us = Vec::new();
    for question in 0..QUESTIONS {
        // A fixed sequence that jumps all over the log; not random on purpose.
        let minute = (question * 7_919 + seed * 104_729).wrapping_mul(2_654_435_761) % length;
        let instant = first.checked_add(i64::try_from(minute).unwrap_or(0).minutes()).unwrap_or(first);
        let moment = if question % 2 == 0 {
            AsOf { as_of: Some(instant), ..AsOf::NOW }
        } else {
            AsOf { known_at: Some(instant), ..AsOf::NOW }
        };
        let began = Instant::now();
        std::hint::black_box(history.report("budget", &Query::at(moment), entries).ok());
        latencies_us.push(micros(began));
    }
    latencies_us.sort_unstable();
    Turn { done: QUESTIONS, took: start.elapsed(), latencies_us }
}

/// The stored bytes, decoded when they are asked for, as from a log.
struct Entries(Vec<Bytes>);

impl CommitSource for Entries {
    fn read(&self, from: u64, to: u64) -> Result<Vec<Arc<Commit>>, SourceError> {
        (from..=to)
            .map(|position| {
                let index = usize::try_from(position - 1).unwrap_or(usize::MAX);
                let entry = self.0.get(index).ok_or(SourceError::Missing(position))?;
                let commit = Commit::decode(entry);
                commit.map(Arc::new).map_err(|error| SourceError::Log(Box::new(error)))
            })
            .collect()
    }
}

