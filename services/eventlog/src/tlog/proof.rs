//! That one entry is in a log, in a file that needs nothing else: c2sp.org/tlog-proof@v1.

use super::note::{Note, Verifier};
use super::{Checkpoint, Error, Hash, PROOF_HASHES_MAX, decimal, shown, verify_inclusion};
use std::fmt;

const FORMAT: &str = "tlog-proof";
const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// The longest proof, in bytes: 64 hashes and a note.
pub const BYTES_MAX: usize = super::note::BYTES_MAX + (8 << 10);

/// The way from an entry to a signed checkpoint. Extra data, which nothing vouches for, is neither
/// written nor kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The leaf, from 0: its position is one more.
    pub index: u64,
    /// From the leaf to the root.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Proof, Error> {
        let wrong = |what: &str| Error::format(FORMAT, what);
        if text.len() > BYTES_MAX {
            return Err(wrong(&format!("longer than {BYTES_MAX} bytes")));
        }
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| wrong("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong(&format!("the first line is not {FIRST_LINE}")));
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| wrong("no line `index` with a number"))?;
        let path = parse_hashes(FORMAT, lines)?;
        Ok(Proof { index, path, checkpoint: Note::parse(note)? })
    }

    /// Checks that the entry is in the log: what a stranger needs to trust is the keys and the origin.
    ///
    /// # Errors
    /// [`Error::Signature`], [`Error::Root`], [`Error::Outside`] or [`Error::Format`].
    pub fn verify(
        &self,
        entry: &[u8],
        log: &[Verifier],
        origin: &str,
    ) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.checkpoint, log, origin)?;
        let Checkpoint { size, root, .. } = checkpoint;
        verify_inclusion(self.index, Hash::leaf(entry), size, root, &self.path)?;
        Ok(checkpoint)
    }
}

/// Hashes, one a line.
pub(super) fn parse_hashes<'a>(
    format: &'static str,
    lines: impl Iterator<Item = &'a str>,
) -> Result<Vec<Hash>, Error> {
    let mut hashes = Vec::new();
    for line in lines {
        let wrong = || Error::format(format, format!("{} is no hash", shown(line)));
        hashes.push(Hash::parse(line).ok_or_else(wrong)?);
        if hashes.len() > PROOF_HASHES_MAX {
            let what = format!("more than {PROOF_HASHES_MAX} hashes");
            return Err(Error::format(format, what));
        }
    }
    Ok(hashes)
}

impl fmt::Display for Proof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{FIRST_LINE}\nindex {}\n", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(out, "{hash}"))?;
        write!(out, "\n{}", self.checkpoint)
    }
}
