//! Words that enumerations take, on the command line as in JSON.

use serde::de::{DeserializeOwned, IntoDeserializer, value};

/// A word of an enumeration, as it is written in JSON.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
    T::deserialize(text).map_err(|error| error.to_string())
}
