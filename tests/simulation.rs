//! The engine on a log and a clock that let it down. Faults, commands and the clock follow from the
//! seed; the three threads of the engine do not, so a failing seed may need a few runs to fail again.
//! `SEED=7 cargo test -p tests simulation` runs one seed.

use crate::invariants::Checker;
use crate::life::{self, Dice, Step};
use crate::often::times;
use bytes::Bytes;
use domain::decide::command::{Meta, Parsed};
use domain::kernel::actor::{Actor, Role};
use domain::kernel::canonical;
use domain::kernel::ids::CommandId;
use domain::{Commit, World};
use eventlog::faulty::Odds;
use eventlog::{Faulty, Log, Memory};
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::task::JoinSet;
use tranche::clock::{Clock, ManualClock};
use tranche::engine::{Engine, EngineOptions, Receipt, Request, SubmitError};

/// So many seeds for each change, and at night.
const SEEDS: (u64, u64) = (60, 200);
/// At most so many steps of one seed: the long life in full for one seed in eight.
const STEPS_MAX: usize = 140;
/// How often a client asks again when it got no answer.
const TRIES_MAX: usize = 200;

/// What one client was told about one command.
#[derive(Clone, Debug)]
enum Told {
    /// Recorded there.
    At(u64),
    /// Accepted, and nothing had to be recorded.
    Nothing,
    /// Refused with this code.
    No(String),
}

struct Simulation {
    seed: u64,
    dice: Dice,
    memory: Memory,
    faulty: Arc<Faulty>,
    engine: Engine,
    hands: ManualClock,
    clock: Clock,
    snapshots: Option<std::path::PathBuf>,
    told: BTreeMap<CommandId, (Step, Told)>,
    restarts: u64,
}

fn odds(dice: &mut Dice) -> Odds {
    let mut one = |limit: u64| u16::try_from(dice.below(limit)).expect("small");
    Odds {
        fail_before: one(120),
        lose_acknowledgement: one(120),
        rival: one(60),
        fail_read: one(80),
        delay: one(300),
    }
}

/// The result of a future that has nothing to wait for: the log in memory.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the log in memory does not wait"),
    }
}

fn stored(memory: &Memory) -> Vec<Bytes> {
    let groups = now(memory.read(1, usize::MAX)).expect("the log in memory");
    groups.into_iter().flat_map(|group| group.entries).collect()
}

/// What another writer would put at a position: a commit of its own, on a stream of its own.
fn rival(memory: &Memory, position: u64) -> Bytes {
    let last = now(memory.read(position - 1, 1)).expect("the log in memory");
    let last = last.iter().flat_map(|group| &group.entries).next_back();
    let last = last.filter(|_| position > 1).map(|entry| Commit::decode(entry).expect("a commit"));
    let recorded_at = last.map_or(life::instant(life::START), |last| last.recorded_at);
    let recorded_at = recorded_at.checked_add(1.microsecond()).expect("near");
    let world = World { position: position - 1, ..World::default() };
    let payload = format!(
        r#"{{"fund":"RIVAL-{position}","line":"1","source":"R","amount":"EUR {position}.00"}}"#
    );
    let parsed = Parsed::read("fund.vote_appropriation", payload.as_bytes()).expect("a command");
    let meta = Meta {
        actor: life::person("rival", Role::GoverningBoard),
        command_id: format!("rival/{position}").parse().expect("an id"),
        correlation_id: None,
        causation_id: None,
        received_at: recorded_at,
        recorded_at,
        effective_at: None,
        evidence: None,
    };
    let (_, bytes) = world.commit(&parsed, &meta).expect("a decision").expect("an event");
    bytes.into()
}

fn flaky(memory: &Memory, seed: u64, odds: Odds) -> Arc<Faulty> {
    let inner = memory.clone();
    let faulty = Faulty::new(Arc::new(memory.clone()), seed, odds);
    Arc::new(faulty.with_rival(move |position| rival(&inner, position)))
}

async fn open(log: Arc<dyn Log>, clock: &Clock, snapshots: Option<std::path::PathBuf>) -> Engine {
    for _ in 0..TRIES_MAX {
        let options = EngineOptions {
            snapshots: snapshots.clone(),
            snapshot_every: 20,
            ..EngineOptions::default()
        };
        match Engine::open(Arc::clone(&log), clock.clone(), options).await {
            Ok(engine) => return engine,
            Err(_) => tokio::task::yield_now().await,
        }
    }
    panic!("the engine never opens");
}

fn request(step: &Step, id: &CommandId) -> Option<Request> {
    let parsed = Parsed::read(&step.command, &step.payload).ok()?;
    let mut request = Request::new(parsed, step.actor.clone(), id.clone());
    request.envelope.effective_at = step.effective_at;
    request.envelope.evidence = step.source();
    request.received_at = step.received_at;
    Some(request)
}

/// One client: asks until it knows.
async fn insist(engine: Engine, step: Step, id: CommandId) -> Option<(CommandId, Step, Told)> {
    for _ in 0..TRIES_MAX {
        let told = match engine.submit(request(&step, &id)?).await {
            Ok(Receipt { position: Some(position), .. }) => Told::At(position),
            Ok(_) => Told::Nothing,
            Err(SubmitError::Refused(refusal)) => Told::No(refusal.code.into_owned()),
            Err(SubmitError::Stopping) => return None,
            Err(SubmitError::Unavailable { .. } | SubmitError::Busy) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                continue;
            }
        };
        return Some((id, step, told));
    }
    None
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        let mut dice = Dice::of_seed(seed);
        let memory = Memory::new();
        let faulty = flaky(&memory, seed, odds(&mut dice));
        let (clock, hands) = Clock::manual(life::instant(life::START));
        let dir =
            std::env::temp_dir().join(format!("tranche-simulation-{}-{seed}", std::process::id()));
        let snapshots = dice.one_in(2).then_some(dir);
        let engine = open(faulty.clone(), &clock, snapshots.clone()).await;
        let told = BTreeMap::new();
        Self { seed, dice, memory, faulty, engine, hands, clock, snapshots, told, restarts: 0 }
    }

    async fn run(&mut self) -> Result<(), String> {
        let is_whole = self.seed.is_multiple_of(8);
        let kinds = life::KINDS.len();
        let lives = (0..2 + self.dice.index(2)).map(|number| {
            let kind = if number == 0 && is_whole { 0 } else { self.dice.index(kinds) };
            let dice = Dice::of_seed(self.dice.next());
            life::life(kind, &number.to_string(), dice, false)
        });
        let lives = lives.collect();
        let steps = life::mixed(lives, &mut self.dice);
        let steps_max = if is_whole { steps.len() } else { STEPS_MAX };
        let mut steps = steps.into_iter().take(steps_max).peekable();
        let mut number = 0_u64;
        while steps.peek().is_some() {
            let together = 1 + self.dice.index(6);
            let chunk: Vec<Step> = steps.by_ref().take(together).collect();
            self.move_clock(&chunk);
            self.disturb().await?;
            let mut clients = JoinSet::new();
            for step in chunk {
                number += 1;
                let id: CommandId = format!("client/{number}").parse().expect("an id");
                let step = if self.dice.one_in(12) {
                    life::spoil(step.clone(), &mut self.dice, &[step]).pop()
                } else {
                    Some(step)
                };
                let Some(step) = step else { continue };
                if self.dice.one_in(10) {
                    // The same wish twice at once.
                    clients.spawn(insist(self.engine.clone(), step.clone(), id.clone()));
                }
                clients.spawn(insist(self.engine.clone(), step, id));
            }
            while let Some(told) = clients.join_next().await {
                if let Some((id, step, told)) = told.map_err(|error| error.to_string())? {
                    self.note(id, step, told)?;
                }
            }
        }
        Ok(())
    }

    /// The clock goes with the work, sometimes far ahead, sometimes a little back.
    fn move_clock(&mut self, chunk: &[Step]) {
        let latest = chunk.iter().map(|step| step.at).max();
        let mut now = self.hands.now().max(latest.unwrap_or(Timestamp::MIN));
        if self.dice.one_in(60) {
            let hours = i64::try_from(self.dice.below(2_000)).expect("few");
            now = now.checked_add(hours.hours()).expect("near");
        }
        if self.dice.one_in(30) {
            now = now.checked_sub(5.minutes()).expect("near");
        }
        self.hands.set(now);
    }

    /// Between the chunks: an outage, a restart, the same wish again, an id used again.
    async fn disturb(&mut self) -> Result<(), String> {
        match self.dice.below(60) {
            1 => {
                self.faulty.cut();
                let engine = self.engine.clone();
                let step = own_step("cut");
                let id: CommandId = format!("cut/{}", self.restarts).parse().expect("an id");
                self.restarts += 1;
                let asked = tokio::spawn(insist(engine, step, id));
                tokio::task::yield_now().await;
                self.faulty.heal();
                if let Ok(Some((id, step, told))) = asked.await {
                    self.note(id, step, told)?;
                }
            }
            2 => self.restart(true).await,
            3 => self.restart(false).await,
            4..10 => self.again().await?,
            10 => self.reuse().await?,
            11 => self.stale().await?,
            _ => {}
        }
        Ok(())
    }

    async fn restart(&mut self, gently: bool) {
        if gently {
            self.engine.stop().await;
        }
        self.restarts += 1;
        let odds = odds(&mut self.dice);
        self.faulty = flaky(&self.memory, self.seed ^ (self.restarts << 32), odds);
        self.engine = open(self.faulty.clone(), &self.clock, self.snapshots.clone()).await;
    }

    fn some_told(&mut self) -> Option<(CommandId, Step, Told)> {
        let count = self.told.len();
        let index = (count > 0).then(|| self.dice.index(count))?;
        self.told
            .iter()
            .nth(index)
            .map(|(id, (step, told))| (id.clone(), step.clone(), told.clone()))
    }

    /// A client that forgot that it has the answer.
    async fn again(&mut self) -> Result<(), String> {
        let Some((id, step, told)) = self.some_told() else { return Ok(()) };
        let Some((id, step, again)) = insist(self.engine.clone(), step, id).await else {
            return Ok(());
        };
        match (&told, &again) {
            (Told::At(first), Told::At(second)) if first == second => Ok(()),
            (Told::At(first), again) => Err(format!("1: {id} was told {first} and then {again:?}")),
            // Refused or empty then is not recorded: it may be recorded now.
            _ => self.note(id, step, again),
        }
    }

    async fn reuse(&mut self) -> Result<(), String> {
        let Some((id, _, Told::At(_))) = self.some_told() else { return Ok(()) };
        match insist(self.engine.clone(), own_step("reused"), id).await {
            Some((_, _, Told::No(code))) if code == "command.id_reused" => Ok(()),
            None => Ok(()),
            Some((id, _, told)) => Err(format!("1: {id} with other content was told {told:?}")),
        }
    }

    async fn stale(&mut self) -> Result<(), String> {
        self.restarts += 1;
        let id: CommandId = format!("stale/{}", self.restarts).parse().expect("an id");
        let mut wish = request(&own_step("stale"), &id).expect("a command");
        wish.envelope.expected_version = Some(u64::MAX);
        match self.engine.submit(wish).await {
            Err(SubmitError::Refused(refusal)) if refusal.code == "command.wrong_version" => Ok(()),
            Err(SubmitError::Unavailable { .. }) => Ok(()),
            other => Err(format!("a stale version was told {other:?}")),
        }
    }

    fn note(&mut self, id: CommandId, step: Step, told: Told) -> Result<(), String> {
        match (self.told.get(&id), &told) {
            (Some((_, Told::At(first))), Told::At(second)) if first == second => {}
            (Some((_, Told::At(first))), other) => {
                return Err(format!("1: {id} was told {first} and then {other:?}"));
            }
            _ => drop(self.told.insert(id, (step, told))),
        }
        Ok(())
    }

    /// What must hold in the end, from the log itself.
    async fn audit(&mut self) -> Result<(), String> {
        self.engine.stop().await;
        let clean: Arc<dyn Log> = Arc::new(self.memory.clone());
        let engine = open(clean, &self.clock, None).await;
        engine.settle().await.map_err(|error| error.to_string())?;
        let mut checker = Checker::default();
        let mut world = World::default();
        let mut places: BTreeMap<CommandId, u64> = BTreeMap::new();
        let mut commits = Vec::new();
        for entry in stored(&self.memory) {
            checker.check(str::from_utf8(&entry).map_err(|error| error.to_string())?)?;
            let commit = Commit::decode(&entry).map_err(|error| error.to_string())?;
            places.insert(commit.command_id.clone(), commit.position);
            world.apply(&commit);
            commits.push(commit);
        }
        for (id, (_, told)) in &self.told {
            match (told, places.get(id)) {
                (Told::At(told), Some(place)) if told == place => {}
                (Told::At(told), place) => {
                    return Err(format!("1: {id} was told {told} and lies at {place:?}"));
                }
                (Told::Nothing | Told::No(_), Some(place)) => {
                    return Err(format!("1: {id} was told {told:?} and lies at {place}"));
                }
                (Told::Nothing | Told::No(_), None) => {}
            }
        }
        let shown = engine.now().digests().map_err(|error| error.to_string())?;
        let views = projections::fold(&commits).digests().map_err(|error| error.to_string())?;
        if shown.world != canonical::digest(&world).map_err(|error| error.to_string())? {
            return Err("10: the world shown is not the fold of the log".to_owned());
        }
        if shown.views != views {
            return Err("10: the views shown are not the fold of the log".to_owned());
        }
        self.engine = engine;
        for _ in 0..20 {
            self.again().await?;
        }
        Ok(())
    }
}

fn own_step(name: &str) -> Step {
    let payload = format!(r#"{{"fund":"OWN-{name}","line":"1","source":"S","amount":"EUR 1.00"}}"#);
    let actor: Actor = life::person("bea", Role::GoverningBoard);
    let at = life::instant(life::START);
    Step {
        at,
        actor,
        command: "fund.vote_appropriation".to_owned(),
        payload: payload.into_bytes(),
        evidence: false,
        effective_at: None,
        received_at: None,
        expect: life::Expect::Either,
    }
}

fn simulate(seed: u64) -> Result<(u64, BTreeSet<String>), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut simulation = Simulation::new(seed).await;
        let kept = match simulation.run().await {
            Ok(()) => simulation.audit().await,
            Err(breach) => Err(breach),
        };
        if let Some(dir) = &simulation.snapshots {
            // A directory that cannot be removed is no reason to fail.
            let _ = std::fs::remove_dir_all(dir);
        }
        let codes = simulation.told.values().filter_map(|(_, told)| match told {
            Told::No(code) => Some(code.clone()),
            _ => None,
        });
        kept.map(|()| (stored(&simulation.memory).len() as u64, codes.collect()))
    })
}

#[test]
fn no_fault_of_log_or_clock_breaks_a_promise_of_the_engine() {
    let chosen = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = times(SEEDS.0, SEEDS.1);
    let (mut recorded, mut refused) = (0, BTreeSet::new());
    for seed in chosen.map_or(0..seeds, |seed| seed..seed + 1) {
        let run = std::panic::catch_unwind(|| simulate(seed));
        let kept = run.unwrap_or_else(|_| Err("panicked; see above".to_owned()));
        let (entries, codes) =
            kept.unwrap_or_else(|breach| panic!("SEED={seed} breaks a promise: {breach}"));
        recorded += entries;
        refused.extend(codes);
    }
    if chosen.is_none() {
        assert!(recorded > seeds * 20, "only {recorded} commits");
        assert!(refused.len() > 60, "only {} codes", refused.len());
    }
}
