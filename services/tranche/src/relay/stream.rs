//! The stream of the events: its settings, its end, and making it anew.

use super::RelayError;
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use eventlog::Setting;
use eventlog::nats::READ_WAIT;
use eventlog::nats::wire::{Refused, Wire, until};
use serde_json::{Map, Value, json};

/// The oldest server that stores many messages all or none, and knows ids in such a batch.
pub const SERVER_VERSION_MIN: (u64, u64, u64) = (2, 12, 1);

/// There is no such stream.
pub(super) const STREAM_NOT_FOUND: u64 = 10059;
/// The stream is there, with other settings; or another process has just made it.
const STREAM_EXISTS: u64 = 10058;

/// The last message of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// How many messages were ever stored, which is how many events were relayed.
    pub(super) sequence: u64,
    /// What the last message says of itself; none when it has expired.
    pub(super) last: Option<Last>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) position: u64,
    pub(super) index: usize,
    pub(super) count: usize,
    pub(super) commit: String,
}

/// The settings with which a relay makes its stream, for the log in `stream`, as the JSON that
/// `nats stream add --config` reads.
#[must_use]
pub fn stream_settings(stream: &str, replicas: usize) -> Value {
    let mut settings = Map::new();
    settings.insert("name".to_owned(), json!(format!("{stream}-events")));
    settings.insert("num_replicas".to_owned(), json!(replicas));
    for (name, value) in exact_settings(stream) {
        if !value.is_null() {
            settings.insert(name.to_owned(), value);
        }
    }
    Value::Object(settings)
}

/// The settings that must be just so. What is not named is the operator's: for how long and how much
/// is kept, and the window of duplicates. `null` stands for a setting that must not be there.
fn exact_settings(stream: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("subjects", json!([format!("{stream}.events.>")])),
        // The number of a message is the number of the event in the log: nothing comes from elsewhere.
        ("mirror", Value::Null),
        ("sources", Value::Null),
        ("subject_transform", Value::Null),
        ("first_seq", Value::Null),
        ("allow_rollup_hdrs", json!(false)),
        ("allow_msg_counter", json!(false)),
        ("allow_msg_schedules", json!(false)),
        ("storage", json!("file")),
        ("no_ack", json!(false)),
        ("persist_mode", Value::Null),
        // Room is made by dropping what is old, never by refusing what is new.
        ("retention", json!("limits")),
        ("discard", json!("old")),
        ("max_msg_size", json!(-1)),
        ("sealed", json!(false)),
        ("allow_direct", json!(true)),
        ("allow_atomic", json!(true)),
    ]
}

/// Makes the stream if it is missing, and checks it.
pub(super) async fn prepare(wire: &Wire, log: &str, replicas: usize) -> Result<(), RelayError> {
    let mut wrong = wrong_in_server(wire);
    if !wrong.is_empty() {
        return Err(refused(wire, wrong));
    }
    let info = match wire.api("STREAM.INFO", &json!({})).await? {
        Err(no) if no.err_code == STREAM_NOT_FOUND => {
            match wire.api("STREAM.CREATE", &stream_settings(log, replicas)).await? {
                Err(no) if no.err_code != STREAM_EXISTS => return Err(unavailable(wire, &no)),
                Ok(_) | Err(_) => (),
            }
            wire.api("STREAM.INFO", &json!({})).await?
        }
        answer => answer,
    };
    let info = info.map_err(|no| unavailable(wire, &no))?;
    wrong.extend(wrong_in_stream(&info["config"], log, replicas));
    if wrong.is_empty() { Ok(()) } else { Err(refused(wire, wrong)) }
}

fn wrong_in_server(wire: &Wire) -> Vec<Setting> {
    let version = wire.client().server_info().version;
    let mut numbers = version.split('.').map(|number| number.parse::<u64>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (major, minor, patch) = SERVER_VERSION_MIN;
    if (next(), next(), next()) >= SERVER_VERSION_MIN {
        return Vec::new();
    }
    let wanted = format!("{major}.{minor}.{patch} or later");
    vec![Setting { name: "the version of the server".to_owned(), found: version, wanted }]
}

fn wrong_in_stream(config: &Value, log: &str, replicas: usize) -> Vec<Setting> {
    let shown = |value: &Value| {
        if value.is_null() { "absent".to_owned() } else { value.to_string() }
    };
    let setting = |name: &str, wanted: String| Setting {
        name: name.to_owned(),
        found: shown(&config[name]),
        wanted,
    };
    let mut wrong: Vec<_> = exact_settings(log)
        .into_iter()
        .filter(|(name, wanted)| !is_same(&config[*name], wanted))
        .map(|(name, wanted)| setting(name, shown(&wanted)))
        .collect();
    if config["num_replicas"].as_u64().is_none_or(|found| found < replicas as u64) {
        wrong.push(setting("num_replicas", format!("{replicas} or more")));
    }
    wrong
}

/// Servers leave out what is empty, false, or the default.
fn is_same(found: &Value, wanted: &Value) -> bool {
    let nothing = |value: &Value| {
        matches!(value.as_str(), Some("" | "default"))
            || matches!(value, Value::Null | Value::Bool(false))
            || value.as_i64() == Some(0)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    found == wanted || (nothing(found) && nothing(wanted))
}

/// Deletes the stream with all that is in it; it is no error when there is none.
pub(super) async fn delete(wire: &Wire) -> Result<(), RelayError> {
    match wire.api("STREAM.DELETE", &json!({})).await? {
        Err(no) if no.err_code != STREAM_NOT_FOUND => Err(unavailable(wire, &no)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads the end of the stream; how much there is of it comes from the leader.
pub(super) async fn end(wire: &Wire) -> Result<End, RelayError> {
    let info = wire.api("STREAM.INFO", &json!({})).await?;
    let state = &info.map_err(|no| unavailable(wire, &no))?["state"];
    let number = |name: &str| state[name].as_u64().unwrap_or(0);
    let sequence = number("last_seq");
    if number("messages") == 0 {
        return Ok(End { sequence, last: None });
    }
    Ok(End { sequence, last: last(wire, sequence).await? })
}

/// One message, of any server that has it; none when it has been deleted or has expired.
async fn last(wire: &Wire, sequence: u64) -> Result<Option<Last>, RelayError> {
    let subject = wire.api_subject("DIRECT.GET");
    let body = Bytes::from(json!({ "seq": sequence }).to_string());
    let found = until(READ_WAIT, || async {
        let message = wire.ask(subject.clone(), HeaderMap::new(), body.clone()).await?;
        match message.status {
            None | Some(StatusCode::OK) => Ok(message),
            // The server that answered may be behind.
            Some(status) => {
                let what = format!("stream {}: message {sequence}: {status}", wire.stream());
                Err(eventlog::Error::Unavailable(what))
            }
        }
    });
    let message = match found.await {
        Ok(message) => message,
        // Whether it was deleted is asked of the leader.
        Err(eventlog::Error::Unavailable(why)) => {
            const NOT_THERE: u64 = 10037;
            return match wire.api("STREAM.MSG.GET", &json!({ "seq": sequence })).await? {
                Err(no) if no.err_code == NOT_THERE => Ok(None),
                Ok(_) | Err(_) => Err(eventlog::Error::Unavailable(why).into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str().to_owned());
    let read = || {
        Some(Last {
            position: header("ce-position")?.parse().ok()?,
            index: header("ce-eventindex")?.parse().ok()?,
            count: header("ce-eventcount")?.parse().ok()?,
            commit: header("ce-commitid")?,
        })
    };
    read().map(Some).ok_or(RelayError::Foreign { stream: wire.stream().to_owned(), sequence })
}

fn refused(wire: &Wire, wrong: Vec<Setting>) -> RelayError {
    let store = format!("the NATS stream {}", wire.stream());
    RelayError::Settings(eventlog::Error::Settings { store, wrong })
}

pub(super) fn unavailable(wire: &Wire, refused: &Refused) -> RelayError {
    RelayError::Log(eventlog::Error::Unavailable(format!("stream {}: {refused}", wire.stream())))
}
