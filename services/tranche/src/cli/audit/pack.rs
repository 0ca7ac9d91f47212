//! `tranche audit pack`: an archive for a stranger, who checks it offline (`tranche::pack`, ADR/0024).

mod contents;
mod readme;

use crate::cli::document::DocumentsArgs;
use crate::cli::failure::Failure;
use crate::cli::out::{Out, counted, say};
use crate::cli::proof::TreeArgs;
use crate::cli::show::Question;
use crate::cli::source::{Source, decode, each_entry};
use crate::cli::times::instant_in;
use clap::Args;
use contents::Contents;
use domain::Event;
use domain::checkpoint::{Event as Signed, this_log};
use domain::ids::StreamKey;
use eventlog::Position;
use eventlog::tlog::note::{Algorithm, Note, Verifier};
use eventlog::tlog::{Checkpoint, Tree};
use jiff::Timestamp;
use projections::AsOf;
use projections::audit::extent::{Extent, Links, NoExtent, Scope};
use std::path::PathBuf;
use std::str::FromStr;
use tranche::engine::Reader;
use tranche::moment::{Place, When};
use tranche::pack::Archive;
use tranche::pack::figures::People;
use tranche::proof::Prover;

pub const PACK_HELP: &str = "\
Scopes: all, call:ID, round:CALL/ROUND, grant:ID, period:FROM..TO (what was recorded or true in it; dates are \
whole days). Of all the archive has every commit and the tree; of the others their commits, a proof for each.

Everything is told as of the moment; without one, as of the newest signed checkpoint. The first recorded \
checkpoint that covers it is taken, so the same question gives the same bytes, also when the log has grown. \
There must be one: tranche proof record.

Examples:
  tranche audit pack --scope round:EUROHPC-2024-CEI-AI/R1 --key key --to r1.tar --data log
  tranche audit pack --scope period:2025-01-01..2025-12-31 --as-of 2025-12-31 --key key --to 2025.tar --data log";

/// What `tranche audit pack` is told.
#[derive(Args)]
#[command(after_help = PACK_HELP)]
pub struct PackArgs {
    /// What it is of: all, call:ID, round:CALL/ROUND, grant:ID or period:FROM..TO
    #[arg(long)]
    scope: Asked,
    /// Only what was true by then: a date (the end of that day), a time, or an instant
    #[arg(long, value_name = "TIME")]
    as_of: Option<When>,
    /// Only what had been recorded by then
    #[arg(long, value_name = "TIME", conflicts_with = "at_position")]
    known_at: Option<When>,
    /// Only what was recorded up to this position
    #[arg(long, value_name = "N")]
    at_position: Option<u64>,
    /// The zone in which dates and times are meant, by IANA name
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    #[command(flatten)]
    tree: TreeArgs,
    /// The new archive
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Documents that the commits name are taken along when the store is named
    #[command(flatten)]
    documents: DocumentsArgs,
    /// The certificate of the authority that has stamped the checkpoint, PEM, to be taken along
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// People by their ids in the tables, too; by names that are good for this pack only when absent
    #[arg(long)]
    with_ids: bool,
}

/// A scope whose dates still need a zone.
#[derive(Clone, Debug)]
enum Asked {
    Known(Scope),
    Period(When, When),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "all, call:ID, round:CALL/ROUND, grant:ID or period:FROM..TO";
        let wrong = |error: &dyn std::fmt::Display| format!("{error}; expected {FORMS}");
        let id = |error: domain::ids::IdError| wrong(&error);
        let (kind, of) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self::Known(match kind {
            "all" if text == "all" => Scope::All,
            "call" => Scope::Call(of.parse().map_err(id)?),
            "grant" => Scope::Grant(of.parse().map_err(id)?),
            "round" => {
                let (call, round) =
                    of.split_once('/').ok_or_else(|| wrong(&"a round is CALL/ROUND"))?;
                Scope::Round(call.parse().map_err(id)?, round.parse().map_err(id)?)
            }
            "period" => {
                let (from, to) =
                    of.split_once("..").ok_or_else(|| wrong(&"a period is FROM..TO"))?;
                let time = |text: &str| text.parse::<When>().map_err(|error| wrong(&error));
                return Ok(Self::Period(time(from)?, time(to)?));
            }
            _ => return Err(format!("expected {FORMS}")),
        }))
    }
}

/// As of when a pack is, and what it leads to.
pub struct Moment {
    /// Only events that were true by then.
    as_of: Option<Timestamp>,
    /// The last commit that counts.
    position: Position,
    /// When that was recorded.
    recorded_at: Timestamp,
    checkpoint: Checkpoint,
    note: Note,
    /// The position that records the checkpoint, if one does.
    recorded: Option<Position>,
    /// The keys that have signed it.
    keys: Vec<Verifier>,
}

impl Moment {
    /// As the views are asked: by the position alone, so that it does not matter how the moment was said.
    fn asked(&self) -> AsOf {
        AsOf { as_of: self.as_of, known_at: None, position: Some(self.position) }
    }
}

/// Makes it, whole or not at all.
pub async fn pack(source: &Source, args: &PackArgs) -> Result<(), Failure> {
    let prover = args.tree.open(source).await?;
    let follower = source.follow().await?;
    let reader = follower.reader();
    let scope = scope(args, &reader)?;
    let moment = moment(args, &reader, &prover).await?;
    let (extent, people) = extent(source, scope, &moment).await?;
    let documents = args.documents.open().await?;
    let mtime = u64::try_from(moment.recorded_at.as_second()).unwrap_or(0);
    let out = Out::to(Some(&args.to))?;
    let contents = Contents {
        archive: Archive::new(out, mtime),
        moment: &moment,
        extent: &extent,
        people: (!args.with_ids).then_some(&people),
        prover: &prover,
        documents,
        args,
    };
    let (out, done) = contents.write(source, &reader).await?;
    out.finish()?;
    say(format_args!(
        "{}: {}, {} commits as of position {}, under a checkpoint of {}; {} missing",
        args.to.display(),
        counted(done.files, "file"),
        done.commits,
        moment.position,
        moment.checkpoint.size,
        counted(done.missing, "document"),
    ));
    say(format_args!("sha256 {}", done.sha256));
    Ok(())
}

fn scope(args: &PackArgs, reader: &Reader) -> Result<Scope, Failure> {
    let (from, to) = match &args.scope {
        Asked::Known(scope) => return Ok(scope.clone()),
        Asked::Period(from, to) => (*from, *to),
    };
    let place = args.zone.clone().map_or(Place::Calls, Place::Zone);
    let zones = place.zones(reader.now().world())?;
    let from = from.beginning_in(&zones)?;
    let to = instant_in("--scope", Some(to), &zones)?.unwrap_or(Timestamp::MAX);
    Ok(Scope::Period(from, to))
}

async fn moment(args: &PackArgs, reader: &Reader, prover: &Prover) -> Result<Moment, Failure> {
    let now = reader.now();
    let question =
        Question::as_of((args.as_of, args.known_at, args.at_position), args.zone.as_deref());
    let asked = question.of_world(now.world())?.moment;
    let log = now.world().checkpoints.get(&this_log()).map(|log| (**log).clone());
    let log = log.unwrap_or_default();
    let kept = prover.shelf().checkpoint()?;
    let kept = kept.map(|note| Checkpoint::parse(&note.text).map(|head| (head, note)));
    let kept = kept.transpose().map_err(tranche::proof::Error::from)?;
    let kept = kept.filter(|(head, _)| head.size <= now.position());
    let kept_size = kept.as_ref().map_or(0, |(head, _)| head.size);
    let position = match (asked.known_at, asked.position) {
        (Some(instant), _) => reader.recorded_by(instant, now.position()).await?,
        (None, Some(position)) => position,
        (None, None) => {
            log.recorded.values().map(|(size, _)| *size).chain([kept_size]).max().unwrap_or(0)
        }
    };
    if position == 0 {
        let what =
            "no commit is known at that moment, or no checkpoint was signed: tranche proof record";
        return Err(Failure::NotFound(what.to_owned()));
    }
    let first = log.recorded.iter().filter(|(_, (size, _))| *size >= position);
    let first = first.min_by_key(|(_, (size, _))| *size).map(|(at, _)| *at);
    let note = match (first, kept) {
        (Some(at), _) => recorded_note(reader, at).await?,
        (None, Some((_, note))) if kept_size >= position => note,
        _ => {
            let what = format!(
                "no signed checkpoint covers position {position}; the newest is of {kept_size} commits: \
                 tranche proof record"
            );
            return Err(Failure::NotFound(what));
        }
    };
    let (checkpoint, keys) = signed(prover, &note, log.keys.iter().chain(&log.retired))?;
    let commit = reader.read_commit(position).await?;
    let missing = || Failure::NotFound(format!("position {position}: the log has no such commit"));
    let recorded_at = commit.ok_or_else(missing)?.commit.recorded_at;
    let as_of = asked.as_of;
    Ok(Moment { as_of, position, recorded_at, checkpoint, note, recorded: first, keys })
}

/// The checkpoint of a note, which our tree must have, and who has signed it.
fn signed<'a>(
    prover: &Prover,
    note: &Note,
    known: impl Iterator<Item = &'a String>,
) -> Result<(Checkpoint, Vec<Verifier>), Failure> {
    let wrong = |error: eventlog::tlog::Error| Failure::Corrupt(format!("the checkpoint: {error}"));
    let known = known.map(|key| Verifier::parse(key)).collect::<Result<Vec<_>, _>>();
    let mut keys = known.map_err(wrong)?;
    for key in prover.verifiers() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.retain(|key| {
        key.algorithm() == Algorithm::Ed25519 && note.signatures.iter().any(|one| key.is_of(one))
    });
    keys.sort_by_key(Verifier::id);
    let checkpoint = Checkpoint::open(note, &keys, prover.origin()).map_err(wrong)?;
    let root = prover.root(checkpoint.size)?;
    if root != checkpoint.root {
        let what = format!(
            "the checkpoint of {} commits has the root {}, the log has {root}",
            checkpoint.size, checkpoint.root
        );
        return Err(Failure::Corrupt(what));
    }
    Ok((checkpoint, keys))
}

async fn recorded_note(reader: &Reader, at: Position) -> Result<Note, Failure> {
    let stored = reader.read_commit(at).await?;
    let events = stored.iter().flat_map(|stored| &stored.commit.events);
    let mut notes = events.filter_map(|event| match &event.event {
        Event::Checkpoint(Signed::Recorded { note, .. }) if event.stream == this_log().stream() => {
            Some(note)
        }
        _ => None,
    });
    let note = notes.next().ok_or_else(|| {
        Failure::Corrupt(format!("position {at}: it should record a checkpoint, and does not"))
    })?;
    Note::parse(note).map_err(|error| Failure::Corrupt(format!("position {at}: {error}")))
}

/// What belongs to the scope, and the people in the log up to the moment.
async fn extent(
    source: &Source,
    scope: Scope,
    moment: &Moment,
) -> Result<(Extent, People), Failure> {
    let log = source.open_to_read().await?;
    let (mut links, mut people) = (Links::default(), People::default());
    let asked = moment.asked();
    let is_linked = !matches!(scope, Scope::All | Scope::Period(..));
    each_entry(&*log, 1, moment.position, |position, entry| {
        let commit = decode(position, entry)?;
        people.apply(&commit);
        if !is_linked {
            return Ok(());
        }
        let events = commit.events.iter().filter(|event| asked.was_true(event.effective_at));
        events.for_each(|event| links.apply(event));
        Ok(())
    })
    .await?;
    Ok((links.extent(&scope)?, people))
}

impl From<NoExtent> for Failure {
    fn from(error: NoExtent) -> Self {
        match error {
            NoExtent::Period(_) => Self::Usage(error.to_string()),
            _ => Self::NotFound(error.to_string()),
        }
    }
}
