//! The history of every released version, read by this one: to the same states and views, to the same
//! bytes, and with nothing but errors when it is damaged.

use crate::invariants::Checker;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::{Commit, World};
use projections::Views;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The histories, by version.
pub fn released() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("history");
    let entries = std::fs::read_dir(directory).expect("tests/history");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    found.sort();
    assert!(!found.is_empty(), "there is a history to read");
    found
}

/// A line for each kind of stream that there are any of, and for each view: its digest.
fn digests(world: &World, views: &Views) -> String {
    let states = serde_json::to_value(world).expect("a state is JSON");
    let digest = |state: &Value| canonical::digest(state).expect("a canonical form");
    let mut lines: BTreeMap<String, Sha256Hex> = states
        .as_object()
        .expect("a world is an object")
        .iter()
        // A kind of stream that is younger than the history has none.
        .filter(|(_, state)| state.as_object().is_none_or(|streams| !streams.is_empty()))
        .map(|(name, state)| (format!("state {name}"), digest(state)))
        .collect();
    let views = views.digests().expect("a canonical form");
    lines.extend(views.into_iter().map(|(name, digest)| (format!("view {name}"), digest)));
    lines.iter().fold(String::new(), |mut text, (name, digest)| {
        let _ = writeln!(text, "{digest}  {name}");
        text
    })
}

#[test]
fn every_released_history_is_read_to_the_same_states_and_views_and_bytes() {
    for path in released() {
        let (mut world, mut views, mut checker) =
            (World::default(), Views::default(), Checker::default());
        for line in std::fs::read_to_string(&path).expect("a history").lines() {
            let commit = Commit::decode(line.as_bytes()).expect("a stored commit is for ever");
            let is_canonical = commit.is_canonical(line.as_bytes()).expect("a canonical form");
            assert!(is_canonical, "{}: position {}", path.display(), commit.position);
            world.apply(&commit);
            views.apply(&commit);
            checker.check(line).expect("what must always hold");
        }
        // `UPDATE_EXPECT=1` accepts what a change of a rule or a view means to the past.
        expect_test::expect_file![path.with_extension("digests")]
            .assert_eq(&digests(&world, &views));
    }
}

static ENTRIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let lines =
        released().into_iter().map(|path| std::fs::read_to_string(path).expect("a history"));
    lines
        .flat_map(|text| text.lines().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>())
        .collect()
});

/// What happens to a stored commit.
#[derive(Clone, Debug)]
enum Damage {
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Twice(prop::sample::Index, prop::sample::Index),
    Without(prop::sample::Index, prop::sample::Index),
    /// A word of one commit in the place of a word of another.
    Word(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        place().prop_map(Damage::Cut),
        (place(), place()).prop_map(|(from, to)| Damage::Twice(from, to)),
        (place(), place()).prop_map(|(from, to)| Damage::Without(from, to)),
        (place(), place(), place()).prop_map(|(at, of, from)| Damage::Word(at, of, from)),
    ]
}

/// The places of the JSON texts and numbers, quotes included.
fn words(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let ends = |byte: &u8| b",:{}[]".contains(byte);
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| ends(byte)) {
        if at > start {
            found.push(start..at);
        }
        start = at + 1;
    }
    found
}

fn damaged(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let length = bytes.len();
    let range = |from: &prop::sample::Index, to: &prop::sample::Index| {
        let (from, to) = (from.index(length), to.index(length));
        from.min(to)..from.max(to)
    };
    match damage {
        Damage::Byte(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Twice(from, to) => {
            let range = range(from, to);
            let part = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, part);
        }
        Damage::Without(from, to) => drop(bytes.drain(range(from, to))),
        Damage::Word(at, of, from) => {
            let other = &ENTRIES[of.index(ENTRIES.len())];
            let (own, others) = (words(&bytes), words(other));
            if !own.is_empty() {
                let word = other[others[from.index(others.len())].clone()].to_vec();
                bytes.splice(own[at.index(own.len())].clone(), word);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_commit_is_an_error_or_a_commit_and_never_a_panic(
        entry in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let bytes = ENTRIES[entry.index(ENTRIES.len())].clone();
        let bytes = damages.iter().fold(bytes, damaged);
        if let Ok(commit) = Commit::decode(&bytes) {
            let again = commit.encode().map(|bytes| Commit::decode(&bytes));
            prop_assert!(again.is_ok_and(|again| again.is_ok_and(|again| again == commit)));
            prop_assert!(commit.is_canonical(&bytes).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Commit::decode(&bytes).is_err());
    }
}
