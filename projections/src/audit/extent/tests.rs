use super::*;
use crate::testing::given::{GivenLine, commits};
use std::sync::Arc;

const DRAFT: &str = r#"{"applicant":"a","call":"C","content":{"acronym":"P","country":"FI","experimental":false,"partners":[],"title":"T","type":"new"}}"#;
const PREPARED: &str = r#"{"applicant":"a","call":"C","country":"FI","fund":"F","proposal":"P","rules":{"deadlines":{"inform_days":150,"report_days":60,"review_request_days":30,"sign_days":90,"source":"s"},"funding":{"ceilings":{"acquisition":"1/2","operating":"1/2","services":"1/2"},"matched":true,"source":"s"},"payments":{"before_balance_max":"9/10","insurance":"1/20","payment_days":90,"prefinancing_days":30,"prefinancing_max":"7/10","source":"s"}},"title":"T"}"#;

#[rustfmt::skip]
const HISTORY: &[GivenLine<'_>] = &[
    ("2024-01-01", "fund-F", "AppropriationVoted", r#"{"amount":"EUR 9","line":"L","source":"S"}"#),
    ("2024-01-02", "call-C", "CutOffAdded", r#"{"at":{"local":"2024-02-01T17:00:00","zone":"UTC"},"cut_off":"1","reason":"r"}"#),
    ("2024-01-02", "call-C", "CutOffAdded", r#"{"at":{"local":"2024-03-01T17:00:00","zone":"UTC"},"cut_off":"2","reason":"r"}"#),
    ("2024-01-02", "call-C", "BudgetRaised", r#"{"by":"EUR 1","reason":"r"}"#),
    ("2024-01-20", "proposal-P", "Drafted", DRAFT),
    ("2024-02-01", "proposal-P", "Admitted", r#"{"cut_off":"1"}"#),
    ("2024-02-01", "evaluation-E", "Opened", r#"{"call":"C","cut_off":"1","stage":"full"}"#),
    ("2024-02-01", "evaluation-E2", "Opened", r#"{"call":"C","cut_off":"2","stage":"full"}"#),
    ("2024-02-02", "call-C", "RoundAwarded", r#"{"cut_off":"1","funded":[{"grant":"G","proposal":"P"}],"rejected":[],"reserve":[]}"#),
    ("2024-02-02", "proposal-P", "Awarded", r#"{"cut_off":"1","grant":"G"}"#),
    ("2024-02-02", "grant-G", "Prepared", PREPARED),
    ("2024-02-02", "fund-F", "GloballyCommitted", r#"{"amount":"EUR 5","call":"C","commitment":"K","line":"L","round":"1","source":"S"}"#),
    ("2024-02-02", "fund-F", "GloballyCommitted", r#"{"amount":"EUR 5","call":"C","commitment":"K2","line":"L","round":"2","source":"S"}"#),
    ("2024-02-03", "fund-F", "GlobalDecommitted", r#"{"amount":"EUR 1","commitment":"K","reason":"r"}"#),
    ("2024-02-03", "fund-F", "IndividuallyCommitted", r#"{"amount":"EUR 4","commitment":"K","grant":"G"}"#),
    ("2024-02-04", "claim-X", "Published", r#"{"about":"grant-G","published":"2024-02-04","what":"w"}"#),
    ("2024-02-05", "fund-F", "LegallyCommitted", r#"{"amount":"EUR 4","grant":"H"}"#),
    ("2024-02-05", "fund-F", "Paid", r#"{"amount":"EUR 4","grant":"G","payment":"Y"}"#),
];

/// Which positions of a history belong to a scope.
fn held(commits: &[Arc<Commit>], scope: &Scope) -> Result<Vec<u64>, NoExtent> {
    let mut links = Links::default();
    commits.iter().flat_map(|commit| &commit.events).for_each(|event| links.apply(event));
    let extent = links.extent(scope)?;
    let held = commits.iter().filter(|commit| extent.holds(commit));
    Ok(held.map(|commit| commit.position).collect())
}

fn round(call: &str, round: &str) -> Scope {
    Scope::Round(call.parse().unwrap(), round.parse().unwrap())
}

#[test]
fn a_scope_has_what_names_it_and_nothing_of_another() {
    let all = commits(HISTORY);
    let held = |scope| held(&all, &scope).unwrap();
    assert_eq!(held(round("C", "1")), [2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 18]);
    assert_eq!(held(round("C", "2")), [3, 4, 8, 13]);
    let call: Vec<u64> = (2..=18).filter(|position| *position != 17).collect();
    assert_eq!(held(Scope::Call("C".parse().unwrap())), call);
    let grant = held(Scope::Grant("G".parse().unwrap()));
    assert_eq!(grant, [2, 4, 5, 6, 9, 10, 11, 15, 16, 18]);
    assert_eq!(held(Scope::All), (1..=18).collect::<Vec<_>>());
    // True on that day, whenever it was recorded; and recorded then, whenever it was true.
    let instant = |text: &str| text.parse().unwrap();
    let day = Scope::Period(instant("2024-02-04T00:00:00Z"), instant("2024-02-04T23:59:59Z"));
    assert_eq!(held(day), [16]);
    assert_eq!(held(Scope::Period(all[4].recorded_at, all[6].recorded_at)), [5, 6, 7]);
}

#[test]
fn what_is_not_there_is_named() {
    let all = commits(HISTORY);
    let why = |scope| held(&all, &scope).unwrap_err().to_string();
    assert_eq!(why(round("C", "9")), "scope: call C has no round 9 at that moment; there are 1, 2");
    assert_eq!(why(round("D", "1")), "scope: call D does not exist at that moment");
    let grant = Scope::Grant("X".parse().unwrap());
    assert_eq!(why(grant), "scope: grant X does not exist at that moment");
    let backwards = Scope::Period(all[1].recorded_at, all[0].recorded_at);
    assert!(why(backwards).ends_with("ends before it begins"));
}

#[test]
fn a_row_is_shown_when_it_is_about_the_scope_and_nothing_else() {
    let mut links = Links::default();
    let all = commits(HISTORY);
    all.iter().flat_map(|commit| &commit.events).for_each(|event| links.apply(event));
    let first = links.extent(&round("C", "1")).unwrap();
    let grant = links.extent(&Scope::Grant("G".parse().unwrap())).unwrap();
    for (row, by_round, by_grant) in [
        (&[("call", "C"), ("round", "1")][..], true, false),
        (&[("call", "C"), ("round", "2")], false, false),
        // The sums of the whole call.
        (&[("call", "C")], false, false),
        (&[("fund", "F"), ("grant", "G")], true, true),
        (&[("grant", "H")], false, false),
        (&[("about", "grant-G")], true, true),
        (&[("stream", "evaluation-E")], true, false),
        (&[("proposal", "P"), ("round", "1")], true, true),
    ] {
        assert_eq!(first.shows(row.iter().copied()), by_round, "{row:?}");
        assert_eq!(grant.shows(row.iter().copied()), by_grant, "{row:?}");
    }
}
