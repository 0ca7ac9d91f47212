use crate::facts::audit::Audit;
use crate::kernel::actor::Role;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::AuditId;
use crate::kernel::money::Money;
use crate::kernel::sampling;
use crate::testing::Scenario;
use crate::testing::grant::*;

const NONCE: [u8; 32] = [7; 32];
const ROOT: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

fn open(change: &str) -> String {
    let plan = r#"{"answer_days":30,"assurance":"95%","from":"2024-01-01","to":"2025-12-31",
        "method":{"by":"monetary_unit","expected":"EUR 0","materiality":"EUR 500"},
        "population":"payments","title":"Payments of 2024 and 2025","zone":"Europe/Luxembourg"}"#;
    let mut plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    let change: serde_json::Value = serde_json::from_str(change).unwrap();
    for (key, value) in change.as_object().unwrap() {
        plan[key] = value.clone();
    }
    format!(r#"{{"audit":"E","plan":{plan}}}"#)
}

/// One payment of 700 is carried out.
fn one_payment() -> Scenario {
    paid(initiated(signed(), "PF", "pre_financing", 700, r#""clause":"Art. 22.2""#), "PF")
}

fn bound_to(scenario: Scenario, change: &str) -> Scenario {
    let commitment = Sha256Hex::of(&NONCE);
    let payload = format!(r#"{{"audit":"E","commitment":"{commitment}"}}"#);
    let opened = scenario.by(Role::Auditor).done("audit.open", &open(change));
    opened.done("audit.commit_nonce", &payload)
}

fn draw(size: u64) -> String {
    let nonce = Sha256Hex(NONCE);
    format!(r#"{{"audit":"E","checkpoint":{{"root":"{ROOT}","size":{size}}},"nonce":"{nonce}"}}"#)
}

/// A checkpoint of everything is recorded, and its size.
fn with_checkpoint(bound: Scenario) -> (Scenario, u64) {
    let head = bound.world.position;
    let record = serde_json::json!({ "keys": ["log.example+00000001+AAAA"],
        "note": format!("log.example\n{head}\n"), "root": ROOT, "size": head });
    let system = bound.by(Role::System).done("checkpoint.record", &record.to_string());
    (system.by(Role::Auditor), head)
}

fn drawn() -> Scenario {
    let (bound, head) = with_checkpoint(bound_to(one_payment(), "{}"));
    bound.done("audit.draw", &draw(head))
}

fn holds(amount: u32, rest: &str) -> String {
    let zeros = "0".repeat(64);
    format!(
        r#"{{"audit":"E","finding":"1","holds":{{"amount":"EUR {amount}","evidence":"{zeros}","rule":"Art. 6.1","what":"Not due"{rest}}}}}"#
    )
}

fn raised(amount: u32) -> Scenario {
    drawn().done("audit.raise", &holds(amount, r#","item":"PF""#))
}

fn the_audit(scenario: &Scenario) -> &Audit {
    let id: AuditId = "E".parse().unwrap();
    &scenario.world.audits[&id]
}

const ANSWER: &str = r#"{"audit":"E","finding":"1","accepts":false,"answer":"It was due."}"#;

fn confirm(amount: u32) -> String {
    format!(r#"{{"audit":"E","finding":"1","amount":"EUR {amount}","reason":"No proof"}}"#)
}

fn confirmed(amount: u32) -> Scenario {
    let answered = raised(amount).by(Role::Applicant).done("audit.answer", ANSWER);
    answered.by(Role::Auditor).done("audit.confirm", &confirm(amount))
}

#[test]
fn the_sample_is_what_seed_and_population_say() {
    let scenario = drawn();
    let sample = the_audit(&scenario).sample.clone().unwrap();
    assert_eq!(sample.seed, sampling::seed(ROOT.parse().unwrap(), Sha256Hex(NONCE)));
    assert_eq!((sample.count, sample.total, sample.size), (1, Money::euro(700), 5));
    assert_eq!(sample.population_sha256, Sha256Hex::of(b"PF\t70000\n"));
    let items: Vec<(&str, bool)> =
        sample.items.iter().map(|one| (one.item.as_str(), one.top)).collect();
    assert_eq!(items, [("PF", true)]);
}

#[test]
fn neither_nonce_nor_checkpoint_can_be_chosen_afterwards() {
    let scenario = bound_to(one_payment(), "{}");
    let early = scenario.world.position;
    let scenario = scenario.when("audit.draw", &draw(early)).refused("audit.no_checkpoint");
    let (scenario, bound) = with_checkpoint(scenario.at("/checkpoint"));
    let scenario = scenario
        .when("audit.draw", &draw(bound).replace("0707", "0708"))
        .refused("audit.other_nonce")
        .at("/nonce");
    for other in [draw(bound - 1), draw(bound + 1), draw(bound).replace("00aa", "00ab")] {
        let refused = with_checkpoint(bound_to(one_payment(), "{}")).0.when("audit.draw", &other);
        refused.refused("audit.other_checkpoint").at("/checkpoint");
    }
    // A later checkpoint is another choice of sample, and not the auditor's to make.
    let (scenario, later) = with_checkpoint(scenario);
    let scenario = scenario.when("audit.draw", &draw(later)).refused("audit.other_checkpoint");
    let again = format!(r#"{{"audit":"E","commitment":"{}"}}"#, "0".repeat(64));
    let scenario = scenario.when("audit.commit_nonce", &again).refused("command.wrong_state");
    scenario.when("audit.draw", &draw(bound)).then(&["audit.SampleDrawn"]);
}

#[test]
fn a_population_that_is_not_what_the_fund_says_is_not_drawn_from() {
    let more = r#"{"type":"fund.Paid","data":{"amount":"EUR 1","grant":"G","payment":"PF"}}"#;
    let more: crate::facts::fund::Event = serde_json::from_str(more).unwrap();
    let scenario = bound_to(one_payment().happened("fund-F", more), "{}");
    let (scenario, head) = with_checkpoint(scenario);
    let scenario = scenario.when("audit.draw", &draw(head)).refused("audit.incomplete");
    let taken = r#"{"type":"fund.Paid","data":{"amount":"EUR 9","grant":"X","payment":"PF"}}"#;
    let taken: crate::facts::fund::Event = serde_json::from_str(taken).unwrap();
    scenario.happened("fund-F", taken).when("audit.draw", &draw(head)).refused("audit.incomplete");
}

#[test]
fn commitments_are_a_population_too() {
    let scenario = bound_to(one_payment(), r#"{"population":"commitments"}"#);
    let (scenario, head) = with_checkpoint(scenario);
    let scenario = scenario.done("audit.draw", &draw(head));
    let sample = the_audit(&scenario).sample.clone().unwrap();
    assert_eq!((sample.count, sample.items[0].item.as_str()), (1, "F:G"));
    // The agreement was for 1 000, so 500 of the commitment went back.
    assert_eq!(sample.total, Money::euro(1_500));
}

#[test]
fn what_is_outside_of_period_and_grant_is_not_drawn() {
    for change in [r#"{"from":"2025-01-01"}"#, r#"{"to":"2024-01-02"}"#] {
        let scenario = bound_to(one_payment(), change);
        let (scenario, head) = with_checkpoint(scenario);
        scenario.when("audit.draw", &draw(head)).refused("audit.empty");
    }
    let inside = bound_to(one_payment(), r#"{"grant":"G"}"#);
    let (inside, head) = with_checkpoint(inside);
    inside.when("audit.draw", &draw(head)).then(&["audit.SampleDrawn"]);
}

#[test]
fn a_plan_makes_sense() {
    let unit = |expected: &str, materiality: &str| {
        format!(
            r#"{{"method":{{"by":"monetary_unit","expected":"{expected}","materiality":"{materiality}"}}}}"#
        )
    };
    for (change, code, field) in [
        (r#"{"answer_days":0}"#.to_owned(), "audit.answer_days", "/plan/answer_days"),
        (r#"{"to":"2023-12-31"}"#.to_owned(), "audit.backwards", "/plan/to"),
        (r#"{"zone":"Mars/Base"}"#.to_owned(), "command.malformed", "/plan/zone"),
        (unit("EUR 0", "EUR 0"), "audit.not_positive", "/plan/method"),
        (unit("EUR -1", "EUR 1"), "audit.not_positive", "/plan/method"),
    ] {
        let refused = one_payment().by(Role::Auditor).when("audit.open", &open(&change));
        refused.refused(code).at(field);
    }
    let none = r#"{"grant":"X"}"#;
    one_payment().by(Role::Auditor).when("audit.open", &open(none)).refused("command.not_found");
    // An expected error of 1.6 times more than what matters leaves no sample.
    let scenario = bound_to(one_payment(), &unit("EUR 400", "EUR 500"));
    let (scenario, head) = with_checkpoint(scenario);
    scenario.when("audit.draw", &draw(head)).refused("audit.no_size");
}

#[test]
fn who_acted_on_a_payment_does_not_audit_it_and_is_told_where() {
    let acted = |scenario: Scenario| scenario.by_person("verifying_agent", Role::Auditor);
    let (bound, head) = with_checkpoint(bound_to(one_payment(), "{}"));
    acted(bound).when("audit.draw", &draw(head)).refused("audit.acted_on");
    let test = r#"{"audit":"E","item":"PF","audited":"EUR 700","note":"seen"}"#;
    let scenario = acted(drawn()).when("audit.test", test).refused("audit.acted_on");
    let raise = holds(1, r#","item":"PF""#);
    let scenario = scenario.when("audit.raise", &raise).refused("audit.acted_on");
    let place = the_payment(&scenario, "PF").places[1];
    let said = scenario.world.commit(
        &crate::decide::command::Parsed::read("audit.test", test.as_bytes()).unwrap(),
        &meta("verifying_agent"),
    );
    let said = said.unwrap_err().message;
    assert!(said.contains(&format!("verified it at position {place}")), "{said}");
    // Nor does who had a part in where it goes.
    for person in ["applicant", "accounting_officer"] {
        let scenario = drawn().by_person(person, Role::Auditor).when("audit.test", test);
        scenario.refused("audit.acted_on");
    }
    let kept = acted(confirmed(1)).when("audit.confirm", &confirm(1));
    kept.refused("audit.other_stage");
    acted(raised(1))
        .when("audit.withdraw", r#"{"audit":"E","finding":"1","reason":"r"}"#)
        .refused("audit.acted_on");
}

fn meta(person: &str) -> crate::decide::command::Meta {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    crate::decide::command::Meta {
        actor: crate::kernel::actor::Actor {
            id: person.parse().unwrap(),
            on_behalf_of: None,
            role: Role::Auditor,
        },
        command_id: "test/x".parse().unwrap(),
        correlation_id: None,
        causation_id: None,
        received_at: now,
        recorded_at: now,
        effective_at: None,
        evidence: None,
    }
}

#[test]
fn only_what_was_drawn_is_tested() {
    let test = |item: &str, euro: i32| {
        format!(r#"{{"audit":"E","item":"{item}","audited":"EUR {euro}","note":"seen"}}"#)
    };
    let scenario = drawn().when("audit.test", &test("XX", 1)).refused("audit.not_in_sample");
    let scenario = scenario.at("/item").when("audit.test", &test("PF", -1));
    let scenario = scenario.refused("audit.negative").at("/audited");
    let scenario = scenario.when("audit.test", &test("PF", 600)).recorded(&["audit.ItemTested"]);
    // The last test counts.
    let scenario = scenario.done("audit.test", &test("PF", 650));
    assert_eq!(the_audit(&scenario).tested["PF"], Money::euro(650));
}

#[test]
fn the_auditee_is_heard_before_a_finding_stands() {
    let scenario = raised(100).when("audit.confirm", &confirm(100)).refused("audit.not_heard");
    let scenario = scenario.by_person("auditor", Role::ProgrammeOfficer);
    let scenario = scenario.when("audit.answer", ANSWER).refused("audit.own_finding");
    let scenario = scenario.by_person("eve", Role::Applicant).when("audit.answer", ANSWER);
    let scenario = scenario.refused("grant.not_applicant");
    let scenario = scenario.by(Role::Applicant).when("audit.answer", ANSWER);
    let scenario = scenario.recorded(&["audit.Answered"]).when("audit.answer", ANSWER);
    let scenario = scenario.refused("audit.answered").by(Role::Auditor);
    let scenario = scenario.when("audit.confirm", &confirm(80));
    let scenario = scenario.recorded(&["audit.FindingConfirmed"]);
    assert_eq!(the_audit(&scenario).findings.values().next().unwrap().amount, Money::euro(80));
}

#[test]
fn who_does_not_answer_in_time_was_heard() {
    let early = raised(100).at_time("2024-10-10T08:00:00Z");
    early.when("audit.confirm", &confirm(100)).refused("audit.not_heard");
    let past = raised(100).at_time("2024-10-10T08:00:01Z");
    past.when("audit.confirm", &confirm(100)).then(&["audit.FindingConfirmed"]);
}

#[test]
fn a_finding_without_a_grant_is_the_authoritys_to_answer() {
    let scenario = drawn().done("audit.raise", &holds(0, ""));
    let scenario = scenario.by(Role::Applicant).when("audit.answer", ANSWER);
    let scenario = scenario.refused("audit.not_auditee").by(Role::AuthorisingOfficer);
    scenario.when("audit.answer", ANSWER).then(&["audit.Answered"]);
}

#[test]
fn a_correction_is_money_that_moved_and_counts_once() {
    let correct = |payment: &str, euro: u32| {
        format!(r#"{{"audit":"E","finding":"1","payment":"{payment}","amount":"EUR {euro}"}}"#)
    };
    let back = r#""clause":"Art. 22.3""#;
    let scenario = initiated(confirmed(100), "RE", "recovery", 60, back);
    let scenario = scenario.by(Role::AuthorisingOfficer).when("audit.correct", &correct("RE", 60));
    let scenario = scenario.refused("audit.not_carried_out").at("/payment");
    let scenario = paid(scenario, "RE").when("audit.correct", &correct("PF", 60));
    let scenario = scenario.refused("audit.itself").when("audit.correct", &correct("RE", 61));
    let scenario = scenario.refused("audit.correction_exceeded").at("/amount");
    let scenario = scenario.when("audit.correct", &correct("RE", 0));
    let scenario = scenario.refused("audit.correction_exceeded");
    let scenario = scenario.when("audit.correct", &correct("RE", 60));
    let scenario = scenario.recorded(&["audit.Corrected"]).by(Role::Auditor);
    let follow = |outcome: &str| {
        format!(r#"{{"audit":"E","finding":"1","note":"seen","outcome":"{outcome}"}}"#)
    };
    let scenario = scenario.when("audit.follow_up", &follow("implemented"));
    let scenario = scenario.refused("audit.not_corrected").when("audit.follow_up", &follow("open"));
    let scenario = scenario.recorded(&["audit.FollowedUp"]);
    let scenario = scenario.when("audit.follow_up", &follow("waived"));
    scenario
        .recorded(&["audit.FollowedUp"])
        .when("audit.follow_up", &follow("open"))
        .refused("audit.other_stage");
}

#[test]
fn a_sample_that_can_be_known_is_drawn_before_the_end_so_that_nobody_tries_again() {
    let close = r#"{"audit":"E","conclusion":"Not begun."}"#;
    bound_to(one_payment(), "{}").when("audit.close", close).then(&["audit.Closed"]);
    let (known, head) = with_checkpoint(bound_to(one_payment(), "{}"));
    let scenario = known.when("audit.close", close).refused("audit.not_drawn");
    scenario.when("audit.draw", &draw(head)).then(&["audit.SampleDrawn"]);
}

#[test]
fn an_engagement_ends_when_all_is_tested_and_settled() {
    let close = r#"{"audit":"E","conclusion":"Not more than material."}"#;
    let scenario = drawn().when("audit.close", close).refused("audit.not_tested");
    let test = r#"{"audit":"E","item":"PF","audited":"EUR 700","note":"seen"}"#;
    let scenario = scenario.done("audit.test", test).done("audit.raise", &holds(0, ""));
    let scenario = scenario.when("audit.raise", &holds(0, "")).refused("audit.finding_exists");
    let scenario = scenario.when("audit.close", close).refused("audit.not_settled");
    let withdraw = r#"{"audit":"E","finding":"1","reason":"there is proof"}"#;
    let other = withdraw.replace(r#""1""#, r#""2""#);
    let scenario = scenario.when("audit.withdraw", &other).refused("audit.no_finding");
    let scenario = scenario.done("audit.withdraw", withdraw).when("audit.withdraw", withdraw);
    let scenario = scenario.refused("audit.other_stage").when("audit.close", close);
    let scenario = scenario.recorded(&["audit.Closed"]).when("audit.close", close);
    scenario.refused("command.wrong_state");
}
