//! Saying no: every refusal has a stable code, a sentence for a person, and the rule it rests on.

use crate::kernel::law::OURS;
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

    /// A rule of Tranche itself. The clause ends with its anchor in ADR/rules.md.
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
pub enum RefusalKind {
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
    pub kind: RefusalKind,
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
    fn kind(&self) -> RefusalKind {
        RefusalKind::Rule
    }
}

/// What is known of a reason before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which kind of no.
    pub kind: RefusalKind,
    /// The rule that says no.
    pub rule: Rule,
    /// Its sentence, with a place for each figure.
    pub sentence: &'static str,
}

/// The reasons of one category, in order of precedence.
pub trait Listed: Reason
where
    for<'a> &'a Self: Into<&'static str>,
{
    /// The second part of each code.
    const NAMES: &'static [&'static str];
    /// What is known of each, in the same order.
    const ABOUT: &'static [About];

    /// Every code with what is known of it.
    fn listed() -> impl Iterator<Item = (String, &'static About)> {
        let codes = Self::NAMES.iter().map(|name| format!("{}.{name}", Self::CATEGORY));
        codes.zip(Self::ABOUT)
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

/// Makes the refusals of a category, in the order in which they win: `under document, clause` the reasons
/// that rest on it, each with its figures and its sentence (`with` what is not a field), and `as` a
/// kind where it is not a rule that says no. The code is the category and the name of the variant in snake
/// case.
macro_rules! refusals {
    (
        $name:ident of $category:literal
        $(under $document:expr, $clause:literal => {
            $($variant:ident $(($($item:ty),+))? $({ $($field:ident: $type:ty),+ $(,)? })?
                = $sentence:literal $(with [$($figures:tt)+])? $(as $kind:ident)?;)+
        })+
    ) => {
        /// Why it says no, in order of precedence. The fields are the figures of the sentence.
        #[derive(
            Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
        )]
        #[strum(serialize_all = "snake_case")]
        pub enum $name {
            $($(
                #[doc = $sentence]
                #[error($sentence $(, $($figures)+)?)]
                $variant $(($($item),+))? $({ $(#[doc = "A figure of the sentence."] $field: $type),+ })?,
            )+)+
        }

        impl $crate::kernel::refusal::Reason for $name {
            const CATEGORY: &'static str = $category;

            fn rule(&self) -> $crate::kernel::refusal::Rule {
                match self {
                    $($(Self::$variant { .. } => {
                        $crate::kernel::refusal::Rule::of($document, $clause)
                    })+)+
                }
            }

            fn kind(&self) -> $crate::kernel::refusal::RefusalKind {
                match self {
                    $($(Self::$variant { .. } => {
                        $crate::kernel::refusal::refusals!(@kind $($kind)?)
                    })+)+
                }
            }
        }

        impl $crate::kernel::refusal::Listed for $name {
            const NAMES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;
            const ABOUT: &'static [$crate::kernel::refusal::About] = &[
                $($($crate::kernel::refusal::About {
                    kind: $crate::kernel::refusal::refusals!(@kind $($kind)?),
                    rule: $crate::kernel::refusal::Rule::of($document, $clause),
                    sentence: $sentence,
                },)+)+
            ];
        }
    };
    (@kind) => { $crate::kernel::refusal::RefusalKind::Rule };
    (@kind $kind:ident) => { $crate::kernel::refusal::RefusalKind::$kind };
}
pub(crate) use refusals;

refusals! {
    Common of "command"

    under OURS, "the command's schema (rules.md#schema)" => {
        UnknownCommand(String)
            = "no command is called {0:?}; `tranche do --help` lists them" as NotFound;
        Malformed(String) = "{0}" as Malformed;
    }

    under OURS, "who may what (rules.md#who-may)" => {
        RoleNotAllowed { role: String, command: &'static str, allowed: String }
            = "role {role} may not {command}; it takes {allowed}" as Forbidden;
        Reserved(String) = "{0} is reserved for the engine: choose another one" as Forbidden;
    }

    under OURS, "the lifecycle (rules.md#lifecycle)" => {
        NotFound(String) = "{0} does not exist" as NotFound;
        Exists(String) = "{0} exists already" as Conflict;
        WrongState { command: &'static str, allowed: String, stream: String, phase: &'static str }
            = "{command} needs the state {allowed}, but {stream} is {phase}" as Conflict;
    }

    under OURS, "expected version (rules.md#expected-version)" => {
        WrongVersion { stream: String, expected: u64, actual: u64 }
            = "{stream} is at version {actual}, not at {expected}: read it again" as Conflict;
    }

    under OURS, "the idempotency register (rules.md#command-ids)" => {
        IdReused(String) = "command id {0} was used before with other content" as Conflict;
    }

    under OURS, "two clocks (rules.md#two-clocks)" => {
        NotYetTrue
            = "effective_at lies after the moment of recording: a fact is recorded when it is true";
        BeforeTheEuro = "effective_at lies before 1999, when the euro began";
    }

    under OURS, "entry size (rules.md#entry-size)" => {
        TooLarge(usize)
            = "the decision takes {0} bytes, more than an entry of the log may have" as Malformed;
    }

    under OURS, "money is integer cents of one currency (rules.md#money)" => {
        Amount(String) = "{0}";
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        TooLong { field: &'static str, limit: usize }
            = "{field} is longer than {limit} characters" as Malformed;
    }

    under OURS, "the log shows why (rules.md#reasons)" => {
        NoReason(&'static str) = "{0} is empty: say why" as Malformed;
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        TooMany { field: &'static str, limit: usize }
            = "{field} has more than {limit} entries" as Malformed;
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
