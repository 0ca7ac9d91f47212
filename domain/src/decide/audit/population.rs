//! What an audit draws from, and whether it is all there: completeness comes before any sample.

use crate::decide::audit::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::audit::Population;
use crate::facts::payment::{PaymentKind, Stage};
use crate::kernel::sampling::Item;

impl Population {
    /// All items, when what they add up to is what the funds say.
    ///
    /// # Errors
    /// Names the first place where it is not, and both sums.
    pub fn complete(self, world: &World) -> Result<Vec<(Item, GrantId)>, Refusal> {
        let (items, difference) = match self {
            Self::Payments => (payments(world), paid_differs(world)),
            Self::Commitments => (commitments(world), committed_differs(world)),
        };
        match difference {
            Some((place, population, control)) => {
                let population = Money::new(Money::ZERO.currency(), population)?;
                let control = Money::new(Money::ZERO.currency(), control)?;
                Err(Rejection::Incomplete { place, population, control }.into())
            }
            None => Ok(items),
        }
    }
}

pub(crate) fn payments(world: &World) -> Vec<(Item, GrantId)> {
    let executed = world.payments.iter().filter(|(_, payment)| payment.stage == Stage::Executed);
    let item = executed.filter_map(|(id, payment)| {
        let order = payment.order.as_ref().filter(|order| order.kind != PaymentKind::Recovery)?;
        let (name, cents) = (id.to_string(), order.amount.in_cents());
        Some((Item { name, cents, at: payment.paid_at }, order.grant.clone()))
    });
    item.filter(|(item, _)| item.cents > 0).collect()
}

fn commitments(world: &World) -> Vec<(Item, GrantId)> {
    let funds = world.funds.iter();
    let all = funds.flat_map(|(fund, state)| state.grants.iter().map(move |it| (fund, it)));
    let item = all.map(|(fund, (grant, individual))| {
        let (name, cents) = (format!("{fund}:{grant}"), individual.amount.in_cents());
        (Item { name, cents, at: None }, grant.clone())
    });
    item.filter(|(item, _)| item.cents > 0).collect()
}

/// Payments less recoveries are what each fund has paid to each grant.
fn paid_differs(world: &World) -> Option<(String, i128, i128)> {
    let mut sums: BTreeMap<(&FundId, &GrantId), (i128, i128)> = BTreeMap::new();
    for payment in world.payments.values().filter(|one| one.stage == Stage::Executed) {
        if let Some(order) = &payment.order {
            let sign = if order.kind == PaymentKind::Recovery { -1 } else { 1 };
            let sum = sums.entry((&order.fund, &order.grant)).or_default();
            sum.0 += sign * i128::from(order.amount.in_cents());
        }
    }
    for (fund, state) in &world.funds {
        for (grant, individual) in &state.grants {
            let paid = i128::from(individual.paid.in_cents());
            sums.entry((fund, grant)).or_default().1 += paid;
        }
    }
    let mut differing = sums.into_iter().filter(|(_, (items, control))| items != control);
    differing.next().map(|((fund, grant), (items, control))| {
        (format!("Budget:{fund}:Paid:{grant}"), items, control)
    })
}

/// What is committed to grants is what each global commitment says is taken of it.
fn committed_differs(world: &World) -> Option<(String, i128, i128)> {
    for (fund, state) in &world.funds {
        let mut sums: BTreeMap<_, (i128, i128)> = BTreeMap::new();
        for individual in state.grants.values() {
            let sum = sums.entry(&individual.commitment).or_default();
            sum.0 += i128::from(individual.amount.in_cents());
        }
        for (key, global) in &state.commitments {
            sums.entry(key).or_default().1 += i128::from(global.individual.in_cents());
        }
        let mut differing = sums.into_iter().filter(|(_, (items, control))| items != control);
        if let Some((key, (items, control))) = differing.next() {
            return Some((format!("Budget:{fund}:Individual:{key}"), items, control));
        }
    }
    None
}
