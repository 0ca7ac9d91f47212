//! `tranche show`: what a view answers, now or about the past, with its proof on the first line.

use super::failure::Failure;
use super::out::{Out, say};
use super::source::Source;
use super::times::MomentArgs;
use super::words::word;
use clap::Args;
use domain::Role;
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{ActorId, StreamId};
use jiff::Timestamp;
use projections::{AsOf, Query, Report, VIEWS};
use serde::Serialize;
use std::fmt;
use std::io::{IsTerminal, stdout};
use tranche::engine::{Published, Reader};

/// The width of a table when a terminal does not say how wide it is.
const WIDTH: usize = 120;

/// What `tranche show` is told.
#[derive(Args)]
pub struct ShowArgs {
    /// The view; without one, all views are listed
    view: Option<String>,
    #[command(flatten)]
    question: Question,
    /// A table of the view as CSV: the first, or the one of this name
    #[arg(long, value_name = "TABLE", num_args = 0..=1, conflicts_with = "json")]
    csv: Option<Option<String>>,
}

/// What one may ask a view.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct Question {
    #[command(flatten)]
    moment: MomentArgs,
    /// Only this stream, such as call-EUROHPC-2024-CEI-AI
    #[arg(long, value_name = "ID")]
    stream: Option<StreamId>,
    /// Only streams of this category, such as grant
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Only what this person did, or has to do
    #[arg(long, value_name = "ID")]
    actor: Option<ActorId>,
    /// Only what this role did, or has to do
    #[arg(long, value_parser = word::<Role>)]
    role: Option<Role>,
    /// At most so many rows, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A view in the list of views.
#[derive(Serialize)]
struct Listed {
    summary: &'static str,
    view: &'static str,
}

/// Shows a view, or which views there are.
pub async fn show(source: &Source, args: &ShowArgs, json: bool) -> Result<(), Failure> {
    let Some(view) = &args.view else { return list(json) };
    known(view)?;
    let report = args.question.ask(&source.follow().await?.reader(), view).await?;
    let mut out = Out::stdout();
    match &args.csv {
        Some(table) => {
            say(format_args!("{}", Answer::of(&report)?));
            out.bytes(csv(&report, table.as_deref())?.as_bytes())?;
        }
        None => print_view(&mut out, &report, json)?,
    }
    out.finish()
}

/// Prints a report: as text below the line that identifies it, or as one line of JSON.
pub fn print_view(out: &mut Out, report: &Report, json: bool) -> Result<(), Failure> {
    let answer = Answer::of(report)?;
    if json {
        say(format_args!("{answer}"));
        out.bytes(&answer.json)?;
        return out.bytes(b"\n");
    }
    out.line(format_args!("{answer}"))?;
    out.bytes(report.to_text(width()).as_bytes())
}

fn list(json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    let width = VIEWS.iter().map(|(view, _)| view.len()).max().unwrap_or(0);
    for &(view, summary) in VIEWS {
        if json {
            out.json(&Listed { summary, view })?;
        } else {
            out.line(format_args!("{view:width$}  {summary}"))?;
        }
    }
    out.finish()
}

/// Refuses a name that no view has, before the log is read.
pub fn known(view: &str) -> Result<(), Failure> {
    if projections::names().any(|name| name == view) {
        return Ok(());
    }
    let names: Vec<&str> = projections::names().collect();
    Err(Failure::NotFound(format!("no view is called {view:?}; there are {}", names.join(", "))))
}

/// A table of a report as CSV.
pub fn csv(report: &Report, table: Option<&str>) -> Result<String, Failure> {
    let Some(key) = table else { return Ok(report.to_csv()) };
    report.table(key).map(projections::Table::to_csv).ok_or_else(|| {
        let keys: Vec<&str> = report.tables.iter().map(|table| table.key).collect();
        Failure::NotFound(format!("no table is called {key:?}; there are {}", keys.join(", ")))
    })
}

/// A terminal has a width; a file takes everything.
fn width() -> usize {
    if !stdout().is_terminal() {
        return usize::MAX;
    }
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(WIDTH)
}

/// An answer in canonical JSON, with the line that identifies it.
pub struct Answer<'a> {
    /// The answer.
    pub json: Vec<u8>,
    report: &'a Report,
}

impl<'a> Answer<'a> {
    /// The answer of a view.
    pub fn of(report: &'a Report) -> Result<Self, Failure> {
        let json = canonical::to_bytes(report)
            .map_err(|error| Failure::Corrupt(format!("view {}: {error}", report.view)))?;
        Ok(Self { json, report })
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { view, position, as_of: moment, .. } = self.report;
        let or_now = |instant: Option<Timestamp>| {
            instant.map_or_else(|| "now".to_owned(), |instant| instant.to_string())
        };
        let (as_of, known_at) = (or_now(moment.as_of), or_now(moment.known_at));
        let digest = Sha256Hex::of(&self.json);
        write!(f, "{view}: as of {as_of}, known {known_at}, position {position}, sha256 {digest}")
    }
}

impl Question {
    /// Whether anything is asked but for everything, now.
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// Asks a view.
    pub async fn ask(&self, reader: &Reader, view: &str) -> Result<Report, Failure> {
        let query = self.query(&reader.now())?;
        let report = reader.ask(view, query).await?;
        report.ok_or_else(|| Failure::NotFound(format!("no view is called {view:?}")))
    }

    /// What is asked, its times in the zones of the calls.
    pub fn query(&self, now: &Published) -> Result<Query, Failure> {
        Ok(self.about(self.moment.of_world(now.world())?))
    }

    /// As of when, as far as it was said.
    pub fn moment(&self) -> &MomentArgs {
        &self.moment
    }

    /// What is asked as of a moment.
    pub fn about(&self, moment: AsOf) -> Query {
        Query {
            actor: self.actor.clone(),
            category: self.category.clone(),
            limit: self.limit,
            moment,
            now: None,
            role: self.role,
            stream: self.stream.clone(),
            tests: None,
        }
    }
}
