//! A command: declared once, in its decider. From the declaration follow the HTTP endpoint, the
//! OpenAPI document, the help text, who may give it and the lifecycle.

use crate::canonical::{self, Sha256Hex};
use crate::ids::{ActorId, CommandId, StreamId};
use crate::payload;
use crate::rejection::{Common, Refusal, Rule};
use crate::world::{Event, World};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// The longest payload of a command, in bytes.
pub const COMMAND_BYTES_MAX: usize = 65_535;
/// The longest free text in a command, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// Who may do what. One person may have several roles, but acts in one.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumIter,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Runs calls and the portal for the granting authority.
    ProgrammeOfficer,
    /// Decides on awards (for a Joint Undertaking, its Governing Board).
    GoverningBoard,
    /// Applies, and after the award coordinates the grant.
    Applicant,
    /// Evaluates proposals, independently.
    Expert,
    /// Writes the consensus report.
    Rapporteur,
    /// Chairs the panel.
    PanelChair,
    /// Makes commitments and authorises payments (FR Art. 74).
    AuthorisingOfficer,
    /// Initiates a financial operation.
    InitiatingAgent,
    /// Verifies a financial operation.
    VerifyingAgent,
    /// Executes payments and keeps the accounts (FR Art. 77).
    AccountingOfficer,
    /// Pledges, signs and reports the national contribution.
    NationalAuthority,
    /// Certifies costs, independently of who reports them.
    Certifier,
    /// Runs a machine: technical checks, provisioning, usage.
    SiteSupport,
    /// Runs access calls for compute time.
    AccessOfficer,
    /// Reads everything, changes findings only.
    Auditor,
    /// The engine itself: timers and process managers.
    System,
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Opaque id of the person or process.
    pub id: ActorId,
    /// For whom, when it acts as a stand-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<ActorId>,
    /// The role it acts in.
    pub role: Role,
}

impl Actor {
    /// Whether one person can be behind both: the same id, or one acts on behalf of the other, or
    /// both on behalf of a third.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let mine = [Some(&self.id), self.on_behalf_of.as_ref()];
        mine.into_iter()
            .flatten()
            .any(|id| *id == other.id || Some(id) == other.on_behalf_of.as_ref())
    }
}

/// How sure we are of a fact from outside.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Read in a published source.
    Published,
    /// From one weak source or from memory: shown as unconfirmed.
    Unconfirmed,
    /// Computed from published facts.
    Derived,
    /// Invented for a demonstration or a test, and shown as such.
    Fixture,
}

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// How sure.
    pub confidence: Confidence,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub note: Option<String>,
    /// Key of the source, as in the list of sources that goes with the log.
    #[schemars(length(max = 200))]
    pub source: String,
}

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
/// by the command's own `decide`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Another person than those who did the earlier steps.
    OtherPerson,
    /// As many people as the rules document asks for.
    Quorum,
    /// A document, by its hash.
    Document,
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
    /// In which phases of its subject; [`NEW`] when it makes the subject.
    pub from: &'static [&'static str],
    /// What else it needs.
    pub needs: &'static [Need],
    /// The rule that it carries out.
    pub rule: Rule,
}

/// The phase of a stream that does not exist yet.
pub const NEW: &str = "new";

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
    pub fn on(id: &impl crate::ids::StreamKey, event: impl Into<Event>) -> Self {
        Self { stream: id.stream(), event: event.into(), effective_at: None }
    }
}

/// What `decide` answers: the events of one commit, or why not. No events: it was true already.
pub type Decision = Result<Vec<NewEvent>, Refusal>;

/// One command: its payload, its declaration, its rule.
pub trait Command:
    Serialize + DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static
{
    /// What is declared about it.
    const DECLARATION: Declaration;

    /// The stream whose state it depends on first.
    fn subject(&self) -> StreamId;

    /// Decides. Role and phase of the subject have been checked already.
    ///
    /// # Errors
    /// A rule says no.
    fn decide(&self, world: &World, meta: &Meta) -> Decision;
}

/// A command whose type has been forgotten.
pub trait AnyCommand: Debug + Send + Sync {
    /// What is declared about it.
    fn declaration(&self) -> &'static Declaration;

    /// See [`Command::subject`].
    fn subject(&self) -> StreamId;

    /// Canonical JSON of the payload.
    ///
    /// # Errors
    /// When the payload has no canonical form (it always has, if it was parsed from JSON).
    fn payload(&self) -> Result<Vec<u8>, serde_json::Error>;

    /// See [`Command::decide`].
    ///
    /// # Errors
    /// A rule says no.
    fn decide(&self, world: &World, meta: &Meta) -> Decision;
}

impl<C: Command> AnyCommand for C {
    fn declaration(&self) -> &'static Declaration {
        const { &C::DECLARATION }
    }

    fn subject(&self) -> StreamId {
        Command::subject(self)
    }

    fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_bytes(self)
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        Command::decide(self, world, meta)
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
    /// Reads a command by name.
    ///
    /// # Errors
    /// An unknown name, or a payload that does not fit its schema: the field is named.
    pub fn read(name: &str, json: &[u8]) -> Result<Self, Refusal> {
        let entry = crate::world::entry(name).ok_or_else(|| {
            Refusal::from(Common::UnknownCommand(name.chars().take(80).collect()))
        })?;
        Self::new((entry.parse)(json)?)
    }

    /// A command made in this program.
    ///
    /// # Errors
    /// When its payload has no canonical form.
    pub fn of(command: impl Command) -> Result<Self, Refusal> {
        Self::new(Box::new(command))
    }

    fn new(command: Box<dyn AnyCommand>) -> Result<Self, Refusal> {
        let payload = command.payload().map_err(|error| Common::Malformed(error.to_string()))?;
        let mut content = command.declaration().name.as_bytes().to_vec();
        content.push(b'\n');
        content.extend_from_slice(&payload);
        Ok(Self { hash: Sha256Hex::of(&content), command })
    }
}

/// Refuses a text that is longer than [`TEXT_CHARS_MAX`].
///
/// # Errors
/// Names the field and the limit.
pub fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > TEXT_CHARS_MAX {
        let refusal = Refusal::from(Common::TooLong { field, limit: TEXT_CHARS_MAX });
        return Err(refusal.at(format!("/{field}")));
    }
    Ok(())
}

/// Refuses a list that is longer than its limit.
///
/// # Errors
/// Names the field and the limit.
pub fn check_list<T>(field: &'static str, list: &[T], limit: usize) -> Result<(), Refusal> {
    if list.len() > limit {
        return Err(Refusal::from(Common::TooMany { field, limit }).at(format!("/{field}")));
    }
    Ok(())
}
