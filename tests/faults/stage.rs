//! What a case plays on: three nodes, the program, callers, and the judge at the end.

use super::check::{judge, read_node};
use super::load::{Load, Told};
use super::place::{Network, signal, small_disks};
use super::tell;
use crate::cli::program::{Scratch, command, directory, tranche};
use crate::client::Client;
use crate::life::Dice;
use eventlog::contract;
use eventlog::nats::server::{Cluster, Server};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The stream of the log.
const STREAM: &str = "faults";
/// How long something may take that must come about at last: machines are slow and busy.
const AT_LAST: Duration = Duration::from_secs(90);
/// The pause before it is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an instance may take to say whether it is ready.
const READY_WAIT: Duration = Duration::from_secs(2);
/// So many commands are acknowledged before anything goes wrong, and after it is over.
const PLENTY: usize = 100;
/// So much of what an instance said is shown when a case fails.
const LOG_BYTES_SHOWN: usize = 4_000;
/// The ports of the instances of the program begin here; the network is ours alone.
const FIRST_PORT: u16 = 7_410;

/// What was seen of a fault.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Acknowledged before it, while it lasted, and after it.
    pub acknowledged: [usize; 3],
    /// Answers 503 with Retry-After from its beginning on.
    pub refused: usize,
    /// Answers that did not come, from its beginning on.
    pub unanswered: usize,
    /// The longest time without an acknowledgement from its beginning on, in milliseconds.
    pub pause: u64,
    /// From its end to the first acknowledgement of a try that began after it, in milliseconds.
    pub first_after_end: Option<u64>,
    /// Commits in the log at the end.
    pub commits: usize,
    /// From each kill of the one that writes to the first acknowledgement of a try that began after
    /// it, in milliseconds.
    pub fail_overs: Vec<u64>,
}

/// One `tranche serve`.
pub struct Instance {
    child: Child,
    port: u16,
    words: Vec<String>,
}

/// A case while it is played.
pub struct Stage {
    pub network: Network,
    pub cluster: Cluster,
    pub instances: Vec<Option<Instance>>,
    pub dice: Dice,
    fail_overs: Vec<u64>,
    load: Option<Load>,
    began: Option<Instant>,
    ended: Option<Instant>,
    scratch: Scratch,
}

impl Instance {
    fn start(dir: &Path, number: usize, words: Vec<String>) -> Self {
        let port = FIRST_PORT + u16::try_from(number).expect("few instances");
        let log = File::options().create(true).append(true).open(dir.join(format!("{number}.log")));
        let child = command(directory().join("tranche"), dir)
            .env("RUST_LOG", "info,tranche::node=debug,tranche::http=error")
            .args(&words)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .stdout(Stdio::null())
            .stderr(log.expect("tests can write to their directory"))
            .spawn()
            .expect("the program starts");
        Self { child, port, words }
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Stage {
    /// Who looks for the reason of a failure wants to know what the instances said.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for number in 0..self.instances.len() {
            let log = self.scratch.path().join(format!("{number}.log"));
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let begin = said.len().saturating_sub(LOG_BYTES_SHOWN);
            let tail = said.get(said.ceil_char_boundary(begin)..).unwrap_or_default();
            tell(&format!("instance {number} said:\n{tail}"));
        }
    }
}

/// Waits until something is there, and fails when it does not come.
pub fn at_last<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let deadline = began + AT_LAST;
    loop {
        if let Some(found) = look() {
            tell(&format!("  {what} after {} ms", began.elapsed().as_millis()));
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in {AT_LAST:?}");
        std::thread::sleep(PAUSE);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn longest_pause(told: &Told, from: Instant) -> Duration {
    let came = told.acknowledged.iter().map(|(_, came)| *came).filter(|came| *came >= from);
    let came: Vec<Instant> = std::iter::once(from).chain(came).collect();
    came.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0])).max().unwrap_or_default()
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

impl Stage {
    /// Three nodes, the program in so many instances, and callers that have had their first answers.
    /// The disks of the nodes have so many megabytes, if that matters.
    pub fn set(seed: u64, instances: &[&[&str]], disks: Option<u32>) -> Self {
        let network = Network::make();
        let of_servers = contract::Scratch::new();
        if let Some(megabytes) = disks {
            small_disks(&of_servers, megabytes);
        }
        let cluster = Cluster::start_at(of_servers, network.places());
        let (scratch, dice) = (Scratch::new(), Dice::of_seed(seed));
        let mut stage = Self {
            network,
            cluster,
            instances: Vec::new(),
            dice,
            fail_overs: Vec::new(),
            load: None,
            began: None,
            ended: None,
            scratch,
        };
        for words in instances {
            stage.start_instance(words);
        }
        let addresses: Vec<_> = stage.instances.iter().flatten().map(Instance::address).collect();
        stage.load = Some(Load::start(&addresses));
        stage.wait_for_acknowledgements(PLENTY);
        let moment = stage.dice.below(300);
        std::thread::sleep(Duration::from_millis(moment));
        stage
    }

    /// Starts another instance of the program, and waits until it answers.
    fn start_instance(&mut self, words: &[&str]) {
        let number = self.instances.len();
        self.instances.push(None);
        self.start_again(number, words);
    }

    /// Kills an instance and starts it again, connected to one node; it learns of the others.
    pub fn move_instance(&mut self, number: usize, node: usize) {
        let words = self.instances[number].take().expect("it runs").words.clone();
        let server = &self.cluster.servers[node];
        let log = format!("nats://{}:{}/{STREAM}?replicas=3", server.host(), server.port());
        let log = ["--log".to_owned(), log].into_iter();
        let words = log.chain(words.iter().skip(2).cloned()).collect();
        self.instances[number] = Some(Instance::start(self.scratch.path(), number, words));
        self.wait_for_instance(number);
    }

    fn wait_for_instance(&mut self, number: usize) {
        let dir = self.scratch.path().to_owned();
        let runtime = runtime();
        let instance = self.instances[number].as_mut().expect("it has just been started");
        at_last("the program serves", || {
            let ended = instance.child.try_wait().expect("a child can be asked");
            if ended.is_some() {
                // The cluster may have had no leader yet.
                *instance = Instance::start(&dir, number, instance.words.clone());
            }
            let ready = async { Client::connect(instance.address()).await?.get("/readyz").await };
            let ready = runtime.block_on(async { timeout(READY_WAIT, ready).await });
            ready.ok()?.ok().filter(|answer| answer.status == 200)
        });
    }

    /// Kills an instance, and takes the time until another has a command recorded.
    pub fn kill_and_time(&mut self, number: usize) {
        let from = Instant::now();
        self.instances[number] = None;
        let first = at_last("another goes on", || {
            self.told(|told| {
                let after = told.acknowledged.iter().rev().take_while(|(_, came)| *came >= from);
                after.filter(|(asked, _)| *asked >= from).map(|(_, came)| *came - from).last()
            })
        });
        self.fail_overs.push(millis(first));
    }

    /// Starts a killed instance again where it was.
    pub fn start_again(&mut self, number: usize, words: &[&str]) {
        let log = self.cluster.url(STREAM);
        let words = ["--log", &log].into_iter().chain(words.iter().copied());
        let words = words.map(str::to_owned).collect();
        self.instances[number] = Some(Instance::start(self.scratch.path(), number, words));
        self.wait_for_instance(number);
    }

    /// The index of the node that leads the log, and those of the others.
    pub fn leader(&self) -> (usize, [usize; 2]) {
        let leader = at_last("a leader", || self.cluster.leader(STREAM));
        (leader, [(leader + 1) % 3, (leader + 2) % 3])
    }

    /// What is wrong begins now.
    pub fn fault_begins(&mut self) {
        self.began = Some(Instant::now());
    }

    /// It is over now.
    pub fn fault_ends(&mut self) {
        self.ended = Some(Instant::now());
    }

    fn told<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        let told = self.load.as_ref().expect("callers ask until the end").told();
        assert!(told.wrong.is_empty(), "answers that nobody should get: {:?}", told.wrong);
        look(&told)
    }

    /// Waits until so many more commands are acknowledged, of tries that begin from now on.
    pub fn wait_for_acknowledgements(&self, count: usize) {
        let from = Instant::now();
        at_last("commands are acknowledged", || {
            let since = |told: &Told| {
                told.acknowledged.iter().rev().take_while(|(_, came)| *came >= from).count()
            };
            (self.told(since) >= count + 5).then_some(())
        });
    }

    /// Waits until callers have been told 503.
    pub fn wait_for_refusals(&self, count: usize) {
        let before = self.told(|told| told.refused.len());
        at_last("commands are refused", || {
            self.told(|told| told.refused.len() >= before + count).then_some(())
        });
    }

    /// Holds while there is no majority: no command that was given since the fault began is taken.
    pub fn nothing_was_acknowledged(&self) {
        let began = self.began.expect("the fault has begun");
        let since =
            |told: &Told| told.acknowledged.iter().filter(|(asked, _)| *asked >= began).count();
        assert_eq!(self.told(since), 0, "BREACH: acknowledged without a majority");
    }

    /// What the program says about the log, called once.
    pub fn program(&self, words: &[&str]) -> std::process::Output {
        let log = self.cluster.url(STREAM);
        tranche(self.scratch.path(), &[&["--log", &log], words].concat())
    }

    /// Ends the load after enough commands, and judges.
    pub fn finish(mut self) -> Seen {
        self.wait_for_acknowledgements(PLENTY);
        let load = self.load.take().expect("it is finished once");
        let told = load.stop(AT_LAST).unwrap_or_else(|breach| panic!("{breach}"));
        assert!(told.wrong.is_empty(), "answers that nobody should get: {:?}", told.wrong);
        let log = self.read_everywhere();
        judge(&log, &told).unwrap_or_else(|breach| panic!("BREACH: {breach}"));
        self.compare_views(&log);
        self.seen(&told, log.lines().count())
    }

    /// The log as each node has it alone, while the others stand still; all the same, to the byte.
    fn read_everywhere(&self) -> String {
        let alone = |node: usize| {
            let others =
                self.cluster.servers.iter().enumerate().filter(|(other, _)| *other != node);
            let others: Vec<u32> = others.filter_map(|(_, server)| server.pid()).collect();
            others.iter().for_each(|pid| signal(*pid, "STOP"));
            let server: &Server = &self.cluster.servers[node];
            let read = read_node((server.host(), server.port()), STREAM);
            others.iter().for_each(|pid| signal(*pid, "CONT"));
            let said = |error: &std::io::Error| tell(&format!("  node {node} alone: {error}"));
            read.inspect_err(said).ok()
        };
        let head = at_last("the head", || self.head());
        at_last("every node has everything", || {
            // A node cannot catch up with others that stand still.
            if !self.cluster.is_caught_up(STREAM) {
                return None;
            }
            let logs = [alone(0)?, alone(1)?, alone(2)?];
            let longest = logs.iter().max_by_key(|log| log.len()).expect("three logs").clone();
            for (node, log) in logs.iter().enumerate() {
                let pairs = (1..).zip(log.lines().zip(longest.lines()));
                let differs = { pairs }.find(|(_, (one, other))| one != other);
                assert!(differs.is_none(), "BREACH: node {node} has another log: {differs:?}");
            }
            // A command that was given up may still come in.
            let is_everywhere = logs.iter().all(|log| log.len() == longest.len());
            (is_everywhere && longest.lines().count() as u64 >= head).then_some(longest)
        })
    }

    /// The last position, by the program as another process.
    fn head(&self) -> Option<u64> {
        let output = self.program(&["log", "--json"]);
        let lines = output.status.success().then_some(output.stdout)?;
        Some(lines.iter().filter(|byte| **byte == b'\n').count() as u64)
    }

    /// Every instance shows a beginning of the log, and as of there what a replay shows.
    fn compare_views(&self, log: &str) {
        let replay = at_last("a replay", || {
            Some(self.program(&["replay"])).filter(|output| output.status.code() != Some(4))
        });
        assert!(replay.status.success(), "BREACH: {}", String::from_utf8_lossy(&replay.stderr));
        let runtime = runtime();
        for instance in self.instances.iter().flatten() {
            let get = async |path: &str| {
                let mut client = Client::connect(instance.address()).await.expect("it answers");
                client.get(path).await.expect("an answer")
            };
            let (lines, view) = at_last("an instance is read", || {
                let answers = runtime
                    .block_on(async { (get("/log?from=1").await, get("/views/budget").await) });
                Some(answers).filter(|(log, view)| (log.status, view.status) == (200, 200))
            });
            let lines = String::from_utf8(lines.body).expect("text");
            assert!(log.starts_with(&lines) && !lines.is_empty(), "BREACH: another log over HTTP");
            let position = view.header("tranche-position").expect("a position").to_owned();
            let ours = at_last("the view of a replay", || {
                let output =
                    self.program(&["show", "budget", "--json", "--at-position", &position]);
                output.status.success().then_some(output.stdout)
            });
            let ours: Value = serde_json::from_slice(&ours).expect("JSON");
            assert_eq!(
                view.json()["rows"],
                ours["rows"],
                "BREACH: the instance shows another budget"
            );
        }
    }

    fn seen(self, told: &Told, commits: usize) -> Seen {
        let began = self.began.expect("a case has a fault");
        let ended = self.ended.unwrap_or(began);
        let first = |from: Instant| {
            let after = told.acknowledged.iter().filter(|(asked, _)| *asked >= from);
            let first = after.map(|(_, came)| *came - from).min();
            first.map(millis)
        };
        let came = |from: Instant, to: Option<Instant>| {
            let all = told.acknowledged.iter().map(|(_, came)| *came);
            all.filter(|came| *came >= from && to.is_none_or(|to| *came < to)).count()
        };
        let from = told.acknowledged.first().map_or(began, |(asked, _)| *asked);
        let since = |list: &[Instant]| list.iter().filter(|at| **at >= began).count();
        Seen {
            acknowledged: [came(from, Some(began)), came(began, Some(ended)), came(ended, None)],
            refused: since(&told.refused),
            unanswered: since(&told.unanswered),
            pause: millis(longest_pause(told, began)),
            first_after_end: self.ended.and_then(first),
            commits,
            fail_overs: self.fail_overs.clone(),
        }
    }
}
