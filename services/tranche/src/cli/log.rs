//! `tranche log`: what is in the log, as lines for people or byte for byte.

mod copy;

use super::failure::Failure;
use super::out::Out;
use super::source::Source;
use super::words::word;
use clap::{Args, Subcommand};
use domain::kernel::ids::{ActorId, CallId, GrantId, StreamId, StreamKey};
use domain::{Commit, Role};
use eventlog::{Group, Position, READ_BYTES, tail};
use projections::search::{Search, Searching};
use std::fmt;
use tranche::engine::decode;
use tranche::moment::When;

/// Holds the arguments of `tranche log`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LogArgs {
    #[command(subcommand)]
    task: Option<LogTask>,
    /// Begins at this position
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: Position,
    /// Shows at most this many commits
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Goes on with new commits until it is interrupted
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Which commits are looked for.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Only some commits")]
struct Filter {
    /// Shows commits of this person, or of someone on their behalf
    #[arg(long, value_name = "ID")]
    actor: Option<ActorId>,
    /// Shows commits that were made in this role
    #[arg(long, value_parser = word::<Role>)]
    role: Option<Role>,
    /// Shows commits of this command, such as fund.commit_globally
    #[arg(long, value_name = "NAME", value_parser = command)]
    command: Option<String>,
    /// Shows commits with an event on this stream, such as fund-AI
    #[arg(long, value_name = "ID")]
    stream: Option<StreamId>,
    /// Shows commits with an event on a stream of this category, such as grant
    #[arg(long, value_name = "NAME", value_parser = category)]
    category: Option<String>,
    /// Shows commits with an event of this type, such as fund.Paid
    #[arg(long = "type", value_name = "NAME", value_parser = kind)]
    kind: Option<String>,
    /// Shows what was recorded at this time or later; a date counts from its beginning
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Shows what was recorded at this time or earlier; a date counts to its end
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Shows commits with an event that was true at this time or later
    #[arg(long, value_name = "TIME")]
    true_since: Option<When>,
    /// Shows commits with an event that was true at this time or earlier
    #[arg(long, value_name = "TIME")]
    true_until: Option<When>,
    /// Shows commits about this call, and about what belongs to it
    #[arg(long, value_name = "ID", conflicts_with = "grant")]
    call: Option<CallId>,
    /// Shows commits about this grant
    #[arg(long, value_name = "ID")]
    grant: Option<GrantId>,
    /// Reads dates and times in this zone, by its IANA name
    #[arg(long, value_name = "NAME", default_value = "Europe/Luxembourg")]
    zone: Option<String>,
}

fn one_of(text: &str, what: &str, is_known: impl Fn(&str) -> bool) -> Result<String, String> {
    if is_known(text) { Ok(text.to_owned()) } else { Err(format!("there is no such {what}")) }
}

fn command(text: &str) -> Result<String, String> {
    one_of(text, "command", |name| domain::catalogue::entry(name).is_some())
}

fn category(text: &str) -> Result<String, String> {
    one_of(text, "category", |name| domain::facts::event::CATEGORIES.contains(&name))
}

fn kind(text: &str) -> Result<String, String> {
    one_of(text, "type of event", domain::facts::schemas::is_known)
}

impl Filter {
    fn search(&self) -> Result<Search, Failure> {
        let zones: Vec<String> = self.zone.iter().cloned().collect();
        for zone in &zones {
            domain::kernel::time::zone(zone)
                .map_err(|error| Failure::Usage(format!("--zone: {error}")))?;
        }
        let begins = |flag: &'static str, when: Option<When>| {
            let instant = when.map(|when| when.beginning_in(&zones)).transpose();
            instant.map_err(|error| Failure::Usage(format!("{flag} {error}")))
        };
        let ends = |flag: &'static str, when: Option<When>| {
            let instant = when.map(|when| when.instant_in(&zones)).transpose();
            instant.map_err(|error| Failure::Usage(format!("{flag} {error}")))
        };
        let scope = self.call.as_ref().map(StreamKey::stream);
        Ok(Search {
            actor: self.actor.clone(),
            role: self.role,
            command: self.command.clone(),
            recorded: (begins("--since", self.since)?, ends("--until", self.until)?),
            stream: self.stream.clone(),
            category: self.category.clone(),
            kind: self.kind.clone(),
            effective: (
                begins("--true-since", self.true_since)?,
                ends("--true-until", self.true_until)?,
            ),
            scope: scope.or_else(|| self.grant.as_ref().map(StreamKey::stream)),
        })
    }
}

/// What else can be done with a log.
#[derive(Subcommand, Debug)]
enum LogTask {
    /// Copies a log into another one byte for byte, and continues an earlier copy
    #[command(after_help = COPY_HELP)]
    Copy(copy::CopyArgs),
}

const COPY_HELP: &str = "\
Copies up to the head that the source has at the start, group by group; a group that is too
large for the target is split. The target must be empty or hold the beginning of the source;
otherwise nothing is changed, and the exit code is 3. If a copy was interrupted, the same call
continues it.

At the end it reads the target back from position 1 and prints both digests: SHA-256 over each
entry and a line feed, which is also `sha256sum` of what `tranche export` writes. If they
differ, it names the first position that differs; the exit code is 5. It compares bytes, not
what they mean; `tranche verify` does that.

Example, a back-up while the service runs, and back into a new stream:
  tranche log copy nats://one,two,three/tranche sqlite:backup
  tranche log copy sqlite:backup nats://one,two,three/restored";

/// Shows the commits: a line each, or with `--json` the stored bytes.
pub async fn log(source: &Source, args: &LogArgs, json: bool) -> Result<(), Failure> {
    if let Some(LogTask::Copy(args)) = &args.task {
        return copy::copy(source, args, json).await;
    }
    let mut wanted = Wanted {
        searching: args.filter.search()?.begin(),
        from: args.from.max(1),
        left: args.limit.unwrap_or(u64::MAX),
        json,
        is_over: false,
    };
    let log = source.open_to_read().await?;
    let mut out = Out::stdout();
    if wanted.left == 0 {
        return Ok(());
    }
    let (head, from) = (log.head().await?, wanted.from);
    // The position behind the last one is what a reader who has all asks for.
    if from > head + 1 {
        return Err(Failure::NotFound(format!("position {from}: the log ends at {head}")));
    }
    let mut next = wanted.first();
    while !args.follow && next <= head && !wanted.is_done() {
        let groups = log.read(next, READ_BYTES).await?;
        let Some(group) = groups.last() else { break };
        next = group.last() + 1;
        for (position, entry) in groups.iter().flat_map(Group::iter) {
            if position <= head {
                wanted.take(&mut out, position, entry)?;
            }
        }
    }
    if !args.follow {
        wanted.check_names()?;
        return out.finish();
    }
    let mut tail = tail(log, next);
    while !wanted.is_done() {
        let group = tail.next_group().await?;
        for (position, entry) in group.iter() {
            wanted.take(&mut out, position, entry)?;
        }
        out.flush()?;
    }
    out.finish()
}

/// What is still to be shown.
struct Wanted {
    searching: Searching,
    from: Position,
    left: u64,
    json: bool,
    /// Whether the rest was not looked at, since it is too late.
    is_over: bool,
}

impl Wanted {
    /// Nothing about what is not there is no answer. Only who has looked at everything knows.
    fn check_names(&self) -> Result<(), Failure> {
        let has_all = self.first() == 1 && !self.is_over && !self.is_done();
        match self.searching.unseen().filter(|_| has_all) {
            Some(stream) => Err(Failure::NotFound(format!("there is no {stream} in the log"))),
            None => Ok(()),
        }
    }

    /// Where to begin to read.
    fn first(&self) -> Position {
        if self.searching.search().needs_all() { 1 } else { self.from }
    }

    fn is_done(&self) -> bool {
        self.left == 0 || self.is_over
    }

    fn take(&mut self, out: &mut Out, position: Position, entry: &[u8]) -> Result<(), Failure> {
        if self.is_done() {
            return Ok(());
        }
        // Stored bytes are shown as they are, also those that this program cannot read.
        let is_any = self.searching.search().is_any();
        let commit = if is_any && self.json { None } else { Some(decode(position, entry)?) };
        if let Some(commit) = &commit {
            if self.searching.search().is_over(commit) {
                self.is_over = true;
                return Ok(());
            }
            if !is_any && !self.searching.takes(commit) {
                return Ok(());
            }
        }
        if position < self.from {
            return Ok(());
        }
        self.left -= 1;
        match commit.filter(|_| !self.json) {
            Some(commit) => out.line(format_args!("{}", CommitLine(&commit))),
            None => {
                out.bytes(entry)?;
                out.bytes(b"\n")
            }
        }
    }
}

/// A commit on one line: where, when, who, what for, what happened.
pub struct CommitLine<'a>(pub &'a Commit);

impl fmt::Display for CommitLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Commit { position, recorded_at, actor, command, events, .. } = self.0;
        write!(f, "{position:>6}  {recorded_at}  {} ({})  {command}", actor.id, actor.role)?;
        for event in events {
            write!(f, "  {}@{} {}", event.stream, event.version, event.event.kind())?;
        }
        Ok(())
    }
}
