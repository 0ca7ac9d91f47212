//! The books in double entry: every event about money moves an amount from one account to another of
//! the same sub-ledger, so that each sub-ledger adds up to nothing after every event.
//!
//! Sub-ledgers and their accounts (a balance is what was moved in, less what was moved out):
//! - `Budget:<fund>`: `Voted` and `Carried` by line and source, then the ladder `Available` (by line and
//!   source), `Global` (by commitment), `Individual`, `Legal`, `Paid` (by grant). The balance of a rung is
//!   what stands on it, so what is open (RAL) is `Global` + `Individual` + `Legal`.
//! - `Cash:<fund>`: `Bank`, and by grant `Pre-financing`, `Cost`, `Insurance`, `Recovered`.
//! - `National`: of each pledge `State`, then the ladder `Promised` to `Counted`.
//!
//! No journal is kept: [`Ledger::transfers`] tells it again from the commits.

use crate::fold::{Fold, LARGE};
use domain::facts::commit::Recorded;
use domain::facts::{fund, payment, pledge};
use domain::kernel::ids::{
    BudgetLine, CommitmentKey, FundId, FundSource, GrantId, PaymentId, PledgeId, StreamKey,
};
use domain::kernel::money::Money;
use domain::{Commit, Event};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The balances, and what it takes to know the accounts of the next event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// By account; those of nothing are left out.
    pub(crate) balances: OrdMap<Arc<str>, Money>,
    /// Line and source of each global commitment, by `fund:commitment`.
    pub(crate) lines: OrdMap<Arc<str>, Arc<(BudgetLine, FundSource)>>,
    /// The global commitment that a grant draws on, by `fund:grant`.
    pub(crate) draws: OrdMap<Arc<str>, CommitmentKey>,
    /// What was asked to be paid and may still move.
    pub(crate) orders: OrdMap<PaymentId, Arc<Order>>,
    /// Events that tell no amount that can be booked.
    pub(crate) omitted: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) amount: Money,
    pub(crate) fund: FundId,
    pub(crate) grant: GrantId,
    pub(crate) kind: payment::PaymentKind,
    pub(crate) net: Money,
}

/// An amount that moves between two accounts of one sub-ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The account that is credited.
    pub from: String,
    /// The account that is debited.
    pub to: String,
    /// How much.
    pub amount: Money,
}

/// What stands on each side of a sub-ledger, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The sum of what is more than nothing.
    pub debit: i128,
    /// The sum of what is less than nothing, as a number without sign.
    pub credit: i128,
}

/// Where a pledge comes from, and its rungs.
pub(crate) const STATE: &str = "State";
pub(crate) const STEPS: [&str; 5] = ["Promised", "Signed", "Reported", "Certified", "Counted"];

/// Where money stands whose line, or commitment, is told by an event that is not seen.
pub(crate) const NO_LINE: &str = "Unknown line";
pub(crate) const NO_COMMITMENT: &str = "Unknown commitment";

impl Fold for Ledger {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, _: &Commit, event: &Recorded) {
        if !matches!(event.event, Event::Fund(_) | Event::Payment(_) | Event::Pledge(_)) {
            return;
        }
        match self.transfers(event) {
            Some(transfers) => transfers.iter().for_each(|transfer| self.post(transfer)),
            None => self.omit(),
        }
        self.remember(event);
    }
}

impl Ledger {
    /// What an event moves, seen from the state before it; `None` when it moves something and does
    /// not say how much.
    #[must_use]
    pub fn transfers(&self, event: &Recorded) -> Option<Vec<Transfer>> {
        match &event.event {
            Event::Fund(inner) => Some(self.of_fund(&FundId::of_stream(&event.stream)?, inner)),
            Event::Payment(inner) => self.of_payment(&PaymentId::of_stream(&event.stream)?, inner),
            Event::Pledge(inner) => {
                Some(self.of_pledge(&PledgeId::of_stream(&event.stream)?, inner))
            }
            _ => Some(Vec::new()),
        }
    }

    fn of_fund(&self, fund: &FundId, event: &fund::Event) -> Vec<Transfer> {
        use fund::Event as E;
        let on = |rung, line: &BudgetLine, source: &FundSource| {
            format!("Budget:{fund}:{rung}:{line}:{source}")
        };
        let of = |rung, commitment: &CommitmentKey| format!("Budget:{fund}:{rung}:{commitment}");
        let to = |rung, grant: &GrantId| format!("Budget:{fund}:{rung}:{grant}");
        let line_of =
            |commitment: &CommitmentKey| match self.line(fund.as_str(), commitment.as_str()) {
                Some((line, source)) => on("Available", line, source),
                None => of(NO_LINE, commitment),
            };
        match event {
            E::AppropriationVoted { amount, line, source }
            | E::AppropriationIncreased { amount, line, source, .. } => {
                moved(*amount, on("Voted", line, source), on("Available", line, source))
            }
            E::CarriedIn { amount, line, source, .. } => {
                moved(*amount, on("Carried", line, source), on("Available", line, source))
            }
            E::CarriedOver { amount, line, source, .. } => {
                moved(*amount, on("Available", line, source), on("Carried", line, source))
            }
            E::GloballyCommitted { amount, commitment, line, source, .. } => {
                let available = on("Available", line, source);
                let mut transfers = self.emptied(&of(NO_LINE, commitment), &available);
                transfers.extend(moved(*amount, available, of("Global", commitment)));
                transfers
            }
            E::GlobalCommitmentIncreased { amount, commitment, .. } => {
                moved(*amount, line_of(commitment), of("Global", commitment))
            }
            E::GlobalDecommitted { amount, commitment, .. } => {
                moved(*amount, of("Global", commitment), line_of(commitment))
            }
            E::IndividuallyCommitted { amount, commitment, grant } => {
                let global = of("Global", commitment);
                let mut transfers = self.emptied(&to(NO_COMMITMENT, grant), &global);
                transfers.extend(moved(*amount, global, to("Individual", grant)));
                transfers
            }
            E::LegallyCommitted { amount, grant } => {
                moved(*amount, to("Individual", grant), to("Legal", grant))
            }
            E::Paid { amount, grant, .. } => moved(*amount, to("Legal", grant), to("Paid", grant)),
            E::Returned { amount, grant, .. } => {
                moved(*amount, to("Paid", grant), to("Legal", grant))
            }
            E::GrantDecommitted { amount, grant, .. } => {
                let global = match self.draws.get(&*format!("{fund}:{grant}")) {
                    Some(commitment) => of("Global", commitment),
                    None => to(NO_COMMITMENT, grant),
                };
                // What is not signed for goes first; the legal commitment then fits what is left.
                let unsigned = self.balance(&to("Individual", grant)).min(*amount);
                let mut signed = *amount;
                signed.subtract(unsigned);
                let mut transfers = moved(unsigned, to("Individual", grant), global.clone());
                transfers.extend(moved(signed, to("Legal", grant), global));
                transfers
            }
        }
    }

    fn of_payment(&self, id: &PaymentId, event: &payment::Event) -> Option<Vec<Transfer>> {
        use payment::Event as E;
        match event {
            E::Executed { .. } => self.orders.get(id)?.transfers(false),
            E::Returned { .. } => self.orders.get(id)?.transfers(true),
            E::Initiated(_) | E::Verified {} | E::Authorised {} | E::Rejected { .. } => {
                Some(Vec::new())
            }
        }
    }

    fn of_pledge(&self, pledge: &PledgeId, event: &pledge::Event) -> Vec<Transfer> {
        use pledge::Event as E;
        let on = |rung: &str| format!("National:{pledge}:{rung}");
        let [promised, signed, reported, certified, counted] = STEPS;
        let (amount, from, to) = match event {
            E::Made(promise) => (promise.amount, STATE, promised),
            E::Raised { amount, .. } => (*amount, STATE, promised),
            E::Signed { amount, .. } => (*amount, promised, signed),
            E::Reported { amount } => (*amount, signed, reported),
            E::Certified { amount, .. } => (*amount, reported, certified),
            E::Counted { amount } => (*amount, certified, counted),
            E::Withdrawn { .. } => {
                let down = |rung: &&str| self.emptied(&on(rung), &on(STATE));
                return STEPS.iter().flat_map(down).collect();
            }
        };
        moved(amount, on(from), on(to))
    }

    /// Moves all that stands on an account.
    fn emptied(&self, from: &str, to: &str) -> Vec<Transfer> {
        moved(self.balance(from), from.to_owned(), to.to_owned())
    }

    /// Both accounts change, or none does: what cannot be added (another currency, or more than an
    /// amount can be) must not put the books out of balance.
    fn post(&mut self, transfer: &Transfer) {
        let Transfer { from, to, amount } = transfer;
        let credited = self.balance(from).minus(*amount);
        match (credited, self.balance(to).plus(*amount)) {
            (Ok(credited), Ok(debited)) => {
                self.set(from, credited);
                self.set(to, debited);
            }
            _ => self.omit(),
        }
    }

    /// Where nothing stands is not kept, but for an appropriation: that it is nothing is known.
    fn set(&mut self, account: &str, balance: Money) {
        if balance == Money::ZERO && !is_appropriation(account) {
            self.balances.remove(account);
        } else if let Some(found) = self.balances.get_mut(account) {
            *found = balance;
        } else {
            self.balances.insert(account.into(), balance);
        }
    }

    fn omit(&mut self) {
        self.omitted = self.omitted.saturating_add(1);
    }

    fn remember(&mut self, event: &Recorded) {
        match &event.event {
            Event::Fund(fund::Event::GloballyCommitted { commitment, line, source, .. }) => {
                let key = format!("{}:{commitment}", event.stream.id());
                self.lines.insert(key.into(), Arc::new((line.clone(), source.clone())));
            }
            Event::Fund(fund::Event::IndividuallyCommitted { commitment, grant, .. }) => {
                let key = format!("{}:{grant}", event.stream.id());
                self.draws.insert(key.into(), commitment.clone());
            }
            Event::Payment(payment::Event::Initiated(order)) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.orders.insert(id, Arc::new(Order::of(order)));
                }
            }
            // It moves no more.
            Event::Payment(payment::Event::Rejected { .. } | payment::Event::Returned { .. }) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.orders.remove(&id);
                }
            }
            _ => {}
        }
    }

    /// What stands on an account.
    #[must_use]
    pub fn balance(&self, account: &str) -> Money {
        self.balances.get(account).copied().unwrap_or_default()
    }

    /// Every account on which something stands, in the order of their names.
    pub fn balances(&self) -> impl Iterator<Item = (&str, Money)> {
        let all = self.balances.iter().map(|(account, balance)| (&**account, *balance));
        all.filter(|(_, balance)| *balance != Money::ZERO)
    }

    /// Both sides of every sub-ledger. They are equal.
    #[must_use]
    pub fn sides(&self) -> BTreeMap<&str, Sides> {
        let mut sides: BTreeMap<&str, Sides> = BTreeMap::new();
        for (account, balance) in self.balances() {
            sides.entry(sub_ledger(account)).or_default().add(balance);
        }
        sides
    }

    /// The line and source of a global commitment.
    fn line(&self, fund: &str, commitment: &str) -> Option<(&BudgetLine, &FundSource)> {
        self.lines.get(&*format!("{fund}:{commitment}")).map(|place| (&place.0, &place.1))
    }

    /// The line and source that money on an account of a budget belongs to, if that is known.
    pub(crate) fn place<'a>(&'a self, account: &'a str) -> Option<(&'a str, &'a str)> {
        let mut parts = account.strip_prefix("Budget:")?.split(':');
        let (fund, rung, of) = (parts.next()?, parts.next()?, parts.next()?);
        let (line, source) = match rung {
            "Voted" | "Carried" | "Available" => return Some((of, parts.next()?)),
            "Global" => self.line(fund, of)?,
            NO_LINE | NO_COMMITMENT => return None,
            _ => self.line(fund, self.draws.get(&*format!("{fund}:{of}"))?.as_str())?,
        };
        Some((line.as_str(), source.as_str()))
    }
}

impl Order {
    fn of(order: &payment::Order) -> Self {
        let payment::Order { amount, fund, grant, kind, net, .. } = order;
        let (fund, grant) = (fund.clone(), grant.clone());
        Self { amount: *amount, fund, grant, kind: *kind, net: *net }
    }

    /// What the bank moves, and what the insurance keeps of it or releases with it; `back` when the
    /// bank undoes it.
    fn transfers(&self, back: bool) -> Option<Vec<Transfer>> {
        let Self { amount, fund, grant, kind, net } = self;
        let (purpose, inwards) = match kind {
            payment::PaymentKind::PreFinancing => ("Pre-financing", false),
            payment::PaymentKind::Interim | payment::PaymentKind::Balance => ("Cost", false),
            payment::PaymentKind::Recovery => ("Recovered", true),
        };
        let purpose = format!("Cash:{fund}:{purpose}:{grant}");
        let withheld = amount.minus(*net).ok()?;
        let mut transfers = moved(*net, format!("Cash:{fund}:Bank"), purpose.clone());
        transfers.extend(moved(withheld, format!("Cash:{fund}:Insurance:{grant}"), purpose));
        if back != inwards {
            let turn =
                |transfer: &mut Transfer| std::mem::swap(&mut transfer.from, &mut transfer.to);
            transfers.iter_mut().for_each(turn);
        }
        Some(transfers)
    }
}

impl Sides {
    fn add(&mut self, balance: Money) {
        let cents = i128::from(balance.in_cents());
        if balance.is_negative() {
            self.credit -= cents;
        } else {
            self.debit += cents;
        }
    }
}

/// Whether an account says what was voted, or carried from another fund and to another.
pub(crate) fn is_appropriation(account: &str) -> bool {
    let mut parts = account.split(':').skip(2);
    account.starts_with("Budget:") && matches!(parts.next(), Some("Voted" | "Carried"))
}

/// The first part of the name of an account; of budget and cash, the first two.
pub(crate) fn sub_ledger(account: &str) -> &str {
    let parts = if account.starts_with("National:") { 1 } else { 2 };
    let end = account.match_indices(':').nth(parts - 1).map_or(account.len(), |(at, _)| at);
    &account[..end]
}

pub(crate) fn moved(amount: Money, from: String, to: String) -> Vec<Transfer> {
    if amount == Money::ZERO { Vec::new() } else { vec![Transfer { from, to, amount }] }
}
