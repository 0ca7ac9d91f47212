//! Nothing grows out of sight: files and functions have limits, and the exceptions may only shrink.

use super::{Source, none, sources};

/// The most lines of a source file.
const FILE_LINES_MAX: usize = 600;
/// The most lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Files over their limit, with the size that they may not exceed. The list may only shrink: lower a
/// number when the file shrinks, take the line out when the file is within its limit.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions over the limit: file, name, lines. May only shrink, like the list of files.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

fn measured() -> Vec<Source> {
    let ends = [".rs", ".sh", ".js", ".css", ".py"];
    let fits = |source: &Source| ends.iter().any(|end| source.path.ends_with(end));
    sources().into_iter().filter(fits).collect()
}

/// What a ratchet says about one thing: `listed` is what it may measure at most.
fn ratchet(what: &str, lines: usize, limit: usize, listed: Option<usize>) -> Option<String> {
    match listed {
        None if lines > limit => {
            Some(format!("{what}: {lines} lines, the limit is {limit}: split it"))
        }
        None => None,
        Some(_) if lines <= limit => {
            Some(format!("{what}: within the limit now: take it off the list"))
        }
        Some(most) if lines > most => Some(format!("{what}: grew from {most} to {lines} lines")),
        Some(most) if lines < most => {
            Some(format!("{what}: shrank: list it with {lines}, not {most}"))
        }
        Some(_) => None,
    }
}

#[test]
fn files_are_short_and_the_long_ones_shrink() {
    let sources = measured();
    let mut findings = Vec::new();
    for source in &sources {
        let listed = LONG_FILES.iter().find(|(path, _)| *path == source.path);
        let listed = listed.map(|(_, lines)| *lines);
        findings.extend(ratchet(&source.path, source.text.lines().count(), FILE_LINES_MAX, listed));
    }
    for (path, _) in LONG_FILES {
        if !sources.iter().any(|source| source.path == *path) {
            findings.push(format!("{path}: gone: take it off the list"));
        }
    }
    none(&findings, "Sizes of files (LONG_FILES in tests/tidy/sizes.rs):");
}

/// The functions of a file with their lengths, by the indentation that rustfmt gives them.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = function_name(code) else { continue };
        let indent = &line[..line.len() - code.len()];
        let close = format!("{indent}}}");
        // The signature ends with `{` (a body follows), with `;` (none does) or with `}` (one line).
        let rest = lines[start..].iter();
        let opening = rest.clone().position(|line| line.ends_with(['{', ';', '}'])).unwrap_or(0);
        if lines[start + opening].ends_with('{') {
            let length = rest.clone().position(|line| *line == close).unwrap_or(0) + 1;
            found.push((name.to_owned(), length));
        }
    }
    found
}

/// The name, if the line begins a function.
fn function_name(code: &str) -> Option<&str> {
    let mut rest = code;
    for word in
        ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "]
    {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn functions_are_short_and_the_long_ones_shrink() {
    let sources = super::sources_like(".rs");
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for source in &sources {
        for (name, lines) in functions(&source.text) {
            let key = (source.path.clone(), name.clone());
            let listed =
                LONG_FUNCTIONS.iter().find(|(path, of, _)| *path == source.path && *of == name);
            // A name that occurs twice is listed once, for its longest.
            if listed.is_some() && lines <= FUNCTION_LINES_MAX {
                continue;
            }
            seen.push(key);
            let what = format!("{}: fn {name}", source.path);
            let listed = listed.map(|(_, _, lines)| *lines);
            findings.extend(ratchet(&what, lines, FUNCTION_LINES_MAX, listed));
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        if !seen.contains(&((*path).to_owned(), (*name).to_owned())) {
            findings.push(format!("{path}: fn {name}: within the limit now: take it off the list"));
        }
    }
    none(&findings, "Sizes of functions (LONG_FUNCTIONS in tests/tidy/sizes.rs):");
}

#[test]
fn functions_are_measured_by_their_braces() {
    let text = "impl A {\n    pub fn one(\n        &self,\n    ) -> u8 {\n        1\n    }\n\n    fn two();\n    fn three() {}\n}\nasync fn four() {\n    x;\n}\n";
    let expected = [("one".to_owned(), 5), ("four".to_owned(), 3)];
    assert_eq!(functions(text), expected);
}

#[test]
fn a_ratchet_only_tightens() {
    assert_eq!(ratchet("x", 600, 600, None), None);
    assert!(ratchet("x", 601, 600, None).is_some());
    assert_eq!(ratchet("x", 700, 600, Some(700)), None);
    for lines in [701, 699, 600] {
        assert!(ratchet("x", lines, 600, Some(700)).is_some(), "{lines}");
    }
}
