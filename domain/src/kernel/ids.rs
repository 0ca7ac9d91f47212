//! Names of things: opaque tokens that are safe in a file name, a URL, an NATS subject and a CSV.

use crate::kernel::text::as_text;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest identifier, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// The longest command, correlation or causation id, in bytes.
pub const COMMAND_ID_BYTES_MAX: usize = 128;

/// An identifier that names one stream of a category.
pub trait StreamKey: Sized + Clone + Ord + FromStr<Err = IdError> {
    /// The category of the stream, for example `call`.
    const CATEGORY: &'static str;

    /// The identifier itself.
    fn as_str(&self) -> &str;

    /// The stream that it names: `category-id`.
    fn stream(&self) -> StreamId {
        StreamId(format!("{}-{}", Self::CATEGORY, self.as_str()).into())
    }

    /// The identifier in the name of a stream of this category.
    fn of_stream(stream: &StreamId) -> Option<Self> {
        let (category, id) = stream.0.split_once('-')?;
        if category == Self::CATEGORY { id.parse().ok() } else { None }
    }
}

/// What is wrong with an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is 1 to {limit} characters of {allowed}; got {got:?}")]
pub struct IdError {
    what: &'static str,
    limit: usize,
    allowed: &'static str,
    got: String,
}

fn token(
    what: &'static str,
    text: &str,
    limit: usize,
    extra: &'static [u8],
    allowed: &'static str,
) -> Result<Arc<str>, IdError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || extra.contains(&byte);
    if text.is_empty() || text.len() > limit || !text.bytes().all(good) {
        let got = text.chars().take(limit + 1).collect();
        return Err(IdError { what, limit, allowed, got });
    }
    Ok(text.into())
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $type:ident, $what:expr, $limit:expr, $extra:literal, $allowed:literal, $pattern:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                token($what, text, $limit, $extra, $allowed).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        as_text!(is_str $type, stringify!($type), $pattern, $example);
    )*};
}

/// Identifiers of streams, each with the category of its stream.
macro_rules! stream_keys {
    ($($(#[$doc:meta])* $type:ident = $category:literal, $example:literal;)*) => {
        tokens! {$(
            $(#[$doc])*
            $type, stringify!($type), ID_BYTES_MAX, b"-_", "letters, digits, '-' and '_'", "^[A-Za-z0-9_-]{1,64}$", $example;
        )*}
        $(
            impl StreamKey for $type {
                const CATEGORY: &'static str = $category;

                fn as_str(&self) -> &str {
                    &self.0
                }
            }
        )*
    };
}

stream_keys! {
    /// A fund: one budgetary year or programme of one authority.
    FundId = "fund", "EUROHPC-AI";
    /// A call.
    CallId = "call", "EUROHPC-2024-CEI-AI";
    /// A proposal.
    ProposalId = "proposal", "AIF-R1-LUMI";
    /// The evaluation of one round of one call.
    EvaluationId = "evaluation", "EUROHPC-2024-CEI-AI-R1";
    /// A grant: what an awarded proposal becomes.
    GrantId = "grant", "LUMI-AIF";
    /// A payment.
    PaymentId = "payment", "LUMI-AIF-PF1";
    /// The contribution that a Member State brings to a grant.
    PledgeId = "pledge", "LUMI-AIF-FI";
    /// A bank statement.
    StatementId = "statement", "2026-04-22-EUR";
    /// An allocation of compute time.
    AllocationId = "allocation", "EHPC-AIF-2025PG01-128";
    /// A machine.
    SystemId = "system", "LUMI";
    /// A prize contest.
    PrizeId = "prize", "AI-GRAND-CHALLENGE";
    /// Something that has been published about money.
    ClaimId = "claim", "SLAIF-2025-03-12";
    /// An audit engagement.
    AuditId = "audit", "ECA-2026-1";
    /// The log itself, whose checkpoints are signed: there is one.
    LogId = "checkpoint", "log";
    /// A natural person: the id under which they act, which says nothing about them.
    SubjectId = "subject", "p0123456789abcdef";
    /// A durable timer.
    TimerId = "timer", "EUROHPC-2024-CEI-AI-cutoff-1";
    /// A process manager.
    ProcessId = "process", "award-to-preparation";
}

tokens! {
    /// Who acts: an opaque id, never a name (rules.md#sealed).
    ActorId, "ActorId", ID_BYTES_MAX, b"-_.", "letters, digits, '-', '_' and '.'", "^[A-Za-z0-9_.-]{1,64}$", "officer-7";
    /// A bank account, as the books of the authority call it: never its number.
    AccountKey, "AccountKey", ID_BYTES_MAX, b"-_.", "letters, digits, '-', '_' and '.'", "^[A-Za-z0-9_.-]{1,64}$", "BA-2026-117";
    /// Names a command for ever: the same id never decides twice.
    CommandId, "CommandId", COMMAND_ID_BYTES_MAX, b"-_./:", "letters, digits and '-_./:'", "^[A-Za-z0-9_./:-]{1,128}$", "0198f2c4-7c1e-7000-8000-000000000001";
}

/// What a label of any kind is called in a mistake, and in the committed schemas: they are one shape.
pub(crate) const LABEL: &str = "Key";

/// Labels inside one stream. All are written alike, and none stands for another.
macro_rules! labels {
    ($($(#[$doc:meta])* $type:ident, $example:literal;)*) => {
        tokens! {$(
            $(#[$doc])*
            $type, LABEL, ID_BYTES_MAX, b"-_. +", "letters, digits, '-', '_', '.', '+' and space", "^[A-Za-z0-9_. +-]{1,64}$", $example;
        )*}

        /// Says whether the type of a label is called so.
        #[must_use]
        pub fn is_label(name: &str) -> bool {
            [$(stringify!($type)),*].contains(&name)
        }
    };
}

labels! {
    /// A cut-off of a call, and the round that it closes.
    CutOffKey, "R1";
    /// A stage of an evaluation.
    StageKey, "full";
    /// A criterion of an evaluation.
    CriterionKey, "impact";
    /// A question of a check, as the rules ask it.
    QuestionKey, "on-time";
    /// A document that the rules ask for.
    DocumentKey, "part-b";
    /// A legal source in a rules document.
    LegalKey, "mga";
    /// A rules document, whatever its version.
    RulesId, "ai-factories";
    /// An aspect of a call that a proposal covers.
    AspectKey, "training";
    /// A sector that a proposal serves.
    SectorKey, "health";
    /// What kind of project a proposal is.
    ProjectKind, "upgrade";
    /// A budget line of a fund.
    BudgetLine, "02 04 03 01";
    /// Whose money it is.
    FundSource, "DEP";
    /// A global commitment of a fund.
    CommitmentKey, "GC-2025-1";
    /// A cost item, as the rules name it.
    ItemKey, "operating";
    /// Someone who takes part in a grant.
    BeneficiaryKey, "CSC";
    /// An amendment of a grant agreement.
    AmendmentKey, "AMD-1";
    /// A report on a grant.
    ReportKey, "RP1";
    /// A procurement under a hosting agreement.
    ProcurementKey, "machine";
    /// With whom a contract is made.
    SupplierKey, "HPE";
    /// An entry of a bank statement.
    EntryKey, "2026-04-22-0001";
    /// The account of a bank statement: never its number.
    BankAccount, "main";
    /// A finding of an audit.
    FindingKey, "F-1";
    /// What keeps the data of a person from being erased.
    HoldKey, "H1";
    /// A disclosure of the data of a person.
    OpeningKey, "O1";
    /// The case, as the files of the office call it.
    CaseKey, "E-2026-17";
    /// A partition of a machine, or a named pool of partitions.
    PartitionKey, "LUMI-G";
    /// Compute time that a call may give away.
    OfferKey, "Regular 2025";
    /// The way to ask for compute time.
    AccessMode, "Playground";
    /// Who runs a machine.
    SiteKey, "CSC";
    /// Who has compute time without a request.
    HolderKey, "Multiverse-Computing";
    /// An account on a machine, as its site calls it.
    MachineAccount, "project-465000117";
    /// A period of which usage is reported.
    PeriodKey, "2025-06";
    /// Someone who takes part in a prize contest.
    ContestantKey, "Lingua-Custodia";
}

/// The name of a stream: `category-id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first `-`.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }

    /// The part after the first `-`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

impl FromStr for StreamId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = "letters, digits, '-' and '_', as category-id";
        let error = || IdError {
            what: "StreamId",
            limit: 2 * ID_BYTES_MAX,
            allowed,
            got: text.chars().take(2 * ID_BYTES_MAX).collect(),
        };
        let (category, id) = text.split_once('-').ok_or_else(error)?;
        if category.is_empty() || id.is_empty() {
            return Err(error());
        }
        token("StreamId", text, 2 * ID_BYTES_MAX, b"-_", allowed).map(Self)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

as_text!(is_str StreamId, "StreamId", "^[a-z]+-[A-Za-z0-9_-]{1,64}$", "call-EUROHPC-2024-CEI-AI");

/// A two-letter country code as the Commission writes it (EL for Greece, UK for Britain).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([*a, *b])),
            _ => Err(format!("a country is two capital letters like \"FI\"; got {text:?}")),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

as_text!(Country, "Country", "^[A-Z]{2}$", "FI");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_stream_and_back() {
        let call: CallId = "EUROHPC-2024-CEI-AI".parse().unwrap();
        assert_eq!(call.stream().as_str(), "call-EUROHPC-2024-CEI-AI");
        assert_eq!(CallId::of_stream(&call.stream()), Some(call.clone()));
        assert_eq!(FundId::of_stream(&call.stream()), None);
    }

    #[test]
    fn unsafe_names_are_refused() {
        for text in ["", "a b", "a/b", "a.b", "é", "a\n", &"x".repeat(65)] {
            assert!(text.parse::<CallId>().is_err(), "{text:?}");
        }
        assert!("call-".parse::<StreamId>().is_err());
        assert!("-x".parse::<StreamId>().is_err());
    }
}
