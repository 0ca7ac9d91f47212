//! Stored groups, row by row. Every row is checked each time it is read, and never repaired.

use std::path::Path;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::schema::open_reader;
use crate::body;
use crate::log::{Damage, Error, Group, Place, Position};

const IN_ORDER: &str = "SELECT first, last, crc32, body FROM groups WHERE first >= ?1 \
                        ORDER BY first";
/// Begins with the row that holds a position, or should.
const FROM_THE_HOLDER: &str = "
    SELECT first, last, crc32, body FROM groups
    WHERE first >= coalesce((SELECT max(first) FROM groups WHERE first <= ?1), ?1) ORDER BY first";
const IN_REVERSE: &str = "SELECT first, last, crc32, body FROM groups WHERE first > ?1 \
                          ORDER BY first DESC";

/// Holds what [`check`] found in a whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The head, as far as the rows could be read.
    pub head: Position,
    /// The number of stored groups that could be read.
    pub groups: u64,
    /// The number of bytes in their bodies.
    pub bytes: u64,
    /// Everything that is wrong, in the order of the log; empty when all is well.
    pub damages: Vec<Damage>,
}

/// Reads the whole log in `dir`, checks it, and reports all damage and not only the first.
///
/// It may run beside a writer. It fails only if the file cannot be read at all.
pub fn check(dir: &Path) -> Result<Report, Error> {
    let connection = open_reader(dir)?;
    let mut report = Report::default();
    if let Err(stopped) = scan(&connection, &mut report) {
        report.damages.push(file_damage(&stopped));
        scan_from_the_end(&connection, &mut report);
    }
    // Last, because it explains damage of pages and says nothing about a row.
    match integrity(&connection) {
        Ok(lines) => report.damages.extend(lines),
        Err(stopped) => report.damages.push(file_damage(&stopped)),
    }
    Ok(report)
}

/// Checks every row, and returns the head.
pub(super) fn check_all(connection: &Connection) -> Result<Position, Error> {
    let mut report = Report::default();
    scan(connection, &mut report)?;
    report.damages.into_iter().next().map_or(Ok(report.head), |damage| Err(Error::Corrupt(damage)))
}

pub(super) fn head(connection: &Connection) -> Result<Position, Error> {
    let last = "SELECT coalesce((SELECT last FROM groups ORDER BY first DESC LIMIT 1), 0)";
    let mut statement = connection.prepare_cached(last)?;
    let head: i64 = statement.query_row([], |row| row.get(0))?;
    Position::try_from(head).map_err(|_| {
        Error::Corrupt(Damage { place: Place::File, what: format!("the head is {head}") })
    })
}

pub(super) fn read(
    connection: &Connection,
    from: Position,
    bytes_max: usize,
) -> Result<Vec<Group>, Error> {
    let from = from.max(1);
    // Further than SQLite can count, and so after every head.
    let Ok(key) = i64::try_from(from) else { return Ok(Vec::new()) };
    // From the beginning, keys before the first are read too: they are damage.
    let (query, key) = if from == 1 { (IN_ORDER, i64::MIN) } else { (FROM_THE_HOLDER, key) };
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([key])?;
    let (mut groups, mut bytes, mut next) = (Vec::<Group>::new(), 0_usize, None);
    while let Some(row) = rows.next()? {
        let raw = Raw::read(row)?;
        let length = raw.body.len();
        bytes = bytes.saturating_add(length);
        if bytes > bytes_max && !groups.is_empty() {
            break;
        }
        raw.check(next).map_err(Error::Corrupt)?;
        let group = raw.group();
        if next.is_none() && group.first > from {
            let what = format!("the rows before it are missing, and {from} was asked for");
            return Err(Error::Corrupt(Damage { place: raw.place(), what }));
        }
        next = Some(group.last() + 1);
        if group.last() >= from {
            groups.push(group.trimmed(from));
        }
        // Groups in a row are about as long, and one that does not fit would be read in vain.
        if bytes.saturating_add(length) > bytes_max && !groups.is_empty() {
            break;
        }
    }
    Ok(groups)
}

fn scan(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(IN_ORDER)?;
    // Negative keys too: they are damage.
    let mut rows = statement.query([i64::MIN])?;
    while let Some(row) = rows.next()? {
        let raw = Raw::read(row)?;
        report.damages.extend(raw.check(Some(report.head + 1)).err());
        report.count(&raw);
        // Even if the row is damaged: at most the next one is blamed for it too.
        report.head = raw.last_position();
    }
    Ok(())
}

/// Reads the rows behind a page that stopped [`scan`]. Those that cannot be reached from either end
/// have no name that could be reported.
fn scan_from_the_end(connection: &Connection, report: &mut Report) {
    let known = report.head;
    let mut found = Vec::new();
    let mut behind = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(IN_REVERSE)?;
        let mut rows = statement.query([i64::try_from(known).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let raw = Raw::read(row)?;
            // The gap before the row is known already, so only the row itself is judged.
            found.extend(raw.check(None).err());
            report.count(&raw);
            report.head = raw.last_position().max(report.head);
        }
        Ok(())
    };
    let stopped = behind().err();
    found.extend(stopped.as_ref().map(file_damage));
    report.damages.extend(found.into_iter().rev());
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<Damage>> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    lines
        .filter(|line| !matches!(line.as_deref(), Ok("ok")))
        .map(|line| line.map(|what| Damage { place: Place::File, what }))
        .collect()
}

fn file_damage(stopped: &rusqlite::Error) -> Damage {
    Damage { place: Place::File, what: stopped.to_string() }
}

impl Report {
    fn count(&mut self, raw: &Raw<'_>) {
        self.groups += 1;
        self.bytes += raw.body.len() as u64;
    }
}

/// A row as it is stored, before anything about it is believed.
struct Raw<'a> {
    first: i64,
    last: i64,
    crc32: i64,
    body: &'a [u8],
    is_text: bool,
}

impl<'a> Raw<'a> {
    fn read(row: &'a Row<'_>) -> rusqlite::Result<Raw<'a>> {
        let (body, is_text) = match row.get_ref(3)? {
            ValueRef::Text(body) => (body, true),
            ValueRef::Blob(body) => (body, false),
            _ => (&[][..], false),
        };
        // A number of another type reads as one that no writer stores, and fails its check.
        let number = |column| row.get_ref(column).map(|value| value.as_i64().unwrap_or(i64::MIN));
        Ok(Raw { first: number(0)?, last: number(1)?, crc32: number(2)?, body, is_text })
    }

    /// Says what is wrong with the row, which should begin at `expected` if that is known.
    fn check(&self, expected: Option<Position>) -> Result<(), Damage> {
        let damage = |what: String| Err(Damage { place: self.place(), what });
        let (Ok(first), Ok(last)) = (Position::try_from(self.first), Position::try_from(self.last))
        else {
            return damage(format!("it claims the positions {} to {}", self.first, self.last));
        };
        if let Some(expected) = expected.filter(|expected| *expected != first) {
            return damage(format!("it should begin at {expected}"));
        }
        body::check(first, last, self.crc32, self.body).or_else(damage)?;
        if !self.is_text {
            return damage("its body is not text".to_owned());
        }
        Ok(())
    }

    /// Makes the group of a row that passed its check.
    fn group(&self) -> Group {
        // One copy for the row; the entries share it.
        body::group(self.first.unsigned_abs(), &Bytes::copy_from_slice(self.body))
    }

    fn last_position(&self) -> Position {
        Position::try_from(self.last).unwrap_or(0)
    }

    fn place(&self) -> Place {
        let position = |number: i64| Position::try_from(number).unwrap_or(0);
        Place::Row { first: position(self.first), last: position(self.last) }
    }
}
