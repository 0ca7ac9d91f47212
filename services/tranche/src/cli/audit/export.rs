//! Populations and the journal as files for other programs, with control totals.

use super::fold;
use crate::cli::failure::Failure;
use crate::cli::out::{Out, counted, say};
use crate::cli::show::Question;
use crate::cli::source::Source;
use clap::{Args, ValueEnum};
use projections::audit::{Kind, Lines, Workbench, postings};
use std::path::{Path, PathBuf};

/// What `tranche audit export` is told.
#[derive(Args)]
pub struct ExportArgs {
    /// What is written
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    question: Question,
    /// As what
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// A new file; standard output when absent. Beside FILE, FILE.totals.csv gets the control totals
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// What is written.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Payments that were carried out
    Payments,
    /// Commitments to grants, as they stand
    Commitments,
    /// Every posting of the ledger, two lines each, with the field names of the Audit Data Standard
    Postings,
}

/// As what.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// RFC 4180
    Csv,
    /// One JSON object on each line
    Jsonl,
}

/// Writes it, whole or not at all.
pub async fn export(source: &Source, args: &ExportArgs) -> Result<(), Failure> {
    let lines = match args.what {
        What::Postings => {
            let mut journal = postings::Postings::default();
            fold(source, &args.question, |commit, event| journal.apply(commit, event)).await?;
            journal.lines()
        }
        What::Payments => population(source, args, Kind::Payments).await?,
        What::Commitments => population(source, args, Kind::Commitments).await?,
    };
    let text = match args.format {
        Format::Csv => lines.to_csv(),
        Format::Jsonl => lines.to_jsonl(),
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

async fn population(source: &Source, args: &ExportArgs, kind: Kind) -> Result<Lines, Failure> {
    let mut bench = Workbench::default();
    fold(source, &args.question, |commit, event| bench.apply(commit, event)).await?;
    let rows = bench.population(kind).map_err(|error| Failure::Found(error.to_string()))?;
    Ok(Lines::of_population(&rows))
}
