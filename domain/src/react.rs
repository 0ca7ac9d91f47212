//! Process managers: what follows from a commit. Pure: they read the commit and the world right after
//! it, and answer with commands; a command's id derives from process, position and index, so that
//! reacting twice decides once.

use crate::command::Command;
use crate::commit::{Commit, Recorded};
use crate::ids::{CommandId, ProcessId};
use crate::rejection::Refusal;
use crate::timer::Wish;
use crate::world::World;

/// A command that follows from a commit; given in the role `system`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// Whose it is.
    pub process: ProcessId,
    /// `process/position/index`.
    pub command_id: CommandId,
    /// The command.
    pub wish: Wish,
}

/// One process manager: its name and what it answers to an event.
struct Manager {
    name: &'static str,
    react: fn(&World, &Recorded) -> Result<Vec<Wish>, Refusal>,
}

/// Every process manager, in the order in which they answer.
const MANAGERS: &[Manager] = &[];

/// What follows from a commit. `world` is the state right after it.
///
/// # Panics
/// Never: names of managers and positions make valid ids.
#[must_use]
pub fn react(world: &World, commit: &Commit) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for manager in MANAGERS {
        let wishes = commit
            .events
            .iter()
            .flat_map(|recorded| (manager.react)(world, recorded).unwrap_or_default());
        for (index, wish) in wishes.enumerate() {
            let command_id = format!("{}/{}/{index}", manager.name, commit.position);
            reactions.push(Reaction {
                process: manager.name.parse().expect("a manager's name is an id"),
                command_id: command_id.parse().expect("a manager's name is an id"),
                wish,
            });
        }
    }
    reactions
}

/// The wish for a command: shorthand for managers.
///
/// # Errors
/// When the command has no JSON form.
pub fn wish(command: &impl Command) -> Result<Vec<Wish>, Refusal> {
    Ok(vec![Wish::of(command)?])
}
