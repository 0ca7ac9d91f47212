//! The check of a pack by ourselves, without its log: every file, every proof, and of the whole log also its
//! tree, its figures and its books, made anew from the commits.

use super::archive::{Hashing, MANIFEST};
use super::figures::{People, Rows};
use super::{FORMAT, LINES, name};
use domain::Commit;
use domain::canonical::{self, Sha256Hex};
use eventlog::ENTRY_BYTES_MAX;
use eventlog::tlog::note::{Note, Verifier};
use eventlog::tlog::tile::{self, Kind, Tile, WIDTH};
use eventlog::tlog::{Builder, Checkpoint, Hash, Proof, verify_inclusion};
use jiff::Timestamp;
use projections::audit::extent::Extent;
use projections::audit::hledger::Journal;
use projections::{AsOf, Query, VIEWS, Views};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek};

/// The longest file that is held in memory, in bytes: 256 commits, and all that is not a document is shorter.
const HELD_BYTES_MAX: u64 = 256 << 20;

/// The longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// So much is repeated of what a pack says of itself, in characters.
const SHOWN_CHARS_MAX: usize = 200;

/// What was checked, and what was found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// How many commits.
    pub commits: usize,
    /// How many documents are here.
    pub documents: usize,
    /// How many files, the manifest not counted.
    pub files: usize,
    /// What is wrong.
    pub findings: Vec<String>,
    /// The keys that have signed the checkpoint.
    pub keys: Vec<String>,
    /// What it is of.
    pub scope: String,
    /// How many commits the checkpoint covers.
    pub size: u64,
}

/// What `scope.json` says, as far as it matters here.
#[derive(Clone, Debug, Default, Deserialize)]
struct Scope {
    as_of: Option<Timestamp>,
    commits: usize,
    format: String,
    people: String,
    position: u64,
    scope: String,
}

/// Checks a pack. Its own keys are trusted when no others are given.
///
/// # Errors
/// When it cannot be read as an archive.
pub fn check(mut file: impl Read + Seek, known: Option<&[Verifier]>) -> io::Result<Checked> {
    let mut reading = Reading::default();
    each_file(&mut file, |name, from| reading.take(name, from))?;
    reading.manifest();
    let Some((checkpoint, note)) = reading.checkpoint(known) else { return Ok(reading.checked) };
    file.rewind()?;
    let mut commits = Commits::new(&reading, checkpoint, note);
    each_file(&mut file, |name, from| commits.take(name, from))?;
    let found = commits.finish();
    reading.checked.commits = found.0;
    reading.checked.findings.extend(found.1);
    Ok(reading.checked)
}

fn each_file<R: Read>(
    from: R,
    mut take: impl FnMut(&str, &mut tar::Entry<'_, R>) -> io::Result<()>,
) -> io::Result<()> {
    for entry in tar::Archive::new(from).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // A longer one needs more than POSIX ustar, and would be repeated in what is said of it.
        if name.len() > NAME_BYTES_MAX {
            return Err(io::Error::other(format!("a name has more than {NAME_BYTES_MAX} bytes")));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(io::Error::other(format!("{name:?} is not a plain file")));
        }
        take(&name, &mut entry)?;
    }
    Ok(())
}

fn held(name: &str, from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(HELD_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > HELD_BYTES_MAX {
        return Err(io::Error::other(format!("{name} has more than {HELD_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// The first reading: the hash of every file, and those few that the second needs.
#[derive(Default)]
struct Reading {
    digests: BTreeMap<String, Sha256Hex>,
    held: BTreeMap<String, Vec<u8>>,
    scope: Scope,
    checked: Checked,
}

impl Reading {
    fn take(&mut self, name: &str, from: impl Read) -> io::Result<()> {
        let mut from = Hashing::new(from);
        let is_held = matches!(name, MANIFEST | "checkpoint" | "scope.json")
            || name.starts_with("keys/") && name.strip_suffix(".vkey").is_some();
        let bytes = if is_held { held(name, &mut from)? } else { Vec::new() };
        io::copy(&mut from, &mut io::sink())?;
        let digest = from.finish().1;
        if is_held {
            self.held.insert(name.to_owned(), bytes);
        }
        if let Some((dir, hash)) = name.rsplit_once('/') {
            let is_document = dir.starts_with("documents/sha256/");
            self.checked.documents += usize::from(is_document);
            let hash = hash.trim_end_matches(".json");
            if (is_document || dir == "rules") && digest.to_string() != hash {
                self.find(format!("{name}: its SHA-256 is {digest}"));
            }
        }
        if self.digests.insert(name.to_owned(), digest).is_some() {
            self.find(format!("{name} is there twice"));
        }
        Ok(())
    }

    fn find(&mut self, what: String) {
        self.checked.findings.push(what);
    }

    fn text(&self, name: &str) -> Option<String> {
        self.held.get(name).and_then(|bytes| String::from_utf8(bytes.clone()).ok())
    }

    /// Holds the files against the manifest, and reads what the pack is of.
    fn manifest(&mut self) {
        let text = self.text(MANIFEST).unwrap_or_default();
        let mut listed = BTreeSet::new();
        for line in text.lines() {
            let (digest, name) = line.split_once("  ").unwrap_or_default();
            match self.digests.get(name) {
                None => {
                    let name: String = name.chars().take(NAME_BYTES_MAX).collect();
                    self.find(format!("{name:?} is in the manifest, and not here"));
                    continue;
                }
                Some(found) if found.to_string() != digest => {
                    self.find(format!("{name} is not what the manifest says"));
                }
                Some(_) => {}
            }
            listed.insert(name.to_owned());
        }
        let there = self.digests.keys().filter(|name| *name != MANIFEST);
        let others: Vec<_> = there.filter(|name| !listed.contains(*name)).cloned().collect();
        others.iter().for_each(|name| self.find(format!("{name} is not in the manifest")));
        self.checked.files = self.digests.len().saturating_sub(1);
        let scope = self.held.get("scope.json").map(|bytes| serde_json::from_slice(bytes));
        match scope {
            Some(Ok(scope)) => self.scope = scope,
            Some(Err(error)) => self.find(format!("scope.json: {error}")),
            None => self.find("there is no scope.json".to_owned()),
        }
        if self.scope.format != FORMAT {
            self.find(format!("scope.json: the format is not {FORMAT:?}"));
        }
        self.checked.scope = self.scope.scope.chars().take(SHOWN_CHARS_MAX).collect();
    }

    /// The signed checkpoint, if it is one.
    fn checkpoint(&mut self, known: Option<&[Verifier]>) -> Option<(Checkpoint, Note)> {
        let own = self.held.keys().filter(|name| name.starts_with("keys/"));
        let own = own.filter_map(|name| Verifier::parse(&self.text(name)?).ok());
        let own: Vec<Verifier> = own.collect();
        let keys = known.unwrap_or(&own);
        let origin = keys.first().map(Verifier::name).unwrap_or_default().to_owned();
        let note = self.text("checkpoint").unwrap_or_default();
        let opened =
            Note::parse(&note).and_then(|note| Ok((Checkpoint::open(&note, keys, &origin)?, note)));
        match opened {
            Ok((checkpoint, note)) => {
                let signed = note.verified(keys).unwrap_or_default();
                self.checked.keys = signed.iter().map(ToString::to_string).collect();
                self.checked.size = checkpoint.size;
                Some((checkpoint, note))
            }
            Err(error) => {
                self.find(format!("checkpoint: {error}"));
                None
            }
        }
    }
}

/// The second reading: the commits, and what can be made anew from them.
struct Commits<'a> {
    reading: &'a Reading,
    checkpoint: Checkpoint,
    note: Note,
    moment: AsOf,
    /// The hash of each commit that waits for its proof.
    leaves: BTreeMap<u64, Hash>,
    count: usize,
    rules: BTreeSet<String>,
    findings: Vec<String>,
    whole: Option<Whole>,
}

/// What is made anew of the whole log.
#[derive(Default)]
struct Whole {
    tree: Builder,
    views: Views,
    journal: Journal,
    people: People,
    positions: BTreeSet<u64>,
    /// The files that there must be, and what they must be.
    expected: BTreeMap<String, Sha256Hex>,
}

impl<'a> Commits<'a> {
    fn new(reading: &'a Reading, checkpoint: Checkpoint, note: Note) -> Self {
        let Scope { as_of, position, scope, .. } = &reading.scope;
        let moment = AsOf { as_of: *as_of, known_at: None, position: Some(*position) };
        let whole = (scope == "all").then(Whole::default);
        let (leaves, rules, findings) = Default::default();
        Self { reading, checkpoint, note, moment, leaves, count: 0, rules, findings, whole }
    }

    fn take(&mut self, path: &str, from: impl Read) -> io::Result<()> {
        if path.starts_with("commits/") {
            let bytes = held(path, from)?;
            if self.whole.is_some() {
                self.lines(path, &bytes);
            } else {
                self.commit(path, &bytes);
            }
        } else if path.starts_with("proofs/") {
            let bytes = held(path, from)?;
            if let Err(what) = self.proof(path, &bytes) {
                self.findings.push(format!("{path}: {what}"));
            }
        }
        Ok(())
    }

    fn commit(&mut self, path: &str, entry: &[u8]) {
        match self.decoded(entry) {
            Ok(commit) if path == name("commits", commit.position, "json") => {
                self.leaves.insert(commit.position, Hash::leaf(entry));
                self.count += 1;
            }
            Ok(commit) => self.findings.push(format!("{path} is commit {}", commit.position)),
            Err(what) => self.findings.push(format!("{path}: {what}")),
        }
    }

    fn decoded(&mut self, entry: &[u8]) -> Result<Commit, String> {
        let commit = Commit::decode(entry).map_err(|error| error.to_string())?;
        if !commit.is_canonical(entry).unwrap_or(false) {
            return Err("its bytes are not in canonical form".to_owned());
        }
        let stored: serde_json::Value =
            serde_json::from_slice(entry).map_err(|error| error.to_string())?;
        for event in stored["events"].as_array().into_iter().flatten() {
            if let Some(hash) = event["data"]["rules_sha256"].as_str() {
                let rules = canonical::digest(&event["data"]["rules"]);
                if rules.is_ok_and(|digest| digest.to_string() != hash) {
                    return Err("its rules are not what rules_sha256 says".to_owned());
                }
                self.rules.insert(format!("rules/{hash}.json"));
            }
        }
        Ok(commit)
    }

    fn proof(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let proof = Proof::parse(text).map_err(|error| error.to_string())?;
        let position = proof.index.saturating_add(1);
        if path != name("proofs", position, "tlog-proof") {
            return Err(format!("it is about position {position}"));
        }
        if proof.checkpoint != self.note {
            return Err("it leads to another checkpoint".to_owned());
        }
        let leaf = self.leaves.remove(&position).ok_or("its commit is not before it")?;
        let Checkpoint { size, root, .. } = self.checkpoint;
        verify_inclusion(proof.index, leaf, size, root, &proof.path)
            .map_err(|error| error.to_string())
    }

    /// A file of commits of the whole log.
    fn lines(&mut self, path: &str, bytes: &[u8]) {
        let Some(size) = self.whole.as_ref().map(|whole| whole.tree.size()) else { return };
        if path != name("commits", size + 1, "jsonl") {
            self.findings.push(format!("{path}: after {size} commits others should follow"));
            return;
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let lines: Vec<_> =
            text.split(|byte| *byte == b'\n').map(bytes::Bytes::copy_from_slice).collect();
        // Longer ones are in no log, and have no place in a bundle.
        let is_bundle = lines.iter().all(|line| line.len() <= ENTRY_BYTES_MAX);
        if !is_bundle || lines.len() as u64 > LINES {
            self.findings.push(format!("{path}: a commit is too long, or there are too many"));
            return;
        }
        for entry in &lines {
            match self.decoded(entry) {
                Ok(commit) => self.fold(commit, entry),
                Err(what) => self.findings.push(format!("{path}: {what}")),
            }
        }
        let Some(whole) = &mut self.whole else { return };
        let tile = Tile { kind: Kind::Entries, index: size / LINES, width: lines.len() as u64 };
        let digest = Sha256Hex::of(&tile::encode_bundle(&lines));
        whole.expected.insert(tile.to_string(), digest);
    }

    fn fold(&mut self, mut commit: Commit, entry: &[u8]) {
        let Some(whole) = &mut self.whole else { return };
        let expected = &mut whole.expected;
        let kept: Result<(), std::convert::Infallible> =
            whole.tree.push(Hash::leaf(entry), |tile, hashes| {
                expected.insert(tile.to_string(), Sha256Hex::of(&tile::encode(hashes)));
                Ok(())
            });
        let Ok(()) = kept;
        if commit.position != whole.tree.size() {
            let (position, place) = (commit.position, whole.tree.size());
            self.findings.push(format!("position {place}: it says that it is {position}"));
        }
        if !self.moment.knows(commit.position, commit.recorded_at) {
            return;
        }
        whole.people.apply(&commit);
        let (moment, before) = (self.moment, commit.events.len());
        commit.events.retain(|event| moment.was_true(event.effective_at));
        for event in &commit.events {
            whole.journal.apply(&commit, event, true);
        }
        whole.views.apply(&commit);
        if !commit.events.is_empty() || before == 0 {
            whole.positions.insert(commit.position);
            self.count += 1;
        }
    }

    fn finish(mut self) -> (usize, Vec<String>) {
        for position in std::mem::take(&mut self.leaves).into_keys() {
            self.findings.push(format!("position {position}: there is no proof of this commit"));
        }
        let digests = &self.reading.digests;
        let there = digests.keys().filter(|name| name.starts_with("rules/"));
        let there: BTreeSet<String> = there.cloned().collect();
        for name in there.symmetric_difference(&self.rules) {
            self.findings.push(format!("{name}: it is here, or a commit names it, and not both"));
        }
        if let Some(whole) = self.whole.take() {
            self.findings.extend(whole.finish(&self.checkpoint, &self.reading.scope, digests));
        }
        if self.count != self.reading.scope.commits {
            let (count, said) = (self.count, self.reading.scope.commits);
            self.findings.push(format!("there are {count} commits, scope.json says {said}"));
        }
        (self.count, self.findings)
    }
}

impl Whole {
    /// Holds the tree against the checkpoint, and tiles, figures and books against what they must be.
    fn finish(
        mut self,
        checkpoint: &Checkpoint,
        scope: &Scope,
        digests: &BTreeMap<String, Sha256Hex>,
    ) -> Vec<String> {
        let mut findings = Vec::new();
        if (self.tree.size(), self.tree.root()) != (checkpoint.size, checkpoint.root) {
            findings.push("the commits are not those under the checkpoint".to_owned());
        }
        for tile in Tile::all(checkpoint.size).filter(|tile| tile.width < WIDTH) {
            if let Some(hashes) = self.tree.open(tile) {
                let digest = Sha256Hex::of(&tile::encode(hashes));
                self.expected.insert(tile.to_string(), digest);
            }
        }
        if let Err(error) = self.figures(scope) {
            findings.push(format!("figures: {error}"));
        }
        let journal = self.journal.to_text();
        self.expected.insert("books/ledger.journal".to_owned(), Sha256Hex::of(journal.as_bytes()));
        let is_made =
            |name: &str| ["tile/", "figures/", "books/"].iter().any(|dir| name.starts_with(dir));
        for (name, digest) in digests.iter().filter(|(name, _)| is_made(name)) {
            if self.expected.remove(name) != Some(*digest) {
                findings.push(format!("{name} is not what the commits give"));
            }
        }
        findings.extend(self.expected.into_keys().map(|name| format!("{name} is missing")));
        findings
    }

    fn figures(&mut self, scope: &Scope) -> Result<(), serde_json::Error> {
        let extent = Extent::default();
        let people = (scope.people != "ids").then_some(&self.people);
        let rows =
            Rows { extent: &extent, positions: &self.positions, journal: &self.journal, people };
        let moment = AsOf { as_of: scope.as_of, known_at: None, position: Some(scope.position) };
        let mut views = Vec::new();
        for (view, _) in VIEWS {
            let Some(report) = self.views.report(view, &Query::at(moment)) else { continue };
            let figures = rows.of(report)?;
            for (name, bytes) in figures.files {
                self.expected.insert(name, Sha256Hex::of(&bytes));
            }
            views.extend(figures.summary);
        }
        let index = super::figures::index(moment, &views)?;
        self.expected.insert("figures/index.json".to_owned(), Sha256Hex::of(&index));
        Ok(())
    }
}
