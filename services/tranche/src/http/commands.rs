//! `POST /commands/{name}`: one wish, one answer. `GET /commands`: what is declared.

use super::problem::Problem;
use super::{BODY_BYTES_MAX, BODY_MAX, Shared, envelope, request};
use crate::engine::{Receipt, Request, SubmitError, Written};
use crate::field_errors;
use crate::vault::{self, Keep};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::decide::command::{Declaration, Entry};
use domain::facts::personal;
use domain::kernel::ids::{CommandId, StreamId};
use domain::kernel::refusal::RefusalKind;
use domain::{Parsed, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The position that an answer rests on.
pub const POSITION: HeaderName = HeaderName::from_static("tranche-position");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What may stand in the address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    dry_run: Option<String>,
}

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|entry| entry.declaration.name)
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter())
}

fn declared(declaration: &Declaration) -> Value {
    json!({
        "name": declaration.name,
        "summary": declaration.summary,
        "roles": declaration.roles,
        "from": declaration.from,
        "needs": declaration.needs,
        "rule": declaration.rule,
    })
}

/// `GET /commands`.
pub(super) async fn list() -> Json<Value> {
    Json(entries().map(|entry| declared(entry.declaration)).collect())
}

/// `GET /commands/{name}`.
pub(super) async fn one(Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let entry = domain::catalogue::entry(&name).ok_or_else(|| unknown(&name))?;
    let mut described = declared(entry.declaration);
    described["schema"] = vault::schema(entry);
    Ok(Json(described))
}

fn unknown(name: &str) -> Problem {
    // A name that is not in the table is refused before its payload is looked at.
    match Parsed::read(name, b"{}") {
        Err(refusal) => refusal.into(),
        Ok(_) => Problem::own("http.not_found", "no such command"),
    }
}

/// `POST /commands/{name}`.
pub(super) async fn submit(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    options: Result<Query<Options>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Query(options) =
        options.map_err(|error| Problem::query("the address", error.body_text()))?;
    let dry_run = request::yes("dry_run", options.dry_run.as_deref())?;
    if domain::catalogue::entry(&name).is_none() {
        return Err(unknown(&name));
    }
    let clear = receive(&headers, body).await?;
    let command_id = match envelope::id(&headers)? {
        Some(id) => id,
        None => crate::ids::command_id()
            .map_err(|error| Problem::own("http.internal", error.to_string()))?,
    };
    let json = sealed(&shared, &name, clear, (&command_id, dry_run)).await?;
    let parsed = Parsed::read(&name, &json).map_err(|refusal| faulty(&name, &json, refusal))?;
    let envelope = envelope::read(&headers, (command_id, dry_run))?;
    let conditional = envelope.expected_version;
    let asked = Request { parsed, envelope, received_at: None };
    if let Some(documents) = shared.documents.get().filter(|_| !dry_run) {
        documents.keep_rules(&asked.parsed).await?;
    }
    let target = asked.parsed.command.target();
    match shared.desk.submit(asked).await {
        Ok(receipt) if personal::ends_keys(&name) && !dry_run => {
            shared.sweep().await;
            Ok(accepted(&receipt, &target))
        }
        Ok(receipt) => Ok(accepted(&receipt, &target)),
        Err(SubmitError::Refused(refusal)) if refusal.kind == RefusalKind::Malformed => {
            Err(faulty(&name, &json, refusal))
        }
        Err(error) => Err(refused(error, conditional.is_some())),
    }
}

/// The payload without personal data in clear.
async fn sealed(
    shared: &Arc<Shared>,
    name: &str,
    clear: Bytes,
    (id, dry_run): (&CommandId, bool),
) -> Result<Bytes, Problem> {
    let Some(line) = personal::brought_by(name).next() else { return Ok(clear) };
    let (shared, id) = (Arc::clone(shared), id.clone());
    let keep = if dry_run { Keep::No } else { Keep::Yes };
    let seal = move || {
        let sealed = vault::seal(shared.vault.as_deref(), line.command, &clear, (&id, keep));
        sealed.map(|json| Bytes::from(json.into_owned()))
    };
    // A new key waits for the disk.
    let sealed = tokio::task::spawn_blocking(seal).await;
    let sealed = sealed.map_err(|_| Problem::own("http.internal", "nothing could be sealed"))?;
    sealed.map_err(|error| match error {
        vault::Error::Refused(refusal) => refusal.into(),
        vault::Error::NoVault { .. } => Problem::own("http.no_keys", error.to_string()),
        other => Problem::own("http.internal", other.to_string()),
    })
}

fn faulty(name: &str, payload: &[u8], refusal: Refusal) -> Problem {
    let (refusal, errors) = field_errors::all(name, payload, refusal);
    Problem::refused(refusal, errors)
}

/// The body, at most [`BODY_BYTES_MAX`] long and said to be JSON.
async fn receive(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let media = request::header(headers, "content-type")?.unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let detail = "a command is sent with Content-Type: application/json";
        return Err(Problem::own("http.media_type", detail));
    }
    let declared = request::parsed::<u64>(headers, "content-length")?;
    let too_large = || {
        let detail = format!("a command has at most {BODY_BYTES_MAX} bytes");
        Problem::own("http.too_large", detail)
    };
    if declared.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let received = tokio::time::timeout(BODY_MAX, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
    let too_slow = |_| Problem::own("http.too_slow", "the body did not come in time");
    received.map_err(too_slow)?.map_err(|error| {
        let text = error.into_inner().to_string();
        if text.contains("limit") { too_large() } else { Problem::own("http.bad_body", text) }
    })
}

fn accepted(receipt: &Receipt, target: &StreamId) -> Response {
    let json = serde_json::to_vec(receipt).unwrap_or_default();
    let is_new = receipt.position.is_some() && !receipt.replayed;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, json).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_str(receipt.command_id.as_str()) {
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    if let Some(position) = receipt.position {
        headers.insert(POSITION, HeaderValue::from(position));
        if let Ok(place) = HeaderValue::from_str(&format!("/log/{position}")) {
            headers.insert(LOCATION, place);
        }
    }
    if receipt.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    let written = receipt.streams.iter().find(|written| written.stream == *target);
    if let Some(Written { version, .. }) = written.filter(|_| !receipt.dry_run)
        && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
    {
        headers.insert(ETAG, tag);
    }
    response
}

fn refused(error: SubmitError, conditional: bool) -> Problem {
    match error {
        // RFC 9110, 13.1.1: a condition that does not hold has its own status.
        SubmitError::Refused(refusal) if conditional && refusal.code == "command.wrong_version" => {
            Problem::from(refusal).with_status(StatusCode::PRECONDITION_FAILED)
        }
        SubmitError::Refused(refusal) => refusal.into(),
        SubmitError::Unavailable { reason, retry_after } => {
            Problem::own("http.unavailable", &*reason).retry_after(retry_after)
        }
        SubmitError::Busy => Problem::own("http.busy", "too many commands are waiting"),
        SubmitError::Stopping => Problem::own("http.stopping", "the server is stopping"),
    }
}
