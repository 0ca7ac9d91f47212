//! The head of a tree, as a text to sign: c2sp.org/tlog-checkpoint.

use super::note::{Note, Verifier};
use super::{Error, Hash, decimal, shown};
use std::fmt;

const FORMAT: &str = "checkpoint";

/// The head of a tree. Extension lines are refused: nobody could audit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the log, usually by an address without `https://`.
    pub origin: String,
    /// The number of leaves, which is the last position.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Checkpoint, Error> {
        match Self::parse_head(text)? {
            (checkpoint, 0) => Ok(checkpoint),
            _ => Err(Error::format(FORMAT, "extension lines behind origin, size and root")),
        }
    }

    /// Reads the text of a note of any log, and counts its extension lines. A witness signs those
    /// without a statement about them (c2sp.org/tlog-cosignature).
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse_head(text: &str) -> Result<(Checkpoint, usize), Error> {
        let wrong = |what: &str| Error::format(FORMAT, what);
        let text = text.strip_suffix('\n').ok_or_else(|| wrong("the last line does not end"))?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(wrong("not the three lines of origin, size and root"));
        };
        let mut extensions = 0;
        for line in lines {
            if line.is_empty() {
                return Err(wrong("an extension line is empty"));
            }
            extensions += 1;
        }
        if origin.is_empty() {
            return Err(wrong("no origin"));
        }
        let size = decimal(size).ok_or_else(|| wrong("the size is not a number"))?;
        let root = Hash::parse(root).ok_or_else(|| wrong("the root is not Base64 of 32 bytes"))?;
        Ok((Checkpoint { origin: origin.to_owned(), size, root }, extensions))
    }

    /// Reads a note and checks it: signed by a known key of the log, and of that log.
    ///
    /// # Errors
    /// [`Error::Format`], or [`Error::Signature`].
    pub fn open(note: &Note, log: &[Verifier], origin: &str) -> Result<Checkpoint, Error> {
        note.verified(log)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != origin {
            let what = format!("it is of {}, not of {origin:?}", shown(&checkpoint.origin));
            return Err(Error::format(FORMAT, what));
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { origin, size, root } = self;
        write!(out, "{origin}\n{size}\n{root}\n")
    }
}
