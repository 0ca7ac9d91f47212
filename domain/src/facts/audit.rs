//! Holds what is known of an audit engagement: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::actor::Actor;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{AuditId, FindingKey, GrantId, PaymentId};
use crate::kernel::money::Money;
use crate::kernel::sampling::{Assurance, Drawn, Method};
use imbl::OrdMap;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to an audit engagement. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "audit.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// The engagement began.
    #[serde(rename = "audit.Opened")]
    Opened(Box<Plan>),
    /// The auditor bound themselves to a nonce that they do not tell yet.
    #[serde(rename = "audit.NonceCommitted")]
    NonceCommitted { commitment: Sha256Hex },
    /// The sample was drawn, by the rules and from the seed alone.
    #[serde(rename = "audit.SampleDrawn")]
    SampleDrawn(Box<Sample>),
    /// An item of the sample was tested; the last test counts.
    #[serde(rename = "audit.ItemTested")]
    ItemTested {
        audited: Money,
        book: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorKind>,
        item: String,
        note: String,
    },
    /// The auditor holds that something is wrong.
    #[serde(rename = "audit.FindingRaised")]
    FindingRaised { answer_by: Timestamp, finding: FindingKey, holds: Box<Holds> },
    /// The auditee answered.
    #[serde(rename = "audit.Answered")]
    Answered {
        accepts: bool,
        answer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Sha256Hex>,
        finding: FindingKey,
    },
    /// The finding stands, with this amount.
    #[serde(rename = "audit.FindingConfirmed")]
    FindingConfirmed { amount: Money, finding: FindingKey, reason: String },
    /// The finding does not stand.
    #[serde(rename = "audit.FindingWithdrawn")]
    FindingWithdrawn { finding: FindingKey, reason: String },
    /// Money moved because of it.
    #[serde(rename = "audit.Corrected")]
    Corrected { amount: Money, finding: FindingKey, payment: PaymentId },
    /// The auditor looked at what became of it.
    #[serde(rename = "audit.FollowedUp")]
    FollowedUp { finding: FindingKey, note: String, outcome: Outcome },
    /// The engagement ended.
    #[serde(rename = "audit.Closed")]
    Closed { conclusion: String },
}

/// What is audited, and how surely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How many days the auditee has for an answer.
    #[schemars(range(min = 1, max = 365))]
    pub answer_days: u32,
    /// How sure the conclusion is to be.
    pub assurance: Assurance,
    /// Only this grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// First day of the period, in the zone. It restricts what happened at one moment: payments.
    pub from: Date,
    /// By what the sample is chosen.
    pub method: Method,
    /// Of what there are items.
    pub population: Population,
    /// What it is about.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// Last day of the period, in the zone.
    pub to: Date,
    /// IANA name of the zone of the days.
    #[schemars(length(max = 64), example = "Europe/Luxembourg")]
    pub zone: String,
}

/// The checkpoint that a seed rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Root hash of the Merkle tree.
    pub root: Sha256Hex,
    /// How many commits it covers.
    pub size: u64,
}

/// A sample, with all that is needed to draw it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// What the seed rests on.
    pub checkpoint: Checkpoint,
    /// How many items the population has.
    pub count: u64,
    /// What was drawn, in order.
    pub items: Vec<Drawn>,
    /// What the auditor had bound themselves to.
    pub nonce: Sha256Hex,
    /// Digest of the population (see [`sampling::digest`]).
    pub population_sha256: Sha256Hex,
    /// The seed.
    pub seed: Sha256Hex,
    /// The `n` of the formula: the interval is `total / size`.
    pub size: u64,
    /// What the items of the population add up to.
    pub total: Money,
}

/// Which kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It was not due, or not so much.
    Eligibility,
    /// It was computed or booked wrongly.
    Accuracy,
    /// It belongs to another period or line.
    Classification,
    /// There is no proof of it.
    Evidence,
    /// A control that should have worked did not.
    Control,
}

/// What a finding holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    /// How much money is concerned; nothing for a weakness of control.
    pub amount: Money,
    /// Hash of the evidence.
    pub evidence: Sha256Hex,
    /// The item of the sample, if it comes of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 129))]
    pub item: Option<String>,
    /// The rule that was broken.
    #[schemars(length(min = 1, max = 2000))]
    pub rule: String,
    /// What is wrong.
    #[schemars(length(min = 1, max = 2000))]
    pub what: String,
}

/// What became of a confirmed finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not done yet.
    Open,
    /// All corrected.
    Implemented,
    /// Given up, for the reason in the note.
    Waived,
}

/// One engagement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Whether it has ended.
    pub closed: bool,
    /// The commitment to a nonce, and the position of its commit.
    pub commitment: Option<(Sha256Hex, u64)>,
    /// By key.
    pub findings: OrdMap<FindingKey, Finding>,
    /// What is audited.
    pub plan: Option<Plan>,
    /// The sample.
    pub sample: Option<Sample>,
    /// What each tested item should have been.
    pub tested: OrdMap<String, Money>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it comes to; that of the confirmation once there is one.
    pub amount: Money,
    /// Until when the auditee is waited for.
    pub answer_by: Timestamp,
    /// Whether the auditee has answered.
    pub answered: bool,
    /// How much each payment corrects.
    pub corrections: OrdMap<PaymentId, Money>,
    /// The item of the sample, if it comes of one.
    pub item: Option<String>,
    /// Who raised it.
    pub raised_by: Actor,
    /// Where it is.
    pub stage: FindingStanding,
}

/// Where a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FindingStanding {
    /// The auditee is being heard.
    Raised,
    /// It stands.
    Confirmed,
    /// It does not.
    Withdrawn,
    /// It stands, and is done with.
    Settled,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Closed = "closed",
        Drawn = "drawn",
        Bound = "bound",
        Planned = "planned",
    }
}

impl Decider for Audit {
    type Id = AuditId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        match (self.closed, &self.sample, &self.commitment) {
            (true, ..) => Phase::Closed,
            (_, Some(_), _) => Phase::Drawn,
            (_, None, Some(_)) => Phase::Bound,
            (_, None, None) => Phase::Planned,
        }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Opened(plan) => self.plan = Some((**plan).clone()),
            Event::NonceCommitted { commitment } => {
                self.commitment = Some((*commitment, at.position));
            }
            Event::SampleDrawn(sample) => self.sample = Some((**sample).clone()),
            Event::ItemTested { audited, item, .. } => {
                self.tested.insert(item.clone(), *audited);
            }
            Event::FindingRaised { answer_by, finding, holds } => {
                let raised = Finding {
                    amount: holds.amount,
                    answer_by: *answer_by,
                    answered: false,
                    corrections: OrdMap::new(),
                    item: holds.item.clone(),
                    raised_by: at.actor.clone(),
                    stage: FindingStanding::Raised,
                };
                self.findings.insert(finding.clone(), raised);
            }
            Event::Answered { finding, .. } => self.change(finding, |it| it.answered = true),
            Event::FindingConfirmed { amount, finding, .. } => self.change(finding, |it| {
                it.stage = FindingStanding::Confirmed;
                it.amount = *amount;
            }),
            Event::FindingWithdrawn { finding, .. } => {
                self.change(finding, |it| it.stage = FindingStanding::Withdrawn);
            }
            Event::Corrected { amount, finding, payment } => self.change(finding, |it| {
                it.corrections.entry(payment.clone()).or_default().add(*amount);
            }),
            Event::FollowedUp { finding, outcome, .. } => {
                if *outcome != Outcome::Open {
                    self.change(finding, |it| it.stage = FindingStanding::Settled);
                }
            }
            Event::Closed { .. } => self.closed = true,
        }
    }
}

impl Audit {
    fn change(&mut self, finding: &FindingKey, how: impl FnOnce(&mut Finding)) {
        if let Some(found) = self.findings.get_mut(finding) {
            how(found);
        }
    }
}

/// Of what there are items.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Population {
    /// Payments that were carried out and not returned; recoveries are no part of it.
    Payments,
    /// What each fund has committed to each grant, as it stands.
    Commitments,
}
