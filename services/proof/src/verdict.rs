//! What was checked and what was found, in the words of `tranche verify` and of `tranche-verify`.

use crate::documents::Census;
use crate::verify::{Checked, Finding, entries};
use crate::{Expected, Failure, Quorum, pack};
use eventlog::tlog::note::Verifier;
use eventlog::tlog::{self, Proof};
use eventlog::{Log, Position, sqlite};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// What was checked of a log, and what was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Signed checkpoints that the log fits to.
    pub checkpoints: usize,
    /// Commits that were read.
    pub commits: u64,
    /// Documents that the log names, if they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<usize>,
    /// Events in the commits.
    pub events: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The last position.
    pub head: Position,
    /// Whether rows are so damaged that the commits were not checked.
    #[serde(skip)]
    pub is_unreadable: bool,
    /// Snapshots that were compared, if there may be some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<usize>,
    /// Streams.
    pub streams: usize,
}

impl Report {
    /// Checks the rows of an embedded log before anything is read as a commit.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn rows(&mut self, dir: &Path) -> Result<(), Failure> {
        let rows = sqlite::check(dir)?;
        self.head = rows.head;
        let damages =
            rows.damages.iter().map(|damage| Finding { position: None, what: damage.to_string() });
        self.findings.extend(damages);
        self.is_unreadable = !rows.damages.is_empty();
        Ok(())
    }

    /// Checks the commits of a log and its tree. Gives the census back; `tell` hears now and then how far
    /// it is.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn commits(
        &mut self,
        log: Arc<dyn Log>,
        expected: Expected,
        census: Option<Census>,
        tell: impl Fn(Position) + Send + 'static,
    ) -> Result<Option<Census>, Failure> {
        let (tree, signed) = expected.split();
        self.head = log.head().await?;
        let checked = entries(log, self.head, (tree, census), tell).await?;
        let Checked { census, checkpoints, commits, events, findings, retired, streams } = checked;
        self.findings.extend(findings);
        self.findings.extend(signed.signed_late(&retired));
        (self.checkpoints, self.commits, self.events) = (checkpoints, commits, events);
        self.streams = streams;
        Ok(census)
    }

    /// Tells it in lines of text: each finding, then what was checked.
    #[must_use]
    pub fn lines(&self, has_keys: bool) -> Vec<String> {
        let mut lines = found(&self.findings);
        let Self { checkpoints, commits, events, head, streams, .. } = self;
        let what = if self.is_unreadable {
            "the commits were not checked, since rows are damaged".to_owned()
        } else {
            let more = |count: Option<usize>, what| {
                count.map(|count| format!(", {}", counted(count, what))).unwrap_or_default()
            };
            let (snapshots, documents) =
                (more(self.snapshots, "snapshot"), more(self.documents, "document"));
            let (commits, events) =
                (counted_u64(*commits, "commit"), counted_u64(*events, "event"));
            let (streams, fits) = (counted(*streams, "stream"), fitting(*checkpoints, has_keys));
            format!("checked {commits}, {events}, {streams}{snapshots}{fits}{documents}")
        };
        lines.push(format!("last position {head}: {what}"));
        lines
    }

    /// Says whether all is well.
    ///
    /// # Errors
    /// When something was found.
    pub fn verdict(&self) -> Result<(), Failure> {
        match (self.findings.len(), self.is_unreadable) {
            (0, _) => Ok(()),
            (count, true) => Err(Failure::Corrupt(counted(count, "finding"))),
            (count, false) => Err(Failure::Found(counted(count, "finding"))),
        }
    }
}

/// What was checked of the bytes of a log alone.
#[derive(Debug, Serialize)]
pub struct BytesReport {
    /// Signed checkpoints that the log fits to.
    pub checkpoints: usize,
    /// Commits that were read.
    pub commits: Position,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl BytesReport {
    /// Checks what is stored, as bytes, and the tree of it. The first row that is damaged ends it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of(
        log: Arc<dyn Log>,
        expected: Expected,
        mut findings: Vec<Finding>,
    ) -> Result<Self, Failure> {
        let commits = log.head().await?;
        let (found, checkpoints) = expected.check.take_log(log, commits).await?.finish();
        findings.extend(found.into_iter().map(Finding::from));
        Ok(Self { checkpoints, commits, findings })
    }

    /// Tells it in lines of text: each finding, then what was checked.
    #[must_use]
    pub fn lines(&self, has_keys: bool) -> Vec<String> {
        let mut lines = found(&self.findings);
        let (commits, fits) =
            (counted_u64(self.commits, "commit"), fitting(self.checkpoints, has_keys));
        lines.push(format!("checked the bytes of {commits}{fits}, not what they say"));
        lines
    }

    /// Says whether all is well.
    ///
    /// # Errors
    /// When something was found.
    pub fn verdict(&self) -> Result<(), Failure> {
        none_of(self.findings.len())
    }
}

/// Checks a pack without its log. Its own keys are trusted when no others are given.
///
/// # Errors
/// When it cannot be read as an archive.
pub fn pack(path: &Path, known: Option<&[Verifier]>) -> Result<pack::check::Checked, Failure> {
    let file = std::fs::File::open(path).map_err(|error| Failure::file(path, error))?;
    if path.is_dir() {
        return Err(Failure::file(path, std::io::ErrorKind::IsADirectory.into()));
    }
    let checked = pack::check::check(file, known);
    checked.map_err(|error| Failure::Corrupt(format!("{}: {error}", path.display())))
}

impl pack::check::Checked {
    /// Tells it in lines of text: each finding, then what was checked, and what was not.
    #[must_use]
    pub fn lines(&self, has_keys: bool) -> Vec<String> {
        let mut lines = self.findings.clone();
        let commits = counted(self.commits, "commit");
        let (files, documents) = (counted(self.files, "file"), counted(self.documents, "document"));
        let (scope, size) = (&self.scope, self.size);
        lines.push(format!(
            "pack of {scope}: checked {files}, {commits}, {documents}, a checkpoint of {size}"
        ));
        lines.extend(self.notes.iter().cloned());
        let own = self.keys.iter().filter(|_| !has_keys);
        lines.extend(
            own.map(|key| format!("signed by a key of the pack itself, not checked: {key}")),
        );
        lines
    }

    /// Says whether all is well.
    ///
    /// # Errors
    /// When something was found.
    pub fn verdict(&self) -> Result<(), Failure> {
        none_of(self.findings.len())
    }
}

/// Checks a .tlog-proof of a commit, without the log. Gives the size of the checkpoint that it leads to.
///
/// # Errors
/// When a file cannot be read, or the proof does not hold.
pub fn proof(
    proof: &Path,
    commit: &Path,
    known: &[Verifier],
    quorum: Option<&Quorum>,
) -> Result<u64, Failure> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| Failure::file(path, error));
    let text = String::from_utf8(read(proof)?);
    let text = text.map_err(|_| Failure::Usage(format!("{}: not text", proof.display())))?;
    let wrong = |error: tlog::Error| Failure::Found(format!("{}: {error}", proof.display()));
    let entry = read(commit)?;
    let entry = entry.strip_suffix(b"\n").unwrap_or(&entry);
    let origin = known.first().map(Verifier::name).unwrap_or_default();
    let name = proof.display().to_string();
    let proof = Proof::parse(&text).map_err(wrong)?;
    let size = proof.verify(entry, known, origin).map_err(wrong)?.size;
    quorum.map_or(Ok(()), |quorum| quorum.check(&name, &proof.checkpoint))?;
    Ok(size)
}

/// Says that a proof holds.
#[must_use]
pub fn proven(size: u64) -> String {
    format!("it is in the log, as of {size} commits")
}

/// Puts a number of things in words.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn counted_u64(count: u64, what: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}

fn found(findings: &[Finding]) -> Vec<String> {
    let told = findings.iter().map(|Finding { position, what }| match position {
        Some(position) => format!("position {position}: {what}"),
        None => what.clone(),
    });
    told.collect()
}

/// Tells how many checkpoints the log fits to.
fn fitting(checkpoints: usize, has_keys: bool) -> String {
    match (checkpoints, has_keys) {
        (0, _) => ", no checkpoint".to_owned(),
        (count, true) => format!(", {}", counted(count, "signed checkpoint")),
        (count, false) => format!(", {} (signatures: --public)", counted(count, "checkpoint")),
    }
}

fn none_of(findings: usize) -> Result<(), Failure> {
    match findings {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}
