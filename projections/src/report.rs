//! What a view answers: tables that print as text, JSON, CSV and HTML.
//!
//! In JSON a row is an object by column key. What is unknown is `null`; what does not apply is absent;
//! money is `"EUR 1500000000.00"`, compute time is `{partition, seconds, unit}`, a decimal is text.

mod render;

use crate::projection::AsOf;
use domain::kernel::actor::Confidence;
use domain::kernel::compute::ComputeTime;
use domain::kernel::money::{Money, MoneyError, Rate};
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
    /// is unknown; amounts of several currencies have no sum. It is as sure as its least sure row.
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
                Kind::Confidence => Cell::maybe(self.weakest(index)),
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

    fn weakest(&self, index: usize) -> Option<Confidence> {
        let marks = self.rows.iter().filter_map(|row| match row.get(index)? {
            Cell::Confidence(confidence) => Some(*confidence),
            _ => None,
        });
        marks.max()
    }
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
}

impl Kind {
    /// Whether it is aligned to the right.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Decimal | Self::Money | Self::Compute | Self::Rate)
    }
}

/// What stands for a sum beyond the largest amount.
const OUT_OF_RANGE: &str = "out of range";

impl Cell {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Money(left), Self::Money(right)) => match left.plus(right) {
                Ok(sum) => Self::Money(sum),
                // All parts are known; the sum is more than an amount can be.
                Err(MoneyError::OutOfRange) => Self::text(OUT_OF_RANGE),
                Err(_) => Self::Unknown,
            },
            (Self::Text(why), _) => Self::Text(why),
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
                render::decimal(*units, *decimals, false).serialize(serializer)
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
