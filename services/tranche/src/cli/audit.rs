//! `tranche audit`: what an auditor draws, projects, asks of the journal, and takes along. Everything is a
//! fold of the log up to a moment, read from its first commit, with no cache in between.

mod export;
mod moment;
mod pack;
mod sample;
mod scope;

use super::failure::Failure;
use super::out::Out;
use super::show::{Question, print_view};
use super::source::{Source, decode, each_entry};
use super::times::MomentArgs;
use clap::{Args, Subcommand};
use domain::facts::commit::Recorded;
use domain::kernel::ids::AuditId;
use domain::kernel::money::Money;
use domain::{Commit, World};
use projections::journal::{Journal, Tests};
use projections::{AsOf, Projection};

/// What `tranche audit` is told.
#[derive(Subcommand)]
pub enum AuditTask {
    /// Draws a sample from a seed, after the population was found complete; records nothing
    Sample(Box<sample::SampleArgs>),
    /// Draws the recorded sample of an engagement again, from the log alone, and compares
    Check(CheckArgs),
    /// Projects the errors that were found onto the population: PE, BP, IA, UEL
    Project(Box<ProjectArgs>),
    /// Journal tests: same user twice, back-dated, below a threshold, after hours, reversed, round, account
    /// changed before a payment, Benford
    Journal(Box<JournalArgs>),
    /// Packs what an outsider needs to check a call, a round, a grant or a period without us
    Pack(Box<pack::PackArgs>),
    /// Writes a population or the journal for other programs, with control totals; or commits with proofs
    Export(Box<export::ExportArgs>),
}

/// Which engagement.
#[derive(Args)]
pub struct CheckArgs {
    /// The engagement
    audit: AuditId,
}

/// Which engagement, as of when.
#[derive(Args)]
pub struct ProjectArgs {
    #[command(flatten)]
    question: Question,
}

/// What is asked of the journal.
#[derive(Args)]
pub struct JournalArgs {
    #[command(flatten)]
    question: Question,
    /// Account changed: at most so many days before a payment to it was asked for
    #[arg(long, value_name = "DAYS", default_value_t = Tests::default().account_days)]
    account_days: u32,
    /// Back-dated: recorded more than so many days after it was true
    #[arg(long, value_name = "DAYS", default_value_t = Tests::default().back_dated_days)]
    back_dated_days: u32,
    /// Below a threshold: by at most so many thousandths of it
    #[arg(long, value_name = "N", default_value_t = Tests::default().below_permille)]
    below_permille: u32,
    /// The thresholds, with commas between them
    #[arg(
        long,
        value_name = "EUR",
        value_delimiter = ',',
        default_value = "EUR 60000,EUR 325000,EUR 430000"
    )]
    thresholds: Vec<Money>,
    /// After hours: before this hour of the day
    #[arg(long, value_name = "HOUR", default_value_t = Tests::default().office_from)]
    office_from: i8,
    /// After hours: from this hour of the day on
    #[arg(long, value_name = "HOUR", default_value_t = Tests::default().office_to)]
    office_to: i8,
    /// The zone of office hours, by IANA name; that of each call when absent
    #[arg(long, value_name = "NAME")]
    office_zone: Option<String>,
    /// Reversed: undone within so many days
    #[arg(long, value_name = "DAYS", default_value_t = Tests::default().reversed_days)]
    reversed_days: u32,
    /// Round: a multiple of this amount
    #[arg(long, value_name = "EUR", default_value_t = Tests::default().round)]
    round: Money,
}

/// Does it.
pub async fn audit(source: &Source, task: &AuditTask, json: bool) -> Result<(), Failure> {
    match task {
        AuditTask::Sample(args) => sample::sample(source, args, json).await,
        AuditTask::Check(args) => sample::check(source, &args.audit).await,
        AuditTask::Project(args) => project(source, args, json).await,
        AuditTask::Journal(args) => journal(source, args, json).await,
        AuditTask::Pack(args) => pack::pack(source, args).await,
        AuditTask::Export(args) => export::write(source, args).await,
    }
}

async fn project(source: &Source, args: &ProjectArgs, json: bool) -> Result<(), Failure> {
    let reader = source.follow().await?.reader();
    let mut report = args.question.ask(&reader, "audit").await?;
    report.tables.retain(|table| matches!(table.key, "results" | "items"));
    let mut out = Out::stdout();
    print_view(&mut out, &report, json)?;
    out.finish()
}

async fn journal(source: &Source, args: &JournalArgs, json: bool) -> Result<(), Failure> {
    if let Some(zone) = &args.office_zone {
        domain::kernel::time::zone(zone).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    let tests = Tests {
        account_days: args.account_days,
        back_dated_days: args.back_dated_days,
        below_permille: args.below_permille,
        thresholds: args.thresholds.clone(),
        office_from: args.office_from,
        office_to: args.office_to,
        reversed_days: args.reversed_days,
        round: args.round,
        zone: args.office_zone.clone(),
    };
    let mut journal = Journal::default();
    let asked = args.question.moment();
    let moment = fold(source, asked, |commit, event| journal.apply(commit, event)).await?;
    let mut report = journal.asked(&tests, &args.question.about(moment));
    report.as_of = moment;
    report.position = moment.position.unwrap_or(0);
    let mut out = Out::stdout();
    print_view(&mut out, &report, json)?;
    out.finish()
}

/// Hands over every event up to a moment, in order, and gives the moment; its position is that of the last
/// commit that counts.
async fn fold(
    source: &Source,
    asked: &MomentArgs,
    mut take: impl FnMut(&Commit, &Recorded),
) -> Result<AsOf, Failure> {
    let log = source.open_to_read().await?;
    let head = log.head().await?;
    let mut commits = Vec::new();
    let mut world = World::default();
    each_entry(&*log, 1, head, |position, entry| {
        let commit = decode(position, entry)?;
        world.apply(&commit);
        commits.push(commit);
        Ok(())
    })
    .await?;
    let mut moment = asked.of_world(&world)?;
    let knows = |commit: &&Commit| moment.knows(commit.position, commit.recorded_at);
    let known = commits.iter().take_while(knows).count();
    for commit in &commits[..known] {
        let events = commit.events.iter();
        events
            .filter(|event| moment.was_true(event.effective_at))
            .for_each(|event| take(commit, event));
    }
    moment.position = Some(u64::try_from(known).unwrap_or(u64::MAX));
    Ok(moment)
}
