//! Every command: finds one by name, reads it, decides it, and makes its commit.

use crate::decide::command::{Declaration, Entry, Meta, NewEvent, Parsed, Turn};
use crate::facts::commit::{COMMIT_BYTES_MAX, Commit, CommitId, Recorded};
use crate::facts::stream::NEW;
use crate::facts::streams;
use crate::facts::world::World;
use crate::kernel::actor::Role;
use crate::kernel::ids::StreamId;
use crate::kernel::refusal::{About, Common, Listed as _, Refusal};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Nothing here was true before the euro was, 1 January 1999 (Reg. (EC) No 974/98, Art. 2): an earlier
/// instant is a slip. In UTC.
pub const EFFECTIVE_MIN: Timestamp = Timestamp::constant(915_148_800, 0);

macro_rules! make_catalogue {
    ($($variant:ident: $module:ident::$state:ident in $field:ident;)*) => {
        $(use crate::decide::$module;)*

        /// Every command, by decider.
        pub const COMMANDS: &[&[Entry]] = &[$($module::COMMANDS),*];

        /// Every code that a refusal can have, with what is known of it: those that all commands share
        /// first, then those of each decider, in order of precedence.
        #[must_use]
        pub fn refusals() -> Vec<(String, &'static About)> {
            let mut all: Vec<(String, &'static About)> = Common::listed().collect();
            $(all.extend($module::Rejection::listed());)*
            all
        }
    };
}

streams!(make_catalogue);

/// The declaration of a command, by name.
#[must_use]
pub fn entry(name: &str) -> Option<&'static Entry> {
    static BY_NAME: LazyLock<BTreeMap<&str, &Entry>> = LazyLock::new(|| {
        let entries = COMMANDS.iter().flat_map(|table| table.iter());
        entries.map(|entry| (entry.declaration.name, entry)).collect()
    });
    BY_NAME.get(name).copied()
}

impl Parsed {
    /// Reads a command by name.
    ///
    /// # Errors
    /// An unknown name, or a payload that does not fit its schema: the field is named.
    pub fn read(name: &str, json: &[u8]) -> Result<Self, Refusal> {
        let entry = entry(name).ok_or_else(|| {
            Refusal::from(Common::UnknownCommand(name.chars().take(80).collect()))
        })?;
        Self::new((entry.parse)(json)?)
    }
}

impl World {
    /// Decides a command: may this role, in this state, with what the declaration needs, by the rules?
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
        self.check_phase(declaration, &parsed.command.target())?;
        parsed.command.check_needs(Turn::BeforeRules, self, meta)?;
        let events = parsed.command.decide(self, meta)?;
        parsed.command.check_needs(Turn::AfterRules, self, meta)?;
        Ok(events)
    }

    fn check_phase(&self, declaration: &Declaration, target: &StreamId) -> Result<(), Refusal> {
        let phase = self.phase(target);
        if declaration.from.contains(&phase) {
            return Ok(());
        }
        let stream = target.to_string();
        Err(match (phase, declaration.from) {
            (NEW, _) => Common::NotFound(stream).into(),
            (_, [NEW]) => Common::Exists(stream).into(),
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
