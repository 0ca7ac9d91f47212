//! The signed checkpoints of the log that the log itself holds, the keys that sign, and whether one is
//! due.

use crate::folds::checkpoints::{Checkpoints as Facts, KeyRow, Row};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints;

impl View for Checkpoints {
    type Facts = Facts;
    const NAME: &'static str = "checkpoints";
    const SUMMARY: &'static str = "Signed checkpoints of the log, and the keys that sign them";

    fn report(facts: &Facts, _: &Query) -> Report {
        let mut recorded = Table::new(
            "recorded",
            "Recorded",
            &[
                ("position", "Position", Kind::Count),
                ("recorded_at", "Recorded", Kind::Instant),
                ("size", "Commits", Kind::Count),
                ("root", "Root", Kind::Text),
            ],
        )
        .named_by(&["position"]);
        for Row { position, recorded_at, root, size } in &facts.recorded {
            recorded.push([
                Cell::Count(*position),
                (*recorded_at).into(),
                Cell::Count(*size),
                Cell::text(root),
            ]);
        }
        let mut keys = Table::new(
            "keys",
            "Keys",
            &[
                ("key", "Key", Kind::Text),
                ("since", "Since", Kind::Count),
                ("retired", "Retired", Kind::Count),
                ("reason", "Reason", Kind::Text),
            ],
        )
        .named_by(&["key"]);
        for (key, KeyRow { since, retired }) in &facts.keys {
            let (at, reason) = retired.clone().unzip();
            keys.push([
                Cell::text(key),
                Cell::Count(*since),
                at.map_or(Cell::Empty, Cell::Count),
                reason.map_or(Cell::Empty, Cell::text),
            ]);
        }
        let report = Report::new(Self::NAME, "Checkpoints").with(recorded).with(keys);
        match facts.waits {
            Some(position) => report.note(format!("One is awaited since position {position}.")),
            None => report,
        }
    }
}
