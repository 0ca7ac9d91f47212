//! `tranche verify`: everything that a log can be checked for, and all that is wrong with it.

use super::document::DocumentsArgs;
use super::failure::Failure;
use super::out::{Out, progress};
use super::source::{Place, Source, must_exist};
use super::witness::QuorumArgs;
use super::words::counted;
use clap::Args;
use eventlog::tlog::Checkpoint;
use eventlog::tlog::note::{Note, Verifier};
use eventlog::{Position, sqlite};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tranche::documents::check::Census;
use tranche::engine::{self, SnapshotCheck};
use tranche::pack;
use tranche::proof::{self, Check, Shelf, keys};
use tranche::verify::{Checked, Finding, entries};

/// Holds the arguments of `tranche verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// Checks that the log contains all that this checkpoint is about, which was kept elsewhere
    #[arg(long, value_name = "FILE", requires = "public")]
    checkpoint: Vec<PathBuf>,
    /// Trusts the public keys in this file, one in each line, for checkpoints
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Reads the tree in this directory; by default in that of the embedded log
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    #[command(flatten)]
    quorum: QuorumArgs,
    #[command(flatten)]
    documents: DocumentsArgs,
    /// Checks this pack instead of a log; without --public its own keys are trusted
    #[arg(long, value_name = "FILE", conflicts_with_all = ["checkpoint", "tree", "witness"])]
    pack: Option<PathBuf>,
    /// Checks only the stored bytes, several times as fast; not what the commits say
    #[arg(long, conflicts_with = "pack")]
    bytes: bool,
}

/// What was checked of the bytes alone.
#[derive(Debug, Serialize)]
struct BytesReport {
    /// Signed checkpoints that the log fits to.
    checkpoints: usize,
    commits: Position,
    findings: Vec<Finding>,
}

/// What was checked, and what was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Signed checkpoints that the log fits to.
    checkpoints: usize,
    commits: u64,
    /// Documents that the log names, if they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<usize>,
    events: u64,
    findings: Vec<Finding>,
    head: Position,
    snapshots: usize,
    streams: usize,
}

/// Checks the log, or a pack without its log.
pub async fn verify(source: &Source, args: &VerifyArgs, json: bool) -> Result<(), Failure> {
    if let Some(path) = &args.pack {
        return verify_pack(path, args.public.as_deref(), json);
    }
    if args.bytes {
        return verify_bytes(source, args, json).await;
    }
    let mut report = Report::default();
    let is_readable = check_rows(&source.required()?, &mut report)?;
    if is_readable {
        check_commits(source, args, &mut report).await?;
        check_snapshots(source, &mut report).await?;
    }
    let mut out = Out::stdout();
    if json {
        out.json(&report)?;
    } else {
        tell(&mut out, &report.findings)?;
        let Report { checkpoints, commits, events, head, snapshots, streams, .. } = &report;
        let documents = report.documents.map(|count| format!(", {}", counted(count, "document")));
        let documents = documents.unwrap_or_default();
        let (commits, events) = (counted_u64(*commits, "commit"), counted_u64(*events, "event"));
        let (streams, snapshots) = (counted(*streams, "stream"), counted(*snapshots, "snapshot"));
        out.line(format_args!(
            "last position {head}: {}",
            if is_readable {
                let fits = fitting(*checkpoints, args);
                format!("checked {commits}, {events}, {streams}, {snapshots}{fits}{documents}")
            } else {
                "the commits were not checked, since rows are damaged".to_owned()
            }
        ))?;
    }
    out.finish()?;
    match (report.findings.len(), is_readable) {
        (0, _) => Ok(()),
        (count, false) => Err(Failure::Corrupt(counted(count, "finding"))),
        (count, true) => Err(Failure::Found(counted(count, "finding"))),
    }
}

/// Checks what is stored, as bytes. The first row that is damaged ends it.
async fn verify_bytes(source: &Source, args: &VerifyArgs, json: bool) -> Result<(), Failure> {
    let mut findings = Vec::new();
    let ((tree, _), log) = (tree(source, args, &mut findings)?, source.open_unchecked().await?);
    let commits = log.head().await?;
    let (found, checkpoints) = tree.take_log(log, commits).await?.finish();
    findings.extend(found.into_iter().map(Finding::from));
    let mut out = Out::stdout();
    let report = BytesReport { checkpoints, commits, findings };
    if json {
        out.json(&report)?;
    } else {
        tell(&mut out, &report.findings)?;
        let (commits, fits) = (counted_u64(commits, "commit"), fitting(checkpoints, args));
        out.line(format_args!("checked the bytes of {commits}{fits}, not what they say"))?;
    }
    out.finish()?;
    match report.findings.len() {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}

fn tell(out: &mut Out, findings: &[Finding]) -> Result<(), Failure> {
    for Finding { position, what } in findings {
        match position {
            Some(position) => out.line(format_args!("position {position}: {what}"))?,
            None => out.line(format_args!("{what}"))?,
        }
    }
    Ok(())
}

/// How many checkpoints the log fits to.
fn fitting(checkpoints: usize, args: &VerifyArgs) -> String {
    match (checkpoints, &args.public) {
        (0, _) => ", no checkpoint".to_owned(),
        (count, Some(_)) => format!(", {}", counted(count, "signed checkpoint")),
        (count, None) => {
            format!(", {} (signatures: --public)", counted(count, "checkpoint"))
        }
    }
}

fn counted_u64(count: u64, what: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}

fn verify_pack(path: &Path, public: Option<&Path>, json: bool) -> Result<(), Failure> {
    let known = public.map(keys::read_verifiers).transpose()?;
    let file = std::fs::File::open(path).map_err(|error| Failure::file(path, error))?;
    if path.is_dir() {
        return Err(Failure::file(path, std::io::ErrorKind::IsADirectory.into()));
    }
    let checked = pack::check::check(file, known.as_deref());
    let checked =
        checked.map_err(|error| Failure::Corrupt(format!("{}: {error}", path.display())))?;
    let mut out = Out::stdout();
    if json {
        out.json(&checked)?;
    } else {
        for finding in &checked.findings {
            out.line(format_args!("{finding}"))?;
        }
        let commits = counted(checked.commits, "commit");
        let (files, documents) =
            (counted(checked.files, "file"), counted(checked.documents, "document"));
        let (scope, size) = (&checked.scope, checked.size);
        out.line(format_args!(
            "pack of {scope}: checked {files}, {commits}, {documents}, a checkpoint of {size}"
        ))?;
        for note in &checked.notes {
            out.line(format_args!("{note}"))?;
        }
        for key in checked.keys.iter().filter(|_| known.is_none()) {
            out.line(format_args!("signed by a key of the pack itself, not checked: {key}"))?;
        }
    }
    out.finish()?;
    match checked.findings.len() {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}

/// Checks what is stored before anything is read as a commit. Says whether it can be read.
fn check_rows(place: &Place, report: &mut Report) -> Result<bool, Failure> {
    let Place::Directory(dir) = place else { return Ok(true) };
    must_exist(dir)?;
    let rows = sqlite::check(dir)?;
    report.head = rows.head;
    let damages =
        rows.damages.iter().map(|damage| Finding { position: None, what: damage.to_string() });
    report.findings.extend(damages);
    Ok(rows.damages.is_empty())
}

async fn check_commits(
    source: &Source,
    args: &VerifyArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    let (tree, notes) = tree(source, args, &mut report.findings)?;
    let documents = args.documents.open_existing().await?;
    // Its rows were checked already, and are again when they are read.
    let log = source.open_unchecked().await?;
    report.head = log.head().await?;
    let bar = progress("verifying", report.head);
    let told = bar.clone();
    let census = documents.is_some().then(Census::default);
    let tell = move |position| told.set_position(position);
    let checked = entries(log, report.head, (tree, census), tell).await?;
    bar.finish_and_clear();
    let Checked { census, checkpoints, commits, events, findings, retired, streams } = checked;
    report.findings.extend(findings);
    report.findings.extend(notes.iter().flat_map(|note| note.signed_late(&retired)));
    (report.checkpoints, report.commits, report.events) = (checkpoints, commits, events);
    report.streams = streams;
    if let (Some(store), Some(census)) = (&documents, &census) {
        let found = census.check(store).await?.into_iter();
        report.findings.extend(found.map(|finding| Finding {
            position: Some(finding.position),
            what: finding.to_string(),
        }));
        report.documents = Some(census.hashes().len());
    }
    Ok(())
}

/// A checkpoint that the log must fit to, and what was signed.
struct Said {
    name: String,
    size: u64,
    note: Note,
}

impl Said {
    fn signed_late(&self, retired: &[(Verifier, Position)]) -> Vec<Finding> {
        let late = proof::signed_late(&self.name, self.size, &self.note, retired).into_iter();
        late.map(|what| Finding { position: None, what }).collect()
    }
}

/// What the tree of the log must fit to: what was signed and kept here, and what the caller has kept.
fn tree(
    source: &Source,
    args: &VerifyArgs,
    findings: &mut Vec<Finding>,
) -> Result<(Check, Vec<Said>), Failure> {
    let kept = match &args.tree {
        Some(dir) if !dir.is_dir() => {
            let what = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(Failure::file(dir, what));
        }
        Some(dir) => Some(Shelf::open(dir)?),
        None => source.kept_tree()?,
    };
    let known = args.public.as_deref().map(keys::read_verifiers).transpose()?;
    let mut notes = Vec::new();
    if let Some(shelf) = &kept {
        let name = "the checkpoint of this log".to_owned();
        match shelf.checkpoint() {
            Ok(note) => notes.extend(note.map(|note| (name, note))),
            Err(error) => {
                let what = format!("{name} cannot be read: {error}");
                findings.push(Finding { position: None, what });
            }
        }
    }
    let quorum = args.quorum.read()?;
    if quorum.is_some() && args.checkpoint.is_empty() {
        let what = "--witness is about a --checkpoint, and there is none";
        return Err(Failure::Usage(what.to_owned()));
    }
    for path in &args.checkpoint {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
        let wrong = |error| Failure::Found(format!("{}: {error}", path.display()));
        let (name, note) = (path.display().to_string(), Note::parse(&text).map_err(wrong)?);
        quorum.as_ref().map_or(Ok(()), |quorum| quorum.check(&name, &note))?;
        notes.push((name, note));
    }
    let (mut check, mut said) = (Check::new(kept), Vec::new());
    for (name, note) in notes {
        // Without keys, what is kept here is held against the log all the same.
        let checkpoint = match &known {
            Some(known) => Checkpoint::open(&note, known, known[0].name()),
            None => Checkpoint::parse(&note.text),
        };
        let checkpoint = checkpoint.map_err(|error| Failure::Found(format!("{name}: {error}")))?;
        said.push(Said { name, size: checkpoint.size, note });
        check.expect_all([checkpoint]);
    }
    Ok((check, said))
}

/// Each snapshot is what a replay gives, and none holds more than the log.
async fn check_snapshots(source: &Source, report: &mut Report) -> Result<(), Failure> {
    let Some(dir) = source.required()?.snapshots() else { return Ok(()) };
    match engine::check_snapshots(source.open_unchecked().await?, dir).await {
        Ok(SnapshotCheck { compared, findings }) => {
            report.snapshots = compared;
            let findings = findings.into_iter();
            report.findings.extend(findings.map(|(position, what)| Finding { position, what }));
        }
        Err(error) => {
            let what = format!("the snapshots were not checked: {error}");
            report.findings.push(Finding { position: None, what });
        }
    }
    Ok(())
}
