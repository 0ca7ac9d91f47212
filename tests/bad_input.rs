//! Bad input, whatever it is, changes nothing and gets a clear answer: never a panic, never a 500.

use crate::cli::program::Scratch;
use crate::client::{Answer, Client};
use crate::kill::Served;
use crate::life::{self, Dice, garble};
use domain::{Commit, Parsed};
use serde_json::json;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const BEA: (&str, &str) = ("Tranche-Actor", "bea");
const BOARD: (&str, &str) = ("Tranche-Role", "governing_board");
const VOTE: &str = r#"{"fund":"F","line":"02 04","source":"DEP","amount":"EUR 100.00"}"#;

/// One bad request, and what it gets: status, code, and the field that is named.
struct Bad {
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
}

fn body(path: &'static str, body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Bad {
    let headers = vec![JSON, BEA, BOARD];
    Bad { path, headers, body: body.into(), status, code, field: None }
}

fn vote(change: serde_json::Value, status: u16, code: &'static str, field: &'static str) -> Bad {
    let mut data = serde_json::from_str(VOTE).expect("JSON");
    life::merge(&mut data, change);
    let bad = body("fund.vote_appropriation", data.to_string(), status, code);
    Bad { field: Some(field), ..bad }
}

fn headers(headers: &[(&'static str, &'static str)], status: u16, code: &'static str) -> Bad {
    let bad = body("fund.vote_appropriation", VOTE, status, code);
    Bad { headers: headers.to_vec(), ..bad }
}

const NAME: &str = "fund.vote_appropriation";

fn table() -> Vec<Bad> {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let carry = r#"{"fund":"F","to":"F","line":"02 04","source":"DEP","amount":"EUR 1"}"#;
    vec![
        body(NAME, "", 400, "command.malformed"),
        body(NAME, "{", 400, "command.malformed"),
        body(NAME, "null", 400, "command.malformed"),
        body(NAME, "[]", 400, "command.malformed"),
        body(NAME, deep, 400, "command.malformed"),
        body(NAME, format!("{VOTE}{VOTE}"), 400, "command.malformed"),
        body(NAME, b"{\"fund\":\"\xff\xfe\"}".as_slice(), 400, "command.malformed"),
        body(NAME, VOTE.replace("DEP", "\u{0}"), 400, "command.malformed"),
        body(NAME, VOTE.replacen("\"line\"", "\"fund\"", 1), 400, "command.malformed"),
        body(NAME, format!("{VOTE}{}", " ".repeat(70_000)), 413, "http.too_large"),
        body("no.such", VOTE, 404, "command.unknown_command"),
        body("%2e%2e", VOTE, 404, "command.unknown_command"),
        vote(json!({ "extra": 1 }), 400, "command.malformed", "/extra"),
        vote(json!({ "amount": "EUR 1e9" }), 400, "command.malformed", "/amount"),
        vote(json!({ "amount": 12 }), 400, "command.malformed", "/amount"),
        vote(json!({ "amount": "EUR 90071992547409.92" }), 400, "command.malformed", "/amount"),
        vote(json!({ "amount": "EUR -1.00" }), 422, "fund.not_positive", "/amount"),
        vote(json!({ "amount": "CHF 1.00" }), 422, "command.amount", "/amount"),
        vote(json!({ "fund": "a/b" }), 400, "command.malformed", "/fund"),
        vote(json!({ "fund": "x".repeat(65) }), 400, "command.malformed", "/fund"),
        vote(json!({ "line": "" }), 400, "command.malformed", "/line"),
        body("fund.carry_over", carry, 403, "command.role_not_allowed"),
        body("call.close", r#"{"call":"C","reason":""}"#, 403, "command.role_not_allowed"),
        body(
            "call.raise_budget",
            r#"{"call":"C","by":"EUR 1","reason":""}"#,
            404,
            "command.not_found",
        ),
        headers(&[BEA, BOARD], 415, "http.media_type"),
        headers(&[("Content-Type", "text/plain"), BEA, BOARD], 415, "http.media_type"),
        headers(&[JSON, BOARD], 400, "http.bad_header"),
        headers(&[JSON, BEA], 400, "http.bad_header"),
        headers(&[JSON, BEA, ("Tranche-Role", "emperor")], 400, "http.bad_header"),
        headers(&[JSON, BEA, BEA, BOARD], 400, "http.bad_header"),
        headers(&[JSON, BEA, BOARD, ("If-Match", "7")], 400, "http.bad_header"),
        headers(&[JSON, BEA, BOARD, ("If-Match", "\"7\"")], 412, "command.wrong_version"),
        headers(&[JSON, BEA, BOARD, ("Idempotency-Key", "a b")], 400, "http.bad_header"),
        headers(&[JSON, BEA, BOARD, ("Tranche-Effective-At", "yesterday")], 400, "http.bad_header"),
        headers(
            &[JSON, BEA, BOARD, ("Tranche-Effective-At", "9000-01-01T00:00:00Z")],
            422,
            "command.not_yet_true",
        ),
        headers(
            &[JSON, BEA, BOARD, ("Tranche-Effective-At", "1998-12-31T23:59:59Z")],
            422,
            "command.before_the_euro",
        ),
        headers(&[JSON, BEA, BOARD, ("Tranche-Confidence", "fixture")], 400, "http.bad_header"),
    ]
}

async fn head(client: &mut Client) -> String {
    let answer = client.get("/log").await.expect("an answer");
    answer.header("tranche-position").expect("a position").to_owned()
}

fn check(bad: &Bad, answer: &Answer) {
    let about =
        format!("{} {:?} {:.200}", bad.path, bad.headers, String::from_utf8_lossy(&bad.body));
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap_or_default();
    assert_eq!((answer.status, code), (bad.status, bad.code), "{about}: {problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.len() > 10, "{about}: {problem} says nothing");
    if let Some(field) = bad.field {
        assert_eq!(problem["errors"][0]["pointer"], field, "{about}: {problem}");
    }
}

fn served(test: impl AsyncFnOnce(&Served)) {
    let scratch = Scratch::new();
    let served = Served::start(scratch.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test(&served));
}

#[test]
fn every_bad_request_is_told_what_is_wrong_and_changes_nothing() {
    served(async |served| {
        let mut client = Client::connect(served.address).await.expect("a connection");
        let first = client.command(NAME, "first", ("bea", "governing_board"), VOTE.as_bytes());
        assert_eq!(first.await.expect("an answer").status, 201);
        for bad in table() {
            // A body that is too long may end the connection: each has its own.
            let mut client = Client::connect(served.address).await.expect("a connection");
            let path = format!("/commands/{}", bad.path);
            let answer = client.send("POST", &path, &bad.headers, &bad.body).await;
            check(&bad, &answer.unwrap_or_else(|error| panic!("{}: {error}", bad.code)));
        }
        let other = VOTE.replace("100.00", "7.00");
        let reused = client.command(NAME, "first", ("bea", "governing_board"), other.as_bytes());
        let reused = reused.await.expect("an answer");
        assert_eq!(
            (reused.status, reused.json()["code"].as_str()),
            (409, Some("command.id_reused"))
        );
        assert_eq!(head(&mut client).await, "1");
    });
}

#[test]
fn spoilt_bodies_over_http_never_end_in_a_failure_of_the_server() {
    served(async |served| {
        let mut client = Client::connect(served.address).await.expect("a connection");
        let dice = &mut Dice::of_seed(11);
        let steps: Vec<_> = (0..life::KINDS.len())
            .flat_map(|kind| life::life(kind, "1", Dice::of_seed(11), true))
            .collect();
        for number in 0..1_500 {
            let mut step = dice.pick(&steps).clone();
            garble(&mut step.payload, dice);
            let role: &str = step.actor.role.into();
            let who = (step.actor.id.as_str(), role);
            let id = format!("spoilt/{number}");
            let answer = client.command(&step.command, &id, who, &step.payload).await;
            let answer = answer.expect("an answer");
            if answer.status == 413 {
                // What is left of the body is not read: the connection ends.
                client = Client::connect(served.address).await.expect("a connection");
            }
            assert!(answer.status < 500, "{} {step:?}: {answer:?}", answer.status);
            assert!(answer.status < 300 || answer.json()["code"].is_string(), "{answer:?}");
        }
        let ready = client.get("/readyz").await.expect("an answer");
        assert_eq!(ready.status, 200);
    });
}

#[test]
fn spoilt_bytes_never_panic_where_they_are_read() {
    let dice = &mut Dice::of_seed(3);
    let mut desk = crate::desk::Desk::new();
    let mut payloads = Vec::new();
    for kind in 0..life::KINDS.len() {
        for step in life::life(kind, "1", Dice::of_seed(3), true) {
            let _ = desk.give(&step).expect("every promise is kept");
            payloads.push((step.command, step.payload));
        }
    }
    let rules = include_str!("../domain/rules/ai-factories.toml").as_bytes();
    let mut read = [0, 0, 0];
    for _ in 0..4_000 {
        let (name, mut payload) = dice.pick(&payloads).clone();
        garble(&mut payload, dice);
        read[0] += u32::from(Parsed::read(&name, &payload).is_ok());
        let mut entry = dice.pick(&desk.entries).clone();
        garble(&mut entry, dice);
        if let Ok(commit) = Commit::decode(&entry) {
            read[1] += 1;
            // What can be read can be written.
            commit.encode().expect("a canonical form");
        }
        let mut toml = rules.to_vec();
        garble(&mut toml, dice);
        let toml = String::from_utf8_lossy(&toml);
        read[2] += u32::from(domain::rulebook::parse(&toml).is_ok());
    }
    assert!(read.iter().all(|count| *count > 20), "nothing that can still be read: {read:?}");
}
