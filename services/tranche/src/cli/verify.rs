//! `tranche verify`: everything that a log can be checked for, and all that is wrong with it.

use super::document::DocumentsArgs;
use super::failure::Failure;
use super::out::{Out, progress};
use super::source::{LogPlace, Source, must_exist};
use super::witness::QuorumArgs;
use clap::Args;
use eventlog::tlog::note::Verifier;
use serde::Serialize;
use std::path::PathBuf;
use tranche::documents;
use tranche::engine::{self, SnapshotCheck};
use tranche_proof::documents::Census;
use tranche_proof::keys::read_verifiers;
use tranche_proof::verdict::{self, BytesReport, Report};
use tranche_proof::verify::Finding;
use tranche_proof::{Expected, Shelf};

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

/// Checks the log, or a pack without its log.
pub async fn verify(source: &Source, args: &VerifyArgs, json: bool) -> Result<(), Failure> {
    let known = args.public.as_deref().map(read_verifiers).transpose()?;
    let has_keys = known.is_some();
    if let Some(path) = &args.pack {
        let checked = verdict::pack(path, known.as_deref())?;
        tell(&checked, || checked.lines(has_keys), json)?;
        return Ok(checked.verdict()?);
    }
    if args.bytes {
        let mut findings = Vec::new();
        let expected = expected(source, args, known.as_deref(), &mut findings)?;
        let report = BytesReport::of(source.open_unchecked().await?, expected, findings).await?;
        tell(&report, || report.lines(has_keys), json)?;
        return Ok(report.verdict()?);
    }
    let mut report = Report { snapshots: Some(0), ..Report::default() };
    if let LogPlace::Directory(dir) = &source.required()? {
        must_exist(dir)?;
        report.rows(dir)?;
    }
    if !report.is_unreadable {
        check_commits(source, args, known.as_deref(), &mut report).await?;
        check_snapshots(source, &mut report).await?;
    }
    tell(&report, || report.lines(has_keys), json)?;
    Ok(report.verdict()?)
}

/// Prints what was checked and found.
fn tell(
    report: &impl Serialize,
    lines: impl FnOnce() -> Vec<String>,
    json: bool,
) -> Result<(), Failure> {
    let mut out = Out::stdout();
    if json {
        out.json(report)?;
    } else {
        lines().iter().try_for_each(|line| out.line(format_args!("{line}")))?;
    }
    out.finish()
}

async fn check_commits(
    source: &Source,
    args: &VerifyArgs,
    known: Option<&[Verifier]>,
    report: &mut Report,
) -> Result<(), Failure> {
    let expected = expected(source, args, known, &mut report.findings)?;
    let documents = args.documents.open_existing().await?;
    // Its rows were checked already, and are again when they are read.
    let log = source.open_unchecked().await?;
    let bar = progress("verifying", log.head().await?);
    let told = bar.clone();
    let census = documents.is_some().then(Census::default);
    let tell = move |position| told.set_position(position);
    let census = report.commits(log, expected, census, tell).await?;
    bar.finish_and_clear();
    if let (Some(store), Some(census)) = (&documents, &census) {
        let found = documents::check::check(census, store).await?.into_iter();
        report.findings.extend(found.map(|finding| Finding {
            position: Some(finding.position),
            what: finding.to_string(),
        }));
        report.documents = Some(census.hashes().len());
    }
    Ok(())
}

/// What the log must fit to: what was signed and kept here, and what the caller has kept.
fn expected(
    source: &Source,
    args: &VerifyArgs,
    known: Option<&[Verifier]>,
    findings: &mut Vec<Finding>,
) -> Result<Expected, Failure> {
    let kept = match &args.tree {
        Some(dir) if !dir.is_dir() => {
            let what = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(Failure::file(dir, what));
        }
        Some(dir) => Some(Shelf::open(dir)?),
        None => source.kept_tree()?,
    };
    let quorum = args.quorum.read()?;
    Ok(Expected::read(kept, known, (&args.checkpoint, quorum.as_ref()), findings)?)
}

/// Each snapshot is what a replay gives, and none holds more than the log.
async fn check_snapshots(source: &Source, report: &mut Report) -> Result<(), Failure> {
    let Some(dir) = source.required()?.snapshots() else { return Ok(()) };
    match engine::check_snapshots(source.open_unchecked().await?, dir).await {
        Ok(SnapshotCheck { compared, findings }) => {
            report.snapshots = Some(compared);
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
