//! Appends that fail, answers that are lost, rivals, outages, full queues.

use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use domain::World;
use eventlog::faulty::{Faulty, Odds};
use eventlog::{Error, Group, Position};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Does with each append what the test says.
struct Scripted {
    inner: Memory,
    turns: Semaphore,
    script: Mutex<Vec<Turn>>,
    appends: AtomicU64,
}

#[derive(Clone)]
enum Turn {
    FailBefore,
    LoseAnswer,
    /// A rival is first.
    Rival(Bytes),
}

impl Scripted {
    /// Plays the script, then works. Appends wait for [`Scripted::release`] when `is_held`.
    fn new(script: &[Turn], is_held: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: Memory::new(),
            turns: Semaphore::new(if is_held { 0 } else { Semaphore::MAX_PERMITS }),
            script: Mutex::new(script.iter().rev().cloned().collect()),
            appends: AtomicU64::new(0),
        })
    }

    fn release(&self, appends: usize) {
        self.turns.add_permits(appends);
    }
}

#[async_trait]
impl Log for Scripted {
    async fn append(&self, head: Position, entries: Vec<Bytes>) -> Result<Position, Error> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.turns.acquire().await.unwrap().forget();
        let turn = self.script.lock().unwrap().pop();
        match turn {
            Some(Turn::FailBefore) => return Err(Error::Unavailable("scripted".to_owned())),
            Some(Turn::LoseAnswer) => {
                self.inner.append(head, entries).await?;
                return Err(Error::Unavailable("scripted".to_owned()));
            }
            Some(Turn::Rival(entry)) => {
                self.inner.append(head, vec![entry]).await?;
            }
            None => {}
        }
        self.inner.append(head, entries).await
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        self.inner.read(from, bytes_max).await
    }

    async fn head(&self) -> Result<Position, Error> {
        self.inner.head().await
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.inner.wait_for(position).await
    }
}

async fn scripted(script: &[Turn], is_held: bool) -> (Engine, Arc<Scripted>, Arc<dyn Log>) {
    let log = Scripted::new(script, is_held);
    let (engine, _hands) =
        open(&(Arc::clone(&log) as Arc<dyn Log>), EngineOptions::default()).await;
    let plain: Arc<dyn Log> = Arc::new(log.inner.clone());
    (engine, log, plain)
}

fn is_unavailable(result: &Result<Receipt, SubmitError>) -> bool {
    matches!(result, Err(SubmitError::Unavailable { .. }))
}

#[tokio::test]
async fn a_lost_acknowledgement_neither_loses_nor_doubles() {
    let (engine, _log, plain) = scripted(&[Turn::LoseAnswer], false).await;
    let receipt = engine.submit(publish("c1", "A")).await.unwrap();
    assert_eq!((receipt.position, receipt.replayed), (Some(1), false));
    assert!(engine.submit(publish("c1", "A")).await.unwrap().replayed);
    engine.submit(publish("c2", "B")).await.unwrap();
    is_true_to_its_log(&engine, &plain).await;
}

#[tokio::test]
async fn a_failed_append_drops_what_was_decided_on_it_and_the_engine_goes_on() {
    let (engine, log, plain) = scripted(&[Turn::FailBefore], true).await;
    let ask = |request: Request| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit(request).await })
    };
    let first = ask(publish("c1", "A"));
    while log.appends.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Both are decided while the first is in flight: on a state that is about to be dropped.
    let second = ask(withdraw("c2", "A"));
    let refused_too_soon = ask(publish("c3", "A"));
    while engine.shared.inbox.depth() < 3 {
        tokio::task::yield_now().await;
    }
    log.release(100);
    assert!(is_unavailable(&first.await.unwrap()));
    let second = second.await.unwrap();
    let third = refused_too_soon.await.unwrap();
    // Either dropped with the first, or decided after the loss: never on the lost state.
    assert!(is_unavailable(&second) || refused(second) == "command.not_found");
    assert!(is_unavailable(&third) || third.is_ok());
    engine.submit(publish("c1", "A")).await.unwrap_or_else(|error| {
        assert!(matches!(error, SubmitError::Refused(_)), "{error}");
        Receipt::nothing("c1".parse().unwrap(), start())
    });
    assert_eq!(engine.now().position(), 1);
    is_true_to_its_log(&engine, &plain).await;
}

#[tokio::test]
async fn the_entries_of_another_writer_are_taken_in() {
    let request = publish("theirs", "A");
    let meta = request.envelope.meta(start(), start());
    let (_, entry) = World::default().commit(&request.parsed, &meta).unwrap().unwrap();
    let (engine, _log, plain) = scripted(&[Turn::Rival(entry.into())], false).await;
    assert!(is_unavailable(&engine.submit(publish("ours", "A")).await));
    assert_eq!(refused(engine.submit(publish("ours", "A")).await), "command.exists");
    assert!(engine.submit(publish("theirs", "A")).await.unwrap().replayed);
    is_true_to_its_log(&engine, &plain).await;
}

#[tokio::test]
async fn during_an_outage_the_answer_is_quick_and_afterwards_all_is_well() {
    let memory: Arc<dyn Log> = Arc::new(Memory::new());
    let faulty = Arc::new(Faulty::new(Arc::clone(&memory), 1, Odds::default()));
    let (engine, _hands) =
        open(&(Arc::clone(&faulty) as Arc<dyn Log>), EngineOptions::default()).await;
    engine.submit(publish("c1", "A")).await.unwrap();
    for _ in 0..2 {
        faulty.cut();
        for id in ["c2", "c3", "c4"] {
            assert!(is_unavailable(&engine.submit(publish(id, id)).await));
        }
        assert_eq!(engine.now().position(), 1, "readers are not disturbed");
        faulty.heal();
        // The engine finds out by itself.
        while is_unavailable(&engine.submit(withdraw("x", "nobody")).await) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    engine.submit(publish("c2", "B")).await.unwrap();
    is_true_to_its_log(&engine, &memory).await;
}

#[tokio::test]
async fn what_is_retried_until_it_has_an_answer_is_recorded_once_whatever_fails() {
    for seed in 0..20 {
        let memory: Arc<dyn Log> = Arc::new(Memory::new());
        let odds = Odds {
            fail_before: 200,
            lose_acknowledgement: 200,
            rival: 0,
            fail_read: 0,
            delay: 300,
        };
        let faulty: Arc<dyn Log> = Arc::new(Faulty::new(Arc::clone(&memory), seed, odds));
        let (engine, _hands) = open(&faulty, EngineOptions::default()).await;
        let client = |client: usize| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for turn in 0..5 {
                    let name = format!("{client}-{turn}");
                    while is_unavailable(&engine.submit(publish(&name, &name)).await) {}
                }
            })
        };
        let clients: Vec<_> = (0..8).map(client).collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(engine.now().position(), 40, "seed {seed}");
        is_true_to_its_log(&engine, &memory).await;
    }
}

#[tokio::test]
async fn a_full_queue_says_so_and_frees_its_places() {
    let log = Scripted::new(&[], true);
    let options = EngineOptions { queue_max: 3, ..EngineOptions::default() };
    let (engine, _hands) = open(&(Arc::clone(&log) as Arc<dyn Log>), options).await;
    let ask = |id: &'static str| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit(publish(id, id)).await })
    };
    let waiting: Vec<_> = ["a", "b", "c"].into_iter().map(ask).collect();
    while engine.shared.inbox.depth() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.submit(publish("d", "d")).await, Err(SubmitError::Busy));
    log.release(100);
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    engine.submit(publish("d", "d")).await.unwrap();
}

#[tokio::test]
async fn stopping_answers_everything_that_was_taken() {
    let log = Scripted::new(&[], true);
    let (engine, _hands) =
        open(&(Arc::clone(&log) as Arc<dyn Log>), EngineOptions::default()).await;
    let ask = |number: usize| {
        let engine = engine.clone();
        let name = format!("c{number}");
        tokio::spawn(async move { engine.submit(publish(&name, &name)).await })
    };
    let waiting: Vec<_> = (0..20).map(ask).collect();
    while engine.shared.inbox.depth() < 20 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop().await }
    });
    while !engine.shared.inbox.sleep(std::time::Duration::ZERO) {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.submit(publish("late", "late")).await, Err(SubmitError::Stopping));
    log.release(100);
    stopping.await.unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert_eq!(log.head().await.unwrap(), 20);
}

#[tokio::test]
async fn an_engine_stops_during_an_outage() {
    let faulty = Arc::new(Faulty::new(Arc::new(Memory::new()), 1, Odds::default()));
    let (engine, _hands) =
        open(&(Arc::clone(&faulty) as Arc<dyn Log>), EngineOptions::default()).await;
    faulty.cut();
    assert!(is_unavailable(&engine.submit(publish("c1", "A")).await));
    engine.stop().await;
    assert_eq!(engine.submit(publish("c1", "A")).await, Err(SubmitError::Stopping));
}
