//! A machine and the compute time on it: offers, requests, awards, usage, overruns, reports.

use super::{Script, rules, sha};
use domain::kernel::actor::Role;
use serde_json::{Value, json};

const HOUR: i64 = 3_600;

/// A life of one machine and its projects.
pub fn live(s: &mut Script) {
    machine(s);
    call(s);
    request(s);
    second_request(s);
    run(s);
    directly(s);
    s.by("ada", Role::AccessOfficer);
    s.at("2026-01-05T09:00:00Z");
    let (system, reason) = (s.id("SYS"), "replaced");
    s.ok("system.retire", json!({ "system": system, "reason": reason }));
    let time = json!({ "partition": s.id("GPU"), "unit": "node", "seconds": HOUR });
    let late = direct(s, "late", &time);
    s.no("system.out_of_service", "allocation.grant_directly", late);
}

fn machine(s: &mut Script) {
    s.by("ada", Role::AccessOfficer);
    let (gpu, cpu, nodes) = (s.id("GPU"), s.id("CPU"), 10 + s.dice.below(1_000));
    let system = json!({ "system": s.id("SYS"), "country": "FI", "union_share": "1/2",
        "partitions": [
            { "partition": gpu, "nodes": nodes, "gpus_per_node": 4, "gpu": "fixture" },
            { "partition": cpu, "nodes": nodes, "gpus_per_node": 0, "cores_per_node": 128 } ] });
    let name = "system.register";
    s.no_with("system.partition_count", name, &system, json!({ "partitions": [] }));
    let empty = json!([{ "partition": gpu, "nodes": 0, "gpus_per_node": 4 }]);
    s.no_with("system.no_nodes", name, &system, json!({ "partitions": empty }));
    let twin = json!({ "partition": gpu, "nodes": 1, "gpus_per_node": 4 });
    s.no_with("system.partition_taken", name, &system, json!({ "partitions": [twin, twin] }));
    s.no_with("system.share_too_large", name, &system, json!({ "union_share": "501/1000" }));
    s.no_by(("ann", Role::Applicant), "command.role_not_allowed", name, &system);
    s.ok(name, system.clone());
    s.no("command.exists", name, system);
    let table =
        json!({ "system": s.id("SYS"), "partition": gpu, "gpus_per_node": 8, "version": 2 });
    let name = "system.set_conversion";
    s.no_with("system.no_partition", name, &table, json!({ "partition": "elsewhere" }));
    s.no_with("system.conversion_version", name, &table, json!({ "version": 3 }));
    s.ok(name, table);
    let offer = json!({ "system": s.id("SYS"), "partition": gpu, "offer": "regular",
        "unit": "node", "seconds": 100 * HOUR, "min_seconds": HOUR, "max_seconds": 60 * HOUR });
    let name = "system.offer";
    s.no_with("system.offer_limits", name, &offer, json!({ "seconds": 0 }));
    s.no_with("system.no_conversion", name, &offer, json!({ "unit": "core" }));
    s.ok(name, offer.clone());
    s.no("system.offer_exists", name, offer.clone());
    let amend = json!({ "system": s.id("SYS"), "partition": gpu, "offer": "regular",
        "seconds": 110 * HOUR, "min_seconds": HOUR, "max_seconds": 60 * HOUR, "reason": "more" });
    s.no_with("system.no_offer", "system.amend_offer", &amend, json!({ "offer": "other" }));
    s.ok("system.amend_offer", amend);
}

fn call(s: &mut Script) {
    s.by("otto", Role::ProgrammeOfficer);
    let rules =
        rules(json!({ "kind": "access", "submission": { "documents": [], "questions": [] },
        "access": { "counted_from": "submission", "decision_working_days": 5, "months": [1, 3],
            "final_report_days": 30, "holidays": ["2024-12-25"], "min_gpu_hours": 8,
            "max_gpu_hours": 600, "overrun_tolerance": "1/20", "source": "call" } }));
    let call = s.id("ACCESS");
    s.ok("call.open", json!({ "call": call, "cut_offs": [], "title": "Access", "rules": rules }));
}

fn ask(s: &Script, name: &str, hours: i64) -> Value {
    json!({ "allocation": s.id(name), "applicant": s.id("ann"), "call": s.id("ACCESS"),
        "mode": "Playground", "months": 3, "offer": "regular", "purpose": "to compute",
        "system": s.id("SYS"),
        "time": { "partition": s.id("GPU"), "unit": "node", "seconds": hours * HOUR } })
}

fn request(s: &mut Script) {
    s.at("2024-10-01T09:00:00Z");
    let ann = s.id("ann");
    s.by(&ann, Role::Applicant);
    let (one, name) = (ask(s, "one", 50), "allocation.request");
    s.no_by(("eve", Role::Applicant), "allocation.not_the_applicant", name, &one);
    s.no_with("command.not_found", name, &one, json!({ "call": "nowhere" }));
    s.no_with("allocation.nothing", name, &one, json!({ "time": { "seconds": 0 } }));
    s.no_with("allocation.too_little", name, &one, json!({ "time": { "seconds": 1_800 } }));
    s.no_with("allocation.too_much", name, &one, json!({ "time": { "seconds": 76 * HOUR } }));
    s.no_with("allocation.months", name, &one, json!({ "months": 2 }));
    s.no_with("command.amount", name, &one, json!({ "time": { "seconds": -1 } }));
    s.no_with("command.too_long", name, &one, json!({ "purpose": "x".repeat(2_001) }));
    s.ok(name, one);
    let check = |s: &Script, feasible: bool| json!({ "allocation": s.id("one"), "comment": "seen", "feasible": feasible });
    let own = check(s, true);
    s.no_by((&ann, Role::SiteSupport), "allocation.own_request", "allocation.check", &own);
    s.by("sam", Role::SiteSupport);
    s.ok("allocation.check", check(s, false));
    s.by("ada", Role::AccessOfficer);
    let award = json!({ "allocation": s.id("one"), "starts": "2024-11-01", "ends": "2025-01-31",
        "time": { "partition": s.id("GPU"), "unit": "node", "seconds": 40 * HOUR } });
    let name = "allocation.award";
    s.no("allocation.not_feasible", name, award.clone());
    s.by("sam", Role::SiteSupport);
    s.ok("allocation.check", check(s, true));
    s.by("ada", Role::AccessOfficer);
    s.no_with("allocation.period", name, &award, json!({ "ends": "2025-02-02" }));
    s.no_with(
        "allocation.not_granted",
        name,
        &award,
        json!({ "time": { "partition": s.id("CPU") } }),
    );
    s.no_with(
        "allocation.more_than_requested",
        name,
        &award,
        json!({ "time": { "seconds": 50 * HOUR + 1 } }),
    );
    s.no_with("system.below_minimum", name, &award, json!({ "time": { "seconds": HOUR - 1 } }));
    s.ok(name, award);
}

fn second_request(s: &mut Script) {
    let ann = s.id("ann");
    for (name, ending) in [("two", "award"), ("three", "withdraw"), ("four", "reject")] {
        s.by(&ann, Role::Applicant);
        let wish = ask(s, name, 75);
        s.ok("allocation.request", wish);
        s.by("sam", Role::SiteSupport);
        s.ok(
            "allocation.check",
            json!({ "allocation": s.id(name), "comment": "", "feasible": true }),
        );
        s.by("ada", Role::AccessOfficer);
        let award = json!({ "allocation": s.id(name), "starts": "2024-11-01", "ends": "2024-12-31",
            "time": { "partition": s.id("GPU"), "unit": "node", "seconds": 60 * HOUR } });
        match ending {
            "award" => {
                s.no_with(
                    "system.above_maximum",
                    "allocation.award",
                    &award,
                    json!({ "time": { "seconds": 60 * HOUR + 1 } }),
                );
                s.ok("allocation.award", award);
            }
            "reject" => {
                s.ok("allocation.reject", json!({ "allocation": s.id(name), "reason": "not now" }));
            }
            _ => {
                // 110 are offered, 100 are awarded.
                s.no("system.offer_exceeded", "allocation.award", award);
                let amend = json!({ "system": s.id("SYS"), "partition": s.id("GPU"),
                    "offer": "regular", "seconds": 99 * HOUR, "reason": "less" });
                s.no("system.below_awarded", "system.amend_offer", amend);
                s.by(&ann, Role::Applicant);
                s.ok(
                    "allocation.withdraw",
                    json!({ "allocation": s.id(name), "reason": "no need" }),
                );
            }
        }
    }
    s.by("sam", Role::SiteSupport);
    s.ok("allocation.provision", json!({ "allocation": s.id("one"), "account": s.id("acc") }));
    s.no(
        "allocation.account_taken",
        "allocation.provision",
        json!({ "allocation": s.id("two"), "account": s.id("acc") }),
    );
    // An award that is given back returns to its offer.
    s.by(&ann, Role::Applicant);
    s.ok("allocation.withdraw", json!({ "allocation": s.id("two"), "reason": "no need" }));
}

fn run(s: &mut Script) {
    s.at("2024-12-02T09:00:00Z");
    s.by("sam", Role::SiteSupport);
    let first = 1 + i64::try_from(s.dice.below(20)).expect("small");
    let usage = json!({ "allocation": s.id("one"), "period": "2024-11", "source": sha("usage"),
        "time": { "partition": s.id("GPU"), "unit": "gpu", "seconds": first * HOUR * 8 } });
    let name = "allocation.record_usage";
    s.no_with(
        "allocation.not_granted",
        name,
        &usage,
        json!({ "time": { "partition": "elsewhere" } }),
    );
    s.no_with("system.not_whole", name, &usage, json!({ "time": { "seconds": 1 } }));
    s.ok(name, usage.clone());
    s.no("allocation.period_recorded", name, usage.clone());
    let more = json!({ "period": "2024-12", "time": { "seconds": (41 - first) * HOUR * 8 } });
    s.no_with("allocation.overrun_without_reason", name, &usage, more.clone());
    let mut over = usage.clone();
    super::merge(&mut over, more);
    super::merge(&mut over, json!({ "reason": "a long run" }));
    s.ok(name, over);
    let correct = json!({ "allocation": s.id("one"), "period": "2024-11", "reason": "recount",
        "time": { "partition": s.id("GPU"), "unit": "node", "seconds": (first + 2) * HOUR } });
    let name = "allocation.correct_usage";
    s.no_with("allocation.no_such_period", name, &correct, json!({ "period": "1999-01" }));
    s.ok(name, correct);
    s.by("ada", Role::AccessOfficer);
    let extend = json!({ "allocation": s.id("one"), "reason": "it pays off", "ends": "2025-03-31",
        "time": { "partition": s.id("GPU"), "unit": "node", "seconds": 10 * HOUR } });
    let name = "allocation.extend";
    s.no_with("allocation.nothing_to_extend", name, &extend, json!({ "ends": null, "time": null }));
    s.no_with("allocation.not_later", name, &extend, json!({ "ends": "2025-01-31" }));
    s.ok(name, extend);
    s.by("sam", Role::SiteSupport);
    let end = json!({ "allocation": s.id("one") });
    s.no("allocation.early_without_reason", "allocation.end", end.clone());
    s.at("2025-04-01T09:00:00Z");
    s.ok("allocation.end", end);
    let ann = s.id("ann");
    s.by(&ann, Role::Applicant);
    let report = json!({ "allocation": s.id("one"), "sha256": sha("report"), "summary": "done" });
    s.no_by(
        ("eve", Role::Applicant),
        "allocation.not_the_applicant",
        "allocation.final_report",
        &report,
    );
    s.ok("allocation.final_report", report.clone());
    s.no("command.wrong_state", "allocation.final_report", report);
}

fn direct(s: &Script, name: &str, time: &Value) -> Value {
    json!({ "allocation": s.id(name), "basis": "a contract", "holder": "somebody",
        "starts": "2025-01-01", "ends": "2025-12-31", "system": s.id("SYS"), "time": time })
}

fn directly(s: &mut Script) {
    s.by("ada", Role::AccessOfficer);
    let time = json!({ "partition": s.id("GPU"), "unit": "node", "seconds": 500 * HOUR });
    let (grant, name) = (direct(s, "direct", &time), "allocation.grant_directly");
    let pool = json!([{ "partition": s.id("GPU"), "system": s.id("SYS") },
        { "partition": s.id("CPU"), "system": s.id("SYS") }]);
    s.no_with("allocation.system_or_pool", name, &grant, json!({ "pool": pool }));
    s.no_with("allocation.pool_name", name, &grant, json!({ "pool": pool, "system": null }));
    s.no_with("allocation.period", name, &grant, json!({ "ends": "2024-12-31" }));
    let many: Vec<Value> = vec![pool[0].clone(); 17];
    s.no_with("command.too_many", name, &grant, json!({ "pool": many, "system": null }));
    s.ok(name, grant.clone());
    let mut pooled = grant;
    super::merge(
        &mut pooled,
        json!({ "allocation": s.id("pool"), "pool": pool, "system": null,
        "time": { "partition": s.id("all") } }),
    );
    s.ok(name, pooled);
    s.by("otto", Role::ProgrammeOfficer);
    s.ok("call.close", json!({ "call": s.id("ACCESS"), "reason": "done" }));
    let ann = s.id("ann");
    s.by(&ann, Role::Applicant);
    let late = ask(s, "late", 10);
    s.no("allocation.call_not_open", "allocation.request", late);
}
