//! `GET /views`: what the read models answer, now or as of any moment of the past.

use super::commands::POSITION;
use super::problem::Problem;
use super::request::{self, Moment};
use super::{Shared, WAIT_MAX};
use crate::engine::ReadError;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::World;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::StreamId;
use projections::View;
use projections::query::journal::{PARAMETERS, Tests};
use projections::views::journal::Journal;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// At most so many rows, unless the request says otherwise.
pub const ROWS_USUAL: u64 = 1_000;
/// The most rows that a request may ask for.
pub const ROWS_MAX: u64 = 100_000;

/// What may stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    as_of: Option<String>,
    known_at: Option<String>,
    at_position: Option<String>,
    wait_for: Option<String>,
    zone: Option<String>,
    call: Option<String>,
    actor: Option<String>,
    category: Option<String>,
    limit: Option<String>,
    role: Option<String>,
    stream: Option<String>,
    /// What the journal tests are asked, by the name of the parameter.
    #[serde(skip)]
    tests: BTreeMap<&'static str, String>,
}

impl Asked {
    /// Reads what stands in the address. What the journal tests are asked is known by their list.
    fn read(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let (mut tests, mut others) = (BTreeMap::new(), Map::new());
        for (name, text) in pairs {
            let of_journal = PARAMETERS.iter().find(|parameter| parameter.name == name);
            let is_repeated = match of_journal {
                Some(parameter) => tests.insert(parameter.name, text).is_some(),
                None => others.insert(name.clone(), text.into()).is_some(),
            };
            if is_repeated {
                let name: String = name.chars().take(40).collect();
                return Err(Problem::query(&name, "is given more than once"));
            }
        }
        let asked: Result<Self, _> = serde_json::from_value(Value::Object(others));
        let asked = asked.map_err(|error| Problem::query("the address", error.to_string()))?;
        Ok(Self { tests, ..asked })
    }

    fn moment(&self) -> Moment {
        Moment {
            as_of: self.as_of.clone(),
            known_at: self.known_at.clone(),
            at_position: self.at_position.clone(),
            call: self.call.clone(),
            zone: self.zone.clone(),
        }
    }

    /// What the journal tests are asked. No other view takes that.
    fn tests(&self, view: &str) -> Result<Option<Tests>, Problem> {
        let mut tests = None;
        for (name, text) in &self.tests {
            if view != Journal::NAME {
                return Err(Problem::query(name, "only the view journal takes it"));
            }
            let tests = tests.get_or_insert_with(Tests::default);
            tests.set(name, text).map_err(|error| Problem::query(name, error))?;
        }
        Ok(tests)
    }

    fn query(&self, view: &str, world: &World) -> Result<projections::Query, Problem> {
        fn read<T: std::str::FromStr>(
            name: &str,
            text: Option<&String>,
        ) -> Result<Option<T>, Problem>
        where
            T::Err: std::fmt::Display,
        {
            text.map(|text| text.parse()).transpose().map_err(|error| Problem::query(name, error))
        }
        let limit = request::number("limit", self.limit.as_deref())?.unwrap_or(ROWS_USUAL);
        if limit == 0 || limit > ROWS_MAX {
            return Err(Problem::query("limit", format!("is 1 to {ROWS_MAX}")));
        }
        let known =
            |category: &&String| domain::facts::event::CATEGORIES.contains(&category.as_str());
        if let Some(category) = self.category.as_ref().filter(|category| !known(category)) {
            let shown: String = category.chars().take(40).collect();
            return Err(Problem::query("category", format!("no streams are called {shown:?}")));
        }
        Ok(projections::Query {
            actor: read("actor", self.actor.as_ref())?,
            category: self.category.clone(),
            limit: usize::try_from(limit).ok(),
            moment: self.moment().read(world)?,
            now: None,
            role: read("role", self.role.as_ref())?,
            stream: read("stream", self.stream.as_ref())?,
            tests: self.tests(view)?,
        })
    }
}

/// `GET /views`.
pub(super) async fn list() -> Json<Value> {
    let views = projections::VIEWS.iter();
    let views = views.map(|(name, summary)| {
        json!({ "name": name, "summary": summary, "href": format!("/views/{name}") })
    });
    Json(views.collect())
}

/// `GET /views/{view}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(view): Path<String>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    let asked = Asked::read(asked)?;
    known(&view)?;
    let media = request::choose(&headers, &["application/json", "text/csv"])?;
    wait(&shared, asked.wait_for.as_deref()).await?;
    let query = asked.query(&view, shared.reader.now().world())?;
    super::within(query.moment.position.unwrap_or(0), shared.reader.now().position())?;
    let report = shared.reader.ask(&view, query).await.map_err(unreadable)?;
    let report = report.ok_or_else(|| Problem::own("http.not_found", "there is no such view"))?;
    let body = match media {
        "text/csv" => report.to_csv().into_bytes(),
        _ => serde_json::to_vec(&report)
            .map_err(|error| Problem::own("http.internal", error.to_string()))?,
    };
    Ok(tagged(&headers, media, report.position, body))
}

/// Refuses a name that no view has.
pub(super) fn known(view: &str) -> Result<(), Problem> {
    if projections::names().any(|name| name == view) {
        return Ok(());
    }
    let detail = format!("there is no such view; GET /views lists {}", projections::VIEWS.len());
    Err(Problem::own("http.not_found", detail))
}

/// An answer with the digest of its bytes, or none when the caller has these bytes.
pub(super) fn tagged(
    headers: &HeaderMap,
    media: &'static str,
    position: u64,
    body: Vec<u8>,
) -> Response {
    let tag = format!("\"{}\"", Sha256Hex::of(&body));
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known
        .flat_map(|list| list.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one == tag);
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media = if media == "text/csv" { "text/csv; charset=utf-8" } else { media };
        ([(CONTENT_TYPE, media)], Body::from(body)).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(POSITION, HeaderValue::from(position));
    answer.insert(VARY, HeaderValue::from_static("Accept"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(ETAG, tag);
    }
    response
}

async fn wait(shared: &Shared, position: Option<&str>) -> Result<(), Problem> {
    let Some(position) = request::number("wait_for", position)? else { return Ok(()) };
    match tokio::time::timeout(WAIT_MAX, shared.reader.wait_for(position)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreadable(error)),
        Err(_) => {
            let at = shared.reader.now().position();
            let detail = format!("position {position} was not reached; the log is at {at}");
            Err(Problem::own("http.timeout", detail))
        }
    }
}

/// The log cannot be read.
pub(super) fn unreadable(error: ReadError) -> Problem {
    match error {
        ReadError::Stopped => Problem::own("http.stopping", "the server is stopping"),
        error => Problem::own("http.unavailable", error.to_string()),
    }
}

/// `GET /streams/{stream}`.
pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let stream: StreamId =
        name.parse().map_err(|error| Problem::own("http.bad_path", format!("{error}")))?;
    let now = shared.reader.now();
    let version = now.world().version(&stream);
    if version == 0 {
        return Err(domain::Refusal::from(domain::kernel::refusal::Common::NotFound(name)).into());
    }
    let body = json!({
        "stream": stream, "version": version, "phase": now.world().phase(&stream),
        "position": now.position(),
    });
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(POSITION, HeaderValue::from(now.position()));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
