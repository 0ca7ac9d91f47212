//! Defines a kind of stream: its identifier, its state, and how the state takes events in.

use crate::facts::upcast::Upcaster;
use crate::kernel::actor::Actor;
use crate::kernel::ids::{CommandId, StreamKey};
use imbl::OrdMap;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt::Debug;
use std::sync::Arc;

/// The phase of a stream that does not exist yet.
pub const NEW: &str = "new";

/// The streams of one category: a persistent map, so that a clone of the world costs nothing.
pub type Map<K, V> = OrdMap<K, Arc<V>>;

/// One kind of stream. The implementing type is the state of one stream.
///
/// Collections that grow without bound inside a state are `imbl` maps: states are cloned on write.
pub trait Decider: Clone + Debug + Default + PartialEq + Serialize {
    /// The identifier of such a stream.
    type Id: StreamKey;
    /// What can have happened to it.
    type Event;
    /// Where it can be in its life; declarations of commands name these.
    type Phase: Copy + Into<&'static str>;

    /// What its events of before are read by, the steps of each type in order: a step gives the type
    /// a new version.
    const UPCASTERS: &'static [Upcaster] = &[];

    /// Where it is in its life.
    fn phase(&self) -> Self::Phase;

    /// Takes an event in. Never fails and never judges: what is stored has happened.
    fn evolve(&mut self, event: &Self::Event, at: &At<'_>);
}

/// The circumstances of a stored event.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Place of its commit in the log.
    pub position: u64,
    /// Who did it.
    pub actor: &'a Actor,
    /// The command that did it.
    pub command_id: &'a CommandId,
    /// When it was true.
    pub effective_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// Defines the phases of a kind of stream, each with its name as people and programs read it.
macro_rules! phases {
    (
        $(#[$meta:meta])*
        pub enum $phases:ident { $($(#[$about:meta])* $phase:ident = $name:literal,)+ }
    ) => {
        $(#[$meta])*
        pub enum $phases {
            $($(#[$about])* #[doc = concat!("`", $name, "`")] $phase,)+
        }

        impl $phases {
            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$phase => $name,)+
                }
            }
        }

        impl From<$phases> for &'static str {
            fn from(phase: $phases) -> Self {
                phase.name()
            }
        }
    };
}
pub(crate) use phases;
