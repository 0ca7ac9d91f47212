//! The metadata of the stream: what a log needs, and refusing what would let history be dropped.

use eventstore::{Error as Failure, EventData};
use serde_json::{Value, json};

use super::wire::{Range, Wire};
use crate::log::{Error, Setting};
use crate::remote::{READ_WAIT, until};

/// The version of the format, kept in the stream's metadata. A program refuses every other.
const FORMAT: &str = "1";
const FORMAT_KEY: &str = "eventlog-format";
const ACL: &str = "$acl";
const ADMINS: &str = "$admins";

/// What drops events, or hides them until they are dropped: by age, by number, by deletion.
const ABSENT: [&str; 3] = ["$maxAge", "$maxCount", "$tb"];
/// Who may do what to the stream: delete it, and change this metadata.
const GUARDED: [&str; 2] = ["$d", "$mw"];

/// Makes the metadata with which a log marks its stream.
pub fn stream_metadata() -> Value {
    json!({ FORMAT_KEY: FORMAT, ACL: { "$d": ADMINS, "$mw": ADMINS } })
}

/// Marks the stream if it has no metadata and may be marked, and checks it.
pub(super) async fn prepare(wire: &Wire, may_create: bool) -> Result<(), Error> {
    let metadata = match read(wire).await? {
        Some(metadata) => metadata,
        None if may_create => create(wire).await?,
        None => {
            let what = format!("there is no log in stream {} (it has no metadata)", wire.stream);
            return Err(Error::Unavailable(what));
        }
    };
    let wrong = wrong_in(&metadata);
    let store = || format!("the EventStoreDB stream {}", wire.stream);
    if wrong.is_empty() { Ok(()) } else { Err(Error::Settings { store: store(), wrong }) }
}

/// The stream that holds the metadata of ours.
fn metadata_stream(wire: &Wire) -> String {
    format!("$${}", wire.stream)
}

async fn read(wire: &Wire) -> Result<Option<Value>, Error> {
    let events = until(READ_WAIT, || async {
        let events = wire.events(&metadata_stream(wire), Range::Last).await;
        events.map_err(|failure| wire.failed(&failure))
    })
    .await?;
    // What is no JSON is shown as what it is not: the mark of a log.
    Ok(events.first().map(|event| event.as_json().unwrap_or(Value::Null)))
}

async fn create(wire: &Wire) -> Result<Value, Error> {
    // A stream of somebody else, that was there before us, is not marked.
    let events = wire.events(&wire.stream, Range::Last).await;
    if !events.map_err(|failure| wire.failed(&failure))?.is_empty() {
        return Ok(Value::Null);
    }
    let event = || EventData::json("$metadata", &stream_metadata());
    let made = until(READ_WAIT, || async {
        let event = event().map_err(|error| Error::Unavailable(error.to_string()))?;
        match wire.append(&metadata_stream(wire), 0, event).await {
            // Another process has just made it, or this one, and the answer was lost.
            Ok(_) | Err(Failure::WrongExpectedVersion { .. }) => Ok(()),
            Err(failure) => Err(wire.failed(&failure)),
        }
    });
    made.await?;
    Ok(read(wire).await?.unwrap_or(Value::Null))
}

fn wrong_in(metadata: &Value) -> Vec<Setting> {
    let mut wrong = Vec::new();
    let mut check = |name: String, found: &Value, wanted: Option<&str>| {
        let is_wanted = match wanted {
            Some(wanted) => found == wanted || *found == json!([wanted]),
            None => found.is_null(),
        };
        if !is_wanted {
            let found = if found.is_null() { "absent".to_owned() } else { found.to_string() };
            wrong.push(Setting { name, found, wanted: wanted.unwrap_or("absent").to_owned() });
        }
    };
    check(FORMAT_KEY.to_owned(), &metadata[FORMAT_KEY], Some(FORMAT));
    for name in ABSENT {
        check(name.to_owned(), &metadata[name], None);
    }
    for right in GUARDED {
        check(format!("{ACL}.{right}"), &metadata[ACL][right], Some(ADMINS));
    }
    wrong
}
