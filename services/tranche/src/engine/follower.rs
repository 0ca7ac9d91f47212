//! A log that somebody else writes: its folds follow the writer's, for reading only.

use super::reader::{Published, ReadError, Reader, decode};
use super::replay::{Loaded, OnProgress, OpenError, load};
use super::snapshot::Shelf;
use eventlog::{Log, tail};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long to wait before the log is asked again after it failed.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Follows a log. Dropping it ends the following; what its readers hold stays as it was.
pub struct Follower {
    reader: Reader,
    following: JoinHandle<()>,
}

impl Follower {
    /// Reads the log (from the newest snapshot in `snapshots` that fits) and goes on following it.
    ///
    /// # Errors
    /// When the log cannot be read to its end.
    pub async fn open(
        log: Arc<dyn Log>,
        snapshots: Option<PathBuf>,
        progress: Option<OnProgress>,
    ) -> Result<Self, OpenError> {
        let runtime = Handle::current();
        let shelf =
            snapshots.map(|dir| Shelf { dir, log: Arc::clone(&log), runtime: runtime.clone() });
        let Loaded { state, history, .. } =
            load(Arc::clone(&log), shelf, domain::react::react, progress).await?;
        let published = Published { state, history };
        let (shown, readers) = watch::channel(Arc::new(published.clone()));
        let reader = Reader { shown: readers, log: Arc::clone(&log), runtime };
        let following = tokio::spawn(follow(log, published, shown));
        Ok(Self { reader, following })
    }

    /// What readers see.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(log: Arc<dyn Log>, mut published: Published, shown: watch::Sender<Arc<Published>>) {
    let mut tail = tail(log, published.position() + 1);
    loop {
        let group = match tail.next_group().await {
            Ok(group) => group,
            Err(error) => {
                tracing::warn!(%error, "the log cannot be followed; trying again");
                tokio::time::sleep(RETRY_WAIT).await;
                continue;
            }
        };
        if let Err(error) = take(&mut published, &group) {
            // A newer program writes this log. What we show stays true, and gets old.
            tracing::error!(%error, "the log cannot be followed any more");
            return;
        }
        shown.send_replace(Arc::new(published.clone()));
    }
}

fn take(published: &mut Published, group: &eventlog::Group) -> Result<(), ReadError> {
    for (position, entry) in group.iter() {
        let commit = Arc::new(decode(position, entry)?);
        published.state.take(&commit);
        published.history.apply(&commit);
    }
    Ok(())
}
