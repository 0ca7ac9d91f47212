use super::*;
use crate::fold::Fold;
use crate::testing::sample::RULES;
use domain::Commit;
use domain::kernel::canonical::Sha256Hex;

/// Commits of (position, recorded, effective, actor, stream, type, data).
type JournalLine<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

fn fold(lines: &[JournalLine<'_>]) -> Facts {
    let mut journal = Facts::default();
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

fn hits(journal: &Facts, tests: &Tests) -> Vec<String> {
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

fn confirmed(account: &str) -> String {
    format!(r#"{{"account":"{account}","document":"HASH","reason":"r"}}"#)
}

/// An order to an account that was confirmed at a position.
fn order_to(account: &str, position: u64) -> String {
    let payee = format!(r#""payee":{{"account":"{account}","confirmed_at":{position}}},"report""#);
    ORDER.replace(r#""report""#, &payee)
}

fn only(journal: &Facts, tests: &Tests, test: &str) -> Vec<String> {
    hits(journal, tests).into_iter().filter(|hit| hit.starts_with(test)).collect()
}

#[test]
fn a_payment_soon_after_its_account_changed_is_seen_with_who_changed_it() {
    let (first, second) = (confirmed("A1"), confirmed("A2"));
    let (to_first, to_second, june) =
        (order_to("A1", 1), order_to("A2", 4), "2025-06-02T10:00:00Z");
    let journal = fold(&[
        (MONDAY, MONDAY, "carla", "grant-G", "AccountConfirmed", &first),
        // The first account of a grant took nobody's place.
        (MONDAY, MONDAY, "ivan", "payment-P", "Initiated", &to_first),
        (MONDAY, MONDAY, "otto", "grant-G", "AccountNamed", &second),
        ("2025-05-03T10:00:00Z", MONDAY, "carla", "grant-G", "AccountConfirmed", &second),
        (june, june, "ivan", "payment-Q", "Initiated", &to_second),
        (june, june, "ivan", "payment-R", "Initiated", ORDER),
    ]);
    let with = |account_days| {
        only(&journal, &Tests { account_days, ..Tests::default() }, "account_changed")
    };
    let expected = ["account_changed|5|ivan|otto, carla|30 days after A1 became A2 at position 4"];
    assert_eq!(with(30), expected);
    assert!(with(29).is_empty());
}

#[test]
fn a_first_account_after_orders_without_one_is_a_change() {
    let journal = fold(&[
        (MONDAY, MONDAY, "ivan", "payment-P", "Initiated", ORDER),
        (MONDAY, MONDAY, "carla", "grant-G", "AccountConfirmed", &confirmed("A1")),
        (MONDAY, MONDAY, "ivan", "payment-Q", "Initiated", &order_to("A1", 2)),
    ]);
    let said = "0 days after an account that no order names became A1 at position 2";
    let expected = [format!("account_changed|3|ivan|carla|{said}")];
    assert_eq!(only(&journal, &Tests::default(), "account_changed"), expected);
}

#[test]
fn an_account_of_two_applicants_is_seen() {
    let prepared = |applicant: &str| {
        format!(
            r#"{{"applicant":"{applicant}","call":"C","proposal":"P","rules":{{}},"title":"t"}}"#
        )
    };
    let (one, two) = (prepared("one"), prepared("two"));
    let (account, lower, order) = (confirmed("A1"), confirmed("a1"), order_to("A1", 4));
    let lines = [
        (MONDAY, MONDAY, "a", "grant-G", "Prepared", &*one),
        (MONDAY, MONDAY, "a", "grant-H", "Prepared", &*one),
        (MONDAY, MONDAY, "a", "grant-K", "Prepared", &*two),
        (MONDAY, MONDAY, "carla", "grant-G", "AccountConfirmed", &*account),
        (MONDAY, MONDAY, "carla", "grant-H", "AccountConfirmed", &*account),
        (MONDAY, MONDAY, "ivan", "payment-P", "Initiated", &*order),
    ];
    // The same applicant has one account for two grants.
    assert!(only(&fold(&lines), &Tests::default(), "account_shared").is_empty());
    // Who comes later is seen all the same.
    let later = [(MONDAY, MONDAY, "carla", "grant-K", "AccountConfirmed", &*lower)];
    let journal = fold(&[&lines[..], &later].concat());
    let expected = ["account_shared|6|ivan||A1 is the account of grant-K too"];
    assert_eq!(only(&journal, &Tests::default(), "account_shared"), expected);
}

#[test]
fn who_named_or_confirmed_where_a_payment_goes_has_no_step_of_it() {
    let named = confirmed("A1");
    let journal = fold(&[
        (MONDAY, MONDAY, "otto", "grant-G", "AccountNamed", &named),
        (MONDAY, MONDAY, "carla", "grant-G", "AccountConfirmed", &named),
        (MONDAY, MONDAY, "otto", "payment-P", "Initiated", &order_to("A1", 2)),
        (MONDAY, MONDAY, "carla", "payment-P", "Verified", "{}"),
        // Accounting officers confirm accounts and carry payments out: that is what they are for.
        (MONDAY, MONDAY, "ivan", "payment-Q", "Initiated", &order_to("A1", 2)),
        (MONDAY, MONDAY, "carla", "payment-Q", "Executed", r#"{"end_to_end_id":"e"}"#),
    ]);
    let expected = [
        "same_user|3|otto|otto|did grant.AccountNamed at position 1",
        "same_user|4|carla|carla|did grant.AccountConfirmed at position 2",
    ];
    assert_eq!(only(&journal, &Tests::default(), "same_user"), expected);
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
    let utc = Tests { office_zone: Some("UTC".to_owned()), ..tests };
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
fn an_amount_of_another_currency_is_neither_round_nor_just_below_a_threshold_in_euro() {
    let pledged =
        |amount: &str| format!(r#"{{"amount":"{amount}","call":"C","kind":"cash","round":"1"}}"#);
    let [round, below, euro] = ["PLN 300000", "PLN 57000", "EUR 300000"].map(pledged);
    let journal = fold(&[
        (MONDAY, MONDAY, "a", "pledge-P", "Made", &round),
        (MONDAY, MONDAY, "a", "pledge-Q", "Made", &below),
        (MONDAY, MONDAY, "a", "pledge-R", "Made", &euro),
    ]);
    assert_eq!(hits(&journal, &Tests::default()), ["round|3|a||3 times EUR 100000.00"]);
}

#[test]
fn a_query_asks_with_its_own_parameters() {
    let journal = fold(&[(MONDAY, MONDAY, "a", "payment-P", "Initiated", ORDER)]);
    let tests = Tests { account_days: 8, ..Tests::default() };
    let report = Journal::report(&journal, &Query { tests: Some(tests), ..Query::default() });
    assert!(report.notes.iter().any(|note| note.contains("Account changed: at most 8 days")));
}

#[test]
fn a_view_asks_with_the_usual_parameters_and_says_which() {
    let journal = fold(&[(MONDAY, MONDAY, "a", "payment-P", "Initiated", ORDER)]);
    let report = Journal::report(&journal, &Query::default());
    assert_eq!(report.table("hits").unwrap().rows.len(), 1);
    assert!(report.notes.iter().any(|note| note.contains("Account changed: at most 30 days")));
    assert_eq!(report.table("benford").unwrap().rows[0][4].to_text(), "too few amounts");
}
