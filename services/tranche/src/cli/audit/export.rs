//! Populations and the journal as files for other programs, with control totals.

use super::fold;
use super::moment::moment;
use super::scope::{Asked, extent};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::source::{Source, decode, each_entry};
use crate::cli::times::MomentArgs;
use crate::cli::tree::open_proving;
use crate::cli::words::{counted, say};
use clap::{Args, ValueEnum};
use eventlog::Position;
use eventlog::tlog::{Proof, Tree};
use projections::audit::extent::Scope;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tranche::export::{self, Export, NoLines};

const EXPORT_HELP: &str = "\
Each line of commits proves itself: any program for c2sp.org/tlog-proof can check it without
the log. Write its entry and its proof to two files, without a newline at the end.

Examples:
  tranche audit export postings --as-of 2025-12-31 --to postings.csv --data log
  tranche audit export commits --scope grant:LUMI-AIF --public public --to lumi.jsonl \\
    --data log
  head -1 lumi.jsonl | jq -rj .entry > commit
  head -1 lumi.jsonl | jq -rj .proof > proof
  tranche proof check proof commit --public public";

/// Holds the arguments of `tranche audit export`.
#[derive(Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArgs {
    /// Writes one of these
    #[arg(value_enum)]
    what: What,
    /// Writes these commits: all, call:ID, round:CALL/ROUND, grant:ID, period:FROM..TO [default: all]
    #[arg(long)]
    scope: Option<Asked>,
    #[command(flatten)]
    moment: MomentArgs,
    /// Writes in this format
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Proves with checkpoints by the public keys in this file, one in each line
    #[arg(long, value_name = "FILE", required_if_eq("what", "commits"))]
    public: Option<PathBuf>,
    /// Proves with the tree in this directory; by default in that of the embedded log
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Writes to this new file and totals to FILE.totals.csv; by default to standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// What is written.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Writes the payments that were carried out
    Payments,
    /// Writes the commitments to grants, as they stand
    Commitments,
    /// Writes every posting of the ledger, two lines each, with the field names of ISO 21378 (GL_Details)
    Postings,
    /// Writes commits as jsonl: position, entry (the text that is hashed), proof (a .tlog-proof)
    Commits,
}

/// As what.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Writes CSV (RFC 4180)
    Csv,
    /// Writes one JSON object on each line
    Jsonl,
}

/// Writes it, whole or not at all.
pub async fn write(source: &Source, args: &ExportArgs) -> Result<(), Failure> {
    if args.scope.is_some() && !matches!(args.what, What::Commits) {
        let what = "--scope is of commits: payments, commitments and postings add up for the whole log only";
        return Err(Failure::Usage(what.to_owned()));
    }
    let what = match args.what {
        What::Commits => return commits(source, args).await,
        What::Postings => export::What::Postings,
        What::Payments => export::What::Payments,
        What::Commitments => export::What::Commitments,
    };
    let mut lines = Export::new(what);
    fold(source, &args.moment, |commit, event| lines.apply(commit, event)).await?;
    let follower = source.follow().await?;
    let zone = args.moment.zone(follower.reader().now().world())?;
    let lines = lines.lines(zone.as_deref()).map_err(|error| match error {
        NoLines::Zone(error) => Failure::Usage(error.to_string()),
        NoLines::Incomplete(error) => Failure::Found(error.to_string()),
    })?;
    let text = match args.format {
        None | Some(Format::Csv) => lines.to_csv(),
        Some(Format::Jsonl) => lines.to_jsonl(),
    };
    let mut out = Out::to(args.to.as_deref())?;
    out.bytes(text.as_bytes())?;
    out.finish()?;
    let totals = lines.totals(&text);
    match &args.to {
        Some(path) => {
            let mut beside = Out::to(Some(&beside(path)))?;
            beside.bytes(totals.as_bytes())?;
            beside.finish()?;
        }
        None => say(format_args!("{}", totals.trim_end())),
    }
    say(format_args!("{}", counted(lines.rows.len(), "line")));
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".totals.csv");
    name.into()
}

/// A commit that proves itself.
#[derive(Serialize)]
struct Proven<'a> {
    position: Position,
    entry: &'a str,
    proof: String,
}

/// Every commit of the scope with what proves it, under one signed checkpoint.
async fn commits(source: &Source, args: &ExportArgs) -> Result<(), Failure> {
    if args.format == Some(Format::Csv) {
        let what = "--format csv: commits are not rows of one table; they are written as jsonl";
        return Err(Failure::Usage(what.to_owned()));
    }
    let prover = open_proving(source, None, args.public.as_deref(), args.tree.as_deref()).await?;
    let follower = source.follow().await?;
    let reader = follower.reader();
    let scope = args.scope.clone().unwrap_or(Asked::Known(Scope::All));
    let scope = scope.of_world(&args.moment, reader.now().world())?;
    let moment = moment(&args.moment, &reader, &prover).await?;
    let (extent, _) = extent(source, scope, &moment).await?;
    let asked = moment.asked();
    let log = source.open_to_read().await?;
    let (mut out, mut count) = (Out::to(args.to.as_deref())?, 0);
    each_entry(&*log, 1, moment.position, |position, entry| {
        let commit = decode(position, entry)?;
        let is_true = commit.events.iter().any(|event| asked.was_true(event.effective_at));
        if !is_true || !extent.holds(&commit) {
            return Ok(());
        }
        prover.check_entry(position, entry)?;
        let path = prover.inclusion(position - 1, moment.checkpoint.size)?;
        let proof = Proof { index: position - 1, path, checkpoint: moment.note.clone() };
        let entry = std::str::from_utf8(entry)
            .map_err(|_| Failure::Corrupt(format!("position {position}: not UTF-8")))?;
        count += 1;
        out.json(&Proven { position, entry, proof: proof.to_string() })
    })
    .await?;
    if count == 0 {
        let scope = extent.scope();
        return Err(Failure::NotFound(format!(
            "scope: no commit of {scope} is known at that moment"
        )));
    }
    out.finish()?;
    let size = moment.checkpoint.size;
    say(format_args!("{}, proven under a checkpoint of {size}", counted(count, "commit")));
    Ok(())
}
