//! `tranche proof`: the Merkle tree of a log, for people who check it with programs that are not ours:
//! keys, checkpoints, proofs of single commits, and plain files to publish.

use super::failure::Failure;
use super::out::Out;
use super::source::{Place, Source};
use super::stamp::{self, StampArgs};
use super::witness::QuorumArgs;
use clap::{Args, Subcommand};
use eventlog::Position;
use eventlog::tlog::note::Algorithm;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::gateway::Gateway;
use tranche::proof::{self, NotRecorded, Prover, keys};
use tranche::witness::{self, Asked};
use tranche_proof::keys::read_verifiers;
use tranche_proof::{DIRECTORY, read_witnesses, verdict};

/// What `tranche proof` is told.
#[derive(Subcommand)]
pub enum ProofTask {
    /// Makes a secret key that signs checkpoints, and prints its public half
    Key {
        /// The name of the log, such as eurohpc.example/tranche: for ever, and no other log's
        name: String,
        /// The new file, for its owner only
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Signs the log up to its head, and prints the checkpoint
    Checkpoint(TreeArgs),
    /// Signs the log up to its head and records that in the log, as a server with --key does by itself
    Record(TreeArgs),
    /// Proves that a commit is in the log: a .tlog-proof, which needs neither the log nor us
    Commit {
        /// The position of the commit
        position: Position,
        #[command(flatten)]
        tree: ProvingArgs,
    },
    /// Writes checkpoint, tiles and entries (c2sp.org/tlog-tiles) for a server of plain files
    Publish {
        /// The directory, which is made if it is missing
        dir: PathBuf,
        /// Publishes the newest checkpoint that a witness has cosigned, in place of signing the head
        #[arg(long)]
        cosigned: bool,
        #[command(flatten)]
        tree: TreeArgs,
    },
    /// Has a witness cosign the newest checkpoint, and prints that with all signatures
    Witness {
        /// The address of the witness, http://...
        url: String,
        /// The public keys of the witness, a line each
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        tree: TreeArgs,
    },
    /// Has an authority (RFC 3161) sign when the newest checkpoint was there
    Timestamp(StampArgs),
    /// Checks a .tlog-proof of a commit, without the log
    Check {
        /// The proof
        proof: PathBuf,
        /// The commit, byte for byte; one newline at the end is not of it
        commit: PathBuf,
        /// The public keys of the log, a line each
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        quorum: QuorumArgs,
    },
}

/// Where the tree is, and who signs.
#[derive(Args)]
pub struct TreeArgs {
    /// The secret keys, a line each; all of them sign
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the tree is kept; in the directory of an embedded log when absent
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
}

impl TreeArgs {
    /// Opens the tree, and takes in what the log has.
    pub async fn open(&self, source: &Source) -> Result<Prover, Failure> {
        open_tree(source, &self.key, self.tree.as_deref()).await
    }
}

/// Where the tree is, for what signs nothing: the public keys will do.
#[derive(Args)]
pub struct ProvingArgs {
    #[command(flatten)]
    keys: ProvingKeys,
    /// Where the tree is kept; in the directory of an embedded log when absent
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
}

/// Whose signatures count.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct ProvingKeys {
    /// The secret keys of the log, a line each
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Its public keys, a line each: what was signed before is enough
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
}

impl ProvingArgs {
    /// Opens the tree, and takes in what the log has.
    pub async fn open(&self, source: &Source) -> Result<Prover, Failure> {
        open_proving(
            source,
            self.keys.key.as_deref(),
            self.keys.public.as_deref(),
            self.tree.as_deref(),
        )
        .await
    }
}

/// Opens the tree of a log by its secret keys or by its public ones.
pub async fn open_proving(
    source: &Source,
    key: Option<&Path>,
    public: Option<&Path>,
    tree: Option<&Path>,
) -> Result<Prover, Failure> {
    match (key, public) {
        (Some(key), _) => open_tree(source, key, tree).await,
        (None, Some(public)) => {
            let keys = read_verifiers(public)?;
            let dir = tree_of(source, tree)?;
            Ok(Prover::open_public(source.open_unchecked().await?, &dir, keys).await?)
        }
        (None, None) => Err(Failure::Usage("whose signatures count? --public FILE".to_owned())),
    }
}

/// Opens the tree of a log, to sign it.
pub async fn open_tree(
    source: &Source,
    key: &Path,
    tree: Option<&Path>,
) -> Result<Prover, Failure> {
    let keys = keys::read(key)?;
    let dir = tree_of(source, tree)?;
    Ok(Prover::open(source.open_unchecked().await?, &dir, keys).await?)
}

/// The tree is in the directory of an embedded log unless another is named.
fn tree_of(source: &Source, tree: Option<&Path>) -> Result<PathBuf, Failure> {
    match (tree, source.required()?) {
        (Some(dir), _) => Ok(dir.to_owned()),
        (None, Place::Directory(dir)) => Ok(dir.join(DIRECTORY)),
        (None, _) => {
            let what = "--tree DIR: where the tree of this log is kept";
            Err(Failure::Usage(what.to_owned()))
        }
    }
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
            let (gateway, _engine) = source.required()?.engine_alone(clock).await?;
            let recorded = record(source, tree, &gateway).await;
            gateway.stop().await;
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
            let Asked { note, size, time, witness } = asked;
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

async fn record(source: &Source, tree: &TreeArgs, gateway: &Gateway) -> Result<u64, Failure> {
    let prover = Arc::new(tree.open(source).await?);
    match proof::record(&prover, gateway).await {
        Ok(size) => Ok(size),
        Err(NotRecorded::Proof(error)) => Err(error.into()),
        Err(NotRecorded::Command(refusal)) => Err(refusal.into()),
        Err(NotRecorded::Submit(error)) => Err(error.into()),
    }
}

/// Prints text, or JSON.
pub fn told(
    json: bool,
    text: &str,
    value: impl FnOnce() -> serde_json::Value,
) -> Result<(), Failure> {
    let mut out = Out::stdout();
    if json {
        out.json(&value())?;
    } else {
        out.line(format_args!("{text}"))?;
    }
    out.finish()
}

impl From<proof::Error> for Failure {
    fn from(error: proof::Error) -> Self {
        match error {
            proof::Error::Log(error) => error.into(),
            proof::Error::File { path, error } => Failure::file(&path, error),
            proof::Error::Keys(_) | proof::Error::OtherKeys(_) => Failure::Usage(error.to_string()),
            proof::Error::Published { .. } => Failure::Conflict(error.to_string()),
            proof::Error::Tlog(_) | proof::Error::Shorter { .. } | proof::Error::Rewritten(_) => {
                Failure::Corrupt(error.to_string())
            }
        }
    }
}

impl From<tranche_proof::Error> for Failure {
    fn from(error: tranche_proof::Error) -> Self {
        tranche_proof::Failure::from(error).into()
    }
}
