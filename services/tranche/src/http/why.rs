//! `GET /views/{view}/why`: where a figure comes from; `GET /views/{view}/diff`: what changed between two
//! moments.

use super::problem::Problem;
use super::request::{self, Moment};
use super::views::{known, tagged, unreadable};
use super::{Shared, within};
use crate::engine::AskError;
use crate::why::{Difference, SHOWN_MAX, SHOWN_USUAL, Why, moments};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use projections::lineage::PointerError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The longest pointer, in bytes.
const POINTER_BYTES_MAX: usize = 1_024;

/// What may stand in the address of a why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedWhy {
    pointer: Option<String>,
    newest: Option<String>,
    as_of: Option<String>,
    known_at: Option<String>,
    at_position: Option<String>,
    call: Option<String>,
    zone: Option<String>,
}

/// What may stand in the address of a difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedDiff {
    from: Option<String>,
    to: Option<String>,
    clock: Option<String>,
    from_position: Option<String>,
    to_position: Option<String>,
    call: Option<String>,
    zone: Option<String>,
}

/// `GET /views/{view}/why`.
pub(super) async fn why(
    State(shared): State<Arc<Shared>>,
    Path(view): Path<String>,
    asked: Result<Query<AskedWhy>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    known(&view)?;
    let pointer = asked.pointer.as_deref().filter(|pointer| pointer.len() <= POINTER_BYTES_MAX);
    let pointer = pointer.ok_or_else(|| {
        let what = format!("names a figure: /TABLE/ROW/COLUMN, at most {POINTER_BYTES_MAX} bytes");
        Problem::query("pointer", what)
    })?;
    let newest = request::number("newest", asked.newest.as_deref())?;
    let newest = newest.map_or(Some(SHOWN_USUAL), |newest| usize::try_from(newest).ok());
    let newest = newest.filter(|newest| (1..=SHOWN_MAX).contains(newest));
    let newest = newest.ok_or_else(|| Problem::query("newest", format!("is 1 to {SHOWN_MAX}")))?;
    let AskedWhy { as_of, known_at, at_position, call, zone, .. } = asked;
    let moment = Moment { as_of, known_at, at_position, call, zone };
    let now = shared.reader.now();
    let moment = moment.read(now.world())?;
    within(moment.position.unwrap_or(0), now.position())?;
    let query = projections::Query::at(moment);
    let lineage = shared.reader.why(&view, query, pointer).await.map_err(|error| match error {
        AskError::Read(error) => unreadable(error),
        AskError::Pointer(error @ PointerError::Form(_)) => {
            Problem::own("http.bad_query", error.to_string())
        }
        AskError::Pointer(error) => Problem::own("http.not_found", error.to_string()),
    })?;
    let lineage = lineage.ok_or_else(|| Problem::own("http.not_found", "there is no such view"))?;
    let position = moment.position.unwrap_or(now.position());
    answer(&headers, position, &Why::of(&view, moment, lineage, newest, now.world()))
}

/// `GET /views/{view}/diff`.
pub(super) async fn diff(
    State(shared): State<Arc<Shared>>,
    Path(view): Path<String>,
    asked: Result<Query<AskedDiff>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    known(&view)?;
    let is_effective = match asked.clock.as_deref() {
        None | Some("recorded") => false,
        Some("effective") => true,
        Some(_) => return Err(Problem::query("clock", "is recorded or effective")),
    };
    let now = shared.reader.now();
    let zones = request::zones(now.world(), asked.call.as_deref(), asked.zone.as_deref())?;
    let instant = |name, text: &Option<String>| {
        text.as_deref().map(|text| request::moment(name, text, &zones)).transpose()
    };
    let position = |name, text: &Option<String>| {
        let position = request::number(name, text.as_deref())?;
        within(position.unwrap_or(0), now.position()).map(|()| position)
    };
    let from = (instant("from", &asked.from)?, position("from_position", &asked.from_position)?);
    let to = (instant("to", &asked.to)?, position("to_position", &asked.to_position)?);
    let mixed = (from.0.or(to.0)).is_some() && (from.1.or(to.1)).is_some();
    if mixed {
        return Err(Problem::query("from_position", "does not go with from or to"));
    }
    let ends = moments((from, to), is_effective).map_err(|error| Problem::query("from", error))?;
    let diff = shared.reader.diff(&view, ends).await.map_err(unreadable)?;
    let diff = diff.ok_or_else(|| Problem::own("http.not_found", "there is no such view"))?;
    let position = diff.to.1;
    answer(&headers, position, &Difference::of(&view, diff, now.world()))
}

fn answer(
    headers: &HeaderMap,
    position: u64,
    answer: &impl Serialize,
) -> Result<Response, Problem> {
    let media = request::choose(headers, &["application/json"])?;
    let body = serde_json::to_vec(answer)
        .map_err(|error| Problem::own("http.internal", error.to_string()))?;
    Ok(tagged(headers, media, position, body))
}
