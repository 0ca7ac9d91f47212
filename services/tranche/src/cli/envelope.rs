//! The envelope of a command on the command line.

use super::failure::Failure;
use super::times::instant_in;
use super::words::word;
use clap::Args;
use domain::decide::command::Declaration;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{ActorId, CommandId};
use domain::{Actor, Evidence, Role, World};
use jiff::Timestamp;
use tranche::engine::Envelope;
use tranche::moment::{DateZone, When};

/// Holds what comes with a command beside its payload.
#[derive(Args, Debug)]
pub struct EnvelopeArgs {
    /// Acts as this person: an opaque id, never a name
    #[arg(long, value_name = "ID", env = "TRANCHE_ACTOR", hide_env_values = true)]
    actor: ActorId,
    /// Acts in this role; by default the only one that may give the command
    #[arg(long, env = "TRANCHE_ROLE", hide_env_values = true, value_parser = word::<Role>)]
    role: Option<Role>,
    /// Records that the actor stands in for this person
    #[arg(long, value_name = "ID")]
    on_behalf_of: Option<ActorId>,
    /// Sets the idempotency key: the same id again gives the first answer; by default a new UUID
    #[arg(long, value_name = "ID")]
    pub id: Option<CommandId>,
    /// Records that the command belongs to this conversation
    #[arg(long, value_name = "ID")]
    correlation: Option<CommandId>,
    /// Records that this commit or command led to it
    #[arg(long, value_name = "ID")]
    causation: Option<CommandId>,
    /// Refuses the command if its stream is not at this version; by default any version will do
    #[arg(long, value_name = "N")]
    expect_version: Option<u64>,
    /// Records that it was true at this earlier time; by default it is true now
    #[arg(long, value_name = "TIME")]
    effective_at: Option<When>,
    /// Records the source of the fact, by its key
    #[arg(long, value_name = "KEY")]
    source: Option<String>,
    /// Records how sure the source is
    #[arg(long, requires = "source", value_parser = word::<Confidence>, default_value = "published")]
    confidence: Confidence,
    /// Adds a remark about the source
    #[arg(long, requires = "source", value_name = "TEXT")]
    note: Option<String>,
    /// Decides and shows the events, and records nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl EnvelopeArgs {
    /// Reads all of it; the world knows the zones in which a time is meant.
    ///
    /// It asks for no dry run of the engine: the whole engine rehearses then.
    pub fn read(
        &self,
        (actor, command_id): (Actor, CommandId),
        world: &World,
    ) -> Result<Envelope, Failure> {
        Ok(Envelope {
            causation_id: self.causation.clone(),
            correlation_id: self.correlation.clone(),
            effective_at: self.effective_at(world)?,
            evidence: self.evidence(),
            expected_version: self.expect_version,
            ..Envelope::new(actor, command_id)
        })
    }

    /// Says who acts, in the only role that may if none is named.
    pub fn actor(&self, declaration: &Declaration) -> Result<Actor, Failure> {
        let role = match (self.role, declaration.roles) {
            (Some(role), _) => role,
            (None, [role]) => *role,
            (None, roles) => {
                let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
                let name = declaration.name;
                let roles = roles.join(" or ");
                return Err(Failure::Usage(format!("{name} needs --role: {roles}")));
            }
        };
        Ok(Actor { id: self.actor.clone(), on_behalf_of: self.on_behalf_of.clone(), role })
    }

    fn evidence(&self) -> Option<Evidence> {
        let source = self.source.clone()?;
        Some(Evidence { confidence: self.confidence, note: self.note.clone(), source })
    }

    fn effective_at(&self, world: &World) -> Result<Option<Timestamp>, Failure> {
        instant_in("--effective-at", self.effective_at, &DateZone::Calls.zones(world)?)
    }
}
