//! Why what verifies cannot read what it needs.

use eventlog::tlog;
use std::path::{Path, PathBuf};

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text or a proof is wrong.
    #[error(transparent)]
    Tlog(#[from] tlog::Error),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file of keys makes no sense.
    #[error("{0}")]
    Keys(String),
}

impl Error {
    /// Tells that a file failed.
    #[must_use]
    pub fn file(path: &Path, error: std::io::Error) -> Self {
        Error::File { path: path.to_owned(), error }
    }
}
