//! The committed JSON Schemas of the events: they are what the code says, for ever. And an independent
//! validator finds every stored event as its schema says.

use crate::desk::Desk;
use crate::life::{self, Dice};
use domain::facts::schemas;
use domain::facts::schemas::EventSchema;
use domain::kernel::canonical::Sha256Hex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The schemas that are frozen, as `sha256sum --check` reads them.
const SUMS: &str = "SHA256SUMS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn directory() -> PathBuf {
    root().join("domain/schemas")
}

/// Every committed schema: path from the directory, text.
fn committed(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for category in std::fs::read_dir(directory).unwrap() {
        let category = category.unwrap().path();
        if !category.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&category).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(directory).unwrap().to_string_lossy().replace('\\', "/");
            found.insert(path, text);
        }
    }
    found
}

/// Path and hash of each line.
fn sums(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect()
}

fn listed(sums: &BTreeMap<String, String>) -> String {
    sums.iter().fold(String::new(), |mut text, (path, hash)| {
        let _ = writeln!(text, "{hash}  {path}");
        text
    })
}

/// All that is wrong with a directory of schemas, each with what to do.
fn findings(
    schemas: &[EventSchema],
    committed: &BTreeMap<String, String>,
    frozen: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for schema in schemas {
        let EventSchema { event, version, .. } = schema;
        let path = schema.path();
        match committed.get(&path) {
            None => found.push(format!(
                "{event} has no schema: run `UPDATE_EXPECT=1 cargo test -p tests schemas`"
            )),
            Some(text) if *text != schema.to_string() => found.push(format!(
                "{event}: the shape changed. Give it version {}: an `Upcaster` from version \
                 {version} in its decider; then run `UPDATE_EXPECT=1 cargo test -p tests schemas`",
                version + 1
            )),
            Some(_) => {}
        }
        known.insert(path);
    }
    for (path, text) in committed {
        if !known.contains(path) {
            found.push(format!("{path}: no event has this version, and no upcaster reads it"));
        }
        match frozen.get(path) {
            None => found.push(format!("{path} is not in {SUMS}")),
            Some(hash) if *hash != Sha256Hex::of(text.as_bytes()).to_string() => found.push(
                format!("{path} was changed: a committed schema is frozen; take the change back"),
            ),
            Some(_) => {}
        }
    }
    for path in frozen.keys().filter(|path| !committed.contains_key(*path)) {
        found.push(format!("{path} is in {SUMS}, and is gone: a committed schema is for ever"));
    }
    found
}

/// Adds what is not there. What is there is never changed.
fn add_missing(schemas: &[EventSchema], directory: &Path) {
    let list = directory.join(SUMS);
    let mut frozen = sums(&std::fs::read_to_string(&list).unwrap_or_default());
    for schema in schemas {
        let path = directory.join(schema.path());
        if !path.exists() && !frozen.contains_key(&schema.path()) {
            let text = schema.to_string();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            frozen.insert(schema.path(), Sha256Hex::of(text.as_bytes()).to_string());
            std::fs::write(&path, text).unwrap();
        }
    }
    std::fs::write(list, listed(&frozen)).unwrap();
}

#[test]
fn every_version_of_every_event_has_its_frozen_schema() {
    let directory = directory();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        add_missing(&schemas::all(), &directory);
    }
    let text = std::fs::read_to_string(directory.join(SUMS)).unwrap();
    let frozen = sums(&text);
    assert_eq!(text, listed(&frozen), "{SUMS} is in order, and has each path once");
    let found = findings(&schemas::all(), &committed(&directory), &frozen);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_was_released_is_still_frozen() {
    let frozen = sums(&std::fs::read_to_string(directory().join(SUMS)).unwrap());
    let mut count = 0;
    for history in crate::histories::released() {
        let released = std::fs::read_to_string(history.with_extension("sha256"));
        let released = released.expect("copy domain/schemas/SHA256SUMS beside the history");
        for (path, hash) in sums(&released) {
            assert_eq!(frozen.get(&path), Some(&hash), "{path} was released so");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_change_of_a_schema_is_found() {
    let schema = |event: &str, version, kind: &str| EventSchema {
        event: event.to_owned(),
        version,
        schema: serde_json::json!({ "$id": schemas::id(event, version), "type": kind }),
    };
    let now = [schema("a.B", 1, "object"), schema("a.B", 2, "array"), schema("a.C", 1, "object")];
    let files: BTreeMap<_, _> = now.iter().map(|one| (one.path(), one.to_string())).collect();
    let hash = |text: &String| Sha256Hex::of(text.as_bytes()).to_string();
    let frozen: BTreeMap<_, _> =
        files.iter().map(|(path, text)| (path.clone(), hash(text))).collect();
    assert_eq!(findings(&now, &files, &frozen), Vec::<String>::new());

    let one = |found: Vec<String>, part: &str| {
        assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:?}");
    };
    let mut changed = now.clone();
    changed[1].schema["type"] = "string".into();
    one(findings(&changed, &files, &frozen), "a.B: the shape changed. Give it version 3");
    let mut fewer = (files.clone(), frozen.clone());
    fewer.0.remove("a/C.v1.json");
    fewer.1.remove("a/C.v1.json");
    one(findings(&now, &fewer.0, &fewer.1), "a.C has no schema");
    one(findings(&now[1..], &files, &frozen), "a/B.v1.json: no event has this version");
    one(findings(&now, &files, &fewer.1), "a/C.v1.json is not in");
    // Changed with the code, so that only the hash tells.
    let mut edited = (now.clone(), files.clone());
    edited.0[2].schema["type"] = "string".into();
    edited.1.insert("a/C.v1.json".to_owned(), edited.0[2].to_string());
    one(findings(&edited.0, &edited.1, &frozen), "a/C.v1.json was changed");
    let (fewer_now, fewer_files) = (&now[..2], &fewer.0);
    one(findings(fewer_now, fewer_files, &frozen), "a/C.v1.json is in SHA256SUMS, and is gone");
}

/// Runs the validator on a file of stored commits. What it said, and whether all is well.
fn validated(commits: &Path) -> (bool, String) {
    let python = root().join("target/test-tools/python/bin/python");
    assert!(python.exists(), "Python is not set up: run tests/run, which does that");
    let check = root().join("tests/schemas/check.py");
    let output = Command::new(python).arg(check).args([&directory(), commits]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_event_of_every_history_is_as_its_schema_says_by_another_program() {
    for history in crate::histories::released() {
        let (is_valid, said) = validated(&history);
        assert!(is_valid, "{}: {said}", history.display());
    }
}

#[test]
fn every_type_of_event_is_recorded_as_its_schema_says_by_another_program() {
    let (mut lines, mut seen) = (Vec::new(), BTreeSet::new());
    for kind in 0..life::KINDS.len() {
        for (seed, is_thorough) in (0..12).map(|seed| (seed, seed % 2 == 0)) {
            let mut desk = Desk::new();
            for step in life::life(kind, "1", Dice::of_seed(seed), is_thorough) {
                let _ = desk.give(&step).expect("every promise is kept");
            }
            for entry in &desk.entries {
                let commit: Value = serde_json::from_slice(entry).unwrap();
                let events = commit["events"].as_array().unwrap();
                let types = events.iter().map(|event| event["type"].as_str().unwrap().to_owned());
                // A commit that shows nothing new is not sent to the other program.
                let new = types.filter(|kind| seen.insert(kind.clone())).count();
                if new > 0 || seed == 0 {
                    lines.extend_from_slice(entry);
                    lines.push(b'\n');
                }
            }
        }
    }
    let all: BTreeSet<_> = schemas::newest().into_iter().map(|schema| schema.event).collect();
    let missing: Vec<_> = all.difference(&seen).collect();
    let file = root().join("target/lives.jsonl");
    std::fs::write(&file, lines).unwrap();
    let (is_valid, said) = validated(&file);
    assert!(is_valid, "{said}");
    assert!(missing.is_empty(), "these are in no life: {missing:?}");
}

#[test]
fn the_other_program_finds_what_does_not_fit() {
    let history = crate::histories::released().remove(0);
    let text = std::fs::read_to_string(history).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    type Spoil = fn(&mut Value);
    let spoils: [(&str, Spoil); 4] = [
        ("a member that no schema names", |event| event["data"]["z"] = 1.into()),
        ("no member at all", |event| event["data"] = serde_json::json!({})),
        ("another version", |event| event["schema_version"] = 99.into()),
        ("another type", |event| event["type"] = "fund.Melted".into()),
    ];
    for (index, (what, spoil)) in spoils.iter().enumerate() {
        let mut commit = first.clone();
        spoil(&mut commit["events"][0]);
        let file = root().join(format!("target/spoilt-{index}.jsonl"));
        std::fs::write(&file, format!("{commit}\n")).unwrap();
        let (is_valid, said) = validated(&file);
        assert!(!is_valid && said.contains("position 1"), "{what}: {said}");
    }
}
