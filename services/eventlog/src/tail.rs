//! A log as an endless stream: everything from a position on, then what is appended while it runs.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::log::{Error, Group, Log, Position, READ_BYTES};

type Reading = Pin<Box<dyn Future<Output = Result<Vec<Group>, Error>> + Send>>;

/// Follows `log` from `from` on: every entry once and in order, in whole groups.
///
/// The stream has no end. After an error it may be polled again, and goes on where it was; whoever
/// does so should wait a little first.
pub fn tail(log: Arc<dyn Log>, from: Position) -> Tail {
    Tail { log, next: from.max(1), reading: None, ready: Vec::new().into_iter() }
}

/// The stream that [`tail`] returns.
pub struct Tail {
    log: Arc<dyn Log>,
    next: Position,
    reading: Option<Reading>,
    ready: std::vec::IntoIter<Group>,
}

impl Tail {
    /// Waits for the next group. Dropping the future loses nothing.
    pub async fn next_group(&mut self) -> Result<Group, Error> {
        poll_fn(|context| self.poll_group(context)).await
    }

    fn poll_group(&mut self, context: &mut Context<'_>) -> Poll<Result<Group, Error>> {
        loop {
            if let Some(group) = self.ready.next() {
                self.next = group.last() + 1;
                return Poll::Ready(Ok(group));
            }
            let reading =
                self.reading.get_or_insert_with(|| Box::pin(read(self.log.clone(), self.next)));
            let groups = ready!(reading.as_mut().poll(context));
            self.reading = None;
            self.ready = groups?.into_iter();
        }
    }
}

impl Stream for Tail {
    type Item = Result<Group, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_group(context).map(Some)
    }
}

async fn read(log: Arc<dyn Log>, from: Position) -> Result<Vec<Group>, Error> {
    log.wait_for(from).await?;
    log.read(from, READ_BYTES).await
}
