//! The one page: the budget at a date, with a picture of where the money flows. Rendered on the server
//! and complete without a script; the script only makes the slider live.

pub mod calendar;
pub mod handler;
pub mod model;
pub mod table;

use super::assets;
use super::format::{cents_exact, day_long};
use super::problem::{self, Problem};
use super::sankey::Flow;
use axum::response::{Html, IntoResponse, Response};
use domain::kernel::actor::Confidence;
use jiff::civil::Date;
use maud::{DOCTYPE, Markup, html};
use model::{Model, Tile};
use std::collections::BTreeSet;

/// What the reader chose, and what may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The first day of the log.
    pub first: Date,
    /// Its last day.
    pub last: Date,
    /// The day shown.
    pub shown: Date,
    /// Only what was recorded by the end of this day.
    pub known_at: Option<Date>,
    /// The parameter that says in which zone, and its value.
    pub scope: Option<(&'static str, String)>,
    /// Days on which something was decided.
    pub milestones: Vec<Milestone>,
}

impl Choice {
    /// The zone as the rest of an address.
    fn scope(&self) -> String {
        let scope = self.scope.as_ref();
        scope.map(|scope| format!("&{}", in_address(scope))).unwrap_or_default()
    }
}

/// A parameter of an address; a call's id and a zone's name have no other letter that means more there.
fn in_address((name, value): &(&'static str, String)) -> String {
    format!("{name}={}", value.replace('+', "%2B"))
}

/// A day on which something was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// The day.
    pub date: Date,
    /// What.
    pub label: String,
}

/// Goes along with the answer to whoever asked for a page: a problem becomes one too.
#[derive(Clone, Copy, Debug)]
pub struct Asked;

/// A problem as a page.
#[must_use]
pub fn refused(problem: &Problem, instance: &str) -> Response {
    let title = problem::title(problem.code());
    let body = html! {
        section.hero {
            p.eyebrow { "This cannot be shown" }
            h1 { (title) }
            p.lead role="alert" { (problem.detail()) }
            p.lead { a href="/" { "Show the budget of the last day" } }
            p.lead { "Code " code { (problem.code()) } ", occurrence " code { (instance) } }
        }
    };
    let page = frame(&title, &body).into_string();
    problem.wearing((problem.status(), Html(page)).into_response())
}

/// Whole days from one day to another.
#[must_use]
pub fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

/// The page.
#[must_use]
pub fn page(model: &Model, choice: Option<&Choice>) -> Markup {
    frame(
        &format!("{} \u{b7} budget", model.title),
        &html! {
            section.hero {
                p.eyebrow { "Budget at a date" }
                h1 { (model.title) }
                @if choice.is_none() { p.lead { "Nothing has been recorded yet." } }
            }
            @if let Some(choice) = choice { (chooser(choice)) }
            div #panel { (panel(model, choice)) }
        },
    )
}

/// What changes with the date.
#[must_use]
pub fn panel(model: &Model, choice: Option<&Choice>) -> Markup {
    html! {
        @if let Some(choice) = choice {
            p.lead.moment role="status" {
                "As it was true on " strong { (day_long(choice.shown)) }
                @if let Some(known_at) = choice.known_at {
                    ", as far as known on " strong { (day_long(known_at)) }
                }
                "."
            }
        }
        (tiles(&model.tiles))
        @if !model.flow.nodes.is_empty() { (picture(model)) }
        @for table in &model.tables {
            @if !table.rows.is_empty() {
                section.card aria-labelledby={ "table-" (table.key) } {
                    h2 id={ "table-" (table.key) } { (table.title) }
                    (table::scrolling(table))
                }
            }
        }
        @if !model.notes.is_empty() {
            section.card aria-labelledby="notes" {
                h2 #notes { "How to read this" }
                @for note in &model.notes { p { (note) } }
            }
        }
    }
}

fn chooser(choice: &Choice) -> Markup {
    let span = days(choice.first, choice.last);
    html! {
        form.card.choose method="get" action="/" data-first=(choice.first) aria-label="Choose the date" {
            input type="hidden" name="shown" value=(choice.shown);
            @if let Some((name, value)) = &choice.scope {
                input #scope type="hidden" name=(name) value=(value);
            }
            div.slide {
                label for="day" { "Move through time" }
                input #day type="range" name="day" min="0" max=(span) step="1"
                    value=(days(choice.first, choice.shown)) aria-valuetext=(day_long(choice.shown));
                (ticks(choice, span))
                div.ends aria-hidden="true" {
                    span { (day_long(choice.first)) }
                    span { (day_long(choice.last)) }
                }
            }
            div.fields {
                div.field {
                    label for="as_of" { "True on" }
                    input #as_of type="date" name="as_of" required min=(choice.first) max=(choice.last)
                        value=(choice.shown);
                }
                div.field {
                    label for="known_at" { "Known on (optional)" }
                    input #known_at type="date" name="known_at" value=[choice.known_at];
                }
                button.nojs type="submit" { "Show" }
            }
            @if !choice.milestones.is_empty() { (milestones(choice)) }
        }
    }
}

fn milestones(choice: &Choice) -> Markup {
    let mut known = choice.known_at.map(|date| format!("&known_at={date}")).unwrap_or_default();
    known.push_str(&choice.scope());
    html! {
        ul.milestones aria-label="Milestones" {
            @for milestone in &choice.milestones {
                @let current = (milestone.date == choice.shown).then_some("date");
                li {
                    a href={ "/?as_of=" (milestone.date) (known) } data-date=(milestone.date)
                        aria-current=[current] {
                        time datetime=(milestone.date) { (super::format::day_short(milestone.date)) }
                        (milestone.label)
                    }
                }
            }
        }
    }
}

/// Marks below the slider, at their share of the time.
fn ticks(choice: &Choice, span: i32) -> Markup {
    let share = |date: Date| {
        let per_mille = i64::from(days(choice.first, date)) * 1_000 / i64::from(span.max(1));
        format!("{}.{}%", per_mille / 10, per_mille % 10)
    };
    html! {
        svg.ticks aria-hidden="true" {
            @for milestone in &choice.milestones {
                @let x = share(milestone.date);
                line x1=(x) x2=(x) y1="0" y2="9" {}
            }
        }
    }
}

fn tiles(tiles: &[Tile]) -> Markup {
    html! {
        dl.tiles {
            @for tile in tiles {
                div.tile {
                    dt {
                        @if let Some(kind) = tile.kind {
                            span class={ "swatch " (kind.class()) } aria-hidden="true" {}
                        }
                        (tile.label)
                        @if let Some(weak) = weak(tile.confidence) {
                            span.mark title=(table::meaning(weak)) { (table::word(weak)) }
                        }
                    }
                    @match &tile.figure {
                        Some(figure) => dd.figure title=[tile.exact.as_deref()] { (figure) },
                        None => dd.figure.unknown { "unknown" },
                    }
                    @if let Some(note) = &tile.note { dd.note { (note) } }
                }
            }
        }
    }
}

/// What is weaker than published, and so is marked.
fn weak(confidence: Option<Confidence>) -> Option<Confidence> {
    confidence.filter(|it| *it != Confidence::Published)
}

fn picture(model: &Model) -> Markup {
    let kinds = |kind| model.flow.nodes.iter().any(|node| node.kind == kind);
    let marks: BTreeSet<Confidence> =
        model.flow.nodes.iter().filter_map(|node| weak(node.confidence)).collect();
    html! {
        section.card aria-labelledby="flow" {
            h2 #flow { "Where the money flows" }
            ul.legend {
                @for (kind, name) in model::LEGEND.iter().filter(|(kind, _)| kinds(*kind)) {
                    li { span class={ "swatch " (kind.class()) } aria-hidden="true" {} (name) }
                }
                @for mark in marks {
                    li { span.sign { (table::sign(mark)) } (table::word(mark)) ": " (table::meaning(mark)) }
                }
            }
            div.scroll tabindex="0" role="group" aria-label="Flow of funds, scrolls sideways" {
                (model.flow.svg("Where the money flows", &model.description))
            }
            details {
                summary { "The same figures as a table" }
                (flow_table(&model.flow))
            }
        }
    }
}

/// The name of a bar with the sign of how sure its amount is.
fn name(flow: &Flow, node: usize) -> Markup {
    let node = &flow.nodes[node];
    html! {
        (node.label)
        @if let Some(weak) = weak(node.confidence) { " " span.sign { (table::sign(weak)) } }
    }
}

fn flow_table(flow: &Flow) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Flows as a table" {
            table {
                caption { "Every flow of the picture, to the cent" }
                thead { tr {
                    th scope="col" { "From" }
                    th scope="col" { "To" }
                    th.number scope="col" { "Amount" }
                } }
                tbody {
                    @for link in &flow.links {
                        tr {
                            th scope="row" { (name(flow, link.from)) }
                            td { (name(flow, link.to)) }
                            td.number {
                                @match link.cents {
                                    Some(cents) => (cents_exact(cents)),
                                    None => span.none { "unknown" },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The frame that all pages share.
#[must_use]
pub fn frame(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " \u{b7} Tranche" }
                link rel="icon" href=(assets::ICON.path) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE.path);
                script src=(assets::SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the figures" }
                div.wrap {
                    header.top {
                        div.brand { (assets::mark()) "Tranche" }
                        nav aria-label="Data" {
                            a href="/views" { "Views" }
                            a href="/log?limit=100" { "Log" }
                            a href="/openapi.json" { "API" }
                        }
                    }
                    main #main tabindex="-1" { (main) }
                    footer.foot {
                        p {
                            "There is no login in this version: whoever reaches this server may read "
                            "everything and may act in any role. It listens on this machine only, unless "
                            "it was told otherwise."
                        }
                        p {
                            "Not a site of the European Commission or of the EuroHPC Joint Undertaking. "
                            "Every figure comes from the log, where the " a href="/views/timeline" { "timeline" }
                            " names the source of each entry that has one. What rests on less than a "
                            "published source is marked: unconfirmed, derived or fixture. A figure that "
                            "was not published is shown as unknown, never as nothing."
                        }
                    }
                }
            }
        }
    }
}
