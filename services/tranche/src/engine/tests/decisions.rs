//! Order, durability, idempotency and versions.

use super::*;
use eventlog::Sqlite;
use eventlog::contract::Scratch;

#[tokio::test]
async fn an_accepted_command_is_in_the_log_and_in_the_views_when_the_receipt_comes() {
    let (engine, _hands, log) = memory().await;
    let receipt = engine.submit(publish("c1", "A")).await.unwrap();
    assert_eq!(receipt.position, Some(1));
    assert_eq!(receipt.recorded_at, start());
    assert_eq!(receipt.events, ["claim.Published"]);
    assert_eq!(receipt.streams, [Written { stream: "claim-A".parse().unwrap(), version: 1 }]);
    assert_eq!(engine.now().position(), 1);
    assert_eq!(engine.now().views().position, 1);
    assert_eq!(log.head().await.unwrap(), 1);
    is_true_to_its_log(&engine, &log).await;
}

#[tokio::test]
async fn recorded_times_strictly_increase_even_when_the_clock_goes_back() {
    let (engine, hands, _log) = memory().await;
    let first = engine.submit(publish("c1", "A")).await.unwrap();
    hands.set(instant("2024-09-09T08:00:00Z"));
    let second = engine.submit(publish("c2", "B")).await.unwrap();
    assert_eq!(second.recorded_at.to_string(), "2024-09-10T08:00:00.000001Z");
    assert!(first.recorded_at < second.recorded_at);
}

#[tokio::test]
async fn a_command_given_twice_is_decided_once() {
    let (engine, _hands, log) = memory().await;
    let first = engine.submit(publish("c1", "A")).await.unwrap();
    let again = engine.submit(publish("c1", "A")).await.unwrap();
    assert_eq!(again, Receipt { replayed: true, ..first });
    assert_eq!(refused(engine.submit(publish("c1", "B")).await), "command.id_reused");
    assert_eq!(log.head().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_given_by_many_at_once_is_decided_once() {
    let (engine, _hands, log) = memory().await;
    let submit = |_| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit(publish("c1", "A")).await.unwrap() })
    };
    let tasks: Vec<_> = (0..50).map(submit).collect();
    let mut decided = 0;
    for task in tasks {
        let receipt = task.await.unwrap();
        assert_eq!(receipt.position, Some(1));
        decided += usize::from(!receipt.replayed);
    }
    assert_eq!((decided, log.head().await.unwrap()), (1, 1));
}

#[tokio::test]
async fn a_decision_on_an_older_version_is_refused() {
    let (engine, _hands, _log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    let at = |version, mut request: Request| {
        request.envelope.expected_version = Some(version);
        request
    };
    let old = at(0, withdraw("c2", "A"));
    assert_eq!(refused(engine.submit(old).await), "command.wrong_version");
    let new = at(1, withdraw("c3", "A"));
    assert_eq!(engine.submit(new).await.unwrap().position, Some(2));
}

#[tokio::test]
async fn a_rehearsal_records_nothing() {
    let (engine, _hands, log) = memory().await;
    let receipt = engine.submit(publish("c1", "A").rehearsed()).await.unwrap();
    assert_eq!((receipt.position, receipt.events), (None, vec!["claim.Published".into()]));
    assert_eq!(log.head().await.unwrap(), 0);
    assert!(!engine.submit(publish("c1", "A")).await.unwrap().replayed);
}

#[tokio::test]
async fn an_engine_for_a_rehearsal_decides_as_the_next_one_would_and_leaves_the_log_alone() {
    let (engine, _hands, log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.submit(set_timer("c2", "t", "2024-09-10T09:00:00Z", "r")).await.unwrap();
    let (clock, _hands) = Clock::manual(instant("2024-09-10T10:00:00Z"));
    let options = EngineOptions::default();
    let rehearsal = Engine::rehearse(Arc::clone(&log), clock, options).await.unwrap();
    assert_eq!(refused(rehearsal.submit(publish("c1", "B")).await), "command.id_reused");
    let known = rehearsal.submit(publish("c1", "A")).await.unwrap();
    assert_eq!((known.position, known.replayed), (Some(1), true));
    // Behind the timer that is due, and what follows from it.
    let decided = rehearsal.submit(publish("c3", "B")).await.unwrap();
    let recorded = commits(&rehearsal).await;
    assert_eq!(decided.position, Some(recorded.len() as u64));
    assert_eq!(recorded.len(), 4, "{recorded:#?}");
    rehearsal.stop().await;
    assert_eq!(log.head().await.unwrap(), 2);
    assert_eq!(engine.submit(publish("c3", "B")).await.unwrap().position, Some(3));
}

#[tokio::test]
async fn nothing_is_received_after_it_is_recorded() {
    let (engine, _hands, _log) = memory().await;
    let later = Some(instant("2030-01-01T00:00:00Z"));
    engine.submit(Request { received_at: later, ..publish("c1", "A") }).await.unwrap();
    let earlier = Some(instant("2024-09-10T07:59:59.9999999Z"));
    engine.submit(Request { received_at: earlier, ..publish("c2", "B") }).await.unwrap();
    let commits = commits(&engine).await;
    assert_eq!(commits[0].received_at, commits[0].recorded_at);
    assert_eq!(commits[1].received_at.to_string(), "2024-09-10T07:59:59.999999Z");
}

async fn sixty_four_clients(log: Arc<dyn Log>) {
    let options = EngineOptions { group_commits_max: 7, ..EngineOptions::default() };
    let engine = Engine::open(Arc::clone(&log), Clock::system(), options).await.unwrap();
    let client = |client: usize| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut positions = Vec::new();
            for turn in 0..10 {
                let name = format!("{client}-{turn}");
                let receipt = engine.submit(publish(&name, &name)).await.unwrap();
                positions.push(receipt.position.unwrap());
            }
            positions
        })
    };
    let clients: Vec<_> = (0..64).map(client).collect();
    let mut positions = Vec::new();
    for client in clients {
        positions.extend(client.await.unwrap());
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=640).collect::<Vec<u64>>());
    let groups = log.read(1, usize::MAX).await.unwrap();
    assert!(groups.iter().all(|group| group.entries.len() <= 7), "a group is limited");
    assert!(groups.len() < 640, "commands share groups");
    is_true_to_its_log(&engine, &log).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_positions_without_gaps_in_memory() {
    sixty_four_clients(Arc::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_positions_without_gaps_in_sqlite() {
    let scratch = Scratch::new();
    sixty_four_clients(Arc::new(Sqlite::open(scratch.path()).unwrap())).await;
}

#[tokio::test]
async fn the_same_commands_give_the_same_bytes() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let (engine, hands, log) = memory().await;
        engine.submit(publish("c1", "A")).await.unwrap();
        engine.submit(set_timer("c2", "T", "2024-09-11T08:00:00Z", "A")).await.unwrap();
        engine.advance_to(instant("2024-09-12T08:00:00Z")).await.unwrap();
        hands.set(instant("2024-09-13T08:00:00Z"));
        engine.submit(publish("c3", "B")).await.unwrap();
        let groups = log.read(1, usize::MAX).await.unwrap();
        logs.push(groups.into_iter().flat_map(|group| group.entries).collect::<Vec<_>>());
    }
    assert_eq!(logs[0].len(), 4);
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test]
async fn a_follower_shows_what_another_writes() {
    let (engine, _hands, log) = memory().await;
    engine.submit(publish("c1", "A")).await.unwrap();
    let follower = Follower::open(log, None, None).await.unwrap();
    let reader = follower.reader();
    assert_eq!(reader.now().position(), 1);
    engine.submit(publish("c2", "B")).await.unwrap();
    let shown = reader.wait_for(2).await.unwrap();
    assert_eq!(shown.digests().unwrap(), engine.now().digests().unwrap());
}

#[tokio::test]
async fn a_view_is_shown_as_of_a_moment() {
    let (engine, _hands, _log) = memory().await;
    for (id, claim) in [("c1", "A"), ("c2", "B"), ("c3", "C")] {
        engine.submit(publish(id, claim)).await.unwrap();
    }
    let moment = AsOf { position: Some(2), ..AsOf::NOW };
    let report = engine.as_of("timeline", moment).await.unwrap().unwrap();
    assert_eq!(report.position, 2);
    assert!(engine.as_of("no such view", AsOf::NOW).await.unwrap().is_none());
}
