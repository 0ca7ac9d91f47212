//! Callers that never stop asking, and what they were told.

use crate::client::Client;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// So many callers ask again, with the same id, until a command is taken.
const PATIENT: u64 = 4;
/// How long a caller waits for an answer before it asks elsewhere.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// Between two commands of a caller, so that the machine has room for the fault.
const PAUSE: Duration = Duration::from_millis(5);
/// Before a caller asks again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What the callers were told, by all of them.
#[derive(Default)]
pub struct Told {
    /// The place of each acknowledged command.
    pub places: BTreeMap<String, u64>,
    /// When the acknowledged try began, and when its answer came; in the order of the answers.
    pub acknowledged: Vec<(Instant, Instant)>,
    /// When a command was answered 503 with Retry-After.
    pub refused: Vec<Instant>,
    /// When an answer did not come: a broken connection, or [`ANSWER_WAIT`].
    pub unanswered: Vec<Instant>,
    /// Every command that was given once and not again, whatever came of it.
    pub abandoned: Vec<String>,
    /// Answers that nobody should get.
    pub wrong: Vec<String>,
}

/// The callers, while they ask.
pub struct Load {
    told: Arc<Mutex<Told>>,
    is_over: Arc<AtomicBool>,
    runtime: tokio::runtime::Runtime,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

struct Caller {
    number: u64,
    addresses: Vec<SocketAddr>,
    told: Arc<Mutex<Told>>,
    is_over: Arc<AtomicBool>,
    connection: Option<Client>,
    /// How often it has gone elsewhere.
    turns: usize,
}

impl Load {
    /// Asks the servers at these addresses, each caller one of them, and another when that one does
    /// not answer or refuses.
    pub fn start(addresses: &[SocketAddr]) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let (told, is_over) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let caller = |number| Caller {
            number,
            addresses: addresses.to_vec(),
            told: Arc::clone(&told),
            is_over: Arc::clone(&is_over),
            connection: None,
            turns: usize::try_from(number).expect("a small number"),
        };
        let patient = (0..PATIENT).map(|number| runtime.spawn(caller(number).ask_until_taken()));
        let mut callers: Vec<_> = patient.collect();
        callers.push(runtime.spawn(caller(PATIENT).ask_once()));
        Self { told, is_over, runtime, callers }
    }

    /// What they were told up to now.
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no caller panics")
    }

    /// Lets every patient caller have its last answer.
    pub fn stop(self, limit: Duration) -> Result<Told, String> {
        self.is_over.store(true, Ordering::Relaxed);
        let all = async {
            for caller in self.callers {
                caller.await.expect("no caller panics");
            }
        };
        let ended = self.runtime.block_on(async { timeout(limit, all).await });
        ended.map_err(|_| format!("a command has no answer in {limit:?}"))?;
        Ok(std::mem::take(&mut *self.told.lock().expect("no caller panics")))
    }
}

/// What a caller is told of one try.
enum Answer {
    At(u64),
    NotNow,
}

impl Caller {
    async fn ask_until_taken(mut self) {
        for number in 0_u64.. {
            let (id, payload) = self.command(number);
            loop {
                let began = Instant::now();
                match self.give(&id, &payload).await {
                    Some(Answer::At(position)) => {
                        self.acknowledged(id, position, began);
                        break;
                    }
                    Some(Answer::NotNow) => tokio::time::sleep(RETRY_PAUSE).await,
                    None => return,
                }
            }
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives up each command that is not taken at once: nobody knows whether it is stored.
    async fn ask_once(mut self) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let (id, payload) = self.command(number);
            let began = Instant::now();
            let answer = self.give(&id, &payload).await;
            match answer {
                Some(Answer::At(position)) => self.acknowledged(id, position, began),
                Some(Answer::NotNow) => {
                    self.told.lock().expect("no caller panics").abandoned.push(id);
                }
                None => return,
            }
            number += 1;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn acknowledged(&self, id: String, position: u64, began: Instant) {
        let mut told = self.told.lock().expect("no caller panics");
        told.acknowledged.push((began, Instant::now()));
        told.places.insert(id, position);
    }

    fn command(&self, number: u64) -> (String, Vec<u8>) {
        let fund = format!("F{}-{}", self.number, number % 7);
        let amount = format!("EUR {}.00", 1 + number % 90);
        let payload = json!({ "fund": fund, "line": "02 04", "source": "DEP", "amount": amount });
        (format!("{}/{number}", self.number), payload.to_string().into_bytes())
    }

    /// `None`: an answer that nobody should get.
    async fn give(&mut self, id: &str, payload: &[u8]) -> Option<Answer> {
        let answer = timeout(ANSWER_WAIT, self.try_to_give(id, payload)).await;
        let Ok(Ok(answer)) = answer else {
            self.told.lock().expect("no caller panics").unanswered.push(Instant::now());
            self.go_elsewhere();
            return Some(Answer::NotNow);
        };
        let position = answer.json()["position"].as_u64();
        let waits = answer.header("retry-after").and_then(|after| after.parse::<u64>().ok());
        let mut told = self.told.lock().expect("no caller panics");
        match (answer.status, position, waits) {
            (200 | 201, Some(position), _) => Some(Answer::At(position)),
            (503, _, Some(1..)) => {
                told.refused.push(Instant::now());
                drop(told);
                self.go_elsewhere();
                Some(Answer::NotNow)
            }
            _ => {
                told.wrong.push(format!("{id}: {answer:?}"));
                None
            }
        }
    }

    async fn try_to_give(
        &mut self,
        id: &str,
        payload: &[u8],
    ) -> std::io::Result<crate::client::Answer> {
        let mut client = match self.connection.take() {
            Some(client) => client,
            None => Client::connect(self.addresses[self.turns % self.addresses.len()]).await?,
        };
        let who = ("bea", "governing_board");
        let answer = client.command("fund.vote_appropriation", id, who, payload).await?;
        self.connection = Some(client);
        Ok(answer)
    }

    fn go_elsewhere(&mut self) {
        self.turns += 1;
        self.connection = None;
    }
}
