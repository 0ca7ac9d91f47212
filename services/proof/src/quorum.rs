//! Which witnesses must have cosigned a checkpoint before it is believed.

use crate::{Error, Failure, keys};
use eventlog::tlog::cosign;
use eventlog::tlog::note::{Algorithm, Note, Verifier};
use std::path::Path;

/// Witnesses, and how many of them are enough.
#[derive(Debug)]
pub struct Quorum {
    witnesses: Vec<Verifier>,
    needed: usize,
}

impl Quorum {
    /// Reads the public keys of witnesses. All of them are needed when no number is given.
    ///
    /// # Errors
    /// When the file cannot be read, one of the keys cannot cosign, or the number is not one of them.
    pub fn read(path: &Path, needed: Option<u16>) -> Result<Self, Failure> {
        let witnesses = read_witnesses(path)?;
        let mut names: Vec<_> = witnesses.iter().map(Verifier::name).collect();
        names.sort_unstable();
        names.dedup();
        let needed = needed.map_or(names.len(), usize::from);
        if needed == 0 || needed > names.len() {
            let all = names.len();
            return Err(Failure::Usage(format!("--quorum {needed}: there are {all} witnesses")));
        }
        Ok(Self { witnesses, needed })
    }

    /// Refuses a note that too few have cosigned.
    ///
    /// # Errors
    /// [`Failure::Found`].
    pub fn check(&self, name: &str, note: &Note) -> Result<(), Failure> {
        let found = cosign::quorum(note, &self.witnesses, self.needed);
        found.map(drop).map_err(|error| Failure::Found(format!("{name}: {error}")))
    }
}

/// Reads public keys that can cosign, a line each.
///
/// # Errors
/// When the file cannot be read, or one of them cannot cosign.
pub fn read_witnesses(path: &Path) -> Result<Vec<Verifier>, Error> {
    let known = keys::read_verifiers(path)?;
    match known.iter().find(|key| key.algorithm() != Algorithm::Cosignature) {
        None => Ok(known),
        Some(key) => {
            Err(Error::Keys(format!("{}: not a key of a witness (cosignature/v1)", key.name())))
        }
    }
}
