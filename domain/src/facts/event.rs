//! Lists every event: the union of those of every kind of stream.

use crate::facts::stream::Decider;
use crate::facts::streams;
use crate::facts::upcast::{self, Upcaster};
use crate::kernel::ids::StreamKey;
use serde::Serialize;

macro_rules! make_event {
    ($($variant:ident: $module:ident::$state:ident in $field:ident;)*) => {
        $(use crate::facts::$module;)*

        /// Anything that can have happened. Stored as `type` and `data`, for ever.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $(#[doc = concat!("An event of a ", stringify!($module), ".")] $variant($module::Event),)*
        }

        $(impl From<$module::Event> for Event {
            fn from(event: $module::Event) -> Self {
                Self::$variant(event)
            }
        })*

        impl Event {
            /// The type under which it is stored: `category.Variant`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(event) => event.into(),)*
                }
            }

            /// The version of the shape of its data: the newest of its type.
            #[must_use]
            pub fn schema_version(&self) -> u32 {
                match self {
                    $(Self::$variant(event) => {
                        upcast::newest(<$module::$state as Decider>::UPCASTERS, event.into())
                    })*
                }
            }
        }

        /// Every category of stream, in the order of the table.
        pub const CATEGORIES: &[&str] = &[$(<$module::$state as Decider>::Id::CATEGORY),*];

        /// What the events of a category are read by.
        #[must_use]
        pub fn upcasters(category: &str) -> &'static [Upcaster] {
            $(if category == <$module::$state as Decider>::Id::CATEGORY {
                return <$module::$state as Decider>::UPCASTERS;
            })*
            &[]
        }

        /// The JSON Schema of the events of each category, in the order of the table: a choice of
        /// objects of `type` and `data`.
        #[must_use]
        pub fn event_schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$((
                <$module::$state as Decider>::Id::CATEGORY,
                schemars::schema_for!($module::Event),
            )),*]
        }
    };
}

streams!(make_event);
