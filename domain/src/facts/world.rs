//! The state of every stream at one position of the log. It takes commits in; it never judges. Cloning
//! is cheap (persistent maps).

use crate::facts::commit::{Commit, Recorded};
use crate::facts::event::Event;
use crate::facts::stream::{At, Decider, Map, NEW};
use crate::facts::streams;
use crate::kernel::ids::{StreamId, StreamKey};
use crate::kernel::refusal::{Common, Refusal};
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Finds the streams and the events of a kind by its type.
pub trait InWorld: Decider {
    /// Every stream of this kind.
    fn all(world: &World) -> &Map<Self::Id, Self>;

    /// The same, to be changed: for adapters that put one stream into a world of their own.
    fn all_mut(world: &mut World) -> &mut Map<Self::Id, Self>;

    /// The event, if it is of this kind.
    fn event(event: &Event) -> Option<&Self::Event>;
}

macro_rules! make_world {
    ($($variant:ident: $module:ident::$state:ident in $field:ident;)*) => {
        $(use crate::facts::$module;)*

        /// The state of every stream at one position of the log.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct World {
            /// The last commit that has been applied.
            pub position: u64,
            /// When it was recorded.
            pub recorded_at: Timestamp,
            /// Version of every stream.
            pub versions: OrdMap<StreamId, u64>,
            $(#[doc = concat!("Every ", stringify!($module), ".")] pub $field: Map<<$module::$state as Decider>::Id, $module::$state>,)*
        }

        impl World {
            /// Where a stream is in its life; [`NEW`] when it does not exist.
            #[must_use]
            pub fn phase(&self, stream: &StreamId) -> &'static str {
                $(if let Some(id) = <$module::$state as Decider>::Id::of_stream(stream) {
                    return self.$field.get(&id).map_or(NEW, |state| state.phase().into());
                })*
                NEW
            }

            fn apply_event(&mut self, recorded: &Recorded, at: &At<'_>) {
                match &recorded.event {
                    $(Event::$variant(event) => evolve(&mut self.$field, &recorded.stream, event, at),)*
                }
            }
        }

        $(impl InWorld for $module::$state {
            fn all(world: &World) -> &Map<Self::Id, Self> {
                &world.$field
            }

            fn all_mut(world: &mut World) -> &mut Map<Self::Id, Self> {
                &mut world.$field
            }

            fn event(event: &Event) -> Option<&Self::Event> {
                if let Event::$variant(event) = event { Some(event) } else { None }
            }
        })*
    };
}

streams!(make_world);

fn evolve<D: Decider>(map: &mut Map<D::Id, D>, stream: &StreamId, event: &D::Event, at: &At<'_>) {
    // An event on a stream of another category cannot be written; see `World::commit`.
    if let Some(id) = D::Id::of_stream(stream) {
        Arc::make_mut(map.entry(id).or_default()).evolve(event, at);
    }
}

impl World {
    /// The version of a stream: how many events it has.
    #[must_use]
    pub fn version(&self, stream: &StreamId) -> u64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    /// The state of a stream.
    ///
    /// # Errors
    /// When there is none: names it.
    pub fn find<'a, D: Decider>(
        &self,
        map: &'a Map<D::Id, D>,
        id: &D::Id,
    ) -> Result<&'a D, Refusal> {
        map.get(id)
            .map(|state| &**state)
            .ok_or_else(|| Common::NotFound(id.stream().to_string()).into())
    }

    /// Whether a stream may be made.
    ///
    /// # Errors
    /// When it exists.
    pub fn must_be_new(&self, stream: &StreamId) -> Result<(), Refusal> {
        if self.version(stream) == 0 {
            Ok(())
        } else {
            Err(Common::Exists(stream.to_string()).into())
        }
    }

    /// Takes a commit in.
    pub fn apply(&mut self, commit: &Commit) {
        for recorded in &commit.events {
            let at = At {
                position: commit.position,
                actor: &commit.actor,
                command_id: &commit.command_id,
                effective_at: recorded.effective_at,
                recorded_at: commit.recorded_at,
            };
            self.apply_event(recorded, &at);
            self.versions.insert(recorded.stream.clone(), recorded.version);
        }
        self.position = commit.position;
        self.recorded_at = commit.recorded_at;
    }
}
