//! Answers that get lost, servers that go away and come back, and events that are not what was written.

use super::adapter::{entries, open, options, texts};
use super::database::{Event, Fault};
use super::server::Server;
use eventlog::kurrent::{ANSWER_WAIT, APPEND_WAIT, Kurrent, READ_WAIT, RETRY_PAUSE};
use eventlog::{Error, Log, tail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long something may take that must come about at last: a busy machine is slow.
const AT_LAST: Duration = Duration::from_secs(60);

/// The group is stored once, and acknowledged, whatever happens to its first try.
async fn store_once(fault: Fault, forgets_ids: bool, tries: usize) {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["before"])).await.unwrap();
    {
        let mut state = server.database.lock();
        state.forgets_ids = forgets_ids;
        state.tries = 0;
        state.faults.push(fault);
    }
    assert_eq!(log.append(1, entries(&["once", "and only once"])).await, Ok(3));
    assert_eq!(server.database.lock().tries, tries, "it was tried so often");
    assert_eq!(texts(&log).await, ["before", "once", "and only once"]);
    assert_eq!(log.append(3, entries(&["after"])).await, Ok(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_acknowledgement_is_lost_is_stored_once() {
    store_once(Fault::LoseAnswer, false, 2).await;
}

/// The second try is refused, and what is behind the tip is found to be ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_is_found_again_when_the_server_has_forgotten_the_id() {
    store_once(Fault::LoseAnswer, true, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_comes_too_late_is_a_lost_one() {
    store_once(Fault::Delay(AT_LAST), false, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_request_and_a_refused_one_are_tried_again() {
    store_once(Fault::LoseRequest, false, 2).await;
    store_once(Fault::Refuse("Server Is Not Ready"), false, 2).await;
}

/// A rival's event came first, and the group is not stored: so it is a conflict, and with the first try's
/// answer lost, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_said_only_when_the_group_is_not_stored() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["a"])).await.unwrap();
    let rival = open(&server.url("log")).await.unwrap();
    rival.append(1, entries(&["b"])).await.unwrap();
    let taken = server.database.lock().streams.get_mut("log").unwrap().pop().unwrap();
    server.database.lock().faults.push(Fault::Overtake(Box::new(taken)));
    let said = log.append(1, entries(&["c"])).await;
    assert_eq!(said, Err(Error::Conflict { expected: 1, actual: 2 }));
    server.database.lock().faults.push(Fault::LoseRequest);
    rival.append(2, entries(&["d"])).await.unwrap();
    let said = log.append(2, entries(&["e"])).await;
    assert_eq!(said, Err(Error::Conflict { expected: 2, actual: 3 }));
    assert_eq!(texts(&log).await, ["a", "b", "d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_is_unavailable_and_after_it_all_goes_on_without_opening_again() {
    let mut server = Server::start();
    let log = Arc::new(open(&server.url("log")).await.unwrap());
    let mut tail = tail(log.clone(), 1);
    log.append(0, entries(&["before"])).await.unwrap();
    assert_eq!(tail.next_group().await.unwrap().first, 1);
    let waiting = tokio::spawn(async move {
        let group = tail.next_group().await;
        (group, tail)
    });

    server.kill();
    let begun = Instant::now();
    let (appended, read, head) =
        tokio::join!(log.append(1, entries(&["lost"])), log.read(1, 1), log.head());
    assert!(matches!(&appended, Err(Error::Unavailable(_))), "{appended:?}");
    assert!(matches!(&read, Err(Error::Unavailable(_))), "{read:?}");
    assert!(matches!(&head, Err(Error::Unavailable(_))), "{head:?}");
    let longest = APPEND_WAIT.max(READ_WAIT) + ANSWER_WAIT;
    assert!(begun.elapsed() < longest + AT_LAST, "{:?}", begun.elapsed());

    server.start_again();
    assert_eq!(log.append(1, entries(&["after"])).await, Ok(2));
    let (group, mut tail) = waiting.await.unwrap();
    assert_eq!(group.unwrap().entries, entries(&["after"]));
    log.append(2, entries(&["more"])).await.unwrap();
    assert_eq!(tail.next_group().await.unwrap().first, 3);
    assert_eq!(texts(&*log).await, ["before", "after", "more"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_elsewhere_resumes_after_the_server_was_away() {
    let mut server = Server::start();
    let writer = open(&server.url("log")).await.unwrap();
    let reader = Kurrent::open_read_only(&options(&server.url("log"))).await.unwrap();
    let waiting = tokio::spawn(async move { reader.wait_for(1).await });
    server.kill();
    server.start_again();
    let deadline = Instant::now() + AT_LAST;
    let stored = loop {
        match writer.append(0, entries(&["a"])).await {
            Err(Error::Unavailable(_)) if Instant::now() < deadline => (),
            stored => break stored,
        }
    };
    assert_eq!(stored, Ok(1));
    assert_eq!(waiting.await.unwrap(), Ok(1));
}

/// The client of the crate stays with a member that is gone; the adapter does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_gone_the_log_goes_on_with_the_next() {
    let mut members = Server::cluster();
    let hosts: Vec<_> = members.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
    let url = format!("esdb://{}/log?tls=false", hosts.join(","));
    let log = open(&url).await.unwrap();
    assert_eq!(log.append(0, entries(&["first"])).await, Ok(1));
    // Another leads: the old one refuses, and says who.
    members[1].lead();
    assert_eq!(log.append(1, entries(&["second"])).await, Ok(2));
    members[1].kill();
    members[2].lead();
    let deadline = Instant::now() + AT_LAST;
    while log.head().await.is_err() {
        assert!(Instant::now() < deadline, "nobody leads");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    assert_eq!(log.append(2, entries(&["third"])).await, Ok(3));
    let discovered = format!("esdb+discover://127.0.0.1:{}/log?tls=false", members[0].port());
    let other = open(&discovered).await.unwrap();
    assert_eq!(texts(&other).await, ["first", "second", "third"]);
}

/// Changes the second of two events, and returns what reading it says.
async fn corruption_of(server: &Server, stream: &str, change: impl FnOnce(&mut Event)) -> String {
    let log = open(&server.url(stream)).await.unwrap();
    log.append(0, entries(&["a", "b"])).await.unwrap();
    let other = open(&server.url(stream)).await.unwrap();
    other.append(2, entries(&["c", "d"])).await.unwrap();
    change(&mut server.database.lock().streams.get_mut(stream).unwrap()[1]);

    let read = log.read(3, 1 << 20).await.map(|_| ()).map_err(|error| error.to_string());
    let waited = log.wait_for(3).await.map(|_| ()).map_err(|error| error.to_string());
    let appended = log.append(4, entries(&["e"])).await.map_err(|error| error.to_string());
    assert_eq!((&read, &read), (&waited, &appended.map(|_| ())), "the answers differ");
    // What is sound is still read.
    assert_eq!(log.read(1, 1).await.unwrap()[0].entries, entries(&["a", "b"]));
    read.unwrap_err()
}

/// Sets a field of the metadata.
fn set(event: &mut Event, name: &str, value: Value) {
    let mut metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
    metadata[name] = value;
    event.metadata = metadata.to_string().into_bytes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_event_is_named() {
    let server = Server::start();
    let said = corruption_of(&server, "body", |event| event.data[0] = b'x').await;
    assert!(said.starts_with("the log is damaged: event 1: crc32 is "), "{said}");
    let said = corruption_of(&server, "count", |event| set(event, "last", json!(5))).await;
    assert_eq!(said, "the log is damaged: event 1: it holds 2 entries instead of 3");
    let said = corruption_of(&server, "moved", |event| set(event, "first", json!(2))).await;
    assert!(said.starts_with("the log is damaged: event 1: crc32 is "), "{said}");
    let said = corruption_of(&server, "number", |event| set(event, "last", json!("x"))).await;
    assert!(said.starts_with("the log is damaged: event 1: its metadata: invalid type"), "{said}");
    let said = corruption_of(&server, "none", |event| event.metadata.clear()).await;
    assert!(said.starts_with("the log is damaged: event 1: its metadata: EOF"), "{said}");
    let said = corruption_of(&server, "history", |event| {
        set(event, "after", json!("ffffffff-ffff-ffff-ffff-ffffffffffff"));
    });
    let said = said.await;
    assert!(said.starts_with("the log is damaged: event 1: it follows group ffffffff-"), "{said}");
    let said = corruption_of(&server, "foreign", |event| {
        event.properties.insert("type".to_owned(), "Order".to_owned());
    });
    let expected = "event 1: its type is \"Order\", and should be EventlogGroup";
    assert_eq!(said.await, format!("the log is damaged: {expected}"));
}

/// As after a restore of an old back-up: the stream is shorter, and then another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_lost_what_was_acknowledged_is_found_out() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["a"])).await.unwrap();
    log.append(1, entries(&["b"])).await.unwrap();
    server.database.lock().streams.get_mut("log").unwrap().pop();
    let said = log.head().await.unwrap_err().to_string();
    assert!(said.contains("stream log ends at event 0, and event 1 was acknowledged"), "{said}");
    // The same length, another history.
    let other = open(&server.url("log")).await.unwrap();
    other.append(1, entries(&["B"])).await.unwrap();
    let said = log.head().await;
    assert!(matches!(&said, Err(Error::Corrupt(_))), "{said:?}");
    // The fence is the number alone, so an append without a look at the head gets through; every reader
    // finds it out by the predecessor.
    log.append(2, entries(&["c"])).await.unwrap();
    let fresh = open(&server.url("log")).await.unwrap();
    let said = fresh.read(1, usize::MAX).await.unwrap_err().to_string();
    assert!(said.starts_with("the log is damaged: event 2: it follows group "), "{said}");
    server.database.lock().streams.remove("log");
    let said = log.head().await.unwrap_err().to_string();
    assert!(said.contains("stream log is empty, and event 2 was acknowledged"), "{said}");
}

/// As after a scavenge of a stream that was truncated: its first events are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_named() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    for (head, text) in (0..).zip(["a", "b", "c"]) {
        log.append(head, entries(&[text])).await.unwrap();
    }
    server.database.lock().scavenged.insert("log".to_owned(), 2);
    let fresh = open(&server.url("log")).await.unwrap();
    for read in [log.read(1, usize::MAX).await, fresh.read(1, usize::MAX).await] {
        let said = read.unwrap_err().to_string();
        assert_eq!(said, "the log is damaged: event 0: it is missing, and later ones are there");
    }
}
