//! Figures and their names: a JSON pointer (RFC 6901) to a cell of a report.
//!
//! The short form is `/table/row/column`, where the row is its name (`/lines/AI:L1:DEP/committed`), its
//! number from 0, or `totals`. The long form is the place in the JSON of the report:
//! `/tables/0/rows/0/committed`, `/tables/0/totals/committed`.

use crate::history::Facts;
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use std::collections::BTreeMap;
use std::fmt;

/// How the row of sums is called.
const TOTALS: &str = "totals";
/// So much of a name that a caller made up is said again.
const SHOWN_MAX: usize = 80;

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// Key of the table.
    pub table: &'static str,
    /// The name of the row; `None`: the row of sums.
    pub row: Option<String>,
    /// Key of the column.
    pub column: &'static str,
    /// Which columns name the row; none when rows of one name are numbered.
    named_by: &'static [&'static str],
}

/// Why a pointer leads to no figure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It has no three parts.
    #[error("pointer {0:?}: expected /table/row/column, such as /lines/0/committed")]
    Form(String),
    /// There is no such table.
    #[error("pointer: no table is called {0:?}; there are {1}")]
    Table(String, String),
    /// There is no such row at that moment.
    #[error("pointer: table {0} has no row {1:?} at that moment; it has {2}")]
    Row(&'static str, String, usize),
    /// There is no such column.
    #[error("pointer: table {0} has no column {1:?}; there are {2}")]
    Column(&'static str, String, String),
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

impl Figure {
    /// The figure that a pointer leads to in what a view answers, and what it is. Only its table is made,
    /// where the pointer says which.
    ///
    /// # Errors
    /// [`PointerError`] names the part that leads nowhere.
    pub fn find<V: View<Facts: Facts>>(
        facts: &V::Facts,
        query: &Query,
        pointer: &str,
    ) -> Result<(Self, Cell), PointerError> {
        let form = || PointerError::Form(shown(pointer));
        let parts = pointer.strip_prefix('/').ok_or_else(form)?.split('/');
        let parts: Vec<String> =
            parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (table, row, column) = match parts[..] {
            // A place in the JSON, so a number comes before a name.
            ["tables", table, "rows", row, column] => (table, Row::Place(row), column),
            ["tables", table, TOTALS, column] | [table, TOTALS, column] => {
                (table, Row::Name(TOTALS), column)
            }
            [table, row, column] => (table, Row::Name(row), column),
            _ => return Err(form()),
        };
        let table = match V::table(facts, table, query, None) {
            Some(table) => table,
            None => by_number(V::report(facts, query), table)?,
        };
        Self::of_table(&table, row, column)
    }

    fn of_table(table: &Table, row: Row<'_>, column: &str) -> Result<(Self, Cell), PointerError> {
        let at = table.columns.iter().position(|it| it.key == column).ok_or_else(|| {
            let keys: Vec<&str> = table.columns.iter().map(|column| column.key).collect();
            PointerError::Column(table.key, shown(column), keys.join(", "))
        })?;
        let (Row::Name(text) | Row::Place(text)) = row;
        let no_row = || PointerError::Row(table.key, shown(text), table.rows.len());
        let (row, cells) = if text == TOTALS {
            (None, table.totals.as_ref().ok_or_else(no_row)?)
        } else {
            let names = names(table);
            let named = || names.iter().position(|name| name == text);
            let index = match row {
                Row::Name(_) => named().or_else(|| number(text)),
                Row::Place(_) => number(text).or_else(named),
            };
            let found = index.and_then(|index| Some((names.get(index)?, table.rows.get(index)?)));
            let (name, cells) = found.ok_or_else(no_row)?;
            (Some(name.clone()), cells)
        };
        let (column, named_by) = (table.columns[at].key, table.named_by);
        let figure = Self { table: table.key, row, column, named_by };
        Ok((figure, cells.get(at).filter(|cell| has_value(cell)).cloned().unwrap_or(Cell::Empty)))
    }

    /// Every figure of a report that has a value.
    #[must_use]
    pub fn all(report: &Report) -> BTreeMap<Self, Cell> {
        let mut all = BTreeMap::new();
        for table in &report.tables {
            let named = names(table).into_iter().map(Some).zip(&table.rows);
            for (row, cells) in named.chain(table.totals.iter().map(|totals| (None, totals))) {
                for (column, cell) in table.columns.iter().zip(cells) {
                    if has_value(cell) {
                        let (row, column, named_by) = (row.clone(), column.key, table.named_by);
                        let figure = Self { table: table.key, row, column, named_by };
                        all.insert(figure, cell.clone());
                    }
                }
            }
        }
        all
    }

    /// What a column says that names its row. Only the last of several may hold a colon.
    pub(super) fn named(&self, column: &str) -> Option<&str> {
        let at = self.named_by.iter().position(|it| *it == column)?;
        self.row.as_deref()?.splitn(self.named_by.len(), ':').nth(at)
    }

    /// The name of its row, where one column says it for good.
    pub(crate) fn row_for_good(&self) -> Option<&str> {
        self.row.as_deref().filter(|_| self.named_by.len() == 1)
    }

    /// What it is in a table of another moment; `None` when there is none.
    pub(crate) fn in_table(&self, table: &Table) -> Option<Cell> {
        let at = table.columns.iter().position(|column| column.key == self.column)?;
        let cells = match &self.row {
            None => table.totals.as_ref()?,
            Some(name) if !self.named_by.is_empty() => {
                let places = places(table, self.named_by);
                table.rows.iter().find(|row| is_called(name, row, &places))?
            }
            Some(name) => {
                let index = numbered(table).iter().position(|it| it == name)?;
                &table.rows[index]
            }
        };
        cells.get(at).filter(|cell| has_value(cell)).cloned()
    }
}

/// An empty word is none.
fn has_value(cell: &Cell) -> bool {
    match cell {
        Cell::Empty => false,
        Cell::Text(text) => !text.is_empty(),
        _ => true,
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

fn by_number(mut report: Report, table: &str) -> Result<Table, PointerError> {
    match number(table).filter(|index| *index < report.tables.len()) {
        Some(index) => Ok(report.tables.swap_remove(index)),
        None => {
            let keys: Vec<&str> = report.tables.iter().map(|table| table.key).collect();
            Err(PointerError::Table(shown(table), keys.join(", ")))
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row.as_deref().unwrap_or(TOTALS).replace('~', "~0").replace('/', "~1");
        write!(f, "/{}/{row}/{}", self.table, self.column)
    }
}

/// How a pointer says which row.
#[derive(Clone, Copy)]
enum Row<'a> {
    /// Its name, or else its number.
    Name(&'a str),
    /// Its number, or else its name.
    Place(&'a str),
}

/// Where these columns are.
fn places(table: &Table, key: &[&str]) -> Vec<usize> {
    let place = |key: &&str| table.columns.iter().position(|column| column.key == *key);
    key.iter().filter_map(place).collect()
}

/// The names of the rows, in order.
fn names(table: &Table) -> Vec<String> {
    match table.named_by {
        [] => numbered(table),
        columns => {
            let places = places(table, columns);
            let name_of = |row: &Vec<Cell>| name(places.iter().filter_map(|place| row.get(*place)));
            table.rows.iter().map(name_of).collect()
        }
    }
}

/// Rows of other tables are named by their first words; those of one name are numbered.
fn numbered(table: &Table) -> Vec<String> {
    let words = table.columns.iter().take_while(|column| column.kind == Kind::Text).count().max(1);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let named = table.rows.iter().map(|row| {
        let name = name(row.iter().take(words));
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name}#{times}") }
    });
    named.collect()
}

fn name<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let texts: Vec<String> = cells.map(text).collect();
    texts.join(":")
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Unknown => "unknown".to_owned(),
        other => other.to_text(),
    }
}

/// The same as comparing the name, without making it: this is asked for every row after every event.
fn is_called(name: &str, row: &[Cell], places: &[usize]) -> bool {
    let mut rest = Some(name);
    for (index, cell) in places.iter().filter_map(|place| row.get(*place)).enumerate() {
        let after = if index == 0 { rest } else { rest.and_then(|rest| rest.strip_prefix(':')) };
        rest = match cell {
            Cell::Text(text) => after.and_then(|rest| rest.strip_prefix(text.as_str())),
            other => after.and_then(|rest| rest.strip_prefix(text(other).as_str())),
        };
    }
    rest == Some("")
}

/// What was added; unknown and absent are nothing. `None` when neither is an amount or a count.
pub(super) fn difference(before: Option<&Cell>, after: Option<&Cell>) -> Option<Cell> {
    let money = |cell: Option<&Cell>| match cell {
        Some(Cell::Money(money)) => Some(*money),
        _ => None,
    };
    let count = |cell: Option<&Cell>| match cell {
        Some(Cell::Count(count)) => i64::try_from(*count).ok(),
        Some(Cell::Decimal { units, decimals: 0 }) => Some(*units),
        _ => None,
    };
    match (money(before), money(after)) {
        (None, None) => {}
        (before, after) => {
            let difference = after.unwrap_or_default().minus(before.unwrap_or_default());
            return difference.ok().map(Cell::Money);
        }
    }
    match (count(before), count(after)) {
        (None, None) => None,
        (before, after) => {
            let units = after.unwrap_or(0).saturating_sub(before.unwrap_or(0));
            Some(Cell::Decimal { units, decimals: 0 })
        }
    }
}

pub(super) fn sum(one: Cell, other: Cell) -> Cell {
    match (one, other) {
        (Cell::Money(one), Cell::Money(other)) => {
            one.plus(other).map_or(Cell::Unknown, Cell::Money)
        }
        (Cell::Decimal { units: one, .. }, Cell::Decimal { units: other, .. }) => {
            Cell::Decimal { units: one.saturating_add(other), decimals: 0 }
        }
        _ => Cell::Unknown,
    }
}
