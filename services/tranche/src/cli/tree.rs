//! Where the tree of a log is, and whose keys count: what all are told who ask it.

use super::failure::Failure;
use super::source::{LogPlace, Source};
use clap::Args;
use std::path::{Path, PathBuf};
use tranche::proof::{Prover, keys};
use tranche_proof::DIRECTORY;
use tranche_proof::keys::read_verifiers;

/// Where the tree is, and who signs.
#[derive(Args)]
pub struct TreeArgs {
    /// Signs with all the secret keys in this file, one in each line
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Keeps the tree in this directory; by default in that of the embedded log
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
    /// Keeps the tree in this directory; by default in that of the embedded log
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
}

/// Whose signatures count.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct ProvingKeys {
    /// Signs with the secret keys in this file, one in each line
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Uses what was signed before by the public keys in this file, one in each line
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
        (None, LogPlace::Directory(dir)) => Ok(dir.join(DIRECTORY)),
        (None, _) => {
            let what = "--tree DIR: where the tree of this log is kept";
            Err(Failure::Usage(what.to_owned()))
        }
    }
}
