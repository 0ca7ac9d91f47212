//! Copies between directories and streams of EventStoreDB's protocol.

use super::restore::{goes_on, served_and_backed_up};
use super::{Target, all, copied, copy_under_kills, fill, refused};
use crate::cli::program::Scratch;
use crate::kurrent::server::Server;
use eventlog::{Kurrent, Log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_restored_from_a_directory() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let server = Server::start();
    let log = server.url("lost");
    let back_up = || assert!(copied(dir, &log, "sqlite:backup")["head"].as_u64() > Some(0));
    let original = served_and_backed_up(dir, &log, back_up).await;
    drop(server);

    let server = Server::start();
    let log = server.url("restored");
    copied(dir, "sqlite:backup", &log);
    goes_on(dir, &log, &original).await;
    refused(dir, "sqlite:backup", &log, 3, "the target is longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_into_a_stream_is_killed_and_comes_to_its_end() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let groups = fill(&dir.join("from"), 1_000, "entry").await;
    let server = Server::start();
    let url = server.url("copy");
    let options = url.parse().unwrap();
    let target = Target::Database(&options);
    let kills = copy_under_kills(dir, "sqlite:from", &url, &target).await;
    assert!(kills >= 1, "no copy was killed in the middle");
    assert_eq!(all(&*target.open().await.unwrap()).await, groups);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_with_another_history_stays_as_it_is() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    fill(&dir.join("from"), 20, "entry").await;
    let server = Server::start();
    let url = server.url("other");
    let log = Kurrent::open(&url.parse().unwrap()).await.unwrap();
    log.append(0, vec!["entry 0.0".into(), "foreign".into()]).await.unwrap();
    refused(dir, "sqlite:from", &url, 3, "differ at position 2");
    assert_eq!(log.head().await, Ok(2));
    refused(dir, &url, &url, 2, "is both FROM and TO");
}

/// Once around: every kind of log holds the same bytes.
#[cfg(feature = "nats")]
#[test]
fn a_log_goes_through_every_kind_and_comes_back_the_same() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    super::done(dir, &["--data", "demo", "demo", "--once"]);
    let (database, server) = (Server::start(), eventlog::nats::server::Server::start());
    let (stream, subject) = (database.url("log"), server.url("log"));
    let way = ["sqlite:demo", &subject, &stream, "sqlite:back"];
    let digests: Vec<_> = way
        .windows(2)
        .map(|step| copied(dir, step[0], step[1])["target_sha256"].as_str().unwrap().to_owned())
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    assert_eq!(copied(dir, &stream, &subject)["entries"], 0, "nothing is missing there");
}
