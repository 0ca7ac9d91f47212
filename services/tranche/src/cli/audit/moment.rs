//! As of when a pack or an export is, and the signed checkpoint that its proofs lead to.

use crate::cli::failure::Failure;
use crate::cli::times::MomentArgs;
use domain::Event;
use domain::facts::checkpoint::{Event as Signed, this_log};
use domain::kernel::ids::StreamKey;
use eventlog::Position;
use eventlog::tlog::note::{Algorithm, Note, Verifier};
use eventlog::tlog::{Checkpoint, Tree};
use jiff::Timestamp;
use projections::AsOf;
use tranche::engine::Reader;
use tranche::proof::Prover;
use tranche_proof::signed_late;

/// As of when a pack or an export is, and what it leads to.
pub struct Moment {
    /// Only events that were true by then.
    pub as_of: Option<Timestamp>,
    /// The last commit that counts.
    pub position: Position,
    /// When that was recorded.
    pub recorded_at: Timestamp,
    pub checkpoint: Checkpoint,
    pub note: Note,
    /// The keys that have signed it.
    pub keys: Vec<Verifier>,
}

impl Moment {
    /// As the views are asked: by the position alone, so that it does not matter how the moment was said.
    pub fn asked(&self) -> AsOf {
        AsOf { as_of: self.as_of, known_at: None, position: Some(self.position) }
    }
}

/// The moment that is asked for, or that of the newest signed checkpoint.
pub async fn moment(
    asked: &MomentArgs,
    reader: &Reader,
    prover: &Prover,
) -> Result<Moment, Failure> {
    let now = reader.now();
    let asked = asked.of_world(now.world())?;
    let log = now.world().checkpoints.get(&this_log()).map(|log| (**log).clone());
    let log = log.unwrap_or_default();
    let kept = prover.shelf().checkpoint()?;
    let kept = kept.map(|note| Checkpoint::parse(&note.text).map(|head| (head, note)));
    let kept = kept.transpose().map_err(tranche::proof::ProofError::from)?;
    let kept = kept.filter(|(head, _)| head.size <= now.position());
    let kept_size = kept.as_ref().map_or(0, |(head, _)| head.size);
    let position = match (asked.known_at, asked.position) {
        (Some(instant), position) => {
            let last = position.unwrap_or_else(|| now.position());
            reader.recorded_by(instant, last).await?
        }
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
    let (checkpoint, keys) = signed(prover, &note, log.keys.iter().chain(log.retired.keys()))?;
    let retired =
        log.retired.iter().filter_map(|(key, at)| Some((Verifier::parse(key).ok()?, *at)));
    let retired: Vec<_> = retired.collect();
    if let Some(what) = signed_late("the checkpoint", checkpoint.size, &note, &retired).pop() {
        return Err(Failure::Found(what));
    }
    let commit = reader.read_commit(position).await?;
    let missing = || Failure::NotFound(format!("position {position}: the log has no such commit"));
    let recorded_at = commit.ok_or_else(missing)?.commit.recorded_at;
    let as_of = asked.as_of;
    Ok(Moment { as_of, position, recorded_at, checkpoint, note, keys })
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
        if !keys.contains(key) {
            keys.push(key.clone());
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
