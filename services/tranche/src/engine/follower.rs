//! A log that somebody else writes: its folds follow the writer's, for reading only.

use super::options::EngineOptions;
use super::published::ReadError;
use super::reader::Reader;
use super::replay::{OnProgress, OpenError};
use super::shown::Shown;
use eventlog::{Log, tail};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
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
        let options = EngineOptions { snapshots, progress, ..EngineOptions::default() };
        let mut shown = Shown::open(&log, &options).await?;
        let reader = shown.reader(&log, &Handle::current());
        let following = tokio::spawn(async move {
            let error = follow(&log, &mut shown).await;
            // A newer program writes this log. What we show stays true, and gets old.
            tracing::error!(%error, "the log cannot be followed any more");
        });
        Ok(Self { reader, following })
    }

    /// Gives readers what is durable.
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

/// Follows a log from where the folds are, through outages, until a commit is not understood. Dropping
/// the future loses nothing.
pub(crate) async fn follow(log: &Arc<dyn Log>, shown: &mut Shown) -> ReadError {
    let mut tail = tail(Arc::clone(log), shown.position() + 1);
    loop {
        match tail.next_group().await {
            Ok(group) => {
                if let Err(error) = shown.take(&group) {
                    return error;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the log cannot be followed; trying again");
                tokio::time::sleep(RETRY_WAIT).await;
            }
        }
    }
}
