//! Holds what is known of a bank statement: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::actor::Actor;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{BankAccount, EntryKey, PaymentId, StatementId};
use crate::kernel::money::Money;
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a bank statement. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "statement.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It was taken in, and proved its cash.
    #[serde(rename = "statement.Imported")]
    Imported(Box<Sheet>),
    /// An entry was found to be a payment.
    #[serde(rename = "statement.Matched")]
    Matched { entry: EntryKey, payment: PaymentId },
    /// It was not, after all.
    #[serde(rename = "statement.Unmatched")]
    Unmatched { entry: EntryKey, payment: PaymentId, reason: String },
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Key of the account; never its number.
    pub account: BankAccount,
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
    pub entry: EntryKey,
}

/// One bank statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Which entry is which payment, and who said so.
    pub matches: OrdMap<EntryKey, (PaymentId, Actor)>,
    /// What it says.
    pub sheet: Option<Sheet>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Imported = "imported",
        Reconciled = "reconciled",
    }
}

impl Decider for Statement {
    type Id = StatementId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        let entries = self.sheet.as_ref().map_or(0, |sheet| sheet.entries.len());
        if self.matches.len() < entries { Phase::Imported } else { Phase::Reconciled }
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
