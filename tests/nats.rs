//! The real program on a log in NATS JetStream, with real servers: `deploy/nats/install` fetches them.

use crate::cli::program::{Scratch, tranche};
use crate::client::{Answer, Client};
use crate::kill::Served;
use eventlog::nats::Wire;
use eventlog::nats::server::{Cluster, ONE_NODE, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

/// How long something may take that must come about at last: servers are slow on a busy machine.
const AT_LAST: Duration = Duration::from_secs(60);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// The exit code when the log cannot be reached or relied on.
const UNAVAILABLE: i32 = 4;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the program until the log answers: on a busy machine a cluster may be without a leader for a
/// while.
fn done(dir: &Path, args: &[&str]) -> String {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let output = tranche(dir, args);
        match output.status.code() {
            Some(0) => return String::from_utf8(output.stdout).expect("text"),
            Some(UNAVAILABLE) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            _ => panic!("{args:?}: {}: {}", output.status, said(&output)),
        }
    }
}

fn golden() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("history/0.1.0.jsonl");
    std::fs::read(path).expect("tests/history/0.1.0.jsonl")
}

#[test]
fn the_demo_on_three_nodes_is_the_committed_history_byte_for_byte() {
    let cluster = Cluster::start();
    let scratch = Scratch::new();
    let dir = scratch.path();
    let log = cluster.url("demo");
    let run = |args: &[&str]| done(dir, &[&["--log", &log, "--data", "cache"], args].concat());

    run(&["demo", "--once"]);
    run(&["export", "--to", "log.jsonl"]);
    let exported = std::fs::read(dir.join("log.jsonl")).expect("the exported log");
    assert!(exported == golden(), "the log over NATS differs from tests/history/0.1.0.jsonl");

    let told = run(&["verify"]);
    assert!(told.contains("1 snapshot"), "the snapshot is held against the log, too: {told}");
    run(&["replay"]);
    let table = run(&["show", "budget", "--csv"]);
    let embedded = done(dir, &["--data", "embedded", "demo", "--once"]);
    assert!(embedded.contains("Funded"));
    assert_eq!(table, done(dir, &["--data", "embedded", "show", "budget", "--csv"]));
    // Told again by another program, without snapshots: nothing is recorded twice.
    done(dir, &["--log", &log, "demo", "--once"]);
    done(dir, &["--log", &log, "export", "--to", "again.jsonl"]);
    assert!(std::fs::read(dir.join("again.jsonl")).expect("the log") == golden());
}

fn vote(number: u32) -> Vec<u8> {
    let (fund, amount) = (format!("F-{number}"), format!("EUR {number}.00"));
    json!({ "fund": fund, "line": "02 04", "source": "DEP", "amount": amount })
        .to_string()
        .into_bytes()
}

async fn give(client: &mut Client, id: &str, number: u32) -> Answer {
    let who = ("bea", "governing_board");
    let answer = client.command("fund.vote_appropriation", id, who, &vote(number)).await;
    answer.expect("the server of the commands stays")
}

/// Gives a command with the same id until it is taken.
async fn give_at_last(client: &mut Client, id: &str, number: u32) -> Answer {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let answer = give(client, id, number).await;
        if answer.status != 503 || Instant::now() >= deadline {
            return answer;
        }
        assert_try_again(&answer);
        tokio::time::sleep(PAUSE).await;
    }
}

fn assert_try_again(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds = answer.header("retry-after").and_then(|after| after.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{answer:?}");
    assert_eq!(answer.json()["code"], "http.unavailable", "{answer:?}");
}

fn position(answer: &Answer) -> Option<u64> {
    answer.json()["position"].as_u64()
}

/// The ids of all commands in the log, in order.
async fn command_ids(client: &mut Client) -> Vec<String> {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let answer = client.get("/log?from=1").await.expect("an answer");
        if answer.status == 200 {
            let text = String::from_utf8(answer.body).expect("text");
            let commits = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            return commits.map(|one| one["command_id"].as_str().unwrap().to_owned()).collect();
        }
        assert!(Instant::now() < deadline, "the log cannot be read: {answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The position up to which the views show what was recorded.
async fn shown(client: &mut Client) -> Option<u64> {
    let answer = client.get("/views/budget").await.expect("an answer");
    assert_eq!(answer.status, 200, "views are shown while the log is away: {answer:?}");
    answer.header("tranche-position").and_then(|position| position.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nats_is_away_commands_wait_and_after_it_all_goes_on_without_a_restart() {
    let mut server = Server::start();
    let scratch = Scratch::new();
    let served = Served::on(scratch.path(), &["--log", &server.url("served")]);
    let mut client = Client::connect(served.address).await.expect("it answers");
    assert_eq!(position(&give_at_last(&mut client, "before", 1).await), Some(1));

    server.kill();
    assert_try_again(&give(&mut client, "during", 2).await);
    // Now it knows that the log is away.
    assert_try_again(&give(&mut client, "during", 2).await);
    assert_try_again(&give(&mut client, "other", 3).await);
    assert_eq!(shown(&mut client).await, Some(1), "nothing of it is shown");

    server.start_again();
    let answer = give_at_last(&mut client, "during", 2).await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    assert_eq!(position(&answer), Some(2));
    let again = give_at_last(&mut client, "during", 2).await;
    assert_eq!((again.status, position(&again)), (200, Some(2)), "{again:?}");
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again:?}");
    assert_eq!(command_ids(&mut client).await, ["before", "during"]);
    assert_eq!(position(&give_at_last(&mut client, "other", 3).await), Some(3));
    assert_eq!(command_ids(&mut client).await, ["before", "during", "other"]);
    assert_eq!(shown(&mut client).await, Some(3));
    served.kill();
}

/// No lock keeps a second program from writing, as it does with the embedded log: the fence of each
/// append does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_two_programs_are_given_is_decided_once() {
    let server = Server::start();
    let scratch = Scratch::new();
    let log = server.url("shared");
    let served = Served::on(scratch.path(), &["--log", &log]);
    let mut client = Client::connect(served.address).await.expect("it answers");
    assert_eq!(position(&give_at_last(&mut client, "first", 1).await), Some(1));

    let payload = String::from_utf8(vote(2)).expect("JSON");
    let args = ["do", "fund.vote_appropriation", "--id", "both", "--actor", "bea", &payload];
    let role = ["--role", "governing_board"];
    done(scratch.path(), &[&["--log", log.as_str()], &args[..], &role].concat());
    let answer = give_at_last(&mut client, "both", 2).await;
    assert_eq!((answer.status, position(&answer)), (200, Some(2)), "{answer:?}");
    assert_eq!(position(&give_at_last(&mut client, "third", 3).await), Some(3));
    assert_eq!(command_ids(&mut client).await, ["first", "both", "third"]);
    served.kill();
}

#[test]
fn what_is_wrong_with_a_log_over_nats_has_its_exit_code() {
    let mut server = Server::start_with(&ONE_NODE.replace("sync_interval: always", ""));
    let scratch = Scratch::new();
    let fails = |url: &str, code: i32, words: &[&str]| {
        let output = tranche(scratch.path(), &["--log", url, "demo", "--once"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{url}: {said}");
    };
    let url = server.url("log");
    fails(&url, UNAVAILABLE, &["sync_interval of server one", "must be always"]);
    fails("nats://localhost:4222", 2, &["the stream's name"]);
    fails("nats://me:secret@localhost/log", 2, &["no passwords here"]);
    server.kill();
    fails(&url, UNAVAILABLE, &["the log is unavailable", &server.port().to_string()]);
}

/// As its operator would run it: keys, a server, and an address for each role.
#[test]
fn the_program_works_by_role_over_an_encrypted_connection() {
    let server = Server::start_secure();
    let scratch = Scratch::new();
    let dir = scratch.path();
    let url = |role: &str| server.secure_url("tranche", role);
    let give = |log: &str, number: u32| {
        let vote = String::from_utf8(vote(number)).expect("JSON");
        let args = ["do", "fund.vote_appropriation", "--actor", "bea", &vote];
        tranche(dir, &[&["--log", log], &args[..], &["--role", "governing_board"]].concat())
    };
    let shown = |role: &str| done(dir, &["--log", &url(role), "log", "--json"]);
    // The operator makes the stream; the writer need not be able to.
    done(dir, &["--log", &url("operator"), "demo", "--once"]);
    let given = give(&url("writer"), 1);
    assert_eq!(given.status.code(), Some(0), "{}", said(&given));
    let before = shown("follower");
    assert!(before == shown("writer") && before.contains("\"fund-F-1\""), "the first vote");

    // Nobody decides for it, and it cannot itself.
    let refused = give(&url("follower"), 2);
    assert_eq!(refused.status.code(), Some(UNAVAILABLE), "{}", said(&refused));
    assert_eq!(shown("writer"), before);
    // A writer decides for it, across the accounts.
    let served = Served::on(dir, &["--log", &url("writer")]);
    let deadline = Instant::now() + AT_LAST;
    while give(&url("follower"), 3).status.code() != Some(0) {
        assert!(Instant::now() < deadline, "the writer does not answer");
        std::thread::sleep(PAUSE);
    }
    served.kill();
    let after = shown("follower");
    assert!(
        after.contains("\"fund-F-3\"") && !after.contains("\"fund-F-2\""),
        "the third vote only"
    );
}

/// Waits until the last event that is published is of a stream, as the operator sees it.
async fn last_published(server: &Server, stream: &str) {
    let options = server.secure_url("tranche", "operator").parse().expect("a URL");
    let wire = Wire::connect(&options).await.expect("a connection");
    let events = wire.for_stream("tranche-events".to_owned());
    let last = json!({ "last_by_subj": "tranche.events.>" });
    let deadline = Instant::now() + AT_LAST;
    loop {
        let found = events.api("STREAM.MSG.GET", &last).await.expect("an answer").expect("events");
        let subject = found["message"]["subject"].as_str().expect("a subject");
        if subject.starts_with(&format!("tranche.events.{stream}.")) {
            break;
        }
        assert!(Instant::now() < deadline, "{subject} is the last, and not one of {stream}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_has_a_key_of_its_own_and_one_instance_does_all_with_the_writers() {
    let server = Server::start_secure();
    let scratch = Scratch::new();
    let dir = scratch.path();
    let url = |role: &str| server.secure_url("tranche", role);
    let relay = |more: &[&str]| {
        tranche(dir, &[&["--log", &url("relay"), "relay", "--once", "--json"], more].concat())
    };
    let forbidden = |output: Output, subject: &str| {
        assert_eq!(output.status.code(), Some(UNAVAILABLE), "{}", said(&output));
        assert!(said(&output).contains(&format!("publish on {subject}")), "{}", said(&output));
    };
    // The operator makes the streams.
    let vote = String::from_utf8(vote(9)).expect("JSON");
    let give =
        ["do", "fund.vote_appropriation", "--actor", "bea", "--role", "governing_board", &vote];
    done(dir, &[&["--log", &url("operator")], &give[..]].concat());
    forbidden(relay(&[]), "$JS.API.STREAM.CREATE.tranche-events");
    done(dir, &["--log", &url("operator"), "relay", "--once"]);
    forbidden(relay(&["--rebuild"]), "$JS.API.STREAM.DELETE.tranche-events");
    let violations = || server.said().matches("Violation").count();
    let before = violations();
    assert!(before > 0, "the server says what it refuses");

    let serve =
        |role: &str, roles: &str| Served::with(dir, &["--log", &url(role)], &["--roles", roles]);
    let all = serve("writer", "writer,processes,web,relay");
    let mut client = Client::connect(all.address).await.expect("it answers");
    give_at_last(&mut client, "one", 1).await;
    last_published(&server, "fund.F-1").await;
    all.kill();

    let writer = serve("writer", "writer,processes,web");
    let mut client = Client::connect(writer.address).await.expect("it answers");
    give_at_last(&mut client, "two", 2).await;
    for events in [1, 0] {
        let relayed = relay(&[]);
        assert!(relayed.status.success(), "{}", said(&relayed));
        let relayed: Value = serde_json::from_slice(&relayed.stdout).expect("JSON");
        assert_eq!(relayed["events"], events);
    }
    last_published(&server, "fund.F-2").await;
    let beside = serve("relay", "relay");
    give_at_last(&mut client, "three", 3).await;
    last_published(&server, "fund.F-3").await;
    writer.kill();
    beside.kill();
    assert_eq!(violations(), before, "{}", server.said());
}
