//! Back up while commands are given, lose the original, restore, go on.

use super::{AT_LAST, PAUSE, copied, done};
use crate::cli::program::{Scratch, command};
use crate::client::{Answer, Client};
use crate::kill::Served;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// A back-up is taken when so many commands were acknowledged.
const BEFORE: u64 = 20;

async fn give(client: &mut Client, number: u64) -> Answer {
    let (id, fund) = (format!("vote-{number}"), format!("F{}", number % 7));
    let amount = format!("EUR {number}.00");
    let vote = json!({ "fund": fund, "line": "02 04", "source": "DEP", "amount": amount });
    let who = ("bea", "governing_board");
    let body = vote.to_string().into_bytes();
    client.command("fund.vote_appropriation", &id, who, &body).await.expect("an answer")
}

fn position(answer: &Answer) -> u64 {
    answer.json()["position"].as_u64().unwrap_or_else(|| panic!("{answer:?}"))
}

/// Somebody who gives commands all the time.
pub struct Busy {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Busy {
    pub fn start(address: SocketAddr) -> Self {
        let (acknowledged, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (told, asked) = (acknowledged.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut client = Client::connect(address).await.expect("it answers");
            for number in 1.. {
                if asked.load(Ordering::Relaxed) {
                    return;
                }
                assert_eq!(position(&give(&mut client, number).await), number);
                told.store(number, Ordering::Relaxed);
            }
        });
        Self { acknowledged, stop, task }
    }

    /// Waits until so many more were acknowledged.
    pub async fn more(&self, count: u64) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + AT_LAST;
        while self.acknowledged.load(Ordering::Relaxed) < wanted {
            assert!(Instant::now() < deadline && !self.task.is_finished(), "no command is taken");
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("every command was taken");
    }
}

/// Serves a log while somebody is busy with it, takes back-ups of it meanwhile, and returns it all.
pub async fn served_and_backed_up(dir: &Path, log: &str, back_up: impl Fn()) -> String {
    let served = Served::on(dir, &["--log", log]);
    let busy = Busy::start(served.address);
    for _ in 0..2 {
        busy.more(BEFORE).await;
        back_up();
    }
    busy.more(1).await;
    busy.end().await;
    served.kill();
    done(dir, &["--log", log, "export"])
}

/// A restored log holds the beginning of what was, and its service goes on from there.
pub async fn goes_on(dir: &Path, log: &str, original: &str) {
    let restored = done(dir, &["--log", log, "export"]);
    let head = restored.lines().count() as u64;
    assert!(head >= 2 * BEFORE, "the back-up holds {head} commits only");
    assert!(original.starts_with(&restored), "the restored history is another one");
    assert!(original.len() > restored.len(), "nobody was busy during the back-up");
    done(dir, &["--log", log, "verify"]);
    done(dir, &["--log", log, "replay"]);

    let served = Served::on(dir, &["--log", log]);
    let mut client = Client::connect(served.address).await.expect("it answers");
    for old in [1, head] {
        let answer = give(&mut client, old).await;
        assert_eq!((answer.status, position(&answer)), (200, old), "{answer:?}");
        assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{answer:?}");
    }
    assert_eq!(position(&give(&mut client, head + 1).await), head + 1);
    served.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_directory_takes_the_place_of_the_lost_one() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let back_up = || {
        let told = copied(dir, "sqlite:log", "sqlite:backup");
        assert!(told["head"].as_u64() >= Some(BEFORE), "{told}");
    };
    let original = served_and_backed_up(dir, "sqlite:log", back_up).await;
    std::fs::remove_dir_all(dir.join("log")).unwrap();
    copied(dir, "sqlite:backup", "sqlite:log");
    goes_on(dir, "sqlite:log", &original).await;
}

/// With Python's `Connection.backup`, which calls what `.backup` of the sqlite3 program calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_sqlites_own_back_up_takes_the_place_of_the_lost_one() {
    let script = "import os, sqlite3\n\
                  os.makedirs('backup', exist_ok=True)\n\
                  source = sqlite3.connect('log/log.sqlite')\n\
                  source.backup(sqlite3.connect('backup/log.sqlite'))\n";
    let scratch = Scratch::new();
    let dir = scratch.path();
    let back_up = || {
        let output = command("python3", dir).args(["-c", script]).output().expect("Python 3");
        assert!(output.status.success(), "{}", super::said(&output));
    };
    let original = served_and_backed_up(dir, "sqlite:log", back_up).await;
    std::fs::remove_dir_all(dir.join("log")).unwrap();
    std::fs::rename(dir.join("backup"), dir.join("log")).unwrap();
    goes_on(dir, "sqlite:log", &original).await;
}
