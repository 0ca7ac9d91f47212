//! Audit engagements: what was drawn, tested and found, and what the errors say about the whole.

use crate::folds::audits::Audits as Facts;
use crate::query::Query;
use crate::report::{Cell, Kind as Column, Report, Table};
use crate::view::View;
use domain::facts::audit::{Audit as State, FindingStanding};
use domain::facts::stream::Decider;
use domain::kernel::ids::{AuditId, StreamKey};
use domain::kernel::money::{Currency, Money};
use domain::kernel::sampling;
use domain::kernel::sampling::{Method, Tested};

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Audit;

/// The tables that say what the errors of a sample mean for the whole.
pub const PROJECTED: [&str; 2] = ["results", "items"];

impl View for Audit {
    type Facts = Facts;
    const NAME: &'static str = "audit";
    const SUMMARY: &'static str = "Audits: samples, tests, findings, and the projected error";

    fn report(facts: &Facts, query: &Query) -> Report {
        let mut tables = [engagements(), results(), items(), findings()];
        for (id, audit) in &facts.audits {
            if query.stream.as_ref().is_none_or(|stream| *stream == id.stream()) {
                let [engagements, results, items, findings] = &mut tables;
                engage(engagements, id, audit);
                result(results, id, audit);
                test(items, id, audit);
                find(findings, id, audit);
            }
        }
        tables
            .into_iter()
            .fold(Report::new(Self::NAME, "Audits"), Report::with)
            .note("PE: projected error, the top as it is, the rest by tainting times the interval.")
            .note("BP: basic precision, RF0 times the interval. IA: incremental allowance.")
            .note("UEL: PE + BP + IA, the upper error limit. It holds when every item is tested.")
            .note("What was booked too low is shown apart and never set off.")
    }
}

fn engagements() -> Table {
    Table::new(
        "engagements",
        "Engagements",
        &[
            ("audit", "Audit", Column::Text),
            ("title", "Title", Column::Text),
            ("phase", "Phase", Column::Text),
            ("population", "Population", Column::Text),
            ("from", "From", Column::Date),
            ("to", "To", Column::Date),
            ("assurance", "Assurance", Column::Text),
            ("materiality", "Materiality", Column::Money),
            ("items", "Items", Column::Count),
            ("total", "Total", Column::Money),
            ("size", "n", Column::Count),
            ("drawn", "Drawn", Column::Count),
            ("population_sha256", "Digest of the population", Column::Text),
            ("seed", "Seed", Column::Text),
        ],
    )
    .named_by(&["audit"])
}

fn engage(table: &mut Table, id: &AuditId, audit: &State) {
    let plan = audit.plan.as_ref();
    let materiality = plan.and_then(|plan| match plan.method {
        Method::MonetaryUnit { materiality, .. } => Some(materiality),
        Method::Attribute { .. } => None,
    });
    let sample = audit.sample.as_ref();
    table.push([
        Cell::text(id),
        plan.map_or(Cell::Unknown, |plan| plan.title.as_str().into()),
        audit.phase().name().into(),
        plan.map_or(Cell::Unknown, |plan| Cell::text(plan.population)),
        plan.map_or(Cell::Unknown, |plan| plan.from.into()),
        plan.map_or(Cell::Unknown, |plan| plan.to.into()),
        plan.map_or(Cell::Unknown, |plan| Cell::text(plan.assurance)),
        Cell::maybe(materiality),
        Cell::maybe(sample.map(|sample| sample.count)),
        Cell::maybe(sample.map(|sample| sample.total)),
        Cell::maybe(sample.map(|sample| sample.size)),
        Cell::maybe(sample.map(|sample| Cell::count(sample.items.len()))),
        Cell::maybe(sample.map(|sample| sample.population_sha256.to_string())),
        Cell::maybe(sample.map(|sample| sample.seed.to_string())),
    ]);
}

fn results() -> Table {
    Table::new(
        "results",
        "What the errors say about the whole",
        &[
            ("audit", "Audit", Column::Text),
            ("tested", "Tested", Column::Count),
            ("deviations", "Deviations", Column::Count),
            ("top", "Top", Column::Money),
            ("likely", "PE", Column::Money),
            ("basic", "BP", Column::Money),
            ("allowance", "IA", Column::Money),
            ("limit", "UEL", Column::Money),
            ("under", "Booked too low", Column::Money),
            ("limit_percent", "Limit of deviations %", Column::Decimal),
            ("within", "Within what is tolerable", Column::Text),
        ],
    )
    .named_by(&["audit"])
}

/// An amount of cents; what is beyond the largest amount is not known.
fn euro(cents: i128) -> Cell {
    Cell::known(Money::new(Currency::EUR, cents).ok())
}

fn result(table: &mut Table, id: &AuditId, audit: &State) {
    let (Some(plan), Some(sample)) = (&audit.plan, &audit.sample) else { return };
    let tested = sample.items.iter().filter_map(|drawn| {
        let audited = audit.tested.get(&drawn.item)?.in_cents();
        Some(Tested { book: drawn.book.in_cents(), audited, top: drawn.top })
    });
    let tested: Vec<Tested> = tested.collect();
    let deviations = tested.iter().filter(|one| one.book != one.audited).count();
    let is_whole = tested.len() == sample.items.len();
    let size = usize::try_from(sample.size).unwrap_or(usize::MAX);
    let mut row = vec![Cell::text(id), Cell::count(tested.len()), Cell::count(deviations)];
    match plan.method {
        Method::MonetaryUnit { materiality, .. } => {
            let book = sample.total.in_cents();
            let found = sampling::project(book, size, plan.assurance, &tested);
            let within = found
                .as_ref()
                .filter(|_| is_whole)
                .map(|found| Cell::yes(found.limit <= i128::from(materiality.in_cents())));
            let lines = found.map(|it| {
                [it.top, it.likely, it.basic, it.allowance, it.limit, it.under].map(euro)
            });
            row.extend(lines.unwrap_or(const { [const { Cell::Unknown }; 6] }));
            row.extend([Cell::Empty, within.unwrap_or(Cell::Unknown)]);
        }
        Method::Attribute { tolerable, .. } => {
            let limit = sampling::attribute_limit(tested.len(), deviations, plan.assurance);
            let (num, den) = tolerable.parts();
            let within = limit.filter(|_| is_whole).map(|limit| {
                Cell::yes(i128::from(limit) * i128::from(den) <= 1_000_000 * i128::from(num))
            });
            row.extend(const { [const { Cell::Empty }; 6] });
            let percent = limit.map(|units| Cell::Decimal { units, decimals: 4 });
            row.extend([percent.unwrap_or(Cell::Unknown), within.unwrap_or(Cell::Unknown)]);
        }
    }
    table.rows.push(row);
}

fn items() -> Table {
    Table::new(
        "items",
        "Items",
        &[
            ("audit", "Audit", Column::Text),
            ("item", "Item", Column::Text),
            ("top", "Top", Column::Text),
            ("book", "Book value", Column::Money),
            ("audited", "Audited value", Column::Money),
            ("error", "Error", Column::Money),
        ],
    )
    .named_by(&["audit", "item"])
}

fn test(table: &mut Table, id: &AuditId, audit: &State) {
    for drawn in audit.sample.iter().flat_map(|sample| &sample.items) {
        let audited = audit.tested.get(&drawn.item).copied();
        table.push([
            Cell::text(id),
            drawn.item.as_str().into(),
            Cell::yes(drawn.top),
            drawn.book.into(),
            Cell::known(audited),
            Cell::known(audited.and_then(|audited| drawn.book.minus(audited).ok())),
        ]);
    }
}

fn findings() -> Table {
    Table::new(
        "findings",
        "Findings",
        &[
            ("audit", "Audit", Column::Text),
            ("finding", "Finding", Column::Text),
            ("stage", "Stage", Column::Text),
            ("item", "Item", Column::Text),
            ("amount", "Amount", Column::Money),
            ("corrected", "Corrected", Column::Money),
            ("answered", "Answered", Column::Text),
            ("answer_by", "Answer by", Column::Instant),
            ("raised_by", "Raised by", Column::Text),
        ],
    )
    .named_by(&["audit", "finding"])
}

fn find(table: &mut Table, id: &AuditId, audit: &State) {
    for (key, finding) in &audit.findings {
        let mut corrected = Money::ZERO;
        finding.corrections.values().for_each(|amount| corrected.add(*amount));
        let waits = finding.stage == FindingStanding::Raised && !finding.answered;
        table.push([
            Cell::text(id),
            Cell::text(key),
            Cell::text(finding.stage),
            Cell::maybe(finding.item.clone()),
            finding.amount.into(),
            corrected.into(),
            Cell::yes(finding.answered),
            if waits { finding.answer_by.into() } else { Cell::Empty },
            Cell::text(&finding.raised_by.id),
        ]);
    }
}
