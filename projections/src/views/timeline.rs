//! Everything that was recorded, in order: who did what to which stream, and from which source.

use crate::folds::timeline::{Row, Timeline as Facts};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Timeline;

impl View for Timeline {
    type Facts = Facts;
    const NAME: &'static str = "timeline";
    const SUMMARY: &'static str = "Everything that was recorded, in order, with who and from where";

    fn report(facts: &Facts, query: &Query) -> Report {
        let mut table = Table::new(
            "events",
            "",
            &[
                ("position", "Position", Kind::Count),
                ("recorded_at", "Recorded", Kind::Instant),
                ("effective_at", "True since", Kind::Instant),
                ("actor", "Who", Kind::Text),
                ("role", "Role", Kind::Text),
                ("command", "Command", Kind::Text),
                ("stream", "Stream", Kind::Text),
                ("type", "Event", Kind::Text),
                ("source", "Source", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        );
        let limit = query.limit.unwrap_or(usize::MAX);
        let newest = facts.rows.iter().rev().filter(|row| facts.matches(row, query));
        let mut rows: Vec<&Row> = newest.take(limit).collect();
        rows.reverse();
        for row in rows {
            table.push([
                row.position.into(),
                row.recorded_at.into(),
                row.effective_at.into(),
                facts.word(row.actor).into(),
                Cell::text(row.role),
                facts.word(row.command).into(),
                Cell::text(&row.stream),
                facts.word(row.kind).into(),
                Cell::maybe(row.evidence.map(|(_, source)| facts.word(source))),
                Cell::maybe(row.evidence.map(|(confidence, _)| confidence)),
            ]);
        }
        Report::new(Self::NAME, "Timeline").with(table)
    }
}
