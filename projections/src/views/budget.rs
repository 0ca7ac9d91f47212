//! Where public money stands: appropriations, commitments and payments by line and source, what each
//! round of each call has, and what was published about it.

use crate::folds::books::{Books, Global, Purpose, Steps, SumKnown, Sums};
use crate::folds::claims::Claims;
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey};
use domain::kernel::money::Money;
use std::collections::BTreeMap;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Budget;

/// The books and the published figures.
struct Sheet<'a> {
    books: &'a Books,
    claims: &'a Claims,
}

/// One round in figures; what is not known is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundFigures {
    /// Proposals that were funded.
    pub funded: u64,
    /// Committed by the Union, or else decided.
    pub union: Option<Money>,
    /// Promised by the states, without regions and RRF.
    pub national: Option<Money>,
    /// The least sure of what they rest on.
    pub confidence: Option<Confidence>,
}

impl RoundFigures {
    /// Union and national together, when both are known.
    #[must_use]
    pub fn joint(&self) -> Option<Money> {
        self.union?.plus(self.national?).ok()
    }
}

impl View for Budget {
    type Facts = (Books, Claims);

    const NAME: &'static str = "budget";
    const SUMMARY: &'static str =
        "Appropriations, commitments and payments by line, source, call and round";

    fn report((books, claims): &Self::Facts, _: &Query) -> Report {
        let sheet = Sheet { books, claims };
        Report::new(Self::NAME, "Budget")
            .with(sheet.calls())
            .with(sheet.rounds_table())
            .with(sheet.lines())
            .with(sheet.commitments())
            .with(sheet.grants())
            .with(sheet.claims())
            .note("Open (RAL): globally committed, less what was decommitted and what was paid.")
            .note("Union of a round: committed, or as decided when nothing is committed for it.")
            .note("National: promised by the states; regions and RRF are in the view match.")
            .note("A mark names the least sure of what a row rests on, its envelope included.")
            .note("Of figures that were published about one thing, the latest are shown.")
    }

    fn table(
        (books, claims): &Self::Facts,
        key: &str,
        _: &Query,
        _: Option<&str>,
    ) -> Option<Table> {
        let sheet = Sheet { books, claims };
        match key {
            "calls" => Some(sheet.calls()),
            "rounds" => Some(sheet.rounds_table()),
            "lines" => Some(sheet.lines()),
            "commitments" => Some(sheet.commitments()),
            "grants" => Some(sheet.grants()),
            "claims" => Some(sheet.claims()),
            _ => None,
        }
    }
}

impl Sheet<'_> {
    /// Every round of every call; the key is absent for what is for the call as a whole.
    fn rounds(&self) -> BTreeMap<(CallId, Option<CutOffKey>), RoundFigures> {
        let (national, all_committed) = (self.national(), self.books.committed());
        let figures = |key: &(CallId, Option<CutOffKey>)| {
            let (call, cut_off) = key;
            let round = self.books.calls.get(call).zip(cut_off.as_ref());
            let round = round.and_then(|(call, cut_off)| call.rounds.get(cut_off));
            let committed = all_committed.get(&(call, cut_off.as_ref())).copied();
            let (committed, committed_sure) = committed.unzip();
            let (promised, sure) = national.get(key).copied().unzip();
            let marks =
                [committed_sure.flatten(), round.and_then(|it| it.confidence), sure.flatten()];
            let funded = round.map_or(0, |round| round.funded.len());
            // A round in which nobody is funded needs no money.
            let nothing = (funded == 0 && committed.is_none()).then_some(Money::ZERO);
            RoundFigures {
                funded: u64::try_from(funded).unwrap_or(u64::MAX),
                union: committed.or(nothing).or_else(|| round?.decided()),
                national: promised.or(nothing),
                confidence: marks.into_iter().flatten().max(),
            }
        };
        self.books.rounds().into_iter().map(|key| (key.clone(), figures(&key))).collect()
    }

    fn national(&self) -> BTreeMap<(CallId, Option<CutOffKey>), (Money, Option<Confidence>)> {
        let mut national: BTreeMap<_, (Money, Option<Confidence>)> = BTreeMap::new();
        for pledge in self.books.families().filter(|pledge| pledge.matches()) {
            let Steps { promised, .. } = pledge.steps;
            if let Some(round) = self.books.round_of(pledge) {
                let (sum, sure) = national.entry(round).or_default();
                sum.add(promised);
                *sure = (*sure).max(pledge.confidence);
            }
        }
        national
    }

    fn calls(&self) -> Table {
        let mut table = Table::new(
            "calls",
            "By call",
            &[
                ("call", "Call", Kind::Text),
                ("envelope", "Envelope", Kind::Money),
                ("funded", "Funded", Kind::Count),
                ("union", "Union", Kind::Money),
                ("national", "National", Kind::Money),
                ("joint", "Joint", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["call"]);
        let rounds = self.rounds();
        let mut ids: Vec<&CallId> = rounds.keys().map(|(call, _)| call).collect();
        ids.extend(self.books.calls.keys());
        ids.sort();
        ids.dedup();
        for id in ids {
            let of_call = rounds.iter().filter(|((call, _), _)| call == id);
            let figures: Vec<RoundFigures> = of_call.map(|(_, figures)| *figures).collect();
            let call = self.books.calls.get(id);
            let opened = call.filter(|call| call.title.is_some());
            if figures.is_empty() && opened.is_some_and(|call| !call.gives_money) {
                continue;
            }
            let marks = figures.iter().map(|round| round.confidence);
            let marks = marks.chain(call.map(|call| call.confidence));
            // A call without a round has given nothing yet, which is known.
            let nothing = figures.is_empty().then_some(Money::ZERO);
            let sum = |of: fn(&RoundFigures) -> Option<Money>| {
                Cell::known(nothing.or_else(|| figures.iter().map(of).sum_known()))
            };
            let envelope = opened.map(|call| Cell::maybe(call.envelope));
            table.push([
                Cell::text(id),
                envelope.unwrap_or(Cell::Unknown),
                figures.iter().map(|round| round.funded).sum::<u64>().into(),
                sum(|round| round.union),
                sum(|round| round.national),
                sum(RoundFigures::joint),
                Cell::maybe(marks.flatten().max()),
            ]);
        }
        table.total();
        table
    }

    fn rounds_table(&self) -> Table {
        let mut table = Table::new(
            "rounds",
            "By round",
            &[
                ("call", "Call", Kind::Text),
                ("round", "Round", Kind::Text),
                ("funded", "Funded", Kind::Count),
                ("union", "Union", Kind::Money),
                ("national", "National", Kind::Money),
                ("joint", "Joint", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["call", "round"]);
        for ((call, round), figures) in &self.rounds() {
            table.push([
                Cell::text(call),
                Cell::maybe(round.as_ref().map(CutOffKey::as_str)),
                figures.funded.into(),
                Cell::known(figures.union),
                Cell::known(figures.national),
                Cell::known(figures.joint()),
                Cell::maybe(figures.confidence),
            ]);
        }
        table
    }

    /// The sums of every line and source of every fund. A commitment whose purpose is hidden has none.
    fn lines(&self) -> Table {
        let mut table = Table::new(
            "lines",
            "By fund, budget line and source",
            &[
                ("fund", "Fund", Kind::Text),
                ("line", "Line", Kind::Text),
                ("source", "Source", Kind::Text),
                ("appropriation", "Appropriation", Kind::Money),
                ("committed", "Committed", Kind::Money),
                ("individual", "Individual", Kind::Money),
                ("legal", "Legal", Kind::Money),
                ("paid", "Paid", Kind::Money),
                ("open", "Open (RAL)", Kind::Money),
                ("left", "Left", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["fund", "line", "source"]);
        for (id, fund) in &self.books.funds {
            let by_line = fund.sums_by_line();
            for ((line, source), voted) in fund.all_lines() {
                let sums = by_line.get(&(line, source)).copied().unwrap_or_default();
                let appropriation = voted.map(|voted| voted.amount);
                let sure = voted.and_then(|voted| voted.confidence).max(sums.confidence);
                let left = appropriation.and_then(|all| all.minus(sums.committed).ok());
                table.push([
                    Cell::text(id),
                    Cell::text(line),
                    Cell::text(source),
                    Cell::known(appropriation),
                    sums.committed.into(),
                    sums.individual.into(),
                    sums.legal.into(),
                    sums.paid.into(),
                    sums.open().into(),
                    Cell::known(left),
                    Cell::maybe(sure),
                ]);
            }
        }
        table.total();
        table
    }

    fn commitments(&self) -> Table {
        let mut table = Table::new(
            "commitments",
            "Global commitments",
            &[
                ("fund", "Fund", Kind::Text),
                ("commitment", "Commitment", Kind::Text),
                ("call", "Call", Kind::Text),
                ("round", "Round", Kind::Text),
                ("line", "Line", Kind::Text),
                ("source", "Source", Kind::Text),
                ("committed", "Committed", Kind::Money),
                ("individual", "Individual", Kind::Money),
                ("legal", "Legal", Kind::Money),
                ("paid", "Paid", Kind::Money),
                ("decommitted", "Decommitted", Kind::Money),
                ("open", "Open (RAL)", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["fund", "commitment"]);
        for (id, fund) in &self.books.funds {
            let drawn = fund.drawn();
            for (key, global) in &fund.commitments {
                let Global { amount: committed, confidence, .. } = **global;
                let mut sums = Sums { committed, confidence, ..Sums::default() };
                if let Some(drawn) = drawn.get(key) {
                    sums.add(drawn);
                }
                let purpose = global.purpose.as_ref();
                let word =
                    |of: fn(&Purpose) -> &str| purpose.map_or(Cell::Unknown, |it| of(it).into());
                table.push([
                    Cell::text(id),
                    Cell::text(key),
                    word(|it| it.call.as_str()),
                    word(|it| it.round.as_ref().map_or("", CutOffKey::as_str)),
                    word(|it| it.line.as_str()),
                    word(|it| it.source.as_str()),
                    sums.committed.into(),
                    sums.individual.into(),
                    sums.legal.into(),
                    sums.paid.into(),
                    global.decommitted.into(),
                    sums.open().into(),
                    Cell::maybe(sums.confidence),
                ]);
            }
        }
        table.total();
        table
    }

    fn grants(&self) -> Table {
        let mut table = Table::new(
            "grants",
            "By grant",
            &[
                ("fund", "Fund", Kind::Text),
                ("grant", "Grant", Kind::Text),
                ("commitment", "Commitment", Kind::Text),
                ("individual", "Individual", Kind::Money),
                ("legal", "Legal", Kind::Money),
                ("paid", "Paid", Kind::Money),
                ("decommitted", "Decommitted", Kind::Money),
                ("unpaid", "Unpaid", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["fund", "grant"]);
        for (id, fund) in &self.books.funds {
            for (grant, individual) in &fund.grants {
                let mut unpaid = individual.amount;
                unpaid.subtract(individual.paid);
                let commitment = individual.commitment.as_ref();
                table.push([
                    Cell::text(id),
                    Cell::text(grant),
                    commitment.map_or(Cell::Unknown, Cell::text),
                    individual.amount.into(),
                    individual.legal.into(),
                    individual.paid.into(),
                    individual.decommitted.into(),
                    unpaid.into(),
                    Cell::maybe(individual.confidence),
                ]);
            }
        }
        table.total();
        table
    }

    /// What was published last about each thing.
    fn claims(&self) -> Table {
        let mut table = Table::new(
            "claims",
            "Published figures",
            &[
                ("about", "About", Kind::Text),
                ("what", "What", Kind::Text),
                ("published", "Published", Kind::Date),
                ("total", "Total", Kind::Money),
                ("union", "Union", Kind::Money),
                ("national", "National", Kind::Money),
                ("regional", "Regional", Kind::Money),
                ("rrf", "RRF", Kind::Money),
                ("source", "Source", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["about", "what"]);
        for claim in self.claims.latest() {
            let figures = &claim.figures;
            table.push([
                Cell::text(&figures.about),
                figures.what.as_str().into(),
                figures.published.into(),
                Cell::known(figures.total),
                Cell::known(figures.union),
                Cell::known(figures.national),
                Cell::known(figures.regional),
                Cell::known(figures.rrf),
                Cell::maybe(claim.source.as_deref()),
                Cell::maybe(claim.confidence),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    const VOTED: GivenLine<'_> = (
        "2024-01-01",
        "fund-F",
        "AppropriationVoted",
        r#"{"amount":"EUR 2000","line":"L","source":"DEP"}"#,
    );
    const COMMITTED: GivenLine<'_> = (
        "2024-02-01",
        "fund-F",
        "GloballyCommitted",
        r#"{"amount":"EUR 1000","call":"C","commitment":"K","line":"L","round":"1","source":"DEP"}"#,
    );

    fn funded(day: &'static str, round: u32, from: u32, to: u32, union: &str) -> [String; 4] {
        let list: Vec<String> = (from..=to)
            .map(|number| format!(r#"{{"grant":"G{number}","proposal":"P{number}"}}"#))
            .collect();
        let data = format!(
            r#"{{"cut_off":"R{round}","funded":[{}],"rejected":[],"reserve":[],"union":"EUR {union}"}}"#,
            list.join(",")
        );
        [day.to_owned(), "call-AIF".to_owned(), "RoundAwarded".to_owned(), data]
    }

    fn umbrella(day: &str, call: &str, round: &str, amount: &str) -> [String; 4] {
        let data = format!(
            r#"{{"amount":"EUR {amount}","call":"{call}","kind":"cash","round":"{round}"}}"#
        );
        [day.to_owned(), format!("pledge-{call}-{round}"), "Made".to_owned(), data]
    }

    fn at(lines: &[[String; 4]], day: &str, table: &str) -> Vec<String> {
        let lines: Vec<GivenLine<'_>> = lines
            .iter()
            .map(|[at, stream, kind, data]| (&**at, &**stream, &**kind, &**data))
            .collect();
        rows(&report("budget", &lines, Some(day)), table)
    }

    #[test]
    fn the_published_figures_come_out_at_their_dates() {
        let antennas = [
            "2025-10-13".to_owned(),
            "call-AIFA".to_owned(),
            "RoundAwarded".to_owned(),
            r#"{"cut_off":"R1","funded":[{"grant":"A1","proposal":"A1"}],"rejected":[],"reserve":[],"union":"EUR 55043220.29"}"#.to_owned(),
        ];
        let lines = [
            funded("2024-12-10", 1, 1, 7, "750000000"),
            umbrella("2024-12-10", "AIF", "R1", "750000000"),
            funded("2025-03-12", 2, 8, 13, "242500000"),
            umbrella("2025-03-12", "AIF", "R2", "242500000"),
            funded("2025-10-10", 3, 14, 19, "250000000"),
            umbrella("2025-10-10", "AIF", "R3", "250000000"),
            antennas,
            umbrella("2025-10-13", "AIFA", "R1", "55043220.29"),
        ];
        assert_eq!(
            at(&lines, "2024-12-31", "calls"),
            [
                "AIF|unknown|7|750 000 000.00|750 000 000.00|1 500 000 000.00|",
                "Total|unknown|7|750 000 000.00|750 000 000.00|1 500 000 000.00|",
            ]
        );
        assert_eq!(
            at(&lines, "2025-03-31", "calls"),
            [
                "AIF|unknown|13|992 500 000.00|992 500 000.00|1 985 000 000.00|",
                "Total|unknown|13|992 500 000.00|992 500 000.00|1 985 000 000.00|",
            ]
        );
        assert_eq!(
            at(&lines, "2025-12-31", "calls"),
            [
                "AIF|unknown|19|1 242 500 000.00|1 242 500 000.00|2 485 000 000.00|",
                "AIFA|unknown|1|55 043 220.29|55 043 220.29|110 086 440.58|",
                "Total|unknown|20|1 297 543 220.29|1 297 543 220.29|2 595 086 440.58|",
            ]
        );
        assert!(at(&lines, "2024-11-30", "calls").is_empty());
    }

    #[test]
    fn a_line_shows_what_is_left_and_what_is_open() {
        let lines = [
            VOTED,
            COMMITTED,
            (
                "2024-03-01",
                "fund-F",
                "GlobalDecommitted",
                r#"{"amount":"EUR 100","commitment":"K","reason":"r"}"#,
            ),
            (
                "2024-04-01",
                "fund-F",
                "IndividuallyCommitted",
                r#"{"amount":"EUR 500","commitment":"K","grant":"G"}"#,
            ),
            ("2024-05-01", "fund-F", "LegallyCommitted", r#"{"amount":"EUR 400","grant":"G"}"#),
            ("2024-06-01", "fund-F", "Paid", r#"{"amount":"EUR 300","grant":"G","payment":"P"}"#),
            (
                "2024-07-01",
                "fund-F",
                "Returned",
                r#"{"amount":"EUR 50","grant":"G","payment":"P"}"#,
            ),
        ];
        // Appropriation 2000; committed 1000 - 100; paid 300 - 50; open 900 - 250; left 2000 - 900.
        let line = "F|L|DEP|2 000.00|900.00|500.00|400.00|250.00|650.00|1 100.00|";
        let total = "Total|||2 000.00|900.00|500.00|400.00|250.00|650.00|1 100.00|";
        let now = report("budget", &lines, None);
        assert_eq!(rows(&now, "lines"), [line, total]);
        let march = report("budget", &lines, Some("2024-03-31"));
        assert_eq!(
            rows(&march, "lines")[0],
            "F|L|DEP|2 000.00|900.00|0.00|0.00|0.00|900.00|1 100.00|"
        );
    }

    #[test]
    fn money_released_from_a_grant_returns_to_its_commitment() {
        let lines = [
            VOTED,
            COMMITTED,
            (
                "2024-04-01",
                "fund-F",
                "IndividuallyCommitted",
                r#"{"amount":"EUR 500","commitment":"K","grant":"G"}"#,
            ),
            ("2024-05-01", "fund-F", "LegallyCommitted", r#"{"amount":"EUR 500","grant":"G"}"#),
            (
                "2024-06-01",
                "fund-F",
                "GrantDecommitted",
                r#"{"amount":"EUR 200","grant":"G","reason":"r"}"#,
            ),
        ];
        let now = report("budget", &lines, None);
        assert_eq!(rows(&now, "grants")[0], "F|G|K|300.00|300.00|0.00|200.00|300.00|");
        assert_eq!(
            rows(&now, "commitments")[0],
            "F|K|C|1|L|DEP|1 000.00|300.00|300.00|0.00|0.00|1 000.00|"
        );
    }

    #[test]
    fn a_commitment_stands_before_the_amount_of_the_decision_and_an_unknown_share_is_not_zero() {
        let award = |union: &str| {
            format!(
                r#"{{"cut_off":"1","funded":[{{"grant":"G","proposal":"P"{union}}}],"rejected":[],"reserve":[]}}"#
            )
        };
        let (known, unknown) = (award(r#","union":"EUR 990""#), award(""));
        let decided = ("2024-01-15", "call-C", "RoundAwarded", &*known);
        let now = report("budget", &[VOTED, decided], None);
        assert_eq!(rows(&now, "rounds"), ["C|1|1|990.00|unknown|unknown|"]);
        let now = report("budget", &[VOTED, decided, COMMITTED], None);
        assert_eq!(rows(&now, "rounds"), ["C|1|1|1 000.00|unknown|unknown|"]);
        let now = report("budget", &[("2024-01-15", "call-C", "RoundAwarded", &*unknown)], None);
        assert_eq!(rows(&now, "rounds"), ["C|1|1|unknown|unknown|unknown|"]);
    }

    #[test]
    fn a_row_is_as_sure_as_the_least_sure_of_what_it_rests_on() {
        let named = (
            "2024-04-01",
            "fund-F",
            "IndividuallyCommitted",
            r#"{"amount":"EUR 500","commitment":"K","grant":"G"}"#,
        );
        let legal = r#"{"amount":"EUR 500","grant":"G"}"#;
        let lines = [VOTED, COMMITTED, named, ("2024-05-01", "fund-F", "?LegallyCommitted", legal)];
        let marked = |lines: &[GivenLine<'_>], table: &str| {
            let rows = rows(&report("budget", lines, None), table);
            rows.iter().map(|row| row.ends_with("|(fixture)")).collect::<Vec<_>>()
        };
        // The grant and its line; the round rests on the global commitment alone.
        for (table, expected) in
            [("grants", true), ("commitments", true), ("lines", true), ("rounds", false)]
        {
            assert!(marked(&lines, table).iter().all(|mark| *mark == expected), "{table}");
        }
        assert!(!marked(&lines[..3], "grants")[0]);
        // What the states promise, and what raises an envelope.
        let promise = r#"{"amount":"EUR 1000","call":"C","kind":"cash","round":"1"}"#;
        let lines = [VOTED, COMMITTED, ("2024-02-01", "pledge-P", "?Made", promise)];
        assert_eq!(marked(&lines, "rounds"), [true]);
        assert_eq!(marked(&lines, "calls"), [true, true], "and the total");
        assert_eq!(marked(&lines, "lines"), [false, false]);
    }
}
