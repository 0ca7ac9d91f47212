//! The file of a log: its schema, its settings, and how to tell it from any other SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::directory::sync_parent;
use crate::log::{Damage, Error, Place};

/// The name of the format, in the table `meta`.
pub(super) const FORMAT: &str = "eventlog";
/// The version of the format. A program refuses every other.
pub(super) const VERSION: i32 = 1;
/// "ELOG" in ASCII, which `file` and SQLite tools can see in the header.
const APPLICATION_ID: i32 = 0x454C_4F47;

/// Measured with `examples/append_bench.rs`; the reasons are in ADR/0003.
const PAGE_BYTES: i32 = 16_384;
/// How long the write-ahead log grows before its pages are copied into the main file: 4 MiB.
const WAL_PAGES: i32 = 256;
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

/// Opens the file to write, and makes it if it is missing. Only the holder of the lock may.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, Error> {
    let path = path(dir);
    if !path.try_exists().map_err(|error| unavailable(&path, &error))? {
        create(dir)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    check_format(&connection, &path)?;
    prepare_writer(&connection, &path)?;
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

/// Makes the file under another name first, so that a log is never found half made. An empty
/// `log.sqlite` is therefore damage, and not taken for a new log.
fn create(dir: &Path) -> Result<(), Error> {
    let (path, draft) = (path(dir), dir.join("log.sqlite.new"));
    if dir.join("log.sqlite-wal").exists() {
        let what = "log.sqlite is missing beside its write-ahead log".to_owned();
        return Err(Error::Corrupt(Damage { place: Place::File, what }));
    }
    // A draft that an earlier process did not finish holds nothing.
    if let Err(error) = fs::remove_file(&draft).or_else(missing_is_fine) {
        return Err(unavailable(&draft, &error));
    }
    let mut connection = Connection::open(&draft)?;
    fill(&mut connection)?;
    connection.close().map_err(|(_, error)| error)?;
    fs::rename(&draft, &path)
        .and_then(|()| sync_parent(&path))
        .map_err(|error| unavailable(&path, &error))
}

fn missing_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn unavailable(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

fn fill(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
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

fn prepare_writer(connection: &Connection, path: &Path) -> Result<(), Error> {
    // SQLite does not fail when it cannot have a write-ahead log, as on a network disk: it goes on
    // without.
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let what = format!("{}: no write-ahead log is possible here", path.display());
        return Err(Error::Unavailable(what));
    }
    // In WAL mode only FULL syncs at each commit; NORMAL may lose acknowledged groups.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a plain sync does not reach the disk; elsewhere this does nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn check_format(connection: &Connection, path: &Path) -> Result<(), Error> {
    let refused = |found: String| Error::Format { path: path.to_owned(), found };
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        let what = "log.sqlite is empty".to_owned();
        return Err(Error::Corrupt(Damage { place: Place::File, what }));
    }
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
