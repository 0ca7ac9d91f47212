//! `tranche proof`: the Merkle tree of a log, for people who check it with programs that are not ours:
//! keys, checkpoints, proofs of single commits, and plain files to publish.

use super::failure::Failure;
use super::out::told;
use super::source::Source;
use super::stamp::{self, StampArgs};
use super::tree::{ProvingArgs, TreeArgs};
use super::witness::QuorumArgs;
use clap::Subcommand;
use eventlog::Position;
use eventlog::tlog::note::Algorithm;
use std::path::PathBuf;
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::desk::Desk;
use tranche::proof::{self, NotRecorded, Prover, keys};
use tranche::witness::{self, Cosigned};
use tranche_proof::keys::read_verifiers;
use tranche_proof::{read_witnesses, verdict};

/// Holds the arguments of `tranche proof`.
#[derive(Subcommand)]
pub enum ProofTask {
    /// Makes a secret key that signs checkpoints, and prints its public half
    Key {
        /// Gives the log this name for ever, such as eurohpc.example/tranche
        name: String,
        /// Writes the key to this new file, which only its owner can read
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Signs the log up to its head, and prints the checkpoint
    Checkpoint(TreeArgs),
    /// Signs the log up to its head and records it, as a server with --key does by itself
    Record(TreeArgs),
    /// Proves that a commit is in the log, with a .tlog-proof that needs neither the log nor us
    Commit {
        /// Proves the commit at this position
        position: Position,
        #[command(flatten)]
        tree: ProvingArgs,
    },
    /// Writes checkpoint, tiles and entries (c2sp.org/tlog-tiles) for a server of files
    Publish {
        /// Writes to this directory, and makes it if it is missing
        dir: PathBuf,
        /// Publishes the newest checkpoint that a witness cosigned; by default signs the head
        #[arg(long)]
        cosigned: bool,
        #[command(flatten)]
        tree: TreeArgs,
    },
    /// Asks a witness to cosign the newest checkpoint, and prints it with all signatures
    Witness {
        /// Asks the witness at this address, https://... or http://...
        url: String,
        /// Trusts the public keys of the witness in this file, one in each line
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        tree: TreeArgs,
    },
    /// Asks an authority to sign the time of the newest checkpoint (RFC 3161)
    Timestamp(StampArgs),
    /// Checks the .tlog-proof of a commit, without the log
    Check {
        /// Checks the proof in this file
        proof: PathBuf,
        /// Takes the commit in this file byte for byte, except one newline at the end
        commit: PathBuf,
        /// Trusts the public keys of the log in this file, one in each line
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        quorum: QuorumArgs,
    },
}

/// Does it.
pub async fn proof(
    source: &Source,
    task: &ProofTask,
    clock: Clock,
    json: bool,
) -> Result<(), Failure> {
    match task {
        ProofTask::Key { name, to } => {
            let key = keys::new(name, Algorithm::Ed25519)?;
            keys::save(to, &key)?;
            let public = key.verifier().to_string();
            told(json, &public, || serde_json::json!({ "public": public }))
        }
        ProofTask::Checkpoint(tree) => {
            let (head, note) = tree.open(source).await?.checkpoint()?;
            let note = note.to_string();
            let (size, root) = (head.size, head.root.to_string());
            let as_json = || serde_json::json!({ "note": note, "root": root, "size": size });
            told(json, note.trim_end(), as_json)
        }
        ProofTask::Record(tree) => {
            let (desk, _engine) = source.required()?.engine_alone(clock).await?;
            let recorded = record(source, tree, &desk).await;
            desk.stop().await;
            let size = recorded?;
            told(
                json,
                &format!("recorded a checkpoint of {size} commits"),
                || serde_json::json!({ "size": size }),
            )
        }
        ProofTask::Commit { position, tree } => {
            let proof = prove(&Arc::new(tree.open(source).await?), *position).await?;
            told(json, proof.trim_end(), || serde_json::json!({ "proof": proof }))
        }
        ProofTask::Publish { dir, cosigned, tree } => {
            let prover = tree.open(source).await?;
            let newest =
                if *cosigned { prover.newest_cosigned()? } else { Some(prover.checkpoint()?) };
            let missing = || {
                Failure::NotFound("no witness has cosigned a checkpoint of this tree".to_owned())
            };
            let (head, note) = newest.ok_or_else(missing)?;
            prover.publish(dir, &head, &note).await?;
            let size = head.size;
            let text = format!("published {size} commits in {}", dir.display());
            told(json, &text, || serde_json::json!({ "size": size }))
        }
        ProofTask::Witness { url, public, tree } => {
            let known = read_witnesses(public)?;
            let asked = witness::ask(&tree.open(source).await?, url, &known).await?;
            let Cosigned { note, size, time, witness } = asked;
            let note = note.to_string();
            let as_json = || serde_json::json!({ "note": note, "size": size, "time": time, "witness": witness });
            told(json, note.trim_end(), as_json)
        }
        ProofTask::Timestamp(args) => stamp::stamp(source, args, json).await,
        ProofTask::Check { proof, commit, public, quorum } => {
            let quorum = quorum.read()?;
            let known = read_verifiers(public)?;
            let size = verdict::proof(proof, commit, &known, quorum.as_ref())?;
            told(json, &verdict::proven(size), || serde_json::json!({ "size": size }))
        }
    }
}

/// The proof of a commit, as a file.
async fn prove(prover: &Arc<Prover>, position: Position) -> Result<String, Failure> {
    let size = prover.size();
    let why = match prover.proof_of_stored(position).await? {
        Some(proof) => return Ok(proof.to_string()),
        None if position > size => format!("the log ends at {size}"),
        None => "no checkpoint that was signed here covers it".to_owned(),
    };
    Err(Failure::NotFound(format!("position {position}: {why}")))
}

async fn record(source: &Source, tree: &TreeArgs, desk: &Desk) -> Result<u64, Failure> {
    let prover = Arc::new(tree.open(source).await?);
    match proof::record(&prover, desk).await {
        Ok(size) => Ok(size),
        Err(NotRecorded::Proof(error)) => Err(error.into()),
        Err(NotRecorded::Command(refusal)) => Err(refusal.into()),
        Err(NotRecorded::Submit(error)) => Err(error.into()),
    }
}

impl From<proof::ProofError> for Failure {
    fn from(error: proof::ProofError) -> Self {
        match error {
            proof::ProofError::Log(error) => error.into(),
            proof::ProofError::File { path, error } => Failure::file(&path, error),
            proof::ProofError::Keys(_) | proof::ProofError::OtherKeys(_) => {
                Failure::Usage(error.to_string())
            }
            proof::ProofError::Published { .. } => Failure::Conflict(error.to_string()),
            proof::ProofError::Tlog(_)
            | proof::ProofError::Shorter { .. }
            | proof::ProofError::Rewritten(_) => Failure::Corrupt(error.to_string()),
        }
    }
}

impl From<tranche_proof::Error> for Failure {
    fn from(error: tranche_proof::Error) -> Self {
        tranche_proof::Failure::from(error).into()
    }
}
