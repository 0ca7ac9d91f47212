//! Streams and servers that could not keep the promises of a log.

use super::super::server::{ONE_NODE, THREE_NODES};
use super::super::settings::wrong_in_stream;
use super::*;

/// What opening says, when it is settings that are wrong: their names.
async fn wrong(url: &str) -> Vec<String> {
    match open(url).await.map(|_| ()) {
        Err(Error::Settings { wrong, .. }) => wrong.into_iter().map(|one| one.name).collect(),
        other => panic!("expected wrong settings, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_with_a_setting_that_breaks_a_promise_is_refused_by_its_name() {
    let server = Server::start();
    let bad = [
        ("subjects", json!(["bad-0.log", "more"])),
        ("storage", json!("memory")),
        ("no_ack", json!(true)),
        ("persist_mode", json!("async")),
        ("retention", json!("interest")),
        ("discard", json!("old")),
        ("max_age", json!(3_600_000_000_000_u64)),
        ("max_msgs", json!(1_000_000)),
        ("max_bytes", json!(1_000_000_000)),
        ("max_msgs_per_subject", json!(1_000_000)),
        ("max_msg_size", json!(1_000_000)),
        ("deny_delete", json!(false)),
        ("deny_purge", json!(false)),
        ("allow_msg_ttl", json!(true)),
        ("allow_direct", json!(false)),
        ("republish", Value::Null),
        ("first_seq", json!(10)),
        ("subject_transform", json!({ "src": "bad-17.log", "dest": "other" })),
        ("duplicate_window", json!(1_000_000_000)),
        ("metadata", json!({ "eventlog-format": "2" })),
    ];
    for (number, (name, value)) in bad.into_iter().enumerate() {
        let stream = format!("bad-{number}");
        let mut settings = stream_settings(&stream, 1);
        settings[name] = value;
        if name == "max_age" {
            // A server takes no window that is longer; here it is shorter.
            assert!(settings["duplicate_window"].as_u64() < settings[name].as_u64());
        }
        api(&server, &format!("STREAM.CREATE.{stream}"), &settings);
        let expected = if name == "metadata" { "metadata.eventlog-format" } else { name };
        assert_eq!(wrong(&server.url(&stream)).await, [expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_what_was_found_and_what_is_wanted_for_every_setting() {
    let server = Server::start();
    let mut settings = stream_settings("log", 1);
    settings["max_age"] = json!(3_600_000_000_000_u64);
    settings["deny_purge"] = json!(false);
    api(&server, "STREAM.CREATE.log", &settings);
    let said = open(&server.url("log")).await.err().unwrap().to_string();
    assert_eq!(
        said,
        "the NATS stream log cannot keep a log: max_age is 3600000000000, and must be 0; \
         deny_purge is false, and must be true"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_with_too_few_replicas_is_refused_old_or_new() {
    let server = Server::start();
    let three = server.url("log").replace("replicas=1", "replicas=3");
    assert_eq!(wrong(&three).await, ["num_replicas"]);
    open(&server.url("log")).await.unwrap();
    assert_eq!(wrong(&three).await, ["num_replicas"]);
}

/// Settings that a server does not let us make here, or not with the others.
#[test]
fn settings_that_need_a_cluster_or_another_stream_are_refused_too() {
    for (name, value) in [
        ("mirror", json!({ "name": "other" })),
        ("sources", json!([{ "name": "other" }])),
        ("sealed", json!(true)),
        ("allow_rollup_hdrs", json!(true)),
        ("allow_msg_counter", json!(true)),
        ("allow_msg_schedules", json!(true)),
        ("discard_new_per_subject", json!(true)),
        ("subject_delete_marker_ttl", json!(1_000_000_000)),
        ("num_replicas", json!(1)),
    ] {
        let mut settings = stream_settings("log", 3);
        settings[name] = value;
        let wrong = wrong_in_stream(settings.as_object().unwrap(), "log", 3);
        assert_eq!(wrong.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), [name]);
    }
    let settings = stream_settings("log", 3);
    assert_eq!(wrong_in_stream(settings.as_object().unwrap(), "log", 3), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_before_it_acknowledges_is_refused() {
    let lazy = ONE_NODE.replace("sync_interval: always", "sync_interval: 30s");
    assert_ne!(lazy, ONE_NODE);
    let server = Server::start_with(&lazy);
    let said = open(&server.url("log")).await.err().unwrap().to_string();
    let expected = "sync_interval of server one is every 30 s, and must be always";
    assert!(said.ends_with(expected), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_servers_sync_is_known_only_if_the_account_may_ask() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    assert!(log.durability().is_known());
    assert_eq!(log.durability().to_string(), "acknowledged by 1 of 1; sync_interval one: always");

    let end = ONE_NODE.find("system_account").unwrap();
    let silent = Server::start_with(&ONE_NODE[..end]);
    let log = open(&silent.url("log")).await.unwrap();
    assert!(!log.durability().is_known());
    assert_eq!(log.durability().to_string(), "acknowledged by 1 of 1; sync_interval one: unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_tells_the_setting_of_each_of_its_servers() {
    let cluster = Cluster::start();
    let log = open(&cluster.url("log")).await.unwrap();
    assert_eq!(
        log.durability().to_string(),
        "acknowledged by 2 of 3; sync_interval one: always, three: always, two: always"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_whole_group_is_refused() {
    let small = ONE_NODE.replace("max_payload: 1MB", "max_payload: 64KB");
    assert_ne!(small, ONE_NODE);
    let server = Server::start_with(&small);
    assert_eq!(wrong(&server.url("log")).await, ["max_payload of the server"]);
}

/// The limit may also be lowered while the log is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_the_server_no_longer_takes_is_too_large() {
    let mut server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    server.kill();
    server.replace_settings(&ONE_NODE.replace("max_payload: 1MB", "max_payload: 64KB"));
    server.start_again();
    while log.head().await.is_err() {}
    let large = entries(&["x".repeat(60_000).as_str(), "y".repeat(60_000).as_str()]);
    let said = log.append(0, large).await;
    assert!(matches!(said, Err(Error::TooLarge { got: 120_001, .. })), "{said:?}");
    assert_eq!(log.append(0, entries(&["small"])).await, Ok(1));
}

#[test]
fn the_files_for_people_are_those_of_the_tests() {
    let file = include_str!("../../../../../deploy/nats/stream.json");
    let settings: Value = serde_json::from_str(file).unwrap();
    assert_eq!(settings, stream_settings("tranche", REPLICAS), "deploy/nats/stream.json");
    for config in [ONE_NODE, THREE_NODES] {
        assert!(config.contains("\n  sync_interval: always\n"));
    }
}
