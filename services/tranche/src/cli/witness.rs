//! `tranche witness`: cosigns checkpoints of logs that are anybody's; and what readers of checkpoints ask
//! of witnesses.

use super::failure::Failure;
use super::out::{Out, told};
use clap::{Args, Subcommand};
use eventlog::tlog::note::{Algorithm, Verifier};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use tokio::net::TcpListener;
use tranche::clock::Clock;
use tranche::http::told_to_stop;
use tranche::proof::keys;
use tranche::witness::{self, AskError, Logs, Witness};
use tranche_proof::Quorum;
use tranche_proof::keys::read_verifiers;

/// Holds the arguments of `tranche witness`.
#[derive(Subcommand)]
pub enum WitnessTask {
    /// Makes a secret key that cosigns checkpoints, and prints its public half
    Key {
        /// Gives the witness this name for ever, such as court.example/witness
        name: String,
        /// Writes the key to this new file, which only its owner can read
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Answers logs over HTTP (c2sp.org/tlog-witness), until told to stop
    Serve(ServeArgs),
}

/// Holds the arguments of `tranche witness serve`.
#[derive(Args)]
pub struct ServeArgs {
    /// Remembers in this directory what it has cosigned; do not lose it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Cosigns with all the secret keys in this file, one in each line
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Watches the log with these public keys; by default its origin is the name of the keys
    #[arg(long, value_name = "[ORIGIN=]FILE", required = true, num_args = 1..)]
    watch: Vec<Watched>,
    /// Listens on this address, which anybody may reach: only what a log has signed is read
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7411")]
    listen: SocketAddr,
}

/// A log to watch.
#[derive(Clone)]
struct Watched {
    origin: Option<String>,
    file: PathBuf,
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (origin, file) = match text.split_once('=') {
            Some((origin, file)) => (Some(origin.to_owned()), file),
            None => (None, text),
        };
        if file.is_empty() || origin.as_deref() == Some("") {
            return Err("not of the form FILE or ORIGIN=FILE".to_owned());
        }
        Ok(Self { origin, file: file.into() })
    }
}

/// Says which witnesses must have cosigned a checkpoint before it is believed.
#[derive(Args)]
pub struct QuorumArgs {
    /// Believes only checkpoints that the witnesses with these public keys have cosigned
    #[arg(long, value_name = "FILE")]
    witness: Option<PathBuf>,
    /// Takes this many of the witnesses as enough; by default all must cosign
    #[arg(long, value_name = "NUMBER", requires = "witness")]
    quorum: Option<u16>,
}

impl QuorumArgs {
    /// `None` when no witness is asked for.
    pub fn read(&self) -> Result<Option<Quorum>, Failure> {
        let Some(path) = &self.witness else { return Ok(None) };
        Ok(Some(Quorum::read(path, self.quorum)?))
    }
}

/// Does it.
pub async fn witness(task: &WitnessTask, clock: Clock, json: bool) -> Result<(), Failure> {
    match task {
        WitnessTask::Key { name, to } => {
            let key = keys::new(name, Algorithm::Cosignature)?;
            keys::save(to, &key)?;
            let public = key.verifier().to_string();
            told(json, &public, || serde_json::json!({ "public": public }))
        }
        WitnessTask::Serve(args) => serve(args, clock, json).await,
    }
}

async fn serve(args: &ServeArgs, clock: Clock, json: bool) -> Result<(), Failure> {
    let logs = read_logs(&args.watch)?;
    let keys = keys::read(&args.key)?;
    let failure = |error| Failure::File { what: args.listen.to_string(), error };
    let listener = TcpListener::bind(args.listen).await.map_err(failure)?;
    let witness = Witness::open(&args.dir, keys, logs, clock)?;
    let stop = told_to_stop().map_err(failure)?;
    let url = format!("http://{}", listener.local_addr().map_err(failure)?);
    let mut out = Out::stdout();
    if json {
        out.json(&serde_json::json!({ "url": url, "witness": witness.name() }))?;
    } else {
        out.line(format_args!("witness {} on {url}", witness.name()))?;
    }
    out.finish()?;
    witness::serve(listener, witness, stop).await.map_err(failure)
}

fn read_logs(watched: &[Watched]) -> Result<Logs, Failure> {
    let mut logs = Logs::new();
    for Watched { origin, file } in watched {
        let known = read_verifiers(file)?;
        let name = known.first().map(Verifier::name).unwrap_or_default();
        if origin.is_none() && known.iter().any(|key| key.name() != name) {
            let what = "the keys have several names: say ORIGIN=FILE";
            return Err(Failure::Usage(format!("{}: {what}", file.display())));
        }
        if known.iter().any(|key| key.algorithm() != Algorithm::Ed25519) {
            let what = "a key of a witness, where one of a log is wanted";
            return Err(Failure::Usage(format!("{}: {what}", file.display())));
        }
        let origin = origin.clone().unwrap_or_else(|| name.to_owned());
        if logs.insert(origin.clone(), known).is_some() {
            return Err(Failure::Usage(format!("the log {origin} is named twice")));
        }
    }
    Ok(logs)
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let said = error.to_string();
        match error {
            AskError::Proof(error) => error.into(),
            AskError::Post(error) => error.into(),
            AskError::Ahead { .. } | AskError::Split { .. } | AskError::Wrong(_) => {
                Self::Found(said)
            }
            AskError::Overtaken(_) | AskError::Refused { .. } => Self::Conflict(said),
        }
    }
}

impl From<tranche::post::PostError> for Failure {
    fn from(error: tranche::post::PostError) -> Self {
        match error {
            tranche::post::PostError::Address { .. } => Self::Usage(error.to_string()),
            tranche::post::PostError::Unreachable { url, why } => {
                Self::File { what: url, error: std::io::Error::other(why) }
            }
        }
    }
}
