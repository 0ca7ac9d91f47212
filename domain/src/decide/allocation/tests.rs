//! The rules of allocations, as sentences.

use super::*;
use crate::facts::allocation::{Allocation, Phase};
use crate::kernel::actor::Role;
use crate::rulebook::Document;
use crate::testing::{Scenario, given};
use proptest::prelude::*;

/// The Fast Lane as shipped.
const FAST_LANE: &str = include_str!("../../../rules/fast-lane.toml");

/// The Fast Lane with a holiday and a tolerance, both invented.
fn rules() -> String {
    let holiday = "[access]\nholidays = [\"2025-06-09\"]";
    FAST_LANE
        .replace("[access]", holiday)
        .replace("overrun_tolerance = \"0/1\"", "overrun_tolerance = \"1/20\"")
}

const REQUEST: &str = r#"{"allocation":"A","applicant":"applicant","call":"C","mode":"Fast Lane",
    "months":3,"purpose":"training","system":"LUMI",
    "time":{"partition":"LUMI-G","seconds":3600000,"unit":"node"}}"#;

/// Call C opens with these rules and cut-offs.
fn open_call(scenario: Scenario, rules: &str, more: &str) -> Scenario {
    let document: Document = toml::from_str(rules).unwrap();
    let document = serde_json::to_string(&document).unwrap();
    let payload = format!(r#"{{"call":"C","title":"C","rules":{document},{more}}}"#);
    scenario.by(Role::ProgrammeOfficer).done("call.open", &payload)
}

/// LUMI is in service, with an offer of 3000 node-hours (500 to 2000 per project).
fn machine() -> Scenario {
    let machine = given().by(Role::AccessOfficer).done(
        "system.register",
        r#"{"system":"LUMI","country":"FI","partitions":[
            {"partition":"LUMI-G","nodes":2560,"gpus_per_node":4},
            {"partition":"LUMI-C","nodes":1536,"gpus_per_node":0}]}"#,
    );
    machine.done(
        "system.offer",
        r#"{"system":"LUMI","offer":"O","partition":"LUMI-G","unit":"node","seconds":10800000,
            "min_seconds":1800000,"max_seconds":7200000}"#,
    )
}

fn open_with(rules: &str) -> Scenario {
    open_call(machine(), rules, r#""cut_offs":[]"#)
}

fn open() -> Scenario {
    open_with(&rules())
}

fn request(scenario: Scenario, payload: &str) -> Scenario {
    scenario.by(Role::Applicant).when("allocation.request", payload)
}

fn check(scenario: Scenario, feasible: bool) -> Scenario {
    let payload = format!(r#"{{"allocation":"A","comment":"","feasible":{feasible}}}"#);
    scenario.by(Role::SiteSupport).when("allocation.check", &payload)
}

fn checked(payload: &str) -> Scenario {
    let scenario = request(open(), payload).recorded(&["allocation.Requested"]);
    check(scenario, true).recorded(&["allocation.Checked"])
}

fn time(hours: i64, unit: &str) -> String {
    format!(r#"{{"partition":"LUMI-G","seconds":{},"unit":"{unit}"}}"#, hours * 3600)
}

fn award(scenario: Scenario, time: &str) -> Scenario {
    let payload =
        format!(r#"{{"allocation":"A","starts":"2025-01-01","ends":"2025-04-01","time":{time}}}"#);
    scenario.by(Role::AccessOfficer).when("allocation.award", &payload)
}

/// 400 GPU-hours for three months, with an account.
fn running() -> Scenario {
    let scenario = award(checked(REQUEST), &time(400, "gpu")).recorded(&["allocation.Awarded"]);
    provision(scenario, "A", "ehpc-aif-1").recorded(&["allocation.Provisioned"])
}

fn provision(scenario: Scenario, allocation: &str, account: &str) -> Scenario {
    let payload = format!(r#"{{"allocation":"{allocation}","account":"{account}"}}"#);
    scenario.by(Role::SiteSupport).when("allocation.provision", &payload)
}

fn used(scenario: Scenario, period: &str, time: &str, more: &str) -> Scenario {
    let source = "0".repeat(64);
    let payload = format!(
        r#"{{"allocation":"A","period":"{period}","source":"{source}","time":{time}{more}}}"#
    );
    scenario.by(Role::SiteSupport).when("allocation.record_usage", &payload)
}

fn correct(scenario: Scenario, period: &str, time: &str) -> Scenario {
    let payload =
        format!(r#"{{"allocation":"A","period":"{period}","reason":"recount","time":{time}}}"#);
    scenario.by(Role::SiteSupport).when("allocation.correct_usage", &payload)
}

fn extend(scenario: Scenario, what: &str) -> Scenario {
    let payload = format!(r#"{{"allocation":"A","reason":"more to do"{what}}}"#);
    scenario.by(Role::AccessOfficer).when("allocation.extend", &payload)
}

fn end(scenario: Scenario, more: &str) -> Scenario {
    let payload = format!(r#"{{"allocation":"A"{more}}}"#);
    scenario.by(Role::AccessOfficer).when("allocation.end", &payload)
}

fn state(scenario: &Scenario) -> &Allocation {
    scenario.world.allocations.get(&"A".parse::<AllocationId>().unwrap()).unwrap()
}

fn drawn(scenario: &Scenario) -> i64 {
    let system = scenario.world.systems.get(&"LUMI".parse::<SystemId>().unwrap()).unwrap();
    system.offer(&"O".parse().unwrap(), &"LUMI-G".parse().unwrap()).unwrap().awarded / 3600
}

#[test]
fn a_decision_is_due_after_working_days_in_the_zone_of_the_call() {
    // Half past midnight on Wednesday in Luxembourg, Tuesday still in UTC; Whit Monday is free.
    let scenario = request(open().at_time("2025-06-03T22:30:00Z"), REQUEST);
    let due = state(&scenario).request.as_ref().unwrap().decide_by.unwrap();
    assert_eq!(due.to_string(), "2025-06-11T21:59:59.999999Z");
}

#[test]
fn a_decision_may_be_due_after_the_next_cut_off() {
    let rules = rules().replace("\"submission\"", "\"cut-off\"");
    let line = |key: &str, day: &str| {
        format!(r#"{{"key":"{key}","at":{{"local":"{day}T10:00:00","zone":"Europe/Luxembourg"}}}}"#)
    };
    let calendar = [
        line("past", "2026-01-15"),
        line("cancelled", "2026-01-30"),
        line("next", "2026-02-16"),
        line("later", "2026-02-27"),
    ];
    let calendar = format!(r#""cut_offs":[{}]"#, calendar.join(","));
    let scenario = open_call(machine(), &rules, &calendar).done(
        "call.amend_calendar",
        r#"{"call":"C","cut_off":"cancelled","reason":"no reviewers"}"#,
    );
    let scenario = request(scenario.at_time("2026-01-20T09:00:00Z"), REQUEST);
    let due = state(&scenario).request.as_ref().unwrap().decide_by.unwrap();
    assert_eq!(due.to_string(), "2026-02-20T22:59:59.999999Z");
}

#[test]
fn amounts_are_compared_in_gpu_hours() {
    let ask = |scenario: Scenario, node_hours: i64| {
        request(scenario, &REQUEST.replace("3600000", &(node_hours * 3600).to_string()))
    };
    let scenario = ask(open(), 12_501).refused("allocation.too_much").at("/time/seconds");
    ask(scenario, 12_500).then(&["allocation.Requested"]);
    let large = FAST_LANE.replace("max_gpu_hours = 50000", "min_gpu_hours = 50000");
    let scenario = ask(open_with(&large), 12_499).refused("allocation.too_little");
    ask(scenario, 12_500).then(&["allocation.Requested"]);
    ask(open(), 0).refused("allocation.nothing").at("/time/seconds");
}

#[test]
fn a_partition_without_gpus_has_no_place_in_a_call_for_gpu_hours() {
    request(open(), &REQUEST.replace("LUMI-G", "LUMI-C")).refused("system.no_conversion");
}

#[test]
fn only_durations_of_the_call_can_be_asked_for() {
    let six = REQUEST.replace("\"months\":3", "\"months\":6");
    request(open(), &six).refused("allocation.months").at("/months");
}

#[test]
fn nobody_asks_in_the_name_of_another() {
    let scenario = open().by_person("somebody", Role::Applicant);
    scenario
        .when("allocation.request", REQUEST)
        .refused("allocation.not_the_applicant")
        .at("/applicant");
}

#[test]
fn a_request_needs_an_open_call_that_gives_compute_time_and_a_machine_in_service() {
    let grants = open_with(include_str!("../../../rules/ai-factory-antennas.toml"));
    request(grants, REQUEST).refused("allocation.no_access").at("/call");
    let closed = open().done("call.close", r#"{"call":"C","reason":"done"}"#);
    request(closed, REQUEST).refused("allocation.call_not_open").at("/call");
    let until =
        r#""cut_offs":[],"opens_until":{"local":"2025-01-31T17:00:00","zone":"Europe/Luxembourg"}"#;
    let late = open_call(machine(), FAST_LANE, until).at_time("2025-01-31T16:00:00.000001Z");
    request(late, REQUEST).refused("allocation.call_not_open");
    let retired =
        open().by(Role::AccessOfficer).done("system.retire", r#"{"system":"LUMI","reason":"old"}"#);
    request(retired, REQUEST).refused("system.out_of_service").at("/system");
}

#[test]
fn the_playground_as_shipped_answers_in_two_working_days() {
    let playground = include_str!("../../../rules/playground.toml");
    let ask = |scenario: Scenario, hours: i64| {
        let amount = format!(r#""seconds":{},"unit":"gpu""#, hours * 3600);
        request(scenario, &REQUEST.replace(r#""seconds":3600000,"unit":"node""#, &amount))
    };
    // A Friday.
    let friday = open_with(playground).at_time("2025-05-16T08:00:00Z");
    let scenario = ask(friday, 10_001).refused("allocation.too_much");
    let scenario = ask(scenario, 10_000).recorded(&["allocation.Requested"]);
    let due = state(&scenario).request.as_ref().unwrap().decide_by.unwrap();
    assert_eq!(due.to_string(), "2025-05-20T21:59:59.999999Z");
}

#[test]
fn an_award_needs_a_technical_check_that_passed() {
    let requested = request(open(), REQUEST);
    let early = award(requested, &time(400, "gpu")).refused("command.wrong_state");
    let failed = check(early, false);
    let refused = award(failed, &time(400, "gpu")).refused("allocation.not_feasible");
    award(check(refused, true), &time(400, "gpu")).then(&["allocation.Awarded"]);
}

#[test]
fn an_award_stays_within_the_request() {
    let scenario = award(checked(REQUEST), &time(4001, "gpu"));
    let scenario = scenario.refused("allocation.more_than_requested").at("/time/seconds");
    let elsewhere = time(1, "node").replace("LUMI-G", "LUMI-C");
    let scenario = award(scenario, &elsewhere).refused("allocation.not_granted");
    let scenario = award(scenario, &time(0, "gpu")).refused("allocation.nothing");
    award(scenario, &time(4000, "gpu")).then(&["allocation.Awarded"]);
}

#[test]
fn an_award_runs_no_longer_than_asked_for_and_not_backwards() {
    for (starts, ends) in [("2025-01-01", "2025-04-02"), ("2025-01-02", "2025-01-01")] {
        let payload = format!(
            r#"{{"allocation":"A","starts":"{starts}","ends":"{ends}","time":{}}}"#,
            time(1, "gpu")
        );
        checked(REQUEST)
            .by(Role::AccessOfficer)
            .when("allocation.award", &payload)
            .refused("allocation.period")
            .at("/ends");
    }
}

#[test]
fn applicants_do_not_decide_about_themselves() {
    let requested = request(open(), REQUEST);
    let check = r#"{"allocation":"A","comment":"","feasible":true}"#;
    let scenario = requested
        .by_person("applicant", Role::SiteSupport)
        .when("allocation.check", check)
        .refused("allocation.own_request");
    scenario
        .by_person("applicant", Role::AccessOfficer)
        .when("allocation.reject", r#"{"allocation":"A","reason":"mine"}"#)
        .refused("allocation.own_request");
}

#[test]
fn a_request_is_rejected_with_a_reason_or_taken_back() {
    let reject = r#"{"allocation":"A","reason":"out of scope"}"#;
    request(open(), REQUEST)
        .by(Role::AccessOfficer)
        .when("allocation.reject", reject)
        .then(&["allocation.Rejected"]);
    let other = checked(REQUEST)
        .by_person("somebody", Role::Applicant)
        .when("allocation.withdraw", reject)
        .refused("allocation.not_the_applicant");
    other.by(Role::Applicant).when("allocation.withdraw", reject).then(&["allocation.Withdrawn"]);
}

#[test]
fn awards_draw_on_an_offer_and_never_more_than_it_holds() {
    let with_offer = REQUEST
        .replace("\"months\"", "\"offer\":\"O\",\"months\"")
        .replace("3600000", &(2500 * 3600).to_string());
    let scenario = award(checked(&with_offer), &time(499, "node"));
    let scenario = scenario.refused("system.below_minimum").at("/time/seconds");
    let scenario = award(scenario, &time(2001, "node")).refused("system.above_maximum");
    let scenario =
        award(scenario, &time(6000, "gpu")).recorded(&["allocation.Awarded", "system.OfferDrawn"]);
    assert_eq!(drawn(&scenario), 1500);
    // A second project wants more than is left of the 3000.
    let second = with_offer.replace("\"A\"", "\"B\"");
    let second = request(scenario, &second)
        .by(Role::SiteSupport)
        .done("allocation.check", r#"{"allocation":"B","comment":"","feasible":true}"#);
    let b = |hours| {
        let time = time(hours, "node");
        format!(r#"{{"allocation":"B","starts":"2025-01-01","ends":"2025-02-01","time":{time}}}"#)
    };
    let scenario = second
        .by(Role::AccessOfficer)
        .when("allocation.award", &b(1501))
        .refused("system.offer_exceeded")
        .when("allocation.award", &b(1500))
        .recorded(&["allocation.Awarded", "system.OfferDrawn"]);
    let amend =
        r#"{"system":"LUMI","offer":"O","partition":"LUMI-G","seconds":10799999,"reason":"r"}"#;
    let scenario = scenario.when("system.amend_offer", amend).refused("system.below_awarded");
    let scenario = scenario
        .by(Role::Applicant)
        .when("allocation.withdraw", r#"{"allocation":"A","reason":"no need"}"#)
        .recorded(&["allocation.Withdrawn", "system.OfferReturned"]);
    assert_eq!(drawn(&scenario), 1500);
}

#[test]
fn an_extension_draws_on_the_offer_of_the_request() {
    let with_offer = REQUEST.replace("\"months\"", "\"offer\":\"O\",\"months\"");
    let scenario = award(checked(&with_offer), &time(600, "node"));
    let more = |hours: i64| format!(r#","time":{}"#, time(hours, "gpu"));
    let scenario = extend(scenario, &more(5604)).refused("system.above_maximum");
    let scenario =
        extend(scenario, &more(5600)).recorded(&["allocation.Extended", "system.OfferDrawn"]);
    assert_eq!(drawn(&scenario), 2000);
    assert_eq!(state(&scenario).award.as_ref().unwrap().drawn, Some(2000 * 3600));
    assert_eq!(state(&scenario).award.as_ref().unwrap().time.seconds, 2000 * 3600);
}

#[test]
fn a_request_out_of_an_offer_that_was_not_made_is_refused() {
    let unknown = REQUEST.replace("\"months\"", "\"offer\":\"P\",\"months\"");
    request(open(), &unknown).refused("system.no_offer").at("/offer");
}

/// 2 million GPU-hours of a pool, as a prize.
fn prize(members: &str, pool: &str) -> String {
    format!(
        r#"{{"allocation":"A","basis":"fixture of a prize","holder":"winner",{members}
        "starts":"2024-07-01","ends":"2025-06-30",
        "time":{{"partition":"{pool}","seconds":7200000000,"unit":"gpu"}}}}"#
    )
}

#[test]
fn a_prize_may_be_used_on_every_partition_of_its_pool() {
    let booster = r#"{"system":"Leonardo","country":"IT","partitions":[
        {"partition":"Leonardo Booster","nodes":3456,"gpus_per_node":4}]}"#;
    let pool = r#""pool":[{"system":"LUMI","partition":"LUMI-G"},
        {"system":"Leonardo","partition":"Leonardo Booster"}],"#;
    let scenario = open()
        .done("system.register", booster)
        .when("allocation.grant_directly", &prize(pool, "LUMI+Leonardo"))
        .recorded(&["allocation.GrantedDirectly"]);
    let scenario = provision(scenario, "A", "prize-1");
    let scenario = used(scenario, "2024-07 L", &time(10, "node"), "");
    let elsewhere = time(7, "gpu").replace("LUMI-G", "Leonardo Booster");
    let scenario = used(scenario, "2024-07 B", &elsewhere, "");
    assert_eq!(state(&scenario).used, 47 * 3600);
    let nowhere = time(1, "node").replace("LUMI-G", "LUMI-C");
    used(scenario, "2024-08", &nowhere, "").refused("allocation.not_granted").at("/time/partition");
}

#[test]
fn a_direct_grant_names_one_machine_or_one_pool() {
    let grant =
        |members: &str, pool: &str| open().when("allocation.grant_directly", &prize(members, pool));
    grant("", "LUMI-G").refused("allocation.system_or_pool");
    let pool = r#""pool":[{"system":"LUMI","partition":"LUMI-G"}],"#;
    let both = format!(r#""system":"LUMI",{pool}"#);
    grant(&both, "LUMI-G").refused("allocation.system_or_pool");
    grant(pool, "LUMI-G").refused("allocation.pool_name").at("/time/partition");
    grant(&pool.replace("LUMI-G", "LUMI-C"), "P").refused("system.no_conversion");
    grant(r#""system":"LUMI","#, "LUMI-D").refused("system.no_partition");
    grant(r#""system":"LUMI","#, "LUMI-G").then(&["allocation.GrantedDirectly"]);
}

#[test]
fn a_direct_grant_does_not_end_before_it_starts() {
    let backwards = prize(r#""system":"LUMI","#, "LUMI-G").replace("2025-06-30", "2024-06-30");
    open().when("allocation.grant_directly", &backwards).refused("allocation.period").at("/ends");
}

#[test]
fn an_account_belongs_to_one_allocation() {
    let second = prize(r#""system":"LUMI","#, "LUMI-G").replace("\"A\"", "\"B\"");
    let scenario = running().by(Role::AccessOfficer).done("allocation.grant_directly", &second);
    provision(scenario, "B", "ehpc-aif-1").refused("allocation.account_taken").at("/account");
}

#[test]
fn usage_is_counted_in_the_unit_of_the_award() {
    let scenario = used(running(), "2025-01", &time(25, "node"), "");
    assert_eq!(state(&scenario).used, 100 * 3600);
    // The table changes; this award keeps the one that it was made with.
    let eight = r#"{"system":"LUMI","partition":"LUMI-G","version":2,"gpus_per_node":8}"#;
    let scenario = scenario.done("system.set_conversion", eight);
    let scenario = used(scenario, "2025-02", &time(25, "node"), "");
    assert_eq!(state(&scenario).used, 200 * 3600);
}

#[test]
fn usage_that_would_need_rounding_is_refused() {
    let scenario = award(checked(REQUEST), &time(100, "node"));
    let scenario = provision(scenario, "A", "ehpc-aif-1");
    let five = r#"{"partition":"LUMI-G","seconds":5,"unit":"gpu"}"#;
    used(scenario, "2025-01", five, "").refused("system.not_whole");
}

#[test]
fn a_period_is_recorded_once_and_then_corrected() {
    let scenario = used(running(), "2025-01", &time(100, "gpu"), "");
    let scenario = used(scenario, "2025-01", &time(100, "gpu"), "");
    let scenario = scenario.refused("allocation.period_recorded").at("/period");
    let scenario = correct(scenario, "2025-02", &time(1, "gpu"));
    let scenario = scenario.refused("allocation.no_such_period").at("/period");
    let scenario = correct(scenario, "2025-01", &time(30, "node"));
    let scenario = scenario.recorded(&["allocation.UsageCorrected"]);
    assert_eq!(state(&scenario).used, 120 * 3600);
    correct(scenario, "2025-01", &time(120, "gpu")).then(&[]);
}

#[test]
fn an_overrun_says_by_how_much_and_why() {
    let scenario = used(running(), "2025-01", &time(390, "gpu"), "");
    let blank = used(scenario, "2025-02", &time(30, "gpu"), r#","reason":" ""#);
    let scenario = blank.refused("allocation.overrun_without_reason").at("/reason");
    assert_eq!(state(&scenario).used, 390 * 3600);
    let why = r#","reason":"jobs that had started""#;
    let scenario = used(scenario, "2025-02", &time(30, "gpu"), why);
    let scenario = scenario.recorded(&["allocation.UsageRecorded", "allocation.Overrun"]);
    let overrun = state(&scenario).overrun.clone().unwrap();
    assert_eq!((overrun.by, overrun.tolerance), (20 * 3600, 20 * 3600));
    // A period of nothing changes nothing: the overrun is explained already.
    let scenario = used(scenario, "2025-03", &time(0, "gpu"), "");
    let scenario = scenario.recorded(&["allocation.UsageRecorded"]);
    let more = format!(r#","time":{}"#, time(15, "gpu"));
    let scenario = extend(scenario, &more);
    let scenario = scenario.recorded(&["allocation.Extended", "allocation.Overrun"]);
    assert_eq!(state(&scenario).overrun.as_ref().unwrap().by, 5 * 3600);
    let scenario = correct(scenario, "2025-02", &time(25, "gpu"));
    let scenario = scenario.recorded(&["allocation.UsageCorrected"]);
    assert_eq!(state(&scenario).overrun, None);
}

#[test]
fn a_correction_can_uncover_an_overrun() {
    let scenario = used(running(), "2025-01", &time(390, "gpu"), "");
    correct(scenario, "2025-01", &time(410, "gpu"))
        .then(&["allocation.UsageCorrected", "allocation.Overrun"]);
}

#[test]
fn an_extension_gives_something() {
    let scenario = extend(running(), "").refused("allocation.nothing_to_extend");
    let scenario = extend(scenario, r#","ends":"2025-04-01""#);
    let scenario = scenario.refused("allocation.not_later").at("/ends");
    let scenario = extend(scenario, r#","ends":"2025-04-02""#);
    let scenario = scenario.recorded(&["allocation.Extended"]);
    assert_eq!(state(&scenario).award.as_ref().unwrap().ends.to_string(), "2025-04-02");
}

#[test]
fn an_allocation_does_not_end_before_it_began() {
    let starts = state(&running()).award.as_ref().unwrap().starts;
    let late = || running().at_time("2025-03-31T10:00:00Z");
    let (before, on) = (starts.yesterday().unwrap(), starts);
    let scenario = late().effective_at(&format!("{before}T10:00:00Z"));
    let scenario = end(scenario, r#","reason":"not needed""#);
    scenario.refused("allocation.period").at("/effective_at");
    let scenario = late().effective_at(&format!("{on}T10:00:00Z"));
    end(scenario, r#","reason":"not needed""#).then(&["allocation.Ended"]);
}

#[test]
fn an_early_end_needs_a_reason() {
    let scenario = end(running().at_time("2025-03-31T10:00:00Z"), "");
    let scenario = scenario.refused("allocation.early_without_reason").at("/reason");
    // Half past midnight on its last day in Luxembourg.
    let scenario = end(scenario.at_time("2025-03-31T22:30:00Z"), "");
    let scenario = scenario.recorded(&["allocation.Ended"]);
    assert_eq!(state(&scenario).report_by.unwrap().to_string(), "2025-06-30");
}

#[test]
fn a_late_final_report_is_recorded_as_late() {
    let sha256 = "0".repeat(64);
    let report = format!(r#"{{"allocation":"A","sha256":"{sha256}","summary":"a model"}}"#);
    for (instant, late) in [("2025-06-30T21:59:00Z", false), ("2025-06-30T22:00:00Z", true)] {
        let scenario = end(running().at_time("2025-04-01T10:00:00Z"), "");
        let scenario = scenario
            .by(Role::Applicant)
            .at_time(instant)
            .when("allocation.final_report", &report)
            .recorded(&["allocation.FinalReported"]);
        assert_eq!(state(&scenario).late, Some(late), "{instant}");
        assert_eq!(state(&scenario).phase, Phase::Reported);
    }
    end(running().at_time("2025-04-01T10:00:00Z"), "")
        .by_person("somebody", Role::Applicant)
        .when("allocation.final_report", &report)
        .refused("allocation.not_the_applicant");
}

#[test]
fn what_was_not_used_is_said_at_the_end() {
    let scenario = used(running(), "2025-01", &time(390, "gpu"), "");
    let scenario = end(scenario, r#","reason":"finished early""#).recorded(&["allocation.Ended"]);
    let event = &scenario.commits.last().unwrap().events[0].event;
    let crate::Event::Allocation(Event::Ended { unused, report_by, .. }) = event else {
        panic!("{event:?}");
    };
    assert_eq!(unused.seconds, 10 * 3600);
    assert!(report_by.is_some());
}

/// A step of a random history; amounts in GPU-hours or node-hours.
#[derive(Clone, Debug)]
enum Step {
    Use { period: u8, hours: i64, nodes: bool, reason: bool },
    Correct { period: u8, hours: i64 },
    Extend { hours: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let use_some = (0..12_u8, 0..80_i64, any::<bool>(), any::<bool>())
        .prop_map(|(period, hours, nodes, reason)| Step::Use { period, hours, nodes, reason });
    prop_oneof![
        4 => use_some,
        1 => (0..12_u8, 0..200_i64).prop_map(|(period, hours)| Step::Correct { period, hours }),
        1 => (1..50_i64).prop_map(|hours| Step::Extend { hours }),
    ]
}

fn play(scenario: Scenario, step: &Step) -> Scenario {
    match step {
        Step::Use { period, hours, nodes, reason } => {
            let unit = if *nodes { "node" } else { "gpu" };
            let why = if *reason { r#","reason":"why""# } else { "" };
            used(scenario, &period.to_string(), &time(*hours, unit), why)
        }
        Step::Correct { period, hours } => {
            correct(scenario, &period.to_string(), &time(*hours, "gpu"))
        }
        Step::Extend { hours } => extend(scenario, &format!(r#","time":{}"#, time(*hours, "gpu"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn usage_adds_up_and_every_overrun_is_explained(
        steps in proptest::collection::vec(step(), 1..24)
    ) {
        let mut scenario = running();
        for step in &steps {
            scenario = play(scenario, step);
            let allocation = state(&scenario);
            let sum: i64 = allocation.usage.values().sum();
            prop_assert_eq!(allocation.used, sum);
            let awarded = allocation.award.as_ref().unwrap().time.seconds;
            let explained = allocation.overrun.as_ref().map_or(0, |overrun| overrun.by);
            prop_assert_eq!((allocation.used - awarded).max(0), explained);
        }
    }

    #[test]
    fn an_offer_is_never_oversubscribed(hours in proptest::collection::vec(1..3000_i64, 1..8)) {
        let with_offer = REQUEST
            .replace("\"months\"", "\"offer\":\"O\",\"months\"")
            .replace("3600000", &(3000 * 3600).to_string());
        let mut scenario = open();
        for (index, hours) in hours.iter().enumerate() {
            let id = format!("\"P{index}\"");
            let named = |payload: &str| payload.replace("\"A\"", &id);
            scenario = request(scenario, &named(&with_offer)).by(Role::SiteSupport).done(
                "allocation.check",
                &named(r#"{"allocation":"A","comment":"","feasible":true}"#),
            );
            let award = format!(
                r#"{{"allocation":{id},"starts":"2025-01-01","ends":"2025-02-01","time":{}}}"#,
                time(*hours, "node")
            );
            scenario = scenario.by(Role::AccessOfficer).when("allocation.award", &award);
            let awards = scenario.world.allocations.values().filter_map(|a| a.award.as_ref());
            let sum: i64 = awards.map(|award| award.time.seconds / 3600).sum();
            prop_assert_eq!(sum, drawn(&scenario));
            prop_assert!(sum <= 3000);
        }
    }
}
