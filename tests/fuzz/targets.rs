//! What must hold of whatever bytes, for each reader.

use super::corpus::{CORPUS, ORIGIN};
use bytes::Bytes;
use domain::Commit;
use eventlog::tlog::cosign::{self, Request};
use eventlog::tlog::note::{self, Note, Signer, Verifier};
use eventlog::tlog::tile::{self, Tile};
use eventlog::tlog::{Checkpoint, Hash, PROOF_HASHES_MAX, Proof, Tree};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::{Value, json};
use std::fmt::Display;

/// The longest message about a wrong text of strangers, in bytes: they do not fill our logs.
const MESSAGE_BYTES_MAX: usize = 400;

/// A refusal in few words.
fn is_short(error: impl Display) -> TestCaseResult {
    let said = error.to_string();
    prop_assert!(said.len() <= MESSAGE_BYTES_MAX, "{} bytes: {said:.100}", said.len());
    Ok(())
}

/// Reads the bytes if they are text; else nobody reads them further.
macro_rules! read {
    ($bytes:expr, $parse:expr) => {
        match str::from_utf8($bytes).map($parse) {
            Ok(Ok(read)) => (read, str::from_utf8($bytes).unwrap_or_default()),
            Ok(Err(error)) => return is_short(error),
            Err(_) => return Ok(()),
        }
    };
}

pub fn note(bytes: &[u8]) -> TestCaseResult {
    let (note, text) = read!(bytes, Note::parse);
    prop_assert_eq!(note.to_string(), text);
    prop_assert!(text.len() <= note::BYTES_MAX && note.signatures.len() <= note::SIGNATURES_MAX);
    prop_assert!(Note::new(&*note.text).is_ok());
    match note.verified(&CORPUS.known) {
        Ok(by) => prop_assert!(!by.is_empty() && CORPUS.has_signed(&note.text)),
        Err(error) => is_short(error)?,
    }
    match Checkpoint::open(&note, CORPUS.log_keys(), ORIGIN) {
        Ok(head) => prop_assert_eq!(Ok(head.root), CORPUS.root(head.size)),
        Err(error) => is_short(error)?,
    }
    checkpoint(note.text.as_bytes())
}

pub fn signature_lines(bytes: &[u8]) -> TestCaseResult {
    let (signatures, text) = read!(bytes, note::parse_signatures);
    let printed: String = signatures.iter().map(|one| format!("{one}\n")).collect();
    prop_assert_eq!(printed, text);
    prop_assert!(signatures.len() <= note::SIGNATURES_MAX);
    Ok(())
}

pub fn checkpoint(bytes: &[u8]) -> TestCaseResult {
    let (head, text) = read!(bytes, Checkpoint::parse);
    prop_assert_eq!(head.to_string(), text);
    Ok(())
}

/// The entry of that leaf, if there is one.
fn entry(index: u64) -> Option<&'static Bytes> {
    CORPUS.entries.get(usize::try_from(index).ok()?)
}

pub fn proof(bytes: &[u8]) -> TestCaseResult {
    let (proof, text) = read!(bytes, Proof::parse);
    let printed = proof.to_string();
    // Extra data are not kept.
    if !text.lines().nth(1).is_some_and(|line| line.starts_with("extra ")) {
        prop_assert_eq!(&printed, text);
    }
    prop_assert_eq!(Proof::parse(&printed), Ok(proof.clone()));
    prop_assert!(proof.path.len() <= PROOF_HASHES_MAX);
    let verified = |entry: &[u8]| proof.verify(entry, CORPUS.log_keys(), ORIGIN);
    prop_assert!(verified(b"another").is_err());
    let Some(entry) = entry(proof.index) else { return Ok(()) };
    match verified(entry) {
        Ok(head) => {
            prop_assert!(CORPUS.has_signed(&head.to_string()));
            prop_assert_eq!(Ok(proof.path.clone()), CORPUS.inclusion(proof.index, head.size));
        }
        Err(error) => is_short(error)?,
    }
    Ok(())
}

pub fn pack(bytes: &[u8]) -> TestCaseResult {
    match tranche_proof::pack::check::check(std::io::Cursor::new(bytes), Some(CORPUS.log_keys())) {
        Ok(checked) => {
            checked.findings.iter().try_for_each(is_short)?;
            prop_assert!(checked.size == 0 || CORPUS.has_size(checked.size));
            // What is not changed holds, and what holds has all of its commits.
            let is_good = checked.findings.is_empty();
            prop_assert!(!is_good || (checked.commits, checked.size) == (2, 2));
            let is_whole = super::corpus::pack()[0] == bytes;
            prop_assert!(is_good || !is_whole, "{:?}", checked.findings);
        }
        Err(error) => is_short(error)?,
    }
    Ok(())
}

pub fn request(bytes: &[u8]) -> TestCaseResult {
    let (request, text) = read!(bytes, Request::parse);
    prop_assert_eq!(request.to_string(), text);
    prop_assert!(
        text.len() <= cosign::REQUEST_BYTES_MAX && request.proof.len() <= PROOF_HASHES_MAX
    );
    let head = match request.head() {
        Ok(head) => head,
        Err(error) => return is_short(error),
    };
    let size = usize::try_from(request.old).unwrap_or(usize::MAX);
    let Ok(root) =
        if size <= CORPUS.entries.len() { CORPUS.root(request.old) } else { Ok(Hash::empty()) };
    for seen in [
        None,
        Some((request.old, root)),
        Some((request.old, Hash::empty())),
        Some((u64::MAX, root)),
    ] {
        match request.judge(&head, CORPUS.log_keys(), seen) {
            Ok((size, root)) => {
                prop_assert!(CORPUS.has_signed(&request.checkpoint.text));
                prop_assert_eq!(Ok(root), CORPUS.root(size));
            }
            Err(refusal) => {
                prop_assert!([400, 403, 409, 422].contains(&refusal.status()));
                is_short(refusal)?;
            }
        }
    }
    Ok(())
}

pub fn tile_path(bytes: &[u8]) -> TestCaseResult {
    let (tile, text) = read!(bytes, Tile::parse);
    prop_assert_eq!(tile.to_string(), text);
    prop_assert!((1..=tile::WIDTH).contains(&tile.width));
    for size in [0, 1, 255, 256, 257, u64::MAX] {
        let is_listed = size < 300 && Tile::all(size).any(|one| one == tile);
        prop_assert!(!is_listed || tile.is_in(size), "{tile} of {size}");
    }
    Ok(())
}

pub fn hash_tile(bytes: &[u8]) -> TestCaseResult {
    let whole = (bytes.len() / Hash::BYTES) as u64;
    for width in [whole, 1, tile::WIDTH, u64::MAX] {
        match tile::decode(bytes, width) {
            Ok(hashes) => prop_assert_eq!(tile::encode(&hashes), bytes),
            Err(error) => {
                prop_assert!(width != whole || !bytes.len().is_multiple_of(Hash::BYTES));
                is_short(error)?;
            }
        }
    }
    Ok(())
}

/// How many entries a bundle has, if it ends with one.
fn entries(mut bytes: &[u8]) -> Option<u64> {
    let mut count = 0;
    while let [high, low, rest @ ..] = bytes {
        bytes = rest.get(usize::from(*high) * 256 + usize::from(*low)..)?;
        count += 1;
    }
    bytes.is_empty().then_some(count)
}

pub fn entry_bundle(bytes: &[u8]) -> TestCaseResult {
    let (bundle, count) = (Bytes::copy_from_slice(bytes), entries(bytes));
    for width in [count.unwrap_or_default(), 0, 3, tile::WIDTH, u64::MAX] {
        match tile::decode_bundle(&bundle, width) {
            Ok(entries) => {
                prop_assert_eq!(Some(width), count);
                prop_assert_eq!(tile::encode_bundle(&entries), bytes);
            }
            Err(error) => {
                prop_assert_ne!(Some(width), count);
                is_short(error)?;
            }
        }
    }
    Ok(())
}

pub fn public_key(bytes: &[u8]) -> TestCaseResult {
    let (key, text) = read!(bytes, Verifier::parse);
    prop_assert_eq!(key.to_string(), text.trim());
    Ok(())
}

/// No error shows the secret.
pub fn secret_key(bytes: &[u8]) -> TestCaseResult {
    let Ok(text) = str::from_utf8(bytes) else { return Ok(()) };
    match Signer::parse(text) {
        Ok(key) => prop_assert_eq!(key.secret(), text.trim()),
        Err(error) => {
            is_short(&error)?;
            let said = error.to_string();
            let parts = text.split('+').filter(|part| part.len() > 20);
            let shown: Vec<_> = parts.filter(|part| said.contains(part)).collect();
            prop_assert!(shown.is_empty(), "{said}");
        }
    }
    Ok(())
}

/// A commit is written as it was read, unless the reader made old events new; and what was not written
/// by us is seen not to be.
pub fn commit(bytes: &[u8]) -> TestCaseResult {
    let Ok(commit) = Commit::decode(bytes) else { return Ok(()) };
    // Numbers of an event that cannot be written are seen when a log is verified.
    let Ok(written) = commit.encode() else {
        prop_assert!(commit.is_canonical(bytes).is_err());
        return Ok(());
    };
    let again = Commit::decode(&written).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&again, &commit);
    let is_canonical = commit.is_canonical(bytes);
    let is_canonical = is_canonical.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if is_canonical {
        // By another program than ours: RFC 8785.
        prop_assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap_or_default(), bytes);
    } else {
        prop_assert_ne!(written, bytes);
    }
    Ok(())
}

/// An event by itself: in a commit that is good but for it, and through every step that makes old events
/// new, whatever it takes.
pub fn event(bytes: &[u8]) -> TestCaseResult {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return Ok(()) };
    let kind = event["type"].as_str().unwrap_or_default();
    let category = kind.split('.').next().unwrap_or_default();
    for step in domain::facts::event::upcasters(category) {
        (step.up)(event["data"].clone());
        (step.up)(event.clone());
    }
    let mut whole: Value = serde_json::from_slice(&CORPUS.entries[0]).unwrap_or_default();
    whole["events"] = json!([event]);
    commit(&serde_json::to_vec(&whole).unwrap_or_default())
}
