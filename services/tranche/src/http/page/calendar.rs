//! The days that may be chosen, and those on which something was decided, taken from the log.

use super::{Choice, Milestone};
use crate::engine::{ReadError, Reader};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use projections::{AsOf, Cell, Query};
use std::collections::BTreeMap;

/// The most milestones that are marked.
const MILESTONES_MAX: usize = 16;

/// What each kind of event means to a reader of the budget.
const MEANINGS: &[(&str, &str)] = &[
    ("call.Opened", "Call opens"),
    ("call.CutOffClosed", "Cut-off"),
    ("call.RoundAwarded", "Decision"),
    ("call.BudgetRaised", "Envelope raised"),
    ("call.Closed", "Call closes"),
    ("prize.Awarded", "Prize awarded"),
];

/// The calendar at one position of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The zone of its days.
    pub zone: String,
    /// The position.
    pub position: u64,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// Days on which something was decided, in order.
    pub milestones: Vec<Milestone>,
}

impl Calendar {
    /// Reads the calendar; `None` when the log is empty.
    pub async fn read(reader: &Reader, name: &str) -> Result<Option<Self>, ReadError> {
        let zone = &domain::kernel::time::zone(name).unwrap_or(TimeZone::UTC);
        let now = reader.now();
        let (position, latest) = (now.position(), now.views().effective_max);
        let Some(first) = reader.read_commit(1).await? else { return Ok(None) };
        let effective = first.commit.events.iter().map(|event| event.effective_at);
        let earliest = effective.min().unwrap_or(first.commit.recorded_at);
        let mut found: BTreeMap<Date, &'static str> = BTreeMap::new();
        for category in ["call", "prize"] {
            let moment = AsOf { position: Some(position), ..AsOf::NOW };
            let query = Query { category: Some(category.to_owned()), moment, ..Query::default() };
            let Some(report) = reader.report("timeline", query).await? else { continue };
            for table in &report.tables {
                let column = |key| table.columns.iter().position(|column| column.key == key);
                let (Some(at), Some(kind)) = (column("effective_at"), column("type")) else {
                    continue;
                };
                for row in &table.rows {
                    let (Cell::Instant(at), Cell::Text(kind)) = (&row[at], &row[kind]) else {
                        continue;
                    };
                    if let Some((_, label)) = MEANINGS.iter().find(|(known, _)| known == kind) {
                        found.insert(day(*at, zone), label);
                    }
                }
            }
        }
        let milestone = |(date, label): (Date, &str)| Milestone { date, label: label.to_owned() };
        let mut milestones: Vec<Milestone> = found.into_iter().map(milestone).collect();
        if milestones.len() > MILESTONES_MAX {
            milestones.drain(..milestones.len() - MILESTONES_MAX);
        }
        let first = day(earliest, zone);
        let first = milestones.first().map_or(first, |milestone| first.min(milestone.date));
        let last = day(latest, zone).max(first);
        Ok(Some(Self { zone: name.to_owned(), position, first, last, milestones }))
    }

    /// With what the reader chose; the last day unless they said otherwise.
    #[must_use]
    pub fn choose(
        &self,
        shown: Option<Date>,
        known_at: Option<Date>,
        scope: Option<(&'static str, String)>,
    ) -> Choice {
        let Self { first, last, milestones, .. } = self.clone();
        Choice { first, last, shown: shown.unwrap_or(last), known_at, scope, milestones }
    }
}

fn day(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.clone()).date()
}
