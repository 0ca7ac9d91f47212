//! What an action costs and who gets the Union's part, item by item, within the ceilings of the rules.

use super::{Rejection, Terms};
use crate::command::check_list;
use crate::ids::{Country, Key};
use crate::money::{Money, Rate};
use crate::rejection::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most cost items in a budget or a report.
pub const ITEMS_MAX: usize = 50;
/// The most beneficiaries of a grant.
pub const BENEFICIARIES_MAX: usize = 100;

/// What the action costs, and who gets the Union's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Who takes part; their Union shares add up to those of the items.
    #[schemars(length(min = 1, max = 100))]
    pub beneficiaries: Vec<Beneficiary>,
    /// The cost items.
    #[schemars(length(min = 1, max = 50))]
    pub items: Vec<Item>,
}

/// One cost item of a budget: `union + national + other == total`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its key in the rules, for example `operating`.
    pub item: Key,
    /// Paid by participating states.
    pub national: Money,
    /// Paid by others: regions, own means.
    pub other: Money,
    /// What it costs.
    pub total: Money,
    /// Paid by the Union.
    pub union: Money,
}

/// Someone who takes part in a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beneficiary {
    /// Its key.
    pub beneficiary: Key,
    /// Where it is.
    pub country: Country,
    /// As what it takes part.
    pub role: Part,
    /// Its part of the Union's money.
    pub union: Money,
}

/// As what someone takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Speaks and receives for all; there is one.
    Coordinator,
    /// Party to the agreement.
    Beneficiary,
    /// Linked to a beneficiary.
    AffiliatedEntity,
    /// Takes part without funding.
    AssociatedPartner,
}

/// What was spent on one cost item, and the Union's part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Key of the item.
    pub item: Key,
    /// What it cost.
    pub total: Money,
    /// The Union's part.
    pub union: Money,
}

impl Terms {
    /// The ceiling of the Union's share of a cost item.
    pub(super) fn ceiling(&self, item: &Key) -> Result<Rate, Refusal> {
        let ceilings = self.funding.as_ref().map(|funding| &funding.ceilings);
        let ceiling = ceilings.and_then(|ceilings| ceilings.get(item));
        ceiling.copied().ok_or_else(|| Rejection::NotFunded(item.clone()).into())
    }

    /// The ceiling for the contract of a procurement.
    pub(super) fn acquisition(&self) -> Rate {
        let ceilings = self.funding.iter().flat_map(|funding| &funding.ceilings);
        let found = ceilings.into_iter().find(|(item, _)| item.as_str() == "acquisition");
        found.map_or(Rate::HALF, |(_, ceiling)| *ceiling)
    }
}

impl Budget {
    pub(super) fn member(&mut self, key: &Key) -> Result<&mut Beneficiary, Refusal> {
        let mut members = self.beneficiaries.iter_mut();
        members
            .find(|member| member.beneficiary == *key)
            .ok_or_else(|| Rejection::UnknownKey { what: "beneficiary", key: key.clone() }.into())
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
            let (item, total) = (self.item.clone(), self.total);
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

pub(super) fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, |mut total, amount| {
        total.add(amount);
        total
    })
}

pub(super) fn check_ceiling(
    item: &Key,
    union: Money,
    ceiling: Rate,
    total: Money,
) -> Result<(), Refusal> {
    if union.within(ceiling, total) {
        return Ok(());
    }
    Err(Rejection::CeilingExceeded { item: item.clone(), union, ceiling, total }.into())
}

pub(super) fn check_not_negative(amount: Money) -> Result<(), Refusal> {
    let amount = amount.in_euro()?;
    if amount.is_negative() { Err(Rejection::Negative(amount).into()) } else { Ok(()) }
}

pub(super) fn check_once<'a>(
    what: &'static str,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(Rejection::KeyUsed { what, key: key.clone() }.into());
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

#[cfg(test)]
mod tests {
    use crate::command::Role;
    use crate::grant::fixture::*;
    use crate::testing::Scenario;

    fn set(change: impl Fn(String) -> String) -> Scenario {
        let payload = change(budget(1000, 2000));
        prepared().by(Role::Applicant).when("grant.set_budget", &payload)
    }

    #[test]
    fn the_union_pays_up_to_half_of_an_item_and_not_a_cent_more() {
        set(|budget| budget).then(&["grant.BudgetSet"]);
        let more = |budget: String| {
            budget
                .replace("\"EUR 2000\"", "\"EUR 1999.99\"")
                .replace(r#""national":"EUR 1000""#, r#""national":"EUR 999.99""#)
        };
        set(more).refused("grant.ceiling_exceeded").at("/items/0");
    }

    #[test]
    fn an_item_that_the_rules_do_not_fund_is_refused() {
        let travel = |budget: String| budget.replace("services", "travel");
        set(travel).refused("grant.not_funded").at("/items/0");
    }

    #[test]
    fn the_parts_of_an_item_are_its_whole() {
        let other = |budget: String| budget.replace(r#""other":"EUR 0""#, r#""other":"EUR 1""#);
        set(other).refused("grant.does_not_add_up").at("/items/0");
        let less = |budget: String| budget.replace(r#""other":"EUR 0""#, r#""other":"EUR -1""#);
        set(less).refused("grant.negative").at("/items/0");
    }

    #[test]
    fn what_beneficiaries_receive_is_what_the_items_cost_the_union() {
        let more = |budget: String| budget.replace(r#""EUR 100""#, r#""EUR 101""#);
        set(more).refused("grant.shares_differ").at("/beneficiaries");
    }

    #[test]
    fn a_consortium_has_one_coordinator_and_partners_without_funding() {
        let none = |budget: String| budget.replace("coordinator", "beneficiary");
        set(none).refused("grant.one_coordinator");
        let partner = |budget: String| {
            budget.replace(r#""role":"beneficiary""#, r#""role":"associated_partner""#)
        };
        set(partner).refused("grant.partner_funded");
        let twice = |budget: String| budget.replace("\"lab\"", "\"host\"");
        set(twice).refused("grant.key_used");
    }
}
