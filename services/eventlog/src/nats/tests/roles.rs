//! Which of several processes writes: marks that move the fence, and leases.

use tokio::time::Instant;

use super::*;
use crate::log::{Damage, Place};

async fn pair(server: &Server) -> (Nats, Nats) {
    (open(&server.url("log")).await.unwrap(), open(&server.url("log")).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_over_from_cannot_append_even_at_the_same_head() {
    let server = Server::start();
    let (old, new) = pair(&server).await;
    old.append(0, entries(&["a"])).await.unwrap();
    assert_eq!(new.take_over().await, Ok(1));
    // It knows nothing of the mark: the server stops it, as it would stop what is on its way.
    assert_eq!(old.append(1, entries(&["late"])).await, Err(Error::Fenced));
    assert_eq!(old.append(1, entries(&["again"])).await, Err(Error::Fenced));
    assert_eq!(new.append(1, entries(&["b"])).await, Ok(2));
    assert_eq!(old.append(2, entries(&["c"])).await, Err(Error::Fenced));
    // It may have the log back, if it asks for it.
    assert_eq!(old.take_over().await, Ok(2));
    assert_eq!(new.append(2, entries(&["late"])).await, Err(Error::Fenced));
    assert_eq!(old.append(2, entries(&["c"])).await, Ok(3));
    let reader = Nats::open_read_only(&options(&server.url("log"))).await.unwrap();
    assert_eq!(reader.take_over().await, Err(Error::ReadOnly));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_nothing_of_marks() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    let mut texts = Vec::new();
    for turn in 0..4_u64 {
        assert_eq!(log.take_over().await, Ok(turn * 2));
        assert_eq!(log.take_over().await, Ok(turn * 2));
        let pair = [format!("a{turn}"), format!("b{turn}")];
        log.append(turn * 2, entries(&[&pair[0], &pair[1]])).await.unwrap();
        texts.extend(pair);
    }
    assert_eq!(log.take_over().await, Ok(8));
    // One that reads from the start, from the middle, in small pieces, and at the end.
    for from in 1..=9_u64 {
        for bytes in [1, 5, 8, usize::MAX] {
            let fresh = Nats::open_read_only(&options(&server.url("log"))).await.unwrap();
            let (mut next, mut read) = (from, Vec::new());
            loop {
                let groups = fresh.read(next, bytes).await.unwrap();
                let Some(last) = groups.last() else { break };
                next = last.last() + 1;
                read.extend(groups.into_iter().flat_map(|group| group.entries));
            }
            let wanted = &texts[usize::try_from(from - 1).unwrap()..];
            assert_eq!(read, wanted, "from {from}, {bytes} bytes");
        }
    }
    // A writer that comes later is not held up by marks of the past.
    let later = open(&server.url("log")).await.unwrap();
    later.read(1, usize::MAX).await.unwrap();
    assert_eq!(later.append(8, entries(&["c"])).await, Ok(9));
    assert_eq!(later.wait_for(9).await, Ok(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_is_damaged_is_named() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["a"])).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("Nats-Msg-Id", "6f2a7b0e-0000-7000-8000-000000000001"),
        ("Eventlog-First", "2"),
        ("Eventlog-Last", "1"),
        ("Eventlog-Crc32", "7"),
        ("Eventlog-After", "6f2a7b0e-0000-7000-8000-000000000002"),
    ] {
        headers.insert(name, value);
    }
    let tool = client(&server).await;
    let stored = tool.request_with_headers("log.log", headers, Bytes::new()).await.unwrap();
    assert!(stored.payload.starts_with(b"{\"stream\""), "{stored:?}");
    let error = log.head().await.unwrap_err();
    assert!(matches!(&error, Error::Corrupt(Damage { place: Place::Message { sequence: 2 }, .. })));
    assert!(error.to_string().contains("mark"), "{error}");
}

/// A lease of the role of this name for a process.
async fn lease(server: &Server, process: &str) -> Lease {
    let log = open(&server.url("log")).await.unwrap();
    Lease::new(log.wire(), 1, "writer", process.to_owned())
}

/// Takes turns until one goes well: a stream is made by the first who looks.
async fn turn(lease: &mut Lease) -> Standing {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match lease.turn().await {
            Ok(standing) => return standing,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

fn theirs(holder: &str) -> Standing {
    Standing::Theirs(Some(holder.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_has_one_holder_and_goes_to_another_when_it_is_given_back_or_runs_out() {
    let server = Server::start();
    let (mut one, mut two) = (lease(&server, "one").await, lease(&server, "two").await);
    let begun = Instant::now();
    let Standing::Ours(until) = turn(&mut one).await else { panic!("it was free") };
    assert!(until > begun && until <= Instant::now() + LEASE);
    assert_eq!(turn(&mut two).await, theirs("one"));
    assert!(matches!(turn(&mut one).await, Standing::Ours(later) if later > until));
    one.release().await;
    assert!(matches!(turn(&mut two).await, Standing::Ours(_)));
    assert_eq!(turn(&mut one).await, theirs("two"));

    // From here on `two` is silent, and `one` takes over, not before the lease has run out.
    let seen = Instant::now();
    while !matches!(turn(&mut one).await, Standing::Ours(_)) {
        assert!(seen.elapsed() < LEASE * 20, "nobody takes it");
        tokio::time::sleep(LEASE_TURN / 5).await;
    }
    assert!(seen.elapsed() >= LEASE - LEASE_TURN, "it was taken from a living holder");
    assert_eq!(turn(&mut two).await, theirs("one"), "who wakes up has lost it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_lasts_through_an_outage_until_its_moment_and_is_found_again() {
    let mut server = Server::start();
    let mut one = lease(&server, "one").await;
    let Standing::Ours(until) = turn(&mut one).await else { panic!("it was free") };
    server.kill();
    while Instant::now() < until {
        match one.turn().await {
            Ok(standing) => assert_eq!(standing, Standing::Ours(until)),
            Err(_) => assert!(Instant::now() >= until),
        }
        tokio::time::sleep(LEASE_TURN / 5).await;
    }
    assert!(matches!(one.turn().await, Err(Error::Unavailable(_))));
    // The lease was kept in memory, and is made anew.
    server.start_again();
    assert!(matches!(turn(&mut one).await, Standing::Ours(later) if later > until));
}
