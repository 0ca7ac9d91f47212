//! The default log: one SQLite file `log.sqlite` in a data directory, one row for each group.
//!
//! Any SQLite tool reads it: `SELECT first, last, body FROM groups` gives the entries of each group
//! on lines of their own. Acknowledged means written and synced (WAL, `synchronous=FULL`).

mod directory;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;

use crate::log::{Error, Group, Log, Position};
pub use rows::{Report, check};
use writer::Writer;

/// The time between two looks for new groups of a log that is open for reading, while somebody waits.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The most connections kept open for the next reads; more are opened while more reads run.
const IDLE_READERS_MAX: usize = 4;

/// A log in a directory. Many may read it, in this process and in others; one may write.
///
/// The directory must be on a local disk, since the write-ahead log of SQLite needs memory that its
/// processes share. Dropping the writer waits for the append in progress and closes the file.
#[derive(Debug)]
pub struct Sqlite {
    // Before the writer, so that the writer is the last to close the file and tidies it up.
    readers: Arc<Readers>,
    writer: Option<Writer>,
}

impl Sqlite {
    /// Opens the log in `dir` to append and to read, and makes both if they are missing.
    ///
    /// Reads and checks every row first; this and the lock may take a while, so call it where
    /// blocking is allowed. Refuses when another writer has the log.
    pub fn open(dir: &Path) -> Result<Sqlite, Error> {
        directory::create(dir)
            .map_err(|error| Error::Unavailable(format!("{}: {error}", dir.display())))?;
        let writer = Writer::start(dir)?;
        Ok(Sqlite { readers: Arc::new(Readers::new(dir)), writer: Some(writer) })
    }

    /// Opens the log in `dir` to read it, beside its writer or without one. The directory must be
    /// writable all the same, since readers and writer share a small file in it.
    ///
    /// Reads and checks every row first, as [`Sqlite::open`] does.
    pub fn open_read_only(dir: &Path) -> Result<Sqlite, Error> {
        let readers = Readers::new(dir);
        readers.with(rows::check_all)?;
        Ok(Sqlite { readers: Arc::new(readers), writer: None })
    }

    /// Opens the log in `dir` to read it, as [`Sqlite::open_read_only`] does, but leaves it to the reads to
    /// check the rows: for whoever reads all of it anyway, or needs few of its rows soon.
    pub fn open_unchecked(dir: &Path) -> Result<Sqlite, Error> {
        let readers = Readers::new(dir);
        readers.with(rows::head)?;
        Ok(Sqlite { readers: Arc::new(readers), writer: None })
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = self.readers.clone();
        match tokio::task::spawn_blocking(move || readers.with(query)).await {
            Ok(result) => result,
            // Nobody else cancels it: the runtime goes down, and this future with it.
            Err(error) if error.is_cancelled() => std::future::pending().await,
            Err(error) => Err(Error::Unavailable(format!("a read did not end: {error}"))),
        }
    }
}

#[async_trait]
impl Log for Sqlite {
    async fn append(
        &self,
        expected_head: Position,
        entries: Vec<Bytes>,
    ) -> Result<Position, Error> {
        self.writer.as_ref().ok_or(Error::ReadOnly)?.append(expected_head, &entries).await
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        if let Some(writer) = &self.writer {
            writer.progress().borrow().head()?;
        }
        self.query(move |connection| rows::read(connection, from, bytes_max)).await
    }

    async fn head(&self) -> Result<Position, Error> {
        match &self.writer {
            Some(writer) => writer.progress().borrow().head(),
            None => self.query(rows::head).await,
        }
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        if let Some(writer) = &self.writer {
            let mut progress = writer.progress();
            let reached = progress.wait_for(|progress| progress.has_reached(position)).await;
            return match reached {
                Ok(progress) => progress.head(),
                Err(_) => Err(Error::Unavailable("the writing thread has ended".to_owned())),
            };
        }
        loop {
            // `PRAGMA data_version` would cost the same look at the shared memory, and tie the
            // waiting to one connection.
            let head = self.query(rows::head).await?;
            if head >= position {
                return Ok(head);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Connections that read, each used by one read at a time.
#[derive(Debug)]
struct Readers {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn new(dir: &Path) -> Readers {
        Readers { dir: dir.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        // A panic elsewhere cannot leave a list of idle connections half changed.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = idle().pop();
        let connection = match reused {
            Some(connection) => connection,
            None => schema::open_reader(&self.dir)?,
        };
        // After an error the connection is not used again: opening is the cheap way to be sure.
        let result = query(&connection)?;
        let mut idle = idle();
        if idle.len() < IDLE_READERS_MAX {
            idle.push(connection);
        }
        Ok(result)
    }
}
