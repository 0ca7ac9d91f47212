//! The engine as an event store of `cqrs-es`: one writer, one list of receipts, whoever asks.

use super::{Adaptable, AsAggregate, AskedCommand, Denied, Happened};
use crate::engine::{Engine, Envelope, Receipt, Request, SubmitError};
use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};
use domain::Commit;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{CommandId, StreamId, StreamKey};
use std::collections::HashMap;

/// How many commits are read at once when a stream is looked for.
const READ_COMMITS: usize = 1_024;

type Failure = AggregateError<Denied>;
type EventOf<D> = EventEnvelope<AsAggregate<D>>;

/// A copy of one aggregate.
pub struct Loaded<D: Adaptable> {
    aggregate: AsAggregate<D>,
    /// The version that it was decided on.
    base: u64,
}

impl<D: Adaptable> AggregateContext<AsAggregate<D>> for Loaded<D> {
    fn aggregate(&mut self) -> &mut AsAggregate<D> {
        &mut self.aggregate
    }
}

impl<D: Adaptable> EventStore<AsAggregate<D>> for Engine {
    type AC = Loaded<D>;

    /// Reads the log until it has all events of the stream: for inspection, not for every command.
    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventOf<D>>, Failure> {
        let stream = id::<D>(aggregate_id)?.stream();
        let version = self.now().world().version(&stream);
        let none = HashMap::new();
        let mut events: Vec<EventOf<D>> = Vec::new();
        let mut next = 1;
        while (events.len() as u64) < version {
            let read = self.reader().read_commits(next, READ_COMMITS).await;
            let read =
                read.map_err(|error| AggregateError::DatabaseConnectionError(error.into()))?;
            if read.is_empty() {
                break;
            }
            next += read.len() as u64;
            let commits = read.iter().map(|stored| &*stored.commit);
            events.extend(commits.flat_map(|commit| envelopes(&stream, commit, &none)));
        }
        Ok(events)
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Loaded<D>, Failure> {
        let id = id::<D>(aggregate_id)?;
        let (now, stream) = (self.now(), id.stream());
        let state = D::all(now.world()).get(&id).map(|state| D::clone(state));
        let version = now.world().version(&stream);
        let aggregate = AsAggregate {
            state: state.unwrap_or_default(),
            version,
            stream: Some(stream),
            asked: None,
        };
        Ok(Loaded { aggregate, base: version })
    }

    async fn commit(
        &self,
        events: Vec<Happened<D::Event>>,
        context: Loaded<D>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventOf<D>>, Failure> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let Loaded { aggregate: AsAggregate { stream, asked, .. }, base } = context;
        let (Some(stream), Some(asked)) = (stream, asked) else {
            let text = "events enter the log by a command that the aggregate has handled";
            return Err(AggregateError::UnexpectedError(text.into()));
        };
        let receipt = self.submit(request(asked, &stream, base, &metadata)?).await;
        let position = match receipt {
            Ok(Receipt { position: Some(position), replayed: false, .. }) => position,
            // Known or true already: nothing has happened that queries have not seen.
            Ok(_) => return Ok(Vec::new()),
            Err(error) => return Err(failure(error)),
        };
        let stored = self.reader().read_commit(position).await;
        let stored =
            stored.map_err(|error| AggregateError::DatabaseConnectionError(error.into()))?;
        let envelopes =
            stored.map(|stored| envelopes(&stream, &stored.commit, &metadata).collect());
        Ok(envelopes.unwrap_or_default())
    }
}

fn id<D: Adaptable>(aggregate_id: &str) -> Result<D::Id, Failure> {
    let id: Result<D::Id, _> = aggregate_id.parse();
    id.map_err(|error| AggregateError::UnexpectedError(Box::new(error)))
}

fn request(
    asked: AskedCommand,
    stream: &StreamId,
    base: u64,
    metadata: &HashMap<String, String>,
) -> Result<Request, Failure> {
    let AskedCommand { parsed, id, actor, evidence } = asked;
    let named = |key: &str| -> Result<Option<CommandId>, Failure> {
        let id = metadata.get(key).map(|text| text.parse()).transpose();
        id.map_err(|error: domain::kernel::ids::IdError| {
            AggregateError::UnexpectedError(Box::new(error))
        })
    };
    let command_id = match id {
        Some(id) => id,
        None => match named("command_id")? {
            Some(id) => id,
            None => {
                // The same person, content and version: the same wish.
                let wish = format!("{stream} {base} {} {}", actor.id, parsed.hash);
                let hash = Sha256Hex::of(wish.as_bytes()).to_string();
                let made = format!("cqrs/{}", &hash[..32]).parse();
                made.map_err(|error: domain::kernel::ids::IdError| {
                    AggregateError::UnexpectedError(Box::new(error))
                })?
            }
        },
    };
    let envelope = Envelope {
        correlation_id: named("correlation_id")?,
        causation_id: named("causation_id")?,
        evidence,
        expected_version: Some(base),
        ..Envelope::new(actor, command_id)
    };
    Ok(Request { parsed, envelope, received_at: None })
}

fn failure(error: SubmitError) -> Failure {
    match error {
        SubmitError::Refused(refusal) if refusal.code == "command.wrong_version" => {
            AggregateError::AggregateConflict
        }
        SubmitError::Refused(refusal) => AggregateError::UserError(Denied::Refused(refusal)),
        other => AggregateError::DatabaseConnectionError(Box::new(other)),
    }
}

/// The events of one stream in a commit, with what the log knows of them.
fn envelopes<D: Adaptable>(
    stream: &StreamId,
    commit: &Commit,
    metadata: &HashMap<String, String>,
) -> impl Iterator<Item = EventOf<D>> {
    let own = commit.events.iter().filter(move |recorded| recorded.stream == *stream);
    own.filter_map(move |recorded| {
        let mut metadata = metadata.clone();
        let facts = [
            ("position", commit.position.to_string()),
            ("commit_id", commit.commit_id.to_string()),
            ("command_id", commit.command_id.to_string()),
            ("recorded_at", commit.recorded_at.to_string()),
        ];
        metadata.extend(facts.map(|(key, value)| (key.to_owned(), value)));
        Some(EventEnvelope {
            aggregate_id: stream.id().to_owned(),
            sequence: usize::try_from(recorded.version).unwrap_or(usize::MAX),
            payload: Happened {
                position: commit.position,
                actor: commit.actor.clone(),
                command_id: commit.command_id.clone(),
                effective_at: recorded.effective_at,
                recorded_at: commit.recorded_at,
                event: D::event(&recorded.event)?.clone(),
            },
            metadata,
        })
    })
}
