//! How fast groups become durable: a raw file, SQLite with other settings, and the adapter.
//!
//! `cargo run --release -p eventlog --example append_bench -- DIRECTORY [ROUNDS]`, on the disk that
//! matters. The stores take turns, so that noise of the machine falls on all of them; compare the
//! lines of one run with each other.
#![expect(clippy::print_stdout, reason = "the program is there to print")]

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{Log, Sqlite};
use rusqlite::Connection;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ENTRY_BYTES: usize = 450;
/// A group of one entry, of about 100 kB, and of about 1 MB.
const SHAPES: [usize; 3] = [1, 222, 2_216];
/// How long one store has its turn.
const TURN: Duration = Duration::from_secs(1);
/// The raw file that does not grow is this long, and is written over from the start when full.
const PREALLOCATED_BYTES: u64 = 64 << 20;

/// The length of the log that is opened in the end.
const OPENED_GROUPS: u32 = 2_000;

/// Something to append to.
#[derive(Clone, Copy)]
enum Store {
    Raw { is_growing: bool },
    Sqlite { page_bytes: u32, wal_mb: u32 },
    Adapter,
}

const STORES: [Store; 13] = [
    Store::Raw { is_growing: true },
    Store::Raw { is_growing: false },
    Store::Sqlite { page_bytes: 4_096, wal_mb: 4 },
    Store::Sqlite { page_bytes: 4_096, wal_mb: 16 },
    Store::Sqlite { page_bytes: 8_192, wal_mb: 4 },
    Store::Sqlite { page_bytes: 16_384, wal_mb: 4 },
    Store::Sqlite { page_bytes: 16_384, wal_mb: 16 },
    Store::Sqlite { page_bytes: 16_384, wal_mb: 64 },
    Store::Sqlite { page_bytes: 32_768, wal_mb: 4 },
    Store::Sqlite { page_bytes: 32_768, wal_mb: 16 },
    Store::Sqlite { page_bytes: 65_536, wal_mb: 4 },
    Store::Sqlite { page_bytes: 65_536, wal_mb: 16 },
    Store::Adapter,
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root: PathBuf = arguments.next().ok_or("which directory?")?.into();
    let rounds: u32 = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let dir = root.join("append-bench");
    println!("  entries  store                            groups/s     MB/s   p50 us   p99 us");
    for entries in SHAPES {
        let entry = format!("{{\"text\":\"{}\"}}", "x".repeat(ENTRY_BYTES - 11));
        let group = vec![Bytes::from(entry); entries];
        let mut timings = STORES.map(|_| Timings::default());
        for _ in 0..rounds {
            for (store, timings) in STORES.iter().zip(&mut timings) {
                store.take_turn(&dir, &group, timings)?;
            }
        }
        for (store, timings) in STORES.iter().zip(timings) {
            timings.print(&store.name(), &group);
        }
    }
    opening(&dir)?;
    Ok(fs::remove_dir_all(&dir)?)
}

/// Prints how long it takes to open a log, which reads and checks all of it.
fn opening(dir: &Path) -> Result<()> {
    let group = vec![Bytes::from("x".repeat(ENTRY_BYTES)); SHAPES[1]];
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    fs::remove_dir_all(dir)?;
    let log = Sqlite::open(dir)?;
    let mut head = 0;
    for _ in 0..OPENED_GROUPS {
        head = runtime.block_on(log.append(head, group.clone()))?;
    }
    drop(log);
    let start = Instant::now();
    drop(Sqlite::open(dir)?);
    println!("opening a log of {head} entries: {} ms", start.elapsed().as_millis());
    Ok(())
}

impl Store {
    fn name(self) -> String {
        match self {
            Store::Raw { is_growing: true } => "raw file, growing".to_owned(),
            Store::Raw { is_growing: false } => "raw file, preallocated".to_owned(),
            Store::Sqlite { page_bytes, wal_mb } => {
                format!("SQLite, page {page_bytes}, WAL {wal_mb} MB")
            }
            Store::Adapter => "eventlog::Sqlite".to_owned(),
        }
    }

    fn take_turn(self, dir: &Path, group: &[Bytes], timings: &mut Timings) -> Result<()> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        match self {
            Store::Raw { is_growing } => raw(dir, group, is_growing, timings),
            Store::Sqlite { page_bytes, wal_mb } => {
                sqlite(dir, group, page_bytes, (wal_mb << 20) / page_bytes, timings)
            }
            Store::Adapter => adapter(dir, group, timings),
        }
    }
}

fn raw(dir: &Path, group: &[Bytes], is_growing: bool, timings: &mut Timings) -> Result<()> {
    let mut file = File::create(dir.join("raw"))?;
    let length = if is_growing { u64::MAX } else { PREALLOCATED_BYTES };
    if !is_growing {
        file.write_all(&vec![0; usize::try_from(length)?])?;
        file.sync_all()?;
        file.rewind()?;
    }
    let mut at = 0;
    timings.run(group, |_| {
        let body = body(group);
        black_box(crc32fast::hash(body.as_bytes()));
        if at + body.len() as u64 > length {
            file.rewind()?;
            at = 0;
        }
        at += body.len() as u64;
        file.write_all(body.as_bytes())?;
        Ok(file.sync_data()?)
    })
}

fn sqlite(
    dir: &Path,
    group: &[Bytes],
    page_bytes: u32,
    wal_pages: u32,
    timings: &mut Timings,
) -> Result<()> {
    let connection = Connection::open(dir.join("log.sqlite"))?;
    connection.pragma_update(None, "page_size", page_bytes)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", wal_pages)?;
    connection.execute_batch(
        "CREATE TABLE groups (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
         crc32 INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    )?;
    let mut insert = connection.prepare("INSERT INTO groups VALUES (?1, ?2, ?3, ?4)")?;
    timings.run(group, |head| {
        let (body, head) = (body(group), i64::try_from(head)?);
        let last = head + i64::try_from(group.len())?;
        insert.execute((head + 1, last, crc32fast::hash(body.as_bytes()), body))?;
        Ok(())
    })
}

fn adapter(dir: &Path, group: &[Bytes], timings: &mut Timings) -> Result<()> {
    let log = Sqlite::open(dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    timings.run(group, |head| {
        runtime.block_on(log.append(head, group.to_vec()))?;
        Ok(())
    })
}

fn body(group: &[Bytes]) -> String {
    let mut body = String::with_capacity(group.len() * (ENTRY_BYTES + 1));
    for entry in group {
        body.push_str(str::from_utf8(entry).unwrap_or_default());
        body.push('\n');
    }
    body.pop();
    body
}

/// How long each append took, over all turns of a store.
#[derive(Default)]
struct Timings {
    micros: Vec<u128>,
}

impl Timings {
    /// Appends one group after the other, from an empty log on, until the turn is over.
    fn run(&mut self, group: &[Bytes], mut append: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let (start, mut head) = (Instant::now(), 0);
        while start.elapsed() < TURN {
            let before = Instant::now();
            append(head)?;
            self.micros.push(before.elapsed().as_micros());
            head += group.len() as u64;
        }
        Ok(())
    }

    fn print(mut self, store: &str, group: &[Bytes]) {
        self.micros.sort_unstable();
        let (count, total) = (self.micros.len(), self.micros.iter().sum::<u128>());
        let rate = count as u128 * 1_000_000 / total;
        let megabytes = (count * body(group).len()) as u128 / total;
        let (p50, p99) = (self.micros[count / 2], self.micros[count * 99 / 100]);
        let entries = group.len();
        println!("{entries:>9}  {store:<31}{rate:>10}{megabytes:>9}{p50:>9}{p99:>9}");
    }
}
