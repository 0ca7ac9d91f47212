//! A call with two rounds: money, calendar, proposals, checks, evaluation, award, reserve; and what
//! becomes of the awards is in `money`.

use super::{Script, audit, books, eur, merge, money, rules, sealed, sha};
use domain::kernel::actor::Role;
use serde_json::{Value, json};

/// Proposals of the first round by name, with their consensus scores in tenths; equal ones are tied.
const RANKED: &[(&str, u32, u32)] = &[
    ("p1", 50, 45),
    ("p2", 45, 45),
    ("p3", 40, 40),
    ("p4", 40, 40),
    ("p5", 30, 30),
    ("p6", 25, 50),
];

/// The unit of money of this life, in cents.
pub struct Plan {
    pub unit: i64,
}

/// A life of one call and its grants.
pub fn live(s: &mut Script) {
    let odd = i64::try_from(s.dice.below(100)).expect("small");
    let unit = 100_000_000 * (1 + i64::try_from(s.dice.below(40)).expect("small")) + odd * 2;
    let plan = Plan { unit };
    open(s, &plan);
    calendar(s);
    draft(s, &plan);
    submit(s);
    check(s);
    evaluate(s);
    award(s, &plan);
    reexamine(s);
    money::reserve(s, &plan);
    money::agreement(s, &plan);
    money::contract(s, &plan);
    second_round(s);
    books::unfunded(s);
    money::accounts(s, &plan);
    audit::engagement(s, &plan);
    end(s);
}

fn open(s: &mut Script, plan: &Plan) {
    s.by("bea", Role::GoverningBoard);
    let vote = json!({ "fund": s.id("F"), "line": "02 04", "source": "DEP", "amount": eur(20 * plan.unit) });
    s.no_with(
        "fund.not_positive",
        "fund.vote_appropriation",
        &vote,
        json!({ "amount": "EUR 0.00" }),
    );
    s.ok("fund.vote_appropriation", vote);
    s.by("otto", Role::ProgrammeOfficer);
    let evaluation = json!({ "experts_min": 3, "scale": { "max_tenths": 50, "step_tenths": 5 },
        "selection": "ranked", "source": "call",
        "tie_break": [{ "by": "criterion", "criterion": "impact" }, { "by": "panel_order" }],
        "stages": [{ "key": "full", "threshold_tenths": 60, "criteria": [
            { "key": "excellence", "name": "Excellence", "threshold_tenths": 30, "weight_hundredths": 100 },
            { "key": "impact", "name": "Impact", "threshold_tenths": 30, "weight_hundredths": 150 }] }] });
    let rules = rules(json!({ "evaluation": evaluation,
        "funding": { "ceilings": { "acquisition": "1/2", "operating": "1/2" }, "matched": true, "source": "call" },
        "payments": { "before_balance_max": "9/10", "insurance": "1/20", "payment_days": 90,
            "prefinancing_days": 30, "prefinancing_max": "1/2", "source": "call" } }));
    let at = |text: &str| json!({ "local": text, "zone": "Europe/Luxembourg" });
    let call = json!({ "call": s.id("CALL"), "title": "Factories", "rules": rules,
        "budget": { "envelope": eur(8 * plan.unit), "fund": s.id("F"), "line": "02 04", "source": "DEP" },
        "opens_until": at("2025-06-30T17:00:00"),
        "cut_offs": [{ "key": "R1", "at": at("2024-11-04T17:00:00") }, { "key": "R2", "at": at("2025-02-03T17:00:00") }] });
    let one = |key: &str, text: &str| json!([{ "key": key, "at": at(text) }]);
    let many: Vec<Value> = vec![one("R1", "2024-11-04T17:00:00")[0].clone(); 201];
    for (code, change) in [
        ("call.bad_rules", json!({ "rules": { "version": 0, "zone": "Mars/Base" } })),
        ("call.not_positive", json!({ "budget": { "envelope": "EUR -1.00" } })),
        ("command.not_found", json!({ "budget": { "fund": "none" } })),
        ("fund.no_appropriation", json!({ "budget": { "line": "02 05" } })),
        ("call.too_many_cut_offs", json!({ "cut_offs": many })),
        ("call.cut_off_in_the_past", json!({ "cut_offs": one("R1", "2024-01-01T17:00:00") })),
        ("call.cut_off_after_end", json!({ "cut_offs": one("R1", "2026-01-01T17:00:00") })),
        ("call.cut_off_twice", json!({ "cut_offs": [many[0], many[0]] })),
        ("command.malformed", json!({ "cut_offs": one("R1", "2025-03-30T02:30:00") })),
    ] {
        s.no_with(code, "call.open", &call, change);
    }
    s.ok("call.open", call);
    let request = json!({ "allocation": s.id("none"), "applicant": "ann", "call": s.id("CALL"),
        "mode": "any", "months": 1, "purpose": "none", "system": s.id("none"),
        "time": { "partition": "none", "unit": "node", "seconds": 1 } });
    s.no_by(("ann", Role::Applicant), "allocation.no_access", "allocation.request", &request);
}

fn calendar(s: &mut Script) {
    let amend = |s: &Script, key: &str, at: Option<&str>| {
        let mut data = json!({ "call": s.id("CALL"), "cut_off": key, "reason": "the board asked" });
        if let Some(at) = at {
            merge(&mut data, json!({ "at": { "local": at, "zone": "Europe/Luxembourg" } }));
        }
        data
    };
    let name = "call.amend_calendar";
    let (added, moved) =
        (amend(s, "R3", Some("2025-05-05T17:00:00")), amend(s, "R3", Some("2025-05-06T17:00:00")));
    let none = amend(s, "R9", None);
    s.no("call.no_cut_off", name, none);
    s.ok(name, added.clone());
    s.ok(name, moved);
    let clash = amend(s, "R3", Some("2025-02-03T17:00:00"));
    s.no("call.cut_off_twice", name, clash);
    let cancelled = amend(s, "R3", None);
    s.ok(name, cancelled);
    s.no("call.cut_off_cancelled", name, added);
    s.no("call.cut_off_open", "call.close", json!({ "call": s.id("CALL"), "reason": "r" }));
    s.by("engine", Role::System);
    let close = json!({ "call": s.id("CALL"), "cut_off": "R1" });
    s.no("call.cut_off_not_due", "call.close_cut_off", close.clone());
    s.no_with("call.cut_off_cancelled", "call.close_cut_off", &close, json!({ "cut_off": "R3" }));
    s.by("bea", Role::GoverningBoard);
    let raise = json!({ "call": s.id("CALL"), "by": "EUR 100.00", "reason": "more money" });
    s.no_with("call.not_positive", "call.raise_budget", &raise, json!({ "by": "EUR 0" }));
    s.ok("call.raise_budget", raise);
}

fn proposal(s: &Script, name: &str, plan: &Plan) -> Value {
    json!({ "proposal": s.id(name), "call": s.id("CALL"), "applicant": s.id(&format!("lead-{name}")),
        "content": { "acronym": name, "title": "A factory", "country": "FI", "partners": ["ES"],
            "covers": ["health"], "requested": eur(2 * plan.unit), "total": eur(4 * plan.unit) } })
}

fn draft(s: &mut Script, plan: &Plan) {
    s.at("2024-09-20T09:00:00Z");
    for name in ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11"] {
        let lead = s.id(&format!("lead-{name}"));
        s.by(&lead, Role::Applicant);
        let mut data = proposal(s, name, plan);
        if name == "p8" {
            merge(&mut data, json!({ "content": { "country": "US" } }));
        }
        if name == "p1" {
            let mistakes = [
                ("proposal.empty", json!({ "title": " " })),
                ("proposal.bad_list", json!({ "covers": ["a", "a"] })),
                ("proposal.negative", json!({ "total": "EUR -0.01" })),
                ("proposal.more_than_total", json!({ "requested": eur(4 * plan.unit + 1) })),
                ("command.too_long", json!({ "acronym": "x".repeat(2_001) })),
                ("command.malformed", json!({ "unknown": 1 })),
            ];
            for (code, change) in mistakes {
                s.no_with(code, "proposal.draft", &data, json!({ "content": change }));
            }
            s.no_with(
                "command.too_large",
                "proposal.draft",
                &data,
                json!({ "content": { "title": "x".repeat(66_000) } }),
            );
            s.no_by(
                ("eve", Role::Applicant),
                "proposal.not_the_applicant",
                "proposal.draft",
                &data,
            );
        }
        s.ok("proposal.draft", data.clone());
        if name == "p2" {
            let revise = json!({ "proposal": s.id(name), "content": data["content"] });
            let mut other = revise.clone();
            merge(&mut other, json!({ "content": { "acronym": "renamed" } }));
            s.no_by(
                ("eve", Role::Applicant),
                "proposal.not_the_applicant",
                "proposal.revise",
                &other,
            );
            s.ok("proposal.revise", other);
        }
    }
}

fn submission(s: &Script, name: &str) -> Value {
    json!({ "proposal": s.id(name), "pages": 60, "documents": [{ "key": "part-b", "sha256": sha(name) }] })
}

fn submit(s: &mut Script) {
    s.at("2024-11-04T15:00:00Z");
    for name in ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p1"] {
        let lead = s.id(&format!("lead-{name}"));
        s.by(&lead, Role::Applicant);
        let data = submission(s, name);
        if name == "p3" {
            s.no_with(
                "proposal.document_missing",
                "proposal.submit",
                &data,
                json!({ "documents": [] }),
            );
            s.no_with("proposal.too_many_pages", "proposal.submit", &data, json!({ "pages": 71 }));
        }
        s.ok("proposal.submit", data);
    }
    let lead = s.id("lead-p10");
    s.by(&lead, Role::Applicant);
    s.ok("proposal.withdraw", json!({ "proposal": s.id("p10"), "reason": "no time" }));
    s.by("bea", Role::GoverningBoard);
    let early = json!({ "call": s.id("CALL"), "cut_off": "R1", "funded": [] });
    s.no_with("call.no_cut_off", "call.award_round", &early, json!({ "cut_off": "R9" }));
    s.no_with("call.cut_off_cancelled", "call.award_round", &early, json!({ "cut_off": "R3" }));
    s.no("call.cut_off_open", "call.award_round", early);
    s.by("otto", Role::ProgrammeOfficer);
    let open =
        json!({ "evaluation": s.id("E"), "call": s.id("CALL"), "cut_off": "R1", "stage": "full" });
    s.no("call.cut_off_open", "evaluation.open", open);
    s.at("2024-11-04T16:00:01Z");
    // The timer of the cut-off may be late; what was submitted is locked all the same.
    for name in ["p1", "p2", "p3"] {
        let lead = s.id(&format!("lead-{name}"));
        s.by(&lead, Role::Applicant);
        s.no(
            "command.wrong_state",
            "proposal.revise",
            json!({ "proposal": s.id(name), "content": { "acronym": "late", "title": "late" } }),
        );
    }
    s.by("engine", Role::System);
    s.either("call.close_cut_off", json!({ "call": s.id("CALL"), "cut_off": "R1" }));
    s.no(
        "call.cut_off_closed",
        "call.close_cut_off",
        json!({ "call": s.id("CALL"), "cut_off": "R1" }),
    );
    // Received in time, decided late: still in the round. Received late: in the next one.
    let lead = s.id("lead-p9");
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p9");
    s.ok("proposal.submit", data).received_at = Some(super::instant("2024-11-04T15:59:59Z"));
    s.ok("proposal.withdraw", json!({ "proposal": s.id("p9"), "reason": "a better offer" }));
    let lead = s.id("lead-p11");
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p11");
    s.ok("proposal.submit", data);
    let lead = s.id("lead-p1");
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p1");
    s.no("command.wrong_state", "proposal.submit", data);
}

fn check(s: &mut Script) {
    s.at("2024-11-06T09:00:00Z");
    s.by("otto", Role::ProgrammeOfficer);
    for name in ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"] {
        let admissible = json!({ "proposal": s.id(name), "answers": [{ "key": "complete", "yes": name != "p7" }] });
        let eligible =
            json!({ "proposal": s.id(name), "answers": [{ "key": "entity", "yes": true }] });
        if name == "p1" {
            s.no("proposal.not_yet_admissible", "proposal.check_eligibility", eligible.clone());
            s.no_with(
                "proposal.not_answered",
                "proposal.check_admissibility",
                &admissible,
                json!({ "answers": [] }),
            );
            let other = json!({ "answers": [{ "key": "other", "yes": true }] });
            s.no_with("proposal.no_question", "proposal.check_admissibility", &admissible, other);
        }
        s.ok("proposal.check_admissibility", admissible.clone());
        if name == "p1" {
            s.no("proposal.checked_already", "proposal.check_admissibility", admissible);
            s.by("bea", Role::GoverningBoard);
            let whole = json!({ "call": s.id("CALL"), "cut_off": "R1", "funded": [] });
            s.no("call.not_checked", "call.award_round", whole);
            s.by("otto", Role::ProgrammeOfficer);
        }
        if name != "p7" {
            s.ok("proposal.check_eligibility", eligible);
        }
    }
}

fn scores(excellence: u32, impact: u32) -> Value {
    json!([{ "criterion": "excellence", "tenths": excellence, "comment": "" },
        { "criterion": "impact", "tenths": impact, "comment": "seen" }])
}

fn report(s: &mut Script, expert: &str, name: &str, scores: &Value) {
    let id = s.id(expert);
    s.by(&id, Role::Expert);
    s.ok(
        "evaluation.submit_report",
        json!({ "evaluation": s.id("E"), "proposal": s.id(name), "scores": scores }),
    );
}

fn consensus(s: &mut Script, name: &str, scores: &Value) {
    s.by("rita", Role::Rapporteur);
    s.ok(
        "evaluation.submit_consensus",
        json!({ "evaluation": s.id("E"), "proposal": s.id(name), "scores": scores }),
    );
}

fn evaluate(s: &mut Script) {
    s.at("2024-11-10T09:00:00Z");
    s.by("otto", Role::ProgrammeOfficer);
    let open =
        json!({ "evaluation": s.id("E"), "call": s.id("CALL"), "cut_off": "R1", "stage": "full" });
    s.no_with("evaluation.no_stage", "evaluation.open", &open, json!({ "stage": "other" }));
    s.ok("evaluation.open", open.clone());
    s.no_with(
        "evaluation.opened_already",
        "evaluation.open",
        &open,
        json!({ "evaluation": s.id("E2") }),
    );
    appoint(s);
    let first =
        json!({ "evaluation": s.id("E"), "proposal": s.id("p1"), "scores": scores(50, 45) });
    s.no_by(("eve", Role::Expert), "evaluation.not_appointed", "evaluation.submit_report", &first);
    reports(s, first);
}

fn appoint(s: &mut Script) {
    let all: Vec<String> = RANKED.iter().map(|one| s.id(one.0)).collect();
    let appoint = json!({ "evaluation": s.id("E"), "expert": s.id("x1"), "proposals": all });
    s.no_with("evaluation.bad_list", "evaluation.appoint", &appoint, json!({ "proposals": [] }));
    s.no_with(
        "evaluation.not_in_round",
        "evaluation.appoint",
        &appoint,
        json!({ "proposals": [s.id("p11")] }),
    );
    for expert in ["x1", "x2", "x3"] {
        let mut data = appoint.clone();
        merge(&mut data, json!({ "expert": s.id(expert) }));
        s.ok("evaluation.appoint", data);
    }
}

/// Three reports and a consensus on every proposal.
fn reports(s: &mut Script, first: Value) {
    let x1 = s.id("x1");
    s.by(&x1, Role::Expert);
    s.no_with(
        "evaluation.bad_criteria",
        "evaluation.submit_report",
        &first,
        json!({ "scores": [] }),
    );
    s.no_with(
        "evaluation.off_the_scale",
        "evaluation.submit_report",
        &first,
        json!({ "scores": scores(51, 45) }),
    );
    for (index, (name, excellence, impact)) in RANKED.iter().enumerate() {
        let agreed = scores(*excellence, *impact);
        report(s, "x1", name, &agreed);
        report(s, "x2", name, &agreed);
        if index == 0 {
            s.no_by(
                ("rita", Role::Rapporteur),
                "evaluation.no_quorum",
                "evaluation.submit_consensus",
                &first,
            );
            s.no_by(
                ("carl", Role::PanelChair),
                "evaluation.no_consensus",
                "evaluation.rank",
                &json!({ "evaluation": s.id("E") }),
            );
        }
        report(s, "x3", name, &agreed);
        consensus(s, name, &agreed);
    }
    s.by(&x1, Role::Expert);
    s.no("evaluation.consensus_reached", "evaluation.submit_report", first);
    rank(s);
}

/// The panel ranks, twice: a conflict is learnt before, and another after.
fn rank(s: &mut Script) {
    conflict(s, "x3", "p2", &scores(45, 45));
    s.by("carl", Role::PanelChair);
    let order = json!([{ "proposals": [s.id("p3"), s.id("p4")], "reason": "broader" }]);
    let rank = json!({ "evaluation": s.id("E"), "ties": order });
    s.no_with("evaluation.unresolved", "evaluation.rank", &rank, json!({ "ties": [] }));
    s.no_with(
        "command.no_reason",
        "evaluation.rank",
        &rank,
        json!({ "ties": [{ "proposals": [s.id("p3")], "reason": " " }] }),
    );
    s.no_by(
        ("bea", Role::GoverningBoard),
        "call.not_ranked",
        "call.award_round",
        &decision(s, &Plan { unit: 1 }),
    );
    s.ok("evaluation.rank", rank.clone());
    ranked_too_early(s, &rank);
    // A conflict that is learnt after the ranking undoes what rested on it.
    conflict(s, "x2", "p5", &scores(30, 30));
    s.by("carl", Role::PanelChair);
    s.ok("evaluation.rank", rank);
}

/// A proposal that was received in time and is recorded after the ranking takes the ranking back.
fn ranked_too_early(s: &mut Script, rank: &Value) {
    let lead = s.id("lead-p13");
    s.by(&lead, Role::Applicant);
    let late = proposal(s, "p13", &Plan { unit: 1 });
    s.ok("proposal.draft", late);
    let data = submission(s, "p13");
    s.ok("proposal.submit", data).received_at = Some(super::instant("2024-11-04T15:59:59Z"));
    s.no_by(("carl", Role::PanelChair), "evaluation.not_checked", "evaluation.rank", rank);
    s.ok("proposal.withdraw", json!({ "proposal": s.id("p13"), "reason": "a better offer" }));
    s.by("carl", Role::PanelChair);
    s.ok("evaluation.rank", rank);
}

/// A conflict that is learnt late, and the expert who steps in.
fn conflict(s: &mut Script, expert: &str, name: &str, agreed: &Value) {
    let data = json!({ "evaluation": s.id("E"), "expert": s.id(expert), "proposal": s.id(name),
        "kind": "involved", "learnt": sealed(&s.id(expert), "conflict", name) });
    s.no_by(
        ("eve", Role::Expert),
        "evaluation.not_own_conflict",
        "evaluation.declare_conflict",
        &data,
    );
    s.by("otto", Role::ProgrammeOfficer);
    s.ok("evaluation.declare_conflict", data.clone());
    s.no("evaluation.declared_already", "evaluation.declare_conflict", data);
    let appoint =
        json!({ "evaluation": s.id("E"), "expert": s.id("x4"), "proposals": [s.id(name)] });
    s.no_with(
        "evaluation.in_conflict",
        "evaluation.appoint",
        &appoint,
        json!({ "expert": s.id(expert) }),
    );
    s.ok("evaluation.appoint", appoint);
    let id = s.id(expert);
    let again = json!({ "evaluation": s.id("E"), "proposal": s.id(name), "scores": agreed });
    s.no_by((&id, Role::Expert), "evaluation.in_conflict", "evaluation.submit_report", &again);
    report(s, "x4", name, agreed);
    consensus(s, name, agreed);
}

fn decision(s: &Script, plan: &Plan) -> Value {
    let funded = |name: &str, grant: &str| json!({ "proposal": s.id(name), "grant": s.id(grant), "union": eur(2 * plan.unit) });
    let rejected = |name: &str| json!({ "proposal": s.id(name), "reason": "too weak" });
    json!({ "call": s.id("CALL"), "cut_off": "R1", "commitment": "G1", "union": eur(6 * plan.unit),
        "funded": [funded("p1", "A"), funded("p2", "B")], "reserve": [s.id("p3"), s.id("p4")],
        "rejected": [rejected("p5"), rejected("p6")] })
}

/// A global commitment for another call, made ahead of its opening.
fn committed_elsewhere(s: &mut Script, plan: &Plan) {
    s.by("xena", Role::AuthorisingOfficer);
    let other = json!({ "fund": s.id("F"), "line": "02 04", "source": "DEP", "call": s.id("ELSE"),
        "commitment": "other", "amount": eur(plan.unit) });
    s.no_with(
        "fund.unknown_round",
        "fund.commit_globally",
        &other,
        json!({ "call": s.id("CALL"), "round": "R9" }),
    );
    s.no_with(
        "fund.envelope_exceeded",
        "fund.commit_globally",
        &other,
        json!({ "call": s.id("CALL"), "amount": eur(9 * plan.unit) }),
    );
    s.ok("fund.commit_globally", other);
}

fn award(s: &mut Script, plan: &Plan) {
    s.at("2024-12-10T09:00:00Z");
    committed_elsewhere(s, plan);
    s.by("bea", Role::GoverningBoard);
    let whole = decision(s, plan);
    let (funded, rejected) = (&whole["funded"], &whole["rejected"]);
    let p1 = |change: Value| {
        let mut one = funded[0].clone();
        merge(&mut one, change);
        json!({ "funded": [one, funded[1]] })
    };
    for (code, change) in [
        (
            "command.no_reason",
            json!({ "rejected": [{ "proposal": s.id("p5"), "reason": "" }, rejected[1]] }),
        ),
        ("call.grant_exists", p1(json!({ "grant": s.id("B") }))),
        ("call.named_twice", json!({ "reserve": [s.id("p3"), s.id("p4"), s.id("p1")] })),
        ("call.not_in_round", json!({ "reserve": [s.id("p3"), s.id("p4"), s.id("p11")] })),
        ("call.not_eligible", json!({ "reserve": [s.id("p3"), s.id("p4"), s.id("p7")] })),
        ("call.left_out", json!({ "reserve": [s.id("p3")] })),
        (
            "call.below_threshold",
            json!({ "reserve": [s.id("p3"), s.id("p4"), s.id("p6")], "rejected": [rejected[0]] }),
        ),
        ("call.reserve_out_of_order", json!({ "reserve": [s.id("p4"), s.id("p3")] })),
        (
            "call.passed_over",
            json!({ "funded": [funded[0], { "proposal": s.id("p3"), "grant": s.id("C") }], "reserve": [s.id("p2"), s.id("p4")] }),
        ),
        ("call.more_than_requested", p1(json!({ "union": eur(2 * plan.unit + 1) }))),
        ("call.not_positive", p1(json!({ "union": "EUR 0.00" }))),
        ("call.parts_exceed_total", json!({ "union": eur(4 * plan.unit - 1) })),
        ("call.envelope_exceeded", json!({ "union": eur(8 * plan.unit + 10_001) })),
        ("call.no_commitment", json!({ "commitment": null })),
        ("call.other_commitment", json!({ "commitment": "other" })),
    ] {
        s.no_with(code, "call.award_round", &whole, change);
    }
    s.no_by(
        ("otto", Role::ProgrammeOfficer),
        "command.role_not_allowed",
        "call.award_round",
        &whole,
    );
    s.ok("call.award_round", whole.clone());
    s.no("call.round_decided", "call.award_round", whole);
    let lead = s.id("lead-p12");
    s.by(&lead, Role::Applicant);
    let late = proposal(s, "p12", plan);
    s.ok("proposal.draft", late);
    let data = submission(s, "p12");
    s.no("proposal.round_decided", "proposal.submit", data);
    if let Some(step) = s.steps.last_mut().filter(|step| step.command == "proposal.submit") {
        step.received_at = Some(super::instant("2024-11-04T15:59:59Z"));
    }
}

/// A conflict that is learnt after the decision, and what follows from it.
fn reexamine(s: &mut Script) {
    let board = ("bea", Role::GoverningBoard);
    let again = json!({ "call": s.id("CALL"), "cut_off": "R1", "reason": "the order is the same" });
    s.no_by(board, "call.nothing_to_reexamine", "call.reexamine", &again);
    conflict(s, "x1", "p4", &scores(40, 40));
    let next = json!({ "call": s.id("CALL"), "proposal": s.id("p3"), "grant": s.id("C") });
    s.no_by(board, "call.reexamination_due", "call.activate_reserve", &next);
    s.no_by(board, "call.not_ranked", "call.reexamine", &again);
    s.by("carl", Role::PanelChair);
    let order = json!([{ "proposals": [s.id("p3"), s.id("p4")], "reason": "broader" }]);
    s.ok("evaluation.rank", json!({ "evaluation": s.id("E"), "ties": order }));
    s.by("bea", Role::GoverningBoard);
    s.ok("call.reexamine", again);
}

fn second_round(s: &mut Script) {
    s.at("2025-02-03T16:00:01Z");
    s.by("engine", Role::System);
    s.either("call.close_cut_off", json!({ "call": s.id("CALL"), "cut_off": "R2" }));
    let lead = s.id("lead-p12");
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p12");
    s.no("proposal.no_cut_off_left", "proposal.submit", data);
    s.by("otto", Role::ProgrammeOfficer);
    s.ok(
        "proposal.check_admissibility",
        json!({ "proposal": s.id("p11"), "answers": [{ "key": "complete", "yes": true }] }),
    );
    s.ok(
        "proposal.check_eligibility",
        json!({ "proposal": s.id("p11"), "answers": [{ "key": "entity", "yes": false }] }),
    );
    s.by("bea", Role::GoverningBoard);
}

fn end(s: &mut Script) {
    s.at("2026-02-01T09:00:00Z");
    let lead = s.id("lead-p12");
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p12");
    s.no("proposal.after_the_end", "proposal.submit", data);
    s.by("otto", Role::ProgrammeOfficer);
    s.ok("call.announce_exhausted", json!({ "call": s.id("CALL"), "reason": "all is given" }));
    s.by(&lead, Role::Applicant);
    let data = submission(s, "p12");
    s.no("proposal.call_takes_none", "proposal.submit", data);
    s.by("otto", Role::ProgrammeOfficer);
    s.ok("call.close", json!({ "call": s.id("CALL"), "reason": "over" }));
}
