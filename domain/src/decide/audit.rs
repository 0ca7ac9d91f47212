//! Decides how an audit goes: a sample that neither side can steer, findings that the auditee is heard
//! on, corrections and follow-up, and an end only when each finding is settled. Working papers are
//! events of their own stream; nothing that is audited changes here.

pub mod population;
pub mod refusals;

pub(crate) use crate::decide::audit::refusals::{
    FOLLOW_UP, HEARD, Rejection, SAMPLING, VERIFIABLE,
};
use crate::decide::command::{Command, Decision, Declaration, Entry, Meta, Need, NewEvent, entry};
use crate::decide::texts::check_reason;
use crate::facts::audit::{
    Audit, Checkpoint, ErrorKind, Event, Finding, Holds, Outcome, Plan, Sample, Standing,
};
use crate::facts::checkpoint;
use crate::facts::payment::Stage;
use crate::facts::stream::NEW;
use crate::facts::world::World;
use crate::kernel::actor::Role;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{AuditId, GrantId, Key, PaymentId, StreamId, StreamKey};
use crate::kernel::money::{Money, Rate};
use crate::kernel::refusal::{Refusal, Rule};
use crate::kernel::sampling::{Drawn, Item, Method, NoSize, SAMPLE_MAX};
use crate::kernel::{refusal, sampling, time};
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The longest time for an answer, in days.
pub const ANSWER_DAYS_MAX: u32 = 365;

/// The most findings of one engagement.
pub const FINDINGS_MAX: usize = 500;

impl Audit {
    fn plan(&self, id: &AuditId) -> Result<&Plan, Refusal> {
        let missing = || refusal::Common::NotFound(id.stream().to_string()).into();
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
            return Err(refusal::Common::TooMany { field, limit }.into());
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
