//! The world: the state of every stream, one table of the deciders, and the three things to do with
//! it: decide, commit, apply. Pure and synchronous; cloning is cheap (persistent maps).

use crate::command::{Actor, Declaration, Entry, Meta, NewEvent, Parsed, Role};
use crate::commit::{COMMIT_BYTES_MAX, Commit, CommitId, Recorded};
use crate::ids::{CommandId, StreamId, StreamKey};
use crate::rejection::{Common, Refusal};
use crate::upcast::Upcaster;
use crate::*;
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

/// Nothing here was true before the euro was, 1 January 1999 (Reg. (EC) No 974/98, Art. 2): an earlier
/// instant is a slip. In UTC.
pub const EFFECTIVE_MIN: Timestamp = Timestamp::constant(915_148_800, 0);

/// The streams of one category: a persistent map, so that a clone of the world costs nothing.
pub type Map<K, V> = OrdMap<K, Arc<V>>;

/// The rules of one kind of stream. The implementing type is the state of one stream.
///
/// Collections that grow without bound inside a state are `imbl` maps: states are cloned on write.
pub trait Decider: Clone + Debug + Default + PartialEq + Serialize {
    /// The identifier of such a stream.
    type Id: StreamKey;
    /// What can have happened to it.
    type Event;

    /// What its events of before are read by, the steps of each type in order: a step gives the type
    /// a new version.
    const UPCASTERS: &'static [Upcaster] = &[];

    /// Where it is in its life; the phases that declarations name.
    fn phase(&self) -> &'static str;

    /// Takes an event in. Never fails and never judges: what is stored has happened.
    fn evolve(&mut self, event: &Self::Event, at: &At<'_>);
}

/// A decider in the table below: finds its streams and its events by type.
pub trait InWorld: Decider {
    /// Every stream of this kind.
    fn all(world: &World) -> &Map<Self::Id, Self>;

    /// The same, to be changed: for adapters that put one stream into a world of their own.
    fn all_mut(world: &mut World) -> &mut Map<Self::Id, Self>;

    /// The event, if it is of this kind.
    fn event(event: &Event) -> Option<&Self::Event>;
}

/// The circumstances of a stored event.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Place of its commit in the log.
    pub position: u64,
    /// Who did it.
    pub actor: &'a Actor,
    /// The command that did it.
    pub command_id: &'a CommandId,
    /// When it was true.
    pub effective_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// The table of deciders: one line each, and from it the union of events, the world and its folds.
macro_rules! deciders {
    ($($variant:ident: $module:ident::$state:ident in $field:ident;)*) => {
        /// Anything that can have happened. Stored as `type` and `data`, for ever.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $(#[doc = concat!("An event of a ", stringify!($module), ".")] $variant($module::Event),)*
        }

        $(impl From<$module::Event> for Event {
            fn from(event: $module::Event) -> Self {
                Self::$variant(event)
            }
        })*

        impl Event {
            /// The type under which it is stored: `category.Variant`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(event) => event.into(),)*
                }
            }

            /// The version of the shape of its data: the newest of its type.
            #[must_use]
            pub fn schema_version(&self) -> u32 {
                match self {
                    $(Self::$variant(event) => {
                        upcast::newest(<$module::$state as Decider>::UPCASTERS, event.into())
                    })*
                }
            }

            /// Reads a stored event of the newest version; `None` when no decider has such a type.
            pub(crate) fn decode<'de>(
                kind: &'de str,
                data: &'de RawValue,
            ) -> Option<Result<Self, serde_json::Error>> {
                let (category, _) = kind.split_once('.')?;
                $(if category == <$module::$state as Decider>::Id::CATEGORY {
                    return Some(commit::decode_event(kind, data).map(Self::$variant));
                })*
                None
            }
        }

        /// The state of every stream at one position of the log.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct World {
            /// The last commit that has been applied.
            pub position: u64,
            /// When it was recorded.
            pub recorded_at: Timestamp,
            /// Version of every stream.
            pub versions: OrdMap<StreamId, u64>,
            $(#[doc = concat!("Every ", stringify!($module), ".")] pub $field: Map<<$module::$state as Decider>::Id, $module::$state>,)*
        }

        impl World {
            /// Where a stream is in its life; [`command::NEW`] when it does not exist.
            #[must_use]
            pub fn phase(&self, stream: &StreamId) -> &'static str {
                $(if let Some(id) = <$module::$state as Decider>::Id::of_stream(stream) {
                    return self.$field.get(&id).map_or(command::NEW, |state| state.phase());
                })*
                command::NEW
            }

            fn apply_event(&mut self, recorded: &Recorded, at: &At<'_>) {
                match &recorded.event {
                    $(Event::$variant(event) => evolve(&mut self.$field, &recorded.stream, event, at),)*
                }
            }
        }

        $(impl InWorld for $module::$state {
            fn all(world: &World) -> &Map<Self::Id, Self> {
                &world.$field
            }

            fn all_mut(world: &mut World) -> &mut Map<Self::Id, Self> {
                &mut world.$field
            }

            fn event(event: &Event) -> Option<&Self::Event> {
                if let Event::$variant(event) = event { Some(event) } else { None }
            }
        })*

        /// Every command, by decider.
        pub const COMMANDS: &[&[Entry]] = &[$($module::COMMANDS),*];

        /// Every category of stream, in the order of the table.
        pub const CATEGORIES: &[&str] = &[$(<$module::$state as Decider>::Id::CATEGORY),*];

        /// What the events of a category are read by.
        #[must_use]
        pub fn upcasters(category: &str) -> &'static [Upcaster] {
            $(if category == <$module::$state as Decider>::Id::CATEGORY {
                return <$module::$state as Decider>::UPCASTERS;
            })*
            &[]
        }

        /// The JSON Schema of the events of each category, in the order of the table: a choice of
        /// objects of `type` and `data`.
        #[must_use]
        pub fn event_schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$((
                <$module::$state as Decider>::Id::CATEGORY,
                schemars::schema_for!($module::Event),
            )),*]
        }

        /// Every code that a refusal can have.
        #[must_use]
        pub fn refusal_codes() -> Vec<String> {
            use strum::VariantNames;
            let mut codes: Vec<String> = Vec::new();
            codes.extend(Common::VARIANTS.iter().map(|name| format!("command.{name}")));
            $(codes.extend($module::Rejection::VARIANTS.iter().map(|name| format!("{}.{name}", stringify!($module))));)*
            codes
        }
    };
}

deciders! {
    Fund: fund::Fund in funds;
    Call: call::Call in calls;
    Proposal: proposal::Proposal in proposals;
    Evaluation: evaluation::Evaluation in evaluations;
    Prize: prize::Prize in prizes;
    Grant: grant::Grant in grants;
    Payment: payment::Payment in payments;
    Pledge: pledge::Pledge in pledges;
    Statement: statement::Statement in statements;
    Claim: claim::Claim in claims;
    Audit: audit::Audit in audits;
    Checkpoint: checkpoint::Checkpoints in checkpoints;
    Subject: subject::Subject in subjects;
    System: system::System in systems;
    Allocation: allocation::Allocation in allocations;
    Timer: timer::Timer in timers;
    Process: process::Process in processes;
}

fn evolve<D: Decider>(map: &mut Map<D::Id, D>, stream: &StreamId, event: &D::Event, at: &At<'_>) {
    // An event on a stream of another category cannot be written; see `World::commit`.
    if let Some(id) = D::Id::of_stream(stream) {
        Arc::make_mut(map.entry(id).or_default()).evolve(event, at);
    }
}

/// The declaration of a command, by name.
#[must_use]
pub fn entry(name: &str) -> Option<&'static Entry> {
    static BY_NAME: LazyLock<BTreeMap<&str, &Entry>> = LazyLock::new(|| {
        let entries = COMMANDS.iter().flat_map(|table| table.iter());
        entries.map(|entry| (entry.declaration.name, entry)).collect()
    });
    BY_NAME.get(name).copied()
}

impl World {
    /// The version of a stream: how many events it has.
    #[must_use]
    pub fn version(&self, stream: &StreamId) -> u64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    /// The state of a stream.
    ///
    /// # Errors
    /// When there is none: names it.
    pub fn find<'a, D: Decider>(
        &self,
        map: &'a Map<D::Id, D>,
        id: &D::Id,
    ) -> Result<&'a D, Refusal> {
        map.get(id)
            .map(|state| &**state)
            .ok_or_else(|| Common::NotFound(id.stream().to_string()).into())
    }

    /// Whether a stream may be made.
    ///
    /// # Errors
    /// When it exists.
    pub fn must_be_new(&self, stream: &StreamId) -> Result<(), Refusal> {
        if self.version(stream) == 0 {
            Ok(())
        } else {
            Err(Common::Exists(stream.to_string()).into())
        }
    }

    /// Decides a command: may this role, in this state, by the rules?
    ///
    /// # Errors
    /// The first rule that says no.
    pub fn decide(&self, parsed: &Parsed, meta: &Meta) -> Result<Vec<NewEvent>, Refusal> {
        let declaration = parsed.command.declaration();
        check_role(declaration, meta.actor.role)?;
        if meta.effective_at.is_some_and(|effective| effective > meta.recorded_at) {
            return Err(Refusal::from(Common::NotYetTrue).at("/effective_at"));
        }
        if meta.effective_at.is_some_and(|effective| effective < EFFECTIVE_MIN) {
            return Err(Refusal::from(Common::BeforeTheEuro).at("/effective_at"));
        }
        self.check_phase(declaration, &parsed.command.subject())?;
        parsed.command.decide(self, meta)
    }

    fn check_phase(&self, declaration: &Declaration, subject: &StreamId) -> Result<(), Refusal> {
        let phase = self.phase(subject);
        if declaration.from.contains(&phase) {
            return Ok(());
        }
        let stream = subject.to_string();
        Err(match (phase, declaration.from) {
            (command::NEW, _) => Common::NotFound(stream).into(),
            (_, [command::NEW]) => Common::Exists(stream).into(),
            _ => Common::WrongState {
                command: declaration.name,
                allowed: declaration.from.join(", "),
                stream,
                phase,
            }
            .into(),
        })
    }

    /// Decides a command and makes its commit, the next of the log. `None`: it was true already.
    ///
    /// # Errors
    /// The first rule that says no, or a decision that does not fit into one entry.
    pub fn commit(
        &self,
        parsed: &Parsed,
        meta: &Meta,
    ) -> Result<Option<(Commit, Vec<u8>)>, Refusal> {
        let events = self.decide(parsed, meta)?;
        if events.is_empty() {
            return Ok(None);
        }
        let position = self.position + 1;
        let mut decided_on: BTreeMap<StreamId, u64> = BTreeMap::new();
        let mut next: BTreeMap<StreamId, u64> = BTreeMap::new();
        let mut recorded = Vec::with_capacity(events.len());
        for NewEvent { stream, event, effective_at } in events {
            let version = next.entry(stream.clone()).or_insert_with(|| self.version(&stream));
            decided_on.entry(stream.clone()).or_insert(*version);
            *version += 1;
            recorded.push(Recorded {
                effective_at: effective_at.unwrap_or_else(|| meta.effective()),
                schema_version: event.schema_version(),
                event,
                version: *version,
                stream,
            });
        }
        let commit = Commit {
            actor: meta.actor.clone(),
            causation_id: meta.causation_id.clone(),
            command: parsed.command.declaration().name.into(),
            command_hash: parsed.hash,
            command_id: meta.command_id.clone(),
            commit_id: CommitId::derive(meta.recorded_at, &meta.command_id, position),
            correlation_id: meta.correlation_id.clone(),
            decided_on,
            events: recorded,
            evidence: meta.evidence.clone(),
            position,
            received_at: meta.received_at,
            recorded_at: meta.recorded_at,
        };
        let bytes = commit.encode().map_err(|error| Common::Malformed(error.to_string()))?;
        if bytes.len() > COMMIT_BYTES_MAX {
            return Err(Common::TooLarge(bytes.len()).into());
        }
        Ok(Some((commit, bytes)))
    }

    /// Takes a commit in.
    pub fn apply(&mut self, commit: &Commit) {
        for recorded in &commit.events {
            let at = At {
                position: commit.position,
                actor: &commit.actor,
                command_id: &commit.command_id,
                effective_at: recorded.effective_at,
                recorded_at: commit.recorded_at,
            };
            self.apply_event(recorded, &at);
            self.versions.insert(recorded.stream.clone(), recorded.version);
        }
        self.position = commit.position;
        self.recorded_at = commit.recorded_at;
    }
}

fn check_role(declaration: &Declaration, role: Role) -> Result<(), Refusal> {
    if declaration.roles.contains(&role) {
        return Ok(());
    }
    let allowed: Vec<&str> = declaration.roles.iter().map(Into::into).collect();
    Err(Common::RoleNotAllowed {
        role: role.to_string(),
        command: declaration.name,
        allowed: allowed.join(" or "),
    }
    .into())
}
