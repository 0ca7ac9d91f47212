//! A witness of logs: it remembers the newest checkpoint that it has seen of each, and cosigns one only
//! if it contains that (c2sp.org/tlog-witness). Who reads a log and asks for its cosignature is shown
//! the same history as everybody else who does (ADR/0019).
//!
//! What it has seen is all that it has: a witness that forgets can be made to sign two histories.

mod client;
mod server;

pub use client::{ASK_MAX, AskError, Cosigned, ask};
pub use server::serve;

use crate::clock::Clock;
use crate::proof::ProofError;
use eventlog::tlog::Checkpoint;
use eventlog::tlog::cosign::{Refusal, Request, Seen};
use eventlog::tlog::note::{Algorithm, Note, Signer, Verifier};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tranche_proof::{Shelf, hex_name};

/// The newest checkpoint of each log, as it was cosigned, under the SHA-256 of its origin.
const HEADS: &str = "heads";
/// Requests that show two histories.
const EVIDENCE: &str = "evidence";
/// Held while a witness uses the directory.
const LOCK: &str = "lock";

/// A log that is watched: its keys.
pub type Logs = BTreeMap<String, Vec<Verifier>>;

/// A witness with its directory.
pub struct Witness {
    shelf: Shelf,
    keys: Vec<Signer>,
    logs: Logs,
    clock: Clock,
    /// Held from the judgement until what was seen is on the disk: two requests of one moment would
    /// otherwise both be judged by the older state.
    seen: Mutex<BTreeMap<String, Seen>>,
    _lock: File,
}

/// Why a request got no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be kept, so it is not signed.
    #[error(transparent)]
    NotKept(ProofError),
}

impl Witness {
    /// Takes the directory, which is made if it is missing, and reads what was seen.
    ///
    /// # Errors
    /// When another process uses the directory, when what is in it cannot be relied on, or when the
    /// keys are not those of a witness.
    pub fn open(
        dir: &Path,
        keys: Vec<Signer>,
        logs: Logs,
        clock: Clock,
    ) -> Result<Self, ProofError> {
        if keys.iter().any(|key| key.verifier().algorithm() != Algorithm::Cosignature) {
            let what = "that is no key of a witness: `tranche witness key` makes one";
            return Err(ProofError::Keys(what.to_owned()));
        }
        let shelf = Shelf::open(dir)?;
        for name in [HEADS, EVIDENCE] {
            Shelf::open(&dir.join(name))?;
        }
        let path = dir.join(LOCK);
        let failure = |error| ProofError::file(&path, error);
        let lock = File::create(&path).map_err(failure)?;
        lock.try_lock().map_err(|error| failure(error.into()))?;
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| ProofError::file(dir, error))?;
        let mut seen = BTreeMap::new();
        for (origin, of_log) in &logs {
            if let Some(head) = remembered(&shelf, origin, of_log, &keys)? {
                seen.insert(origin.clone(), head);
            }
        }
        Ok(Self { shelf, keys, logs, clock, seen: Mutex::new(seen), _lock: lock })
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        self.keys.first().map(|key| key.verifier().name()).unwrap_or_default()
    }

    /// Judges a request. When it gives lines of signatures, what they say is on the disk.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<String, Unsigned> {
        let text = std::str::from_utf8(body).map_err(|_| not_text())?;
        let request = Request::parse(text).map_err(Refusal::Malformed)?;
        let head = request.head().map_err(Refusal::Malformed)?;
        let Some(log) = self.logs.get(&head.origin) else {
            return Err(Refusal::Unknown(head.origin).into());
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = match request.judge(&head, log, seen.get(&head.origin).copied()) {
            Ok(newest) => newest,
            Err(refusal) => {
                self.tell(&head, &request, &refusal);
                return Err(refusal.into());
            }
        };
        let time = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let mut note = request.checkpoint.clone();
        // Those of others are not verified, and do not matter to what was seen.
        note.signatures.retain(|one| log.iter().any(|key| key.is_of(one)));
        let mut lines = String::new();
        for key in &self.keys {
            let signature = key.sign(&note.text, time);
            lines += &format!("{signature}\n");
            note.add(signature).map_err(Refusal::Malformed)?;
        }
        let path = format!("{HEADS}/{}", hex_name(&head.origin));
        self.shelf
            .put(&path, note.to_string().as_bytes(), true)
            .map_err(|error| Unsigned::NotKept(error.into()))?;
        seen.insert(head.origin, newest);
        Ok(lines)
    }

    /// Two histories are what a witness is there for: they are told, and the signed proof of them kept.
    fn tell(&self, head: &Checkpoint, request: &Request, refusal: &Refusal) {
        let kind = match refusal {
            Refusal::Split { .. } => "split",
            Refusal::Inconsistent { .. } => "inconsistent",
            _ => return,
        };
        tracing::warn!(origin = %head.origin, size = head.size, root = %head.root, "{refusal}");
        // The newest of its kind, so that a caller cannot fill the disk.
        let path = format!("{EVIDENCE}/{}.{kind}", hex_name(&head.origin));
        if let Err(error) = self.shelf.put(&path, request.to_string().as_bytes(), true) {
            tracing::error!(%error, "the evidence could not be kept");
        }
    }
}

fn not_text() -> Refusal {
    let what = "not UTF-8".to_owned();
    Refusal::Malformed(eventlog::tlog::Error::Format { format: "add-checkpoint", what })
}

/// What was seen of a log before. What is damaged is not taken for nothing.
fn remembered(
    shelf: &Shelf,
    origin: &str,
    log: &[Verifier],
    keys: &[Signer],
) -> Result<Option<Seen>, ProofError> {
    let Some(note) = shelf.note(&format!("{HEADS}/{}", hex_name(origin)))? else {
        return Ok(None);
    };
    let of_witness = keys.iter().map(|key| key.verifier().clone());
    let known: Vec<_> = log.iter().cloned().chain(of_witness).collect();
    note.verified(&known)?;
    let (head, _) = Checkpoint::parse_head(&note.text)?;
    if head.origin != origin {
        let what = format!("the checkpoint that was kept for {origin:?} is of {:?}", head.origin);
        return Err(ProofError::Keys(what));
    }
    Ok(Some((head.size, head.root)))
}

/// A note with the cosignatures of a witness that were found good.
pub(crate) fn with_cosignatures(
    note: &Note,
    lines: &str,
    known: &[Verifier],
) -> Result<Note, eventlog::tlog::Error> {
    let mut cosigned = note.clone();
    for signature in eventlog::tlog::note::parse_signatures(lines)? {
        // Those of unknown keys are passed over, as the specification says.
        if let Some(key) = known.iter().find(|key| key.is_of(&signature)) {
            key.verify(&note.text, &signature)?;
            cosigned.add(signature)?;
        }
    }
    Ok(cosigned)
}
