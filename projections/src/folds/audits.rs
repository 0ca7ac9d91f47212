//! Audit engagements, each as its decider has it.

use crate::fold::{Fold, LARGE};
use domain::facts::audit::Audit;
use domain::facts::commit::Recorded;
use domain::facts::stream::{At, Decider};
use domain::kernel::ids::{AuditId, StreamKey};
use domain::{Commit, Event};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Every engagement, as its decider has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audits {
    pub(crate) audits: OrdMap<AuditId, Arc<Audit>>,
}

impl Fold for Audits {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let Event::Audit(inner) = &event.event else { return };
        let Some(id) = AuditId::of_stream(&event.stream) else { return };
        let at = At {
            position: commit.position,
            actor: &commit.actor,
            command_id: &commit.command_id,
            effective_at: event.effective_at,
            recorded_at: commit.recorded_at,
        };
        Arc::make_mut(self.audits.entry(id).or_default()).evolve(inner, &at);
    }
}
