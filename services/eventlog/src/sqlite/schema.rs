//! The file of a log: its schema, its settings, and how to tell it from any other SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Damage, Error, Place};

/// The name of the format, in the table `meta`.
pub(super) const FORMAT: &str = "eventlog";
/// The version of the format. A program refuses every other.
pub(super) const VERSION: i32 = 1;
/// "ELOG" in ASCII, which `file` and SQLite tools can see in the header.
const APPLICATION_ID: i32 = 0x454C_4F47;

/// Measured with `examples/append_bench.rs`; the reasons are in ADR/0003.
const PAGE_BYTES: i32 = 16_384;
/// How long the write-ahead log grows before its pages are copied into the main file.
const WAL_PAGES: i32 = 1_024;
/// How long a statement waits for a lock of another process, such as a tool that makes a backup.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Whoever changes a group by hand has to drop a trigger first, and so knows what they do.
const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE groups (
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL,
        crc32 INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER groups_are_never_changed BEFORE UPDATE ON groups
        BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
    CREATE TRIGGER groups_are_never_deleted BEFORE DELETE ON groups
        BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
";

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("log.sqlite")
}

/// Opens the file to write, and makes it if it is missing.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, Error> {
    let path = path(dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    if is_blank(&connection)? {
        create(&mut connection)?;
    }
    check_format(&connection, &path)?;
    prepare_writer(&connection)?;
    Ok(connection)
}

/// Opens the file to read, beside a writer or without one.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let path = path(dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    check_format(&connection, &path)?;
    Ok(connection)
}

/// Blank is a file that was never written, or whose creation was cut short.
fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0 && pragma(connection, "application_id")? == 0)
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    // The default, but a system may have been built with another one.
    connection.pragma_update(None, "encoding", "UTF-8")?;
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute(
        "INSERT INTO meta (key, value) VALUES ('format', ?1), ('version', ?2)",
        (FORMAT, VERSION.to_string()),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL mode only FULL syncs at each commit; NORMAL may lose acknowledged groups.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn check_format(connection: &Connection, path: &Path) -> Result<(), Error> {
    let refused = |found: String| Error::Format { path: path.to_owned(), found };
    let id = pragma(connection, "application_id")?;
    if id != APPLICATION_ID {
        return Err(refused(format!("application id {id:#x} instead of {APPLICATION_ID:#x}")));
    }
    let meta = |key| {
        let value = "SELECT value FROM meta WHERE key = ?1";
        connection.query_row(value, [key], |row| row.get::<_, String>(0))
    };
    let (name, version) = (meta("format")?, meta("version")?);
    let stamp = pragma(connection, "user_version")?;
    if name != FORMAT || version != VERSION.to_string() || stamp != VERSION {
        return Err(refused(format!(
            "format {name} version {version} (user_version {stamp}) instead of {FORMAT} version \
             {VERSION}"
        )));
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Corrupt(Damage { place: Place::File, what: error.to_string() })
            }
            _ => Error::Unavailable(error.to_string()),
        }
    }
}
