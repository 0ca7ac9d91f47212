//! What a figure rests on, view by view: the one place to change when a view reads events that it did
//! not read before. A scope may be too large; one that is too small shows another figure, which is
//! noticed (see [`super`]), and the tests find it.

use super::Figure;
use super::index::Index;
use std::collections::BTreeSet;

impl Index {
    /// The commits that a figure can rest on, in order; `None` when its view is not known here.
    #[must_use]
    pub fn candidates(&self, view: &str, figure: &Figure) -> Option<Vec<u64>> {
        self.things(view, figure).map(|things| self.positions(&things))
    }

    fn things(&self, view: &str, figure: &Figure) -> Option<BTreeSet<String>> {
        match (view, &figure.row) {
            ("budget", None) => Some(of(match figure.table {
                "calls" | "rounds" => &["call", "fund", "pledge"],
                "claims" => &["claim"],
                _ => &["fund"],
            })),
            ("ledger", None) => Some(of(match figure.table {
                "lines" => &["fund"],
                _ => &["fund", "payment", "pledge"],
            })),
            ("budget", Some(row)) => self.of_budget(figure, row),
            ("ledger", Some(row)) => self.of_ledger(figure, row),
            _ => None,
        }
    }

    fn of_budget(&self, figure: &Figure, row: &str) -> Option<BTreeSet<String>> {
        // What was decommitted or paid changes nothing about what was committed.
        let is_above_grants =
            matches!(figure.column, "appropriation" | "committed" | "left" | "decommitted");
        match figure.table {
            "calls" => Some(self.call(row)),
            "rounds" => Some(self.call(figure.named("call")?)),
            "lines" => Some(self.line(row, !is_above_grants)),
            "commitments" => Some(self.commitment(&format!("commitment:{row}"), !is_above_grants)),
            "grants" => Some(self.grant(row)),
            "claims" => Some(self.with_below(format!("about:{}", figure.named("about")?))),
            _ => None,
        }
    }

    fn of_ledger(&self, figure: &Figure, row: &str) -> Option<BTreeSet<String>> {
        match figure.table {
            "lines" => Some(self.line(row, true)),
            "pledges" => Some(of(&[&format!("pledge:{row}")])),
            "accounts" => self.account(row),
            "ledgers" => match row.split_once(':') {
                Some(("Budget", fund)) => Some(of(&[&format!("fund:{fund}")])),
                Some(("Cash", fund)) => Some(self.with_below(format!("cash:{fund}"))),
                _ => Some(of(&["pledge"])),
            },
            _ => None,
        }
    }

    /// What an account of the ledger rests on: see there for their names.
    fn account(&self, account: &str) -> Option<BTreeSet<String>> {
        let parts: Vec<&str> = account.split(':').collect();
        match parts[..] {
            ["Budget", fund, "Voted" | "Carried" | "Available", line, source] => {
                Some(self.line(&format!("{fund}:{line}:{source}"), true))
            }
            ["Budget", fund, "Global" | "Unknown line", commitment] => {
                Some(self.commitment(&format!("commitment:{fund}:{commitment}"), true))
            }
            ["Budget", fund, _, grant] => Some(self.grant(&format!("{fund}:{grant}"))),
            ["Cash", fund, "Bank"] => Some(self.with_below(format!("cash:{fund}"))),
            ["Cash", fund, _, grant] => Some(self.with_below(format!("cash:{fund}:{grant}"))),
            ["National", pledge, _] => Some(of(&[&format!("pledge:{pledge}")])),
            _ => None,
        }
    }

    /// A call: what it decided, its global commitments, its pledges, and where their grants were placed.
    fn call(&self, id: &str) -> BTreeSet<String> {
        let mut things = self.with_below(format!("call:{id}"));
        let below: Vec<String> =
            things.iter().flat_map(|thing| self.below(thing)).filter(is_award).cloned().collect();
        things.extend(below);
        things
    }

    fn line(&self, row: &str, with_grants: bool) -> BTreeSet<String> {
        let mut things = self.with_below(format!("line:{row}"));
        if with_grants {
            let grants: Vec<String> =
                things.iter().flat_map(|thing| self.below(thing)).cloned().collect();
            things.extend(grants);
        }
        things
    }

    fn commitment(&self, thing: &str, with_grants: bool) -> BTreeSet<String> {
        if with_grants { self.with_below(thing.to_owned()) } else { of(&[thing]) }
    }

    /// A grant of a fund, and the commitments that it draws on, which know its line.
    fn grant(&self, row: &str) -> BTreeSet<String> {
        let grant = format!("grant:{row}");
        let mut things = self.with_below(format!("draws:{grant}"));
        things.insert(grant);
        things
    }

    fn with_below(&self, thing: String) -> BTreeSet<String> {
        let mut things: BTreeSet<String> = self.below(&thing).cloned().collect();
        things.insert(thing);
        things
    }
}

fn is_award(thing: &&String) -> bool {
    thing.starts_with("award:")
}

fn of(things: &[&str]) -> BTreeSet<String> {
    things.iter().map(|thing| (*thing).to_owned()).collect()
}
