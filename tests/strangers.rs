//! Programs of strangers on a published log: Go's checksum database and pymerkle get our roots and
//! accept our proofs, and whatever bit is changed is refused by Go, by Python and by us.

mod programs;

use crate::cli::program::{Scratch, command, tranche};
use crate::life::Dice;
use bytes::Bytes;
use eventlog::tlog::note::{Note, Verifier};
use eventlog::tlog::{Checkpoint, Hash, Proof, Tree};
use eventlog::{Log, Memory, Sqlite};
use programs::Program;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tranche::proof::{Prover, keys};
use tranche_proof::DIRECTORY;

/// So many beginnings of a long log are compared; of the demo, all.
const PREFIXES: usize = 1_000;
/// So many bits are changed of each kind of thing.
const FLIPS: usize = 200;
/// The demo's log is not longer, in bytes.
const DEMO_BYTES_MAX: usize = 16 << 20;
/// A log whose tiles have three levels.
const LARGE: u64 = 66_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root")
}

/// The seed of this run. `SEED` sets it.
#[expect(clippy::print_stdout, reason = "whoever reads a failure needs it")]
fn dice() -> Dice {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    Dice::of_seed(seed)
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) -> String {
    let output = tranche(dir, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// A log that is published in `site`, with its key in `key`.
struct Published {
    scratch: Scratch,
    public: String,
    entries: Vec<Bytes>,
    prover: Prover,
}

impl Published {
    /// The demo's log, published by the program.
    async fn of_demo() -> Published {
        let scratch = Scratch::new();
        let dir = scratch.path();
        done(dir, &["--data", "log", "demo", "--once"]);
        let public = done(dir, &["proof", "key", "demo.example/log", "--to", "key"]);
        done(dir, &["--data", "log", "proof", "publish", "site", "--key", "key"]);
        let log: Arc<dyn Log> = Arc::new(Sqlite::open_read_only(&dir.join("log")).unwrap());
        let keys = keys::read(&dir.join("key")).unwrap();
        let tree = dir.join("log").join(DIRECTORY);
        let prover = Prover::open(log.clone(), &tree, keys).await.unwrap();
        let groups = log.read(1, DEMO_BYTES_MAX).await.unwrap();
        let entries: Vec<_> = groups.into_iter().flat_map(|group| group.entries).collect();
        assert!(entries.len() > 300, "a log that has a full tile");
        Published { public: public.trim().to_owned(), scratch, entries, prover }
    }

    /// A log of small entries.
    async fn of_size(size: u64) -> Published {
        let scratch = Scratch::new();
        let dir = scratch.path();
        let public = done(dir, &["proof", "key", "large.example/log", "--to", "key"]);
        let entries: Vec<_> = (0..size).map(|number| Bytes::from(number.to_string())).collect();
        let log = Memory::new();
        let mut head = 0;
        for group in entries.chunks(500) {
            head = log.append(head, group.to_vec()).await.unwrap();
        }
        let keys = keys::read(&dir.join("key")).unwrap();
        let prover = Prover::open(Arc::new(log), &dir.join("tree"), keys).await.unwrap();
        let (head, note) = prover.checkpoint().unwrap();
        prover.publish(&dir.join("site"), &head, &note).await.unwrap();
        Published { public: public.trim().to_owned(), scratch, entries, prover }
    }

    fn dir(&self) -> &Path {
        self.scratch.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn go(&self) -> Program {
        let mut go = command(programs::sumdb(self.dir()), self.dir());
        go.args(["site", &self.public]);
        Program::start(go)
    }

    fn python(&self) -> Program {
        let mut python = command("python3", self.dir());
        let tests = root().join("tests");
        python.arg(tests.join("strangers/lines.py")).arg(tests.join("proof/verify.py"));
        Program::start(python)
    }

    /// The command for Python's check, of the site alone or with a proof.
    fn check(&self, more: &str) -> String {
        format!("site {} {more}", self.public)
    }

    /// The roots of the first so many entries, by pymerkle.
    fn roots(&self, sizes: &[u64]) -> Vec<String> {
        let lines: Vec<_> = self.entries.iter().flat_map(|entry| [&entry[..], b"\n"]).collect();
        std::fs::write(self.path("log.jsonl"), lines.concat()).unwrap();
        let script = root().join("tests/proof/roots.py");
        let mut python = command(root().join("target/test-tools/python/bin/python"), self.dir());
        let words = sizes.iter().map(u64::to_string);
        let output = python.arg(script).arg("log.jsonl").args(words).output().expect("tests/run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Go takes our proof that a tree is the beginning of the signed one.
    #[track_caller]
    fn grown_from(&self, go: &mut Program, size: u64, root: &str) {
        let path = self.prover.consistency(size, self.size()).unwrap();
        let path: Vec<_> = path.iter().map(Hash::to_string).collect();
        let command = format!("consistency {size} {root} {}", path.join(" "));
        assert_eq!(go.ask(&command), Ok(String::new()), "{command}");
    }

    /// Of the first so many entries pymerkle and sumdb get our root, and sumdb takes the proof that the log
    /// grew from them.
    #[track_caller]
    fn every_root_is_that_of_strangers(&self, go: &mut Program, sizes: &[u64]) {
        let roots = self.roots(sizes);
        assert_eq!(roots.len(), sizes.len());
        for (size, root) in sizes.iter().zip(roots) {
            assert_eq!(self.prover.root(*size).unwrap().to_string(), root, "ours of {size}");
            assert_eq!(go.ask(&format!("root {size}")), Ok(root.clone()), "sumdb's of {size}");
            self.grown_from(go, *size, &root);
        }
    }

    /// Writes the proof of the commit at a position and the commit, and gives the command for Go.
    fn write_proof(&self, position: u64) -> String {
        let proof = self.prover.proof(position).unwrap().expect("it is in the log");
        let index = usize::try_from(position - 1).unwrap();
        std::fs::write(self.path("one.tlog-proof"), proof.to_string()).unwrap();
        std::fs::write(self.path("commit"), &self.entries[index]).unwrap();
        "proof one.tlog-proof commit".to_owned()
    }

    /// What our own library says of the checkpoint, and of the proof.
    fn ours(&self) -> (bool, bool) {
        let read = |name| String::from_utf8(std::fs::read(self.path(name)).unwrap()).ok();
        let known = [Verifier::parse(&self.public).unwrap()];
        let note = read("site/checkpoint").and_then(|text| Note::parse(&text).ok());
        let head = note.map(|note| Checkpoint::open(&note, &known, known[0].name()));
        let proof = read("one.tlog-proof").and_then(|text| Proof::parse(&text).ok());
        let commit = std::fs::read(self.path("commit")).unwrap();
        let proved = proof.map(|proof| proof.verify(&commit, &known, known[0].name()));
        (head.is_some_and(|head| head.is_ok()), proved.is_some_and(|head| head.is_ok()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sumdb_takes_the_log_and_every_proof_and_pymerkle_gets_the_root_of_every_beginning() {
    let published = Published::of_demo().await;
    let (size, mut go) = (published.size(), published.go());
    let signed = published.prover.root(size).unwrap();
    assert_eq!(go.ask("checkpoint"), Ok(format!("{size} {signed}")));
    assert_eq!(go.ask("entries"), Ok(size.to_string()));
    for position in 1..=size {
        let command = published.write_proof(position);
        assert_eq!(go.ask(&command), Ok(String::new()), "{position}");
    }
    published.every_root_is_that_of_strangers(&mut go, &(1..=size).collect::<Vec<_>>());
    // A root that pymerkle did not get is refused, so that the answers above mean something.
    let path = published.prover.consistency(size - 1, size).unwrap();
    let path: Vec<_> = path.iter().map(Hash::to_string).collect();
    let wrong = format!("consistency {} {signed} {}", size - 1, path.join(" "));
    assert!(go.ask(&wrong).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_beginnings_of_a_log_with_three_levels_of_tiles_are_taken_too() {
    let published = Published::of_size(LARGE).await;
    let (mut go, mut dice) = (published.go(), dice());
    let signed = published.prover.root(LARGE).unwrap();
    assert_eq!(go.ask("checkpoint"), Ok(format!("{LARGE} {signed}")));
    assert_eq!(go.ask("entries"), Ok(LARGE.to_string()));
    // From the entries alone.
    let verified = published.python().ask(&published.check(""));
    assert_eq!(verified, Ok(format!("{LARGE} entries verified")));
    let mut sizes = BTreeSet::from([1, 255, 256, 257, 65_535, 65_536, 65_537, LARGE]);
    while sizes.len() < PREFIXES {
        sizes.insert(1 + dice.below(LARGE));
    }
    let sizes: Vec<u64> = sizes.into_iter().collect();
    published.every_root_is_that_of_strangers(&mut go, &sizes);
    for size in sizes {
        let command = published.write_proof(size);
        assert_eq!(go.ask(&command), Ok(String::new()), "{size}");
    }
}

/// Changes one bit of a file, and gives back what puts it right.
fn flip(path: &Path, dice: &mut Dice) -> (String, impl FnOnce() + use<>) {
    let before = std::fs::read(path).unwrap();
    let mut bytes = before.clone();
    let (at, bit) = (dice.index(bytes.len()), dice.below(8));
    bytes[at] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
    let what = format!("{}: bit {bit} of byte {at}", path.display());
    let path = path.to_owned();
    (what, move || std::fs::write(path, before).unwrap())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Both programs, and the log that they look at.
struct Watched {
    published: Published,
    go: Program,
    python: Program,
    proof: String,
}

impl Watched {
    async fn new(dice: &mut Dice) -> Watched {
        let published = Published::of_demo().await;
        let proof = published.write_proof(1 + dice.below(published.size()));
        let (go, python) = (published.go(), published.python());
        let mut watched = Watched { published, go, python, proof };
        watched.accepted();
        watched
    }

    fn by_python(&mut self) -> Result<String, String> {
        self.python.ask(&self.published.check("one.tlog-proof commit"))
    }

    #[track_caller]
    fn accepted(&mut self) {
        assert!(self.go.ask("entries").is_ok());
        assert_eq!(self.go.ask(&self.proof), Ok(String::new()));
        let verified = format!("{} entries verified", self.published.size());
        assert_eq!(self.by_python(), Ok(verified));
        assert_eq!(self.published.ours(), (true, true));
    }

    /// Whatever bit of these files is changed: Go's command is refused, and all that Python checks.
    #[track_caller]
    fn refused(&mut self, files: &[PathBuf], command: &str, dice: &mut Dice) {
        assert!(!files.is_empty());
        for _ in 0..FLIPS {
            let file = dice.pick(files).clone();
            let (what, mend) = flip(&file, dice);
            assert!(self.go.ask(command).is_err(), "Go: {what}");
            assert!(self.by_python().is_err(), "Python: {what}");
            let ours = self.published.ours();
            let is_told =
                files[0].starts_with(self.published.path("site/tile")) || ours != (true, true);
            assert!(is_told, "ours: {what}");
            mend();
        }
        self.accepted();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_bit_of_entries_and_tiles_is_refused() {
    let mut dice = dice();
    let mut watched = Watched::new(&mut dice).await;
    let entries = files(&watched.published.path("site/tile/entries"));
    assert_eq!(entries.len(), 2, "{entries:?}");
    watched.refused(&entries, "entries", &mut dice);
    let mut tiles = files(&watched.published.path("site/tile/0"));
    tiles.extend(files(&watched.published.path("site/tile/1")));
    assert_eq!(tiles.len(), 3, "{tiles:?}");
    watched.refused(&tiles, "entries", &mut dice);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_bit_of_a_proof_and_its_commit_is_refused() {
    let mut dice = dice();
    let mut watched = Watched::new(&mut dice).await;
    let command = watched.proof.clone();
    for name in ["one.tlog-proof", "commit"] {
        let file = watched.published.path(name);
        watched.refused(&[file], &command, &mut dice);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_bit_of_a_checkpoint_and_its_signature_is_refused() {
    let mut dice = dice();
    let mut watched = Watched::new(&mut dice).await;
    let file = watched.published.path("site/checkpoint");
    watched.refused(std::slice::from_ref(&file), "checkpoint", &mut dice);
    // The bits of the signature itself, written as they should be.
    let before = std::fs::read_to_string(&file).unwrap();
    for _ in 0..FLIPS {
        let mut note = Note::parse(&before).unwrap();
        let bytes = &mut note.signatures[0].bytes;
        let (at, bit) = (dice.index(bytes.len()), dice.below(8));
        bytes[at] ^= 1 << bit;
        std::fs::write(&file, note.to_string()).unwrap();
        let what = format!("bit {bit} of byte {at} of the signature");
        assert!(watched.go.ask("checkpoint").is_err(), "Go: {what}");
        assert!(watched.by_python().is_err(), "Python: {what}");
        assert_eq!(watched.published.ours(), (false, true), "ours: {what}");
    }
    std::fs::write(&file, before).unwrap();
    watched.accepted();
}
