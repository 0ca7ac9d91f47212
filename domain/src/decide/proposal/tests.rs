//! The rules of proposals, given - when - then.

use super::*;
use crate::kernel::actor::Role;
use crate::testing::round::{
    answers, closed, draft, eligible, opened, ranked, submission, submitted,
};
use crate::testing::{Scenario, round};

fn by(scenario: Scenario, id: &str) -> Scenario {
    scenario.by_person(&format!("of-{id}"), Role::Applicant)
}

fn drafted() -> Scenario {
    by(opened(), "A").done("proposal.draft", &draft("A"))
}

fn proposal(scenario: &Scenario) -> &Proposal {
    scenario.world.proposals.values().next().unwrap()
}

#[test]
fn only_the_applicant_acts_on_a_proposal() {
    by(opened(), "B").when("proposal.draft", &draft("A")).refused("proposal.not_the_applicant");
    let scenario = by(drafted(), "B").when("proposal.submit", &submission("A"));
    let scenario = scenario.refused("proposal.not_the_applicant");
    let withdraw = r#"{"proposal":"A","reason":"none"}"#;
    let scenario = scenario.when("proposal.withdraw", withdraw);
    let scenario = scenario.refused("proposal.not_the_applicant");
    by(scenario, "A").when("proposal.withdraw", withdraw).then(&["proposal.Withdrawn"]);
}

#[test]
fn a_proposal_says_something_that_adds_up() {
    let cases = [
        (r#""acronym":"A""#, r#""acronym":" ""#, "proposal.empty", "/content/acronym"),
        (r#""country""#, r#""covers":["x","x"],"country""#, "proposal.bad_list", "/content/covers"),
        ("EUR 600", "EUR -1", "proposal.negative", "/content/requested"),
        (
            r#""country""#,
            r#""total":"EUR 599","country""#,
            "proposal.more_than_total",
            "/content/requested",
        ),
    ];
    for (from, to, code, field) in cases {
        let payload = draft("A").replacen(from, to, 1);
        by(opened(), "A").when("proposal.draft", &payload).refused(code).at(field);
    }
}

#[test]
fn the_receipt_names_the_cut_off_and_a_later_submission_replaces_the_first() {
    let scenario = drafted().when("proposal.submit", &submission("A"));
    let scenario = scenario.recorded(&["proposal.Submitted"]);
    let first = proposal(&scenario).submission.clone().unwrap();
    assert_eq!((first.number, first.cut_off.as_str()), (1, "R1"));
    let content = r#"{"acronym":"A","title":"Better"}"#;
    let revise = format!(r#"{{"proposal":"A","content":{content}}}"#);
    let scenario = scenario.when("proposal.revise", &revise).recorded(&["proposal.Revised"]);
    let scenario = scenario.when("proposal.revise", &revise).recorded(&[]);
    let scenario = scenario.when("proposal.submit", &submission("A"));
    let second = proposal(&scenario).submission.clone().unwrap();
    assert_eq!(second.number, 2);
    assert_ne!(second.content_sha256, first.content_sha256);
}

#[test]
fn what_was_submitted_stays_once_its_cut_off_has_passed() {
    let scenario = submitted(opened(), &["A"]).at_time("2024-11-04T16:00:01Z");
    let scenario = scenario.when("proposal.submit", &submission("A"));
    let scenario = scenario.refused("proposal.cut_off_passed");
    let revise = r#"{"proposal":"A","content":{"acronym":"A","title":"Better"}}"#;
    scenario.when("proposal.revise", revise).refused("proposal.cut_off_passed");
}

#[test]
fn what_was_received_in_time_is_in_the_round_even_if_recorded_after_closing() {
    let drafted = by(submitted(opened(), &["B"]), "A").done("proposal.draft", &draft("A"));
    let scenario = by(closed(drafted), "A").received_at("2024-11-04T15:59:59Z");
    let scenario = scenario.when("proposal.submit", &submission("A")).recorded(&[
        "proposal.Submitted",
        "call.AdmittedAfterClosing",
        "proposal.Admitted",
    ]);
    let call = scenario.world.calls.values().next().unwrap();
    assert_eq!(call.round(&"R1".parse().unwrap()).unwrap().admitted.len(), 2);
}

#[test]
fn a_decided_round_takes_nothing_more() {
    let scenario = by(ranked(), "L").received_at("2024-11-04T15:59:59Z");
    let scenario = scenario.done("proposal.draft", &draft("L"));
    let rejected: Vec<String> = ["A", "B", "D", "G"]
        .map(|id| format!(r#"{{"proposal":"{id}","reason":"no money"}}"#))
        .into();
    let award =
        format!(r#"{{"call":"C","cut_off":"R1","funded":[],"rejected":[{}]}}"#, rejected.join(","));
    let scenario = scenario.by(Role::GoverningBoard).done("call.award_round", &award);
    let scenario = by(scenario, "L").when("proposal.submit", &submission("L"));
    scenario.refused("proposal.round_decided");
}

#[test]
fn a_call_takes_proposals_while_a_cut_off_is_left() {
    let late = drafted().at_time("2025-02-01T16:00:01Z");
    late.when("proposal.submit", &submission("A")).refused("proposal.no_cut_off_left");
    let scenario = drafted()
        .by(Role::ProgrammeOfficer)
        .done("call.announce_exhausted", r#"{"call":"C","reason":"spent"}"#);
    let scenario = by(scenario, "A").when("proposal.submit", &submission("A"));
    scenario.refused("proposal.call_takes_none");
}

#[test]
fn a_call_takes_proposals_until_its_end() {
    let until = r#""opens_until":{"local":"2025-12-31T17:00:00","zone":"Europe/Luxembourg"}"#;
    let opening = round::opening(&round::rules("playground"));
    let opening = opening.replacen('{', &format!("{{{until},"), 1);
    let scenario = round::voted().done("call.open", &opening);
    let scenario = by(scenario, "A").done("proposal.draft", &draft("A"));
    let scenario = scenario.at_time("2025-12-31T16:00:01Z");
    let scenario = scenario.when("proposal.submit", &submission("A"));
    scenario.refused("proposal.after_the_end");
}

#[test]
fn the_rules_ask_for_documents_and_limit_pages() {
    let none = r#"{"proposal":"A","pages":40,"documents":[]}"#;
    let scenario = drafted().when("proposal.submit", none);
    scenario.refused("proposal.document_missing").at("/documents");
    let rules = crate::rulebook::parse(crate::rulebook::shipped("horizon-two-stage").unwrap());
    let command: Submit = serde_json::from_str(&submission("A")).unwrap();
    let command = Submit { pages: 71, ..command };
    let refusal = command.check_documents(&rules.unwrap()).unwrap_err();
    assert_eq!(refusal.code, "proposal.too_many_pages");
}

#[test]
fn a_round_has_room_for_as_many_as_one_decision_can_hold() {
    let ids: Vec<String> =
        (0..call::PROPOSALS_PER_ROUND_MAX).map(|index| format!("P{index}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let scenario = submitted(opened(), &ids);
    let scenario = by(scenario, "A").done("proposal.draft", &draft("A"));
    let scenario = scenario.when("proposal.submit", &submission("A"));
    closed(scenario.refused("proposal.round_full"));
}

#[test]
fn what_was_not_submitted_does_not_count() {
    let revise = r#"{"proposal":"A","content":{"acronym":"A","title":"Later"}}"#;
    let scenario = by(submitted(opened(), &["A"]), "A").done("proposal.revise", revise);
    assert_ne!(proposal(&scenario).content.title, "Later");
    let scenario = scenario.done("proposal.submit", &submission("A"));
    assert_eq!(proposal(&scenario).content.title, "Later");
}

#[test]
fn a_proposal_is_admissible_before_it_is_eligible() {
    let eligibility = |yes| answers("A", ["entity", "scope"], yes);
    let scenario = closed(submitted(opened(), &["A"])).by(Role::ProgrammeOfficer);
    let scenario = scenario.when("proposal.check_eligibility", &eligibility(true));
    let scenario = scenario.refused("proposal.not_yet_admissible");
    let admissibility = answers("A", ["complete", "form"], true);
    let scenario = scenario.when("proposal.check_admissibility", &admissibility);
    let scenario = scenario.recorded(&["proposal.Admissible"]);
    let scenario = scenario.when("proposal.check_admissibility", &admissibility);
    let scenario = scenario.refused("proposal.checked_already");
    let scenario = scenario.when("proposal.check_eligibility", &eligibility(false));
    let scenario = scenario.recorded(&["proposal.Ineligible"]);
    let reason = proposal(&scenario).reason.clone().unwrap();
    assert_eq!(reason, "answered no: Is the proposal within the scope of the call?");
}

#[test]
fn each_question_is_answered_once() {
    let scenario = closed(submitted(opened(), &["A"])).by(Role::ProgrammeOfficer);
    let twice = answers("A", ["complete", "complete"], true);
    let scenario = scenario.when("proposal.check_admissibility", &twice);
    let scenario = scenario.refused("proposal.not_answered").at("/answers");
    let other = answers("A", ["complete", "beauty"], true);
    let scenario = scenario.when("proposal.check_admissibility", &other);
    let scenario = scenario.refused("proposal.no_question");
    let no = answers("A", ["complete", "form"], false);
    let scenario = scenario.when("proposal.check_admissibility", &no);
    scenario.then(&["proposal.Inadmissible"]);
}

#[test]
fn applicants_come_from_the_countries_of_the_rules() {
    let list: Vec<Country> = vec!["FI".parse().unwrap()];
    assert_eq!(not_from(&list, Some("FI".parse().unwrap())), None);
    assert!(not_from(&list, Some("US".parse().unwrap())).is_some());
    assert!(not_from(&list, None).is_some());
    assert_eq!(not_from(&[], None), None);
}

#[test]
fn an_eligible_proposal_can_be_withdrawn_and_a_rejected_one_cannot() {
    let scenario = eligible(closed(submitted(opened(), &["A"])), &["A"]);
    let withdraw = r#"{"proposal":"A","reason":"merged"}"#;
    let scenario = by(scenario, "A").when("proposal.withdraw", withdraw);
    let scenario = scenario.recorded(&["proposal.Withdrawn"]);
    scenario.when("proposal.withdraw", withdraw).refused("command.wrong_state");
}

#[test]
fn what_comes_into_a_ranked_round_in_time_is_ranked_with_the_others() {
    let late = ranked()
        .received_at("2024-11-04T15:59:59Z")
        .by_person("of-N", Role::Applicant)
        .done("proposal.draft", &draft("N"))
        .when("proposal.submit", &submission("N"))
        .recorded(&[
            "proposal.Submitted",
            "call.AdmittedAfterClosing",
            "proposal.Admitted",
            "evaluation.Reopened",
        ]);
    let rank = r#"{"evaluation":"E"}"#;
    let scenario = late.by(Role::PanelChair).when("evaluation.rank", rank);
    let scenario = scenario.refused("evaluation.not_checked");
    let mut scenario = eligible(scenario, &["N"]);
    for expert in ["X1", "X2", "X3"] {
        let appoint = format!(r#"{{"evaluation":"E","expert":"{expert}","proposals":["N"]}}"#);
        scenario = scenario
            .by(Role::ProgrammeOfficer)
            .done("evaluation.appoint", &appoint)
            .by_person(expert, Role::Expert)
            .done("evaluation.submit_report", &round::score("E", "N", [45, 45, 45]));
    }
    let scenario = round::agreed(scenario, &[("N", [45, 45, 45])]);
    let scenario = scenario.by(Role::PanelChair).done("evaluation.rank", rank);
    let ranking = &scenario.world.evaluations.values().next().unwrap().ranking;
    let order: Vec<&str> = ranking.iter().map(|place| place.proposal.as_str()).collect();
    assert_eq!(order, ["A", "N", "B", "D", "G"]);
}
