//! `GET /`: reads what was chosen, asks the views, renders.

use super::calendar::Calendar;
use super::model::{Model, Reports, VIEWS};
use super::{days, page, panel};
use crate::http::problem::Problem;
use crate::http::request::{moment, yes, zones};
use crate::http::views::unreadable;
use crate::http::{Shared, request};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Span;
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
    call: Option<String>,
    zone: Option<String>,
}

impl Asked {
    /// In which zone, as far as it was said: it stays while the date moves.
    fn scope(&self) -> Option<(&'static str, String)> {
        let call = self.call.clone().map(|call| ("call", call));
        call.or_else(|| self.zone.clone().map(|zone| ("zone", zone)))
    }
}

/// `GET /`. A person gets a page whatever the address says; a program that asks for JSON, a problem.
pub(in crate::http) async fn show(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let mut response = answer(&shared, asked).await.into_response();
    let offered = &["text/html", "application/problem+json", "application/json"];
    if request::choose(&headers, offered).is_ok_and(|media| media == "text/html") {
        response.extensions_mut().insert(super::Asked);
    }
    response
}

async fn answer(
    shared: &Shared,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| Problem::query("the address", error.body_text()))?;
    let as_of = date("as_of", asked.as_of.as_deref())?;
    let known_at = date("known_at", asked.known_at.as_deref())?;
    let is_fragment = yes("fragment", asked.fragment.as_deref())?;
    let offset = offset(&asked)?;
    let zones = {
        let now = shared.reader.now();
        zones(now.world(), asked.call.as_deref(), asked.zone.as_deref())?
    };
    let scope = asked.scope();
    let calendar = calendar(shared, &zones).await?;
    if let Some(shown) = date("shown", asked.shown.as_deref())? {
        let mut address = chosen((as_of, known_at, shown), offset, calendar.as_deref());
        if let Some(scope) = &scope {
            let mark = if address.contains('?') { '&' } else { '?' };
            address.push_str(&format!("{mark}{}", super::in_address(scope)));
        }
        return Ok(Redirect::to(&address).into_response());
    }
    let choice = calendar.as_ref().map(|calendar| calendar.choose(as_of, known_at, scope));
    let end = |name, date: Option<Date>, zones: &[String]| {
        date.map(|date| moment(name, &date.to_string(), zones)).transpose()
    };
    // The last day was not asked for, so the calendar's own zone will do for it.
    let zones_of_shown = if as_of.is_some() { zones.as_slice() } else { &zones[..1] };
    let shown = choice.as_ref().map(|choice| choice.shown);
    let at = AsOf {
        as_of: end("as_of", shown, zones_of_shown)?,
        known_at: end("known_at", known_at, &zones)?,
        position: None,
    };
    let mut reports = Reports::new();
    for view in VIEWS {
        if let Some(report) = shared.reader.as_of(view, at).await.map_err(unreadable)? {
            reports.insert(view, report);
        }
    }
    let model = Model::read(&title(shared), &reports);
    let html =
        if is_fragment { panel(&model, choice.as_ref()) } else { page(&model, choice.as_ref()) };
    let mut response = Html(html.into_string()).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The address of what was chosen in the form.
fn chosen(
    (as_of, known_at, shown): (Option<Date>, Option<Date>, Date),
    offset: Option<i32>,
    calendar: Option<&Calendar>,
) -> String {
    let moved = calendar.zip(offset).and_then(|(calendar, offset)| {
        let stays = days(calendar.first, shown) == offset || as_of != Some(shown);
        let far = if offset < 0 { calendar.first } else { calendar.last };
        let span = Span::new().try_days(offset).ok();
        let at = span.and_then(|span| calendar.first.checked_add(span).ok()).unwrap_or(far);
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
    address
}

/// Where the slider stands, in days. It means something only beside the day that was shown.
fn offset(asked: &Asked) -> Result<Option<i32>, Problem> {
    let Some(day) = asked.day.as_deref() else { return Ok(None) };
    let offset = day.parse().map_err(|_| Problem::query("day", "is a number of days"))?;
    if asked.shown.as_deref().is_none_or(str::is_empty) {
        return Err(Problem::query("day", "goes with shown only; a day is as_of=2024-12-10"));
    }
    Ok(Some(offset))
}

fn date(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let date = if text.len() == 10 { text.parse().ok() } else { None };
    date.map(Some).ok_or_else(|| Problem::query(name, "is a date like 2024-12-10"))
}

/// The calendar in the first of the zones, read again only when the log has grown.
async fn calendar(shared: &Shared, zones: &[String]) -> Result<Option<Arc<Calendar>>, Problem> {
    let position = shared.reader.now().position();
    let kept = shared.calendar.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if kept
        .as_ref()
        .is_some_and(|kept| kept.position == position && zones.first() == Some(&kept.zone))
    {
        return Ok(kept);
    }
    let zone = zones.first().map(String::as_str).unwrap_or_default();
    let read = Calendar::read(&shared.reader, zone).await.map_err(unreadable)?.map(Arc::new);
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
