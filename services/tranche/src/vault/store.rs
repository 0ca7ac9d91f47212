//! Where keys are kept: a directory for its owner only, a directory in it for each person, a file in that for
//! each purpose and act of sealing. A file is whole or not there; a destroyed one is overwritten first.

use super::Error;
use super::cipher::{KEY_BYTES, Key};
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{ActorId, CommandId};
use domain::kernel::sealed::Purpose;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// What others must not be able to do with the directory.
const MODE_TOO_OPEN: u32 = 0o077;
/// How the directory of a person begins: an id alone could be `..`.
const PERSON: &str = "of-";
/// What a file of a key begins with; the bytes of the key follow.
const HEAD: &[u8; 16] = b"tranche/key/v1\n\n";
/// The length of a file.
const FILE_BYTES: usize = HEAD.len() + KEY_BYTES;
/// How long the writing of a file takes at most.
const PARTIAL_MAX: Duration = Duration::from_secs(3_600);
/// How many digits of the hash of a command's id name an act of sealing.
const ACT_DIGITS: usize = 32;

#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
}

fn failure(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |error| Error::File { path: path.to_owned(), error }
}

fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failure(dir))
}

/// The real path of what may not be there yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).canonicalize()?;
            Ok(path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name)))
        }
        found => found,
    }
}

/// The purpose of a file of a key.
pub fn purpose_of(path: &Path) -> Option<Purpose> {
    let name = path.file_name()?.to_str()?.strip_suffix(".key")?;
    name.split_once('-')?.0.parse().ok()
}

/// What is kept of a person.
#[derive(Debug, Default)]
pub struct Kept {
    /// The keys, with the paths of their files, in the order of these.
    pub keys: Vec<(PathBuf, Key)>,
    /// Why a file that is named like one holds none.
    pub wrong: Option<Error>,
}

impl Store {
    pub fn open(dir: &Path, data: Option<&Path>) -> Result<Self, Error> {
        let (keys, data) = (
            real(dir).map_err(failure(dir))?,
            data.map(|data| real(data).map_err(failure(data))).transpose()?,
        );
        if let Some(data) = data.filter(|data| keys.starts_with(data) || data.starts_with(&keys)) {
            return Err(Error::Place(format!(
                "{} and {}: keys lie outside the log, or they would be copied with it and outlive their end",
                keys.display(),
                data.display()
            )));
        }
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(failure(dir)(error));
            }
            _ => {}
        }
        let mode = fs::metadata(dir).map_err(failure(dir))?.permissions().mode() & 0o777;
        if mode & MODE_TOO_OPEN != 0 {
            let dir = dir.display();
            let what = format!("{dir}: its mode is {mode:o}; keys are for their owner: chmod 700");
            return Err(Error::Place(what));
        }
        if let Some(parent) = keys.parent() {
            sync(parent)?;
        }
        Ok(Self { dir: keys })
    }

    fn of(&self, person: &ActorId) -> PathBuf {
        self.dir.join(format!("{PERSON}{person}"))
    }

    /// The people of whom there are keys.
    pub fn people(&self) -> Result<Vec<ActorId>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failure(&self.dir))? {
            let name = entry.map_err(failure(&self.dir))?.file_name();
            let person = name.to_str().and_then(|name| name.strip_prefix(PERSON)?.parse().ok());
            found.extend(person);
        }
        found.sort();
        Ok(found)
    }

    /// The keys of a person. What a crash has left is cleared away: a key that was overwritten and not yet
    /// removed, and one that was never used.
    pub fn keys_of(&self, person: &ActorId) -> Result<Kept, Error> {
        let dir = self.of(person);
        if !is_own(&dir)? {
            return Ok(Kept::default());
        }
        let mut found = Kept::default();
        for entry in fs::read_dir(&dir).map_err(failure(&dir))? {
            let entry = entry.map_err(failure(&dir))?;
            let path = entry.path();
            match purpose_of(&path).map(|_| read(&path)) {
                Some(Ok(Some(key))) => found.keys.push((path, key)),
                Some(Err(error)) => found.wrong = Some(error),
                None if !is_left(&entry) => {}
                Some(Ok(None)) | None => self.destroy(&path)?,
            }
        }
        found.keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// The key of an act of sealing: made and on the disk when this returns, or there from the time
    /// before, when the same command comes again.
    pub fn key(
        &self,
        (person, purpose): (&ActorId, Purpose),
        act: &CommandId,
    ) -> Result<Key, Error> {
        let dir = self.of(person);
        let act = Sha256Hex::of(act.as_str().as_bytes()).to_string();
        let path = dir.join(format!("{purpose}-{}.key", &act[..ACT_DIGITS]));
        if is_own(&dir)?
            && let Some(key) = read(&path)?
        {
            return Ok(key);
        }
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => sync(&self.dir)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => drop(is_own(&dir)?),
            Err(error) => return Err(failure(&dir)(error)),
        }
        let key = Key::new()?;
        let file = Zeroizing::new([HEAD.as_slice(), key.bytes()].concat());
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let partial = dir.join(format!("{}-{number}.partial", std::process::id()));
        let write = || -> io::Result<bool> {
            let mut options = OpenOptions::new();
            let mut out = options.write(true).create_new(true).mode(0o600).open(&partial)?;
            out.write_all(&file)?;
            out.sync_all()?;
            // Whoever comes second takes the key of the first.
            let linked = match fs::hard_link(&partial, &path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                other => other.map(|()| true)?,
            };
            if !linked {
                overwrite(&partial)?;
            }
            fs::remove_file(&partial)?;
            Ok(linked)
        };
        let is_ours = write().map_err(failure(&path))?;
        sync(&dir)?;
        if is_ours {
            return Ok(key);
        }
        let gone = || failure(&path)(io::Error::from(ErrorKind::NotFound));
        read(&path)?.ok_or_else(gone)
    }

    /// Destroys a key: what was written is overwritten on the disk, then the file goes. What a file system
    /// that copies on write, a solid-state disk or a back-up has kept of it is another matter.
    pub fn destroy(&self, path: &Path) -> Result<(), Error> {
        let done = match overwrite(path).and_then(|()| fs::remove_file(path)) {
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        };
        done.map_err(failure(path))?;
        let Some(dir) = path.parent() else { return Ok(()) };
        match sync(dir) {
            Err(Error::File { error, .. }) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        // The last one takes the directory along; a directory with anything else in it stays.
        if fs::remove_dir(dir).is_ok() {
            sync(&self.dir)?;
        }
        Ok(())
    }
}

/// Whether it is there, as a directory and not as a link to one elsewhere.
fn is_own(dir: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Ok(meta) if meta.is_dir() => Ok(true),
        Ok(_) => {
            Err(failure(dir)(io::Error::new(ErrorKind::NotADirectory, "not a directory of keys")))
        }
        Err(error) => Err(failure(dir)(error)),
    }
}

/// Whether somebody began to write it, and will not go on.
fn is_left(entry: &fs::DirEntry) -> bool {
    let is_partial = entry.path().extension().is_some_and(|end| end == "partial");
    let age = entry.metadata().and_then(|meta| meta.modified()).ok();
    is_partial && age.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > PARTIAL_MAX)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&[0; FILE_BYTES])?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Option<Key>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failure(path))?,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failure(path))?;
    // Overwritten, and not yet gone: a crash came between.
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let key = bytes.strip_prefix(HEAD.as_slice()).and_then(|key| key.try_into().ok());
    let key: [u8; KEY_BYTES] =
        key.ok_or_else(|| failure(path)(io::Error::new(ErrorKind::InvalidData, "not a key")))?;
    Ok(Some(Key::of(key)))
}
