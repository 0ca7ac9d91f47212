//! Documents beside the log: bytes under the name of their SHA-256, in a directory or on a server. What the
//! log says of them is in [`domain::facts::documents`].
//!
//! A store is not trusted: bytes are hashed before they are put, and again whenever they are read. ADR/0023.

pub mod check;
mod directory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "s3")]
mod s3;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Parsed;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use tranche_proof::documents::path;

/// The longest document, in bytes: it is held in memory once.
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What the directory of an embedded log holds: documents do not lie among its files.
const LOG: &str = "log.sqlite";

/// Why a document was not kept, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is longer than a document may be.
    #[error("a document has at most {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge,
    /// What is kept under a name is not what the name says.
    #[error("document {sha256} is changed: what is kept under its name {found}")]
    Changed {
        /// The name.
        sha256: Sha256Hex,
        /// What is there instead.
        found: String,
    },
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A server.
    #[error("documents cannot be reached: {0}")]
    Unavailable(String),
    /// The address of the store makes no sense.
    #[error("--documents {0}")]
    Address(String),
}

impl Error {
    fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}

/// A document in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stored {
    /// Its name.
    pub sha256: Sha256Hex,
    /// Its length.
    pub bytes: u64,
    /// When it was put the last time, by the clock of the store.
    pub put_at: Timestamp,
}

/// What became of a document that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// It was not there.
    New,
    /// It was there, as it is.
    Already,
    /// Something else was there under its name, and is there no more.
    Mended,
}

/// A place that keeps documents.
#[async_trait]
trait Store: Send + Sync {
    /// Keeps a document: when this returns, it outlives a loss of power. It appears whole or not at all.
    async fn put(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error>;

    /// Notes that a document that is there was put again.
    async fn touch(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error>;

    /// What is kept under a name: at most one byte more than a document may have.
    async fn get(&self, sha256: Sha256Hex) -> Result<Option<Bytes>, Error>;

    /// Whether something is kept under a name.
    async fn exists(&self, sha256: Sha256Hex) -> Result<bool, Error>;

    /// Everything that is kept, in no order.
    async fn list(&self) -> Result<Vec<Stored>, Error>;

    /// Forgets a document. It is no mistake when it is not there.
    async fn remove(&self, sha256: Sha256Hex) -> Result<(), Error>;
}

/// Documents by their SHA-256. Clones are the same store.
#[derive(Clone)]
pub struct Documents(Arc<dyn Store>);

impl Documents {
    /// The store at a place: a directory, `nats://HOST[:PORT]/BUCKET` for an object store of NATS, or
    /// `s3://BUCKET[/PREFIX]`. It is made when the first document is put, but for a bucket of S3, which is there.
    ///
    /// # Errors
    /// When the address makes no sense, or a server does not answer.
    pub async fn open(place: &str) -> Result<Self, Error> {
        let store: Arc<dyn Store> = match place.split_once("://") {
            None if Path::new(place).join(LOG).exists() => {
                let what = "the directory of a log; documents lie beside it or in one below it";
                return Err(Error::Address(format!("{place}: {what}")));
            }
            None if !place.is_empty() => Arc::new(directory::Directory::new(Path::new(place))),
            #[cfg(feature = "nats")]
            Some(("nats" | "tls", _)) => Arc::new(nats::Bucket::open(place).await?),
            #[cfg(not(feature = "nats"))]
            Some(("nats" | "tls", _)) => return Err(not_built("nats")),
            #[cfg(feature = "s3")]
            Some(("s3", _)) => Arc::new(s3::Bucket::open(place).await?),
            #[cfg(not(feature = "s3"))]
            Some(("s3", _)) => return Err(not_built("s3")),
            _ => {
                let what = "expected a directory, nats://HOST/BUCKET or s3://BUCKET";
                return Err(Error::Address(format!("{place}: {what}")));
            }
        };
        Ok(Self(store))
    }

    /// Keeps a document, and gives its name. To put it again is no mistake, and counts as new for
    /// collection.
    ///
    /// # Errors
    /// When it is too long, or cannot be kept.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<(Sha256Hex, Put), Error> {
        let bytes = bytes.into();
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let sha256 = Sha256Hex::of(&bytes);
        let done = match self.get(sha256).await {
            Ok(Some(_)) => {
                self.0.touch(sha256, bytes).await?;
                return Ok((sha256, Put::Already));
            }
            Ok(None) => Put::New,
            Err(Error::Changed { .. }) => Put::Mended,
            Err(error) => return Err(error),
        };
        self.0.put(sha256, bytes).await?;
        Ok((sha256, done))
    }

    /// Keeps the rules document that a command carries, if it does. This comes before the command is
    /// decided: what is named is there; and what a refused command leaves, is collected.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn keep_rules(&self, parsed: &Parsed) -> Result<(), Error> {
        let rules = domain::decide::documents::of_command(parsed);
        let rules = rules.map_err(|error| Error::Unavailable(error.to_string()))?;
        if let Some(rules) = rules {
            self.put(rules).await?;
        }
        Ok(())
    }

    /// A document, if it is there.
    ///
    /// # Errors
    /// [`Error::Changed`] when what is there is not it; others when it cannot be read.
    pub async fn get(&self, sha256: Sha256Hex) -> Result<Option<Bytes>, Error> {
        let Some(bytes) = self.0.get(sha256).await? else { return Ok(None) };
        let found = if bytes.len() > DOCUMENT_BYTES_MAX {
            format!("has more than {DOCUMENT_BYTES_MAX} bytes")
        } else {
            let found = Sha256Hex::of(&bytes);
            if found == sha256 {
                return Ok(Some(bytes));
            }
            format!("has the hash {found}")
        };
        Err(Error::Changed { sha256, found })
    }

    /// Whether something is kept under a name: whether it is the document, only [`Self::get`] can tell.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn exists(&self, sha256: Sha256Hex) -> Result<bool, Error> {
        self.0.exists(sha256).await
    }

    /// Everything that is kept, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self) -> Result<Vec<Stored>, Error> {
        let mut all = self.0.list().await?;
        all.sort_unstable();
        Ok(all)
    }

    /// Forgets a document. Only a collection does that.
    async fn remove(&self, sha256: Sha256Hex) -> Result<(), Error> {
        self.0.remove(sha256).await
    }
}

#[cfg(not(all(feature = "nats", feature = "s3")))]
fn not_built(feature: &str) -> Error {
    let how = format!("build it with --features {feature}");
    Error::Unavailable(format!("this program was built without {feature}; {how}"))
}

#[cfg(test)]
mod tests;
