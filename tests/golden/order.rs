//! Which refusal wins: every command with one mistake and with two at once, and whole lives with
//! random mistakes. All through what a client sees: a name, JSON, and a refusal.

use super::mistakes::{self, Mistake};
use super::{check_listed, golden, listed};
use crate::desk::Desk;
use crate::life::{self, Dice, Step};
use domain::World;
use domain::decide::command::{Declaration, Meta, Parsed};
use domain::kernel::ids::StreamId;
use domain::kernel::refusal::Refusal;
use jiff::ToSpan;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many commands at least are decided by each test.
const DECIDED_MIN: usize = 5_000;
/// So many lives with random mistakes.
const LIVES: u64 = 40;
/// Of the worlds of a life, every so many-th is kept.
const WORLD_EVERY: usize = 3;

/// A command that would be recorded.
struct Right {
    world: World,
    meta: Meta,
    data: Value,
    /// Whether it was recorded in a life. If not: made from the schema.
    is_lived: bool,
}

/// Code and field.
type Outcome = Option<(String, String)>;

fn outcome(answer: &Result<(), Refusal>) -> Outcome {
    let refusal = answer.as_ref().err()?;
    Some((refusal.code.to_string(), field_of(refusal)))
}

/// The field at fault: a pointer, `(whole)` for the payload itself, `-` for none.
fn field_of(refusal: &Refusal) -> String {
    match refusal.field.as_deref() {
        None => "-".to_owned(),
        Some("") => "(whole)".to_owned(),
        Some(pointer) => pointer.to_owned(),
    }
}

fn meta_of(step: &Step, world: &World) -> Meta {
    let next = world.recorded_at.checked_add(1.microsecond()).unwrap();
    let recorded_at = step.at.max(next);
    Meta {
        actor: step.actor.clone(),
        command_id: "golden/1".parse().unwrap(),
        correlation_id: None,
        causation_id: None,
        received_at: step.received_at.unwrap_or(recorded_at).min(recorded_at),
        recorded_at,
        effective_at: step.effective_at,
        evidence: step.source(),
    }
}

fn decide(world: &World, name: &str, data: &Value, meta: &Meta) -> Result<(), Refusal> {
    let parsed = Parsed::read(name, data.to_string().as_bytes())?;
    world.decide(&parsed, meta).map(|_| ())
}

/// Lives through every kind of life, and keeps the first time that each command would be recorded,
/// and worlds on the way.
fn lived() -> (BTreeMap<String, Right>, Vec<World>) {
    let (mut rights, mut worlds) = (BTreeMap::<String, Right>::new(), Vec::new());
    for kind in 0..life::KINDS.len() {
        let mut desk = Desk::new();
        for (index, step) in life::life(kind, "1", Dice::of_seed(1), true).iter().enumerate() {
            if !rights.contains_key(&step.command) {
                let payload = desk.with_checkpoint(step);
                let data: Value = serde_json::from_slice(&payload).unwrap_or_default();
                let meta = meta_of(step, &desk.world);
                if decide(&desk.world, &step.command, &data, &meta).is_ok() {
                    let world = desk.world.clone();
                    let right = Right { world, meta, data, is_lived: true };
                    rights.insert(step.command.clone(), right);
                }
            }
            if index % WORLD_EVERY == 0 {
                worlds.push(desk.world.clone());
            }
            let _ = desk.give(step).unwrap();
        }
        worlds.push(desk.world);
    }
    (rights, worlds)
}

/// A value that fits a schema: the plainest.
fn sample(schema: &Value, root: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let target = name.strip_prefix('#').and_then(|at| root.pointer(at));
        return target.map_or(Value::Null, |target| sample(target, root));
    }
    let first = |list: &Value| list.as_array().and_then(|list| list.first().cloned());
    if let Some(value) = schema.get("const").cloned().or_else(|| first(&schema["enum"])) {
        return value;
    }
    if let Some(example) = first(&schema["examples"]) {
        return example;
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(one) = first(&schema[choice]) {
            return sample(&one, root);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let names = required.iter().filter_map(Value::as_str);
            let members =
                names.map(|name| (name.to_owned(), sample(&schema["properties"][name], root)));
            Value::Object(members.collect())
        }
        Some("array") => json!([sample(&schema["items"], root)]),
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("a"),
        _ => Value::Null,
    }
}

/// The world of a mistake: empty, or one in which the stream is in a state that the command is not for.
fn world_of<'a>(
    mistake: &Mistake,
    declared: &Declaration,
    target: Option<&StreamId>,
    worlds: &'a [World],
    empty: &'a World,
) -> Option<&'a World> {
    match mistake {
        Mistake::Absent => Some(empty),
        Mistake::State => {
            let phase = |world: &World| target.map_or("new", |stream| world.phase(stream));
            worlds
                .iter()
                .find(|world| phase(world) != "new" && !declared.from.contains(&phase(world)))
        }
        _ => None,
    }
}

/// Decides with mistakes made in what was right.
struct Trial<'a> {
    declared: &'a Declaration,
    right: &'a Right,
    target: Option<StreamId>,
    worlds: &'a [World],
    empty: World,
    decided: usize,
    list: &'a BTreeMap<&'a str, super::Listed>,
}

impl Trial<'_> {
    fn with(&mut self, mistakes: &[&Mistake]) -> Outcome {
        let (mut meta, mut data) = (self.right.meta.clone(), self.right.data.clone());
        let mut world = &self.right.world;
        for mistake in mistakes {
            mistake.make(&mut meta, &mut data);
            let other =
                world_of(mistake, self.declared, self.target.as_ref(), self.worlds, &self.empty);
            world = other.unwrap_or(world);
        }
        self.decided += 1;
        let answer = decide(world, self.declared.name, &data, &meta);
        if let Err(refusal) = &answer {
            check_listed(self.list, refusal);
        }
        outcome(&answer)
    }

    /// The lines of one command: its mistakes, the first before those that it wins over, and the
    /// pairs that come out otherwise.
    fn lines(&mut self, schema: &Value) -> String {
        let command = self.declared.name;
        let alone: Vec<(Mistake, (String, String))> =
            (mistakes::all(self.declared.roles, schema, &self.right.data).into_iter())
                .filter_map(|mistake| self.with(&[&mistake]).map(|outcome| (mistake, outcome)))
                .collect();
        let mut wins = vec![0_usize; alone.len()];
        let mut pairs = Vec::new();
        for (one, (first, first_alone)) in alone.iter().enumerate() {
            for (two, (second, second_alone)) in alone.iter().enumerate().skip(one + 1) {
                if !first.goes_with(second) {
                    continue;
                }
                let both = self.with(&[first, second]);
                let is = |outcome: &(String, String)| both.as_ref() == Some(outcome);
                if first_alone != second_alone {
                    wins[one] += usize::from(is(first_alone));
                    wins[two] += usize::from(is(second_alone));
                }
                pairs.push((one, two, both));
            }
        }
        let mut order: Vec<usize> = (0..alone.len()).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(wins[*index]), *index));
        let place = |index: usize| order.iter().position(|other| *other == index);
        let mut text = String::new();
        let mut line = |what: &str, outcome: &Outcome| {
            let (code, field) = (outcome.as_ref())
                .map_or(("recorded", "-"), |(code, field)| (code.as_str(), field.as_str()));
            text.push_str(&format!("{command}\t{what}\t{code}\t{field}\n"));
        };
        for index in &order {
            line(&alone[*index].0.name(), &Some(alone[*index].1.clone()));
        }
        for (one, two, both) in pairs {
            let (first, second) = if place(one) < place(two) { (one, two) } else { (two, one) };
            if both.as_ref() != Some(&alone[first].1) {
                let names = format!("{} + {}", alone[first].0.name(), alone[second].0.name());
                line(&names, &both);
            }
        }
        text
    }
}

#[test]
fn with_two_mistakes_at_once_the_same_refusal_wins_as_ever() {
    let (mut rights, worlds) = lived();
    let list: BTreeMap<_, _> = listed().into_iter().collect();
    let mut text = String::from(HEAD);
    let mut decided = 0;
    for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
        let declared = entry.declaration;
        let schema = serde_json::to_value((entry.schema)()).unwrap();
        let right = rights.remove(declared.name).unwrap_or_else(|| {
            let (world, data) = (worlds[worlds.len() - 1].clone(), sample(&schema, &schema));
            let mut step = life::life(0, "1", Dice::of_seed(1), true).remove(0);
            step.actor.role = declared.roles[0];
            Right { meta: meta_of(&step, &world), world, data, is_lived: false }
        });
        let parsed = Parsed::read(declared.name, right.data.to_string().as_bytes());
        let target = parsed.ok().map(|parsed| parsed.command.target());
        if !right.is_lived {
            let alone = decide(&right.world, declared.name, &right.data, &right.meta);
            let (code, field) = outcome(&alone).unwrap_or_default();
            text.push_str(&format!("{}\tnothing else\t{code}\t{field}\n", declared.name));
        }
        let empty = World::default();
        let worlds = &worlds;
        let mut trial =
            Trial { declared, right: &right, target, worlds, empty, decided: 0, list: &list };
        text.push_str(&trial.lines(&schema));
        decided += trial.decided;
    }
    assert!(decided > DECIDED_MIN, "{decided}");
    golden("order.txt", &text);
}

const HEAD: &str = "\
# Of each command: what one mistake is refused with. With two mistakes at once the upper one wins,
# but for the pairs that are listed after them.
# command\tmistake\tcode\tfield
";

#[test]
fn the_refusals_of_random_lives_are_as_ever() {
    let list: BTreeMap<_, _> = listed().into_iter().collect();
    let mut counts = BTreeMap::<(String, String, String), u64>::new();
    let mut given = 0;
    for seed in 0..LIVES {
        let dice = &mut Dice::of_seed(seed);
        let kind = usize::try_from(seed).unwrap() % life::KINDS.len();
        let steps = life::mixed(
            vec![
                life::life(0, "0", Dice::of_seed(seed), false),
                life::life(kind, "1", Dice::of_seed(seed + 1), false),
            ],
            dice,
        );
        let mut desk = Desk::new();
        for (index, step) in steps.iter().enumerate() {
            let others = &steps[index.saturating_sub(40)..(index + 40).min(steps.len())];
            let times = if dice.one_in(3) { 1 + dice.below(3) } else { 0 };
            let mut spoilt = vec![step.clone()];
            for _ in 0..times {
                spoilt =
                    (spoilt.into_iter()).flat_map(|step| life::spoil(step, dice, others)).collect();
            }
            // What was spoilt is done right after that, so that the life goes on.
            spoilt.extend((times > 0).then(|| step.clone()));
            for step in spoilt {
                given += 1;
                if let Err(refusal) = desk.give(&step).unwrap() {
                    check_listed(&list, &refusal);
                    let field = field_of(&refusal);
                    let key = (step.command.clone(), refusal.code.to_string(), field);
                    *counts.entry(key).or_default() += 1;
                }
            }
        }
    }
    assert!(given > DECIDED_MIN, "{given}");
    let mut text = String::from("# command\tcode\tfield\ttimes\n");
    for ((command, code, field), times) in counts {
        text.push_str(&format!("{}\t{code}\t{field}\t{times}\n", shown(&command)));
    }
    golden("lives.txt", &text);
}

/// The name of a command, also where it is a mistake.
fn shown(command: &str) -> &str {
    if domain::catalogue::entry(command).is_some() { command } else { "-" }
}
