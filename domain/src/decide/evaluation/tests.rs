use super::*;
use crate::testing::Scenario;
use crate::testing::round::{
    ANTENNAS, agreed, closed, eligible, opened, opened_with, opening, ranked, reported, rules,
    score, submitted, voted,
};

fn round() -> Scenario {
    eligible(closed(submitted(opened(), &["A", "B"])), &["A", "B"])
}

fn evaluation(scenario: &Scenario) -> &Evaluation {
    scenario.world.evaluations.values().next().unwrap()
}

fn open(scenario: Scenario, payload: &str) -> Scenario {
    scenario.by(Role::ProgrammeOfficer).when("evaluation.open", payload)
}

fn conflict(expert: &str, proposal: &str) -> String {
    format!(
        r#"{{"evaluation":"E","expert":"{expert}","proposal":"{proposal}",
            "kind":"employed_3_years"}}"#
    )
}

fn rank(scenario: Scenario) -> Scenario {
    scenario.by(Role::PanelChair).when("evaluation.rank", r#"{"evaluation":"E"}"#)
}

#[test]
fn an_evaluation_is_for_one_stage_of_one_closed_round() {
    let payload = r#"{"evaluation":"E","call":"C","cut_off":"R1","stage":"full"}"#;
    let scenario = open(opened(), payload).refused("call.cut_off_open");
    let scenario = open(closed(scenario), payload).then(&["evaluation.Opened"]);
    let scenario = open(scenario, &payload.replace(r#""E""#, r#""E2""#));
    let scenario = scenario.refused("evaluation.opened_already");
    let scenario = open(scenario, &payload.replace("full", "half").replace(r#""E""#, r#""E2""#));
    scenario.refused("evaluation.no_stage").at("/stage");
}

#[test]
fn a_call_without_evaluation_rules_is_not_evaluated() {
    let scenario = closed(opened_with("playground"));
    let payload = r#"{"evaluation":"E","call":"C","cut_off":"R1","stage":"full"}"#;
    open(scenario, payload).refused("evaluation.no_evaluation");
}

#[test]
fn the_second_stage_waits_for_the_first() {
    let scenario = closed(opened_with("horizon-two-stage"));
    let stage = |id: &str, stage: &str| {
        format!(r#"{{"evaluation":"{id}","call":"C","cut_off":"R1","stage":"{stage}"}}"#)
    };
    let scenario = open(scenario, &stage("E2", "full")).refused("evaluation.stage_before");
    let scenario = rank(open(scenario, &stage("E", "outline"))).then(&["evaluation.Ranked"]);
    open(scenario, &stage("E2", "full")).then(&["evaluation.Opened"]);
}

#[test]
fn experts_are_appointed_to_proposals_of_the_round() {
    let scenario = reported(round(), &["A"]).by(Role::ProgrammeOfficer);
    let appoint = |proposals: &str| {
        format!(r#"{{"evaluation":"E","expert":"X1","proposals":[{proposals}]}}"#)
    };
    let scenario = scenario.when("evaluation.appoint", &appoint(r#""Z""#));
    let scenario = scenario.refused("evaluation.not_in_round").at("/proposals/0");
    let scenario = scenario.when("evaluation.appoint", &appoint(""));
    let scenario = scenario.refused("evaluation.bad_list").at("/proposals");
    let scenario = scenario.when("evaluation.appoint", &appoint(r#""A""#)).then(&[]);
    scenario.when("evaluation.appoint", &appoint(r#""B""#)).then(&["evaluation.ExpertAppointed"]);
}

#[test]
fn only_an_appointed_expert_reports_with_each_criterion_on_the_scale() {
    let scenario = reported(round(), &["A"]).by_person("X9", Role::Expert);
    let scenario = scenario.when("evaluation.submit_report", &score("E", "A", [30, 30, 30]));
    let scenario = scenario.refused("evaluation.not_appointed").by_person("X1", Role::Expert);
    for tenths in [[52, 30, 30], [55, 30, 30]] {
        let payload = score("E", "A", tenths);
        let scenario = reported(round(), &["A"]).by_person("X1", Role::Expert);
        let scenario = scenario.when("evaluation.submit_report", &payload);
        scenario.refused("evaluation.off_the_scale").at("/scores");
    }
    let twice = score("E", "A", [30, 30, 30]).replace("impact", "excellence");
    let scenario = scenario.when("evaluation.submit_report", &twice);
    scenario.refused("evaluation.bad_criteria");
}

#[test]
fn consensus_needs_the_quorum_of_valid_reports_and_ends_reporting() {
    let declared = reported(round(), &["A"])
        .by_person("X3", Role::Expert)
        .when("evaluation.declare_conflict", &conflict("X3", "A"))
        .recorded(&["evaluation.ConflictDeclared"]);
    let consensus = score("E", "A", [40, 40, 40]);
    let scenario = declared.by(Role::Rapporteur).when("evaluation.submit_consensus", &consensus);
    scenario.refused("evaluation.no_quorum");
    let scenario = agreed(reported(round(), &["A"]), &[("A", [40, 40, 40])]);
    let scenario = scenario.by_person("X1", Role::Expert);
    let scenario = scenario.when("evaluation.submit_report", &consensus);
    scenario.refused("evaluation.consensus_reached");
}

#[test]
fn a_conflict_that_is_learnt_later_voids_report_consensus_and_ranking() {
    let scenario = ranked().by(Role::ProgrammeOfficer);
    assert_eq!(evaluation(&scenario).phase(), Phase::Ranked);
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X2", "A"));
    let scenario = scenario.recorded(&["evaluation.ConflictDeclared"]);
    let state = evaluation(&scenario);
    let a: ProposalId = "A".parse().unwrap();
    assert_eq!((state.phase(), state.reports[&a].len()), (Phase::Open, 2));
    assert!(!state.consensus.contains_key(&a));
    let event = serde_json::to_value(&scenario.commits.last().unwrap().events[0].event).unwrap();
    assert_eq!(event["data"]["void_reports"].as_array().unwrap().len(), 1);
    let scenario = rank(scenario).refused("evaluation.no_consensus").by(Role::ProgrammeOfficer);
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X2", "A"));
    let scenario = scenario.refused("evaluation.declared_already");
    let appoint = r#"{"evaluation":"E","expert":"X2","proposals":["A"]}"#;
    let scenario = scenario.when("evaluation.appoint", appoint);
    let scenario = scenario.refused("evaluation.in_conflict").at("/proposals/0");
    let scenario = scenario.by_person("X2", Role::Expert);
    let scenario = scenario.when("evaluation.submit_report", &score("E", "A", [30, 30, 30]));
    scenario.refused("evaluation.in_conflict");
}

#[test]
fn a_consensus_falls_with_any_expert_in_conflict_even_if_enough_others_remain() {
    let appoint = r#"{"evaluation":"E","expert":"X4","proposals":["A"]}"#;
    let scenario = reported(round(), &["A"])
        .by(Role::ProgrammeOfficer)
        .done("evaluation.appoint", appoint)
        .by_person("X4", Role::Expert)
        .done("evaluation.submit_report", &score("E", "A", [40, 40, 40]));
    let scenario = agreed(scenario, &[("A", [40, 40, 40])]).by(Role::ProgrammeOfficer);
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X4", "A"));
    let scenario = scenario.recorded(&["evaluation.ConflictDeclared"]);
    assert!(evaluation(&scenario).consensus.is_empty());
}

#[test]
fn nobody_judges_their_own_proposal() {
    let scenario = reported(round(), &["A"]);
    let a: ProposalId = "A".parse().unwrap();
    let applicant = scenario.world.proposals[&a].applicant.clone().unwrap();
    let appoint = format!(r#"{{"evaluation":"E","expert":"{applicant}","proposals":["A"]}}"#);
    let scenario = scenario.by(Role::ProgrammeOfficer).when("evaluation.appoint", &appoint);
    let scenario = scenario.refused("evaluation.in_conflict");
    let scenario = scenario.by_person(applicant.as_str(), Role::Rapporteur);
    let consensus = score("E", "A", [40, 40, 40]);
    scenario.when("evaluation.submit_consensus", &consensus).refused("evaluation.in_conflict");
}

#[test]
fn an_expert_declares_their_own_conflicts_only() {
    let scenario = reported(round(), &["A"]).by_person("X1", Role::Expert);
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X2", "A"));
    scenario.refused("evaluation.not_own_conflict").at("/expert");
}

#[test]
fn a_panel_chair_in_conflict_does_not_rank() {
    let scenario = agreed(reported(round(), &["A"]), &[("A", [40, 40, 40])]);
    let scenario = scenario.by(Role::PanelChair);
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("panel_chair", "A"));
    rank(scenario).refused("evaluation.in_conflict");
}

#[test]
fn a_round_is_ranked_when_every_proposal_is_checked_and_agreed_on() {
    let scenario = eligible(closed(submitted(opened(), &["A", "B"])), &["A"]);
    let scenario = agreed(reported(scenario, &["A"]), &[("A", [40, 40, 40])]);
    let scenario = rank(scenario).refused("evaluation.not_checked");
    rank(eligible(scenario, &["B"])).refused("evaluation.no_consensus");
}

#[test]
fn a_tie_is_decided_by_the_panel_with_a_reason_or_not_at_all() {
    let scenario = reported(round(), &["A", "B"]);
    let scenario = agreed(scenario, &[("A", [40, 40, 40]), ("B", [40, 40, 40])]);
    let scenario = rank(scenario).refused("evaluation.unresolved").at("/ties");
    let ties = |reason: &str| {
        format!(r#"{{"evaluation":"E","ties":[{{"proposals":["B","A"],"reason":"{reason}"}}]}}"#)
    };
    let scenario = scenario.when("evaluation.rank", &ties(" ")).refused("command.no_reason");
    let scenario = scenario.when("evaluation.rank", &ties("portfolio"));
    let scenario = scenario.recorded(&["evaluation.Ranked"]);
    let first = &evaluation(&scenario).ranking[0];
    assert_eq!((first.proposal.as_str(), first.rank, first.total_tenths), ("B", 1, 120));
}

#[test]
fn withdrawn_and_ineligible_proposals_are_not_ranked() {
    let scenario = agreed(reported(round(), &["A"]), &[("A", [40, 40, 40])]);
    let scenario = scenario
        .by_person("of-B", Role::Applicant)
        .done("proposal.withdraw", r#"{"proposal":"B","reason":"merged"}"#);
    let scenario = rank(scenario).recorded(&["evaluation.Ranked"]);
    assert_eq!(evaluation(&scenario).ranking.len(), 1);
}

#[test]
fn nobody_judges_through_a_stand_in_what_they_are_in_conflict_with() {
    let declared = reported(round(), &["A"])
        .by(Role::ProgrammeOfficer)
        .done("evaluation.declare_conflict", &conflict("X9", "A"));
    let report = score("E", "A", [30, 30, 30]);
    // X1 is appointed and in no conflict, but stands in for somebody who is; and the other way round.
    let scenario = declared.by_person("X1", Role::Expert).on_behalf_of("X9");
    let scenario = scenario.when("evaluation.submit_report", &report);
    let scenario = scenario.refused("evaluation.in_conflict");
    let scenario = scenario.by_person("X9", Role::Rapporteur).on_behalf_of("rapporteur");
    let scenario = scenario.when("evaluation.submit_consensus", &report);
    let scenario = scenario.refused("evaluation.in_conflict");
    // Of their own conflict a person may also say through who stands in.
    let scenario = scenario.by_person("deputy", Role::Expert).on_behalf_of("X2");
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X2", "A"));
    scenario.then(&["evaluation.ConflictDeclared"]);
}

#[test]
fn what_a_stand_in_did_falls_with_the_conflict_of_the_one_behind() {
    let again = score("E", "A", [45, 45, 45]);
    let scenario = reported(round(), &["A"]).by_person("X1", Role::Expert).on_behalf_of("X8");
    let scenario = scenario.done("evaluation.submit_report", &again);
    let scenario = agreed(scenario, &[("A", [40, 40, 40])]).by(Role::ProgrammeOfficer);
    let scenario = scenario.done("evaluation.declare_conflict", &conflict("X8", "A"));
    let state = evaluation(&scenario);
    assert_eq!((state.reports.values().next().unwrap().len(), state.consensus.len()), (2, 0));
}

/// The rules of the fixture with a stage before theirs, called `first`.
fn two_stages() -> String {
    let mut document: serde_json::Value = serde_json::from_str(&rules(ANTENNAS)).unwrap();
    let stages = document["evaluation"]["stages"].as_array_mut().unwrap();
    let mut first = stages[0].clone();
    first["key"] = "first".into();
    stages.insert(0, first);
    document.to_string()
}

#[test]
fn a_conflict_of_one_stage_binds_at_the_other() {
    let scenario = voted().done("call.open", &opening(&two_stages()));
    let scenario = eligible(closed(submitted(scenario, &["A"])), &["A"]);
    let first = r#"{"evaluation":"E1","call":"C","cut_off":"R1","stage":"first"}"#;
    let mut scenario = open(scenario, first);
    for expert in ["X1", "X5", "X6"] {
        let appoint = format!(r#"{{"evaluation":"E1","expert":"{expert}","proposals":["A"]}}"#);
        scenario = scenario
            .by(Role::ProgrammeOfficer)
            .done("evaluation.appoint", &appoint)
            .by_person(expert, Role::Expert)
            .done("evaluation.submit_report", &score("E1", "A", [40, 40, 40]));
    }
    let scenario = scenario
        .by(Role::Rapporteur)
        .done("evaluation.submit_consensus", &score("E1", "A", [40, 40, 40]))
        .by(Role::PanelChair)
        .done("evaluation.rank", r#"{"evaluation":"E1"}"#);
    // X1 to X3 have reported at the second stage; what X1 did there falls as well.
    let declare = conflict("X1", "A").replace(r#""E""#, r#""E1""#);
    let scenario = reported(scenario, &["A"])
        .by(Role::ProgrammeOfficer)
        .when("evaluation.declare_conflict", &declare)
        .recorded(&["evaluation.ConflictDeclared", "evaluation.ConflictDeclared"]);
    let streams = scenario.commits.last().unwrap().events.iter().map(|one| one.stream.to_string());
    assert_eq!(streams.collect::<Vec<_>>(), ["evaluation-E1", "evaluation-E"]);
    assert_eq!(evaluation(&scenario).reports.values().next().unwrap().len(), 2);
    // The first stage is to be ranked again; nothing keeps another conflict from being declared.
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X1", "A"));
    let scenario = scenario.refused("evaluation.declared_already");
    let scenario = scenario.when("evaluation.declare_conflict", &conflict("X2", "A"));
    scenario.then(&["evaluation.ConflictDeclared", "evaluation.ConflictDeclared"]);
}

#[test]
fn a_conflict_of_an_earlier_stage_keeps_an_expert_from_the_next() {
    let scenario = voted().done("call.open", &opening(&two_stages()));
    let scenario = eligible(closed(submitted(scenario, &["A", "B"])), &["A"]);
    let first = r#"{"evaluation":"E1","call":"C","cut_off":"R1","stage":"first"}"#;
    let declare = conflict("X1", "A").replace(r#""E""#, r#""E1""#);
    let scenario = open(scenario, first).done("evaluation.declare_conflict", &declare);
    let expert: ActorId = "X1".parse().unwrap();
    // Whatever evaluation asks.
    let refused = check_no_conflict(&scenario.world, (&expert, None), &"A".parse().unwrap());
    assert_eq!(refused.unwrap_err().code, "evaluation.in_conflict");
    check_no_conflict(&scenario.world, (&expert, None), &"B".parse().unwrap()).unwrap();
}
