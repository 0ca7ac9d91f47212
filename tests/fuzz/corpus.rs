//! Good bytes to begin with: a released history, its tree, and what is signed of it by keys that are no
//! secret; and the examples of the specifications.

use bytes::Bytes;
use eventlog::ENTRY_BYTES_MAX;
use eventlog::tlog::cosign::Request;
use eventlog::tlog::note::{Algorithm, Note, Signer, Verifier};
use eventlog::tlog::tile::{self, WIDTH};
use eventlog::tlog::{Checkpoint, Hash, Proof, Tree};
use std::convert::Infallible;
use std::sync::LazyLock;
use tranche_proof::pack::{self, Archive};

pub const ORIGIN: &str = "log.example/a";
/// The sizes that are signed.
const SIZES: [u64; 6] = [1, 2, 255, 256, 257, 400];
/// The example of `golang.org/x/mod/sumdb/note`.
const OF_GO: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The example of c2sp.org/signed-note.
const OF_C2SP: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
    ed è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
/// The examples of golang.org/x/mod/sumdb/note: a public key, and the secret one.
const KEYS_OF_GO: [&str; 2] = [
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
];

/// The tree of the history.
pub struct Corpus {
    pub entries: Vec<Bytes>,
    keys: Vec<Signer>,
    pub known: Vec<Verifier>,
}

pub static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
    let histories = crate::histories::released();
    let texts = histories.into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let entries: Vec<_> = texts
        .flat_map(|text| text.lines().map(|line| Bytes::from(line.to_owned())).collect::<Vec<_>>())
        .collect();
    let key = |name, algorithm, seed| Signer::from_seed(name, algorithm, &[seed; 32]).unwrap();
    let keys = vec![
        key(ORIGIN, Algorithm::Ed25519, 1),
        key(ORIGIN, Algorithm::Ed25519, 2),
        key("witness.example", Algorithm::Cosignature, 3),
    ];
    let known = keys.iter().map(|key| key.verifier().clone()).collect();
    Corpus { entries, keys, known }
});

impl Tree for Corpus {
    type Error = Infallible;

    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(match height.checked_sub(1) {
            None => Hash::leaf(&self.entries[usize::try_from(index).unwrap()]),
            Some(below) => {
                Hash::node(self.subtree(below, 2 * index)?, self.subtree(below, 2 * index + 1)?)
            }
        })
    }
}

impl Corpus {
    /// The keys of the log, without its witness.
    pub fn log_keys(&self) -> &[Verifier] {
        &self.known[..2]
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        let Ok(root) = self.root(size);
        Checkpoint { origin: ORIGIN.to_owned(), size, root }
    }

    /// Signed by as many keys.
    fn signed(&self, size: u64, keys: usize) -> Note {
        let mut note = Note::new(self.checkpoint(size).to_string()).unwrap();
        self.keys[..keys].iter().for_each(|key| note.sign(key));
        note
    }

    /// Whether somebody with these keys has signed it.
    pub fn has_signed(&self, text: &str) -> bool {
        SIZES.iter().any(|size| self.checkpoint(*size).to_string() == text)
    }
}

impl Corpus {
    /// Whether a checkpoint of this size was signed.
    pub fn has_size(&self, size: u64) -> bool {
        SIZES.contains(&size)
    }
}

fn bytes(texts: impl IntoIterator<Item = impl ToString>) -> Vec<Vec<u8>> {
    texts.into_iter().map(|text| text.to_string().into_bytes()).collect()
}

pub fn note() -> Vec<Vec<u8>> {
    let signed = SIZES.iter().zip([1, 2, 3].iter().cycle());
    let mut notes = bytes(signed.map(|(size, keys)| CORPUS.signed(*size, *keys)));
    notes.extend(bytes([OF_GO, OF_C2SP]));
    notes
}

pub fn signature_lines() -> Vec<Vec<u8>> {
    let notes = SIZES.map(|size| CORPUS.signed(size, 3).to_string());
    bytes(notes.map(|note| note.split_once("\n\n").unwrap().1.to_owned()))
}

pub fn checkpoint() -> Vec<Vec<u8>> {
    bytes(SIZES.map(|size| CORPUS.checkpoint(size)))
}

pub fn proof() -> Vec<Vec<u8>> {
    let of = |size: u64, index| {
        let Ok(path) = CORPUS.inclusion(index, size);
        Proof { index, path, checkpoint: CORPUS.signed(size, 2) }.to_string()
    };
    let mut proofs = bytes(SIZES.map(|size| of(size, 0)));
    proofs.extend(bytes(SIZES.map(|size| of(size, size - 1))));
    let extra = of(400, 200).replacen("\n", "\nextra YWdlLXYxLjIuMQ==\n", 1);
    proofs.push(extra.into_bytes());
    proofs
}

/// A pack of two commits with their proofs, and one that says that it is of everything.
pub fn pack() -> Vec<Vec<u8>> {
    let of = |scope: &str| {
        let mut archive = Archive::new(Vec::new(), 0);
        let mut put = |name: &str, bytes: &[u8]| archive.put(name, bytes).unwrap();
        put("checkpoint", CORPUS.signed(2, 1).to_string().as_bytes());
        let key = &CORPUS.known[0];
        put(&format!("keys/{}.vkey", key.id()), format!("{key}\n").as_bytes());
        put(&format!("keys/{}.pem", key.id()), key.to_pem().as_bytes());
        for (index, entry) in (0..2).zip(&CORPUS.entries) {
            put(&pack::name("commits", index + 1, "json"), entry);
            let Ok(path) = CORPUS.inclusion(index, 2);
            let proof = Proof { index, path, checkpoint: CORPUS.signed(2, 1) };
            put(&pack::name("proofs", index + 1, "tlog-proof"), proof.to_string().as_bytes());
        }
        let lines = [&CORPUS.entries[0], &b"\n"[..], &CORPUS.entries[1], b"\n"].concat();
        if scope == "all" {
            put(&pack::name("commits", 1, "jsonl"), &lines);
        }
        let said = serde_json::json!({ "as_of": null, "commits": 2, "format": pack::FORMAT,
            "people": "ids", "position": 2, "scope": scope });
        put("documents/index.json", b"[]");
        put("scope.json", said.to_string().as_bytes());
        archive.finish().unwrap().0
    };
    vec![of("call:A"), of("all")]
}

pub fn request() -> Vec<Vec<u8>> {
    let pairs = SIZES.iter().flat_map(|old| SIZES.iter().map(move |size| (*old, *size)));
    let from_nothing = SIZES.iter().map(|size| (0, *size));
    let of = |(old, size)| {
        let Ok(proof) = CORPUS.consistency(old, size);
        Request { old, proof, checkpoint: CORPUS.signed(size, 2) }
    };
    bytes(pairs.filter(|(old, size)| old <= size).chain(from_nothing).map(of))
}

pub fn tile_path() -> Vec<Vec<u8>> {
    bytes([
        "tile/0/000",
        "tile/1/x001/x234/067",
        "tile/entries/000.p/1",
        "tile/entries/x018/x446/x744/x073/x709/x551/615",
        "tile/7/999",
        "tile/0/x001/000.p/255",
    ])
}

pub fn hash_tile() -> Vec<Vec<u8>> {
    let leaves: Vec<_> = CORPUS.entries.iter().map(|entry| Hash::leaf(entry)).collect();
    vec![tile::encode(&leaves[..1]), tile::encode(&leaves[..17]), tile::encode(&leaves[..256])]
}

pub fn entry_bundle() -> Vec<Vec<u8>> {
    let odd = ["", "a", "", "two\nlines"].map(Bytes::from);
    let full: Vec<_> = (0..WIDTH).map(|number| Bytes::from(number.to_string())).collect();
    let longest = [Bytes::from(vec![b'x'; ENTRY_BYTES_MAX])];
    vec![
        tile::encode_bundle(&odd),
        tile::encode_bundle(&CORPUS.entries[..3]),
        tile::encode_bundle(&full),
        tile::encode_bundle(&longest),
    ]
}

pub fn public_key() -> Vec<Vec<u8>> {
    let mut keys = bytes(&CORPUS.known);
    keys.extend(bytes([KEYS_OF_GO[0]]));
    keys
}

pub fn secret_key() -> Vec<Vec<u8>> {
    let mut keys = bytes(CORPUS.keys.iter().map(Signer::secret));
    keys.extend(bytes([KEYS_OF_GO[1]]));
    keys
}

pub fn commit() -> Vec<Vec<u8>> {
    CORPUS.entries.iter().map(|entry| entry.to_vec()).collect()
}

/// The events of the commits, one by one.
pub fn event() -> Vec<Vec<u8>> {
    let commits = CORPUS.entries.iter().map(|entry| serde_json::from_slice(entry).unwrap());
    let events =
        commits.flat_map(|commit: serde_json::Value| commit["events"].as_array().unwrap().clone());
    bytes(events)
}
