//! What comes with a command beside its payload, by whatever way it comes.

use domain::Meta;
use domain::kernel::actor::{Actor, Evidence};
use domain::kernel::ids::CommandId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says who gives a command, for whom, under which id, and on which condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Who gives it.
    pub actor: Actor,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<CommandId>,
    /// Names the command for ever: the same id never decides twice.
    pub command_id: CommandId,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CommandId>,
    /// Decide, but record nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// When it was true, if that was earlier than now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Timestamp>,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The version of the subject stream that the caller saw; any when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

impl Envelope {
    /// Makes one without anything that may be left out.
    #[must_use]
    pub fn new(actor: Actor, command_id: CommandId) -> Self {
        Self {
            actor,
            causation_id: None,
            command_id,
            correlation_id: None,
            dry_run: false,
            effective_at: None,
            evidence: None,
            expected_version: None,
        }
    }

    /// Gives what a rule may see of it, for a decision at `recorded_at`.
    #[must_use]
    pub fn meta(self, received_at: Timestamp, recorded_at: Timestamp) -> Meta {
        let Self {
            actor, causation_id, command_id, correlation_id, effective_at, evidence, ..
        } = self;
        Meta {
            actor,
            command_id,
            correlation_id,
            causation_id,
            received_at,
            recorded_at,
            effective_at,
            evidence,
        }
    }
}
