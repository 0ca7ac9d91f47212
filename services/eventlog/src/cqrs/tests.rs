//! A small bank on the real framework, over both kinds of log.

use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::SemanticVersionEventUpcaster;
use cqrs_es::test::TestFramework;
use cqrs_es::{CqrsFramework, Query};

use super::*;
use crate::contract::Scratch;
use crate::faulty::Faulty;
use crate::faulty::Odds;
use crate::memory::Memory;
use crate::sqlite::Sqlite;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    cents: u64,
}

enum Wish {
    Deposit(u64),
    Move { fee: u64, amount: u64 },
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fact {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("only {0} cents are there")]
struct TooLittle(u64);

impl DomainEvent for Fact {
    fn event_type(&self) -> String {
        match self {
            Fact::Deposited { .. } => "Deposited".to_owned(),
            Fact::Withdrawn { .. } => "Withdrawn".to_owned(),
        }
    }

    fn event_version(&self) -> String {
        "1.0.0".to_owned()
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Wish;
    type Event = Fact;
    type Error = TooLittle;
    type Services = ();

    async fn handle(
        &mut self,
        command: Wish,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TooLittle> {
        match command {
            Wish::Deposit(cents) => sink.write(Fact::Deposited { cents }, self).await,
            Wish::Move { fee, amount } => {
                sink.write(Fact::Withdrawn { cents: fee.min(self.cents) }, self).await;
                if amount > self.cents {
                    return Err(TooLittle(self.cents));
                }
                sink.write(Fact::Withdrawn { cents: amount }, self).await;
            }
            Wish::Nothing => self.cents += 1_000_000,
        }
        Ok(())
    }

    fn apply(&mut self, event: Fact) {
        match event {
            Fact::Deposited { cents } => self.cents += cents,
            Fact::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

/// Another aggregate on the same log, with the same ids.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Note(String);

impl Aggregate for Note {
    const TYPE: &'static str = "note";
    type Command = String;
    type Event = Line;
    type Error = TooLittle;
    type Services = ();

    async fn handle(
        &mut self,
        command: String,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TooLittle> {
        sink.write(Line(command), self).await;
        Ok(())
    }

    fn apply(&mut self, event: Line) {
        self.0.push_str(&event.0);
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line(String);

impl DomainEvent for Line {
    fn event_type(&self) -> String {
        "Line".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0.0".to_owned()
    }
}

/// A query that remembers which sequences it was told.
#[derive(Clone, Default)]
struct Told(Arc<StdMutex<Vec<usize>>>);

#[async_trait::async_trait]
impl Query<Account> for Told {
    async fn dispatch(&self, _id: &str, events: &[EventEnvelope<Account>]) {
        self.0.lock().unwrap().extend(events.iter().map(|event| event.sequence));
    }
}

type Bank = CqrsFramework<Account, CqrsStore<Account>>;

fn bank(store: &CqrsStore<Account>) -> (Bank, Told) {
    let told = Told::default();
    (CqrsFramework::new(store.clone(), vec![Box::new(told.clone())], ()), told)
}

async fn balance(store: &CqrsStore<Account>, id: &str) -> u64 {
    store.load_aggregate(id).await.unwrap().aggregate().cents
}

/// Both kinds of log; the directory goes when the test ends.
fn logs(scratch: &Scratch) -> [Arc<dyn Log>; 2] {
    [Arc::new(Memory::new()), Arc::new(Sqlite::open(scratch.path()).unwrap())]
}

#[test]
fn the_rules_of_the_small_bank_hold_in_the_frameworks_own_tests() {
    TestFramework::<Account>::with(())
        .given(vec![Fact::Deposited { cents: 10 }])
        .when(Wish::Move { fee: 1, amount: 9 })
        .then_expect_events(vec![Fact::Withdrawn { cents: 1 }, Fact::Withdrawn { cents: 9 }]);
    TestFramework::<Account>::with(())
        .given_no_previous_events()
        .when(Wish::Move { fee: 1, amount: 9 })
        .then_expect_error(TooLittle(0));
}

#[tokio::test]
async fn a_command_is_one_entry_and_its_events_read_back() {
    let scratch = Scratch::new();
    for log in logs(&scratch) {
        let store = CqrsStore::new(log.clone());
        let (bank, told) = bank(&store);
        let metadata = HashMap::from([("by".to_owned(), "anna".to_owned())]);
        bank.execute_with_metadata("a", Wish::Deposit(10), metadata.clone()).await.unwrap();
        bank.execute("a", Wish::Move { fee: 1, amount: 4 }).await.unwrap();

        assert_eq!(balance(&store, "a").await, 5);
        assert_eq!(*told.0.lock().unwrap(), [1, 2, 3]);
        assert_eq!(log.head().await, Ok(2));
        let entry = &log.read(1, 1).await.unwrap()[0].entries[0];
        let expected = concat!(
            r#"{"aggregate_id":"a","aggregate_type":"account","events":[{"event_type":"Deposited","#,
            r#""event_version":"1.0.0","payload":{"Deposited":{"cents":10}}}],"#,
            r#""first_sequence":1,"metadata":{"by":"anna"}}"#
        );
        assert_eq!(entry, expected);

        let events = store.load_events("a").await.unwrap();
        let payloads: Vec<_> = events.iter().map(|event| event.payload.clone()).collect();
        let withdrawn = |cents| Fact::Withdrawn { cents };
        assert_eq!(payloads, [Fact::Deposited { cents: 10 }, withdrawn(1), withdrawn(4)]);
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(events[0].metadata, metadata);
        assert!(store.load_events("nobody").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_refused_command_and_one_without_events_leave_no_trace() {
    let log = Arc::new(Memory::new());
    let store = CqrsStore::new(log.clone());
    let (bank, told) = bank(&store);
    bank.execute("a", Wish::Deposit(10)).await.unwrap();
    let refused = bank.execute("a", Wish::Move { fee: 3, amount: 9 }).await;
    assert!(matches!(refused, Err(AggregateError::UserError(TooLittle(7)))), "{refused:?}");
    bank.execute("a", Wish::Nothing).await.unwrap();
    assert_eq!(balance(&store, "a").await, 10, "what `handle` did without an event was kept");
    assert_eq!(log.head().await, Ok(1));
    assert_eq!(*told.0.lock().unwrap(), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_concurrent_commands_get_fifty_sequences() {
    let scratch = Scratch::new();
    for log in logs(&scratch) {
        let store = CqrsStore::new(log);
        let (bank, told) = bank(&store);
        let bank = Arc::new(bank);
        let deposits: Vec<_> = (0..50)
            .map(|_| {
                let bank = bank.clone();
                tokio::spawn(async move {
                    loop {
                        match bank.execute("a", Wish::Deposit(1)).await {
                            Err(AggregateError::AggregateConflict) => (),
                            done => break done,
                        }
                    }
                })
            })
            .collect();
        for deposit in deposits {
            deposit.await.unwrap().unwrap();
        }
        let told = told.0.lock().unwrap().clone();
        assert_eq!(told.len(), 50);
        assert_eq!(BTreeSet::from_iter(told), (1..=50).collect());
        assert_eq!(balance(&store, "a").await, 50);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_different_aggregates_and_stores_do_not_conflict() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    // Two stores on one log, as two programs would have, and a third of another type.
    let stores = [CqrsStore::new(log.clone()), CqrsStore::new(log.clone())];
    let notes = CqrsFramework::new(CqrsStore::<Note>::new(log.clone()), vec![], ());
    let work: Vec<_> = (0..20)
        .map(|number| {
            let bank = bank(&stores[number % 2]).0;
            tokio::spawn(async move {
                bank.execute(&format!("account {number}"), Wish::Deposit(1)).await
            })
        })
        .collect();
    for _ in 0..5 {
        notes.execute("account 3", "x".to_owned()).await.unwrap();
    }
    for done in work {
        done.await.unwrap().unwrap();
    }
    assert_eq!(log.head().await, Ok(25));
    for store in &stores {
        for number in 0..20 {
            assert_eq!(balance(store, &format!("account {number}")).await, 1);
        }
    }
}

#[tokio::test]
async fn a_decision_on_an_old_state_is_a_conflict_even_from_another_store() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (ours, theirs) = (CqrsStore::<Account>::new(log.clone()), CqrsStore::new(log));
    let old = ours.load_aggregate("a").await.unwrap();
    bank(&theirs).0.execute("a", Wish::Deposit(1)).await.unwrap();
    let got = ours.commit(vec![Fact::Deposited { cents: 1 }], old, HashMap::new()).await;
    assert!(matches!(got, Err(AggregateError::AggregateConflict)), "{got:?}");
    assert_eq!(balance(&ours, "a").await, 1);
}

#[tokio::test]
async fn a_reopened_log_gives_the_same_state() {
    let scratch = Scratch::new();
    for total in 1..=3 {
        let log: Arc<dyn Log> = Arc::new(Sqlite::open(scratch.path()).unwrap());
        let store = CqrsStore::new(log);
        bank(&store).0.execute("a", Wish::Deposit(1)).await.unwrap();
        assert_eq!(balance(&store, "a").await, total);
        assert_eq!(store.load_events("a").await.unwrap().len() as u64, total);
    }
}

#[tokio::test]
async fn after_a_lost_acknowledgement_loading_tells_the_truth() {
    let odds = Odds { lose_acknowledgement: 500, ..Odds::default() };
    let store = CqrsStore::new(Arc::new(Faulty::new(Arc::new(Memory::new()), 1, odds)));
    let (bank, _) = bank(&store);
    let mut lost = 0;
    for total in 1..=20 {
        let got = bank.execute("a", Wish::Deposit(1)).await;
        lost += u32::from(matches!(got, Err(AggregateError::DatabaseConnectionError(_))));
        assert_eq!(balance(&store, "a").await, total, "{got:?}");
    }
    assert!((1..20).contains(&lost), "{lost} acknowledgements were lost");
}

#[tokio::test]
async fn old_events_pass_through_the_upcasters() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let old = r#"{"aggregate_id":"a","aggregate_type":"account","events":[{"event_type":"Deposited",
        "event_version":"0.9.0","payload":{"Deposited":{"euros":7}}}],"first_sequence":1,
        "metadata":{}}"#;
    log.append(0, vec![Bytes::from(old.replace('\n', ""))]).await.unwrap();
    let in_cents = |old: Value| {
        let cents = old["Deposited"]["euros"].as_u64().unwrap_or_default() * 100;
        serde_json::json!({"Deposited": {"cents": cents}})
    };
    let upcaster = SemanticVersionEventUpcaster::new("Deposited", "1.0.0", Box::new(in_cents));
    let store = CqrsStore::<Account>::with_upcasters(log, vec![Box::new(upcaster)]);
    assert_eq!(balance(&store, "a").await, 700);
    assert_eq!(store.load_events("a").await.unwrap()[0].payload, Fact::Deposited { cents: 700 });
}

#[tokio::test]
async fn entries_that_do_not_fit_are_an_error_and_not_skipped() {
    let gap = r#"{"aggregate_id":"a","aggregate_type":"account","events":[{"event_type":"Deposited","event_version":"1.0.0","payload":{"Deposited":{"cents":7}}}],"first_sequence":2,"metadata":{}}"#;
    for (entry, expected) in [("hello", "entry 1: expected value"), (gap, "has event 2 of a")] {
        let log: Arc<dyn Log> = Arc::new(Memory::new());
        log.append(0, vec![Bytes::from(entry)]).await.unwrap();
        let store = CqrsStore::<Account>::new(log);
        let error = store.load_aggregate("a").await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
