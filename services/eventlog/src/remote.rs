//! What the logs over a server share: a stream of numbered messages, one for each group.
//!
//! A stream counts messages and a log counts entries, so the two numbers differ. A handle knows both for
//! the last message (its *tip*); an append names the tip's number as the expected last one, and the
//! server refuses it if another message has come since. What a server must be able to do is [`Store`].

pub(crate) mod address;
mod append;
mod follow;
mod read;
mod reign;
pub(crate) mod stored;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{Error, Place, Position};
pub(crate) use follow::Notices;
use reign::Reign;
pub(crate) use stored::Stored;

/// The time that connecting may take.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// The time that one request waits for its answer. A server that syncs at each write may need a while.
pub const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// For how long an append is tried again, with the same message id, before the log is unavailable.
/// The last try may end [`ANSWER_WAIT`] later.
pub const APPEND_WAIT: Duration = Duration::from_secs(5);
/// For how long a read or a look at the head is tried again. The last try may end [`ANSWER_WAIT`]
/// later.
pub const READ_WAIT: Duration = Duration::from_secs(3);
/// The pause before something is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The time between two looks at the head by a waiting reader, in case a notice of a group was lost.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The number of a message in its stream, from 1.
pub(crate) type Sequence = u64;

/// What a log needs of a server that keeps its stream.
pub(crate) trait Store: Send + Sync + 'static {
    /// What it is called in a sentence.
    fn name(&self) -> String;

    /// The place of a message, as its people count.
    fn place(sequence: Sequence) -> Place;

    /// Refuses a body that the server would not take.
    fn check_body(&self, bytes: usize) -> Result<(), Error>;

    /// The last message, by who leads the stream.
    fn last(&self) -> impl Future<Output = Result<Last, Error>> + Send;

    /// Reads messages from one on, tried once: at least one, and no more once these limits are reached.
    fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Batch, Error>> + Send;

    /// Stores a message right behind a tip or not at all, tried once.
    fn publish(
        &self,
        after: &Tip,
        new: &Proposed,
    ) -> impl Future<Output = Result<Published, Error>> + Send;
}

/// The end of a stream.
pub(crate) struct Last {
    /// The number of the last message; 0 when there is none.
    pub(crate) sequence: Sequence,
    /// The message itself, if the server told it with the number.
    pub(crate) stored: Option<Stored>,
}

/// What came back for a range of messages.
pub(crate) enum Batch {
    /// At least one message, the first of them the one that was asked for, without a gap.
    Messages(Vec<Stored>),
    /// The server that answered does not have the message.
    NotThere,
    /// It has later messages, but not this one.
    Missing,
}

/// A group that is to be stored; a mark, if it has no entries.
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) entries: usize,
    pub(crate) body: Bytes,
}

/// What became of one try to store a message.
pub(crate) enum Published {
    /// It is stored, and is this message.
    At(Sequence),
    /// The last message is, or is about to be, another.
    Fenced,
    /// Nobody knows.
    Unknown(String),
}

/// A log over a server, as one handle sees it.
pub(crate) struct Remote<S> {
    pub(crate) store: S,
    progress: watch::Sender<Progress>,
    /// The messages that readers will probably want next, by the position they begin with.
    links: Mutex<BTreeMap<Position, Link>>,
    /// Whether this handle may append.
    reign: Reign,
}

/// How far the log is, as far as this handle knows.
#[derive(Clone, Debug, Default)]
struct Progress {
    tip: Tip,
    /// Why looking at the head failed, if trying again does not help.
    failure: Option<Error>,
}

/// The last message: its number, the last position it holds, and its group. Zeros when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) id: Uuid,
}

/// A message, and the group that it must follow.
#[derive(Clone, Copy, Debug)]
struct Link {
    sequence: Sequence,
    after: Uuid,
}

impl<S: Store> Remote<S> {
    /// Begins with the head, and checks the last message.
    pub(crate) async fn open(store: S) -> Result<Arc<Remote<S>>, Error> {
        let first = Link { sequence: 1, after: Uuid::nil() };
        let log = Remote {
            store,
            progress: watch::Sender::new(Progress::default()),
            links: Mutex::new(BTreeMap::from([(1, first)])),
            reign: Reign::default(),
        };
        let tip = log.refresh().await?;
        log.reign.begin(tip.sequence, Uuid::nil());
        Ok(Arc::new(log))
    }

    /// Looks at the head at each notice and now and then, until the task is aborted or the log dropped.
    pub(crate) fn follow(log: &Arc<Remote<S>>, notices: impl Notices) -> JoinHandle<()> {
        tokio::spawn(follow::follow(Arc::downgrade(log), notices))
    }

    pub(crate) fn tip(&self) -> Tip {
        self.progress.borrow().tip
    }

    /// Takes in what was seen in the stream. A slower answer does not take the tip back.
    fn advance(&self, tip: Tip) {
        self.progress.send_if_modified(|progress| {
            let is_news = tip.sequence > progress.tip.sequence || progress.failure.is_some();
            if tip.sequence > progress.tip.sequence {
                progress.tip = tip;
            }
            progress.failure = None;
            is_news
        });
    }
}

/// Tries until it is not for unavailability that it fails, for `limit` at most and once at least.
///
/// # Errors
/// That of the last try.
pub async fn until<T, F>(limit: Duration, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match attempt().await {
            Err(Error::Unavailable(_)) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
}
