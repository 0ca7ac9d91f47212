//! Holds what is known of a payment: its events, stored for ever, and what they add up to.

use crate::facts::grant::account::Payee;
use crate::facts::stream::{At, Decider, phases};
use crate::facts::upcast;
use crate::facts::upcast::Upcaster;
use crate::kernel::actor::Actor;
use crate::kernel::ids::{FundId, GrantId, PaymentId, ReportKey};
use crate::kernel::money::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The four steps, each done by somebody else.
pub(crate) const STEPS: [&str; 4] =
    ["initiated it", "verified it", "authorised it", "carried it out"];

/// What happens to a payment. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub kind: PaymentKind,
    /// What moves at the bank: `amount` less what the mutual insurance withholds, plus what it
    /// releases with the balance.
    pub net: Money,
    /// The bank account that it goes to; none for money that comes back, and for orders from before accounts
    /// were confirmed in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// The assessed report that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportKey>,
}

/// Which kind of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[schemars(rename = "Kind")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PaymentKind {
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
    /// When it was carried out.
    pub paid_at: Option<Timestamp>,
    /// The commits of those steps.
    pub places: Vec<u64>,
    /// Where it is.
    pub stage: Stage,
}

phases! {
    /// Where a payment is.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Stage {
        /// Asked for.
        #[default]
        Initiated = "initiated",
        /// Checked.
        Verified = "verified",
        /// Ordered.
        Authorised = "authorised",
        /// Carried out.
        Executed = "executed",
        /// Stopped.
        Rejected = "rejected",
        /// Undone by the bank.
        Returned = "returned",
    }
}

impl Decider for Payment {
    type Id = PaymentId;
    type Event = Event;
    type Phase = Stage;

    const UPCASTERS: &'static [Upcaster] = &[Upcaster {
        event: "payment.Initiated",
        from: 1,
        schema: include_str!("../../schemas/payment/Initiated.v1.json"),
        // It names no account.
        up: upcast::same,
    }];

    fn phase(&self) -> Stage {
        self.stage
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Initiated(order) => {
                self.order = Some(order.clone());
                self.touched(at);
            }
            Event::Verified {} => {
                self.stage = Stage::Verified;
                self.touched(at);
            }
            Event::Authorised {} => {
                self.stage = Stage::Authorised;
                self.touched(at);
            }
            Event::Executed { booked_on, end_to_end_id } => {
                self.stage = Stage::Executed;
                self.touched(at);
                self.paid_at = Some(at.effective_at);
                self.booked_on = *booked_on;
                self.end_to_end_id = Some(end_to_end_id.clone());
            }
            Event::Rejected { .. } => self.stage = Stage::Rejected,
            Event::Returned { .. } => self.stage = Stage::Returned,
        }
    }
}

impl Payment {
    fn touched(&mut self, at: &At<'_>) {
        self.hands.push(at.actor.clone());
        self.places.push(at.position);
    }
}
