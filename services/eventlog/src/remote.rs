//! What the logs over a server share: a stream of numbered messages, one for each group.
//!
//! A stream counts messages and a log counts entries, so the two numbers differ. A handle knows both for
//! the last message (its *tip*); an append names the tip's number as the expected last one, and the
//! server refuses it if another message has come since. What a server must be able to do is [`Store`].

pub(crate) mod address;
mod append;
mod follow;
mod handle;
mod message;
mod read;
mod reign;
mod store;
mod waits;

use std::sync::Arc;

use uuid::Uuid;

use crate::log::Error;
pub(crate) use follow::Notices;
pub(crate) use handle::Remote;
pub(crate) use message::{Claims, Sequence, Stored, Tip};
pub(crate) use store::{Batch, Last, Proposed, Published, Store};
pub use waits::{
    ANSWER_WAIT, APPEND_WAIT, CONNECT_WAIT, POLL_INTERVAL, READ_WAIT, RETRY_PAUSE, until,
};

impl<S: Store> Remote<S> {
    /// Begins with the head, and checks the last message.
    pub(crate) async fn open(store: S) -> Result<Arc<Remote<S>>, Error> {
        let log = Remote::new(store);
        let tip = log.refresh().await?;
        log.reign.begin(tip.sequence, Uuid::nil());
        Ok(Arc::new(log))
    }
}
