//! The real program on a log over the protocol of EventStoreDB.

use super::database::Expected;
use super::server::Server;
use crate::cli::program::{Scratch, tranche};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// The exit code when the log cannot be reached or relied on.
const UNAVAILABLE: i32 = 4;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(dir: &Path, args: &[&str]) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn golden() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("history/0.1.0.jsonl");
    std::fs::read(path).expect("tests/history/0.1.0.jsonl")
}

#[test]
fn the_demo_over_the_protocol_is_the_committed_history_byte_for_byte() {
    let server = Server::start();
    let scratch = Scratch::new();
    let dir = scratch.path();
    let log = server.url("demo");
    let run = |args: &[&str]| done(dir, &[&["--log", &log, "--data", "cache"], args].concat());

    run(&["demo", "--once"]);
    run(&["export", "--to", "log.jsonl"]);
    let exported = std::fs::read(dir.join("log.jsonl")).expect("the exported log");
    assert!(
        exported == golden(),
        "the log over EventStoreDB differs from tests/history/0.1.0.jsonl"
    );

    let told = run(&["verify"]);
    assert!(told.contains("1 snapshot"), "the snapshot is held against the log, too: {told}");
    run(&["replay"]);
    let table = run(&["show", "budget", "--csv"]);
    let payload = r#"{"fund":"F-1","line":"02 04","source":"DEP","amount":"EUR 1.00"}"#;
    let who = ["--actor", "bea", "--role", "governing_board"];
    run(&[&["do", "fund.vote_appropriation", payload][..], &who].concat());
    assert_eq!(run(&["log"]).lines().count(), told_lines(&golden()) + 1);
    let embedded = done(dir, &["--data", "embedded", "demo", "--once"]);
    assert!(embedded.contains("Funded"));
    assert_eq!(table, done(dir, &["--data", "embedded", "show", "budget", "--csv"]));
}

fn told_lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn what_is_wrong_with_a_log_over_eventstoredb_has_its_exit_code() {
    let mut server = Server::start();
    let scratch = Scratch::new();
    let fails = |url: &str, code: i32, words: &[&str]| {
        let output = tranche(scratch.path(), &["--log", url, "demo", "--once"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{url}: {said}");
    };
    let url = server.url("log");
    let mut metadata = eventlog::kurrent::stream_metadata();
    metadata["$maxAge"] = Value::from(60);
    let event = super::database::Event {
        id: "00000000-0000-0000-0000-000000000001".to_owned(),
        properties: [("type".to_owned(), "$metadata".to_owned())].into(),
        metadata: Vec::new(),
        data: metadata.to_string().into_bytes(),
    };
    server.database.lock().append("$$log", Expected::Any, event).expect("it is new");
    fails(&url, UNAVAILABLE, &["$maxAge is 60", "must be absent"]);
    fails("kurrentdb://localhost:2113", 2, &["the stream's name"]);
    fails("esdb://me:secret@localhost/log", 2, &["no passwords here"]);
    server.kill();
    fails(&url, UNAVAILABLE, &["the log is unavailable", &server.port().to_string()]);
}
