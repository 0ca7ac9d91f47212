//! `tranche bench`: measures beside raw writing, plain SQLite, an empty handler and bare decoding.

use super::failure::Failure;
use super::out::Out;
use super::words::say;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tranche::bench::{self, BenchError, Options, Question};
use tranche::clock::Clock;

/// Holds the arguments of `tranche bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// Runs a short time, for a first impression
    #[arg(long)]
    quick: bool,
    /// Writes to this directory, on the disk to be measured; removes everything at the end
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Writes the page of measurements to this file too
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Writes for this many seconds in each turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,
    /// Measures with these numbers of clients
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4_096))]
    clients: Vec<u16>,
    /// Answers this question only; by default all of them
    #[arg(long, value_name = "QUESTION")]
    only: Option<Question>,
    /// Measures logs over NATS instead, at these addresses: streams are made there and deleted
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "URL")]
    nats: Vec<eventlog::nats::Options>,
    /// Gives everybody this many turns
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    turns: Option<u64>,
}

/// Measures and shows.
pub async fn bench(args: &BenchArgs, clock: &Clock, json: bool) -> Result<(), Failure> {
    let mut options =
        if args.quick { Options::quick(&args.dir) } else { Options::whole(&args.dir) };
    if let Some(path) = &args.write {
        check_page(path)?;
    }
    options.turn = args.seconds.map_or(options.turn, Duration::from_secs);
    let turns = args.turns.and_then(|turns| usize::try_from(turns).ok());
    options.turns = turns.unwrap_or(options.turns);
    if !args.clients.is_empty() {
        options.clients = args.clients.iter().copied().map(usize::from).collect();
    }
    if let Some(only) = args.only {
        options.questions = vec![only];
    }
    #[cfg(feature = "nats")]
    if !args.nats.is_empty() {
        options.nats.clone_from(&args.nats);
        options.questions = args.only.into_iter().collect();
    }
    let outcome = bench::run(&options, clock.now(), |what| say(format_args!("{what}"))).await?;
    for warning in &outcome.warnings {
        say(format_args!("CAREFUL: {warning}"));
    }
    if let Some(path) = &args.write {
        let mut file = Out::over(path)?;
        file.bytes(bench::markdown(&outcome).as_bytes())?;
        file.finish()?;
    }
    let mut out = Out::stdout();
    if json {
        out.json(&outcome)?;
    } else {
        out.line(format_args!("{}", bench::text(&outcome)))?;
    }
    out.finish()
}

/// Only an earlier page may be replaced.
fn check_page(path: &Path) -> Result<(), Failure> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file(path, error)),
        Ok(old) if old.starts_with(bench::PAGE_START.as_bytes()) => Ok(()),
        Ok(_) => {
            let path = path.display();
            Err(Failure::Usage(format!("{path} is no page of measurements; it is left alone")))
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Io(error) => Self::File { what: "the measurement".to_owned(), error },
            BenchError::Log(error) => error.into(),
            BenchError::Open(error) => error.into(),
            BenchError::Submit(error) => error.into(),
            BenchError::Refused(refusal) => refusal.into(),
            other => Self::Found(format!("the measurement: {other}")),
        }
    }
}
