//! Why a call of the program did not do what it was asked, and the exit code that says so.

use super::words::say;
use domain::Refusal;
use domain::kernel::canonical;
use domain::kernel::refusal::Rule;
use eventlog::{Damage, Place};
use serde::Serialize;
use std::io;
use std::path::Path;
use tranche::demo::DemoError;
use tranche::engine::{OpenError, ReadError, SubmitError};
use tranche::field_errors::{self, FieldError};
use tranche::{documents, vault};
pub use tranche_proof::Exit;

/// Says what the exit codes mean, as `--help` shows it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a rule said no, or a check found something
  2  the call or its input could not be understood
  3  no such thing, or it is not in the state or at the version that was expected
  4  the log or a file cannot be reached or relied on, or another process writes it
  5  what is stored is not what was written

Data goes to standard output, everything else to standard error. With --json both are JSON.";

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A rule said no.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A rule said no, for several reasons.
    #[error("{0}")]
    Faulty(Refusal, Vec<FieldError>),
    /// The check ran, and what it found has been printed.
    #[error("{0}")]
    Found(String),
    /// The call or its input makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is not in the state that the call needs.
    #[error("{0}")]
    Conflict(String),
    /// The log said no.
    #[error("{0}{advice}", advice = advice(.0))]
    Log(#[from] eventlog::Error),
    /// A file, or standard input or output.
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

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::Refused(refusal),
            SubmitError::Unavailable { reason, .. } => unavailable(&reason),
            SubmitError::Busy | SubmitError::Stopping => unavailable(&error),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Log(error) => Self::Log(error),
            ReadError::Decode { .. } | ReadError::Misplaced(_) => Self::Corrupt(error.to_string()),
            ReadError::Stopped | ReadError::Source(_) => unavailable(&error),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Read(error) => error.into(),
            OpenError::Digest(error) => error.into(),
            OpenError::TailLost(error) => Self::Corrupt(error.to_string()),
            OpenError::Metrics(_) | OpenError::Thread(_) | OpenError::Failed(_) => {
                unavailable(&error)
            }
        }
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Submit { error: SubmitError::Unavailable { reason, .. }, command } => {
                unavailable(&format!("{command}: {reason}"))
            }
            DemoError::Read(error) => error.into(),
            DemoError::OtherLog => Self::Usage(error.to_string()),
            other => Self::Found(format!("the demo: {other}")),
        }
    }
}

impl From<vault::Error> for Failure {
    fn from(error: vault::Error) -> Self {
        match error {
            vault::Error::Refused(refusal) => refusal.into(),
            vault::Error::File { path, error } => Self::file(&path, error),
            vault::Error::NoVault { .. } | vault::Error::Place(_) => Self::Usage(error.to_string()),
            vault::Error::Cipher(_) => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<documents::Error> for Failure {
    fn from(error: documents::Error) -> Self {
        match error {
            documents::Error::TooLarge | documents::Error::Address(_) => {
                Self::Usage(error.to_string())
            }
            documents::Error::Changed { .. } => Self::Corrupt(error.to_string()),
            documents::Error::File { path, error } => Self::file(&path, error),
            documents::Error::Unavailable(_) => unavailable(&error),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(format!("no canonical form: {error}"))
    }
}

fn unavailable(why: &impl ToString) -> Failure {
    eventlog::Error::Unavailable(why.to_string()).into()
}

impl From<tranche_proof::Failure> for Failure {
    fn from(failure: tranche_proof::Failure) -> Self {
        use tranche_proof::Failure as Of;
        match failure {
            Of::Found(what) => Self::Found(what),
            Of::Usage(what) => Self::Usage(what),
            Of::Log(error) => Self::Log(error),
            Of::File { what, error } => Self::File { what, error },
            Of::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

impl Failure {
    /// A failure of the file at `path`.
    pub fn file(path: &Path, error: io::Error) -> Self {
        Self::File { what: path.display().to_string(), error }
    }

    /// With all that is wrong with a payload that was refused.
    pub fn of_payload(self, command: &str, payload: &[u8]) -> Self {
        let Self::Refused(refusal) = self else { return self };
        let (refusal, errors) = field_errors::all(command, payload, refusal);
        if errors.is_empty() { Self::Refused(refusal) } else { Self::Faulty(refusal, errors) }
    }

    /// The refusal in it, and the fields at fault.
    fn refusal(&self) -> (Option<&Refusal>, Vec<FieldError>) {
        match self {
            Self::Refused(refusal) => {
                (Some(refusal), FieldError::of(refusal).into_iter().collect())
            }
            Self::Faulty(refusal, errors) => (Some(refusal), errors.clone()),
            _ => (None, Vec::new()),
        }
    }

    /// Gives the exit code. Only here, and in [`Exit`], it is decided.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(refusal) | Self::Faulty(refusal, _) => refusal.kind.into(),
            Self::Found(_) => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::NotFound(_) | Self::Conflict(_) => Exit::Conflict,
            Self::Log(error) => Exit::of_log(error),
            Self::File { error, .. } => Exit::of_file(error),
            Self::Corrupt(_) => Exit::Corrupt,
        }
    }

    /// Tells the caller, unless the caller has gone.
    pub fn tell(&self, json: bool) {
        let exit = self.exit();
        if exit == Exit::Done {
            return;
        }
        let (refusal, errors) = self.refusal();
        if !json {
            say(format_args!("{}: {self}", self.heading()));
            let several = errors.len() > 1;
            for FieldError { detail, pointer } in &errors {
                let place = if pointer.is_empty() { "the whole payload" } else { pointer };
                if several || refusal.is_some_and(|refusal| refusal.message != *detail) {
                    say(format_args!("  at {place}: {detail}"));
                } else {
                    say(format_args!("  at {place}"));
                }
            }
            return;
        }
        let problem = Problem {
            code: refusal.map_or(self.heading(), |refusal| &refusal.code),
            detail: refusal.map_or_else(|| self.to_string(), |refusal| refusal.message.clone()),
            exit: exit as u8,
            errors,
            rule: refusal.map(|refusal| &refusal.rule),
            title: self.heading(),
        };
        // A problem of strings and one small number always has a canonical form.
        let bytes = canonical::to_bytes(&problem).unwrap_or_default();
        say(format_args!("{}", String::from_utf8_lossy(&bytes)));
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Faulty(..) => "refused",
            Self::Found(_) => "found",
            Self::Usage(_) => "usage",
            Self::NotFound(_) => "not found",
            Self::Conflict(_) => "conflict",
            Self::Log(_) => "log",
            Self::File { .. } => "file",
            Self::Corrupt(_) => "corrupt",
        }
    }
}

/// The error of a call with `--json`: the members of a problem over HTTP, with the exit code for
/// the status.
#[derive(Serialize)]
struct Problem<'a> {
    code: &'a str,
    detail: String,
    exit: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    title: &'static str,
}

fn advice(error: &eventlog::Error) -> &'static str {
    match error {
        eventlog::Error::Locked { .. } => {
            "; reading beside it is fine, and its web address takes commands (POST \
             /commands/NAME)"
        }
        // A damaged message ends every reading of its stream, that of `verify` too.
        eventlog::Error::Corrupt(Damage {
            place: Place::Message { .. } | Place::Event { .. } | Place::Stream,
            ..
        }) => "; nothing was changed",
        eventlog::Error::Corrupt(_) => "; `tranche verify` names all damage, nothing was changed",
        _ => "",
    }
}
