//! A log in memory, for tests, simulations and demonstrations. Its clones are one log.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::log::{Error, Group, Log, Position, body_bytes};

/// A log that lasts as long as its last clone.
#[derive(Clone, Debug)]
pub struct Memory {
    groups: Arc<watch::Sender<Vec<Group>>>,
}

impl Memory {
    /// Makes an empty log.
    pub fn new() -> Memory {
        Memory { groups: Arc::new(watch::Sender::new(Vec::new())) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

#[async_trait]
impl Log for Memory {
    async fn append(
        &self,
        expected_head: Position,
        entries: Vec<Bytes>,
    ) -> Result<Position, Error> {
        body_bytes(&entries)?;
        let mut result = Ok(0);
        self.groups.send_if_modified(|groups| {
            let actual = head(groups);
            if actual != expected_head {
                result = Err(Error::Conflict { expected: expected_head, actual });
                return false;
            }
            groups.push(Group { first: actual + 1, entries });
            result = Ok(head(groups));
            true
        });
        result
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        let from = from.max(1);
        let groups = self.groups.borrow();
        let begin = groups.partition_point(|group| group.last() < from);
        let mut bytes = 0;
        let mut read = Vec::new();
        for group in &groups[begin..] {
            bytes += group.entries.iter().map(|entry| entry.len() + 1).sum::<usize>() - 1;
            if bytes > bytes_max && !read.is_empty() {
                break;
            }
            read.push(group.clone().trimmed(from));
        }
        Ok(read)
    }

    async fn head(&self) -> Result<Position, Error> {
        Ok(head(&self.groups.borrow()))
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        let mut groups = self.groups.subscribe();
        let reached = groups.wait_for(|groups| head(groups) >= position).await;
        // The sender lives in `self`, so the channel cannot be closed while we wait.
        reached.map(|groups| head(&groups)).map_err(|closed| Error::Unavailable(closed.to_string()))
    }
}

fn head(groups: &[Group]) -> Position {
    groups.last().map_or(0, Group::last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, Factory};

    struct InMemory;

    #[async_trait]
    impl Factory for InMemory {
        async fn open(&self, _name: &str) -> Result<Arc<dyn Log>, Error> {
            Ok(Arc::new(Memory::new()))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_contract() {
        contract::run(&InMemory).await;
    }
}
