//! `tranche audit`: what an auditor draws, projects, tests and takes along. Everything is a
//! fold of the log up to a moment, read from its first commit, with no cache in between.

mod export;
mod journal;
mod moment;
mod pack;
mod sample;
mod scope;

use super::failure::Failure;
use super::out::Out;
use super::show::{Question, print_view};
use super::source::{Source, each_entry};
use super::times::MomentArgs;
use clap::{Args, Subcommand};
use domain::facts::commit::Recorded;
use domain::kernel::ids::AuditId;
use domain::{Commit, World};
use projections::folds::journal::Journal;
use projections::views::audit::PROJECTED;
use projections::{AsOf, Fold};
use tranche::engine::decode;

/// Holds the arguments of `tranche audit`.
#[derive(Subcommand)]
pub enum AuditTask {
    /// Draws a sample from a seed if the population is complete; records nothing
    Sample(Box<sample::SampleArgs>),
    /// Draws the recorded sample of an engagement again from the log, and compares the two
    Check(CheckArgs),
    /// Projects the errors in the sample onto the population (PE, BP, IA, UEL)
    Project(Box<ProjectArgs>),
    /// Runs the journal tests, such as same user twice, back-dated, after hours, Benford
    Journal(Box<JournalArgs>),
    /// Packs all that an outsider needs to check a call, a round, a grant or a period
    Pack(Box<pack::PackArgs>),
    /// Writes a population, the journal or commits with proofs, for other programs
    Export(Box<export::ExportArgs>),
}

/// Names an engagement.
#[derive(Args)]
pub struct CheckArgs {
    /// Takes this engagement
    audit: AuditId,
}

/// Names an engagement and a moment.
#[derive(Args)]
pub struct ProjectArgs {
    #[command(flatten)]
    question: Question,
}

/// Holds what is asked of the journal tests.
#[derive(Args)]
pub struct JournalArgs {
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    tests: journal::TestArgs,
}

/// Does it.
pub async fn audit(source: &Source, task: &AuditTask, json: bool) -> Result<(), Failure> {
    match task {
        AuditTask::Sample(args) => sample::sample(source, args, json).await,
        AuditTask::Check(args) => sample::check(source, &args.audit).await,
        AuditTask::Project(args) => project(source, args, json).await,
        AuditTask::Journal(args) => ask_journal(source, args, json).await,
        AuditTask::Pack(args) => pack::pack(source, args).await,
        AuditTask::Export(args) => export::write(source, args).await,
    }
}

async fn project(source: &Source, args: &ProjectArgs, json: bool) -> Result<(), Failure> {
    let reader = source.follow().await?.reader();
    let mut report = args.question.ask(&reader, "audit").await?;
    report.tables.retain(|table| PROJECTED.contains(&table.key));
    let mut out = Out::stdout();
    print_view(&mut out, &report, json)?;
    out.finish()
}

async fn ask_journal(source: &Source, args: &JournalArgs, json: bool) -> Result<(), Failure> {
    let mut journal = Journal::default();
    let asked = args.question.moment();
    let moment = fold(source, asked, |commit, event| journal.apply(commit, event)).await?;
    let mut report = journal.asked(args.tests.tests(), &args.question.about(moment));
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
