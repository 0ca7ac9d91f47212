//! How a verification ends, when it does not end well, and the exit code that says so.

use crate::Error;
use domain::kernel::refusal::RefusalKind;
use std::io;
use std::path::Path;

/// What the exit codes of the programs mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is done, and nothing was found.
    Done = 0,
    /// A rule said no, or a check found something.
    Refused = 1,
    /// The call or its input could not be understood.
    Usage = 2,
    /// There is no such thing, or it is not in the state that was expected.
    Conflict = 3,
    /// The log or a file cannot be reached or relied on.
    Unavailable = 4,
    /// What is stored is not what was written.
    Corrupt = 5,
}

impl Exit {
    /// Gives the exit code of a failure of the log.
    #[must_use]
    pub fn of_log(error: &eventlog::Error) -> Self {
        use eventlog::Error as Log;
        match error {
            Log::Conflict { .. } => Self::Conflict,
            Log::Locked { .. }
            | Log::Fenced
            | Log::Forbidden(_)
            | Log::Unavailable(_)
            | Log::ReadOnly
            | Log::Settings { .. } => Self::Unavailable,
            Log::TooLarge { .. } | Log::BadEntry { .. } => Self::Usage,
            Log::Corrupt(_) | Log::Format { .. } => Self::Corrupt,
        }
    }

    /// Gives the exit code of a failure of a file, or of standard input or output.
    #[must_use]
    pub fn of_file(error: &io::Error) -> Self {
        match error.kind() {
            // Whoever closed the pipe has seen enough.
            io::ErrorKind::BrokenPipe => Self::Done,
            io::ErrorKind::NotFound => Self::Conflict,
            _ => Self::Unavailable,
        }
    }
}

impl From<RefusalKind> for Exit {
    /// Gives the exit code of a refusal of this kind.
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::Rule | RefusalKind::Forbidden => Self::Refused,
            RefusalKind::Malformed => Self::Usage,
            RefusalKind::NotFound | RefusalKind::Conflict => Self::Conflict,
        }
    }
}

/// Why a verification did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The check ran, and found something.
    #[error("{0}")]
    Found(String),
    /// The call or its input makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The log said no.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// A file, or standard output.
    #[error("{what}: {error}")]
    File {
        /// Which one.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// What is stored cannot be understood.
    #[error("{0}")]
    Corrupt(String),
}

impl Failure {
    /// Tells that the file at `path` failed.
    #[must_use]
    pub fn file(path: &Path, error: io::Error) -> Self {
        Self::File { what: path.display().to_string(), error }
    }

    /// Gives the word that stands before what is told.
    #[must_use]
    pub fn heading(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Usage(_) => "usage",
            Self::Log(_) => "log",
            Self::File { .. } => "file",
            Self::Corrupt(_) => "corrupt",
        }
    }

    /// Gives the exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Found(_) => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::Log(error) => Exit::of_log(error),
            Self::File { error, .. } => Exit::of_file(error),
            Self::Corrupt(_) => Exit::Corrupt,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::File { path, error } => Self::file(&path, error),
            Error::Keys(what) => Self::Usage(what),
            Error::Tlog(error) => Self::Corrupt(error.to_string()),
        }
    }
}
