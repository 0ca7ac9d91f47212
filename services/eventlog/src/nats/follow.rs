//! Being told of new groups: the server publishes the headers of each message that it has stored.
//!
//! Such a notice may get lost, and anyone with the right to publish could send one. So it is only a
//! reason to look at the head, and while somebody waits the head is looked at now and then anyway.

use std::sync::Weak;

use async_nats::Subscriber;
use tokio::time::timeout;

use super::{Inner, POLL_INTERVAL, Progress, message, wire};
use crate::{Error, Position};

impl Inner {
    pub(super) async fn wait_for(&self, position: Position) -> Result<Position, Error> {
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
pub(super) async fn follow(log: Weak<Inner>, mut notices: Subscriber) {
    loop {
        let told = match timeout(POLL_INTERVAL, wire::next_forever(&mut notices)).await {
            Ok(Some(notice)) => message::sequence(&notice),
            // The client is closed.
            Ok(None) => return,
            Err(_) => None,
        };
        let Some(log) = log.upgrade() else { return };
        let is_known = told.is_some_and(|sequence| sequence <= log.tip().sequence);
        if log.progress.receiver_count() > 0 && !is_known {
            log.look().await;
        }
    }
}
