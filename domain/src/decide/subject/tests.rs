use super::*;
use crate::facts::personal::Facts;
use crate::kernel::actor::Role;
use crate::kernel::canonical::Sha256Hex;
use crate::testing::round::{agreed, closed, eligible, opened, reported, submitted};
use crate::testing::{Scenario, given};

const PERSON: &str = "p0123456789abcdef";

/// A value that nobody can open: the rules never do.
fn sealed(purpose: &str, act: &str) -> String {
    let (commitment, cipher) = (Sha256Hex::of(act.as_bytes()), "00".repeat(80));
    let nonce = "00".repeat(24);
    format!(
        r#"{{"ciphertext":"{cipher}","commitment":"{commitment}","nonce":"{nonce}","person":"{PERSON}","purpose":"{purpose}"}}"#
    )
}

fn registered(scenario: Scenario) -> Scenario {
    let one = sealed("contact", "a");
    let register = format!(
        r#"{{"subject":"{PERSON}","contact":{{"affiliation":{one},"email":{one},"name":{one}}},"expertise":{}}}"#,
        sealed("expertise", "b")
    );
    scenario.by(Role::ProgrammeOfficer).done("subject.register", &register)
}

fn erase(scenario: Scenario, purpose: &str) -> Scenario {
    let payload = format!(
        r#"{{"subject":"{PERSON}","basis":"no_longer_necessary","case":"C","purposes":["{purpose}"]}}"#
    );
    scenario.by(Role::ProgrammeOfficer).when("subject.erase", &payload)
}

fn retention(scenario: &Scenario) -> Retention {
    Facts::of(&scenario.world, &PERSON.parse().unwrap()).unwrap().retention
}

/// A round with one rejected proposal, in which the person took part.
fn took_part() -> Scenario {
    let scenario = eligible(closed(submitted(opened(), &["A"])), &["A"]);
    let scenario = registered(reported(scenario, &["A"]));
    let appoint = format!(r#"{{"evaluation":"E","expert":"{PERSON}","proposals":["A"]}}"#);
    scenario.by(Role::ProgrammeOfficer).done("evaluation.appoint", &appoint)
}

#[test]
fn who_took_part_in_nothing_may_be_erased_at_once() {
    let scenario = registered(given());
    assert_eq!(retention(&scenario), Retention::Free);
    let scenario = erase(scenario, "contact").recorded(&["subject.Erased"]);
    let facts = Facts::of(&scenario.world, &PERSON.parse().unwrap()).unwrap();
    assert!(facts.kept.is_empty() && facts.erased.len() == 2, "contact data takes all along");
    assert!(facts.to_string().contains("erased lawfully"), "{facts}");
    erase(scenario, "expertise").refused("command.wrong_state");
}

#[test]
fn an_expert_is_kept_as_long_as_the_rules_of_the_round_say_and_what_rests_on_consent_is_not() {
    let scenario = took_part();
    assert_eq!(retention(&scenario), Retention::Open("call-C".parse().unwrap()));
    let scenario = erase(scenario, "contact").refused("subject.still_needed");
    let scenario = erase(scenario, "expertise").recorded(&["subject.Erased"]);
    let scenario = agreed(scenario, &[("A", [40, 40, 40])]).by(Role::PanelChair);
    let scenario = scenario.done("evaluation.rank", r#"{"evaluation":"E"}"#);
    let reject = r#"{"call":"C","cut_off":"R1","funded":[],"reserve":[],
        "rejected":[{"proposal":"A","reason":"no money is left for it"}]}"#;
    let scenario = scenario
        .at_time("2024-12-10T10:00:00Z")
        .by(Role::GoverningBoard)
        .done("call.award_round", reject);
    // Five years, on the wall clock of the call's zone.
    let Retention::Until(until, because) = retention(&scenario) else {
        panic!("{:?}", retention(&scenario))
    };
    assert_eq!(because.as_str(), "call-C");
    assert!(until.to_string().starts_with("2029-12-10T10:00:00"), "{until}");
    let scenario = scenario.at_time("2029-12-10T09:59:59Z");
    let scenario = erase(scenario, "contact").refused("subject.not_before");
    let scenario = erase(scenario.at_time("2029-12-10T10:00:01Z"), "contact");
    let scenario = scenario.recorded(&["subject.Erased"]);
    // Nothing about them comes back.
    let declare = format!(
        r#"{{"evaluation":"E","expert":"{PERSON}","proposal":"A","kind":"gain","learnt":{}}}"#,
        sealed("conflict", "c")
    );
    let scenario = scenario.when("evaluation.declare_conflict", &declare);
    scenario.refused("subject.erased").at("/learnt");
}

#[test]
fn what_is_sealed_for_somebody_else_is_no_reason_of_a_conflict() {
    let declare = format!(
        r#"{{"evaluation":"E","expert":"X1","proposal":"A","kind":"gain","learnt":{}}}"#,
        sealed("conflict", "c")
    );
    let scenario = took_part().when("evaluation.declare_conflict", &declare);
    scenario.refused("subject.other_seal").at("/learnt");
}

#[test]
fn holds_and_openings_have_a_limit() {
    let mut scenario = registered(given()).by(Role::Auditor);
    let hold = |at: usize| {
        format!(r#"{{"subject":"{PERSON}","hold":"H{at}","ground":"audit","case":"C"}}"#)
    };
    for at in 0..ENTRIES_MAX {
        scenario = scenario.done("subject.set_hold", &hold(at));
    }
    scenario.when("subject.set_hold", &hold(ENTRIES_MAX)).refused("subject.too_many");
}

#[test]
fn a_stand_in_is_not_another_person() {
    let ask = format!(
        r#"{{"subject":"{PERSON}","opening":"O","ground":"audit","case":"C","purposes":["contact"]}}"#
    );
    let opening = format!(r#"{{"subject":"{PERSON}","opening":"O"}}"#);
    let scenario = registered(given()).by_person("a", Role::Auditor);
    let scenario = scenario.done("subject.request_opening", &ask);
    let scenario = scenario.by_person("b", Role::AuthorisingOfficer).on_behalf_of("a");
    let scenario = scenario.when("subject.approve_opening", &opening);
    let scenario = scenario.refused("subject.own_opening");
    let scenario = scenario.by_person("b", Role::AuthorisingOfficer);
    scenario.when("subject.approve_opening", &opening).then(&["subject.OpeningApproved"]);
}
