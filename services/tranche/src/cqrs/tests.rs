//! `cqrs-es` as its users know it, over our rules and our log.

use super::*;
use crate::engine::EngineOptions;
use async_trait::async_trait;
use cqrs_es::test::TestFramework;
use cqrs_es::{AggregateError, CqrsFramework, EventEnvelope, EventStore, Query};
use domain::Role;
use domain::facts::claim;
use domain::facts::claim::Claim;
use domain::facts::timer::Timer;
use domain::kernel::actor::Confidence;
use eventlog::contract::Scratch;
use eventlog::{Log, Memory, Sqlite};
use std::collections::HashMap;
use std::sync::Mutex;

type AsClaim = AsAggregate<Claim>;

const FIGURES: &str = r#"{"about":"grant-A","published":"2025-03-12","what":"w","total":"EUR 10"}"#;

fn auditor() -> Actor {
    Actor { id: "auditor".parse().unwrap(), on_behalf_of: None, role: Role::Auditor }
}

fn clock() -> Clock {
    Clock::manual("2024-09-10T08:00:00Z".parse().unwrap()).0
}

fn with_source(surroundings: Surroundings) -> Surroundings {
    let source = "test".to_owned();
    Surroundings {
        evidence: Some(Evidence { confidence: Confidence::Fixture, note: None, source }),
        ..surroundings
    }
}

fn surroundings() -> Surroundings {
    with_source(Surroundings::fixed(World::default(), clock(), auditor()))
}

fn publish(claim: &str, id: Option<&str>) -> Command {
    Command {
        name: "claim.publish".to_owned(),
        payload: format!(r#"{{"claim":"{claim}","figures":{FIGURES}}}"#),
        id: id.map(|id| id.parse().unwrap()),
    }
}

fn withdraw(claim: &str) -> Command {
    let payload = format!(r#"{{"claim":"{claim}","reason":"r"}}"#);
    Command { name: "claim.withdraw".to_owned(), payload, id: None }
}

fn published() -> claim::Event {
    claim::Event::Published(serde_json::from_str(FIGURES).unwrap())
}

fn withdrawn() -> claim::Event {
    claim::Event::Withdrawn { reason: "r".to_owned() }
}

#[test]
fn given_nothing_when_a_figure_is_published_then_it_is() {
    TestFramework::<AsClaim>::with(surroundings())
        .given_no_previous_events()
        .when(publish("A", None))
        .then_expect_events(vec![surroundings().happened(published())]);
}

#[test]
fn given_a_published_figure_when_it_is_taken_back_then_it_is_and_only_once() {
    TestFramework::<AsClaim>::with(surroundings())
        .given(vec![surroundings().happened(published())])
        .when(withdraw("A"))
        .then_expect_events(vec![surroundings().happened(withdrawn())]);
    let again = TestFramework::<AsClaim>::with(surroundings())
        .given(vec![surroundings().happened(published()), surroundings().happened(withdrawn())])
        .when(withdraw("A"))
        .inspect_result();
    let Err(Denied::Refused(refusal)) = again else { panic!("not refused: {again:?}") };
    assert_eq!(refusal.code, "command.wrong_state");
}

#[test]
fn a_decision_over_several_streams_is_for_the_engine() {
    let commit = |world: &mut World, name: &str, payload: &str, now: &str| {
        let parsed = Parsed::read(name, payload.as_bytes()).unwrap();
        let at: Timestamp = now.parse().unwrap();
        let meta = Meta {
            actor: system(),
            received_at: at,
            recorded_at: at,
            ..surroundings().meta(world, None)
        };
        let (commit, _) = world.commit(&parsed, &meta).unwrap().unwrap();
        world.apply(&commit);
    };
    let mut world = World::default();
    let due = r#"{"timer":"T","due":"2024-09-09T08:00:00Z","wish":{"command":"process.park","data":{"process":"p","reaction":"r","code":"c","message":"m","wish":{"command":"a.b","data":{}}}}}"#;
    commit(&mut world, "timer.set", due, "2024-09-08T08:00:00Z");
    let fire =
        Command { name: "timer.fire".to_owned(), payload: r#"{"timer":"T"}"#.to_owned(), id: None };
    TestFramework::<AsAggregate<Timer>>::with(Surroundings::fixed(world, clock(), system()))
        .given_no_previous_events()
        .when(fire)
        .then_expect_error(Denied::SeveralStreams {
            command: "timer.fire",
            other: "process-p".parse().unwrap(),
        });
}

fn system() -> Actor {
    Actor { id: "tranche".parse().unwrap(), on_behalf_of: None, role: Role::System }
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, usize, String)>>>);

#[async_trait]
impl Query<AsClaim> for Seen {
    async fn dispatch(&self, aggregate_id: &str, events: &[EventEnvelope<AsClaim>]) {
        let line = |event: &EventEnvelope<AsClaim>| {
            (aggregate_id.to_owned(), event.sequence, event.payload.event_type())
        };
        self.0.lock().unwrap().extend(events.iter().map(line));
    }
}

impl Seen {
    fn types(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(id, at, kind)| format!("{id} {at} {kind}")).collect()
    }
}

struct Bench {
    engine: Engine,
    cqrs: CqrsFramework<AsClaim, Engine>,
    seen: Seen,
}

async fn bench(log: Arc<dyn Log>) -> Bench {
    let engine = Engine::open(log, clock(), EngineOptions::default()).await.unwrap();
    let seen = Seen::default();
    let surroundings = with_source(Surroundings::of(&engine, auditor()));
    let cqrs = CqrsFramework::new(engine.clone(), vec![Box::new(seen.clone())], surroundings);
    Bench { engine, cqrs, seen }
}

async fn a_framework_runs(log: Arc<dyn Log>) {
    let Bench { engine, cqrs, seen } = bench(log).await;
    cqrs.execute("A", publish("A", None)).await.unwrap();
    cqrs.execute("A", withdraw("A")).await.unwrap();
    let refused = cqrs.execute("A", withdraw("A")).await;
    assert!(matches!(refused, Err(AggregateError::UserError(Denied::Refused(_)))));
    assert_eq!(seen.types(), ["A 1 claim.Published", "A 2 claim.Withdrawn"]);
    let events = EventStore::<AsClaim>::load_events(&engine, "A").await.unwrap();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(events[1].metadata["position"], "2");
    let rebuilt = events.into_iter().fold(AsClaim::default(), |mut claim, event| {
        claim.apply(event.payload);
        claim
    });
    let now = engine.now();
    let claim = &now.world().claims[&"A".parse::<domain::kernel::ids::ClaimId>().unwrap()];
    assert_eq!((&rebuilt.state, rebuilt.version), (&**claim, 2));
}

#[tokio::test]
async fn a_framework_runs_over_the_engine_in_memory() {
    a_framework_runs(Arc::new(Memory::new())).await;
}

#[tokio::test]
async fn a_framework_runs_over_the_engine_in_sqlite() {
    let scratch = Scratch::new();
    a_framework_runs(Arc::new(Sqlite::open(scratch.path()).unwrap())).await;
}

#[tokio::test]
async fn a_command_with_an_id_is_recorded_once() {
    let Bench { engine, cqrs, seen } = bench(Arc::new(Memory::new())).await;
    for _ in 0..3 {
        cqrs.execute("A", publish("A", Some("c1"))).await.unwrap();
    }
    assert_eq!((engine.now().position(), seen.types().len()), (1, 1));
    let metadata = HashMap::from([("command_id".to_owned(), "c2".to_owned())]);
    cqrs.execute_with_metadata("A", withdraw("A"), metadata).await.unwrap();
    let stored = engine.reader().read_commit(2).await.unwrap().unwrap();
    assert_eq!(stored.commit.command_id.as_str(), "c2");
}

#[tokio::test]
async fn a_decision_on_an_old_copy_is_a_conflict() {
    let Bench { engine, cqrs, .. } = bench(Arc::new(Memory::new())).await;
    cqrs.execute("A", publish("A", None)).await.unwrap();
    let mut old = EventStore::<AsClaim>::load_aggregate(&engine, "A").await.unwrap();
    cqrs.execute("A", withdraw("A")).await.unwrap();
    let sink = EventSink::default();
    let copy = cqrs_es::AggregateContext::aggregate(&mut old);
    let fixed = Surroundings::fixed(World::default(), clock(), auditor());
    let payload = r#"{"claim":"A","reason":"another"}"#.to_owned();
    copy.handle(Command { payload, ..withdraw("A") }, &fixed, &sink).await.unwrap();
    let result = engine.commit(sink.collect().await, old, HashMap::new()).await;
    assert!(matches!(result, Err(AggregateError::AggregateConflict)));
}

#[tokio::test]
async fn an_aggregate_takes_only_its_own_commands() {
    let Bench { cqrs, .. } = bench(Arc::new(Memory::new())).await;
    let result = cqrs.execute("A", publish("B", None)).await;
    let denied = |error| matches!(error, AggregateError::UserError(Denied::OtherAggregate { .. }));
    assert!(result.is_err_and(denied));
}
