//! The pages of the problems: every code that an answer can have, and what it means.

use super::problem::{self, OWN, Problem};
use super::{page, request};
use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use maud::html;
use serde_json::{Value, json};

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
pub(super) async fn list() -> Json<Value> {
    Json(codes().iter().filter_map(|code| described(code)).collect())
}

/// `GET /problems/{code}`: JSON, or a page for whoever follows the link of a problem.
pub(super) async fn one(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
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
