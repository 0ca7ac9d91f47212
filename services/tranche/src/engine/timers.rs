//! Durable timers at work: a timer that is due is fired by the deciding thread itself, which sleeps
//! until then. Which timers are set is a fold of the log, so one that came due while nobody ran
//! fires at the start, true at its due time.
//!
//! A timer whose command a rule refuses has fired, and says so. One that cannot fire at all, because its
//! decision is too large or its rule fails, is set aside in the log, where a person sees it in the
//! inbox. It stays pending, late in the deadlines, and every start tries it again.

use super::envelope::Envelope;
use super::writer::Writer;
use domain::decide::command::{Meta, Parsed};
use domain::decide::process::Park;
use domain::decide::timer::Fire;
use domain::facts::timer::CommandData;
use domain::kernel::ids::{CommandId, IdError, ProcessId, StreamKey, TimerId};
use domain::kernel::refusal::{Common, Refusal};
use jiff::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What timers that cannot fire are set aside as: reserved, as are the ids of their firings.
const PROCESS: &str = "timer";

impl Writer {
    /// Gives the command of a timer that is due.
    pub(super) fn fire(&mut self, due: Timestamp, timer: &TimerId) {
        let fired = match self.fire_id(due, timer) {
            Ok(id) => self.try_fire(due, timer, &id).or_else(|refusal| {
                tracing::error!(%timer, %refusal, "a timer cannot fire and is set aside");
                self.state.timers.remove(&(due, timer.clone()));
                self.set_aside(timer, &id, refusal)
            }),
            Err(error) => Err(malformed(&error)),
        };
        if let Err(refusal) = fired {
            // It is late in the deadlines, and the next start tries again.
            tracing::error!(%timer, %refusal, "a timer that cannot fire cannot be set aside either");
            self.state.timers.remove(&(due, timer.clone()));
        }
    }

    fn try_fire(&mut self, due: Timestamp, timer: &TimerId, id: &CommandId) -> Result<(), Refusal> {
        let fire = Parsed::of(Fire { timer: timer.clone() })?;
        // A clock that was set back since does not make it early again.
        let meta = self.timer_meta(id.clone(), self.next_instant().max(due));
        let before = self.state.clone();
        let decide = AssertUnwindSafe(|| self.decide_own(&fire, &meta));
        match catch_unwind(decide) {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Common::NotFound(timer.stream().to_string()).into()),
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => {
                // Otherwise a bug in one rule would stop everybody, and every start.
                self.state = before;
                Err(malformed(&"its rule failed: a bug of this program"))
            }
        }
    }

    /// Once for each firing, however often it is tried.
    fn set_aside(
        &mut self,
        timer: &TimerId,
        id: &CommandId,
        refusal: Refusal,
    ) -> Result<(), Refusal> {
        self.parked();
        let park_id: CommandId =
            format!("{id}/park").parse().map_err(|error: IdError| malformed(&error))?;
        if self.receipts.contains(&park_id) {
            return Ok(());
        }
        let process: ProcessId = PROCESS.parse().map_err(|error: IdError| malformed(&error))?;
        let park = Parsed::of(Park {
            code: refusal.code.into_owned(),
            message: refusal.message,
            process,
            reaction: id.clone(),
            // What the timer would do may be too large to say again; it stands on the timer's stream.
            wish: CommandData::of(&Fire { timer: timer.clone() })?,
        })?;
        let meta = self.timer_meta(park_id, self.next_instant());
        self.decide_own(&park, &meta).map(|_| ())
    }

    fn timer_meta(&self, command_id: CommandId, recorded_at: Timestamp) -> Meta {
        Envelope::new(self.actor.clone(), command_id).meta(recorded_at, recorded_at)
    }

    /// Names this firing for ever: also on the second instance that tries.
    fn fire_id(&self, due: Timestamp, timer: &TimerId) -> Result<CommandId, IdError> {
        let id: CommandId = format!("timer/{timer}/{}", due.as_microsecond()).parse()?;
        if !self.receipts.contains(&id) {
            return Ok(id);
        }
        // It was set to the same instant once more after it had fired.
        let version = self.state.world.version(&timer.stream());
        format!("{id}/{version}").parse()
    }
}

fn malformed(why: &dyn std::fmt::Display) -> Refusal {
    Common::Malformed(why.to_string()).into()
}
