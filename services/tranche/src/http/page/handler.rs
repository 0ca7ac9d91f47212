//! `GET /`: reads what was chosen, asks the views, renders.

use super::calendar::Calendar;
use super::model::{Model, Reports, VIEWS};
use super::{days, page, panel};
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::http::request::{ZONE, moment, yes};
use crate::http::views::unreadable;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::ToSpan as _;
use jiff::civil::Date;
use projections::AsOf;
use serde::Deserialize;
use std::sync::{Arc, PoisonError};

/// What may stand in the address. Slider and date are two fields of one form; without a script both
/// are sent, and `shown` tells which of them was moved.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Asked {
    as_of: Option<String>,
    known_at: Option<String>,
    fragment: Option<String>,
    day: Option<String>,
    shown: Option<String>,
}

/// `GET /`.
pub(in crate::http) async fn show(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    let as_of = date("as_of", asked.as_of.as_deref())?;
    let known_at = date("known_at", asked.known_at.as_deref())?;
    let calendar = calendar(&shared).await?;
    if asked.shown.is_some() {
        return Ok(
            Redirect::to(&chosen(&asked, as_of, known_at, calendar.as_deref())?).into_response()
        );
    }
    let choice = calendar.as_ref().map(|calendar| calendar.choose(as_of, known_at));
    let end =
        |date: Option<Date>| date.map(|date| moment("as_of", &date.to_string(), ZONE)).transpose();
    let shown = choice.as_ref().map(|choice| choice.shown);
    let at = AsOf { as_of: end(shown)?, known_at: end(known_at)?, position: None };
    let mut reports = Reports::new();
    for view in VIEWS {
        if let Some(report) = shared.reader.as_of(view, at).await.map_err(unreadable)? {
            reports.insert(view, report);
        }
    }
    let model = Model::read(&title(&shared), &reports);
    let html = if yes("fragment", asked.fragment.as_deref())? {
        panel(&model, choice.as_ref())
    } else {
        page(&model, choice.as_ref())
    };
    let mut response = Html(html.into_string()).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The address of what was chosen in the form.
fn chosen(
    asked: &Asked,
    as_of: Option<Date>,
    known_at: Option<Date>,
    calendar: Option<&Calendar>,
) -> Result<String, Problem> {
    let shown = date("shown", asked.shown.as_deref())?;
    let offset = asked.day.as_deref().map(str::parse::<i32>).transpose();
    let offset = offset.map_err(|_| Problem::query("day", "is a number of days"))?;
    let moved = calendar.zip(offset).and_then(|(calendar, offset)| {
        let stood = shown.map(|shown| days(calendar.first, shown));
        let stays = stood == Some(offset) || as_of != shown;
        let at = calendar.first.checked_add(offset.days()).ok()?;
        (!stays).then_some(at.clamp(calendar.first, calendar.last))
    });
    let mut address = "/".to_owned();
    let mut mark = '?';
    for (name, value) in [("as_of", moved.or(as_of)), ("known_at", known_at)] {
        if let Some(value) = value {
            address.push_str(&format!("{mark}{name}={value}"));
            mark = '&';
        }
    }
    Ok(address)
}

fn date(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let date = if text.len() == 10 { text.parse().ok() } else { None };
    date.map(Some).ok_or_else(|| Problem::query(name, "is a date like 2024-12-10"))
}

/// The calendar, read again only when the log has grown.
async fn calendar(shared: &Shared) -> Result<Option<Arc<Calendar>>, Problem> {
    let position = shared.reader.now().position();
    let kept = shared.calendar.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if kept.as_ref().is_some_and(|kept| kept.position == position) {
        return Ok(kept);
    }
    let zone = domain::time::zone(ZONE)
        .map_err(|error| Problem::own("http.internal", error.to_string()))?;
    let read = Calendar::read(&shared.reader, &zone).await.map_err(unreadable)?.map(Arc::new);
    shared.calendar.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&read);
    Ok(read)
}

/// The calls that give money, by name, as they are known now: the heading stays while the date moves.
fn title(shared: &Shared) -> String {
    let now = shared.reader.now();
    let calls = now.world().calls.values().filter(|call| call.budget.is_some());
    let titles: Vec<&str> = calls.map(|call| call.title.as_str()).collect();
    match titles.as_slice() {
        [] => "Public grants".to_owned(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} other calls", rest.len()),
    }
}
