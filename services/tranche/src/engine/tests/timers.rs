//! Durable timers, and what follows from commits.

use super::*;
use domain::World;
use domain::facts::timer::CommandData;
use domain::kernel::ids::TimerId;
use domain::process::react::Reaction;
use eventlog::contract::Scratch;

#[tokio::test]
async fn a_timer_fires_at_its_due_time_and_not_before() {
    let (engine, _hands, log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.submit(set_timer("c2", "T", "2024-09-11T08:00:00Z", "A")).await.unwrap();
    engine.advance_to(instant("2024-09-11T07:59:59Z")).await.unwrap();
    assert_eq!(engine.now().position(), 2);
    assert_eq!(engine.now().next_timer(), Some(instant("2024-09-11T08:00:00Z")));
    engine.advance_to(instant("2024-09-20T08:00:00Z")).await.unwrap();
    let fired = commits(&engine).await.pop().unwrap();
    assert_eq!(fired.command_id.as_str(), "timer/T/1726041600000000");
    assert_eq!(fired.recorded_at.to_string(), "2024-09-11T08:00:00Z");
    assert_eq!(fired.events[1].event.kind(), "process.Parked");
    assert_eq!(engine.now().next_timer(), None);
    is_true_to_its_log(&engine, &log).await;
}

#[tokio::test]
async fn a_timer_fires_by_itself_when_the_clock_gets_there() {
    let (engine, hands, _log) = memory().await;
    engine.submit(set_timer("c1", "T", "2024-09-11T08:00:00Z", "A")).await.unwrap();
    hands.set(instant("2024-09-11T08:00:00Z"));
    assert_eq!(engine.wait_for(2).await.unwrap().position(), 2);
}

#[tokio::test]
async fn a_timer_fires_by_itself_on_the_clock_of_the_system() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let engine = Engine::open(log, Clock::system(), EngineOptions::default()).await.unwrap();
    let due = Timestamp::now() + std::time::Duration::from_millis(30);
    engine.submit(set_timer("c1", "T", &due.to_string(), "A")).await.unwrap();
    let shown = engine.wait_for(2).await.unwrap();
    assert!(shown.recorded_at() >= due);
}

#[tokio::test]
async fn a_timer_that_was_due_comes_before_the_next_request() {
    let (engine, hands, _log) = memory().await;
    engine.submit(set_timer("c1", "T", "2024-09-11T08:00:00Z", "A")).await.unwrap();
    hands.set(instant("2024-09-11T08:00:00Z"));
    engine.submit(publish("c2", "A")).await.unwrap();
    assert_eq!(commands(&engine).await, ["timer.set", "timer.fire", "claim.publish"]);
}

#[tokio::test]
async fn a_timer_that_came_due_while_nobody_ran_fires_at_the_start_by_its_due_time() {
    let (engine, _hands, log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.submit(set_timer("c2", "T", "2024-09-11T08:00:00Z", "A")).await.unwrap();
    engine.stop().await;
    let (clock, _hands) = Clock::manual(instant("2024-09-15T08:00:00Z"));
    let engine = Engine::open(log, clock, EngineOptions::default()).await.unwrap();
    assert_eq!(engine.settle().await.unwrap(), None);
    let fired = commits(&engine).await.pop().unwrap();
    assert_eq!(fired.recorded_at.to_string(), "2024-09-15T08:00:00Z");
    for recorded in &fired.events {
        assert_eq!(recorded.effective_at.to_string(), "2024-09-11T08:00:00Z");
    }
}

#[tokio::test]
async fn a_timer_set_to_the_same_instant_again_fires_again() {
    let (engine, _hands, _log) = memory().await;
    let due = "2024-09-11T08:00:00Z";
    engine.submit(set_timer("c1", "T", due, "A")).await.unwrap();
    engine.advance_to(instant(due)).await.unwrap();
    engine.submit(set_timer("c2", "T", due, "A")).await.unwrap();
    engine.settle().await.unwrap();
    let commits = commits(&engine).await;
    assert_eq!(commits.last().unwrap().command_id.as_str(), "timer/T/1726041600000000/3");
    let timer: TimerId = "T".parse().unwrap();
    assert!(engine.now().world().timers[&timer].pending.is_none());
}

/// A timer that can be set, and whose firing does not fit a commit any more.
fn too_large(id: &str, due: &str) -> Request {
    let set = |filling: usize| {
        let message = "m".repeat(filling);
        let park = format!(
            r#"{{"process":"p","reaction":"r","code":"c","message":"{message}","wish":{{"command":"a.b","data":{{}}}}}}"#
        );
        let wish = format!(r#"{{"command":"process.park","data":{park}}}"#);
        let payload = format!(r#"{{"timer":"T","due":"{due}","wish":{wish}}}"#);
        request(Role::ProgrammeOfficer, id, "timer.set", &payload)
    };
    let envelope = {
        let small = set(0);
        let meta = small.envelope.meta(start(), start());
        let committed = World::default().commit(&small.parsed, &meta).unwrap().unwrap();
        committed.1.len()
    };
    // All but a few bytes: the firing names two streams.
    set(domain::facts::commit::COMMIT_BYTES_MAX - envelope - 8)
}

#[tokio::test]
async fn a_timer_that_cannot_fire_is_set_aside_in_sight_and_stops_nobody() {
    let (engine, _hands, log) = memory().await;
    let due = "2024-09-11T08:00:00Z";
    engine.submit(too_large("c1", due)).await.unwrap();
    engine.advance_to(instant("2024-09-12T08:00:00Z")).await.unwrap();
    assert_eq!(commands(&engine).await, ["timer.set", "process.park"]);
    let parked = commits(&engine).await.pop().unwrap();
    assert_eq!(parked.command_id.as_str(), "timer/T/1726041600000000/park");
    assert_eq!(engine.metrics().parked.get(), 1);
    let shown = async |view: &str| {
        let report = engine.as_of(view, AsOf::NOW).await.unwrap().unwrap();
        serde_json::to_string(&report).unwrap()
    };
    let inbox = shown("inbox").await;
    assert!(inbox.contains("timer/T/1726041600000000") && inbox.contains("bytes"), "{inbox}");
    assert!(shown("deadlines").await.contains("timer-T"), "it is still pending");
    engine.submit(publish("c2", "A")).await.unwrap();
    engine.stop().await;

    // A start tries again, and does not say it twice.
    let (clock, _hands) = Clock::manual(instant("2024-09-15T08:00:00Z"));
    let engine = Engine::open(Arc::clone(&log), clock, EngineOptions::default()).await.unwrap();
    engine.settle().await.unwrap();
    assert_eq!(commands(&engine).await, ["timer.set", "process.park", "claim.publish"]);
    assert_eq!(engine.metrics().parked.get(), 1);
    // Set again to what it can do, it fires.
    engine.submit(set_timer("c3", "T", due, "A")).await.unwrap();
    engine.settle().await.unwrap();
    assert_eq!(commands(&engine).await.last().unwrap(), "timer.fire");
    is_true_to_its_log(&engine, &log).await;
}

/// Every published claim sets a timer; a claim named "bad" asks for what is refused, and one named
/// "idle" for what is true already.
fn managers(_: &World, commit: &Commit) -> Vec<Reaction> {
    let claim = commit.events[0].stream.id();
    let wish = match (&*commit.command, claim) {
        ("claim.publish", "bad") => wish("claim.withdraw", r#"{"claim":"nobody","reason":"r"}"#),
        ("claim.publish", claim) => wish(
            "timer.set",
            &format!(
                r#"{{"timer":"{claim}","due":"2030-01-01T00:00:00Z","wish":{{"command":"claim.withdraw","data":{{"claim":"{claim}","reason":"r"}}}}}}"#
            ),
        ),
        ("timer.set", timer) => {
            wish("timer.cancel", &format!(r#"{{"timer":"{timer}","reason":"r"}}"#))
        }
        _ => return Vec::new(),
    };
    vec![Reaction {
        process: "p".parse().unwrap(),
        command_id: format!("p/{}/0", commit.position).parse().unwrap(),
        wish,
    }]
}

fn wish(command: &str, data: &str) -> CommandData {
    CommandData { command: command.to_owned(), data: serde_json::from_str(data).unwrap() }
}

fn reacting() -> EngineOptions {
    EngineOptions { managers, ..EngineOptions::default() }
}

#[tokio::test]
async fn what_follows_from_a_commit_stands_right_behind_it() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, reacting()).await;
    let both = tokio::join!(engine.submit(publish("c1", "A")), engine.submit(publish("c2", "B")));
    both.0.unwrap();
    both.1.unwrap();
    engine.settle().await.unwrap();
    let one = ["claim.publish", "timer.set", "timer.cancel"];
    assert_eq!(commands(&engine).await, [one, one].concat());
    let set = &commits(&engine).await[1];
    assert_eq!(set.command_id.as_str(), "p/1/0");
    assert_eq!(set.causation_id.as_ref().unwrap().as_str(), "c1");
    assert_eq!(set.actor.id.as_str(), "tranche");
}

#[tokio::test]
async fn a_refused_reaction_is_set_aside_in_sight() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, reacting()).await;
    engine.submit(publish("c1", "bad")).await.unwrap();
    engine.settle().await.unwrap();
    assert_eq!(commands(&engine).await, ["claim.publish", "process.park"]);
    let parked = &commits(&engine).await[1];
    assert_eq!(parked.command_id.as_str(), "p/1/0/park");
    assert_eq!(engine.metrics().parked.get(), 1);
}

/// A log of which a crash has cut off everything after `kept` commits.
async fn cut(log: &Arc<dyn Log>, kept: usize) -> Arc<dyn Log> {
    let groups = log.read(1, usize::MAX).await.unwrap();
    let entries = groups.into_iter().flat_map(|group| group.entries).take(kept).collect();
    let cut = Memory::new();
    cut.append(0, entries).await.unwrap();
    Arc::new(cut)
}

#[tokio::test]
async fn a_reaction_that_a_crash_left_behind_is_decided_at_the_start() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, reacting()).await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.submit(publish("c2", "bad")).await.unwrap();
    engine.settle().await.unwrap();
    let whole = log.read(1, usize::MAX).await.unwrap();
    let whole: Vec<_> = whole.into_iter().flat_map(|group| group.entries).collect();
    assert_eq!(whole.len(), 5);
    for kept in 1..=5 {
        let log = cut(&log, kept).await;
        let (engine, _hands) = open(&log, reacting()).await;
        if kept < 4 {
            engine.submit(publish("c2", "bad")).await.unwrap();
        }
        engine.settle().await.unwrap();
        let groups = log.read(1, usize::MAX).await.unwrap();
        let entries: Vec<_> = groups.into_iter().flat_map(|group| group.entries).collect();
        assert_eq!(entries, whole, "cut after {kept}");
    }
}

#[tokio::test]
async fn a_snapshot_keeps_the_reactions_that_are_due() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, reacting()).await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.settle().await.unwrap();
    let cut = cut(&log, 1).await;
    // A log that cannot be written to any more: the reaction stays due.
    let faulty = Arc::new(eventlog::faulty::Faulty::new(
        Arc::clone(&cut),
        1,
        eventlog::faulty::Odds { fail_before: 1_000, ..eventlog::faulty::Odds::default() },
    ));
    let options = EngineOptions { snapshots: Some(scratch.path().join("s")), ..reacting() };
    let (engine, _hands) = open(&(faulty as Arc<dyn Log>), options.clone()).await;
    engine.stop().await;
    let (engine, _hands) = open(&cut, options).await;
    engine.settle().await.unwrap();
    assert_eq!(commands(&engine).await, ["claim.publish", "timer.set", "timer.cancel"]);
}

#[tokio::test]
async fn a_new_process_manager_leaves_the_past_alone() {
    let (engine, _hands, log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.submit(publish("c2", "B")).await.unwrap();
    engine.submit(withdraw("c3", "B")).await.unwrap();
    engine.stop().await;
    let (engine, _hands) = open(&log, reacting()).await;
    engine.settle().await.unwrap();
    assert_eq!(engine.now().position(), 3);
}
