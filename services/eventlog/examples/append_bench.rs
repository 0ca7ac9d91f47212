//! How fast groups become durable: a raw file, SQLite with other settings, and the adapter.
//!
//! `cargo run --release -p eventlog --example append_bench -- DIRECTORY [SECONDS]`, on the disk that
//! matters and while the machine is quiet. Compare the lines of one run with each other.
#![expect(clippy::print_stdout, reason = "the program is there to print")]

use std::error::Error;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{Log, Sqlite};
use rusqlite::Connection;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ENTRY_BYTES: usize = 450;
const SHAPES: [(&str, usize); 3] = [("1 entry", 1), ("100 kB", 222), ("1 MB", 2_216)];
const PAGES: [u32; 5] = [4_096, 8_192, 16_384, 32_768, 65_536];
const WAL_BYTES: [u32; 3] = [4 << 20, 16 << 20, 64 << 20];
/// The raw file that does not grow is this long, and is written over from the start when full.
const PREALLOCATED_BYTES: u64 = 256 << 20;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root: PathBuf = arguments.next().ok_or("which directory?")?.into();
    let seconds = arguments.next().map_or(Ok(2), |seconds| seconds.parse())?;
    let bench = Bench { dir: root.join("append-bench"), length: Duration::from_secs(seconds) };
    println!(
        "{:<10}{:<44}{:>10}{:>9}{:>9}{:>9}",
        "group", "store", "groups/s", "MB/s", "p50 us", "p99 us"
    );
    for (shape, entries) in SHAPES {
        let entry = format!("{{\"text\":\"{}\"}}", "x".repeat(ENTRY_BYTES - 11));
        let group = vec![Bytes::from(entry); entries];
        bench.raw(shape, &group, 0)?;
        bench.raw(shape, &group, PREALLOCATED_BYTES)?;
        for page in PAGES {
            for wal in WAL_BYTES {
                bench.sqlite(shape, &group, page, wal)?;
            }
        }
        bench.adapter(shape, &group)?;
    }
    std::fs::remove_dir_all(&bench.dir)?;
    Ok(())
}

struct Bench {
    dir: PathBuf,
    length: Duration,
}

impl Bench {
    fn raw(&self, shape: &str, group: &[Bytes], preallocated: u64) -> Result<()> {
        let body = join(group);
        let mut file = File::create(self.fresh()?.join("raw"))?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..preallocated >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        file.rewind()?;
        let mut at = 0;
        let name = if preallocated > 0 { "raw file, preallocated" } else { "raw file, growing" };
        self.measure(shape, name, group, |_| {
            if preallocated > 0 && at + body.len() as u64 > preallocated {
                file.rewind()?;
                at = 0;
            }
            at += body.len() as u64;
            file.write_all(body.as_bytes())?;
            Ok(file.sync_data()?)
        })
    }

    fn sqlite(&self, shape: &str, group: &[Bytes], page: u32, wal: u32) -> Result<()> {
        let connection = Connection::open(self.fresh()?.join("log.sqlite"))?;
        connection.pragma_update(None, "page_size", page)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", wal / page)?;
        connection.execute_batch(
            "CREATE TABLE groups (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
             crc32 INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
        )?;
        let mut insert = connection.prepare("INSERT INTO groups VALUES (?1, ?2, 0, ?3)")?;
        let name = format!("SQLite, pages {page}, WAL {} MB", wal >> 20);
        self.measure(shape, &name, group, |head| {
            // With the work that the adapter does too: the join and the checksum.
            let body = join(group);
            std::hint::black_box(crc32fast::hash(body.as_bytes()));
            let head = i64::try_from(head)?;
            insert.execute((head + 1, head + i64::try_from(group.len())?, body))?;
            Ok(())
        })
    }

    fn adapter(&self, shape: &str, group: &[Bytes]) -> Result<()> {
        let log = Sqlite::open(&self.fresh()?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        self.measure(shape, "eventlog::Sqlite", group, |head| {
            runtime.block_on(log.append(head, group.to_vec()))?;
            Ok(())
        })
    }

    /// Appends one group after the other, from position 1 on, and prints a line.
    fn measure(
        &self,
        shape: &str,
        store: &str,
        group: &[Bytes],
        mut append: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let (mut head, mut micros) = (0, Vec::new());
        let start = Instant::now();
        while start.elapsed() < self.length {
            let before = Instant::now();
            append(head)?;
            micros.push(before.elapsed().as_micros());
            head += group.len() as u64;
        }
        let (count, elapsed) = (micros.len() as u128, start.elapsed().as_micros());
        micros.sort_unstable();
        let rate = count * 1_000_000 / elapsed;
        let megabytes = count * join(group).len() as u128 / elapsed;
        let (p50, p99) = (micros[micros.len() / 2], micros[micros.len() * 99 / 100]);
        println!("{shape:<10}{store:<44}{rate:>10}{megabytes:>9}{p50:>9}{p99:>9}");
        Ok(())
    }

    fn fresh(&self) -> Result<PathBuf> {
        remove(&self.dir)?;
        std::fs::create_dir_all(&self.dir)?;
        Ok(self.dir.clone())
    }
}

fn join(group: &[Bytes]) -> String {
    let mut body = String::with_capacity(group.len() * (ENTRY_BYTES + 1));
    for (index, entry) in group.iter().enumerate() {
        if index > 0 {
            body.push('\n');
        }
        body.push_str(str::from_utf8(entry).unwrap_or_default());
    }
    body
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}
