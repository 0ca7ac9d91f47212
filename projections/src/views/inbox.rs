//! What waits for whom, since when and until when.

use crate::folds::tasks::{Due, Task, Tasks, roles};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::Role;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Inbox;

impl View for Inbox {
    type Facts = Tasks;

    const NAME: &'static str = "inbox";
    const SUMMARY: &'static str = "What waits for whom, since when and until when";

    fn report(tasks: &Tasks, query: &Query) -> Report {
        let mut table = Table::new(
            "tasks",
            "",
            &[
                ("due", "By", Kind::Instant),
                ("late", "", Kind::Text),
                ("roles", "Who", Kind::Text),
                ("person", "Person", Kind::Text),
                ("command", "To do", Kind::Text),
                ("stream", "Stream", Kind::Text),
                ("about", "About", Kind::Text),
                ("amount", "Amount", Kind::Money),
                ("since", "Since", Kind::Instant),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["command", "stream", "about", "person", "roles"]);
        let mut tasks: Vec<(&Task, Vec<Role>)> = tasks
            .iter()
            .map(|task| (task, roles(&task.command)))
            .filter(|(task, roles)| concerns(task, roles, query))
            .collect();
        let due = |task: &Task| task.due.map_or(jiff::Timestamp::MAX, Due::instant);
        tasks.sort_by_key(|(it, _)| (due(it), it.since, &it.stream, &it.command, &it.about));
        for (task, roles) in tasks.into_iter().take(query.limit.unwrap_or(usize::MAX)) {
            let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
            let late = query.now.is_some_and(|now| due(task) < now);
            table.push([
                Cell::maybe(task.due),
                Cell::maybe(late.then_some("late")),
                roles.join(" or ").into(),
                Cell::maybe(task.person.as_ref().map(domain::kernel::ids::ActorId::as_str)),
                Cell::text(&task.command),
                Cell::text(&task.stream),
                task.about.as_str().into(),
                Cell::maybe(task.amount),
                task.since.into(),
                Cell::maybe(task.confidence),
            ]);
        }
        Report::new(Self::NAME, "Inbox").with(table)
    }
}

/// A task without a person concerns everybody in the role.
fn concerns(task: &Task, roles: &[Role], query: &Query) -> bool {
    let person = |asked| task.person.as_ref().is_none_or(|person| person == asked);
    query.role.is_none_or(|role| roles.contains(&role))
        && query.actor.as_ref().is_none_or(person)
        && query.stream.as_ref().is_none_or(|stream| *stream == task.stream)
        && query.category.as_ref().is_none_or(|category| task.stream.category() == category)
}

impl From<Due> for Cell {
    fn from(due: Due) -> Self {
        match due {
            Due::At(instant) => Self::Instant(instant),
            Due::On(date) => Self::Date(date),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, commits, report, rows};
    use crate::{Query, fold};
    use domain::Role;

    const DAY: &str = "2025-01-10";

    /// Without the columns of time, which other tests check.
    fn waits(lines: &[GivenLine<'_>]) -> Vec<String> {
        let report = report("inbox", lines, None);
        let cells = |row: String| {
            let cells: Vec<&str> = row.split('|').collect();
            format!("{} {}: {} {} {}", cells[2], cells[3], cells[4], cells[5], cells[6])
        };
        let mut waits: Vec<String> = rows(&report, "tasks").into_iter().map(cells).collect();
        waits.sort();
        waits.iter().map(|row| row.trim().to_owned()).collect()
    }

    #[test]
    fn a_proposal_waits_for_one_check_after_the_other() {
        let mut lines = vec![(DAY, "proposal-P", "Admitted", r#"{"cut_off":"R1"}"#)];
        assert_eq!(waits(&lines), ["programme_officer : proposal.check_admissibility proposal-P"]);
        lines.push((DAY, "proposal-P", "Admissible", r#"{"answers":[]}"#));
        assert_eq!(waits(&lines), ["programme_officer : proposal.check_eligibility proposal-P"]);
        lines.push((DAY, "proposal-P", "Eligible", r#"{"answers":[]}"#));
        assert!(waits(&lines).is_empty());
    }

    #[test]
    fn an_expert_owes_a_report_until_it_comes_or_a_conflict_is_learnt() {
        let mut lines = vec![
            (DAY, "evaluation-E", "ExpertAppointed", r#"{"expert":"x","proposals":["P","Q"]}"#),
            (DAY, "evaluation-E", "ExpertAppointed", r#"{"expert":"y","proposals":["P"]}"#),
            (
                DAY,
                "evaluation-E",
                "ReportSubmitted",
                r#"{"expert":"x","number":1,"proposal":"P","scores":[]}"#,
            ),
            (
                DAY,
                "evaluation-E",
                "ConflictDeclared",
                r#"{"expert":"y","kind":"involved","learnt":"l","proposal":"P","void_consensus":false,"void_ranking":false,"void_reports":[]}"#,
            ),
        ];
        let people = |lines: &[GivenLine<'_>]| -> Vec<String> {
            let tasks = rows(&report("inbox", lines, None), "tasks");
            let cell = |row: &String, index| row.split('|').nth(index).unwrap().to_owned();
            tasks.iter().map(|row| format!("{} {}", cell(row, 4), cell(row, 6))).collect()
        };
        assert_eq!(
            people(&lines),
            [
                "evaluation.submit_consensus P",
                "evaluation.submit_consensus Q",
                "evaluation.submit_report Q by x",
            ]
        );
        lines.push((
            DAY,
            "evaluation-E",
            "ConsensusReached",
            r#"{"proposal":"Q","rapporteur":"z","reports":[],"scores":[]}"#,
        ));
        assert_eq!(people(&lines), ["evaluation.submit_consensus P"]);
    }

    #[test]
    fn a_payment_goes_from_hand_to_hand_and_keeps_its_date() {
        let prepared = r#"{"call":"C","proposal":"P","rules":{"payments":{"before_balance_max":"9/10","insurance":"1/20","payment_days":90,"prefinancing_days":30,"prefinancing_max":"1/2","source":"s"}},"title":"t"}"#;
        let initiated = r#"{"amount":"EUR 5","clause":"c","fund":"F","grant":"G","kind":"pre_financing","net":"EUR 5"}"#;
        let mut lines = vec![
            ("2025-01-01", "grant-G", "Prepared", prepared),
            (
                "2025-01-01",
                "grant-G",
                "Signed",
                r#"{"ends":"2027-12-31","fund":"F","starts":"2025-01-01","total":"EUR 10","union":"EUR 5"}"#,
            ),
            (DAY, "payment-Y", "Initiated", initiated),
        ];
        let first = |lines: &[GivenLine<'_>]| {
            rows(&report("inbox", lines, Some("2025-02-01")), "tasks")[0].clone()
        };
        let verify =
            "2025-01-31|late|verifying_agent||payment.verify|payment-Y||5.00|2025-01-10T12:00:00Z|";
        assert_eq!(first(&lines), verify);
        lines.push((DAY, "payment-Y", "Verified", "{}"));
        assert_eq!(
            first(&lines),
            verify.replace("verifying_agent", "authorising_officer").replace("verify", "authorise")
        );
        lines.push((DAY, "payment-Y", "Authorised", "{}"));
        assert_eq!(
            first(&lines),
            verify.replace("verifying_agent", "accounting_officer").replace("verify", "execute")
        );
        lines.push((DAY, "payment-Y", "Executed", r#"{"end_to_end_id":"e"}"#));
        let report = "applicant : grant.submit_report grant-G final";
        let name = "applicant or programme_officer : grant.name_account grant-G";
        assert_eq!(waits(&lines), [report, name]);
    }

    #[test]
    fn an_order_says_where_it_goes_and_after_a_change_can_only_be_rejected() {
        let [first, second] = ["A1", "A2"]
            .map(|account| format!(r#"{{"account":"{account}","document":"H","reason":"r"}}"#));
        let initiated = r#"{"amount":"EUR 5","clause":"c","fund":"F","grant":"G","kind":"pre_financing","net":"EUR 5","payee":{"account":"A1","confirmed_at":1}}"#;
        let mut lines = vec![
            (DAY, "grant-G", "AccountConfirmed", &*first),
            (DAY, "payment-Y", "Initiated", initiated),
            (DAY, "payment-Y", "Verified", "{}"),
        ];
        assert_eq!(waits(&lines), ["authorising_officer : payment.authorise payment-Y A1"]);
        lines.push((DAY, "grant-G", "AccountConfirmed", &second));
        let who = "verifying_agent or authorising_officer";
        assert_eq!(waits(&lines), [format!("{who} : payment.reject payment-Y A1")]);
        lines.push((DAY, "payment-Y", "Rejected", r#"{"reason":"r"}"#));
        assert!(waits(&lines).is_empty());
    }

    #[test]
    fn an_account_is_asked_for_until_it_is_named_and_then_waits_for_the_accounting_officer() {
        let named = r#"{"account":"A1","document":"H","reason":"r"}"#;
        let decided = named;
        let signed = r#"{"fund":"F","procurement":"m","union":"EUR 5"}"#;
        let mut lines = vec![
            (DAY, "grant-G", "Prepared", r#"{"call":"C","proposal":"P","rules":{},"title":"t"}"#),
            (DAY, "grant-G", "Accepted", "{}"),
            (DAY, "grant-G", "ContractSigned", signed),
        ];
        let accounts = |lines: &[GivenLine<'_>]| -> Vec<String> {
            let waits = waits(lines).into_iter();
            waits.filter(|task| task.contains("_account")).collect()
        };
        let name = "applicant or programme_officer : grant.name_account grant-G";
        let decide = "accounting_officer : grant.decide_account grant-G A1";
        for (event, data, expected) in [
            (None, "", &[name][..]),
            (Some("AccountNamed"), named, &[decide]),
            (Some("AccountRefused"), decided, &[name]),
            (Some("AccountNamed"), named, &[decide]),
            (Some("AccountConfirmed"), decided, &[]),
            (Some("ContractSigned"), signed, &[]),
            // The one that is confirmed stays.
            (Some("AccountNamed"), named, &[decide]),
            (Some("AccountRefused"), decided, &[]),
        ] {
            lines.extend(event.map(|event| (DAY, "grant-G", event, data)));
            assert_eq!(accounts(&lines), expected, "{event:?}");
        }
    }

    #[test]
    fn what_is_reported_waits_to_be_certified_and_then_counted() {
        let mut lines = vec![
            (DAY, "pledge-L", "Made", r#"{"amount":"EUR 100","call":"C","kind":"cash"}"#),
            (DAY, "pledge-L", "Reported", r#"{"amount":"EUR 60"}"#),
            (DAY, "pledge-L", "Certified", r#"{"amount":"EUR 40"}"#),
        ];
        let amounts = |lines: &[GivenLine<'_>]| -> Vec<String> {
            let tasks = rows(&report("inbox", lines, None), "tasks");
            let cell = |row: &String, index| row.split('|').nth(index).unwrap().to_owned();
            tasks.iter().map(|row| format!("{} {}", cell(row, 4), cell(row, 7))).collect()
        };
        assert_eq!(amounts(&lines), ["pledge.certify 20.00", "pledge.count 40.00"]);
        lines.push((DAY, "pledge-L", "Counted", r#"{"amount":"EUR 40"}"#));
        assert_eq!(amounts(&lines), ["pledge.certify 20.00"]);
        lines[0].3 = r#"{"amount":"EUR 100","call":"C","kind":"rrf"}"#;
        lines.pop();
        assert_eq!(amounts(&lines), ["pledge.certify 20.00"]);
    }

    #[test]
    fn what_failed_by_itself_waits_for_a_person() {
        let mut lines = vec![
            (
                DAY,
                "process-p",
                "Parked",
                r#"{"reaction":"p/1/0","refused":{"code":"c.x","message":"no money"},"wish":{"command":"c.y","data":{}}}"#,
            ),
            (
                DAY,
                "timer-T",
                "Fired",
                r#"{"due":"2025-01-01T00:00:00Z","refused":{"code":"c","message":"too late"}}"#,
            ),
        ];
        assert_eq!(
            waits(&lines),
            [
                "programme_officer or authorising_officer : process.resolve process-p p/1/0: no money",
                "programme_officer or authorising_officer : timer.acknowledge timer-T too late",
            ]
        );
        lines.push((DAY, "process-p", "Resolved", r#"{"how":"h","reaction":"p/1/0"}"#));
        lines.push((DAY, "timer-T", "Acknowledged", r#"{"reason":"r"}"#));
        assert!(waits(&lines).is_empty());
    }

    #[test]
    fn a_request_for_compute_time_waits_for_the_site_then_for_the_decision_then_for_the_account() {
        let time = r#"{"partition":"LUMI-G","seconds":3600,"unit":"gpu"}"#;
        let place = r#"{"conversion":1,"partition":"LUMI-G","system":"LUMI"}"#;
        let requested = format!(
            r#"{{"applicant":"a","call":"C","decide_by":"2025-01-20T22:59:59Z","mode":"M","months":3,"place":{place},"purpose":"p","time":{time}}}"#
        );
        let awarded = format!(
            r#"{{"ends":"2025-12-31","place":{place},"starts":"2025-02-01","time":{time}}}"#
        );
        let ended = format!(r#"{{"on":"2025-12-31","report_by":"2026-01-31","unused":{time}}}"#);
        let mut lines = vec![(DAY, "allocation-A", "Requested", &*requested)];
        let due = |lines: &[GivenLine<'_>]| {
            rows(&report("inbox", lines, Some("2025-01-15")), "tasks")[0].clone()
        };
        assert!(due(&lines).starts_with("2025-01-20T22:59:59Z||site_support||allocation.check|"));
        lines.push((DAY, "allocation-A", "Checked", r#"{"comment":"c","feasible":true}"#));
        let decide = "2025-01-20T22:59:59Z||access_officer or governing_board||allocation.award|";
        assert!(due(&lines).starts_with(decide), "{}", due(&lines));
        lines.push((DAY, "allocation-A", "Awarded", &awarded));
        assert_eq!(waits(&lines), ["site_support : allocation.provision allocation-A"]);
        lines.push((DAY, "allocation-A", "Provisioned", r#"{"account":"x"}"#));
        lines.push((DAY, "allocation-A", "Ended", &ended));
        assert_eq!(
            waits(&lines),
            ["applicant or access_officer a: allocation.final_report allocation-A"]
        );
    }

    #[test]
    fn a_role_sees_its_own_and_a_person_not_what_is_of_others() {
        let lines = [
            (DAY, "evaluation-E", "ExpertAppointed", r#"{"expert":"x","proposals":["P"]}"#),
            (DAY, "proposal-Q", "Admitted", r#"{"cut_off":"R1"}"#),
        ];
        let commits = commits(&lines);
        let views = fold(commits.iter().map(|commit| &**commit));
        let count = |role, actor: Option<&str>| {
            let actor = actor.map(|actor| actor.parse().unwrap());
            let query = Query { role: Some(role), actor, ..Query::default() };
            views.report("inbox", &query).unwrap().tables[0].rows.len()
        };
        assert_eq!(count(Role::ProgrammeOfficer, None), 1);
        assert_eq!(count(Role::Auditor, None), 0);
        assert_eq!(count(Role::Expert, Some("x")), 1);
        assert_eq!(count(Role::Expert, Some("y")), 0);
    }
}
