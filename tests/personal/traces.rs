//! Where something of a person is left, in any form that programs write.

use super::office::{ADA, Expert};
use crate::cli::program::Scratch;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Every file under a directory.
pub fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..part.len()].copy_from_slice(part);
        let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..=part.len() {
            text.push(char::from(DIGITS[(all >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// A text as it may stand somewhere: as it is, in UTF-16, in digits, in base 64 from any of three places.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let units = text.encode_utf16();
    let (little, big) = units.fold((Vec::new(), Vec::new()), |(mut little, mut big), unit| {
        little.extend(unit.to_le_bytes());
        big.extend(unit.to_be_bytes());
        (little, big)
    });
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let json = serde_json::to_string(text).unwrap();
    let ascii = text.chars().fold(String::new(), |mut out, c| {
        let _ = if c.is_ascii() { write!(out, "{c}") } else { write!(out, "\\u{:04x}", c as u32) };
        out
    });
    let mut all = vec![
        ("clear", bytes.to_vec()),
        ("JSON", json.trim_matches('"').as_bytes().to_vec()),
        ("escaped", ascii.into_bytes()),
        ("UTF-16 LE", little),
        ("UTF-16 BE", big),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
    ];
    for skip in 0..3 {
        // Whole groups of three, so that what stands before and after does not matter.
        let part = &bytes[skip..skip + (bytes.len() - skip) / 3 * 3];
        let standard = base64(part);
        all.push(("base64url", standard.replace('+', "-").replace('/', "_").into_bytes()));
        all.push(("base64", standard.into_bytes()));
    }
    all
}

/// Where something of an expert is left: file, part, form.
pub fn traces(dir: &Path, expert: &Expert, more: &str) -> Vec<String> {
    let mut all = Vec::new();
    files(dir, &mut all);
    let mut texts: Vec<(String, Vec<u8>)> =
        all.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    texts.push(("what was said".to_owned(), more.as_bytes().to_vec()));
    let mut found = Vec::new();
    for (place, bytes) in &texts {
        for part in expert.parts {
            for (form, needle) in forms(part) {
                if memchr::memmem::find(bytes, &needle).is_some() {
                    found.push(format!("{place}: {part:?} as {form}"));
                }
            }
        }
    }
    found
}

#[test]
fn a_trace_is_found_in_every_form() {
    let scratch = Scratch::new();
    assert!(traces(scratch.path(), &ADA, "").is_empty());
    for part in ADA.parts {
        for (form, bytes) in forms(part) {
            std::fs::write(scratch.path().join("x"), [b"ab".as_slice(), &bytes, b"c"].concat())
                .unwrap();
            assert!(!traces(scratch.path(), &ADA, "").is_empty(), "{part} as {form}");
        }
    }
    // Known from outside: printf abc | base64.
    assert_eq!(base64("Ada Z".as_bytes()), "QWRhIFo");
}
