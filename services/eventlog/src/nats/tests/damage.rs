//! Messages that are not what was written. Nothing is repaired, everything is named.

use async_nats::HeaderMap;
use uuid::Uuid;

use super::*;
use crate::body;
use crate::remote::Tip;

/// Stores a message as no log would, and returns what reading it says.
async fn corruption_of(
    server: &Server,
    stream: &str,
    change: impl FnOnce(&mut HeaderMap, &mut Vec<u8>),
) -> String {
    let log = open(&server.url(stream)).await.unwrap();
    log.append(0, entries(&["a", "b"])).await.unwrap();
    let tip = log.inner.tip();
    let mut body = b"c\nd".to_vec();
    let mut headers = message::headers(stream, &tip, Uuid::now_v7(), 2, &body);
    change(&mut headers, &mut body);
    let tool = client(server).await;
    let stored = tool.request_with_headers(format!("{stream}.log"), headers, body.into()).await;
    let stored: Value = serde_json::from_slice(&stored.unwrap().payload).unwrap();
    assert_eq!(stored["seq"], 2, "{stored}");

    let read = log.read(3, 1 << 20).await.map(|_| ()).map_err(|error| error.to_string());
    let waited = log.wait_for(3).await.map(|_| ()).map_err(|error| error.to_string());
    let opened = open(&server.url(stream)).await.map(|_| ()).map_err(|error| error.to_string());
    assert_eq!((&read, &read), (&waited, &opened), "reading, waiting and opening differ");
    // What is sound is still read.
    assert_eq!(log.read(1, 1).await.unwrap()[0].entries, entries(&["a", "b"]));
    read.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_message_is_named() {
    let server = Server::start();
    let said = corruption_of(&server, "body", |_, body| body[0] = b'x').await;
    assert!(said.starts_with("the log is damaged: message 2: crc32 is "), "{said}");
    let said = corruption_of(&server, "foreign", |headers, _| *headers = HeaderMap::new()).await;
    assert_eq!(said, "the log is damaged: message 2: the header Eventlog-First is missing");
    let said = corruption_of(&server, "number", |headers, _| headers.insert("Eventlog-Last", "x"));
    let said = said.await;
    assert_eq!(said, "the log is damaged: message 2: the header Eventlog-Last is \"x\"");
    let said = corruption_of(&server, "count", |headers, _| headers.insert("Eventlog-Last", "5"));
    let said = said.await;
    assert_eq!(said, "the log is damaged: message 2: it holds 2 entries instead of 3");
    let said = corruption_of(&server, "text", |headers, body| {
        *body = b"c\n\xff".to_vec();
        headers.insert("Eventlog-Crc32", body::checksum(3, body).to_string().as_str());
    });
    assert_eq!(said.await, "the log is damaged: message 2: its body is not text");
}

/// Sound messages in the wrong place: only an open log, which knows what came before, can see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_and_a_message_that_follows_another_history_are_named() {
    let server = Server::start();
    for (stream, position, id, expected) in [
        ("gap", 7, None, "message 2: it begins at 8, and should at 3"),
        ("history", 2, Some(Uuid::max()), "message 2: it follows group ffffffff-"),
    ] {
        let log = open(&server.url(stream)).await.unwrap();
        log.append(0, entries(&["a", "b"])).await.unwrap();
        let tip = log.inner.tip();
        let other = Tip { position, id: id.unwrap_or(tip.id), ..tip };
        let headers = message::headers(stream, &other, Uuid::now_v7(), 1, b"c");
        let tool = client(&server).await;
        let stored = tool.request_with_headers(format!("{stream}.log"), headers, "c".into()).await;
        stored.unwrap();
        let reopened = Nats::open(&options(&server.url(stream))).await.unwrap();
        for said in [
            log.read(3, 1).await.unwrap_err(),
            log.head().await.unwrap_err(),
            log.append(2, entries(&["x"])).await.unwrap_err(),
            reopened.read(1, usize::MAX).await.unwrap_err(),
        ] {
            let said = said.to_string();
            assert!(said.starts_with(&format!("the log is damaged: {expected}")), "{said}");
        }
    }
}

/// As after a restore of an old back-up, or the loss of messages that were not synced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_lost_what_was_acknowledged_is_found_out() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["a"])).await.unwrap();
    log.append(1, entries(&["b"])).await.unwrap();
    api(&server, "STREAM.DELETE.log", &json!({}));
    let other = open(&server.url("log")).await.unwrap();
    other.append(0, entries(&["a"])).await.unwrap();
    let said = log.head().await.unwrap_err();
    assert!(
        matches!(&said, Error::Unavailable(why) if why.contains("ends at message 1, and message 2")),
        "{said}"
    );
    // The same place, another history.
    other.append(1, entries(&["B"])).await.unwrap();
    other.append(2, entries(&["C"])).await.unwrap();
    let said = log.append(2, entries(&["c"])).await.unwrap_err();
    assert!(matches!(&said, Error::Corrupt(_)), "{said}");
}

/// A server drops, without a word, a damaged message and all that came after it. It tells so once,
/// after the start that did it; and a handle that was open knows what it had acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_on_the_disk_of_the_server_is_found_out() {
    let mut server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    for (head, text) in (0..).zip(["first", "second", "third", "fourth"]) {
        log.append(head, entries(&[text])).await.unwrap();
    }
    server.kill();
    let block = server.store().join("jetstream/TRANCHE/streams/log/msgs/1.blk");
    let mut bytes = std::fs::read(&block).unwrap();
    let place = bytes.windows(5).position(|part| part == b"third").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&block, bytes).unwrap();
    server.start_again();

    let opened = open(&server.url("log")).await.err().map(|error| error.to_string());
    let dropped = "the log is damaged: stream: the server that leads it has found damage on its disk, and dropped ";
    assert!(opened.as_ref().is_some_and(|said| said.starts_with(dropped)), "{opened:?}");
    while log.read(2, 1).await.is_err() {}
    let (head, appended) = tokio::join!(log.head(), log.append(4, entries(&["fifth"])));
    for said in [head.unwrap_err(), appended.unwrap_err()] {
        assert!(said.to_string().contains("ends at message 2, and message 4 was"), "{said}");
    }
}
