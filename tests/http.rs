//! The API from outside: bytes in, bytes out. What is bad changes nothing and gets a clear answer.

mod client;
mod documents;
pub mod fixture;
mod page;
mod zones;

pub use client::{Answer, Running};

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tranche::http::Limits;

const VOTE: &str = "/commands/fund.vote_appropriation";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const BOARD: [(&str, &str); 2] =
    [("Tranche-Actor", "board-1"), ("Tranche-Role", "governing_board")];

async fn empty() -> Running {
    Running::start(fixture::empty("2025-01-01T00:00:00Z").await).await
}

fn vote(amount: &str) -> Vec<u8> {
    json!({"amount": amount, "fund": "F", "line": "L", "source": "S"}).to_string().into_bytes()
}

async fn post(server: &Running, more: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut headers = vec![JSON];
    headers.extend(BOARD);
    headers.extend(more);
    server.send("POST", VOTE, &headers, body).await
}

#[tokio::test]
async fn a_command_is_accepted_once_and_answered_again() {
    let server = empty().await;
    let key = ("Idempotency-Key", "wish-1");
    let first = post(&server, &[key], &vote("EUR 5.00")).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.header("tranche-position"), Some("1"));
    assert_eq!(first.header("location"), Some("/log/1"));
    assert_eq!(first.header("etag"), Some("\"1\""));
    assert_eq!(first.header("idempotency-key"), Some("wish-1"));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(first.json()["events"], json!(["fund.AppropriationVoted"]));

    let again = post(&server, &[key], &vote("EUR 5.00")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(again.header("tranche-position"), Some("1"));

    let other = post(&server, &[key], &vote("EUR 6.00")).await;
    assert_eq!((other.status, other.problem().as_str()), (409, "command.id_reused"));
    assert_eq!(server.engine.now().position(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_command_without_a_key_gets_one() {
    let server = empty().await;
    let one = post(&server, &[], &vote("EUR 5.00")).await;
    let two = post(&server, &[], &vote("EUR 5.00")).await;
    let key = |answer: &Answer| answer.header("idempotency-key").unwrap().to_owned();
    assert_eq!(key(&one).len(), 36);
    assert_ne!(key(&one), key(&two));
    assert_eq!((one.status, two.status), (201, 201));
}

#[tokio::test]
async fn a_rehearsal_records_nothing() {
    let server = empty().await;
    let headers = [JSON, BOARD[0], BOARD[1]];
    let path = format!("{VOTE}?dry_run=true");
    let answer = server.send("POST", &path, &headers, &vote("EUR 5.00")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["events"], json!(["fund.AppropriationVoted"]));
    assert_eq!(answer.json()["position"], Value::Null);
    assert_eq!(server.engine.now().position(), 0);
}

#[tokio::test]
async fn a_stale_version_is_refused_and_names_the_right_one() {
    let server = empty().await;
    assert_eq!(post(&server, &[("If-Match", "\"0\"")], &vote("EUR 5.00")).await.status, 201);
    let stale = post(&server, &[("If-Match", "\"0\"")], &vote("EUR 5.00")).await;
    assert_eq!((stale.status, stale.problem().as_str()), (412, "command.wrong_version"));
    assert!(stale.text().contains("version 1, not at 0"), "{}", stale.text());
    assert_eq!(post(&server, &[("If-Match", "\"1\"")], &vote("EUR 5.00")).await.status, 201);
    assert_eq!(server.get("/streams/fund-F").await.json()["version"], 2);
}

/// Bad bodies of one command: what is wrong, the body, status, code, field at fault.
fn bad_bodies() -> Vec<(Vec<u8>, u16, &'static str, Option<&'static str>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let deep = format!("{{\"amount\":{}", "[".repeat(2_000));
    vec![
        (text(""), 400, "command.malformed", None),
        (text("{"), 400, "command.malformed", None),
        (text("null"), 400, "command.malformed", None),
        (text("[]"), 400, "command.malformed", None),
        (text("{} {}"), 400, "command.malformed", None),
        (text(&deep), 400, "command.malformed", None),
        (b"{\"amount\":\"\xff\xfe\"}".to_vec(), 400, "command.malformed", Some("/amount")),
        (text(r#"{"amount":"\ud800"}"#), 400, "command.malformed", Some("/amount")),
        (vote("EUR 1"), 201, "", None),
        (vote("EUR 1.234"), 400, "command.malformed", Some("/amount")),
        (vote("5"), 400, "command.malformed", Some("/amount")),
        (vote("EUR 99999999999999999999.00"), 400, "command.malformed", Some("/amount")),
        (vote("EUR 0.00"), 422, "fund.not_positive", None),
        (vote("EUR -5.00"), 422, "fund.not_positive", None),
        (text(r#"{"amount":5}"#), 400, "command.malformed", Some("/amount")),
        (text(r#"{"amount":"EUR 5.00","fund":"a b"}"#), 400, "command.malformed", Some("/fund")),
        (text(r#"{"amount":"EUR 5.00","extra":1}"#), 400, "command.malformed", Some("/extra")),
        (
            text(r#"{"amount":"EUR 5.00","fund":"F","line":"L","source":"S","source":"T"}"#),
            400,
            "command.malformed",
            None,
        ),
    ]
}

#[tokio::test]
async fn a_bad_body_changes_nothing_and_is_answered_clearly() {
    let server = empty().await;
    let mut position = 0;
    for (body, status, code, field) in bad_bodies() {
        let answer = post(&server, &[], &body).await;
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        if status == 201 {
            position += 1;
        } else {
            assert_eq!(answer.problem(), code, "{shown}");
            if field.is_some() {
                assert_eq!(answer.json()["errors"][0]["pointer"].as_str(), field, "{shown}");
            }
        }
        assert_eq!(server.engine.now().position(), position, "{shown}");
    }
}

#[tokio::test]
async fn every_mistake_of_a_rules_document_is_answered() {
    let server = empty().await;
    let rules = domain::rulebook::parse(domain::rulebook::shipped("playground").unwrap()).unwrap();
    let mut body = json!({"call": "C", "title": "T", "rules": rules, "cut_offs": []});
    // Refused by what it says, then by its shape as well.
    body["rules"]["zone"] = "Mars/Base".into();
    body["rules"]["retention"]["years"] = 0.into();
    let mut expected = vec!["/rules/retention/years", "/rules/zone"];
    let headers = [JSON, ("Tranche-Actor", "po"), ("Tranche-Role", "programme_officer")];
    for more in ["", "/rules/title", "/rules/colour"] {
        if !more.is_empty() {
            body["rules"][more.trim_start_matches("/rules/")] = 7.into();
            expected.push(more);
        }
        expected.sort_unstable();
        let bytes = body.to_string();
        let answer = server.send("POST", "/commands/call.open", &headers, bytes.as_bytes()).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let problem = answer.json();
        let errors = problem["errors"].as_array().unwrap().iter();
        let pointers: Vec<_> = errors.map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, expected, "{problem:#}");
        let detail = format!("the rules document has {} mistakes", expected.len());
        assert_eq!(problem["detail"], *detail);
    }
}

type BadHeaders = (&'static [(&'static str, &'static str)], u16, &'static str);

#[tokio::test]
async fn bad_headers_and_addresses_are_named() {
    let server = empty().await;
    let good = vote("EUR 5.00");
    let cases: &[BadHeaders] = &[
        (&[JSON, BOARD[1]], 400, "http.bad_header"),
        (&[JSON, BOARD[0]], 400, "http.bad_header"),
        (&[JSON, BOARD[0], ("Tranche-Role", "emperor")], 400, "http.bad_header"),
        (&[JSON, ("Tranche-Actor", "a b"), BOARD[1]], 400, "http.bad_header"),
        (&[JSON, BOARD[0], ("Tranche-Role", "auditor")], 403, "command.role_not_allowed"),
        (&[JSON, BOARD[0], BOARD[1], ("Idempotency-Key", "a b")], 400, "http.bad_header"),
        (&[JSON, BOARD[0], BOARD[1], ("If-Match", "7")], 400, "http.bad_header"),
        (&[JSON, BOARD[0], BOARD[1], ("Tranche-Effective-At", "soon")], 400, "http.bad_header"),
        (
            &[JSON, BOARD[0], BOARD[1], ("Tranche-Effective-At", "2099-01-01T00:00:00Z")],
            422,
            "command.not_yet_true",
        ),
        (&[JSON, BOARD[0], BOARD[1], ("Tranche-Confidence", "derived")], 400, "http.bad_header"),
        (&[JSON, BOARD[0], BOARD[1], ("Tranche-Acter", "eve")], 400, "http.bad_header"),
        (&[JSON, BOARD[0], BOARD[1], ("Tranche-Position", "1")], 400, "http.bad_header"),
        (&[BOARD[0], BOARD[1]], 415, "http.media_type"),
        (&[("Content-Type", "text/plain"), BOARD[0], BOARD[1]], 415, "http.media_type"),
    ];
    for (headers, status, code) in cases {
        let answer = server.send("POST", VOTE, headers, &good).await;
        assert_eq!((answer.status, answer.problem().as_str()), (*status, *code), "{headers:?}");
    }
    let bad = |path: &'static str| (path, 400, "http.bad_query");
    let paths = [
        bad("/views/budget?as_of=yesterday"),
        bad("/views/budget?zone=Mars/Base&as_of=2025-01-01"),
        bad("/views/budget?zone=Mars/Base"),
        bad("/views/budget?zone=Europe/Athens&call=EUROHPC-2024-CEI-AI"),
        bad("/views/budget?at_position=-1"),
        bad("/views/budget?at_position=99999999999999999"),
        bad("/views/budget?unknown=1"),
        bad("/views/budget?account_days=5"),
        bad("/views/journal?account_days=five"),
        bad("/views/journal?office_zone=Mars/Base"),
        bad("/views/journal?thresholds=EUR"),
        bad("/views/budget?limit=0"),
        bad("/views/timeline?stream=nonsense"),
        bad("/views/timeline?category=nonsense"),
        bad("/log?from=one"),
        bad("/log?limit=0"),
        ("/log?from=2", 404, "http.not_found"),
        ("/views/budget?at_position=1", 404, "http.not_found"),
        ("/views/nonsense", 404, "http.not_found"),
        ("/commands/nonsense", 404, "command.unknown_command"),
        ("/log/1", 404, "http.not_found"),
        ("/log/0", 404, "http.not_found"),
        ("/log/x", 400, "http.bad_path"),
        ("/streams/fund-F", 404, "command.not_found"),
        ("/streams/F", 400, "http.bad_path"),
        ("/streams/%ff", 400, "http.bad_path"),
        ("/problems/nonsense", 404, "http.not_found"),
        ("/assets/..%2f..%2fetc%2fpasswd", 404, "http.not_found"),
        ("/nonsense", 404, "http.not_found"),
    ];
    for (path, status, code) in paths {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{path}");
    }
    assert_eq!(server.engine.now().position(), 0);
}

#[tokio::test]
async fn methods_names_and_media_types_that_do_not_fit_are_refused() {
    let server = empty().await;
    let answer = server.send("DELETE", "/log", &[], b"").await;
    assert_eq!((answer.status, answer.problem().as_str()), (405, "http.method_not_allowed"));
    assert!(answer.header("allow").unwrap().contains("GET"));
    let answer = server.send("POST", "/commands/a.b", &[JSON], b"{}").await;
    assert_eq!((answer.status, answer.problem().as_str()), (404, "command.unknown_command"));
    let answer = server.send("GET", "/views/budget", &[("Accept", "image/png")], b"").await;
    assert_eq!((answer.status, answer.problem().as_str()), (406, "http.not_acceptable"));
    let answer = server.send("GET", "/", &[("Host", "evil.example")], b"").await;
    assert_eq!((answer.status, answer.problem().as_str()), (421, "http.wrong_host"));
}

#[tokio::test]
async fn a_header_of_ours_that_does_not_exist_is_refused_everywhere_and_the_known_ones_are_named() {
    let server = empty().await;
    for path in ["/", "/log", "/views/budget", "/healthz"] {
        let json = ("Accept", "application/json, application/jsonl");
        let answer = server.send("GET", path, &[json, ("Tranche-Rolle", "auditor")], b"").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "http.bad_header"), "{path}");
        let said = answer.text();
        assert!(said.contains("tranche-rolle: is no header"), "{said}");
        assert!(said.contains("Tranche-Role, Tranche-On-Behalf-Of"), "{said}");
    }
    let headers = [("Tranche-Correlation-Id", "c"), ("Tranche-Causation-Id", "d")];
    assert_eq!(post(&server, &headers, &vote("EUR 5.00")).await.status, 201);
}

/// Bytes that are sent, then silence: how long until the server closes.
async fn until_closed(server: &Running, bytes: &str) -> Duration {
    let start = Instant::now();
    let mut stream = server.open(bytes).await;
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    // Closed with or without an answer: a reset is an end too.
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("it is closed");
    start.elapsed()
}

#[tokio::test]
async fn whoever_does_not_finish_a_request_is_cut_off_and_counted() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let engine = fixture::empty("2025-01-01T00:00:00Z").await;
    let server = Running::start_with(engine, limits).await;
    for bytes in ["", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "] {
        assert!(until_closed(&server, bytes).await >= limits.head, "{bytes:?}");
    }
    let text = server.get("/metrics").await.text();
    assert!(text.contains("tranche_http_connections_slow_total 2\n"), "{text}");
    assert!(text.contains("tranche_http_connections 1\n"), "{text}");
}

#[tokio::test]
async fn there_are_so_many_connections_and_the_next_one_waits() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let engine = fixture::empty("2025-01-01T00:00:00Z").await;
    let server = Running::start_with(engine, limits).await;
    let silent = (server.open("GET").await, server.open("GET").await);
    let mut third = server.open("GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    let mut answer = vec![0; 12];
    let early = tokio::time::timeout(Duration::from_millis(300), third.read(&mut answer)).await;
    assert!(early.is_err(), "it is not answered while two others are open");
    drop(silent.0);
    let mut text = String::new();
    third.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("tranche_http_connections 2\n"), "{text}");
    assert!(!text.contains("tranche_http_connections_full_total 0\n"), "{text}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_cut_off() {
    let server = empty().await;
    let long = vec![b' '; tranche::http::BODY_BYTES_MAX + 1];
    let answer = post(&server, &[], &long).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "http.too_large"));
    // Without a length in advance, too.
    let head = format!(
        "POST {VOTE} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Tranche-Actor: b\r\nTranche-Role: governing_board\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n",
        server.address,
        long.len(),
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&long);
    bytes.extend_from_slice(b"\r\n0\r\n\r\n");
    let answer = server.raw(&bytes).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "http.too_large"));
    assert_eq!(server.engine.now().position(), 0);
}

#[tokio::test]
async fn a_position_beyond_the_log_is_named_as_it_was_asked_for() {
    let server = empty().await;
    for (accept, from) in [("application/jsonl", "2"), ("text/event-stream", "99999")] {
        let path = format!("/log?from={from}");
        let answer = server.send("GET", &path, &[("Accept", accept)], b"").await;
        assert_eq!(answer.status, 404);
        let detail = format!("position {from}: the log ends at 0");
        assert_eq!(answer.json()["detail"], *detail);
    }
    let next = server.get("/log?from=1").await;
    assert_eq!((next.status, next.text().as_str()), (200, ""));
}

#[tokio::test]
async fn the_log_is_given_byte_for_byte() {
    let server = Running::start(fixture::engine().await).await;
    let stored = server.engine.reader().read_commits(1, 1_000).await.unwrap();
    let lines: Vec<u8> = stored.iter().flat_map(|one| [&one.bytes[..], b"\n"].concat()).collect();
    let all = server.get("/log").await;
    assert_eq!(all.header("content-type"), Some("application/jsonl"));
    assert_eq!(all.body, lines);
    let some = server.get("/log?from=2&limit=2").await.text();
    assert_eq!(some.lines().count(), 2);
    assert!(some.lines().next().unwrap().contains("\"position\":2"));
    let head = stored.len();
    assert_eq!(server.get(&format!("/log?from={}", head + 1)).await.body, b"");
    assert_eq!(server.get(&format!("/log?from={}", head + 2)).await.problem(), "http.not_found");
    assert_eq!(server.get("/log/3").await.body, stored[2].bytes);
}

#[tokio::test]
async fn a_follower_gets_what_is_and_what_comes_and_leaves_when_the_server_stops() {
    let server = empty().await;
    post(&server, &[], &vote("EUR 1.00")).await;
    post(&server, &[], &vote("EUR 2.00")).await;
    let request = format!(
        "GET /log HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nLast-Event-ID: 1\r\n\r\n",
        server.address
    );
    let mut stream = server.open(&request).await;
    let mut seen = String::new();
    let mut until = async |what: &str| {
        let mut buffer = [0; 4096];
        while !seen.contains(what) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "the stream ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        seen.clone()
    };
    let seen = until("EUR 2.00").await;
    assert!(seen.contains("text/event-stream") && seen.contains("id: 2"), "{seen}");
    assert!(!seen.contains("EUR 1.00"), "{seen}");
    post(&server, &[], &vote("EUR 3.00")).await;
    assert!(until("EUR 3.00").await.contains("id: 3"));
    server.stop().await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn exports_are_lines_with_their_control_totals() {
    let server = Running::start(fixture::engine().await).await;
    for what in ["payments", "commitments", "postings"] {
        let csv = server.get(&format!("/exports/{what}")).await.text();
        let totals = server.get(&format!("/exports/{what}/totals")).await.text();
        let digest = domain::kernel::canonical::Sha256Hex::of(csv.as_bytes());
        assert!(totals.contains(&format!("sha256,{digest}")), "{what}: {totals}");
        assert!(totals.contains(&format!("lines,{}\r\n", csv.lines().count() - 1)), "{totals}");
    }
    let now = server.get("/exports/postings").await.text();
    assert!(now.starts_with("Journal_ID,") && now.lines().count() > 1, "{now}");
    let then = server.get("/exports/postings?as_of=2020-01-01").await.text();
    assert_eq!(then.lines().count(), 1);
    assert_eq!(server.get("/exports/secrets").await.problem(), "http.not_found");
    assert_eq!(server.get("/exports/postings?zone=Mars/Base").await.problem(), "http.bad_query");
}

#[tokio::test]
async fn views_answer_as_of_any_moment_and_say_when_nothing_changed() {
    let server = Running::start(fixture::engine().await).await;
    let now = server.get("/views/budget").await;
    let asked = "/views/journal?account_days=5&thresholds=EUR%201000,EUR%202000&round=EUR%207";
    let journal = server.get(asked).await.text();
    assert!(journal.contains("Account changed: at most 5 days"), "{journal}");
    assert!(journal.contains("thousandths of EUR 1000.00, EUR 2000.00"), "{journal}");
    let then = server.get("/views/budget?as_of=2024-12-10").await;
    assert_eq!(now.status, 200);
    assert_ne!(now.body, then.body);
    let rounds = |answer: &Answer| {
        let tables = answer.json()["tables"].as_array().unwrap().clone();
        tables.into_iter().find(|table| table["key"] == "rounds").unwrap()["rows"].clone()
    };
    assert_eq!(rounds(&then).as_array().unwrap().len(), 1);
    assert_eq!(rounds(&then)[0]["union"], "EUR 750000000.00");
    let tag = now.header("etag").unwrap();
    let same = server.send("GET", "/views/budget", &[("If-None-Match", tag)], b"").await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let csv = server.send("GET", "/views/budget", &[("Accept", "text/csv")], b"").await;
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert!(
        csv.text().contains("750000000.00") || csv.text().contains("EUROHPC"),
        "{}",
        csv.text()
    );
    for (name, _) in projections::VIEWS {
        assert_eq!(server.get(&format!("/views/{name}")).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_reader_can_wait_for_its_own_write() {
    let server = empty().await;
    let (path, body) = ("/views/budget?wait_for=1", vote("EUR 5.00"));
    let (waiting, _) = tokio::join!(server.get(path), post(&server, &[], &body));
    assert_eq!(waiting.status, 200);
    assert!(waiting.text().contains("EUR 5.00"));
}

#[tokio::test]
async fn every_answer_has_a_name_and_the_headers_of_a_strict_page() {
    let server = empty().await;
    for path in ["/", "/healthz", "/readyz", "/metrics", "/nonsense", "/log", "/views"] {
        let answer = server.get(path).await;
        let id = answer.header("request-id").unwrap();
        assert_eq!(id.len(), 36, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
    assert_eq!(server.get("/readyz").await.json()["status"], "ready");
    let stopping = server.engine.clone();
    stopping.stop().await;
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "http.not_ready"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let answer = post(&server, &[], &vote("EUR 5.00")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "http.stopping"));
}

#[tokio::test]
async fn every_problem_has_an_address_that_explains_it() {
    let server = empty().await;
    let all = server.get("/problems").await.json();
    let all = all.as_array().unwrap();
    assert!(all.len() > 60, "{}", all.len());
    for problem in all {
        let found = server.get(problem["type"].as_str().unwrap()).await;
        assert_eq!(found.status, 200, "{problem}");
        assert!(!found.json()["meaning"].as_str().unwrap().is_empty());
    }
    let page = server.send("GET", "/problems/http.busy", &[("Accept", "text/html")], b"").await;
    assert!(page.text().contains("<h1>Busy</h1>"), "{}", page.text());
}

#[tokio::test]
async fn what_is_counted_can_be_scraped() {
    let server = empty().await;
    post(&server, &[], &vote("EUR 5.00")).await;
    server.get("/a-name-that-a-caller-made-up").await;
    let text = server.get("/metrics").await.text();
    for line in [
        "tranche_commands_total{outcome=\"accepted\"} 1",
        "tranche_shown_position 1",
        "tranche_http_request_seconds_count{method=\"POST\",route=\"commands\",status=\"201\"} 1",
        "tranche_http_request_seconds_count{method=\"GET\",route=\"other\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("made-up"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(name.starts_with("tranche_"), "{line}");
    }
}
