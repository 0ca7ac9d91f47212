//! An audit of the agreement's payments, with the mistakes that auditors and auditees make.

use super::selection::Plan;
use super::{KEY, SPARE_KEY, Script, merge, sha};
use domain::kernel::actor::Role;
use domain::kernel::canonical::Sha256Hex;
use serde_json::{Value, json};

fn plan(s: &Script, audit: &str, change: &Value) -> Value {
    let mut open = json!({ "audit": s.id(audit), "plan": { "answer_days": 30, "assurance": "95%",
        "from": "2025-01-01", "to": "2026-12-31", "zone": "Europe/Luxembourg", "title": "Payments",
        "population": "payments",
        "method": { "by": "monetary_unit", "materiality": "EUR 500000", "expected": "EUR 0" } } });
    merge(&mut open, json!({ "plan": change }));
    open
}

/// Opens an engagement and commits to a nonce. The desk fills in the checkpoint.
fn bound(s: &mut Script, audit: &str, open: Value) -> Value {
    s.by("aud", Role::Auditor);
    s.ok("audit.open", open);
    let nonce = Sha256Hex::of(s.id(audit).as_bytes());
    let commitment = Sha256Hex::of(&nonce.0);
    s.ok("audit.commit_nonce", json!({ "audit": s.id(audit), "commitment": commitment }));
    json!({ "audit": s.id(audit), "nonce": nonce, "checkpoint": { "root": sha("root"), "size": 0 } })
}

/// A checkpoint is asked for, a key is retired, and what a service could do wrong is refused.
fn checkpoints(s: &mut Script) {
    s.ok("checkpoint.request", json!({ "reason": "the auditors come" }));
    let record =
        json!({ "keys": [KEY], "note": "log.example\n1\n", "root": sha("root"), "size": 1 });
    let system = ("tranche", Role::System);
    s.no_by(system, "checkpoint.not_newer", "checkpoint.record", &record);
    let far = json!({ "keys": [KEY], "note": "log.example\n9000000000\n", "root": sha("root"), "size": 9_000_000_000_u64 });
    s.no_by(system, "checkpoint.beyond_log", "checkpoint.record", &far);
    let retire = json!({ "key": SPARE_KEY, "reason": "its machine was sold" });
    s.by("xena", Role::AuthorisingOfficer);
    s.no_with("checkpoint.unknown_key", "checkpoint.retire_key", &retire, json!({ "key": "none" }));
    s.ok("checkpoint.retire_key", retire);
    s.by("aud", Role::Auditor);
}

/// The whole way of one engagement.
pub fn engagement(s: &mut Script, _: &Plan) {
    s.at("2026-06-01T09:00:00Z");
    let open = plan(s, "E", &json!({ "grant": s.id("A") }));
    let method = |materiality: &str, expected: &str| json!({ "plan": { "method": { "materiality": materiality, "expected": expected } } });
    s.by("aud", Role::Auditor);
    for (code, change) in [
        ("audit.answer_days", json!({ "plan": { "answer_days": 0 } })),
        ("audit.backwards", json!({ "plan": { "to": "2024-12-31" } })),
        ("audit.not_positive", method("EUR 0.00", "EUR 0.00")),
        ("command.not_found", json!({ "plan": { "grant": s.id("none") } })),
    ] {
        s.no_with(code, "audit.open", &open, change);
    }
    checkpoints(s);
    let draw = bound(s, "E", open);
    s.no_with("audit.other_nonce", "audit.draw", &draw, json!({ "nonce": sha("other") }));
    let far = json!({ "checkpoint": { "size": 1_000_000_000 } });
    s.no_with("audit.other_checkpoint", "audit.draw", &draw, far);
    s.no("audit.not_drawn", "audit.close", json!({ "audit": s.id("E"), "conclusion": "again" }));
    s.no_by(("vera", Role::Auditor), "audit.acted_on", "audit.draw", &draw);
    s.ok("audit.draw", draw);
    tests(s);
    heard(s);
    corrected(s);
    others(s);
}

fn tests(s: &mut Script) {
    let close = json!({ "audit": s.id("E"), "conclusion": "fair" });
    s.no("audit.not_tested", "audit.close", close);
    for item in ["PF", "IN"] {
        let test = json!({ "audit": s.id("E"), "item": s.id(item), "audited": "EUR 1.00", "note": "seen" });
        s.no_with("audit.not_in_sample", "audit.test", &test, json!({ "item": s.id("RE") }));
        s.no_with("audit.negative", "audit.test", &test, json!({ "audited": "EUR -1.00" }));
        s.ok("audit.test", test);
    }
}

fn heard(s: &mut Script) {
    let raise = json!({ "audit": s.id("E"), "finding": "1", "holds": { "amount": "EUR 0.01",
        "evidence": sha("proof"), "item": s.id("PF"), "rule": "Art. 6", "what": "not due" } });
    s.ok("audit.raise", raise.clone());
    s.no("audit.finding_exists", "audit.raise", raise);
    let confirm =
        json!({ "audit": s.id("E"), "finding": "1", "amount": "EUR 0.01", "reason": "no proof" });
    s.no("audit.not_heard", "audit.confirm", confirm.clone());
    s.no_with("audit.no_finding", "audit.confirm", &confirm, json!({ "finding": "9" }));
    let answer =
        json!({ "audit": s.id("E"), "finding": "1", "accepts": true, "answer": "it is so" });
    s.no_by(("aud", Role::ProgrammeOfficer), "audit.own_finding", "audit.answer", &answer);
    s.no_by(("eve", Role::Applicant), "grant.not_applicant", "audit.answer", &answer);
    let lead = s.id("lead-p1");
    s.by(&lead, Role::Applicant);
    s.ok("audit.answer", answer.clone());
    s.no("audit.answered", "audit.answer", answer);
    s.by("aud", Role::Auditor);
    s.ok("audit.confirm", confirm.clone());
    s.no("audit.other_stage", "audit.confirm", confirm);
}

fn corrected(s: &mut Script) {
    let follow =
        json!({ "audit": s.id("E"), "finding": "1", "note": "seen", "outcome": "implemented" });
    s.no("audit.not_corrected", "audit.follow_up", follow.clone());
    let close = json!({ "audit": s.id("E"), "conclusion": "fair" });
    s.no("audit.not_settled", "audit.close", close.clone());
    let correct =
        json!({ "audit": s.id("E"), "finding": "1", "payment": s.id("RE"), "amount": "EUR 0.01" });
    s.by("alba", Role::AccountingOfficer);
    for (code, change) in [
        ("audit.not_carried_out", json!({ "payment": s.id("PX") })),
        ("audit.itself", json!({ "payment": s.id("PF") })),
        ("audit.correction_exceeded", json!({ "amount": "EUR 0.02" })),
    ] {
        s.no_with(code, "audit.correct", &correct, change);
    }
    s.ok("audit.correct", correct);
    s.by("aud", Role::Auditor);
    s.ok("audit.follow_up", follow);
    s.ok("audit.close", close);
}

/// Two engagements that come to nothing.
fn others(s: &mut Script) {
    let open = plan(s, "E2", &json!({ "from": "2020-01-01", "to": "2020-12-31" }));
    let draw = bound(s, "E2", open);
    s.no("audit.empty", "audit.draw", draw);
    let raise = json!({ "audit": s.id("E2"), "finding": "1", "holds": { "amount": "EUR 0.00",
        "evidence": sha("proof"), "rule": "Art. 36", "what": "no second pair of eyes" } });
    s.ok("audit.raise", raise);
    let answer =
        json!({ "audit": s.id("E2"), "finding": "1", "accepts": false, "answer": "there was" });
    let lead = s.id("lead-p1");
    s.no_by((&lead, Role::Applicant), "audit.not_auditee", "audit.answer", &answer);
    s.ok("audit.withdraw", json!({ "audit": s.id("E2"), "finding": "1", "reason": "there was" }));
    s.ok("audit.close", json!({ "audit": s.id("E2"), "conclusion": "nothing was paid" }));
    let expects = json!({ "method": { "expected": "EUR 400000" } });
    let open = plan(s, "E3", &expects);
    let draw = bound(s, "E3", open);
    s.no("audit.no_size", "audit.draw", draw);
}
