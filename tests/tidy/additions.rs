//! In how many files something is added, shown: `tests/additions` holds one example of each kind as a
//! patch. Together they are applied to a copy of this tree, which must then pass its own tests.

use super::{Source, root, sources};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// An example: its patch, and how its row in CONTRIBUTING.md begins.
const EXAMPLES: &[(&str, &str)] = &[
    ("command", "| an event or a command |"),
    ("decider", "| a decider"),
    ("projection", "| a projection |"),
    ("manager", "| a process manager |"),
];

fn find<'a>(sources: &'a [Source], path: &str) -> &'a Source {
    let found = sources.iter().find(|source| source.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing"))
}

fn patch<'a>(sources: &'a [Source], name: &str) -> &'a Source {
    find(sources, &format!("tests/additions/{name}.patch"))
}

/// The files that a patch touches.
fn touched(patch: &str) -> Vec<&str> {
    patch.lines().filter_map(|line| line.strip_prefix("+++ b/")).collect()
}

/// The number in the second column of a row.
fn promised(table: &str, row: &str) -> usize {
    let line = table.lines().find(|line| line.starts_with(row));
    let line = line.unwrap_or_else(|| panic!("CONTRIBUTING.md has no row {row:?}"));
    let cell = line.split('|').nth(2).unwrap_or_default();
    let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in {line:?}"))
}

#[test]
fn additions_take_as_many_files_as_contributing_says() {
    let sources = sources();
    let table = &find(&sources, "CONTRIBUTING.md").text;
    for (name, row) in EXAMPLES {
        let files = touched(&patch(&sources, name).text);
        // "And each view that shows it": those are not counted.
        let is_counted = |file: &&&str| *name != "command" || !file.starts_with("projections/");
        let counted: Vec<_> = files.iter().filter(is_counted).collect();
        assert_eq!(counted.len(), promised(table, row), "{row} {counted:?}");
    }
}

/// Writes what differs only, so that what was compiled before stays compiled.
fn update(to: &Path, tree: &BTreeMap<String, String>) {
    for (path, text) in tree {
        let path = to.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }
}

fn run(command: &mut Command, advice: &str) {
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{advice}\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn additions_compile_and_pass_all_tests() {
    let place = root().join("target/additions");
    let (patched, tree) = (place.join("patched"), place.join("tree"));
    let sources = sources();
    let mut files: BTreeMap<String, String> =
        sources.iter().map(|source| (source.path.clone(), source.text.clone())).collect();
    // What one example makes is not there for the next run.
    let _ = fs::remove_dir_all(&patched);
    update(&patched, &files);
    let mut all = Vec::new();
    for (name, _) in EXAMPLES {
        let patch = patch(&sources, name);
        let path = root().join(&patch.path);
        // It is no part of this repository: git would leave everything alone.
        let mut git = Command::new("git");
        git.args(["apply", "-C1"]).arg(path).current_dir(&patched);
        git.env("GIT_CEILING_DIRECTORIES", &place);
        run(&mut git, &format!("write {} anew, and the table of CONTRIBUTING.md", patch.path));
        all.extend(touched(&patch.text));
    }
    for path in all {
        let text = fs::read_to_string(patched.join(path)).expect("the patched file");
        files.insert(path.to_owned(), text);
    }
    let _ = fs::remove_dir_all(tree.join("tests"));
    update(&tree, &files);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut test = Command::new(cargo);
    test.args(["test", "--quiet", "--locked", "--lib", "-p", "domain", "-p", "projections"]);
    test.arg("--target-dir").arg(place.join("build")).current_dir(&tree);
    run(&mut test, "an addition takes more than CONTRIBUTING.md says:");
}
