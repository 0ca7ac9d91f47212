//! Starting again: snapshots, damaged snapshots, and the whole log.

use super::*;
use crate::engine::snapshot::Shelf;
use eventlog::Sqlite;
use eventlog::contract::Scratch;
use std::fs;
use std::path::{Path, PathBuf};

fn with_snapshots(scratch: &Scratch) -> EngineOptions {
    EngineOptions {
        snapshots: Some(scratch.path().join("snapshots")),
        snapshot_every: 10,
        ..EngineOptions::default()
    }
}

fn snapshots(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = fs::read_dir(scratch.path().join("snapshots")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn publish_many(engine: &Engine, count: usize) {
    for number in 0..count {
        let name = format!("c{number}");
        engine.submit(publish(&name, &name)).await.unwrap();
    }
    engine.submit(set_timer("t", "T", "2030-01-01T00:00:00Z", "c1")).await.unwrap();
}

/// A new engine on the log, from whatever snapshots there are: all is as it was.
async fn is_as_before(log: &Arc<dyn Log>, options: EngineOptions, before: &Digests) {
    let (engine, _hands) = open(log, options).await;
    assert_eq!(&engine.now().digests().unwrap(), before);
    assert_eq!(engine.now().next_timer(), Some(instant("2030-01-01T00:00:00Z")));
    assert!(engine.submit(publish("c3", "c3")).await.unwrap().replayed);
    assert_eq!(refused(engine.submit(publish("c3", "x")).await), "command.id_reused");
    is_true_to_its_log(&engine, log).await;
}

#[tokio::test]
async fn deleting_all_snapshots_changes_nothing_but_time() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
    publish_many(&engine, 35).await;
    let before = engine.now().digests().unwrap();
    engine.stop().await;
    let files = snapshots(&scratch);
    assert!((1..=2).contains(&files.len()), "the newest two are kept: {files:?}");
    assert!(files.last().unwrap().ends_with(format!("{:020}.snapshot", 36)));
    is_as_before(&log, with_snapshots(&scratch), &before).await;
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    is_as_before(&log, with_snapshots(&scratch), &before).await;
}

#[tokio::test]
async fn a_start_reads_the_tail_after_the_snapshot() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
    publish_many(&engine, 5).await;
    engine.stop().await;
    let (engine, _hands) = open(&log, EngineOptions::default()).await;
    engine.submit(publish("later", "later")).await.unwrap();
    let before = engine.now().digests().unwrap();
    engine.stop().await;
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&read);
    let progress: OnProgress = Arc::new(move |progress| seen.lock().unwrap().push(progress));
    let options = EngineOptions { progress: Some(progress), ..with_snapshots(&scratch) };
    is_as_before(&log, options, &before).await;
    assert_eq!(*read.lock().unwrap(), [Progress { position: 7, head: 7 }]);
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_left_alone() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
    publish_many(&engine, 5).await;
    let before = engine.now().digests().unwrap();
    engine.stop().await;
    let file = snapshots(&scratch).pop().unwrap();
    let good = fs::read(&file).unwrap();
    let text = |from: &str, to: &str| {
        let header =
            String::from_utf8_lossy(&good[..good.iter().position(|byte| *byte == b'\n').unwrap()])
                .into_owned();
        assert!(header.contains(from), "{header}");
        [header.replacen(from, to, 1).as_bytes(), &good[header.len()..]].concat()
    };
    let shapes = env!("TRANCHE_SHAPES");
    let damaged = [
        ("flipped", [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat()),
        ("cut off", good[..good.len() - 40].to_vec()),
        ("empty", Vec::new()),
        ("of another build", text(shapes, &"0".repeat(shapes.len()))),
        ("of the future", text("\"position\":6", "\"position\":7")),
        ("misplaced", text("\"position\":6", "\"position\":5")),
    ];
    for (what, bytes) in damaged {
        fs::write(&file, bytes).unwrap();
        assert!(load_one(&log, &file).is_none(), "{what}");
        is_as_before(&log, with_snapshots(&scratch), &before).await;
    }
}

fn load_one(log: &Arc<dyn Log>, file: &Path) -> Option<u64> {
    let shelf = Shelf {
        dir: file.parent().unwrap().to_owned(),
        log: Arc::clone(log),
        runtime: Handle::current(),
    };
    thread::scope(|scope| {
        let load = scope.spawn(|| shelf.load().unwrap().map(|content| content.world.position));
        load.join().unwrap()
    })
}

async fn cannot_open(log: &Arc<dyn Log>, options: EngineOptions) -> String {
    let (clock, _hands) = Clock::manual(start());
    let error = Engine::open(Arc::clone(log), clock, options).await.err().unwrap();
    error.to_string()
}

/// A log of the first commits of another.
async fn beginning(log: &Arc<dyn Log>, kept: usize) -> Arc<dyn Log> {
    let groups = log.read(1, usize::MAX).await.unwrap();
    let entries = groups.into_iter().flat_map(|group| group.entries).take(kept).collect();
    let beginning = Memory::new();
    beginning.append(0, entries).await.unwrap();
    Arc::new(beginning)
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_is_not_opened_until_a_person_says_so() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
    publish_many(&engine, 5).await;
    engine.stop().await;
    let cut = beginning(&log, 4).await;
    let error = cannot_open(&cut, with_snapshots(&scratch)).await;
    assert!(error.starts_with("position 6: ") && error.contains("the log ends at 4"), "{error}");
    assert!(error.contains("move the snapshot away"), "{error}");
    let dir = scratch.path().join("snapshots");
    let found = check_snapshots(Arc::clone(&cut), dir.clone()).await.unwrap().findings;
    assert_eq!(found[0].0, Some(6), "{found:?}");
    let follower = Follower::open(Arc::clone(&cut), Some(dir.clone()), None).await;
    assert!(matches!(follower.err(), Some(OpenError::TailLost(_))), "readers are told too");
    // On purpose.
    fs::rename(&dir, scratch.path().join("away")).unwrap();
    let (engine, _hands) = open(&cut, with_snapshots(&scratch)).await;
    assert_eq!(engine.now().position(), 4);
}

#[tokio::test]
async fn a_snapshot_that_is_not_what_a_replay_gives_is_found() {
    let scratch = Scratch::new();
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
    publish_many(&engine, 5).await;
    engine.stop().await;
    let dir = scratch.path().join("snapshots");
    let good = check_snapshots(Arc::clone(&log), dir.clone()).await.unwrap();
    assert_eq!(good, SnapshotCheck { compared: 1, findings: Vec::new() });
    // Another figure, with a digest that fits it: as a fold that went wrong would have written it.
    let file = snapshots(&scratch).pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let at = body.windows(9).position(|window| window == b"EUR 10.00").unwrap();
    let mut other = body.to_vec();
    other[at + 4] = b'9';
    let digest = |bytes: &[u8]| domain::kernel::canonical::Sha256Hex::of(bytes).to_string();
    let header = String::from_utf8_lossy(header).replace(&digest(body), &digest(&other));
    fs::write(&file, [header.as_bytes(), b"\n", &other].concat()).unwrap();
    let bad = check_snapshots(log, dir).await.unwrap();
    assert_eq!((bad.compared, bad.findings.len()), (1, 1));
    let (position, what) = &bad.findings[0];
    assert!(*position == Some(6) && what.contains("another world"), "{what}");
}

#[tokio::test]
async fn a_snapshot_of_another_log_stops_the_start() {
    let scratch = Scratch::new();
    let (engine, _hands) =
        open(&(Arc::new(Memory::new()) as Arc<dyn Log>), with_snapshots(&scratch)).await;
    publish_many(&engine, 5).await;
    engine.stop().await;
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, EngineOptions::default()).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        engine.submit(publish(name, name)).await.unwrap();
    }
    engine.stop().await;
    let error = cannot_open(&log, with_snapshots(&scratch)).await;
    assert!(error.contains("the log has another commit there"), "{error}");
}

#[tokio::test]
async fn the_log_in_sqlite_is_free_after_the_last_handle() {
    let scratch = Scratch::new();
    for round in 1..=3 {
        let log: Arc<dyn Log> = Arc::new(Sqlite::open(scratch.path()).unwrap());
        let (engine, _hands) = open(&log, with_snapshots(&scratch)).await;
        let name = format!("c{round}");
        let receipt = engine.submit(publish(&name, &name)).await.unwrap();
        assert_eq!(receipt.position, Some(round));
        engine.stop().await;
    }
}

#[tokio::test]
async fn an_entry_that_is_not_a_commit_stops_the_start_and_is_named() {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, _hands) = open(&log, EngineOptions::default()).await;
    engine.submit(publish("c1", "A")).await.unwrap();
    engine.stop().await;
    log.append(1, vec!["{}".into()]).await.unwrap();
    let (clock, _hands) = Clock::manual(start());
    let error = Engine::open(log, clock, EngineOptions::default()).await.err().unwrap();
    assert!(error.to_string().starts_with("position 2:"), "{error}");
}
