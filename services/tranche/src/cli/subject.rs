//! `tranche subject`: what is kept about a person: the facts, an export for who asks, and whether every
//! sealed value is as it should be. Clear text is shown only after its opening has been recorded.

use super::act::told_of_keys;
use super::failure::Failure;
use super::out::Out;
use super::source::{Source, clock as clock_at, each_entry};
use super::words::{counted, word};
use clap::{Args, Subcommand};
use domain::facts::personal;
use domain::facts::personal::{Facts, Processing, REGISTER};
use domain::kernel::ids::{ActorId, CommandId, IdError, OpeningKey, StreamId, SubjectId};
use domain::kernel::sealed::{Purpose, Sealed};
use domain::process::react::check_outside;
use domain::{Actor, Commit, Parsed, Role, World};
use jiff::Timestamp;
use serde_json::{Value, json};
use tranche::engine::{Request, decode};
use tranche::roles::Roles;
use tranche::vault::{self, Vault};

/// Holds the arguments of `tranche subject`.
#[derive(Subcommand)]
pub enum SubjectTask {
    /// Prints a new id for a person, which tells nothing about them
    Id,
    /// Prints the register of processing: which values are kept, why, how long, for whom
    Processing,
    /// Shows what is kept about a person, until when, and what was erased
    Show {
        /// Shows this person, by the opaque id
        subject: SubjectId,
    },
    /// Writes all that is recorded about a person; sealed values need an approved opening
    Export(ExportArgs),
    /// Checks each sealed value against its key, and that the keys of erased values are gone
    Check,
    /// Destroys the keys of erased values; a server with --keys does so by itself
    Sweep,
}

/// Whose data, and by which opening.
#[derive(Args)]
pub struct ExportArgs {
    /// Takes this person, by the opaque id
    subject: SubjectId,
    /// Uses this opening, which another person approved, and records that it was used
    #[arg(long, value_name = "KEY", requires = "actor")]
    opening: Option<OpeningKey>,
    /// Opens as this person, who asked for the opening
    #[arg(long, value_name = "ID", env = "TRANCHE_ACTOR", hide_env_values = true)]
    actor: Option<ActorId>,
    /// Acts in this role
    #[arg(long, value_parser = word::<Role>, default_value = "auditor")]
    role: Role,
    /// Sets the idempotency key: with the same id, an export that was not seen is given again
    #[arg(long, value_name = "ID")]
    id: Option<CommandId>,
}

/// Does it.
pub async fn subject(
    source: &Source,
    task: &SubjectTask,
    clock: Option<Timestamp>,
    json: bool,
) -> Result<(), Failure> {
    match task {
        SubjectTask::Id => {
            let mut out = Out::stdout();
            out.line(format_args!("{}", vault::opaque_id()?))?;
            out.finish()
        }
        SubjectTask::Processing => processing(json),
        SubjectTask::Show { subject } => show(source, subject, json).await,
        SubjectTask::Export(args) => export(source, args, clock).await,
        SubjectTask::Check => check(source, json).await,
        SubjectTask::Sweep => {
            let world = source.follow().await?.reader().now();
            told_of_keys(keys(source)?.sweep(world.world()))
        }
    }
}

fn keys(source: &Source) -> Result<Vault, Failure> {
    let missing = || Failure::Usage("which keys? --keys DIR (see --help)".to_owned());
    source.vault()?.ok_or_else(missing)
}

fn processing(json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    for line in REGISTER {
        if json {
            out.json(line)?;
        } else {
            let Processing { event, field, purpose, basis, recipients, .. } = line;
            let kept = serde_json::to_value(line.kept)?;
            let kept = kept.as_str().unwrap_or_default().replace('_', " ");
            out.line(format_args!("{event}{field}  {purpose}, kept {kept}"))?;
            out.line(format_args!("  {basis}"))?;
            out.line(format_args!("  seen by {recipients}"))?;
        }
    }
    out.finish()
}

fn facts(world: &World, subject: &SubjectId) -> Result<Facts, Failure> {
    let missing = || Failure::NotFound(format!("{subject} is not registered"));
    Facts::of(world, subject).ok_or_else(missing)
}

async fn show(source: &Source, subject: &SubjectId, json: bool) -> Result<(), Failure> {
    let shown = source.follow().await?.reader().now();
    let facts = facts(shown.world(), subject)?;
    let mut out = Out::stdout();
    if json {
        out.json(&facts)?;
    } else {
        out.bytes(facts.to_string().as_bytes())?;
    }
    out.finish()
}

/// Records that the opening is used, and gives the purposes that it is for.
async fn open(
    source: &Source,
    (args, opening, actor): (&ExportArgs, &OpeningKey, &ActorId),
    clock: Option<Timestamp>,
) -> Result<Vec<Purpose>, Failure> {
    let payload = json!({ "subject": args.subject, "opening": opening });
    let parsed = Parsed::read("subject.open", payload.to_string().as_bytes())?;
    let actor = Actor { id: actor.clone(), on_behalf_of: None, role: args.role };
    let usual = || {
        let id = format!("opening/{}/{opening}", args.subject).replace([' ', '+'], "_");
        id.parse().map_err(|error: IdError| Failure::Usage(error.to_string()))
    };
    let id = args.id.clone().map_or_else(usual, Ok)?;
    check_outside(&actor, &id)?;
    let desk = source.required()?.desk(clock_at(clock), &Roles::writing()).await?;
    desk.ready().await;
    let done = desk.submit(Request::new(parsed, actor, id)).await;
    let purposes = personal::opened(desk.reader().now().world(), &args.subject, opening);
    desk.stop().await;
    done?;
    Ok(purposes)
}

async fn export(
    source: &Source,
    args: &ExportArgs,
    clock: Option<Timestamp>,
) -> Result<(), Failure> {
    let (vault, purposes) = match (&args.opening, &args.actor) {
        (Some(opening), Some(actor)) => {
            let vault = keys(source)?;
            let purposes = open(source, (args, opening, actor), clock).await?;
            (Some(vault), purposes)
        }
        _ => (None, Vec::new()),
    };
    let log = source.open_to_read().await?;
    let shown = source.follow().await?.reader().now();
    let mut out = Out::stdout();
    out.json(&facts(shown.world(), &args.subject)?)?;
    let person = args.subject.as_str().parse();
    let person: ActorId = person.map_err(|error: IdError| Failure::Usage(error.to_string()))?;
    let opener = Opener { world: shown.world(), vault: vault.as_ref(), purposes };
    each_entry(&*log, 1, shown.position(), |position, entry| {
        let commit = decode(position, entry)?;
        for line in opener.about(&commit, &person)? {
            out.json(&line)?;
        }
        Ok(())
    })
    .await?;
    out.finish()
}

/// Shows sealed values as what they are.
struct Opener<'a> {
    world: &'a World,
    vault: Option<&'a Vault>,
    purposes: Vec<Purpose>,
}

impl Opener<'_> {
    /// The events of a commit that are about a person, or that they caused.
    fn about(&self, commit: &Commit, person: &ActorId) -> Result<Vec<Value>, Failure> {
        let sealed = personal::sealed_in(commit);
        let mut found = Vec::new();
        for recorded in &commit.events {
            if !personal::concerns(commit, recorded, person) {
                continue;
            }
            let mut event = serde_json::to_value(&recorded.event)?;
            let here = sealed.iter().filter(|(stream, line, _)| {
                *stream == recorded.stream && line.event == recorded.event.kind()
            });
            for (stream, line, sealed) in here {
                if let Some(value) = event["data"].pointer_mut(line.field) {
                    *value = self.shown(stream, line, sealed)?;
                }
            }
            found.push(json!({
                "actor": commit.actor, "data": event["data"], "effective_at": recorded.effective_at,
                "position": commit.position, "recorded_at": commit.recorded_at,
                "stream": recorded.stream, "type": recorded.event.kind(),
            }));
        }
        Ok(found)
    }

    fn shown(
        &self,
        stream: &StreamId,
        line: &Processing,
        sealed: &Sealed,
    ) -> Result<Value, Failure> {
        if personal::is_dead(self.world, &sealed.person, &sealed.commitment) {
            return Ok(json!({ "erased_lawfully": sealed.purpose }));
        }
        let vault = self.vault.filter(|_| self.purposes.contains(&sealed.purpose));
        let clear = vault.map(|vault| vault.open_value(sealed, stream, line)).transpose()?;
        Ok(match clear.flatten() {
            Some(clear) => json!({ "clear": *clear }),
            None => json!({ "sealed": sealed.purpose }),
        })
    }
}

/// Every sealed value of the log, and what is wrong with any.
async fn check(source: &Source, json: bool) -> Result<(), Failure> {
    let vault = keys(source)?;
    let log = source.open_to_read().await?;
    let shown = source.follow().await?.reader().now();
    let (mut opened, mut erased, mut findings) = (0_usize, 0_usize, Vec::new());
    each_entry(&*log, 1, shown.position(), |position, entry| {
        for (stream, line, sealed) in personal::sealed_in(&decode(position, entry)?) {
            let place = format!("position {position}: {stream} {}{}", line.event, line.field);
            let is_dead = personal::is_dead(shown.world(), &sealed.person, &sealed.commitment);
            match (is_dead, vault.open_value(&sealed, &stream, line)) {
                (true, Ok(None)) => erased += 1,
                (true, _) => findings.push(format!("{place}: erased, and its key is still here")),
                (false, Ok(Some(_))) => opened += 1,
                (false, Ok(None)) => findings.push(format!("{place}: its key is not here")),
                (false, Err(error)) => findings.push(format!("{place}: {error}")),
            }
        }
        Ok(())
    })
    .await?;
    let mut out = Out::stdout();
    if json {
        out.json(&json!({ "erased": erased, "findings": findings, "sealed": opened }))?;
    } else {
        findings.iter().try_for_each(|finding| out.line(format_args!("{finding}")))?;
        let sealed = counted(opened, "sealed value");
        out.line(format_args!("{sealed} open with their keys, {erased} erased lawfully"))?;
    }
    out.finish()?;
    match findings.len() {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}
