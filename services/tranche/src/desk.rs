//! Where the commands of this process go: to an engine of its own, or to the instance that writes.

use crate::clock::Clock;
use crate::engine::{Engine, Reader, Receipt, Request, SubmitError};
#[cfg(feature = "nats")]
use crate::node::Node;

/// Takes commands, and shows what is recorded. Clones are one desk.
#[derive(Clone)]
pub enum Desk {
    /// This process has the log to itself.
    Alone(Engine),
    /// One of several instances on one log.
    #[cfg(feature = "nats")]
    Node(Node),
}

impl From<Engine> for Desk {
    fn from(engine: Engine) -> Self {
        Self::Alone(engine)
    }
}

#[cfg(feature = "nats")]
impl From<Node> for Desk {
    fn from(node: Node) -> Self {
        Self::Node(node)
    }
}

impl Desk {
    /// Gives a command, and waits until it is durable and shown.
    ///
    /// # Errors
    /// A rule says no, or the decision could not be made durable (see [`SubmitError`]).
    pub async fn submit(&self, request: Request) -> Result<Receipt, SubmitError> {
        match self {
            Self::Alone(engine) => engine.submit(request).await,
            #[cfg(feature = "nats")]
            Self::Node(node) => node.submit(request).await,
        }
    }

    /// Waits until somebody decides commands, here or elsewhere, or somebody should have long done so. Without
    /// it a command that comes first may be answered that nobody does yet.
    pub async fn ready(&self) {
        match self {
            Self::Alone(_) => (),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.ready().await,
        }
    }

    /// Waits until all that follows from the commands given so far is recorded, if that is decided
    /// here.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn settle(&self) -> Result<(), SubmitError> {
        let engine = match self {
            Self::Alone(engine) => Some(engine.clone()),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.engine(),
        };
        match engine {
            Some(engine) => engine.settle().await.map(drop),
            None => Ok(()),
        }
    }

    /// Who decides: `here`, or the name of another instance; `None` when nobody does now.
    #[must_use]
    pub fn writer(&self) -> Option<String> {
        match self {
            Self::Alone(_) => Some("here".to_owned()),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.writer(),
        }
    }

    /// What readers see: also while commands are decided, and after the end.
    #[must_use]
    pub fn reader(&self) -> Reader {
        match self {
            Self::Alone(engine) => engine.reader(),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.reader(),
        }
    }

    /// The last position that is known to be in the log, without asking it.
    #[must_use]
    pub fn known_head(&self) -> u64 {
        match self {
            Self::Alone(engine) => engine.metrics().known_durable(),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.known_head(),
        }
    }

    /// The clock that decisions are made by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        match self {
            Self::Alone(engine) => engine.clock(),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.clock(),
        }
    }

    /// Brings the figures up to date that no engine keeps: those of an instance that follows.
    pub fn observe(&self) {
        match self {
            Self::Alone(_) => (),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.observe(),
        }
    }

    /// Makes its figures known to a registry.
    ///
    /// # Errors
    /// When the registry has figures of these names.
    pub fn register(&self, registry: &prometheus::Registry) -> Result<(), prometheus::Error> {
        match self {
            Self::Alone(engine) => engine.metrics().register(registry),
            #[cfg(feature = "nats")]
            Self::Node(node) => node.register(registry),
        }
    }

    /// Decides what is in the queue, makes it durable, writes a snapshot, and ends.
    pub async fn stop(&self) {
        match self {
            Self::Alone(engine) => engine.stop().await,
            #[cfg(feature = "nats")]
            Self::Node(node) => node.stop().await,
        }
    }
}
