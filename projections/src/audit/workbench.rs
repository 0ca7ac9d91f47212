//! What an auditor can draw from, as of any moment: the items with all that they can be told apart by, and
//! the accounts of the ledger that they must add up to.

use crate::fold::Fold;
use crate::folds::ledger::Ledger;
use domain::facts::audit::Population;
use domain::facts::commit::Recorded;
use domain::facts::{call, fund, grant, payment};
use domain::kernel::ids::{
    AccountKey, CommitmentKey, Country, CutOffKey, FundId, FundSource, GrantId, PaymentId,
    StreamKey,
};
use domain::kernel::money::Money;
use domain::kernel::sampling::Item;
use domain::{Commit, Event};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A fold of a log up to a moment, for one question. Made of plain maps, since nobody keeps it.
#[derive(Clone, Debug, Default)]
pub struct Workbench {
    ledger: Ledger,
    payments: BTreeMap<PaymentId, Payment>,
    /// What the funds booked for each payment: paid, less returned.
    booked: BTreeMap<PaymentId, i128>,
    committed: BTreeMap<(FundId, GrantId), Committed>,
    /// Source and round of each global commitment.
    globals: BTreeMap<(FundId, CommitmentKey), (FundSource, Option<CutOffKey>)>,
    countries: BTreeMap<GrantId, Country>,
    rounds: BTreeMap<GrantId, CutOffKey>,
}

#[derive(Clone, Debug)]
struct Payment {
    order: payment::Order,
    paid_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct Committed {
    cents: i128,
    commitment: Option<CommitmentKey>,
}

/// One item of a population.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name, value and moment.
    pub item: Item,
    /// Whose money.
    pub fund: FundId,
    /// To which grant.
    pub grant: GrantId,
    /// The bank account that a payment went to, if its order names one.
    pub account: Option<AccountKey>,
    /// Which kind of payment, or `commitment`.
    pub kind: String,
    /// The source of the money, if it is known.
    pub source: Option<FundSource>,
    /// The country of the grant, if it is known.
    pub country: Option<Country>,
    /// The round of the grant, if it is known.
    pub round: Option<CutOffKey>,
}

/// By what a population is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stratum {
    /// Powers of ten of the value.
    Value,
    /// Source of the money.
    Source,
    /// Country of the grant.
    Country,
    /// Round of the grant.
    Round,
}

/// How a population and the ledger differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the population is not complete: {account} of the ledger has {control} in {postings} items, the \
     population {sum} in {items}"
)]
pub struct Incomplete {
    /// The control account.
    pub account: String,
    /// What stands on it, in cents.
    pub control: i128,
    /// How many items it has.
    pub postings: usize,
    /// What the population adds up to, in cents.
    pub sum: i128,
    /// How many items that is.
    pub items: usize,
}

impl Workbench {
    /// Takes an event in.
    pub fn apply(&mut self, commit: &Commit, event: &Recorded) {
        self.ledger.apply(commit, event);
        match &event.event {
            Event::Payment(inner) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.payment(id, inner, event.effective_at);
                }
            }
            Event::Fund(inner) => {
                if let Some(id) = FundId::of_stream(&event.stream) {
                    self.fund(id, inner);
                }
            }
            Event::Grant(grant::Event::Prepared(origin)) => {
                let id = GrantId::of_stream(&event.stream);
                if let Some((id, country)) = id.zip(origin.country) {
                    self.countries.insert(id, country);
                }
            }
            Event::Call(call::Event::RoundAwarded { cut_off, funded, .. }) => {
                for award in funded {
                    self.rounds.insert(award.grant.clone(), cut_off.clone());
                }
            }
            Event::Call(call::Event::ReserveActivated { cut_off, grant, .. }) => {
                self.rounds.insert(grant.clone(), cut_off.clone());
            }
            _ => {}
        }
    }

    fn payment(&mut self, id: PaymentId, event: &payment::Event, at: Timestamp) {
        use payment::Event as E;
        match event {
            E::Initiated(order) => {
                self.payments.insert(id, Payment { order: order.clone(), paid_at: None });
            }
            E::Executed { .. } => {
                if let Some(payment) = self.payments.get_mut(&id) {
                    payment.paid_at = Some(at);
                }
            }
            E::Returned { .. } => {
                self.payments.remove(&id);
            }
            E::Verified {} | E::Authorised {} | E::Rejected { .. } => {}
        }
    }

    fn fund(&mut self, id: FundId, event: &fund::Event) {
        use fund::Event as E;
        let cents = |amount: &Money| i128::from(amount.in_cents());
        match event {
            E::Paid { amount, payment, .. } => {
                *self.booked.entry(payment.clone()).or_default() += cents(amount);
            }
            E::Returned { amount, payment, .. } => {
                *self.booked.entry(payment.clone()).or_default() -= cents(amount);
            }
            E::GloballyCommitted { commitment, round, source, .. } => {
                self.globals.insert((id, commitment.clone()), (source.clone(), round.clone()));
            }
            E::IndividuallyCommitted { amount, commitment, grant } => {
                let committed = self.committed.entry((id, grant.clone())).or_default();
                committed.cents += cents(amount);
                committed.commitment = Some(commitment.clone());
            }
            E::GrantDecommitted { amount, grant, .. } => {
                self.committed.entry((id, grant.clone())).or_default().cents -= cents(amount);
            }
            _ => {}
        }
    }

    /// All items of a population, once they are known to be all.
    ///
    /// # Errors
    /// When count or sum is another than that of the ledger.
    pub fn population(&self, population: Population) -> Result<Vec<Row>, Incomplete> {
        match population {
            Population::Payments => self.payments_checked(),
            Population::Commitments => self.commitments_checked(),
        }
    }

    /// What the ledger has on accounts of these rungs, in cents.
    fn control(&self, rungs: &[&str]) -> i128 {
        let on_rung = |account: &str| {
            let mut parts = account.split(':');
            parts.next() == Some("Budget") && parts.nth(1).is_some_and(|rung| rungs.contains(&rung))
        };
        let balances = self.ledger.balances().filter(|(account, _)| on_rung(account));
        balances.map(|(_, balance)| i128::from(balance.in_cents())).sum()
    }

    /// Recoveries count against the control account, and are no items.
    fn payments_checked(&self) -> Result<Vec<Row>, Incomplete> {
        let executed = self.payments.iter().filter(|(_, payment)| payment.paid_at.is_some());
        let (out, back): (Vec<_>, Vec<_>) = executed
            .filter(|(_, payment)| payment.order.amount.is_positive())
            .partition(|(_, payment)| payment.order.kind != payment::PaymentKind::Recovery);
        let sum = |list: &[(&PaymentId, &Payment)]| -> i128 {
            list.iter().map(|(_, payment)| i128::from(payment.order.amount.in_cents())).sum()
        };
        let found = Incomplete {
            account: "Budget:*:Paid".to_owned(),
            control: self.control(&["Paid"]),
            postings: self.booked.values().filter(|cents| **cents != 0).count(),
            sum: sum(&out) - sum(&back),
            items: out.len() + back.len(),
        };
        let row = |(id, payment): (&PaymentId, &Payment)| {
            let payment::Order { amount, fund, grant, kind, payee, .. } = &payment.order;
            let item = Item { name: id.to_string(), cents: amount.in_cents(), at: payment.paid_at };
            let account = payee.as_ref().map(|payee| payee.account.clone());
            Row { account, ..self.row(item, fund, grant, kind.to_string()) }
        };
        found.checked().map(|()| out.into_iter().map(row).collect())
    }

    fn commitments_checked(&self) -> Result<Vec<Row>, Incomplete> {
        let live: Vec<_> = self.committed.iter().filter(|(_, it)| it.cents > 0).collect();
        let rungs = ["Individual", "Legal", "Paid"];
        let places = self.ledger.balances().filter_map(|(account, _)| {
            let mut parts = account.strip_prefix("Budget:")?.split(':');
            let (fund, rung, grant) = (parts.next()?, parts.next()?, parts.next()?);
            rungs.contains(&rung).then_some((fund, grant))
        });
        let places: std::collections::BTreeSet<(&str, &str)> = places.collect();
        let found = Incomplete {
            account: "Budget:*:Individual, Legal and Paid".to_owned(),
            control: self.control(&rungs),
            postings: places.len(),
            sum: live.iter().map(|(_, it)| it.cents).sum(),
            items: live.len(),
        };
        let row = |((fund, grant), it): (&(FundId, GrantId), &Committed)| {
            let cents = i64::try_from(it.cents).unwrap_or(i64::MAX);
            let item = Item { name: format!("{fund}:{grant}"), cents, at: None };
            self.row(item, fund, grant, "commitment".to_owned())
        };
        found.checked().map(|()| live.into_iter().map(row).collect())
    }

    fn row(&self, item: Item, fund: &FundId, grant: &GrantId, kind: String) -> Row {
        let drawn = self.committed.get(&(fund.clone(), grant.clone()));
        let global = drawn.and_then(|it| it.commitment.clone());
        let global = global.and_then(|key| self.globals.get(&(fund.clone(), key)));
        let round = self.rounds.get(grant).cloned();
        Row {
            item,
            fund: fund.clone(),
            grant: grant.clone(),
            account: None,
            kind,
            source: global.map(|(source, _)| source.clone()),
            country: self.countries.get(grant).copied(),
            round: round.or_else(|| global.and_then(|(_, round)| round.clone())),
        }
    }
}

impl Incomplete {
    fn checked(self) -> Result<(), Self> {
        let complete = self.control == self.sum && self.postings == self.items;
        if complete { Ok(()) } else { Err(self) }
    }
}

impl Stratum {
    /// The stratum of an item; what is not known is `unknown`.
    #[must_use]
    pub fn of(self, row: &Row) -> String {
        let or_unknown = |known: Option<String>| known.unwrap_or_else(|| "unknown".to_owned());
        match self {
            Self::Value => {
                // Below EUR 1 there is one band, then one for each digit.
                let digits = (row.item.cents / 100).to_string().len();
                format!("below EUR 1{}", "0".repeat(digits))
            }
            Self::Source => or_unknown(row.source.as_ref().map(ToString::to_string)),
            Self::Country => or_unknown(row.country.map(|country| country.to_string())),
            Self::Round => or_unknown(row.round.as_ref().map(ToString::to_string)),
        }
    }
}

impl std::str::FromStr for Stratum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "value" => Ok(Self::Value),
            "source" => Ok(Self::Source),
            "country" => Ok(Self::Country),
            "round" => Ok(Self::Round),
            _ => Err(format!("value, source, country or round; got {text:?}")),
        }
    }
}
