//! Commands between instances, as requests and answers on `STREAM.command`: the same command, ledger,
//! limits and typed refusals as over HTTP. Who may publish there acts as anybody, so the right to it is
//! a follower's only (ADR/0012).

use crate::engine::{Engine, Receipt, Request, SubmitError};
use async_nats::{HeaderMap, Message, Subscriber};
use bytes::Bytes;
use domain::facts::commit::CommitId;
use domain::kernel::actor::{Actor, Evidence};
use domain::kernel::ids::{CommandId, StreamId};
use domain::{Parsed, Refusal};
use eventlog::nats::{LEASE_TURN, Wire, wire};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The most commands of other instances that wait for their answers.
pub const FORWARDED_MAX: usize = 4_096;
/// How long the answer to a forwarded command may take.
pub const FORWARD_WAIT: Duration = Duration::from_secs(8);
/// When to come back while no instance writes: one takes over after the length of a lease.
pub const RETRY_WITHOUT_WRITER: Duration = Duration::from_secs(1);

/// The subject for the commands of a log.
pub(super) fn subject(wire: &Wire) -> String {
    format!("{}.command", wire.stream())
}

/// A command as it travels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forwarded {
    actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<CommandId>,
    command: String,
    command_id: CommandId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<CommandId>,
    data: Box<RawValue>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effective_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected_version: Option<u64>,
    /// When it reached the instance that forwards it. It counts for a cut-off, so the writer takes no
    /// more than [`FORWARD_WAIT`] of the past.
    received_at: Timestamp,
    /// How long the other waits for the answer, in milliseconds.
    wait_ms: u64,
}

/// What became of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Done),
    Refused(Refusal),
    Unavailable { reason: String, retry_after_ms: u64 },
    Busy,
}

/// A receipt.
#[derive(Serialize, Deserialize)]
struct Done {
    commit_id: Option<CommitId>,
    events: Vec<Cow<'static, str>>,
    position: Option<u64>,
    recorded_at: Timestamp,
    replayed: bool,
    streams: Vec<(StreamId, u64)>,
}

/// Whether some instance answers commands.
pub(super) async fn is_heard(wire: &Wire) -> bool {
    // What is no command is refused by who hears it.
    let asked = wire.ask_within(LEASE_TURN, subject(wire), HeaderMap::new(), Bytes::new()).await;
    asked.is_ok()
}

/// Gives a command to the instance that writes.
pub(super) async fn forward(
    wire: &Wire,
    request: &Request,
    now: Timestamp,
) -> Result<Receipt, SubmitError> {
    let payload = encode(request, now).map_err(|error| unavailable(&error))?;
    let asked = wire.ask_within(FORWARD_WAIT, subject(wire), HeaderMap::new(), payload).await;
    let answer = asked.map_err(|error| {
        unavailable(&format!("no answer of an instance that writes the log ({error})"))
    })?;
    match serde_json::from_slice(&answer.payload).map_err(|error| unavailable(&error))? {
        Answer::Done(done) => Ok(done.into()),
        Answer::Refused(refusal) => Err(refusal.into()),
        Answer::Unavailable { reason, retry_after_ms } => Err(SubmitError::Unavailable {
            reason: reason.into(),
            retry_after: Duration::from_millis(retry_after_ms),
        }),
        Answer::Busy => Err(SubmitError::Busy),
    }
}

fn unavailable(why: &dyn std::fmt::Display) -> SubmitError {
    SubmitError::Unavailable { reason: why.to_string().into(), retry_after: RETRY_WITHOUT_WRITER }
}

fn encode(request: &Request, now: Timestamp) -> Result<Bytes, serde_json::Error> {
    let command = &request.parsed.command;
    let data = serde_json::from_slice(&command.payload()?)?;
    let forwarded = Forwarded {
        actor: request.actor.clone(),
        causation_id: request.causation_id.clone(),
        command: command.declaration().name.to_owned(),
        command_id: request.command_id.clone(),
        correlation_id: request.correlation_id.clone(),
        data,
        dry_run: request.dry_run,
        effective_at: request.effective_at,
        evidence: request.evidence.clone(),
        expected_version: request.expected_version,
        received_at: request.received_at.unwrap_or(now),
        wait_ms: u64::try_from(FORWARD_WAIT.as_millis()).unwrap_or(u64::MAX),
    };
    serde_json::to_vec(&forwarded).map(Bytes::from)
}

/// Answers the commands of other instances, until the subscription ends.
pub(super) async fn answer(wire: Wire, mut wishes: Subscriber, engine: Engine) {
    let places = Arc::new(Semaphore::new(FORWARDED_MAX));
    let ours = format!("{}.", wire.stream());
    while let Some(message) = wire::next_forever(&mut wishes).await {
        let Some(reply) = message.reply.clone() else { continue };
        if reply.starts_with(&ours) || reply.starts_with('$') {
            // Whoever asks so wants our answer in the log, or given to the server.
            tracing::warn!(%reply, "a command without an inbox for its answer is not looked at");
            continue;
        }
        let (wire, engine) = (wire.clone(), engine.clone());
        let place = Arc::clone(&places).try_acquire_owned();
        tokio::spawn(async move {
            let answer = match place {
                Ok(_place) => decide(&engine, &message).await,
                Err(_) => Answer::Busy,
            };
            // An answer always has a form, and who asked asks again if it does not come.
            let payload = serde_json::to_vec(&answer).unwrap_or_default();
            let _ = wire.client().publish(reply, payload.into()).await;
        });
    }
}

async fn decide(engine: &Engine, message: &Message) -> Answer {
    let (request, wait) = match decode(&message.payload, engine.clock().now()) {
        Ok(decoded) => decoded,
        Err(refusal) => return Answer::Refused(refusal),
    };
    match tokio::time::timeout(wait, engine.submit(request)).await {
        Ok(Ok(receipt)) => Answer::Done(receipt.into()),
        Ok(Err(SubmitError::Refused(refusal))) => Answer::Refused(refusal),
        Ok(Err(SubmitError::Busy)) => Answer::Busy,
        Ok(Err(SubmitError::Unavailable { reason, retry_after })) => {
            let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            Answer::Unavailable { reason: reason.to_string(), retry_after_ms }
        }
        Ok(Err(SubmitError::Stopping)) => no_longer("the writer is giving the log away"),
        Err(_) => no_longer("it was not decided in time"),
    }
}

fn no_longer(reason: &str) -> Answer {
    let retry_after_ms = u64::try_from(RETRY_WITHOUT_WRITER.as_millis()).unwrap_or(u64::MAX);
    Answer::Unavailable { reason: reason.to_owned(), retry_after_ms }
}

/// Checked as everything from outside is.
fn decode(payload: &[u8], now: Timestamp) -> Result<(Request, Duration), Refusal> {
    let malformed = |error: serde_json::Error| {
        Refusal::from(domain::kernel::refusal::Common::Malformed(error.to_string()))
    };
    let forwarded: Forwarded = serde_json::from_slice(payload).map_err(malformed)?;
    domain::process::react::check_outside(&forwarded.actor, &forwarded.command_id)?;
    let past = SignedDuration::try_from(FORWARD_WAIT).unwrap_or(SignedDuration::ZERO);
    let earliest = now.checked_sub(past).unwrap_or(now);
    let request = Request {
        causation_id: forwarded.causation_id,
        correlation_id: forwarded.correlation_id,
        dry_run: forwarded.dry_run,
        effective_at: forwarded.effective_at,
        evidence: forwarded.evidence,
        expected_version: forwarded.expected_version,
        received_at: Some(forwarded.received_at.clamp(earliest, now)),
        ..Request::new(
            Parsed::read(&forwarded.command, forwarded.data.get().as_bytes())?,
            forwarded.actor,
            forwarded.command_id,
        )
    };
    Ok((request, Duration::from_millis(forwarded.wait_ms).min(FORWARD_WAIT)))
}

impl From<Receipt> for Done {
    fn from(receipt: Receipt) -> Self {
        let Receipt { position, commit_id, recorded_at, replayed, streams, events } = receipt;
        Self { commit_id, events, position, recorded_at, replayed, streams }
    }
}

impl From<Done> for Receipt {
    fn from(done: Done) -> Self {
        let Done { commit_id, events, position, recorded_at, replayed, streams } = done;
        Self { position, commit_id, recorded_at, replayed, streams, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    type Object = Map<String, Value>;

    fn read(object: &Object) -> Result<Forwarded, serde_json::Error> {
        serde_json::from_str(&json!(object).to_string())
    }

    fn object(value: &impl Serialize) -> Object {
        serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
    }

    #[test]
    fn a_command_travels_as_the_asyncapi_document_says() {
        let evidence = json!({ "confidence": "published", "source": "minutes" });
        let full: Object = serde_json::from_value(json!({
            "actor": { "id": "bea", "role": "governing_board" },
            "causation_id": "a", "command": "fund.vote_appropriation", "command_id": "b",
            "correlation_id": "c", "data": {}, "dry_run": true,
            "effective_at": "2026-01-01T00:00:00Z", "evidence": evidence, "expected_version": 1,
            "received_at": "2026-01-01T00:00:00Z", "wait_ms": 1,
        }))
        .unwrap();
        let schema = crate::asyncapi::command_fields();
        assert!(full.keys().eq(schema["properties"].as_object().unwrap().keys()));
        assert_eq!(object(&read(&full).unwrap()), full);
        for name in full.keys() {
            let mut without = full.clone();
            without.remove(name);
            let is_required = schema["required"].as_array().unwrap().contains(&json!(name));
            assert_eq!(read(&without).is_err(), is_required, "{name}");
        }
    }

    #[test]
    fn an_answer_travels_as_the_asyncapi_document_says() {
        let schema = crate::asyncapi::answer();
        let choices = schema["oneOf"].as_array().unwrap();
        let agrees = |kind: &str, written: &Value| {
            let mut found = choices.iter().filter_map(|choice| choice["properties"].get(kind));
            let choice = found.next().expect(kind);
            let names: Vec<_> = written.as_object().unwrap().keys().collect();
            let declared: Vec<_> = choice["properties"].as_object().unwrap().keys().collect();
            assert_eq!(names, declared, "{kind}");
            assert_eq!(json!(names), choice["required"], "{kind}");
        };
        let done = Done {
            commit_id: None,
            events: Vec::new(),
            position: None,
            recorded_at: Timestamp::UNIX_EPOCH,
            replayed: false,
            streams: Vec::new(),
        };
        agrees("done", &json!(done));
        agrees("unavailable", &json!(no_longer("away"))["unavailable"]);
        assert!(choices.contains(&json!({ "const": Answer::Busy })));
    }
}
