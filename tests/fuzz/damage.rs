//! What happens to bytes on their way.

use proptest::prelude::*;
use proptest::sample::Index;

/// The longest damaged text, in bytes: longer than any that may be read.
const BYTES_MAX: usize = 200_000;
/// The most changes of one text.
const CHANGES_MAX: usize = 5;

/// What means something to one of the readers.
const WORDS: &[&str] = &[
    "\n",
    "\n\n",
    "\r\n",
    "\0",
    "\t",
    " ",
    "\u{b}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "+",
    "=",
    "==",
    "/",
    "x",
    ".p/",
    ".p/256",
    "— ",
    "-",
    "0",
    "00",
    "1",
    "255",
    "256",
    "65535",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.5",
    "-0",
    "-1",
    "index ",
    "extra ",
    "extra AA\n",
    "old ",
    "tile/",
    "entries",
    "AAAA",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\\u0000",
    "\\ud800",
    ",",
    ":",
    "9999-12-31T23:59:59.999999999Z",
    "-009999-01-01T00:00:00Z",
    "\u{10ffff}",
    "\u{feff}",
];

/// Damaged bytes, which print as they would be written in a program.
#[derive(Clone)]
pub struct Damaged(pub Vec<u8>);

impl std::fmt::Debug for Damaged {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "b\"{}\"", self.0.escape_ascii())
    }
}

#[derive(Clone, Debug)]
enum Change {
    Bit(Index, u8),
    Byte(Index, u8),
    Cut(Index),
    Without(Index, Index),
    Word(Index, Index),
    /// A word in the place of a number.
    Number(Index, Index),
    /// A part so many times more.
    Again(Index, Index, u16),
    /// A part of another good text in the place of one.
    Splice(Index, Index, Index, Index, Index),
    /// A line in the place of another.
    Line(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0_u8..8).prop_map(|(at, bit)| Change::Bit(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => at().prop_map(Change::Cut),
        2 => (at(), at()).prop_map(|(from, to)| Change::Without(from, to)),
        4 => (at(), at()).prop_map(|(at, word)| Change::Word(at, word)),
        3 => (at(), at()).prop_map(|(at, word)| Change::Number(at, word)),
        1 => (at(), at(), 1_u16..400).prop_map(|(from, to, times)| Change::Again(from, to, times)),
        2 => (at(), at(), at(), at(), at())
            .prop_map(|(of, from, to, begin, end)| Change::Splice(of, from, to, begin, end)),
        2 => (at(), at()).prop_map(|(from, to)| Change::Line(from, to)),
    ]
}

fn range(bytes: &[u8], from: &Index, to: &Index) -> std::ops::Range<usize> {
    let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
    from.min(to)..from.max(to)
}

/// The parts between places where something ends.
fn parts(bytes: &[u8], is_inside: impl Fn(&u8) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for at in 0..=bytes.len() {
        match (bytes.get(at).is_some_and(&is_inside), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn apply(mut bytes: Vec<u8>, change: &Change, seeds: &[Vec<u8>]) -> Vec<u8> {
    let word = |word: &Index| WORDS[word.index(WORDS.len())].bytes();
    if bytes.is_empty() {
        return bytes;
    }
    match change {
        Change::Bit(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Change::Byte(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Without(from, to) => drop(bytes.drain(range(&bytes, from, to))),
        Change::Word(at, which) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, word(which));
        }
        Change::Number(at, which) => {
            let numbers = parts(&bytes, u8::is_ascii_digit);
            if !numbers.is_empty() {
                bytes.splice(numbers[at.index(numbers.len())].clone(), word(which));
            }
        }
        Change::Again(from, to, times) => {
            let range = range(&bytes, from, to);
            let times = usize::from(*times).min(BYTES_MAX / (range.len() + 1));
            let part = bytes[range.clone()].repeat(times);
            bytes.splice(range.end..range.end, part);
        }
        Change::Splice(of, from, to, begin, end) => {
            let other = &seeds[of.index(seeds.len())];
            let part = other[range(other, from, to)].to_vec();
            bytes.splice(range(&bytes, begin, end), part);
        }
        Change::Line(from, to) => {
            let lines = parts(&bytes, |byte| *byte != b'\n');
            if !lines.is_empty() {
                let line = bytes[lines[from.index(lines.len())].clone()].to_vec();
                bytes.splice(lines[to.index(lines.len())].clone(), line);
            }
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

/// One of the good texts, damaged.
pub fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Damaged> {
    let changes = prop::collection::vec(change(), 1..=CHANGES_MAX);
    (any::<Index>(), changes).prop_map(move |(seed, changes)| {
        let seed = seeds[seed.index(seeds.len())].clone();
        Damaged(changes.iter().fold(seed, |bytes, change| apply(bytes, change, &seeds)))
    })
}
