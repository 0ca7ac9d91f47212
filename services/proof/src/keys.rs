//! Files of public keys.

use crate::Error;
use eventlog::tlog::note::Verifier;
use std::fs;
use std::path::Path;

/// Reads public keys, a line each.
///
/// # Errors
/// When one is no key, or there is none.
pub fn read_verifiers(path: &Path) -> Result<Vec<Verifier>, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys: Vec<_> = lines.map(Verifier::parse).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(Error::Keys(format!("{}: there is no key in it", path.display())));
    }
    Ok(keys)
}
