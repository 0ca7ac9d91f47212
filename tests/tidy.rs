//! House rules as tests. A message says what to do; a rule that nobody can explain gets removed.

mod additions;
mod docs;
mod facts;
mod layers;
mod licences;
mod names;
mod purity;
mod sizes;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_owned()
}

/// A file of the repository: path from the root with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Its lines with numbers, comments taken out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter_map(|(number, line)| {
            let code = line.split_once(" // ").map_or(line, |(code, _)| code);
            if code.trim_start().starts_with("//") { None } else { Some((number, code)) }
        })
    }
}

/// Every text file that belongs to the repository: what git knows or would add; without git, every
/// file outside `target`.
fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = git_files(&root).unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found
    });
    paths.sort();
    paths.dedup();
    let read = |path: String| {
        let text = std::fs::read_to_string(root.join(&path)).ok()?;
        Some(Source { path, text })
    };
    let sources: Vec<Source> = paths.into_iter().filter_map(read).collect();
    assert!(
        sources.len() > 20,
        "tidy found only {} files: it looks in the wrong place",
        sources.len()
    );
    sources
}

/// The sources whose path ends so.
fn sources_like(end: &str) -> Vec<Source> {
    sources().into_iter().filter(|source| source.path.ends_with(end)).collect()
}

fn git_files(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = text.lines().map(str::to_owned).collect();
    if paths.is_empty() { None } else { Some(paths) }
}

fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
    const SKIP: &[&str] = &["target", ".git"];
    let entries = std::fs::read_dir(dir).expect("the tree can be read");
    for entry in entries {
        let path = entry.expect("the tree can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIP.contains(&name.as_str()) && !name.ends_with(".tranche") {
                walk(root, &path, found);
            }
        } else if let Ok(path) = path.strip_prefix(root) {
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Fails with every finding, and with what to do.
fn none(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "{advice}\n  {}", findings.join("\n  "));
}

/// Whether `word` stands in `code` with no letter, digit or `_` beside it.
fn has_word(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[test]
fn a_word_is_a_whole_word() {
    assert!(has_word("use rand::x;", "rand"));
    assert!(!has_word("let operand = 1;", "rand"));
    assert!(!has_word("random()", "rand"));
}
