//! Durable timers: a command that gives itself at its instant. A timer that fires late acts by its
//! due time and the log shows both.

use crate::decide::command::{Command, Parsed};
use crate::decide::prelude::*;
use crate::facts::timer::{CommandData, Event, Phase, Refused};

impl CommandData {
    /// A command of this program as data.
    ///
    /// # Errors
    /// When its payload has no JSON form.
    pub fn of<C: Command>(command: &C) -> Result<Self, Refusal> {
        let data =
            serde_json::to_value(command).map_err(|error| Common::Malformed(error.to_string()))?;
        Ok(Self { command: C::DECLARATION.name.to_owned(), data })
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`Parsed::read`].
    pub fn read(&self) -> Result<Parsed, Refusal> {
        Parsed::read(&self.command, self.data.to_string().as_bytes())
    }
}

refusals! {
    Rejection of "timer"

    under OURS, "timers act at their due time (rules.md#due-time)" => {
        NotDue { due: Timestamp, now: Timestamp } = "the timer is due at {due}, and it is {now}";
        Nested = "a timer may not fire another timer";
        NotRefused = "no refusal of this timer waits for a person";
    }
}

/// Sets a timer in the commit of another command.
///
/// # Errors
/// When the command has no JSON form.
pub fn set<C: Command>(timer: &TimerId, due: Timestamp, command: &C) -> Result<NewEvent, Refusal> {
    Ok(NewEvent::on(timer, Event::Set { due, wish: CommandData::of(command)? }))
}

/// Cancels a timer in the commit of another command.
#[must_use]
pub fn cancel(timer: &TimerId, reason: &str) -> NewEvent {
    NewEvent::on(timer, Event::Cancelled { reason: reason.to_owned() })
}

commands! {
    |it| it.timer, Phase;

    Set "timer.set" "Have a command given at an instant"
        by [System, ProgrammeOfficer] in [new, Pending, Ended]
        under OURS, "timers are events (rules.md#timers)";
    Fire "timer.fire" "Give the command of a timer that is due"
        by [System] in [Pending] under OURS, "timers act at their due time (rules.md#due-time)";
    Cancel "timer.cancel" "Cancel a timer that has not fired"
        by [System, ProgrammeOfficer] in [Pending] under OURS, "timers are events (rules.md#timers)";
    Acknowledge "timer.acknowledge" "Say how the refused command of a timer was dealt with"
        by [ProgrammeOfficer, AuthorisingOfficer] in [Ended]
        under OURS, "a failed reaction is a visible state (rules.md#visible-failure)";
}

/// Sets a timer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// When it is due.
    pub due: Timestamp,
    /// The timer.
    pub timer: TimerId,
    /// What it will do, in the role `system`.
    pub wish: CommandData,
}

impl Decide for Set {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        let inner = self.wish.read().map_err(|refusal| {
            let place =
                refusal.field.as_ref().map_or("/wish".to_owned(), |at| format!("/wish/data{at}"));
            refusal.at(place)
        })?;
        if inner.command.declaration().name == Fire::DECLARATION.name {
            return Err(Refusal::from(Rejection::Nested).at("/wish"));
        }
        let event = Event::Set { due: self.due, wish: self.wish.clone() };
        Ok(vec![NewEvent::on(&self.timer, event)])
    }
}

/// Gives the command of a timer that is due.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fire {
    /// The timer.
    pub timer: TimerId,
}

impl Decide for Fire {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let timer = world.find(&world.timers, &self.timer)?;
        let Some((due, wish)) = &timer.pending else { return Ok(Vec::new()) };
        let (due, now) = (*due, meta.recorded_at);
        if now < due {
            return Err(Rejection::NotDue { due, now }.into());
        }
        let by_due_time = Meta { effective_at: Some(due), ..meta.clone() };
        let outcome = wish.read().and_then(|inner| world.decide(&inner, &by_due_time));
        let (refused, events) = match outcome {
            Ok(events) => (None, events),
            Err(refusal) => {
                let (code, message) = (refusal.code.into_owned(), refusal.message);
                (Some(Refused { code, message }), Vec::new())
            }
        };
        let fired = NewEvent::on(&self.timer, Event::Fired { due, refused });
        let all = std::iter::once(fired).chain(events);
        Ok(all
            .map(|event| NewEvent { effective_at: event.effective_at.or(Some(due)), ..event })
            .collect())
    }
}

/// Cancels a timer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// The timer.
    pub timer: TimerId,
}

impl Decide for Cancel {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![cancel(&self.timer, &self.reason)])
    }
}

/// Says what became of a refusal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// How it was dealt with, or why nothing is to be done.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// The timer.
    pub timer: TimerId,
}

impl Decide for Acknowledge {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        if world.find(&world.timers, &self.timer)?.refused.is_none() {
            return Err(Rejection::NotRefused.into());
        }
        Ok(vec![NewEvent::on(&self.timer, Event::Acknowledged { reason: self.reason.clone() })])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::{Scenario, given};

    fn set(inner: &str) -> Scenario {
        given().by(Role::System).when(
            "timer.set",
            &format!(r#"{{"timer":"T","due":"2024-11-04T16:00:00Z","wish":{inner}}}"#),
        )
    }

    const CANCEL_OTHER: &str = r#"{"command":"timer.cancel","data":{"timer":"X","reason":"r"}}"#;

    #[test]
    fn a_timer_does_not_fire_early_and_fires_once() {
        let early =
            set(CANCEL_OTHER).recorded(&["timer.Set"]).when("timer.fire", r#"{"timer":"T"}"#);
        let due = early.refused("timer.not_due").at_time("2024-11-05T09:00:00Z");
        let fired = due.when("timer.fire", r#"{"timer":"T"}"#).recorded(&["timer.Fired"]);
        let commit = fired.commits.last().unwrap();
        assert_eq!(commit.events[0].effective_at.to_string(), "2024-11-04T16:00:00Z");
        assert_eq!(commit.recorded_at.to_string(), "2024-11-05T09:00:00Z");
        fired.when("timer.fire", r#"{"timer":"T"}"#).refused("command.wrong_state");
    }

    #[test]
    fn a_timer_records_why_its_command_was_refused() {
        let fired = set(CANCEL_OTHER)
            .at_time("2024-11-05T09:00:00Z")
            .when("timer.fire", r#"{"timer":"T"}"#)
            .recorded(&["timer.Fired"]);
        let id: crate::kernel::ids::TimerId = "T".parse().unwrap();
        let timer = &fired.world.timers[&id];
        assert_eq!(timer.refused.as_ref().unwrap().code, "command.not_found");
        // It waits for a person who says what became of it, once.
        let seen = r#"{"timer":"T","reason":"there was nothing to cancel"}"#;
        let seen_by = fired.by(Role::ProgrammeOfficer).when("timer.acknowledge", seen);
        let seen_by = seen_by.recorded(&["timer.Acknowledged"]);
        assert_eq!(seen_by.world.timers[&id].refused, None);
        seen_by.when("timer.acknowledge", seen).refused("timer.not_refused");
    }

    #[test]
    fn a_timer_that_fires_timers_is_refused() {
        set(r#"{"command":"timer.fire","data":{"timer":"T"}}"#).refused("timer.nested").at("/wish");
        set(r#"{"command":"no.such","data":{}}"#).refused("command.unknown_command").at("/wish");
        let wrong = r#"{"command":"timer.cancel","data":{"timer":"a/b","reason":"r"}}"#;
        set(wrong).refused("command.malformed").at("/wish/data/timer");
    }
}
