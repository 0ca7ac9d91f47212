//! `tranche do COMMAND`: one sub-command for each command that is declared in the rules.

use super::catalogue;
use super::document::DocumentsArgs;
use super::failure::Failure;
use super::log::Line;
use super::out::{Out, counted, say};
use super::schema;
use super::source::{Place, Source};
use super::times::instant_in;
use super::words::word;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use domain::decide::command::{COMMAND_BYTES_MAX, Declaration, Entry};
use domain::facts::commit::CommitId;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{ActorId, CommandId, IdError, StreamId};
use domain::kernel::refusal::Common;
use domain::kernel::time::to_microsecond;
use domain::process::react::check_outside;
use domain::{Actor, Commit, Evidence, Meta, Parsed, Refusal, Role, World};
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tranche::clock::Clock;
use tranche::engine::Request;
use tranche::gateway::Gateway;
use tranche::moment::{Place as Zone, When};
use tranche::roles::Roles;
use tranche::vault::{self, Keep, Vault};
use zeroize::Zeroizing;

/// How long to wait for another process that writes the log.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long until it is tried again.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// What `tranche do` is told.
pub enum DoArgs {
    /// To list the commands.
    List,
    /// To give this one.
    Give(&'static Entry, Box<Given>),
}

/// What comes with a command.
#[derive(Args, Debug)]
pub struct Given {
    /// The payload as JSON; - reads it from standard input
    #[arg(value_name = "JSON", conflicts_with = "file")]
    payload: Option<String>,
    /// Reads the payload from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Sets a field, after the payload has been read; a path as rows.0.pages, a list as a,b, @FILE for JSON or rules
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Who acts: an opaque id, never a name
    #[arg(long, value_name = "ID", env = "TRANCHE_ACTOR", hide_env_values = true)]
    actor: ActorId,
    /// The role it acts in; may be left out when only one role may
    #[arg(long, env = "TRANCHE_ROLE", hide_env_values = true, value_parser = word::<Role>)]
    role: Option<Role>,
    /// For whom, when it acts as a stand-in
    #[arg(long, value_name = "ID")]
    on_behalf_of: Option<ActorId>,
    /// Names this wish for ever, so that it can be sent again; a fresh UUID when absent
    #[arg(long, value_name = "ID")]
    id: Option<CommandId>,
    /// The conversation it belongs to
    #[arg(long, value_name = "ID")]
    correlation: Option<CommandId>,
    /// The commit or command that led to it
    #[arg(long, value_name = "ID")]
    causation: Option<CommandId>,
    /// Refuses when the subject is at another version
    #[arg(long, value_name = "N")]
    expect_version: Option<u64>,
    /// When it was true, if that was earlier than now
    #[arg(long, value_name = "TIME")]
    effective_at: Option<When>,
    /// Where the fact comes from: the key of a source
    #[arg(long, value_name = "KEY")]
    source: Option<String>,
    /// How sure the source is
    #[arg(long, requires = "source", value_parser = word::<Confidence>, default_value = "published")]
    confidence: Confidence,
    /// What else there is to say about the source
    #[arg(long, requires = "source", value_name = "TEXT")]
    note: Option<String>,
    /// Decides and shows the events, but records nothing
    #[arg(long)]
    dry_run: bool,
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

    fn actor(&self, declaration: &Declaration) -> Result<Actor, Failure> {
        let role = match (self.role, declaration.roles) {
            (Some(role), _) => role,
            (None, [role]) => *role,
            (None, roles) => {
                let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
                let name = declaration.name;
                let roles = roles.join(" or ");
                return Err(Failure::Usage(format!("{name} needs --role: {roles}")));
            }
        };
        Ok(Actor { id: self.actor.clone(), on_behalf_of: self.on_behalf_of.clone(), role })
    }

    fn evidence(&self) -> Option<Evidence> {
        let source = self.source.clone()?;
        Some(Evidence { confidence: self.confidence, note: self.note.clone(), source })
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
    let id = given.command_id(clock.now())?;
    let vault = source.vault()?;
    let keep = if given.dry_run { Keep::No } else { Keep::Yes };
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
    let declaration = parsed.command.declaration();
    let place = source.required()?;
    if given.dry_run {
        let shown = source.follow().await?.reader().now();
        let decided = given.rehearse((&parsed, id), shown.world(), clock.now())?;
        return show_rehearsal(decided, json);
    }
    let actor = given.actor(declaration)?;
    if let Some(documents) = given.documents.open().await? {
        documents.keep_rules(&parsed).await?;
    }
    let gateway = open_in_turn(&place, clock).await?;
    let result = given.submit((parsed, id), actor, &gateway).await;
    let swept = vault.map_or(Ok(0), |vault| vault.sweep(gateway.reader().now().world()));
    gateway.stop().await;
    let (recorded, commit) = result?;
    let mut out = Out::stdout();
    if json {
        out.json(&recorded)?;
    } else {
        recorded.tell(given.id.is_none());
        if let Some(commit) = commit {
            out.line(format_args!("{}", Line(&commit)))?;
        }
    }
    out.finish()?;
    told_of_keys(swept)
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
async fn open_in_turn(place: &Place, clock: &Clock) -> Result<Gateway, Failure> {
    let start = Instant::now();
    let mut is_told = false;
    loop {
        match place.gateway(clock.clone(), &Roles::writing()).await {
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

/// What became of a command, as JSON.
#[derive(Serialize)]
struct Recorded {
    command_id: CommandId,
    commit_id: Option<CommitId>,
    events: Vec<Cow<'static, str>>,
    position: Option<u64>,
    recorded_at: Timestamp,
    replayed: bool,
    streams: BTreeMap<StreamId, u64>,
}

impl Recorded {
    fn tell(&self, is_fresh: bool) {
        if self.replayed {
            say(format_args!("{} was recorded before: nothing new", self.command_id));
        } else if self.position.is_none() {
            say(format_args!("it is so already: nothing recorded"));
        } else if is_fresh {
            say(format_args!("command id {}", self.command_id));
        }
    }
}

impl Given {
    async fn submit(
        &self,
        (parsed, command_id): (Parsed, CommandId),
        actor: Actor,
        gateway: &Gateway,
    ) -> Result<(Recorded, Option<Arc<Commit>>), Failure> {
        check_outside(&actor, &command_id)?;
        gateway.ready().await;
        let request = Request {
            correlation_id: self.correlation.clone(),
            causation_id: self.causation.clone(),
            effective_at: self.effective_at(gateway.reader().now().world())?,
            evidence: self.evidence(),
            expected_version: self.expect_version,
            ..Request::new(parsed, actor, command_id.clone())
        };
        let receipt = gateway.submit(request).await?;
        // What follows from it is recorded before the program ends.
        gateway.settle().await?;
        let stored = match receipt.position {
            Some(position) => gateway.reader().read_commit(position).await?,
            None => None,
        };
        let recorded = Recorded {
            command_id,
            commit_id: receipt.commit_id,
            events: receipt.events,
            position: receipt.position,
            recorded_at: receipt.recorded_at,
            replayed: receipt.replayed,
            streams: receipt.streams.into_iter().collect(),
        };
        Ok((recorded, stored.map(|stored| stored.commit)))
    }

    /// Decides on the state as it is, beside any writer: what would be recorded.
    fn rehearse(
        &self,
        (parsed, command_id): (&Parsed, CommandId),
        world: &World,
        now: Timestamp,
    ) -> Result<Option<(Commit, Vec<u8>)>, Failure> {
        let declaration = parsed.command.declaration();
        let subject = parsed.command.subject();
        let actual = world.version(&subject);
        if let Some(expected) = self.expect_version.filter(|expected| *expected != actual) {
            let stream = subject.to_string();
            return Err(Refusal::from(Common::WrongVersion { stream, expected, actual }).into());
        }
        let now = to_microsecond(now).max(world.recorded_at + 1.microsecond());
        let meta = Meta {
            actor: self.actor(declaration)?,
            command_id,
            correlation_id: self.correlation.clone(),
            causation_id: self.causation.clone(),
            received_at: now,
            recorded_at: now,
            effective_at: self.effective_at(world)?,
            evidence: self.evidence(),
        };
        check_outside(&meta.actor, &meta.command_id)?;
        Ok(world.commit(parsed, &meta)?)
    }

    fn command_id(&self, now: Timestamp) -> Result<CommandId, Failure> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => fresh_id(now),
        }
    }

    fn effective_at(&self, world: &World) -> Result<Option<Timestamp>, Failure> {
        instant_in("--effective-at", self.effective_at, &Zone::Calls.zones(world)?)
    }
}

fn show_rehearsal(decided: Option<(Commit, Vec<u8>)>, json: bool) -> Result<(), Failure> {
    let Some((commit, bytes)) = decided else {
        say(format_args!("it is so already: nothing would be recorded"));
        return Ok(());
    };
    let mut out = Out::stdout();
    if json {
        out.bytes(&bytes)?;
        out.bytes(b"\n")?;
    } else {
        say(format_args!("nothing is recorded; it would be:"));
        out.line(format_args!("{}", Line(&commit)))?;
        for recorded in &commit.events {
            out.json(&recorded.event)?;
        }
    }
    out.finish()
}

/// A UUIDv7. It names a wish and keeps no secret, so the random keys of a hash map will do.
fn fresh_id(now: Timestamp) -> Result<CommandId, Failure> {
    let random = || RandomState::new().build_hasher().finish().to_be_bytes();
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random());
    bytes[8..].copy_from_slice(&random()[..2]);
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid();
    id.to_string().parse().map_err(|error: IdError| Failure::Usage(error.to_string()))
}
