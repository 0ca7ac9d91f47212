//! Co-funding: Union and national money side by side, by round, grant and state, and how far each has
//! come. Regional money and money of the Recovery and Resilience Facility are listed apart and never
//! counted.

use crate::folds::books::{Books, Pledge, Purpose, Steps, Sums};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::ids::{CallId, Country, CutOffKey, GrantId};
use domain::kernel::money::Money;
use std::collections::BTreeMap;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Match;

/// The books, seen from both sides.
struct Sheet<'a> {
    books: &'a Books,
}

/// Both sides of one row.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    union: Option<Sums>,
    national: Option<Steps>,
}

/// The columns of both sides, after those that name the row.
const SIDES: [(&str, &str, Kind); 9] = [
    ("committed", "Committed", Kind::Money),
    ("legal", "Legal", Kind::Money),
    ("paid", "Paid", Kind::Money),
    ("promised", "Promised", Kind::Money),
    ("signed", "Signed", Kind::Money),
    ("reported", "Reported", Kind::Money),
    ("certified", "Certified", Kind::Money),
    ("counted", "Counted", Kind::Money),
    ("difference", "Promised - committed", Kind::Money),
];

impl View for Match {
    type Facts = Books;

    const NAME: &'static str = "match";
    const SUMMARY: &'static str =
        "Co-funding: Union and national money side by side, by round, grant and state";

    fn report(books: &Books, _: &Query) -> Report {
        let sheet = Sheet { books };
        Report::new(Self::NAME, "Co-funding")
            .with(sheet.rounds())
            .with(sheet.grants())
            .with(sheet.states())
            .with(sheet.apart())
            .note("Committed, legal, paid: the Union. Promised to counted: the states.")
            .note("Committed to a grant or a state: individually; to a round: globally.")
            .note("An umbrella and its parts are the same money: the larger of the two is shown.")
            .note("Regional and RRF money is listed apart and never counted as co-funding.")
    }
}

impl Sheet<'_> {
    fn rounds(&self) -> Table {
        let mut table = table("rounds", "By round", &[("call", "Call"), ("round", "Round")])
            .named_by(&["call", "round"]);
        let mut rounds: BTreeMap<(CallId, Option<CutOffKey>), Sides> = BTreeMap::new();
        for key in self.books.rounds() {
            let at = |purpose: &Purpose| purpose.call == key.0 && purpose.round == key.1;
            let union = self.books.sums(at);
            rounds.insert(key, Sides { union, national: None });
        }
        for (pledge, steps) in self.families() {
            if let Some(round) = self.books.round_of(pledge) {
                rounds.entry(round).or_default().pledge(&steps);
            }
        }
        for ((call, round), sides) in rounds {
            let round = Cell::maybe(round.as_ref().map(CutOffKey::as_str));
            table.rows.push(sides.row([Cell::text(call), round], |sums| sums.committed));
        }
        table.total();
        table
    }

    fn grants(&self) -> Table {
        let mut table = table("grants", "By grant", &[("grant", "Grant"), ("state", "State")])
            .named_by(&["grant"]);
        let mut grants: BTreeMap<&GrantId, Sides> = BTreeMap::new();
        for (grant, sums) in self.individual() {
            grants.entry(grant).or_default().commit(&sums);
        }
        for (pledge, steps) in self.families() {
            if let Some(grant) = pledge.promise.as_ref().and_then(|it| it.grant.as_ref()) {
                grants.entry(grant).or_default().pledge(&steps);
            }
        }
        // A part may be for a grant although its umbrella is for a round.
        for pledge in self.books.pledges.values().filter(|it| it.matches() && !it.withdrawn) {
            let Some(promise) = &pledge.promise else { continue };
            let (Some(grant), Some(umbrella)) = (&promise.grant, &promise.part_of) else {
                continue;
            };
            let umbrella = self.books.pledges.get(umbrella).and_then(|it| it.promise.as_ref());
            if umbrella.is_none_or(|umbrella| umbrella.grant.is_none()) {
                grants.entry(grant).or_default().pledge(&pledge.steps);
            }
        }
        for (grant, sides) in grants {
            let state = Cell::maybe(self.state_of(grant).map(|state| state.to_string()));
            table.rows.push(sides.row([Cell::text(grant), state], |sums| sums.individual));
        }
        table.total();
        table
    }

    fn states(&self) -> Table {
        let mut table = table("states", "By state", &[("state", "State")]).named_by(&["state"]);
        let mut states: BTreeMap<Option<Country>, Sides> = BTreeMap::new();
        for (grant, sums) in self.individual() {
            states.entry(self.state_of(grant)).or_default().commit(&sums);
        }
        let parts = self.books.parts();
        for (id, pledge) in self.books.pledges.iter().filter(|(_, it)| it.matches()) {
            let Some(promise) = pledge.promise.as_ref().filter(|_| !pledge.withdrawn) else {
                continue;
            };
            // What of an umbrella no part names yet stays with whoever promised the umbrella.
            let mut steps = pledge.steps;
            if let Some(parts) = parts.get(id) {
                steps.cover(parts);
                steps.subtract(parts);
            }
            states.entry(promise.state).or_default().pledge(&steps);
        }
        for (state, sides) in states {
            let state = state.map_or(Cell::from("together"), Cell::text);
            table.rows.push(sides.row([state], |sums| sums.individual));
        }
        table.total();
        table
    }

    /// What is no match: regional money, and the Recovery and Resilience Facility.
    fn apart(&self) -> Table {
        let mut table = Table::new(
            "apart",
            "Listed apart, never counted",
            &[
                ("pledge", "Pledge", Kind::Text),
                ("kind", "Kind", Kind::Text),
                ("call", "Call", Kind::Text),
                ("grant", "Grant", Kind::Text),
                ("state", "State", Kind::Text),
                ("promised", "Promised", Kind::Money),
                ("signed", "Signed", Kind::Money),
            ],
        )
        .named_by(&["pledge"]);
        for (id, pledge) in self.books.pledges.iter().filter(|(_, it)| !it.matches()) {
            let Some(promise) = pledge.promise.as_ref().filter(|_| !pledge.withdrawn) else {
                continue;
            };
            table.push([
                Cell::text(id),
                Cell::text(promise.kind),
                Cell::text(&promise.call),
                Cell::maybe(promise.grant.as_ref().map(GrantId::as_str)),
                Cell::maybe(promise.state.map(|state| state.to_string())),
                pledge.steps.promised.into(),
                pledge.steps.signed.into(),
            ]);
        }
        table
    }

    /// The pledges that match and are no parts, with what their parts add.
    fn families(&self) -> Vec<(&Pledge, Steps)> {
        let parts = self.books.parts();
        let whole = self.books.pledges.iter().filter(|(_, pledge)| {
            let whole = pledge.promise.as_ref().is_some_and(|promise| promise.part_of.is_none());
            whole && pledge.matches() && !pledge.withdrawn
        });
        whole
            .map(|(id, pledge)| {
                let mut steps = pledge.steps;
                if let Some(parts) = parts.get(id) {
                    steps.cover(parts);
                }
                (&**pledge, steps)
            })
            .collect()
    }

    fn individual(&self) -> impl Iterator<Item = (&GrantId, Sums)> {
        let funds = self.books.funds.values();
        funds.flat_map(|fund| fund.grants.iter().map(|(grant, it)| (grant, it.sums())))
    }

    fn state_of(&self, grant: &GrantId) -> Option<Country> {
        self.books.grants.get(grant).and_then(|grant| grant.country)
    }
}

impl Sides {
    fn commit(&mut self, sums: &Sums) {
        self.union.get_or_insert_default().add(sums);
    }

    fn pledge(&mut self, steps: &Steps) {
        self.national.get_or_insert_default().add(steps);
    }

    /// The row of both sides; a side that nothing is recorded about is unknown.
    fn row<const N: usize>(&self, names: [Cell; N], committed: fn(&Sums) -> Money) -> Vec<Cell> {
        let union = |of: fn(&Sums) -> Money| Cell::known(self.union.as_ref().map(of));
        let national = |of: fn(&Steps) -> Money| Cell::known(self.national.as_ref().map(of));
        let both = self.union.as_ref().zip(self.national.as_ref());
        let difference = both.and_then(|(us, them)| them.promised.minus(committed(us)).ok());
        let mut row = Vec::from(names);
        row.extend([
            union(committed),
            union(|sums| sums.legal),
            union(|sums| sums.paid),
            national(|steps| steps.promised),
            national(|steps| steps.signed),
            national(|steps| steps.reported),
            national(|steps| steps.certified),
            national(|steps| steps.counted),
            Cell::known(difference),
        ]);
        row
    }
}

fn table(key: &'static str, title: &str, names: &[(&'static str, &'static str)]) -> Table {
    let names = names.iter().map(|&(key, title)| (key, title, Kind::Text));
    let columns: Vec<_> = names.chain(SIDES).collect();
    Table::new(key, title, &columns)
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    const DAY: &str = "2025-01-01";

    fn pledge<'a>(stream: &'a str, data: &'a str) -> GivenLine<'a> {
        (DAY, stream, "Made", data)
    }

    fn history() -> Vec<GivenLine<'static>> {
        vec![
            (
                DAY,
                "fund-F",
                "GloballyCommitted",
                r#"{"amount":"EUR 1000","call":"C","commitment":"K","line":"L","round":"1","source":"DEP"}"#,
            ),
            (
                DAY,
                "fund-F",
                "IndividuallyCommitted",
                r#"{"amount":"EUR 400","commitment":"K","grant":"G"}"#,
            ),
            (DAY, "fund-F", "LegallyCommitted", r#"{"amount":"EUR 300","grant":"G"}"#),
            (DAY, "fund-F", "Paid", r#"{"amount":"EUR 200","grant":"G","payment":"P"}"#),
            (
                DAY,
                "grant-G",
                "Prepared",
                r#"{"call":"C","country":"FI","proposal":"P","rules":{},"title":"t"}"#,
            ),
            pledge("pledge-U", r#"{"amount":"EUR 900","call":"C","kind":"cash","round":"1"}"#),
            pledge(
                "pledge-FI",
                r#"{"amount":"EUR 350","call":"C","grant":"G","kind":"cash","part_of":"U","round":"1","state":"FI"}"#,
            ),
            (DAY, "pledge-FI", "Signed", r#"{"amount":"EUR 340"}"#),
            (DAY, "pledge-FI", "Reported", r#"{"amount":"EUR 330"}"#),
            (DAY, "pledge-FI", "Certified", r#"{"amount":"EUR 320"}"#),
            (DAY, "pledge-FI", "Counted", r#"{"amount":"EUR 310"}"#),
            pledge(
                "pledge-RRF",
                r#"{"amount":"EUR 70","call":"C","kind":"rrf","round":"1","state":"ES"}"#,
            ),
            pledge(
                "pledge-REG",
                r#"{"amount":"EUR 60","call":"C","kind":"regional","round":"1","state":"ES"}"#,
            ),
        ]
    }

    #[test]
    fn an_umbrella_and_its_parts_are_the_same_money() {
        let now = report("match", &history(), None);
        // Of the umbrella of 900, 350 is Finland's; 900 - 1000 is missing.
        assert_eq!(
            rows(&now, "rounds")[0],
            "C|1|1 000.00|300.00|200.00|900.00|340.00|330.00|320.00|310.00|-100.00"
        );
        assert_eq!(
            rows(&now, "states"),
            [
                "together|unknown|unknown|unknown|550.00|0.00|0.00|0.00|0.00|unknown",
                "FI|400.00|300.00|200.00|350.00|340.00|330.00|320.00|310.00|-50.00",
                "Total|unknown|unknown|unknown|900.00|340.00|330.00|320.00|310.00|unknown",
            ]
        );
        assert_eq!(
            rows(&now, "grants")[0],
            "G|FI|400.00|300.00|200.00|350.00|340.00|330.00|320.00|310.00|-50.00"
        );
    }

    #[test]
    fn regional_and_rrf_money_is_listed_apart() {
        let now = report("match", &history(), None);
        assert_eq!(
            rows(&now, "apart"),
            ["REG|regional|C||ES|60.00|0.00", "RRF|rrf|C||ES|70.00|0.00"]
        );
    }

    #[test]
    fn a_pledge_that_was_taken_back_counts_no_more() {
        let mut lines = history();
        lines.push((DAY, "pledge-FI", "Withdrawn", r#"{"reason":"r"}"#));
        let now = report("match", &lines, None);
        assert_eq!(
            rows(&now, "rounds")[0],
            "C|1|1 000.00|300.00|200.00|900.00|0.00|0.00|0.00|0.00|-100.00"
        );
    }
}
