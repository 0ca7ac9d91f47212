//! What a database of the protocol keeps, in memory: streams of events, with the rules by which it takes
//! one. It is as strict as the promises that the adapter relies on, and no more of a database than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use streams::append_req::ProposedMessage;
use tests::protocol::event_store::client::streams;

/// What happens to the next append. Each happens once, in the order in which they were told.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Every connection is cut before the event is stored.
    LoseRequest,
    /// It is stored, and every connection is cut before it is acknowledged.
    LoseAnswer,
    /// It is stored, and acknowledged so much later.
    Delay(Duration),
    /// It is refused with these words, as by a server that is not ready.
    Refuse(&'static str),
    /// A rival's event with this id and data comes first.
    Overtake(Box<Event>),
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Type and content type.
    pub properties: BTreeMap<String, String>,
    /// The writer's own metadata.
    pub metadata: Vec<u8>,
    /// The payload.
    pub data: Vec<u8>,
}

/// What is in the database, and how it behaves.
#[derive(Debug)]
pub struct DatabaseState {
    /// Events by the name of their stream.
    pub streams: BTreeMap<String, Vec<Event>>,
    /// Streams that are gone for ever.
    pub tombstones: Vec<String>,
    /// How many events at the beginning of a stream were dropped.
    pub scavenged: BTreeMap<String, u64>,
    /// What happens to the next appends.
    pub faults: Vec<Fault>,
    /// The header with user and password that each request must have.
    pub authorization: Option<&'static str>,
    /// The longest data of an event.
    pub append_bytes_max: usize,
    /// Whether a second event of the same id, at the same place, is refused instead of acknowledged.
    pub forgets_ids: bool,
    /// The port of the member that leads.
    pub leader: u16,
    /// How many appends were tried.
    pub tries: usize,
}

/// The database, for each member of a cluster.
#[derive(Clone, Debug)]
pub struct Database(Arc<Mutex<DatabaseState>>);

/// What the writer expects to be last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing in particular.
    Any,
    /// So many events.
    Count(u64),
    /// At least one event.
    Some,
}

/// Another was last: so many events.
#[derive(Debug)]
pub struct Wrong(pub u64);

impl Database {
    /// An empty one.
    pub fn new() -> Database {
        Database(Arc::new(Mutex::new(DatabaseState {
            streams: BTreeMap::new(),
            tombstones: Vec::new(),
            scavenged: BTreeMap::new(),
            faults: Vec::new(),
            authorization: None,
            append_bytes_max: 1 << 20,
            forgets_ids: false,
            leader: 0,
            tries: 0,
        })))
    }

    /// Everything, to look at it and to change it.
    pub fn lock(&self) -> MutexGuard<'_, DatabaseState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DatabaseState {
    /// Stores an event behind the expected last one, and returns its number from 0.
    ///
    /// One that is there already, with this id and at this place, is acknowledged again.
    pub fn append(&mut self, stream: &str, expected: Expected, event: Event) -> Result<u64, Wrong> {
        let events = self.streams.entry(stream.to_owned()).or_default();
        let count = events.len() as u64;
        let place = match expected {
            Expected::Any => count,
            Expected::Count(count) => count,
            Expected::Some if count > 0 => count,
            Expected::Some => return Err(Wrong(count)),
        };
        if place == count {
            events.push(event);
            return Ok(place);
        }
        let there = usize::try_from(place).ok().and_then(|place| events.get(place));
        match there {
            Some(there) if there.id == event.id && !self.forgets_ids => Ok(place),
            _ => Err(Wrong(count)),
        }
    }
}

impl From<ProposedMessage> for Event {
    fn from(message: ProposedMessage) -> Event {
        use tests::protocol::event_store::client::uuid::Value;
        let id = match message.id.and_then(|id| id.value) {
            Some(Value::String(id)) => id,
            Some(Value::Structured(id)) => hyphenated(
                u128::from(id.most_significant_bits.cast_unsigned()) << 64
                    | u128::from(id.least_significant_bits.cast_unsigned()),
            ),
            None => String::new(),
        };
        let properties = message.metadata.into_iter().collect();
        Event { id, properties, metadata: message.custom_metadata, data: message.data }
    }
}

/// A UUID in its usual form.
fn hyphenated(id: u128) -> String {
    let digits = format!("{id:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}
