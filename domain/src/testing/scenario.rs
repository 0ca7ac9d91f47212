//! Given - when - then over the real path: parse, role, phase, decide, commit, encode, decode, apply.

use crate::decide::command::{Meta, Parsed};
use crate::facts::commit::{Commit, CommitId, Recorded};
use crate::facts::event::Event;
use crate::facts::world::World;
use crate::kernel::actor::{Actor, Confidence, Evidence, Role};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::StreamId;
use crate::kernel::refusal::Refusal;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// A world under test, and the answer to the last command.
pub struct Scenario {
    /// The world after the accepted commands.
    pub world: World,
    /// Every accepted commit.
    pub commits: Vec<Commit>,
    actor: Actor,
    now: Timestamp,
    received: Option<Timestamp>,
    effective: Option<Timestamp>,
    evidence: Option<Evidence>,
    answer: Option<Result<Vec<String>, Refusal>>,
}

/// Nothing has happened yet; it is 10 September 2024, 08:00 UTC.
#[must_use]
pub fn given() -> Scenario {
    Scenario {
        world: World::default(),
        commits: Vec::new(),
        actor: actor("someone", Role::ProgrammeOfficer),
        now: "2024-09-10T08:00:00Z".parse().expect("a literal instant"),
        received: None,
        effective: None,
        evidence: None,
        answer: None,
    }
}

fn actor(id: &str, role: Role) -> Actor {
    Actor { id: id.parse().expect("a literal actor"), on_behalf_of: None, role }
}

impl Scenario {
    /// From here on a person of this role acts; the id is the role's name.
    #[must_use]
    pub fn by(self, role: Role) -> Self {
        let name: &'static str = role.into();
        self.by_person(name, role)
    }

    /// From here on this person acts in this role.
    #[must_use]
    pub fn by_person(mut self, id: &str, role: Role) -> Self {
        self.actor = actor(id, role);
        self
    }

    /// From here on the person who acts stands in for this one.
    #[must_use]
    pub fn on_behalf_of(mut self, id: &str) -> Self {
        self.actor.on_behalf_of = Some(id.parse().expect("a literal actor"));
        self
    }

    /// From here on it is this instant.
    #[must_use]
    pub fn at_time(mut self, instant: &str) -> Self {
        self.now = instant.parse().expect("a literal instant");
        self
    }

    /// From here on commands were received at this instant, although they are recorded later.
    #[must_use]
    pub fn received_at(mut self, instant: &str) -> Self {
        self.received = Some(instant.parse().expect("a literal instant"));
        self
    }

    /// From here on commands tell what was true at this instant.
    #[must_use]
    pub fn effective_at(mut self, instant: &str) -> Self {
        self.effective = Some(instant.parse().expect("a literal instant"));
        self
    }

    /// From here on facts come from this published source.
    #[must_use]
    pub fn with_source(mut self, source: &str) -> Self {
        let source = source.to_owned();
        self.evidence = Some(Evidence { confidence: Confidence::Published, note: None, source });
        self
    }

    /// Gives a command.
    #[must_use]
    pub fn when(mut self, command: &str, payload: &str) -> Self {
        self.answer = Some(self.run(command, payload));
        self
    }

    /// Gives a command that must be accepted: a step of the history before the test.
    #[must_use]
    pub fn done(mut self, command: &str, payload: &str) -> Self {
        if let Err(refusal) = self.run(command, payload) {
            panic!("{command} {payload} was refused: {refusal}");
        }
        self
    }

    /// Something happened that the test takes as given, on a stream of another decider.
    #[must_use]
    pub fn happened(mut self, stream: &str, event: impl Into<Event>) -> Self {
        let stream: StreamId = stream.parse().expect("a literal stream");
        let at = self.world.recorded_at.checked_add(1.microsecond()).expect("a near instant");
        let (position, version) = (self.world.position + 1, self.world.version(&stream) + 1);
        let command_id = format!("given/{position}").parse().expect("a literal command id");
        let event = event.into();
        let commit = Commit {
            actor: self.actor.clone(),
            causation_id: None,
            command: "test.happened".into(),
            command_hash: Sha256Hex::of(b"given"),
            commit_id: CommitId::derive(at, &command_id, position),
            command_id,
            correlation_id: None,
            decided_on: BTreeMap::new(),
            events: vec![Recorded {
                effective_at: at,
                schema_version: event.schema_version(),
                event,
                stream,
                version,
            }],
            evidence: None,
            position,
            received_at: at,
            recorded_at: at,
        };
        self.world.apply(&commit);
        self.commits.push(commit);
        self
    }

    /// The last command recorded exactly these types of events, in this order.
    #[must_use]
    pub fn recorded(self, types: &[&str]) -> Self {
        match self.answer.as_ref() {
            Some(Ok(events)) => assert_eq!(events, types),
            Some(Err(refusal)) => panic!("refused: {refusal}"),
            None => panic!("no command was given"),
        }
        self
    }

    /// As [`Scenario::recorded`]; reads better as the end of a test.
    pub fn then(self, types: &[&str]) -> Self {
        self.recorded(types)
    }

    /// The last command was refused with this code.
    pub fn refused(self, code: &str) -> Self {
        match self.answer.as_ref() {
            Some(Err(refusal)) => assert_eq!(refusal.code, code, "{refusal}"),
            Some(Ok(events)) => panic!("accepted: {events:?}"),
            None => panic!("no command was given"),
        }
        self
    }

    /// The last refusal names this field.
    pub fn at(self, pointer: &str) -> Self {
        match self.answer.as_ref() {
            Some(Err(refusal)) => assert_eq!(refusal.field.as_deref(), Some(pointer), "{refusal}"),
            other => panic!("not refused: {other:?}"),
        }
        self
    }

    fn run(&mut self, command: &str, payload: &str) -> Result<Vec<String>, Refusal> {
        let parsed = Parsed::read(command, payload.as_bytes())?;
        let number = self.world.position + 1;
        self.now = self
            .now
            .max(self.world.recorded_at.checked_add(1.microsecond()).expect("a near instant"));
        let meta = Meta {
            actor: self.actor.clone(),
            command_id: format!("test/{number}").parse().expect("a literal command id"),
            correlation_id: None,
            causation_id: None,
            received_at: self.received.unwrap_or(self.now),
            recorded_at: self.now,
            effective_at: self.effective,
            evidence: self.evidence.clone(),
        };
        let Some((commit, bytes)) = self.world.commit(&parsed, &meta)? else {
            return Ok(Vec::new());
        };
        let decoded = Commit::decode(&bytes).expect("what is written can be read");
        assert_eq!(decoded, commit, "what is read is what was written");
        self.world.apply(&decoded);
        let types: Vec<String> =
            commit.events.iter().map(|recorded| recorded.event.kind().to_owned()).collect();
        for (recorded, kind) in commit.events.iter().zip(&types) {
            let stored = serde_json::to_value(&recorded.event).expect("events are JSON");
            assert_eq!(stored["type"], kind.as_str(), "the stored name is the name in code");
        }
        self.commits.push(commit);
        Ok(types)
    }
}
