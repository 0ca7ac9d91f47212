//! Drawing a sample for a look, and drawing a recorded one again.

use crate::cli::failure::Failure;
use crate::cli::out::{Out, say};
use crate::cli::show::print_view;
use crate::cli::source::Source;
use crate::cli::times::MomentArgs;
use clap::{Args, ValueEnum};
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{AuditId, GrantId};
use domain::kernel::money::{Currency, Money, Rate};
use domain::kernel::sampling;
use domain::kernel::sampling::{Assurance, Drawn, Item, Method};
use jiff::Timestamp;
use projections::Projection;
use projections::audit::{Audit, Kind, Row, Stratum, Workbench};
use projections::report::{Cell, Kind as Column, Report, Table};
use std::collections::BTreeMap;

/// What `tranche audit sample` is told.
#[derive(Args)]
pub struct SampleArgs {
    #[command(flatten)]
    moment: MomentArgs,
    /// What there are items of: payments or commitments
    #[arg(long, value_name = "WHAT", default_value = "payments")]
    population: Kind,
    /// Only this grant
    #[arg(long, value_name = "ID")]
    grant: Option<GrantId>,
    /// By what items are chosen
    #[arg(long, value_enum, default_value_t = By::MonetaryUnit)]
    by: By,
    /// The error that would matter (TM)
    #[arg(long, value_name = "EUR", required_if_eq("by", "monetary-unit"))]
    materiality: Option<Money>,
    /// The error that is expected (EM)
    #[arg(long, value_name = "EUR", default_value = "EUR 0")]
    expected: Money,
    /// The share of deviations that would matter, as 1/20
    #[arg(long, value_name = "RATE", required_if_eq("by", "attribute"))]
    tolerable: Option<Rate>,
    /// The share of deviations that is expected
    #[arg(long, value_name = "RATE", default_value = "0/1")]
    expected_rate: Rate,
    /// How sure the conclusion is to be: 80%, 90% or 95%
    #[arg(long, default_value = "95%")]
    assurance: Assurance,
    /// Root hash of the checkpoint, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    root: Sha256Hex,
    /// The nonce, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    nonce: Sha256Hex,
    /// Splits population and sample by value, source, country or round
    #[arg(long, value_name = "BY")]
    stratify: Option<Stratum>,
}

/// By what items are chosen.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Every euro has the same chance
    MonetaryUnit,
    /// Every item has the same chance
    Attribute,
}

impl SampleArgs {
    fn method(&self) -> Result<Method, Failure> {
        let missing = |what: &str| Failure::Usage(format!("--{what} is needed"));
        let euro =
            |amount: Money| amount.in_euro().map_err(|error| Failure::Usage(error.to_string()));
        Ok(match self.by {
            By::MonetaryUnit => Method::MonetaryUnit {
                expected: euro(self.expected)?,
                materiality: euro(self.materiality.ok_or_else(|| missing("materiality"))?)?,
            },
            By::Attribute => Method::Attribute {
                expected_rate: self.expected_rate,
                tolerable: self.tolerable.ok_or_else(|| missing("tolerable"))?,
            },
        })
    }
}

/// Draws, and shows what was drawn with all that is needed to draw it again.
pub async fn sample(source: &Source, args: &SampleArgs, json: bool) -> Result<(), Failure> {
    let method = args.method()?;
    let mut bench = Workbench::default();
    let moment =
        super::fold(source, &args.moment, |commit, event| bench.apply(commit, event)).await?;
    let rows = bench.population(args.population);
    let mut rows = rows.map_err(|error| Failure::Found(error.to_string()))?;
    rows.retain(|row| args.grant.as_ref().is_none_or(|grant| *grant == row.grant));
    let items: Vec<Item> = rows.iter().map(|row| row.item.clone()).collect();
    let total = sampling::total(&items);
    let book = i64::try_from(total).unwrap_or(i64::MAX);
    if items.is_empty() {
        return Err(Failure::Found("there is nothing to draw from".to_owned()));
    }
    let size = method.size(book, args.assurance);
    let size = size.map_err(|error| Failure::Found(error.to_string()))?;
    let seed = sampling::seed(args.root, args.nonce);
    let drawn = method.draw(&items, size, seed);
    let mut design = Table::new(
        "design",
        "Design",
        &[("figure", "Figure", Column::Text), ("value", "Value", Column::Text)],
    );
    for (figure, value) in [
        ("population", args.population.to_string()),
        ("items", items.len().to_string()),
        ("total (BV)", euro(total).to_text()),
        ("population_sha256", sampling::digest(&items).to_string()),
        ("assurance", args.assurance.to_string()),
        ("size (n)", size.to_string()),
        ("seed", seed.to_string()),
    ] {
        design.push([figure.into(), value.into()]);
    }
    let mut report = Report::new("sample", "Sample").with(design);
    report = report.with(chosen(&rows, &drawn));
    if let Some(by) = args.stratify {
        let names = drawn.iter().map(|one| one.item.as_str()).collect();
        report = report.with(strata(by, &rows, &names));
    }
    report = report
        .note("Complete: count and sum are those of the ledger's control account.")
        .note("How to draw it again: ADR 0017.");
    report.as_of = moment;
    report.position = moment.position.unwrap_or(0);
    let mut out = Out::stdout();
    print_view(&mut out, &report, json)?;
    out.finish()
}

fn chosen(rows: &[Row], drawn: &[Drawn]) -> Table {
    let by_name: BTreeMap<&str, &Row> =
        rows.iter().map(|row| (row.item.name.as_str(), row)).collect();
    let mut sample = Table::new(
        "sample",
        "Drawn",
        &[
            ("item", "Item", Column::Text),
            ("top", "Top", Column::Text),
            ("fund", "Fund", Column::Text),
            ("grant", "Grant", Column::Text),
            ("kind", "Kind", Column::Text),
            ("book", "Book value", Column::Money),
        ],
    );
    for one in drawn {
        let row = by_name.get(one.item.as_str());
        sample.push([
            one.item.as_str().into(),
            Cell::yes(one.top),
            Cell::maybe(row.map(|row| Cell::text(&row.fund))),
            Cell::maybe(row.map(|row| Cell::text(&row.grant))),
            Cell::maybe(row.map(|row| Cell::text(&row.kind))),
            one.book.into(),
        ]);
    }
    sample.total();
    sample
}

fn euro(cents: i128) -> Cell {
    Cell::known(Money::new(Currency::EUR, cents).ok())
}

fn strata(by: Stratum, rows: &[Row], drawn: &std::collections::BTreeSet<&str>) -> Table {
    let mut table = Table::new(
        "strata",
        "Strata",
        &[
            ("stratum", "Stratum", Column::Text),
            ("items", "Items", Column::Count),
            ("total", "Total", Column::Money),
            ("drawn", "Drawn", Column::Count),
            ("drawn_total", "Of them", Column::Money),
        ],
    );
    let mut strata: BTreeMap<String, (usize, i128, usize, i128)> = BTreeMap::new();
    for row in rows {
        let sums = strata.entry(by.of(row)).or_default();
        sums.0 += 1;
        sums.1 += i128::from(row.item.cents);
        if drawn.contains(row.item.name.as_str()) {
            sums.2 += 1;
            sums.3 += i128::from(row.item.cents);
        }
    }
    for (name, (items, total, drawn, of_them)) in strata {
        table.push([
            name.into(),
            Cell::count(items),
            euro(total),
            Cell::count(drawn),
            euro(of_them),
        ]);
    }
    table.total();
    table
}

/// Draws the recorded sample again, from the log before it, and compares.
pub async fn check(source: &Source, audit: &AuditId) -> Result<(), Failure> {
    let mut all = Audit::default();
    let mut drawn_at = None;
    super::fold(source, &MomentArgs::default(), |commit, event| {
        let before = all.is_drawn(audit);
        all.apply(commit, event);
        if !before && all.is_drawn(audit) {
            drawn_at = Some((commit.position, commit.recorded_at));
        }
    })
    .await?;
    let Some((position, _)): Option<(u64, Timestamp)> = drawn_at else {
        return Err(Failure::NotFound(format!("audit {audit} has drawn no sample")));
    };
    let mut bench = Workbench::default();
    let before = MomentArgs::at(Some(position - 1));
    super::fold(source, &before, |commit, event| bench.apply(commit, event)).await?;
    all.check(audit, &bench).map_err(|what| Failure::Found(format!("audit {audit}: {what}")))?;
    say(format_args!("audit {audit}: the sample at position {position} is what anybody draws"));
    Ok(())
}
