//! The pages of the problems: every code that an answer can have, and what it means.

use super::problem::{self, Problem};
use super::{page, request};
use crate::refusals::{self, Basis, Explained};
use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

/// `GET /problems`.
pub(super) async fn list() -> Json<Vec<Explained>> {
    Json(refusals::all().collect())
}

/// `GET /problems/{code}`: JSON, or a page for whoever follows the link of a problem.
pub(super) async fn one(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let found = refusals::explain(&code)
        .ok_or_else(|| Problem::own("http.not_found", refusals::unknown(&code)))?;
    if request::choose(&headers, &["application/json", "text/html"])? != "text/html" {
        return Ok(Json(found).into_response());
    }
    let page = page::frame(&problem::title(&code), &shown(&found));
    Ok(Html(page.into_string()).into_response())
}

fn shown(found: &Explained) -> Markup {
    html! {
        section.hero {
            p.eyebrow { "Problem" }
            h1 { (found.title) }
            p.lead { (found.meaning) }
            @if let Some(sentence) = &found.sentence {
                p.lead { "It says: " (sentence) "." }
            }
            @if let Some(rule) = &found.rule {
                p.lead { "Rule: " (rule) "." }
            }
            @if let Some(text) = &found.rule_text {
                p.lead { (text) }
            }
            @if let Some(basis) = found.commands_are {
                p.lead { (from(basis)) }
            }
            @if !found.commands.is_empty() {
                ul {
                    @for command in &found.commands {
                        li { a href={ "/commands/" (command) } { code { (command) } } }
                    }
                }
            }
            p.lead {
                "Code " code { (found.code) }
                @if let Some(status) = found.status { ", status " code { (status) } }
                @if let Some(exit) = found.exit { ", exit code " code { (exit) } }
            }
        }
    }
}

fn from(basis: Basis) -> &'static str {
    match basis {
        Basis::Every => "Every command can answer it.",
        Basis::Measured => "Commands that answered it in the tests:",
        Basis::Category => "The commands of its category:",
    }
}
