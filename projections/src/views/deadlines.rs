//! What is due when: cut-offs, pending timers, and whatever waits with a date. Late is what is due
//! before the moment asked for.

use crate::folds::tasks::{Due, Tasks};
use crate::projection::{LARGE, Projection, confidence};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use domain::facts::commit::Recorded;
use domain::facts::{call, timer};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey, StreamId, StreamKey, TimerId};
use domain::kernel::time::LocalTime;
use domain::{Commit, Event};
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The open tasks, timers and cut-offs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deadlines {
    cut_offs: OrdMap<CallId, OrdMap<CutOffKey, (Timestamp, Option<Confidence>)>>,
    tasks: Tasks,
    timers: OrdMap<TimerId, (Timestamp, String, Option<Confidence>)>,
}

/// One line of the report.
struct Line {
    due: Due,
    what: String,
    stream: StreamId,
    about: String,
    confidence: Option<Confidence>,
}

impl Projection for Deadlines {
    const NAME: &'static str = "deadlines";
    const SUMMARY: &'static str = "What is due when, and what is late";
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let sure = confidence(commit);
        self.tasks.apply(commit, event);
        match &event.event {
            Event::Timer(inner) => {
                if let Some(id) = TimerId::of_stream(&event.stream) {
                    self.timer(id, inner, sure);
                }
            }
            Event::Call(inner) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.call(&id, inner, sure);
                }
            }
            _ => {}
        }
    }

    fn report(&self, query: &Query) -> Report {
        let mut table = Table::new(
            "deadlines",
            "",
            &[
                ("due", "Due", Kind::Instant),
                ("late", "", Kind::Text),
                ("what", "What", Kind::Text),
                ("stream", "Stream", Kind::Text),
                ("about", "About", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        );
        let mut lines = self.lines();
        lines.retain(|line| {
            query.stream.as_ref().is_none_or(|stream| *stream == line.stream)
                && query.category.as_ref().is_none_or(|it| line.stream.category() == it)
        });
        lines.sort_by_key(|line| line.due.instant());
        for line in lines.into_iter().take(query.limit.unwrap_or(usize::MAX)) {
            let late = query.now.is_some_and(|now| line.due.instant() < now);
            table.push([
                line.due.into(),
                Cell::maybe(late.then_some("late")),
                line.what.into(),
                Cell::text(&line.stream),
                line.about.into(),
                Cell::maybe(line.confidence),
            ]);
        }
        Report::new(Self::NAME, "Deadlines").with(table)
    }
}

impl Deadlines {
    fn timer(&mut self, id: TimerId, event: &timer::Event, sure: Option<Confidence>) {
        match event {
            timer::Event::Set { due, wish } => {
                self.timers.insert(id, (*due, wish.command.clone(), sure));
            }
            timer::Event::Fired { .. } | timer::Event::Cancelled { .. } => {
                self.timers.remove(&id);
            }
            timer::Event::Acknowledged { .. } => {}
        }
    }

    fn call(&mut self, id: &CallId, event: &call::Event, sure: Option<Confidence>) {
        use call::Event as E;
        match event {
            E::Opened { cut_offs, .. } => {
                for cut_off in cut_offs {
                    self.cut_off(id, &cut_off.key, &cut_off.at, sure);
                }
            }
            E::CutOffAdded { at, cut_off, .. } | E::CutOffMoved { at, cut_off, .. } => {
                self.cut_off(id, cut_off, at, sure);
            }
            E::CutOffCancelled { cut_off, .. } | E::CutOffClosed { cut_off, .. } => {
                if let Some(open) = self.cut_offs.get_mut(id) {
                    open.remove(cut_off);
                }
            }
            E::Closed { .. } => {
                self.cut_offs.remove(id);
            }
            E::AdmittedAfterClosing { .. }
            | E::ReexaminationDue { .. }
            | E::Reexamined { .. }
            | E::BudgetRaised { .. }
            | E::RoundAwarded { .. }
            | E::ReserveActivated { .. }
            | E::Exhausted { .. } => {}
        }
    }

    fn cut_off(
        &mut self,
        call: &CallId,
        key: &CutOffKey,
        at: &LocalTime,
        sure: Option<Confidence>,
    ) {
        if let Ok(instant) = at.instant() {
            let cut_offs = self.cut_offs.entry(call.clone()).or_default();
            cut_offs.insert(key.clone(), (instant, sure));
        }
    }

    fn lines(&self) -> Vec<Line> {
        let tasks = self.tasks.iter().filter_map(|task| {
            let (what, about) = (task.command.to_string(), task.about.clone());
            let (stream, confidence) = (task.stream.clone(), task.confidence);
            Some(Line { due: task.due?, what, stream, about, confidence })
        });
        let timers = self.timers.iter().map(|(id, (due, command, confidence))| Line {
            due: Due::At(*due),
            what: "timer".to_owned(),
            stream: id.stream(),
            about: command.clone(),
            confidence: *confidence,
        });
        let cut_offs = self.cut_offs.iter().flat_map(|(call, open)| {
            open.iter().map(|(key, (instant, confidence))| Line {
                due: Due::At(*instant),
                what: "cut-off".to_owned(),
                stream: call.stream(),
                about: key.to_string(),
                confidence: *confidence,
            })
        });
        cut_offs.chain(timers).chain(tasks).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{Line, report, rows};

    const OPENED: Line<'_> = (
        "2024-09-10",
        "call-C",
        "Opened",
        r#"{"cut_offs":[{"at":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"key":"R1"}],"rules":RULES,"rules_sha256":"H","title":"A call"}"#,
    );
    const MOVED: Line<'_> = (
        "2024-10-01",
        "call-C",
        "CutOffMoved",
        r#"{"at":{"local":"2024-11-11T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R1","from":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"reason":"r"}"#,
    );
    const CLOSED: Line<'_> = (
        "2024-11-11",
        "call-C",
        "CutOffClosed",
        r#"{"admitted":[],"at":{"local":"2024-11-11T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R1"}"#,
    );
    const TIMER: Line<'_> = (
        "2024-09-10",
        "timer-T",
        "Set",
        r#"{"due":"2024-12-01T08:00:00Z","wish":{"command":"call.close","data":{}}}"#,
    );

    #[test]
    fn a_moved_cut_off_is_due_when_it_is_now_and_late_when_that_has_passed() {
        let at = |day| rows(&report("deadlines", &[OPENED, MOVED, TIMER], Some(day)), "deadlines");
        let timer = "2024-12-01T08:00:00Z||timer|timer-T|call.close|";
        assert_eq!(at("2024-09-30"), ["2024-11-04T16:00:00Z||cut-off|call-C|R1|", timer]);
        assert_eq!(at("2024-10-31"), ["2024-11-11T16:00:00Z||cut-off|call-C|R1|", timer]);
        assert_eq!(at("2024-11-30"), ["2024-11-11T16:00:00Z|late|cut-off|call-C|R1|", timer]);
    }

    #[test]
    fn the_result_is_due_so_many_days_after_the_cut_off() {
        let lines = [OPENED, MOVED, CLOSED];
        // 11 November 2024 and 150 days.
        let row = "2025-04-10||call.award_round|call-C|R1|";
        assert_eq!(rows(&report("deadlines", &lines, Some("2025-04-10")), "deadlines"), [row]);
        let late = row.replace("||", "|late|");
        assert_eq!(rows(&report("deadlines", &lines, Some("2025-04-11")), "deadlines"), [late]);
    }

    #[test]
    fn a_deadline_says_when_what_led_to_it_is_invented() {
        let draft = r#"{"applicant":"a","call":"C","content":{"acronym":"A","title":"t"}}"#;
        let prepared = r#"{"call":"C","proposal":"P","rules":{"deadlines":{"inform_days":1,"report_days":60,"review_request_days":5,"sign_days":9,"source":"s"}},"title":"t"}"#;
        let drafted: Line<'_> = ("2024-10-01", "proposal-P", "?Drafted", draft);
        let grant: Line<'_> = ("2024-12-10", "grant-G", "Prepared", prepared);
        let timer = (TIMER.0, TIMER.1, "?Set", TIMER.3);
        let rows = rows(&report("deadlines", &[drafted, grant, timer], None), "deadlines");
        assert_eq!(
            rows,
            [
                "2024-12-01T08:00:00Z|late|timer|timer-T|call.close|(fixture)",
                "2024-12-19|late|grant.accept|grant-G||(fixture)",
            ]
        );
    }
}
