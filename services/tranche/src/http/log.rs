//! `GET /log`: the commits, byte for byte as they are hashed; or as a stream of events that goes on.

use super::commands::POSITION;
use super::problem::Problem;
use super::views::unreadable;
use super::{Shared, Stopping, request};
use crate::engine::{ReadError, Reader, Stored};
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::World;
use domain::kernel::ids::{CallId, GrantId, StreamKey};
use projections::search::{Search, Searching};
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
    actor: Option<String>,
    call: Option<String>,
    category: Option<String>,
    command: Option<String>,
    grant: Option<String>,
    role: Option<String>,
    since: Option<String>,
    stream: Option<String>,
    true_since: Option<String>,
    true_until: Option<String>,
    r#type: Option<String>,
    until: Option<String>,
    zone: Option<String>,
}

impl Asked {
    fn search(&self, world: &World) -> Result<Search, Problem> {
        let zones = request::zones(world, None, self.zone.as_deref())?;
        let stretch = |[first, last]: [&'static str; 2], [begins, ends]: [&Option<String>; 2]| {
            let begins = begins.as_deref().map(|text| request::beginning(first, text, &zones));
            let ends = ends.as_deref().map(|text| request::moment(last, text, &zones));
            Ok::<_, Problem>((begins.transpose()?, ends.transpose()?))
        };
        let effective = [&self.true_since, &self.true_until];
        let scope = match (&self.call, &self.grant) {
            (Some(_), Some(_)) => return Err(Problem::query("grant", "does not go with call")),
            (Some(id), None) => Some(parsed::<CallId>("call", Some(id))?),
            (None, _) => None,
        };
        let scope = scope.flatten().map(|call| call.stream());
        let grant = parsed::<GrantId>("grant", self.grant.as_ref())?.map(|grant| grant.stream());
        Ok(Search {
            actor: parsed("actor", self.actor.as_ref())?,
            role: self
                .role
                .as_deref()
                .map(request::role)
                .transpose()
                .map_err(|what| Problem::query("role", what))?,
            command: known("command", self.command.as_ref(), |name| {
                domain::catalogue::entry(name).is_some()
            })?,
            recorded: stretch(["since", "until"], [&self.since, &self.until])?,
            stream: parsed("stream", self.stream.as_ref())?,
            category: known("category", self.category.as_ref(), |name| {
                domain::facts::event::CATEGORIES.contains(&name)
            })?,
            kind: known("type", self.r#type.as_ref(), domain::facts::schemas::is_known)?,
            effective: stretch(["true_since", "true_until"], effective)?,
            scope: scope.or(grant),
        })
    }
}

fn parsed<T: std::str::FromStr>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse()).transpose().map_err(|error| Problem::query(name, error))
}

/// A name of ours. One that is none finds nothing, and is more likely a slip.
fn known(
    name: &str,
    text: Option<&String>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if !is_known(text) => {
            let shown: String = text.chars().take(40).collect();
            Err(Problem::query(name, format!("there is none called {shown:?}")))
        }
        text => Ok(text.cloned()),
    }
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
    let search = asked.search(shared.reader.now().world())?;
    let permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::own("http.busy", "too many callers are reading the log; try again")
    })?;
    if media == "text/event-stream" {
        if limit.is_some() {
            return Err(Problem::query("limit", "does not go with text/event-stream"));
        }
        if !search.is_any() {
            let what = "does not go with text/event-stream, which has everything";
            return Err(Problem::query("a restriction", what));
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
    let wanted = Wanted { from, head, limit: limit.unwrap_or(u64::MAX), searching: search.begin() };
    Ok(lines(&shared, wanted, permit))
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

/// Which commits are sent.
struct Wanted {
    from: u64,
    head: u64,
    limit: u64,
    searching: Searching,
}

/// Commits, one per line.
fn lines(shared: &Shared, wanted: Wanted, permit: OwnedSemaphorePermit) -> Response {
    let head = wanted.head;
    let (to, body) = mpsc::channel::<Result<Bytes, ReadError>>(2);
    let reader = shared.reader.clone();
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(error) = send_lines(&reader, wanted, &to).await {
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
    Wanted { from, head, limit, mut searching }: Wanted,
    to: &Sender<Result<Bytes, ReadError>>,
) -> Result<(), ReadError> {
    let is_any = searching.search().is_any();
    let mut next = if searching.search().needs_all() { 1 } else { from };
    let mut left = limit;
    while next <= head && left > 0 {
        // What is looked for may be rare: then everything is read, a page at a time.
        let most = if is_any { left.min(head - next + 1) } else { head - next + 1 };
        let count = usize::try_from(most).unwrap_or(PAGE).min(PAGE);
        let commits = reader.read_commits(next, count).await?;
        let Some(last) = commits.last() else { break };
        next = last.commit.position + 1;
        let is_over = searching.search().is_over(&last.commit);
        let mut page = Vec::new();
        for Stored { bytes, commit } in &commits {
            if searching.takes(commit) && commit.position >= from && left > 0 {
                page.extend_from_slice(bytes);
                page.push(b'\n');
                left -= 1;
            }
        }
        // Sent even when it is empty, so that a caller who has left is noticed.
        if to.send(Ok(page.into())).await.is_err() || is_over {
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
