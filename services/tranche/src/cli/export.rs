//! `tranche export`: the log byte for byte, or the answer of a view, for other programs. The same
//! question gives the same bytes.

use super::failure::Failure;
use super::out::{Out, progress};
use super::show::{Answer, Question, csv, known};
use super::source::{Source, each_entry};
use super::words::{counted, say};
use clap::{Args, ValueEnum};
use eventlog::Position;
use std::path::PathBuf;

/// Holds the arguments of `tranche export`.
#[derive(Args)]
pub struct ExportArgs {
    /// Begins at this position
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "view")]
    from: Position,
    /// Ends with this position; by default with the last one of the log
    #[arg(long, value_name = "N", conflicts_with = "view")]
    to_position: Option<Position>,
    /// Writes to this new file, whole or not at all; by default to standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Writes the answer of this view; by default the commits
    #[arg(long, value_name = "VIEW")]
    view: Option<String>,
    /// Writes the view in this format
    #[arg(long, requires = "view", value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Writes this table of the view as CSV; by default the first one
    #[arg(long, requires = "view", value_name = "TABLE")]
    table: Option<String>,
    #[command(flatten)]
    question: Question,
}

/// As what a view is written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Writes one table (RFC 4180)
    Csv,
    /// Writes the whole answer, in canonical JSON
    Json,
}

/// Writes the stored commits, one on each line, or the answer of a view.
pub async fn export(source: &Source, args: &ExportArgs) -> Result<(), Failure> {
    match &args.view {
        Some(view) => export_view(source, args, view).await,
        None if args.question.is_any() => Err(Failure::Usage(
            "questions such as --as-of are for --view; commits are taken by --from and \
             --to-position"
                .to_owned(),
        )),
        None => export_commits(source, args).await,
    }
}

async fn export_view(source: &Source, args: &ExportArgs, view: &str) -> Result<(), Failure> {
    known(view)?;
    let report = args.question.ask(&source.follow().await?.reader(), view).await?;
    let answer = Answer::of(&report)?;
    let text = match args.format {
        Format::Csv => csv(&report, args.table.as_deref())?.into_bytes(),
        Format::Json => [answer.json.as_slice(), b"\n"].concat(),
    };
    let mut out = Out::to(args.to.as_deref())?;
    out.bytes(&text)?;
    out.finish()?;
    say(format_args!("{answer}"));
    Ok(())
}

async fn export_commits(source: &Source, args: &ExportArgs) -> Result<(), Failure> {
    let log = source.open_to_read().await?;
    let head = log.head().await?;
    let last = args.to_position.unwrap_or(head);
    if last > head {
        return Err(Failure::NotFound(format!("position {last}: the log ends at {head}")));
    }
    let from = args.from.max(1);
    let mut out = Out::to(args.to.as_deref())?;
    let bar = progress("exporting", (last + 1).saturating_sub(from));
    let mut written = 0;
    each_entry(&*log, from, last, |_, entry| {
        written += 1;
        bar.inc(1);
        out.bytes(entry)?;
        out.bytes(b"\n")
    })
    .await?;
    bar.finish_and_clear();
    out.finish()?;
    say(format_args!("{}, from position {from}", counted(written, "commit")));
    Ok(())
}
