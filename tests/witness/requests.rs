//! What is said over HTTP, as c2sp.org/tlog-witness has it.

use super::{Served, keys};
use crate::client::{Answer, Client};
use crate::life::Dice;
use eventlog::tlog::cosign::{REQUEST_BYTES_MAX, Request};
use eventlog::tlog::note::{Note, Signer};
use eventlog::tlog::{Checkpoint, Hash, Tree};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// So many ask at once, each so many times.
const CALLERS: u64 = 8;
const TIMES: u64 = 200;
/// After so many answers the witness is killed.
const ANSWERS: usize = 60;
/// How long that may take.
const AT_LAST: Duration = Duration::from_secs(60);
const LEAVES: u64 = 2_000;

/// A log of which only the hashes are known, with its key.
struct Hashes {
    leaves: Vec<Hash>,
    origin: String,
    key: Signer,
}

impl Tree for Hashes {
    type Error = Infallible;

    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
        if height == 0 {
            return Ok(self.leaves[usize::try_from(index).unwrap()]);
        }
        let Ok(left) = self.subtree(height - 1, 2 * index);
        let Ok(right) = self.subtree(height - 1, 2 * index + 1);
        Ok(Hash::node(left, right))
    }
}

impl Hashes {
    fn new(dir: &Path, history: &str) -> Self {
        let secret = std::fs::read_to_string(dir.join("key")).unwrap();
        let leaves = (0..LEAVES).map(|leaf| Hash::leaf(format!("{history} {leaf}").as_bytes()));
        let key = Signer::parse(&secret).unwrap();
        Self { leaves: leaves.collect(), origin: "demo.example/log".to_owned(), key }
    }

    fn request(&self, old: u64, size: u64) -> Request {
        let Ok(root) = self.root(size);
        let head = Checkpoint { origin: self.origin.clone(), size, root };
        let mut checkpoint = Note::new(head.to_string()).unwrap();
        checkpoint.sign(&self.key);
        let Ok(proof) = self.consistency(old, size);
        Request { old, proof, checkpoint }
    }
}

async fn post(served: &Served, body: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(served.address).await.unwrap();
    client.send("POST", "/add-checkpoint", &[], body.as_ref()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_as_the_specification_says() {
    let scratch = keys();
    let dir = scratch.path();
    let served = Served::start(dir);
    let (log, other) = (Hashes::new(dir, "one"), Hashes::new(dir, "two"));
    let status = async |request: &Request| post(&served, request.to_string()).await.status;

    let first = post(&served, log.request(0, 10).to_string()).await;
    let lines = String::from_utf8(first.body.clone()).unwrap();
    assert_eq!(first.status, 200, "{lines}");
    assert!(lines.starts_with("— wkey.example/witness ") && lines.ends_with('\n'), "{lines}");
    assert_eq!(status(&log.request(10, 10)).await, 200, "once more the same");
    let stale = post(&served, log.request(0, 20).to_string()).await;
    let told = (stale.status, stale.header("content-type"), stale.body.as_slice());
    assert_eq!(told, (409, Some("text/x.tlog.size"), &b"10\n"[..]));
    assert_eq!(status(&other.request(10, 10)).await, 409, "another tree of this size");
    assert_eq!(status(&other.request(10, 20)).await, 422, "another tree that is larger");
    let mut backwards = log.request(5, 10);
    backwards.old = 11;
    assert_eq!(status(&backwards).await, 400);
    let mut foreign = log.request(10, 20);
    foreign.checkpoint.signatures.clear();
    foreign
        .checkpoint
        .sign(&Signer::from_seed(&log.origin, log.key.verifier().algorithm(), &[1; 32]).unwrap());
    assert_eq!(status(&foreign).await, 403, "signed by another key of the same name");
    let mut unknown = Hashes::new(dir, "one");
    unknown.origin = "unknown.example/log".to_owned();
    assert_eq!(status(&unknown.request(0, 10)).await, 404);

    let good = log.request(10, 20).to_string();
    let hashes = format!("old 10\n{}", format!("{}\n", Hash::empty()).repeat(64));
    let (_, note) = good.split_once("\n\n").unwrap();
    let malformed = [
        String::new(),
        "old".to_owned(),
        "old 10\n\n".to_owned(),
        good.replacen("old 10", "old 010", 1),
        good.replacen("old 10", "old -1", 1),
        good.replacen("old 10", "OLD 10", 1),
        good.replacen("\n20\n", "\n020\n", 1),
        good.replacen("\n\n", "\n!\n\n", 1),
        good.replacen("\n\n", "\n", 1),
        good.replace("— ", "- "),
        good.trim_end().to_owned(),
        note.to_owned(),
        format!("{hashes}\n{note}"),
    ];
    for body in malformed {
        let answer = post(&served, &body).await;
        assert_eq!(answer.status, 400, "{body:?}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(post(&served, b"old 10\n\xff\n\n").await.status, 400);
    assert_eq!(post(&served, vec![b'a'; REQUEST_BYTES_MAX + 1]).await.status, 413);
    let mut client = Client::connect(served.address).await.unwrap();
    assert_eq!(client.get("/add-checkpoint").await.unwrap().status, 405);
    assert_eq!(client.get("/").await.unwrap().status, 404);

    // Those of strangers are passed over, extension lines are signed with the rest.
    let mut extended = log.request(10, 20);
    extended.checkpoint = Note::new(extended.checkpoint.text + "an extension\n").unwrap();
    extended.checkpoint.sign(&log.key);
    let stranger = Signer::from_seed("stranger", log.key.verifier().algorithm(), &[1; 32]).unwrap();
    extended.checkpoint.sign(&stranger);
    assert_eq!(status(&extended).await, 200);
    assert_eq!(status(&log.request(20, 21)).await, 200, "nothing of all that has changed it");
    served.stop();
}

/// A caller that goes on from whatever the witness has seen, and tells what it was acknowledged.
async fn caller(
    log: Arc<Hashes>,
    served: std::net::SocketAddr,
    mut dice: Dice,
    acknowledged: Arc<Mutex<Vec<(u64, u64)>>>,
) {
    let Ok(mut client) = Client::connect(served).await else { return };
    let mut old = 0;
    for _ in 0..TIMES {
        let size = old + dice.below(4);
        let body = log.request(old, size).to_string();
        let answer = client.send("POST", "/add-checkpoint", &[], body.as_bytes()).await;
        let Ok(answer) = answer else { return };
        match answer.status {
            200 => {
                acknowledged.lock().unwrap().push((old, size));
                old = size;
            }
            409 => old = String::from_utf8(answer.body).unwrap().trim().parse().unwrap(),
            status => panic!("{status} for {old} to {size}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_make_one_chain_and_none_that_was_acknowledged_is_forgotten() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let scratch = keys();
    let served = Served::start(scratch.path());
    let log = Arc::new(Hashes::new(scratch.path(), "one"));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let dice = Dice::of_seed(seed * CALLERS + number);
        callers.spawn(caller(log.clone(), served.address, dice, acknowledged.clone()));
    }
    // In the middle of it.
    let deadline = Instant::now() + AT_LAST;
    while acknowledged.lock().unwrap().len() < ANSWERS {
        assert!(Instant::now() < deadline, "so few are signed");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    served.kill();
    callers.join_all().await;
    let mut steps = acknowledged.lock().unwrap().clone();
    let newest = steps.iter().map(|(_, size)| *size).max().unwrap();
    steps.retain(|(old, size)| old < size);
    steps.sort_unstable();
    // No two begin at one size, and none begins before the end of another.
    let mut seen = 0;
    for (old, size) in &steps {
        assert!(*old >= seen, "{old} after {seen}: {steps:?}");
        seen = *size;
    }
    assert!(steps.len() > 10, "{steps:?}");
    let served = Served::start(scratch.path());
    let answer = post(&served, log.request(0, LEAVES).to_string()).await;
    let told: u64 = String::from_utf8(answer.body).unwrap().trim().parse().unwrap();
    assert!(told >= newest, "it was told {newest}, and remembers {told}");
}
