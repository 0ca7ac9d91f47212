//! The index of `projections::lineage` of one log: made when it is first asked for, kept up with the log,
//! and kept beside the snapshots so that the next start need not read everything. Nothing of it is on
//! the way of a command.
//!
//! The file is a cache like a snapshot: a line of JSON (the header) and the index as JSON. One that does
//! not fit the log or this build is made again.

use super::published::ReadError;
use super::replay::{OpenError, fold};
use super::snapshot::{SHAPES, commit_hash};
use domain::kernel::canonical::Sha256Hex;
use eventlog::Log;
use projections::SourceError;
use projections::lineage::Index;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::runtime::Handle;

/// The index is written again after so many commits.
const SAVE_EVERY: u64 = 10_000;
const FILE: &str = "why.index";

/// The index of one log.
pub(crate) struct Keeper {
    dir: Option<PathBuf>,
    save_every: u64,
    kept: RwLock<Kept>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { dir: None, save_every: SAVE_EVERY, kept: RwLock::default() }
    }
}

#[derive(Default)]
pub(super) struct Kept {
    pub index: Index,
    is_loaded: bool,
    saved: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    position: u64,
    /// SHA-256 of the commit at that position.
    commit: Sha256Hex,
    shapes: String,
    /// SHA-256 of everything after this line.
    digest: Sha256Hex,
}

impl Keeper {
    /// Keeps the index in a directory, if there is one.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir, ..Self::default() }
    }

    /// Gives what is known so far.
    pub(super) fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in everything up to a position. Blocks.
    pub(super) fn catch_up(
        &self,
        head: u64,
        log: &Arc<dyn Log>,
        runtime: &Handle,
    ) -> Result<(), ReadError> {
        if self.kept().is_loaded && self.kept().index.position >= head {
            return Ok(());
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let Kept { index, is_loaded, saved } = &mut *kept;
        if !*is_loaded {
            if let Some(stored) = self.dir.as_deref().and_then(|dir| load(dir, log, runtime)) {
                (*saved, *index) = (stored.position, stored);
            }
            *is_loaded = true;
        }
        if index.position >= head {
            return Ok(());
        }
        let from = index.position;
        let done = fold(&**log, runtime, from, |_| (), |decoded| index.apply(decoded.commit()));
        done.map_err(|error| match error {
            OpenError::Read(error) => error,
            other => ReadError::Source(SourceError::Log(Box::new(other))),
        })?;
        if let Some(dir) =
            self.dir.as_deref().filter(|_| index.position >= *saved + self.save_every)
        {
            match save(dir, index, log, runtime) {
                Ok(()) => *saved = index.position,
                Err(error) => tracing::warn!(%error, "the index of figures could not be kept"),
            }
        }
        Ok(())
    }
}

fn load(dir: &Path, log: &Arc<dyn Log>, runtime: &Handle) -> Option<Index> {
    let bytes = fs::read(dir.join(FILE)).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
    let body = &bytes[end + 1..];
    let fits = header.shapes == SHAPES
        && Sha256Hex::of(body) == header.digest
        && commit_hash(log, runtime, header.position).is_ok_and(|hash| hash == header.commit);
    let index: Index = serde_json::from_slice(body).ok().filter(|_| fits)?;
    (index.position == header.position).then_some(index)
}

fn save(dir: &Path, index: &Index, log: &Arc<dyn Log>, runtime: &Handle) -> Result<(), String> {
    let body = serde_json::to_vec(index).map_err(|error| error.to_string())?;
    let header = Header {
        position: index.position,
        commit: commit_hash(log, runtime, index.position)?,
        shapes: SHAPES.to_owned(),
        digest: Sha256Hex::of(&body),
    };
    let mut header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
    header.push(b'\n');
    let store = || {
        fs::create_dir_all(dir)?;
        // Several processes may read one log: each has an unfinished file of its own.
        let unfinished = dir.join(format!("{FILE}.{}.tmp", std::process::id()));
        let mut out = File::create(&unfinished)?;
        out.write_all(&header)?;
        out.write_all(&body)?;
        out.sync_all()?;
        fs::rename(&unfinished, dir.join(FILE))
    };
    store().map_err(|error: std::io::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{memory, publish};
    use eventlog::contract::Scratch;

    fn keeper(dir: &Path) -> Arc<Keeper> {
        let dir = Some(dir.to_owned());
        Arc::new(Keeper { dir, save_every: 1, ..Keeper::default() })
    }

    async fn caught_up(keeper: &Arc<Keeper>, head: u64, log: &Arc<dyn Log>) -> Index {
        let (keeper, log, runtime) = (Arc::clone(keeper), Arc::clone(log), Handle::current());
        let done = tokio::task::spawn_blocking(move || {
            keeper.catch_up(head, &log, &runtime).unwrap();
            keeper.kept().index.clone()
        });
        done.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_index_goes_on_where_it_was_kept_and_one_that_does_not_fit_is_made_again() {
        let (engine, _, log) = memory().await;
        let scratch = Scratch::new();
        for number in 1..=3 {
            let name = format!("c{number}");
            engine.submit(publish(&name, &name)).await.unwrap();
        }
        let whole = caught_up(&keeper(scratch.path()), 3, &log).await;
        assert_eq!(whole.position, 3);
        let load = |dir: &Path, log: &Arc<dyn Log>| {
            let (dir, log, runtime) = (dir.to_owned(), Arc::clone(log), Handle::current());
            tokio::task::spawn_blocking(move || load(&dir, &log, &runtime))
        };
        assert_eq!(load(scratch.path(), &log).await.unwrap(), Some(whole.clone()));
        engine.submit(publish("c4", "c4")).await.unwrap();
        let longer = caught_up(&keeper(scratch.path()), 4, &log).await;
        assert_eq!(longer, caught_up(&Arc::default(), 4, &log).await);
        // Of another log; and changed.
        let (other, _, other_log) = memory().await;
        for number in 1..=4 {
            other.submit(publish(&format!("d{number}"), "d")).await.ok();
        }
        assert_eq!(load(scratch.path(), &other_log).await.unwrap(), None);
        let file = scratch.path().join(FILE);
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(load(scratch.path(), &log).await.unwrap(), None);
        assert_eq!(caught_up(&keeper(scratch.path()), 4, &log).await, longer);
    }
}
