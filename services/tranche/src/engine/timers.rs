//! Durable timers at work: a timer that is due is fired by the deciding thread itself, which sleeps
//! until then. Which timers are set is a fold of the log, so one that came due while nobody ran
//! fires at the start, true at its due time.

use super::writer::Writer;
use domain::command::{Meta, Parsed};
use domain::ids::{CommandId, IdError, StreamKey, TimerId};
use domain::rejection::{Common, Refusal};
use domain::timer::Fire;
use jiff::Timestamp;

impl Writer {
    /// Gives the command of a timer that is due.
    pub(super) fn fire(&mut self, due: Timestamp, timer: &TimerId) {
        if let Err(refusal) = self.try_fire(due, timer) {
            // The log still shows it as pending, and the next start tries again.
            tracing::error!(%timer, %refusal, "a timer cannot fire");
            self.state.timers.remove(&(due, timer.clone()));
        }
    }

    fn try_fire(&mut self, due: Timestamp, timer: &TimerId) -> Result<(), Refusal> {
        let fire = Parsed::of(Fire { timer: timer.clone() })?;
        let command_id = self.fire_id(due, timer);
        let command_id = command_id.map_err(|error| Common::Malformed(error.to_string()))?;
        // A clock that was set back since does not make it early again.
        let recorded_at = self.next_instant().max(due);
        let meta = Meta {
            actor: self.actor.clone(),
            command_id,
            correlation_id: None,
            causation_id: None,
            received_at: recorded_at,
            recorded_at,
            effective_at: None,
            evidence: None,
        };
        if self.decide_own(&fire, &meta)? {
            Ok(())
        } else {
            Err(Common::NotFound(timer.stream().to_string()).into())
        }
    }

    /// Names this firing for ever: also on the second instance that tries.
    fn fire_id(&self, due: Timestamp, timer: &TimerId) -> Result<CommandId, IdError> {
        let id: CommandId = format!("timer/{timer}/{}", due.as_microsecond()).parse()?;
        if !self.ledger.contains(&id) {
            return Ok(id);
        }
        // It was set to the same instant once more after it had fired.
        let version = self.state.world.version(&timer.stream());
        format!("{id}/{version}").parse()
    }
}
