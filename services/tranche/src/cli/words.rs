//! Words: those that enumerations take, on the command line as in JSON; and those that are said to the
//! person at the terminal.

use serde::de::{DeserializeOwned, IntoDeserializer, value};
use std::fmt;
use std::io::{self, Write as _};
pub use tranche_proof::verdict::counted;

/// A word of an enumeration, as it is written in JSON.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
    T::deserialize(text).map_err(|error| error.to_string())
}

/// Says a line to the person at the terminal. If nobody listens, that is no failure.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
