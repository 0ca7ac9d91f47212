//! Hearing of new events by asking: whether there is one behind the last that is known.
//!
//! Not a subscription: that would bring each body twice, needs a place to go on from after every loss of
//! the connection, and those of the database have stopped without an error (KurrentDB issues 1392 and
//! 3449). The question is small, its answer empty most of the time, and nobody asks while nobody waits.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::wire::Wire;
use crate::remote::{Notices, Remote, Sequence};

/// The time between two looks for a new event, while somebody waits for one.
pub const NEWS_INTERVAL: Duration = Duration::from_millis(100);

/// Asks while somebody waits.
pub(super) struct News(Weak<Remote<Wire>>);

impl News {
    pub(super) fn of(log: &Arc<Remote<Wire>>) -> News {
        News(Arc::downgrade(log))
    }
}

impl Notices for News {
    async fn next(&mut self) -> Option<Option<Sequence>> {
        loop {
            sleep(NEWS_INTERVAL).await;
            let log = self.0.upgrade()?;
            let next = log.tip().sequence + 1;
            // Without an answer: the look at the head, which comes anyway, is told why.
            if log.is_waited_for() && log.store.has(next).await.unwrap_or(false) {
                return Some(Some(next));
            }
        }
    }
}
