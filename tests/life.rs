//! Whole lives as commands, from the first vote of money to the last report: what several people do
//! over years, with the mistakes that they make on the way. The numbers come from dice.

use domain::kernel::actor::{Actor, Confidence, Evidence, Role};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::borrow::Borrow;

mod audit;
mod books;
mod compute;
mod money;
mod people;
mod selection;
mod small;
mod spoil;

pub use spoil::{garble, spoil};

/// Where numbers come from: a seed, or a list that can shrink.
pub struct Dice {
    list: Option<std::vec::IntoIter<u32>>,
    state: u64,
}

impl Dice {
    /// One seed, one sequence (SplitMix64).
    pub fn of_seed(seed: u64) -> Self {
        Self { list: None, state: seed }
    }

    /// These numbers, then zeros: zero is always the plainest choice.
    pub fn of_list(list: Vec<u32>) -> Self {
        Self { list: Some(list.into_iter()), state: 0 }
    }

    pub fn next(&mut self) -> u64 {
        if let Some(list) = &mut self.list {
            return list.next().unwrap_or(0).into();
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One time in `times`; never for a zero.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == times - 1
    }

    /// An index of a list that is not empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index")
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }
}

/// What a step of a life should come to, when nobody disturbs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It is recorded.
    Recorded,
    /// It is refused with this code.
    Refused(&'static str),
    /// It was done by a process manager or a timer already, or is now.
    Either,
}

/// One thing that one person does.
#[derive(Clone, Debug)]
pub struct Step {
    /// Nobody does it before this instant.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub command: String,
    /// With which payload: mostly JSON.
    pub payload: Vec<u8>,
    /// With a published source.
    pub evidence: bool,
    /// When it was true, if earlier.
    pub effective_at: Option<Timestamp>,
    /// When it reached us, if earlier.
    pub received_at: Option<Timestamp>,
    /// What should come of it.
    pub expect: Expect,
}

impl Step {
    pub fn data(&self) -> Option<Value> {
        serde_json::from_slice(&self.payload).ok()
    }

    pub fn set(&mut self, data: &Value) {
        self.payload = data.to_string().into_bytes();
    }

    pub fn source(&self) -> Option<Evidence> {
        self.evidence.then(|| Evidence {
            confidence: Confidence::Fixture,
            note: None,
            source: "a-fixture-of-the-tests".to_owned(),
        })
    }
}

/// A life being written down.
pub struct Script {
    /// Distinguishes lives: every id of a life ends with it.
    pub tag: String,
    pub dice: Dice,
    pub steps: Vec<Step>,
    at: Timestamp,
    actor: Actor,
    /// Every mistake is made, or every second one.
    thorough: bool,
    /// What follows comes with a published source.
    sourced: bool,
}

/// The first instant of every life.
pub const START: &str = "2024-09-10T08:00:00Z";

pub fn instant(text: &str) -> Timestamp {
    text.parse().expect("a literal instant")
}

pub fn person(id: &str, role: Role) -> Actor {
    Actor { id: id.parse().expect("an actor"), on_behalf_of: None, role }
}

/// Cents as the log writes them.
pub fn eur(cents: i64) -> String {
    format!("EUR {}.{:02}", cents / 100, cents % 100)
}

/// A digest that names a document of this fixture.
pub fn sha(name: &str) -> String {
    domain::kernel::canonical::Sha256Hex::of(name.as_bytes()).to_string()
}

/// A value that nobody can open: the rules never do. `act` stands for its key.
pub fn sealed(person: &str, purpose: &str, act: &str) -> Value {
    json!({ "ciphertext": "00".repeat(80), "commitment": sha(&format!("{person} {purpose} {act}")),
        "nonce": "00".repeat(24), "person": person, "purpose": purpose })
}

impl Script {
    fn new(tag: &str, dice: Dice, thorough: bool) -> Self {
        let at = instant(START);
        let actor = person("nobody", Role::Auditor);
        Self { tag: tag.to_owned(), dice, steps: Vec::new(), at, actor, thorough, sourced: false }
    }

    /// An id of this life.
    pub fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.tag)
    }

    /// From here on this person acts in this role.
    pub fn by(&mut self, id: &str, role: Role) {
        self.actor = person(id, role);
    }

    /// Nothing that follows happens before this instant.
    pub fn at(&mut self, text: &str) {
        self.at = instant(text);
    }

    /// What is recorded.
    pub fn ok(&mut self, command: &str, data: impl Borrow<Value>) -> &mut Step {
        self.push(command, data.borrow(), Expect::Recorded)
    }

    /// What was done by itself already, or is now.
    pub fn either(&mut self, command: &str, data: impl Borrow<Value>) {
        self.push(command, data.borrow(), Expect::Either);
    }

    /// A mistake, and the code with which it is refused.
    pub fn no(&mut self, code: &'static str, command: &str, data: impl Borrow<Value>) {
        if self.thorough || self.dice.one_in(2) {
            self.push(command, data.borrow(), Expect::Refused(code));
        }
    }

    /// The same payload with some members changed, refused with this code.
    pub fn no_with(&mut self, code: &'static str, command: &str, data: &Value, change: Value) {
        let mut data = data.clone();
        merge(&mut data, change);
        self.no(code, command, data);
    }

    /// A mistake of somebody else.
    pub fn no_by(
        &mut self,
        (id, role): (&str, Role),
        code: &'static str,
        command: &str,
        data: &Value,
    ) {
        let actor = std::mem::replace(&mut self.actor, person(id, role));
        self.no(code, command, data);
        self.actor = actor;
    }

    fn push(&mut self, command: &str, data: &Value, expect: Expect) -> &mut Step {
        self.steps.push(Step {
            at: self.at,
            actor: self.actor.clone(),
            command: command.to_owned(),
            payload: data.to_string().into_bytes(),
            evidence: self.sourced,
            effective_at: None,
            received_at: None,
            expect,
        });
        self.steps.last_mut().expect("just pushed")
    }
}

/// Puts the members of `change` into `data`; `null` removes one.
pub fn merge(data: &mut Value, change: Value) {
    match (data, change) {
        (Value::Object(data), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    data.remove(&key);
                } else {
                    merge(data.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (data, change) => *data = change,
    }
}

/// The kinds of lives.
pub const KINDS: &[fn(&mut Script)] = &[
    selection::live,
    compute::live,
    books::live,
    small::prize,
    small::claims,
    small::machinery,
    people::live,
];

/// One life.
pub fn life(kind: usize, tag: &str, dice: Dice, thorough: bool) -> Vec<Step> {
    let mut script = Script::new(tag, dice, thorough);
    KINDS[kind % KINDS.len()](&mut script);
    script.steps
}

/// Several lives, each in order, mixed as several people at several desks mix them.
pub fn mixed(mut lives: Vec<Vec<Step>>, dice: &mut Dice) -> Vec<Step> {
    for life in &mut lives {
        life.reverse();
    }
    let mut now = instant(START);
    let mut steps = Vec::new();
    loop {
        lives.retain(|life| !life.is_empty());
        let next = |life: &Vec<Step>| life.last().map_or(Timestamp::MAX, |step| step.at);
        let Some(first) = lives.iter().map(next).min() else { return steps };
        now = now.max(first);
        let mut ready: Vec<&mut Vec<Step>> =
            lives.iter_mut().filter(|life| next(life) <= now).collect();
        let index = dice.index(ready.len());
        steps.extend(ready[index].pop());
    }
}

/// The rules document of a fixture call.
pub fn rules(change: Value) -> Value {
    let mut rules = json!({
        "id": "fixture", "title": "A call of the tests", "version": 1, "kind": "grant",
        "zone": "Europe/Luxembourg",
        "legal": { "call": "fixture of the tests" },
        "submission": { "documents": ["part-b"], "pages_max": 70, "source": "call",
            "questions": [{ "key": "complete", "text": "Is it complete?" }] },
        "eligibility": { "countries": ["FI", "ES", "IT"], "source": "call",
            "questions": [{ "key": "entity", "text": "Is it a legal entity?" }] },
        "deadlines": { "inform_days": 150, "report_days": 60, "review_request_days": 30,
            "sign_days": 270, "source": "call" },
        "retention": { "years": 5 },
    });
    merge(&mut rules, change);
    rules
}

/// A key that signs checkpoints.
pub const KEY: &str = "log.example+00000001+AAAA";
/// Another one, which is retired.
pub const SPARE_KEY: &str = "log.example+00000002+BBBB";

/// The deciders: where their events are declared, and their category.
pub fn deciders() -> Vec<(&'static str, &'static str)> {
    macro_rules! sources {
        ($($name:literal),*) => {
            vec![$((include_str!(concat!("../domain/src/", $name, ".rs")), $name)),*]
        };
    }
    let sources = sources![
        "allocation",
        "audit",
        "call",
        "checkpoint",
        "claim",
        "evaluation",
        "fund",
        "grant",
        "payment",
        "pledge",
        "prize",
        "process",
        "proposal",
        "statement",
        "subject",
        "system",
        "timer"
    ];
    assert_eq!(sources.len(), domain::facts::event::CATEGORIES.len(), "a decider is missing here");
    sources
}
