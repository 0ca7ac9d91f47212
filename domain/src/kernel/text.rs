//! Values that are written as text: one macro gives them serde and JSON Schema. And the texts that say
//! why: they say something.

use serde::Deserializer;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

/// Parses a string without copying it first.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    struct Visitor<T>(PhantomData<T>);

    impl<T> serde::de::Visitor<'_> for Visitor<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Visitor(PhantomData))
}

/// Serialises a type through `Display` and `FromStr`, with a JSON Schema of a pattern and an example.
/// A type that is its text, as its only field, says so with `is_str`.
macro_rules! as_text {
    ($type:ty, $name:expr, $pattern:expr, $example:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        $crate::kernel::text::as_text!(@read $type, $name, $pattern, $example);
    };
    (is_str $type:ty, $name:expr, $pattern:expr, $example:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        $crate::kernel::text::as_text!(@read $type, $name, $pattern, $example);
    };
    (@read $type:ty, $name:expr, $pattern:expr, $example:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::kernel::text::deserialize(deserializer)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": $pattern, "examples": [$example]
                })
            }
        }
    };
}
pub(crate) use as_text;

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::grant::signed;

    #[test]
    fn a_reason_says_something() {
        for (reason, code) in [(" \\n ".to_owned(), "no_reason"), ("x".repeat(2_001), "too_long")] {
            let suspend = format!(r#"{{"grant":"G","reason":"{reason}"}}"#);
            let scenario = signed().by(Role::AuthorisingOfficer).when("grant.suspend", &suspend);
            scenario.refused(&format!("command.{code}")).at("/reason");
        }
    }
}
