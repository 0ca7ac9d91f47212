//! No file is forgotten, and the names of stored events are for ever.

use super::{Source, none, sources_like};
use std::collections::BTreeMap;

/// The files that may declare `path` as their module.
fn parents(path: &str) -> Vec<String> {
    let (dir, _) = path.rsplit_once('/').unwrap_or(("", path));
    let beside = ["mod.rs", "lib.rs", "main.rs", "build.rs"].map(|name| format!("{dir}/{name}"));
    beside.into_iter().chain([format!("{dir}.rs")]).collect()
}

fn declares(text: &str, module: &str) -> bool {
    let declaration = format!("mod {module};");
    let visible = ["", "pub ", "pub(crate) ", "pub(super) "];
    text.lines()
        .any(|line| visible.iter().any(|pub_| line.trim() == format!("{pub_}{declaration}")))
}

#[test]
fn no_source_file_is_forgotten() {
    let sources = sources_like(".rs");
    let mut findings = Vec::new();
    for source in &sources {
        let (dir, name) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let is_root = matches!(name, "lib.rs" | "main.rs" | "build.rs") || dir.ends_with("/bin");
        if is_root || dir.ends_with("examples") || dir.ends_with("benches") {
            continue;
        }
        let module = if name == "mod.rs" {
            dir.rsplit('/').next().unwrap_or_default()
        } else {
            name.trim_end_matches(".rs")
        };
        let above = if name == "mod.rs" { dir.to_owned() } else { source.path.clone() };
        let parents = parents(&above);
        let declared = |other: &Source| {
            parents.contains(&other.path)
                && other.path != source.path
                && declares(&other.text, module)
        };
        if !sources.iter().any(declared) {
            findings.push(source.path.clone());
        }
    }
    none(
        &findings,
        "These files are compiled by nobody, and their tests never run; declare `mod`:",
    );
}

#[test]
fn every_test_of_the_workspace_is_in_the_one_binary() {
    let sources = sources_like(".rs");
    let main = sources.iter().find(|source| source.path == "tests/main.rs").expect("tests/main.rs");
    let mut findings = Vec::new();
    for source in &sources {
        let Some(name) =
            source.path.strip_prefix("tests/").and_then(|path| path.strip_suffix(".rs"))
        else {
            continue;
        };
        let is_module = !name.contains('/') && !matches!(name, "main" | "lib" | "build");
        if is_module && !declares(&main.text, name) {
            findings.push(format!("mod {name};"));
        }
    }
    none(&findings, "Add to tests/main.rs:");
}

/// The events of a file: stored name, and the variant that has it (`None`: the variant has no name).
fn events(source: &Source) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    let (mut inside, mut renamed) = (false, None);
    for line in source.text.lines() {
        if line == "pub enum Event {" {
            inside = true;
        } else if line == "}" {
            inside = false;
        } else if !inside {
            continue;
        } else if let Some(rest) = line.strip_prefix("    #[serde(rename = \"") {
            renamed = rest.split_once('"').map(|(name, _)| name.to_owned());
        } else if line.starts_with("    ")
            && line[4..].starts_with(|c: char| c.is_ascii_uppercase())
        {
            let end = |c: char| !c.is_alphanumeric();
            let variant = line[4..].split(end).next().unwrap_or_default().to_owned();
            found.push((renamed.take(), variant));
        }
    }
    found
}

#[test]
fn stored_events_are_named_by_category_and_variant_and_no_two_alike() {
    let mut findings = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for source in sources_like(".rs").iter().filter(|source| source.path.starts_with("domain/src/"))
    {
        let Some((_, prefix)) = source.text.split_once("#[strum(prefix = \"") else { continue };
        let prefix = prefix.split_once('"').map_or("", |(prefix, _)| prefix);
        let category = prefix.strip_suffix('.').unwrap_or(prefix);
        if !domain::facts::event::CATEGORIES.contains(&category) {
            findings.push(format!("{}: {category:?} is not in the table of deciders", source.path));
        }
        for (name, variant) in events(source) {
            let expected = format!("{prefix}{variant}");
            if name.as_deref() != Some(expected.as_str()) {
                findings.push(format!("{}: {variant} is stored as {name:?}", source.path));
            }
            if let Some(other) = names.insert(expected.clone(), source.path.clone()) {
                findings.push(format!("{expected} is in {other} and in {}", source.path));
            }
        }
    }
    assert!(names.len() > 30, "tidy found only {} events: it reads them wrongly", names.len());
    for category in domain::facts::event::CATEGORIES {
        if !names.keys().any(|name| name.starts_with(&format!("{category}."))) {
            findings.push(format!("{category} has no events"));
        }
    }
    none(
        &findings,
        "A stored event is `#[serde(rename = \"<category>.<Variant>\")]`. A name that was released \
         never changes, not even with its variant:",
    );
}
