//! The checkpoints that a log holds of itself: whether each is signed by keys that the log knew by then.

use domain::facts::checkpoint::Event;
use domain::{Commit, Event as Any};
use eventlog::Position;
use eventlog::tlog::note::{Note, Verifier};
use eventlog::tlog::{Checkpoint, Hash};
use std::collections::BTreeSet;

/// Takes commits in order, and gathers the checkpoints in them.
#[derive(Debug, Default)]
pub struct Recorded {
    keys: BTreeSet<String>,
    /// What the log says of itself; whether the tree is so, a [`crate::Check`] finds.
    pub checkpoints: Vec<Checkpoint>,
    /// Keys that do not count any more, and from which position on.
    pub retired: Vec<(Verifier, Position)>,
}

/// Lists the keys that a commit retires, from its position on.
pub fn retired_by(commit: &Commit) -> impl Iterator<Item = (Verifier, Position)> + '_ {
    commit.events.iter().filter_map(|recorded| match &recorded.event {
        Any::Checkpoint(Event::KeyRetired { key, .. }) => {
            Some((Verifier::parse(key).ok()?, commit.position))
        }
        _ => None,
    })
}

/// Tells what is wrong with who has signed a checkpoint: nobody must believe a key that was retired, and it may be
/// stolen. A checkpoint that covers the commit that retired it was signed later.
pub fn signed_late(
    name: &str,
    size: u64,
    note: &Note,
    retired: &[(Verifier, Position)],
) -> Vec<String> {
    let is_signer = |key: &Verifier| {
        let mut own = note.signatures.iter().filter(|one| key.is_of(one));
        own.any(|one| key.verify(&note.text, one).is_ok())
    };
    let late = retired.iter().filter(|(key, position)| size >= *position && is_signer(key));
    late.map(|(key, position)| {
        format!(
            "{name}, of {size} commits, is signed by the key {}, which was retired at position {position}",
            key.id()
        )
    })
    .collect()
}

impl Recorded {
    /// Tells what is wrong with the checkpoints of a commit.
    pub fn check(&mut self, commit: &Commit) -> Vec<String> {
        let mut found = Vec::new();
        self.retired.extend(retired_by(commit));
        for recorded in &commit.events {
            let Any::Checkpoint(event) = &recorded.event else { continue };
            match event {
                Event::KeyAdded { key } => {
                    self.keys.insert(key.clone());
                }
                Event::KeyRetired { key, .. } => {
                    self.keys.remove(key);
                }
                Event::Requested { .. } => {}
                Event::Recorded { note, root, size } => match self.opened(note) {
                    Err(why) => found.push(format!("its checkpoint: {why}")),
                    Ok(checkpoint)
                        if (checkpoint.size, checkpoint.root) != (*size, Hash(root.0)) =>
                    {
                        found.push("its checkpoint is not the one in its note".to_owned());
                    }
                    Ok(checkpoint) => self.checkpoints.push(checkpoint),
                },
            }
        }
        found
    }

    fn opened(&self, note: &str) -> Result<Checkpoint, eventlog::tlog::Error> {
        let keys = self.keys.iter().map(|key| Verifier::parse(key));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        let origin = keys.first().map(Verifier::name).unwrap_or_default();
        Checkpoint::open(&Note::parse(note)?, &keys, origin)
    }
}
