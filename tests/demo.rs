//! The real call from opening to budgets: the published figures as of their dates, and a log that is
//! the same bytes on every run. The expected figures are the published ones
//! (`services/tranche/demo/README.md`), not what the code gave.

use eventlog::Log;
use projections::AsOf;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::engine::{Engine, EngineOptions};

const CALL: &str = "EUROHPC-2024-CEI-AI";
const ANTENNAS: &str = "HORIZON-JU-EUROHPC-2025-AIFA-01";

async fn played(log: Arc<dyn Log>) -> Engine {
    let (clock, _) = Clock::manual(tranche::demo::begins());
    let engine = Engine::open(log, clock, EngineOptions::default()).await.expect("a new log opens");
    tranche::demo::play(&engine).await.expect("the story is told");
    engine
}

async fn stored(engine: &Engine) -> String {
    let commits =
        engine.reader().read_commits(1, usize::MAX).await.expect("a log that can be read");
    commits
        .iter()
        .map(|stored| String::from_utf8(stored.bytes.to_vec()).expect("a line of text") + "\n")
        .collect()
}

/// The end of a day in Luxembourg, in winter (+01:00) or summer (+02:00).
fn end_of(day: &str, offset: &str) -> jiff::Timestamp {
    format!("{day}T23:59:59.999999{offset}").parse().expect("an instant")
}

async fn table(engine: &Engine, moment: AsOf, key: &str) -> Vec<Value> {
    let report = engine.as_of("budget", moment).await.expect("a readable log").expect("a view");
    let report = serde_json::to_value(report).expect("a report is JSON");
    let tables = report["tables"].as_array().expect("tables");
    let table = tables.iter().find(|table| table["key"] == key).expect("the table");
    table["rows"].as_array().expect("rows").clone()
}

fn row<'a>(rows: &'a [Value], column: &str, value: &str) -> &'a Value {
    rows.iter().find(|row| row[column] == value).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn the_budget_as_of_its_dates_is_as_published() {
    let engine = played(Arc::new(eventlog::Memory::new())).await;
    for (day, offset, factories, joint) in [
        ("2024-12-31", "+01:00", 7, "EUR 1500000000.00"),
        ("2025-03-31", "+02:00", 13, "EUR 1985000000.00"),
        ("2025-12-31", "+01:00", 19, "EUR 2485000000.00"),
    ] {
        let moment = AsOf { as_of: Some(end_of(day, offset)), ..AsOf::NOW };
        let calls = table(&engine, moment, "calls").await;
        let call = row(&calls, "call", CALL);
        assert_eq!((&call["funded"], &call["joint"]), (&factories.into(), &joint.into()), "{day}");
    }
    let calls = table(&engine, AsOf::NOW, "calls").await;
    let antennas = row(&calls, "call", ANTENNAS);
    assert_eq!(antennas["funded"], 13);
    assert_eq!(antennas["joint"], "EUR 110086440.58");
    assert_eq!(antennas["union"], "EUR 55043220.29");
}

#[tokio::test]
async fn before_a_claim_was_published_the_earlier_figure_is_shown() {
    let engine = played(Arc::new(eventlog::Memory::new())).await;
    for (day, total) in [("2026-02-08", "EUR 150000000.00"), ("2026-02-09", "EUR 135000000.00")] {
        let moment = AsOf { known_at: Some(end_of(day, "+01:00")), ..AsOf::NOW };
        let claims = table(&engine, moment, "claims").await;
        assert_eq!(row(&claims, "about", "grant-SLAIF")["total"], total, "{day}");
    }
}

#[tokio::test]
async fn the_history_is_the_same_bytes_on_every_log_and_as_committed() {
    let memory = stored(&played(Arc::new(eventlog::Memory::new())).await).await;
    let directory = eventlog::contract::Scratch::new();
    let log = eventlog::Sqlite::open(directory.path()).expect("a new directory");
    let engine = played(Arc::new(log)).await;
    assert_eq!(stored(&engine).await, memory, "SQLite and memory differ");
    let again = tranche::demo::play(&engine).await.expect("told again");
    let refused = |text: &str| again.iter().filter(|line| line.text.contains(text)).count();
    assert_eq!(refused("[call.envelope_exceeded"), 2, "the story is told as the first time");
    assert_eq!(stored(&engine).await, memory, "telling it twice changes nothing");

    let golden = golden_path();
    if std::env::var_os("UPDATE_EXPECT").is_some() && !golden.exists() {
        std::fs::write(&golden, &memory).expect("a writable repository");
    }
    let committed = std::fs::read_to_string(&golden).expect("tests/history/0.1.0.jsonl");
    for (number, (was, is)) in committed.lines().zip(memory.lines()).enumerate() {
        assert_eq!(was, is, "the history changed at position {}", number + 1);
    }
    assert_eq!(committed.len(), memory.len(), "the history changed its length");
}

fn golden_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("history/0.1.0.jsonl")
}
