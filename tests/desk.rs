//! A world without an engine: commands are decided one after the other, and every promise of the
//! rules is checked at every step.

use crate::books::Books;
use crate::invariants::Checker;
use crate::life::{Step, person};
use domain::decide::command::{Meta, Parsed};
use domain::facts::timer::Timer;
use domain::kernel::actor::Role;
use domain::kernel::canonical;
use domain::kernel::ids::{CommandId, TimerId};
use domain::kernel::refusal::Refusal;
use domain::{Commit, World};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// Everything that was given and what came of it.
pub struct Desk {
    pub world: World,
    /// What would be stored.
    pub entries: Vec<Vec<u8>>,
    /// How often each type of event was recorded.
    pub recorded: BTreeMap<String, u64>,
    /// How often each code was given.
    pub refused: BTreeMap<String, u64>,
    /// Timers are not fired while this is set.
    pub timers_wait: bool,
    pub books: Books,
    now: Timestamp,
    given: Vec<(String, Vec<u8>, Meta)>,
    checker: Checker,
    number: u64,
    fired: u64,
}

/// The types of the recorded events, or why there are none.
pub type Answer = Result<Vec<&'static str>, Refusal>;

impl Desk {
    pub fn new() -> Self {
        Self {
            world: World::default(),
            entries: Vec::new(),
            recorded: BTreeMap::new(),
            refused: BTreeMap::new(),
            timers_wait: false,
            books: Books::default(),
            now: crate::life::instant(crate::life::START),
            given: Vec::new(),
            checker: Checker::default(),
            number: 0,
            fired: 0,
        }
    }

    /// Gives the command of a step, after the timers that are due by then, and before what follows
    /// from it.
    pub fn give(&mut self, step: &Step) -> Result<Answer, String> {
        self.now = self.now.max(step.at);
        self.fire()?;
        self.number += 1;
        let id = format!("desk/{}", self.number);
        let answer = self.decide(&id, step)?;
        Ok(answer)
    }

    fn fire(&mut self) -> Result<(), String> {
        while !self.timers_wait {
            let Some(id) = self.due() else { return Ok(()) };
            self.fired += 1;
            let name = format!("timer/{id}/{}", self.fired);
            let step = own("timer.fire", &serde_json::json!({ "timer": id }), self.now);
            if let Err(refusal) = self.decide(&name, &step)? {
                return Err(format!("timer {id} cannot fire: {refusal}"));
            }
        }
        Ok(())
    }

    fn due(&self) -> Option<TimerId> {
        let pending = |timer: &Timer| timer.pending.as_ref().map(|(due, _)| *due);
        let timers = self.world.timers.iter();
        let due = timers.filter_map(|(id, timer)| Some((pending(timer)?, id))).min();
        due.filter(|(due, _)| *due <= self.now).map(|(_, id)| id.clone())
    }

    fn decide(&mut self, id: &str, step: &Step) -> Result<Answer, String> {
        let last = self.world.recorded_at.checked_add(1.microsecond()).expect("near");
        let recorded_at = self.now.max(last);
        self.now = recorded_at;
        let meta = Meta {
            actor: step.actor.clone(),
            command_id: id.parse::<CommandId>().map_err(|error| error.to_string())?,
            correlation_id: None,
            causation_id: None,
            received_at: step.received_at.unwrap_or(recorded_at).min(recorded_at),
            recorded_at,
            effective_at: step.effective_at,
            evidence: step.source(),
        };
        let payload = self.with_checkpoint(step);
        let decided = Parsed::read(&step.command, &payload)
            .and_then(|parsed| self.world.commit(&parsed, &meta));
        match decided {
            Err(refusal) => {
                *self.refused.entry(refusal.code.to_string()).or_default() += 1;
                Ok(Err(refusal))
            }
            Ok(None) => Ok(Ok(Vec::new())),
            Ok(Some((commit, bytes))) => {
                self.given.push((step.command.clone(), payload, meta));
                self.take(&commit, bytes).map(Ok)
            }
        }
    }

    /// A life does not know the checkpoint that its sample rests on: it leaves the size out, as 0.
    fn with_checkpoint(&self, step: &Step) -> Vec<u8> {
        let is_draw = step.command == "audit.draw";
        let log = self.world.checkpoints.get(&domain::facts::checkpoint::this_log());
        let newest = log.and_then(|log| log.recorded.get_max().map(|(_, newest)| *newest));
        match (step.data().filter(|data| is_draw && data["checkpoint"]["size"] == 0), newest) {
            (Some(mut data), Some((size, root))) => {
                data["checkpoint"] = serde_json::json!({ "root": root, "size": size });
                data.to_string().into_bytes()
            }
            _ => step.payload.clone(),
        }
    }

    /// A service records a checkpoint when somebody waits for one. The signature is none.
    fn sign(&mut self) -> Result<(), String> {
        let size = self.world.position;
        let log = self.world.checkpoints.get(&domain::facts::checkpoint::this_log());
        let mut keys = vec![crate::life::KEY, crate::life::SPARE_KEY];
        keys.retain(|key| log.is_none_or(|log| !log.retired.contains_key(*key)));
        let record = serde_json::json!({ "keys": keys, "note": format!("log.example\n{size}\n"), "root": format!("{size:064x}"), "size": size });
        let step = own("checkpoint.record", &record, self.now);
        self.decide(&format!("checkpoint/{size}"), &step)?.map(drop).map_err(|no| no.to_string())
    }

    fn take(&mut self, commit: &Commit, bytes: Vec<u8>) -> Result<Vec<&'static str>, String> {
        let decoded = Commit::decode(&bytes).map_err(|error| error.to_string())?;
        if decoded != *commit {
            return Err(format!(
                "position {}: what is read is not what was written",
                commit.position
            ));
        }
        self.checker.check(str::from_utf8(&bytes).map_err(|error| error.to_string())?)?;
        self.books.check(&decoded)?;
        self.entries.push(bytes);
        self.world.apply(&decoded);
        let kinds: Vec<&str> = commit.events.iter().map(|event| event.event.kind()).collect();
        for kind in &kinds {
            *self.recorded.entry((*kind).to_owned()).or_default() += 1;
        }
        for reaction in domain::process::react::react(&self.world, commit) {
            let step = own(&reaction.wish.command, &reaction.wish.data, self.now);
            // A refused reaction is parked by the engine; nothing more happens here.
            let _ = self.decide(reaction.command_id.as_str(), &step)?;
        }
        if ["audit.NonceCommitted", "checkpoint.Requested"].iter().any(|kind| kinds.contains(kind))
        {
            self.sign()?;
        }
        Ok(kinds)
    }

    /// What must hold of the whole: replaying the stored bytes gives the same world and the same
    /// views, and deciding the same commands again gives the same bytes.
    pub fn audit(&self) -> Result<(), String> {
        let (mut world, mut again) = (World::default(), World::default());
        let mut views = projections::Views::default();
        let mut commits = Vec::new();
        for ((name, payload, meta), bytes) in self.given.iter().zip(&self.entries) {
            let commit = Commit::decode(bytes).map_err(|error| error.to_string())?;
            world.apply(&commit);
            views.apply(&commit);
            let at = |what: &str| format!("10: position {}: {what}", commit.position);
            let parsed = Parsed::read(name, payload).map_err(|refusal| at(&refusal.to_string()))?;
            let decided =
                again.commit(&parsed, meta).map_err(|refusal| at(&refusal.to_string()))?;
            let (_, second) = decided.ok_or_else(|| at("decided again, nothing was recorded"))?;
            if second != *bytes {
                return Err(at("decided again, the bytes differ"));
            }
            again.apply(&commit);
            commits.push(commit);
        }
        let digest = |world: &World| canonical::digest(world).map_err(|error| error.to_string());
        if world != self.world || digest(&world)? != digest(&self.world)? {
            return Err("10: the replayed world is another".to_owned());
        }
        let folded = projections::fold(&commits).digests().map_err(|error| error.to_string())?;
        if folded != views.digests().map_err(|error| error.to_string())? {
            return Err("10: the replayed views are others".to_owned());
        }
        self.books.agree(&views)
    }
}

fn own(command: &str, data: &serde_json::Value, at: Timestamp) -> Step {
    Step {
        at,
        actor: person("tranche", Role::System),
        command: command.to_owned(),
        payload: data.to_string().into_bytes(),
        evidence: false,
        effective_at: None,
        received_at: None,
        expect: crate::life::Expect::Either,
    }
}
