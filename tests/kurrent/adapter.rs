//! The contract, and what a stream must be to be a log.

use super::database::Expected;
use super::server::Server;
use bytes::Bytes;
use eventlog::contract::{self, Beside, Factory};
use eventlog::kurrent::{Kurrent, Options, stream_metadata};
use eventlog::{Error, Group, Log};
use serde_json::{Value, json};
use std::sync::Arc;

pub fn options(url: &str) -> Options {
    url.parse().expect("the servers of tests have good addresses")
}

pub async fn open(url: &str) -> Result<Kurrent, Error> {
    Kurrent::open(&options(url)).await
}

/// Entries of these texts.
pub fn entries(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

pub async fn texts(log: &dyn Log) -> Vec<String> {
    let groups = log.read(1, usize::MAX).await.unwrap();
    let entries = groups.iter().flat_map(|group| &group.entries);
    entries.map(|entry| String::from_utf8(entry.to_vec()).unwrap()).collect()
}

struct Alone(Server);

#[tonic::async_trait]
impl Factory for Alone {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        Ok(Arc::new(open(&self.0.url(name)).await?))
    }

    fn persists(&self) -> bool {
        true
    }
}

struct Pairs(Server);

#[tonic::async_trait]
impl Factory for Pairs {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        let writer = open(&self.0.url(name)).await?;
        let reader = Kurrent::open_read_only(&options(&self.0.url(name))).await?;
        Ok(Arc::new(Beside { writer: Box::new(writer), reader: Box::new(reader) }))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    contract::run(&Alone(Server::start())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_a_writer_keeps_the_contract() {
    contract::run(&Pairs(Server::start())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_tool_of_the_database_can_read_the_entries() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["{\"n\":1}", "{\"n\":2}"])).await.unwrap();
    let state = server.database.lock();
    let event = &state.streams["log"][0];
    assert_eq!(event.data, b"{\"n\":1}\n{\"n\":2}");
    assert_eq!(event.properties["type"], "EventlogGroup");
    let metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
    assert_eq!((&metadata["first"], &metadata["last"]), (&json!(1), &json!(2)));
    assert_eq!(metadata["after"], "00000000-0000-0000-0000-000000000000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_cannot_append_and_does_not_make_a_log() {
    let server = Server::start();
    let options = options(&server.url("log"));
    let missing = Kurrent::open_read_only(&options).await.err().map(|error| error.to_string());
    assert!(missing.as_ref().is_some_and(|said| said.contains("no log in stream log")));
    assert!(server.database.lock().streams.is_empty());
    let writer = Kurrent::open(&options).await.unwrap();
    let reader = Kurrent::open_read_only(&options).await.unwrap();
    assert_eq!(reader.append(0, entries(&["a"])).await, Err(Error::ReadOnly));
    assert_eq!(reader.take_over().await, Err(Error::ReadOnly));
    assert_eq!(writer.append(0, entries(&["a"])).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_fell_behind_is_fenced_and_told_the_head() {
    let server = Server::start();
    let old = open(&server.url("log")).await.unwrap();
    old.append(0, entries(&["a", "b"])).await.unwrap();
    let new = open(&server.url("log")).await.unwrap();
    new.append(2, entries(&["c"])).await.unwrap();
    new.append(3, entries(&["d", "e"])).await.unwrap();
    // What it knows says that the head is 2, so only the server can stop it.
    let stale = old.append(2, entries(&["stale"])).await;
    assert_eq!(stale, Err(Error::Conflict { expected: 2, actual: 5 }));
    let groups = new.read(1, usize::MAX).await.unwrap();
    assert_eq!(groups.iter().map(Group::last).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(old.append(5, entries(&["f"])).await, Ok(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_over_from_cannot_append_and_readers_see_no_mark() {
    let server = Server::start();
    let old = open(&server.url("log")).await.unwrap();
    old.append(0, entries(&["a"])).await.unwrap();
    let new = open(&server.url("log")).await.unwrap();
    assert_eq!(new.take_over().await, Ok(1));
    assert_eq!(old.append(1, entries(&["late"])).await, Err(Error::Fenced));
    assert_eq!(new.append(1, entries(&["b"])).await, Ok(2));
    assert_eq!(old.append(2, entries(&["late"])).await, Err(Error::Fenced));
    assert_eq!(texts(&new).await, ["a", "b"]);
    assert_eq!(server.database.lock().streams["log"].len(), 3);
}

/// What opening says, when it is settings that are wrong: their names.
async fn wrong(url: &str) -> Vec<String> {
    match open(url).await.map(|_| ()) {
        Err(Error::Settings { wrong, .. }) => wrong.into_iter().map(|one| one.name).collect(),
        other => panic!("expected wrong settings, got {other:?}"),
    }
}

/// Stores an event that is no log's.
fn put(server: &Server, stream: &str, data: &Value) {
    let event = super::database::Event {
        id: "00000000-0000-0000-0000-000000000001".to_owned(),
        properties: [("type".to_owned(), "Foreign".to_owned())].into(),
        metadata: Vec::new(),
        data: data.to_string().into_bytes(),
    };
    server.database.lock().append(stream, Expected::Any, event).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_lets_history_be_dropped_is_refused_by_its_name() {
    let server = Server::start();
    let deleted = u64::MAX >> 1;
    for (number, (name, change)) in [
        ("$maxAge", json!({ "$maxAge": 3_600 })),
        ("$maxCount", json!({ "$maxCount": 1_000_000 })),
        ("$tb", json!({ "$tb": deleted })),
        ("eventlog-format", json!({ "eventlog-format": "2" })),
        ("$acl.$d", json!({ "$acl": { "$d": ["$admins", "ops"], "$mw": "$admins" } })),
        ("$acl.$mw", json!({ "$acl": { "$d": ["$admins"], "$mw": "$all" } })),
    ]
    .into_iter()
    .enumerate()
    {
        let stream = format!("bad-{number}");
        let mut metadata = stream_metadata();
        for (key, value) in change.as_object().unwrap() {
            metadata[key] = value.clone();
        }
        put(&server, &format!("$${stream}"), &metadata);
        assert_eq!(wrong(&server.url(&stream)).await, [name]);
    }
    put(
        &server,
        "$$good",
        &json!({
            "eventlog-format": "1", "$acl": { "$d": ["$admins"], "$mw": "$admins", "$w": "ops" },
        }),
    );
    open(&server.url("good")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_what_was_found_and_what_is_wanted_for_every_setting() {
    let server = Server::start();
    let mut metadata = stream_metadata();
    metadata["$maxAge"] = json!(60);
    metadata["$acl"]["$d"] = json!("$all");
    put(&server, "$$log", &metadata);
    let said = open(&server.url("log")).await.err().unwrap().to_string();
    assert_eq!(
        said,
        "the EventStoreDB stream log cannot keep a log: $maxAge is 60, and must be absent; \
         $acl.$d is \"$all\", and must be $admins"
    );
}

/// It is refused, and stays as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_somebody_else_is_not_taken_for_a_log() {
    let server = Server::start();
    put(&server, "orders", &json!({ "order": 1 }));
    assert_eq!(wrong(&server.url("orders")).await, ["eventlog-format", "$acl.$d", "$acl.$mw"]);
    assert_eq!(server.database.lock().streams.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_for_ever_is_damage() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["a"])).await.unwrap();
    server.database.lock().tombstones.push("log".to_owned());
    let opened = open(&server.url("log")).await.err().unwrap();
    for said in [
        log.read(1, 1).await.unwrap_err(),
        log.head().await.unwrap_err(),
        log.append(1, entries(&["b"])).await.unwrap_err(),
        opened,
    ] {
        let said = said.to_string();
        assert_eq!(said, "the log is damaged: stream: log was deleted for ever");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_password_is_told_so_and_who_has_may_write() {
    let server = Server::start();
    // ops:s3cr:t
    server.database.lock().authorization = Some("Basic b3BzOnMzY3I6dA==");
    let refused = open(&server.url("log")).await.err().unwrap().to_string();
    assert!(refused.contains("who is logged in may not do this"), "{refused}");
    let scratch = contract::Scratch::new();
    let file = scratch.path().join("esdb");
    std::fs::write(&file, "ops:s3cr:t\n").unwrap();
    let url = format!("{}&credentials={}", server.url("log"), file.display());
    let log = open(&url).await.unwrap();
    assert_eq!(log.append(0, entries(&["a"])).await, Ok(1));
    for (text, why) in [("ops", "one line is expected"), ("a:b\nc:d\n", "one line is expected")] {
        std::fs::write(&file, text).unwrap();
        let refused = open(&url).await.err().unwrap().to_string();
        assert!(refused.contains(why) && !refused.contains("c:d"), "{refused}");
    }
    let missing = open(&url.replace("/esdb", "/none")).await.err().unwrap().to_string();
    assert!(missing.contains("/none"), "{missing}");
}

/// The server here speaks no TLS, so an encrypted connection does not come about, and nothing is sent in
/// clear instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_unless_the_address_says_otherwise() {
    let server = Server::start();
    let url = server.url("log").replace("?tls=false", "");
    let refused = open(&url).await.err();
    assert!(matches!(refused, Some(Error::Unavailable(_))), "{refused:?}");
    let scratch = contract::Scratch::new();
    let ca = scratch.path().join("ca.pem");
    std::fs::write(&ca, "no certificate").unwrap();
    let refused = open(&format!("{url}?ca={}", ca.display())).await.err().unwrap().to_string();
    assert!(refused.contains("it holds no certificate"), "{refused}");
    assert!(server.database.lock().streams.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_the_server_does_not_take_is_too_large() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    server.database.lock().append_bytes_max = 100_000;
    let large = entries(&["x".repeat(60_000).as_str(), "y".repeat(60_000).as_str()]);
    let said = log.append(0, large).await;
    assert!(matches!(said, Err(Error::TooLarge { got: 120_001, .. })), "{said:?}");
    assert_eq!(log.append(0, entries(&["small"])).await, Ok(1));
}
