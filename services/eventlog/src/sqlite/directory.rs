//! The directory of a log: making it so that it lasts, and the lock that lets one writer in.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process;

use crate::log::Error;

/// Makes the directory, and makes sure that it is still there after a loss of power.
pub(super) fn create(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create(parent)?;
    }
    fs::create_dir(dir).or_else(|error| if dir.is_dir() { Ok(()) } else { Err(error) })?;
    sync_parent(dir)
}

/// Makes sure that the name of a new file or directory is still there after a loss of power.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    // Other systems do not open directories as files, and keep their names themselves.
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Locks the directory for the life of the returned file. The lock belongs to the process and not
/// to the file's content, so it ends with the process, however that ends.
pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("writer.lock");
    let unavailable = |error| Error::Unavailable(format!("{}: {error}", path.display()));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Some systems do not let others read a locked file; then the pid stays unknown.
            let _ = file.read_to_string(&mut pid);
            return Err(Error::Locked { path: dir.to_owned(), pid: pid.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(unavailable(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", process::id()))
        .map_err(unavailable)?;
    Ok(file)
}
