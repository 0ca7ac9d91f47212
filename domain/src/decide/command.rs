//! A command: declared once, in its decider. From the declaration follow the HTTP endpoint, the
//! OpenAPI document, the help text, who may give it and the lifecycle.

use crate::facts::event::Event;
use crate::facts::world::World;
use crate::kernel::actor::{Actor, Evidence, Role};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{CommandId, StreamId};
use crate::kernel::refusal::{Common, Refusal, Rule};
use crate::kernel::{canonical, payload};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The longest payload of a command, in bytes.
pub const COMMAND_BYTES_MAX: usize = 65_535;

/// What comes with a command: who, when, why. Rules take time and person from here only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Who asks.
    pub actor: Actor,
    /// Names this wish for ever.
    pub command_id: CommandId,
    /// The conversation it belongs to.
    pub correlation_id: Option<CommandId>,
    /// The commit or command that led to it.
    pub causation_id: Option<CommandId>,
    /// When it reached us: decides whether a proposal made the cut-off.
    pub received_at: Timestamp,
    /// When it is decided and recorded; never before `received_at`.
    pub recorded_at: Timestamp,
    /// When it was true, if that was earlier than now.
    pub effective_at: Option<Timestamp>,
    /// Where the fact comes from.
    pub evidence: Option<Evidence>,
}

impl Meta {
    /// When the decision is true in the world.
    #[must_use]
    pub fn effective(&self) -> Timestamp {
        self.effective_at.unwrap_or(self.recorded_at)
    }
}

/// Something that a command needs beside role and state: shown in forms and manuals, and checked
/// by [`Command::check_needs`], which the catalogue asks with every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Another person than those who did the earlier steps.
    OtherPerson,
    /// As many people as the rules document asks for.
    Quorum,
    /// A document: its digest, or all of it.
    Document,
}

impl Need {
    /// When it is checked.
    #[must_use]
    pub const fn turn(self) -> Turn {
        match self {
            Self::OtherPerson => Turn::BeforeRules,
            Self::Quorum | Self::Document => Turn::AfterRules,
        }
    }
}

/// When a need is checked: who may give a command is told before what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Before the command decides.
    BeforeRules,
    /// After it, when no rule of its own says no.
    AfterRules,
}

/// What is declared once about a command.
#[derive(Debug)]
pub struct Declaration {
    /// `category.verb`.
    pub name: &'static str,
    /// One sentence for a person.
    pub summary: &'static str,
    /// Who may give it.
    pub roles: &'static [Role],
    /// In which phases of its target; [`NEW`] when it makes the stream.
    pub from: &'static [&'static str],
    /// What else it needs.
    pub needs: &'static [Need],
    /// The rule that it carries out.
    pub rule: Rule,
}

/// An event that a decision wants to record.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// On which stream.
    pub stream: StreamId,
    /// What happened.
    pub event: Event,
    /// When it was true; the command's own time when `None`.
    pub effective_at: Option<Timestamp>,
}

impl NewEvent {
    /// An event of a stream, true at the command's time.
    pub fn on(id: &impl crate::kernel::ids::StreamKey, event: impl Into<Event>) -> Self {
        Self { stream: id.stream(), event: event.into(), effective_at: None }
    }
}

/// What `decide` answers: the events of one commit, or why not. No events: it was true already.
pub type Decision = Result<Vec<NewEvent>, Refusal>;

/// What one command decides.
pub trait Decide {
    /// Decides. Role, phase of the target and who may have been checked already.
    ///
    /// # Errors
    /// A rule says no.
    fn decide(&self, world: &World, meta: &Meta) -> Decision;
}

/// One command: its payload, its declaration (made by the table of its decider), its rule.
pub trait Command:
    Decide + Serialize + DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static
{
    /// What is declared about it.
    const DECLARATION: Declaration;

    /// The stream whose state it depends on first.
    fn target(&self) -> StreamId;

    /// Refuses it where a need of its declaration, whose turn it is, is not met.
    ///
    /// # Errors
    /// The first need that is not met.
    fn check_needs(&self, turn: Turn, world: &World, meta: &Meta) -> Result<(), Refusal>;
}

/// A command whose type has been forgotten.
pub trait AnyCommand: Debug + Send + Sync {
    /// What is declared about it.
    fn declaration(&self) -> &'static Declaration;

    /// See [`Command::target`].
    fn target(&self) -> StreamId;

    /// See [`Command::check_needs`].
    ///
    /// # Errors
    /// The first need that is not met.
    fn check_needs(&self, turn: Turn, world: &World, meta: &Meta) -> Result<(), Refusal>;

    /// Canonical JSON of the payload.
    ///
    /// # Errors
    /// When the payload has no canonical form (it always has, if it was parsed from JSON).
    fn payload(&self) -> Result<Vec<u8>, serde_json::Error>;

    /// See [`Decide::decide`].
    ///
    /// # Errors
    /// A rule says no.
    fn decide(&self, world: &World, meta: &Meta) -> Decision;
}

impl<C: Command> AnyCommand for C {
    fn declaration(&self) -> &'static Declaration {
        const { &C::DECLARATION }
    }

    fn target(&self) -> StreamId {
        Command::target(self)
    }

    fn check_needs(&self, turn: Turn, world: &World, meta: &Meta) -> Result<(), Refusal> {
        Command::check_needs(self, turn, world, meta)
    }

    fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_bytes(self)
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        Decide::decide(self, world, meta)
    }
}

/// Reads the payload of a command.
pub type Parse = fn(&[u8]) -> Result<Box<dyn AnyCommand>, Refusal>;

/// A line of a decider's table of commands.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What is declared about the command.
    pub declaration: &'static Declaration,
    /// Reads its payload.
    pub parse: Parse,
    /// JSON Schema of its payload.
    pub schema: fn() -> schemars::Schema,
}

/// The line of command `C`.
#[must_use]
pub const fn entry<C: Command>() -> Entry {
    Entry {
        declaration: const { &C::DECLARATION },
        parse: parse_payload::<C>,
        schema: || schemars::schema_for!(C),
    }
}

fn parse_payload<C: Command>(json: &[u8]) -> Result<Box<dyn AnyCommand>, Refusal> {
    if json.len() > COMMAND_BYTES_MAX {
        return Err(Common::TooLarge(json.len()).into());
    }
    Ok(Box::new(payload::read::<C>(json)?))
}

/// A command that has been read, with the hash of its content: same id and same hash is the same wish.
#[derive(Debug)]
pub struct Parsed {
    /// The command.
    pub command: Box<dyn AnyCommand>,
    /// SHA-256 of `name`, a line feed, and the canonical payload.
    pub hash: Sha256Hex,
}

impl Parsed {
    /// A command made in this program.
    ///
    /// # Errors
    /// When its payload has no canonical form.
    pub fn of(command: impl Command) -> Result<Self, Refusal> {
        Self::new(Box::new(command))
    }

    pub(crate) fn new(command: Box<dyn AnyCommand>) -> Result<Self, Refusal> {
        let payload = command.payload().map_err(|error| Common::Malformed(error.to_string()))?;
        let mut content = command.declaration().name.as_bytes().to_vec();
        content.push(b'\n');
        content.extend_from_slice(&payload);
        Ok(Self { hash: Sha256Hex::of(&content), command })
    }
}
