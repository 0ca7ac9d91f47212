//! Words that have no place in this repository.

use super::{none, sources};

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
