//! Process managers: what follows from a commit. Pure: they read the commit and the world right after
//! it, and answer with commands; a command's id derives from process, position and index, so that
//! reacting twice decides once.

use crate::decide::command::Command;
use crate::decide::{grant, process};
use crate::facts::commit::{Commit, Recorded};
use crate::facts::event::Event;
use crate::facts::proposal;
use crate::facts::timer::CommandData;
use crate::facts::world::World;
use crate::kernel::actor::{Actor, Role};
use crate::kernel::ids::{CommandId, LogId, ProcessId, ProposalId, StreamKey, TimerId};
use crate::kernel::refusal::{Common, Refusal};

/// A command that follows from a commit; given in the role `system`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// Whose it is.
    pub process: ProcessId,
    /// `process/position/index`.
    pub command_id: CommandId,
    /// The command.
    pub wish: CommandData,
}

/// The actor of timers and process managers.
pub const ENGINE: &str = "tranche";

/// One process manager: its name and what it answers to an event.
struct Manager {
    name: &'static str,
    react: fn(&World, &Recorded) -> Result<Vec<CommandData>, Refusal>,
}

/// Every process manager, in the order in which they answer.
const MANAGERS: &[Manager] =
    &[Manager { name: "award-to-preparation", react: award_to_preparation }];

/// An awarded proposal begins to become a grant.
fn award_to_preparation(_: &World, recorded: &Recorded) -> Result<Vec<CommandData>, Refusal> {
    let Event::Proposal(proposal::Event::Awarded { grant, .. }) = &recorded.event else {
        return Ok(Vec::new());
    };
    let stream = &recorded.stream;
    let proposal = ProposalId::of_stream(stream)
        .ok_or_else(|| Refusal::from(Common::NotFound(stream.to_string())))?;
    wish(&grant::Prepare { fund: None, grant: grant.clone(), proposal })
}

/// Refuses what only the engine may use, in a command from outside: the role `system`, and the ids that
/// timers and process managers derive.
///
/// # Errors
/// [`Common::Reserved`].
pub fn check_outside(actor: &Actor, command_id: &CommandId) -> Result<(), Refusal> {
    if actor.role == Role::System {
        return Err(Common::Reserved("the role system".to_owned()).into());
    }
    let ids = [Some(&actor.id), actor.on_behalf_of.as_ref()];
    if ids.into_iter().flatten().any(|id| id.as_str() == ENGINE) {
        return Err(Common::Reserved(format!("the actor {ENGINE}")).into());
    }
    let first = command_id.as_str().split_once('/').map_or("", |(first, _)| first);
    let derived = [TimerId::CATEGORY, LogId::CATEGORY].contains(&first)
        || MANAGERS.iter().any(|one| one.name == first);
    if derived {
        return Err(Common::Reserved(format!("a command id that begins with {first}/")).into());
    }
    Ok(())
}

/// What follows from a commit. `world` is the state right after it. A manager that fails answers with
/// a wish to park its failure, where a person sees it.
///
/// # Panics
/// Never: names of managers and positions make valid ids.
#[must_use]
pub fn react(world: &World, commit: &Commit) -> Vec<Reaction> {
    MANAGERS.iter().flat_map(|manager| manager.answer(world, commit)).collect()
}

impl Manager {
    fn answer(&self, world: &World, commit: &Commit) -> Vec<Reaction> {
        let mut reactions: Vec<Reaction> = Vec::new();
        // Names are made when somebody answers: most commits have no consequence.
        let process = || -> ProcessId { self.name.parse().expect("a manager's name is an id") };
        for recorded in &commit.events {
            let id = |index: usize| -> CommandId {
                let id = format!("{}/{}/{index}", self.name, commit.position);
                id.parse().expect("a manager's name is an id")
            };
            let next = reactions.len();
            let wishes = (self.react)(world, recorded)
                .unwrap_or_else(|refusal| vec![park(process(), id(next), recorded, refusal)]);
            for wish in wishes {
                let command_id = id(reactions.len());
                reactions.push(Reaction { process: process(), command_id, wish });
            }
        }
        reactions
    }
}

/// The wish to park a failure. There is no command to show yet: the event that led to it stands in.
fn park(
    process: ProcessId,
    reaction: CommandId,
    event: &Recorded,
    refusal: Refusal,
) -> CommandData {
    let cause = serde_json::json!({ "stream": event.stream, "version": event.version });
    let park = process::Park {
        code: refusal.code.into_owned(),
        message: refusal.message,
        process,
        reaction,
        wish: CommandData { command: event.event.kind().to_owned(), data: cause },
    };
    CommandData::of(&park).expect("ids and texts have a JSON form")
}

/// The wish for a command: shorthand for managers.
///
/// # Errors
/// When the command has no JSON form.
pub fn wish(command: &impl Command) -> Result<Vec<CommandData>, Refusal> {
    Ok(vec![CommandData::of(command)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given;

    #[test]
    fn nobody_outside_may_pass_for_the_engine() {
        let check = |role: Role, id: &str| {
            let actor = Actor { id: "someone".parse().unwrap(), on_behalf_of: None, role };
            check_outside(&actor, &id.parse().unwrap()).map_err(|refusal| refusal.code.into_owned())
        };
        let reserved = Err("command.reserved".to_owned());
        assert_eq!(check(Role::System, "a"), reserved);
        let engine = Actor { id: ENGINE.parse().unwrap(), on_behalf_of: None, role: Role::Expert };
        assert!(check_outside(&engine, &"a".parse().unwrap()).is_err());
        assert_eq!(check(Role::Expert, "timer/T/1"), reserved);
        assert_eq!(check(Role::Expert, "award-to-preparation/7/0"), reserved);
        assert_eq!(check(Role::Expert, "timer"), Ok(()));
        assert_eq!(check(Role::Expert, "demo/0001"), Ok(()));
    }

    fn commit() -> (World, Commit) {
        let scenario = given().by(Role::System).done(
            "timer.set",
            r#"{"timer":"T","due":"2030-01-01T00:00:00Z","wish":{"command":"timer.cancel","data":{"timer":"X","reason":"r"}}}"#,
        );
        let commit = scenario.commits[0].clone();
        (scenario.world, commit)
    }

    #[test]
    fn a_manager_that_fails_asks_for_its_failure_to_be_parked() {
        let fails = |_: &World, _: &Recorded| Err(Common::NotFound("grant-G".to_owned()).into());
        let (world, commit) = commit();
        let reactions = Manager { name: "always-fails", react: fails }.answer(&world, &commit);
        let [reaction] = reactions.as_slice() else { panic!("one answer, not {reactions:?}") };
        assert_eq!(reaction.command_id.as_str(), "always-fails/1/0");
        let data = &reaction.wish.data;
        assert_eq!(reaction.wish.command, "process.park");
        assert_eq!(data["code"], "command.not_found");
        assert_eq!(data["reaction"], "always-fails/1/0");
        assert_eq!(data["wish"]["data"]["stream"], "timer-T");
        reaction.wish.read().unwrap();
    }

    #[test]
    fn an_award_leads_to_a_grant_in_preparation() {
        let scenario = crate::testing::grant::awarded();
        let reactions = react(&scenario.world, scenario.commits.last().unwrap());
        let [reaction] = reactions.as_slice() else { panic!("one answer, not {reactions:?}") };
        let data = reaction.wish.data.to_string();
        scenario.when(&reaction.wish.command, &data).then(&["grant.Prepared"]);
    }

    #[test]
    fn what_nobody_waits_for_has_no_consequence() {
        let (world, commit) = commit();
        assert_eq!(react(&world, &commit), []);
    }
}
