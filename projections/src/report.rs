//! What a view answers: tables that print as text, JSON, CSV and HTML.
//!
//! In JSON a row is an object by column key. What is unknown is `null`; what does not apply is absent;
//! money is `"EUR 1500000000.00"`, compute time is `{partition, seconds, unit}`, a decimal is text.

use crate::projection::AsOf;
use domain::command::Confidence;
use domain::compute::ComputeTime;
use domain::money::{Currency, Money, Rate};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The answer of a view.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The moment that was asked for.
    pub as_of: AsOf,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// The last commit that was considered.
    pub position: u64,
    /// The tables.
    pub tables: Vec<Table>,
    /// For people.
    pub title: String,
    /// Name of the view.
    pub view: &'static str,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its name in the report.
    pub key: &'static str,
    /// For people.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// As many cells per row as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// A last row of sums.
    pub totals: Option<Vec<Cell>>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Its name in JSON and CSV.
    pub key: &'static str,
    /// What its cells are, unless they are unknown or empty.
    pub kind: Kind,
    /// For people.
    pub title: &'static str,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Words or names.
    Text,
    /// A number of things.
    Count,
    /// A number with decimals, exact.
    Decimal,
    /// An amount of money.
    Money,
    /// Compute time.
    Compute,
    /// A moment.
    Instant,
    /// A day.
    Date,
    /// A share.
    Rate,
    /// How sure the row is.
    Confidence,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words or names.
    Text(String),
    /// A number of things.
    Count(u64),
    /// `units` divided by ten to the power of `decimals`.
    Decimal {
        /// All digits.
        units: i64,
        /// How many of them are behind the point.
        decimals: u8,
    },
    /// An amount of money.
    Money(Money),
    /// Compute time.
    Compute(ComputeTime),
    /// A moment.
    Instant(Timestamp),
    /// A day.
    Date(Date),
    /// A share.
    Rate(Rate),
    /// How sure the row is.
    Confidence(Confidence),
    /// There is a value, and it is not known. Never shown as zero.
    Unknown,
    /// There is no value.
    Empty,
}

impl Table {
    /// An empty table with columns of key, title and kind.
    #[must_use]
    pub fn new(
        key: &'static str,
        title: impl Into<String>,
        columns: &[(&'static str, &'static str, Kind)],
    ) -> Self {
        let column = |&(key, title, kind): &_| Column { key, kind, title };
        let columns = columns.iter().map(column).collect();
        Self { key, title: title.into(), columns, ..Self::default() }
    }

    /// Adds a row; what is missing is empty.
    pub fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        let mut row = Vec::from(cells);
        row.resize(self.columns.len(), Cell::Empty);
        self.rows.push(row);
    }

    /// Adds a last row of sums of the columns of money and counts. A sum of which a part is unknown
    /// is unknown; amounts of several currencies have no sum.
    pub fn total(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let sum = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let cells = cells.filter(|cell| **cell != Cell::Empty);
            cells.cloned().reduce(Cell::plus).unwrap_or(Cell::Empty)
        };
        let mut totals: Vec<Cell> = (self.columns.iter().enumerate())
            .map(|(index, column)| match column.kind {
                Kind::Money | Kind::Count => sum(index),
                _ => Cell::Empty,
            })
            .collect();
        if let (Some(first), Some(Kind::Text)) =
            (totals.first_mut(), self.columns.first().map(|column| column.kind))
        {
            *first = Cell::text("Total");
        }
        self.totals = Some(totals);
    }

    /// RFC 4180, one header line of keys. Amounts in euro are plain decimals, others carry their
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
        for row in self.rows.iter().chain(&self.totals) {
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

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(view: &'static str, title: impl Into<String>) -> Self {
        Self { view, title: title.into(), ..Self::default() }
    }

    /// With another table.
    #[must_use]
    pub fn with(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// With another note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// A table by key.
    #[must_use]
    pub fn table(&self, key: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.key == key)
    }

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

impl Kind {
    /// Whether it is aligned to the right.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Decimal | Self::Money | Self::Compute | Self::Rate)
    }
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

fn decimal(units: i64, decimals: u8, group: bool) -> String {
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

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Money(left), Self::Money(right)) => Self::known(left.plus(right).ok()),
            (Self::Count(left), Self::Count(right)) => Self::Count(left.saturating_add(right)),
            _ => Self::Unknown,
        }
    }

    /// The amount, or that it is not known.
    #[must_use]
    pub fn known(amount: Option<Money>) -> Self {
        amount.map_or(Self::Unknown, Self::Money)
    }

    /// The value, or nothing.
    #[must_use]
    pub fn maybe(value: Option<impl Into<Self>>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }

    /// Words or names.
    #[must_use]
    pub fn text(text: impl std::fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// A number of things.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Yes or no.
    #[must_use]
    pub fn yes(yes: bool) -> Self {
        Self::text(if yes { "yes" } else { "no" })
    }
}

/// Line feeds and other control characters would break the table, or a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

macro_rules! cells {
    ($($type:ty => $cell:expr;)*) => {$(
        impl From<$type> for Cell {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Self = $cell;
                make(value)
            }
        }
    )*};
}

cells! {
    &str => |text| Self::Text(text.to_owned());
    String => Self::Text;
    u64 => Self::Count;
    Money => Self::Money;
    ComputeTime => Self::Compute;
    Timestamp => Self::Instant;
    Date => Self::Date;
    Rate => Self::Rate;
    Confidence => Self::Confidence;
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Count(count) => count.serialize(serializer),
            Self::Decimal { units, decimals } => {
                decimal(*units, *decimals, false).serialize(serializer)
            }
            Self::Money(money) => money.serialize(serializer),
            Self::Compute(time) => time.serialize(serializer),
            Self::Instant(instant) => instant.serialize(serializer),
            Self::Date(date) => date.serialize(serializer),
            Self::Rate(rate) => rate.serialize(serializer),
            Self::Confidence(confidence) => confidence.serialize(serializer),
            Self::Unknown | Self::Empty => serializer.serialize_none(),
        }
    }
}

struct Row<'a>(&'a [Column], &'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let present = self.0.iter().zip(self.1).filter(|(_, cell)| **cell != Cell::Empty);
        for (column, cell) in present {
            map.serialize_entry(column.key, cell)?;
        }
        map.end()
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<Row<'_>> = self.rows.iter().map(|row| Row(&self.columns, row)).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("columns", &self.columns)?;
        map.serialize_entry("key", self.key)?;
        map.serialize_entry("rows", &rows)?;
        map.serialize_entry("title", &self.title)?;
        if let Some(totals) = &self.totals {
            map.serialize_entry("totals", &Row(&self.columns, totals))?;
        }
        map.end()
    }
}
