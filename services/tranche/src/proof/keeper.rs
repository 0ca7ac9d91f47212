//! What a running service does about proof: its tree follows the log, a checkpoint is signed and recorded
//! when one is due, and everything that is stored is read again and again and held against what it was.

use super::{Prover, ended};
use crate::desk::Desk;
use crate::engine::{
    Folds, OpenError, Published, ReadError, Reader, ReplayReport, Request, SubmitError, decode,
};
use bytes::Bytes;
use domain::decide::checkpoint::Record;
use domain::decide::command::Parsed;
use domain::kernel::actor::Actor;
use domain::{Refusal, Role};
use eventlog::scan::{decoders, in_order};
use eventlog::tlog::{Checkpoint, Hash};
use eventlog::{Log, Position};
use jiff::{SignedDuration, Timestamp};
use prometheus::{IntCounter, IntGauge, Registry};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tranche_proof::{Check, Shelf};

/// After so long without one a checkpoint is recorded: a day, less what a restart may take.
pub const CHECKPOINT_EVERY: SignedDuration = SignedDuration::from_hours(23);
/// How often it is seen whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long the tree waits for more commits after it has caught up: many at once cost less than each alone.
const GATHERED: Duration = Duration::from_millis(50);
/// After a failure it is tried again after so long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// So soon after the start everything is verified for the first time: whoever was waiting to be served
/// goes first.
pub const FIRST_VERIFICATION_AFTER: Duration = Duration::from_secs(5);

/// How a log is opened anew to verify it, so that what is read comes from the disk and not from memory of
/// ours.
pub type OpenAgain = Arc<dyn Fn() -> Opening + Send + Sync>;
/// A log that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn Log>, eventlog::Error>> + Send>>;

/// What a running service does beside serving.
pub struct Keeping {
    /// The tree, if there are keys to sign it with.
    pub prover: Option<Arc<Prover>>,
    /// Without keys: the tree that an instance with keys has left, which is held against the log too.
    pub kept: Option<Shelf>,
    /// Opens the log to verify it.
    pub open: OpenAgain,
    /// How long to wait before everything is verified again; never, and not at the start either, when `None`.
    pub every: Option<Duration>,
}

impl Keeping {
    /// Starts what is to be done. It ends when the answer is dropped.
    ///
    /// # Errors
    /// When the figures cannot be made.
    pub fn start(self, desk: &Desk, registry: &Registry) -> Result<JoinSet<()>, prometheus::Error> {
        let figures = VerifyFigures::new(registry)?;
        let mut tasks = JoinSet::new();
        if let Some(prover) = self.prover.clone() {
            tasks.spawn(keep(prover, desk.clone(), figures.clone()));
        }
        if let Some(every) = self.every {
            let (reader, known) = (desk.reader(), Known { prover: self.prover, kept: self.kept });
            tasks.spawn(verify_again_and_again(self.open, reader, known, every, figures));
        }
        Ok(tasks)
    }
}

/// The figures of verification, for Prometheus.
#[derive(Clone)]
struct VerifyFigures {
    verified: IntGauge,
    findings: IntGauge,
    rounds: IntCounter,
    signed: IntGauge,
}

impl VerifyFigures {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let figures = Self {
            verified: IntGauge::new(
                "tranche_verified_position",
                "The last commit up to which the running service has found all whole: bytes, tree and views",
            )?,
            findings: IntGauge::new(
                "tranche_verification_findings",
                "What the last verification found wrong; anything but 0 is an alarm",
            )?,
            rounds: IntCounter::new(
                "tranche_verifications_total",
                "How often the running service has verified everything",
            )?,
            signed: IntGauge::new(
                "tranche_checkpoint_commits",
                "How many commits the newest recorded checkpoint covers",
            )?,
        };
        registry.register(Box::new(figures.verified.clone()))?;
        registry.register(Box::new(figures.findings.clone()))?;
        registry.register(Box::new(figures.rounds.clone()))?;
        registry.register(Box::new(figures.signed.clone()))?;
        Ok(figures)
    }
}

/// Why a checkpoint was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// It could not be signed.
    #[error(transparent)]
    Proof(#[from] super::ProofError),
    /// It makes no command.
    #[error(transparent)]
    Command(#[from] Refusal),
    /// The log did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Lets a tree follow the log, and records checkpoints, until it is dropped.
async fn keep(prover: Arc<Prover>, desk: Desk, figures: VerifyFigures) {
    let mut kept_at = Instant::now();
    loop {
        let next = prover.size() + 1;
        let waited = timeout(LOOK_EVERY, prover.log.wait_for(next)).await;
        // What is shown before the tree catches up is in it afterwards, however fast the log grows.
        let shown = desk.reader().now();
        match waited {
            Ok(Err(error)) => {
                tracing::warn!(%error, "the tree does not follow the log");
                sleep(PAUSE_AFTER_FAILURE).await;
            }
            Ok(Ok(_)) => match follow(&prover).await {
                Ok(()) => sleep(GATHERED).await,
                Err(error) => {
                    tracing::error!(%error, "the tree does not follow the log");
                    sleep(PAUSE_AFTER_FAILURE).await;
                }
            },
            Err(_) => {}
        }
        if kept_at.elapsed() >= LOOK_EVERY {
            if let Err(error) = prover.keep_leaves() {
                tracing::warn!(%error, "the hashes of the newest commits are not kept");
            }
            kept_at = Instant::now();
        }
        if let Some((_, size)) = shown.views().checkpoints.newest() {
            figures.signed.set(i64::try_from(size).unwrap_or(i64::MAX));
        }
        let is_writer = desk.writer().is_some_and(|writer| writer == "here");
        if is_writer && is_due(&shown, prover.size(), desk.clock().now()) {
            match record(&prover, &desk).await {
                Ok(size) => tracing::info!(size, "a checkpoint was recorded"),
                Err(error) => {
                    tracing::error!(%error, "a checkpoint is due and was not recorded");
                    sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// Hashing takes a core for a while, so it takes none of those that answer.
async fn follow(prover: &Arc<Prover>) -> Result<(), super::ProofError> {
    let (prover, runtime) = (Arc::clone(prover), Handle::current());
    let caught_up = tokio::task::spawn_blocking(move || runtime.block_on(prover.catch_up())).await;
    caught_up.map_err(|error| ended(&error))?.map(drop)
}

/// Whether a checkpoint of a tree of this size is to be recorded now.
fn is_due(shown: &Published, size: u64, now: Timestamp) -> bool {
    let checkpoints = &shown.views().checkpoints;
    // What waits must be covered by it.
    if size == 0 || size < shown.position() {
        return false;
    }
    let Some((at, newest)) = checkpoints.newest() else { return true };
    let is_old = now.duration_since(at) >= CHECKPOINT_EVERY;
    size > newest && (checkpoints.is_awaited() || is_old)
}

/// Signs the tree as it is, and records that. Gives the number of commits that are signed.
///
/// # Errors
/// When it cannot be signed, or the log does not take it.
pub async fn record(prover: &Arc<Prover>, desk: &Desk) -> Result<u64, NotRecorded> {
    let signing = Arc::clone(prover);
    let signed = tokio::task::spawn_blocking(move || signing.checkpoint()).await;
    let (head, note) = signed.map_err(|error| ended(&error))??;
    let request = recording(prover, head.size, head.root.0, note.to_string())?;
    desk.submit(request).await?;
    Ok(head.size)
}

fn recording(prover: &Prover, size: u64, root: [u8; 32], note: String) -> Result<Request, Refusal> {
    let keys = prover.verifiers().iter().map(ToString::to_string).collect();
    let record = Record { keys, note, root: domain::kernel::canonical::Sha256Hex(root), size };
    let actor = Actor {
        id: domain::process::react::ENGINE.parse().expect("a literal id"),
        on_behalf_of: None,
        role: Role::System,
    };
    // A second instance that tries the same records it once.
    let id = format!("checkpoint/{size}").parse().expect("a number makes an id");
    Ok(Request::new(Parsed::of(record)?, actor, id))
}

/// Why a verification did not come to its end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Broken {
    /// What is stored cannot be relied on.
    #[error("{0}")]
    Damage(String),
    /// It could not be read now, which says nothing about it.
    #[error("{0}")]
    Away(String),
}

impl From<eventlog::Error> for Broken {
    fn from(error: eventlog::Error) -> Self {
        match error {
            eventlog::Error::Corrupt(_) | eventlog::Error::Format { .. } => {
                Self::Damage(error.to_string())
            }
            _ => Self::Away(error.to_string()),
        }
    }
}

impl From<OpenError> for Broken {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Read(ReadError::Log(error)) => error.into(),
            OpenError::Read(ReadError::Decode { .. } | ReadError::Misplaced(_)) => {
                Self::Damage(error.to_string())
            }
            _ => Self::Away(error.to_string()),
        }
    }
}

/// What is known of a log beside the log.
struct Known {
    prover: Option<Arc<Prover>>,
    kept: Option<Shelf>,
}

impl Known {
    /// What the log must fit to; or why that cannot be read.
    fn check(&self) -> (Check, Option<String>) {
        let Some(prover) = &self.prover else { return self.check_kept() };
        let mut check = Check::new(Some(prover.shelf.clone()));
        // What is on the disk may have been changed with the log; what was hashed here was not.
        if let Some((tile, hashes)) = prover.open_leaves() {
            check.expect_leaves("the memory of this process".to_owned(), tile.index, hashes);
        }
        check.expect_all(prover.newest().map(|(checkpoint, _)| checkpoint));
        (check, None)
    }

    fn check_kept(&self) -> (Check, Option<String>) {
        let mut check = Check::new(self.kept.clone());
        let note = self.kept.as_ref().map_or(Ok(None), Shelf::checkpoint);
        // Without keys its signature says nothing, and the log must fit to it all the same.
        let parsed =
            note.and_then(|note| Ok(note.map(|note| Checkpoint::parse(&note.text)).transpose()?));
        match parsed {
            Ok(checkpoint) => {
                check.expect_all(checkpoint);
                (check, None)
            }
            Err(error) => {
                (check, Some(format!("the checkpoint of this log cannot be read: {error}")))
            }
        }
    }
}

/// Verifies everything that is stored, again and again: bytes against their hashes, the tree against what
/// was signed, and the views against a fold from the first commit. What it finds is told as an error and
/// as a figure. A log that cannot be read now is no finding.
async fn verify_again_and_again(
    open: OpenAgain,
    reader: Reader,
    known: Known,
    every: Duration,
    figures: VerifyFigures,
) {
    let mut pause = every.min(FIRST_VERIFICATION_AFTER);
    loop {
        sleep(pause).await;
        pause = every;
        let findings = match verify(&open, &reader, &known).await {
            Ok((position, findings)) => {
                if findings.is_empty() {
                    figures.verified.set(i64::try_from(position).unwrap_or(i64::MAX));
                }
                findings
            }
            Err(Broken::Damage(what)) => vec![what],
            Err(Broken::Away(why)) => {
                tracing::warn!(%why, "history could not be verified; it is tried again");
                continue;
            }
        };
        for finding in &findings {
            tracing::error!(%finding, "VERIFICATION FAILED: history is not what it was");
        }
        figures.findings.set(i64::try_from(findings.len()).unwrap_or(i64::MAX));
        figures.rounds.inc();
    }
}

/// Verifies everything once, and gives what is found, for whoever measures it.
pub(crate) async fn verify_once(
    open: &OpenAgain,
    reader: &Reader,
    prover: Arc<Prover>,
) -> Result<Vec<String>, eventlog::Error> {
    let known = Known { prover: Some(prover), kept: None };
    let verified = verify(open, reader, &known).await;
    let broken = |error: Broken| eventlog::Error::Unavailable(error.to_string());
    verified.map(|(_, findings)| findings).map_err(broken)
}

async fn verify(
    open: &OpenAgain,
    reader: &Reader,
    known: &Known,
) -> Result<(Position, Vec<String>), Broken> {
    let log = open().await?;
    // What is known comes first: nothing is signed before it is in the log.
    let (mut check, unread) = known.check();
    let shown = reader.now();
    let head = shown.position();
    let recorded = shown.views().checkpoints.roots();
    check.expect_all(recorded.map(|(size, root)| {
        let origin = String::new();
        Checkpoint { origin, size, root: Hash(root.0) }
    }));
    let (check, replayed) = replay_checked(log, head, check).await;
    let (found, _) = check.finish();
    let found = found.iter().map(ToString::to_string);
    let mut findings: Vec<String> = unread.into_iter().chain(found).collect();
    let expected = match replayed {
        Ok(report) => report.digests,
        // All was read, so the tree may say which entry was altered.
        Err(error @ OpenError::Read(ReadError::Decode { .. } | ReadError::Misplaced(_))) => {
            findings.push(error.to_string());
            return Ok((head, findings));
        }
        Err(error) => return Err(error.into()),
    };
    let live = shown.digests().map_err(|error| Broken::Damage(error.to_string()))?;
    if expected.world != live.world {
        findings.push(format!("the state at position {head} is not what a replay gives"));
    }
    for (view, digest) in &live.views {
        if expected.views.get(view) != Some(digest) {
            findings.push(format!("the view {view} at position {head} is not what a replay gives"));
        }
    }
    Ok((head, findings))
}

/// Folds the log from its first commit to a position, without any snapshot, and hands a check of the tree
/// the hashes of the entries that were folded: one reading for both. The check comes back whatever happens to the folds.
async fn replay_checked(
    log: Arc<dyn Log>,
    head: u64,
    mut check: Check,
) -> (Check, Result<ReplayReport, OpenError>) {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || {
        let mut folds = Folds::default();
        let mut broken = None;
        // The tree takes all entries: what is no commit any more must not hide which one it is.
        let look = |position, entry: &Bytes| {
            Ok::<_, ReadError>((Hash::leaf(entry), decode(position, entry)))
        };
        let read = in_order((&*log, &runtime), 0..head, decoders(), look, |chunk| {
            for (leaf, commit) in chunk {
                check.take_hash(leaf);
                match commit {
                    Ok(commit) if broken.is_none() => folds.take(&commit),
                    Ok(_) => {}
                    Err(error) => drop(broken.get_or_insert(error)),
                }
            }
        });
        let read = read.and_then(|()| broken.map_or(Ok(()), Err));
        let report = read.map_err(OpenError::from).and_then(|()| folds.report());
        (check, report)
    });
    match done.await {
        Ok(done) => done,
        Err(error) => (Check::default(), Err(OpenError::Failed(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::engine::{Engine, EngineOptions};
    use eventlog::{Damage, Memory, Place};

    async fn verified(
        answer: fn() -> Result<Arc<dyn Log>, eventlog::Error>,
    ) -> Result<u64, Broken> {
        let log: Arc<dyn Log> = Arc::new(Memory::default());
        let engine = Engine::open(log, Clock::system(), EngineOptions::default()).await.unwrap();
        let open: OpenAgain = Arc::new(move || Box::pin(async move { answer() }));
        let verified = verify(&open, &engine.reader(), &Known { prover: None, kept: None }).await;
        engine.stop().await;
        verified.map(|(position, _)| position)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outage_is_not_taken_for_altered_history_and_damage_is() {
        assert_eq!(verified(|| Ok(Arc::new(Memory::default()))).await, Ok(0));
        let away = verified(|| Err(eventlog::Error::Unavailable("away".to_owned()))).await;
        assert!(matches!(away, Err(Broken::Away(_))), "{away:?}");
        let damaged = verified(|| {
            Err(eventlog::Error::Corrupt(Damage { place: Place::Stream, what: "a gap".to_owned() }))
        });
        let damaged = damaged.await;
        assert!(matches!(damaged, Err(Broken::Damage(_))), "{damaged:?}");
    }
}
