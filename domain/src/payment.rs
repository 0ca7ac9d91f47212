//! Decides who may move which money to a grant and back, and that four different people do it.

use crate::command::{Actor, Entry};
use crate::ids::{FundId, GrantId, Key, PaymentId, StreamId, StreamKey};
use crate::money::Money;
use crate::rejection::{Reason, Rule};
use crate::world::{At, Decider};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a payment. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "payment.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// Someone asked for it to be paid; from here on the money is spoken for.
    #[serde(rename = "payment.Initiated")]
    Initiated(Order),
    /// A second person checked it.
    #[serde(rename = "payment.Verified")]
    Verified {},
    /// The authorising officer ordered it.
    #[serde(rename = "payment.Authorised")]
    Authorised {},
    /// The accounting officer carried it out.
    #[serde(rename = "payment.Executed")]
    Executed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booked_on: Option<Date>,
        end_to_end_id: String,
    },
    /// It was stopped before it was carried out.
    #[serde(rename = "payment.Rejected")]
    Rejected { reason: String },
    /// The bank undid it.
    #[serde(rename = "payment.Returned")]
    Returned { reason: String },
}

/// What is to be paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is booked against the commitment.
    pub amount: Money,
    /// The clause that it rests on, when that is not a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// Whose money.
    pub fund: FundId,
    /// To or from which grant.
    pub grant: GrantId,
    /// Which kind.
    pub kind: Kind,
    /// What moves at the bank: `amount` less what the mutual insurance withholds, plus what it
    /// releases with the balance.
    pub net: Money,
    /// The assessed report that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Key>,
}

/// Which kind of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Before anything is spent; an asset until it is cleared.
    PreFinancing,
    /// For the accepted costs of a period.
    Interim,
    /// What is left to pay at the end.
    Balance,
    /// Money that comes back.
    Recovery,
}

/// One payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// When the bank booked it, if known.
    pub booked_on: Option<Date>,
    /// Its name at the bank, once carried out.
    pub end_to_end_id: Option<String>,
    /// Who did the steps so far: initiated, verified, authorised, executed.
    pub hands: Vec<Actor>,
    /// What is to be paid.
    pub order: Option<Order>,
    /// Where it is.
    pub stage: Stage,
}

/// Where a payment is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Asked for.
    #[default]
    Initiated,
    /// Checked.
    Verified,
    /// Ordered.
    Authorised,
    /// Carried out.
    Executed,
    /// Stopped.
    Rejected,
    /// Undone by the bank.
    Returned,
}

/// Why a payment is not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Zero or less.
    #[error("a payment moves more than nothing; got {0}")]
    NotPositive(Money),
    /// One person, two of the four steps.
    #[error("another person must do this than the one who {0}")]
    SamePerson(&'static str),
    /// Not in this phase of the grant.
    #[error("no {kind} while {grant} is {phase}")]
    NotPayable { kind: Kind, grant: StreamId, phase: &'static str },
    /// The grant draws on other funds.
    #[error("{fund} has no legal commitment to {grant}")]
    OtherFund { fund: FundId, grant: GrantId },
    /// It rests on nothing.
    #[error("a {kind} rests on {needs}")]
    NoBasis { kind: Kind, needs: &'static str },
    /// The rules know no payments.
    #[error("the rules of the call say nothing about payments")]
    NoPaymentRules,
    /// More than the rules pay ahead.
    #[error("{asked} is more than the {left} left of the pre-financing")]
    PreFinancingExceeded { asked: Money, left: Money },
    /// More than the rules pay before the balance.
    #[error("{asked} is more than the {left} that may be paid before the balance")]
    BeforeBalanceExceeded { asked: Money, left: Money },
    /// More than was accepted.
    #[error("{asked} is more than the {left} accepted and not yet paid")]
    AcceptedExceeded { asked: Money, left: Money },
    /// A second balance.
    #[error("the balance is payment {0}")]
    BalanceExists(PaymentId),
    /// More than the legal commitment has left.
    #[error("{asked} is more than the {left} left of the legal commitment")]
    CommitmentExceeded { asked: Money, left: Money },
    /// More than was paid.
    #[error("{asked} is more than the {left} that can be recovered")]
    RecoveryExceeded { asked: Money, left: Money },
    /// Not a name that banks pass on.
    #[error("an end-to-end id is 1 to 35 letters, digits or /-?:().,'+ and space; got {0:?}")]
    EndToEndId(String),
    /// A name that is in use.
    #[error("end-to-end id {id} belongs to payment {payment}")]
    EndToEndIdUsed { id: String, payment: PaymentId },
}

impl Reason for Rejection {
    const CATEGORY: &'static str = PaymentId::CATEGORY;

    fn rule(&self) -> Rule {
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        const AGREEMENT: &str = "EU model grant agreement";
        const RULES: &str = "Rules document of the call";
        match self {
            Self::SamePerson(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 73-77: segregation of duties")
            }
            Self::NotPositive(_) | Self::NoBasis { .. } => {
                Rule::of(FINANCIAL_REGULATION, "Art. 115: every payment rests on proof")
            }
            Self::NotPayable { .. } => Rule::of(AGREEMENT, "Art. 30-32: suspension, termination"),
            Self::OtherFund { .. } | Self::CommitmentExceeded { .. } => {
                Rule::of(FINANCIAL_REGULATION, "Art. 116: payments within the legal commitment")
            }
            Self::NoPaymentRules => Rule::of(RULES, "payments"),
            Self::PreFinancingExceeded { .. } => Rule::of(RULES, "payments.prefinancing_max"),
            Self::BeforeBalanceExceeded { .. } => Rule::of(RULES, "payments.before_balance_max"),
            Self::AcceptedExceeded { .. }
            | Self::BalanceExists(_)
            | Self::RecoveryExceeded { .. } => Rule::of(AGREEMENT, "Art. 22: payments"),
            Self::EndToEndId(_) | Self::EndToEndIdUsed { .. } => {
                Rule::of("ISO 20022", "pain.001: EndToEndId names one payment")
            }
        }
    }
}

impl Decider for Payment {
    type Id = PaymentId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        self.stage.into()
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Initiated(order) => {
                self.order = Some(order.clone());
                self.hands.push(at.actor.clone());
            }
            Event::Verified {} => {
                self.stage = Stage::Verified;
                self.hands.push(at.actor.clone());
            }
            Event::Authorised {} => {
                self.stage = Stage::Authorised;
                self.hands.push(at.actor.clone());
            }
            Event::Executed { booked_on, end_to_end_id } => {
                self.stage = Stage::Executed;
                self.hands.push(at.actor.clone());
                self.booked_on = *booked_on;
                self.end_to_end_id = Some(end_to_end_id.clone());
            }
            Event::Rejected { .. } => self.stage = Stage::Rejected,
            Event::Returned { .. } => self.stage = Stage::Returned,
        }
    }
}
/// The commands of a payment.
pub const COMMANDS: &[Entry] = &[];
