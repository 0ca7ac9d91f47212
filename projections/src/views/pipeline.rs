//! Where calls and proposals are: the calendar of each call, its rounds, and its proposals by state.

use crate::folds::calls::{Call, CallState, Calls, CutOffState};
use crate::folds::proposals::Proposals;
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::facts::proposal::Phase;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey};
use domain::kernel::time::LocalTime;
use imbl::OrdMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline;

/// The calls and the proposals.
struct Sheet<'a> {
    calls: &'a OrdMap<CallId, Arc<Call>>,
    proposals: &'a Proposals,
}

/// The states of a proposal, in the order of its life.
const PHASES: [(Phase, &str, &str); 10] = [
    (Phase::Draft, "draft", "Draft"),
    (Phase::Submitted, "submitted", "Submitted"),
    (Phase::Admitted, "admitted", "Admitted"),
    (Phase::Inadmissible, "inadmissible", "Inadmissible"),
    (Phase::Ineligible, "ineligible", "Ineligible"),
    (Phase::Eligible, "eligible", "Eligible"),
    (Phase::Awarded, "awarded", "Awarded"),
    (Phase::Reserved, "reserved", "Reserved"),
    (Phase::Rejected, "rejected", "Rejected"),
    (Phase::Withdrawn, "withdrawn", "Withdrawn"),
];

impl View for Pipeline {
    type Facts = (Calls, Proposals);
    const NAME: &'static str = "pipeline";
    const SUMMARY: &'static str = "Calls, cut-offs, and proposals by state";

    fn report((calls, proposals): &Self::Facts, _: &Query) -> Report {
        let sheet = Sheet { calls: &calls.calls, proposals };
        Report::new(Self::NAME, "Calls and proposals")
            .with(sheet.calls())
            .with(sheet.cut_offs())
            .with(sheet.states())
            .with(sheet.proposals())
    }
}

impl Sheet<'_> {
    fn calls(&self) -> Table {
        let mut table = Table::new(
            "calls",
            "Calls",
            &[
                ("call", "Call", Kind::Text),
                ("title", "Title", Kind::Text),
                ("state", "State", Kind::Text),
                ("cut_offs", "Cut-offs", Kind::Count),
                ("open_until", "Open until", Kind::Text),
                ("proposals", "Proposals", Kind::Count),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["call"]);
        let mut proposals: BTreeMap<&CallId, (u64, Option<Confidence>)> = BTreeMap::new();
        for it in self.proposals.0.values() {
            if let Some(call) = &it.call {
                let (count, sure) = proposals.entry(call).or_default();
                *count += 1;
                *sure = (*sure).max(it.confidence);
            }
        }
        for (id, call) in self.calls {
            let state = match call.state {
                CallState::Open => "open",
                CallState::Exhausted => "exhausted",
                CallState::Closed => "closed",
            };
            let (count, sure) = proposals.get(id).copied().unwrap_or_default();
            table.push([
                Cell::text(id),
                call.title.as_deref().map_or(Cell::Unknown, Cell::from),
                state.into(),
                Cell::count(call.cut_offs.len()),
                Cell::maybe(call.opens_until.as_ref().map(local)),
                count.into(),
                Cell::maybe(call.confidence.max(sure)),
            ]);
        }
        table
    }

    fn cut_offs(&self) -> Table {
        let mut table = Table::new(
            "cut_offs",
            "Cut-offs",
            &[
                ("call", "Call", Kind::Text),
                ("cut_off", "Cut-off", Kind::Text),
                ("local", "Closes", Kind::Text),
                ("instant", "Instant", Kind::Instant),
                ("state", "State", Kind::Text),
                ("admitted", "Admitted", Kind::Count),
                ("funded", "Funded", Kind::Count),
                ("reserve", "Reserve", Kind::Count),
                ("rejected", "Rejected", Kind::Count),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["call", "cut_off"]);
        for (id, call) in self.calls {
            let instant = |at: &LocalTime| at.instant().ok();
            let mut cut_offs: Vec<_> = call.cut_offs.iter().collect();
            cut_offs.sort_by_key(|(key, it)| (it.at.as_ref().and_then(instant), *key));
            for (key, it) in cut_offs {
                let state = match it.state {
                    CutOffState::Open => "open",
                    CutOffState::Cancelled => "cancelled",
                    CutOffState::Closed => "closed",
                    CutOffState::Decided => "decided",
                };
                let at = it.at.as_ref();
                table.push([
                    Cell::text(id),
                    Cell::text(key),
                    at.map_or(Cell::Unknown, |at| local(at).into()),
                    at.and_then(instant).map_or(Cell::Unknown, Cell::Instant),
                    state.into(),
                    it.admitted.into(),
                    it.funded.into(),
                    it.reserve.into(),
                    it.rejected.into(),
                    Cell::maybe(it.confidence),
                ]);
            }
        }
        table
    }

    fn states(&self) -> Table {
        let mut columns = vec![("call", "Call", Kind::Text), ("round", "Round", Kind::Text)];
        columns.extend(PHASES.map(|(_, key, title)| (key, title, Kind::Count)));
        columns.push(("total", "Total", Kind::Count));
        columns.push(("confidence", "", Kind::Confidence));
        let mut table =
            Table::new("states", "Proposals by state", &columns).named_by(&["call", "round"]);
        type Counts = ([u64; PHASES.len()], Option<Confidence>);
        let mut counts: BTreeMap<(Option<&CallId>, Option<&CutOffKey>), Counts> = BTreeMap::new();
        for it in self.proposals.0.values() {
            let round = counts.entry((it.call.as_ref(), it.cut_off.as_ref())).or_default();
            round.1 = round.1.max(it.confidence);
            for (count, (phase, ..)) in round.0.iter_mut().zip(&PHASES) {
                *count += u64::from(*phase == it.phase);
            }
        }
        for ((call, round), (counts, sure)) in counts {
            let mut row = vec![
                call.map_or(Cell::Unknown, Cell::text),
                Cell::maybe(round.map(CutOffKey::as_str)),
            ];
            row.extend(counts.map(Cell::Count));
            row.push(counts.iter().sum::<u64>().into());
            row.push(Cell::maybe(sure));
            table.rows.push(row);
        }
        table.total();
        table
    }

    fn proposals(&self) -> Table {
        let mut table = Table::new(
            "proposals",
            "Proposals",
            &[
                ("proposal", "Proposal", Kind::Text),
                ("acronym", "Acronym", Kind::Text),
                ("country", "Country", Kind::Text),
                ("call", "Call", Kind::Text),
                ("round", "Round", Kind::Text),
                ("state", "State", Kind::Text),
                ("received_at", "Received", Kind::Instant),
                ("requested", "Requested", Kind::Money),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["proposal"]);
        for (id, it) in &self.proposals.0 {
            let content = it.content.as_ref();
            let country = content.and_then(|content| content.country);
            let state: &'static str = it.phase.into();
            table.push([
                Cell::text(id),
                content.map_or(Cell::Unknown, |content| content.acronym.as_str().into()),
                country.map_or(Cell::Unknown, Cell::text),
                it.call.as_ref().map_or(Cell::Unknown, Cell::text),
                Cell::maybe(it.cut_off.as_ref().map(CutOffKey::as_str)),
                state.into(),
                Cell::maybe(it.received_at),
                Cell::known(content.and_then(|content| content.requested)),
                Cell::maybe(it.confidence),
            ]);
        }
        table
    }
}

/// As the call states it: 17:00 in Luxembourg, not 16:00 somewhere.
fn local(at: &LocalTime) -> String {
    format!("{} {}", at.local, at.zone)
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{report, rows};

    #[test]
    fn a_call_shows_its_calendar_and_its_proposals_by_state() {
        let draft = r#"{"applicant":"a","call":"C","content":{"acronym":"A","country":"FI","requested":"EUR 10","title":"t"}}"#;
        let zeros = "0".repeat(64);
        let submitted = format!(
            r#"{{"content_sha256":"{zeros}","cut_off":"R1","documents":[],"number":1,"pages":5,"received_at":"2024-11-04T15:59:59Z"}}"#
        );
        let lines = [
            (
                "2024-09-10",
                "call-C",
                "Opened",
                r#"{"cut_offs":[{"at":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"key":"R1"}],"rules":RULES,"rules_sha256":"H","title":"A call"}"#,
            ),
            (
                "2024-09-20",
                "call-C",
                "CutOffAdded",
                r#"{"at":{"local":"2025-02-01T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R2","reason":"r"}"#,
            ),
            ("2024-10-01", "proposal-P1", "Drafted", draft),
            ("2024-10-01", "proposal-P2", "Drafted", draft),
            ("2024-10-01", "proposal-P3", "Drafted", draft),
            ("2024-11-04", "proposal-P1", "?Submitted", &submitted),
            ("2024-11-04", "proposal-P2", "Submitted", &submitted),
            (
                "2024-11-05",
                "call-C",
                "CutOffClosed",
                r#"{"admitted":["P1","P2"],"at":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R1"}"#,
            ),
            ("2024-11-05", "proposal-P1", "Admitted", r#"{"cut_off":"R1"}"#),
            ("2024-11-06", "proposal-P2", "Ineligible", r#"{"answers":[],"reason":"r"}"#),
            (
                "2024-12-10",
                "call-C",
                "RoundAwarded",
                r#"{"cut_off":"R1","funded":[{"grant":"G1","proposal":"P1"}],"rejected":[],"reserve":[]}"#,
            ),
            ("2024-12-10", "proposal-P1", "Awarded", r#"{"cut_off":"R1","grant":"G1"}"#),
        ];
        let now = report("pipeline", &lines, None);
        assert_eq!(rows(&now, "calls"), ["C|A call|open|2||3|(fixture)"]);
        assert_eq!(
            rows(&now, "cut_offs"),
            [
                "C|R1|2024-11-04T17:00:00 Europe/Luxembourg|2024-11-04T16:00:00Z|decided|2|1|0|0|",
                "C|R2|2025-02-01T17:00:00 Europe/Luxembourg|2025-02-01T16:00:00Z|open|0|0|0|0|",
            ]
        );
        // In the order of PHASES.
        assert_eq!(
            rows(&now, "states"),
            [
                "C||1|0|0|0|0|0|0|0|0|0|1|",
                "C|R1|0|0|0|0|1|0|1|0|0|0|2|(fixture)",
                "Total||1|0|0|0|1|0|1|0|0|0|3|(fixture)",
            ]
        );
        // Its award is published; how and when it came in is invented.
        assert_eq!(
            rows(&now, "proposals")[..2],
            [
                "P1|A|FI|C|R1|awarded|2024-11-04T15:59:59Z|10.00|(fixture)",
                "P2|A|FI|C|R1|ineligible|2024-11-04T15:59:59Z|10.00|",
            ]
        );
        let then = report("pipeline", &lines, Some("2024-11-05"));
        assert_eq!(rows(&then, "states")[1], "C|R1|0|1|1|0|0|0|0|0|0|0|2|(fixture)");
        assert!(rows(&then, "cut_offs")[0].ends_with("closed|2|0|0|0|"));
    }
}
