//! What becomes of an award: agreement or contract, match, payments by four people, bank statements,
//! reports, closure.

use super::selection::Plan;
use super::{Script, eur, merge, sha};
use domain::kernel::actor::Role;
use serde_json::{Value, json};

/// The grant agreement of the first award: signed, amended, paid, reported, closed.
pub fn agreement(s: &mut Script, plan: &Plan) {
    s.at("2024-12-12T09:00:00Z");
    s.by("engine", Role::System);
    s.either("grant.prepare", json!({ "grant": s.id("A"), "proposal": s.id("p1") }));
    s.by("otto", Role::ProgrammeOfficer);
    s.no(
        "grant.not_awarded",
        "grant.prepare",
        json!({ "grant": s.id("X"), "proposal": s.id("p5") }),
    );
    s.no(
        "grant.other_grant",
        "grant.prepare",
        json!({ "grant": s.id("X"), "proposal": s.id("p1") }),
    );
    budget(s, plan);
    let lead = s.id("lead-p1");
    let sign = json!({ "grant": s.id("A"), "starts": "2025-01-01", "ends": "2027-12-31",
        "total": eur(4 * plan.unit), "union": eur(2 * plan.unit) });
    s.by("xena", Role::AuthorisingOfficer);
    s.no_with("grant.sums_differ", "grant.sign", &sign, json!({ "union": eur(2 * plan.unit - 1) }));
    s.no_with("grant.backwards", "grant.sign", &sign, json!({ "ends": "2024-12-31" }));
    s.no("grant.not_accepted", "grant.sign", sign.clone());
    s.by(&lead, Role::Applicant);
    s.ok("grant.accept", json!({ "grant": s.id("A") }));
    s.no_by((&lead, Role::AuthorisingOfficer), "grant.same_person", "grant.sign", &sign);
    s.by("xena", Role::AuthorisingOfficer);
    s.no("grant.not_matched", "grant.sign", sign.clone());
    pledges(s, plan);
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("grant.sign", sign.clone());
    s.no("grant.in_force", "grant.sign", sign);
    amendments(s);
}

/// The payments, bank statements and reports of the agreement.
pub fn accounts(s: &mut Script, plan: &Plan) {
    prefinancing(s, plan);
    super::books::statements(s, plan);
    reports(s, plan);
}

fn budget(s: &mut Script, plan: &Plan) {
    let (u, lead) = (plan.unit, s.id("lead-p1"));
    s.by(&lead, Role::Applicant);
    s.no("grant.no_budget", "grant.accept", json!({ "grant": s.id("A") }));
    let item = |key: &str, change: Value| {
        let mut item = json!({ "item": key, "total": eur(2 * u), "union": eur(u), "national": eur(u - 1_000), "other": "EUR 10.00" });
        merge(&mut item, change);
        item
    };
    let member = |key: &str, role: &str, cents: i64| json!({ "beneficiary": key, "country": "FI", "role": role, "union": eur(cents) });
    let (first, second) = (item("acquisition", json!({})), item("operating", json!({})));
    let members = [
        member("host", "coordinator", 2 * u - 500),
        member("partner", "beneficiary", 500),
        member("friend", "associated_partner", 0),
    ];
    let whole = json!({ "grant": s.id("A"), "items": [first, second], "beneficiaries": members });
    let items = |change: Value| json!({ "items": [item("acquisition", change), second] });
    for (code, change) in [
        ("grant.negative", items(json!({ "other": "EUR -0.01" }))),
        ("grant.not_funded", items(json!({ "item": "travel" }))),
        ("grant.does_not_add_up", items(json!({ "total": eur(2 * u + 1) }))),
        (
            "grant.ceiling_exceeded",
            items(json!({ "union": eur(u + 1), "national": eur(u - 1_001) })),
        ),
        ("grant.key_used", json!({ "items": [first, first] })),
        (
            "grant.one_coordinator",
            json!({ "beneficiaries": [member("host", "beneficiary", 2 * u)] }),
        ),
        (
            "grant.partner_funded",
            json!({ "beneficiaries": [members[0], member("friend", "associated_partner", 500)] }),
        ),
        ("grant.shares_differ", json!({ "beneficiaries": [members[0]] })),
        ("command.too_many", json!({ "items": vec![first.clone(); 51] })),
    ] {
        s.no_with(code, "grant.set_budget", &whole, change);
    }
    s.no_by(("eve", Role::Applicant), "grant.not_applicant", "grant.set_budget", &whole);
    s.ok("grant.set_budget", whole);
}

fn pledges(s: &mut Script, plan: &Plan) {
    let u = plan.unit;
    s.by("nat", Role::NationalAuthority);
    let umbrella =
        json!({ "pledge": s.id("U"), "amount": eur(3 * u), "call": s.id("CALL"), "kind": "cash" });
    s.no_with("pledge.not_positive", "pledge.make", &umbrella, json!({ "amount": "EUR 0.00" }));
    s.ok("pledge.make", umbrella.clone());
    let mut part = umbrella.clone();
    merge(
        &mut part,
        json!({ "pledge": s.id("PA"), "amount": eur(2 * u), "grant": s.id("A"),
        "part_of": s.id("U"), "state": "FI" }),
    );
    s.no_with("pledge.other_umbrella", "pledge.make", &part, json!({ "kind": "in_kind" }));
    s.no_with(
        "pledge.umbrella_exceeded",
        "pledge.make",
        &part,
        json!({ "amount": eur(3 * u + 1) }),
    );
    s.ok("pledge.make", part.clone());
    s.no_with(
        "pledge.nested",
        "pledge.make",
        &part,
        json!({ "pledge": s.id("PN"), "part_of": s.id("PA") }),
    );
    s.ok("pledge.raise", json!({ "pledge": s.id("PA"), "amount": "EUR 0.01", "reason": "a vote" }));
    s.no("pledge.has_parts", "pledge.withdraw", json!({ "pledge": s.id("U"), "reason": "r" }));
    let step = |s: &Script, cents: i64| json!({ "pledge": s.id("PA"), "amount": eur(cents) });
    let (whole, more) = (step(s, 2 * u), step(s, 2 * u + 2));
    s.no("pledge.step_exceeded", "pledge.sign", more);
    s.ok("pledge.sign", whole.clone());
    s.ok("pledge.report", whole.clone());
    s.no_by(("nat", Role::Certifier), "pledge.same_person", "pledge.certify", &whole);
    s.by("cert", Role::Certifier);
    s.ok("pledge.certify", whole.clone());
    s.by("xena", Role::AuthorisingOfficer);
    let over = step(s, 2 * u + 1);
    s.no("pledge.step_exceeded", "pledge.count", over);
    s.ok("pledge.count", whole);
    s.by("nat", Role::NationalAuthority);
    s.no(
        "pledge.already_counted",
        "pledge.withdraw",
        json!({ "pledge": s.id("PA"), "reason": "r" }),
    );
    let mut facility = umbrella;
    merge(&mut facility, json!({ "pledge": s.id("RRF"), "kind": "rrf", "grant": s.id("A") }));
    s.ok("pledge.make", facility);
    s.no_by(
        ("xena", Role::AuthorisingOfficer),
        "pledge.union_money",
        "pledge.count",
        &json!({ "pledge": s.id("RRF"), "amount": "EUR 1.00" }),
    );
    s.ok("pledge.withdraw", json!({ "pledge": s.id("RRF"), "reason": "not a match" }));
}

fn amendments(s: &mut Script) {
    let lead = s.id("lead-p1");
    s.by(&lead, Role::Applicant);
    let ask = |s: &Script, key: &str, change: Value| json!({ "grant": s.id("A"), "amendment": key, "reason": "we need it", "change": change });
    let decide = |s: &Script, key: &str, approved: bool| json!({ "grant": s.id("A"), "amendment": key, "approved": approved, "reason": "seen" });
    let longer =
        ask(s, "dates", json!({ "kind": "dates", "starts": "2025-01-01", "ends": "2028-06-30" }));
    s.no_with(
        "grant.backwards",
        "grant.request_amendment",
        &longer,
        json!({ "change": { "ends": "2024-06-30" } }),
    );
    s.no_by(("eve", Role::Applicant), "grant.not_applicant", "grant.request_amendment", &longer);
    s.ok("grant.request_amendment", longer.clone());
    s.no("grant.key_used", "grant.request_amendment", longer);
    let joins = json!({ "kind": "add_beneficiary", "from": "host", "beneficiary":
        { "beneficiary": "newcomer", "country": "ES", "role": "beneficiary", "union": "EUR 7.00" } });
    let joins = ask(s, "joins", joins);
    s.ok("grant.request_amendment", joins);
    let leaves = ask(
        s,
        "leaves",
        json!({ "kind": "remove_beneficiary", "beneficiary": "partner", "to": "host" }),
    );
    s.no_with(
        "grant.unknown_key",
        "grant.request_amendment",
        &leaves,
        json!({ "change": { "to": "nobody" } }),
    );
    s.ok("grant.request_amendment", leaves);
    let dates = decide(s, "dates", true);
    s.no_by(
        (&lead, Role::AuthorisingOfficer),
        "grant.same_person",
        "grant.decide_amendment",
        &dates,
    );
    s.by("xena", Role::AuthorisingOfficer);
    s.no_with(
        "grant.unknown_key",
        "grant.decide_amendment",
        &dates,
        json!({ "amendment": "none" }),
    );
    s.ok("grant.decide_amendment", dates.clone());
    s.no("grant.decided", "grant.decide_amendment", dates);
    for (key, approved) in [("joins", true), ("leaves", false)] {
        let data = decide(s, key, approved);
        s.ok("grant.decide_amendment", data);
    }
    s.ok("grant.suspend", json!({ "grant": s.id("A"), "reason": "an audit" }));
    let payment = order(s, "S", "A", "pre_financing", 1);
    s.no_by(("ivan", Role::InitiatingAgent), "payment.not_payable", "payment.initiate", &payment);
    s.ok("grant.resume", json!({ "grant": s.id("A"), "reason": "nothing found" }));
}

pub fn order(s: &Script, payment: &str, grant: &str, kind: &str, cents: i64) -> Value {
    json!({ "payment": s.id(payment), "grant": s.id(grant), "fund": s.id("F"), "kind": kind,
        "amount": eur(cents), "clause": "Art. 22.3" })
}

/// The three steps after a payment was asked for, each by somebody else.
fn steps(s: &mut Script, payment: &str) {
    let data = json!({ "payment": s.id(payment) });
    let execute = json!({ "payment": s.id(payment), "end_to_end_id": s.id(payment) });
    s.no_by(("ivan", Role::VerifyingAgent), "payment.same_person", "payment.verify", &data);
    s.by("vera", Role::VerifyingAgent);
    s.ok("payment.verify", data.clone());
    s.no_by(("vera", Role::AuthorisingOfficer), "payment.same_person", "payment.authorise", &data);
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("payment.authorise", data);
    if payment == "PF" {
        let other = naming(s, "A", "BA-4");
        let otto = ("otto", Role::ProgrammeOfficer);
        s.no_by(otto, "grant.payment_ordered", "grant.name_account", &other);
    }
    s.no_by(("ivan", Role::AccountingOfficer), "payment.same_person", "payment.execute", &execute);
    s.by("alba", Role::AccountingOfficer);
    s.no_with(
        "payment.end_to_end_id",
        "payment.execute",
        &execute,
        json!({ "end_to_end_id": "ümlaut" }),
    );
}

fn paid(s: &mut Script, payment: &str, data: Value) {
    s.by("ivan", Role::InitiatingAgent);
    s.ok("payment.initiate", data);
    steps(s, payment);
    s.ok("payment.execute", json!({ "payment": s.id(payment), "end_to_end_id": s.id(payment) }));
}

fn naming(s: &Script, grant: &str, account: &str) -> Value {
    json!({ "grant": s.id(grant), "account": account, "document": sha(account), "reason": "our bank" })
}

fn deciding(s: &Script, grant: &str, account: &str, approved: bool) -> Value {
    json!({ "grant": s.id(grant), "account": account, "document": sha(account), "approved": approved, "reason": "the bank was called" })
}

/// One person names the bank account of a grant, another confirms it.
fn account(s: &mut Script, grant: &str, person: (&str, Role), account: &str) {
    s.by(person.0, person.1);
    s.ok("grant.name_account", naming(s, grant, account));
    s.by("alba", Role::AccountingOfficer);
    s.ok("grant.decide_account", deciding(s, grant, account, true));
}

/// Without an account nothing is paid; the first that is named is not the coordinator's.
fn accounts_named(s: &mut Script, wish: &Value) {
    let lead = s.id("lead-p1");
    s.no_by(("ivan", Role::InitiatingAgent), "grant.no_account", "payment.initiate", wish);
    s.by(&lead, Role::Applicant);
    let (first, second) = (naming(s, "A", "BA-1"), naming(s, "A", "BA-2"));
    let number = json!({ "account": "FI21-1234-5600-0007-85" });
    s.no_with("grant.account_number", "grant.name_account", &first, number);
    s.no_by(("eve", Role::Applicant), "grant.not_applicant", "grant.name_account", &first);
    s.ok("grant.name_account", first);
    s.no("grant.account_waits", "grant.name_account", &second);
    let refused = deciding(s, "A", "BA-1", false);
    s.no_by(
        (&lead, Role::AccountingOfficer),
        "grant.same_person",
        "grant.decide_account",
        &refused,
    );
    s.by("alba", Role::AccountingOfficer);
    s.no("grant.account_not_waiting", "grant.decide_account", deciding(s, "A", "BA-2", true));
    s.ok("grant.decide_account", refused);
    account(s, "A", (&lead, Role::Applicant), "BA-2");
    s.no_by((&lead, Role::Applicant), "grant.account_confirmed", "grant.name_account", &second);
}

/// The account changes while a payment to the one before is on its way.
fn account_changes(s: &mut Script, plan: &Plan) {
    let wish = order(s, "PO", "A", "pre_financing", plan.unit);
    let payment = json!({ "payment": s.id("PO") });
    s.by("ivan", Role::InitiatingAgent);
    s.ok("payment.initiate", wish);
    s.by("vera", Role::VerifyingAgent);
    s.ok("payment.verify", payment.clone());
    account(s, "A", ("otto", Role::ProgrammeOfficer), "BA-3");
    s.by("xena", Role::AuthorisingOfficer);
    s.no("payment.other_account", "payment.authorise", payment.clone());
    // The same account as before is another payee.
    account(s, "A", ("otto", Role::ProgrammeOfficer), "BA-2");
    s.by("xena", Role::AuthorisingOfficer);
    s.no("payment.other_account", "payment.authorise", payment);
    s.ok("payment.reject", json!({ "payment": s.id("PO"), "reason": "for the account before" }));
}

fn prefinancing(s: &mut Script, plan: &Plan) {
    s.at("2025-03-01T09:00:00Z");
    let wish = order(s, "PF", "A", "pre_financing", plan.unit);
    accounts_named(s, &wish);
    account_changes(s, plan);
    s.by("ivan", Role::InitiatingAgent);
    for (code, change) in [
        ("payment.not_positive", json!({ "amount": "EUR 0.00" })),
        ("payment.other_fund", json!({ "fund": s.id("none") })),
        ("payment.no_basis", json!({ "clause": null })),
        ("payment.pre_financing_exceeded", json!({ "amount": eur(plan.unit + 1) })),
        ("command.not_found", json!({ "grant": s.id("none") })),
    ] {
        s.no_with(code, "payment.initiate", &wish, change);
    }
    let mut stopped = wish.clone();
    merge(&mut stopped, json!({ "payment": s.id("PX") }));
    s.ok("payment.initiate", stopped);
    s.by("vera", Role::VerifyingAgent);
    s.ok("payment.reject", json!({ "payment": s.id("PX"), "reason": "asked for twice" }));
    paid(s, "PF", wish);
}

/// A report: its grant, key and kind, its period, and what of the Union's money it claims.
fn report(s: &Script, [grant, key, kind]: [&str; 3], period: (&str, &str), cents: i64) -> Value {
    let claimed = json!([{ "item": "operating", "total": eur(2 * cents), "union": eur(cents) }]);
    json!({ "grant": s.id(grant), "report": key, "kind": kind, "from": period.0, "to": period.1,
        "document": sha(key), "claimed": claimed })
}

fn assess(s: &mut Script, report: &Value) {
    let data = json!({ "grant": report["grant"], "report": report["report"], "comments": "seen", "accepted": report["claimed"] });
    s.by("otto", Role::ProgrammeOfficer);
    s.no_with("grant.unknown_key", "grant.assess_report", &data, json!({ "report": "none" }));
    let mut one = data["accepted"][0].clone();
    merge(&mut one, json!({ "total": "EUR 0.01" }));
    s.no_with("grant.ceiling_exceeded", "grant.assess_report", &data, json!({ "accepted": [one] }));
    merge(&mut one, json!({ "total": "EUR 9000000000.00" }));
    s.no_with(
        "grant.more_than_claimed",
        "grant.assess_report",
        &data,
        json!({ "accepted": [one] }),
    );
    s.ok("grant.assess_report", data.clone());
    s.no("grant.decided", "grant.assess_report", data);
}

fn reports(s: &mut Script, plan: &Plan) {
    let u = plan.unit;
    let (lead, accepted, interim) = (s.id("lead-p1"), u / 10 * 9, 2 * u * 9 / 10 - u);
    s.at("2026-01-10T09:00:00Z");
    s.by(&lead, Role::Applicant);
    let first = report(s, ["A", "r1", "periodic"], ("2025-01-01", "2025-12-31"), accepted);
    s.no_with("grant.backwards", "grant.submit_report", &first, json!({ "to": "2024-12-31" }));
    s.no_by(("eve", Role::Applicant), "grant.not_applicant", "grant.submit_report", &first);
    s.ok("grant.submit_report", first.clone());
    s.no("grant.key_used", "grant.submit_report", first.clone());
    s.no_with("grant.period_taken", "grant.submit_report", &first, json!({ "report": "r9" }));
    let wish = {
        let mut wish = order(s, "IN", "A", "interim", interim);
        merge(&mut wish, json!({ "report": "r1" }));
        wish
    };
    s.no_by(("ivan", Role::InitiatingAgent), "payment.no_basis", "payment.initiate", &wish);
    s.no_by(
        (&lead, Role::ProgrammeOfficer),
        "grant.same_person",
        "grant.assess_report",
        &json!({ "grant": s.id("A"), "report": "r1", "comments": "", "accepted": [] }),
    );
    assess(s, &first);
    s.by(&lead, Role::Applicant);
    let last =
        report(s, ["A", "r2", "final"], ("2026-01-01", "2027-12-31"), u + interim - accepted);
    s.ok("grant.submit_report", last.clone());
    let close = json!({ "grant": s.id("A") });
    s.no_by(("xena", Role::AuthorisingOfficer), "grant.no_final_report", "grant.close", &close);
    assess(s, &last);
    s.no_by(("xena", Role::AuthorisingOfficer), "grant.not_settled", "grant.close", &close);
    settle(s, plan, wish);
}

/// The interim payment and the balance of the reports, and a recovery after the end.
fn settle(s: &mut Script, plan: &Plan, wish: Value) {
    let u = plan.unit;
    let (accepted, interim) = (u / 10 * 9, 2 * u * 9 / 10 - u);
    let close = json!({ "grant": s.id("A") });
    s.by("ivan", Role::InitiatingAgent);
    s.no_with(
        "payment.accepted_exceeded",
        "payment.initiate",
        &wish,
        json!({ "amount": eur(accepted + 1) }),
    );
    s.no_with(
        "payment.before_balance_exceeded",
        "payment.initiate",
        &wish,
        json!({ "amount": eur(interim + 1) }),
    );
    s.ok("payment.initiate", wish);
    s.no_by(("xena", Role::AuthorisingOfficer), "grant.payment_open", "grant.close", &close);
    steps(s, "IN");
    let execute = json!({ "payment": s.id("IN"), "end_to_end_id": s.id("IN") });
    s.no_with(
        "payment.end_to_end_id_used",
        "payment.execute",
        &execute,
        json!({ "end_to_end_id": s.id("PF") }),
    );
    s.ok("payment.execute", execute);
    s.no_by(("xena", Role::AuthorisingOfficer), "grant.insurance_held", "grant.close", &close);
    let mut balance = order(s, "BA", "A", "balance", 0);
    merge(&mut balance, json!({ "report": "r2" }));
    s.by("ivan", Role::InitiatingAgent);
    s.no_with(
        "payment.accepted_exceeded",
        "payment.initiate",
        &balance,
        json!({ "amount": "EUR 0.01" }),
    );
    s.no_with("payment.no_basis", "payment.initiate", &balance, json!({ "report": "r1" }));
    paid(s, "BA", balance.clone());
    s.by("ivan", Role::InitiatingAgent);
    s.no_with(
        "payment.balance_exists",
        "payment.initiate",
        &balance,
        json!({ "payment": s.id("BB"), "amount": "EUR 0.01" }),
    );
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("grant.close", close);
    let more =
        json!({ "fund": s.id("F"), "commitment": "G1", "grant": s.id("A"), "amount": "EUR 0.01" });
    s.no("fund.grant_closed", "fund.commit_individually", more);
    s.by("ivan", Role::InitiatingAgent);
    let back = order(s, "RE", "A", "recovery", 1);
    s.no_with(
        "payment.recovery_exceeded",
        "payment.initiate",
        &back,
        json!({ "amount": eur(u + interim + 1) }),
    );
    paid(s, "RE", back);
}

/// The next of the reserve list, within the commitment of the round.
pub fn reserve(s: &mut Script, plan: &Plan) {
    s.by("bea", Role::GoverningBoard);
    let next = json!({ "call": s.id("CALL"), "proposal": s.id("p3"), "grant": s.id("C"), "union": eur(2 * plan.unit) });
    let name = "call.activate_reserve";
    s.no_with("call.not_in_reserve", name, &next, json!({ "proposal": s.id("p5") }));
    s.no_with("call.not_next_in_reserve", name, &next, json!({ "proposal": s.id("p4") }));
    s.no_with("call.grant_exists", name, &next, json!({ "grant": s.id("A") }));
    s.no_with("call.more_than_requested", name, &next, json!({ "union": eur(2 * plan.unit + 1) }));
    s.ok(name, next);
    // The round's total is used up; 2 units of the envelope are free, and one more is not committed.
    let last = json!({ "call": s.id("CALL"), "proposal": s.id("p4"), "grant": s.id("D"), "union": eur(1) });
    s.no("fund.global_commitment_exceeded", name, last.clone());
    s.no_with("call.other_commitment", name, &last, json!({ "commitment": "other" }));
    s.by("xena", Role::AuthorisingOfficer);
    let more = json!({ "fund": s.id("F"), "commitment": "G1", "amount": eur(2 * plan.unit), "reason": "reserve" });
    s.no_with(
        "fund.no_commitment",
        "fund.increase_commitment",
        &more,
        json!({ "commitment": "none" }),
    );
    s.no_with(
        "fund.appropriation_exceeded",
        "fund.increase_commitment",
        &more,
        json!({ "amount": eur(13 * plan.unit + 1) }),
    );
    s.ok("fund.increase_commitment", more);
}

/// The contract of a procurement under the second award: returned, terminated, recovered.
pub fn contract(s: &mut Script, plan: &Plan) {
    let (u, half, lead) = (plan.unit, plan.unit / 2, s.id("lead-p2"));
    s.at("2024-12-12T10:00:00Z");
    s.by("engine", Role::System);
    s.either("grant.prepare", json!({ "grant": s.id("B"), "proposal": s.id("p2") }));
    s.by("otto", Role::ProgrammeOfficer);
    let tender = json!({ "grant": s.id("B"), "procurement": "machine", "tender": "a machine" });
    s.no("grant.no_hosting_agreement", "grant.start_procurement", tender.clone());
    let hosting =
        json!({ "grant": s.id("B"), "document": sha("hosting"), "signed_on": "2024-12-11" });
    s.ok("grant.conclude_hosting_agreement", hosting.clone());
    s.ok("grant.start_procurement", tender.clone());
    s.no("grant.key_used", "grant.start_procurement", tender);
    s.by("xena", Role::AuthorisingOfficer);
    let sign = json!({ "grant": s.id("B"), "procurement": "machine", "supplier": "maker",
        "total": eur(2 * u), "union": eur(u), "national": eur(u) });
    for (code, change) in [
        ("grant.unknown_key", json!({ "procurement": "other" })),
        ("grant.negative", json!({ "national": "EUR -0.01" })),
        ("grant.does_not_add_up", json!({ "national": eur(u + 1) })),
        ("grant.ceiling_exceeded", json!({ "union": eur(u + 1), "national": null })),
        ("fund.individual_commitment_exceeded", json!({ "union": eur(2 * u + 1), "total": null })),
        ("fund.not_positive", json!({ "union": "EUR 0.00" })),
    ] {
        s.no_with(code, "grant.sign_contract", &sign, change);
    }
    s.ok("grant.sign_contract", sign.clone());
    s.no("grant.decided", "grant.sign_contract", sign);
    s.no("grant.hosting_agreed", "grant.conclude_hosting_agreement", hosting);
    let amendment = json!({ "grant": s.id("B"), "amendment": "a", "reason": "r", "change": { "kind": "dates", "starts": "2025-01-01", "ends": "2025-02-01" } });
    s.no_by((&lead, Role::Applicant), "grant.no_agreement", "grant.request_amendment", &amendment);
    account(s, "B", (&lead, Role::Applicant), "BB-1");
    returned(s, half);
    terminated(s, half);
}

fn returned(s: &mut Script, half: i64) {
    let first = order(s, "B1", "B", "pre_financing", half);
    paid(s, "B1", first.clone());
    s.by("alba", Role::AccountingOfficer);
    s.ok("payment.return", json!({ "payment": s.id("B1"), "reason": "account closed" }));
    let mut second = first.clone();
    merge(&mut second, json!({ "payment": s.id("B2") }));
    s.by("ivan", Role::InitiatingAgent);
    s.ok("payment.initiate", second);
    steps(s, "B2");
    // What the contract holds is not released, even if nothing of it is paid.
    s.by("xena", Role::AuthorisingOfficer);
    let release =
        json!({ "fund": s.id("F"), "grant": s.id("B"), "reason": "less", "amount": eur(2 * half) });
    s.no_with(
        "fund.individual_commitment_exceeded",
        "fund.decommit_grant",
        &release,
        json!({ "amount": eur(2 * half + 1) }),
    );
    s.ok("fund.decommit_grant", release);
    s.ok("payment.reject", json!({ "payment": s.id("B2"), "reason": "wrong payee" }));
    let mut third = first;
    merge(&mut third, json!({ "payment": s.id("B3") }));
    s.by("ivan", Role::InitiatingAgent);
    merge(&mut third, json!({ "amount": eur(half - 1) }));
    paid(s, "B3", third);
}

fn terminated(s: &mut Script, half: i64) {
    let lead = s.id("lead-p2");
    let end = json!({ "grant": s.id("B"), "by": "authority", "reason": "breach" });
    s.no_by((&lead, Role::Applicant), "grant.other_party", "grant.terminate", &end);
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("grant.terminate", end);
    s.by(&lead, Role::Applicant);
    let last = report(s, ["B", "last", "final"], ("2025-01-01", "2025-06-30"), half / 2);
    s.ok("grant.submit_report", last.clone());
    assess(s, &last);
    let back = order(s, "B4", "B", "recovery", half - 1 - half / 2);
    s.no_by(("ivan", Role::InitiatingAgent), "payment.no_basis", "payment.initiate", &{
        let mut back = back.clone();
        merge(&mut back, json!({ "clause": null }));
        back
    });
    paid(s, "B4", back);
    let undone = json!({ "payment": s.id("B3"), "reason": "too late" });
    s.no_by(("alba", Role::AccountingOfficer), "fund.more_than_paid", "payment.return", &undone);
    let mut balance = order(s, "B5", "B", "balance", 0);
    merge(&mut balance, json!({ "report": "last" }));
    paid(s, "B5", balance);
    s.by("xena", Role::AuthorisingOfficer);
    s.ok("grant.close", json!({ "grant": s.id("B") }));
}
