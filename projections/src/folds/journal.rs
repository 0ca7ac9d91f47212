//! Every entry about money, with who made it and where a payment went.

use crate::fold::{Fold, LARGE};
use domain::facts::commit::Recorded;
use domain::facts::{call, fund, grant, payment, pledge};
use domain::kernel::actor::Actor;
use domain::kernel::ids::{AccountKey, ActorId, CallId, GrantId, PaymentId, StreamId, StreamKey};
use domain::kernel::money::Money;
use domain::{Commit, Event};
use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Every entry about money, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    pub(crate) accounts: OrdMap<GrantId, Arc<AccountTest>>,
    /// The grants for which an account was ever confirmed.
    pub(crate) users: OrdMap<String, OrdSet<GrantId>>,
    pub(crate) entries: Vector<Arc<Entry>>,
    pub(crate) orders: OrdMap<PaymentId, (Money, GrantId)>,
    pub(crate) calls: OrdMap<GrantId, CallId>,
    pub(crate) zones: OrdMap<CallId, Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) effective_at: Timestamp,
    pub(crate) actor: Actor,
    pub(crate) stream: StreamId,
    /// The type of the event.
    pub(crate) kind: Arc<str>,
    pub(crate) amount: Option<Money>,
    /// Whose call's office hours count, if it is known.
    pub(crate) zone: Option<Arc<str>>,
    /// Of an order to pay: where it goes, as that was confirmed.
    pub(crate) payee: Option<Arc<Confirmed>>,
    pub(crate) grant: Option<GrantId>,
}

/// The bank account of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccountTest {
    pub(crate) applicant: Option<ActorId>,
    /// Who named the one that waits, at which position.
    pub(crate) named: Option<(Actor, u64)>,
    pub(crate) confirmed: Option<Arc<Confirmed>>,
    /// Whether there was an order that names no account.
    pub(crate) had_none: bool,
}

/// An account that was confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) account: AccountKey,
    pub(crate) by: Actor,
    pub(crate) named: Option<(Actor, u64)>,
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    /// Where the grant was paid to before.
    pub(crate) replaces: Option<Replaces>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Replaces {
    Account(AccountKey),
    /// Orders of before named none.
    Unknown,
}

impl Fold for Journal {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        self.remember(commit, event);
        let Some((amount, grant)) = self.amount(event) else { return };
        let call = grant.as_ref().and_then(|grant| self.calls.get(grant));
        let zone = call.and_then(|call| self.zones.get(call)).cloned();
        self.entries.push_back(Arc::new(Entry {
            position: commit.position,
            recorded_at: commit.recorded_at,
            effective_at: event.effective_at,
            actor: commit.actor.clone(),
            stream: event.stream.clone(),
            kind: event.event.kind().into(),
            amount,
            zone,
            payee: self.payee(&event.event),
            grant,
        }));
    }
}

impl Journal {
    fn remember(&mut self, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Call(call::Event::Opened { rules, .. }) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.zones.insert(id, rules.zone.as_str().into());
                }
            }
            Event::Grant(inner) => {
                if let Some(id) = GrantId::of_stream(&event.stream) {
                    self.grant(id, inner, commit);
                }
            }
            Event::Payment(payment::Event::Initiated(order)) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.orders.insert(id, (order.amount, order.grant.clone()));
                }
                if order.payee.is_none() && order.kind != payment::PaymentKind::Recovery {
                    self.account(order.grant.clone()).had_none = true;
                }
            }
            _ => {}
        }
    }

    fn grant(&mut self, id: GrantId, event: &grant::Event, commit: &Commit) {
        use grant::Event as E;
        match event {
            E::Prepared(origin) => {
                self.calls.insert(id.clone(), origin.call.clone());
                self.account(id).applicant.clone_from(&origin.applicant);
            }
            E::AccountNamed { .. } => {
                self.account(id).named = Some((commit.actor.clone(), commit.position));
            }
            E::AccountConfirmed { account, .. } => {
                let users = self.users.entry(same(account)).or_default();
                users.insert(id.clone());
                self.account(id).confirm(account, commit);
            }
            _ => {}
        }
    }

    fn account(&mut self, grant: GrantId) -> &mut AccountTest {
        Arc::make_mut(self.accounts.entry(grant).or_default())
    }

    /// Where an order to pay goes.
    fn payee(&self, event: &Event) -> Option<Arc<Confirmed>> {
        let Event::Payment(payment::Event::Initiated(order)) = event else { return None };
        let confirmed = self.accounts.get(&order.grant)?.confirmed.as_ref()?;
        let is_this = order.payee.as_ref()?.confirmed_at == confirmed.position;
        is_this.then(|| confirmed.clone())
    }

    /// Another grant that is paid to an account, or was, and is not known to be of the same applicant.
    pub(crate) fn shared(&self, account: &AccountKey, grant: &GrantId) -> Option<&GrantId> {
        let applicant =
            |grant: &GrantId| self.accounts.get(grant).and_then(|it| it.applicant.clone());
        let own = applicant(grant);
        let is_other =
            |user: &&GrantId| *user != grant && (own.is_none() || applicant(user) != own);
        self.users.get(&same(account))?.iter().find(is_other)
    }

    /// The amount of an entry and its grant, as far as it has them; `None` when it is not about money.
    fn amount(&self, event: &Recorded) -> Option<(Option<Money>, Option<GrantId>)> {
        use fund::Event as F;
        use pledge::Event as P;
        Some(match &event.event {
            Event::Payment(_) => {
                let order = self.orders.get(&PaymentId::of_stream(&event.stream)?);
                (order.map(|order| order.0), order.map(|order| order.1.clone()))
            }
            Event::Fund(inner) => match inner {
                F::AppropriationVoted { amount, .. }
                | F::AppropriationIncreased { amount, .. }
                | F::CarriedIn { amount, .. }
                | F::CarriedOver { amount, .. }
                | F::GloballyCommitted { amount, .. }
                | F::GlobalCommitmentIncreased { amount, .. }
                | F::GlobalDecommitted { amount, .. } => (Some(*amount), None),
                F::IndividuallyCommitted { amount, grant, .. }
                | F::LegallyCommitted { amount, grant }
                | F::Paid { amount, grant, .. }
                | F::Returned { amount, grant, .. }
                | F::GrantDecommitted { amount, grant, .. } => (Some(*amount), Some(grant.clone())),
            },
            Event::Pledge(inner) => match inner {
                P::Made(promise) => (Some(promise.amount), promise.grant.clone()),
                P::Raised { amount, .. }
                | P::Signed { amount, .. }
                | P::Reported { amount }
                | P::Certified { amount, .. }
                | P::Counted { amount } => (Some(*amount), None),
                P::Withdrawn { .. } => (None, None),
            },
            _ => return None,
        })
    }
}

impl AccountTest {
    fn confirm(&mut self, account: &AccountKey, commit: &Commit) {
        let before = self.confirmed.take().map(|before| Replaces::Account(before.account.clone()));
        self.confirmed = Some(Arc::new(Confirmed {
            account: account.clone(),
            by: commit.actor.clone(),
            named: self.named.take(),
            position: commit.position,
            recorded_at: commit.recorded_at,
            replaces: before.or_else(|| self.had_none.then_some(Replaces::Unknown)),
        }));
    }
}

/// Keys that differ in case alone are one.
pub(crate) fn same(account: &AccountKey) -> String {
    account.as_str().to_ascii_uppercase()
}
