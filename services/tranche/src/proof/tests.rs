//! The tree beside a log: that it goes on after a stop, and that a log which was changed is refused.

use super::*;
use eventlog::contract::Scratch;
use eventlog::tlog::note::Algorithm;
use eventlog::{Memory, Sqlite};

fn key(number: u8) -> Vec<Signer> {
    vec![Signer::from_seed("log.example/a", Algorithm::Ed25519, &[number; 32]).unwrap()]
}

fn entry(number: u64) -> Bytes {
    format!("entry {number}").into()
}

async fn append(log: &dyn Log, to: u64) {
    let head = log.head().await.unwrap();
    log.append(head, (head + 1..=to).map(entry).collect()).await.unwrap();
}

async fn memory(size: u64) -> Arc<dyn Log> {
    let log = Arc::new(Memory::default());
    if size > 0 {
        append(&*log, size).await;
    }
    log
}

#[tokio::test]
async fn a_tree_goes_on_where_it_was() {
    let scratch = Scratch::new();
    let log = memory(700).await;
    let first = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
    let (checkpoint, note) = first.checkpoint().unwrap();
    assert_eq!((checkpoint.size, first.checkpoint().unwrap().1), (700, note.clone()));
    let mut check = Check::new(None);
    check.expect_all([checkpoint.clone()]);
    (1..=700).for_each(|number| check.take(&entry(number)));
    assert_eq!(check.finish(), (Vec::new(), 1));
    drop(first);
    append(&*log, 1_300).await;
    let again = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
    assert_eq!(again.checkpoint().unwrap().0.size, 1_300);
    for position in [1, 256, 257, 1_280, 1_281, 1_300] {
        let proof = again.proof(position).unwrap().unwrap();
        proof.verify(&entry(position), again.verifiers(), "log.example/a").unwrap();
    }
    assert_eq!(again.proof(0).unwrap(), None);
    assert_eq!(again.proof(1_301).unwrap(), None);
    let path = again.consistency(700, 1_300).unwrap();
    let (old, new) = ((700, checkpoint.root), (1_300, again.checkpoint().unwrap().0.root));
    tlog::verify_consistency(old, new, &path).unwrap();
}

#[tokio::test]
async fn damaged_and_missing_tiles_are_made_again() {
    let scratch = Scratch::new();
    let log = memory(1_000).await;
    let root = {
        let prover = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
        prover.checkpoint().unwrap().0.root
    };
    for damage in [&b"short"[..], &[7; tile::BYTES]] {
        std::fs::write(scratch.path().join("tile/0/001"), damage).unwrap();
        let prover = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
        assert_eq!(prover.checkpoint().unwrap().0.root, root);
    }
    std::fs::remove_dir_all(scratch.path().join("tile")).unwrap();
    let prover = Prover::open(log, scratch.path(), key(1)).await.unwrap();
    assert_eq!(prover.root(1_000).unwrap(), root);
}

/// The same log but for one entry, in a directory of its own.
async fn with_change(size: u64, changed: u64) -> Arc<dyn Log> {
    let log = Arc::new(Memory::default());
    let entries =
        (1..=size).map(|number| if number == changed { "x".into() } else { entry(number) });
    log.append(0, entries.collect()).await.unwrap();
    log
}

#[tokio::test]
async fn a_log_that_was_changed_is_found_with_the_position() {
    for changed in [1, 300, 768] {
        let scratch = Scratch::new();
        let prover = Prover::open(memory(1_000).await, scratch.path(), key(1)).await.unwrap();
        prover.checkpoint().unwrap();
        let other = with_change(1_000, changed).await;
        // Its full tiles are taken as they are at the start, and held against the log by the check.
        let prover = Prover::open(other, scratch.path(), key(1)).await.unwrap();
        let (found, held) = prover.check().await.unwrap().finish();
        assert_eq!((found[0].clone(), held), (Found::Entry(changed), 0));
        let Found::Root { size: 1_000, position, .. } = found[1] else { panic!("{found:?}") };
        assert_eq!(position, Some(changed));
    }
}

#[tokio::test]
async fn a_log_that_was_changed_at_its_end_is_not_served() {
    let scratch = Scratch::new();
    let prover = Prover::open(memory(1_000).await, scratch.path(), key(1)).await.unwrap();
    prover.checkpoint().unwrap();
    let other = with_change(1_000, 990).await;
    let error = Prover::open(other, scratch.path(), key(1)).await.err().unwrap();
    let ProofError::Rewritten(found) = error else { panic!("{error}") };
    assert!(found.to_string().contains("the first that differs is at position 990"), "{found}");
    // Without what was kept of the last leaves it is known less well.
    std::fs::remove_dir_all(scratch.path().join("leaves")).unwrap();
    let error = Prover::open(with_change(1_000, 990).await, scratch.path(), key(1)).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("at or before position 1000"), "{error}");
}

#[tokio::test]
async fn what_was_hashed_before_a_tile_was_full_is_not_replaced_by_what_differs() {
    let scratch = Scratch::new();
    // Nothing is signed: the hashes alone tell.
    drop(Prover::open(memory(1_000).await, scratch.path(), key(1)).await.unwrap());
    for size in [1_000, 1_010, 1_100] {
        let other = with_change(size, 990).await;
        let prover = Prover::open(other, scratch.path(), key(1)).await.unwrap();
        let (found, _) = prover.check().await.unwrap().finish();
        assert_eq!(found, [Found::Entry(990)], "{size}");
    }
    // A full tile that says the same takes their place.
    let same = Scratch::new();
    for size in [1_000, 1_100] {
        drop(Prover::open(memory(size).await, same.path(), key(1)).await.unwrap());
    }
    assert!(!same.path().join("leaves/3").exists() && same.path().join("leaves/4").exists());
}

#[tokio::test]
async fn a_kept_hash_is_at_fault_when_a_checkpoint_holds() {
    let scratch = Scratch::new();
    let prover = Prover::open(memory(1_000).await, scratch.path(), key(1)).await.unwrap();
    prover.checkpoint().unwrap();
    let path = scratch.path().join("tile/0/001");
    let mut tile = std::fs::read(&path).unwrap();
    tile[32] ^= 1;
    std::fs::write(&path, &tile).unwrap();
    let (found, held) = prover.check().await.unwrap().finish();
    let file = "tile/0/001".to_owned();
    assert_eq!((found, held), (vec![Found::Kept { file, position: 258, size: 1_000 }], 1));
    std::fs::write(&path, &tile[..32]).unwrap();
    let (found, _) = prover.check().await.unwrap().finish();
    assert!(found[0].to_string().starts_with("tile/0/001 is damaged: "), "{found:?}");
}

#[tokio::test]
async fn a_shorter_log_and_another_key_are_refused() {
    let scratch = Scratch::new();
    let prover = Prover::open(memory(1_000).await, scratch.path(), key(1)).await.unwrap();
    prover.checkpoint().unwrap();
    let error = Prover::open(memory(999).await, scratch.path(), key(1)).await.err().unwrap();
    assert!(matches!(error, ProofError::Shorter { head: 999, size: 1_000 }), "{error}");
    let error = Prover::open(memory(1_000).await, scratch.path(), key(2)).await.err().unwrap();
    assert!(matches!(error, ProofError::OtherKeys(_)), "{error}");
    // A new key beside the old one signs, too.
    let both = key(2).into_iter().chain(key(1)).collect();
    let log = memory(1_001).await;
    let prover = Prover::open(log, scratch.path(), both).await.unwrap();
    assert_eq!(prover.checkpoint().unwrap().1.signatures.len(), 2);
}

#[tokio::test]
async fn an_older_checkpoint_is_not_put_over_a_newer_one_of_another_process() {
    let scratch = Scratch::new();
    let log = memory(300).await;
    let late = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
    append(&*log, 301).await;
    let early = Prover::open(log, scratch.path(), key(1)).await.unwrap();
    let (_, newer) = early.checkpoint().unwrap();
    assert_eq!(late.checkpoint().unwrap().0.size, 300);
    assert_eq!(late.shelf().checkpoint().unwrap(), Some(newer.clone()));
    late.catch_up().await.unwrap();
    assert_eq!(late.checkpoint().unwrap().1, newer);
}

#[tokio::test]
async fn a_published_tree_is_complete() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Sqlite::open(&scratch.path().join("log")).unwrap());
    append(&*log, 600).await;
    let prover = Prover::open(log, &scratch.path().join("proof"), key(1)).await.unwrap();
    let site = scratch.path().join("site");
    let (head, note) = prover.checkpoint().unwrap();
    prover.publish(&site, &head, &note).await.unwrap();
    let mut check = Check::new(None);
    check.expect_all([head]);
    for (index, width) in [(0, 256), (1, 256), (2, 88)] {
        let tile = Tile { kind: Kind::Entries, index, width };
        let bundle = Bytes::from(std::fs::read(site.join(tile.to_string())).unwrap());
        for entry in tile::decode_bundle(&bundle, width).unwrap() {
            check.take(&entry);
        }
    }
    assert_eq!(check.finish(), (Vec::new(), 1));
    for path in ["checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"] {
        assert!(site.join(path).exists(), "{path}");
    }
    assert_eq!(
        prover.tile(Tile { kind: Kind::Hashes(0), index: 2, width: 89 }).await.unwrap(),
        None
    );
}

#[test]
fn a_key_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let path = scratch.path().join("key");
    let made = keys::new("log.example/a", Algorithm::Ed25519).unwrap();
    keys::save(&path, &made).unwrap();
    assert_eq!(keys::read(&path).unwrap()[0].verifier(), made.verifier());
    assert!(keys::save(&path, &made).is_err(), "nothing is overwritten");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(keys::read(&path).unwrap_err().to_string().contains("its mode is 644"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "PRIVATE+KEY+a+00000000+AAAA\n").unwrap();
    let error = keys::read(&path).unwrap_err().to_string();
    assert!(error.contains("key") && !error.contains("AAAA"), "{error}");
}

#[tokio::test]
async fn what_is_kept_of_open_tiles_is_what_the_full_ones_give() {
    // 70 000 leaves: an open tile on the first and on the second level above them.
    const SIZE: u64 = 70_000;
    let (scratch, log) = (Scratch::new(), memory(0).await);
    for to in (1..=SIZE / 1_000).map(|thousands| thousands * 1_000) {
        append(&*log, to).await;
    }
    let root = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap().root(SIZE).unwrap();
    let open = scratch.path().join("open");
    let kept = std::fs::read(&open).unwrap();
    assert!(kept.len() > 2 * Hash::BYTES);
    let opened = || async {
        let prover = Prover::open(log.clone(), scratch.path(), key(1)).await.unwrap();
        (prover.size(), prover.root(SIZE).unwrap())
    };
    assert_eq!(opened().await, (SIZE, root));
    let mut flipped = kept.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&flipped[..], &kept[..kept.len() - 1], b"", &[0; 100]] {
        std::fs::write(&open, damaged).unwrap();
        assert_eq!(opened().await, (SIZE, root));
    }
    std::fs::remove_file(&open).unwrap();
    assert_eq!(opened().await, (SIZE, root));
}
