use super::*;
use crate::sample::RULES;
use domain::canonical::Sha256Hex;

/// Commits of (position, recorded, effective, actor, stream, type, data).
type Line<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

fn fold(lines: &[Line<'_>]) -> Journal {
    let mut journal = Journal::default();
    for (position, (recorded, effective, actor, stream, kind, data)) in (1_u64..).zip(lines) {
        let zeros = "0".repeat(64);
        let hash = Sha256Hex::of(RULES.as_bytes());
        let data = data.replace("RULES", RULES).replace("HASH", &hash.to_string());
        let category = stream.split('-').next().unwrap();
        let json = format!(
            r#"{{"actor":{{"id":"{actor}","role":"initiating_agent"}},"command":"test.do","command_hash":"{zeros}","command_id":"test/{position}","commit_id":"0191dbf2-3c00-7a1b-8000-000000000000","decided_on":{{}},"events":[{{"data":{data},"effective_at":"{effective}","schema_version":1,"stream":"{stream}","type":"{category}.{kind}","version":1}}],"position":{position},"received_at":"{recorded}","recorded_at":"{recorded}"}}"#
        );
        let commit =
            Commit::decode(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"));
        journal.apply(&commit, &commit.events[0]);
    }
    journal
}

fn hits(journal: &Journal, tests: &Tests) -> Vec<String> {
    let report = journal.asked(tests, &Query::default());
    let rows = &report.table("hits").unwrap().rows;
    rows.iter()
        .map(|row| {
            let cell = |index: usize| row[index].to_text();
            [cell(0), cell(1), cell(5), cell(6), cell(8)].join("|")
        })
        .collect()
}

const ORDER: &str = r#"{"amount":"EUR 58000","fund":"F","grant":"G","kind":"interim","net":"EUR 58000","report":"r"}"#;
const MONDAY: &str = "2025-03-03T10:00:00Z";

#[test]
fn one_person_in_two_steps_is_seen_also_through_a_stand_in() {
    let journal = fold(&[
        (MONDAY, MONDAY, "ivan", "payment-P", "Initiated", ORDER),
        (MONDAY, MONDAY, "vera", "payment-P", "Verified", "{}"),
        (MONDAY, MONDAY, "ivan", "payment-P", "Authorised", "{}"),
        (MONDAY, MONDAY, "ivan", "payment-Q", "Verified", "{}"),
    ]);
    let found = hits(&journal, &Tests { thresholds: Vec::new(), ..Tests::default() });
    assert_eq!(found, ["same_user|3|ivan|ivan|did payment.Initiated at position 1"]);
}

#[test]
fn what_is_recorded_long_after_it_was_true_is_back_dated() {
    let vote = r#"{"amount":"EUR 7","line":"L","source":"S"}"#;
    let journal = fold(&[
        (MONDAY, "2025-02-01T10:00:00Z", "a", "fund-F", "AppropriationVoted", vote),
        (MONDAY, "2025-01-31T10:00:00Z", "b", "fund-F", "AppropriationVoted", vote),
    ]);
    assert_eq!(hits(&journal, &Tests::default()), ["back_dated|2|b||31 days"]);
    let tests = Tests { back_dated_days: 29, ..Tests::default() };
    assert_eq!(hits(&journal, &tests).len(), 2);
}

#[test]
fn amounts_just_below_a_threshold_and_round_ones_are_seen_once() {
    let order = |euro: &str| ORDER.replace("EUR 58000", euro);
    let [below, exact, far, round] =
        ["EUR 57000", "EUR 60000", "EUR 56999.99", "EUR 300000"].map(order);
    let journal = fold(&[
        (MONDAY, MONDAY, "a", "payment-P", "Initiated", &below),
        (MONDAY, MONDAY, "a", "payment-Q", "Initiated", &exact),
        (MONDAY, MONDAY, "a", "payment-R", "Initiated", &far),
        (MONDAY, MONDAY, "a", "payment-S", "Initiated", &round),
        (MONDAY, MONDAY, "b", "payment-S", "Executed", r#"{"end_to_end_id":"e"}"#),
    ]);
    let found = hits(&journal, &Tests::default());
    assert_eq!(
        found,
        ["below_threshold|1|a||below EUR 60000.00", "round|4|a||3 times EUR 100000.00"]
    );
}

#[test]
fn office_hours_are_those_of_the_call() {
    let opened = r#"{"cut_offs":[],"rules":RULES,"rules_sha256":"HASH","title":"t"}"#;
    let prepared =
        r#"{"applicant":"a","call":"C","country":"FI","proposal":"P","rules":{},"title":"t"}"#;
    // 17:30 and 18:30 in UTC are 19:30 and 20:30 in Luxembourg in summer; 9 March 2025 was a Sunday.
    let journal = fold(&[
        (MONDAY, MONDAY, "a", "call-C", "Opened", opened),
        (MONDAY, MONDAY, "a", "grant-G", "Prepared", prepared),
        ("2025-07-01T17:30:00Z", MONDAY, "a", "payment-P", "Initiated", ORDER),
        ("2025-07-01T18:30:00Z", MONDAY, "a", "payment-P", "Verified", "{}"),
        ("2025-03-09T12:00:00Z", MONDAY, "b", "payment-P", "Authorised", "{}"),
    ]);
    let tests = Tests { thresholds: Vec::new(), back_dated_days: 1_000, ..Tests::default() };
    let only = |tests: &Tests| -> Vec<String> {
        let found = hits(&journal, tests).into_iter();
        found.filter(|hit| hit.starts_with("after_hours")).collect()
    };
    assert_eq!(
        only(&tests),
        [
            "after_hours|4|a||Tuesday 20:30 Europe/Luxembourg",
            "after_hours|5|b||Sunday 13:00 Europe/Luxembourg"
        ]
    );
    let utc = Tests { zone: Some("UTC".to_owned()), ..tests };
    assert_eq!(only(&utc), ["after_hours|5|b||Sunday 12:00 UTC"]);
}

#[test]
fn a_payment_that_comes_back_soon_is_reversed() {
    let late = "2025-04-03T10:00:00Z";
    let journal = fold(&[
        (MONDAY, MONDAY, "a", "payment-P", "Initiated", ORDER),
        (MONDAY, MONDAY, "d", "payment-P", "Executed", r#"{"end_to_end_id":"e"}"#),
        (late, late, "e", "payment-P", "Returned", r#"{"reason":"r"}"#),
    ]);
    let tests = Tests { thresholds: Vec::new(), ..Tests::default() };
    assert!(hits(&journal, &tests).is_empty());
    let tests = Tests { reversed_days: 31, ..tests };
    assert_eq!(hits(&journal, &tests), ["reversed|3|e|d|31 days after position 2"]);
}

#[test]
fn a_view_asks_with_the_usual_parameters_and_says_what_it_cannot_ask() {
    let journal = fold(&[(MONDAY, MONDAY, "a", "payment-P", "Initiated", ORDER)]);
    let report = journal.report(&Query::default());
    assert_eq!(report.table("hits").unwrap().rows.len(), 1);
    assert!(report.notes.iter().any(|note| note.contains("No event names an account")));
    assert_eq!(report.table("benford").unwrap().rows[0][4].to_text(), "too few amounts");
}
