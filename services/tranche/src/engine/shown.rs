//! The folds at the end of a log with those who are told of them. They change hands: of who follows
//! the log, and of the engine that writes it; readers notice nothing.

use super::index::Keeper;
use super::options::EngineOptions;
use super::published::{Published, ReadError, decode};
use super::reader::Reader;
use super::replay::{Decoded, Loaded, OpenError, load};
use eventlog::{Group, Log};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The folds, and the channel of their readers.
pub(crate) struct Shown {
    pub loaded: Loaded,
    pub readers: watch::Sender<Arc<Published>>,
    pub index: Arc<Keeper>,
}

impl Shown {
    /// Reads the log, from the newest snapshot that fits.
    pub async fn open(log: &Arc<dyn Log>, options: &EngineOptions) -> Result<Self, OpenError> {
        let shelf = options.shelf(log, &Handle::current());
        let (managers, progress) = (options.managers, options.progress.clone());
        let loaded = load(Arc::clone(log), shelf, managers, progress).await?;
        let index = Arc::new(Keeper::new(options.snapshots.clone()));
        Ok(Self { index, ..Self::new(loaded) })
    }

    pub fn new(loaded: Loaded) -> Self {
        let readers = watch::Sender::new(Arc::new(loaded.published()));
        Self { loaded, readers, index: Arc::default() }
    }

    pub fn position(&self) -> u64 {
        self.loaded.state.world.position
    }

    pub fn reader(&self, log: &Arc<dyn Log>, runtime: &Handle) -> Reader {
        let (shown, log) = (self.readers.subscribe(), Arc::clone(log));
        Reader { shown, log, runtime: runtime.clone(), index: Arc::clone(&self.index) }
    }

    /// Takes the next group in and shows it. When a commit in it is not understood, nothing of it is
    /// taken.
    pub fn take(&mut self, group: &Group) -> Result<(), ReadError> {
        let decoded = |(position, entry): (u64, &bytes::Bytes)| decode(position, entry);
        let commits = group.iter().map(decoded).collect::<Result<Vec<_>, _>>()?;
        commits.into_iter().for_each(|commit| self.loaded.take(Decoded::of(commit)));
        self.readers.send_replace(Arc::new(self.loaded.published()));
        Ok(())
    }

    /// Takes in everything up to a position that the log has.
    #[cfg(feature = "nats")]
    pub async fn catch_up(&mut self, log: &dyn Log, head: u64) -> Result<(), ReadError> {
        while self.position() < head {
            let groups = log.read(self.position() + 1, eventlog::READ_BYTES).await?;
            if groups.is_empty() {
                let what = format!("the log ends at {}, and was {head} long", self.position());
                return Err(eventlog::Error::Unavailable(what).into());
            }
            groups.iter().try_for_each(|group| self.take(group))?;
        }
        Ok(())
    }
}
