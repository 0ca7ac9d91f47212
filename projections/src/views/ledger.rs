//! The books in double entry: sub-ledgers, what stands on each rung, and the trial balance.

use crate::folds::ledger::{Ledger as Facts, STEPS, Sides};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::money::{Currency, Money};
use std::collections::BTreeMap;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Ledger;

/// What stands on each rung for one budget line and source.
#[derive(Clone, Copy, Debug, Default)]
struct Rungs {
    /// Unknown while only what became of it is seen.
    appropriation: Option<Money>,
    available: Money,
    global: Money,
    individual: Money,
    legal: Money,
    paid: Money,
}

impl View for Ledger {
    type Facts = Facts;
    const NAME: &'static str = "ledger";
    const SUMMARY: &'static str =
        "Double entry: the balance of every account of budget, cash and national contributions";

    fn report(facts: &Facts, _: &Query) -> Report {
        let omitted = match facts.omitted {
            0 => "Nothing was left out.".to_owned(),
            many => format!("Left out, because no amount to be booked is known: {many}."),
        };
        Report::new(Self::NAME, "Ledger")
            .with(facts.ledgers())
            .with(facts.lines_table())
            .with(facts.pledges())
            .with(facts.accounts(None))
            .note("Each sub-ledger adds up to nothing; what stands on a rung is a balance.")
            .note("Open (RAL): committed globally, individually or legally, and not paid.")
            .note("Cash: as it was ordered. What clears a pre-financing, no event says.")
            .note("An umbrella and its parts are the same money: pledges are not added up.")
            .note("Awards, envelopes, prizes and published figures move nothing.")
            .note(omitted)
    }

    fn table(facts: &Facts, key: &str, _: &Query, row: Option<&str>) -> Option<Table> {
        match key {
            "ledgers" => Some(facts.ledgers()),
            "lines" => Some(facts.lines_table()),
            "pledges" => Some(facts.pledges()),
            "accounts" => Some(facts.accounts(row)),
            _ => None,
        }
    }
}

impl Facts {
    fn ledgers(&self) -> Table {
        let mut table = Table::new(
            "ledgers",
            "Sub-ledgers",
            &[
                ("ledger", "Sub-ledger", Kind::Text),
                ("debit", "Debit", Kind::Money),
                ("credit", "Credit", Kind::Money),
                ("difference", "Difference", Kind::Money),
            ],
        )
        .named_by(&["ledger"]);
        for (name, Sides { debit, credit }) in self.sides() {
            table.push([name.into(), euro(debit), euro(credit), euro(debit - credit)]);
        }
        table.total();
        table
    }

    fn lines_table(&self) -> Table {
        let mut table = Table::new(
            "lines",
            "What stands on each rung, by fund, budget line and source",
            &[
                ("fund", "Fund", Kind::Text),
                ("line", "Line", Kind::Text),
                ("source", "Source", Kind::Text),
                ("appropriation", "Appropriation", Kind::Money),
                ("available", "Available", Kind::Money),
                ("global", "Global", Kind::Money),
                ("individual", "Individual", Kind::Money),
                ("legal", "Legal", Kind::Money),
                ("paid", "Paid", Kind::Money),
                ("open", "Open (RAL)", Kind::Money),
            ],
        )
        .named_by(&["fund", "line", "source"]);
        let mut lines: BTreeMap<(&str, &str, &str), Rungs> = BTreeMap::new();
        for (account, balance) in &self.balances {
            if let Some((line, source)) = self.place(account) {
                let mut parts = account.split(':').skip(1);
                let fund = parts.next().unwrap_or_default();
                let rungs = lines.entry((fund, line, source)).or_default();
                rungs.add(parts.next().unwrap_or_default(), *balance);
            }
        }
        for ((fund, line, source), rungs) in lines {
            table.push([
                fund.into(),
                line.into(),
                source.into(),
                Cell::known(rungs.appropriation),
                Cell::known(rungs.appropriation.map(|_| rungs.available)),
                rungs.global.into(),
                rungs.individual.into(),
                rungs.legal.into(),
                rungs.paid.into(),
                rungs.open().into(),
            ]);
        }
        table.total();
        table
    }

    fn pledges(&self) -> Table {
        let mut table = Table::new(
            "pledges",
            "What stands on each rung, by pledge",
            &[
                ("pledge", "Pledge", Kind::Text),
                ("promised", "Promised", Kind::Money),
                ("signed", "Signed", Kind::Money),
                ("reported", "Reported", Kind::Money),
                ("certified", "Certified", Kind::Money),
                ("counted", "Counted", Kind::Money),
            ],
        )
        .named_by(&["pledge"]);
        let mut pledges: BTreeMap<&str, [Money; STEPS.len()]> = BTreeMap::new();
        for (account, balance) in self.balances() {
            let account = account.strip_prefix("National:").and_then(|rest| rest.split_once(':'));
            let Some((pledge, rung)) = account else { continue };
            if let Some(step) = STEPS.iter().position(|step| *step == rung) {
                pledges.entry(pledge).or_default()[step] = balance;
            }
        }
        for (pledge, steps) in pledges {
            let cells = std::iter::once(pledge.into()).chain(steps.map(Cell::Money));
            table.rows.push(cells.collect());
        }
        table
    }

    fn accounts(&self, only: Option<&str>) -> Table {
        let mut table = Table::new(
            "accounts",
            "Trial balance",
            &[
                ("account", "Account", Kind::Text),
                ("line", "Line", Kind::Text),
                ("source", "Source", Kind::Text),
                ("debit", "Debit", Kind::Money),
                ("credit", "Credit", Kind::Money),
            ],
        )
        .named_by(&["account"]);
        let all = only.is_none().then(|| self.balances()).into_iter().flatten();
        let one = only.map(|account| (account, self.balance(account)));
        for (account, balance) in all.chain(one.filter(|(_, balance)| *balance != Money::ZERO)) {
            let (line, source) = match self.place(account) {
                Some((line, source)) => (line.into(), source.into()),
                None if account.starts_with("Budget:") => (Cell::Unknown, Cell::Unknown),
                None => (Cell::Empty, Cell::Empty),
            };
            let cents = i128::from(balance.in_cents());
            let (debit, credit) = if balance.is_negative() {
                (Cell::Empty, euro(-cents))
            } else {
                (balance.into(), Cell::Empty)
            };
            table.push([account.into(), line, source, debit, credit]);
        }
        table.total();
        table
    }
}

impl Rungs {
    fn add(&mut self, rung: &str, balance: Money) {
        match rung {
            "Voted" | "Carried" => self.appropriation.get_or_insert_default().subtract(balance),
            "Available" => self.available.add(balance),
            "Global" => self.global.add(balance),
            "Individual" => self.individual.add(balance),
            "Legal" => self.legal.add(balance),
            "Paid" => self.paid.add(balance),
            _ => {}
        }
    }

    fn open(&self) -> Money {
        let mut open = self.global;
        open.add(self.individual);
        open.add(self.legal);
        open
    }
}

fn euro(cents: i128) -> Cell {
    Cell::known(Money::new(Currency::EUR, cents).ok())
}

#[cfg(test)]
mod tests;
