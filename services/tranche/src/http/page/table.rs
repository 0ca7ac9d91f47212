//! A table of a report as HTML: caption, scopes, figures in columns, the unknown shown as unknown.

use crate::http::format::{day_short, exact, grouped, without_currency};
use domain::kernel::actor::Confidence;
use domain::kernel::money::Currency;
use maud::{Markup, html};
use projections::report::Kind;
use projections::{Cell, Table};

/// The table, in a box that scrolls sideways where the page is narrow.
#[must_use]
pub fn scrolling(table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label=(table.title) {
            table {
                caption { (caption(table)) }
                thead { tr {
                    @for column in &table.columns {
                        th scope="col" class=[column.kind.is_number().then_some("number")] {
                            @if column.title.is_empty() { span.none { "Note" } } @else { (column.title) }
                        }
                    }
                } }
                tbody { @for row in &table.rows { (line(row)) } }
                @if let Some(totals) = &table.totals { tfoot { (line(totals)) } }
            }
        }
    }
}

fn caption(table: &Table) -> String {
    let rows = table.rows.len();
    let money = table.columns.iter().any(|column| column.kind == Kind::Money);
    let amounts = if money { "; amounts in euro" } else { "" };
    format!("{rows} {}{amounts}", if rows == 1 { "row" } else { "rows" })
}

fn line(cells: &[Cell]) -> Markup {
    html! {
        tr {
            @for (index, one) in cells.iter().enumerate() {
                @if index == 0 { th scope="row" { (cell(one)) } } @else { td class=[class(one)] { (cell(one)) } }
            }
        }
    }
}

fn class(cell: &Cell) -> Option<&'static str> {
    match cell {
        Cell::Money(_)
        | Cell::Count(_)
        | Cell::Decimal { .. }
        | Cell::Compute(_)
        | Cell::Rate(_)
        | Cell::Unknown => Some("number"),
        Cell::Date(_) | Cell::Instant(_) => Some("nowrap"),
        Cell::Text(_) | Cell::Confidence(_) | Cell::Empty => None,
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell {
        Cell::Money(money) if money.currency() == Currency::EUR => {
            html! { (without_currency(*money)) }
        }
        Cell::Money(money) => html! { (exact(*money)) },
        Cell::Count(count) => html! { (grouped(*count)) },
        Cell::Date(date) => html! { time datetime=(date) { (day_short(*date)) } },
        Cell::Unknown => html! { span.none { "unknown" } },
        Cell::Empty => html! {},
        Cell::Confidence(Confidence::Published) => html! {},
        Cell::Confidence(confidence) => html! { span.mark { (word(*confidence)) } },
        other => html! { (other.to_text()) },
    }
}

/// The word for it.
#[must_use]
pub fn word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Published => "published",
        Confidence::Unconfirmed => "unconfirmed",
        Confidence::Derived => "derived",
        Confidence::Fixture => "fixture",
    }
}

/// Its sign, where a word has no place.
#[must_use]
pub fn sign(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Published => "",
        Confidence::Unconfirmed => "?",
        Confidence::Derived => "\u{2020}",
        Confidence::Fixture => "*",
    }
}

/// What it means.
#[must_use]
pub fn meaning(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Published => "read in a published source",
        Confidence::Unconfirmed => "from one weak source or from memory",
        Confidence::Derived => "computed from published figures",
        Confidence::Fixture => "invented to show the work",
    }
}
