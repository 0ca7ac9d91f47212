//! `GET /exports/{what}`: populations and the journal for other programs, and their control totals.

use super::problem::Problem;
use super::request::{self, Moment};
use super::views::{tagged, unreadable};
use super::{Shared, within};
use crate::export::{Export, NoLines, What};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use projections::AsOf;
use projections::audit::Lines;
use std::sync::Arc;

/// A fold over more commits than these is for the command line: `tranche audit export`.
const COMMITS_MAX: u64 = 1_000_000;
/// So many commits are read at once.
const PAGE: usize = 256;
const CSV: &str = "text/csv";
const JSONL: &str = "application/jsonl";

/// `GET /exports/{what}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(what): Path<String>,
    asked: Result<Query<Moment>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let media = request::choose(&headers, &[CSV, JSONL])?;
    let (position, lines) = lines(&shared, &what, asked).await?;
    Ok(tagged(&headers, media, position, written(&lines, media).into_bytes()))
}

/// `GET /exports/{what}/totals`: of the CSV.
pub(super) async fn totals(
    State(shared): State<Arc<Shared>>,
    Path(what): Path<String>,
    asked: Result<Query<Moment>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let media = request::choose(&headers, &[CSV])?;
    let (position, lines) = lines(&shared, &what, asked).await?;
    let totals = lines.totals(&written(&lines, CSV));
    Ok(tagged(&headers, media, position, totals.into_bytes()))
}

fn written(lines: &Lines, media: &str) -> String {
    if media == JSONL { lines.to_jsonl() } else { lines.to_csv() }
}

/// The lines, and the last position that was considered.
async fn lines(
    shared: &Shared,
    what: &str,
    asked: Result<Query<Moment>, QueryRejection>,
) -> Result<(u64, Lines), Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    let what: What = what.parse().map_err(|_| {
        Problem::own("http.not_found", "payments, commitments and postings are exported")
    })?;
    let now = shared.reader.now();
    let place = if asked.call.is_some() || asked.zone.is_some() {
        let zones = request::zones(now.world(), asked.call.as_deref(), asked.zone.as_deref())?;
        zones.into_iter().next()
    } else {
        None
    };
    let moment = asked.read(now.world())?;
    within(moment.position.unwrap_or(0), now.position())?;
    let last = moment.position.unwrap_or(now.position());
    if last > COMMITS_MAX {
        let what = format!("over HTTP, of at most {COMMITS_MAX} commits: tranche audit export");
        return Err(Problem::query("at_position", what));
    }
    let _permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::own("http.busy", "too many callers are reading the log; try again")
    })?;
    let (position, export) = fold(shared, Export::new(what), moment, last).await?;
    let lines = export.lines(place.as_deref()).map_err(|error| match error {
        NoLines::Zone(error) => Problem::query("zone", error),
        NoLines::Incomplete(error) => Problem::own("http.internal", error.to_string()),
    })?;
    Ok((position, lines))
}

/// Takes every event of the moment in, from the first commit.
async fn fold(
    shared: &Shared,
    mut export: Export,
    moment: AsOf,
    last: u64,
) -> Result<(u64, Export), Problem> {
    let mut position = 0;
    loop {
        let left = usize::try_from(last - position).unwrap_or(usize::MAX);
        let page = shared.reader.read_commits(position + 1, left.min(PAGE)).await;
        let page = page.map_err(unreadable)?;
        if page.is_empty() {
            return Ok((position, export));
        }
        for stored in page {
            let commit = &stored.commit;
            if !moment.knows(commit.position, commit.recorded_at) {
                return Ok((position, export));
            }
            position = commit.position;
            let events = commit.events.iter();
            events
                .filter(|event| moment.was_true(event.effective_at))
                .for_each(|event| export.apply(commit, event));
        }
        tokio::task::yield_now().await;
    }
}
