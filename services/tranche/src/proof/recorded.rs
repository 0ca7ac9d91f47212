//! The checkpoints that a log holds of itself: whether each is signed by keys that the log knew by then.

use domain::checkpoint::Event;
use domain::{Commit, Event as Any};
use eventlog::tlog::Checkpoint;
use eventlog::tlog::Hash;
use eventlog::tlog::note::{Note, Verifier};
use std::collections::BTreeSet;

/// Takes commits in order, and gathers the checkpoints in them.
#[derive(Debug, Default)]
pub struct Recorded {
    keys: BTreeSet<String>,
    /// What the log says of itself; whether the tree is so, a [`super::Check`] finds.
    pub checkpoints: Vec<Checkpoint>,
}

impl Recorded {
    /// What is wrong with the checkpoints of a commit.
    pub fn check(&mut self, commit: &Commit) -> Vec<String> {
        let mut found = Vec::new();
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
