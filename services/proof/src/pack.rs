//! An audit pack: one archive that a stranger checks offline with programs that are not ours (ADR/0024).
//! Here are its parts that need no log: the archive, the figures in it, and its check by ourselves. What
//! reads the log and fills it is `tranche audit pack`.
//!
//! | path | holds |
//! |---|---|
//! | `README.md` | what is claimed, and the commands that check it |
//! | `checkpoint` | the signed note that everything leads to |
//! | `keys/ID.vkey`, `keys/ID.pem` | the public keys that have signed it |
//! | `commits/POSITION.json` | one commit, byte for byte what is hashed |
//! | `proofs/POSITION.tlog-proof` | that it is in the log (c2sp.org/tlog-proof@v1) |
//! | `commits/POSITION.jsonl` | of the whole log: 256 commits from this position on, a line each |
//! | `tile/...` | of the whole log: its tree (c2sp.org/tlog-tiles) |
//! | `stamps/...` | timestamps of the checkpoint (RFC 3161) |
//! | `rules/SHA256.json` | rules documents, in canonical JSON |
//! | `documents/index.json`, `documents/sha256/xx/SHA256` | documents by their hash |
//! | `figures/index.json`, `figures/VIEW.json`, `figures/VIEW.TABLE.csv` | views as shown at the moment |
//! | `books/ledger.journal` | the postings of the commits, for hledger |
//! | `check/sumdb.go` | a program over the packages of Go's checksum database |
//! | `scope.json` | what it is of, and what is left out |
//! | `MANIFEST` | SHA-256 of every other file |

pub mod archive;
pub mod check;
pub mod figures;
pub mod names;
mod totals;

pub use archive::Archive;

/// The version of the layout, in `scope.json`.
pub const FORMAT: &str = "tranche/pack/v1";
/// So many commits are in a file of a pack of the whole log.
pub const LINES: u64 = eventlog::tlog::tile::WIDTH;

/// What made a pack: the release, and the sources that define what the views fold. Figures that another one
/// made are not compared with ours.
pub const MADE_BY: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("TRANCHE_FIGURES"));

/// The most bytes of a pack's text that a message repeats: every name that a sound pack has is shorter.
const SHOWN_BYTES_MAX: usize = 96;

/// The beginning of a text of a pack for a message, quoted and escaped unless it is plain: a stranger's pack does
/// not write to a terminal.
#[must_use]
pub fn shown(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|char| char.is_ascii_graphic());
    let mut said = String::new();
    for char in text.chars() {
        let piece = char.escape_default();
        // What is escaped takes more, and is as long at most.
        if said.len() + piece.len() > SHOWN_BYTES_MAX {
            return if is_plain { said + "..." } else { format!("\"{said}\"...") };
        }
        if is_plain { said.push(char) } else { said.extend(piece) }
    }
    if is_plain { said } else { format!("\"{said}\"") }
}

/// The name of the file of a commit or its proof; their order is that of the log.
#[must_use]
pub fn name(dir: &str, position: u64, end: &str) -> String {
    format!("{dir}/{position:012}.{end}")
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_BYTES_MAX, shown};

    #[test]
    fn what_is_shown_of_strangers_names_is_short_however_it_is_escaped() {
        assert_eq!(shown("commits/1.json"), "commits/1.json");
        assert_eq!(shown(""), "\"\"");
        assert_eq!(shown("a b\n"), "\"a b\\n\"");
        let long = SHOWN_BYTES_MAX + "\"\"...".len();
        for text in ["a".repeat(1_000), "\0".repeat(1_000), "é".repeat(1_000)] {
            let said = shown(&text);
            assert!(said.len() <= long && said.ends_with("..."), "{said}");
        }
    }
}
