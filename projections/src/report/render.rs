//! Reports as text for people and as CSV for spreadsheets.

use super::{Cell, Kind, Report, Table};
use domain::kernel::actor::Confidence;
use domain::kernel::compute::ComputeTime;
use domain::kernel::money::Currency;

impl Report {
    /// The first table as CSV (see [`Table::to_csv`]); a CSV holds one table.
    #[must_use]
    pub fn to_csv(&self) -> String {
        self.tables.first().map(Table::to_csv).unwrap_or_default()
    }

    /// As text in aligned columns, at most `width` wide if shortening words suffices. Figures are
    /// never cut.
    #[must_use]
    pub fn to_text(&self, width: usize) -> String {
        let mut out = format!("{}\n", self.title);
        out.push_str(&self.moment());
        for table in &self.tables {
            out.push('\n');
            table.write_text(&mut out, width);
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            out.push_str(&format!("{note}\n"));
        }
        out
    }

    fn moment(&self) -> String {
        let mut words = vec![format!("at position {}", self.position)];
        words.extend(self.as_of.as_of.map(|at| format!("true by {at}")));
        words.extend(self.as_of.known_at.map(|at| format!("known by {at}")));
        let euro = |cell: &Cell| matches!(cell, Cell::Money(m) if m.currency() == Currency::EUR);
        if self.tables.iter().any(|table| table.rows.iter().flatten().any(euro)) {
            words.push("amounts in EUR".to_owned());
        }
        format!("{}\n", words.join(", "))
    }
}

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
    fn write_text(&self, out: &mut String, width: usize) {
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

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

pub(super) fn decimal(units: i64, decimals: u8, group: bool) -> String {
    let power = 10_u64.saturating_pow(u32::from(decimals));
    let (whole, rest) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
    let sign = if units < 0 { "-" } else { "" };
    let whole = whole.to_string();
    let whole = if group { grouped(&whole) } else { whole };
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{rest:0width$}", width = usize::from(decimals))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::AsOf;
    use domain::kernel::compute::{ComputeTime, Unit};
    use domain::kernel::money::Money;
    use expect_test::{Expect, expect};

    #[test]
    fn a_sum_beyond_the_largest_amount_says_so_and_is_not_called_unknown() {
        let sum_of = |amounts: &[Cell]| {
            let columns = [("fund", "Fund", Kind::Text), ("union", "Union", Kind::Money)];
            let mut table = Table::new("funds", "", &columns);
            for amount in amounts {
                table.push(["F".into(), amount.clone()]);
            }
            table.total();
            Report::new("x", "X").with(table).to_text(usize::MAX)
        };
        let max: Cell = Money::cents(domain::kernel::money::CENTS_MAX).into();
        let last = |text: String| text.trim_end().lines().next_back().unwrap().to_owned();
        assert!(last(sum_of(&[max.clone(), max.clone(), max])).ends_with("out of range"));
        assert!(last(sum_of(&[Cell::Unknown, Money::euro(1).into()])).ends_with("unknown"));
    }

    fn report() -> Report {
        let mut table = Table::new(
            "rounds",
            "By round",
            &[
                ("round", "Round", Kind::Text),
                ("count", "Factories", Kind::Count),
                ("union", "Union", Kind::Money),
                ("national", "National", Kind::Money),
                ("time", "Time", Kind::Compute),
                ("sure", "", Kind::Confidence),
            ],
        );
        let hours = |hours| ComputeTime::hours("LUMI-G".parse().unwrap(), Unit::Gpu, hours);
        table.push([
            "1".into(),
            7_u64.into(),
            Money::euro(750_000_000).into(),
            Money::cents(-5).into(),
            hours(1_500_000).into(),
            Confidence::Fixture.into(),
        ]);
        table.push([
            "=1+1, \"a\nlong\" name of a round".into(),
            1_234_u64.into(),
            "PLN 340.00".parse::<Money>().unwrap().into(),
            Cell::Unknown,
            ComputeTime { seconds: 3_661, ..hours(0) }.into(),
            Confidence::Published.into(),
        ]);
        table.push(["3".into(), 1_u64.into(), Money::euro(1).into(), Money::euro(2).into()]);
        table.total();
        Report { position: 12, ..Report::new("budget", "Budget") }.with(table).note("A note.")
    }

    fn check(actual: &str, expected: &Expect) {
        expected.assert_eq(actual);
    }

    #[test]
    fn figures_are_grouped_aligned_and_never_cut() {
        check(
            &report().to_text(90),
            &expect![[r#"
            Budget
            at position 12, amounts in EUR

            By round
            Round                    Factories           Union  National             Time
            -----------------------  ---------  --------------  --------  ---------------  ---------
            1                                7  750 000 000.00     -0.05  1 500 000 GPU-h  (fixture)
            =1+1, "a long" name of…      1 234      PLN 340.00   unknown    1:01:01 GPU-h
            3                                1            1.00      2.00
            -----------------------  ---------  --------------  --------  ---------------  ---------
            Total                        1 242         unknown   unknown                   (fixture)

            A note.
        "#]],
        );
    }

    #[test]
    fn what_is_unknown_is_null_and_what_does_not_apply_is_absent() {
        let json = serde_json::to_value(&report().tables[0]).unwrap();
        let rows = serde_json::to_string_pretty(&json["rows"]).unwrap();
        check(
            &rows,
            &expect![[r#"
            [
              {
                "count": 7,
                "national": "EUR -0.05",
                "round": "1",
                "sure": "fixture",
                "time": {
                  "partition": "LUMI-G",
                  "seconds": 5400000000,
                  "unit": "gpu"
                },
                "union": "EUR 750000000.00"
              },
              {
                "count": 1234,
                "national": null,
                "round": "=1+1, \"a\nlong\" name of a round",
                "sure": "published",
                "time": {
                  "partition": "LUMI-G",
                  "seconds": 3661,
                  "unit": "gpu"
                },
                "union": "PLN 340.00"
              },
              {
                "count": 1,
                "national": "EUR 2.00",
                "round": "3",
                "union": "EUR 1.00"
              }
            ]"#]],
        );
        let totals = serde_json::to_string(&json["totals"]).unwrap();
        check(
            &totals,
            &expect![[
                r#"{"count":1242,"national":null,"round":"Total","sure":"fixture","union":null}"#
            ]],
        );
    }

    #[test]
    fn no_text_in_a_csv_is_a_formula() {
        check(
            &report().to_csv().replace("\r\n", "|\n"),
            &expect![[r#"
            round,count,union_eur,national_eur,time_seconds,sure|
            1,7,750000000.00,-0.05,5400000000,fixture|
            "'=1+1, ""a
            long"" name of a round",1234,PLN 340.00,unknown,3661,published|
            3,1,1.00,2.00,,|
        "#]],
        );
    }

    #[test]
    fn a_moment_of_the_past_is_named() {
        let as_of = AsOf { as_of: Some("2024-12-31T22:59:59Z".parse().unwrap()), ..AsOf::NOW };
        let empty = Table::new("t", "Empty", &[("a", "A", Kind::Text)]);
        let report = Report { as_of, ..Report::new("budget", "Budget") }.with(empty);
        check(
            &report.to_text(80),
            &expect![[r#"
            Budget
            at position 0, true by 2024-12-31T22:59:59Z

            Empty
              nothing
        "#]],
        );
    }
}
