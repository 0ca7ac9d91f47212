//! `tranche log copy`, and what it is for: a back-up taken while the service runs, the original lost,
//! and the work going on from the copy.

#[cfg(feature = "kurrent")]
mod kurrent;
#[cfg(feature = "nats")]
mod nats;
mod restore;

use crate::cli::program::{Scratch, command, directory, tranche};
use bytes::Bytes;
use eventlog::{Group, Log, Sqlite};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a copy may take on a busy machine.
const AT_LAST: Duration = Duration::from_secs(120);
/// The pause before something is looked at again.
const PAUSE: Duration = Duration::from_millis(2);

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) -> String {
    let output = tranche(dir, args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Copies, and returns what is told as JSON.
#[track_caller]
fn copied(dir: &Path, from: &str, to: &str) -> Value {
    let told = done(dir, &["log", "copy", from, to, "--json"]);
    assert_eq!(told.lines().count(), 1, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["source_sha256"], told["target_sha256"]);
    told
}

#[track_caller]
fn refused(dir: &Path, from: &str, to: &str, code: i32, words: &str) {
    let output = tranche(dir, &["log", "copy", from, to]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// Appends groups of 1 to 5 entries to a new log in a directory.
async fn fill(dir: &Path, groups: u64, text: &str) -> Vec<Group> {
    let log = Sqlite::open(dir).unwrap();
    let mut head = log.head().await.unwrap();
    for number in 0..groups {
        let entries = (0..=number % 5).map(|part| Bytes::from(format!("{text} {number}.{part}")));
        head = log.append(head, entries.collect()).await.unwrap();
    }
    all(&log).await
}

async fn all(log: &dyn Log) -> Vec<Group> {
    log.read(1, usize::MAX).await.unwrap()
}

/// Kills copies in the middle until one comes to its end, and returns how many were killed.
async fn copy_under_kills(dir: &Path, from: &str, to: &str, target: &Target<'_>) -> u32 {
    /// Each copy is killed when it has come so much further.
    const STEP: u64 = 200;
    let (mut kills, mut last) = (0, 0);
    loop {
        let mut child = command(directory().join("tranche"), dir)
            .args(["log", "copy", from, to])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let deadline = Instant::now() + AT_LAST;
        let ended = loop {
            let ended = child.try_wait().expect("a child can be asked");
            if ended.is_some() || head(target).await >= last + STEP {
                break ended;
            }
            assert!(Instant::now() < deadline, "the copy does not get on");
            tokio::time::sleep(PAUSE).await;
        };
        if ended.is_none() {
            child.kill().expect("it can be killed");
        }
        let output = child.wait_with_output().expect("its end");
        if output.status.success() {
            return kills;
        }
        assert_eq!(output.status.code(), None, "{}", said(&output));
        kills += 1;
        last = head(target).await;
    }
}

/// Where a target is looked at from outside.
enum Target<'a> {
    Directory(&'a Path),
    #[cfg(feature = "nats")]
    Stream(&'a eventlog::nats::Options),
    #[cfg(feature = "kurrent")]
    Database(&'a eventlog::kurrent::Options),
}

impl Target<'_> {
    async fn open(&self) -> Result<Arc<dyn Log>, eventlog::Error> {
        match self {
            Self::Directory(dir) => Ok(Arc::new(Sqlite::open_read_only(dir)?)),
            #[cfg(feature = "nats")]
            Self::Stream(stream) => Ok(Arc::new(eventlog::Nats::open_read_only(stream).await?)),
            #[cfg(feature = "kurrent")]
            Self::Database(stream) => {
                Ok(Arc::new(eventlog::Kurrent::open_read_only(stream).await?))
            }
        }
    }
}

/// Its head; 0 while it is not there.
async fn head(target: &Target<'_>) -> u64 {
    match target.open().await {
        Ok(log) => log.head().await.unwrap_or(0),
        Err(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_again_and_again_comes_to_its_end() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let groups = fill(&dir.join("from"), 1_000, "entry").await;
    let to = dir.join("to");
    let target = Target::Directory(&to);
    let kills = copy_under_kills(dir, "sqlite:from", "sqlite:to", &target).await;
    assert!(kills >= 2, "only {kills} copies were killed in the middle");
    assert_eq!(all(&*target.open().await.unwrap()).await, groups);
}

#[test]
fn the_digest_is_what_sha256sum_says_of_the_exported_log() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    done(dir, &["--data", "demo", "demo", "--once"]);
    let told = copied(dir, "sqlite:demo", "sqlite:copy");
    for log in ["sqlite:demo", "sqlite:copy"] {
        let file = format!("{}.jsonl", &log[7..]);
        done(dir, &["--log", log, "export", "--to", &file]);
        let output = command("sha256sum", dir).arg(&file).output().expect("sha256sum");
        let sum = String::from_utf8(output.stdout).unwrap();
        let sum = sum.split(' ').next().unwrap();
        assert_eq!(told["source_sha256"].as_str(), Some(sum), "{log}");
    }
    done(dir, &["--log", "sqlite:copy", "verify"]);
    let text = done(dir, &["log", "copy", "sqlite:demo", "sqlite:copy"]);
    let expected = format!(
        "last position {}: copied 0 commits in 0 groups\nsource  sha256 {sum}\n\
         target  sha256 {sum}  (read back)\n",
        told["head"],
        sum = told["source_sha256"].as_str().unwrap(),
    );
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_flipped_byte_in_the_source_is_found_and_nothing_is_made() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fill(&dir.join("from"), 50, "entry").await;
    let path = dir.join("from/log.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|window| window == b"entry 30").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    refused(dir, "sqlite:from", "sqlite:to", 5, "crc32");
    assert!(!dir.join("to").exists());
}

#[tokio::test]
async fn a_target_with_another_history_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fill(&dir.join("from"), 20, "entry").await;
    fill(&dir.join("longer"), 21, "entry").await;
    let start = &fill(&dir.join("other"), 3, "entry").await;
    let other = fill(&dir.join("other"), 4, "foreign").await;
    let position = start.last().unwrap().last() + 1;
    let words = format!("differ at position {position}");
    refused(dir, "sqlite:from", "sqlite:other", 3, &words);
    assert_eq!(all(&Sqlite::open_read_only(&dir.join("other")).unwrap()).await, other);
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fill(&dir.join("from"), 20, "entry").await;
    fill(&dir.join("longer"), 21, "entry").await;
    std::os::unix::fs::symlink(dir.join("from"), dir.join("link")).unwrap();
    refused(dir, "sqlite:from", "sqlite:longer", 3, "the target is longer");
    refused(dir, "sqlite:from", "sqlite:from", 2, "is both FROM and TO");
    refused(dir, "sqlite:from", "sqlite:link", 2, "is both FROM and TO");
    refused(dir, "sqlite:from", "memory:", 2, "in memory");
    refused(dir, "sqlite:nowhere", "sqlite:to", 3, "there is no log in nowhere");
    refused(dir, "from", "sqlite:to", 2, "expected sqlite:DIR");
    assert!(!dir.join("to").exists());
    let output = tranche(dir, &["--data", "from", "log", "copy", "sqlite:from", "sqlite:to"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let writer = Sqlite::open(&dir.join("held")).unwrap();
    refused(dir, "sqlite:from", "sqlite:held", 4, "another writer");
    assert_eq!(writer.head().await, Ok(0));
}
