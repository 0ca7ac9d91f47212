//! Process managers at work: what follows from a commit is decided right after it, before anything
//! else, on the same state, and is durable with it or after it. A refused reaction is set aside in
//! the log, in sight of a person.

use super::state::Reaction;
use super::writer::Writer;
use domain::decide::command::{Meta, Parsed};
use domain::decide::process::Park;
use domain::kernel::ids::CommandId;
use domain::kernel::refusal::{Common, Refusal};

impl Writer {
    /// Decides the first reaction that is due.
    pub(super) fn react(&mut self, reaction: &Reaction) {
        let outcome = reaction.wish.read().and_then(|parsed| {
            let meta = self.reaction_meta(reaction, reaction.command_id.clone());
            self.decide_own(&parsed, &meta)
        });
        let settled = match outcome {
            Ok(recorded) => Ok(recorded),
            Err(refusal) => self.park(reaction, refusal),
        };
        match settled {
            // Recording has taken it off the list.
            Ok(true) => {}
            Ok(false) => self.state.reactions.skip(),
            Err(refusal) => {
                let reaction = &reaction.command_id;
                tracing::error!(%reaction, %refusal, "a refused reaction cannot be set aside");
                self.state.reactions.skip();
            }
        }
    }

    fn park(&mut self, reaction: &Reaction, refusal: Refusal) -> Result<bool, Refusal> {
        self.parked();
        let park_id = reaction.park_id();
        let park_id = park_id.ok_or_else(|| Common::Malformed("the id is too long".to_owned()))?;
        let park = Parsed::of(Park {
            code: refusal.code.into_owned(),
            message: refusal.message,
            process: reaction.process.clone(),
            reaction: reaction.command_id.clone(),
            wish: reaction.wish.clone(),
        })?;
        self.decide_own(&park, &self.reaction_meta(reaction, park_id))
    }

    fn reaction_meta(&self, reaction: &Reaction, command_id: CommandId) -> Meta {
        let recorded_at = self.next_instant();
        Meta {
            actor: self.actor.clone(),
            command_id,
            correlation_id: Some(reaction.correlation_id.clone()),
            causation_id: Some(reaction.causation_id.clone()),
            received_at: recorded_at,
            recorded_at,
            effective_at: None,
            evidence: None,
        }
    }
}
