//! Several instances of the real program on one log in NATS: one writes, the others follow, show the
//! same and forward commands; and when the one that writes is gone, another goes on.

use crate::cli::program::{Scratch, tranche};
use crate::client::{Answer, Client};
use crate::kill::Served;
use eventlog::nats::server::{Cluster, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long something may take that must come about at last.
const AT_LAST: Duration = Duration::from_secs(60);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than a lease lasts.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(5);
const BOARD: (&str, &str) = ("bea", "governing_board");

fn serve(dir: &Path, log: &str, roles: &str) -> Served {
    Served::with(dir, &["--log", log], &["--roles", roles])
}

async fn client(served: &Served) -> Client {
    Client::connect(served.address).await.expect("it answers")
}

fn vote(number: u32) -> Vec<u8> {
    let (fund, amount) = (format!("F-{number}"), format!("EUR {number}.00"));
    let vote = json!({ "fund": fund, "line": "02 04", "source": "DEP", "amount": amount });
    vote.to_string().into_bytes()
}

async fn give(client: &mut Client, id: &str, number: u32) -> Answer {
    let given = client.command("fund.vote_appropriation", id, BOARD, &vote(number)).await;
    given.expect("the instance lives")
}

/// Gives a command with the same id until it is taken, and says where it lies.
async fn give_at_last(client: &mut Client, id: &str, number: u32) -> u64 {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let answer = give(client, id, number).await;
        if matches!(answer.status, 200 | 201) {
            return position(&answer);
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn position(answer: &Answer) -> u64 {
    answer.json()["position"].as_u64().unwrap_or_else(|| panic!("no position: {answer:?}"))
}

async fn ready(client: &mut Client) -> Value {
    client.get("/readyz").await.expect("an answer").json()
}

/// Waits until an instance says of the writer what is wanted.
async fn until_writer(client: &mut Client, is_wanted: impl Fn(Option<&str>) -> bool) {
    let deadline = Instant::now() + AT_LAST;
    loop {
        let ready = ready(client).await;
        if ready["status"] == "ready" && is_wanted(ready["writer"].as_str()) {
            return;
        }
        assert!(Instant::now() < deadline, "{ready}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn history(client: &mut Client) -> String {
    let answer = client.get("/log?from=1").await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.body).expect("text")
}

fn ids(history: &str) -> Vec<String> {
    let commit = |line| serde_json::from_str::<Value>(line).expect("a commit");
    history.lines().map(|line| commit(line)["command_id"].as_str().unwrap().to_owned()).collect()
}

async fn figure(client: &mut Client, name: &str) -> Option<String> {
    let answer = client.get("/metrics").await.expect("an answer");
    let text = String::from_utf8(answer.body).expect("text");
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit_once(' ').map(|(_, value)| value.to_owned())
}

/// Also what is not recorded at all: a rehearsal, and a condition that does not hold.
async fn every_kind_of_no_is_the_same(there: &mut Client, at_writer: &mut Client) {
    let reused = (give(there, "one", 2).await, give(at_writer, "one", 2).await);
    let denied = ("eve", "expert");
    let name = "fund.vote_appropriation";
    let vote_2 = vote(2);
    let forbidden = (
        there.command(name, "two", denied, &vote_2).await.expect("an answer"),
        at_writer.command(name, "two", denied, &vote_2).await.expect("an answer"),
    );
    let system = ("tranche", "system");
    let reserved = (
        there.command(name, "timer/x", system, &vote_2).await.expect("an answer"),
        at_writer.command(name, "timer/x", system, &vote_2).await.expect("an answer"),
    );
    let malformed = (
        there.command(name, "two", BOARD, b"{\"fund\":7}").await.expect("an answer"),
        at_writer.command(name, "two", BOARD, b"{\"fund\":7}").await.expect("an answer"),
    );
    for ((ours, theirs), status) in
        [(reused, 409), (forbidden, 403), (reserved, 403), (malformed, 400)]
    {
        assert_eq!((ours.status, theirs.status), (status, status), "{ours:?} {theirs:?}");
        let bare = |answer: &Answer| {
            let mut problem = answer.json();
            problem["instance"].take();
            problem
        };
        assert_eq!(bare(&ours), bare(&theirs));
    }
    // A rehearsal records nothing, and a condition is kept.
    let headers = [
        ("Content-Type", "application/json"),
        ("Tranche-Actor", BOARD.0),
        ("Tranche-Role", BOARD.1),
        ("If-Match", "\"9\""),
    ];
    let path = "/commands/fund.vote_appropriation";
    let dry = format!("{path}?dry_run=true");
    let rehearsed = there.send("POST", &dry, &headers[..3], &vote_2).await.expect("an answer");
    assert_eq!((rehearsed.status, &rehearsed.json()["position"]), (200, &Value::Null));
    assert_eq!(rehearsed.json()["events"], json!(["fund.AppropriationVoted"]), "{rehearsed:?}");
    let late = there.send("POST", path, &headers, &vote_2).await.expect("an answer");
    assert_eq!(late.status, 412, "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_answers_as_the_writer_does() {
    let server = Server::start();
    let scratch = Scratch::new();
    let log = server.url("log");
    let writer = serve(scratch.path(), &log, "writer,processes,web");
    let follower = serve(scratch.path(), &log, "web");
    let (mut at_writer, mut there) = (client(&writer).await, client(&follower).await);
    until_writer(&mut at_writer, |writer| writer == Some("here")).await;
    until_writer(&mut there, |writer| writer.is_some_and(|name| name != "here")).await;

    // Recorded by the one, and shown by the other before it answers.
    let answer = give(&mut there, "one", 1).await;
    assert_eq!((answer.status, position(&answer)), (201, 1), "{answer:?}");
    let shown = there.get("/views/budget").await.expect("an answer");
    assert_eq!(shown.header("tranche-position"), Some("1"), "{shown:?}");
    // The receipt says the same, here and there, first and again.
    let again = give(&mut at_writer, "one", 1).await;
    let (mut first, mut second) = (answer.json(), again.json());
    assert_eq!(first["replayed"].take(), json!(false));
    assert_eq!(second["replayed"].take(), json!(true));
    assert_eq!(first, second);
    assert_eq!(first["events"], json!(["fund.AppropriationVoted"]));
    assert_eq!(answer.header("etag"), again.header("etag"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));

    every_kind_of_no_is_the_same(&mut there, &mut at_writer).await;
    // Whoever writes elsewhere is waited for.
    assert_eq!(position(&give(&mut at_writer, "three", 3).await), 2);
    let waited = there.get("/views/budget?wait_for=2").await.expect("an answer");
    assert_eq!((waited.status, waited.header("tranche-position")), (200, Some("2")));
    assert_eq!(history(&mut there).await, history(&mut at_writer).await);
    assert_eq!(ids(&history(&mut there).await), ["one", "three"]);

    assert_eq!(figure(&mut at_writer, "tranche_is_writer").await.as_deref(), Some("1"));
    assert_eq!(figure(&mut there, "tranche_is_writer").await.as_deref(), Some("0"));
    let forwarded = "tranche_commands_forwarded_total{outcome=\"accepted\"}";
    assert_eq!(figure(&mut there, forwarded).await.as_deref(), Some("1"));
    let lag = "tranche_lag_commits{projection=\"budget\",role=\"web\"}";
    assert_eq!(figure(&mut there, lag).await.as_deref(), Some("0"));
    follower.kill();
    writer.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_hands_its_command_to_the_instance_that_writes() {
    let server = Server::start();
    let scratch = Scratch::new();
    let log = server.url("log");
    let payload = String::from_utf8(vote(1)).expect("JSON");
    let run = |id: &str| {
        let given = ["do", "fund.vote_appropriation", &payload, "--id", id, "--json"];
        let who = ["--log", &log, "--actor", BOARD.0, "--role", BOARD.1];
        let output = tranche(scratch.path(), &[&given[..], &who[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    // Nobody writes: it does so itself, and gives the lease back.
    assert_eq!(run("first")["position"], 1);
    let begun = Instant::now();
    assert_eq!(run("second")["position"], 2);
    let alone = begun.elapsed();
    let writer = serve(scratch.path(), &log, "writer,processes,web");
    let mut there = client(&writer).await;
    until_writer(&mut there, |writer| writer == Some("here")).await;
    assert_eq!(run("third")["position"], 3);
    assert_eq!(run("third")["replayed"], true);
    assert_eq!(figure(&mut there, "tranche_lease_changes_total").await.as_deref(), Some("1"));
    assert_eq!(ids(&history(&mut there).await), ["first", "second", "third"]);
    println!("a command on a log that nobody writes took {alone:?}");
    // What needs the log for itself is told who has it.
    let output = tranche(scratch.path(), &["--log", &log, "demo", "--once"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("writes the log, and goes on to"), "{said}");
    writer.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_writer_a_follower_shows_and_says_that_nobody_decides() {
    let server = Server::start();
    let scratch = Scratch::new();
    let log = server.url("log");
    let writer = serve(scratch.path(), &log, "writer,processes");
    let follower = serve(scratch.path(), &log, "web");
    let mut there = client(&follower).await;
    assert_eq!(give_at_last(&mut there, "one", 1).await, 1);
    // Who only writes answers operators, and nobody else.
    let mut operator = client(&writer).await;
    assert_eq!(operator.get("/healthz").await.expect("an answer").status, 200);
    assert_eq!(operator.get("/readyz").await.expect("an answer").status, 200);
    assert_eq!(operator.get("/metrics").await.expect("an answer").status, 200);
    for path in ["/", "/views/budget", "/log", "/commands"] {
        assert_eq!(operator.get(path).await.expect("an answer").status, 404, "{path}");
    }
    assert_eq!(give(&mut operator, "two", 2).await.status, 404);

    writer.kill();
    until_writer(&mut there, |writer| writer.is_none()).await;
    let begun = Instant::now();
    let answer = give(&mut there, "two", 2).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["code"], "http.unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    println!("503 after {:?}", begun.elapsed());
    let shown = there.get("/views/budget").await.expect("an answer");
    assert_eq!((shown.status, shown.header("tranche-position")), (200, Some("1")));
    let writer = serve(scratch.path(), &log, "writer,processes");
    assert_eq!(give_at_last(&mut there, "two", 2).await, 2);
    assert_eq!(ids(&history(&mut there).await), ["one", "two"]);
    writer.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_writer_is_killed_another_instance_takes_over() {
    let cluster = Cluster::start();
    let scratch = Scratch::new();
    let log = cluster.url("log");
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(serve(scratch.path(), &log, "writer,processes,web"));
    }
    let mut expected = Vec::new();
    for round in 0..4_u32 {
        let mut first = client(&instances[0]).await;
        let id = format!("{round}/before");
        let at = give_at_last(&mut first, &id, round * 2 + 1).await;
        expected.push(id.clone());
        assert_eq!(at, expected.len() as u64);
        // Kill the one that writes, whichever it is.
        let mut writer = 0;
        for (index, instance) in instances.iter().enumerate() {
            if ready(&mut client(instance).await).await["writer"] == "here" {
                writer = index;
            }
        }
        instances.remove(writer).kill();
        let begun = Instant::now();
        let mut other = client(&instances[0]).await;
        let after = format!("{round}/after");
        let at = give_at_last(&mut other, &after, round * 2 + 2).await;
        println!("another instance has recorded a command {:?} after the kill", begun.elapsed());
        expected.push(after);
        assert_eq!(at, expected.len() as u64);
        // What the killed one has acknowledged is known to the other.
        let again = give(&mut other, &id, round * 2 + 1).await;
        assert_eq!((again.status, position(&again)), (200, at - 1), "{again:?}");
        instances.push(serve(scratch.path(), &log, "writer,processes,web"));
    }
    let mut last = client(&instances[1]).await;
    assert_eq!(ids(&history(&mut last).await), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_stood_still_wakes_up_as_a_follower() {
    let server = Server::start();
    let scratch = Scratch::new();
    let log = server.url("log");
    let old = serve(scratch.path(), &log, "writer,processes,web");
    let mut at_old = client(&old).await;
    assert_eq!(give_at_last(&mut at_old, "one", 1).await, 1);
    let new = serve(scratch.path(), &log, "writer,processes,web");
    let mut at_new = client(&new).await;
    until_writer(&mut at_new, |writer| writer.is_some_and(|name| name != "here")).await;

    old.stand_still();
    // Given to it while it cannot answer: on its socket when it wakes up.
    let waiting = tokio::spawn(async move {
        let answer = give(&mut at_old, "asleep", 2).await;
        (at_old, answer)
    });
    tokio::time::sleep(LONGER_THAN_A_LEASE).await;
    assert_eq!(give_at_last(&mut at_new, "two", 3).await, 2);
    old.go_on();
    let (mut at_old, answer) = waiting.await.expect("an answer");
    assert!(matches!(answer.status, 201 | 503), "{answer:?}");
    assert_eq!(give_at_last(&mut at_old, "asleep", 2).await, 3);
    assert_eq!(give_at_last(&mut at_new, "three", 4).await, 4);
    until_writer(&mut at_old, |writer| writer.is_some_and(|name| name != "here")).await;
    let waited = at_old.get("/views/budget?wait_for=4").await.expect("an answer");
    assert_eq!(waited.status, 200, "{waited:?}");
    let at_both = (history(&mut at_old).await, history(&mut at_new).await);
    assert_eq!(at_both.0, at_both.1);
    assert_eq!(ids(&at_both.0), ["one", "two", "asleep", "three"]);
}

/// Whoever may give commands, and not write the log, names the log as the place for the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_never_goes_into_the_log() {
    let server = Server::start();
    let scratch = Scratch::new();
    let writer = serve(scratch.path(), &server.url("log"), "writer,processes,web");
    let mut at_writer = client(&writer).await;
    assert_eq!(give_at_last(&mut at_writer, "one", 1).await, 1);
    let stored = || {
        let info = server.request("$JS.API.STREAM.INFO.log", &json!({})).expect("an answer");
        info["state"]["last_seq"].as_u64().expect("a number")
    };
    let before = stored();
    let mut attacker = std::net::TcpStream::connect((server.host(), server.port())).unwrap();
    let asks = "CONNECT {\"verbose\":false}\r\n\
                PUB log.command log.log 2\r\n{}\r\n\
                PUB log.command log.lease.writer 2\r\n{}\r\nPING\r\n";
    attacker.write_all(asks.as_bytes()).unwrap();
    let lines = BufReader::new(&attacker).lines().map(|line| line.expect("the server lives"));
    assert!(lines.into_iter().any(|line| line == "PONG"), "the server has taken them");
    // An answer that is asked for properly comes after those that are not given.
    let answer = server.request("log.command", &json!({})).expect("an answer");
    assert_eq!(answer["refused"]["code"], "command.malformed", "{answer}");
    assert_eq!(stored(), before, "nothing got into the log");
    assert_eq!(give_at_last(&mut at_writer, "two", 2).await, 2);
    assert_eq!(ids(&history(&mut at_writer).await), ["one", "two"]);
    writer.kill();
}

#[test]
fn roles_are_refused_where_they_make_no_sense() {
    let scratch = Scratch::new();
    for (args, words) in [
        (["--data", "log", "serve", "--roles", "web"], "one process has this log to itself"),
        (["--data", "log", "serve", "--roles", "king"], "no role"),
        (["--log", "nats://localhost/x", "serve", "--roles", "connectors"], "has none"),
        (["--log", "nats://localhost/x", "serve", "--roles", "writer"], "go together"),
    ] {
        let output = tranche(scratch.path(), &args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!scratch.path().join("log").exists(), "nothing was made");
    }
}
