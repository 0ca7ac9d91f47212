//! What the page shows, taken from the reports of the views. Nothing is added up here that a view has
//! added up; a figure that no view knows is unknown.

use crate::http::format::{cents_short, exact, grouped};
use crate::http::sankey::{Flow, FlowKind};
use domain::kernel::actor::Confidence;
use domain::kernel::compute::Unit;
use domain::kernel::money::Money;
use projections::{Cell, Report, Table};
use std::collections::BTreeMap;

/// What the colours mean.
pub const LEGEND: &[(FlowKind, &str)] = &[
    (FlowKind::Union, "Union"),
    (FlowKind::National, "Member States"),
    (FlowKind::Joint, "Both together"),
    (FlowKind::Unnamed, "Committed, not by name"),
    (FlowKind::Open, "Not committed"),
];

/// A figure of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile {
    /// What it is.
    pub label: &'static str,
    /// The colour of the flow it belongs to.
    pub kind: Option<FlowKind>,
    /// The figure, short; `None` is unknown.
    pub figure: Option<String>,
    /// The figure to the cent.
    pub exact: Option<String>,
    /// What goes with it.
    pub note: Option<String>,
    /// The least sure of what it rests on.
    pub confidence: Option<Confidence>,
}

/// All that the page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The heading.
    pub title: String,
    /// The figures.
    pub tiles: Vec<Tile>,
    /// The picture.
    pub flow: Flow,
    /// What the picture says, in words.
    pub description: String,
    /// Tables below the picture.
    pub tables: Vec<Table>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// The reports that the page rests on, by name of the view.
pub type Reports = BTreeMap<&'static str, Report>;

/// The views that are asked.
pub const VIEWS: &[&str] = &["budget", "match", "pipeline", "compute"];

/// The tables below the picture, with the columns that a person reads, in their order. The whole is in
/// the views.
const TABLES: &[(&str, &[&str])] = &[
    (
        "claims",
        &[
            "about",
            "what",
            "published",
            "confidence",
            "source",
            "total",
            "union",
            "national",
            "regional",
            "rrf",
        ],
    ),
    ("rounds", &["call", "round", "funded", "union", "national", "joint", "confidence"]),
    (
        "lines",
        &[
            "line",
            "source",
            "appropriation",
            "committed",
            "individual",
            "legal",
            "paid",
            "left",
            "confidence",
        ],
    ),
];

/// What a reader sees in the colours of the picture when a sum is not known.
const NOT_PUBLISHED: &str = "Amount not published";

/// A row of a table, read by the keys of its columns.
#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    fn get(self, key: &str) -> Option<&'a Cell> {
        let index = self.table.columns.iter().position(|column| column.key == key)?;
        self.cells.get(index)
    }

    fn text(self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    fn money(self, key: &str) -> Option<Money> {
        match self.get(key)? {
            Cell::Money(money) => Some(*money),
            _ => None,
        }
    }

    fn cents(self, key: &str) -> Option<i64> {
        self.money(key).map(Money::in_cents)
    }

    fn confidence(self) -> Option<Confidence> {
        match self.get("confidence")? {
            Cell::Confidence(confidence) => Some(*confidence),
            _ => None,
        }
    }

    fn count(self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Cell::Count(count) => Some(*count),
            _ => None,
        }
    }
}

fn rows<'a>(report: Option<&'a Report>, key: &str) -> Vec<Row<'a>> {
    let table = report.and_then(|report| report.table(key));
    let rows = table.into_iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    rows.map(|(table, cells)| Row { table, cells }).collect()
}

fn totals<'a>(report: Option<&'a Report>, key: &str) -> Option<Row<'a>> {
    let table = report?.table(key)?;
    Some(Row { table, cells: table.totals.as_deref()? })
}

/// A sum of a whole table. Of no rows it is nothing, which is known.
fn total(report: Option<&Report>, table: &str, key: &str) -> Cell {
    let nothing = report.and_then(|it| it.table(table)).is_some_and(|it| it.rows.is_empty());
    let sum = totals(report, table).and_then(|row| row.get(key)).cloned();
    sum.unwrap_or(if nothing { Money::ZERO.into() } else { Cell::Unknown })
}

fn cents(report: Option<&Report>, table: &str, key: &str) -> Option<i64> {
    match total(report, table, key) {
        Cell::Money(money) => Some(money.in_cents()),
        _ => None,
    }
}

/// How sure a whole table is.
fn sure(report: Option<&Report>, table: &str) -> Option<Confidence> {
    rows(report, table).into_iter().filter_map(Row::confidence).max()
}

impl Model {
    /// The page of some reports.
    #[must_use]
    pub fn read(title: &str, reports: &Reports) -> Self {
        let budget = reports.get("budget");
        let table = |(key, columns): &(&str, &[&str])| {
            budget.and_then(|report| report.table(key)).map(|table| only(table, columns))
        };
        let flow = Picture::new(reports).draw();
        Self {
            title: title.to_owned(),
            tiles: tiles(reports),
            description: describe(reports),
            flow,
            tables: TABLES.iter().filter_map(table).collect(),
            notes: budget.map(notes).unwrap_or_default(),
        }
    }
}

/// The notes of the report, without those on columns that the page does not show.
fn notes(report: &Report) -> Vec<String> {
    let columns = report.tables.iter().flat_map(|table| {
        let shown = TABLES.iter().find(|(key, _)| *key == table.key).map_or(&[][..], |it| it.1);
        table.columns.iter().map(move |column| (column.title, shown.contains(&column.key)))
    });
    let columns: Vec<(&str, bool)> = columns.collect();
    let is_hidden = |title: &str| {
        let mut named = columns.iter().filter(|(column, _)| *column == title).peekable();
        named.peek().is_some() && named.all(|(_, is_shown)| !is_shown)
    };
    let about_shown =
        |note: &&String| !note.split_once(':').is_some_and(|(title, _)| is_hidden(title));
    report.notes.iter().filter(about_shown).cloned().collect()
}

/// A table with some of its columns.
fn only(table: &Table, keys: &[&str]) -> Table {
    let at = |key: &&str| table.columns.iter().position(|column| column.key == *key);
    let kept: Vec<usize> = keys.iter().filter_map(at).collect();
    let pick = |row: &Vec<Cell>| kept.iter().filter_map(|&index| row.get(index).cloned()).collect();
    let mut totals: Option<Vec<Cell>> = table.totals.as_ref().map(pick);
    if let Some(first) = totals.as_mut().and_then(|row| row.first_mut()) {
        *first = Cell::text("Total");
    }
    Table {
        key: table.key,
        title: table.title.clone(),
        columns: kept.iter().map(|&index| table.columns[index].clone()).collect(),
        named_by: table.named_by,
        rows: table.rows.iter().map(pick).collect(),
        totals,
    }
}

/// The calls that have an envelope, or rounds that draw on money; others give compute time only.
fn with_money(reports: &Reports) -> Vec<Row<'_>> {
    let budget = reports.get("budget");
    let rounds = rows(budget, "rounds");
    let has_rounds =
        |row: &Row<'_>| rounds.iter().any(|round| round.text("call") == row.text("call"));
    let has_envelope = |row: &Row<'_>| row.get("envelope").is_some_and(|cell| *cell != Cell::Empty);
    let calls = rows(budget, "calls").into_iter();
    calls.filter(|row| has_envelope(row) || has_rounds(row)).collect()
}

fn amount(label: &'static str, kind: FlowKind, cell: &Cell, note: Option<String>) -> Tile {
    let (figure, exact) = match cell {
        Cell::Money(money) => (Some(cents_short(money.in_cents())), Some(exact(*money))),
        // Why there is no amount, for example that it is out of range.
        Cell::Text(why) => (Some(why.clone()), None),
        _ => (None, None),
    };
    Tile { label, kind: Some(kind), figure, exact, note, confidence: None }
}

fn tiles(reports: &Reports) -> Vec<Tile> {
    let (budget, sides) = (reports.get("budget"), reports.get("match"));
    let said = |report, table: &str, key: &str| match totals(report, table)?.get(key)? {
        Cell::Money(money) => Some(cents_short(money.in_cents())),
        _ => None,
    };
    let voted = said(budget, "lines", "appropriation").map(|all| format!("of {all} voted"));
    let signed = said(sides, "rounds", "signed").map(|it| format!("promised; {it} signed"));
    let committed = total(budget, "lines", "committed");
    let promised = total(sides, "rounds", "promised");
    let joint = total(budget, "calls", "joint");
    let both = Some("Union and Member States".to_owned());
    let left = total(budget, "lines", "left");
    let rest = Some("voted and not committed".to_owned());
    let (lines, rounds) = (sure(budget, "lines"), sure(budget, "rounds"));
    let marked = |tile: Tile, confidence| Tile { confidence, ..tile };
    vec![
        marked(amount("Union committed", FlowKind::Union, &committed, voted), lines),
        marked(amount("National co-funding", FlowKind::National, &promised, signed), rounds),
        marked(amount("Joint", FlowKind::Joint, &joint, both), rounds),
        marked(amount("Left", FlowKind::Open, &left, rest), lines),
        funded(reports),
        compute(reports),
    ]
}

/// How many were funded, call by call.
fn funded(reports: &Reports) -> Tile {
    let budget = reports.get("budget");
    let calls = rows(budget, "calls");
    let counts = calls.iter().filter_map(|row| row.count("funded"));
    let all = budget.map(|_| counts.fold(0, u64::saturating_add));
    let titles = titles(reports);
    let parts: Vec<String> = calls
        .into_iter()
        .filter_map(|row| {
            let (call, count) =
                (row.text("call")?, row.count("funded").filter(|count| *count > 0)?);
            Some(format!("{count} {}", titles.get(call).copied().unwrap_or(call)))
        })
        .collect();
    Tile {
        label: "Selected",
        kind: None,
        figure: all.map(grouped),
        exact: None,
        note: (!parts.is_empty()).then(|| parts.join(", ")),
        confidence: None,
    }
}

/// GPU-hours awarded, in prizes and allocations. Hours of nodes and cores are another unit and are not
/// converted here.
fn compute(reports: &Reports) -> Tile {
    let report = reports.get("compute");
    let gpu = |table: &str, key: &str| -> i64 {
        let times = rows(report, table).into_iter().filter_map(|row| match row.get(key)? {
            Cell::Compute(time) if time.unit == Unit::Gpu => Some(time.seconds),
            _ => None,
        });
        times.fold(0, i64::saturating_add)
    };
    let prizes = gpu("prizes", "awarded").saturating_add(gpu("prizes", "extra"));
    let all = prizes.saturating_add(gpu("allocations", "awarded")).unsigned_abs();
    Tile {
        label: "GPU-hours awarded",
        kind: None,
        figure: report.map(|_| grouped(all / 3_600)),
        exact: None,
        note: Some("in prizes and allocations".to_owned()),
        confidence: None,
    }
}

/// The titles of calls.
fn titles(reports: &Reports) -> BTreeMap<&str, &str> {
    let calls = rows(reports.get("pipeline"), "calls").into_iter();
    calls.filter_map(|row| Some((row.text("call")?, row.text("title")?))).collect()
}

fn describe(reports: &Reports) -> String {
    let lines = (reports.get("budget"), "lines");
    let sides = (reports.get("match"), "rounds");
    let say = |(report, table): (Option<&Report>, &str), key: &str| match total(report, table, key)
    {
        Cell::Money(money) => exact(money),
        Cell::Text(why) => format!("an amount {why}"),
        _ => "an unknown amount".to_owned(),
    };
    format!(
        "The Union voted {} and committed {} to calls and rounds; Member States promised {}. \
         Of the Union's money, {} is committed to recipients by name, {} is under contract and {} is \
         paid. The table below has every flow.",
        say(lines, "appropriation"),
        say(lines, "committed"),
        say(sides, "promised"),
        say(lines, "individual"),
        say(lines, "legal"),
        say(lines, "paid"),
    )
}

/// From who pays, over calls and rounds, to what is paid.
struct Picture<'a> {
    reports: &'a Reports,
    flow: Flow,
    /// Node of each call.
    calls: BTreeMap<&'a str, usize>,
    /// Nodes of rounds with the Union's and the states' part.
    rounds: Vec<(usize, Option<i64>, Option<i64>)>,
}

impl<'a> Picture<'a> {
    fn new(reports: &'a Reports) -> Self {
        let columns = ["Who pays", "Call", "Round", "Recipient", "Signed", "Paid or certified"];
        let columns = columns.into_iter().map(str::to_owned).collect();
        let flow = Flow { columns, ..Flow::default() };
        Self { reports, flow, calls: BTreeMap::new(), rounds: Vec::new() }
    }

    fn budget(&self, table: &str) -> Vec<Row<'a>> {
        rows(self.reports.get("budget"), table)
    }

    fn draw(mut self) -> Flow {
        if self.budget("lines").is_empty() {
            return Flow::default();
        }
        self.payers();
        self.rounds();
        self.union();
        self.national();
        self.flow.linked()
    }

    /// Budget lines and Member States, and what each brings to each call.
    fn payers(&mut self) {
        let lines: Vec<usize> = self
            .budget("lines")
            .into_iter()
            .map(|row| {
                let (source, line) =
                    (row.text("source").unwrap_or(""), row.text("line").unwrap_or(""));
                let label = format!("{source}: {line}");
                let node = self.flow.node(0, label, row.cents("appropriation"), FlowKind::Union);
                self.flow.mark(node, row.confidence());
                node
            })
            .collect();
        let promised = cents(self.reports.get("match"), "rounds", "promised");
        let states = self.flow.node(0, "Member States", promised, FlowKind::National);
        self.flow.mark(states, sure(self.reports.get("budget"), "rounds"));
        let titles = titles(self.reports);
        for row in with_money(self.reports) {
            let Some(call) = row.text("call") else { continue };
            if row.cents("union") == Some(0) && row.cents("national") == Some(0) {
                continue;
            }
            let label = titles.get(call).copied().unwrap_or(call);
            let worth = row.cents("joint").or(row.cents("union"));
            let node = self.flow.node(1, label, worth, FlowKind::Joint);
            let rounds = self.budget("rounds").into_iter();
            let mine = rounds.filter(|round| round.text("call") == Some(call));
            self.flow.mark(node, mine.filter_map(Row::confidence).max());
            self.calls.insert(call, node);
        }
        for (row, line) in self.budget("lines").into_iter().zip(lines) {
            for (&call, &node) in &self.calls {
                let bound = self.bound(row, call);
                self.flow.link(line, node, Some(bound), FlowKind::Union);
            }
            let left = row.cents("left");
            if left != Some(0) {
                let label = format!("{}: not committed", row.text("line").unwrap_or(""));
                let node = self.flow.node(1, label, left, FlowKind::Open);
                self.flow.mark(node, row.confidence());
                self.flow.link(line, node, left, FlowKind::Open);
            }
        }
        for row in self.budget("calls") {
            if let Some(&node) = row.text("call").and_then(|call| self.calls.get(call)) {
                self.flow.link(states, node, row.cents("national"), FlowKind::National);
            }
        }
    }

    /// What of a budget line is committed to a call: the sum of its commitments.
    fn bound(&self, line: Row<'_>, call: &str) -> i64 {
        let mine = self.budget("commitments").into_iter().filter(|row| {
            let same = |key| row.text(key) == line.text(key);
            same("fund") && same("line") && same("source") && row.text("call") == Some(call)
        });
        mine.filter_map(|row| row.cents("committed")).fold(0, i64::saturating_add)
    }

    fn rounds(&mut self) {
        for row in self.budget("rounds") {
            let Some(&call) = row.text("call").and_then(|call| self.calls.get(call)) else {
                continue;
            };
            let (union, national) = (row.cents("union"), row.cents("national"));
            if union == Some(0) && national == Some(0) {
                continue;
            }
            let label = match (row.text("round"), row.count("funded")) {
                (None, _) => "No round".to_owned(),
                (Some(round), None | Some(0)) => format!("Round {round}"),
                (Some(round), Some(funded)) => format!("Round {round}, {funded} selected"),
            };
            let node = self.flow.node(2, label, row.cents("joint").or(union), FlowKind::Joint);
            self.flow.mark(node, row.confidence());
            self.flow.link(call, node, union, FlowKind::Union);
            self.flow.link(call, node, national, FlowKind::National);
            self.rounds.push((node, union, national));
        }
    }

    /// What became of the Union's money: known recipients, contracts, payments.
    fn union(&mut self) {
        let lines = totals(self.reports.get("budget"), "lines");
        let of = |key| lines.and_then(|row| row.cents(key));
        let rest = of("committed").zip(of("individual")).map(|(all, named)| all - named);
        let named = self.add(3, "Committed by name", of("individual"), FlowKind::Union);
        let unnamed = self.add(3, NOT_PUBLISHED, rest, FlowKind::Unnamed);
        let rounds: Vec<_> = self.named_by_round();
        for (round, by_name, committed) in rounds {
            if let Some(named) = named {
                self.flow.link(round, named, by_name, FlowKind::Union);
            }
            if let Some(unnamed) = unnamed {
                let rest = committed.zip(by_name).map(|(all, named)| all - named);
                self.flow.link(round, unnamed, rest, FlowKind::Union);
            }
        }
        let legal = self.add(4, "Under contract", of("legal"), FlowKind::Union);
        let paid = self.add(5, "Paid", of("paid"), FlowKind::Union);
        let budget = self.reports.get("budget");
        let (grants, all) = (sure(budget, "grants"), sure(budget, "lines"));
        for (node, sure) in [(named, grants), (unnamed, all), (legal, grants), (paid, grants)] {
            if let Some(node) = node {
                self.flow.mark(node, sure);
            }
        }
        for (from, to, cents) in [(named, legal, of("legal")), (legal, paid, of("paid"))] {
            if let (Some(from), Some(to)) = (from, to) {
                self.flow.link(from, to, cents, FlowKind::Union);
            }
        }
    }

    /// Per round: its node, what is committed by name, and what is committed.
    fn named_by_round(&self) -> Vec<(usize, Option<i64>, Option<i64>)> {
        let named = |call: Option<&str>, round: Option<&str>| {
            let of_round = self.budget("commitments").into_iter().filter(|row| {
                row.text("call") == call && row.text("round").filter(|key| !key.is_empty()) == round
            });
            of_round.filter_map(|row| row.cents("individual")).fold(0, i64::saturating_add)
        };
        let shown = self.budget("rounds").into_iter().filter(|row| {
            let is_drawn = row.text("call").is_some_and(|call| self.calls.contains_key(call));
            is_drawn && !(row.cents("union") == Some(0) && row.cents("national") == Some(0))
        });
        shown
            .zip(&self.rounds)
            .map(|(row, (node, union, _))| {
                (*node, Some(named(row.text("call"), row.text("round"))), *union)
            })
            .collect()
    }

    /// What became of the states' promises: signed, then certified.
    fn national(&mut self) {
        let of = |key| cents(self.reports.get("match"), "rounds", key);
        let promised = self.add(3, "Promised by states", of("promised"), FlowKind::National);
        let signed = self.add(4, "Signed by states", of("signed"), FlowKind::National);
        let certified = self.add(5, "Certified", of("certified"), FlowKind::National);
        for node in [promised, signed, certified].into_iter().flatten() {
            self.flow.mark(node, sure(self.reports.get("budget"), "rounds"));
        }
        if let Some(promised) = promised {
            for (round, _, national) in self.rounds.clone() {
                self.flow.link(round, promised, national, FlowKind::National);
            }
        }
        let steps = [(promised, signed, of("signed")), (signed, certified, of("certified"))];
        for (from, to, cents) in steps {
            if let (Some(from), Some(to)) = (from, to) {
                self.flow.link(from, to, cents, FlowKind::National);
            }
        }
    }

    /// A bar, unless it is known to be nothing.
    fn add(
        &mut self,
        column: usize,
        label: &str,
        cents: Option<i64>,
        kind: FlowKind,
    ) -> Option<usize> {
        (cents != Some(0)).then(|| self.flow.node(column, label, cents, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use projections::report::Kind as Column;

    fn lines(amounts: &[Money]) -> Reports {
        let columns = [("line", "Line", Column::Text), ("committed", "Committed", Column::Money)];
        let mut table = Table::new("lines", "Lines", &columns);
        for amount in amounts {
            table.push(["L".into(), (*amount).into()]);
        }
        table.total();
        let note = "Open (RAL): a column that the page does not have.";
        let hidden = Table::new("commitments", "", &[("open", "Open (RAL)", Column::Money)]);
        let report = Report::new("budget", "Budget").with(table).with(hidden);
        Reports::from([("budget", report.note(note).note("Line: shown."))])
    }

    fn figure(reports: &Reports, label: &str) -> Option<String> {
        let tile = tiles(reports).into_iter().find(|tile| tile.label == label).unwrap();
        tile.figure
    }

    #[test]
    fn nothing_is_zero_and_a_sum_that_is_too_large_says_so() {
        assert_eq!(figure(&lines(&[]), "Union committed"), Some(cents_short(0)));
        assert_eq!(figure(&lines(&[]), "Selected").as_deref(), Some("0"));
        let most = Money::cents(domain::kernel::money::CENTS_MAX);
        let too_much = figure(&lines(&[most, most]), "Union committed");
        assert_eq!(too_much.as_deref(), Some("out of range"));
        assert_eq!(figure(&lines(&[]), "National co-funding"), None, "no view was asked");
    }

    #[test]
    fn a_note_on_a_column_that_is_not_shown_is_not_shown() {
        assert_eq!(Model::read("t", &lines(&[])).notes, ["Line: shown."]);
    }
}
