//! What a log must fit to: the tree that was kept beside it, and checkpoints that were signed.

use crate::verify::Finding;
use crate::{Check, Failure, Quorum, Shelf, signed_late};
use eventlog::Position;
use eventlog::tlog::Checkpoint;
use eventlog::tlog::note::{Note, Verifier};
use std::path::PathBuf;

/// A checkpoint that the log must fit to, and what was signed.
struct Said {
    name: String,
    size: u64,
    note: Note,
}

/// The check of the tree, with all that it is held against.
pub struct Expected {
    /// Takes the entries of the log.
    pub check: Check,
    said: Vec<Said>,
}

impl Expected {
    /// Reads what was signed and kept beside a log, and the checkpoints that the caller has kept. A kept
    /// checkpoint that cannot be read is a finding.
    ///
    /// # Errors
    /// When a file cannot be read, or a checkpoint is not signed as it must be.
    pub fn read(
        kept: Option<Shelf>,
        known: Option<&[Verifier]>,
        (files, quorum): (&[PathBuf], Option<&Quorum>),
        findings: &mut Vec<Finding>,
    ) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        if let Some(shelf) = &kept {
            let name = "the checkpoint of this log".to_owned();
            match shelf.checkpoint() {
                Ok(note) => notes.extend(note.map(|note| (name, note))),
                Err(error) => {
                    let what = format!("{name} cannot be read: {error}");
                    findings.push(Finding { position: None, what });
                }
            }
        }
        if quorum.is_some() && files.is_empty() {
            let what = "--witness is about a --checkpoint, and there is none";
            return Err(Failure::Usage(what.to_owned()));
        }
        for path in files {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
            let wrong = |error| Failure::Found(format!("{}: {error}", path.display()));
            let (name, note) = (path.display().to_string(), Note::parse(&text).map_err(wrong)?);
            quorum.map_or(Ok(()), |quorum| quorum.check(&name, &note))?;
            notes.push((name, note));
        }
        let (mut check, mut said) = (Check::new(kept), Vec::new());
        for (name, note) in notes {
            // Without keys, what is kept here is held against the log all the same.
            let checkpoint = match known {
                Some(known) => {
                    let origin = known.first().map(Verifier::name).unwrap_or_default();
                    Checkpoint::open(&note, known, origin)
                }
                None => Checkpoint::parse(&note.text),
            };
            let checkpoint =
                checkpoint.map_err(|error| Failure::Found(format!("{name}: {error}")))?;
            said.push(Said { name, size: checkpoint.size, note });
            check.expect_all([checkpoint]);
        }
        Ok(Self { check, said })
    }

    /// Takes the check out; what is left tells who has signed too late.
    pub fn split(self) -> (Check, SignedBy) {
        (self.check, SignedBy(self.said))
    }
}

/// Who has signed what a log must fit to.
pub struct SignedBy(Vec<Said>);

impl SignedBy {
    /// Finds the checkpoints that are signed by keys which were retired before.
    pub fn signed_late(&self, retired: &[(Verifier, Position)]) -> Vec<Finding> {
        let late = self
            .0
            .iter()
            .flat_map(|Said { name, size, note }| signed_late(name, *size, note, retired));
        late.map(|what| Finding { position: None, what }).collect()
    }
}
