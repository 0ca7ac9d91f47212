//! A log over NATS: durable commands beside what the same servers take at best, beside one message for
//! each event, and beside SQLite; and its replay beside SQLite's. Every turn has a stream of its own,
//! which is deleted after it.

use super::measure::{Turn, percent};
use super::page::{Line, Section, Target, rates};
use super::workload::Fill;
use super::writing::{Contest, Place, prepare, sample, submit_together, together};
use super::{BenchError, Options};
use crate::clock::Clock;
use crate::engine::{self, Engine};
use async_nats::HeaderMap;
use bytes::Bytes;
use eventlog::nats::{REPLICAS, Wire};
use eventlog::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Log, Nats, Sqlite};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The number of clients.
const CLIENTS: usize = 256;
/// In process, at least so many percent of the raw packed publish.
const RAW_TARGET: Target = Target::AtLeast(60);
/// Replay, at least so many percent of SQLite's.
const REPLAY_TARGET: Target = Target::AtLeast(70);
/// Entries of a group of the log that is replayed.
const REPLAYED_GROUP: usize = 256;
/// How long one message may take to be stored.
const STORED_WAIT: Duration = Duration::from_secs(10);
/// Names the message that a message must follow.
const EXPECTED: &str = "Nats-Expected-Last-Sequence";

/// Servers, and what was measured there.
struct Site {
    options: eventlog::nats::Options,
    raw: Vec<Turn>,
    engine: Vec<Turn>,
    single: Vec<Turn>,
    replay: Vec<Turn>,
}

impl Site {
    fn name(&self) -> String {
        let replicas = self.options.replicas;
        if replicas == 1 {
            "one node".to_owned()
        } else {
            format!("{replicas} of {REPLICAS} nodes")
        }
    }

    /// A new log there.
    async fn open(&self) -> Result<Nats, BenchError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let stream = format!("{}-{}-{number}", self.options.stream, std::process::id());
        Ok(Nats::open(&eventlog::nats::Options { stream, ..self.options.clone() }).await?)
    }
}

/// Measures at every address.
pub async fn run(
    options: &Options,
    contest: &Contest<'_>,
    tell: &dyn Fn(&str),
) -> Result<Vec<Section>, BenchError> {
    let site = |options: &eventlog::nats::Options| Site {
        options: options.clone(),
        raw: Vec::new(),
        engine: Vec::new(),
        single: Vec::new(),
        replay: Vec::new(),
    };
    let mut sites: Vec<Site> = options.nats.iter().map(site).collect();
    let entries = Arc::new(sample()?);
    let mut sqlite = Vec::new();
    for turn in 1..=options.turns {
        tell(&format!("NATS, turn {turn} of {}", options.turns));
        sqlite.push(contest.in_process(CLIENTS).await?);
        for site in &mut sites {
            let (raw, single) = (site.open().await?, site.open().await?);
            site.raw.push(packed(raw.wire(), &entries, contest.length).await?);
            site.engine.push(in_process(site.open().await?, contest.length).await?);
            site.single.push(one_by_one(single.wire(), &entries, contest.length).await?);
            delete(raw.wire()).await?;
            delete(single.wire()).await?;
        }
    }
    let replayed = replay(options, &mut sites, tell).await?;
    Ok(vec![writing(&sites, &sqlite), reading(&sites, &replayed)])
}

async fn delete(wire: &Wire) -> Result<(), BenchError> {
    let deleted = wire.api("STREAM.DELETE", &serde_json::Value::Null).await?;
    deleted.map_err(|no| eventlog::Error::Unavailable(no.to_string()))?;
    Ok(())
}

async fn in_process(log: Nats, length: Duration) -> Result<Turn, BenchError> {
    let wire = log.wire().clone();
    let engine =
        Engine::open(Arc::new(log), Clock::system(), engine::EngineOptions::default()).await?;
    prepare(&engine).await?;
    let turn = submit_together(&engine, CLIENTS, length).await;
    engine.stop().await;
    delete(&wire).await?;
    turn
}

type Wish = (Bytes, oneshot::Sender<()>);

/// What the servers take at best: whatever waits as one message, which follows the one before.
async fn packed(
    wire: &Wire,
    entries: &Arc<Vec<Bytes>>,
    length: Duration,
) -> Result<Turn, BenchError> {
    let (wishes, waiting) = mpsc::channel::<Wish>(CLIENTS);
    let publisher = tokio::spawn(publish_groups(wire.clone(), waiting));
    let start = Instant::now();
    let client = |client: usize| {
        let (wishes, entries) = (wishes.clone(), Arc::clone(entries));
        tokio::spawn(async move {
            let mut turn = Turn::default();
            let mut mine = entries.iter().cycle().skip(client % entries.len());
            while let Some(entry) = mine.next().filter(|_| start.elapsed() < length) {
                let began = Instant::now();
                let (tell, told) = oneshot::channel();
                if wishes.send((entry.clone(), tell)).await.is_err() || told.await.is_err() {
                    break;
                }
                turn.count(began);
            }
            Ok(turn)
        })
    };
    let tasks = (0..CLIENTS).map(client).collect();
    drop(wishes);
    let turn = together(tasks, start).await;
    publisher.await??;
    turn
}

async fn publish_groups(wire: Wire, mut waiting: mpsc::Receiver<Wish>) -> Result<(), BenchError> {
    let (mut group, mut last) = (Vec::new(), 0_u64);
    while waiting.recv_many(&mut group, GROUP_ENTRIES_MAX).await > 0 {
        let mut body = Vec::new();
        for (entry, _) in &group {
            body.extend_from_slice(entry);
            body.push(b'\n');
        }
        debug_assert!(body.len() <= GROUP_BYTES_MAX, "some hundred clients, short entries");
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, last.to_string().as_str());
        last = store(&wire, headers, body.into()).await?;
        for (_, tell) in group.drain(..) {
            // A client that has left does not need to know.
            let _ = tell.send(());
        }
    }
    Ok(())
}

/// One message for each event, as many on their way as there are clients, and no order among them.
async fn one_by_one(
    wire: &Wire,
    entries: &Arc<Vec<Bytes>>,
    length: Duration,
) -> Result<Turn, BenchError> {
    let start = Instant::now();
    let client = |client: usize| {
        let (wire, entries) = (wire.clone(), Arc::clone(entries));
        tokio::spawn(async move {
            let mut turn = Turn::default();
            let mut mine = entries.iter().cycle().skip(client % entries.len());
            while let Some(entry) = mine.next().filter(|_| start.elapsed() < length) {
                let began = Instant::now();
                store(&wire, HeaderMap::new(), entry.clone()).await?;
                turn.count(began);
            }
            Ok(turn)
        })
    };
    together((0..CLIENTS).map(client).collect(), start).await
}

/// Publishes into the stream of a log, and returns the number of the message when it is stored.
async fn store(wire: &Wire, headers: HeaderMap, body: Bytes) -> Result<u64, BenchError> {
    let subject = format!("{}.log", wire.stream());
    let answer = wire.ask_within(STORED_WAIT, subject, headers, body).await?;
    let stored: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
    stored["seq"].as_u64().ok_or_else(|| {
        let what = String::from_utf8_lossy(&answer.payload).into_owned();
        eventlog::Error::Unavailable(what).into()
    })
}

/// Lets the same history be replayed from every log, in alternation; the turns of SQLite.
async fn replay(
    options: &Options,
    sites: &mut [Site],
    tell: &dyn Fn(&str),
) -> Result<Vec<Turn>, BenchError> {
    let place = Place::new(&options.directory)?;
    let sqlite: Arc<dyn Log> = Arc::new(Sqlite::open(&place.0)?);
    let mut logs: Vec<Arc<dyn Log>> = vec![sqlite];
    let mut wires = Vec::new();
    for site in &*sites {
        let log = site.open().await?;
        wires.push(log.wire().clone());
        logs.push(Arc::new(log));
    }
    let mut fill = Fill::default();
    let mut head = 0;
    while head < options.replayed as u64 {
        let entry = |_| fill.next().map(|(_, bytes)| Bytes::from(bytes));
        let group = (0..REPLAYED_GROUP).map(entry).collect::<Result<Vec<_>, _>>()?;
        for log in &logs {
            log.append(head, group.clone()).await?;
        }
        head += group.len() as u64;
    }
    let mut turns = vec![Vec::new(); logs.len()];
    for turn in 1..=options.turns {
        tell(&format!("replay from NATS, turn {turn} of {}", options.turns));
        for (log, turns) in logs.iter().zip(&mut turns) {
            let began = Instant::now();
            let report = engine::replay(Arc::clone(log), None).await?;
            let took = began.elapsed();
            turns.push(Turn { done: report.commits, took, latencies: Vec::new() });
        }
    }
    for wire in &wires {
        delete(wire).await?;
    }
    let mut turns = turns.into_iter();
    let sqlite = turns.next().unwrap_or_default();
    sites.iter_mut().zip(turns).for_each(|(site, turns)| site.replay = turns);
    Ok(sqlite)
}

fn ratio(part: &[Turn], whole: &[Turn]) -> u64 {
    percent(&rates(part), &rates(whole))
}

fn writing(sites: &[Site], sqlite: &[Turn]) -> Section {
    let mut lines = vec![Line::of("SQLite, in process", sqlite)];
    for site in sites {
        let name = |what: &str| format!("{}, {what}", site.name());
        let ours = || Line::of(name("in process"), &site.engine);
        lines.push(Line::of(name("raw packed publish"), &site.raw));
        lines.push(ours().against("raw", ratio(&site.engine, &site.raw), Some(RAW_TARGET)));
        lines.push(ours().against("SQLite", ratio(&site.engine, sqlite), None));
        let single = Line::of(name("one message per event"), &site.single);
        lines.push(single.against("in process", ratio(&site.single, &site.engine), None));
    }
    Section {
        title: "Durable commands over NATS",
        note: format!(
            "{CLIENTS} clients, who wait for their answers. `raw packed publish` sends entries of the \
             same length that are ready beforehand, whatever waits as one message that names its \
             predecessor, and waits for its acknowledgement: what these servers take at best. `in \
             process` reads the payload, decides, makes durable and shows in every view. `one message \
             per event` has no order and no groups; one node syncs each of its messages alone, three \
             sync what waits together, in their Raft logs, and so take more (ADR/0011). Servers, \
             clients and engine share the cores."
        ),
        lines,
    }
}

fn reading(sites: &[Site], sqlite: &[Turn]) -> Section {
    let mut lines = vec![Line::of("SQLite", sqlite)];
    for site in sites {
        let line = Line::of(site.name(), &site.replay);
        let percent = ratio(&site.replay, sqlite);
        lines.push(line.against("SQLite", percent, Some(REPLAY_TARGET)));
    }
    Section {
        title: "Replay from NATS",
        note: format!(
            "The same history, in groups of {REPLAYED_GROUP}, read, checked and folded into every \
             view from the first commit; commits per second."
        ),
        lines,
    }
}
