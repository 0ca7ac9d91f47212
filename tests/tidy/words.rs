//! Words that have no place in this repository.

use super::{none, sources};
use crate::cli::program;
use std::collections::VecDeque;

/// Needle, where (end of the path), and what to do. The needles are put together here so that this
/// file does not contain them.
const BANNED: &[(&str, &str, &str)] = &[
    (
        concat!("#[al", "low"),
        ".rs",
        "write #[expect(lint, reason = \"...\")], which ends with its cause",
    ),
    (concat!("#![al", "low"), ".rs", "write #[expect(lint, reason = \"...\")] at the place itself"),
    (concat!("to", "do!"), ".rs", "finish it, or refuse with a typed reason"),
    (concat!("unimple", "mented!"), ".rs", "finish it, or refuse with a typed reason"),
    (
        concat!("#[ig", "nore"),
        ".rs",
        "a test that does not run proves nothing: repair or remove it",
    ),
    (concat!("db", "g!"), ".rs", "take it out"),
    (concat!("/wo", "rk/"), "", "no path of one machine: name the file from the root"),
    (concat!("/ho", "me/"), "", "no path of one machine: name the file from the root"),
    (concat!("/ro", "ot/"), "", "no path of one machine: name the file from the root"),
];

#[test]
fn no_left_overs() {
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            for (needle, end, advice) in BANNED {
                if source.path.ends_with(end) && line.contains(needle) {
                    let number = number + 1;
                    findings.push(format!("{}:{number}: {needle}: {advice}", source.path));
                }
            }
        }
    }
    none(&findings, "Left-overs:");
}

/// The hosts that a text names in `scheme://host`.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").map(|(at, sign)| {
        let rest = &line[at + sign.len()..];
        let host = rest.split(|c: char| !c.is_ascii_alphanumeric() && !"-._@[]".contains(c)).next();
        host.unwrap_or_default().rsplit('@').next().unwrap_or_default()
    })
}

/// A host that only some network knows, or that serves packages in place of the public registry.
fn is_private(host: &str) -> bool {
    let private_ends = [".internal", ".local", ".lan", ".corp", ".intranet", ".svc"];
    let private_starts = ["10.", "192.168.", "172.16."];
    let registries = ["artifactory", "nexus", "mirror", "proxy", "registry"];
    private_ends.iter().any(|end| host.ends_with(end))
        || private_starts.iter().any(|start| host.starts_with(start))
        || registries.iter().any(|word| host.split(['.', '-']).any(|part| part.starts_with(word)))
}

#[test]
fn no_private_host_and_no_registry_but_the_public_one() {
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            let number = number + 1;
            if hosts(line).any(is_private) && source.path != "tests/tidy/words.rs" {
                findings.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
            let other = line.starts_with("source = ")
                && line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
            if source.path == "Cargo.lock" && other {
                findings.push(format!("Cargo.lock:{number}: {line}"));
            }
        }
    }
    none(&findings, "Name no host that only one network knows, and no registry but crates.io:");
}

#[test]
fn private_hosts_are_recognised() {
    let found = |line: &str| hosts(line).any(is_private);
    assert!(found("http://cargo-mirror.example.org/index"));
    assert!(found("nats://10.0.0.7:4222"));
    assert!(found("https://user@ci.corp/x"));
    assert!(!found("https://crates.io/crates/serde"));
    assert!(!found("http://127.0.0.1:7410"));
    assert!(!found("nats://nats:4222"));
}

/// Where the first sentence of a public doc has been looked after. More folders can be added.
const SPOKEN: &[&str] = &[
    "services/eventlog/src/",
    "services/tranche/src/cli",
    "services/tranche/src/engine",
    "services/tranche/src/refusals",
];

/// Words with which a heading begins, but no sentence.
const HEADINGS: &[&str] = &["What", "Which", "Whether", "How"];

/// The first word of each doc comment of a public item, with its line.
fn first_words(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(doc) = line.strip_prefix("///") else { continue };
        let is_first = index == 0 || !lines[index - 1].starts_with("///");
        let mut behind = lines[index..].iter();
        let item = behind.find(|line| !line.starts_with("///") && !line.starts_with("#["));
        if is_first && item.is_some_and(|item| item.starts_with("pub ")) {
            found.push((index + 1, doc.split_whitespace().next().unwrap_or_default()));
        }
    }
    found
}

#[test]
fn a_public_doc_begins_with_a_sentence() {
    let mut findings = Vec::new();
    for source in sources() {
        if !SPOKEN.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        for (number, word) in first_words(&source.text) {
            if HEADINGS.contains(&word) {
                findings.push(format!("{}:{number}: {word} ...", source.path));
            }
        }
    }
    none(&findings, "Begin with a verb (\"Finds the figure that ...\"), not with a question word:");
}

#[test]
fn first_words_are_seen() {
    let text = "/// What is it\n/// really.\n#[must_use]\npub fn a() {}\n/// How.\nfn b() {}\n";
    assert_eq!(first_words(text), [(1, "What")]);
}

/// The longest line of help, in characters.
const HELP_CHARS_MAX: usize = 90;

/// The sub-commands that a page of help lists.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        if name.starts_with(' ') { None } else { name.split_whitespace().next() }
    });
    commands.filter(|name| *name != "help")
}

#[test]
fn help_is_not_too_wide() {
    let scratch = program::Scratch::new();
    let told = |args: &[&str]| {
        let output = program::tranche(scratch.path(), args);
        String::from_utf8(output.stdout).expect("text")
    };
    let mut pages: VecDeque<Vec<String>> = VecDeque::from([Vec::new()]);
    let mut findings = Vec::new();
    let mut seen = 0;
    while let Some(page) = pages.pop_front() {
        let args = page.iter().map(String::as_str).chain(["--help"]);
        let help = told(&args.collect::<Vec<_>>());
        assert!(!help.is_empty(), "no help of {page:?}");
        seen += 1;
        for line in help.lines().filter(|line| !line.starts_with("Usage: ")) {
            if line.chars().count() > HELP_CHARS_MAX {
                findings.push(format!("tranche {}: {line}", page.join(" ")));
            }
        }
        pages.extend(listed(&help).map(|name| [page.clone(), vec![name.to_owned()]].concat()));
    }
    assert!(seen > 130, "only {seen} pages of help were seen");
    none(&findings, "Help must fit into 90 columns; say it shorter:");
}

#[test]
fn every_crate_uses_the_lints_of_the_workspace() {
    let mut findings = Vec::new();
    for source in sources() {
        let of_crate = source.path.ends_with("/Cargo.toml");
        if of_crate && !source.text.contains("[lints]\nworkspace = true") {
            findings.push(source.path);
        }
    }
    none(&findings, "Add to these manifests: [lints] workspace = true:");
}
