//! `tranche replay`: the whole read side again from the first commit, held against what is shown.

use super::failure::Failure;
use super::out::Out;
use super::source::{Source, on_progress};
use super::words::{counted, say};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tranche::engine::{self, Digests};

/// Holds the arguments of `tranche replay`.
#[derive(Args)]
pub struct ReplayArgs {
    /// Compares with the digests in this file, which `tranche replay` printed before
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
}

/// The digests of a replay, and what differs.
#[derive(Serialize)]
struct ReplayReport {
    commits: u64,
    differences: Vec<String>,
    digests: BTreeMap<String, String>,
    events: u64,
}

/// Folds the log from its first commit, prints the digests, and compares.
pub async fn replay(source: &Source, args: &ReplayArgs, json: bool) -> Result<(), Failure> {
    let expected = args.expect.as_deref().map(read_expected).transpose()?;
    // First what is shown, which may begin at a snapshot: what is replayed is then at least as long.
    let shown = source.follow().await?.reader().now();
    let log = source.open_to_read().await?;
    let replayed = engine::replay(log, Some(on_progress("replaying"))).await?;
    let digests = by_name(&replayed.digests);
    let mut differences = Vec::new();
    // A log that grew meanwhile has other digests with good reason.
    if shown.position() == replayed.commits {
        compare("is shown", &by_name(&shown.digests()?), &digests, &mut differences);
    }
    if let Some(expected) = &expected {
        compare("is expected", expected, &digests, &mut differences);
    }
    let count = differences.len();
    print(
        &ReplayReport { commits: replayed.commits, differences, digests, events: replayed.events },
        json,
    )?;
    if count == 0 { Ok(()) } else { Err(Failure::Found(counted(count, "difference"))) }
}

fn print(report: &ReplayReport, json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    if json {
        out.json(report)?;
        return out.finish();
    }
    for (name, digest) in &report.digests {
        out.line(format_args!("{digest}  {name}"))?;
    }
    for difference in &report.differences {
        say(format_args!("{difference}"));
    }
    say(format_args!("commits {}, events {}", report.commits, report.events));
    out.finish()
}

fn by_name(digests: &Digests) -> BTreeMap<String, String> {
    let world = ("world".to_owned(), digests.world.to_string());
    let views = digests.views.iter().map(|(name, digest)| ((*name).to_owned(), digest.to_string()));
    views.chain([world]).collect()
}

fn compare(
    what: &str,
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    differences: &mut Vec<String>,
) {
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for name in names {
        let (theirs, ours) = (theirs.get(name), ours.get(name));
        if theirs != ours {
            let none = "nothing".to_owned();
            let (theirs, ours) = (theirs.unwrap_or(&none), ours.unwrap_or(&none));
            differences.push(format!("{name}: {theirs} {what}, the replay gives {ours}"));
        }
    }
}

/// Reads lines of a digest, two spaces, and a name.
fn read_expected(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let line = |(index, line): (usize, &str)| {
        let (digest, name) = line.split_once("  ").ok_or_else(|| {
            let place = format!("{}:{}", path.display(), index + 1);
            Failure::Usage(format!("{place}: expected a digest, two spaces and a name"))
        })?;
        Ok((name.to_owned(), digest.to_owned()))
    };
    text.lines().enumerate().map(line).collect()
}
