//! `tranche log`: what is in the log, as lines for people or byte for byte.

mod copy;

use super::failure::Failure;
use super::out::Out;
use super::source::{Source, decode, each_entry};
use clap::{Args, Subcommand};
use domain::Commit;
use eventlog::{Position, tail};
use std::fmt;

/// What `tranche log` is told.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LogArgs {
    #[command(subcommand)]
    task: Option<LogTask>,
    /// The first position
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: Position,
    /// At most so many commits
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on with what is recorded from now on, until interrupted
    #[arg(long, short)]
    follow: bool,
}

/// What else can be done with a log.
#[derive(Subcommand, Debug)]
enum LogTask {
    /// Copies a log into another one, byte for byte, and goes on where an earlier copy ended
    #[command(after_help = COPY_HELP)]
    Copy(copy::CopyArgs),
}

const COPY_HELP: &str = "\
The source is copied up to the head that it has at the start, group for group; only a group that is \
too large for the target comes in parts. The target must be empty or hold the beginning of the \
source: otherwise nothing is changed, exit code 3. Killed at any time, the same call goes on.

Afterwards the target is read back from position 1. Both digests are printed: SHA-256 over every \
entry, each followed by a line feed, which is also `sha256sum` of what `tranche export` writes. If \
they differ, the first position that does is named, exit code 5. Bytes are compared, not what they \
mean: that is what `tranche verify` is for.

Example, a back-up while the service runs, and back into a new stream:
  tranche log copy nats://one,two,three/tranche sqlite:backup
  tranche log copy sqlite:backup nats://one,two,three/restored";

/// Shows the commits: a line each, or with `--json` the stored bytes.
pub async fn log(source: &Source, args: &LogArgs, json: bool) -> Result<(), Failure> {
    if let Some(LogTask::Copy(args)) = &args.task {
        return copy::copy(source, args, json).await;
    }
    let log = source.open_to_read().await?;
    let mut out = Out::stdout();
    let from = args.from.max(1);
    let last = args.limit.map_or(Position::MAX, |limit| from.saturating_add(limit) - 1);
    if last < from {
        return Ok(());
    }
    let head = log.head().await?;
    // The position behind the last one is what a reader who has all asks for.
    if from > head + 1 {
        return Err(Failure::NotFound(format!("position {from}: the log ends at {head}")));
    }
    if !args.follow {
        let to = head.min(last);
        each_entry(&*log, from, to, |position, entry| show(&mut out, position, entry, json))
            .await?;
        return out.finish();
    }
    let mut tail = tail(log, from);
    loop {
        let group = tail.next_group().await?;
        for (position, entry) in group.iter().take_while(|(position, _)| *position <= last) {
            show(&mut out, position, entry, json)?;
        }
        out.flush()?;
        if group.last() >= last {
            return out.finish();
        }
    }
}

fn show(out: &mut Out, position: Position, entry: &[u8], json: bool) -> Result<(), Failure> {
    if json {
        out.bytes(entry)?;
        out.bytes(b"\n")
    } else {
        out.line(format_args!("{}", Line(&decode(position, entry)?)))
    }
}

/// A commit on one line: where, when, who, what for, what happened.
pub struct Line<'a>(pub &'a Commit);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Commit { position, recorded_at, actor, command, events, .. } = self.0;
        write!(f, "{position:>6}  {recorded_at}  {} ({})  {command}", actor.id, actor.role)?;
        for event in events {
            write!(f, "  {}@{} {}", event.stream, event.version, event.event.kind())?;
        }
        Ok(())
    }
}
