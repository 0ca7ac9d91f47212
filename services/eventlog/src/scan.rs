//! Reads a log from one position to another on several threads: one reads, others look at each entry, and
//! what they have seen comes back in order.

use crate::log::{Error, Log, READ_BYTES};
use bytes::Bytes;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use tokio::runtime::Handle;

/// How many chunks wait for each decoding thread.
const CHUNKS_WAITING_MAX: usize = 4;

/// Does work that blocks on a thread of its own, and hands it the runtime for what is asynchronous in it.
///
/// # Errors
/// Those of the work; [`Error::Unavailable`] when it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Handle) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(&runtime)).await;
    done.map_err(|error| Error::Unavailable(format!("reading the log failed: {error}")))?
}

/// Tells how many threads decode beside one that folds about as fast.
#[must_use]
pub fn decoders() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().max(2) - 1)
}

/// Entries from a position on.
type Chunk = (u64, Vec<Bytes>);
/// What was seen in them.
type Looked<T, E> = Result<Vec<T>, E>;

/// Reads the entries after the first position of a range, up to its end, looks at each on so many
/// threads, and hands on what was seen: chunk by chunk, in order, on this thread. Blocks.
///
/// # Errors
/// When the log cannot be read, or the first that a look gives.
pub fn in_order<T: Send, E: From<Error> + Send>(
    (log, runtime): (&dyn Log, &Handle),
    range: Range<u64>,
    threads: usize,
    look: impl Fn(u64, &Bytes) -> Result<T, E> + Sync,
    mut take: impl FnMut(Vec<T>),
) -> Result<(), E> {
    thread::scope(|scope| {
        let (mut to, mut back) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (chunks, inbox) = sync_channel::<Chunk>(CHUNKS_WAITING_MAX);
            let (outbox, looked) = sync_channel::<Looked<T, E>>(CHUNKS_WAITING_MAX);
            let look = &look;
            scope.spawn(move || look_at_all(&inbox, &outbox, look));
            to.push(chunks);
            back.push(looked);
        }
        let reading = scope.spawn(move || runtime.block_on(read_all(log, range, &to)));
        // The chunks went round the threads in turn, and come back so.
        for looked in back.iter().cycle() {
            let Ok(looked) = looked.recv() else { break };
            take(looked?);
        }
        drop(back);
        let read = reading.join();
        Ok(read.unwrap_or_else(|_| Err(Error::Unavailable("reading failed".into())))?)
    })
}

async fn read_all(log: &dyn Log, range: Range<u64>, to: &[SyncSender<Chunk>]) -> Result<(), Error> {
    let mut next = range.start + 1;
    for thread in to.iter().cycle() {
        if next > range.end {
            break;
        }
        let groups = log.read(next, READ_BYTES).await?;
        let first = next;
        let mut entries: Vec<Bytes> = groups.into_iter().flat_map(|group| group.entries).collect();
        entries
            .truncate(usize::try_from(range.end - first).unwrap_or(usize::MAX).saturating_add(1));
        next += entries.len() as u64;
        if entries.is_empty() || thread.send((first, entries)).is_err() {
            break;
        }
    }
    Ok(())
}

fn look_at_all<T, E>(
    chunks: &Receiver<Chunk>,
    looked: &SyncSender<Looked<T, E>>,
    look: impl Fn(u64, &Bytes) -> Result<T, E>,
) {
    while let Ok((first, entries)) = chunks.recv() {
        let result = (first..).zip(&entries).map(|(position, entry)| look(position, entry));
        if looked.send(result.collect()).is_err() {
            return;
        }
    }
}
