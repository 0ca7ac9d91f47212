//! A table: its columns, its rows, its sums, and how they stand in JSON.

use super::cell::Cell;
use domain::kernel::actor::Confidence;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its name in the report.
    pub key: &'static str,
    /// For people.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns that name a row for good, whatever else of it changes; none: rows are numbered.
    pub named_by: &'static [&'static str],
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

    /// Says which columns name a row for good.
    #[must_use]
    pub fn named_by(self, columns: &'static [&'static str]) -> Self {
        let is_column = |key: &&str| self.columns.iter().any(|column| column.key == *key);
        debug_assert!(columns.iter().all(is_column), "{} has no such columns", self.key);
        Self { named_by: columns, ..self }
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

impl Kind {
    /// Whether it is aligned to the right.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Decimal | Self::Money | Self::Compute | Self::Rate)
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
