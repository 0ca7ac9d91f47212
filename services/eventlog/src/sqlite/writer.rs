//! The only connection that writes, on a thread of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};

use super::directory::lock;
use super::rows::{check_all, head};
use super::schema::open_writer;
use crate::body;
use crate::log::{Error, Position};

/// How many appends may wait for the thread before the next one waits in its future.
const APPENDS_WAITING_MAX: usize = 64;

/// One statement is one transaction, and compares and appends in one step.
const APPEND: &str = "
    INSERT INTO groups (first, last, crc32, body) SELECT ?1, ?2, ?3, ?4
    WHERE coalesce((SELECT last FROM groups ORDER BY first DESC LIMIT 1), 0) = ?1 - 1";

/// How far the writer is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    head: Position,
    /// Why it stopped for good.
    broken: Option<Error>,
}

impl Progress {
    pub(super) fn head(&self) -> Result<Position, Error> {
        self.broken.clone().map_or(Ok(self.head), Err)
    }

    pub(super) fn has_reached(&self, position: Position) -> bool {
        self.head >= position || self.broken.is_some()
    }
}

#[derive(Debug)]
struct Append {
    expected: Position,
    entries: u64,
    body: String,
    reply: oneshot::Sender<Result<Position, Error>>,
}

/// The handle of the writing thread. Dropping it waits until the thread has closed the file.
#[derive(Debug)]
pub(super) struct Writer {
    appends: Option<mpsc::Sender<Append>>,
    thread: Option<thread::JoinHandle<()>>,
    progress: watch::Receiver<Progress>,
}

impl Writer {
    /// Takes the lock, opens and checks the file, and starts the thread.
    pub(super) fn start(dir: &Path) -> Result<Writer, Error> {
        let lock = lock(dir)?;
        let connection = open_writer(dir)?;
        let file = Identity::of(dir)?;
        let start = Progress { head: check_all(&connection)?, broken: None };
        let (progress, watch) = watch::channel(start);
        let (appends, inbox) = mpsc::channel(APPENDS_WAITING_MAX);
        let thread = thread::Builder::new()
            .name("eventlog-writer".to_owned())
            .spawn(move || write_all(Opened { connection, file, lock }, inbox, &progress))
            .map_err(|error| Error::Unavailable(format!("no thread to write: {error}")))?;
        Ok(Writer { appends: Some(appends), thread: Some(thread), progress: watch })
    }

    pub(super) async fn append(
        &self,
        expected: Position,
        entries: &[Bytes],
    ) -> Result<Position, Error> {
        let body = body::join(entries)?;
        let gone = || Error::Unavailable("the writing thread has ended".to_owned());
        let appends = self.appends.as_ref().ok_or_else(gone)?;
        let (reply, answer) = oneshot::channel();
        let append = Append { expected, entries: entries.len() as u64, body, reply };
        appends.send(append).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.appends = None;
        if let Some(thread) = self.thread.take() {
            // It panicked, if this fails, and has said so itself.
            let _ = thread.join();
        }
    }
}

/// What the writing thread holds.
struct Opened {
    connection: Connection,
    file: Identity,
    lock: File,
}

/// Which file it is that was opened. Whoever removes or replaces it while we write would otherwise hear
/// that all is durable, of a file that has no name any more.
struct Identity {
    path: PathBuf,
    #[cfg(unix)]
    numbers: (u64, u64),
}

impl Identity {
    fn of(dir: &Path) -> Result<Self, Error> {
        let path = super::schema::path(dir);
        #[cfg(unix)]
        let numbers = numbers(&path)
            .map_err(|error| Error::Unavailable(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            #[cfg(unix)]
            numbers,
        })
    }

    /// Refuses when another file, or none, is in its place.
    fn check(&self) -> Result<(), Failure> {
        #[cfg(unix)]
        if numbers(&self.path).ok() != Some(self.numbers) {
            let path = self.path.display();
            let what = format!("{path} was removed or replaced while it was open; open it again");
            return Err(Failure::Fatal(Error::Unavailable(what)));
        }
        Ok(())
    }
}

/// Device and inode.
#[cfg(unix)]
fn numbers(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn write_all(
    opened: Opened,
    mut inbox: mpsc::Receiver<Append>,
    progress: &watch::Sender<Progress>,
) {
    let Opened { connection, file, lock } = opened;
    while let Some(Append { expected, entries, body, reply }) = inbox.blocking_recv() {
        let known = progress.borrow().clone();
        let still_works = known.head().map_err(Failure::Passing);
        let result = still_works
            .and_then(|_| append(&connection, expected, entries, &body))
            // Afterwards, so that an acknowledged group was in the file of that name.
            .and_then(|head| file.check().map(|()| head));
        match &result {
            // The file tells the head, also if a tool added groups behind our back.
            Ok(head) | Err(Failure::Passing(Error::Conflict { actual: head, .. })) => {
                progress.send_replace(Progress { head: *head, ..known });
            }
            Err(Failure::Fatal(broken)) => {
                progress.send_replace(Progress { broken: Some(broken.clone()), ..known });
            }
            Err(Failure::Passing(_)) => (),
        }
        // Whoever asked may have stopped waiting.
        let _ = reply.send(result.map_err(Failure::into_error));
    }
    // The file is closed before the next writer may open it.
    drop(connection);
    drop(lock);
}

/// A failure of one append, or of all that follow too.
enum Failure {
    Passing(Error),
    Fatal(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Passing(error)
    }
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Failure::Passing(error) | Failure::Fatal(error) => error,
        }
    }
}

fn append(
    connection: &Connection,
    expected: Position,
    entries: u64,
    body: &str,
) -> Result<Position, Failure> {
    let last = expected.saturating_add(entries);
    let Ok(last_key) = i64::try_from(last) else {
        return Err(Error::Conflict { expected, actual: head(connection)? }.into());
    };
    let first = expected + 1;
    let first_key = last_key - i64::try_from(entries).unwrap_or(i64::MAX) + 1;
    let mut statement = connection.prepare_cached(APPEND).map_err(failure)?;
    let inserted = statement
        .execute((first_key, last_key, body::checksum(first, body.as_bytes()), body))
        .map_err(failure)?;
    if inserted == 0 {
        return Err(Error::Conflict { expected, actual: head(connection)? }.into());
    }
    Ok(last)
}

/// After a failed write or sync nobody knows what is on the disk: a commit that failed here may be
/// found there after a restart. So this handle says nothing more, not even to readers, and the
/// answer comes from opening the log again.
fn failure(cause: rusqlite::Error) -> Failure {
    let is_fatal = matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    );
    match Error::from(cause) {
        Error::Unavailable(what) if is_fatal => {
            Failure::Fatal(Error::Unavailable(format!("{what}; open the log again")))
        }
        error if is_fatal => Failure::Fatal(error),
        error => Failure::Passing(error),
    }
}
