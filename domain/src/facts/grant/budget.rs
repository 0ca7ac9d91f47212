//! What an action costs and who gets the Union's part, item by item, within the ceilings of the rules.

use crate::kernel::ids::{BeneficiaryKey, Country, ItemKey};
use crate::kernel::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    pub item: ItemKey,
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
    pub beneficiary: BeneficiaryKey,
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
    pub item: ItemKey,
    /// What it cost.
    pub total: Money,
    /// The Union's part.
    pub union: Money,
}

pub(crate) fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, |mut total, amount| {
        total.add(amount);
        total
    })
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::Scenario;
    use crate::testing::grant::*;

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
