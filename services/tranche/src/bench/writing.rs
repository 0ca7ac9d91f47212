//! Writing: durable commands per second in process and over HTTP, and what they are compared with.
//! Every turn has a directory, a log and an engine of its own.

use super::client::Client;
use super::measure::Turn;
use super::rivals::{raw_group_commit, sqlite_per_command};
use super::workload::{Fill, command, preparation};
use super::{BenchError, key, machine};
use crate::clock::Clock;
use crate::engine::{Engine, EngineOptions};
use crate::http::Server;
use crate::proof::{Keeping, OpenAgain, Prover};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use bytes::Bytes;
use prometheus::Registry;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tranche_proof::DIRECTORY;

/// Where the empty handler is.
const EMPTY: &str = "/empty";
/// What it answers: the form and length of a receipt.
const RECEIPT: &str = r#"{"command_id":"bench/100000","commit_id":"019aaf2e-7c1e-7000-8000-000000000001","dry_run":false,"events":["claim.Published"],"position":100000,"recorded_at":"2026-01-01T00:00:00.000000Z","replayed":false,"streams":[{"stream":"claim-bench-100000","version":1}]}"#;
/// How often it is seen whether a tree has all.
const LOOK: Duration = Duration::from_millis(1);
/// So many different entries are written by those who only write.
const ENTRIES: usize = 1_000;

/// The turns of all contenders with one number of clients.
#[derive(Debug, Default)]
pub struct Crowd {
    /// How many clients.
    pub clients: usize,
    /// The ceiling.
    pub raw: Vec<Turn>,
    /// The engine, in process.
    pub engine: Vec<Turn>,
    /// An empty handler on the same server; none when this process may not have so many connections.
    pub empty: Vec<Turn>,
    /// Commands over HTTP; none like `empty`.
    pub http: Vec<Turn>,
}

/// The turns of an engine with one number of clients, with proof and without.
#[derive(Debug, Default)]
pub struct Proven {
    /// How many clients.
    pub clients: usize,
    /// Without.
    pub off: Vec<Turn>,
    /// With.
    pub on: Vec<Turn>,
    /// By how many commits the tree was behind when the clients had stopped, and how long it took it to
    /// have them.
    pub behind: Vec<Turn>,
}

impl Proven {
    fn with(&mut self, (turn, behind): (Turn, Turn)) {
        self.on.push(turn);
        self.behind.push(behind);
    }
}

/// All of writing.
#[derive(Debug)]
pub struct Writing {
    /// By number of clients.
    pub crowds: Vec<Crowd>,
    /// One client, a transaction of plain SQLite per command.
    pub sqlite: Vec<Turn>,
}

/// What all turns share.
pub struct Contest<'a> {
    /// Under this directory every turn makes its own.
    pub directory: &'a Path,
    /// How long a turn lasts.
    pub length: Duration,
}

impl Contest<'_> {
    /// Lets every contender have its turns, in alternation.
    ///
    /// # Errors
    /// When a contender cannot do its work.
    pub async fn run(
        &self,
        clients: &[usize],
        turns: usize,
        tell: &dyn Fn(&str),
    ) -> Result<Writing, BenchError> {
        let entries = Arc::new(sample()?);
        let crowds = clients.iter().map(|clients| Crowd { clients: *clients, ..Crowd::default() });
        let (mut crowds, mut sqlite): (Vec<_>, _) = (crowds.collect(), Vec::new());
        for turn in 1..=turns {
            for crowd in &mut crowds {
                let clients = crowd.clients;
                tell(&format!("writing, turn {turn} of {turns}, {clients} clients"));
                crowd.raw.push(self.raw(&entries, clients).await?);
                crowd.engine.push(self.in_process(clients).await?);
                if machine::open_files_max().is_none_or(|files| files > 2 * clients + 64) {
                    let (empty, http) = self.over_http(clients).await?;
                    crowd.empty.push(empty);
                    crowd.http.push(http);
                }
            }
            let place = self.place()?;
            sqlite.push(sqlite_per_command(&place.0, &entries, self.length)?);
        }
        Ok(Writing { crowds, sqlite })
    }

    async fn raw(&self, entries: &Arc<Vec<Bytes>>, clients: usize) -> Result<Turn, BenchError> {
        let place = self.place()?;
        Ok(raw_group_commit(&place.0, entries, clients, self.length).await?)
    }

    /// A turn of an engine on SQLite.
    pub(super) async fn in_process(&self, clients: usize) -> Result<Turn, BenchError> {
        let place = self.place()?;
        let engine = prepared(&place.0).await?;
        let turn = submit_together(&engine, clients, self.length).await;
        engine.stop().await;
        turn
    }

    /// Lets an engine write with proof and without it, in alternation.
    ///
    /// # Errors
    /// When a contender cannot do its work.
    pub async fn proven(
        &self,
        clients: &[usize],
        turns: usize,
        tell: &dyn Fn(&str),
    ) -> Result<Vec<Proven>, BenchError> {
        let of = |clients: &usize| Proven { clients: *clients, ..Proven::default() };
        let mut crowds: Vec<Proven> = clients.iter().map(of).collect();
        for turn in 1..=turns {
            for crowd in &mut crowds {
                let clients = crowd.clients;
                tell(&format!("writing with proof, turn {turn} of {turns}, {clients} clients"));
                // Whoever comes second may find the disk busy with what the first left.
                let is_first = turn % 2 == 0;
                if is_first {
                    crowd.with(self.with_proof(clients).await?);
                }
                crowd.off.push(self.in_process(clients).await?);
                if !is_first {
                    crowd.with(self.with_proof(clients).await?);
                }
            }
        }
        Ok(crowds)
    }

    /// A turn of an engine on SQLite with all that `serve --key` does beside it; and how long the tree
    /// took after the end, to have what was written.
    async fn with_proof(&self, clients: usize) -> Result<(Turn, Turn), BenchError> {
        let dir = fresh(self.directory)?;
        let engine = prepared(&dir).await?;
        let log = Arc::new(eventlog::Sqlite::open_unchecked(&dir)?);
        let prover = Prover::open(log, &dir.join(DIRECTORY), vec![key()]).await?;
        let prover = Arc::new(prover);
        let nowhere: OpenAgain = Arc::new(|| Box::pin(async { Err(eventlog::Error::ReadOnly) }));
        let keeping =
            Keeping { prover: Some(prover.clone()), kept: None, open: nowhere, every: None };
        let tasks = keeping.start(&engine.clone().into(), &Registry::new())?;
        let turn = submit_together(&engine, clients, self.length).await;
        let (start, head) = (Instant::now(), engine.reader().now().position());
        let done = head.saturating_sub(prover.size());
        while prover.size() < head {
            tokio::time::sleep(LOOK).await;
        }
        let behind = Turn { done, took: start.elapsed(), ..Turn::default() };
        drop(tasks);
        engine.stop().await;
        // The tree goes with the parent: an ext4 without a journal looks for minutes at each file that was
        // removed before it makes another, and the next turn would pay for it.
        for file in std::fs::read_dir(&dir)? {
            let path = file?.path();
            if path.is_file() {
                std::fs::remove_file(path)?;
            }
        }
        Ok((turn?, behind))
    }

    async fn over_http(&self, clients: usize) -> Result<(Turn, Turn), BenchError> {
        let place = self.place()?;
        let engine = prepared(&place.0).await?;
        let answer = |_: Bytes| async { ([(CONTENT_TYPE, "application/json")], RECEIPT) };
        let empty = Router::new().route(EMPTY, post(answer));
        let server = Server::bind(engine, ([127, 0, 0, 1], 0).into()).await?.beside(empty);
        let address = server.address()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async {
            // It stops too when the other end is gone.
            let _ = stopped.await;
        }));
        let empty = self.post_all(address, clients, true).await;
        let http = self.post_all(address, clients, false).await;
        drop(stop);
        serving.await??;
        Ok((empty?, http?))
    }

    async fn post_all(
        &self,
        address: SocketAddr,
        clients: usize,
        to_empty: bool,
    ) -> Result<Turn, BenchError> {
        let mut connected = Vec::with_capacity(clients);
        for _ in 0..clients {
            connected.push(Client::connect(address).await?);
        }
        let numbers = Arc::<AtomicU64>::default();
        let start = Instant::now();
        let until = start + self.length;
        let tasks = connected
            .into_iter()
            .map(|client| tokio::spawn(post_on(client, Arc::clone(&numbers), until, to_empty)))
            .collect();
        together(tasks, start).await
    }

    fn place(&self) -> std::io::Result<Place> {
        Place::new(self.directory)
    }
}

/// A directory that is gone when it is dropped.
pub struct Place(pub PathBuf);

impl Place {
    /// Makes one with a name that no other has.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: &Path) -> std::io::Result<Self> {
        fresh(parent).map(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing else can be done about a directory that cannot be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a directory with a name that no other has.
fn fresh(parent: &Path) -> std::io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = parent.join(format!("tranche-bench-{}-{number}", std::process::id()));
    std::fs::create_dir(&path)?;
    Ok(path)
}

/// Entries of the workload.
pub(super) fn sample() -> Result<Vec<Bytes>, BenchError> {
    let mut fill = Fill::default();
    (0..ENTRIES).map(|_| Ok(fill.next()?.1.into())).collect()
}

async fn prepared(directory: &Path) -> Result<Engine, BenchError> {
    let log = Arc::new(eventlog::Sqlite::open(directory)?);
    let engine = Engine::open(log, Clock::system(), EngineOptions::default()).await?;
    prepare(&engine).await?;
    Ok(engine)
}

/// Gives what must be there before the workload.
pub(super) async fn prepare(engine: &Engine) -> Result<(), BenchError> {
    for given in preparation() {
        engine.submit(given.read()?).await?;
    }
    Ok(())
}

/// So many clients give the workload to an engine.
pub(super) async fn submit_together(
    engine: &Engine,
    clients: usize,
    length: Duration,
) -> Result<Turn, BenchError> {
    let numbers = Arc::<AtomicU64>::default();
    let start = Instant::now();
    let until = start + length;
    let tasks = (0..clients)
        .map(|_| tokio::spawn(submit_all(engine.clone(), Arc::clone(&numbers), until)))
        .collect();
    together(tasks, start).await
}

type Task = tokio::task::JoinHandle<Result<Turn, BenchError>>;

/// Waits for all clients, and adds up what they did since the start.
pub(super) async fn together(tasks: Vec<Task>, start: Instant) -> Result<Turn, BenchError> {
    let mut turns = Vec::with_capacity(tasks.len());
    for task in tasks {
        turns.push(task.await??);
    }
    Ok(Turn::join(turns, start.elapsed()))
}

async fn submit_all(
    engine: Engine,
    numbers: Arc<AtomicU64>,
    until: Instant,
) -> Result<Turn, BenchError> {
    let mut turn = Turn::default();
    while Instant::now() < until {
        let given = command(numbers.fetch_add(1, Ordering::Relaxed));
        let began = Instant::now();
        engine.submit(given.read()?).await?;
        turn.count(began);
    }
    Ok(turn)
}

async fn post_on(
    mut client: Client,
    numbers: Arc<AtomicU64>,
    until: Instant,
    to_empty: bool,
) -> Result<Turn, BenchError> {
    let mut turn = Turn::default();
    while Instant::now() < until {
        let given = command(numbers.fetch_add(1, Ordering::Relaxed));
        let path = if to_empty { EMPTY.to_owned() } else { format!("/commands/{}", given.name) };
        let began = Instant::now();
        let status = client.post(&path, &given).await?;
        turn.count(began);
        if !matches!(status, 200 | 201) {
            return Err(BenchError::Answer(path, status));
        }
    }
    Ok(turn)
}
