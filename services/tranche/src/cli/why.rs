//! `tranche why`: from a figure to what it comes of; `tranche diff`: what changed between two moments.

use super::failure::Failure;
use super::out::{Out, counted};
use super::show::{Question, known};
use super::source::Source;
use super::times::instant_in;
use clap::{Args, ValueEnum};
use domain::World;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::CallId;
use projections::{Cell, Query};
use tranche::engine::AskError;
use tranche::moment::{Place, When};
use tranche::why::{Difference, SHOWN_MAX, SHOWN_USUAL, Step, Why, moments};

pub const WHY_HELP: &str = "\
A pointer is /TABLE/ROW/COLUMN, where the row is its name, its number from 0, or `totals`; or the place in \
the JSON of the view (RFC 6901). A name is what the first columns say, with colons between them.

Every event that changed the figure is told, in order; they add up to it. Of views other than budget and \
ledger, what the newest 1000 commits did is told, and the rest is one sum.

Examples:
  tranche why budget /lines/AI:L1:DEP/committed --data log
  tranche why ledger /accounts/Cash:AI:Bank/credit --as-of 2025-12-31 --data log
  tranche why budget /tables/0/rows/0/union --at-position 100 --data log --json";

/// What `tranche why` is told.
#[derive(Args)]
#[command(after_help = WHY_HELP)]
pub struct WhyArgs {
    /// The view
    view: String,
    /// The figure: /TABLE/ROW/COLUMN
    pointer: String,
    #[command(flatten)]
    question: Question,
    /// The newest N events that changed it; earlier ones are one sum
    #[arg(long, value_name = "N", default_value_t = SHOWN_USUAL, value_parser = newest)]
    newest: usize,
}

fn newest(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=SHOWN_MAX).contains(number));
    number.ok_or_else(|| format!("is 1 to {SHOWN_MAX}"))
}

/// On which clock two moments are.
#[derive(Clone, Copy, ValueEnum)]
enum Clock {
    /// What had been recorded by then
    Recorded,
    /// What was true by then, as it is known now
    Effective,
}

/// What `tranche diff` is told.
#[derive(Args)]
pub struct DiffArgs {
    /// The view
    view: String,
    /// The earlier moment: a date (the end of that day), a time, or an instant; before everything
    /// when absent
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from_position", "to_position"])]
    from: Option<When>,
    /// The later moment; now when absent
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from_position", "to_position"])]
    to: Option<When>,
    /// The clock of both
    #[arg(long, value_enum, default_value_t = Clock::Recorded)]
    on: Clock,
    /// The earlier moment as a position of the log
    #[arg(long, value_name = "N")]
    from_position: Option<u64>,
    /// The later one
    #[arg(long, value_name = "N")]
    to_position: Option<u64>,
    /// The call in whose zone dates and times are meant; needed when the zones of calls differ
    #[arg(long, value_name = "ID")]
    call: Option<CallId>,
    /// The zone in which dates and times are meant, by IANA name
    #[arg(long, value_name = "NAME", conflicts_with = "call")]
    zone: Option<String>,
}

/// Tells where a figure comes from.
pub async fn why(source: &Source, args: &WhyArgs, json: bool) -> Result<(), Failure> {
    known(&args.view)?;
    let follower = source.follow().await?;
    let reader = follower.reader();
    let now = reader.now();
    let query = args.question.query(&now)?;
    let moment = query.moment;
    let lineage = reader.why(&args.view, query, &args.pointer).await?;
    let lineage = lineage.ok_or_else(|| Failure::NotFound("no such view".to_owned()))?;
    let why = Why::of(&args.view, moment, lineage, args.newest, now.world());
    let mut out = Out::stdout();
    if json {
        out.json(&why)?;
    } else {
        print_why(&mut out, &why)?;
    }
    out.finish()
}

fn print_why(out: &mut Out, why: &Why) -> Result<(), Failure> {
    out.line(format_args!("{} {}: {}", why.view, why.pointer, words(Some(&why.value))))?;
    if !why.complete {
        let opening = words(why.opening.as_ref());
        out.line(format_args!("it was {opening} before; told from position {} on", why.from))?;
    }
    for step in &why.contributions {
        out.line(format_args!(""))?;
        let (before, after) = (words(step.before.as_ref()), words(step.after.as_ref()));
        out.line(format_args!("{:>16}  from {before} to {after}", amount(step)))?;
        print_step(out, step)?;
    }
    if let Some(sum) = &why.sum {
        out.line(format_args!("\nSum: {}", words(Some(sum))))?;
    }
    Ok(())
}

fn print_step(out: &mut Out, step: &Step) -> Result<(), Failure> {
    let Step { event, command, actor, .. } = step;
    out.line(format_args!("    {}  {}@{}", event.r#type, event.stream, event.version))?;
    let when = if step.effective_at == step.recorded_at {
        String::new()
    } else {
        format!(", true from {}", step.effective_at)
    };
    out.line(format_args!("    position {}, recorded {}{when}", step.position, step.recorded_at))?;
    let behalf = actor.on_behalf_of.as_ref().map_or_else(String::new, |id| format!(" for {id}"));
    let (name, id) = (&command.name, &command.id);
    out.line(format_args!("    {name} {id} by {} ({}){behalf}", actor.id, actor.role))?;
    if let Some(rule) = &command.rule {
        out.line(format_args!("    rule: {}, {}", rule.document, rule.clause))?;
    }
    if let Some(rules) = &step.rules {
        let hash = rules.sha256.map_or_else(String::new, |hash| format!(", sha256 {hash}"));
        let (id, version, call) = (&rules.id, rules.version, &rules.call);
        out.line(format_args!("    rules of call {call}: {id}, version {version}{hash}"))?;
    }
    if let Some(evidence) = &step.evidence {
        let note = evidence.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        let sure = Cell::from(evidence.confidence).to_text();
        out.line(format_args!("    source: {} {sure}{note}", evidence.source))?;
    }
    for (place, hash) in &step.documents {
        out.line(format_args!("    {place}: sha256 {hash}"))?;
    }
    out.line(format_args!("    proof: {}", step.proof))
}

fn words(cell: Option<&Cell>) -> String {
    let text = match cell {
        // Tables leave it out, since most rows are.
        Some(Cell::Confidence(Confidence::Published)) => "published".to_owned(),
        cell => cell.map_or_else(String::new, Cell::to_text),
    };
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// With its sign.
fn amount(step: &Step) -> String {
    let text = step.amount.as_ref().map(Cell::to_text).unwrap_or_default();
    if text.is_empty() || text.starts_with('-') { text } else { format!("+{text}") }
}

/// Tells what changed between two moments.
pub async fn diff(source: &Source, args: &DiffArgs, json: bool) -> Result<(), Failure> {
    known(&args.view)?;
    let follower = source.follow().await?;
    let reader = follower.reader();
    let now = reader.now();
    let moments = args.moments(now.world())?;
    let diff = reader.diff(&args.view, moments).await?;
    let diff = diff.ok_or_else(|| Failure::NotFound("no such view".to_owned()))?;
    let difference = Difference::of(&args.view, diff, now.world());
    let mut out = Out::stdout();
    if json {
        out.json(&difference)?;
    } else {
        print_diff(&mut out, &difference)?;
    }
    out.finish()
}

fn print_diff(out: &mut Out, diff: &Difference) -> Result<(), Failure> {
    let (view, from, to) = (&diff.view, diff.from.position, diff.to.position);
    let figures = counted(diff.changes.len(), "figure");
    let events = counted(diff.events, "event");
    out.line(format_args!("{view}: position {from} to {to}: {events}, {figures} changed"))?;
    for change in &diff.changes {
        let (before, after) = (words(change.before.as_ref()), words(change.after.as_ref()));
        out.line(format_args!("\n{}: {before} -> {after}", change.pointer))?;
        for step in &change.by {
            let Step { event, command, actor, position, recorded_at, .. } = step;
            out.line(format_args!(
                "    {:>16}  {position}  {recorded_at}  {} ({})  {} {}  {}@{} {}",
                amount(step),
                actor.id,
                actor.role,
                command.name,
                command.id,
                event.stream,
                event.version,
                event.r#type
            ))?;
        }
    }
    if let Some(why) = diff.untold {
        out.line(format_args!("\nSome causes are not told: {why}."))?;
    }
    Ok(())
}

impl DiffArgs {
    fn moments(&self, world: &World) -> Result<(Query, Query), Failure> {
        let place = match (&self.call, &self.zone) {
            (Some(call), _) => Place::Call(call.clone()),
            (None, Some(zone)) => Place::Zone(zone.clone()),
            (None, None) => Place::Calls,
        };
        let zones = place.zones(world)?;
        let from = instant_in("--from", self.from, &zones)?;
        let to = instant_in("--to", self.to, &zones)?;
        let head = world.position;
        let beyond = [self.from_position, self.to_position].into_iter().flatten();
        if let Some(position) = beyond.max().filter(|position| *position > head) {
            return Err(Failure::NotFound(format!("position {position}: the log ends at {head}")));
        }
        let ends = ((from, self.from_position), (to, self.to_position));
        let is_effective = matches!(self.on, Clock::Effective);
        moments(ends, is_effective).map_err(|error| Failure::Usage(error.to_owned()))
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        use projections::lineage::PointerError;
        match error {
            AskError::Read(error) => error.into(),
            AskError::Pointer(error @ PointerError::Form(_)) => Self::Usage(error.to_string()),
            AskError::Pointer(error) => Self::NotFound(error.to_string()),
        }
    }
}
