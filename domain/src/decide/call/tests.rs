use super::*;
use crate::kernel::actor::Role;
use crate::testing::round::{closed, opened, opening, rules, submitted, voted};
use crate::testing::{Scenario, given};

fn amend(scenario: Scenario, cut_off: &str, date: &str) -> Scenario {
    let at = format!(r#""at":{{"local":"{date}T17:00:00","zone":"Europe/Luxembourg"}},"#);
    let at = if date.is_empty() { String::new() } else { at };
    scenario.by(Role::ProgrammeOfficer).when(
        "call.amend_calendar",
        &format!(r#"{{"call":"C",{at}"cut_off":"{cut_off}","reason":"holidays"}}"#),
    )
}

fn call(scenario: &Scenario) -> &Call {
    scenario.world.calls.values().next().unwrap()
}

fn admitted(scenario: &Scenario, cut_off: &str) -> String {
    let round = call(scenario).round(&cut_off.parse().unwrap()).unwrap();
    let ids: Vec<&str> = round.admitted.iter().map(ProposalId::as_str).collect();
    ids.join(" ")
}

#[test]
fn a_call_opens_with_its_rules_and_a_timer_for_each_cut_off() {
    let scenario = voted().when("call.open", &opening(&rules("ai-factories")));
    let scenario = scenario.recorded(&["call.Opened", "timer.Set", "timer.Set"]);
    let opened = call(&scenario);
    let digest = canonical::digest(opened.document().unwrap()).unwrap();
    assert_eq!(opened.rules_sha256, Some(digest));
    let timer: TimerId = "C-R1".parse().unwrap();
    let (due, wish) = scenario.world.timers[&timer].pending.clone().unwrap();
    assert_eq!(due.to_string(), "2024-11-04T16:00:00Z");
    assert_eq!(wish.command, "call.close_cut_off");
}

#[test]
fn a_call_does_not_open_with_rules_that_have_mistakes() {
    let broken = rules("ai-factories")
        .replace(r#""experts_min":3"#, r#""experts_min":0"#)
        .replace(r#""zone":"Europe/Luxembourg""#, r#""zone":"Nowhere""#);
    voted().when("call.open", &opening(&broken)).refused("call.bad_rules").at("/rules");
    let mut document: Document = serde_json::from_str(&rules("ai-factories")).unwrap();
    document.version = 0;
    document.legal.clear();
    let message = check_rules(&document).unwrap_err().message;
    assert!(message.contains("version: ") && message.contains("legal: "), "{message}");
}

#[test]
fn the_envelope_of_a_call_rests_on_an_appropriation() {
    let opening = opening(&rules("ai-factories"));
    given().when("call.open", &opening).refused("command.not_found").at("/budget/fund");
    for (voted_as, asked) in [("02 04", "02 05"), ("DEP", "HE")] {
        let other = opening.replace(voted_as, asked);
        let scenario = voted().when("call.open", &other);
        scenario.refused("fund.no_appropriation").at("/budget/line");
    }
    // Later years add theirs: the envelope may be larger than what is voted by now.
    let large = opening.replace("EUR 1000", "EUR 2001");
    voted().when("call.open", &large).then(&["call.Opened", "timer.Set", "timer.Set"]);
}

#[test]
fn a_calendar_has_different_cut_offs_in_the_future() {
    let opening = opening(&rules("ai-factories"));
    let cases = [
        (opening.replace("2025-02-01", "2024-11-04"), "call.cut_off_twice", "/cut_offs/1"),
        (opening.replace(r#""R2""#, r#""R1""#), "call.cut_off_twice", "/cut_offs/1"),
        (opening.replace("2024-11-04", "2024-09-09"), "call.cut_off_in_the_past", "/cut_offs/0"),
        (opening.replace("EUR 1000", "EUR 0"), "call.not_positive", "/budget/envelope"),
    ];
    for (payload, code, field) in cases {
        voted().when("call.open", &payload).refused(code).at(field);
    }
    let until = r#""opens_until":{"local":"2024-12-31T17:00:00","zone":"Europe/Luxembourg"},"#;
    let payload = opening.replacen('{', &format!("{{{until}"), 1);
    voted().when("call.open", &payload).refused("call.cut_off_after_end").at("/cut_offs/1");
    let keys = (0..=CUT_OFFS_MAX).map(|index| {
        format!(r#"{{"key":"K{index}","at":{{"local":"2025-01-01T00:00:00","zone":"UTC"}}}}"#)
    });
    let many = format!("{},{{", keys.collect::<Vec<_>>().join(","));
    let payload = opening.replacen("[{\"key\":\"R1\"", &format!("[{many}\"key\":\"R1\""), 1);
    voted().when("call.open", &payload).refused("call.too_many_cut_offs").at("/cut_offs");
}

#[test]
fn what_is_received_at_the_instant_is_in_and_what_is_received_after_is_in_the_next() {
    let scenario = submitted(opened().received_at("2024-11-04T16:00:00Z"), &["in"]);
    let scenario = submitted(scenario.received_at("2024-11-04T16:00:00.000001Z"), &["late"]);
    let scenario = scenario
        .at_time("2024-11-04T16:00:09Z")
        .by(Role::System)
        .when("timer.fire", r#"{"timer":"C-R1"}"#)
        .recorded(&["timer.Fired", "call.CutOffClosed", "proposal.Admitted"]);
    assert_eq!(admitted(&scenario, "R1"), "in");
    let effective = scenario.commits.last().unwrap().events[1].effective_at;
    assert_eq!(effective.to_string(), "2024-11-04T16:00:00Z");
    let scenario =
        scenario.at_time("2025-02-01T16:00:00Z").done("timer.fire", r#"{"timer":"C-R2"}"#);
    assert_eq!(admitted(&scenario, "R2"), "late");
}

#[test]
fn a_cut_off_closes_at_its_instant_and_never_opens_again() {
    let close = r#"{"call":"C","cut_off":"R1"}"#;
    let scenario = opened().by(Role::System).when("call.close_cut_off", close);
    let scenario = closed(scenario.refused("call.cut_off_not_due"));
    let scenario = scenario.when("call.close_cut_off", close).refused("call.cut_off_closed");
    let scenario = amend(scenario, "R1", "2024-12-01").refused("call.cut_off_closed");
    let scenario = amend(scenario, "R1", "").refused("call.cut_off_closed");
    let close = r#"{"call":"C","cut_off":"R9"}"#;
    let scenario = scenario.by(Role::System).when("call.close_cut_off", close);
    scenario.refused("call.no_cut_off").at("/cut_off");
}

#[test]
fn a_cut_off_whose_timer_is_late_can_no_longer_be_moved() {
    let scenario = opened().at_time("2024-11-04T16:00:00Z");
    amend(scenario, "R1", "2024-12-01").refused("call.cut_off_closed");
}

#[test]
fn a_moved_cut_off_moves_its_timer() {
    let scenario = amend(opened(), "R1", "2024-09-09").refused("call.cut_off_in_the_past");
    let scenario = amend(scenario.at("/at"), "R1", "2025-02-01").refused("call.cut_off_twice");
    let scenario = amend(scenario, "R1", "2024-11-04").then(&[]);
    let scenario = amend(scenario, "R1", "2024-11-11").recorded(&["call.CutOffMoved", "timer.Set"]);
    let timer: TimerId = "C-R1".parse().unwrap();
    let (due, _) = scenario.world.timers[&timer].pending.clone().unwrap();
    assert_eq!(due.to_string(), "2024-11-11T16:00:00Z");
    amend(scenario, "R3", "2025-05-02").then(&["call.CutOffAdded", "timer.Set"]);
}

#[test]
fn proposals_of_a_cancelled_cut_off_fall_to_the_next() {
    let scenario = amend(submitted(opened(), &["A"]), "R1", "");
    let scenario = scenario.recorded(&["call.CutOffCancelled", "timer.Cancelled"]);
    let scenario = amend(scenario, "R1", "").then(&[]);
    let scenario = amend(scenario, "R1", "2024-12-01").refused("call.cut_off_cancelled");
    let scenario = amend(scenario, "R9", "").refused("call.no_cut_off");
    let scenario = scenario.by(Role::System).at_time("2025-02-01T16:00:00Z");
    let scenario = scenario.done("timer.fire", r#"{"timer":"C-R2"}"#);
    assert_eq!(admitted(&scenario, "R2"), "A");
}

#[test]
fn timers_of_different_cut_offs_never_meet() {
    let timer = |call: &str, cut_off: &str| {
        timer_of(&call.parse().unwrap(), &cut_off.parse().unwrap()).unwrap()
    };
    assert_eq!(timer("A", "R1").as_str(), "A-R1");
    assert_ne!(timer("A", "B-C"), timer("A-B", "C"));
    assert_ne!(timer("A", "R 1"), timer("A", "R.1"));
    let long = "x".repeat(64);
    assert_ne!(timer(&long, "R1"), timer(&long, "R2"));
}

#[test]
fn an_exhausted_call_opens_again_when_its_budget_is_raised() {
    let reason = r#"{"call":"C","reason":"spent"}"#;
    let scenario = opened().when("call.announce_exhausted", reason);
    let scenario = scenario.then(&["call.Exhausted"]).by(Role::GoverningBoard);
    let raise = |by: &str| format!(r#"{{"call":"C","by":"{by}","reason":"top-up"}}"#);
    let scenario = scenario.when("call.raise_budget", &raise("EUR 0"));
    let scenario = scenario.refused("call.not_positive").at("/by");
    let scenario = scenario.when("call.raise_budget", &raise("EUR 500"));
    let scenario = scenario.then(&["call.BudgetRaised"]);
    assert_eq!(call(&scenario).budget.as_ref().unwrap().envelope, Money::euro(1500));
    assert_eq!(call(&scenario).phase(), Phase::Open);
}

#[test]
fn a_budget_that_is_not_there_is_not_raised() {
    let opening = opening(&rules("ai-factories"));
    let start = opening.find(r#""budget""#).unwrap();
    let opening = format!("{}}}", opening[..start].trim_end().trim_end_matches(','));
    voted()
        .done("call.open", &opening)
        .by(Role::GoverningBoard)
        .when("call.raise_budget", r#"{"call":"C","by":"EUR 1","reason":"top-up"}"#)
        .refused("call.no_budget");
}

#[test]
fn a_call_closes_when_no_cut_off_is_to_come() {
    let close = r#"{"call":"C","reason":"the end"}"#;
    let scenario = closed(opened()).by(Role::ProgrammeOfficer).when("call.close", close);
    let scenario = amend(scenario.refused("call.cut_off_open"), "R2", "");
    let scenario = scenario.when("call.close", close).then(&["call.Closed"]);
    scenario.when("call.close", close).refused("command.wrong_state");
}
