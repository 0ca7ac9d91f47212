//! Saying no: every refusal has a stable code, a sentence for a person, and the rule it rests on.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A rule of a document: an article of a regulation, or a clause of a call's rules document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The document, for example `Reg. (EU, Euratom) 2024/2509`.
    pub document: Cow<'static, str>,
    /// The place in it, for example `Art. 112(4)`.
    pub clause: Cow<'static, str>,
}

impl Rule {
    /// A rule of a published document.
    #[must_use]
    pub const fn of(document: &'static str, clause: &'static str) -> Self {
        Self { document: Cow::Borrowed(document), clause: Cow::Borrowed(clause) }
    }

    /// A rule of Tranche itself, written in design.md or ADR.
    #[must_use]
    pub const fn ours(clause: &'static str) -> Self {
        Self::of("Tranche", clause)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.document, self.clause)
    }
}

/// What kind of no it is: decides the HTTP status and the exit code, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command cannot be read: 400.
    Malformed,
    /// This role or person may not: 403.
    Forbidden,
    /// No such thing: 404.
    NotFound,
    /// Not in this state, not at this version, or an id used again: 409.
    Conflict,
    /// A rule says no: 422.
    Rule,
}

/// A refusal, ready to be shown. The typed reasons are in the deciders (see [`Reason`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} [{code}; {rule}]")]
pub struct Refusal {
    /// Stable code, `category.reason`.
    pub code: Cow<'static, str>,
    /// Which kind of no.
    pub kind: Kind,
    /// A sentence for a person.
    pub message: String,
    /// The rule.
    pub rule: Rule,
    /// The field at fault, as a JSON pointer, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Refusal {
    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.field = Some(pointer.into());
        self
    }
}

/// The rejections of one decider: an enum whose variants are the reasons, in order of precedence.
///
/// `Display` (thiserror) is the sentence; the variant in snake case (strum) is the code.
pub trait Reason: fmt::Display
where
    for<'a> &'a Self: Into<&'static str>,
{
    /// First part of the code.
    const CATEGORY: &'static str;

    /// The rule that says no.
    fn rule(&self) -> Rule;

    /// Which kind of no; a rule unless said otherwise.
    fn kind(&self) -> Kind {
        Kind::Rule
    }
}

impl<R: Reason> From<R> for Refusal
where
    for<'a> &'a R: Into<&'static str>,
{
    fn from(reason: R) -> Self {
        let name: &'static str = (&reason).into();
        Self {
            code: format!("{}.{name}", R::CATEGORY).into(),
            kind: reason.kind(),
            message: reason.to_string(),
            rule: reason.rule(),
            field: None,
        }
    }
}

/// The refusals that every command shares.
#[derive(
    Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Common {
    /// No such command.
    #[error("no command is called {0:?}; `tranche do --help` lists them")]
    UnknownCommand(String),
    /// The payload cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The role may not give this command.
    #[error("role {role} may not {command}; it takes {allowed}")]
    RoleNotAllowed {
        /// Who asked.
        role: String,
        /// For what.
        command: &'static str,
        /// Who may.
        allowed: String,
    },
    /// A role or an id that only the engine uses.
    #[error("{0} is the engine's own: choose another")]
    Reserved(String),
    /// There is no such stream.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The stream exists already.
    #[error("{0} exists already")]
    Exists(String),
    /// The stream is in another state.
    #[error("{command} is for {allowed}; {stream} is {phase}")]
    WrongState {
        /// The command.
        command: &'static str,
        /// The states it is for.
        allowed: String,
        /// The stream.
        stream: String,
        /// Its state.
        phase: &'static str,
    },
    /// The caller decided on an older version.
    #[error("{stream} is at version {actual}, not at {expected}: read it again")]
    WrongVersion {
        /// The stream.
        stream: String,
        /// What the caller saw.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The same command id came with other content.
    #[error("command id {0} was used before with other content")]
    IdReused(String),
    /// Said to be true before it is.
    #[error("effective_at lies after the moment of recording: a fact is recorded when it is true")]
    NotYetTrue,
    /// Said to be true before anything here can have been.
    #[error("effective_at lies before 1999, when the euro began")]
    BeforeTheEuro,
    /// The decision does not fit into one entry of the log.
    #[error("the decision takes {0} bytes, more than an entry of the log may have")]
    TooLarge(usize),
    /// An amount out of range or of the wrong currency.
    #[error("{0}")]
    Amount(String),
    /// A text longer than its limit.
    #[error("{field} is longer than {limit} characters")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// A decision without its reason.
    #[error("{0} is empty: say why")]
    NoReason(&'static str),
    /// A list longer than its limit.
    #[error("{field} has more than {limit} entries")]
    TooMany {
        /// The field.
        field: &'static str,
        /// Its limit.
        limit: usize,
    },
}

impl Reason for Common {
    const CATEGORY: &'static str = "command";

    fn rule(&self) -> Rule {
        Rule::ours(match self {
            Self::UnknownCommand(_) | Self::Malformed(_) => "the command's schema (openapi.json)",
            Self::RoleNotAllowed { .. } | Self::Reserved(_) => "who may what (design.md, 6)",
            Self::NotFound(_) | Self::Exists(_) | Self::WrongState { .. } => {
                "the lifecycle (design.md, 6)"
            }
            Self::WrongVersion { .. } => "expected version (design.md, 3)",
            Self::IdReused(_) => "the command ledger (design.md, 4)",
            Self::NotYetTrue | Self::BeforeTheEuro => "two clocks (design.md, 5)",
            Self::TooLarge(_) => "entry size (design.md, 2)",
            Self::Amount(_) => "money is integer cents of one currency (design.md, 5)",
            Self::TooLong { .. } | Self::TooMany { .. } => "every input has a limit",
            Self::NoReason(_) => "the log shows why (design.md, preamble)",
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::UnknownCommand(_) | Self::NotFound(_) => Kind::NotFound,
            Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::TooLong { .. }
            | Self::NoReason(_)
            | Self::TooMany { .. } => Kind::Malformed,
            Self::RoleNotAllowed { .. } | Self::Reserved(_) => Kind::Forbidden,
            Self::Exists(_)
            | Self::WrongState { .. }
            | Self::WrongVersion { .. }
            | Self::IdReused(_) => Kind::Conflict,
            Self::NotYetTrue | Self::BeforeTheEuro | Self::Amount(_) => Kind::Rule,
        }
    }
}

impl From<crate::kernel::money::MoneyError> for Refusal {
    fn from(error: crate::kernel::money::MoneyError) -> Self {
        Common::Amount(error.to_string()).into()
    }
}

impl From<crate::kernel::compute::ComputeError> for Refusal {
    fn from(error: crate::kernel::compute::ComputeError) -> Self {
        Common::Amount(error.to_string()).into()
    }
}

impl From<crate::kernel::time::TimeError> for Refusal {
    fn from(error: crate::kernel::time::TimeError) -> Self {
        Common::Malformed(error.to_string()).into()
    }
}
