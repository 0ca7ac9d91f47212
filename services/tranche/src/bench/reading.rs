//! Reading: replay into all projections against decoding alone, and the budget as of random moments
//! on logs of several lengths.

use super::measure::Turn;
use super::workload::{Fill, first_instant};
use domain::{Commit, Refusal};
use jiff::ToSpan;
use projections::{AsOf, CommitSource, History, Query, SourceError, Views};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// So many questions about the past are asked of each log in a turn.
const QUESTIONS: u64 = 500;

/// Events, decoded and folded; every commit here has one.
#[derive(Debug, Default)]
pub struct Replay {
    /// How many events there were.
    pub events: u64,
    /// Bytes of an entry, on average.
    pub entry_bytes: u64,
    /// Into `serde_json::Value`.
    pub untyped: Vec<Turn>,
    /// Into typed commits, nothing done with them.
    pub typed: Vec<Turn>,
    /// Into typed commits and every view, on one thread.
    pub folded: Vec<Turn>,
    /// The same on two threads, as an engine starts: one decodes while the other folds.
    pub pipelined: Vec<Turn>,
}

/// Measures replay over `events` events; every contender has `turns` turns, in alternation.
///
/// # Errors
/// When the workload is refused.
pub fn replay(events: usize, turns: usize, tell: &dyn Fn(&str)) -> Result<Replay, Refusal> {
    let mut fill = Fill::default();
    let made: Result<Vec<_>, Refusal> = (0..events).map(|_| Ok(fill.next()?.1)).collect();
    let entries = made?;
    let bytes: usize = entries.iter().map(Vec::len).sum();
    let entry_bytes = (bytes / events.max(1)) as u64;
    let mut replay = Replay { events: events as u64, entry_bytes, ..Replay::default() };
    for turn in 1..=turns {
        tell(&format!("replay, turn {turn} of {turns}"));
        replay.untyped.push(timed(&entries, |entry| {
            black_box(serde_json::from_slice::<serde_json::Value>(entry).ok());
        }));
        replay.typed.push(timed(&entries, |entry| {
            black_box(Commit::decode(entry).ok());
        }));
        let mut views = Views::default();
        replay.folded.push(timed(&entries, |entry| {
            if let Ok(commit) = Commit::decode(entry) {
                views.apply(&commit);
            }
        }));
        assert_eq!(views.position, replay.events, "every entry is folded");
        replay.pipelined.push(pipelined(&entries));
    }
    Ok(replay)
}

fn timed(entries: &[Vec<u8>], mut work: impl FnMut(&[u8])) -> Turn {
    let start = Instant::now();
    entries.iter().for_each(|entry| work(entry));
    Turn { done: entries.len() as u64, took: start.elapsed(), latencies: Vec::new() }
}

/// So many commits are handed from the decoding to the folding thread at once.
const BATCH: usize = 512;
/// So many batches may wait between them.
const BATCHES_WAITING_MAX: usize = 8;

fn pipelined(entries: &[Vec<u8>]) -> Turn {
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
        black_box(views);
    });
    Turn { done: entries.len() as u64, took: start.elapsed(), latencies: Vec::new() }
}

/// One length of log: how long a budget as of a random moment takes.
#[derive(Debug)]
pub struct Past {
    /// Events in the log.
    pub events: usize,
    /// Each turn has many questions.
    pub turns: Vec<Turn>,
}

/// Asks for the budget as of random moments (effective and recorded alternate) of logs of these
/// lengths, which grow; the shorter ones are the beginning of the longest.
///
/// # Errors
/// When the workload is refused.
pub fn past(lengths: &[usize], turns: usize, tell: &dyn Fn(&str)) -> Result<Vec<Past>, Refusal> {
    let mut fill = Fill::default();
    let (mut entries, mut history) = (Entries::default(), History::default());
    let mut logs = Vec::new();
    for length in lengths {
        tell(&format!("a log of {length} events is made"));
        while entries.0.len() < *length {
            let (commit, bytes) = fill.next()?;
            history.apply(&Arc::new(commit));
            entries.0.push(bytes.into());
        }
        logs.push((Past { events: *length, turns: Vec::new() }, history.clone()));
    }
    for turn in 0..turns {
        tell(&format!("the past, turn {} of {turns}", turn + 1));
        for (past, history) in &mut logs {
            past.turns.push(ask(history, past.events as u64, &entries, turn as u64));
        }
    }
    Ok(logs.into_iter().map(|(past, _)| past).collect())
}

fn ask(history: &History, length: u64, entries: &Entries, seed: u64) -> Turn {
    let mut turn = Turn::default();
    let start = Instant::now();
    for question in 0..QUESTIONS {
        // A sequence that jumps all over the log and is the same in every run.
        let number = question + seed * QUESTIONS;
        let minute = number.wrapping_mul(11_400_714_819_323_198_485) % length;
        let minutes = i64::try_from(minute).unwrap_or(0).minutes();
        let instant = first_instant().checked_add(minutes).ok();
        let moment = if question.is_multiple_of(2) {
            AsOf { as_of: instant, ..AsOf::NOW }
        } else {
            AsOf { known_at: instant, ..AsOf::NOW }
        };
        let report = turn.time(|| history.report("budget", &Query::at(moment), entries));
        assert!(report.is_ok_and(|report| report.is_some()), "the past is answered");
    }
    Turn::join(vec![turn], start.elapsed())
}

/// The stored bytes, decoded when they are asked for, as from a log.
#[derive(Default)]
pub struct Entries(pub Vec<Box<[u8]>>);

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
