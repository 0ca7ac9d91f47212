//! The real program, killed under load again and again: what was acknowledged is there, once, where
//! it was told, and the program opens its log again by itself.

use crate::cli::program::{Scratch, command, directory};
use crate::client::Client;
use crate::invariants::Checker;
use crate::life::Dice;
use crate::often::times;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::net::SocketAddr;
use std::path::Path;
#[cfg(feature = "nats")]
use std::process::Command;
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;

/// So many times it is killed for each change, and at night.
const ROUNDS: (u64, u64) = (10, 100);
/// So many callers at once.
const CALLERS: u64 = 4;

/// The program as a process of its own: killed at the end, whatever happens.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
}

impl Served {
    pub fn start(dir: &Path) -> Self {
        Self::on(dir, &["--data", "log"])
    }

    /// On the log that the arguments name.
    pub fn on(dir: &Path, log: &[&str]) -> Self {
        Self::with(dir, log, &[])
    }

    /// On the log that the arguments name, told more.
    pub fn with(dir: &Path, log: &[&str], more: &[&str]) -> Self {
        let mut child = command(directory().join("tranche"), dir)
            .args(log)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output");
        let lines = std::io::BufReader::new(output).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            line.split_once("http://").and_then(|(_, rest)| rest.trim().parse().ok())
        });
        let Some(address) = address else {
            let output = child.wait_with_output().expect("its end");
            panic!("it does not serve: {}", String::from_utf8_lossy(&output.stderr));
        };
        Self { child, address }
    }

    /// SIGSTOP: it stands still, and keeps all that it holds.
    #[cfg(feature = "nats")]
    pub fn stand_still(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on where it was.
    #[cfg(feature = "nats")]
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    #[cfg(feature = "nats")]
    fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &process]).status();
        assert!(sent.expect("kill is there").success(), "no signal to {process}");
    }

    /// SIGKILL: nothing is told, nothing is finished.
    pub fn kill(self) {
        self.kill_and_hear();
    }

    /// The same, and gives what it has logged.
    pub fn kill_and_hear(mut self) -> String {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its end");
        let mut said = Vec::new();
        let mut pipe = self.child.stderr.take().expect("its log");
        pipe.read_to_end(&mut said).expect("what is in the pipe");
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already after `kill`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a caller knows of a command: its payload, and where it lies if that was acknowledged.
type Known = BTreeMap<String, (Vec<u8>, Option<u64>)>;

fn payload(caller: u64, number: u64) -> Vec<u8> {
    let fund = format!("F{caller}-{}", number % 7);
    let amount = format!("EUR {}.00", 1 + number % 90);
    json!({ "fund": fund, "line": "02 04", "source": "DEP", "amount": amount })
        .to_string()
        .into_bytes()
}

async fn give(client: &mut Client, id: &str, payload: &[u8]) -> std::io::Result<u64> {
    let who = ("bea", "governing_board");
    let answer = client.command("fund.vote_appropriation", id, who, payload).await?;
    assert!(matches!(answer.status, 200 | 201), "{id}: {answer:?}");
    Ok(answer.json()["position"].as_u64().expect("a position"))
}

/// Gives commands until the connection breaks.
async fn caller(address: SocketAddr, round: u64, caller: u64) -> Known {
    let mut known = Known::new();
    let Ok(mut client) = Client::connect(address).await else { return known };
    for number in 0.. {
        let (id, payload) = (format!("{round}/{caller}/{number}"), payload(caller, number));
        known.insert(id.clone(), (payload.clone(), None));
        let Ok(position) = give(&mut client, &id, &payload).await else { break };
        known.insert(id, (payload, Some(position)));
    }
    known
}

async fn load(served: Served, round: u64, dice: &mut Dice) -> Known {
    let address = served.address;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(caller(address, round, number));
    }
    tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
    served.kill();
    callers.join_all().await.into_iter().flatten().collect()
}

/// Reads what is new in the log, and adds it to the places of commands.
async fn read(
    client: &mut Client,
    checker: &mut Checker,
    places: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    let from = places.len() + 1;
    let answer =
        client.get(&format!("/log?from={from}")).await.map_err(|error| error.to_string())?;
    for line in String::from_utf8_lossy(&answer.body).lines() {
        checker.check(line)?;
        let commit: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let id = commit["command_id"].as_str().expect("an id").to_owned();
        let position = commit["position"].as_u64().expect("a position");
        if let Some(first) = places.insert(id.clone(), position) {
            return Err(format!("{id} lies at {first} and at {position}"));
        }
    }
    Ok(())
}

/// Everything that was acknowledged lies where it was told; what was not is asked again.
async fn check(
    client: &mut Client,
    known: &mut Known,
    places: &BTreeMap<String, u64>,
) -> Result<u64, String> {
    let mut acknowledged = 0;
    for (id, (payload, told)) in known {
        match (*told, places.get(id)) {
            (Some(told), Some(place)) if told == *place => acknowledged += 1,
            (Some(told), place) => {
                return Err(format!("{id} was acknowledged at {told} and lies at {place:?}"));
            }
            (None, place) => {
                let again = give(client, id, payload).await.map_err(|error| error.to_string())?;
                if place.is_some_and(|place| *place != again) {
                    return Err(format!("{id} lies at {place:?} and is told {again}"));
                }
                *told = Some(again);
            }
        }
    }
    Ok(acknowledged)
}

#[test]
fn killed_again_and_again_under_load_it_loses_nothing_and_opens_by_itself() {
    let scratch = Scratch::new();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        let dice = &mut Dice::of_seed(seed);
        let (mut checker, mut places) = (Checker::default(), BTreeMap::new());
        let mut acknowledged = 0;
        let mut served = Served::start(scratch.path());
        let mut known = Known::new();
        let rounds = times(ROUNDS.0, ROUNDS.1);
        for round in 0..rounds {
            // What was asked again after the last kill is acknowledged by now, and still there.
            known.append(&mut load(served, round, dice).await);
            served = Served::start(scratch.path());
            let mut client = Client::connect(served.address).await.expect("it answers");
            let kept = match read(&mut client, &mut checker, &mut places).await {
                Ok(()) => check(&mut client, &mut known, &places).await,
                Err(breach) => Err(breach),
            };
            acknowledged =
                kept.unwrap_or_else(|breach| panic!("SEED={seed}, round {round}: {breach}"));
        }
        assert!(acknowledged > rounds * 2, "the load was no load: {acknowledged}");
        served.kill();
    });
}
