//! How a call of the program can end.

use domain::kernel::refusal::Kind;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// A rule said no, or a check found something.
    Refused = 1,
    /// The call or its input could not be understood.
    Usage = 2,
    /// There is no such thing, or it is not as expected.
    Conflict = 3,
    /// The log or a file cannot be reached.
    Unavailable = 4,
    /// What is stored is not what was written.
    Corrupt = 5,
}

impl From<Kind> for Exit {
    /// Gives the exit code of a refusal of this kind.
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Rule | Kind::Forbidden => Self::Refused,
            Kind::Malformed => Self::Usage,
            Kind::NotFound | Kind::Conflict => Self::Conflict,
        }
    }
}
