//! Histories that the tests of calls, proposals, evaluations and rounds begin with.

use crate::kernel::actor::Role;
use crate::rulebook::{parse, shipped};
use crate::testing::{Scenario, given};

/// The rules that most tests use: an evaluated grant call, three experts.
pub(crate) const ANTENNAS: &str = "ai-factory-antennas";

/// What a shipped document says, as JSON.
pub(crate) fn rules(name: &str) -> String {
    serde_json::to_string(&parse(shipped(name).unwrap()).unwrap()).unwrap()
}

/// The payload of `call.open` for call C: cut-offs R1 on 4 November 2024 and R2 on 1 February 2025 at
/// 17:00 in Luxembourg, and an envelope of EUR 1000.
pub(crate) fn opening(rules: &str) -> String {
    let at = |date: &str| format!(r#"{{"local":"{date}T17:00:00","zone":"Europe/Luxembourg"}}"#);
    let (first, second) = (at("2024-11-04"), at("2025-02-01"));
    format!(
        r#"{{"call":"C","title":"A call","rules":{rules},
            "cut_offs":[{{"key":"R1","at":{first}}},{{"key":"R2","at":{second}}}],
            "budget":{{"fund":"F","line":"02 04","source":"DEP","envelope":"EUR 1000"}}}}"#
    )
}

/// The fund of call C holds EUR 2000.
pub(crate) fn voted() -> Scenario {
    let vote = r#"{"fund":"F","line":"02 04","source":"DEP","amount":"EUR 2000"}"#;
    let scenario = given().by(Role::GoverningBoard).done("fund.vote_appropriation", vote);
    scenario.by(Role::ProgrammeOfficer)
}

/// Call C has opened with these rules, and its fund holds EUR 2000.
pub(crate) fn opened_with(name: &str) -> Scenario {
    voted().done("call.open", &opening(&rules(name)))
}

/// Call C has opened, and its fund holds EUR 2000.
pub(crate) fn opened() -> Scenario {
    opened_with(ANTENNAS)
}

/// The payload of `proposal.draft`: the applicant of proposal A is `of-A`; it asks for EUR 600.
pub(crate) fn draft(id: &str) -> String {
    format!(
        r#"{{"proposal":"{id}","call":"C","applicant":"of-{id}","content":
            {{"acronym":"{id}","title":"Proposal {id}","country":"FI","requested":"EUR 600"}}}}"#
    )
}

/// The payload of `proposal.submit`.
pub(crate) fn submission(id: &str) -> String {
    let sha256 = "0".repeat(64);
    let documents = format!(r#"[{{"key":"proposal","sha256":"{sha256}"}}]"#);
    format!(r#"{{"proposal":"{id}","pages":40,"documents":{documents}}}"#)
}

/// These proposals have been submitted.
pub(crate) fn submitted(scenario: Scenario, ids: &[&str]) -> Scenario {
    ids.iter().fold(scenario, |scenario, id| {
        scenario
            .by_person(&format!("of-{id}"), Role::Applicant)
            .done("proposal.draft", &draft(id))
            .done("proposal.submit", &submission(id))
    })
}

/// Cut-off R1 has closed at its instant.
pub(crate) fn closed(scenario: Scenario) -> Scenario {
    scenario
        .at_time("2024-11-04T16:00:00Z")
        .by(Role::System)
        .done("timer.fire", r#"{"timer":"C-R1"}"#)
}

/// The answers of both checks for a proposal.
pub(crate) fn answers(id: &str, keys: [&str; 2], yes: bool) -> String {
    let [first, second] = keys;
    format!(
        r#"{{"proposal":"{id}","answers":[{{"key":"{first}","yes":true}},
            {{"key":"{second}","yes":{yes}}}]}}"#
    )
}

/// These proposals have been found eligible.
pub(crate) fn eligible(scenario: Scenario, ids: &[&str]) -> Scenario {
    ids.iter().fold(scenario.by(Role::ProgrammeOfficer), |scenario, id| {
        scenario
            .done("proposal.check_admissibility", &answers(id, ["complete", "form"], true))
            .done("proposal.check_eligibility", &answers(id, ["entity", "scope"], true))
    })
}

/// Scores on the three criteria, in tenths.
pub(crate) fn scores(tenths: [u32; 3]) -> String {
    let criteria = ["excellence", "impact", "implementation"];
    let scores: Vec<String> = criteria
        .iter()
        .zip(tenths)
        .map(|(key, tenths)| {
            format!(r#"{{"criterion":"{key}","tenths":{tenths},"comment":"because"}}"#)
        })
        .collect();
    format!("[{}]", scores.join(","))
}

/// Evaluation E of round R1 is open, and experts X1 to X3 have reported on these proposals.
pub(crate) fn reported(scenario: Scenario, ids: &[&str]) -> Scenario {
    let opening = r#"{"evaluation":"E","call":"C","cut_off":"R1","stage":"full"}"#;
    let mut scenario = scenario.by(Role::ProgrammeOfficer).done("evaluation.open", opening);
    for expert in ["X1", "X2", "X3"] {
        let proposals = serde_json::to_string(ids).unwrap();
        let appoint =
            format!(r#"{{"evaluation":"E","expert":"{expert}","proposals":{proposals}}}"#);
        scenario = scenario.by(Role::ProgrammeOfficer).done("evaluation.appoint", &appoint);
        for id in ids {
            let report = score("E", id, [35, 35, 35]);
            scenario =
                scenario.by_person(expert, Role::Expert).done("evaluation.submit_report", &report);
        }
    }
    scenario
}

/// The payload of a report or a consensus.
pub(crate) fn score(evaluation: &str, id: &str, tenths: [u32; 3]) -> String {
    let scores = scores(tenths);
    format!(r#"{{"evaluation":"{evaluation}","proposal":"{id}","scores":{scores}}}"#)
}

/// The experts agreed on these scores.
pub(crate) fn agreed(scenario: Scenario, scores: &[(&str, [u32; 3])]) -> Scenario {
    scores.iter().fold(scenario.by(Role::Rapporteur), |scenario, (id, tenths)| {
        scenario.done("evaluation.submit_consensus", &score("E", id, *tenths))
    })
}

/// Round R1 holds A, B and D in this order of rank, G below a threshold, and I, which is ineligible.
pub(crate) fn ranked() -> Scenario {
    let scenario = closed(submitted(opened(), &["A", "B", "D", "G", "I"]));
    let scenario = eligible(scenario, &["A", "B", "D", "G"])
        .done("proposal.check_admissibility", &answers("I", ["complete", "form"], true))
        .done("proposal.check_eligibility", &answers("I", ["entity", "scope"], false));
    let scores =
        [("G", [25, 50, 50]), ("D", [35, 35, 35]), ("A", [50, 50, 50]), ("B", [40, 40, 40])];
    agreed(reported(scenario, &["A", "B", "D", "G"]), &scores)
        .by(Role::PanelChair)
        .done("evaluation.rank", r#"{"evaluation":"E"}"#)
}
