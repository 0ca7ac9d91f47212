//! Answers that get lost, and servers that go away and come back.

use std::time::Instant;

use super::proxy::{Cut, Proxy};
use super::*;
use crate::tail::tail;

/// A log whose line to its server can be cut.
async fn over_a_proxy(server: &Server, replicas: usize) -> (Proxy, Nats) {
    let proxy = Proxy::start(server.port()).await;
    let url = format!("nats://127.0.0.1:{}/log?replicas={replicas}", proxy.port);
    (proxy, open(&url).await.unwrap())
}

/// All that the log holds. A server that is behind the others gives less than all at once.
async fn texts(log: &dyn Log) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let groups = log.read(texts.len() as u64 + 1, usize::MAX).await.unwrap();
        if groups.is_empty() {
            return texts;
        }
        let entries = groups.iter().flat_map(|group| &group.entries);
        texts.extend(entries.map(|entry| String::from_utf8(entry.to_vec()).unwrap()));
    }
}

/// The same group is stored once, and acknowledged.
async fn lose_an_acknowledgement(server: &Server, replicas: usize) {
    let (proxy, log) = over_a_proxy(server, replicas).await;
    log.append(0, entries(&["before"])).await.unwrap();
    proxy.cut(Cut::Acknowledgement(Duration::from_millis(200)));
    assert_eq!(log.append(1, entries(&["once", "and only once"])).await, Ok(3));
    assert!(proxy.is_done());
    assert_eq!(texts(&log).await, ["before", "once", "and only once"]);
    assert_eq!(log.append(3, entries(&["after"])).await, Ok(4));
}

/// One server looks at the fence before the id, and refuses the second try: the first one is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_acknowledgement_the_group_is_stored_once_on_one_node() {
    lose_an_acknowledgement(&Server::start(), 1).await;
}

/// A cluster looks at the id before the fence, and acknowledges the second try as a duplicate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_acknowledgement_the_group_is_stored_once_in_a_cluster() {
    lose_an_acknowledgement(&Cluster::start().servers[0], 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_message_is_sent_again() {
    let server = Server::start();
    let (proxy, log) = over_a_proxy(&server, 1).await;
    proxy.cut(Cut::Message);
    assert_eq!(log.append(0, entries(&["once"])).await, Ok(1));
    assert!(proxy.is_done());
    assert_eq!(texts(&log).await, ["once"]);
}

/// A cluster forgets ids after a while; from then on it looks at the fence alone, like one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_is_found_again_when_the_server_has_forgotten_the_id() {
    let cluster = Cluster::start();
    let server = &cluster.servers[0];
    let (proxy, log) = over_a_proxy(server, 3).await;
    let mut settings = stream_settings("log", 3);
    settings["duplicate_window"] = json!(100_000_000);
    api(server, "STREAM.UPDATE.log", &settings);
    proxy.cut(Cut::Acknowledgement(Duration::from_secs(1)));
    let appended = tokio::spawn(async move {
        let result = log.append(0, entries(&["once"])).await;
        (result, log)
    });
    // A rival goes on behind it, meanwhile: the group is stored all the same.
    settings["duplicate_window"] = json!(120_000_000_000_u64);
    while !proxy.is_done() {
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    api(server, "STREAM.UPDATE.log", &settings);
    let rival = open(&cluster.url("log")).await.unwrap();
    rival.append(1, entries(&["rival"])).await.unwrap();
    let (result, log) = appended.await.unwrap();
    assert_eq!(result, Ok(1));
    assert_eq!(texts(&log).await, ["once", "rival"]);
    assert_eq!(
        log.append(1, entries(&["x"])).await.unwrap_err().to_string(),
        "the head is at 2, not at 1"
    );
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
    assert!(begun.elapsed() < longest + RETRY_PAUSE * 10, "{:?}", begun.elapsed());

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
    let reader = Nats::open_read_only(&options(&server.url("log"))).await.unwrap();
    let waiting = tokio::spawn(async move { reader.wait_for(1).await });
    server.kill();
    server.start_again();
    let stored = loop {
        match writer.append(0, entries(&["a"])).await {
            Err(Error::Unavailable(_)) => (),
            stored => break stored,
        }
    };
    assert_eq!(stored, Ok(1));
    assert_eq!(waiting.await.unwrap(), Ok(1));
}

/// Nothing that was acknowledged is lost with one of three servers, the leader too; with two, nothing
/// is acknowledged; and when they are back, everything is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_servers_one_may_go_and_two_may_not() {
    let mut cluster = Cluster::start();
    let log = open(&cluster.url("log")).await.unwrap();
    let mut head = 0;
    let mut append = async |count: u64| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while head < count && Instant::now() < deadline {
            // As a careful writer does: after an error, find out by reading.
            match log.append(head, entries(&[&head.to_string()])).await {
                Ok(now) => head = now,
                Err(_) => head = log.head().await.unwrap_or(head),
            }
        }
        head
    };
    assert_eq!(append(5).await, 5);
    let leader = cluster.leader("log").expect("a stream that takes messages has a leader");
    cluster.servers[leader].kill();
    assert_eq!(append(10).await, 10, "one of three is gone");

    let next = (leader + 1) % 3;
    cluster.servers[next].kill();
    let refused = log.append(10, entries(&["10"])).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");

    cluster.servers[leader].start_again();
    cluster.servers[next].start_again();
    let now = append(15).await;
    assert_eq!(now, 15, "all are back");
    let stored = texts(&log).await;
    assert_eq!(stored, (0..15).map(|number| number.to_string()).collect::<Vec<_>>());
}
