//! The postings of commits as a journal that hledger reads, and which accounts they tell all of.

use crate::ledger::{Ledger, Transfer};
use crate::projection::Projection;
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::kernel::money::Money;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A fold of a log up to a moment. Every event must be taken, also one that is not to be written: what a
/// posting moves depends on those before it.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    ledger: Ledger,
    text: String,
    accounts: BTreeSet<String>,
    currencies: BTreeSet<String>,
    /// Accounts with a posting that is not written.
    elsewhere: BTreeSet<String>,
    transactions: usize,
}

/// An amount as hledger reads it.
fn amount(money: Money, sign: i128) -> String {
    let cents = sign * i128::from(money.in_cents());
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{} {sign}{}.{:02}", money.currency(), cents / 100, cents % 100)
}

impl Journal {
    /// Takes an event in, and writes its postings if it belongs.
    pub fn apply(&mut self, commit: &Commit, event: &Recorded, belongs: bool) {
        let transfers = self.ledger.transfers(event).unwrap_or_default();
        self.ledger.apply(commit, event);
        if transfers.is_empty() {
            return;
        }
        let names = || transfers.iter().flat_map(|it| [&it.from, &it.to]).cloned();
        if !belongs {
            self.elsewhere.extend(names());
            return;
        }
        let day = commit.recorded_at.strftime("%Y-%m-%d");
        let (kind, position) = (event.event.kind(), commit.position);
        // A text never fails to be written to.
        let _ = writeln!(self.text, "\n{day} ({position}) {kind} {}", event.stream);
        self.transactions += 1;
        self.accounts.extend(names());
        for Transfer { from, to, amount: moved } in &transfers {
            self.currencies.insert(moved.currency().to_string());
            let _ = writeln!(self.text, "    {from}  {}", amount(*moved, -1));
            let _ = writeln!(self.text, "    {to}  {}", amount(*moved, 1));
        }
    }

    /// Whether all that was ever posted on an account is in the journal: its balance there is that of the
    /// ledger.
    #[must_use]
    pub fn is_whole(&self, account: &str) -> bool {
        self.accounts.contains(account) && !self.elsewhere.contains(account)
    }

    /// How many transactions were written.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions
    }

    /// The journal, with every account and currency declared, for `hledger check --strict`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = "decimal-mark .\n".to_owned();
        for currency in &self.currencies {
            let _ = writeln!(text, "commodity {currency} 1000.00");
        }
        for account in &self.accounts {
            let _ = writeln!(text, "account {account}");
        }
        text + &self.text
    }
}
