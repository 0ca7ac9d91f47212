//! Audit packs, as who gets one sees them: `tests/pack/check.sh` unpacks one and runs the commands of its own
//! README, with our program not at hand. Whatever is changed in it afterwards ends them.

mod own;

use crate::cli::program::{Scratch, command, tranche};
use domain::kernel::canonical::Sha256Hex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

const ROUND: &str = "round:EUROHPC-2024-CEI-AI/R1";
/// What was committed for it, in euro.
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
    let public = ended(dir, &["proof", "key", "demo.example/log", "--to", "key"], 0);
    std::fs::write(dir.join("public"), public).unwrap();
    ended(dir, &["--data", "log", "proof", "record", "--key", "key"], 0);
    scratch
}

/// Makes a pack, and gives what was said.
#[track_caller]
fn pack(dir: &Path, scope: &str, to: &str, more: &[&str]) -> String {
    let args =
        ["--data", "log", "audit", "pack", "--scope", scope, "--public", "public", "--to", to];
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
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.trim_end().ends_with("everything holds"), "{}", said(&output));
    said(&output)
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
    let grants: BTreeSet<&str> = awarded.iter().map(|one| one["grant"].as_str().unwrap()).collect();
    let is_about = |event: &Value| {
        let mut all = BTreeSet::new();
        texts(event, &mut all);
        let stream = event["stream"].as_str().unwrap();
        let of_call = all.contains("EUROHPC-2024-CEI-AI") || stream == "call-EUROHPC-2024-CEI-AI";
        let others = ["R2", "R3"].iter().any(|round| all.contains(round));
        let is_general = stream == "call-EUROHPC-2024-CEI-AI" && !others;
        let names_grant = grants
            .iter()
            .any(|grant| all.contains(grant) || all.contains(&*format!("grant-{grant}")));
        all.iter().any(|text| text.starts_with("R1-") || text.starts_with("proposal-R1-"))
            || (of_call && all.contains("R1"))
            || is_general
            || names_grant
            || event["type"] == "call.Opened" && stream == "call-EUROHPC-2024-CEI-AI"
    };
    let about =
        commits.iter().filter(|commit| commit["events"].as_array().unwrap().iter().any(is_about));
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
    let args =
        ["--data", "log", "audit", "pack", "--scope", ROUND, "--key", "key", "--to", "two.tar"];
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

/// Every file below a directory, by its path from there and by its own, in order.
fn files(dir: &Path) -> Vec<(String, PathBuf)> {
    fn walk(top: &Path, dir: &Path, found: &mut Vec<(String, PathBuf)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(top, &path, found);
            } else {
                found.push((path.strip_prefix(top).unwrap().display().to_string(), path));
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// Writes the manifest anew, as whoever changes a pack would.
fn listed_anew(dir: &Path) {
    let others = files(dir).into_iter().filter(|(name, _)| name != "MANIFEST");
    let lines = others
        .map(|(name, path)| format!("{}  {name}\n", Sha256Hex::of(&std::fs::read(path).unwrap())));
    std::fs::write(dir.join("MANIFEST"), lines.collect::<String>()).unwrap();
}

/// Replaces a text that is in a file.
#[track_caller]
fn replaced(path: &Path, old: &str, new: &str) {
    let text = read(path);
    assert!(text.contains(old), "{old:?} is not in {}", path.display());
    std::fs::write(path, text.replace(old, new)).unwrap();
}

fn flipped(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Puts an unpacked directory into an archive again, by another program, for our own check.
#[track_caller]
fn packed(dir: &Path, from: &str) -> String {
    let to = format!("{from}.changed.tar");
    let list = dir.join("files");
    let names: Vec<String> = files(&dir.join(from)).into_iter().map(|(name, _)| name).collect();
    std::fs::write(&list, names.join("\n")).unwrap();
    let mut tar = command("tar", dir);
    let tar = tar.args(["--format=ustar", "-cf", &to, "-C", from, "-T"]).arg(list);
    assert!(tar.status().unwrap().success());
    to
}

/// A pack with documents, unpacked in `one`, and a copy of it for each change.
struct Attacked {
    scratch: Scratch,
}

impl Attacked {
    fn new() -> Self {
        let scratch = recorded();
        let dir = scratch.path();
        for text in ["R1-LUMI-AIF application", "hosting agreement LUMI-AIF"] {
            let hash = Sha256Hex::of(text.as_bytes()).to_string();
            let of_hash = dir.join("documents/sha256").join(&hash[..2]);
            std::fs::create_dir_all(&of_hash).unwrap();
            std::fs::write(of_hash.join(hash), text).unwrap();
        }
        let told = pack(dir, ROUND, "one.tar", &["--documents", "documents"]);
        assert!(told.contains("15 documents missing"), "{told}");
        let told = holds(dir, &["one.tar", "one"]);
        assert!(told.contains("2 of 17 documents"), "{told}");
        let told = ended(dir, &["verify", "--pack", "one.tar"], 0);
        assert!(told.contains("2 documents"), "{told}");
        Self { scratch }
    }

    fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Whatever is changed is found: by the manifest; and where that was written anew, by what else the README
    /// says. Ours finds it too, but for books of a part of the log, and figures whose control total was changed
    /// with them.
    #[track_caller]
    fn refused(&self, what: &str, ours: bool, change: impl FnOnce(&Path)) {
        let mut copy = command("cp", self.dir());
        assert!(copy.args(["-r", "one", "changed"]).status().unwrap().success());
        let changed = self.dir().join("changed");
        change(&changed);
        let output = checked(self.dir(), &["changed"]);
        assert!(!output.status.success(), "{what}: {}", said(&output));
        assert!(said(&output).contains("computed checksum"), "{what}: {}", said(&output));
        listed_anew(&changed);
        let output = checked(self.dir(), &["changed"]);
        assert!(!output.status.success(), "{what}, listed anew: {}", said(&output));
        let tar = packed(self.dir(), "changed");
        let code = if ours { 1 } else { 0 };
        ended(self.dir(), &["verify", "--pack", &tar], code);
        std::fs::remove_dir_all(changed).unwrap();
    }
}

#[test]
fn whatever_is_changed_in_a_pack_is_refused_also_when_its_manifest_is_written_anew() {
    let attacked = Attacked::new();
    let one = attacked.dir().join("one");
    // Nothing changed, packed and listed by another program: fine.
    listed_anew(&one);
    let tar = packed(attacked.dir(), "one");
    ended(attacked.dir(), &["verify", "--pack", &tar], 0);
    let award = names(&one.join("commits")).into_iter();
    let award = award.map(|name| format!("commits/{name}"));
    let mut award = award.filter(|name| read(&one.join(name)).contains("call.RoundAwarded"));
    let award = award.next().expect("an award");
    attacked.refused("a bit of a commit", true, |dir| {
        replaced(&dir.join(&award), "\"EUR 750000000.00\"", "\"EUR 750000001.00\"");
    });
    attacked.refused("a bit of a proof", true, |dir| {
        let proof = award.replace("commits", "proofs").replace(".json", ".tlog-proof");
        flipped(&dir.join(proof), 40);
    });
    attacked.refused("a bit of the signature", true, |dir| {
        let note = std::fs::read(dir.join("checkpoint")).unwrap();
        flipped(&dir.join("checkpoint"), note.len() - 10);
    });
    attacked.refused("a bit of the root", true, |dir| {
        let at = read(&dir.join("checkpoint")).find("\n\n").unwrap() - 10;
        flipped(&dir.join("checkpoint"), at);
    });
    attacked.refused("another key", true, |dir| {
        let name =
            names(&dir.join("keys")).into_iter().find(|name| name.strip_suffix(".vkey").is_some());
        flipped(&dir.join("keys").join(name.unwrap()), 40);
    });
    attacked.refused("a document", true, |dir| {
        let hash = Sha256Hex::of(b"hosting agreement LUMI-AIF").to_string();
        flipped(&dir.join("documents/sha256").join(&hash[..2]).join(&hash), 3);
    });
    attacked.refused("the rules", true, |dir| {
        let name = names(&dir.join("rules")).remove(0);
        replaced(&dir.join("rules").join(name), "\"sign_days\":90", "\"sign_days\":91");
    });
    attacked.refused("a commit that is left out", true, |dir| {
        std::fs::write(dir.join(&award), "").unwrap();
        std::fs::write(
            dir.join(award.replace("commits", "proofs").replace(".json", ".tlog-proof")),
            "",
        )
        .unwrap();
    });
    attacked.refused("a figure", true, |dir| {
        replaced(&dir.join("figures/budget.rounds.csv"), UNION, "750000001.00");
    });
    attacked.refused("a figure and control totals", true, |dir| {
        for name in ["budget.rounds.csv", "budget.json", "index.json"] {
            replaced(&dir.join("figures").join(name), UNION, "750000001.00");
        }
    });
    attacked.refused("an amount in the books", false, |dir| {
        let text = read(&dir.join("books/ledger.journal"));
        assert!(text.contains("EUR -750000000.00"), "{text}");
        replaced(&dir.join("books/ledger.journal"), "750000000.00", "750000001.00");
    });
}

#[test]
fn of_everything_also_figures_and_books_are_made_anew() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "all", "all.tar", &["--at-position", "366", "--as-of", "2025-12-31"]);
    holds(dir, &["all.tar", "all"]);
    let told = ended(dir, &["verify", "--pack", "all.tar", "--json"], 0);
    let found: Value = serde_json::from_str(told.trim()).expect("JSON");
    assert_eq!(found["findings"], serde_json::json!([]));
    assert_eq!(found["size"], 412);
    for (name, old, new) in [
        ("figures/ranking.places.csv", "AIF", "AIG"),
        ("figures/budget.json", "EUR 750000000.00", "EUR 750000001.00"),
        ("books/ledger.journal", "750000000.00", "750000001.00"),
        ("scope.json", "\"position\":366", "\"position\":365"),
    ] {
        let before = read(&dir.join("all").join(name));
        replaced(&dir.join("all").join(name), old, new);
        listed_anew(&dir.join("all"));
        let tar = packed(dir, "all");
        ended(dir, &["verify", "--pack", &tar], 1);
        std::fs::write(dir.join("all").join(name), before).unwrap();
    }
    // A key that comes from elsewhere.
    ended(dir, &["proof", "key", "demo.example/log", "--to", "other"], 0);
    let other = ended(dir, &["proof", "key", "demo.example/log", "--to", "another"], 0);
    std::fs::write(dir.join("public"), other).unwrap();
    let args = ["verify", "--pack", "all.tar", "--public", "public"];
    assert!(ended(dir, &args, 1).contains("no known key has signed"));
}

#[test]
fn the_timestamp_of_the_checkpoint_goes_along_and_openssl_takes_it() {
    let scratch = crate::stamps::authority();
    let dir = scratch.path();
    crate::stamps::stamped(dir);
    pack(dir, "grant:LUMI-AIF", "one.tar", &["--ca", "ca.pem"]);
    let told = holds(dir, &["one.tar", "one"]);
    assert!(told.contains("Verification: OK"), "{told}");
    let reply = dir.join("one/stamps/1.tsr");
    let length = std::fs::read(&reply).unwrap().len();
    flipped(&reply, length - 1);
    listed_anew(&dir.join("one"));
    assert!(!checked(dir, &["one"]).status.success());
}

#[test]
fn every_scope_is_packed_and_a_wrong_one_says_what_is_wrong() {
    let scratch = recorded();
    let dir = scratch.path();
    let count = |scope: &str, to: &str| {
        pack(dir, scope, &format!("{to}.tar"), &[]);
        holds(dir, &[&format!("{to}.tar"), to]);
        json(&dir.join(to).join("scope.json"))["commits"].as_u64().unwrap()
    };
    let (call, round) = (count("call:EUROHPC-2024-CEI-AI", "call"), count(ROUND, "round"));
    let grant = count("grant:LUMI-AIF", "grant");
    let period = count("period:2024-12-01..2024-12-31", "period");
    assert!(call > round && round > grant && grant > 5 && period > 0, "{call} {round} {grant}");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["call:X"], 3, "scope: call X does not exist at that moment"),
        (
            &["round:EUROHPC-2024-CEI-AI/R9"],
            3,
            "has no round R9 at that moment; there are R1, R2, R3",
        ),
        (&["grant:X"], 3, "scope: grant X does not exist at that moment"),
        (&["grant:LUMI-AIF", "--at-position", "40"], 3, "grant LUMI-AIF does not exist"),
        (&["period:2025-01-02..2025-01-01"], 2, "ends before it begins"),
        (&["period:1999-01-01..1999-12-31"], 3, "no commit of period:"),
        (&["period:2025"], 2, "a period is FROM..TO"),
        (&["round:X"], 2, "a round is CALL/ROUND"),
        (&["everything"], 2, "expected all, call:ID"),
        (&["grant:no spaces"], 2, "GrantId is 1 to 64 characters"),
        (&["all", "--at-position", "413"], 3, "no signed checkpoint covers position 413"),
        (&["all", "--at-position", "4130"], 3, "position 4130: the log ends at 413"),
        (&["all", "--known-at", "2000-01-01"], 3, "no commit is known at that moment"),
    ];
    for (more, code, what) in cases {
        let args = ["--data", "log", "audit", "pack", "--key", "key", "--to", "no.tar", "--scope"];
        let told = ended(dir, &[&args[..], *more].concat(), *code);
        assert!(told.contains(what), "{more:?}: {told}");
        assert!(!dir.join("no.tar").exists(), "{more:?}");
    }
    std::fs::write(dir.join("no.tar"), "no archive").unwrap();
    ended(dir, &["verify", "--pack", "no.tar"], 5);
}

#[test]
fn exported_commits_prove_themselves_to_a_program_that_is_not_ours() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "grant:LUMI-AIF", "one.tar", &[]);
    holds(dir, &["one.tar", "one"]);
    let export = ["--data", "log", "audit", "export", "commits", "--public", "public"];
    let checked = |file: &str| {
        let script = root().join("tests/audit/proven.py");
        command("python3", dir).arg(script).args([file, "public"]).output().expect("Python 3")
    };
    let told = ended(
        dir,
        &[&export[..], &["--scope", "grant:LUMI-AIF", "--to", "lumi.jsonl"]].concat(),
        0,
    );
    assert!(told.contains("proven under a checkpoint of 412"), "{told}");
    let output = checked("lumi.jsonl");
    assert!(output.status.success(), "{}", said(&output));
    let positions: Vec<u64> = serde_json::from_slice(&output.stdout).expect("positions");
    let packed: Vec<u64> = names(&dir.join("one/commits"))
        .iter()
        .map(|name| name.trim_end_matches(".json").parse().unwrap())
        .collect();
    assert_eq!(positions, packed, "what the pack of the same scope has");
    ended(dir, &[&export[..], &["--to", "all.jsonl"]].concat(), 0);
    let all = read(&dir.join("all.jsonl"));
    assert_eq!(all.lines().count(), 412);
    let log = ended(dir, &["--data", "log", "export"], 0);
    for (line, stored) in all.lines().zip(log.lines().filter(|line| line.starts_with('{'))) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["entry"], stored, "byte for byte");
    }
    // One bit.
    let lines = read(&dir.join("lumi.jsonl")).replacen("LUMI", "LUMH", 1);
    std::fs::write(dir.join("changed.jsonl"), lines).unwrap();
    assert!(said(&checked("changed.jsonl")).contains("REFUSED: the proof"));
    for (more, code, what) in [
        (&["--format", "csv"][..], 2, "written as jsonl"),
        (&["--scope", "grant:X"], 3, "grant X does not exist"),
        (&["--at-position", "413"], 3, "no signed checkpoint covers position 413"),
    ] {
        let told = ended(dir, &[&export[..], more].concat(), code);
        assert!(told.contains(what), "{told}");
    }
    let told = ended(dir, &["--data", "log", "audit", "export", "commits"], 2);
    assert!(told.contains("--public"), "{told}");
    // From a copy of the log, without the tree and the secret key of whoever runs it.
    ended(dir, &["log", "copy", "sqlite:log", "sqlite:copy"], 0);
    let own =
        ["--data", "copy", "audit", "pack", "--scope", "grant:LUMI-AIF", "--public", "public"];
    ended(dir, &[&own[..], &["--tree", "tree", "--to", "own.tar"]].concat(), 0);
    assert!(
        std::fs::read(dir.join("one.tar")).unwrap() == std::fs::read(dir.join("own.tar")).unwrap()
    );
    // Another key is of another log.
    let other = ended(dir, &["proof", "key", "demo.example/other", "--to", "other"], 0);
    std::fs::write(dir.join("public"), other).unwrap();
    let told = ended(dir, &export, 2);
    assert!(told.contains("not by the keys that are given"), "{told}");
    let told = ended(dir, &["--data", "log", "audit", "export", "payments", "--scope", "all"], 2);
    assert!(told.contains("--scope is of commits"), "{told}");
}
