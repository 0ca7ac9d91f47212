//! Decides how an audit goes: a sample that neither side can steer, findings that the auditee is heard
//! on, corrections and follow-up, and an end only when each finding is settled. Working papers are
//! events of their own stream; nothing that is audited changes here.

pub(crate) mod checks;
pub mod population;
pub mod refusals;

use crate::decide::audit::checks::{
    check_checkpoint, check_independent, first_checkpoint, payment_of,
};
pub(crate) use crate::decide::audit::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::audit::{
    Audit, Checkpoint, ErrorKind, Event, Finding, FindingStanding, Holds, Outcome, Phase, Plan,
    Sample,
};
use crate::facts::payment::Stage;
use crate::kernel::sampling::{Drawn, Item, SAMPLE_MAX};
use crate::kernel::{sampling, time};
use jiff::ToSpan;

#[cfg(test)]
mod tests;

/// The most findings of one engagement.
pub const FINDINGS_MAX: usize = 500;

commands! {
    |it| it.audit, Phase;

    Open "audit.open" "Open an audit engagement: scope, period, materiality, assurance"
        by [Auditor] in [new] under "ISA 530", "para. 6-8: design, size and selection of samples";
    CommitNonce "audit.commit_nonce"
        "Commit to a nonce by its SHA-256, before the checkpoint is there"
        by [Auditor] in [Planned] under OURS, "neither side can steer a sample (rules.md#sample)";
    Draw "audit.draw"
        "Draw the sample from the seed of checkpoint and nonce, if the population is complete"
        by [Auditor] in [Bound] needs [OtherPerson]
        under "ISA 530", "para. 6-8: design, size and selection of samples";
    Test "audit.test" "Record what an item of the sample should have been"
        by [Auditor] in [Drawn] needs [OtherPerson] under "ISA 530", "para. 9-13: performing tests";
    Raise "audit.raise" "Raise a finding with amount, rule and evidence; the auditee is heard"
        by [Auditor] in [Planned, Bound, Drawn] needs [Document, OtherPerson]
        under MGA, "Art. 25: contradictory procedure";
    Answer "audit.answer" "Answer a finding for the auditee"
        by [Applicant, AuthorisingOfficer, AccountingOfficer, ProgrammeOfficer]
        in [Planned, Bound, Drawn] needs [OtherPerson]
        under MGA, "Art. 25: contradictory procedure";
    Confirm "audit.confirm"
        "Confirm a finding, with the amount that stands, once the auditee was heard"
        by [Auditor] in [Planned, Bound, Drawn] under MGA, "Art. 25: contradictory procedure";
    Withdraw "audit.withdraw" "Withdraw a finding that does not stand"
        by [Auditor] in [Planned, Bound, Drawn] under MGA, "Art. 25: contradictory procedure";
    Correct "audit.correct" "Link a confirmed finding to the recovery or payment that corrects it"
        by [AuthorisingOfficer, AccountingOfficer] in [Planned, Bound, Drawn]
        under "ISSAI 100", "para. 51: follow-up of findings";
    FollowUp "audit.follow_up" "Follow a confirmed finding up: open, implemented or waived"
        by [Auditor] in [Planned, Bound, Drawn]
        under "ISSAI 100", "para. 51: follow-up of findings";
    Close "audit.close" "Close an engagement whose items are tested and whose findings are settled"
        by [Auditor] in [Planned, Bound, Drawn]
        under "ISSAI 100", "para. 51: follow-up of findings";
}

/// Opens an engagement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The engagement.
    pub audit: AuditId,
    /// What is audited, and how surely.
    pub plan: Plan,
}

impl Decide for Open {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        self.plan.check().map_err(|refusal| {
            let field = refusal.field.clone().unwrap_or_default();
            refusal.at(format!("/plan{field}"))
        })?;
        if let Some(grant) = &self.plan.grant {
            world.find(&world.grants, grant)?;
        }
        Ok(vec![NewEvent::on(&self.audit, Event::Opened(Box::new(self.plan.clone())))])
    }
}

/// Binds the auditor to a nonce.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitNonce {
    /// The engagement.
    pub audit: AuditId,
    /// The SHA-256 of the 32 bytes of the nonce.
    pub commitment: Sha256Hex,
}

impl Decide for CommitNonce {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        let commitment = self.commitment;
        Ok(vec![NewEvent::on(&self.audit, Event::NonceCommitted { commitment })])
    }
}

/// Draws the sample.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// The engagement.
    pub audit: AuditId,
    /// The first checkpoint after the commitment.
    pub checkpoint: Checkpoint,
    /// The nonce, 32 bytes.
    pub nonce: Sha256Hex,
}

/// What a sample is drawn from, with its total, and how large it is to be.
type Design = (Vec<Item>, Money, usize);

impl Draw {
    fn seed(&self) -> Sha256Hex {
        sampling::seed(self.checkpoint.root, self.nonce)
    }

    /// Draws from what is audited now.
    fn drawn(&self, world: &World, audit: &Audit) -> Result<(Design, Vec<Drawn>), Refusal> {
        let plan = audit.plan(&self.audit)?;
        let design = plan.design(world)?;
        let drawn = plan.method.draw(&design.0, design.2, self.seed());
        Ok((design, drawn))
    }
}

impl Meets<needs::OtherPerson> for Draw {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let Some(audit) = world.audits.get(&self.audit) else { return Ok(()) };
        // What cannot be drawn is refused by its rules, which draw again.
        let Ok((_, drawn)) = self.drawn(world, audit) else { return Ok(()) };
        drawn.iter().try_for_each(|one| check_independent(world, meta, &one.item))
    }
}

impl Decide for Draw {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let audit = world.find(&world.audits, &self.audit)?;
        let (committed, place) = audit.commitment.unwrap_or((self.nonce, 0));
        let got = Sha256Hex::of(&self.nonce.0);
        if got != committed {
            return Err(Refusal::from(Rejection::OtherNonce { committed, got }).at("/nonce"));
        }
        check_checkpoint(world, self.checkpoint, place)?;
        let ((items, total, size), drawn) = self.drawn(world, audit)?;
        if drawn.len() > SAMPLE_MAX {
            return Err(Rejection::TooLarge(drawn.len()).into());
        }
        let sample = Sample {
            checkpoint: self.checkpoint,
            count: u64::try_from(items.len()).unwrap_or(u64::MAX),
            items: drawn,
            nonce: self.nonce,
            population_sha256: sampling::digest(&items),
            seed: self.seed(),
            size: u64::try_from(size).unwrap_or(u64::MAX),
            total,
        };
        Ok(vec![NewEvent::on(&self.audit, Event::SampleDrawn(Box::new(sample)))])
    }
}

/// Records what the test of an item gave.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The engagement.
    pub audit: AuditId,
    /// What it should have been.
    pub audited: Money,
    /// Which kind of error, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// Its name in the sample.
    #[schemars(length(min = 1, max = 129))]
    pub item: String,
    /// What was looked at.
    #[schemars(length(min = 1, max = 2000))]
    pub note: String,
}

impl Meets<needs::OtherPerson> for Test {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let audit = world.audits.get(&self.audit);
        match audit.is_some_and(|audit| audit.drawn(&self.item).is_ok()) {
            true => check_independent(world, meta, &self.item),
            false => Ok(()),
        }
    }
}

impl Decide for Test {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("note", &self.note)?;
        if self.audited.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(self.audited)).at("/audited"));
        }
        let audit = world.find(&world.audits, &self.audit)?;
        let book = audit.drawn(&self.item)?.book;
        let (audited, error) = (self.audited, self.error);
        let (item, note) = (self.item.clone(), self.note.clone());
        let event = Event::ItemTested { audited, book, error, item, note };
        Ok(vec![NewEvent::on(&self.audit, event)])
    }
}

/// Raises a finding.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raise {
    /// The engagement.
    pub audit: AuditId,
    /// Its key in this engagement.
    pub finding: FindingKey,
    /// What it holds.
    pub holds: Holds,
}

impl Attached for Raise {
    fn document(&self) -> &impl Written {
        &self.holds.evidence
    }
}

impl Meets<needs::OtherPerson> for Raise {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let audit = world.audits.get(&self.audit);
        match &self.holds.item {
            Some(item) if audit.is_some_and(|audit| audit.drawn(item).is_ok()) => {
                check_independent(world, meta, item)
            }
            _ => Ok(()),
        }
    }
}

impl Decide for Raise {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let Holds { amount, item, rule, what, .. } = &self.holds;
        check_reason("rule", rule).map_err(|refusal| refusal.at("/holds/rule"))?;
        check_reason("what", what).map_err(|refusal| refusal.at("/holds/what"))?;
        if amount.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(*amount)).at("/holds/amount"));
        }
        let audit = world.find(&world.audits, &self.audit)?;
        if audit.findings.contains_key(&self.finding) {
            return Err(
                Refusal::from(Rejection::FindingExists(self.finding.clone())).at("/finding")
            );
        }
        if audit.findings.len() >= FINDINGS_MAX {
            let (field, limit) = ("findings", FINDINGS_MAX);
            return Err(Common::TooMany { field, limit }.into());
        }
        if let Some(item) = item {
            audit.drawn(item).map_err(|refusal| refusal.at("/holds/item"))?;
        }
        let days = audit.plan(&self.audit)?.answer_days;
        let by = meta.recorded_at.checked_add((i64::from(days) * 24).hours());
        let event = Event::FindingRaised {
            answer_by: by.map_err(|_| time::TimeError::OutOfRange)?,
            finding: self.finding.clone(),
            holds: Box::new(self.holds.clone()),
        };
        Ok(vec![NewEvent::on(&self.audit, event)])
    }
}

/// Answers a finding, for the auditee.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The engagement.
    pub audit: AuditId,
    /// Whether the auditee accepts it.
    pub accepts: bool,
    /// What the auditee says.
    #[schemars(length(min = 1, max = 2000))]
    pub answer: String,
    /// Hash of a document that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Sha256Hex>,
    /// Which.
    pub finding: FindingKey,
}

impl Meets<needs::OtherPerson> for Answer {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let audit = world.audits.get(&self.audit);
        match audit.and_then(|audit| audit.findings.get(&self.finding)) {
            Some(finding) if meta.actor.may_be(&finding.raised_by) => {
                Err(Rejection::OwnFinding.into())
            }
            _ => Ok(()),
        }
    }
}

impl Decide for Answer {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("answer", &self.answer)?;
        let audit = world.find(&world.audits, &self.audit)?;
        let finding = audit.finding(&self.finding, FindingStanding::Raised)?;
        if finding.answered {
            return Err(Rejection::Answered(self.finding.clone()).into());
        }
        if meta.actor.role == Role::Applicant {
            let grant = audit.grant_of(world, finding).ok_or(Rejection::NotAuditee)?;
            world.find(&world.grants, &grant)?.check_applicant(meta)?;
        }
        let (accepts, document) = (self.accepts, self.document);
        let (answer, finding) = (self.answer.clone(), self.finding.clone());
        let event = Event::Answered { accepts, answer, document, finding };
        Ok(vec![NewEvent::on(&self.audit, event)])
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

/// Confirms a finding after the auditee was heard.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The engagement.
    pub audit: AuditId,
    /// What it comes to.
    pub amount: Money,
    /// Which.
    pub finding: FindingKey,
    /// Why it stands.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Confirm {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        if self.amount.in_euro()?.is_negative() {
            return Err(Refusal::from(Rejection::Negative(self.amount)).at("/amount"));
        }
        let audit = world.find(&world.audits, &self.audit)?;
        let found = audit.finding(&self.finding, FindingStanding::Raised)?;
        if !found.answered && meta.recorded_at <= found.answer_by {
            let (finding, answer_by) = (self.finding.clone(), found.answer_by);
            return Err(Rejection::NotHeard { finding, answer_by }.into());
        }
        if let Some(item) = &found.item {
            check_independent(world, meta, item)?;
        }
        let (amount, finding) = (self.amount, self.finding.clone());
        let event = Event::FindingConfirmed { amount, finding, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.audit, event)])
    }
}

/// Takes a finding back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The engagement.
    pub audit: AuditId,
    /// Which.
    pub finding: FindingKey,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Withdraw {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let audit = world.find(&world.audits, &self.audit)?;
        let found = audit.finding(&self.finding, FindingStanding::Raised)?;
        if let Some(item) = &found.item {
            check_independent(world, meta, item)?;
        }
        let (finding, reason) = (self.finding.clone(), self.reason.clone());
        Ok(vec![NewEvent::on(&self.audit, Event::FindingWithdrawn { finding, reason })])
    }
}

/// Links a finding to the money that moved because of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correct {
    /// The engagement.
    pub audit: AuditId,
    /// How much of it.
    pub amount: Money,
    /// Which.
    pub finding: FindingKey,
    /// The recovery, or the payment that makes good.
    pub payment: PaymentId,
}

impl Decide for Correct {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let audit = world.find(&world.audits, &self.audit)?;
        let found = audit.finding(&self.finding, FindingStanding::Confirmed)?;
        let payment = world.find(&world.payments, &self.payment)?;
        if payment.stage != Stage::Executed {
            return Err(
                Refusal::from(Rejection::NotCarriedOut(self.payment.clone())).at("/payment")
            );
        }
        if found.item.as_deref() == Some(self.payment.as_str()) {
            return Err(Refusal::from(Rejection::Itself(self.payment.clone())).at("/payment"));
        }
        let used = audit.findings.values().filter_map(|it| it.corrections.get(&self.payment));
        let used = used.copied().try_fold(Money::ZERO, Money::plus)?;
        let free = payment.order(&self.payment)?.amount.minus(used)?;
        let left = found.amount.minus(found.corrected()?)?.min(free);
        if !self.amount.in_euro()?.is_positive() || self.amount > left {
            let rejection = Rejection::CorrectionExceeded { asked: self.amount, left };
            return Err(Refusal::from(rejection).at("/amount"));
        }
        let (amount, finding) = (self.amount, self.finding.clone());
        let event = Event::Corrected { amount, finding, payment: self.payment.clone() };
        Ok(vec![NewEvent::on(&self.audit, event)])
    }
}

/// Says what became of a confirmed finding.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// The engagement.
    pub audit: AuditId,
    /// Which.
    pub finding: FindingKey,
    /// What was seen; for what is waived, who decided so.
    #[schemars(length(min = 1, max = 2000))]
    pub note: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Decide for FollowUp {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("note", &self.note)?;
        let audit = world.find(&world.audits, &self.audit)?;
        let found = audit.finding(&self.finding, FindingStanding::Confirmed)?;
        let left = found.amount.minus(found.corrected()?)?;
        if self.outcome == Outcome::Implemented && left.is_positive() {
            let finding = self.finding.clone();
            return Err(Rejection::NotCorrected { finding, left }.into());
        }
        let (finding, note, outcome) = (self.finding.clone(), self.note.clone(), self.outcome);
        Ok(vec![NewEvent::on(&self.audit, Event::FollowedUp { finding, note, outcome })])
    }
}

/// Ends an engagement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The engagement.
    pub audit: AuditId,
    /// What the auditor concludes.
    #[schemars(length(min = 1, max = 2000))]
    pub conclusion: String,
}

impl Decide for Close {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("conclusion", &self.conclusion)?;
        let audit = world.find(&world.audits, &self.audit)?;
        if let (Some((_, committed)), None) = (&audit.commitment, &audit.sample)
            && first_checkpoint(world, *committed).is_some()
            && audit.plan(&self.audit)?.design(world).is_ok()
        {
            return Err(Rejection::NotDrawn { committed: *committed }.into());
        }
        let mut drawn = audit.sample.iter().flat_map(|sample| &sample.items);
        if let Some(open) = drawn.find(|one| !audit.tested.contains_key(&one.item)) {
            return Err(Rejection::NotTested(open.item.clone()).into());
        }
        let is_open =
            |it: &Finding| matches!(it.stage, FindingStanding::Raised | FindingStanding::Confirmed);
        if let Some((finding, it)) = audit.findings.iter().find(|(_, it)| is_open(it)) {
            let (finding, stage) = (finding.clone(), it.stage);
            return Err(Rejection::NotSettled { finding, stage }.into());
        }
        let conclusion = self.conclusion.clone();
        Ok(vec![NewEvent::on(&self.audit, Event::Closed { conclusion })])
    }
}
