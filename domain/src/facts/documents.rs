//! Documents: bytes that do not fit into an event, or must not be in it, and enter the log by their SHA-256.
//! This says which events name which documents. Who keeps their bytes is no matter of the rules.
//!
//! [`FIELDS`] is the one list. A test walks the schemas of all events in all versions: each hash in them
//! is in [`FIELDS`] or in [`OTHERS`].

use crate::facts::commit::Commit;
use crate::facts::world::World;
use crate::kernel::canonical;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{StreamId, StreamKey as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The command that opens a call with its rules.
pub(crate) const OPEN: &str = "call.open";

/// The event that holds the rules of a call.
const OPENED: &str = "call.Opened";

/// Where in it their digest is.
const RULES_SHA256: &str = "/rules_sha256";

/// A field of an event that names a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The type of the event.
    pub event: &'static str,
    /// Where in its data, as a JSON pointer (RFC 6901) in which `*` is any element of an array.
    pub pointer: &'static str,
    /// What the document is.
    pub what: &'static str,
}

const fn field(event: &'static str, pointer: &'static str, what: &'static str) -> Field {
    Field { event, pointer, what }
}

/// Every field that names a document.
pub const FIELDS: &[Field] = &[
    field("allocation.FinalReported", "/sha256", "final report"),
    field("allocation.UsageCorrected", "/source", "accounting record"),
    field("allocation.UsageRecorded", "/source", "accounting record"),
    field("audit.Answered", "/document", "answer to a finding"),
    field("audit.FindingRaised", "/holds/evidence", "evidence of a finding"),
    field(OPENED, RULES_SHA256, "rules document"),
    field("grant.AccountConfirmed", "/document", ACCOUNT),
    field("grant.AccountNamed", "/document", ACCOUNT),
    field("grant.AccountRefused", "/document", ACCOUNT),
    field("grant.HostingAgreed", "/document", "hosting agreement"),
    field("grant.ReportSubmitted", "/document", "report"),
    field("pledge.Certified", "/document", "certificate"),
    field("pledge.Signed", "/document", "signed pledge"),
    field("proposal.Submitted", "/documents/*/sha256", "document of a proposal"),
    field("statement.Imported", "/document", "bank statement"),
];

const ACCOUNT: &str = "form of a bank account";

/// Every other hash in an event, and of what it is.
pub const OTHERS: &[Field] = &[
    field("audit.NonceCommitted", "/commitment", "a number that is kept secret until the draw"),
    field("audit.SampleDrawn", "/checkpoint/root", "the tree of the log"),
    field("audit.SampleDrawn", "/nonce", "that number itself"),
    field("audit.SampleDrawn", "/population_sha256", "items that follow from the log"),
    field("audit.SampleDrawn", "/seed", "follows from the root and the number"),
    field("checkpoint.Recorded", "/root", "the tree of the log"),
    field("evaluation.ConflictDeclared", "/learnt/commitment", KEY),
    field("proposal.Submitted", "/content_sha256", "content that is in the log, and hashes"),
    field("subject.Corrected", "/contact/affiliation/commitment", KEY),
    field("subject.Corrected", "/contact/email/commitment", KEY),
    field("subject.Corrected", "/contact/name/commitment", KEY),
    field("subject.Corrected", "/expertise/commitment", KEY),
    field("subject.Corrected", "/replaced/*", KEY),
    field("subject.Erased", "/commitments/*", KEY),
    field("subject.Registered", "/contact/affiliation/commitment", KEY),
    field("subject.Registered", "/contact/email/commitment", KEY),
    field("subject.Registered", "/contact/name/commitment", KEY),
    field("subject.Registered", "/expertise/commitment", KEY),
];

/// What commits to the key of a sealed value (ADR/0021).
const KEY: &str = "the key of a sealed value";

/// A document that an event names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Which event of its commit, from 0.
    pub event: usize,
    /// Where in the data of the event, as a JSON pointer: `/documents/0/sha256`.
    pub field: String,
    /// The digest of its bytes.
    pub sha256: Sha256Hex,
    /// The stream of the event.
    pub stream: StreamId,
    /// What it is.
    pub what: &'static str,
}

/// The documents that a commit names, in the order of its events.
///
/// # Errors
/// When an event has no JSON form.
pub fn named(commit: &Commit) -> Result<Vec<Named>, serde_json::Error> {
    let mut found = Vec::new();
    for (index, recorded) in commit.events.iter().enumerate() {
        let kind = recorded.event.kind();
        let mut fields = FIELDS.iter().filter(|field| field.event == kind).peekable();
        if fields.peek().is_none() {
            continue;
        }
        let event = serde_json::to_value(&recorded.event)?;
        for Field { pointer, what, .. } in fields {
            hashes(&event["data"], pointer, String::new(), &mut |field, sha256| {
                found.push(Named {
                    event: index,
                    field,
                    sha256,
                    stream: recorded.stream.clone(),
                    what,
                });
            });
        }
    }
    Ok(found)
}

/// Walks to the hashes at a pointer: what is absent names nothing.
fn hashes(value: &Value, pointer: &str, at: String, take: &mut impl FnMut(String, Sha256Hex)) {
    let Some(rest) = pointer.strip_prefix('/') else {
        if let Some(sha256) = value.as_str().and_then(|text| text.parse().ok()) {
            take(at, sha256);
        }
        return;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    match value {
        Value::Array(items) if name == "*" => {
            for (index, item) in items.iter().enumerate() {
                hashes(item, rest, format!("{at}/{index}"), take);
            }
        }
        value => {
            if let Some(member) = value.get(name) {
                hashes(member, rest, format!("{at}/{name}"), take);
            }
        }
    }
}

/// Rules documents that a stored commit holds, as they were recorded: see [`rules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Which event of its commit, from 0.
    pub event: usize,
    /// The stored bytes: canonical JSON, if those of the commit are.
    pub bytes: Vec<u8>,
    /// The digest that is recorded with them. That of the bytes, unless somebody changed one of both.
    pub recorded: Sha256Hex,
    /// The stream.
    pub stream: StreamId,
}

impl Rules {
    /// Whether they are what their digest says.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        Sha256Hex::of(&self.bytes) == self.recorded
    }
}

/// The rules documents in a commit, from its stored bytes, so that no later shape of rules changes their
/// digest.
///
/// # Errors
/// When the bytes are not those of a commit.
pub fn rules(commit: &Commit, stored: &[u8]) -> Result<Vec<Rules>, serde_json::Error> {
    #[derive(Deserialize)]
    struct StoredCommit<'a> {
        #[serde(borrow)]
        events: Vec<StoredEvent<'a>>,
    }
    #[derive(Deserialize)]
    struct StoredEvent<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
        stream: StreamId,
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Opened<'a> {
        #[serde(borrow)]
        rules: &'a RawValue,
        rules_sha256: Sha256Hex,
    }
    if commit.events.iter().all(|recorded| recorded.event.kind() != OPENED) {
        return Ok(Vec::new());
    }
    let stored: StoredCommit<'_> = serde_json::from_slice(stored)?;
    let mut found = Vec::new();
    for (index, event) in stored.events.into_iter().enumerate() {
        if event.kind == OPENED {
            let opened: Opened<'_> = serde_json::from_str(event.data.get())?;
            found.push(Rules {
                event: index,
                bytes: opened.rules.get().as_bytes().to_vec(),
                recorded: opened.rules_sha256,
                stream: event.stream,
            });
        }
    }
    Ok(found)
}

/// The bytes of a rules document, as it is kept.
///
/// # Errors
/// When it has no canonical form.
pub fn rules_bytes(rules: &crate::rulebook::Document) -> Result<Vec<u8>, serde_json::Error> {
    canonical::to_bytes(rules)
}

/// Why a document that no event names is kept all the same, if it is.
///
/// Whose data such a document holds is not known, so a legal hold on anybody keeps it, too.
#[must_use]
pub fn held(world: &World) -> Option<StreamId> {
    let mut subjects = world.subjects.iter();
    let held = subjects.find(|(_, subject)| !subject.holds.is_empty());
    held.map(|(id, _)| id.stream())
}

#[cfg(test)]
mod tests;
