//! Upcasters tried at the reading point itself, on a log of before that never was: in it the events of
//! a claim had other shapes.

use super::*;
use crate::facts::commit::Commit;
use crate::facts::event::upcasters;
use crate::facts::stored::DecodeError;
use crate::facts::world::World;
use proptest::prelude::*;
use serde_json::json;

const HISTORY: &str = include_str!("../../../../tests/history/0.1.0.jsonl");

/// Version 1 of `claim.Withdrawn` had no reason, version 2 called it `why`; the newest is 3. Version 1
/// of `claim.Published` called `what` `title`.
const CLAIMS: &[Upcaster] = &[
    Upcaster {
        event: "claim.Published",
        from: 1,
        schema: "",
        up: |data| rename(data, "title", "what"),
    },
    Upcaster {
        event: "claim.Withdrawn",
        from: 1,
        schema: "",
        up: |mut data| {
            if let Some(data) = data.as_object_mut() {
                data.insert("why".to_owned(), "not given".into());
            }
            data
        },
    },
    Upcaster {
        event: "claim.Withdrawn",
        from: 2,
        schema: "",
        up: |data| rename(data, "why", "reason"),
    },
];

fn rename(mut data: Value, old: &str, new: &str) -> Value {
    if let Some(members) = data.as_object_mut()
        && let Some(value) = members.remove(old)
    {
        members.insert(new.to_owned(), value);
    }
    data
}

fn tables(category: &str) -> &'static [Upcaster] {
    if category == "claim" { CLAIMS } else { upcasters(category) }
}

/// A commit of one event of a claim.
fn stored(kind: &str, version: u32, data: &Value) -> Vec<u8> {
    let zeros = "0".repeat(64);
    let at = "2025-01-01T00:00:00Z";
    let commit = json!({
        "actor": { "id": "a", "role": "auditor" }, "command": "test.do", "command_hash": zeros,
        "command_id": "test/1", "commit_id": "0191dbf2-3c00-7a1b-8000-000000000000",
        "decided_on": { "claim-C": 0 }, "position": 1, "received_at": at, "recorded_at": at,
        "events": [{ "data": data, "effective_at": at, "schema_version": version,
            "stream": "claim-C", "type": kind, "version": 1 }],
    });
    crate::kernel::canonical::to_bytes(&commit).unwrap()
}

fn read(kind: &str, version: u32, data: &Value) -> Result<Commit, DecodeError> {
    Commit::decode_by(&stored(kind, version, data), tables)
}

#[test]
fn every_version_of_before_is_read_as_the_newest() {
    let newest = read("claim.Withdrawn", 3, &json!({ "reason": "not given" })).unwrap();
    assert_eq!(newest.events[0].schema_version, 3);
    for (version, data) in [(1, json!({})), (2, json!({ "why": "not given" }))] {
        assert_eq!(read("claim.Withdrawn", version, &data).unwrap(), newest, "version {version}");
    }
}

#[test]
fn a_version_of_later_is_refused_with_event_and_version_and_what_is_needed() {
    let data = json!({ "reason": "r" });
    let error = read("claim.Withdrawn", 4, &data).unwrap_err();
    assert!(matches!(error, DecodeError::NewerEvent { version: 4, newest: 3, .. }));
    assert_eq!(
        error.to_string(),
        "event \"claim.Withdrawn\" has schema version 4, and this program reads at most 3: a newer \
         program is needed"
    );
    // Whatever its data have become.
    let error = read("claim.Withdrawn", 4, &json!([1])).unwrap_err();
    assert!(matches!(error, DecodeError::NewerEvent { .. }), "{error}");
    for (kind, version) in
        [("claim.Frozen", 1), ("frost.Frozen", 2), ("x", 1), ("claim.Withdrawn", 0)]
    {
        let error = read(kind, version, &data).unwrap_err();
        let is_unknown = matches!(error, DecodeError::UnknownEvent { .. });
        assert!(is_unknown, "{kind} {version}: {error}");
    }
}

#[test]
fn an_old_event_that_lacks_what_it_had_is_refused_by_name() {
    for data in [json!({}), json!([]), json!(null), json!("why"), json!({ "why": 1 })] {
        let error = read("claim.Withdrawn", 2, &data).unwrap_err();
        assert!(matches!(error, DecodeError::Event { .. }), "{data}: {error}");
    }
}

proptest! {
    /// Steps take whatever is stored: what they make of it is refused by name, or is an event.
    #[test]
    fn whatever_an_old_event_holds_is_an_event_or_refused(
        kind in prop::sample::select(vec!["claim.Withdrawn", "claim.Published"]),
        version in 0_u32..5,
        names in prop::collection::vec("why|what|reason|title|[a-z]{0,3}", 0..4),
        value in prop::sample::select(vec![json!(null), json!(1), json!("text"), json!([]), json!({})]),
    ) {
        let members = names.into_iter().map(|name| (name, value.clone()));
        for data in [value.clone(), Value::Object(members.collect())] {
            if let Ok(commit) = Commit::decode_by(&stored(kind, version, &data), tables) {
                let written = commit.encode().unwrap();
                prop_assert_eq!(Commit::decode_by(&written, tables).unwrap(), commit);
            }
        }
    }
}

#[test]
fn a_whole_history_of_before_folds_to_the_same_world() {
    let (mut new, mut old, mut lifted) = (World::default(), World::default(), 0);
    for line in HISTORY.lines() {
        new.apply(&Commit::decode(line.as_bytes()).unwrap());
        let mut stored: Value = serde_json::from_str(line).unwrap();
        for event in stored["events"].as_array_mut().unwrap() {
            match event["type"].as_str() {
                Some("claim.Published") => {
                    event["data"] = rename(event["data"].take(), "what", "title");
                }
                Some("claim.Withdrawn") => {
                    event["data"] = rename(event["data"].take(), "reason", "why");
                }
                _ => continue,
            }
            event["schema_version"] = if event["type"] == "claim.Withdrawn" { 2 } else { 1 }.into();
            lifted += 1;
        }
        let bytes = crate::kernel::canonical::to_bytes(&stored).unwrap();
        let commit = Commit::decode_by(&bytes, tables).unwrap();
        assert!(commit.is_canonical_by(&bytes, tables).unwrap());
        old.apply(&commit);
    }
    assert!(lifted > 0, "the history has claims");
    assert_eq!(old, new);
}

#[test]
fn canonical_form_is_asked_of_what_is_stored_in_every_version() {
    let canonical = stored("claim.Withdrawn", 2, &json!({ "why": "w" }));
    let text = String::from_utf8(canonical.clone()).unwrap();
    let spaced = text.replacen(':', ": ", 1).into_bytes();
    for (bytes, expected) in [(canonical, true), (spaced, false)] {
        let commit = Commit::decode_by(&bytes, tables).unwrap();
        assert_eq!(commit.is_canonical_by(&bytes, tables).unwrap(), expected);
    }
    // At the newest version, nothing may be there that the event does not have.
    let bytes = stored("claim.Withdrawn", 3, &json!({ "reason": "r", "z": 1 }));
    if let Ok(commit) = Commit::decode_by(&bytes, tables) {
        assert!(!commit.is_canonical_by(&bytes, tables).unwrap());
    }
}
