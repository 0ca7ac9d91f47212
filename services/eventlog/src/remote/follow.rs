//! Being told of new groups.
//!
//! A notice may get lost, and may be wrong. So it is only a reason to look at the head, and while
//! somebody waits the head is looked at now and then anyway.

use std::future::Future;
use std::sync::{Arc, Weak};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::handle::{Progress, Remote};
use super::message::Sequence;
use super::store::Store;
use super::waits::POLL_INTERVAL;
use crate::log::{Error, Position};

/// Where a server tells of what it has stored.
pub(crate) trait Notices: Send + 'static {
    /// The next notice, with the number of the message if it is told; `None` when none will come.
    fn next(&mut self) -> impl Future<Output = Option<Option<Sequence>>> + Send;
}

impl<S: Store> Remote<S> {
    /// Looks at the head at each notice and now and then, until the task is aborted or the log dropped.
    pub(crate) fn follow(log: &Arc<Remote<S>>, notices: impl Notices) -> JoinHandle<()> {
        tokio::spawn(follow(Arc::downgrade(log), notices))
    }

    /// Whether somebody waits for new groups.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.progress.receiver_count() > 0
    }

    pub(crate) async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        // First, so that from here on somebody waits.
        let mut progress = self.progress.subscribe();
        if progress.borrow().tip.position < position {
            self.look().await;
        }
        let is_over = |now: &Progress| now.tip.position >= position || now.failure.is_some();
        match progress.wait_for(is_over).await {
            Ok(now) if now.tip.position >= position => Ok(now.tip.position),
            Ok(now) => Err(now.failure.clone().unwrap_or(closed())),
            Err(_) => Err(closed()),
        }
    }

    /// Looks at the head for those who wait. They also wait for a server that does not answer.
    async fn look(&self) {
        let failure = match self.refresh().await {
            Ok(_) | Err(Error::Unavailable(_)) => None,
            Err(error) => Some(error),
        };
        self.progress.send_if_modified(|progress| {
            let is_news = progress.failure != failure;
            progress.failure = failure;
            is_news
        });
    }
}

fn closed() -> Error {
    Error::Unavailable("the log is closed".to_owned())
}

/// Looks at the head at each notice and now and then, as long as the log is open.
async fn follow<S: Store>(log: Weak<Remote<S>>, mut notices: impl Notices) {
    loop {
        let told = match timeout(POLL_INTERVAL, notices.next()).await {
            Ok(Some(told)) => told,
            Ok(None) => return,
            Err(_) => None,
        };
        let Some(log) = log.upgrade() else { return };
        let is_known = told.is_some_and(|sequence| sequence <= log.tip().sequence);
        if log.is_waited_for() && !is_known {
            log.look().await;
        }
    }
}
