//! Against another implementation of RFC 6962, against the examples of the specifications, and every way
//! in which a proof can be wrong. Programs in other languages are asked in `tests/proof`.

use super::note::{Algorithm, Note, Signer, Verifier};
use super::tile::{self, Kind, Tile, Tiles};
use super::*;
use bytes::Bytes;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use std::collections::HashMap;

/// A tree of entries `0`, `1`, `2` and so on, with its tiles, as one that grew leaf by leaf.
struct Grown {
    builder: Builder,
    tiles: HashMap<Tile, Vec<Hash>>,
    other: MemoryBackedTree<Sha256, Vec<u8>>,
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

impl Grown {
    fn new(size: u64) -> Grown {
        let mut grown = Grown {
            builder: Builder::default(),
            tiles: HashMap::new(),
            other: MemoryBackedTree::new(),
        };
        grown.grow(size);
        grown
    }

    fn grow(&mut self, size: u64) {
        for number in self.builder.size()..size {
            let keep = |tile: Tile, hashes: &[Hash]| {
                let before = self.tiles.insert(tile, hashes.to_vec());
                assert_eq!(before, None, "{tile} is filled once");
                Ok::<_, Error>(())
            };
            self.builder.push(Hash::leaf(&entry(number)), keep).unwrap();
            self.other.push(entry(number));
        }
    }

    fn read(&self, tile: Tile) -> Result<Vec<Hash>, Error> {
        let full = self.tiles.get(&Tile { width: tile::WIDTH, ..tile });
        let found = full.map(Vec::as_slice).or_else(|| self.builder.open(tile));
        found.map(<[_]>::to_vec).ok_or_else(|| Error::format("test", format!("no {tile}")))
    }

    fn tree(&self) -> Tiles<impl Fn(Tile) -> Result<Vec<Hash>, Error>> {
        Tiles(|tile| self.read(tile))
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    tile::decode(bytes, (bytes.len() / Hash::BYTES) as u64).unwrap()
}

#[test]
fn roots_and_proofs_are_those_of_another_implementation() {
    let mut grown = Grown::new(0);
    assert_eq!(grown.builder.root(), Hash::empty());
    let mut sizes: Vec<u64> = (1..=70).collect();
    sizes.extend([255, 256, 257, 511, 512, 513, 1_000, 65_535, 65_536, 65_537, 66_000]);
    let mut last = 0;
    for size in sizes {
        grown.grow(size);
        let root = Hash(grown.other.root().as_bytes()[..].try_into().unwrap());
        assert_eq!(grown.builder.root(), root, "{size}");
        assert_eq!(grown.tree().root(size).unwrap(), root, "{size}");
        for leaf in [0, size / 3, size / 2, size - 1] {
            let path = grown.tree().inclusion(leaf, size).unwrap();
            let theirs = grown.other.prove_inclusion(usize::try_from(leaf).unwrap());
            assert_eq!(path, hashes(theirs.as_bytes()), "{leaf} of {size}");
            verify_inclusion(leaf, Hash::leaf(&entry(leaf)), size, root, &path).unwrap();
        }
        if last > 0 {
            let path = grown.tree().consistency(last, size).unwrap();
            let theirs = grown.other.prove_consistency(usize::try_from(size - last).unwrap());
            assert_eq!(path, hashes(theirs.as_bytes()), "{last} to {size}");
            let old = grown.tree().root(last).unwrap();
            verify_consistency((last, old), (size, root), &path).unwrap();
        }
        last = size;
    }
}

#[test]
fn a_tree_goes_on_from_its_full_tiles() {
    let whole = Grown::new(66_300);
    for full in [0, 256, 512, 65_024, 65_280, 65_536, 66_048] {
        let full_only = |tile| {
            let full = whole.tiles.get(&Tile { width: tile::WIDTH, ..tile });
            full.cloned().ok_or_else(|| Error::format("test", format!("{tile} is open")))
        };
        // Whatever was kept of the open tiles above the leaves: nothing, a beginning, all.
        let mut before = Builder::default();
        for number in 0..full {
            before.push(Hash::leaf(&entry(number)), |_, _| Ok::<_, Error>(())).unwrap();
        }
        let above: Vec<_> = before.open_above().collect();
        let kept = |tile: Tile| {
            let (_, hashes) = above.iter().find(|(one, _)| *one == tile).expect("it is open");
            hashes[..hashes.len() * usize::try_from(full / 256 % 3).unwrap() / 2].to_vec()
        };
        let mut again = Builder::resume(full, full_only, kept).unwrap();
        for number in full..whole.builder.size() {
            let same = |tile: Tile, hashes: &[Hash]| {
                assert_eq!(whole.tiles[&tile], hashes, "{tile}");
                Ok::<_, Error>(())
            };
            again.push(Hash::leaf(&entry(number)), same).unwrap();
        }
        assert_eq!(again.root(), whole.builder.root(), "{full}");
        for tile in Tile::all(whole.builder.size()).filter(|tile| tile.width < tile::WIDTH) {
            assert_eq!(again.open(tile), whole.builder.open(tile), "{tile}");
        }
    }
}

#[test]
fn the_tiles_of_a_tree_are_those_of_the_specification() {
    let count = |size, kind, full: bool| {
        let of_kind = Tile::all(size).filter(|tile| tile.kind == kind);
        of_kind.filter(|tile| (tile.width == tile::WIDTH) == full).count()
    };
    // Its example.
    let size = 70_000;
    assert_eq!((count(size, Kind::Hashes(0), true), count(size, Kind::Hashes(0), false)), (273, 1));
    assert_eq!((count(size, Kind::Hashes(1), true), count(size, Kind::Hashes(1), false)), (1, 1));
    assert_eq!((count(size, Kind::Hashes(2), true), count(size, Kind::Hashes(2), false)), (0, 1));
    let widths: Vec<_> =
        Tile::all(size).map(|tile| tile.width).filter(|width| *width < 256).collect();
    assert_eq!(widths, [112, 112, 17, 1], "of the bundle, and of three levels");
    assert_eq!(count(256, Kind::Hashes(1), false), 1, "a full tile has a parent of its own");
    assert_eq!(Tile::all(0).count(), 0);
    let tile = Tile { kind: Kind::Hashes(1), index: 1_234_067, width: 256 };
    assert_eq!(tile.to_string(), "tile/1/x001/x234/067");
    for path in
        ["tile/1/x001/x234/067", "tile/entries/000.p/1", "tile/7/999", "tile/0/x001/000.p/255"]
    {
        assert_eq!(Tile::parse(path).unwrap().to_string(), path);
    }
    for path in [
        "tile/0/1",
        "tile/00/001",
        "tile/8/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x01/000",
        "tile/0/+01",
        "tile/0/",
        "tile/-1/000",
        "tile/0/000.p/",
        "/tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(Tile::parse(path).is_err(), "{path}");
    }
}

#[test]
fn a_bundle_holds_its_entries() {
    let entries = ["", "a", "two\nlines"].map(Bytes::from);
    let bundle = Bytes::from(tile::encode_bundle(&entries));
    assert_eq!(&bundle[..5], b"\0\0\0\x01a");
    assert_eq!(tile::decode_bundle(&bundle, 3).unwrap(), entries);
    for (bytes, width) in [(bundle.clone(), 2), (bundle.clone(), 4), (bundle.slice(..4), 2)] {
        assert!(tile::decode_bundle(&bytes, width).is_err(), "{width}");
    }
}

fn signer(name: &str, number: u8) -> Signer {
    Signer::from_seed(name, Algorithm::Ed25519, &[number; 32]).unwrap()
}

/// The example of `golang.org/x/mod/sumdb/note`, as its documentation prints it.
#[test]
fn a_note_of_another_program_is_verified() {
    let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let known = [Verifier::parse(vkey).unwrap()];
    assert_eq!(known[0].to_string(), vkey);
    let parsed = Note::parse(note).unwrap();
    assert_eq!(parsed.verified(&known).unwrap(), [&known[0]]);
    assert_eq!(parsed.to_string(), note);
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let key = Signer::parse(secret).unwrap();
    assert_eq!((key.secret().as_str(), key.verifier()), (secret, &known[0]));
    let mut ours = Note::new(&*parsed.text).unwrap();
    ours.sign(&key);
    assert_eq!(ours, parsed, "Ed25519 signs the same text the same way");
}

#[test]
fn signatures_of_strangers_are_ignored_and_wrong_ones_refused() {
    let (ours, other) = (signer("log.example", 1), signer("log.example", 2));
    let mut note = Note::new("text\n").unwrap();
    note.sign(&other);
    let known = [ours.verifier().clone()];
    assert!(note.verified(&known).unwrap_err().to_string().contains("no known key has signed"));
    note.sign(&ours);
    note.sign(&ours);
    assert_eq!(note.signatures.len(), 2, "a key signs once");
    assert_eq!(note.verified(&known).unwrap().len(), 1);
    note.signatures[1].bytes[3] ^= 1;
    let error = note.verified(&known).unwrap_err();
    assert_eq!(error, Error::Signature("that of log.example is wrong".to_owned()));
    for text in ["", "no end", "a\ttab\n"] {
        assert!(Note::new(text).is_err(), "{text:?}");
    }
    for note in [
        "",
        "text\n",
        "text\n\n",
        "text\n\nx\n",
        "text\n\n— a b\n",
        "text\n\n— a AAAA",
        "text\n\n— a+b AAAAAA==\n",
    ] {
        assert!(Note::parse(note).is_err(), "{note:?}");
    }
    let many = format!("text\n\n{}", "— a AAAAAAA=\n".repeat(note::SIGNATURES_MAX + 1));
    assert!(Note::parse(&many).unwrap_err().to_string().contains("more than 64"));
}

#[test]
fn a_checkpoint_has_three_lines() {
    let root = Hash::leaf(b"x");
    let good = format!("log.example/a\n12\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().to_string(), good);
    for bad in [
        format!("log.example/a\n012\n{root}\n"),
        format!("log.example/a\n-1\n{root}\n"),
        format!("\n12\n{root}\n"),
        format!("log.example/a\n12\n{root}\nmore\n"),
        "log.example/a\n12\nAAAA\n".to_owned(),
        "log.example/a\n12\n".to_owned(),
        good.trim_end().to_owned(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
}

/// A log of some size, with its key.
struct Published {
    grown: Grown,
    key: Signer,
}

impl Published {
    fn new(size: u64) -> Published {
        Published { grown: Grown::new(size), key: signer("log.example/a", 7) }
    }

    fn checkpoint(&self, size: u64) -> Note {
        let root = self.grown.tree().root(size).unwrap();
        let head = Checkpoint { origin: "log.example/a".to_owned(), size, root };
        let mut note = Note::new(head.to_string()).unwrap();
        note.sign(&self.key);
        note
    }

    fn proof(&self, index: u64, size: u64) -> Proof {
        let path = self.grown.tree().inclusion(index, size).unwrap();
        Proof { index, path, checkpoint: self.checkpoint(size) }
    }

    fn request(&self, old: u64, size: u64) -> cosign::Request {
        let proof = self.grown.tree().consistency(old, size).unwrap();
        cosign::Request { old, proof, checkpoint: self.checkpoint(size) }
    }
}

#[test]
fn a_proof_holds_for_its_entry_only() {
    let log = Published::new(1_000);
    let known = [log.key.verifier().clone()];
    let text = log.proof(73, 1_000).to_string();
    let proof = Proof::parse(&text).unwrap();
    assert_eq!(proof.verify(&entry(73), &known, "log.example/a").unwrap().size, 1_000);
    assert_eq!(proof.verify(&entry(74), &known, "log.example/a"), Err(Error::Root));
    assert!(proof.verify(&entry(73), &known, "log.example/b").is_err());
    assert!(
        proof.verify(&entry(73), &[signer("x", 1).verifier().clone()], "log.example/a").is_err()
    );
    let with_extra = text.replacen("@v1\n", "@v1\nextra AAAA\n", 1);
    assert_eq!(Proof::parse(&with_extra).unwrap(), proof);
    for (from, to) in
        [("@v1", "@v2"), ("index 73", "index 073"), ("\n\n", "\n"), ("index", "indeks")]
    {
        assert!(Proof::parse(&text.replacen(from, to, 1)).is_err(), "{from} to {to}");
    }
    let many = text.replacen(
        "\n\n",
        &format!("\n{}\n\n", [&*Hash::empty().to_string(); 60].join("\n")),
        1,
    );
    assert!(Proof::parse(&many).unwrap_err().to_string().contains("more than 64"));
}

#[test]
fn a_witness_signs_what_grows_and_nothing_else() {
    let log = Published::new(600);
    let known = [log.key.verifier().clone()];
    let witness = Signer::from_seed("witness.example", Algorithm::Cosignature, &[9; 32]).unwrap();
    let judge =
        |request: &cosign::Request, seen| request.judge(&request.head().unwrap(), &known, seen);
    let first = log.request(0, 300);
    let seen = judge(&first, None).unwrap();
    assert_eq!(seen, (300, log.grown.tree().root(300).unwrap()));
    let next = cosign::Request::parse(&log.request(300, 600).to_string()).unwrap();
    assert_eq!(judge(&next, Some(seen)).unwrap().0, 600);
    assert_eq!(judge(&log.request(300, 300), Some(seen)).unwrap(), seen, "once more the same");
    assert_eq!(judge(&log.request(200, 600), Some(seen)), Err(cosign::Refusal::Stale(300)));
    assert_eq!(judge(&log.request(0, 600), Some(seen)), Err(cosign::Refusal::Stale(300)));
    let mut backwards = log.request(100, 300);
    backwards.old = 301;
    assert_eq!(judge(&backwards, Some(seen)), Err(cosign::Refusal::Backwards));
    let mut wrong = next.clone();
    wrong.proof[0].0[0] ^= 1;
    assert_eq!(judge(&wrong, Some(seen)), Err(cosign::Refusal::Inconsistent { old: 300 }));
    let (size, sent) = (300, seen.1);
    let split = judge(&log.request(300, 300), Some((300, Hash::empty())));
    assert_eq!(split, Err(cosign::Refusal::Split { size, seen: Hash::empty(), sent }));

    let lines = note::parse_signatures(&next.signed(&witness, 1_700_000_000)).unwrap();
    let time = witness.verifier().verify(&next.checkpoint.text, &lines[0]).unwrap();
    assert_eq!(time, Some(1_700_000_000));
    assert!(witness.verifier().verify("another\n", &lines[0]).is_err());
    let vkey = witness.verifier().to_string();
    assert_eq!(&Verifier::parse(&vkey).unwrap(), witness.verifier());
}

/// The example of c2sp.org/tlog-cosignature does not come with its keys; its request can be read.
#[test]
fn the_example_of_a_request_is_read() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let signature = "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=";
    let proof = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=";
    let body = format!(
        "old 20852014\n{proof}\n\nexample.com/behind-the-sofa\n20852163\n{root}\n\n{signature}\n"
    );
    let request = cosign::Request::parse(&body).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 2));
    assert_eq!(request.head().unwrap().size, 20_852_163);
    assert_eq!(request.to_string(), body);
}

proptest! {
    /// Whatever one bit of a proof, of the hashes or of the sizes is changed: it does not hold any more.
    #[test]
    fn a_changed_bit_is_refused(size in 2_u64..600, leaf in 0_u64..600, old in 1_u64..600, bit in 0_usize..256, at in 0_usize..64) {
        let (leaf, old) = (leaf % size, 1 + old % (size - 1));
        let grown = Grown::new(size);
        let root = grown.builder.root();
        let flip = |hash: Hash| {
            let mut hash = hash;
            hash.0[bit / 8] ^= 1 << (bit % 8);
            hash
        };
        let hash = Hash::leaf(&entry(leaf));
        let path = grown.tree().inclusion(leaf, size).unwrap();
        prop_assert_eq!(verify_inclusion(leaf, hash, size, root, &path), Ok(()));
        let mut changed = path.clone();
        let place = at % path.len();
        changed[place] = flip(changed[place]);
        prop_assert!(verify_inclusion(leaf, hash, size, root, &changed).is_err());
        prop_assert!(verify_inclusion(leaf, flip(hash), size, root, &path).is_err());
        prop_assert!(verify_inclusion(leaf, hash, size, flip(root), &path).is_err());
        prop_assert!(verify_inclusion(leaf ^ 1, hash, size, root, &path).is_err());
        prop_assert!(verify_inclusion(leaf, hash, size, root, &path[1..]).is_err());

        let before = grown.tree().root(old).unwrap();
        let path = grown.tree().consistency(old, size).unwrap();
        prop_assert_eq!(verify_consistency((old, before), (size, root), &path), Ok(()));
        let mut changed = path.clone();
        let place = at % path.len();
        changed[place] = flip(changed[place]);
        prop_assert!(verify_consistency((old, before), (size, root), &changed).is_err());
        prop_assert!(verify_consistency((old, flip(before)), (size, root), &path).is_err());
        prop_assert!(verify_consistency((old, before), (size, flip(root)), &path).is_err());
        prop_assert!(verify_consistency((old, before), (size, root), &path[1..]).is_err());
    }

    /// Whatever comes from outside is read or refused, and what was read is written the same.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*(\\n\\PC*){0,6}(\\n\\n(— [a-z+]{0,3} [A-Za-z0-9+/=]{0,12}\\n){0,3})?") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), &*text);
        }
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_string(), &*text);
        }
        let _ = (Proof::parse(&text), cosign::Request::parse(&text), Verifier::parse(&text));
        let _ = (Signer::parse(&text), Tile::parse(&text), tile::decode_bundle(&text.clone().into(), 1));
    }
}

#[test]
fn a_quorum_counts_each_witness_once_and_only_what_it_has_cosigned() {
    let log = Published::new(10);
    let witness = |name: &str, seed| Signer::from_seed(name, Algorithm::Cosignature, &[seed; 32]);
    let witnesses = [witness("w1", 1), witness("w1", 2), witness("w2", 3), witness("w3", 4)];
    let witnesses = witnesses.map(Result::unwrap);
    let mut known: Vec<_> = witnesses.iter().map(|one| one.verifier().clone()).collect();
    // A key of the log is no witness, whoever says so.
    known.push(log.key.verifier().clone());
    let mut note = log.checkpoint(10);
    assert!(cosign::quorum(&note, &known, 1).is_err());
    for (number, one) in witnesses[..3].iter().enumerate() {
        note.add(one.sign(&note.text, 100 + number as u64)).unwrap();
    }
    assert_eq!(cosign::cosigned(&note, &known), [("w1", 101), ("w2", 102)].into());
    assert!(cosign::quorum(&note, &known, 2).is_ok());
    let error = cosign::quorum(&note, &known, 3).unwrap_err().to_string();
    assert!(error.contains("cosigned by w1, w2"), "{error}");
    // Its cosignature of another tree is none of this one.
    note.add(witnesses[3].sign(&log.checkpoint(9).text, 200)).unwrap();
    assert!(cosign::quorum(&note, &known, 3).is_err());
    let lines = note.signatures.len();
    note.add(witnesses[3].sign(&note.text, 200)).unwrap();
    assert_eq!((note.signatures.len(), cosign::cosigned(&note, &known).len()), (lines, 3));
    assert_eq!(Note::parse(&note.to_string()).unwrap(), note);
}

#[test]
fn a_witness_reads_the_checkpoints_of_other_logs_too() {
    let text = format!("a\n7\n{}\nextended\nonce more\n", Hash::empty());
    assert_eq!(Checkpoint::parse_head(&text).unwrap().1, 2);
    assert!(Checkpoint::parse(&text).is_err());
    assert!(Checkpoint::parse_head(&text.replace("extended", "")).is_err());
    assert_eq!(cosign::parse_size("12\n"), Ok(12));
    for bad in ["12", "012\n", "-1\n", "\n", "12\n\n"] {
        assert!(cosign::parse_size(bad).is_err(), "{bad:?}");
    }
}
