//! Documents beside the log, by the real program: kept under their hash, checked, collected, over HTTP and
//! on servers.

use crate::cli::program::{Scratch, command, directory, tranche};
use crate::client::Client;
use crate::kill::Served;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

#[cfg(feature = "s3")]
mod s3;

/// Something is wrong with what is asked, or a check has found something.
const FOUND: i32 = 1;
/// There is no such thing.
const NOT_FOUND: i32 = 3;
/// What is stored is not what was written.
const CORRUPT: i32 = 5;

/// FIPS 180-4, the example of one block.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const DAY_S: u64 = 24 * 60 * 60;

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    format!("{out}{err}")
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// A store, and what the program finds in its environment to get there.
struct Store {
    place: String,
    environment: Vec<(&'static str, String)>,
}

impl Store {
    fn at(place: impl Into<String>) -> Self {
        Self { place: place.into(), environment: Vec::new() }
    }

    fn run(&self, dir: &Path, args: &[&str]) -> Output {
        let mut command = command(directory().join("tranche"), dir);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.args(args).args(["--documents", &self.place]).envs(environment);
        command.output().expect("the program starts")
    }

    #[track_caller]
    fn done(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.run(dir, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says when it fails so.
    #[track_caller]
    fn fails(&self, dir: &Path, args: &[&str], code: i32) -> String {
        let output = self.run(dir, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert_eq!(output.stdout, b"", "not a byte of it");
        said(&output)
    }
}

/// So many days from now.
fn in_days(days: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let then = i64::try_from(now.as_secs() + days * DAY_S).unwrap();
    jiff::Timestamp::from_second(then).unwrap().to_string()
}

/// `call.open` with the rules of a playground.
fn opening(call: &str) -> Value {
    let rules = domain::rulebook::parse(domain::rulebook::shipped("playground").unwrap()).unwrap();
    json!({"call": call, "title": call, "rules": rules, "cut_offs": []})
}

/// Whose data a document has that no event names is not known, so a legal hold on anybody keeps it.
fn a_hold_keeps_them(done: &dyn Fn(&[&str]) -> String, clock: &[&str], collect: &[&str]) {
    let give = |role: &str, command: &str, payload: &str| {
        let who = ["--actor", "ann", "--role", role, "--keys", "keys"];
        done(&[clock, &["do", command, payload], &who].concat());
    };
    let person = r#"{"subject":"p0123456789abcdef","contact":{"name":"A","email":"a@b.example","affiliation":"C"}}"#;
    give("programme_officer", "subject.register", person);
    let hold = r#"{"subject":"p0123456789abcdef","hold":"H1","ground":"litigation","case":"T-1"}"#;
    give("auditor", "subject.set_hold", hold);
    let kept = done(collect);
    assert!(kept.ends_with("no event names 2 documents; removed 0 documents\n"), "{kept}");
    assert!(kept.contains("subject-p0123456789abcdef"), "{kept}");
    let lift = r#"{"subject":"p0123456789abcdef","hold":"H1","case":"T-1"}"#;
    give("auditor", "subject.lift_hold", lift);
}

/// What any store must do, as whoever calls the program sees it.
fn keeps_checks_and_collects(store: &Store) {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let done = |args: &[&str]| store.done(dir, args);
    assert_eq!(done(&["document", "list"]), "");
    std::fs::write(dir.join("abc"), "abc").unwrap();
    // More than one message of a server, and not a whole number of them.
    let large: Vec<u8> = (0..1_000_003_u64).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
    std::fs::write(dir.join("large"), &large).unwrap();
    std::fs::write(dir.join("empty"), "").unwrap();
    let added = done(&["document", "add", "abc", "large", "empty"]);
    assert!(added.starts_with(&format!("{ABC}  abc\n")), "{added}");
    assert!(done(&["document", "add", "abc"]).ends_with("abc (it was there)\n"));
    let hashes: Vec<&str> = added.lines().map(|line| &line[..64]).collect();
    for (hash, name) in hashes.iter().zip(["abc", "large", "empty"]) {
        let to = format!("{name}.again");
        done(&["document", "get", hash, "--to", &to]);
        assert_eq!(std::fs::read(dir.join(to)).unwrap(), std::fs::read(dir.join(name)).unwrap());
    }
    store.fails(dir, &["document", "get", &"0".repeat(64)], NOT_FOUND);

    // A call names its rules, a pledge is signed by a document, and nobody names the others.
    let open = opening("C").to_string();
    let clock = ["--data", "log", "--clock", "2026-01-01T00:00:00Z"];
    let give = |role: &str, command: &str, payload: &str| {
        let who = ["--actor", "ann", "--role", role];
        done(&[&clock[..], &["do", command, payload], &who].concat());
    };
    give("programme_officer", "call.open", &open);
    let pledge = r#"{"amount":"EUR 5.00","call":"C","kind":"cash","pledge":"P","round":"R"}"#;
    give("programme_officer", "pledge.make", pledge);
    let sign = format!(r#"{{"amount":"EUR 5.00","document":"{ABC}","pledge":"P"}}"#);
    give("national_authority", "pledge.sign", &sign);
    let verified = done(&["--data", "log", "verify"]);
    assert!(verified.contains(", 2 documents"), "{verified}");
    assert_eq!(done(&["--data", "log", "document", "check"]), "checked 2 documents\n");

    // Nothing goes soon, nothing goes unless it is said twice, and what is named never does.
    let collect = ["--data", "log", "document", "collect"];
    let soon = done(&[&collect[..], &["--really"]].concat());
    assert!(soon.ends_with("no event names 2 documents; removed 0 documents\n"), "{soon}");
    let later = in_days(45);
    let later = ["--clock", later.as_str()];
    let dry = done(&[&collect[..], &later].concat());
    assert!(
        dry.ends_with("no event names 2 documents; --really would remove 2 documents\n"),
        "{dry}"
    );
    assert_eq!(done(&["document", "list"]).lines().count(), 4);
    a_hold_keeps_them(&done, &clock, &[&collect[..], &later, &["--really"]].concat());
    done(&[&collect[..], &later, &["--really"]].concat());
    let left = done(&["document", "list"]);
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(left.contains(ABC), "{left}");
    assert_eq!(done(&["document", "get", ABC]), "abc");
    // A second call with the same rules needs nothing more, and what went can come again.
    done(&["document", "add", "large"]);
    done(&["--data", "log", "document", "add", "--rules"]);
    assert_eq!(done(&["document", "list"]).lines().count(), 3);
}

#[test]
fn a_directory_keeps_documents_checks_them_and_collects_what_nobody_names() {
    let scratch = Scratch::new();
    keeps_checks_and_collects(&Store::at(scratch.path().join("store").to_str().unwrap()));
}

#[test]
fn what_is_missing_or_changed_is_told_and_never_handed_out() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    std::fs::write(dir.join("abc"), "abc").unwrap();
    let store = ["--documents", "store"];
    done(dir, &[&["document", "add", "abc"], &store[..]].concat());
    let path = dir.join(format!("store/sha256/ba/{ABC}"));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "abd").unwrap();
    let changed = tranche(dir, &[&["document", "get", ABC], &store[..]].concat());
    assert_eq!(changed.status.code(), Some(CORRUPT), "{}", said(&changed));
    assert_eq!(changed.stdout, b"", "not a byte of it");
    // A log that was written without documents: each place is named.
    let open = opening("C").to_string();
    let officer = ["--actor", "ann", "--role", "programme_officer"];
    done(dir, &[&["--data", "log", "do", "call.open", &open], &officer[..]].concat());
    done(dir, &["--data", "log", "verify"]);
    let verify = tranche(dir, &[&["--data", "log", "verify"], &store[..]].concat());
    assert_eq!(verify.status.code(), Some(FOUND), "{}", said(&verify));
    let missing = said(&verify);
    assert!(
        missing.contains("position 1: call-C /rules_sha256 names a rules document"),
        "{missing}"
    );
    assert!(missing.contains("which is missing"), "{missing}");
    let check = tranche(dir, &[&["--data", "log", "document", "check"], &store[..]].concat());
    assert_eq!(check.status.code(), Some(FOUND), "{}", said(&check));
    assert!(said(&check).contains("position 1: call-C /rules_sha256"), "{}", said(&check));
}

#[tokio::test]
async fn over_http_a_document_goes_under_its_hash_and_comes_back_unchanged_or_not_at_all() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let served = Served::with(dir, &["--data", "log"], &["--documents", "store"]);
    let mut client = Client::connect(served.address).await.unwrap();
    let path = format!("/documents/{ABC}");
    let absent = client.get(&path).await.unwrap();
    assert_eq!((absent.status, &absent.json()["code"]), (404, &json!("http.not_found")));
    let put = client.send("PUT", &path, &[], b"abc").await.unwrap();
    assert_eq!(put.status, 201, "{put:?}");
    assert_eq!(put.json(), json!({"bytes": 3, "put": "new", "sha256": ABC}));
    assert_eq!(client.send("PUT", &path, &[], b"abc").await.unwrap().status, 200);
    let got = client.get(&path).await.unwrap();
    assert_eq!((got.status, got.body.as_slice()), (200, &b"abc"[..]));
    assert_eq!(got.header("content-disposition"), Some("attachment"));
    assert_eq!(got.header("etag"), Some(format!("\"{ABC}\"").as_str()));
    assert_eq!(std::fs::read(dir.join(format!("store/sha256/ba/{ABC}"))).unwrap(), b"abc");

    for (path, body, status, code) in [
        (path.as_str(), &b"abd"[..], 400, "http.other_hash"),
        ("/documents/abc", b"abc", 400, "http.bad_path"),
        ("/documents/..%2f..%2fetc%2fpasswd", b"", 400, "http.bad_path"),
    ] {
        let bad = client.send("PUT", path, &[], body).await.unwrap();
        assert_eq!((bad.status, &bad.json()["code"]), (status, &json!(code)), "{path}");
    }
    let large = b"PUT /documents/0000000000000000000000000000000000000000000000000000000000000000 HTTP/1.1\r\n\
        Host: localhost\r\nContent-Length: 33554433\r\n\r\n";
    let mut other = Client::connect(served.address).await.unwrap();
    let large = other.raw(large).await.unwrap();
    assert_eq!((large.status, &large.json()["code"]), (413, &json!("http.too_large")));

    // The rules come with the command that opens a call, and are there before it is answered.
    let body = opening("C").to_string();
    let who = ("ann", "programme_officer");
    let opened = client.command("call.open", "one", who, body.as_bytes()).await.unwrap();
    assert_eq!(opened.status, 201, "{opened:?}");
    let commit = client.get("/log/1").await.unwrap().json();
    let rules = commit["events"][0]["data"]["rules_sha256"].as_str().unwrap().to_owned();
    let kept = client.get(&format!("/documents/{rules}")).await.unwrap();
    assert_eq!(kept.json(), commit["events"][0]["data"]["rules"]);

    let file = dir.join(format!("store/sha256/ba/{ABC}"));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "abd").unwrap();
    let damaged = client.get(&path).await.unwrap();
    assert_eq!((damaged.status, &damaged.json()["code"]), (500, &json!("http.damaged")));
    // Who has it may mend it.
    assert_eq!(client.send("PUT", &path, &[], b"abc").await.unwrap().json()["put"], "mended");
    assert_eq!(client.get(&path).await.unwrap().body, b"abc");

    let without = Served::with(dir, &["--data", "other"], &[]);
    let mut client = Client::connect(without.address).await.unwrap();
    assert_eq!(client.get(&path).await.unwrap().status, 404);
}

#[cfg(feature = "nats")]
#[test]
fn an_object_store_of_nats_keeps_documents_checks_them_and_collects_what_nobody_names() {
    let server = eventlog::nats::server::Server::start();
    keeps_checks_and_collects(&Store::at(server.url("documents")));
}
