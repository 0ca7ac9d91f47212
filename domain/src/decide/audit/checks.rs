//! Checks that several commands of an audit share.

use crate::decide::audit::refusals::{ANSWER_DAYS_MAX, Rejection};
use crate::decide::prelude::*;
use crate::facts::audit::{Audit, Checkpoint, Finding, FindingStanding, Plan};
use crate::facts::checkpoint;
use crate::kernel::sampling::{Drawn, Item, Method, NoSize};
use crate::kernel::{sampling, time};

impl Audit {
    pub(crate) fn plan(&self, id: &AuditId) -> Result<&Plan, Refusal> {
        let missing = || Common::NotFound(id.stream().to_string()).into();
        self.plan.as_ref().ok_or_else(missing)
    }

    pub(crate) fn drawn(&self, item: &str) -> Result<&Drawn, Refusal> {
        let mut items = self.sample.iter().flat_map(|sample| &sample.items);
        let found = items.find(|drawn| drawn.item == item);
        found.ok_or_else(|| Refusal::from(Rejection::NotInSample(item.to_owned())).at("/item"))
    }

    pub(crate) fn finding(
        &self,
        key: &FindingKey,
        stage: FindingStanding,
    ) -> Result<&Finding, Refusal> {
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
    pub(crate) fn corrected(&self) -> Result<Money, Refusal> {
        Ok(self.corrections.values().copied().try_fold(Money::ZERO, Money::plus)?)
    }
}

impl Plan {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
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
    pub(crate) fn period(&self) -> Result<(Timestamp, Timestamp), Refusal> {
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
    pub(crate) fn design(&self, world: &World) -> Result<(Vec<Item>, Money, usize), Refusal> {
        let items = self.items(world)?;
        let total = Money::new(Money::ZERO.currency(), sampling::total(&items))?;
        let size = self.method.size(total.in_cents(), self.assurance);
        Ok((items, total, size.map_err(Rejection::NoSize)?))
    }
}

/// The payment that an item of a sample is, if it is one.
pub(crate) fn payment_of(item: &str) -> Option<PaymentId> {
    item.parse().ok()
}

/// Who audits a payment has done none of its steps.
pub(crate) fn check_independent(world: &World, meta: &Meta, item: &str) -> Result<(), Refusal> {
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

pub(crate) fn first_checkpoint(world: &World, committed: u64) -> Option<(u64, Sha256Hex)> {
    world.checkpoints.get(&checkpoint::this_log())?.first_after(committed)
}

/// The seed must rest on a checkpoint that nobody could know when the nonce was committed to, and that
/// nobody could choose: the first that was recorded after it.
pub(crate) fn check_checkpoint(
    world: &World,
    it: Checkpoint,
    committed: u64,
) -> Result<(), Refusal> {
    let Some((size, root)) = first_checkpoint(world, committed) else {
        return Err(Refusal::from(Rejection::NoCheckpoint { committed }).at("/checkpoint"));
    };
    if (it.size, it.root) == (size, root) {
        return Ok(());
    }
    Err(Refusal::from(Rejection::OtherCheckpoint { size, committed, root }).at("/checkpoint"))
}
