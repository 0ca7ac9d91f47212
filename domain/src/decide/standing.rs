//! Adds up what has become of the money of one grant.

use crate::facts::payment::{Order, Payment, PaymentKind, STEPS, Stage};
use crate::facts::world::World;
use crate::kernel::actor::Actor;
use crate::kernel::ids::{FundId, GrantId, PaymentId};
use crate::kernel::money::Money;
use crate::kernel::refusal::Refusal;

/// What has become of the money of one grant: its payments that were neither rejected nor returned.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    pub(crate) live: Vec<(&'a PaymentId, Stage, &'a Order)>,
}

impl<'a> Standing<'a> {
    /// Of a grant.
    #[must_use]
    pub fn of(world: &'a World, grant: &GrantId) -> Self {
        let live = world.payments.iter().filter_map(|(id, payment)| {
            let order = payment.order.as_ref().filter(|order| order.grant == *grant)?;
            let ended = matches!(payment.stage, Stage::Rejected | Stage::Returned);
            (!ended).then_some((id, payment.stage, order))
        });
        Self { live: live.collect() }
    }

    pub(crate) fn sum(&self, which: impl Fn(Stage, &Order) -> bool) -> Result<Money, Refusal> {
        let chosen = self.live.iter().filter(|(_, stage, order)| which(*stage, order));
        Ok(chosen.map(|(_, _, order)| order.amount).try_fold(Money::ZERO, Money::plus)?)
    }

    /// A payment that is under way.
    #[must_use]
    pub fn open(&self) -> Option<&'a PaymentId> {
        self.live.iter().find(|(_, stage, _)| *stage != Stage::Executed).map(|(id, _, _)| *id)
    }

    /// A payment that the bank was ordered to make, and that may have left.
    #[must_use]
    pub fn ordered(&self) -> Option<&'a PaymentId> {
        let ordered = |stage, order: &Order| {
            stage == Stage::Authorised && order.kind != PaymentKind::Recovery
        };
        self.live.iter().find(|(_, stage, order)| ordered(*stage, order)).map(|(id, _, _)| *id)
    }

    /// Paid and not recovered.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn paid(&self) -> Result<Money, Refusal> {
        let executed = |stage, out: bool, order: &Order| {
            stage == Stage::Executed && (order.kind != PaymentKind::Recovery) == out
        };
        let paid = self.sum(|stage, order| executed(stage, true, order))?;
        Ok(paid.minus(self.sum(|stage, order| executed(stage, false, order))?)?)
    }

    /// What the mutual insurance withholds and has not released.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn withheld(&self) -> Result<Money, Refusal> {
        let mut withheld = Money::ZERO;
        for (_, _, order) in &self.live {
            withheld = withheld.plus(order.amount.minus(order.net)?)?;
        }
        Ok(withheld)
    }

    /// On its way out of a fund; out of any when none is named. Pessimistic: money that is asked for
    /// counts as gone until the payment is rejected.
    ///
    /// # Errors
    /// When amounts do not add up.
    pub fn in_flight(&self, fund: Option<&FundId>) -> Result<Money, Refusal> {
        self.sum(|stage, order| {
            stage != Stage::Executed
                && order.kind != PaymentKind::Recovery
                && fund.is_none_or(|fund| order.fund == *fund)
        })
    }

    pub(crate) fn of_kinds(&self, kinds: &[PaymentKind]) -> Result<Money, Refusal> {
        self.sum(|_, order| kinds.contains(&order.kind))
    }
}

impl Payment {
    /// The step that this person may have done, with its commit: one of the four, or that of the bank
    /// account that it goes to.
    #[must_use]
    pub fn step_of(&self, world: &World, actor: &Actor) -> Option<(&'static str, u64)> {
        let steps = STEPS.iter().zip(self.hands.iter().zip(&self.places));
        let mut mine = steps.filter(|(_, (hand, _))| actor.may_be(hand));
        let own = mine.next().map(|(step, (_, place))| (*step, *place));
        own.or_else(|| {
            let order = self.order.as_ref()?;
            world.grants.get(&order.grant)?.accounts.step_of(order.payee.as_ref()?, actor)
        })
    }
}
