//! Somebody's library card, written for `cqrs-es`, on NATS JetStream:
//! `cargo run -p eventlog --features nats --example cqrs_on_jetstream -- 'nats://localhost/cards?replicas=1'`

use std::{error::Error, io::Write, sync::Arc};

use cqrs_es::event_sink::EventSink;
use cqrs_es::{
    Aggregate, AggregateContext, CqrsFramework, DomainEvent, EventEnvelope, EventStore, Query,
};
use eventlog::{Log, Nats, cqrs::CqrsStore};
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Card(Vec<String>);

struct Borrow(&'static str);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Borrowed(String);

#[derive(Debug, thiserror::Error)]
#[error("two books are the most")]
struct TooMany;

impl DomainEvent for Borrowed {
    fn event_type(&self) -> String {
        "Borrowed".into()
    }
    fn event_version(&self) -> String {
        "1.0.0".into()
    }
}

impl Aggregate for Card {
    const TYPE: &'static str = "card";
    type Command = Borrow;
    type Event = Borrowed;
    type Error = TooMany;
    type Services = ();

    async fn handle(&mut self, c: Borrow, _: &(), sink: &EventSink<Self>) -> Result<(), TooMany> {
        if self.0.len() == 2 {
            return Err(TooMany);
        }
        sink.write(Borrowed(c.0.into()), self).await;
        Ok(())
    }

    fn apply(&mut self, Borrowed(book): Borrowed) {
        self.0.push(book);
    }
}

struct Desk;

#[async_trait::async_trait]
impl Query<Card> for Desk {
    async fn dispatch(&self, id: &str, events: &[EventEnvelope<Card>]) {
        events.iter().for_each(|e| say(&format!("{id} {}: {:?}", e.sequence, e.payload)));
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}"); // Whoever closed the pipe has seen enough.
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("which stream? nats://HOST/STREAM")?;
    let log: Arc<dyn Log> = Arc::new(Nats::open(&url.parse()?).await?);
    let store = CqrsStore::<Card>::new(log.clone());
    let cards = CqrsFramework::new(store.clone(), vec![Box::new(Desk)], ());
    for book in ["Emma", "Ulysses", "Faust"] {
        let done = cards.execute("ada", Borrow(book)).await;
        done.unwrap_or_else(|no| say(&format!("ada, {book}: {no}")));
    }
    let books = store.load_aggregate("ada").await?.aggregate().0.join(", ");
    say(&format!("ada has {books}; {} commits in the log", log.head().await?));
    Ok(())
}
