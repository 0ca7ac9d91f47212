//! `tranche why`: from a figure to what it comes of; `tranche diff`: what changed between two moments.

use super::failure::Failure;
use super::out::Out;
use super::show::{Question, known};
use super::source::Source;
use super::times::instant_in;
use super::words::counted;
use clap::{Args, ValueEnum};
use domain::World;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::CallId;
use projections::{Cell, Query};
use tranche::engine::AskError;
use tranche::moment::{DateZone, When};
use tranche::why::{Difference, SHOWN_MAX, SHOWN_USUAL, Step, Why, moments};

pub const WHY_HELP: &str = "\
A pointer is /TABLE/ROW/COLUMN, or the place in the JSON of the view (RFC 6901). The row is
its name, its number from 0, or `totals`; its name is the text of the first columns, with
colons between them.

For budget and ledger the answer lists every event that changed the figure, and they add up to
it. For other views it lists what the newest 1000 commits did, and one sum for the rest.

Examples:
  tranche why budget /lines/AI:L1:DEP/committed --data log
  tranche why ledger /accounts/Cash:AI:Bank/credit --as-of 2025-12-31 --data log
  tranche why budget /tables/0/rows/0/union --at-position 100 --data log --json";

/// Holds the arguments of `tranche why`.
#[derive(Args)]
#[command(after_help = WHY_HELP)]
pub struct WhyArgs {
    /// Explains a figure of this view
    view: String,
    /// Explains the figure at this place: /TABLE/ROW/COLUMN
    pointer: String,
    #[command(flatten)]
    question: Question,
    /// Shows the newest N events that changed it; the earlier ones are one sum
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
    /// Compares what had been recorded
    Recorded,
    /// Compares what was true, as it is known now
    Effective,
}

/// Holds the arguments of `tranche diff`.
#[derive(Args)]
pub struct DiffArgs {
    /// Compares this view
    view: String,
    /// Begins at this moment; by default before everything; a date counts to its end
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from_position", "to_position"])]
    from: Option<When>,
    /// Ends at this moment; by default now
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from_position", "to_position"])]
    to: Option<When>,
    /// Reads both moments on this clock
    #[arg(long, value_enum, default_value_t = Clock::Recorded)]
    on: Clock,
    /// Begins at this position of the log
    #[arg(long, value_name = "N")]
    from_position: Option<u64>,
    /// Ends at this position of the log
    #[arg(long, value_name = "N")]
    to_position: Option<u64>,
    /// Reads dates and times in the zone of this call; needed if the zones of calls differ
    #[arg(long, value_name = "ID")]
    call: Option<CallId>,
    /// Reads dates and times in this zone, by its IANA name
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
            (Some(call), _) => DateZone::Call(call.clone()),
            (None, Some(zone)) => DateZone::Zone(zone.clone()),
            (None, None) => DateZone::Calls,
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
