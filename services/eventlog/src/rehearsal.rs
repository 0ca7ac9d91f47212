//! A log for a rehearsal: it continues another one in memory, and leaves that as it is.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

use crate::log::{Error, Group, Log, Position, body_bytes};
use crate::memory::Memory;

/// Shows another log up to a position, and keeps what is appended after it as long as it lives itself.
/// What others append to the other log meanwhile is not shown.
pub struct Rehearsal {
    log: Arc<dyn Log>,
    head: Position,
    after: Memory,
}

impl Rehearsal {
    /// Continues `log` after `head`, a position that it has.
    pub fn new(log: Arc<dyn Log>, head: Position) -> Self {
        Self { log, head, after: Memory::new() }
    }

    /// The same position, counted from the beginning of the other log.
    fn place(&self, position: Position) -> Position {
        self.head + position
    }
}

#[async_trait]
impl Log for Rehearsal {
    async fn append(
        &self,
        expected_head: Position,
        entries: Vec<Bytes>,
    ) -> Result<Position, Error> {
        body_bytes(&entries)?;
        let Some(expected) = expected_head.checked_sub(self.head) else {
            return Err(Error::Conflict { expected: expected_head, actual: self.head().await? });
        };
        let appended = self.after.append(expected, entries).await;
        appended.map(|head| self.place(head)).map_err(|error| match error {
            Error::Conflict { expected, actual } => {
                Error::Conflict { expected: self.place(expected), actual: self.place(actual) }
            }
            other => other,
        })
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        let from = from.max(1);
        if from > self.head {
            let read = self.after.read(from - self.head, bytes_max).await?;
            let placed = |group: Group| Group { first: self.place(group.first), ..group };
            return Ok(read.into_iter().map(placed).collect());
        }
        let mut read = self.log.read(from, bytes_max).await?;
        read.retain(|group| group.first <= self.head);
        if let Some(last) = read.last_mut() {
            let shown = usize::try_from(self.head - last.first).unwrap_or(usize::MAX);
            last.entries.truncate(shown.saturating_add(1));
        }
        Ok(read)
    }

    async fn head(&self) -> Result<Position, Error> {
        self.after.head().await.map(|head| self.place(head))
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        let reached = self.after.wait_for(position.saturating_sub(self.head)).await;
        reached.map(|head| self.place(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, Factory};

    struct OfNothing;

    #[async_trait]
    impl Factory for OfNothing {
        async fn open(&self, _name: &str) -> Result<Arc<dyn Log>, Error> {
            Ok(Arc::new(Rehearsal::new(Arc::new(Memory::new()), 0)))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_rehearsal_keeps_the_contract() {
        contract::run(&OfNothing).await;
    }

    fn entries(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    }

    async fn all(log: &dyn Log) -> Vec<(Position, Bytes)> {
        let mut read = Vec::new();
        loop {
            let groups = log.read(read.len() as u64 + 1, 1).await.unwrap();
            if groups.is_empty() {
                return read;
            }
            let entries = groups.iter().flat_map(Group::iter);
            read.extend(entries.map(|(position, entry)| (position, entry.clone())));
        }
    }

    #[tokio::test]
    async fn what_is_rehearsed_comes_after_what_was_there_and_changes_nothing_of_it() {
        let log = Memory::new();
        log.append(0, entries(&["a"])).await.unwrap();
        log.append(1, entries(&["b", "c", "not seen"])).await.unwrap();
        let rehearsal = Rehearsal::new(Arc::new(log.clone()), 3);
        log.append(4, entries(&["not seen"])).await.unwrap();
        assert_eq!(rehearsal.head().await.unwrap(), 3);
        let conflict = |expected| Err(Error::Conflict { expected, actual: 3 });
        assert_eq!(rehearsal.append(2, entries(&["d"])).await, conflict(2));
        assert_eq!(rehearsal.append(4, entries(&["d"])).await, conflict(4));
        assert_eq!(rehearsal.append(3, entries(&["d", "e"])).await, Ok(5));
        assert_eq!(rehearsal.wait_for(5).await.unwrap(), 5);
        let expected = [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")];
        assert_eq!(all(&rehearsal).await, expected.map(|(at, text)| (at, Bytes::from(text))));
        assert_eq!(rehearsal.read(5, 1).await.unwrap()[0].first, 5);
        assert!(rehearsal.read(6, 1).await.unwrap().is_empty());
        assert_eq!(log.head().await.unwrap(), 5);
    }
}
