//! How many commands a second become durable decisions, in one process on SQLite, and how fast the
//! same groups of bytes go into a plain file with one `fdatasync` each.
//!
//! `cargo run --release -p tranche --example engine_bench -- DIRECTORY [CLIENTS] [SECONDS]`, on the
//! disk that matters.
#![expect(clippy::print_stdout, reason = "the program is there to print")]
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "rates for a person")]

use domain::command::{Actor, Confidence, Evidence, Parsed};
use domain::{Role, rejection::Refusal};
use eventlog::{Group, Log, Sqlite};
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tranche::clock::Clock;
use tranche::engine::{Engine, Options, Request, SubmitError, replay};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root: PathBuf = arguments.next().ok_or("which directory?")?.into();
    let clients: usize = arguments.next().map_or(Ok(256), |clients| clients.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |seconds| seconds.parse())?;
    let dir = root.join("engine-bench");
    fs::create_dir_all(&dir)?;
    let log: Arc<dyn Log> = Arc::new(Sqlite::open(&dir)?);
    let engine = Engine::open(Arc::clone(&log), Clock::system(), Options::default()).await?;

    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let tasks: Vec<_> =
        (0..clients).map(|client| tokio::spawn(give(engine.clone(), client, until))).collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let took = begun.elapsed();
    waits.sort_unstable();
    let at = |per_cent: usize| waits[(waits.len() - 1) * per_cent / 100];
    let groups = log.read(1, usize::MAX).await?;
    let rate = waits.len() as f64 / took.as_secs_f64();
    println!("{clients} clients: {rate:.0} commands/s, p50 {:?}, p99 {:?}", at(50), at(99));
    println!("{:.1} commits a group", waits.len() as f64 / groups.len() as f64);

    let raw = write_raw(&dir, &groups)?;
    let raw_rate = waits.len() as f64 / raw.as_secs_f64();
    println!("the same groups, raw: {raw_rate:.0} commits/s; we reach {:.2}", rate / raw_rate);

    let begun = Instant::now();
    let report = replay(Arc::clone(&log), None).await?;
    println!("replay: {:.0} commits/s", report.commits as f64 / begun.elapsed().as_secs_f64());
    engine.stop().await;
    drop((engine, log));
    Ok(fs::remove_dir_all(&dir)?)
}

async fn give(
    engine: Engine,
    client: usize,
    until: Instant,
) -> std::result::Result<Vec<Duration>, SubmitError> {
    let mut waits = Vec::new();
    while Instant::now() < until {
        let request = publication(&format!("{client}-{}", waits.len()))?;
        let begun = Instant::now();
        engine.submit(request).await?;
        waits.push(begun.elapsed());
    }
    Ok(waits)
}

fn publication(name: &str) -> std::result::Result<Request, Refusal> {
    let figures =
        r#"{"about":"grant-A","published":"2025-03-12","what":"announced","total":"EUR 10"}"#;
    let payload = format!(r#"{{"claim":"{name}","figures":{figures}}}"#);
    let parsed = Parsed::read("claim.publish", payload.as_bytes())?;
    let id = "auditor".parse().expect("a literal id");
    let actor = Actor { id, on_behalf_of: None, role: Role::Auditor };
    let evidence =
        Evidence { confidence: Confidence::Fixture, note: None, source: "bench".to_owned() };
    let command_id = format!("bench/{name}").parse().expect("a short id");
    Ok(Request { evidence: Some(evidence), ..Request::new(parsed, actor, command_id) })
}

fn write_raw(dir: &Path, groups: &[Group]) -> Result<Duration> {
    let mut file = File::create(dir.join("raw"))?;
    let bodies: Vec<Vec<u8>> = groups.iter().map(|group| group.entries.join(&b'\n')).collect();
    let begun = Instant::now();
    for body in &bodies {
        file.write_all(body)?;
        file.sync_data()?;
    }
    Ok(begun.elapsed())
}
