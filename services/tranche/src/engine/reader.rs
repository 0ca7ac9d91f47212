//! What readers see: the state and the views of one durable position. Reading never waits for the
//! deciding thread.

use super::index::Keeper;
use super::published::{Published, ReadError, decode};
use domain::Commit;
use eventlog::{Log, READ_BYTES};
use jiff::Timestamp;
use projections::{AsOf, CommitSource, Query, Report, SourceError};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Positions at most so far apart, on average, are read in one stretch.
const CLOSE: u64 = 32;

/// A commit with the bytes that are stored and hashed.
#[derive(Clone, Debug)]
pub struct Stored {
    /// As it is in the log.
    pub bytes: bytes::Bytes,
    /// As it is read.
    pub commit: Arc<Commit>,
}

/// Reads what an engine or a follower publishes, and the log. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shown: watch::Receiver<Arc<Published>>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) runtime: Handle,
    pub(crate) index: Arc<Keeper>,
}

impl Reader {
    /// Gives the newest state and views.
    #[must_use]
    pub fn now(&self) -> Arc<Published> {
        Arc::clone(&self.shown.borrow())
    }

    /// Waits until a position is shown: a write that a person must see.
    ///
    /// # Errors
    /// When nothing more will be published.
    pub async fn wait_for(&self, position: u64) -> Result<Arc<Published>, ReadError> {
        let mut shown = self.shown.clone();
        let reached = shown.wait_for(|shown| shown.position() >= position).await;
        reached.map(|shown| Arc::clone(&shown)).map_err(|_| ReadError::Stopped)
    }

    /// Shows a view as of a moment; `None` when there is no such view.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn as_of(&self, view: &str, moment: AsOf) -> Result<Option<Report>, ReadError> {
        self.report(view, Query::at(moment)).await
    }

    /// Asks a view, about now or the past; `None` when there is no such view.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn report(&self, view: &str, query: Query) -> Result<Option<Report>, ReadError> {
        let history = self.now().history.clone();
        let source = Source { log: Arc::clone(&self.log), runtime: self.runtime.clone() };
        let view = view.to_owned();
        let asked = self.runtime.spawn_blocking(move || history.report(&view, &query, &source));
        Ok(asked.await.map_err(|_| ReadError::Stopped)??)
    }

    /// Asks a view, and adds the position of that moment: for a question about what was known by
    /// an instant, the last commit that had been recorded by then.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn ask(&self, view: &str, query: Query) -> Result<Option<Report>, ReadError> {
        let known_at = query.moment.known_at;
        let Some(mut report) = self.report(view, query).await? else { return Ok(None) };
        if let Some(instant) = known_at {
            report.position = self.recorded_by(instant, report.position).await?;
        }
        Ok(Some(report))
    }

    /// Finds the last position up to `last` that had been recorded by an instant.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn recorded_by(&self, instant: Timestamp, last: u64) -> Result<u64, ReadError> {
        let (mut low, mut high) = (0, last);
        while low < high {
            // Positions and recorded instants grow together.
            let middle = low + (high - low).div_ceil(2);
            let commit = self.read_commit(middle).await?;
            if commit.is_some_and(|stored| stored.commit.recorded_at <= instant) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// Reads at most `limit` commits from a position on, in order.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn read_commits(&self, from: u64, limit: usize) -> Result<Vec<Stored>, ReadError> {
        read(&*self.log, from.max(1), limit).await
    }

    /// Reads the commit of a position, if the log is that long.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn read_commit(&self, position: u64) -> Result<Option<Stored>, ReadError> {
        Ok(self.read_commits(position, 1).await?.pop())
    }

    /// Asks for the last durable position of the log.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn head(&self) -> Result<u64, ReadError> {
        Ok(self.log.head().await?)
    }
}

async fn read(log: &dyn Log, from: u64, limit: usize) -> Result<Vec<Stored>, ReadError> {
    let mut read = Vec::new();
    while read.len() < limit {
        let next = from + read.len() as u64;
        // One group is enough for one commit.
        let bytes_max = if limit == 1 { 1 } else { READ_BYTES };
        let groups = log.read(next, bytes_max).await?;
        if groups.is_empty() {
            break;
        }
        let entries = groups.iter().flat_map(eventlog::Group::iter);
        for (position, bytes) in entries.take(limit - read.len()) {
            let commit = Arc::new(decode(position, bytes)?);
            read.push(Stored { bytes: bytes.clone(), commit });
        }
    }
    Ok(read)
}

/// The log as the views want it, for a thread that may block.
pub(super) struct Source {
    pub log: Arc<dyn Log>,
    pub runtime: Handle,
}

impl CommitSource for Source {
    fn read(&self, from: u64, to: u64) -> Result<Vec<Arc<Commit>>, SourceError> {
        let limit = usize::try_from((to + 1).saturating_sub(from)).unwrap_or(usize::MAX);
        let read = self.runtime.block_on(read(&*self.log, from, limit));
        let stored = read.map_err(|error| SourceError::Log(Box::new(error)))?;
        Ok(stored.into_iter().map(|stored| stored.commit).collect())
    }

    fn pick(&self, positions: &[u64]) -> Result<Vec<Arc<Commit>>, SourceError> {
        let picked = self.runtime.block_on(pick(&*self.log, positions));
        picked.map_err(|error| SourceError::Log(Box::new(error)))
    }
}

/// Reads the commits of some positions. Where they lie close together, whole stretches are read, and
/// what nobody asked for is not decoded.
async fn pick(log: &dyn Log, positions: &[u64]) -> Result<Vec<Arc<Commit>>, ReadError> {
    let span = positions.first().zip(positions.last()).map_or(0, |(first, last)| last - first);
    let is_dense = span / CLOSE <= positions.len() as u64;
    let bytes_max = if is_dense { READ_BYTES } else { 1 };
    let mut picked = Vec::with_capacity(positions.len());
    let mut read: Vec<eventlog::Group> = Vec::new();
    for position in positions {
        let holds = |group: &&eventlog::Group| (group.first..=group.last()).contains(position);
        if !read.iter().any(|group| holds(&group)) {
            read = log.read(*position, bytes_max).await?;
        }
        let group = read.iter().find(holds);
        let index = |group: &eventlog::Group| usize::try_from(position - group.first).ok();
        let entry = group.and_then(|group| group.entries.get(index(group)?));
        let entry = entry.ok_or(ReadError::Source(SourceError::Missing(*position)))?;
        picked.push(Arc::new(decode(*position, entry)?));
    }
    Ok(picked)
}
