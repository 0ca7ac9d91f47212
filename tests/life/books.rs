//! Books: a life of two funds, bank statements, and a call that has no budget of its own.

use super::money::order;
use super::selection::Plan;
use super::{Script, eur, merge, rules, sha};
use domain::kernel::actor::Role;
use serde_json::{Value, json};

/// A life of two funds without a call.
pub fn live(s: &mut Script) {
    let unit = 1_000 * (1 + i64::try_from(s.dice.below(1_000_000)).expect("small"));
    s.by("bea", Role::GoverningBoard);
    let vote =
        json!({ "fund": s.id("F"), "line": "02 04", "source": "HE", "amount": eur(10 * unit) });
    s.ok("fund.vote_appropriation", vote.clone());
    let mut raise = vote;
    merge(&mut raise, json!({ "reason": "amending budget", "amount": eur(unit) }));
    s.no_with(
        "fund.no_appropriation",
        "fund.increase_appropriation",
        &raise,
        json!({ "line": "99" }),
    );
    s.no_with(
        "command.not_found",
        "fund.increase_appropriation",
        &raise,
        json!({ "fund": s.id("none") }),
    );
    s.ok("fund.increase_appropriation", raise);
    s.by("xena", Role::AuthorisingOfficer);
    let carry = json!({ "fund": s.id("F"), "to": s.id("NEXT"), "line": "02 04", "source": "HE", "amount": eur(unit) });
    s.no_with("fund.same_fund", "fund.carry_over", &carry, json!({ "to": s.id("F") }));
    s.ok("fund.carry_over", carry);
    commitments(s, unit);
}

fn commitments(s: &mut Script, unit: i64) {
    let global = json!({ "fund": s.id("F"), "line": "02 04", "source": "HE", "call": s.id("C"),
        "commitment": "G", "amount": eur(8 * unit) });
    s.no_with(
        "fund.appropriation_exceeded",
        "fund.commit_globally",
        &global,
        json!({ "amount": eur(10 * unit + 1) }),
    );
    s.no_with("command.amount", "fund.commit_globally", &global, json!({ "amount": "CHF 1.00" }));
    s.ok("fund.commit_globally", global.clone());
    s.no("fund.commitment_exists", "fund.commit_globally", global.clone());
    let rest = json!({ "fund": s.id("F"), "commitment": "G", "amount": eur(4 * unit), "reason": "unused" });
    s.no_with(
        "fund.global_commitment_exceeded",
        "fund.decommit_global",
        &rest,
        json!({ "amount": eur(8 * unit + 1) }),
    );
    s.ok("fund.decommit_global", rest);
}

/// Commitments to the grant of an award: EUR 10 of the EUR 20 committed to its call.
fn individual_commitments(s: &mut Script, global: &Value, one: &Value) {
    let name = "fund.commit_individually";
    for (code, change) in [
        ("fund.no_commitment", json!({ "commitment": "none" })),
        ("fund.unknown_grant", json!({ "grant": s.id("nobody") })),
        ("fund.global_commitment_exceeded", json!({ "amount": "EUR 20.01" })),
    ] {
        s.no_with(code, name, one, change);
    }
    s.ok(name, one);
    let small = json!({ "amount": "EUR 0.01", "commitment": "H", "call": s.id("ELSE") });
    let (mut global, mut other) = (global.clone(), one.clone());
    merge(&mut global, small.clone());
    merge(&mut other, json!({ "commitment": "H", "amount": "EUR 0.01" }));
    s.ok("fund.decommit_global", json!({ "fund": global["fund"], "commitment": "all", "amount": "EUR 0.02", "reason": "unused" }));
    s.ok("fund.commit_globally", &global);
    s.no("fund.other_call", name, &other);
    merge(&mut global, json!({ "commitment": "I", "call": s.id("OPEN") }));
    merge(&mut other, json!({ "commitment": "I" }));
    s.ok("fund.commit_globally", &global);
    s.no("fund.other_commitment", name, &other);
    let release = json!({ "fund": one["fund"], "grant": one["grant"], "amount": "EUR 1.00", "reason": "less" });
    let release_of = "fund.decommit_grant";
    s.no_with("fund.no_individual_commitment", release_of, &release, json!({ "grant": s.id("Z") }));
    s.no_with(
        "fund.individual_commitment_exceeded",
        release_of,
        &release,
        json!({ "amount": "EUR 10.01" }),
    );
    s.ok(release_of, release);
    s.ok(name, json!({ "fund": one["fund"], "commitment": "all", "grant": one["grant"], "amount": "EUR 1.00" }));
}

/// Bank statements that prove their cash, and which entry is which payment.
pub fn statements(s: &mut Script, plan: &Plan) {
    s.at("2025-03-03T09:00:00Z");
    let net = plan.unit - plan.unit * 2 / 20;
    let out = |cents: i64| format!("EUR -{}", eur(cents).trim_start_matches("EUR "));
    let entry = |key: &str, cents: i64| json!({ "entry": key, "amount": out(cents), "booked_on": "2025-02-03", "description": "to host" });
    let entries = [entry("e1", net), entry("e2", 100), entry("e3", net)];
    let open = 10 * plan.unit;
    let close = open - 2 * net - 100;
    let sheet = json!({ "account": s.id("main"), "document": sha(&s.id("file-1")), "number": 1, "from": "2025-02-01",
        "to": "2025-02-28", "opening": eur(open), "closing": eur(close), "entries": entries });
    let import = json!({ "statement": s.id("ST1"), "sheet": sheet });
    s.by("alba", Role::AccountingOfficer);
    for (code, change) in [
        ("statement.backwards", json!({ "to": "2025-01-31" })),
        ("statement.entry_twice", json!({ "entries": [entries[0], entries[0]] })),
        ("statement.outside_period", json!({ "from": "2025-02-04" })),
        ("statement.proof_of_cash", json!({ "closing": eur(close + 1) })),
        ("command.amount", json!({ "opening": "USD 1.00" })),
    ] {
        s.no_with(code, "statement.import", &import, json!({ "sheet": change }));
    }
    s.ok("statement.import", import.clone());
    let mut next = import.clone();
    let empty: [Value; 0] = [];
    merge(
        &mut next,
        json!({ "statement": s.id("ST2"), "sheet": { "document": sha(&s.id("file-2")), "number": 2,
        "from": "2025-03-01", "to": "2025-03-02", "opening": eur(close), "entries": empty } }),
    );
    s.no_with(
        "statement.file_twice",
        "statement.import",
        &next,
        json!({ "sheet": { "document": sha(&s.id("file-1")) } }),
    );
    s.no_with(
        "statement.number_gap",
        "statement.import",
        &next,
        json!({ "sheet": { "number": 3 } }),
    );
    s.no_with(
        "statement.balance_gap",
        "statement.import",
        &next,
        json!({ "sheet": { "opening": eur(close - 1), "closing": eur(close - 1) } }),
    );
    s.ok("statement.import", next);
    let with = json!({ "statement": s.id("ST1"), "entry": "e1", "payment": s.id("PF") });
    let undo = json!({ "statement": s.id("ST1"), "entry": "e1", "reason": "mistaken" });
    s.no_with("statement.no_entry", "statement.match", &with, json!({ "entry": "e9" }));
    s.no_with("statement.not_executed", "statement.match", &with, json!({ "payment": s.id("PX") }));
    s.no_with("statement.amount_differs", "statement.match", &with, json!({ "entry": "e2" }));
    s.no("statement.not_matched", "statement.unmatch", undo.clone());
    s.ok("statement.match", with.clone());
    s.no("statement.entry_matched", "statement.match", with.clone());
    s.no_with("statement.payment_matched", "statement.match", &with, json!({ "entry": "e3" }));
    s.no("statement.same_person", "statement.unmatch", undo.clone());
    s.by("ivan", Role::InitiatingAgent);
    s.ok("statement.unmatch", undo);
    s.ok("statement.match", with);
}

/// Two funds commit money to the same grant.
fn two_funds(s: &mut Script, call: &str) {
    for fund in ["Q1", "Q2"] {
        let line =
            json!({ "fund": s.id(fund), "line": "02 04", "source": "HE", "amount": "EUR 20.00" });
        s.by("bea", Role::GoverningBoard);
        s.ok("fund.vote_appropriation", line.clone());
        s.by("xena", Role::AuthorisingOfficer);
        let mut global = line;
        merge(&mut global, json!({ "call": call, "commitment": "all" }));
        s.ok("fund.commit_globally", &global);
        let one = json!({ "fund": s.id(fund), "grant": s.id("Q"), "commitment": "all", "amount": "EUR 10.00" });
        if fund == "Q1" {
            individual_commitments(s, &global, &one);
        } else {
            s.ok("fund.commit_individually", one);
        }
    }
}

/// A call without a budget of its own: its grant is paid by whoever commits to it.
pub fn unfunded(s: &mut Script) {
    s.at("2025-02-04T09:00:00Z");
    s.by("otto", Role::ProgrammeOfficer);
    let rules = rules(json!({ "kind": "access",
        "access": { "counted_from": "cut-off", "months": [1], "final_report_days": 30, "overrun_tolerance": "0/1", "source": "call" },
        "funding": { "ceilings": { "acquisition": "1/2" }, "matched": false, "source": "call" } }));
    let cut_off = json!({ "key": "R1", "at": { "local": "2025-02-28T17:00:00", "zone": "Europe/Luxembourg" } });
    let call = s.id("OPEN");
    s.ok(
        "call.open",
        json!({ "call": call, "title": "Open", "rules": rules, "cut_offs": [cut_off] }),
    );
    let lead = s.id("lead-q1");
    s.by(&lead, Role::Applicant);
    s.ok("proposal.draft", json!({ "proposal": s.id("q1"), "call": call, "applicant": lead, "content": { "acronym": "Q", "title": "Q", "country": "IT" } }));
    s.ok("proposal.submit", json!({ "proposal": s.id("q1"), "pages": 1, "documents": [{ "key": "part-b", "sha256": sha("q") }] }));
    s.at("2025-02-28T16:00:01Z");
    s.by("engine", Role::System);
    s.either("call.close_cut_off", json!({ "call": call, "cut_off": "R1" }));
    s.by("otto", Role::ProgrammeOfficer);
    let open = json!({ "evaluation": s.id("EQ"), "call": call, "cut_off": "R1", "stage": "full" });
    s.no("evaluation.no_evaluation", "evaluation.open", open);
    s.ok(
        "proposal.check_admissibility",
        json!({ "proposal": s.id("q1"), "answers": [{ "key": "complete", "yes": true }] }),
    );
    s.ok(
        "proposal.check_eligibility",
        json!({ "proposal": s.id("q1"), "answers": [{ "key": "entity", "yes": true }] }),
    );
    s.by("bea", Role::GoverningBoard);
    s.no(
        "call.no_budget",
        "call.raise_budget",
        json!({ "call": call, "by": "EUR 1.00", "reason": "r" }),
    );
    let award = json!({ "call": call, "cut_off": "R1", "funded": [{ "proposal": s.id("q1"), "grant": s.id("Q") }] });
    s.no_with("call.no_budget", "call.award_round", &award, json!({ "union": "EUR 1.00" }));
    s.ok("call.award_round", award);
    s.by("engine", Role::System);
    s.either("grant.prepare", json!({ "grant": s.id("Q"), "proposal": s.id("q1") }));
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("grant.conclude_hosting_agreement", json!({ "grant": s.id("Q"), "document": sha("q") }));
    s.ok(
        "grant.start_procurement",
        json!({ "grant": s.id("Q"), "procurement": "machine", "tender": "t" }),
    );
    let sign = json!({ "grant": s.id("Q"), "procurement": "machine", "union": "EUR 10.00" });
    s.no("grant.not_committed", "grant.sign_contract", sign.clone());
    two_funds(s, &call);
    s.no("grant.several_funds", "grant.sign_contract", sign.clone());
    let mut named = sign;
    merge(&mut named, json!({ "fund": s.id("Q2") }));
    s.ok("grant.sign_contract", named);
    let mut wish = order(s, "QP", "Q", "pre_financing", 100);
    merge(&mut wish, json!({ "fund": s.id("Q2") }));
    s.no_by(("ivan", Role::InitiatingAgent), "payment.no_payment_rules", "payment.initiate", &wish);
}
