//! Checks budgets and costs: items, beneficiaries, ceilings.

use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::grant::Terms;
use crate::facts::grant::budget::{
    BENEFICIARIES_MAX, Beneficiary, Budget, Cost, ITEMS_MAX, Item, Part,
};
use std::fmt::Display;

impl Terms {
    /// The ceiling of the Union's share of a cost item.
    pub(crate) fn ceiling(&self, item: &ItemKey) -> Result<Rate, Refusal> {
        let ceilings = self.funding.as_ref().map(|funding| &funding.ceilings);
        let ceiling = ceilings.and_then(|ceilings| ceilings.get(item));
        ceiling.copied().ok_or_else(|| Rejection::NotFunded(item.clone()).into())
    }

    /// The ceiling for the contract of a procurement.
    pub(crate) fn acquisition(&self) -> Rate {
        let ceilings = self.funding.iter().flat_map(|funding| &funding.ceilings);
        let found = ceilings.into_iter().find(|(item, _)| item.as_str() == "acquisition");
        found.map_or(Rate::HALF, |(_, ceiling)| *ceiling)
    }
}

impl Budget {
    pub(super) fn member(&mut self, key: &BeneficiaryKey) -> Result<&mut Beneficiary, Refusal> {
        let mut members = self.beneficiaries.iter_mut();
        members.find(|member| member.beneficiary == *key).ok_or_else(|| {
            Rejection::UnknownKey { what: "beneficiary", key: key.to_string() }.into()
        })
    }

    /// The Union's share and the total, when every rule of a budget holds.
    pub(super) fn check(&self, terms: &Terms) -> Result<(Money, Money), Refusal> {
        check_list("items", &self.items, ITEMS_MAX)?;
        check_list("beneficiaries", &self.beneficiaries, BENEFICIARIES_MAX)?;
        check_once("item", self.items.iter().map(|item| &item.item))?;
        check_once("beneficiary", self.beneficiaries.iter().map(|member| &member.beneficiary))?;
        let (mut union, mut total) = (Money::ZERO, Money::ZERO);
        for (index, item) in self.items.iter().enumerate() {
            item.check(terms).map_err(|refusal| refusal.at(format!("/items/{index}")))?;
            (union, total) = (union.plus(item.union)?, total.plus(item.total)?);
        }
        self.check_members(union).map_err(|refusal| refusal.at("/beneficiaries"))?;
        Ok((union, total))
    }

    fn check_members(&self, union: Money) -> Result<(), Refusal> {
        let mut shares = Money::ZERO;
        for member in &self.beneficiaries {
            check_not_negative(member.union)?;
            if member.role == Part::AssociatedPartner && member.union.is_positive() {
                return Err(Rejection::PartnerFunded(member.beneficiary.clone()).into());
            }
            shares = shares.plus(member.union)?;
        }
        let coordinators = self.beneficiaries.iter().filter(|m| m.role == Part::Coordinator);
        let coordinators = coordinators.count();
        if coordinators != 1 {
            return Err(Rejection::OneCoordinator(coordinators).into());
        }
        if shares != union {
            return Err(Rejection::SharesDiffer { beneficiaries: shares, items: union }.into());
        }
        Ok(())
    }
}

impl Item {
    pub(super) fn check(&self, terms: &Terms) -> Result<(), Refusal> {
        let ceiling = terms.ceiling(&self.item)?;
        for part in [self.union, self.national, self.other] {
            check_not_negative(part)?;
        }
        let parts = self.union.plus(self.national)?.plus(self.other)?;
        if parts != self.total {
            let (item, total) = (self.item.to_string(), self.total);
            return Err(Rejection::DoesNotAddUp { item, parts, total }.into());
        }
        check_ceiling(&self.item, self.union, ceiling, self.total)
    }
}

impl Cost {
    pub(super) fn check_accepted(&self, terms: &Terms, claimed: &[Cost]) -> Result<(), Refusal> {
        let item = &self.item;
        let claim = claimed.iter().find(|claim| claim.item == *item);
        let claim = claim.map_or((Money::ZERO, Money::ZERO), |claim| (claim.total, claim.union));
        for (accepted, claimed) in [(self.total, claim.0), (self.union, claim.1)] {
            if accepted > claimed {
                let item = item.clone();
                return Err(Rejection::MoreThanClaimed { item, accepted, claimed }.into());
            }
        }
        check_ceiling(item, self.union, terms.ceiling(item)?, self.total)
    }
}

pub(super) fn check_ceiling(
    item: &impl Display,
    union: Money,
    ceiling: Rate,
    total: Money,
) -> Result<(), Refusal> {
    if union.within(ceiling, total) {
        return Ok(());
    }
    Err(Rejection::CeilingExceeded { item: item.to_string(), union, ceiling, total }.into())
}

pub(super) fn check_not_negative(amount: Money) -> Result<(), Refusal> {
    let amount = amount.in_euro()?;
    if amount.is_negative() { Err(Rejection::Negative(amount).into()) } else { Ok(()) }
}

pub(super) fn check_once<'a, K: Ord + Display + 'a>(
    what: &'static str,
    keys: impl Iterator<Item = &'a K>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(Rejection::KeyUsed { what, key: key.to_string() }.into());
        }
    }
    Ok(())
}

pub(super) fn check_costs(terms: &Terms, costs: &[Cost]) -> Result<(), Refusal> {
    check_once("item", costs.iter().map(|cost| &cost.item))?;
    for cost in costs {
        terms.ceiling(&cost.item)?;
        check_not_negative(cost.total)?;
        check_not_negative(cost.union)?;
    }
    Ok(())
}
