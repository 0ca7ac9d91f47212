//! What a declaration names as a need is asked for: for each command and need, whoever or whatever
//! violates it is refused. The cases are made from the declarations and from whole lives.

use crate::desk::Desk;
use crate::life::{self, Dice, Step};
use domain::catalogue::COMMANDS;
use domain::decide::command::{Declaration, Meta, Need, Parsed, Turn};
use domain::kernel::refusal::{Refusal, RefusalKind};
use domain::{Actor, World};
use serde_json::Value;
use std::collections::BTreeSet;

/// Seeds that are tried until every need of every command has been violated.
const SEEDS: u64 = 3;

fn declared() -> impl Iterator<Item = &'static Declaration> {
    COMMANDS.iter().flat_map(|table| table.iter()).map(|entry| entry.declaration)
}

fn meta_of(step: &Step, actor: Actor, world: &World) -> Meta {
    let now = step.at.max(world.recorded_at + jiff::SignedDuration::from_micros(1));
    Meta {
        actor,
        command_id: "a-trial".parse().expect("an id"),
        correlation_id: None,
        causation_id: None,
        received_at: step.received_at.unwrap_or(now).min(now),
        recorded_at: now,
        effective_at: step.effective_at,
        evidence: step.source(),
    }
}

fn decide(world: &World, name: &str, payload: &[u8], meta: &Meta) -> Result<(), Refusal> {
    world.decide(&Parsed::read(name, payload)?, meta).map(|_| ())
}

/// A step that would be recorded, in the world and the life in which it would.
struct Moment<'a> {
    world: &'a World,
    step: &'a Step,
    payload: Vec<u8>,
    before: &'a [Step],
}

impl Moment<'_> {
    /// Whether somebody who did a step before is refused, in person and with a stand-in.
    fn refuses_who_acted(&self) -> bool {
        let acted: BTreeSet<_> = self.before.iter().map(|step| step.actor.id.clone()).collect();
        acted.into_iter().any(|id| {
            let person = Actor { id: id.clone(), on_behalf_of: None, role: self.step.actor.role };
            let stand_in = Actor {
                id: "somebody-new".parse().expect("an actor"),
                on_behalf_of: Some(id),
                role: self.step.actor.role,
            };
            [person, stand_in].into_iter().all(|actor| {
                let meta = meta_of(self.step, actor, self.world);
                let answer = decide(self.world, &self.step.command, &self.payload, &meta);
                answer.is_err_and(|refusal| {
                    refusal.kind == RefusalKind::Forbidden && !refusal.code.starts_with("command.")
                })
            })
        })
    }

    /// Whether it is refused without any one of its documents, and there is one.
    fn refuses_without_documents(&self) -> bool {
        let data: Value = serde_json::from_slice(&self.payload).expect("JSON");
        let meta = meta_of(self.step, self.step.actor.clone(), self.world);
        let without: Vec<Value> = without_one_document(&data);
        !without.is_empty()
            && without.iter().all(|data| {
                let payload = data.to_string().into_bytes();
                decide(self.world, &self.step.command, &payload, &meta).is_err()
            })
    }

    /// Whether it is refused by its need where nobody did one of the kinds of step before it.
    fn refuses_without_the_others(&self) -> bool {
        let commands: BTreeSet<&str> = self.before.iter().map(|one| one.command.as_str()).collect();
        let parsed = Parsed::read(&self.step.command, &self.payload).expect("it was read before");
        commands.into_iter().any(|left_out| {
            let mut desk = Desk::new();
            for step in self.before.iter().filter(|one| one.command != left_out) {
                let _ = desk.give(step);
            }
            let meta = meta_of(self.step, self.step.actor.clone(), &desk.world);
            let unmet = parsed.command.check_needs(Turn::AfterRules, &desk.world, &meta);
            unmet.is_err_and(|unmet| {
                desk.world.decide(&parsed, &meta).is_err_and(|refusal| refusal == unmet)
            })
        })
    }

    fn refuses(&self, need: Need) -> bool {
        match need {
            Need::OtherPerson => self.refuses_who_acted(),
            Need::Quorum => self.refuses_without_the_others(),
            Need::Document => self.refuses_without_documents(),
        }
    }
}

/// The payload without one of the documents that it names or holds: a digest, a rules document, an
/// entry of a list of documents.
fn without_one_document(data: &Value) -> Vec<Value> {
    let is_digest = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut found = Vec::new();
    match data {
        Value::Object(members) => {
            for (name, value) in members {
                if is_digest(value) || name == "rules" {
                    let mut rest = members.clone();
                    rest.remove(name);
                    found.push(Value::Object(rest));
                    continue;
                }
                for changed in without_one_document(value) {
                    let mut rest = members.clone();
                    rest.insert(name.clone(), changed);
                    found.push(Value::Object(rest));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let changed = without_one_document(item);
                if !changed.is_empty() {
                    let mut rest = items.clone();
                    rest.remove(index);
                    found.push(Value::Array(rest));
                }
            }
        }
        _ => {}
    }
    found
}

#[test]
fn every_need_that_is_declared_is_asked_for() {
    let of = |one: &'static Declaration| one.needs.iter().map(|need| (one.name, *need));
    let mut open: Vec<(&str, Need)> = declared().flat_map(of).collect();
    assert!(open.len() > 20, "the needs are read wrongly");
    for (kind, seed) in (0..SEEDS).flat_map(|seed| (0..life::KINDS.len()).map(move |k| (k, seed))) {
        let steps = life::life(kind, "1", Dice::of_seed(seed), true);
        let mut desk = Desk::new();
        for (index, step) in steps.iter().enumerate() {
            let needs: Vec<Need> = open
                .iter()
                .filter(|(command, _)| *command == step.command)
                .map(|(_, need)| *need)
                .collect();
            let world = desk.world.clone();
            let payload = desk.with_checkpoint(step);
            let meta = meta_of(step, step.actor.clone(), &world);
            if !needs.is_empty() && decide(&world, &step.command, &payload, &meta).is_ok() {
                let moment = Moment { world: &world, step, payload, before: &steps[..index] };
                for need in needs {
                    if moment.refuses(need) {
                        open.retain(|one| *one != (step.command.as_str(), need));
                    }
                }
            }
            let _ = desk.give(step).expect("no promise is broken");
        }
    }
    assert!(open.is_empty(), "declared, and nothing asks for it: {open:?}");
}
