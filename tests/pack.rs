//! Audit packs, as who gets one sees them: `tests/pack/check.sh` unpacks one and runs the commands of its own
//! README, with our program not at hand. Whatever is changed in it afterwards ends them.

use crate::cli::program::{Scratch, command, tranche};
use domain::canonical::Sha256Hex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

const ROUND: &str = "round:EUROHPC-2024-CEI-AI/R1";
/// How many commits of the demo are about its first round.
const UNION: &str = "750000000.00";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root")
}

fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(error))
}

#[track_caller]
fn ended(dir: &Path, args: &[&str], code: i32) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    said(&output)
}

/// The demo's log, its checkpoint recorded, and two of its documents.
fn recorded() -> Scratch {
    let scratch = Scratch::new();
    let dir = scratch.path();
    ended(dir, &["--data", "log", "demo", "--once"], 0);
    ended(dir, &["proof", "key", "demo.example/log", "--to", "key"], 0);
    ended(dir, &["--data", "log", "proof", "record", "--key", "key"], 0);
    scratch
}

/// Makes a pack, and gives what was said.
#[track_caller]
fn pack(dir: &Path, scope: &str, to: &str, more: &[&str]) -> String {
    let args = ["--data", "log", "audit", "pack", "--scope", scope, "--key", "key", "--to", to];
    ended(dir, &[&args[..], more].concat(), 0)
}

/// Runs the commands of the README, without us.
fn checked(dir: &Path, args: &[&str]) -> Output {
    let mut bash = command("bash", dir);
    let python = root().join("target/test-tools/python/bin");
    bash.env("PATH", format!("{}:/usr/bin:/bin", python.display()));
    bash.env("GOCACHE", root().join("target/test-tools/go"));
    bash.arg(root().join("tests/pack/check.sh")).args(args).output().expect("bash")
}

#[track_caller]
fn holds(dir: &Path, args: &[&str]) -> String {
    let output = checked(dir, args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    let told = said(&output);
    assert!(told.trim_end().ends_with("everything holds"), "{told}");
    told
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).expect("JSON")
}

/// Every text in a value that stands under one of these names, at any depth.
fn texts<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => drop(found.insert(text)),
        Value::Array(all) => all.iter().for_each(|it| texts(it, found)),
        Value::Object(all) => all.values().for_each(|it| texts(it, found)),
        _ => {}
    }
}

/// Which commits of the demo are about its first round, found another way: they name one of its proposals,
/// whose names begin so, one of the grants that it funded, or its pledge, or they are of the call itself.
fn about_round_one(log: &str) -> BTreeSet<String> {
    let commits: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events = commits.iter().flat_map(|commit| commit["events"].as_array().unwrap());
    let mut awarded = events
        .filter(|event| event["type"] == "call.RoundAwarded" && event["data"]["cut_off"] == "R1");
    let awarded = awarded.next().expect("an award")["data"]["funded"].as_array().unwrap();
    let grants: BTreeSet<&str> =
        awarded.iter().map(|one| one["grant"].as_str().unwrap()).collect();
    let is_about = |event: &Value| {
        let mut all = BTreeSet::new();
        texts(event, &mut all);
        let stream = event["stream"].as_str().unwrap();
        let of_call = all.contains("EUROHPC-2024-CEI-AI") || stream == "call-EUROHPC-2024-CEI-AI";
        let others = ["R2", "R3"].iter().any(|round| all.contains(round));
        let is_general = stream == "call-EUROHPC-2024-CEI-AI" && !others;
        let names_grant = grants.iter().any(|grant| {
            all.contains(grant) || all.contains(&*format!("grant-{grant}"))
        });
        all.iter().any(|text| text.starts_with("R1-") || text.starts_with("proposal-R1-"))
            || (of_call && all.contains("R1"))
            || is_general
            || names_grant
            || event["type"] == "call.Opened" && stream == "call-EUROHPC-2024-CEI-AI"
    };
    let about = commits.iter().filter(|commit| {
        commit["events"].as_array().unwrap().iter().any(is_about)
    });
    about.map(|commit| format!("{:012}.json", commit["position"].as_u64().unwrap())).collect()
}

#[test]
fn the_pack_of_round_one_is_checked_by_its_own_readme_and_has_what_is_about_the_round() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, ROUND, "one.tar", &[]);
    println!("{}", holds(dir, &["one.tar", "one"]));
    let log = ended(dir, &["--data", "log", "export"], 0);
    let log: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
    let packed: BTreeSet<String> = names(&dir.join("one/commits")).into_iter().collect();
    assert_eq!(packed, about_round_one(&log.join("\n")));
    for name in &packed {
        let position: usize = name.trim_end_matches(".json").parse().unwrap();
        assert_eq!(read(&dir.join("one/commits").join(name)), log[position - 1], "{name}");
    }
    // What was published of the round, and nothing of another.
    let rounds = read(&dir.join("one/figures/budget.rounds.csv"));
    assert_eq!(rounds.lines().count(), 2, "{rounds}");
    assert!(rounds.contains(&format!("EUROHPC-2024-CEI-AI,R1,7,{UNION},")), "{rounds}");
    let all = names(&dir.join("one/figures")).into_iter();
    let all: String = all.map(|name| read(&dir.join("one/figures").join(name))).collect();
    for person in ["expert-R1-1", "rapporteur-R1", "applicant-LUMI-AIF", "R2-PIAST"] {
        assert!(!all.contains(person), "{person}");
    }
    assert!(all.contains("person-1"));
    // The same question, the same bytes: also when the log has grown and other checkpoints are there.
    let size = json(&dir.join("one/scope.json"))["position"].as_u64().unwrap().to_string();
    ended(dir, &["--data", "log", "proof", "record", "--key", "key"], 0);
    pack(dir, ROUND, "two.tar", &["--at-position", &size]);
    let (one, two) = (dir.join("one.tar"), dir.join("two.tar"));
    assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap(), "other bytes");
    let args = ["--data", "log", "audit", "pack", "--scope", ROUND, "--key", "key", "--to", "two.tar"];
    assert!(ended(dir, &args, 2).contains("nothing is overwritten"));
    // With ids, for who must know.
    pack(dir, ROUND, "ids.tar", &["--with-ids"]);
    holds(dir, &["ids.tar", "ids"]);
    assert!(read(&dir.join("ids/figures/timeline.events.csv")).contains("expert-R1-1"));
}

#[test]
fn the_pack_of_everything_is_checked_by_its_own_readme() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "all", "all.tar", &[]);
    println!("{}", holds(dir, &["all.tar", "all"]));
    let log = ended(dir, &["--data", "log", "export"], 0);
    let lines = names(&dir.join("all/commits")).into_iter();
    let lines: String = lines.map(|name| read(&dir.join("all/commits").join(name))).collect();
    assert!(log.contains(&lines), "the commits are those of the log");
}

/// Writes the manifest anew, as whoever changes a pack would.
fn listed_anew(dir: &Path) {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(dir, &mut files);
    let lines = files.iter().filter(|path| !path.ends_with("MANIFEST")).map(|path| {
        let digest = Sha256Hex::of(&std::fs::read(path).unwrap());
        format!("{digest}  {}\n", path.strip_prefix(dir).unwrap().display())
    });
    std::fs::write(dir.join("MANIFEST"), lines.collect::<String>()).unwrap();
}
