//! Asks a witness to cosign the newest checkpoint of a log.

use super::with_cosignatures;
use crate::post::{self, post};
use crate::proof::{self, Prover};
use eventlog::tlog::cosign::{self, PATH, Request, SIZE_TYPE, parse_size};
use eventlog::tlog::note::{Note, Verifier};
use eventlog::tlog::{self, Tree, note};

/// How often a witness is asked in all: once more when it tells another size than we thought.
pub const ASK_MAX: usize = 2;
const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
/// So much of a refusal is shown, in characters.
const SHOWN_MAX: usize = 200;

/// A checkpoint that a witness has cosigned.
#[derive(Debug)]
pub struct Cosigned {
    /// With all its signatures.
    pub note: Note,
    /// The number of commits.
    pub size: u64,
    /// When the witness says that it signed, in seconds since 1970.
    pub time: u64,
    /// The name of the witness.
    pub witness: String,
}

/// Why a witness has not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No answer.
    #[error(transparent)]
    Post(#[from] post::PostError),
    /// Our own tree.
    #[error(transparent)]
    Proof(#[from] proof::ProofError),
    /// The witness has seen more than there is.
    #[error(
        "ROLLED BACK: the witness has seen {told} commits of this log, and here are {size}: commits \
         are missing, as after an old back-up was restored, or another log is signed with this key"
    )]
    Ahead {
        /// What it has seen.
        told: u64,
        /// What is here.
        size: u64,
    },
    /// The witness has seen another history.
    #[error(
        "SPLIT VIEW: the witness has seen {told} commits of another history that was signed with \
         this key ({said})"
    )]
    Split {
        /// How much of it.
        told: u64,
        /// What it said.
        said: String,
    },
    /// Another request was faster, twice.
    #[error(
        "the witness has been asked by another at the same time, and has seen {0} commits; try again"
    )]
    Overtaken(u64),
    /// Another refusal.
    #[error("the witness answered {status}: {said}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// What it answered is no cosignature of a key that we know.
    #[error("the answer of the witness: {0}")]
    Wrong(#[from] tlog::Error),
}

/// Asks a witness, whose public keys are `known`, and keeps what it signs.
///
/// # Errors
/// [`AskError`].
pub async fn ask(prover: &Prover, url: &str, known: &[Verifier]) -> Result<Cosigned, AskError> {
    let (head, checkpoint) = prover.checkpoint()?;
    let url = format!("{}{PATH}", url.trim_end_matches('/'));
    let mut old = prover.cosigned_size(known)?;
    for _ in 0..ASK_MAX {
        if old > head.size {
            return Err(AskError::Ahead { told: old, size: head.size });
        }
        let proof = prover.consistency(old, head.size)?;
        let request = Request { old, proof, checkpoint: checkpoint.clone() };
        let body = request.to_string();
        let answer = post(&url, CONTENT_TYPE, body, note::BYTES_MAX).await?;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let shown = || said.trim_end().chars().take(SHOWN_MAX).collect::<String>();
        match answer.status {
            200 => return keep(prover, &checkpoint, head.size, &said, known),
            409 if answer.content_type == SIZE_TYPE => match parse_size(&said)? {
                told if told == old => {
                    return Err(AskError::Split { told, said: "another root of this size".into() });
                }
                told => old = told,
            },
            422 => return Err(AskError::Split { told: old, said: shown() }),
            status => return Err(AskError::Refused { status, said: shown() }),
        }
    }
    Err(if old > head.size {
        AskError::Ahead { told: old, size: head.size }
    } else {
        AskError::Overtaken(old)
    })
}

fn keep(
    prover: &Prover,
    checkpoint: &Note,
    size: u64,
    lines: &str,
    known: &[Verifier],
) -> Result<Cosigned, AskError> {
    let cosigned = with_cosignatures(checkpoint, lines, known)?;
    let by = cosign::quorum(&cosigned, known, 1)?;
    // The witness is one, whatever keys it has.
    let (witness, time) = by.into_iter().next().unwrap_or_default();
    let note = prover.keep_cosigned(cosigned.clone(), known)?;
    Ok(Cosigned { note, size, time, witness: witness.to_owned() })
}
