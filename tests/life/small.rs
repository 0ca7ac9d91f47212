//! Short lives: a prize, published claims, timers and parked reactions.

use super::{Script, eur, rules};
use domain::kernel::actor::Role;
use serde_json::json;

/// A contest: four winners share it to the cent and the second.
pub fn prize(s: &mut Script) {
    s.by("otto", Role::ProgrammeOfficer);
    let (cents, seconds) = (s.dice.below(100_000_000), s.dice.below(1_000_000_000));
    let (cents, seconds) = (4 + i64::try_from(cents).expect("small"), 4 + seconds);
    let rules = rules(
        json!({ "kind": "prize", "evaluation": { "experts_min": 1, "selection": "ranked",
        "scale": { "max_tenths": 50, "step_tenths": 5 }, "source": "call", "tie_break": [],
        "stages": [{ "key": "full", "threshold_tenths": 0, "criteria": [
            { "key": "merit", "name": "Merit", "threshold_tenths": 0, "weight_hundredths": 100 }] }] } }),
    );
    let open = json!({ "prize": s.id("PRIZE"), "title": "A prize", "rules": rules, "money": eur(cents),
        "winners_max": 4, "compute": { "partition": "pool", "unit": "gpu", "seconds": seconds } });
    for (code, change) in [
        ("prize.other_rules", json!({ "rules": { "kind": "expression_of_interest" } })),
        ("prize.no_winners", json!({ "winners_max": 0 })),
        ("prize.half_a_budget", json!({ "line": "02 04" })),
        ("prize.negative", json!({ "money": "EUR -0.01" })),
    ] {
        s.no_with(code, "prize.open", &open, change);
    }
    s.ok("prize.open", open);
    let place =
        |name: &str, rank: u32| json!({ "contestant": name, "country": "FR", "rank": rank });
    let rank = json!({ "prize": s.id("PRIZE"),
        "ranking": [place("a", 1), place("b", 1), place("c", 3), place("d", 4), place("e", 5)] });
    s.by("carl", Role::PanelChair);
    s.no_with("prize.bad_list", "prize.rank", &rank, json!({ "ranking": [] }));
    s.no_with("prize.bad_rank", "prize.rank", &rank, json!({ "ranking": [place("a", 2)] }));
    s.ok("prize.rank", rank);
    s.by("bea", Role::GoverningBoard);
    let winner = |name: &str| json!({ "contestant": name });
    let winners = [winner("a"), winner("b"), winner("c"), winner("d")];
    let extra = |name: &str, pool: &str| json!([{ "contestant": name, "compute": { "partition": pool, "unit": "gpu", "seconds": 60 } }]);
    let award = json!({ "prize": s.id("PRIZE"), "even": true, "split": winners, "extra": extra("e", "other") });
    for (code, change) in [
        (
            "prize.too_many_winners",
            json!({ "split": [winners[0], winners[1], winners[2], winners[3], winner("e")] }),
        ),
        ("prize.not_ranked", json!({ "split": [winner("z")] })),
        ("prize.passed_over", json!({ "split": [winners[0], winners[2]] })),
        ("prize.not_the_whole", json!({ "even": false })),
        ("prize.even_and_parts", json!({ "split": [{ "contestant": "a", "money": "EUR 0.01" }] })),
        ("prize.extra_for_winner", json!({ "extra": extra("a", "other") })),
        ("prize.extra_from_the_pool", json!({ "extra": extra("e", "pool") })),
    ] {
        s.no_with(code, "prize.award", &award, change);
    }
    s.ok("prize.award", award);
}

/// What is published about money.
pub fn claims(s: &mut Script) {
    s.by("aud", Role::Auditor);
    let cents = 1_000 + i64::try_from(s.dice.below(1_000_000_000)).expect("small");
    let claim = json!({ "claim": s.id("CLAIM"), "figures": { "about": format!("grant-G-{}", s.tag),
        "published": "2025-03-12", "what": "announced", "total": eur(2 * cents),
        "union": eur(cents), "national": eur(cents) } });
    let name = "claim.publish";
    s.no("claim.no_source", name, claim.clone());
    s.sourced = true;
    for (code, change) in [
        ("claim.no_figure", json!({ "total": null, "union": null, "national": null })),
        ("claim.negative", json!({ "union": "EUR -0.01" })),
        ("claim.parts_exceed_total", json!({ "national": eur(cents + 1) })),
        ("command.amount", json!({ "national": "USD 1.00" })),
    ] {
        s.no_with(code, name, &claim, json!({ "figures": change }));
    }
    s.ok(name, claim.clone());
    s.no("command.exists", name, claim);
    let back = json!({ "claim": s.id("CLAIM"), "reason": "typing error" });
    s.no_with("command.not_found", "claim.withdraw", &back, json!({ "claim": s.id("OTHER") }));
    s.ok("claim.withdraw", back.clone());
    s.no("command.wrong_state", "claim.withdraw", back);
}

/// Timers and parked reactions.
pub fn machinery(s: &mut Script) {
    s.by("otto", Role::ProgrammeOfficer);
    let (day, later) = (11 + s.dice.below(5), 20 + s.dice.below(5));
    let wish =
        json!({ "command": "timer.cancel", "data": { "timer": s.id("none"), "reason": "r" } });
    let set =
        json!({ "timer": s.id("T"), "due": format!("2024-09-{day}T10:00:00Z"), "wish": wish });
    let nested = json!({ "command": "timer.fire", "data": { "timer": s.id("T"), "reason": null } });
    s.no_with("timer.nested", "timer.set", &set, json!({ "wish": nested }));
    let unknown = json!({ "command": "no.such", "data": {} });
    s.no_with("command.unknown_command", "timer.set", &set, json!({ "wish": unknown }));
    s.no_with("command.malformed", "timer.set", &set, json!({ "wish": null }));
    s.ok("timer.set", set.clone());
    s.by("engine", Role::System);
    s.no("timer.not_due", "timer.fire", json!({ "timer": s.id("T") }));
    s.by("otto", Role::ProgrammeOfficer);
    let mut other = set.clone();
    super::merge(&mut other, json!({ "timer": s.id("U") }));
    s.ok("timer.set", other);
    s.ok("timer.cancel", json!({ "timer": s.id("U"), "reason": "not needed" }));
    s.at(&format!("2024-09-{later}T10:00:00Z"));
    s.by("engine", Role::System);
    s.either("timer.fire", json!({ "timer": s.id("T") }));
    s.by("otto", Role::ProgrammeOfficer);
    let seen = json!({ "timer": s.id("T"), "reason": "nothing was to be cancelled" });
    s.ok("timer.acknowledge", seen.clone());
    s.no("timer.not_refused", "timer.acknowledge", seen);
    s.by("engine", Role::System);
    let reaction = format!("manager/{}/0", s.tag);
    let park = json!({ "process": s.id("P"), "reaction": reaction, "code": "c.x", "message": "m",
        "wish": { "command": "c.y", "data": {} } });
    s.ok("process.park", park);
    s.by("otto", Role::ProgrammeOfficer);
    let resolve = json!({ "process": s.id("P"), "reaction": reaction, "how": "by hand" });
    s.no_with(
        "process.not_parked",
        "process.resolve",
        &resolve,
        json!({ "reaction": "manager/x/9" }),
    );
    s.ok("process.resolve", resolve);
}
