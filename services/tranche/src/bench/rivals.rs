//! What we are measured against, on the same disk with the same bytes: a raw file with one
//! `fdatasync` per group, and plain SQLite with one transaction per command.

use super::measure::Turn;
use bytes::Bytes;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// As many requests as may wait; more than any number of clients here.
const QUEUE_MAX: usize = 8_192;

/// One entry, and whom to tell when it is durable.
type Wish = (Bytes, oneshot::Sender<()>);

/// The ceiling: clients hand entries to one thread that writes whatever waits and syncs once.
///
/// # Errors
/// When the file cannot be written.
pub async fn raw_group_commit(
    directory: &Path,
    entries: &Arc<Vec<Bytes>>,
    clients: usize,
    length: Duration,
) -> std::io::Result<Turn> {
    let (sender, receiver) = mpsc::channel::<Wish>(QUEUE_MAX);
    let file = File::create(directory.join("raw.log"))?;
    let writer = std::thread::spawn(move || write_groups(file, receiver));
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            tokio::spawn(raw_client(sender.clone(), Arc::clone(entries), client, start + length))
        })
        .collect();
    drop(sender);
    let mut turns = Vec::with_capacity(clients);
    for task in tasks {
        turns.push(task.await.map_err(std::io::Error::other)?);
    }
    let took = start.elapsed();
    writer.join().map_err(|_| std::io::Error::other("the raw writer panicked"))??;
    Ok(Turn::join(turns, took))
}

async fn raw_client(
    sender: mpsc::Sender<Wish>,
    entries: Arc<Vec<Bytes>>,
    client: usize,
    until: Instant,
) -> Turn {
    let mut turn = Turn::default();
    let mut mine = entries.iter().cycle().skip(client % entries.len());
    while let Some(entry) = mine.next().filter(|_| Instant::now() < until) {
        let began = Instant::now();
        let (tell, told) = oneshot::channel();
        if sender.send((entry.clone(), tell)).await.is_err() || told.await.is_err() {
            break;
        }
        turn.count(began);
    }
    turn
}

fn write_groups(mut file: File, mut receiver: mpsc::Receiver<Wish>) -> std::io::Result<()> {
    let mut waiting = Vec::new();
    let mut body = Vec::new();
    while receiver.blocking_recv_many(&mut waiting, eventlog::GROUP_ENTRIES_MAX) > 0 {
        body.clear();
        for (entry, _) in &waiting {
            body.extend_from_slice(entry);
            body.push(b'\n');
        }
        file.write_all(&body)?;
        file.sync_data()?;
        for (_, tell) in waiting.drain(..) {
            // A client that has left does not need to know.
            let _ = tell.send(());
        }
    }
    Ok(())
}

/// The plain way: every command is a transaction of its own.
///
/// # Errors
/// When SQLite says no.
pub fn sqlite_per_command(
    directory: &Path,
    entries: &[Bytes],
    length: Duration,
) -> Result<Turn, rusqlite::Error> {
    let connection = rusqlite::Connection::open(directory.join("plain.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("create table commits (position integer primary key, body text)")?;
    let mut insert = connection.prepare("insert into commits (body) values (?1)")?;
    let mut turn = Turn::default();
    let start = Instant::now();
    for entry in entries.iter().cycle() {
        if start.elapsed() >= length {
            break;
        }
        turn.time(|| insert.execute([&entry[..]]))?;
    }
    Ok(Turn::join(vec![turn], start.elapsed()))
}
