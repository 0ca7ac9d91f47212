//! The figures in a pack: what a view shows, reduced to the rows that are about its scope, with people under
//! names that mean something in this pack only.

use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::ActorId;
use domain::{Commit, Role};
use projections::AsOf;
use projections::audit::extent::Extent;
use projections::audit::hledger::Journal;
use projections::report::{Cell, Report, Table};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Fields of events that hold the id of a person.
const PEOPLE: &[&str] = &["applicant", "expert", "person", "rapporteur"];

/// Names of people that are good for one pack: `person-1` is who appears first in the log.
#[derive(Clone, Debug, Default)]
pub struct People(BTreeMap<String, usize>);

impl People {
    /// Takes in whom a commit names.
    pub fn apply(&mut self, commit: &Commit) {
        if commit.actor.role != Role::System {
            self.note(commit.actor.id.as_str());
        }
        if let Some(other) = &commit.actor.on_behalf_of {
            self.note(ActorId::as_str(other));
        }
        for event in &commit.events {
            self.walk("", &serde_json::to_value(&event.event).unwrap_or_default());
        }
    }

    fn note(&mut self, id: &str) {
        let next = self.0.len() + 1;
        self.0.entry(id.to_owned()).or_insert(next);
    }

    fn walk(&mut self, field: &str, value: &Value) {
        match value {
            Value::String(id) if PEOPLE.contains(&field) => self.note(id),
            Value::Array(items) => items.iter().for_each(|item| self.walk(field, item)),
            Value::Object(all) => all.iter().for_each(|(name, value)| self.walk(name, value)),
            _ => {}
        }
    }

    /// A text with the ids of people replaced, wherever they stand as a word of their own.
    fn hidden(&self, text: &str) -> String {
        let is_part = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive(|char| !is_part(char)) {
            let word = piece.trim_end_matches(|char| !is_part(char));
            // The full stop of a sentence is no part of an id, though it may be one.
            let bare = word.trim_end_matches('.');
            let found = self.0.get(word).map(|number| (number, word));
            match found.or_else(|| self.0.get(bare).map(|number| (number, bare))) {
                Some((number, id)) => {
                    out.push_str(&format!("person-{number}{}", &piece[id.len()..]));
                }
                None => out.push_str(piece),
            }
        }
        out
    }
}

/// What is left of a view, as it is written.
pub struct ViewFigures {
    /// Name and bytes of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// What the index says of the view; `None` when nothing of it is about the scope.
    pub summary: Option<Summary>,
}

/// What the index says of a view.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// SHA-256 of the whole answer, with all rows, as `tranche show VIEW --json` writes it, without the
    /// newline at its end.
    pub shown_sha256: Sha256Hex,
    /// Its tables.
    pub tables: Vec<TableSummary>,
    /// Name of the view.
    pub view: &'static str,
}

/// The control totals of a table.
#[derive(Debug, Serialize)]
pub struct TableSummary {
    /// How many rows.
    pub rows: usize,
    /// Rows that are not about the scope.
    pub rows_left_out: usize,
    /// The sums of its columns of money and of counts; of money, each currency by itself.
    pub sums: BTreeMap<String, String>,
    /// Its name.
    pub table: &'static str,
}

/// The index of the figures.
///
/// # Errors
/// When it has no canonical form.
pub fn index(moment: AsOf, views: &[Summary]) -> Result<Vec<u8>, serde_json::Error> {
    canonical::to_bytes(&serde_json::json!({ "moment": moment, "views": views }))
}

/// What decides which rows a pack has, and how they name people.
pub struct Rows<'a> {
    /// What it is of.
    pub extent: &'a Extent,
    /// The positions of its commits.
    pub positions: &'a BTreeSet<u64>,
    /// Which accounts its journal tells all of.
    pub journal: &'a Journal,
    /// How people are called; by their ids when absent.
    pub people: Option<&'a People>,
}

impl Rows<'_> {
    /// The files of a view.
    ///
    /// # Errors
    /// When it holds a number that has no canonical form.
    pub fn of(&self, mut report: Report) -> Result<ViewFigures, serde_json::Error> {
        let shown_sha256 = canonical::digest(&report)?;
        let mut tables = Vec::new();
        for table in &mut report.tables {
            let before = table.rows.len();
            if !self.extent.is_all() {
                let columns: Vec<_> = table.columns.iter().map(|column| column.key).collect();
                table.rows.retain(|row| self.shows(&columns, row));
                table.totals = None;
            }
            let rows = table.rows.len();
            let (sums, rows_left_out) = (sums(table), before - rows);
            tables.push(TableSummary { rows, rows_left_out, sums, table: table.key });
        }
        let is_there = self.extent.is_all() || tables.iter().any(|table| table.rows > 0);
        if !is_there {
            return Ok(ViewFigures { files: Vec::new(), summary: None });
        }
        if let Some(people) = self.people {
            hide(&mut report, people);
        }
        let view = report.view;
        let json = [&canonical::to_bytes(&report)?[..], b"\n"].concat();
        let mut files = vec![(format!("figures/{view}.json"), json)];
        for table in report.tables.iter().filter(|table| !table.rows.is_empty()) {
            let name = format!("figures/{view}.{}.csv", table.key);
            files.push((name, table.to_csv().into_bytes()));
        }
        Ok(ViewFigures { files, summary: Some(Summary { shown_sha256, tables, view }) })
    }

    fn shows(&self, columns: &[&'static str], row: &[Cell]) -> bool {
        let mut texts = Vec::new();
        for (&column, cell) in columns.iter().zip(row) {
            match cell {
                Cell::Count(position) if column == "position" => {
                    return self.positions.contains(position);
                }
                Cell::Text(account) if column == "account" => {
                    return self.journal.is_whole(account);
                }
                Cell::Text(text) => texts.push((column, text.as_str())),
                _ => {}
            }
        }
        self.extent.shows(texts.into_iter())
    }
}

fn sums(table: &Table) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut money: BTreeMap<(&str, String), i128> = BTreeMap::new();
    for (column, cell) in table.rows.iter().flat_map(|row| table.columns.iter().zip(row)) {
        match cell {
            Cell::Count(count) if column.key != "position" => {
                let sum = counts.entry(column.key).or_default();
                *sum = sum.saturating_add(*count);
            }
            Cell::Money(amount) => {
                let key = (column.key, amount.currency().to_string());
                *money.entry(key).or_default() += i128::from(amount.in_cents());
            }
            _ => {}
        }
    }
    let counts = counts.into_iter();
    written(counts.map(|(column, sum)| (column.to_owned(), sum)), money)
}

/// Sums by column, and of money by currency, as the index writes them.
pub(super) fn written(
    counts: impl Iterator<Item = (String, u64)>,
    money: BTreeMap<(&str, String), i128>,
) -> BTreeMap<String, String> {
    let counts = counts.map(|(column, sum)| (column, sum.to_string()));
    let money = money.into_iter().map(|((column, currency), cents)| {
        let (sign, of) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
        (
            format!("{column}_{}", currency.to_lowercase()),
            format!("{sign}{}.{:02}", of / 100, of % 100),
        )
    });
    counts.chain(money).collect()
}

fn hide(report: &mut Report, people: &People) {
    let tables = report.tables.iter_mut();
    let cells = tables.flat_map(|table| table.rows.iter_mut().chain(&mut table.totals).flatten());
    for cell in cells {
        if let Cell::Text(text) = cell {
            *text = people.hidden(text);
        }
    }
    for note in &mut report.notes {
        *note = people.hidden(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_hidden_as_whole_words() {
        let mut people = People::default();
        ["expert-1", "a.b"].iter().for_each(|id| people.note(id));
        people.note("expert-1");
        for (text, hidden) in [
            ("expert-1", "person-1"),
            ("expert-10 and expert-1, a.b.", "expert-10 and person-1, person-2."),
            ("expert-1.", "person-1."),
            ("", ""),
            ("é expert-1é", "é person-1é"),
        ] {
            assert_eq!(people.hidden(text), hidden, "{text}");
        }
    }
}
