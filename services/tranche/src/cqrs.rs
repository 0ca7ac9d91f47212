//! The deciders as aggregates of `cqrs-es`, and the engine as its event store: `CqrsFramework`,
//! `Query` and `TestFramework` work on our rules and on our log. No decider is named here.
//!
//! The framework decides on a copy, which may be refused early; the engine then decides the same
//! command on the state of its log, and what the engine records is what queries see. A snapshot or
//! aggregate store of `cqrs-es` must not be put under these aggregates: those of 0.5.0 apply events
//! twice.

mod store;
#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::engine::{Engine, Envelope, Request};
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use domain::decide::command::{Meta, NewEvent, Parsed};
use domain::facts::stream::At;
use domain::facts::world::InWorld;
use domain::kernel::actor::{Actor, Evidence};
use domain::kernel::ids::{CommandId, StreamId, StreamKey};
use domain::kernel::time::to_microsecond;
use domain::{Event, Refusal, World};
use jiff::{Timestamp, ToSpan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// An event of a decider, with what `cqrs-es` asks of events.
pub trait Recordable:
    Clone + PartialEq + Debug + Serialize + DeserializeOwned + Into<Event> + Send + Sync + 'static
{
}

impl<E> Recordable for E where
    E: Clone
        + PartialEq
        + Debug
        + Serialize
        + DeserializeOwned
        + Into<Event>
        + Send
        + Sync
        + 'static
{
}

/// A decider, with what `cqrs-es` asks of aggregates. Every decider is one.
pub trait Adaptable:
    InWorld<Event: Recordable, Id: Send> + DeserializeOwned + Send + Sync + 'static
{
}

impl<D> Adaptable for D where
    D: InWorld<Event: Recordable, Id: Send> + DeserializeOwned + Send + Sync + 'static
{
}

/// A command as `cqrs-es` hands it over.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// Its payload, as JSON.
    pub payload: String,
    /// Names this wish for ever. Without it, the metadata's `command_id` does, or else one is made
    /// from the person, the content and the version of the stream.
    ///
    /// With it, a command given again after it succeeded is accepted and changes nothing; by then
    /// the rules may refuse it, and only the id tells.
    pub id: Option<CommandId>,
}

/// What happened, and the circumstances: everything that a decider folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "E: DeserializeOwned"))]
pub struct Happened<E> {
    /// Place of its commit in the log.
    pub position: u64,
    /// Who did it.
    pub actor: Actor,
    /// The command that did it.
    pub command_id: CommandId,
    /// When it was true.
    pub effective_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What happened.
    pub event: E,
}

impl<E: Recordable> DomainEvent for Happened<E> {
    fn event_type(&self) -> String {
        let event: Event = self.event.clone().into();
        event.kind().to_owned()
    }

    fn event_version(&self) -> String {
        let event: Event = self.event.clone().into();
        event.schema_version().to_string()
    }
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The decision writes more streams than an aggregate has.
    #[error("{command} also writes {other}: an aggregate has one stream; submit it to the engine")]
    SeveralStreams {
        /// The command.
        command: &'static str,
        /// A stream that it writes beside its own.
        other: StreamId,
    },
    /// The command is about another aggregate.
    #[error("{command} is about {target}, not about this aggregate")]
    OtherAggregate {
        /// The command.
        command: &'static str,
        /// What it is about.
        target: StreamId,
    },
}

/// What decisions of an aggregate need beside its own state: the rest of the world, who asks, and
/// what time it is.
#[derive(Clone)]
pub struct Surroundings {
    /// Who asks.
    pub actor: Actor,
    /// Where the facts come from.
    pub evidence: Option<Evidence>,
    clock: Clock,
    world: Source,
}

#[derive(Clone)]
enum Source {
    Fixed(Box<World>),
    Engine(Engine),
}

impl Surroundings {
    /// Decides in the world of an engine, and by its clock.
    #[must_use]
    pub fn of(engine: &Engine, actor: Actor) -> Self {
        let world = Source::Engine(engine.clone());
        Self { actor, evidence: None, clock: engine.clock(), world }
    }

    /// Decides in a world that stands still: for tests of one decider.
    #[must_use]
    pub fn fixed(world: World, clock: Clock, actor: Actor) -> Self {
        Self { actor, evidence: None, clock, world: Source::Fixed(Box::new(world)) }
    }

    /// An event as it would be recorded now.
    #[must_use]
    pub fn happened<E>(&self, event: E) -> Happened<E> {
        let world = self.world();
        let meta = self.meta(&world, None);
        let effective_at = meta.effective();
        happened(&world, &meta, effective_at, event)
    }

    fn world(&self) -> World {
        match &self.world {
            Source::Fixed(world) => (**world).clone(),
            Source::Engine(engine) => engine.now().world().clone(),
        }
    }

    fn meta(&self, world: &World, id: Option<&CommandId>) -> Meta {
        let now = to_microsecond(self.clock.now());
        let next = world.recorded_at.checked_add(1.microsecond()).unwrap_or(now);
        let recorded_at = now.max(next);
        let id = id.cloned().unwrap_or_else(|| "undecided".parse().expect("a literal id"));
        let envelope = Envelope::new(self.actor.clone(), id);
        Envelope { evidence: self.evidence.clone(), ..envelope }.meta(recorded_at, recorded_at)
    }

    /// Whether the engine has recorded this very command.
    async fn is_recorded(&self, parsed: Parsed, id: &CommandId) -> bool {
        let Source::Engine(engine) = &self.world else { return false };
        let request = Request::new(parsed, self.actor.clone(), id.clone());
        let answer = engine.submit(request.rehearsed()).await;
        answer.is_ok_and(|receipt| receipt.replayed)
    }
}

fn happened<E>(world: &World, meta: &Meta, effective_at: Timestamp, event: E) -> Happened<E> {
    Happened {
        position: world.position + 1,
        actor: meta.actor.clone(),
        command_id: meta.command_id.clone(),
        effective_at,
        recorded_at: meta.recorded_at,
        event,
    }
}

/// A decider as an aggregate of `cqrs-es`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound(deserialize = "D: DeserializeOwned"))]
pub struct AsAggregate<D: Adaptable> {
    /// The state of the stream.
    pub state: D,
    /// How many events it has.
    pub version: u64,
    /// The stream, when a store has loaded it.
    #[serde(skip)]
    stream: Option<StreamId>,
    /// The command that was decided on this copy: the engine wants it, not the events.
    #[serde(skip)]
    asked: Option<AskedCommand>,
}

#[derive(Debug)]
struct AskedCommand {
    parsed: Parsed,
    id: Option<CommandId>,
    actor: Actor,
    evidence: Option<Evidence>,
}

impl<D: Adaptable> AsAggregate<D> {
    /// The world as this aggregate sees it.
    fn place(&self, mut world: World, id: D::Id) -> World {
        if self.version > 0 {
            world.versions.insert(id.stream(), self.version);
            D::all_mut(&mut world).insert(id, Arc::new(self.state.clone()));
        }
        world
    }

    fn decide(
        &self,
        parsed: &Parsed,
        surroundings: &Surroundings,
        id: Option<&CommandId>,
    ) -> Result<Vec<Happened<D::Event>>, Denied> {
        let command = parsed.command.declaration().name;
        let target = parsed.command.target();
        let own = D::Id::of_stream(&target)
            .filter(|_| self.stream.as_ref().is_none_or(|stream| *stream == target));
        let Some(own) = own else { return Err(Denied::OtherAggregate { command, target }) };
        let world = self.place(surroundings.world(), own);
        let meta = surroundings.meta(&world, id);
        let take = |NewEvent { stream, event, effective_at }: NewEvent| {
            let own = D::event(&event).filter(|_| stream == target).cloned();
            let own = own.ok_or(Denied::SeveralStreams { command, other: stream })?;
            Ok(happened(&world, &meta, effective_at.unwrap_or_else(|| meta.effective()), own))
        };
        world.decide(parsed, &meta)?.into_iter().map(take).collect()
    }
}

impl<D: Adaptable> Aggregate for AsAggregate<D> {
    const TYPE: &'static str = <D::Id as StreamKey>::CATEGORY;
    type Command = Command;
    type Event = Happened<D::Event>;
    type Error = Denied;
    type Services = Surroundings;

    async fn handle(
        &mut self,
        command: Command,
        surroundings: &Surroundings,
        sink: &EventSink<Self>,
    ) -> Result<(), Denied> {
        let Command { name, payload, id } = command;
        let parsed = Parsed::read(&name, payload.as_bytes())?;
        let events = match self.decide(&parsed, surroundings, id.as_ref()) {
            Ok(events) => events,
            Err(denied) => {
                if let Some(id) = &id
                    && surroundings.is_recorded(parsed, id).await
                {
                    return Ok(());
                }
                return Err(denied);
            }
        };
        for event in events {
            sink.write(event, self).await;
        }
        let (actor, evidence) = (surroundings.actor.clone(), surroundings.evidence.clone());
        self.asked = Some(AskedCommand { parsed, id, actor, evidence });
        Ok(())
    }

    fn apply(&mut self, happened: Happened<D::Event>) {
        let at = At {
            position: happened.position,
            actor: &happened.actor,
            command_id: &happened.command_id,
            effective_at: happened.effective_at,
            recorded_at: happened.recorded_at,
        };
        self.state.evolve(&happened.event, &at);
        self.version += 1;
    }
}
