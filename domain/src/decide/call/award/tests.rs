use crate::facts::call::{PROPOSALS_PER_ROUND_MAX, ROUND_REASON_BYTES_MAX};
use crate::kernel::actor::Role;
use crate::kernel::money::Money;
use crate::testing::Scenario;
use crate::testing::round::{
    agreed, closed, eligible, opened, opening, ranked, reported, rules, submitted,
};

const REJECTED: &str = r#""rejected":[{"proposal":"G","reason":"below the threshold"}]"#;

/// The payload of an award: total and commitment, then the awards, reserve D and reject G.
fn award(money: &str, funded: &str) -> String {
    format!(
        r#"{{"call":"C","cut_off":"R1",{money}"funded":[{funded}],"reserve":["D"],{REJECTED}}}"#
    )
}

const MONEY: &str = r#""commitment":"K1","union":"EUR 900","#;
const A: &str = r#"{"proposal":"A","grant":"GA","union":"EUR 400"}"#;
const B: &str = r#"{"proposal":"B","grant":"GB"}"#;

fn decide(scenario: Scenario, payload: &str) -> Scenario {
    scenario.by(Role::GoverningBoard).when("call.award_round", payload)
}

fn awarded() -> Scenario {
    let both = format!("{A},{B}");
    decide(ranked(), &award(MONEY, &both)).recorded(&[
        "call.RoundAwarded",
        "proposal.Awarded",
        "proposal.Awarded",
        "proposal.Reserved",
        "proposal.Rejected",
        "fund.GloballyCommitted",
        "fund.IndividuallyCommitted",
    ])
}

#[test]
fn a_round_is_decided_in_one_commit_over_call_proposals_and_fund() {
    let scenario = awarded();
    let fund = scenario.world.funds.values().next().unwrap();
    let global = fund.commitments.values().next().unwrap();
    assert_eq!((global.amount, global.individual), (Money::euro(900), Money::euro(400)));
    let call = scenario.world.calls.values().next().unwrap();
    assert_eq!(call.awarded, Money::euro(900), "the total counts, not the parts known so far");
    let phases: Vec<&str> =
        scenario.world.proposals.values().map(|proposal| proposal.phase.into()).collect();
    assert_eq!(phases, ["awarded", "awarded", "reserved", "rejected", "ineligible"]);
}

#[test]
fn a_round_is_decided_once() {
    decide(awarded(), &award(MONEY, A)).refused("call.round_decided");
}

#[test]
fn a_round_is_decided_by_the_governing_board_after_its_cut_off() {
    let scenario = opened().when("call.award_round", &award(MONEY, A));
    let scenario = scenario.refused("command.role_not_allowed");
    decide(scenario, &award(MONEY, A)).refused("call.cut_off_open").at("/cut_off");
}

#[test]
fn a_decision_names_every_eligible_proposal_once_and_no_other() {
    let cases = [
        (award(MONEY, A), "call.left_out"),
        (award(MONEY, &format!("{A},{A}")), "call.grant_exists"),
        (award(MONEY, &format!(r#"{A},{{"proposal":"A","grant":"G2"}}"#)), "call.named_twice"),
        (award(MONEY, r#"{"proposal":"Z","grant":"GZ"}"#), "call.not_in_round"),
        (award(MONEY, &format!(r#"{A},{B},{{"proposal":"I","grant":"GI"}}"#)), "call.not_eligible"),
        (
            award(MONEY, &format!("{A},{B}")).replace("below the threshold", " "),
            "command.no_reason",
        ),
    ];
    for (payload, code) in cases {
        decide(ranked(), &payload).refused(code);
    }
}

#[test]
fn nothing_unchecked_and_nothing_unranked_is_decided() {
    let payload = r#"{"call":"C","cut_off":"R1","funded":[{"proposal":"A","grant":"GA"}]}"#;
    let scenario = closed(submitted(opened(), &["A"]));
    let scenario = decide(scenario, payload).refused("call.not_checked");
    decide(eligible(scenario, &["A"]), payload).refused("call.not_ranked");
}

#[test]
fn a_ranking_binds_the_decision() {
    let funded = |ids: &[&str], rest: &str| {
        let funded: Vec<String> =
            ids.iter().map(|id| format!(r#"{{"proposal":"{id}","grant":"G{id}"}}"#)).collect();
        format!(r#"{{"call":"C","cut_off":"R1","funded":[{}],{rest}}}"#, funded.join(","))
    };
    let cases = [
        (funded(&["A", "G"], r#""reserve":["B","D"]"#), "call.below_threshold"),
        (funded(&["A"], r#""reserve":["B","D","G"]"#), "call.below_threshold"),
        (funded(&["A", "D"], &format!(r#""reserve":["B"],{REJECTED}"#)), "call.passed_over"),
        (
            funded(&["A"], &format!(r#""reserve":["D","B"],{REJECTED}"#)),
            "call.reserve_out_of_order",
        ),
    ];
    for (payload, code) in cases {
        decide(ranked(), &payload).refused(code);
    }
    let reasons = r#""rejected":[{"proposal":"B","reason":"double funding"},
        {"proposal":"G","reason":"below the threshold"}]"#;
    decide(ranked(), &funded(&["A", "D"], reasons)).then(&[
        "call.RoundAwarded",
        "proposal.Awarded",
        "proposal.Awarded",
        "proposal.Rejected",
        "proposal.Rejected",
    ]);
}

#[test]
fn an_award_stays_within_request_total_envelope_and_commitment() {
    let both = format!("{A},{B}");
    let money = |union: &str| format!(r#""commitment":"K1","union":"{union}","#);
    let cases = [
        (award(MONEY, &both.replace("400", "601")), "call.more_than_requested"),
        (award(MONEY, &both.replace("400", "0")), "call.not_positive"),
        (award(&money("EUR 399.99"), &both), "call.parts_exceed_total"),
        (award(&money("EUR 1000.01"), &both), "call.envelope_exceeded"),
        (award(r#""union":"EUR 900","#, &both), "call.no_commitment"),
        (award(r#""commitment":"K1","#, &both), "fund.no_commitment"),
    ];
    for (payload, code) in cases {
        decide(ranked(), &payload).refused(code);
    }
}

#[test]
fn a_refusal_for_money_says_what_was_asked_and_what_is_left() {
    let payload = award(r#""commitment":"K1","union":"EUR 1000.01","#, &format!("{A},{B}"));
    let parsed =
        crate::decide::command::Parsed::read("call.award_round", payload.as_bytes()).unwrap();
    let scenario = ranked();
    let meta = crate::decide::command::Meta {
        actor: crate::kernel::actor::Actor {
            id: "board".parse().unwrap(),
            on_behalf_of: None,
            role: Role::GoverningBoard,
        },
        command_id: "x".parse().unwrap(),
        correlation_id: None,
        causation_id: None,
        received_at: scenario.world.recorded_at,
        recorded_at: scenario.world.recorded_at,
        effective_at: None,
        evidence: None,
    };
    let refusal = scenario.world.decide(&parsed, &meta).unwrap_err();
    assert_eq!(
        refusal.message,
        "EUR 1000.01 is more than the EUR 1000.00 left of the call's envelope"
    );
    assert_eq!(refusal.field.as_deref(), Some("/union"));
}

fn committed_out_of(line: &str, more: &str) -> Scenario {
    let line = format!(r#""fund":"F","line":"{line}","source":"DEP","amount":"EUR 300""#);
    ranked()
        .by(Role::GoverningBoard)
        .done("fund.vote_appropriation", &format!("{{{line}}}"))
        .by(Role::AuthorisingOfficer)
        .done("fund.commit_globally", &format!(r#"{{{line},{more},"commitment":"K1"}}"#))
}

fn committed(call: &str) -> Scenario {
    committed_out_of("02 04", &format!(r#""call":"{call}""#))
}

#[test]
fn an_award_draws_on_a_commitment_for_its_call_round_line_and_source() {
    let payload = award(r#""commitment":"K1","#, &format!("{},{B}", A.replace("400", "300")));
    for scenario in [
        committed("X"),
        committed_out_of("02 04", r#""call":"C","round":"R2""#),
        committed_out_of("02 05", r#""call":"C""#),
    ] {
        decide(scenario, &payload).refused("call.other_commitment").at("/commitment");
    }
}

#[test]
fn an_award_may_draw_on_a_commitment_that_was_made_before() {
    let both = |amount: &str| format!("{},{B}", A.replace("400", amount));
    let key = r#""commitment":"K1","#;
    let short = decide(committed("C"), &award(key, &both("301")));
    let scenario = short.refused("fund.global_commitment_exceeded");
    let scenario = decide(scenario, &award(key, &both("300")));
    let last = scenario.commits.len();
    let scenario = scenario.recorded(&[
        "call.RoundAwarded",
        "proposal.Awarded",
        "proposal.Awarded",
        "proposal.Reserved",
        "proposal.Rejected",
        "fund.IndividuallyCommitted",
    ]);
    assert_eq!(scenario.commits.len(), last);
}

#[test]
fn a_call_without_budget_awards_no_known_money() {
    let opening = opening(&rules("playground"));
    let start = opening.find(r#""budget""#).unwrap();
    let opening = format!("{}}}", opening[..start].trim_end().trim_end_matches(','));
    let scenario = closed(crate::testing::given().done("call.open", &opening));
    let award = |money: &str| format!(r#"{{"call":"C","cut_off":"R1",{money}"funded":[]}}"#);
    let scenario = decide(scenario, &award(r#""union":"EUR 1","#)).refused("call.no_budget");
    decide(scenario, &award("")).then(&["call.RoundAwarded"]);
}

fn activate(scenario: Scenario, proposal: &str, grant: &str, union: &str) -> Scenario {
    scenario.by(Role::GoverningBoard).when(
        "call.activate_reserve",
        &format!(r#"{{"call":"C","proposal":"{proposal}","grant":"{grant}","union":"{union}"}}"#),
    )
}

#[test]
fn the_reserve_is_activated_in_rank_order_within_the_commitment() {
    let payload = format!(
        r#"{{"call":"C","cut_off":"R1",{MONEY}"funded":[{A}],"reserve":["B","D"],{REJECTED}}}"#
    );
    let scenario = decide(ranked(), &payload);
    let scenario = activate(scenario, "G", "GG", "EUR 1").refused("call.not_in_reserve");
    let scenario = activate(scenario, "D", "GD", "EUR 1").refused("call.not_next_in_reserve");
    let scenario = activate(scenario, "B", "GA", "EUR 1").refused("call.grant_exists");
    let scenario =
        activate(scenario, "B", "GB", "EUR 501").refused("fund.global_commitment_exceeded");
    let scenario = activate(scenario, "B", "GB", "EUR 500").recorded(&[
        "call.ReserveActivated",
        "proposal.Awarded",
        "fund.IndividuallyCommitted",
    ]);
    let call = scenario.world.calls.values().next().unwrap();
    assert_eq!(call.awarded, Money::euro(900), "the total of the round was counted once");
}

#[test]
fn a_conflict_that_is_learnt_after_the_decision_calls_for_its_reexamination() {
    let hosting = format!(r#"{{"grant":"GA","document":"{}"}}"#, "0".repeat(64));
    let conflict = |scenario: Scenario, expert: &str| {
        let declare =
            format!(r#"{{"evaluation":"E","expert":"{expert}","proposal":"A","kind":"gain"}}"#);
        scenario.by(Role::ProgrammeOfficer).when("evaluation.declare_conflict", &declare)
    };
    let scenario = conflict(awarded(), "X1")
        .recorded(&["evaluation.ConflictDeclared", "call.ReexaminationDue"]);
    // Nothing that rests on the decision goes on.
    let scenario = activate(scenario, "D", "GD", "EUR 1").refused("call.reexamination_due");
    let scenario = scenario
        .by(Role::System)
        .done("grant.prepare", r#"{"grant":"GA","proposal":"A"}"#)
        .by(Role::AuthorisingOfficer)
        .done("grant.conclude_hosting_agreement", &hosting)
        .done("grant.start_procurement", r#"{"grant":"GA","procurement":"m","tender":"t"}"#)
        .when("grant.sign_contract", r#"{"grant":"GA","procurement":"m","union":"EUR 1"}"#)
        .refused("call.reexamination_due")
        .by(Role::GoverningBoard);
    let again = r#"{"call":"C","cut_off":"R1","reason":"the order is the same"}"#;
    let scenario = scenario.when("call.reexamine", again).refused("call.not_ranked");
    let scenario = scenario
        .by(Role::ProgrammeOfficer)
        .done("evaluation.appoint", r#"{"evaluation":"E","expert":"X4","proposals":["A"]}"#)
        .by_person("X4", Role::Expert)
        .done("evaluation.submit_report", &crate::testing::round::score("E", "A", [50, 50, 50]));
    let scenario = agreed(scenario, &[("A", [50, 50, 50])])
        .by(Role::PanelChair)
        .done("evaluation.rank", r#"{"evaluation":"E"}"#)
        .by(Role::GoverningBoard)
        .when("call.reexamine", again)
        .recorded(&["call.Reexamined"])
        .when("call.reexamine", again)
        .refused("call.nothing_to_reexamine")
        .by(Role::AuthorisingOfficer)
        .when("grant.sign_contract", r#"{"grant":"GA","procurement":"m","union":"EUR 1"}"#)
        .recorded(&["grant.ContractSigned", "fund.LegallyCommitted"]);
    // Who had no part in it puts nothing in question.
    conflict(scenario, "X9").then(&["evaluation.ConflictDeclared"]);
}

#[test]
fn a_withdrawn_reserve_makes_room_for_the_next() {
    let payload = format!(
        r#"{{"call":"C","cut_off":"R1",{MONEY}"funded":[{A}],"reserve":["B","D"],{REJECTED}}}"#
    );
    let scenario = decide(ranked(), &payload)
        .by_person("of-B", Role::Applicant)
        .done("proposal.withdraw", r#"{"proposal":"B","reason":"other funding"}"#);
    activate(scenario, "D", "GD", "EUR 100").then(&[
        "call.ReserveActivated",
        "proposal.Awarded",
        "fund.IndividuallyCommitted",
    ]);
}

/// A full round of ids as long as ids can be, all equal, with as much content as counts for a ranking.
fn full_round() -> (Scenario, Vec<String>) {
    let ids: Vec<String> =
        (0..PROPOSALS_PER_ROUND_MAX).map(|number| format!("{number:0>64}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut scenario = opened();
    for name in &names {
        let applicant = &name[..60];
        let draft = crate::testing::round::draft(name).replace(&format!("of-{name}"), applicant);
        scenario = scenario
            .by_person(applicant, Role::Applicant)
            .done("proposal.draft", &draft)
            .done("proposal.submit", &crate::testing::round::submission(name));
    }
    let scenario = reported(eligible(closed(scenario), &names), &names);
    let scores: Vec<(&str, [u32; 3])> = names.iter().map(|name| (*name, [40, 40, 40])).collect();
    (agreed(scenario, &scores), ids)
}

/// The last commit has room for a cut-off whose key is as long as keys can be.
fn fits(scenario: Scenario) -> Scenario {
    let bytes = scenario.commits.last().unwrap().encode().unwrap().len();
    let most = bytes + 64 * (PROPOSALS_PER_ROUND_MAX + 10);
    assert!(most <= crate::facts::commit::COMMIT_BYTES_MAX, "{bytes} bytes");
    scenario
}

#[test]
fn a_full_round_with_the_longest_reasons_is_ranked_and_decided() {
    let (scenario, ids) = full_round();
    // Control characters take the most room in JSON: six bytes each.
    let reason = r"\u0001".repeat(ROUND_REASON_BYTES_MAX / 6) + "last";
    let order = serde_json::to_string(&ids).unwrap();
    let rank = |reason: &str| {
        format!(r#"{{"evaluation":"E","ties":[{{"proposals":{order},"reason":"{reason}"}}]}}"#)
    };
    let longer = rank(&(reason.clone() + "x"));
    let scenario = scenario.by(Role::PanelChair).when("evaluation.rank", &longer);
    let scenario = scenario.refused("command.too_long").at("/ties/0");
    let scenario = fits(scenario.done("evaluation.rank", &rank(&reason)));
    let rejected = |reason: &str| {
        let each = ids.iter().map(|id| format!(r#"{{"proposal":"{id}","reason":"{reason}"}}"#));
        let each: Vec<String> = each.collect();
        format!(r#"{{"call":"C","cut_off":"R1","funded":[],"rejected":[{}]}}"#, each.join(","))
    };
    let none = decide(scenario, &rejected(&(reason.clone() + "x"))).refused("command.too_long");
    let none = fits(decide(none.at("/rejected/0/reason"), &rejected(&reason)));
    assert_eq!(none.commits.last().unwrap().events.len(), 1 + PROPOSALS_PER_ROUND_MAX);
    let funded: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"proposal":"{id}","grant":"{id}","union":"EUR 10.00"}}"#))
        .collect();
    let key = "k".repeat(64);
    let all = format!(
        r#"{{"call":"C","cut_off":"R1","commitment":"{key}","union":"EUR 1000","funded":[{}]}}"#,
        funded.join(",")
    );
    let ranked = full_round().0.by(Role::PanelChair).done("evaluation.rank", &rank(&reason));
    let all = fits(decide(ranked, &all));
    assert_eq!(all.commits.last().unwrap().events.len(), 2 + 2 * PROPOSALS_PER_ROUND_MAX);
}
