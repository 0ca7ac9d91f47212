//! The bank accounts of grants, by key, with who named and who confirmed each, and the orders to pay them.

use crate::fold::{Fold, LARGE};
use domain::facts::commit::Recorded;
use domain::facts::{grant, payment};
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{AccountKey, ActorId, GrantId, PaymentId, StreamKey};
use domain::{Commit, Event};
use imbl::{OrdMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Every account that was named, and every order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payees {
    pub(crate) accounts: OrdMap<GrantId, Vector<Arc<PayeeAccount>>>,
    pub(crate) orders: OrdMap<PaymentId, Arc<Order>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PayeeAccount {
    pub(crate) account: AccountKey,
    pub(crate) document: Sha256Hex,
    pub(crate) named: Act,
    pub(crate) decided: Option<(Act, bool)>,
}

/// Who did something, and in which commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) by: ActorId,
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) order: payment::Order,
    pub(crate) stage: payment::Stage,
}

impl Fold for Payees {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Grant(inner) => {
                if let Some(id) = GrantId::of_stream(&event.stream) {
                    self.grant(id, inner, commit);
                }
            }
            Event::Payment(inner) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.payment(id, inner);
                }
            }
            _ => {}
        }
    }
}

impl Payees {
    fn grant(&mut self, id: GrantId, event: &grant::Event, commit: &Commit) {
        use grant::Event as E;
        let (by, position) = (commit.actor.id.clone(), commit.position);
        let act = Act { by, position, at: commit.recorded_at };
        match event {
            E::AccountNamed { account, document, .. } => {
                let (account, document) = (account.clone(), *document);
                let new = PayeeAccount { account, document, named: act, decided: None };
                self.accounts.entry(id).or_default().push_back(Arc::new(new));
            }
            E::AccountConfirmed { account, document, .. } => {
                self.decide(&id, (account, *document), act, true);
            }
            E::AccountRefused { account, document, .. } => {
                self.decide(&id, (account, *document), act, false);
            }
            _ => {}
        }
    }

    fn decide(
        &mut self,
        grant: &GrantId,
        (account, document): (&AccountKey, Sha256Hex),
        act: Act,
        is_confirmed: bool,
    ) {
        let Some(named) = self.accounts.get_mut(grant) else { return };
        let is_this = |it: &Arc<PayeeAccount>| {
            it.decided.is_none() && it.account == *account && it.document == document
        };
        let found = named.iter().position(is_this);
        if let Some(account) = found.and_then(|index| named.get_mut(index)) {
            Arc::make_mut(account).decided = Some((act, is_confirmed));
        }
    }

    fn payment(&mut self, id: PaymentId, event: &payment::Event) {
        use payment::{Event as E, Stage};
        let stage = match event {
            E::Initiated(order) => {
                let new = Order { order: order.clone(), stage: Stage::Initiated };
                self.orders.insert(id, Arc::new(new));
                return;
            }
            E::Verified {} => Stage::Verified,
            E::Authorised {} => Stage::Authorised,
            E::Executed { .. } => Stage::Executed,
            E::Rejected { .. } => Stage::Rejected,
            E::Returned { .. } => Stage::Returned,
        };
        if let Some(order) = self.orders.get_mut(&id) {
            Arc::make_mut(order).stage = stage;
        }
    }

    /// Where payments of a grant go: which commit confirmed what.
    pub(crate) fn confirmed(&self, grant: &GrantId) -> Option<(u64, &PayeeAccount)> {
        let accounts = self.accounts.get(grant)?.iter();
        let confirmed = accounts.filter_map(|account| match &account.decided {
            Some((act, true)) => Some((act.position, &**account)),
            _ => None,
        });
        confirmed.last()
    }
}
