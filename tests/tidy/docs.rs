//! What is written for people holds together: links lead somewhere, decisions are found, two commands
//! are enough.

use super::{Source, none, root, sources_like};
use std::collections::BTreeSet;

/// The lines of a page outside its code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for (at, sign) in line.match_indices("](") {
            let target = line[at + sign.len()..].split([')', ' ']).next().unwrap_or_default();
            found.push(target.to_owned());
        }
    }
    found
}

/// The anchors that a renderer makes of the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Why a link of a page leads nowhere, if so.
fn broken(page: &Source, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let dir = page.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let path = root().join(dir).join(file);
    if !file.is_empty() && !path.exists() {
        return Some(format!("{}: {target}: no such file", page.path));
    }
    let text = if file.is_empty() {
        page.text.clone()
    } else {
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let is_page = file.is_empty() || file.ends_with(".md");
    if is_page && !anchor.is_empty() && !anchors(&text).contains(anchor) {
        return Some(format!("{}: {target}: no such heading", page.path));
    }
    None
}

#[test]
fn every_link_leads_somewhere() {
    let mut findings = Vec::new();
    for page in sources_like(".md") {
        findings.extend(links(&page.text).iter().filter_map(|target| broken(&page, target)));
    }
    none(&findings, "Links that lead nowhere; mend them, or write what they promise:");
}

/// Pages beside the decisions.
const OTHERS: &[&str] = &["README.md", "faults.md", "measurements-nats.md", "measurements.md"];

#[test]
fn every_decision_is_linked_from_the_map() {
    let pages = sources_like(".md");
    let map = pages.iter().find(|page| page.path == "ADR/README.md").expect("ADR/README.md");
    let linked = links(&map.text);
    let mut findings = Vec::new();
    let mut numbers = BTreeSet::new();
    for page in &pages {
        let Some(name) = page.path.strip_prefix("ADR/").filter(|name| !OTHERS.contains(name))
        else {
            continue;
        };
        if !linked.iter().any(|target| target == name) {
            findings.push(format!("{name} is not linked"));
        }
        let (number, _) = name.split_once('-').unwrap_or((name, ""));
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(format!("{name} is not named NNNN-title.md"));
        } else if !numbers.insert(number) {
            findings.push(format!("{name} has the number of another"));
        }
    }
    none(&findings, "Link every ADR under `Decisions` in ADR/README.md:");
}

#[test]
fn two_commands_are_enough() {
    let pages = sources_like("README.md");
    let readme = pages.iter().find(|page| page.path == "README.md").expect("README.md");
    let (_, section) = readme.text.split_once("\n## Two commands\n").expect(
        "README.md has a section `## Two commands` with everything that a fresh machine needs",
    );
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut commands = Vec::new();
    let mut code = false;
    for line in section.lines() {
        match line.trim() {
            "```sh" => code = true,
            "```" => code = false,
            command if code && !command.is_empty() && !command.starts_with('#') => {
                commands.push(command);
            }
            _ => {}
        }
    }
    assert_eq!(
        commands.len(),
        2,
        "`## Two commands` of README.md: one command sets up and runs, one tests; got {commands:?}"
    );
    assert!(
        !commands.iter().any(|command| ["&&", ";", "|"].iter().any(|glue| command.contains(glue))),
        "two commands, not several glued together: {commands:?}"
    );
}

#[test]
fn links_are_seen() {
    assert_eq!(links("see [a](b.md#c) and [d](e)\n```\n[x](y)\n```"), ["b.md#c", "e"]);
    assert!(anchors("# One\n## Two words, and `code`").contains("two-words-and-code"));
}
