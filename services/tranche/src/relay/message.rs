//! One event as one message: a CloudEvent 1.0 in binary mode. Pure; see ADR/0013.

use domain::facts::commit::{Commit, Recorded};
use domain::kernel::canonical;
use std::fmt::Write as _;

/// The attributes that every message has, in the order in which they are documented.
pub const ALWAYS: &[(&str, &str)] = &[
    ("specversion", "The version of CloudEvents"),
    ("id", "The commit and the place of the event in it, from 1: unique for ever"),
    ("source", "The log"),
    ("type", "The type of the event"),
    ("subject", "The stream of the event"),
    ("time", "When it was recorded"),
    ("datacontenttype", "What the body is"),
    ("position", "The place of the commit in the log, from 1 without gaps"),
    ("eventindex", "The place of the event in its commit, from 1"),
    ("eventcount", "How many events the commit has"),
    ("streamversion", "The place of the event in its stream, from 1 without gaps"),
    ("schemaversion", "The version of the shape of the body"),
    ("effectiveat", "When it was true"),
    ("receivedat", "When the command came"),
    ("commitid", "The commit"),
    ("command", "The name of the command"),
    ("commandid", "The command"),
    ("actor", "Who did it: an opaque id"),
    ("actorrole", "The role in which it was done"),
];

/// The attributes that a message may have. The note of the evidence is none: it is free text, and may
/// hold names.
pub const SOMETIMES: &[(&str, &str)] = &[
    ("onbehalfof", "For whom it was done"),
    ("causationid", "What led to it"),
    ("correlationid", "The conversation it belongs to"),
    ("evidencesource", "Where the fact comes from"),
    ("evidenceconfidence", "How sure it is"),
];

/// What stands in front of an attribute's name to make it the name of a header.
pub const PREFIX: &str = "ce-";
/// What the body of every message is.
pub const CONTENT_TYPE: &str = "application/json";

/// A message of the relay, before it is one of NATS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `STREAM.events.<category>.<id>.<type>`.
    pub subject: String,
    /// The position of the commit.
    pub position: u64,
    /// The place of the event in its commit, from 1.
    pub index: usize,
    /// Headers with their values, encoded.
    pub headers: Vec<(String, String)>,
    /// The data of the event in canonical JSON.
    pub body: Vec<u8>,
}

impl Message {
    /// Names the message in its stream: position and index.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.position, self.index)
    }
}

/// The messages of a commit, in order, for the log that is kept in `stream`.
///
/// # Errors
/// When an event has no canonical form.
pub fn messages(stream: &str, commit: &Commit) -> Result<Vec<Message>, serde_json::Error> {
    let events = (1..).zip(&commit.events);
    events.map(|(index, event)| message(stream, commit, index, event)).collect()
}

fn message(
    stream: &str,
    commit: &Commit,
    index: usize,
    recorded: &Recorded,
) -> Result<Message, serde_json::Error> {
    let mut event = serde_json::to_value(&recorded.event)?;
    let body = canonical::to_bytes(&event["data"].take())?;
    let mut headers = vec![("content-type".to_owned(), CONTENT_TYPE.to_owned())];
    for (name, value) in attributes(stream, commit, index, recorded)? {
        headers.push((format!("{PREFIX}{name}"), encode(&value)));
    }
    let subject = subject(stream, recorded);
    Ok(Message { subject, position: commit.position, index, headers, body })
}

fn attributes(
    stream: &str,
    commit: &Commit,
    index: usize,
    recorded: &Recorded,
) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", format!("{}/{index}", commit.commit_id)),
        ("source", source(stream)),
        ("type", recorded.event.kind().to_owned()),
        ("subject", recorded.stream.to_string()),
        ("time", commit.recorded_at.to_string()),
        ("datacontenttype", CONTENT_TYPE.to_owned()),
        ("position", commit.position.to_string()),
        ("eventindex", index.to_string()),
        ("eventcount", commit.events.len().to_string()),
        ("streamversion", recorded.version.to_string()),
        ("schemaversion", recorded.schema_version.to_string()),
        ("effectiveat", recorded.effective_at.to_string()),
        ("receivedat", commit.received_at.to_string()),
        ("commitid", commit.commit_id.to_string()),
        ("command", commit.command.to_string()),
        ("commandid", commit.command_id.to_string()),
        ("actor", commit.actor.id.to_string()),
        ("actorrole", commit.actor.role.to_string()),
    ];
    let mut also = |name, value: Option<String>| {
        attributes.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    also("onbehalfof", commit.actor.on_behalf_of.as_ref().map(ToString::to_string));
    also("causationid", commit.causation_id.as_ref().map(ToString::to_string));
    also("correlationid", commit.correlation_id.as_ref().map(ToString::to_string));
    if let Some(evidence) = &commit.evidence {
        let confidence = serde_json::to_value(evidence.confidence)?;
        also("evidencesource", Some(evidence.source.clone()));
        also("evidenceconfidence", confidence.as_str().map(str::to_owned));
    }
    Ok(attributes)
}

/// The `source` of every event of a log: a URI of our own scheme.
#[must_use]
pub fn source(stream: &str) -> String {
    format!("tranche:{stream}")
}

/// The subject of an event. Its last token is the type without the category, which is there already.
#[must_use]
pub fn subject(stream: &str, recorded: &Recorded) -> String {
    let (category, id) = (recorded.stream.category(), recorded.stream.id());
    let kind = recorded.event.kind();
    let name = kind.split_once('.').map_or(kind, |(_, name)| name);
    format!("{stream}.events.{}.{}.{}", token(category), token(id), token(name))
}

/// Any text as one token of a subject. Letters, digits, `-` and `_` stay, and every other byte is `%`
/// with two capital hexadecimal digits, so that percent-decoding gives the text back. The empty text,
/// which no token may be, is `%`.
#[must_use]
pub fn token(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    escape(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The value of a header, as the binding wants it: what is not printable ASCII, and space, quote and
/// percent, as `%XX`.
fn encode(value: &str) -> String {
    escape(value, |byte| matches!(byte, b'!'..=b'~') && byte != b'"' && byte != b'%')
}

fn escape(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            escaped.push(char::from(byte));
        } else {
            // A string takes all that is written to it.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
