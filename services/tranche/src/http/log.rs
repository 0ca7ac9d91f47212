//! `GET /log`: the commits, byte for byte as they are hashed; or as a stream of events that goes on.

use super::commands::POSITION;
use super::problem::Problem;
use super::request;
use super::views::unreadable;
use super::{Shared, Stopping};
use crate::engine::{ReadError, Reader};
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;

/// So many commits are read at once.
const PAGE: usize = 256;
/// A sign of life is sent when nothing else was for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What may stand in the address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<String>,
    limit: Option<String>,
}

/// `GET /log`.
pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    let media = request::choose(&headers, &["application/jsonl", "text/event-stream"])?;
    let from = request::number("from", asked.from.as_deref())?.unwrap_or(1).max(1);
    let limit = request::number("limit", asked.limit.as_deref())?;
    if limit == Some(0) {
        return Err(Problem::query("limit", "is at least 1"));
    }
    let permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::own("http.busy", "too many callers are reading the log; try again")
    })?;
    if media == "text/event-stream" {
        if limit.is_some() {
            return Err(Problem::query("limit", "does not go with text/event-stream"));
        }
        let head = shared.reader.now().position();
        let from = match last_event(&headers)? {
            Some(last) => super::within(last, head).map(|()| last + 1)?,
            None => begins_within(from, head)?,
        };
        return Ok(follow(&shared, from, permit));
    }
    let head = shared.reader.now().position();
    let from = begins_within(from, head)?;
    let last = limit.map_or(head, |limit| head.min(from.saturating_add(limit - 1)));
    Ok(lines(&shared, from, last, head, permit))
}

/// Refuses what begins beyond the log. The position behind the last one is what a reader who has all
/// asks for.
fn begins_within(from: u64, head: u64) -> Result<u64, Problem> {
    if from <= head + 1 { Ok(from) } else { super::within(from, head).map(|()| from) }
}

/// The position after which a reader resumes.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let text = request::header(headers, "last-event-id")?.filter(|text| !text.is_empty());
    request::number("Last-Event-ID", text)
        .map_err(|problem| Problem::own("http.bad_header", problem.detail()))
}

/// Commits of a range, one per line.
fn lines(
    shared: &Shared,
    from: u64,
    last: u64,
    head: u64,
    permit: OwnedSemaphorePermit,
) -> Response {
    let (to, body) = mpsc::channel::<Result<Bytes, ReadError>>(2);
    let reader = shared.reader.clone();
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(error) = send_lines(&reader, from, last, &to).await {
            // The connection breaks off, so that nobody takes a part for the whole.
            let _ = to.send(Err(error)).await;
        }
    });
    let body = Body::from_stream(ReceiverStream::new(body));
    let mut response = ([(CONTENT_TYPE, "application/jsonl")], body).into_response();
    response.headers_mut().insert(POSITION, HeaderValue::from(head));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn send_lines(
    reader: &Reader,
    from: u64,
    last: u64,
    to: &Sender<Result<Bytes, ReadError>>,
) -> Result<(), ReadError> {
    let mut next = from;
    while next <= last {
        let left = usize::try_from(last - next + 1).unwrap_or(PAGE).min(PAGE);
        let commits = reader.read_commits(next, left).await?;
        if commits.is_empty() {
            break;
        }
        next += commits.len() as u64;
        let mut page = Vec::with_capacity(commits.iter().map(|one| one.bytes.len() + 1).sum());
        for commit in &commits {
            page.extend_from_slice(&commit.bytes);
            page.push(b'\n');
        }
        if to.send(Ok(page.into())).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Commits from a position on, and those to come, until the caller leaves or the server stops.
fn follow(shared: &Shared, from: u64, permit: OwnedSemaphorePermit) -> Response {
    let (to, events) = mpsc::channel::<Result<Event, ReadError>>(PAGE);
    let (reader, stopping) = (shared.reader.clone(), shared.stopping.clone());
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(error) = send_events(&reader, from, &to, stopping).await {
            let _ = to.send(Err(error)).await;
        }
    });
    let stream = Sse::new(ReceiverStream::new(events));
    let alive = KeepAlive::new().interval(KEEP_ALIVE).text("alive");
    stream.keep_alive(alive).into_response()
}

async fn send_events(
    reader: &Reader,
    from: u64,
    to: &Sender<Result<Event, ReadError>>,
    mut stopping: Stopping,
) -> Result<(), ReadError> {
    let mut next = from;
    loop {
        tokio::select! {
            () = to.closed() => return Ok(()),
            () = stopping.wait() => return Ok(()),
            shown = reader.wait_for(next) => drop(shown?),
        }
        for commit in reader.read_commits(next, PAGE).await? {
            let text = String::from_utf8_lossy(&commit.bytes);
            let event = Event::default().id(next.to_string()).data(text);
            if to.send(Ok(event)).await.is_err() {
                return Ok(());
            }
            next += 1;
        }
    }
}

/// `GET /log/{position}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(position): Path<String>,
) -> Result<Response, Problem> {
    let position = request::number("position", Some(&position))
        .map_err(|problem| Problem::own("http.bad_path", problem.detail()))?
        .unwrap_or(0);
    let head = shared.reader.now().position();
    let missing =
        || Problem::own("http.not_found", format!("the log has the positions 1 to {head}"));
    if position == 0 || position > head {
        return Err(missing());
    }
    let commit = shared.reader.read_commit(position).await.map_err(unreadable)?;
    let commit = commit.ok_or_else(missing)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (POSITION, HeaderValue::from(position)),
    ];
    Ok((headers, commit.bytes).into_response())
}
