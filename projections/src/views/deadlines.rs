//! What is due when: cut-offs, pending timers, and whatever waits with a date. Late is what is due
//! before the moment asked for.

use crate::folds::calendar::Calendar;
use crate::folds::tasks::{Due, Tasks};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{StreamId, StreamKey};

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines;

/// One line of the report.
struct DueLine {
    due: Due,
    what: String,
    stream: StreamId,
    about: String,
    confidence: Option<Confidence>,
}

impl View for Deadlines {
    type Facts = (Tasks, Calendar);
    const NAME: &'static str = "deadlines";
    const SUMMARY: &'static str = "What is due when, and what is late";

    fn report((tasks, calendar): &Self::Facts, query: &Query) -> Report {
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
        )
        .named_by(&["what", "stream", "about"]);
        let mut lines = lines(tasks, calendar);
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

fn lines(tasks: &Tasks, calendar: &Calendar) -> Vec<DueLine> {
    let tasks = tasks.iter().filter_map(|task| {
        let (what, about) = (task.command.to_string(), task.about.clone());
        let (stream, confidence) = (task.stream.clone(), task.confidence);
        Some(DueLine { due: task.due?, what, stream, about, confidence })
    });
    let timers = calendar.timers.iter().map(|(id, (due, command, confidence))| DueLine {
        due: Due::At(*due),
        what: "timer".to_owned(),
        stream: id.stream(),
        about: command.clone(),
        confidence: *confidence,
    });
    let cut_offs = calendar.cut_offs.iter().flat_map(|(call, open)| {
        open.iter().map(|(key, (instant, confidence))| DueLine {
            due: Due::At(*instant),
            what: "cut-off".to_owned(),
            stream: call.stream(),
            about: key.to_string(),
            confidence: *confidence,
        })
    });
    cut_offs.chain(timers).chain(tasks).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    const OPENED: GivenLine<'_> = (
        "2024-09-10",
        "call-C",
        "Opened",
        r#"{"cut_offs":[{"at":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"key":"R1"}],"rules":RULES,"rules_sha256":"H","title":"A call"}"#,
    );
    const MOVED: GivenLine<'_> = (
        "2024-10-01",
        "call-C",
        "CutOffMoved",
        r#"{"at":{"local":"2024-11-11T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R1","from":{"local":"2024-11-04T17:00:00","zone":"Europe/Luxembourg"},"reason":"r"}"#,
    );
    const CLOSED: GivenLine<'_> = (
        "2024-11-11",
        "call-C",
        "CutOffClosed",
        r#"{"admitted":[],"at":{"local":"2024-11-11T17:00:00","zone":"Europe/Luxembourg"},"cut_off":"R1"}"#,
    );
    const TIMER: GivenLine<'_> = (
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
        let drafted: GivenLine<'_> = ("2024-10-01", "proposal-P", "?Drafted", draft);
        let grant: GivenLine<'_> = ("2024-12-10", "grant-G", "Prepared", prepared);
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
