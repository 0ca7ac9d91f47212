//! An event store for the `cqrs-es` framework on any [`Log`], for those who bring aggregates of
//! their own.
//!
//! It replaces the stores of `cqrs-es` 0.5, whose snapshot modes and `MemStore` lose or mix events.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use cqrs_es::{
    Aggregate, AggregateContext, AggregateError, DomainEvent, EventEnvelope, EventStore,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::log::{Error, Log, Position, READ_BYTES};

/// How often a commit is tried again because others moved the head of the log meanwhile.
const HEAD_CONFLICTS_MAX: u32 = 64;

/// An entry: the events of one command, on one aggregate.
#[derive(Serialize, Deserialize)]
struct Record {
    // In the order of the alphabet, as canonical JSON has it.
    aggregate_id: String,
    aggregate_type: String,
    events: Vec<RecordedEvent>,
    first_sequence: usize,
    metadata: BTreeMap<String, String>,
}

/// One event of a [`Record`].
#[derive(Serialize, Deserialize)]
struct RecordedEvent {
    event_type: String,
    event_version: String,
    payload: Value,
}

/// An event store for the aggregates of type `A` on a log, which stores of other aggregate types may
/// share. Clones share one cache.
///
/// - All events of one command are one entry, so they are stored all or none.
/// - A commit is refused with [`AggregateError::AggregateConflict`] when its aggregate has events
///   that the decision did not see. Commits on other aggregates do not disturb it.
/// - [`AggregateError::DatabaseConnectionError`] says nothing about whether the events were stored;
///   loading the aggregate tells.
/// - The state of every aggregate, and eight bytes for each of its entries, stay in memory. The cache
///   has no limit. It is folded from the log once, and then follows it.
/// - Commits are appended one after the other, each with a sync of its own.
pub struct CqrsStore<A: Aggregate> {
    shared: Arc<Shared<A>>,
}

struct Shared<A: Aggregate> {
    log: Arc<dyn Log>,
    upcasters: Vec<Box<dyn EventUpcaster>>,
    cache: Mutex<Cache<A>>,
}

/// Everything up to a position, folded.
struct Cache<A> {
    position: Position,
    aggregates: HashMap<String, Cached<A>>,
}

/// One aggregate: its state, the number of its events, and where they are.
struct Cached<A> {
    state: A,
    sequence: usize,
    entries: Vec<Position>,
}

/// An aggregate on which a command is being decided.
pub struct Loaded<A> {
    id: String,
    state: A,
    sequence: usize,
}

impl<A: Aggregate> AggregateContext<A> for Loaded<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.state
    }
}

type Outcome<T, A> = Result<T, AggregateError<<A as Aggregate>::Error>>;

impl<A: Aggregate> Clone for CqrsStore<A> {
    fn clone(&self) -> Self {
        CqrsStore { shared: self.shared.clone() }
    }
}

impl<A: Aggregate + Clone> CqrsStore<A> {
    /// Makes a store on `log`. Nothing is read before the first aggregate is loaded.
    pub fn new(log: Arc<dyn Log>) -> CqrsStore<A> {
        CqrsStore::with_upcasters(log, Vec::new())
    }

    /// Makes a store that passes old events through `upcasters`, in this order, whenever it reads them.
    pub fn with_upcasters(
        log: Arc<dyn Log>,
        upcasters: Vec<Box<dyn EventUpcaster>>,
    ) -> CqrsStore<A> {
        let cache = Mutex::new(Cache { position: 0, aggregates: HashMap::new() });
        CqrsStore { shared: Arc::new(Shared { log, upcasters, cache }) }
    }
}

impl<A: Aggregate + Clone> EventStore<A> for CqrsStore<A> {
    type AC = Loaded<A>;

    async fn load_events(&self, aggregate_id: &str) -> Outcome<Vec<EventEnvelope<A>>, A> {
        let entries = {
            let mut cache = self.shared.cache.lock().await;
            self.shared.catch_up(&mut cache).await?;
            let cached = cache.aggregates.get(aggregate_id);
            cached.map(|cached| cached.entries.clone()).unwrap_or_default()
        };
        let mut events = Vec::new();
        for position in entries {
            let groups = self.shared.log.read(position, 1).await.map_err(failed)?;
            let entry = groups.first().and_then(|group| group.entries.first());
            let entry = entry.ok_or_else(|| unexpected(format!("entry {position} is gone")))?;
            events.extend(self.shared.decode(position, entry)?.unwrap_or_default());
        }
        Ok(events)
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Outcome<Loaded<A>, A> {
        let mut cache = self.shared.cache.lock().await;
        self.shared.catch_up(&mut cache).await?;
        let (state, sequence) = cache
            .aggregates
            .get(aggregate_id)
            .map(|cached| (cached.state.clone(), cached.sequence))
            .unwrap_or_default();
        Ok(Loaded { id: aggregate_id.to_owned(), state, sequence })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Loaded<A>,
        metadata: HashMap<String, String>,
    ) -> Outcome<Vec<EventEnvelope<A>>, A> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let entry = encode::<A>(&context, &events, &metadata)?;
        let mut cache = self.shared.cache.lock().await;
        for _ in 0..HEAD_CONFLICTS_MAX {
            self.shared.catch_up(&mut cache).await?;
            let known = cache.aggregates.get(&context.id).map_or(0, |cached| cached.sequence);
            if known != context.sequence {
                return Err(AggregateError::AggregateConflict);
            }
            match self.shared.log.append(cache.position, vec![entry.clone()]).await {
                Ok(position) => {
                    let envelopes = envelopes(&context, events, &metadata);
                    // The context has the events applied, but also whatever else `handle` did to
                    // it; the cache is what the log says.
                    cache.fold(position, envelopes.clone())?;
                    cache.position = position;
                    return Ok(envelopes);
                }
                Err(Error::Conflict { .. }) => (),
                Err(error) => return Err(failed(error)),
            }
        }
        Err(unexpected(format!("the head of the log moved {HEAD_CONFLICTS_MAX} times")))
    }
}

impl<A: Aggregate> Shared<A> {
    /// Folds what was appended since the last time, by this store or by others.
    async fn catch_up(&self, cache: &mut Cache<A>) -> Outcome<(), A> {
        let head = self.log.head().await.map_err(failed)?;
        while cache.position < head {
            let groups = self.log.read(cache.position + 1, READ_BYTES).await.map_err(failed)?;
            if groups.is_empty() {
                return Err(unexpected(format!("nothing between {} and {head}", cache.position)));
            }
            for group in groups {
                for (position, entry) in group.iter() {
                    if let Some(events) = self.decode(position, entry)? {
                        cache.fold(position, events)?;
                    }
                    cache.position = position;
                }
            }
        }
        Ok(())
    }

    /// The events of an entry, or `None` if it belongs to aggregates of another type.
    fn decode(
        &self,
        position: Position,
        entry: &[u8],
    ) -> Outcome<Option<Vec<EventEnvelope<A>>>, A> {
        let unreadable = |error: serde_json::Error| {
            AggregateError::DeserializationError(format!("entry {position}: {error}").into())
        };
        let record: Record = serde_json::from_slice(entry).map_err(unreadable)?;
        if record.aggregate_type != A::TYPE {
            return Ok(None);
        }
        let metadata: HashMap<String, String> = record.metadata.into_iter().collect();
        let mut events = Vec::with_capacity(record.events.len());
        for (sequence, event) in (record.first_sequence..).zip(record.events) {
            let stored = SerializedEvent {
                aggregate_id: record.aggregate_id.clone(),
                sequence,
                aggregate_type: record.aggregate_type.clone(),
                event_type: event.event_type,
                event_version: event.event_version,
                payload: event.payload,
                // Upcasters change payloads; what they would do to metadata has no place to go.
                metadata: Value::Null,
            };
            let current = self.upcasters.iter().fold(stored, |event, upcaster| {
                let applies = upcaster.can_upcast(&event.event_type, &event.event_version);
                if applies { upcaster.upcast(event) } else { event }
            });
            events.push(EventEnvelope {
                aggregate_id: record.aggregate_id.clone(),
                sequence,
                payload: serde_json::from_value(current.payload).map_err(unreadable)?,
                metadata: metadata.clone(),
            });
        }
        Ok(Some(events))
    }
}

impl<A: Aggregate> Cache<A> {
    /// Applies the events of one entry.
    fn fold(&mut self, position: Position, events: Vec<EventEnvelope<A>>) -> Outcome<(), A> {
        let Some(first) = events.first() else { return Ok(()) };
        let cached = self.cached(&first.aggregate_id.clone());
        if first.sequence != cached.sequence + 1 {
            let (id, found, known) = (&first.aggregate_id, first.sequence, cached.sequence);
            return Err(unexpected(format!(
                "entry {position} has event {found} of {id}, and event {known} was the last"
            )));
        }
        cached.sequence += events.len();
        cached.entries.push(position);
        for event in events {
            cached.state.apply(event.payload);
        }
        Ok(())
    }

    fn cached(&mut self, id: &str) -> &mut Cached<A> {
        self.aggregates.entry(id.to_owned()).or_insert_with(|| Cached {
            state: A::default(),
            sequence: 0,
            entries: Vec::new(),
        })
    }
}

fn encode<A: Aggregate>(
    context: &Loaded<A>,
    events: &[A::Event],
    metadata: &HashMap<String, String>,
) -> Outcome<Bytes, A> {
    let unwritable = |error: serde_json::Error| unexpected(error.to_string());
    let recorded = |event: &A::Event| {
        Ok(RecordedEvent {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::to_value(event)?,
        })
    };
    let record = Record {
        aggregate_id: context.id.clone(),
        aggregate_type: A::TYPE.to_owned(),
        events: events.iter().map(recorded).collect::<Result<_, _>>().map_err(unwritable)?,
        first_sequence: context.sequence + 1,
        metadata: metadata.clone().into_iter().collect(),
    };
    Ok(serde_json::to_vec(&record).map_err(unwritable)?.into())
}

fn envelopes<A: Aggregate>(
    context: &Loaded<A>,
    events: Vec<A::Event>,
    metadata: &HashMap<String, String>,
) -> Vec<EventEnvelope<A>> {
    (context.sequence + 1..)
        .zip(events)
        .map(|(sequence, payload)| EventEnvelope {
            aggregate_id: context.id.clone(),
            sequence,
            payload,
            metadata: metadata.clone(),
        })
        .collect()
}

/// What an error of the log is to the framework.
fn failed<E: std::error::Error>(error: Error) -> AggregateError<E> {
    match error {
        Error::Unavailable(_) => AggregateError::DatabaseConnectionError(Box::new(error)),
        error => AggregateError::UnexpectedError(Box::new(error)),
    }
}

fn unexpected<E: std::error::Error>(what: String) -> AggregateError<E> {
    AggregateError::UnexpectedError(what.into())
}
