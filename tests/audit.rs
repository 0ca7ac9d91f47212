//! The auditor's workbench from outside: what the program draws and projects is what a Python script draws
//! and projects from the written rule alone, and a recorded sample cannot be another.

use crate::cli::program::{Scratch, command, directory};
use bytes::Bytes;
use domain::Commit;
use domain::kernel::canonical::Sha256Hex;
use eventlog::Log;
use serde_json::{Value, json};
use std::path::Path;

/// So many payments, of which a few are large.
const PAYMENTS: u64 = 300;
const ROOT: &str = "5f0c2a9be1d4473386aa5be0c7f19d2e4b86137fd0a9c855e32f641b7d980cae";
const NONCE: [u8; 32] = [9; 32];

fn nonce() -> String {
    Sha256Hex(NONCE).to_string()
}

/// What stands in the log before any audit: one fund, three grants, and their payments.
fn history() -> Vec<Bytes> {
    let eur = |cents: u64| format!("EUR {}.{:02}", cents / 100, cents % 100);
    let mut commits = vec![vec![
        (
            "fund-F",
            json!({ "type": "fund.AppropriationVoted", "data": { "amount": eur(900_000_000_000), "line": "L", "source": "DEP" } }),
        ),
        (
            "fund-F",
            json!({ "type": "fund.GloballyCommitted", "data": { "amount": eur(900_000_000_000), "call": "C", "commitment": "R1", "line": "L", "round": "1", "source": "DEP" } }),
        ),
    ]];
    for grant in ["A", "B", "C"] {
        let amount = eur(300_000_000_000);
        commits.push(vec![
            ("fund-F", json!({ "type": "fund.IndividuallyCommitted", "data": { "amount": amount, "commitment": "R1", "grant": grant } })),
            ("fund-F", json!({ "type": "fund.LegallyCommitted", "data": { "amount": amount, "grant": grant } })),
        ]);
    }
    let mut streams = Vec::new();
    for number in 0..PAYMENTS {
        let large = if number % 60 == 0 { 400_000_000 } else { 0 };
        let cents = 1 + large + (number * 7_919_003) % 10_000_000;
        let (grant, stream) =
            (["A", "B", "C"][usize::try_from(number % 3).unwrap()], format!("payment-P{number}"));
        streams.push((stream, eur(cents), grant));
    }
    for (stream, amount, grant) in &streams {
        let payment = stream.trim_start_matches("payment-");
        commits.push(vec![
            (stream, json!({ "type": "payment.Initiated", "data": { "amount": amount, "clause": "c", "fund": "F", "grant": grant, "kind": "pre_financing", "net": amount } })),
            (stream, json!({ "type": "payment.Executed", "data": { "end_to_end_id": payment } })),
            ("fund-F", json!({ "type": "fund.Paid", "data": { "amount": amount, "grant": grant, "payment": payment } })),
        ]);
    }
    let mut versions = std::collections::BTreeMap::new();
    (1_u64..).zip(commits).map(|(position, events)| {
        let at = format!("2025-03-03T10:{:02}:{:02}Z", position / 60, position % 60);
        let events: Vec<Value> = events.into_iter().map(|(stream, mut event)| {
            let version = versions.entry(stream.to_owned()).and_modify(|it| *it += 1).or_insert(1_u64);
            let rest = json!({ "effective_at": at, "schema_version": 1, "stream": stream, "version": *version });
            event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            event
        }).collect();
        let commit = json!({ "actor": { "id": "engine", "role": "system" }, "command": "test.given",
            "command_hash": "0".repeat(64), "command_id": format!("given/{position}"),
            "commit_id": "0191dbf2-3c00-7a1b-8000-000000000000", "decided_on": {}, "events": events,
            "position": position, "received_at": at, "recorded_at": at });
        let commit = Commit::decode(commit.to_string().as_bytes()).unwrap();
        Bytes::from(commit.encode().unwrap())
    }).collect()
}

async fn logged(dir: &Path) {
    let log = eventlog::Sqlite::open(&dir.join("log")).unwrap();
    log.append(0, history()).await.unwrap();
}

/// What a program says on standard output; it must succeed.
fn said(dir: &Path, program: &str, args: &[&str]) -> String {
    let output = command(program, dir).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn tranche(dir: &Path, args: &[&str]) -> String {
    let program = directory().join("tranche");
    said(dir, program.to_str().unwrap(), &[&["--data", "log"], args].concat())
}

fn script(dir: &Path, args: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/sample.py");
    said(dir, "python3", &[&[script.to_str().unwrap()], args].concat())
}

fn python(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&script(dir, args)).unwrap()
}

fn rows<'a>(report: &'a Value, key: &str) -> &'a Vec<Value> {
    let mut tables = report["tables"].as_array().unwrap().iter();
    tables.find(|table| table["key"] == key).unwrap()["rows"].as_array().unwrap()
}

fn figure<'a>(report: &'a Value, name: &str) -> &'a str {
    let design = rows(report, "design").iter().find(|row| row["figure"] == name).unwrap();
    design["value"].as_str().unwrap()
}

/// Name, cents and stratum of each drawn item.
fn drawn(rows: &[Value]) -> Value {
    let item = |row: &Value| json!([row["item"], cents(&row["book"]), row["top"] == "yes"]);
    rows.iter().map(item).collect()
}

fn cents(amount: &Value) -> i64 {
    let digits = amount.as_str().unwrap().replace("EUR ", "").replace('.', "");
    digits.parse().unwrap()
}

fn agrees(theirs: &Value, ours: &Value) {
    assert_eq!(theirs["size"].to_string(), figure(ours, "size (n)"));
    for name in ["seed", "population_sha256"] {
        assert_eq!(theirs[name], figure(ours, name), "{name}");
    }
    assert_eq!(theirs["items"], drawn(rows(ours, "sample")));
}

#[tokio::test]
async fn python_draws_the_same_sample() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    logged(dir).await;
    tranche(dir, &["audit", "export", "payments", "--to", "population.csv"]);
    let nonce = nonce();
    let seed = ["--root", ROOT, "--nonce", &nonce, "--json"];
    for (assurance, materiality, expected) in [
        ("95%", "125000000", "0"),
        ("90%", "250000000", "12500000"),
        ("80%", "70000000", "5000000"),
    ] {
        let euro = |cents: &str| format!("EUR {}", cents.strip_suffix("00").unwrap_or("0"));
        let (tm, em) = (euro(materiality), euro(expected));
        let asked =
            ["audit", "sample", "--assurance", assurance, "--materiality", &tm, "--expected", &em];
        let ours = tranche(dir, &[&asked[..], &seed].concat());
        let ours: Value = serde_json::from_str(&ours).unwrap();
        let asked = ["draw", "population.csv", assurance, materiality, expected, ROOT, &nonce];
        agrees(&python(dir, &asked), &ours);
        let top = rows(&ours, "sample").iter().filter(|row| row["top"] == "yes").count();
        assert!(top > 0 && top < rows(&ours, "sample").len(), "{top} are all taken");
    }
    let asked =
        ["audit", "sample", "--by", "attribute", "--tolerable", "1/20", "--expected-rate", "1/100"];
    let ours = tranche(dir, &[&asked[..], &seed].concat());
    let asked = ["attribute", "population.csv", "95%", "1/20", "1/100", ROOT, &nonce];
    agrees(&python(dir, &asked), &serde_json::from_str(&ours).unwrap());
    let factors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/src/sampling/factors.rs");
    assert_eq!(script(dir, &["factors", factors.to_str().unwrap()]), "153 factors\n");
}

/// Gives a command as the auditor.
fn auditor(dir: &Path, name: &str, data: &Value) {
    let clock = "2026-01-05T09:00:00Z";
    let data = data.to_string();
    tranche(
        dir,
        &["do", name, "--actor", "auditor-1", "--role", "auditor", "--clock", clock, &data],
    );
}

#[tokio::test]
async fn an_engagement_draws_what_anybody_draws_and_python_projects_the_same_error() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    logged(dir).await;
    tranche(dir, &["audit", "export", "payments", "--to", "population.csv"]);
    auditor(
        dir,
        "audit.open",
        &json!({ "audit": "E", "plan": { "answer_days": 30, "assurance": "95%",
        "from": "2025-01-01", "to": "2025-12-31", "zone": "Europe/Luxembourg", "title": "Payments",
        "population": "payments",
        "method": { "by": "monetary_unit", "materiality": "EUR 2000000", "expected": "EUR 0" } } }),
    );
    auditor(
        dir,
        "audit.commit_nonce",
        &json!({ "audit": "E", "commitment": Sha256Hex::of(&NONCE) }),
    );
    tranche(dir, &["proof", "key", "log.example/audit", "--to", "key"]);
    tranche(dir, &["proof", "record", "--key", "key", "--clock", "2026-01-05T09:00:00Z"]);
    let checkpoints: Value =
        serde_json::from_str(&tranche(dir, &["show", "checkpoints", "--json"])).unwrap();
    let newest = &rows(&checkpoints, "recorded")[0];
    let root = newest["root"].as_str().unwrap();
    assert_eq!(newest["size"], history().len() + 2);
    auditor(
        dir,
        "audit.draw",
        &json!({ "audit": "E", "nonce": nonce(),
            "checkpoint": { "root": newest["root"], "size": newest["size"] } }),
    );
    tranche(dir, &["audit", "check", "E"]);
    let project = |dir: &Path| -> Value {
        let asked = ["audit", "project", "--stream", "audit-E", "--json"];
        serde_json::from_str(&tranche(dir, &asked)).unwrap()
    };
    let items = rows(&project(dir), "items").clone();
    let mut errors = Vec::new();
    for (number, row) in items.iter().enumerate() {
        // Every fourth is in error, by a share that differs; one is wrong as a whole.
        let (name, book) = (row["item"].as_str().unwrap(), cents(&row["book"]));
        let number = i64::try_from(number).unwrap();
        let audited = if number % 4 == 3 { book * (number % 7) / 8 } else { book };
        let amount = format!("EUR {}.{:02}", audited / 100, audited % 100);
        auditor(
            dir,
            "audit.test",
            &json!({ "audit": "E", "item": name, "audited": amount, "note": "seen" }),
        );
        if audited != book {
            errors.push(format!("{name}={audited}"));
        }
    }
    assert!(errors.len() > 3, "{errors:?}");
    let nonce = nonce();
    let mut asked = vec!["draw", "population.csv", "95%", "200000000", "0", root, &nonce];
    asked.extend(errors.iter().map(String::as_str));
    let theirs = python(dir, &asked);
    let ours = project(dir);
    assert_eq!(theirs["items"], drawn(rows(&ours, "items")));
    let result = &rows(&ours, "results")[0];
    for name in ["likely", "basic", "allowance", "limit"] {
        assert_eq!(theirs[name], cents(&result[name]), "{name}");
    }
    let within = theirs["limit"].as_i64().unwrap() <= 200_000_000;
    assert_eq!(result["within"] == "yes", within);
}

#[tokio::test]
async fn exports_carry_their_control_totals() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    logged(dir).await;
    for (what, amount, sums) in [
        ("payments", "amount", &["amount"][..]),
        ("postings", "Functional_Amount", &["debit", "credit"]),
    ] {
        let file = format!("{what}.csv");
        tranche(dir, &["audit", "export", what, "--to", &file]);
        let text = std::fs::read_to_string(dir.join(&file)).unwrap();
        let totals = std::fs::read_to_string(dir.join(format!("{file}.totals.csv"))).unwrap();
        let total = |name: &str| -> String {
            let line = totals.lines().find_map(|line| line.strip_prefix(&format!("{name},")));
            line.unwrap_or_else(|| panic!("no {name} in {totals}")).to_owned()
        };
        assert_eq!(total("lines"), (text.lines().count() - 1).to_string());
        assert_eq!(total("sha256"), Sha256Hex::of(text.as_bytes()).to_string());
        let mut head = text.lines().next().unwrap().split(',');
        let column = head.position(|name| name == amount).unwrap();
        let sum: i64 = text
            .lines()
            .skip(1)
            .map(|line| {
                line.split(',').nth(column).unwrap().replace('.', "").parse::<i64>().unwrap()
            })
            .sum();
        let told: i64 = sums
            .iter()
            .map(|name| total(&format!("{name}_eur")).replace('.', "").parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, told, "{what}");
        let lines = tranche(dir, &["audit", "export", what, "--format", "jsonl"]);
        assert_eq!(lines.lines().count(), text.lines().count() - 1);
        for line in lines.lines() {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
        }
    }
}

#[tokio::test]
async fn a_population_that_is_not_that_of_the_ledger_is_refused_by_name() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let log = eventlog::Sqlite::open(&dir.join("log")).unwrap();
    // The last booking of the fund is left out.
    let mut entries = history();
    let last = entries.pop().unwrap();
    let mut last: Value = serde_json::from_slice(&last).unwrap();
    last["events"].as_array_mut().unwrap().pop();
    entries
        .push(Bytes::from(Commit::decode(last.to_string().as_bytes()).unwrap().encode().unwrap()));
    log.append(0, entries).await.unwrap();
    drop(log);
    let nonce = nonce();
    let asked = [
        "--data",
        "log",
        "audit",
        "sample",
        "--materiality",
        "EUR 1000000",
        "--root",
        ROOT,
        "--nonce",
        &nonce,
    ];
    let output = command(directory().join("tranche"), dir).args(asked).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["not complete", "Budget:*:Paid", "in 299 items", "in 300"] {
        assert!(told.contains(part), "{told}");
    }
}
