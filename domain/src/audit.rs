//! Decides how an audit goes: a sample that neither side can steer, findings that the auditee is heard
//! on, corrections and follow-up, and an end only when each finding is settled. Working papers are
//! events of their own stream; nothing that is audited changes here.

pub mod population;
#[cfg(test)]
mod tests;

use crate::canonical::Sha256Hex;
use crate::checkpoint;
use crate::command::{
    Actor, Command, Decision, Declaration, Entry, Meta, NEW, Need, NewEvent, Role, entry,
};
use crate::ids::{AuditId, GrantId, Key, PaymentId, StreamId, StreamKey};
use crate::money::{Money, Rate};
use crate::payment::Stage;
use crate::rejection::{self, Reason, Refusal, Rule};
use crate::sampling::{self, Assurance, Drawn, Item, Method, NoSize, SAMPLE_MAX};
use crate::text::check_reason;
use crate::time;
use crate::world::{At, Decider, World};
use imbl::OrdMap;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use population::Population;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest time for an answer, in days.
pub const ANSWER_DAYS_MAX: u32 = 365;
/// The most findings of one engagement.
pub const FINDINGS_MAX: usize = 500;

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
    FindingRaised { answer_by: Timestamp, finding: Key, holds: Box<Holds> },
    /// The auditee answered.
    #[serde(rename = "audit.Answered")]
    Answered {
        accepts: bool,
        answer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Sha256Hex>,
        finding: Key,
    },
    /// The finding stands, with this amount.
    #[serde(rename = "audit.FindingConfirmed")]
    FindingConfirmed { amount: Money, finding: Key, reason: String },
    /// The finding does not stand.
    #[serde(rename = "audit.FindingWithdrawn")]
    FindingWithdrawn { finding: Key, reason: String },
    /// Money moved because of it.
    #[serde(rename = "audit.Corrected")]
    Corrected { amount: Money, finding: Key, payment: PaymentId },
    /// The auditor looked at what became of it.
    #[serde(rename = "audit.FollowedUp")]
    FollowedUp { finding: Key, note: String, outcome: Outcome },
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
    pub findings: OrdMap<Key, Finding>,
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
    pub stage: Standing,
}

/// Where a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Standing {
    /// The auditee is being heard.
    Raised,
    /// It stands.
    Confirmed,
    /// It does not.
    Withdrawn,
    /// It stands, and is done with.
    Settled,
}

/// Why an audit says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Out of its bounds.
    #[error("the auditee has 1 to {ANSWER_DAYS_MAX} days to answer; got {0}")]
    AnswerDays(u32),
    /// The end comes first.
    #[error("{to} lies before {from}")]
    Backwards { from: Date, to: Date },
    /// Nothing to tolerate, or less than nothing.
    #[error("what is tolerable is more than nothing, what is expected is not less; got {0}")]
    NotPositive(Money),
    /// An amount of less than nothing.
    #[error("{0} is less than nothing")]
    Negative(Money),
    /// Another nonce than the one that was committed to.
    #[error("the SHA-256 of this nonce is {got}, and {committed} was committed to")]
    OtherNonce { committed: Sha256Hex, got: Sha256Hex },
    /// It may have been known before the commitment.
    #[error(
        "the first checkpoint after position {committed}, where the nonce was committed to, is of {size} \
         commits with root {root}"
    )]
    OtherCheckpoint { size: u64, committed: u64, root: Sha256Hex },
    /// There is none yet.
    #[error(
        "no checkpoint was recorded after position {committed}, where the nonce was committed to; ask \
         for one (checkpoint.request)"
    )]
    NoCheckpoint { committed: u64 },
    /// Something is missing, or there is too much.
    #[error(
        "the population is not complete: {place} has {control}, its items add up to {population}"
    )]
    Incomplete { place: String, population: Money, control: Money },
    /// No item.
    #[error("there is nothing to draw from in this period")]
    Empty,
    /// The formula has no answer.
    #[error("{0}")]
    NoSize(NoSize),
    /// It would not fit into a commit.
    #[error(
        "{0} items would be drawn, the most is {SAMPLE_MAX}: narrow the scope or raise what is tolerable"
    )]
    TooLarge(usize),
    /// Else whoever does not like the sample could try again.
    #[error(
        "a checkpoint was recorded after position {committed}, where the nonce was committed to, so the \
         sample can be known: draw it first (audit.draw)"
    )]
    NotDrawn { committed: u64 },
    /// Not drawn.
    #[error("{0} is not in the sample")]
    NotInSample(String),
    /// Who audits has not acted.
    #[error("{actor} {step} at position {position}: another auditor must audit payment {payment}")]
    ActedOn { actor: String, step: &'static str, position: u64, payment: PaymentId },
    /// A key that is in use.
    #[error("finding {0} exists already")]
    FindingExists(Key),
    /// A key that is not there.
    #[error("there is no finding {0}")]
    NoFinding(Key),
    /// It is further, or not so far.
    #[error("finding {finding} is {stage}")]
    OtherStage { finding: Key, stage: Standing },
    /// The auditor does not answer for the auditee.
    #[error("the auditor who raised it does not answer it")]
    OwnFinding,
    /// Not theirs to answer.
    #[error("a coordinator answers for their own grant only, and this finding names none")]
    NotAuditee,
    /// Said once.
    #[error("finding {0} has been answered")]
    Answered(Key),
    /// Contradictory procedure.
    #[error("the auditee has not answered {finding} and has time until {answer_by}")]
    NotHeard { finding: Key, answer_by: Timestamp },
    /// Nothing has moved.
    #[error("payment {0} has not been carried out")]
    NotCarriedOut(PaymentId),
    /// The payment that is in error does not correct itself.
    #[error("payment {0} is what the finding is about")]
    Itself(PaymentId),
    /// More than was moved or found.
    #[error("{asked} is more than the {left} left to correct")]
    CorrectionExceeded { asked: Money, left: Money },
    /// Not yet.
    #[error("{left} of finding {finding} is not corrected")]
    NotCorrected { finding: Key, left: Money },
    /// Something is open.
    #[error("finding {finding} is {stage}")]
    NotSettled { finding: Key, stage: Standing },
    /// An item was not looked at.
    #[error("{0} of the sample has not been tested")]
    NotTested(String),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = AuditId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::AnswerDays(_)
            | Self::OwnFinding
            | Self::NotAuditee
            | Self::Answered(_)
            | Self::NotHeard { .. } => HEARD,
            Self::Incomplete { .. } => Rule::of("ISA 500", "para. 9: completeness of information"),
            Self::OtherNonce { .. }
            | Self::OtherCheckpoint { .. }
            | Self::NoCheckpoint { .. }
            | Self::NotDrawn { .. } => VERIFIABLE,
            Self::ActedOn { .. } => {
                Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 36: segregation of duties")
            }
            Self::NotPositive(_)
            | Self::Empty
            | Self::NoSize(_)
            | Self::TooLarge(_)
            | Self::NotInSample(_)
            | Self::NotTested(_)
            | Self::Backwards { .. } => SAMPLING,
            Self::FindingExists(_) | Self::NoFinding(_) => {
                Rule::ours("a key names one thing for ever")
            }
            Self::Negative(_)
            | Self::OtherStage { .. }
            | Self::NotCarriedOut(_)
            | Self::Itself(_)
            | Self::CorrectionExceeded { .. }
            | Self::NotCorrected { .. }
            | Self::NotSettled { .. } => FOLLOW_UP,
        }
    }

    fn kind(&self) -> rejection::Kind {
        match self {
            Self::ActedOn { .. } | Self::OwnFinding | Self::NotAuditee => {
                rejection::Kind::Forbidden
            }
            _ => rejection::Kind::Rule,
        }
    }
}

const SAMPLING: Rule = Rule::of("ISA 530", "para. 6-8: design, size and selection of samples");
const VERIFIABLE: Rule = Rule::ours("neither side can steer a sample (ADR 0017)");
const HEARD: Rule = Rule::of("EU model grant agreement", "Art. 25: contradictory procedure");
const FOLLOW_UP: Rule = Rule::of("ISSAI 100", "para. 51: follow-up of findings");

impl Decider for Audit {
    type Id = AuditId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        match (self.closed, &self.sample, &self.commitment) {
            (true, ..) => "closed",
            (_, Some(_), _) => "drawn",
            (_, None, Some(_)) => "bound",
            (_, None, None) => "planned",
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
                    stage: Standing::Raised,
                };
                self.findings.insert(finding.clone(), raised);
            }
            Event::Answered { finding, .. } => self.change(finding, |it| it.answered = true),
            Event::FindingConfirmed { amount, finding, .. } => self.change(finding, |it| {
                it.stage = Standing::Confirmed;
                it.amount = *amount;
            }),
            Event::FindingWithdrawn { finding, .. } => {
                self.change(finding, |it| it.stage = Standing::Withdrawn);
            }
            Event::Corrected { amount, finding, payment } => self.change(finding, |it| {
                it.corrections.entry(payment.clone()).or_default().add(*amount);
            }),
            Event::FollowedUp { finding, outcome, .. } => {
                if *outcome != Outcome::Open {
                    self.change(finding, |it| it.stage = Standing::Settled);
                }
            }
            Event::Closed { .. } => self.closed = true,
        }
    }
}

impl Audit {
    fn change(&mut self, finding: &Key, how: impl FnOnce(&mut Finding)) {
        if let Some(found) = self.findings.get_mut(finding) {
            how(found);
        }
    }

    fn plan(&self, id: &AuditId) -> Result<&Plan, Refusal> {
        let missing = || rejection::Common::NotFound(id.stream().to_string()).into();
        self.plan.as_ref().ok_or_else(missing)
    }

    fn drawn(&self, item: &str) -> Result<&Drawn, Refusal> {
        let mut items = self.sample.iter().flat_map(|sample| &sample.items);
        let found = items.find(|drawn| drawn.item == item);
        found.ok_or_else(|| Refusal::from(Rejection::NotInSample(item.to_owned())).at("/item"))
    }

    fn finding(&self, key: &Key, stage: Standing) -> Result<&Finding, Refusal> {
        let missing = || Refusal::from(Rejection::NoFinding(key.clone())).at("/finding");
        let found = self.findings.get(key).ok_or_else(missing)?;
        if found.stage == stage {
            Ok(found)
        } else {
            Err(Rejection::OtherStage { finding: key.clone(), stage: found.stage }.into())
        }
    }
}

impl Finding {
    fn corrected(&self) -> Result<Money, Refusal> {
        Ok(self.corrections.values().copied().try_fold(Money::ZERO, Money::plus)?)
    }
}

impl Plan {
    fn check(&self) -> Result<(), Refusal> {
        check_reason("title", &self.title)?;
        if !(1..=ANSWER_DAYS_MAX).contains(&self.answer_days) {
            return Err(Refusal::from(Rejection::AnswerDays(self.answer_days)).at("/answer_days"));
        }
        if self.to < self.from {
            let (from, to) = (self.from, self.to);
            return Err(Refusal::from(Rejection::Backwards { from, to }).at("/to"));
        }
        self.period().map_err(|refusal| refusal.at("/zone"))?;
        match self.method {
            Method::MonetaryUnit { expected, materiality } => {
                expected.in_euro()?;
                if !materiality.in_euro()?.is_positive() || expected.is_negative() {
                    let least = materiality.min(expected);
                    return Err(Refusal::from(Rejection::NotPositive(least)).at("/method"));
                }
            }
            Method::Attribute { tolerable, .. } if tolerable == Rate::ZERO => {
                let refusal = Refusal::from(Rejection::NoSize(NoSize::NoMargin));
                return Err(refusal.at("/method/tolerable"));
            }
            Method::Attribute { .. } => {}
        }
        Ok(())
    }

    /// After the first instant and up to the second.
    fn period(&self) -> Result<(Timestamp, Timestamp), Refusal> {
        let before = self.from.yesterday().map_err(|_| time::TimeError::OutOfRange)?;
        let (after, until) =
            (time::end_of_day(before, &self.zone)?, time::end_of_day(self.to, &self.zone)?);
        Ok((after, until))
    }

    /// Whether an item is in scope and period.
    #[must_use]
    pub fn covers(&self, item: &Item, grant: &GrantId) -> bool {
        let within = |at| self.period().is_ok_and(|(after, until)| after < at && at <= until);
        self.grant.as_ref().is_none_or(|only| only == grant) && item.at.is_none_or(within)
    }

    /// The items of the scope and period, of a population that is complete.
    ///
    /// # Errors
    /// When it is not complete, or empty.
    pub fn items(&self, world: &World) -> Result<Vec<Item>, Refusal> {
        let mut all = self.population.complete(world)?;
        all.retain(|(item, grant)| self.covers(item, grant));
        if all.is_empty() {
            return Err(Rejection::Empty.into());
        }
        Ok(all.into_iter().map(|(item, _)| item).collect())
    }

    /// What is drawn from, what it adds up to, and how many are drawn.
    fn design(&self, world: &World) -> Result<(Vec<Item>, Money, usize), Refusal> {
        let items = self.items(world)?;
        let total = Money::new(Money::ZERO.currency(), sampling::total(&items))?;
        let size = self.method.size(total.in_cents(), self.assurance);
        Ok((items, total, size.map_err(Rejection::NoSize)?))
    }
}

/// The payment that an item of a sample is, if it is one.
fn payment_of(item: &str) -> Option<PaymentId> {
    item.parse().ok()
}

/// Who audits a payment has done none of its steps.
fn check_independent(world: &World, meta: &Meta, item: &str) -> Result<(), Refusal> {
    let Some(payment) = payment_of(item) else { return Ok(()) };
    let state = world.payments.get(&payment);
    match state.and_then(|state| state.step_of(world, &meta.actor)) {
        None => Ok(()),
        Some((step, position)) => {
            let actor = meta.actor.id.to_string();
            Err(Rejection::ActedOn { actor, step, position, payment }.into())
        }
    }
}

fn first_checkpoint(world: &World, committed: u64) -> Option<(u64, Sha256Hex)> {
    world.checkpoints.get(&checkpoint::this_log())?.first_after(committed)
}

/// The seed must rest on a checkpoint that nobody could know when the nonce was committed to, and that
/// nobody could choose: the first that was recorded after it.
fn check_checkpoint(world: &World, it: Checkpoint, committed: u64) -> Result<(), Refusal> {
    let Some((size, root)) = first_checkpoint(world, committed) else {
        return Err(Refusal::from(Rejection::NoCheckpoint { committed }).at("/checkpoint"));
    };
    if (it.size, it.root) == (size, root) {
        return Ok(());
    }
    Err(Refusal::from(Rejection::OtherCheckpoint { size, committed, root }).at("/checkpoint"))
}

const AUDITORS: &[Role] = &[Role::Auditor];
const RUNNING: &[&str] = &["planned", "bound", "drawn"];

/// The commands of an audit.
pub const COMMANDS: &[Entry] = &[
    entry::<Open>(),
    entry::<CommitNonce>(),
    entry::<Draw>(),
    entry::<Test>(),
    entry::<Raise>(),
    entry::<Answer>(),
    entry::<Confirm>(),
    entry::<Withdraw>(),
    entry::<Correct>(),
    entry::<FollowUp>(),
    entry::<Close>(),
];

/// Declares a command of an audit: its type, name, sentence, roles, phases, needs, rule, and fields
/// beside the engagement.
macro_rules! command {
    (
        $(#[doc = $doc:literal])* $type:ident, $name:literal, $summary:literal, $roles:expr, $from:expr,
        $needs:expr, $rule:expr, { $($(#[$meta:meta])* $field:ident: $kind:ty,)* },
        |$this:ident, $world:ident, $with:ident| $decide:block
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            /// The engagement.
            pub audit: AuditId,
            $($(#[$meta])* pub $field: $kind,)*
        }

        impl Command for $type {
            const DECLARATION: Declaration = Declaration {
                name: $name,
                summary: $summary,
                roles: $roles,
                from: $from,
                needs: $needs,
                rule: $rule,
            };

            fn subject(&self) -> StreamId {
                self.audit.stream()
            }

            fn decide(&self, $world: &World, $with: &Meta) -> Decision {
                let $this = self;
                $decide
            }
        }
    };
}

command! {
    /// Opens an engagement.
    Open, "audit.open", "Open an audit engagement: scope, period, materiality, assurance", AUDITORS,
    &[NEW], &[], SAMPLING,
    {
        /// What is audited, and how surely.
        plan: Plan,
    },
    |this, world, _meta| {
        this.plan.check().map_err(|refusal| {
            let field = refusal.field.clone().unwrap_or_default();
            refusal.at(format!("/plan{field}"))
        })?;
        if let Some(grant) = &this.plan.grant {
            world.find(&world.grants, grant)?;
        }
        Ok(vec![NewEvent::on(&this.audit, Event::Opened(Box::new(this.plan.clone())))])
    }
}

command! {
    /// Binds the auditor to a nonce.
    CommitNonce, "audit.commit_nonce", "Commit to a nonce by its SHA-256, before the checkpoint is there",
    AUDITORS, &["planned"], &[], VERIFIABLE,
    {
        /// The SHA-256 of the 32 bytes of the nonce.
        commitment: Sha256Hex,
    },
    |this, _world, _meta| {
        let commitment = this.commitment;
        Ok(vec![NewEvent::on(&this.audit, Event::NonceCommitted { commitment })])
    }
}

command! {
    /// Draws the sample.
    Draw, "audit.draw", "Draw the sample from the seed of checkpoint and nonce, if the population is complete",
    AUDITORS, &["bound"], &[Need::OtherPerson], SAMPLING,
    {
        /// The first checkpoint after the commitment.
        checkpoint: Checkpoint,
        /// The nonce, 32 bytes.
        nonce: Sha256Hex,
    },
    |this, world, meta| {
        let audit = world.find(&world.audits, &this.audit)?;
        let (committed, place) = audit.commitment.unwrap_or((this.nonce, 0));
        let got = Sha256Hex::of(&this.nonce.0);
        if got != committed {
            return Err(Refusal::from(Rejection::OtherNonce { committed, got }).at("/nonce"));
        }
        check_checkpoint(world, this.checkpoint, place)?;
        let plan = audit.plan(&this.audit)?;
        let (items, total, size) = plan.design(world)?;
        let seed = sampling::seed(this.checkpoint.root, this.nonce);
        let drawn = plan.method.draw(&items, size, seed);
        if drawn.len() > SAMPLE_MAX {
            return Err(Rejection::TooLarge(drawn.len()).into());
        }
        drawn.iter().try_for_each(|one| check_independent(world, meta, &one.item))?;
        let sample = Sample {
            checkpoint: this.checkpoint,
            count: u64::try_from(items.len()).unwrap_or(u64::MAX),
            items: drawn,
            nonce: this.nonce,
            population_sha256: sampling::digest(&items),
            seed,
            size: u64::try_from(size).unwrap_or(u64::MAX),
            total,
        };
        Ok(vec![NewEvent::on(&this.audit, Event::SampleDrawn(Box::new(sample)))])
    }
}

command! {
    /// Records what the test of an item gave.
    Test, "audit.test", "Record what an item of the sample should have been",
    AUDITORS, &["drawn"], &[Need::OtherPerson], Rule::of("ISA 530", "para. 9-13: performing tests"),
    {
        /// What it should have been.
        audited: Money,
        /// Which kind of error, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorKind>,
        /// Its name in the sample.
        #[schemars(length(min = 1, max = 129))]
        item: String,
        /// What was looked at.
        #[schemars(length(min = 1, max = 2000))]
        note: String,
    },
    |this, world, meta| {
        check_reason("note", &this.note)?;
        if this.audited.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(this.audited)).at("/audited"));
        }
        let audit = world.find(&world.audits, &this.audit)?;
        let book = audit.drawn(&this.item)?.book;
        check_independent(world, meta, &this.item)?;
        let (audited, error) = (this.audited, this.error);
        let (item, note) = (this.item.clone(), this.note.clone());
        let event = Event::ItemTested { audited, book, error, item, note };
        Ok(vec![NewEvent::on(&this.audit, event)])
    }
}

command! {
    /// Raises a finding.
    Raise, "audit.raise", "Raise a finding with amount, rule and evidence; the auditee is heard",
    AUDITORS, RUNNING, &[Need::Document, Need::OtherPerson], HEARD,
    {
        /// Its key in this engagement.
        finding: Key,
        /// What it holds.
        holds: Holds,
    },
    |this, world, meta| {
        let Holds { amount, item, rule, what, .. } = &this.holds;
        check_reason("rule", rule).map_err(|refusal| refusal.at("/holds/rule"))?;
        check_reason("what", what).map_err(|refusal| refusal.at("/holds/what"))?;
        if amount.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(*amount)).at("/holds/amount"));
        }
        let audit = world.find(&world.audits, &this.audit)?;
        if audit.findings.contains_key(&this.finding) {
            return Err(Refusal::from(Rejection::FindingExists(this.finding.clone())).at("/finding"));
        }
        if audit.findings.len() >= FINDINGS_MAX {
            let (field, limit) = ("findings", FINDINGS_MAX);
            return Err(rejection::Common::TooMany { field, limit }.into());
        }
        if let Some(item) = item {
            audit.drawn(item).map_err(|refusal| refusal.at("/holds/item"))?;
            check_independent(world, meta, item)?;
        }
        let days = audit.plan(&this.audit)?.answer_days;
        let by = meta.recorded_at.checked_add((i64::from(days) * 24).hours());
        let event = Event::FindingRaised {
            answer_by: by.map_err(|_| time::TimeError::OutOfRange)?,
            finding: this.finding.clone(),
            holds: Box::new(this.holds.clone()),
        };
        Ok(vec![NewEvent::on(&this.audit, event)])
    }
}

command! {
    /// Answers a finding, for the auditee.
    Answer, "audit.answer", "Answer a finding for the auditee",
    &[Role::Applicant, Role::AuthorisingOfficer, Role::AccountingOfficer, Role::ProgrammeOfficer],
    RUNNING, &[Need::OtherPerson], HEARD,
    {
        /// Whether the auditee accepts it.
        accepts: bool,
        /// What the auditee says.
        #[schemars(length(min = 1, max = 2000))]
        answer: String,
        /// Hash of a document that goes with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Sha256Hex>,
        /// Which.
        finding: Key,
    },
    |this, world, meta| {
        check_reason("answer", &this.answer)?;
        let audit = world.find(&world.audits, &this.audit)?;
        let finding = audit.finding(&this.finding, Standing::Raised)?;
        if finding.answered {
            return Err(Rejection::Answered(this.finding.clone()).into());
        }
        if meta.actor.may_be(&finding.raised_by) {
            return Err(Rejection::OwnFinding.into());
        }
        if meta.actor.role == Role::Applicant {
            let grant = audit.grant_of(world, finding).ok_or(Rejection::NotAuditee)?;
            world.find(&world.grants, &grant)?.check_applicant(meta)?;
        }
        let (accepts, document) = (this.accepts, this.document);
        let (answer, finding) = (this.answer.clone(), this.finding.clone());
        let event = Event::Answered { accepts, answer, document, finding };
        Ok(vec![NewEvent::on(&this.audit, event)])
    }
}

impl Audit {
    /// The grant that a finding is about, if it is one grant.
    fn grant_of(&self, world: &World, finding: &Finding) -> Option<GrantId> {
        let of_item = finding.item.as_ref().and_then(|item| match item.split_once(':') {
            Some((_, grant)) => grant.parse().ok(),
            None => {
                let payment = world.payments.get(&payment_of(item)?)?;
                payment.order.as_ref().map(|order| order.grant.clone())
            }
        });
        of_item.or_else(|| self.plan.as_ref()?.grant.clone())
    }
}

command! {
    /// Confirms a finding after the auditee was heard.
    Confirm, "audit.confirm", "Confirm a finding, with the amount that stands, once the auditee was heard",
    AUDITORS, RUNNING, &[], HEARD,
    {
        /// What it comes to.
        amount: Money,
        /// Which.
        finding: Key,
        /// Why it stands.
        #[schemars(length(min = 1, max = 2000))]
        reason: String,
    },
    |this, world, meta| {
        check_reason("reason", &this.reason)?;
        if this.amount.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(this.amount)).at("/amount"));
        }
        let audit = world.find(&world.audits, &this.audit)?;
        let found = audit.finding(&this.finding, Standing::Raised)?;
        if !found.answered && meta.recorded_at <= found.answer_by {
            let (finding, answer_by) = (this.finding.clone(), found.answer_by);
            return Err(Rejection::NotHeard { finding, answer_by }.into());
        }
        if let Some(item) = &found.item {
            check_independent(world, meta, item)?;
        }
        let (amount, finding) = (this.amount, this.finding.clone());
        let event = Event::FindingConfirmed { amount, finding, reason: this.reason.clone() };
        Ok(vec![NewEvent::on(&this.audit, event)])
    }
}

command! {
    /// Takes a finding back.
    Withdraw, "audit.withdraw", "Withdraw a finding that does not stand", AUDITORS, RUNNING, &[], HEARD,
    {
        /// Which.
        finding: Key,
        /// Why.
        #[schemars(length(min = 1, max = 2000))]
        reason: String,
    },
    |this, world, meta| {
        check_reason("reason", &this.reason)?;
        let audit = world.find(&world.audits, &this.audit)?;
        let found = audit.finding(&this.finding, Standing::Raised)?;
        if let Some(item) = &found.item {
            check_independent(world, meta, item)?;
        }
        let (finding, reason) = (this.finding.clone(), this.reason.clone());
        Ok(vec![NewEvent::on(&this.audit, Event::FindingWithdrawn { finding, reason })])
    }
}

command! {
    /// Links a finding to the money that moved because of it.
    Correct, "audit.correct", "Link a confirmed finding to the recovery or payment that corrects it",
    &[Role::AuthorisingOfficer, Role::AccountingOfficer], RUNNING, &[], FOLLOW_UP,
    {
        /// How much of it.
        amount: Money,
        /// Which.
        finding: Key,
        /// The recovery, or the payment that makes good.
        payment: PaymentId,
    },
    |this, world, _meta| {
        let audit = world.find(&world.audits, &this.audit)?;
        let found = audit.finding(&this.finding, Standing::Confirmed)?;
        let payment = world.find(&world.payments, &this.payment)?;
        if payment.stage != Stage::Executed {
            return Err(Refusal::from(Rejection::NotCarriedOut(this.payment.clone())).at("/payment"));
        }
        if found.item.as_deref() == Some(this.payment.as_str()) {
            return Err(Refusal::from(Rejection::Itself(this.payment.clone())).at("/payment"));
        }
        let used = audit.findings.values().filter_map(|it| it.corrections.get(&this.payment));
        let used = used.copied().try_fold(Money::ZERO, Money::plus)?;
        let free = payment.order(&this.payment)?.amount.minus(used)?;
        let left = found.amount.minus(found.corrected()?)?.min(free);
        if !this.amount.in_euro()?.is_positive() || this.amount > left {
            let rejection = Rejection::CorrectionExceeded { asked: this.amount, left };
            return Err(Refusal::from(rejection).at("/amount"));
        }
        let (amount, finding) = (this.amount, this.finding.clone());
        let event = Event::Corrected { amount, finding, payment: this.payment.clone() };
        Ok(vec![NewEvent::on(&this.audit, event)])
    }
}

command! {
    /// Says what became of a confirmed finding.
    FollowUp, "audit.follow_up", "Follow a confirmed finding up: open, implemented or waived",
    AUDITORS, RUNNING, &[], FOLLOW_UP,
    {
        /// Which.
        finding: Key,
        /// What was seen; for what is waived, who decided so.
        #[schemars(length(min = 1, max = 2000))]
        note: String,
        /// What became of it.
        outcome: Outcome,
    },
    |this, world, _meta| {
        check_reason("note", &this.note)?;
        let audit = world.find(&world.audits, &this.audit)?;
        let found = audit.finding(&this.finding, Standing::Confirmed)?;
        let left = found.amount.minus(found.corrected()?)?;
        if this.outcome == Outcome::Implemented && left.is_positive() {
            let finding = this.finding.clone();
            return Err(Rejection::NotCorrected { finding, left }.into());
        }
        let (finding, note, outcome) = (this.finding.clone(), this.note.clone(), this.outcome);
        Ok(vec![NewEvent::on(&this.audit, Event::FollowedUp { finding, note, outcome })])
    }
}

command! {
    /// Ends an engagement.
    Close, "audit.close", "Close an engagement whose items are tested and whose findings are settled",
    AUDITORS, RUNNING, &[], FOLLOW_UP,
    {
        /// What the auditor concludes.
        #[schemars(length(min = 1, max = 2000))]
        conclusion: String,
    },
    |this, world, _meta| {
        check_reason("conclusion", &this.conclusion)?;
        let audit = world.find(&world.audits, &this.audit)?;
        if let (Some((_, committed)), None) = (&audit.commitment, &audit.sample)
            && first_checkpoint(world, *committed).is_some()
            && audit.plan(&this.audit)?.design(world).is_ok()
        {
            return Err(Rejection::NotDrawn { committed: *committed }.into());
        }
        let mut drawn = audit.sample.iter().flat_map(|sample| &sample.items);
        if let Some(open) = drawn.find(|one| !audit.tested.contains_key(&one.item)) {
            return Err(Rejection::NotTested(open.item.clone()).into());
        }
        let is_open = |it: &Finding| matches!(it.stage, Standing::Raised | Standing::Confirmed);
        if let Some((finding, it)) = audit.findings.iter().find(|(_, it)| is_open(it)) {
            let (finding, stage) = (finding.clone(), it.stage);
            return Err(Rejection::NotSettled { finding, stage }.into());
        }
        let conclusion = this.conclusion.clone();
        Ok(vec![NewEvent::on(&this.audit, Event::Closed { conclusion })])
    }
}
