//! Values that are written as text: one macro gives them serde and JSON Schema. And the texts that say
//! why: they say something.

use crate::call::ROUND_REASON_BYTES_MAX;
use crate::command::check_text;
use crate::rejection::{Common, Refusal};
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

        $crate::text::as_text!(@read $type, $name, $pattern, $example);
    };
    (is_str $type:ty, $name:expr, $pattern:expr, $example:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        $crate::text::as_text!(@read $type, $name, $pattern, $example);
    };
    (@read $type:ty, $name:expr, $pattern:expr, $example:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::text::deserialize(deserializer)
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

/// Refuses a reason that says nothing, or more than fits.
///
/// # Errors
/// Names the field.
pub fn check_reason(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::from(Common::NoReason(field)).at(format!("/{field}")));
    }
    check_text(field, text)
}

/// Refuses a reason of a ranking or an award that says nothing, or more than fits into one commit with
/// those of all other proposals.
///
/// # Errors
/// Names the field and the limit.
pub fn check_round_reason(text: &str) -> Result<(), Refusal> {
    check_reason("reason", text)?;
    let bytes = serde_json::to_string(text).map_or(usize::MAX, |json| json.len() - 2);
    if bytes > ROUND_REASON_BYTES_MAX {
        let (field, limit) = ("reason", ROUND_REASON_BYTES_MAX);
        return Err(Refusal::from(Common::TooLong { field, limit }).at("/reason"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::Role;
    use crate::grant::fixture::signed;

    #[test]
    fn a_reason_says_something() {
        for (reason, code) in [(" \\n ".to_owned(), "no_reason"), ("x".repeat(2_001), "too_long")] {
            let suspend = format!(r#"{{"grant":"G","reason":"{reason}"}}"#);
            let scenario = signed().by(Role::AuthorisingOfficer).when("grant.suspend", &suspend);
            scenario.refused(&format!("command.{code}")).at("/reason");
        }
    }
}
