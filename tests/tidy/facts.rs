//! `domain/src/facts` is for ever. A change there is seen, and says what it asks for.
//!
//! Three guards stand around it. The shape of every event is a committed schema (`schemas`), the
//! states that the released histories fold to are committed digests (`histories`), and here the code
//! itself is: without comments and white space, each file by its hash. So whoever changes how stored
//! events are read has to say so in a line of this list, which a second person looks at.

use super::{none, root, sources};
use domain::kernel::canonical::Sha256Hex;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Hash and path of each file, as `sha256sum` writes them.
const LIST: &str = "tests/golden/facts.txt";

/// What a change asks for.
const ADVICE: &str = "Stored facts are read by this code. If the shape of an event changed: a new version and \
     its upcaster (CONTRIBUTING.md, To change an event). If what they add up to changed: the digests of \
     tests/history change, on purpose, and CHANGELOG.md says what a replay shows now. If nothing stored is \
     read in another way, say so in the commit. Then `UPDATE_EXPECT=1 cargo test -p tests facts`:";

/// The code alone, word by word: no comment, no doc, no white space.
fn words(tokens: TokenStream, text: &mut String) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_mark = |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark);
    let is_doc = |at: usize| match tokens.get(at) {
        Some(TokenTree::Group(group)) => {
            group.stream().to_string().replace(' ', "").starts_with("doc=")
        }
        _ => false,
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let brackets = at + 1 + usize::from(is_mark(at + 1, '!'));
        if is_mark(at, '#') && is_doc(brackets) {
            at = brackets + 1;
            continue;
        }
        if let TokenTree::Group(group) = token {
            let _ = write!(text, "{:?} ", group.delimiter());
            words(group.stream(), text);
            text.push_str("end ");
        } else {
            let _ = write!(text, "{token} ");
        }
        at += 1;
    }
}

fn hash(code: &str) -> String {
    let mut text = String::new();
    words(code.parse().expect("Rust"), &mut text);
    Sha256Hex::of(text.as_bytes()).to_string()
}

/// What is said of each file that differs.
fn findings(now: &BTreeMap<String, String>, listed: &BTreeMap<String, String>) -> Vec<String> {
    let changed = now.iter().filter_map(|(path, hash)| match listed.get(path) {
        None => Some(format!("{path} is new")),
        Some(old) if old != hash => Some(format!("{path} changed")),
        Some(_) => None,
    });
    let gone = listed.keys().filter(|path| !now.contains_key(*path));
    changed.chain(gone.map(|path| format!("{path} is gone"))).collect()
}

#[test]
fn a_change_of_facts_is_made_on_purpose() {
    let is_fact = |path: &str| {
        path.starts_with("domain/src/facts")
            && path.ends_with(".rs")
            && !path.ends_with("/tests.rs")
    };
    let files = sources().into_iter().filter(|source| is_fact(&source.path));
    let now: BTreeMap<String, String> =
        files.map(|source| (source.path, hash(&source.text))).collect();
    assert!(now.len() > 20, "the facts are looked for in the wrong place");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let lines = now.iter().fold(String::new(), |mut lines, (path, hash)| {
            let _ = writeln!(lines, "{hash}  {path}");
            lines
        });
        std::fs::write(root().join(LIST), lines).expect("the list is written");
    }
    let text = std::fs::read_to_string(root().join(LIST)).unwrap_or_default();
    let listed = text.lines().filter_map(|line| line.split_once("  "));
    let listed = listed.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect();
    none(&findings(&now, &listed), ADVICE);
}

#[test]
fn only_code_counts() {
    let code = "/// What it was.\nfn evolve(&mut self) { self.left += 1; }";
    let same =
        "//! A file.\n/// It adds.\nfn evolve(\n    &mut self\n) {\n    self.left += 1; // one\n}";
    assert_eq!(hash(code), hash(same));
    assert_ne!(hash(code), hash(&code.replace("+= 1", "+= 2")));
    assert_ne!(hash("#[serde(default)] struct A;"), hash("struct A;"));
    assert_ne!(hash("f((a, b), c)"), hash("f((a), b, c)"));
}

#[test]
fn every_change_of_the_files_is_found() {
    let of = |files: &[(&str, &str)]| {
        files.iter().map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned())).collect()
    };
    let listed = of(&[("a", "1"), ("b", "2"), ("c", "3")]);
    assert_eq!(findings(&listed, &listed), [""; 0]);
    let now = of(&[("a", "1"), ("b", "9"), ("d", "4")]);
    assert_eq!(findings(&now, &listed), ["b changed", "d is new", "c is gone"]);
}
