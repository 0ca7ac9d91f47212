//! What a view answers: tables that print as text, JSON, CSV and HTML.
//!
//! In JSON a row is an object by column key. What is unknown is `null`; what does not apply is absent;
//! money is `"EUR 1500000000.00"`, compute time is `{partition, seconds, unit}`, a decimal is text.

mod cell;
mod digits;
mod render;
mod table;
#[cfg(test)]
mod tests;

use crate::query::AsOf;
use domain::kernel::money::Currency;
use serde::Serialize;

pub use cell::Cell;
pub use table::{Column, Kind, Table};

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
