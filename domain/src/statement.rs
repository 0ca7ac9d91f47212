//! Decides whether a bank statement proves its own cash, and which entry is which payment.

use crate::canonical::Sha256Hex;
use crate::command::{Actor, Entry};
use crate::ids::{Key, PaymentId, StatementId, StreamKey};
use crate::money::Money;
use crate::rejection::{Reason, Rule};
use crate::world::{At, Decider};
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most entries of one statement: it must fit into one commit.
pub const ENTRIES_MAX: usize = 150;
/// The longest description of an entry, in characters (unstructured remittance, ISO 20022).
pub const DESCRIPTION_CHARS_MAX: usize = 140;

/// What happens to a bank statement. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "statement.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It was taken in, and proved its cash.
    #[serde(rename = "statement.Imported")]
    Imported(Box<Sheet>),
    /// An entry was found to be a payment.
    #[serde(rename = "statement.Matched")]
    Matched { entry: Key, payment: PaymentId },
    /// It was not, after all.
    #[serde(rename = "statement.Unmatched")]
    Unmatched { entry: Key, payment: PaymentId, reason: String },
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Key of the account; never its number.
    pub account: Key,
    /// Balance at its end.
    pub closing: Money,
    /// Hash of the file that it was read from.
    pub document: Sha256Hex,
    /// What was booked.
    #[schemars(length(max = 150))]
    pub entries: Vec<Booking>,
    /// First day.
    pub from: Date,
    /// Its number, which the bank counts up, anew each year or not.
    pub number: u32,
    /// Balance at its beginning.
    pub opening: Money,
    /// Last day.
    pub to: Date,
}

/// One entry of a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// What came in; less than nothing for what went out.
    pub amount: Money,
    /// When the bank booked it.
    pub booked_on: Date,
    /// The text of the bank.
    #[schemars(length(max = 140))]
    pub description: String,
    /// Our name for it, as the bank gives it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 35))]
    pub end_to_end_id: Option<String>,
    /// Its key in the statement.
    pub entry: Key,
}

/// One bank statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Which entry is which payment, and who said so.
    pub matches: OrdMap<Key, (PaymentId, Actor)>,
    /// What it says.
    pub sheet: Option<Sheet>,
}

/// Why a statement says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The end comes first.
    #[error("{to} lies before {from}")]
    Backwards { from: Date, to: Date },
    /// One key, two entries.
    #[error("two entries are called {0}")]
    EntryTwice(Key),
    /// Booked on another day.
    #[error("entry {entry} was booked on {booked_on}, outside the statement")]
    OutsidePeriod { entry: Key, booked_on: Date },
    /// The entries do not explain the balances.
    #[error("{opening} and entries of {sum} do not make {closing}")]
    ProofOfCash { opening: Money, sum: Money, closing: Money },
    /// The same file again.
    #[error("this file was imported as {0}")]
    FileTwice(StatementId),
    /// A statement is missing, or came twice.
    #[error("statement {expected} comes next, not {got}")]
    NumberGap { expected: u32, got: u32 },
    /// It does not begin where the last one ended.
    #[error("the last statement closed with {closing}, this one opens with {opening}")]
    BalanceGap { closing: Money, opening: Money },
    /// No such entry.
    #[error("there is no entry {0}")]
    NoEntry(Key),
    /// It is matched.
    #[error("entry {entry} is payment {payment} already")]
    EntryMatched { entry: Key, payment: PaymentId },
    /// The payment is matched elsewhere.
    #[error("payment {payment} is entry {entry} of {statement} already")]
    PaymentMatched { payment: PaymentId, entry: Key, statement: StatementId },
    /// Nothing left the account.
    #[error("payment {payment} is {phase}, not executed")]
    NotExecuted { payment: PaymentId, phase: &'static str },
    /// Another amount.
    #[error("the entry is of {entry}, the payment would be {expected}")]
    AmountDiffers { entry: Money, expected: Money },
    /// It is not matched.
    #[error("entry {0} is not matched")]
    NotMatched(Key),
    /// Un-matched by who matched.
    #[error("another person must undo a match than the one who made it")]
    SamePerson,
}

impl Reason for Rejection {
    const CATEGORY: &'static str = StatementId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::Backwards { .. }
            | Self::EntryTwice(_)
            | Self::OutsidePeriod { .. }
            | Self::ProofOfCash { .. }
            | Self::FileTwice(_)
            | Self::NumberGap { .. }
            | Self::BalanceGap { .. } => {
                Rule::ours("a statement proves its cash and follows the one before it")
            }
            Self::NoEntry(_)
            | Self::EntryMatched { .. }
            | Self::PaymentMatched { .. }
            | Self::NotExecuted { .. }
            | Self::AmountDiffers { .. }
            | Self::NotMatched(_) => {
                Rule::ours("one payment is one entry of the bank, to the cent")
            }
            Self::SamePerson => {
                Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 73-77: segregation of duties")
            }
        }
    }
}

impl Decider for Statement {
    type Id = StatementId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        let entries = self.sheet.as_ref().map_or(0, |sheet| sheet.entries.len());
        if self.matches.len() < entries { "imported" } else { "reconciled" }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Imported(sheet) => self.sheet = Some((**sheet).clone()),
            Event::Matched { entry, payment } => {
                self.matches.insert(entry.clone(), (payment.clone(), at.actor.clone()));
            }
            Event::Unmatched { entry, .. } => {
                self.matches.remove(entry);
            }
        }
    }
}
/// The commands of a bank statement.
pub const COMMANDS: &[Entry] = &[];
