//! Copies between logs in memory that misbehave.

use super::*;
use crate::cli::failure::Exit;
use async_trait::async_trait;
use eventlog::Memory;

/// A log that takes few entries at once, or shows another entry in the place of one.
#[derive(Default)]
struct Odd {
    inner: Memory,
    group_entries_max: Option<usize>,
    shown_wrong: Option<Position>,
    /// Somebody else appends before every append.
    rival: bool,
}

#[async_trait]
impl Log for Odd {
    async fn append(&self, head: Position, entries: Vec<Bytes>) -> Result<Position, Error> {
        let limit = self.group_entries_max.unwrap_or(usize::MAX);
        if entries.len() > limit {
            return Err(Error::TooLarge { what: "entries", limit, got: entries.len() });
        }
        if self.rival {
            let actual = self.inner.head().await?;
            self.inner.append(actual, vec![Bytes::from_static(b"rival")]).await?;
        }
        self.inner.append(head, entries).await
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        let mut groups = self.inner.read(from, bytes_max).await?;
        for group in &mut groups {
            let first = group.first;
            for (position, entry) in (first..).zip(&mut group.entries) {
                if Some(position) == self.shown_wrong {
                    *entry = Bytes::from_static(b"wrong");
                }
            }
        }
        Ok(groups)
    }

    async fn head(&self) -> Result<Position, Error> {
        self.inner.head().await
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.inner.wait_for(position).await
    }
}

fn entries(first: Position, count: usize) -> Vec<Bytes> {
    (first..).take(count).map(|position| Bytes::from(format!("entry {position}"))).collect()
}

/// Groups of 1, 2, 3 ... entries.
async fn filled(groups: usize) -> Memory {
    let log = Memory::new();
    for count in 1..=groups {
        let head = log.head().await.unwrap();
        log.append(head, entries(head + 1, count)).await.unwrap();
    }
    log
}

async fn copied(from: &dyn Log, to: &dyn Log) -> Result<Copied, Failure> {
    let head = from.head().await?;
    run(from, to, head).await
}

#[tokio::test]
async fn groups_and_bytes_are_copied_and_the_digest_is_that_of_the_lines() {
    let (from, to) = (filled(5).await, Memory::new());
    let done = copied(&from, &to).await.unwrap();
    assert_eq!((done.entries, done.groups, done.head, done.split), (15, 5, 15, 0));
    assert_eq!(from.read(1, usize::MAX).await, to.read(1, usize::MAX).await);
    let lines: String = (1..=15).map(|position| format!("entry {position}\n")).collect();
    assert_eq!(done.source_sha256, Sha256Hex::of(lines.as_bytes()));
    assert_eq!(done.target_sha256, done.source_sha256);
    let again = copied(&from, &to).await.unwrap();
    assert_eq!((again.entries, again.groups), (0, 0));
    assert_eq!(again.target_sha256, done.target_sha256);
}

#[tokio::test]
async fn a_copy_goes_on_from_any_position_even_inside_a_group() {
    let from = filled(5).await;
    let whole = copied(&from, &Memory::new()).await.unwrap().target_sha256;
    for held in 0..=15 {
        let to = Memory::new();
        if held > 0 {
            to.append(0, entries(1, held)).await.unwrap();
        }
        let done = copied(&from, &to).await.unwrap();
        assert_eq!((done.entries, done.head), (15 - held as u64, 15));
        assert_eq!(done.target_sha256, whole, "{held}");
    }
}

#[tokio::test]
async fn a_group_that_is_too_large_comes_in_parts_and_an_entry_cannot() {
    let from = filled(5).await;
    let to = Odd { group_entries_max: Some(2), ..Odd::default() };
    let done = copied(&from, &to).await.unwrap();
    assert_eq!(done.split, 3);
    let groups = to.inner.read(1, usize::MAX).await.unwrap();
    let sizes: Vec<_> = groups.iter().map(|group| group.entries.len()).collect();
    assert_eq!(sizes, [1, 2, 1, 2, 2, 2, 2, 1, 2]);
    assert_eq!(done.groups, sizes.len() as u64);
    assert_eq!(done.source_sha256, done.target_sha256);

    let to = Odd { group_entries_max: Some(0), ..Odd::default() };
    let error = copied(&from, &to).await.unwrap_err();
    assert!(error.to_string().starts_with("position 1, by itself: "), "{error}");
}

#[tokio::test]
async fn what_reads_back_otherwise_is_found_and_its_first_position_named() {
    let from = filled(5).await;
    let to = Odd { shown_wrong: Some(7), ..Odd::default() };
    let done = copied(&from, &to).await.unwrap();
    assert_ne!(done.source_sha256, done.target_sha256);
    let error = check(&from, &to, &done).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Corrupt);
    assert!(error.to_string().starts_with("position 7: "), "{error}");
}

#[tokio::test]
async fn another_log_and_a_longer_one_are_left_as_they_are() {
    let from = filled(5).await;
    let other = Memory::new();
    other.append(0, [entries(1, 3), vec![Bytes::from_static(b"foreign")]].concat()).await.unwrap();
    let longer = filled(6).await;
    for (to, head, words) in [(other, 4, "at position 4"), (longer, 21, "it ends at 21")] {
        let error = copied(&from, &to).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Conflict);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(to.head().await, Ok(head));
    }
}

#[tokio::test]
async fn somebody_who_writes_to_the_target_is_noticed() {
    let to = Odd { rival: true, ..Odd::default() };
    let error = copied(&filled(2).await, &to).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Conflict);
    assert!(error.to_string().contains("somebody else writes to the target"), "{error}");
    assert_eq!(to.head().await, Ok(1));
}

#[tokio::test]
async fn a_source_that_lost_entries_ends_the_copy() {
    let error = run(&filled(2).await, &Memory::new(), 4).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Corrupt);
    assert!(error.to_string().contains("position 4 is missing"), "{error}");
}
