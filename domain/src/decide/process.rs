//! Process managers that got stuck: a reaction that was refused is parked here, in sight, until a
//! person resolves it. The reactions themselves are in `react.rs`.

use crate::decide::prelude::*;
use crate::facts::process::{Event, Phase};
use crate::facts::timer::{CommandData, Refused};

refusals! {
    Rejection of "process"

    under OURS, "a failed reaction is a visible state (rules.md#visible-failure)" => {
        NotParked(CommandId) = "no reaction {0} waits for a person";
    }
}

commands! {
    |it| it.process, Phase;

    Park "process.park" "Set a refused reaction aside for a person"
        by [System] in [new, Running, Parked]
        under OURS, "a failed reaction is a visible state (rules.md#visible-failure)";
    Resolve "process.resolve" "Say how a parked reaction was dealt with"
        by [ProgrammeOfficer, AuthorisingOfficer] in [Parked]
        under OURS, "a failed reaction is a visible state (rules.md#visible-failure)";
}

/// Parks a reaction that was refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Park {
    /// Code of the refusal.
    #[schemars(length(max = 200))]
    pub code: String,
    /// Its sentence.
    pub message: String,
    /// The process manager.
    pub process: ProcessId,
    /// Id of the command that was refused.
    pub reaction: CommandId,
    /// The command.
    pub wish: CommandData,
}

impl Decide for Park {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        let refused = Refused { code: self.code.clone(), message: self.message.clone() };
        let event =
            Event::Parked { reaction: self.reaction.clone(), refused, wish: self.wish.clone() };
        Ok(vec![NewEvent::on(&self.process, event)])
    }
}

/// Says how a parked reaction was dealt with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// How.
    #[schemars(length(min = 1, max = 2000))]
    pub how: String,
    /// The process manager.
    pub process: ProcessId,
    /// The reaction.
    pub reaction: CommandId,
}

impl Decide for Resolve {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("how", &self.how)?;
        let process = world.find(&world.processes, &self.process)?;
        if !process.parked.contains_key(&self.reaction) {
            let refusal = Refusal::from(Rejection::NotParked(self.reaction.clone()));
            return Err(refusal.at("/reaction"));
        }
        let event = Event::Resolved { how: self.how.clone(), reaction: self.reaction.clone() };
        Ok(vec![NewEvent::on(&self.process, event)])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::given;

    #[test]
    fn a_parked_reaction_waits_until_a_person_resolves_it() {
        let parked = given().by(Role::System).done(
            "process.park",
            r#"{"process":"p","reaction":"p/1/0","code":"c.x","message":"m","wish":{"command":"c.y","data":{}}}"#,
        );
        let wrong = parked
            .by(Role::ProgrammeOfficer)
            .when("process.resolve", r#"{"process":"p","reaction":"p/2/0","how":"by hand"}"#);
        wrong
            .refused("process.not_parked")
            .when("process.resolve", r#"{"process":"p","reaction":"p/1/0","how":"by hand"}"#)
            .then(&["process.Resolved"]);
    }
}
