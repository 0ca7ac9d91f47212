//! Holds the bank accounts of a grant: named by one person, confirmed by another.

use crate::facts::stream::At;
use crate::kernel::actor::Actor;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::AccountKey;
use imbl::OrdMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The account of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts {
    /// All that were confirmed, by the position of the commit; payments go to the last.
    pub confirmed: OrdMap<u64, Confirmed>,
    /// What would take its place.
    pub waiting: Option<Named>,
}

/// An account that somebody has named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Its key.
    pub account: AccountKey,
    /// Who named it.
    pub by: Actor,
    /// The form of the bank.
    pub document: Sha256Hex,
    /// Since when it is true.
    pub effective_at: Timestamp,
    /// The position of the commit.
    pub position: u64,
}

/// An account that somebody else has found to be right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Who confirmed it.
    pub by: Actor,
    /// Since when it is true.
    pub effective_at: Timestamp,
    /// What was confirmed.
    pub named: Named,
}

/// Where an order goes: an account as it was confirmed once. If it is confirmed anew, that is another payee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    /// The account.
    pub account: AccountKey,
    /// The position of the commit that confirmed it.
    pub confirmed_at: u64,
}

impl Accounts {
    /// Whether none was ever named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.confirmed.is_empty() && self.waiting.is_none()
    }

    pub(super) fn name(&mut self, account: &AccountKey, document: Sha256Hex, at: &At<'_>) {
        let (account, by) = (account.clone(), at.actor.clone());
        let (effective_at, position) = (at.effective_at, at.position);
        self.waiting = Some(Named { account, by, document, effective_at, position });
    }

    pub(super) fn confirm(&mut self, at: &At<'_>) {
        if let Some(named) = self.waiting.take() {
            let by = at.actor.clone();
            let confirmed = Confirmed { by, effective_at: at.effective_at, named };
            self.confirmed.insert(at.position, confirmed);
        }
    }

    /// The part that somebody had in where an order goes, with its commit.
    #[must_use]
    pub fn step_of(&self, payee: &Payee, actor: &Actor) -> Option<(&'static str, u64)> {
        let confirmed = self.confirmed.get(&payee.confirmed_at)?;
        if actor.may_be(&confirmed.by) {
            return Some(("confirmed its bank account", payee.confirmed_at));
        }
        let Named { by, position, .. } = &confirmed.named;
        actor.may_be(by).then_some(("named its bank account", *position))
    }
}
