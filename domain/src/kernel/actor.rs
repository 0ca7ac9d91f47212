//! Names who acts, in which role, and how sure a fact is.

use crate::kernel::ids::ActorId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

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
