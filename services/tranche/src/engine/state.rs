//! What decisions rest on: the world, the timers that are set, and the reactions that are still due.
//! All three are folds of the log, and a clone of them costs next to nothing.

use domain::facts::timer::CommandData;
use domain::kernel::ids::{CommandId, ProcessId, StreamKey, TimerId};
use domain::process::react;
use domain::process::react::react;
use domain::{Commit, World};
use imbl::OrdSet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The process managers: what follows from a commit, in the world right after it.
pub type Managers = fn(&World, &Commit) -> Vec<react::Reaction>;

/// The state after some commit.
#[derive(Clone)]
pub(crate) struct State {
    pub world: World,
    pub timers: OrdSet<(Timestamp, TimerId)>,
    pub reactions: Reactions,
    managers: Managers,
}

impl Default for State {
    fn default() -> Self {
        Self::new(react)
    }
}

impl State {
    /// Begins before anything has happened.
    pub fn new(managers: Managers) -> Self {
        let (world, timers, reactions) = Default::default();
        Self { world, timers, reactions, managers }
    }

    /// Goes on from stored parts.
    pub fn resume(world: World, reactions: Reactions, managers: Managers) -> Self {
        let set = world
            .timers
            .iter()
            .filter_map(|(id, timer)| timer.pending.as_ref().map(|(due, _)| (*due, id.clone())));
        Self { timers: set.collect(), world, reactions, managers }
    }

    /// Takes the next commit in.
    pub fn take(&mut self, commit: &Commit) {
        let timers: Vec<TimerId> = commit
            .events
            .iter()
            .filter_map(|recorded| TimerId::of_stream(&recorded.stream))
            .collect();
        for timer in &timers {
            if let Some(due) = self.due(timer) {
                self.timers.remove(&(due, timer.clone()));
            }
        }
        self.world.apply(commit);
        for timer in timers {
            if let Some(due) = self.due(&timer) {
                self.timers.insert((due, timer));
            }
        }
        self.reactions.settle(&commit.command_id);
        self.reactions.add((self.managers)(&self.world, commit), commit);
    }

    /// Tells when the next timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.get_min().map(|(due, _)| *due)
    }

    fn due(&self, timer: &TimerId) -> Option<Timestamp> {
        let (due, _) = self.world.timers.get(timer)?.pending.as_ref()?;
        Some(*due)
    }
}

/// A command that follows from a commit and has not been decided yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reaction {
    pub process: ProcessId,
    pub command_id: CommandId,
    pub wish: CommandData,
    /// The command that led to it.
    pub causation_id: CommandId,
    pub correlation_id: CommandId,
}

impl Reaction {
    /// Gives the id of the command that sets it aside when it is refused.
    pub fn park_id(&self) -> Option<CommandId> {
        format!("{}/park", self.command_id).parse().ok()
    }

    fn is_settled_by(&self, command_id: &CommandId) -> bool {
        let parked = || command_id.as_str().strip_suffix("/park");
        *command_id == self.command_id || parked() == Some(self.command_id.as_str())
    }
}

/// The reactions that are due, first in, first out.
///
/// The engine decides nothing else while one of them is due. So the log itself says which are
/// settled: what a commit has overtaken was found to be true already. A restart reacts to the end
/// of the log at most, and a new process manager leaves the past alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Reactions(VecDeque<Reaction>);

impl Reactions {
    pub fn first(&self) -> Option<&Reaction> {
        self.0.front()
    }

    /// Drops the first one, which was true already or could not even be set aside.
    pub fn skip(&mut self) {
        self.0.pop_front();
    }

    fn settle(&mut self, command_id: &CommandId) {
        let settled = self.0.iter().position(|reaction| reaction.is_settled_by(command_id));
        match settled {
            Some(index) => drop(self.0.drain(..=index)),
            None => self.0.clear(),
        }
    }

    fn add(&mut self, following: Vec<react::Reaction>, commit: &Commit) {
        let correlation = commit.correlation_id.as_ref().unwrap_or(&commit.command_id);
        self.0.extend(following.into_iter().map(|reaction| Reaction {
            process: reaction.process,
            command_id: reaction.command_id,
            wish: reaction.wish,
            causation_id: commit.command_id.clone(),
            correlation_id: correlation.clone(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ids: &[&str]) -> Reactions {
        let reaction = |id: &&str| Reaction {
            process: "p".parse().unwrap(),
            command_id: id.parse().unwrap(),
            wish: CommandData { command: "a.b".to_owned(), data: serde_json::Value::Null },
            causation_id: "c".parse().unwrap(),
            correlation_id: "c".parse().unwrap(),
        };
        Reactions(ids.iter().map(reaction).collect())
    }

    fn after(command: &str) -> Reactions {
        let mut reactions = due(&["p/1/0", "p/1/1", "p/1/2"]);
        reactions.settle(&command.parse().unwrap());
        reactions
    }

    #[test]
    fn a_commit_settles_its_reaction_and_those_it_overtook() {
        assert_eq!(after("p/1/0"), due(&["p/1/1", "p/1/2"]));
        assert_eq!(after("p/1/1"), due(&["p/1/2"]));
    }

    #[test]
    fn a_parked_reaction_is_settled() {
        assert_eq!(after("p/1/0/park"), due(&["p/1/1", "p/1/2"]));
    }

    #[test]
    fn another_command_shows_that_all_were_settled() {
        assert_eq!(after("somebody"), due(&[]));
    }
}
