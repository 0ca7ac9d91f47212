//! The check of a pack by ourselves, without its log: every file, every proof, and of the whole log also its
//! tree, its figures and its books, made anew from the commits.

use super::archive::{Hashing, MANIFEST};
use super::figures::{People, Rows};
use super::names::Names;
use super::totals::Totals;
use super::{FORMAT, LINES, MADE_BY, name, shown};
use crate::{documents, retired_by, signed_late};
use domain::Commit;
use domain::facts::stored::DecodeError;
use domain::kernel::canonical::Sha256Hex;
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
/// The documents that commits name.
const INDEX: &str = "documents/index.json";
/// What may be in a pack: files, and directories.
const PLACES: &[&str] = &[
    MANIFEST,
    INDEX,
    "README.md",
    "books/ledger.journal",
    "check/sumdb.go",
    "checkpoint",
    "commits/",
    "documents/sha256/",
    "figures/",
    "keys/",
    "proofs/",
    "rules/",
    "scope.json",
    "stamps/",
    "tile/",
];
/// The longest message about a commit that cannot be read, in bytes: a longer one repeats too much of it.
const TOLD_BYTES_MAX: usize = 145;

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
    /// What was not checked, and why.
    pub notes: Vec<String>,
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
    /// What made it; packs of before do not say it.
    made_by: Option<String>,
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
    if reading.digests.is_empty() {
        return Err(io::Error::other("there is no file in it"));
    }
    reading.manifest();
    let Some((checkpoint, note)) = reading.checkpoint(known) else { return Ok(reading.checked) };
    file.rewind()?;
    let mut commits = Commits::new(&reading, checkpoint, note);
    each_file(&mut file, |name, from| commits.take(name, from))?;
    let found = commits.finish();
    reading.checked.commits = found.0;
    reading.checked.findings.extend(found.1);
    if reading.scope.scope == "all" && !reading.scope.is_ours() {
        let by = reading.scope.made_by.as_deref().map_or("unknown".to_owned(), shown);
        reading.checked.notes.push(format!(
            "made by another version ({by}, this is {MADE_BY}): figures and books not compared with the commits"
        ));
    } else if reading.scope.scope != "all" {
        let what =
            "figures and books of a part are not made anew: only their control totals were checked";
        reading.checked.notes.push(what.to_owned());
    }
    Ok(reading.checked)
}

fn each_file<R: Read>(
    from: R,
    mut take: impl FnMut(&str, &mut tar::Entry<'_, R>) -> io::Result<()>,
) -> io::Result<()> {
    for (number, entry) in (1..).zip(tar::Archive::new(from).entries()?) {
        // What the archive's reader says repeats names as they are.
        let mut entry = entry.map_err(|error| {
            io::Error::new(error.kind(), format!("file {number}: {}", shown(&error.to_string())))
        })?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // A longer one needs more than POSIX ustar, and would be repeated in what is said of it.
        if name.len() > NAME_BYTES_MAX {
            return Err(io::Error::other(format!("a name has more than {NAME_BYTES_MAX} bytes")));
        }
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(io::Error::other(format!("{} is not a plain file", shown(&name))));
        }
        take(&name, &mut entry)?;
    }
    Ok(())
}

fn held(name: &str, from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(HELD_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > HELD_BYTES_MAX {
        return Err(io::Error::other(format!(
            "{} has more than {HELD_BYTES_MAX} bytes",
            shown(name)
        )));
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
        let is_held = matches!(name, MANIFEST | INDEX | "checkpoint" | "scope.json")
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
                self.find(format!("{}: its SHA-256 is {digest}", shown(name)));
            }
        }
        if self.digests.insert(name.to_owned(), digest).is_some() {
            self.find(format!("{} is there twice", shown(name)));
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
                    self.find(format!("{} is in the manifest, and not here", shown(name)));
                    continue;
                }
                Some(found) if found.to_string() != digest => {
                    self.find(format!("{} is not what the manifest says", shown(name)));
                }
                Some(_) => {}
            }
            listed.insert(name.to_owned());
        }
        let there = self.digests.keys().filter(|name| *name != MANIFEST);
        let others: Vec<_> = there.filter(|name| !listed.contains(*name)).cloned().collect();
        others.iter().for_each(|name| self.find(format!("{} is not in the manifest", shown(name))));
        let has_place = |name: &&String| {
            PLACES
                .iter()
                .any(|place| *place == *name || place.ends_with('/') && name.starts_with(place))
        };
        let strange: Vec<_> =
            self.digests.keys().filter(|name| !has_place(name)).cloned().collect();
        strange.iter().for_each(|name| self.find(format!("{} is no part of a pack", shown(name))));
        let stamps = self.digests.keys().filter(|name| name.ends_with(".tsr")).count();
        if stamps > 0 {
            self.checked
                .notes
                .push(format!("timestamps, {stamps}: not checked; README.md has the command"));
        }
        self.checked.files = self.digests.len().saturating_sub(1);
        let scope = self.held.get("scope.json").map(|bytes| serde_json::from_slice(bytes));
        match scope {
            Some(Ok(scope)) => self.scope = scope,
            Some(Err(error)) => {
                self.find(format!("scope.json: it cannot be read from column {}", error.column()));
            }
            None => self.find("there is no scope.json".to_owned()),
        }
        if self.scope.format != FORMAT {
            self.find(format!("scope.json: the format is not {FORMAT:?}"));
        }
        self.checked.scope = shown(&self.scope.scope);
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
                self.checked.keys = signed.iter().map(|key| told_key(key)).collect();
                self.keys(&note, &own);
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

/// A key, its name shortened.
fn told_key(key: &Verifier) -> String {
    let (text, name) = (key.to_string(), key.name());
    let rest = text.strip_prefix(name).unwrap_or_default();
    format!("{}{rest}", shown(name))
}

impl Scope {
    /// Whether the same program made it, so that its figures must be ours.
    fn is_ours(&self) -> bool {
        self.made_by.as_deref() == Some(MADE_BY)
    }
}

/// A commit in its canonical bytes.
fn decoded(entry: &[u8]) -> Result<Commit, String> {
    let commit = Commit::decode(entry).map_err(|error| told(&error))?;
    if !commit.is_canonical(entry).unwrap_or(false) {
        return Err("its bytes are not in canonical form".to_owned());
    }
    Ok(commit)
}

/// Why bytes are no commit, not repeating much of them.
fn told(error: &DecodeError) -> String {
    match error {
        DecodeError::Json(error) => {
            format!("not a commit: it cannot be read from column {}", error.column())
        }
        other => {
            let text = other.to_string();
            if text.len() > TOLD_BYTES_MAX { shown(&text) } else { text }
        }
    }
}

impl Reading {
    /// Of keys there are those that have signed the checkpoint, in both forms, and nothing else.
    fn keys(&mut self, note: &Note, own: &[Verifier]) {
        let mut expected = BTreeMap::new();
        for key in own.iter().filter(|key| note.verified(std::slice::from_ref(*key)).is_ok()) {
            let id = key.id();
            let text = format!("{key}\n");
            expected.insert(format!("keys/{id}.vkey"), Sha256Hex::of(text.as_bytes()));
            expected.insert(format!("keys/{id}.pem"), Sha256Hex::of(key.to_pem().as_bytes()));
        }
        let there = self.digests.iter().filter(|(name, _)| name.starts_with("keys/"));
        let wrong = there.filter(|(name, digest)| expected.get(*name) != Some(*digest));
        let wrong: Vec<_> = wrong.map(|(name, _)| shown(name)).collect();
        let what = "is no key that has signed the checkpoint";
        wrong.iter().for_each(|name| self.find(format!("{name} {what}")));
        for name in expected.into_keys().filter(|name| !self.digests.contains_key(name)) {
            self.checked.findings.push(format!("{name} is missing"));
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
    names: Names,
    findings: Vec<String>,
    /// Keys of checkpoints that do not count any more.
    retired: Vec<(Verifier, u64)>,
    totals: Totals,
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
        let (leaves, names, findings, retired, totals) = Default::default();
        let count = 0;
        Self {
            reading,
            checkpoint,
            note,
            moment,
            leaves,
            count,
            names,
            findings,
            retired,
            totals,
            whole,
        }
    }

    fn take(&mut self, path: &str, from: impl Read) -> io::Result<()> {
        if path.starts_with("commits/") {
            let bytes = held(path, from)?;
            if self.whole.is_some() {
                self.lines(path, &bytes);
            } else {
                self.commit(path, &bytes);
            }
        } else if let Some(name) = path.strip_prefix("figures/") {
            let bytes = held(path, from)?;
            self.totals.take(name, &bytes);
        } else if path.starts_with("proofs/") {
            let bytes = held(path, from)?;
            if let Err(what) = self.proof(path, &bytes) {
                self.findings.push(format!("{}: {what}", shown(path)));
            }
        }
        Ok(())
    }

    fn commit(&mut self, path: &str, entry: &[u8]) {
        let named = decoded(entry).and_then(|commit| self.names(&commit, entry).map(|()| commit));
        match named {
            Ok(commit) if path == name("commits", commit.position, "json") => {
                self.leaves.insert(commit.position, Hash::leaf(entry));
                self.count += 1;
            }
            Ok(commit) => {
                self.findings.push(format!("{} is commit {}", shown(path), commit.position));
            }
            Err(what) => self.findings.push(format!("{}: {what}", shown(path))),
        }
    }

    fn names(&mut self, commit: &Commit, entry: &[u8]) -> Result<(), String> {
        self.retired.extend(retired_by(commit));
        let moment = self.moment;
        self.names.take(commit, entry, |at| moment.was_true(at))
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
            self.findings
                .push(format!("{}: after {size} commits others should follow", shown(path)));
            return;
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let lines: Vec<_> =
            text.split(|byte| *byte == b'\n').map(bytes::Bytes::copy_from_slice).collect();
        // Longer ones are in no log, and have no place in a bundle.
        let is_bundle = lines.iter().all(|line| line.len() <= ENTRY_BYTES_MAX);
        if !is_bundle || lines.len() as u64 > LINES {
            self.findings
                .push(format!("{}: a commit is too long, or there are too many", shown(path)));
            return;
        }
        for entry in &lines {
            let folded = decoded(entry).and_then(|commit| self.fold(commit, entry));
            if let Err(what) = folded {
                self.findings.push(format!("{}: {what}", shown(path)));
            }
        }
        let Some(whole) = &mut self.whole else { return };
        let tile = Tile { kind: Kind::Entries, index: size / LINES, width: lines.len() as u64 };
        let digest = Sha256Hex::of(&tile::encode_bundle(&lines));
        whole.expected.insert(tile.to_string(), digest);
    }

    fn fold(&mut self, mut commit: Commit, entry: &[u8]) -> Result<(), String> {
        self.retired.extend(retired_by(&commit));
        let Some(whole) = &mut self.whole else { return Ok(()) };
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
            return Ok(());
        }
        let moment = self.moment;
        let named = self.names.take(&commit, entry, |at| moment.was_true(at));
        whole.people.apply(&commit);
        let before = commit.events.len();
        commit.events.retain(|event| moment.was_true(event.effective_at));
        for event in &commit.events {
            whole.journal.apply(&commit, event, true);
        }
        whole.views.apply(&commit);
        if !commit.events.is_empty() || before == 0 {
            whole.positions.insert(commit.position);
            self.count += 1;
        }
        named
    }

    fn finish(mut self) -> (usize, Vec<String>) {
        for position in std::mem::take(&mut self.leaves).into_keys() {
            self.findings.push(format!("position {position}: there is no proof of this commit"));
        }
        let digests = &self.reading.digests;
        let there = digests.keys().filter(|name| name.starts_with("rules/"));
        let there: BTreeSet<String> = there.cloned().collect();
        let rules = self.names.rules.keys().map(|hash| format!("rules/{hash}.json")).collect();
        for name in there.symmetric_difference(&rules) {
            self.findings
                .push(format!("{}: it is here, or a commit names it, and not both", shown(name)));
        }
        let index = self.reading.held.get(INDEX).map(Vec::as_slice);
        let is_here =
            |sha256| digests.contains_key(&format!("documents/{}", documents::path(sha256)));
        self.findings.extend(self.names.check(index, is_here));
        self.findings.extend(std::mem::take(&mut self.totals).finish());
        let size = self.checkpoint.size;
        self.findings.extend(signed_late("the checkpoint", size, &self.note, &self.retired));
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
        let is_ours = scope.is_ours();
        if is_ours {
            if let Err(error) = self.figures(scope) {
                findings.push(format!("figures: {error}"));
            }
            let digest = Sha256Hex::of(self.journal.to_text().as_bytes());
            self.expected.insert("books/ledger.journal".to_owned(), digest);
        }
        let is_made = |name: &str| {
            let is_in = |dirs: &[&str]| dirs.iter().any(|dir| name.starts_with(dir));
            is_in(&["tile/"]) || is_ours && is_in(&["figures/", "books/"])
        };
        for (name, digest) in digests.iter().filter(|(name, _)| is_made(name)) {
            if self.expected.remove(name) != Some(*digest) {
                findings.push(format!("{} is not what the commits give", shown(name)));
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
