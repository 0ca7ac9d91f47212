//! What a log and its witnesses say to each other: c2sp.org/tlog-witness. A witness remembers the newest
//! head that it has seen of a log, and signs a newer one only when that contains it: so two histories
//! for two readers cannot both have its signature.

use super::note::{Algorithm, Note, Signer, Verifier};
use super::proof::parse_hashes;
use super::{Checkpoint, Error, Hash, decimal, shown, verify_consistency};
use std::collections::BTreeMap;
use std::fmt;

const FORMAT: &str = "add-checkpoint";
/// The longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = super::note::BYTES_MAX + (8 << 10);
/// The most hashes of a request.
pub const REQUEST_HASHES_MAX: usize = 63;
/// Where a witness takes requests, behind its address.
pub const PATH: &str = "/add-checkpoint";
/// The content type of an answer that says a size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// Asks a witness to cosign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The size that the witness has seen last, as far as the log knows.
    pub old: u64,
    /// That the tree of that size is the beginning of the new one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by the log.
    pub checkpoint: Note,
}

/// The head that a witness has seen last of a log.
pub type Seen = (u64, Hash);

/// Why a witness does not sign, by the status of its answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: not a request.
    #[error("{0}")]
    Malformed(Error),
    /// 400: the old size is larger than the new one.
    #[error("the old size is larger than the checkpoint's")]
    Backwards,
    /// 403: no key of the log has signed it.
    #[error("{0}")]
    Untrusted(Error),
    /// 404: not a log that it watches.
    #[error("log {} is unknown here", shown(.0))]
    Unknown(String),
    /// 409: it has seen another size; its answer says which.
    #[error("the size last seen is {0}")]
    Stale(u64),
    /// 409: it has seen another tree of this size: two histories.
    #[error("SPLIT VIEW: another tree of {size} leaves was signed; seen {seen}, sent {sent}")]
    Split {
        /// The size of both.
        size: u64,
        /// What was seen.
        seen: Hash,
        /// What was sent.
        sent: Hash,
    },
    /// 422: the new tree does not contain the old one.
    #[error(
        "SPLIT VIEW, or a wrong proof: the tree of {old} leaves is not the beginning of this one"
    )]
    Inconsistent {
        /// The size that was seen.
        old: u64,
    },
}

impl Refusal {
    /// Gives the status of the answer over HTTP.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Malformed(_) | Refusal::Backwards => 400,
            Refusal::Untrusted(_) => 403,
            Refusal::Unknown(_) => 404,
            Refusal::Stale(_) | Refusal::Split { .. } => 409,
            Refusal::Inconsistent { .. } => 422,
        }
    }
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(body: &str) -> Result<Request, Error> {
        let wrong = |what: &str| Error::format(FORMAT, what);
        if body.len() > REQUEST_BYTES_MAX {
            return Err(wrong(&format!("longer than {REQUEST_BYTES_MAX} bytes")));
        }
        let (head, note) =
            body.split_once("\n\n").ok_or_else(|| wrong("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or_else(|| wrong("no line `old` with a number"))?;
        let proof = parse_hashes(FORMAT, lines)?;
        if proof.len() > REQUEST_HASHES_MAX {
            return Err(wrong(&format!("more than {REQUEST_HASHES_MAX} hashes")));
        }
        Ok(Request { old, proof, checkpoint: Note::parse(note)? })
    }

    /// Decides as a witness that has seen `seen`. What it returns must be on disk before `signed` is
    /// answered, and nothing else may be decided for the log in between.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(
        &self,
        checkpoint: &Checkpoint,
        log: &[Verifier],
        seen: Option<Seen>,
    ) -> Result<Seen, Refusal> {
        self.checkpoint.verified(log).map_err(Refusal::Untrusted)?;
        let (size, root) = (checkpoint.size, checkpoint.root);
        if self.old > size {
            return Err(Refusal::Backwards);
        }
        let (seen_size, seen_root) = seen.unwrap_or((0, Hash::empty()));
        if self.old != seen_size {
            return Err(Refusal::Stale(seen_size));
        }
        if seen_size == size && seen_root != root {
            return Err(Refusal::Split { size, seen: seen_root, sent: root });
        }
        verify_consistency((seen_size, seen_root), (size, root), &self.proof)
            .map_err(|_| Refusal::Inconsistent { old: seen_size })?;
        Ok((size, root))
    }

    /// Reads the checkpoint that is asked about, and verifies none of it.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn head(&self) -> Result<Checkpoint, Error> {
        Checkpoint::parse_head(&self.checkpoint.text).map(|(checkpoint, _)| checkpoint)
    }

    /// Makes the answer of a witness that signs at a time, in seconds since 1970.
    pub fn signed(&self, witness: &Signer, time: u64) -> String {
        format!("{}\n", witness.sign(&self.checkpoint.text, time))
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(out, "{hash}"))?;
        write!(out, "\n{}", self.checkpoint)
    }
}

/// Reads the answer that says a size.
///
/// # Errors
/// [`Error::Format`].
pub fn parse_size(body: &str) -> Result<u64, Error> {
    let size = body.strip_suffix('\n').and_then(decimal);
    size.ok_or_else(|| Error::format(SIZE_TYPE, format!("{body:?} is not a size and a newline")))
}

/// Finds the known witnesses that cosigned a note, by name, and when, in seconds since 1970. Several
/// keys of one name are one witness. A wrong cosignature is none.
pub fn cosigned<'a>(note: &Note, witnesses: &'a [Verifier]) -> BTreeMap<&'a str, u64> {
    let mut found = BTreeMap::new();
    // Whoever signs without a time has not said that it is the newest tree that it knows.
    for key in witnesses.iter().filter(|key| key.algorithm() == Algorithm::Cosignature) {
        for signature in note.signatures.iter().filter(|one| key.is_of(one)) {
            if let Ok(Some(time)) = key.verify(&note.text, signature) {
                let newest = found.entry(key.name()).or_insert(time);
                *newest = time.max(*newest);
            }
        }
    }
    found
}

/// Checks that so many of the known witnesses have cosigned a note: what a reader asks for who does not
/// want to be shown another history than everybody else. Gives who they are, and when.
///
/// # Errors
/// [`Error::Signature`] when there are fewer.
pub fn quorum<'a>(
    note: &Note,
    witnesses: &'a [Verifier],
    needed: usize,
) -> Result<BTreeMap<&'a str, u64>, Error> {
    let found = cosigned(note, witnesses);
    if found.len() < needed {
        let names: Vec<_> = found.keys().copied().collect();
        let by = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let what = format!("cosigned by {by} of the known witnesses; {needed} must have");
        return Err(Error::Signature(what));
    }
    Ok(found)
}
