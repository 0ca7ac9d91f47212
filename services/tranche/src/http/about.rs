//! What the server says about itself: health, figures, its problems, its document.

use super::problem::{self, OWN, Problem};
use super::{LAG_MAX, Shared, openapi, page, request};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use maud::html;
use prometheus::{Encoder, TextEncoder};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a part may take to say that it is well.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// Every code that a problem can have.
#[must_use]
pub fn codes() -> Vec<String> {
    let own = OWN.iter().map(|(code, ..)| (*code).to_owned());
    domain::catalogue::refusal_codes().into_iter().chain(own).collect()
}

fn described(code: &str) -> Option<Value> {
    let own = OWN.iter().find(|(own, ..)| *own == code);
    let meaning = match own {
        Some((_, _, meaning)) => (*meaning).to_owned(),
        None if codes().iter().any(|known| known == code) => match code.split_once('.')? {
            ("command", _) => {
                "A refusal that every command shares. Nothing was recorded.".to_owned()
            }
            (category, _) => format!("A rule of a {category} says no. Nothing was recorded."),
        },
        None => return None,
    };
    let status = own.map(|(_, status, _)| status.as_u16());
    Some(json!({
        "type": format!("/problems/{code}"), "code": code, "title": problem::title(code),
        "meaning": meaning, "status": status,
    }))
}

/// `GET /problems`.
pub(super) async fn problems() -> Json<Value> {
    Json(codes().iter().filter_map(|code| described(code)).collect())
}

/// `GET /problems/{code}`: JSON, or a page for whoever follows the link of a problem.
pub(super) async fn problem(
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = described(&code)
        .ok_or_else(|| Problem::own("http.not_found", "no problem has this code"))?;
    if request::choose(&headers, &["application/json", "text/html"])? != "text/html" {
        return Ok(Json(found).into_response());
    }
    let (title, meaning) = (problem::title(&code), found["meaning"].as_str().unwrap_or_default());
    let body = html! {
        section.hero {
            p.eyebrow { "Problem" }
            h1 { (title) }
            p.lead { (meaning) }
            p.lead { "Code " code { (code) } }
        }
    };
    Ok(Html(page::frame(&title, &body).into_string()).into_response())
}

/// `GET /openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::DOCUMENT.as_str())
}

/// `GET /asyncapi.json`.
pub(super) async fn events() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], crate::asyncapi::DOCUMENT.as_str())
}

/// `GET /metrics`.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let uptime = shared.started.elapsed().as_secs();
    shared.uptime.set(i64::try_from(uptime).unwrap_or(i64::MAX));
    shared.observe_lag();
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    encoder
        .encode(&shared.registry.gather(), &mut text)
        .map_err(|error| Problem::own("http.internal", error.to_string()))?;
    Ok(([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response())
}

/// `GET /healthz`: the process lives and answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /readyz`: the log answers, the writer decides if it is here, the views keep up, and we are not
/// stopping. `writer` says who decides: `here`, another instance, or nobody now.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let head = async {
        match tokio::time::timeout(CHECK_MAX, shared.reader.head()).await {
            Ok(head) => head.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer in {} s", CHECK_MAX.as_secs())),
        }
    };
    let writer =
        async { tokio::time::timeout(CHECK_MAX, shared.gateway.settle()).await.ok()?.ok() };
    let (head, writer) = tokio::join!(head, writer);
    let shown = shared.reader.now().position();
    let lag = head.as_ref().ok().map(|head| head.saturating_sub(shown));
    let stopping = shared.stopping.is_set();
    let is_ready = !stopping && writer.is_some() && lag.is_some_and(|lag| lag <= LAG_MAX);
    if !is_ready {
        let detail = format!(
            "the log: {}; the writer: {}; the views are {} behind{}",
            head.as_ref().err().map_or("answers", String::as_str),
            writer.map_or("does not answer", |()| "answers"),
            lag.map_or_else(|| "an unknown number of commits".to_owned(), |lag| lag.to_string()),
            if stopping { ", and the server is stopping" } else { "" },
        );
        return Problem::own("http.not_ready", detail).into_response();
    }
    let writer = shared.gateway.writer();
    let ready = json!({
        "status": "ready", "log_head": head.ok(), "shown": shown, "lag": lag, "writer": writer,
    });
    Json(ready).into_response()
}
