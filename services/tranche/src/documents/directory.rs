//! Documents in a directory: `sha256/ab/` and the name; what is being written is in `partial/`.

use super::{DOCUMENT_BYTES_MAX, Error, Store, Stored, path};
use async_trait::async_trait;
use bytes::Bytes;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tranche_proof::must_be_regular;

/// What is being written.
const PARTIAL: &str = "partial";
/// What a loss of power left of it is removed after so long.
const PARTIAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Sets files apart that this process writes at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
pub(super) struct Directory {
    dir: PathBuf,
}

impl Directory {
    /// It is made when the first document is put.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Files are read and written beside the threads that answer.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    fn write(&self, sha256: Sha256Hex, bytes: &[u8]) -> Result<(), Error> {
        let path = self.dir.join(path(sha256));
        let partials = self.dir.join(PARTIAL);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let partial = partials.join(format!("{sha256}.{}.{number}", std::process::id()));
        let write = || -> io::Result<()> {
            create_synced(&partials)?;
            let parent = path.parent().unwrap_or(&self.dir);
            create_synced(parent)?;
            let mut file = File::create_new(&partial)?;
            file.write_all(bytes)?;
            // Against slips only: whoever may write the directory may do anything.
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(parent)?.sync_all()
        };
        write().map_err(|error| {
            // The first error is the one to tell.
            let _ = fs::remove_file(&partial);
            Error::file(&path, error)
        })
    }

    fn read(&self, sha256: Sha256Hex) -> Result<Option<Bytes>, Error> {
        let path = self.dir.join(path(sha256));
        // Opening a pipe would wait for whoever writes to it.
        let file = match must_be_regular(&path).and_then(|()| File::open(&path)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return Err(Error::Changed { sha256, found: "is no regular file".to_owned() });
            }
            Err(error) => return Err(Error::file(&path, error)),
        };
        let mut bytes = Vec::new();
        let mut limited = file.take(DOCUMENT_BYTES_MAX as u64 + 1);
        limited.read_to_end(&mut bytes).map_err(|error| Error::file(&path, error))?;
        Ok(Some(bytes.into()))
    }

    fn walk(&self) -> Result<Vec<Stored>, Error> {
        let mut found = Vec::new();
        let root = self.dir.join("sha256");
        for shelf in entries(&root)? {
            if !shelf.is_dir() {
                continue;
            }
            for path in entries(&shelf)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(sha256) = name.and_then(|name| name.parse().ok()) else { continue };
                if self.dir.join(super::path(sha256)) != path {
                    continue;
                }
                let (bytes, put_at) = match fs::metadata(&path).and_then(|meta| stamped(&meta)) {
                    Ok(found) => found,
                    // It was collected meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(Error::file(&path, error)),
                };
                found.push(Stored { sha256, bytes, put_at });
            }
        }
        Ok(found)
    }

    /// Removes what was not written to its end, long ago.
    fn sweep(&self) -> Result<(), Error> {
        for path in entries(&self.dir.join(PARTIAL))? {
            let age = fs::metadata(&path).and_then(|meta| meta.modified());
            let age = age.ok().and_then(|then| SystemTime::now().duration_since(then).ok());
            if age.is_some_and(|age| age > PARTIAL_MAX) {
                fs::remove_file(&path).map_err(|error| Error::file(&path, error))?;
            }
        }
        Ok(())
    }
}

fn stamped(meta: &fs::Metadata) -> io::Result<(u64, Timestamp)> {
    let put_at = Timestamp::try_from(meta.modified()?).map_err(io::Error::other)?;
    Ok((meta.len(), put_at))
}

/// What is in a directory; nothing, when it is not there.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::file(dir, error);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

/// Makes a directory and those above it, each of which outlives a loss of power.
fn create_synced(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    create_synced(above)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => (),
    }
    File::open(above)?.sync_all()
}

#[async_trait]
impl Store for Directory {
    async fn put(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error> {
        self.apart(move |this| this.write(sha256, &bytes)).await
    }

    async fn touch(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error> {
        self.apart(move |this| {
            let path = this.dir.join(path(sha256));
            let touched = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            match touched {
                Ok(()) => Ok(()),
                // Collected between the look and now, or of another owner: written anew, it is ours.
                Err(_) => this.write(sha256, &bytes),
            }
        })
        .await
    }

    async fn get(&self, sha256: Sha256Hex) -> Result<Option<Bytes>, Error> {
        self.apart(move |this| this.read(sha256)).await
    }

    async fn exists(&self, sha256: Sha256Hex) -> Result<bool, Error> {
        self.apart(move |this| {
            let path = this.dir.join(path(sha256));
            path.try_exists().map_err(|error| Error::file(&path, error))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Stored>, Error> {
        self.apart(Directory::walk).await
    }

    async fn remove(&self, sha256: Sha256Hex) -> Result<(), Error> {
        self.apart(move |this| {
            this.sweep()?;
            let path = this.dir.join(path(sha256));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(&path, error)),
                _ => Ok(()),
            }
        })
        .await
    }
}
