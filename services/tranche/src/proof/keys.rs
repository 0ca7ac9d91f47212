//! Files with secret keys: a line each, `PRIVATE+KEY+NAME+ID+KEY`, the newest first. Every one of them
//! signs, so that whoever knows only the older key still can check while the newer one is made known.

use super::ProofError;
use eventlog::tlog::note::{Algorithm, Signer};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The longest file of keys, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// What others must not be able to do with a secret.
const MODE_TOO_OPEN: u32 = 0o027;

/// Makes a key that nobody else knows.
///
/// # Errors
/// [`ProofError::Keys`] when the name may not be that of a key, or the system has no random numbers.
pub fn new(name: &str, algorithm: Algorithm) -> Result<Signer, ProofError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ProofError::Keys(error.to_string()))?;
    Signer::from_seed(name, algorithm, &seed).map_err(|error| ProofError::Keys(error.to_string()))
}

/// Writes a key to a new file that only its owner can read.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub fn save(path: &Path, key: &Signer) -> Result<(), ProofError> {
    let write = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", key.secret())?;
        file.sync_all()
    };
    write().map_err(|error| ProofError::file(path, error))
}

/// Reads the keys of a file.
///
/// # Errors
/// When there is none, others may read the file, or one is no key; none of it is repeated.
pub fn read(path: &Path) -> Result<Vec<Signer>, ProofError> {
    let failure = |error| ProofError::file(path, error);
    let wrong = |what: &str| ProofError::Keys(format!("{}: {what}", path.display()));
    let meta = fs::metadata(path).map_err(failure)?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & MODE_TOO_OPEN != 0 {
        return Err(wrong(&format!("its mode is {mode:o}; a secret is for its owner: chmod 600")));
    }
    if meta.len() > FILE_BYTES_MAX {
        return Err(wrong(&format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(failure)?;
    let keys = text.lines().filter(|line| !line.trim().is_empty()).map(Signer::parse);
    let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(|error| wrong(&error.to_string()))?;
    let Some(first) = keys.first() else { return Err(wrong("there is no key in it")) };
    if keys.iter().any(|key| key.verifier().name() != first.verifier().name()) {
        return Err(wrong("the keys of one log have one name"));
    }
    Ok(keys)
}
