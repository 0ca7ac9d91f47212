//! Finds the documents that a command carries.

use crate::decide::command::Parsed;
use crate::facts::documents::OPEN;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The rules document that a command carries: canonical JSON, whose digest the event will record.
///
/// # Errors
/// When it has no canonical form.
pub fn of_command(parsed: &Parsed) -> Result<Option<Vec<u8>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Payload<'a> {
        #[serde(borrow)]
        rules: &'a RawValue,
    }
    if parsed.command.declaration().name != OPEN {
        return Ok(None);
    }
    let payload = parsed.command.payload()?;
    let Payload { rules } = serde_json::from_slice(&payload)?;
    Ok(Some(rules.get().as_bytes().to_vec()))
}
