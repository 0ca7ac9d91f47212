//! What is written for people holds together: links lead somewhere, decisions are found, two commands
//! are enough.

use super::{Source, none, root, sources, sources_like};
use std::collections::{BTreeMap, BTreeSet};

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

/// The anchors of a page: those that it writes, and those that a renderer makes of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|line| line.strip_prefix('#'));
    let written = prose(text).filter_map(written_anchor).map(str::to_owned);
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .chain(written)
        .collect()
}

/// The anchor of a line that is `<a id="anchor"></a>`.
fn written_anchor(line: &str) -> Option<&str> {
    line.strip_prefix("<a id=\"")?.strip_suffix("\"></a>")
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

/// The paths of a page in backticks, from the root of the repository. `<name>` and `*` stand for many, and
/// are passed over.
fn paths(text: &str) -> Vec<&str> {
    let quoted = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let tops = ["ADR/", "deploy/", "domain/", "projections/", "services/", "tests/"];
    let is_path = |word: &&str| {
        let is_file = word.ends_with(".rs") && word.contains('/');
        let is_plain = !word.contains(['<', '*', '{', ' ']);
        is_plain && (is_file || tops.iter().any(|top| word.starts_with(top)))
    };
    quoted.filter(is_path).collect()
}

#[test]
fn every_path_of_the_map_is_there() {
    let mut findings = Vec::new();
    for page in sources_like(".md") {
        if !["ADR/README.md", "CONTRIBUTING.md"].contains(&page.path.as_str()) {
            continue;
        }
        let paths = paths(&page.text);
        assert!(paths.len() > 5, "{}: its paths are looked for wrongly", page.path);
        let missing = paths.into_iter().filter(|path| !root().join(path).exists());
        findings.extend(missing.map(|path| format!("{}: {path}", page.path)));
    }
    none(&findings, "Pages send people to files that are not there:");
}

/// Pages beside the decisions.
const OTHERS: &[&str] =
    &["README.md", "faults.md", "measurements-nats.md", "measurements.md", "rules.md"];

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

/// How a clause of a rule of our own ends: ` (rules.md#anchor)`.
const CITES: &str = " (rules.md#";

/// The rules of `ADR/rules.md`: each anchor with its heading, which is the words of a clause.
fn rules(page: &str) -> BTreeMap<&str, &str> {
    let mut lines = prose(page);
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let Some(anchor) = written_anchor(line) else { continue };
        let words = lines.next().and_then(|line| line.strip_prefix("### ")).unwrap_or_default();
        assert!(found.insert(anchor, words).is_none(), "ADR/rules.md has {anchor} twice");
    }
    found
}

/// The words of a clause and its anchor.
fn clause(text: &str) -> Option<(&str, &str)> {
    let (words, anchor) = text.split_once(CITES)?;
    Some((words, anchor.strip_suffix(')')?))
}

/// The clauses of our own rules, of refusals and of commands.
fn clauses() -> BTreeSet<String> {
    let refusals = domain::catalogue::refusals().into_iter().map(|(_, about)| &about.rule);
    let commands = domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter());
    let rules = refusals.chain(commands.map(|entry| &entry.declaration.rule));
    let ours = rules.filter(|rule| rule.document == domain::kernel::law::OURS);
    ours.map(|rule| rule.clause.to_string()).collect()
}

#[test]
fn every_rule_of_our_own_is_on_its_page() {
    let pages = sources_like("ADR/rules.md");
    let rules = rules(&pages.first().expect("ADR/rules.md").text);
    let mut unused: BTreeSet<&str> = rules.keys().copied().collect();
    let mut findings = Vec::new();
    for text in &clauses() {
        let Some((words, anchor)) = clause(text) else {
            findings.push(format!("{text:?} does not end with {CITES}ANCHOR)"));
            continue;
        };
        unused.remove(anchor);
        if !rules.get(anchor).is_some_and(|heading| heading.eq_ignore_ascii_case(words)) {
            findings.push(format!("{anchor} is not headed {words:?}"));
        }
    }
    findings.extend(unused.iter().map(|anchor| format!("{anchor} is cited by no rule")));
    none(&findings, "Rules of our own and their headings in ADR/rules.md must be the same words:");
}

#[test]
fn no_page_is_cited_that_does_not_ship() {
    let needle = concat!("design", ".md");
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if line.contains(needle) {
                findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&findings, "Cite ADR/rules.md or the map instead:");
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
fn paths_are_seen() {
    let text = "see `domain/src/a.rs`, `domain/src/<name>.rs`, `a/b.rs` and `World::decide`";
    assert_eq!(paths(text), ["domain/src/a.rs", "a/b.rs"]);
}

#[test]
fn links_are_seen() {
    assert_eq!(links("see [a](b.md#c) and [d](e)\n```\n[x](y)\n```"), ["b.md#c", "e"]);
    assert!(anchors("# One\n## Two words, and `code`").contains("two-words-and-code"));
}
