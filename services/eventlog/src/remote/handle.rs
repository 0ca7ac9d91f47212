//! What one handle knows of its log: how far it is, where readers stopped, whether it may append.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::watch;
use uuid::Uuid;

use super::message::{Link, Tip};
use super::reign::Reign;
use crate::log::{Error, Position};

/// A log over a server, as one handle sees it.
pub(crate) struct Remote<S> {
    pub(crate) store: S,
    pub(super) progress: watch::Sender<Progress>,
    /// The messages that readers will probably want next, by the position they begin with.
    pub(super) links: Mutex<BTreeMap<Position, Link>>,
    /// Whether this handle may append.
    pub(super) reign: Reign,
}

/// How far the log is, as far as this handle knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) tip: Tip,
    /// Why looking at the head failed, if trying again does not help.
    pub(super) failure: Option<Error>,
}

impl<S> Remote<S> {
    /// Begins before the first message.
    pub(super) fn new(store: S) -> Remote<S> {
        let first = Link { sequence: 1, after: Uuid::nil() };
        Remote {
            store,
            progress: watch::Sender::new(Progress::default()),
            links: Mutex::new(BTreeMap::from([(1, first)])),
            reign: Reign::default(),
        }
    }

    pub(crate) fn tip(&self) -> Tip {
        self.progress.borrow().tip
    }

    /// Takes in what was seen in the stream. A slower answer does not take the tip back.
    pub(super) fn advance(&self, tip: Tip) {
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
