//! Proof for strangers: what is published is checked by programs that are not ours, and whatever is
//! changed is refused by them and by us.

mod attacks;
mod auditor;
mod service;

use crate::cli::program::{Scratch, command, tranche};
use crate::life::Dice;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A check has found something.
const FOUND: i32 = 1;
/// What is stored is not what was written.
const CORRUPT: i32 = 5;
/// So many sizes of the log have their roots compared.
const SIZES: u64 = 40;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// The demo's log with a key, in a directory of its own.
struct Published {
    scratch: Scratch,
    public: String,
}

impl Published {
    fn new() -> Published {
        let scratch = Scratch::new();
        let dir = scratch.path();
        done(dir, &["--data", "log", "demo", "--once"]);
        let public = done(dir, &["proof", "key", "demo.example/log", "--to", "key"]);
        std::fs::write(dir.join("public"), &public).unwrap();
        let public = public.trim().to_owned();
        let published = Published { scratch, public };
        done(published.dir(), &["--data", "log", "proof", "publish", "site", "--key", "key"]);
        published
    }

    fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// What the verifier in Python says.
    fn verify(&self, more: &[&str]) -> Output {
        let script = root().join("tests/proof/verify.py");
        let mut python = command("python3", self.dir());
        python.arg(script).args(["site", &self.public]).args(more);
        python.output().expect("Python 3")
    }

    #[track_caller]
    fn refused(&self, more: &[&str], what: &str) {
        let output = self.verify(more);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        assert!(said(&output).contains("REFUSED: "), "{what}: {}", said(&output));
    }

    fn size(&self) -> u64 {
        let note = std::fs::read_to_string(self.dir().join("site/checkpoint")).unwrap();
        note.lines().nth(1).unwrap().parse().unwrap()
    }
}

/// Changes one bit of a file, seeded, and gives back what puts it right.
fn flip(path: &Path, dice: &mut Dice) -> impl FnOnce() + use<> {
    let before = std::fs::read(path).unwrap();
    let mut bytes = before.clone();
    let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
    bytes[at] ^= 1 << dice.below(8);
    std::fs::write(path, bytes).unwrap();
    let path = path.to_owned();
    move || std::fs::write(path, before).unwrap()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_stranger_checks_the_log_in_another_language_and_sees_every_changed_bit() {
    let published = Published::new();
    let dir = published.dir();
    let position = (published.size() / 2).to_string();
    let proof = done(dir, &["--data", "log", "proof", "commit", &position, "--key", "key"]);
    let log = done(dir, &["--data", "log", "export"]);
    let commit = log.lines().nth(position.parse::<usize>().unwrap() - 1).unwrap();
    std::fs::write(dir.join("one.tlog-proof"), proof).unwrap();
    std::fs::write(dir.join("commit"), commit).unwrap();
    let more = ["one.tlog-proof", "commit"];
    let output = published.verify(&more);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), format!("{} entries verified\n", published.size()));
    let check = ["proof", "check", "one.tlog-proof", "commit", "--public", "public"];
    assert!(done(dir, &check).contains("it is in the log"));

    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut dice = Dice::of_seed(seed);
    let mut all = Vec::new();
    files(&dir.join("site"), &mut all);
    all.sort();
    assert!(all.len() >= 3, "{all:?}");
    for path in all {
        let mend = flip(&path, &mut dice);
        published.refused(&more, &path.display().to_string());
        mend();
    }
    for name in ["one.tlog-proof", "commit"] {
        let mend = flip(&dir.join(name), &mut dice);
        published.refused(&more, name);
        let ours = tranche(dir, &check);
        // A bit of the text's encoding makes it no text at all, which is a mistake of the call.
        assert!(matches!(ours.status.code(), Some(FOUND | 2)), "{name}: {}", said(&ours));
        mend();
    }
    assert!(published.verify(&more).status.success(), "all is mended");
}

#[test]
fn pymerkle_gets_the_same_roots() {
    let published = Published::new();
    let (dir, size) = (published.dir(), published.size());
    let log = done(dir, &["--data", "log", "export"]);
    let mut dice = Dice::of_seed(1);
    let mut sizes: Vec<u64> = (1..SIZES).map(|_| 1 + dice.below(size)).collect();
    sizes.push(size);
    std::fs::write(dir.join("log.jsonl"), &log).unwrap();
    let script = root().join("tests/proof/roots.py");
    let words = sizes.iter().map(u64::to_string);
    let mut python = command(root().join("target/test-tools/python/bin/python"), dir);
    let output = python.arg(script).arg("log.jsonl").args(words).output().expect("see tests/run");
    assert!(output.status.success(), "{}", said(&output));
    let theirs = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = log.lines().collect();
    for (size, theirs) in sizes.iter().zip(theirs.lines()) {
        let mut builder = eventlog::tlog::Builder::default();
        for line in &lines[..usize::try_from(*size).unwrap()] {
            let leaf = eventlog::tlog::Hash::leaf(line.as_bytes());
            let pushed = builder.push(leaf, |_, _| Ok::<_, std::convert::Infallible>(()));
            pushed.unwrap();
        }
        assert_eq!(builder.root().to_string(), theirs, "{size}");
    }
    let note = std::fs::read_to_string(dir.join("site/checkpoint")).unwrap();
    assert_eq!(note.lines().nth(2), theirs.lines().last(), "the root that was signed");
}

/// Changes a stored commit as an administrator would who knows how rows are protected.
fn rewrite(dir: &Path, script: &str) {
    let mut python = command("python3", dir);
    let output = python.arg("-c").arg(script).output().expect("Python 3");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn verify_finds_what_an_administrator_changed_since_a_checkpoint() {
    let published = Published::new();
    let dir = published.dir();
    let note = done(dir, &["--data", "log", "proof", "checkpoint", "--key", "key"]);
    std::fs::write(dir.join("kept"), note).unwrap();
    let verify = ["--data", "log", "verify", "--checkpoint", "kept", "--public", "public"];
    assert!(done(dir, &verify).contains("2 signed checkpoints"));
    let by_other = done(dir, &["proof", "key", "demo.example/log", "--to", "other"]);
    std::fs::write(dir.join("by-other"), by_other).unwrap();
    let stranger = ["--data", "log", "verify", "--checkpoint", "kept", "--public", "by-other"];
    let output = tranche(dir, &stranger);
    assert_eq!(output.status.code(), Some(FOUND), "{}", said(&output));

    // The last commit is taken away, with all that knew of it here.
    done(dir, &["--data", "log", "export", "--to", "log.jsonl"]);
    let lines = std::fs::read_to_string(dir.join("log.jsonl")).unwrap();
    let less: Vec<&str> = lines.lines().collect();
    assert_eq!(u64::try_from(less.len()).unwrap(), published.size());
    std::fs::remove_dir_all(dir.join("log/proof")).unwrap();
    std::fs::remove_dir_all(dir.join("log/snapshots")).ok();
    rewrite(
        dir,
        "import sqlite3\n\
         log = sqlite3.connect('log/log.sqlite')\n\
         tables = [row[0] for row in log.execute(\"select name from sqlite_master where type='trigger'\")]\n\
         for name in tables: log.execute(f'drop trigger {name}')\n\
         log.execute('delete from groups where last = (select max(last) from groups)')\n\
         log.commit()\n",
    );
    let output = tranche(dir, &verify);
    assert!(matches!(output.status.code(), Some(FOUND | CORRUPT)), "{}", said(&output));
    assert!(said(&output).contains("the log ends at"), "{}", said(&output));
    let json = tranche(dir, &[&verify[..], &["--json"]].concat());
    let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(!report["findings"].as_array().unwrap().is_empty());
}
