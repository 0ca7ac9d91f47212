//! `tranche do COMMAND`: one sub-command for each command that is declared in the rules.

use super::document::DocumentsArgs;
use super::envelope::EnvelopeArgs;
use super::failure::Failure;
use super::log::CommitLine;
use super::out::Out;
use super::source::{LogPlace, Source};
use super::words::{counted, say};
use super::{catalogue, schema};
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use domain::decide::command::{COMMAND_BYTES_MAX, Declaration, Entry};
use domain::kernel::ids::CommandId;
use domain::process::react::check_outside;
use domain::{Actor, Parsed};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tranche::clock::Clock;
use tranche::desk::Desk;
use tranche::engine::{Receipt, Request, Stored, Written};
use tranche::ids;
use tranche::roles::Roles;
use tranche::vault::{self, Keep, Vault};
use zeroize::Zeroizing;

/// How long to wait for another process that writes the log.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long until it is tried again.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// Holds the arguments of `tranche do`.
pub enum DoArgs {
    /// To list the commands.
    List,
    /// To give this one.
    Give(&'static Entry, Box<Given>),
}

/// Holds what comes with a command.
#[derive(Args, Debug)]
pub struct Given {
    /// Takes this JSON as the payload; - reads it from standard input
    #[arg(value_name = "JSON", conflicts_with = "file")]
    payload: Option<String>,
    /// Reads the payload from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Sets a field of the payload: a path is rows.0.pages, a list is a,b, and @FILE reads a file
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    envelope: EnvelopeArgs,
    #[command(flatten)]
    documents: DocumentsArgs,
}

impl Args for DoArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let list = Arg::new("list").long("list").action(ArgAction::SetTrue);
        let command = command
            .arg(list.help("Lists the commands (with --json all that is declared)"))
            .subcommand_value_name("COMMAND")
            .subcommand_help_heading("Commands")
            .disable_help_subcommand(true);
        command.subcommands(catalogue::entries().map(|entry| {
            let Declaration { name, summary, .. } = *entry.declaration;
            clap::Command::new(name).about(summary).defer(describe)
        }))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Completes one sub-command when it is needed, since there are many and their help is long.
fn describe(command: clap::Command) -> clap::Command {
    let command = Given::augment_args(command);
    let Some(entry) = domain::catalogue::entry(command.get_name()) else { return command };
    command.about(entry.declaration.summary).after_help(catalogue::help(entry))
}

impl FromArgMatches for DoArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Some((name, matches)) = matches.subcommand() else { return Ok(Self::List) };
        let entry = domain::catalogue::entry(name)
            .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))?;
        Ok(Self::Give(entry, Box::new(Given::from_arg_matches(matches)?)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Given {
    /// The payload: from the argument, the file or standard input, with the fields that were set.
    fn read_payload(&self, entry: &Entry) -> Result<Vec<u8>, Failure> {
        let bytes = match (&self.file, self.payload.as_deref()) {
            (Some(path), _) => {
                let file = File::open(path).map_err(|error| Failure::file(path, error))?;
                limited(path, file)?
            }
            (None, Some("-")) => limited(Path::new("standard input"), io::stdin().lock())?,
            (None, Some(json)) => limited(Path::new("the payload"), json.as_bytes())?,
            (None, None) => b"{}".to_vec(),
        };
        if self.set.is_empty() {
            return Ok(bytes);
        }
        let mut payload: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::Usage(format!("the payload is not JSON: {error}")))?;
        let schema = vault::schema(entry);
        for assignment in &self.set {
            schema::set(&mut payload, &schema, assignment)?;
        }
        Ok(payload.to_string().into_bytes())
    }
}

/// Reads one byte more than a payload may have, so that a longer one is refused and not cut.
fn limited(what: &Path, reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    reader
        .take(COMMAND_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(what, error))?;
    if bytes.len() > COMMAND_BYTES_MAX {
        let limit = format!("a command has at most {COMMAND_BYTES_MAX} bytes");
        return Err(Failure::Usage(format!("{} is longer: {limit}", what.display())));
    }
    Ok(bytes)
}

/// Decides the command, and records it with what follows from it.
pub async fn give(
    entry: &'static Entry,
    given: &Given,
    source: &Source,
    clock: &Clock,
    json: bool,
) -> Result<(), Failure> {
    let clear = Zeroizing::new(given.read_payload(entry)?);
    let name = entry.declaration.name;
    let id = given.command_id()?;
    let vault = source.vault()?;
    let keep = if given.envelope.dry_run { Keep::No } else { Keep::Yes };
    // From here on no personal data is in clear.
    let payload = vault::seal(vault.as_ref(), name, &clear, (&id, keep))?;
    let done = match Parsed::read(name, &payload) {
        Ok(parsed) => carry_out((parsed, id), given, (source, vault), clock, json).await,
        Err(refusal) => Err(refusal.into()),
    };
    done.map_err(|failure| failure.of_payload(name, &payload))
}

async fn carry_out(
    (parsed, id): (Parsed, CommandId),
    given: &Given,
    (source, vault): (&Source, Option<Vault>),
    clock: &Clock,
    json: bool,
) -> Result<(), Failure> {
    let actor = given.envelope.actor(parsed.command.declaration())?;
    if given.envelope.dry_run {
        let desk = source.rehearse(clock.clone()).await?;
        let result = given.submit((parsed, id), actor, &desk).await;
        desk.stop().await;
        return show_rehearsal(&result?, json);
    }
    let place = source.required()?;
    if let Some(documents) = given.documents.open().await? {
        documents.keep_rules(&parsed).await?;
    }
    let desk = open_in_turn(&place, clock).await?;
    let result = given.submit((parsed, id), actor, &desk).await;
    let swept = vault.map_or(Ok(0), |vault| vault.sweep(desk.reader().now().world()));
    desk.stop().await;
    let (receipt, stored) = result?;
    let mut out = Out::stdout();
    if json {
        out.json(&as_json(&receipt)?)?;
    } else {
        tell(&receipt, given.envelope.id.is_none());
        if let Some(stored) = stored {
            out.line(format_args!("{}", CommitLine(&stored.commit)))?;
        }
    }
    out.finish()?;
    told_of_keys(swept)
}

/// Shows what would have been recorded.
fn show_rehearsal(
    (receipt, stored): &(Receipt, Option<Stored>),
    json: bool,
) -> Result<(), Failure> {
    if receipt.replayed {
        say(format_args!("{} was recorded before: nothing new", receipt.command_id));
    }
    let Some(Stored { bytes, commit }) = stored else {
        say(format_args!("it is so already: nothing would be recorded"));
        return Ok(());
    };
    let mut out = Out::stdout();
    if json {
        out.bytes(bytes)?;
        out.bytes(b"\n")?;
    } else {
        if !receipt.replayed {
            say(format_args!("nothing is recorded; it would be:"));
        }
        out.line(format_args!("{}", CommitLine(commit)))?;
        for recorded in &commit.events {
            out.json(&recorded.event)?;
        }
    }
    out.finish()
}

/// Says how many keys were destroyed. If one could not be, the next command or start tries again.
pub fn told_of_keys(swept: Result<usize, vault::Error>) -> Result<(), Failure> {
    let destroyed = swept?;
    if destroyed > 0 {
        say(format_args!("{} destroyed", counted(destroyed, "key")));
    }
    Ok(())
}

/// Opens the log to write, when whoever writes it is done soon: commands that are given at once, by
/// scripts or by several people, come one after the other.
async fn open_in_turn(place: &LogPlace, clock: &Clock) -> Result<Desk, Failure> {
    let start = Instant::now();
    let mut is_told = false;
    loop {
        match place.desk(clock.clone(), &Roles::writing()).await {
            Err(Failure::Log(error @ eventlog::Error::Locked { .. }))
                if start.elapsed() < LOCK_WAIT_MAX =>
            {
                if !std::mem::replace(&mut is_told, true) {
                    let seconds = LOCK_WAIT_MAX.as_secs();
                    say(format_args!("{error}; waiting for at most {seconds} s"));
                }
                tokio::time::sleep(LOCK_AGAIN).await;
            }
            opened => return opened,
        }
    }
}

/// A receipt as JSON. Here it names what is absent too, and shows the versions by stream.
fn as_json(receipt: &Receipt) -> Result<Value, Failure> {
    let mut json = serde_json::to_value(receipt)?;
    if let Some(members) = json.as_object_mut() {
        members.remove("dry_run");
        for name in ["commit_id", "position"] {
            members.entry(name).or_insert(Value::Null);
        }
        let version = |written: &Written| (written.stream.to_string(), written.version.into());
        let streams: Map<String, Value> = receipt.streams.iter().map(version).collect();
        members.insert("streams".to_owned(), Value::Object(streams));
    }
    Ok(json)
}

fn tell(receipt: &Receipt, is_fresh: bool) {
    if receipt.replayed {
        say(format_args!("{} was recorded before: nothing new", receipt.command_id));
    } else if receipt.position.is_none() {
        say(format_args!("it is so already: nothing recorded"));
    } else if is_fresh {
        say(format_args!("command id {}", receipt.command_id));
    }
}

impl Given {
    async fn submit(
        &self,
        (parsed, command_id): (Parsed, CommandId),
        actor: Actor,
        desk: &Desk,
    ) -> Result<(Receipt, Option<Stored>), Failure> {
        check_outside(&actor, &command_id)?;
        desk.ready().await;
        let shown = desk.reader().now();
        let envelope = self.envelope.read((actor, command_id), shown.world())?;
        let request = Request { parsed, envelope, received_at: None };
        let receipt = desk.submit(request).await?;
        // What follows from it is recorded before the program ends.
        desk.settle().await?;
        let stored = match receipt.position {
            Some(position) => desk.reader().read_commit(position).await?,
            None => None,
        };
        Ok((receipt, stored))
    }

    fn command_id(&self) -> Result<CommandId, Failure> {
        match &self.envelope.id {
            Some(id) => Ok(id.clone()),
            None => ids::command_id().map_err(|error| Failure::Usage(error.to_string())),
        }
    }
}
