//! The relay: every event of the log once and in order, whatever is killed in between. What should be
//! there is read from the committed history by this test, not by the relay's own code.

mod stream;

use crate::cli::program::{Scratch, command, directory, tranche};
use crate::life::Dice;
use crate::often::times;
use eventlog::nats::server::{Cluster, Server};
use eventlog::{Log, Nats};
use serde_json::json;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use stream::{Events, expected};

/// How long something may take that must come about at last.
const AT_LAST: Duration = Duration::from_secs(120);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// So many times a relay is killed for each change, and at night.
const KILLS: (usize, usize) = (5, 20);
const HISTORY: &str = include_str!("history/0.1.0.jsonl");

fn lines() -> Vec<&'static str> {
    HISTORY.lines().collect()
}

/// The log, as soon as it can be opened: a cluster may be without a leader for a while.
async fn open(url: &str) -> Nats {
    let options = url.parse().expect("a URL");
    let deadline = Instant::now() + AT_LAST;
    loop {
        match Nats::open(&options).await {
            Ok(log) => return log,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Puts commits of the history behind those that are there.
async fn record(url: &str, commits: &[&str]) {
    let log = open(url).await;
    let head = log.head().await.expect("a head");
    let entries = commits.iter().map(|line| (*line).to_owned().into()).collect();
    log.append(head, entries).await.expect("it is recorded");
}

/// The same, each for itself.
async fn one_by_one(url: String, commits: Vec<&'static str>) {
    let log = open(&url).await;
    for line in commits {
        let head = log.head().await.expect("a head");
        log.append(head, vec![line.to_owned().into()]).await.expect("it is recorded");
        // So that a kill can fall between two of them.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `tranche relay --once`: how many events it has stored.
fn relay_once(dir: &Path, url: &str, more: &[&str]) -> u64 {
    let args = [&["--log", url, "relay", "--once", "--json"], more].concat();
    let output = tranche(dir, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    said["events"].as_u64().expect("a number")
}

/// `tranche relay` as a process of its own: killed at the end, whatever happens.
struct Relay(Child);

impl Relay {
    fn start(dir: &Path, url: &str) -> Self {
        let mut command = command(directory().join("tranche"), dir);
        command.args(["--log", url, "relay"]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the program starts"))
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_none()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // SIGKILL. It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_every_commit_is_there_once_and_in_order_on_one_node_and_on_three() {
    let scratch = Scratch::new();
    let all = expected("demo", &lines());
    assert!(all.len() > 412, "a commit has more than one event");
    let (server, cluster) = (Server::start(), Cluster::start());
    for url in [server.url("demo"), cluster.url("demo")] {
        record(&url, &lines()).await;
        assert_eq!(relay_once(scratch.path(), &url, &[]), all.len() as u64);
        let events = Events::connect(&url, "demo").await;
        assert_eq!(events.all().await, all);
        assert_eq!(relay_once(scratch.path(), &url, &[]), 0, "nothing is left");
        assert_eq!(events.all().await, all);
        // Made again, it is the same.
        assert_eq!(relay_once(scratch.path(), &url, &["--rebuild"]), all.len() as u64);
        assert_eq!(events.all().await, all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_killed_again_and_again_repeats_nothing_and_leaves_nothing_out() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let dice = &mut Dice::of_seed(seed);
    let (server, scratch, lines) = (Server::start(), Scratch::new(), lines());
    let url = server.url("killed");
    let (first, rest) = lines.split_at(lines.len() / 2);
    record(&url, first).await;
    let events = Events::connect(&url, "killed").await;
    let mut in_the_middle = 0;
    for commits in rest.chunks(rest.len().div_ceil(times(KILLS.0, KILLS.1))) {
        let before = events.count().await;
        let relay = Relay::start(scratch.path(), &url);
        let recording = tokio::spawn(one_by_one(url.clone(), commits.to_vec()));
        if dice.index(4) > 0 {
            events.until(|count| count > before).await;
        }
        // At any moment of its life: that is what the dice are for.
        tokio::time::sleep(Duration::from_millis(dice.index(60) as u64)).await;
        drop(relay);
        let count = events.count().await;
        recording.await.expect("all is recorded");
        let due = expected("killed", &lines[..events.log_head().await]).len() as u64;
        in_the_middle += u64::from(count > before && count < due);
    }
    assert!(in_the_middle > 0, "SEED={seed}: no relay was killed in the middle of its work");
    println!("{in_the_middle} relays were killed when they had relayed some events, and not all");
    relay_once(scratch.path(), &url, &[]);
    assert!(events.all().await == expected("killed", &lines), "SEED={seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_at_once_do_the_work_of_one() {
    let (cluster, scratch, lines) = (Cluster::start(), Scratch::new(), lines());
    let url = cluster.url("two");
    record(&url, &lines[..1]).await;
    let mut relays = [(); 2].map(|()| Relay::start(scratch.path(), &url));
    for commits in lines[1..].chunks(20) {
        record(&url, commits).await;
    }
    let (all, events) = (expected("two", &lines), Events::connect(&url, "two").await);
    events.until(|count| count >= all.len() as u64).await;
    assert!(relays.iter_mut().all(Relay::is_running));
    drop(relays);
    assert_eq!(events.all().await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_may_be_killed_and_come_back() {
    let (mut server, scratch, lines) = (Server::start(), Scratch::new(), lines());
    let url = server.url("outage");
    let events = Events::connect(&url, "outage").await;
    let mut relay = Relay::start(scratch.path(), &url);
    for commits in lines.chunks(lines.len().div_ceil(4)) {
        let before = events.count().await;
        record(&url, commits).await;
        events.until(|count| count > before).await;
        server.kill();
        server.start_again();
    }
    let all = expected("outage", &lines);
    events.until(|count| count >= all.len() as u64).await;
    assert!(relay.is_running());
    drop(relay);
    assert_eq!(events.all().await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_once_does_not_need_the_window_of_duplicates() {
    const WINDOW: Duration = Duration::from_millis(100);
    let (server, scratch, lines) = (Server::start(), Scratch::new(), lines());
    let url = server.url("late");
    let mut settings = tranche::relay::stream_settings("late", 1);
    settings["duplicate_window"] = json!(u64::try_from(WINDOW.as_nanos()).expect("a short window"));
    let made = server.request("$JS.API.STREAM.CREATE.late-events", &settings);
    assert!(made.is_some_and(|made| made["config"].is_object()));
    for commits in lines.chunks(150) {
        record(&url, commits).await;
        relay_once(scratch.path(), &url, &[]);
        tokio::time::sleep(WINDOW * 3).await;
        assert_eq!(relay_once(scratch.path(), &url, &[]), 0);
    }
    assert_eq!(Events::connect(&url, "late").await.all().await, expected("late", &lines));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_gets_what_it_asks_for_and_nothing_else() {
    let (server, scratch) = (Server::start(), Scratch::new());
    let url = server.url("demo");
    record(&url, &lines()).await;
    relay_once(scratch.path(), &url, &[]);
    let mut wanted = expected("demo", &lines());
    wanted.retain(|message| message.subject.starts_with("demo.events.grant."));
    assert!(!wanted.is_empty(), "the demo has grants");
    let events = Events::connect(&url, "demo").await;
    assert_eq!(events.consumed("demo.events.grant.>").await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_as_it_is() {
    let (server, scratch) = (Server::start(), Scratch::new());
    let url = server.url("tranche");
    record(&url, &lines()[..1]).await;
    relay_once(scratch.path(), &url, &[]);
    let message = Events::connect(&url, "tranche").await.message(1).await.expect("it is there");
    expect_test::expect![[r#"
        tranche.events.system.LUMI.Registered
        Nats-Msg-Id: 1/1
        ce-actor: access-1
        ce-actorrole: access_officer
        ce-command: system.register
        ce-commandid: demo/0001
        ce-commitid: 018bd724-e000-7c32-a1e9-1655ac5da66f
        ce-datacontenttype: application/json
        ce-effectiveat: 2023-11-16T08:00:00Z
        ce-eventcount: 1
        ce-eventindex: 1
        ce-evidenceconfidence: published
        ce-evidencesource: truba
        ce-id: 018bd724-e000-7c32-a1e9-1655ac5da66f/1
        ce-position: 1
        ce-receivedat: 2023-11-16T08:00:00Z
        ce-schemaversion: 1
        ce-source: tranche:tranche
        ce-specversion: 1.0
        ce-streamversion: 1
        ce-subject: system-LUMI
        ce-time: 2023-11-16T08:00:00Z
        ce-type: system.Registered
        content-type: application/json

        {"country":"FI","partitions":[{"gpus_per_node":0,"nodes":1536,"partition":"LUMI-C"},{"gpu":"MI250X","gpus_per_node":4,"nodes":2560,"partition":"LUMI-G"}]}"#]]
    .assert_eq(&message.to_string());
}

/// A batch that was refused, or broken off, leaves nothing behind that would refuse it the next time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_batch_can_be_sent_again() {
    let (server, cluster) = (Server::start(), Cluster::start());
    for (server, url, replicas) in
        [(&server, server.url("again"), 1), (&cluster.servers[0], cluster.url("again"), 3)]
    {
        record(&url, &lines()[..1]).await;
        let settings = tranche::relay::stream_settings("again", replicas);
        let made = server.request("$JS.API.STREAM.CREATE.again-events", &settings);
        assert!(made.is_some_and(|made| made["config"].is_object()));
        let events = Events::connect(&url, "again").await;
        for round in 0..20 {
            let (after, ids) = (round * 2, [format!("{round}/1"), format!("{round}/2")]);
            events.broken_off(after, &ids).await;
            assert_eq!(events.batch(after + 7, &ids).await["error"]["err_code"], 10071);
            assert_eq!(events.batch(after, &ids).await["seq"], after + 2, "round {round}");
            // Sent again after the answer was lost.
            let refused = events.batch(after, &ids).await["error"]["err_code"].as_u64();
            assert!(matches!(refused, Some(10071 | 10201)), "{refused:?}");
        }
    }
}
