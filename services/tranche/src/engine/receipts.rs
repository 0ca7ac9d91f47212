//! The receipts: which commands are recorded, and where. It lasts as long as the log.

use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::CommandId;
use domain::{Actor, Commit};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes of a [`ReceiptLine`] in a snapshot.
pub(crate) const LINE_BYTES: usize = 32;

/// A recorded command: 128 bits of the hash of its id, and of the hash of its content and of who gave it:
/// what one person did is not the answer to another. Among a billion commands the chance of one
/// collision is below 10^-20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiptLine {
    id: u128,
    content: u128,
}

impl ReceiptLine {
    pub fn new(id: &CommandId, content: &Sha256Hex, actor: &Actor) -> Self {
        let behalf = actor.on_behalf_of.as_ref().map_or("", |id| id.as_str());
        let wish = format!("{content} {} {} {behalf}", actor.id, actor.role);
        let digest = |text: &str| half(&Sha256Hex::of(text.as_bytes()));
        Self { id: digest(id.as_str()), content: digest(&wish) }
    }

    pub fn of(commit: &Commit) -> Self {
        Self::new(&commit.command_id, &commit.command_hash, &commit.actor)
    }

    pub fn to_bytes(self) -> [u8; LINE_BYTES] {
        let mut bytes = [0; LINE_BYTES];
        bytes[..16].copy_from_slice(&self.id.to_be_bytes());
        bytes[16..].copy_from_slice(&self.content.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8; LINE_BYTES]) -> Self {
        let part = |from: usize| {
            let mut part = [0; 16];
            part.copy_from_slice(&bytes[from..from + 16]);
            u128::from_be_bytes(part)
        };
        Self { id: part(0), content: part(16) }
    }
}

fn half(digest: &Sha256Hex) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    u128::from_be_bytes(bytes)
}

/// What the receipts say of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    New,
    /// It is recorded at this position.
    At(u64),
    /// Its id is recorded with other content.
    Other,
}

/// Every recorded command by id.
#[derive(Default)]
pub(crate) struct Receipts {
    places: HashMap<u128, (u128, u64), BuildHasherDefault<AsItIs>>,
}

impl Receipts {
    pub fn find(&self, line: ReceiptLine) -> Found {
        match self.places.get(&line.id) {
            None => Found::New,
            Some((content, position)) if *content == line.content => Found::At(*position),
            Some(_) => Found::Other,
        }
    }

    pub fn contains(&self, id: &CommandId) -> bool {
        self.places.contains_key(&half(&Sha256Hex::of(id.as_str().as_bytes())))
    }

    pub fn add(&mut self, line: ReceiptLine, position: u64) {
        self.places.insert(line.id, (line.content, position));
    }

    /// Takes back what was never recorded.
    pub fn forget(&mut self, lines: &[ReceiptLine]) {
        for line in lines {
            self.places.remove(&line.id);
        }
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.write(&key.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, content: &str) -> ReceiptLine {
        by("someone", id, content)
    }

    fn by(person: &str, id: &str, content: &str) -> ReceiptLine {
        let id = id.parse().unwrap();
        let role = domain::Role::Expert;
        let actor = Actor { id: person.parse().unwrap(), on_behalf_of: None, role };
        ReceiptLine::new(&id, &Sha256Hex::of(content.as_bytes()), &actor)
    }

    #[test]
    fn the_same_id_with_other_content_is_told_apart() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.find(line("a", "x")), Found::New);
        receipts.add(line("a", "x"), 7);
        assert_eq!(receipts.find(line("a", "x")), Found::At(7));
        assert_eq!(receipts.find(line("a", "y")), Found::Other);
        assert_eq!(receipts.find(by("another", "a", "x")), Found::Other);
        assert!(receipts.contains(&"a".parse().unwrap()));
        receipts.forget(&[line("a", "x")]);
        assert_eq!(receipts.find(line("a", "x")), Found::New);
    }

    #[test]
    fn a_line_survives_its_bytes() {
        assert_eq!(ReceiptLine::from_bytes(&line("a", "x").to_bytes()), line("a", "x"));
    }
}
