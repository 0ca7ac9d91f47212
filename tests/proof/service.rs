//! The running service: it serves its tree, records checkpoints when one is due, and raises the alarm
//! when a bit on the disk is not what it was.

use super::{Published, attacks, done, said};
use crate::cli::program::tranche;
use crate::client::Client;
use crate::kill::Served;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long something may take that must come about at last.
const AT_LAST: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

async fn text(client: &mut Client, path: &str) -> String {
    let answer = client.get(path).await.expect("an answer");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    String::from_utf8(answer.body).expect("text")
}

/// A figure of `/metrics`.
async fn figure(client: &mut Client, name: &str) -> u64 {
    let metrics = text(client, "/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a whole number")
}

async fn until(client: &mut Client, name: &str, is_wanted: impl Fn(u64) -> bool) -> u64 {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let found = figure(client, name).await;
        if is_wanted(found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{name} is {found}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes what a server gives under a path to the site.
async fn fetch(client: &mut Client, dir: &Path, path: &str) -> bool {
    let answer = client.get(&format!("/{path}")).await.expect("an answer");
    if answer.status == 200 {
        let file = dir.join("site").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, answer.body).unwrap();
    }
    answer.status == 200
}

#[tokio::test]
async fn a_service_serves_the_tree_and_records_a_checkpoint_when_somebody_asks() {
    let published = Published::new();
    let dir = published.dir();
    std::fs::remove_dir_all(dir.join("site")).unwrap();
    let served = Served::with(dir, &["--data", "log"], &["--key", "key"]);
    let client = &mut Client::connect(served.address).await.unwrap();
    // None was ever recorded, so the first one is due.
    let before = until(client, "tranche_checkpoint_commits", |size| size > 0).await;
    let ask = br#"{"reason":"the auditors are here"}"#;
    let asked = client.command("checkpoint.request", "ask-1", ("ann", "auditor"), ask).await;
    assert_eq!(asked.unwrap().status, 201);
    let after = until(client, "tranche_checkpoint_commits", |size| size > before).await;
    assert!(after > before + 1, "{after} commits are covered, with the request");
    // A stranger fetches what the specification says, and checks it with a program of their own.
    assert!(fetch(client, dir, "checkpoint").await);
    let size = published.size();
    for level in ["0", "1", "2", "entries"] {
        for index in 0..=size / 256 {
            let full = format!("tile/{level}/{index:03}");
            for width in (1..256).rev().map(|width| format!("{full}.p/{width}")) {
                if fetch(client, dir, &full).await || fetch(client, dir, &width).await {
                    break;
                }
            }
        }
    }
    let verified = published.verify(&[]);
    assert!(verified.status.success(), "{}", said(&verified));
    // A proof of one commit, which our own program checks without the log.
    let (proof, commit) = (text(client, "/proofs/7").await, text(client, "/log/7").await);
    std::fs::write(dir.join("7.tlog-proof"), proof).unwrap();
    std::fs::write(dir.join("7.json"), commit).unwrap();
    let told = done(dir, &["proof", "check", "7.tlog-proof", "7.json", "--public", "public"]);
    assert!(told.contains("it is in the log"), "{told}");
    for (path, status) in [
        ("/tile/0/x000/000", 404),
        ("/tile/9/000", 404),
        ("/tile/../checkpoint", 404),
        ("/proofs/0", 404),
        ("/proofs/999999", 404),
        ("/proofs/seven", 400),
    ] {
        assert_eq!(client.get(path).await.unwrap().status, status, "{path}");
    }
    served.kill();
    // What was recorded is held against the log, like what is kept beside it.
    assert!(done(dir, &["--data", "log", "verify"]).contains(" checkpoint"));
}

#[tokio::test]
async fn one_bit_that_flips_on_the_disk_raises_the_alarm() {
    let published = Published::new();
    let dir = published.dir();
    let served = Served::with(dir, &["--data", "log"], &["--verify-every", "1"]);
    let client = &mut Client::connect(served.address).await.unwrap();
    until(client, "tranche_verified_position", |position| position > 0).await;
    assert_eq!(figure(client, "tranche_verification_findings").await, 0);
    let path = dir.join("log/log.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let mark = b"call.open";
    let at = bytes.windows(mark.len()).position(|window| window == mark).expect("it is there");
    bytes[at] ^= 1;
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&bytes[at..=at], u64::try_from(at).unwrap()).unwrap();
    until(client, "tranche_verification_findings", |findings| findings > 0).await;
    served.kill();
    let output = tranche(dir, &["--data", "log", "verify"]);
    assert!(!output.status.success() && said(&output).contains("crc32"), "{}", said(&output));
}

#[tokio::test]
async fn a_commit_that_was_edited_in_the_last_tile_is_named_in_the_log_of_the_service() {
    edited_under(&["--key", "key", "--verify-every", "1"]).await;
}

/// It signs nothing, and holds the log against the tree that an instance with the key has left.
#[tokio::test]
async fn a_service_without_the_key_names_it_too() {
    edited_under(&["--verify-every", "1"]).await;
}

async fn edited_under(serve: &[&str]) {
    let published = Published::new();
    let dir = published.dir();
    let last = published.size() - 5;
    assert!(last / 256 == published.size() / 256, "it is in the last tile");
    let served = Served::with(dir, &["--data", "log"], serve);
    let client = &mut Client::connect(served.address).await.unwrap();
    until(client, "tranche_verified_position", |position| position > 0).await;
    attacks::edited(dir, last);
    until(client, "tranche_verification_findings", |findings| findings > 0).await;
    let said = served.kill_and_hear();
    let named = format!("position {last}");
    assert!(said.lines().any(|line| line.contains(&named) && line.contains("ERROR")), "{said}");
}

#[tokio::test]
async fn the_first_verification_does_not_wait_for_an_hour() {
    let published = Published::new();
    let served = Served::with(published.dir(), &["--data", "log"], &["--verify-every", "3600"]);
    let client = &mut Client::connect(served.address).await.unwrap();
    until(client, "tranche_verified_position", |position| position > 0).await;
    assert_eq!(figure(client, "tranche_verification_findings").await, 0);
    served.kill();
}

#[tokio::test]
async fn without_a_key_nothing_is_signed_and_the_answer_says_so() {
    let published = Published::new();
    let served = Served::with(published.dir(), &["--data", "log"], &[]);
    let client = &mut Client::connect(served.address).await.unwrap();
    for path in ["/checkpoint", "/tile/0/000", "/proofs/1"] {
        let answer = client.get(path).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("--key"), "{answer:?}");
    }
    served.kill();
}
