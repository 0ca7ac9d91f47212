//! Tables as text for people and as CSV for spreadsheets.

use super::cell::Cell;
use super::digits::{decimal, grouped};
use super::table::{Kind, Table};
use domain::kernel::actor::Confidence;
use domain::kernel::compute::ComputeTime;
use domain::kernel::money::Currency;

impl Table {
    /// RFC 4180, one header line of keys, no totals. Amounts in euro are plain decimals, others carry their
    /// currency; compute time is in seconds; the unknown is `unknown`. No text cell can be taken
    /// for a formula by a spreadsheet.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut out = String::new();
        let header = self.columns.iter().map(|column| match column.kind {
            Kind::Money => format!("{}_eur", column.key),
            Kind::Compute => format!("{}_seconds", column.key),
            _ => column.key.to_owned(),
        });
        csv_line(&mut out, header);
        for row in &self.rows {
            csv_line(&mut out, row.iter().map(Cell::to_csv));
        }
        out
    }
}

fn csv_line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}

/// The narrowest that a column of words is made.
const WORDS_MIN: usize = 8;
const GAP: usize = 2;

impl Table {
    pub(super) fn write_text(&self, out: &mut String, width: usize) {
        if !self.title.is_empty() {
            out.push_str(&format!("{}\n", self.title));
        }
        if self.rows.is_empty() {
            out.push_str("  nothing\n");
            return;
        }
        let texts = |row: &Vec<Cell>| row.iter().map(Cell::to_text).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = self.rows.iter().map(texts).collect();
        let totals = self.totals.as_ref().map(texts);
        let header: Vec<String> =
            self.columns.iter().map(|column| column.title.to_owned()).collect();
        let widths = self.widths(&header, rows.iter().chain(&totals), width);
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.write_line(out, &header, &widths);
        self.write_line(out, &rule, &widths);
        for row in &rows {
            self.write_line(out, row, &widths);
        }
        if let Some(totals) = totals {
            self.write_line(out, &rule, &widths);
            self.write_line(out, &totals, &widths);
        }
    }

    fn widths<'a>(
        &self,
        header: &[String],
        rows: impl Iterator<Item = &'a Vec<String>>,
        width: usize,
    ) -> Vec<usize> {
        let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut excess = (widths.iter().sum::<usize>() + GAP * widths.len()).saturating_sub(width);
        while excess > 0 {
            let words = self.columns.iter().zip(&mut widths);
            let words = words.filter(|(column, _)| column.kind == Kind::Text);
            let Some((_, widest)) = words.max_by_key(|(_, width)| **width) else { break };
            let cut = excess.min(widest.saturating_sub(WORDS_MIN)).min(1 + *widest / 8);
            if cut == 0 {
                break;
            }
            *widest -= cut;
            excess -= cut;
        }
        widths
    }

    fn write_line(&self, out: &mut String, cells: &[String], widths: &[usize]) {
        let mut line = String::new();
        for ((column, cell), &width) in self.columns.iter().zip(cells).zip(widths) {
            let cell = shorten(cell, width);
            if column.kind.is_number() {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
            line.push_str(&" ".repeat(GAP));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn compute_text(time: &ComputeTime) -> String {
    let (hours, rest) = (time.seconds.unsigned_abs() / 3600, time.seconds.unsigned_abs() % 3600);
    let sign = if time.seconds < 0 { "-" } else { "" };
    let hours = grouped(&hours.to_string());
    let unit = time.unit;
    if rest == 0 {
        return format!("{sign}{hours} {unit}-h");
    }
    format!("{sign}{hours}:{:02}:{:02} {unit}-h", rest / 60, rest % 60)
}

fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Published => "published",
        Confidence::Unconfirmed => "unconfirmed",
        Confidence::Derived => "derived",
        Confidence::Fixture => "fixture",
    }
}

impl Cell {
    /// For people. What was published needs no mark; what is less sure has one.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => one_line(text),
            Self::Count(count) => grouped(&count.to_string()),
            Self::Decimal { units, decimals } => decimal(*units, *decimals, true),
            Self::Money(money) if money.currency() == Currency::EUR => {
                decimal(money.in_cents(), 2, true)
            }
            Self::Money(money) => {
                format!("{} {}", money.currency(), decimal(money.in_cents(), 2, true))
            }
            Self::Compute(time) => compute_text(time),
            Self::Instant(instant) => instant.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Rate(rate) => rate.to_string(),
            Self::Confidence(Confidence::Published) | Self::Empty => String::new(),
            Self::Confidence(confidence) => format!("({})", confidence_word(*confidence)),
            Self::Unknown => "unknown".to_owned(),
        }
    }

    fn to_csv(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => {
                format!("'{text}")
            }
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Decimal { units, decimals } => decimal(*units, *decimals, false),
            Self::Money(money) if money.currency() == Currency::EUR => {
                decimal(money.in_cents(), 2, false)
            }
            Self::Money(money) => money.to_string(),
            Self::Compute(time) => time.seconds.to_string(),
            Self::Confidence(confidence) => confidence_word(*confidence).to_owned(),
            Self::Instant(_) | Self::Date(_) | Self::Rate(_) | Self::Unknown | Self::Empty => {
                self.to_text()
            }
        }
    }
}

/// Line feeds and other control characters would break the table, or a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}
