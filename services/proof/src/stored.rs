//! Where a log lies that is to be verified: the directory of an embedded log, or exported commits, a line each.

use crate::{DIRECTORY, Failure, Shelf};
use bytes::Bytes;
use eventlog::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, Log, Memory, Sqlite};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of an embedded log in its directory.
const EMBEDDED: &str = "log.sqlite";

/// A log on this machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// The directory of an embedded log.
    Directory(PathBuf),
    /// A file of exported commits.
    Lines(PathBuf),
}

impl Stored {
    /// Finds out what lies at a path: a directory, the file of an embedded log in it, or exported commits.
    ///
    /// # Errors
    /// When nothing is there, or a directory without a log.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let missing = |path: &Path| Failure::file(path, std::io::ErrorKind::NotFound.into());
        if path.is_dir() {
            let file = path.join(EMBEDDED);
            let is_there = file.is_file();
            return if is_there {
                Ok(Self::Directory(path.to_owned()))
            } else {
                Err(missing(&file))
            };
        }
        if !path.exists() {
            return Err(missing(path));
        }
        if path.file_name().is_some_and(|name| name == EMBEDDED) {
            let dir = path.parent().filter(|dir| *dir != Path::new(""));
            return Ok(Self::Directory(dir.unwrap_or(Path::new(".")).to_owned()));
        }
        Ok(Self::Lines(path.to_owned()))
    }

    /// Opens the tree that is kept beside an embedded log, if there is one.
    ///
    /// # Errors
    /// When its directory cannot be read.
    pub fn kept_tree(&self) -> Result<Option<Shelf>, Failure> {
        let Self::Directory(dir) = self else { return Ok(None) };
        let dir = dir.join(DIRECTORY);
        Ok(if dir.exists() { Some(Shelf::open(&dir)?) } else { None })
    }

    /// Opens the log to read all of it. Exported commits are taken into memory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(&self) -> Result<Arc<dyn Log>, Failure> {
        match self {
            Self::Directory(dir) => Ok(Arc::new(Sqlite::open_unchecked(dir)?)),
            Self::Lines(path) => Ok(Arc::new(lines(path).await?)),
        }
    }
}

/// Takes the lines of a file into a log in memory.
async fn lines(path: &Path) -> Result<Memory, Failure> {
    let failure = |error| Failure::file(path, error);
    let log = Memory::default();
    let (mut head, mut bytes, mut group) = (0, 0, Vec::<Bytes>::new());
    for line in BufReader::new(File::open(path).map_err(failure)?).split(b'\n') {
        let line = line.map_err(failure)?;
        let is_full = bytes + line.len() >= GROUP_BYTES_MAX || group.len() == GROUP_ENTRIES_MAX;
        if is_full && !group.is_empty() {
            head = log.append(head, std::mem::take(&mut group)).await?;
            bytes = 0;
        }
        // With the newline between two.
        bytes += line.len() + 1;
        group.push(line.into());
    }
    if !group.is_empty() {
        log.append(head, group).await?;
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventlog::contract::Scratch;

    #[tokio::test]
    async fn lines_are_a_log_however_many_groups_they_fill() {
        let scratch = Scratch::new();
        let path = scratch.path().join("lines");
        let text = "x".repeat(999) + "\n";
        for (count, end) in [(0, ""), (1, "last"), (5_000, "")] {
            std::fs::write(&path, text.repeat(count) + end).unwrap();
            let log = Stored::at(&path).unwrap().open().await.unwrap();
            let expected = count as u64 + u64::from(!end.is_empty());
            assert_eq!(log.head().await.unwrap(), expected);
        }
    }

    #[test]
    fn a_log_is_known_by_what_lies_there() {
        let scratch = Scratch::new();
        let dir = scratch.path();
        assert!(Stored::at(&dir.join("nothing")).is_err());
        assert!(Stored::at(dir).is_err());
        std::fs::write(dir.join(EMBEDDED), "").unwrap();
        std::fs::write(dir.join("log.jsonl"), "").unwrap();
        let directory = Stored::Directory(dir.to_owned());
        assert_eq!(Stored::at(dir).unwrap(), directory);
        assert_eq!(Stored::at(&dir.join(EMBEDDED)).unwrap(), directory);
        let lines = dir.join("log.jsonl");
        assert_eq!(Stored::at(&lines).unwrap(), Stored::Lines(lines));
    }
}
