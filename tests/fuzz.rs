//! Fuzz targets: everything that reads bytes of strangers. Each begins with good bytes, as real ones as
//! there are, and damages them. What is read must be written the same again, what is refused must be
//! refused in few words, nothing may panic, and nothing may hold that was not signed.
//!
//! `FUZZ_CASES` sets how many damaged texts each target gets: `FUZZ_CASES=5000000 cargo test -p tests
//! fuzz::` runs for hours. A failure prints the shortest text that it found.

mod corpus;
mod damage;
mod targets;

use crate::often::times;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};

/// Damaged texts for each target for each change, and at night.
const CASES: (u32, u32) = (500, 20_000);

/// Runs one target. What it gets is printed when it fails, as short as it could be made.
fn fuzz(seeds: Vec<Vec<u8>>, target: fn(&[u8]) -> TestCaseResult) {
    for seed in &seeds {
        target(seed).unwrap_or_else(|error| panic!("{error}: {}", seed.escape_ascii()));
    }
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = cases.unwrap_or_else(|| times(CASES.0, CASES.1));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let ended = TestRunner::new(config).run(&damage::damaged(seeds), |damaged| target(&damaged.0));
    ended.unwrap_or_else(|error| panic!("{error}"));
}

/// A test for each target, with the good bytes that it begins with.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(corpus::$name(), targets::$name);
        })*
    };
}

/// Texts that a target refused once.
#[test]
fn what_was_found_stays_mended() {
    let first = String::from_utf8(corpus::commit().swap_remove(0)).unwrap();
    let unwritable = first.replacen("\"version\":1", "\"version\":9223372036854775807", 1);
    assert_ne!(first, unwritable);
    assert!(domain::Commit::decode(unwritable.as_bytes()).is_err());
    let long = "— log.e".repeat(50);
    let no_end = String::from_utf8(corpus::checkpoint().swap_remove(0)).unwrap();
    type Target = fn(&[u8]) -> TestCaseResult;
    let found: &[(Target, String)] = &[
        (targets::commit, unwritable),
        (targets::checkpoint, no_end.trim_end().to_owned()),
        (targets::signature_lines, format!("{long}\n")),
        (targets::note, format!("text\n\n{long}\n")),
        (targets::tile_path, "ti".repeat(200)),
    ];
    for (target, text) in found {
        target(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:.100}"));
    }
}

targets! {
    note
    signature_lines
    checkpoint
    proof
    pack
    request
    tile_path
    hash_tile
    entry_bundle
    public_key
    secret_key
    commit
    event
}
