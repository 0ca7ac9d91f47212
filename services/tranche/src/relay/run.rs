//! Following the log: from the end of the stream on, batch by batch, through outages.

use super::message::{self, Message};
use super::publish::{Published, publish};
use super::{BATCH_EVENTS_MAX, Metrics, PAUSE_MAX, PAUSE_MIN, RelayError, YIELD_PAUSE, stream};
use domain::Commit;
use eventlog::nats::wire::Wire;
use eventlog::{Log, Position, READ_BYTES};
use std::sync::Arc;
use tokio::time::sleep;

/// A relay from a log to the stream `STREAM-events`.
pub struct Relay {
    log: Arc<dyn Log>,
    name: String,
    wire: Wire,
    replicas: usize,
    metrics: Metrics,
}

/// How far a relay came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// The last position whose events are in the stream.
    pub position: Position,
    /// How many events are in the stream up to there, expired ones too.
    pub sequence: u64,
    /// How many of them this relay has seen acknowledged.
    pub events: u64,
}

/// Relays until `stop` is done, or for ever; outages are waited for.
///
/// # Errors
/// What no waiting helps against.
pub async fn run(relay: &Relay, stop: impl Future<Output = ()>) -> Result<(), RelayError> {
    tokio::select! {
        () = stop => Ok(()),
        ended = relay.until(None) => ended.map(|_| ()),
    }
}

impl Relay {
    /// A relay of `log`, over the connection of the log's own stream.
    #[must_use]
    pub fn new(wire: &Wire, replicas: usize, log: Arc<dyn Log>, metrics: Metrics) -> Self {
        let name = wire.stream().to_owned();
        let wire = wire.for_stream(format!("{name}-events"));
        Self { log, name, wire, replicas, metrics }
    }

    /// Relays up to the head of the log as it is now.
    ///
    /// # Errors
    /// What no waiting helps against.
    pub async fn once(&self) -> Result<Relayed, RelayError> {
        let head = self.log.head().await?;
        self.until(Some(head)).await
    }

    /// Deletes what was relayed. The next run begins at position 1.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self) -> Result<(), RelayError> {
        stream::delete(&self.wire).await
    }

    /// Relays up to a position, or without an end.
    async fn until(&self, last: Option<Position>) -> Result<Relayed, RelayError> {
        let mut reached = Relayed::default();
        let mut pause = PAUSE_MIN;
        loop {
            let before = reached.sequence;
            match self.follow(last, &mut reached).await {
                Ok(Published::Stored) => return Ok(reached),
                Ok(Published::Fenced) => {
                    tracing::info!("another relay was faster");
                    sleep(YIELD_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    self.metrics.failures.inc();
                    if !error.is_outage() {
                        tracing::error!(%error, "the relay stops");
                        return Err(error);
                    }
                    tracing::warn!(%error, "the relay tries again");
                }
            }
            if reached.sequence > before {
                pause = PAUSE_MIN;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Relays from the end of the stream on, until `last` or a failure.
    async fn follow(
        &self,
        last: Option<Position>,
        reached: &mut Relayed,
    ) -> Result<Published, RelayError> {
        stream::prepare(&self.wire, &self.name, self.replicas).await?;
        (reached.position, reached.sequence) = self.resume().await?;
        let mut head = self.log.head().await?;
        loop {
            self.metrics.reached(reached.position, head);
            if last.is_some_and(|last| reached.position >= last) {
                return Ok(Published::Stored);
            }
            let next = reached.position + 1;
            if head < next {
                head = self.log.wait_for(next).await?;
            }
            for batch in batches(self.read(next).await?) {
                match publish(&self.wire, reached.sequence, &batch).await? {
                    Published::Fenced => return Ok(Published::Fenced),
                    Published::Stored => {}
                }
                let events = batch.len() as u64;
                reached.sequence += events;
                reached.events += events;
                reached.position = batch.last().map_or(reached.position, |last| last.position);
                self.metrics.events.inc_by(events);
                head = head.max(reached.position);
                self.metrics.reached(reached.position, head);
            }
        }
    }

    async fn read(&self, from: Position) -> Result<Vec<Vec<Message>>, RelayError> {
        let mut commits = Vec::new();
        for group in self.log.read(from, READ_BYTES).await? {
            for (position, entry) in group.iter() {
                let commit = decode(position, entry)?;
                let messages = message::messages(&self.name, &commit);
                let why = |error: serde_json::Error| unreadable(position, &error);
                commits.push(messages.map_err(why)?);
            }
        }
        Ok(commits)
    }

    /// Where the stream ends: the position in the log and the number of its last message.
    async fn resume(&self) -> Result<(Position, u64), RelayError> {
        let end = stream::end(&self.wire).await?;
        let Some(last) = end.last else {
            return Ok((self.count(end.sequence).await?, end.sequence));
        };
        let head = self.log.head().await?;
        if last.position > head {
            return Err(RelayError::AheadOfLog { relayed: last.position, head });
        }
        let groups = self.log.read(last.position, 1).await?;
        let entry = groups.first().and_then(|group| group.entries.first());
        let entry = entry.ok_or(RelayError::AheadOfLog { relayed: last.position, head })?;
        let found = decode(last.position, entry)?.commit_id.to_string();
        if found != last.commit {
            let (position, relayed) = (last.position, last.commit);
            return Err(RelayError::OtherLog { position, found, relayed });
        }
        if last.index != last.count {
            return Err(self.foreign(end.sequence));
        }
        Ok((last.position, end.sequence))
    }

    /// The position whose last event is event `sequence` of the log: for a stream whose messages have
    /// all expired.
    async fn count(&self, sequence: u64) -> Result<Position, RelayError> {
        let (mut position, mut events) = (0, 0);
        while events < sequence {
            let groups = self.log.read(position + 1, READ_BYTES).await?;
            if groups.is_empty() {
                return Err(RelayError::AheadOfLog { relayed: position + 1, head: position });
            }
            for (at, entry) in groups.iter().flat_map(eventlog::Group::iter) {
                if events < sequence {
                    events += decode(at, entry)?.events.len() as u64;
                    position = at;
                }
            }
        }
        if events == sequence { Ok(position) } else { Err(self.foreign(sequence)) }
    }

    fn foreign(&self, sequence: u64) -> RelayError {
        RelayError::Foreign { stream: self.wire.stream().to_owned(), sequence }
    }
}

/// Whole commits, as many as fit into a batch.
fn batches(commits: Vec<Vec<Message>>) -> Vec<Vec<Message>> {
    let mut batches: Vec<Vec<Message>> = Vec::new();
    for commit in commits {
        match batches.last_mut() {
            Some(batch) if batch.len() + commit.len() <= BATCH_EVENTS_MAX => batch.extend(commit),
            _ => batches.push(commit),
        }
    }
    batches
}

fn decode(position: Position, entry: &[u8]) -> Result<Commit, RelayError> {
    Commit::decode(entry).map_err(|error| unreadable(position, &error))
}

fn unreadable(position: Position, why: &dyn std::fmt::Display) -> RelayError {
    RelayError::Unreadable { position, why: why.to_string() }
}
