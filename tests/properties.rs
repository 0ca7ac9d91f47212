//! Random lives, undisturbed and disturbed, and what must hold whatever happens (ADR/rules.md).

use crate::desk::{Desk, Refused};
use crate::life::{self, Dice, Expect, Step};
use domain::decide::command::Parsed;
use expect_test::expect_file;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Every event is recorded at least so often over the disturbed lives.
const RECORDED_MIN: u64 = 3;

const SERVICE: &str =
    "only the service gives the command, and gives it right: see domain/src/decide/checkpoint.rs";

/// Codes that a desk cannot be brought to, each with its reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("checkpoint.other_note", SERVICE),
    ("checkpoint.keys", SERVICE),
    ("checkpoint.no_known_key", SERVICE),
    ("checkpoint.retired", SERVICE),
    ("checkpoint.too_long", SERVICE),
    ("audit.no_checkpoint", "the desk records one at once: see domain/src/decide/audit/tests.rs"),
    ("command.wrong_version", "the engine compares versions: simulation.rs"),
    ("command.before_the_euro", "no story is that old: bad_input.rs"),
    ("command.reserved", "refused at the edge: react.rs"),
    ("command.id_reused", "the register of the engine: simulation.rs"),
    (
        "fund.legal_commitment_exceeded",
        "takes a recovery that the bank returns: the tests of payments",
    ),
    ("grant.before_naming", "takes a decision that is told late: the tests of its decider"),
    ("payment.before_account", "takes an order that is told late: the tests of payments"),
    ("payment.commitment_exceeded", "takes a grant of two funds: the tests of payments"),
    ("payment.insurance_first", "takes three advance payments: the tests of payments"),
    ("audit.incomplete", "takes a fund that pays beside its payments: the tests of its decider"),
    ("audit.too_large", "takes 301 payments: audit.rs"),
    ("proposal.round_full", "takes 51 proposals: the tests of its decider"),
    ("subject.erased", "takes an evaluation of later: the tests of its decider"),
    ("subject.not_before", "takes a decision of years ago: the tests of its decider"),
    ("subject.still_needed", "takes an expert who is registered: the tests of its decider"),
    ("subject.too_many", "takes a thousand holds: the tests of its decider"),
    ("evaluation.stage_before", "takes a call with two stages: the tests of its decider"),
];

/// Every life, made thoroughly, does what it says at every step.
fn undisturbed(kind: usize, seed: u64) -> Desk {
    let mut desk = Desk::new();
    let mut wrong = Vec::new();
    for step in life::life(kind, "1", Dice::of_seed(seed), true) {
        let answer = desk.give(&step).unwrap_or_else(|breach| panic!("seed {seed}: {breach}"));
        let is_right = match (step.expect, &answer) {
            (Expect::Recorded, Ok(events)) => !events.is_empty(),
            (Expect::Refused(code), Err(refusal)) => refusal.code == code,
            (Expect::Either, _) => true,
            _ => false,
        };
        if !is_right {
            let data = String::from_utf8_lossy(&step.payload);
            let (command, expect) = (&step.command, step.expect);
            let answer = answer.map_err(|refusal| refusal.to_string());
            wrong.push(format!("{command} {data:.600}\n  should be {expect:?}, was {answer:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "kind {kind}, seed {seed}: {} steps\n{}",
        wrong.len(),
        wrong[..wrong.len().min(6)].join("\n")
    );
    desk.audit().unwrap_or_else(|breach| panic!("seed {seed}: {breach}"));
    desk
}

/// Several lives at once, with some steps spoilt: one in `odds`.
fn disturbed(dice: &mut Dice, odds: u64, steps_max: usize) -> Result<Desk, String> {
    let kinds = life::KINDS.len();
    let lives: Vec<Vec<Step>> = (0..2 + dice.index(3))
        .map(|number| {
            let (kind, seed) = (dice.index(kinds), dice.next());
            // The first is the long one, so that every run goes deep.
            let kind = if number == 0 { 0 } else { kind };
            life::life(kind, &number.to_string(), Dice::of_seed(seed), false)
        })
        .collect();
    let steps = life::mixed(lives, dice);
    let mut desk = Desk::new();
    for (index, step) in steps.iter().take(steps_max).enumerate() {
        desk.timers_wait = dice.one_in(10);
        let others = &steps[index.saturating_sub(40)..(index + 40).min(steps.len())];
        let spoilt = if dice.one_in(odds) {
            life::spoil(step.clone(), dice, others)
        } else {
            vec![step.clone()]
        };
        for step in spoilt {
            let _ = desk.give(&step)?;
        }
    }
    desk.audit()?;
    Ok(desk)
}

#[test]
fn a_whole_life_goes_as_it_is_written_and_every_mistake_is_refused_with_its_reason() {
    let mut refused = BTreeSet::new();
    for kind in 0..life::KINDS.len() {
        for seed in 0..3 {
            refused.extend(undisturbed(kind, seed).refused.into_keys());
        }
    }
    // What nobody writes down on purpose may still come of a disturbance: see below.
    assert!(refused.len() > 150, "only {} codes", refused.len());
}

#[test]
fn disturbed_lives_keep_every_promise_and_reach_every_event_and_every_refusal() {
    let (mut recorded, mut refused) = (BTreeMap::new(), Refused::new());
    let seeds = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seeds.map_or(0..100, |seed: u64| seed..seed + 1);
    let is_whole = seeds.end - seeds.start > 1;
    for seed in seeds {
        let odds = [1_000_000, 40, 15, 6][usize::try_from(seed % 4).expect("small")];
        let desk = disturbed(&mut Dice::of_seed(seed), odds, usize::MAX)
            .unwrap_or_else(|breach| panic!("SEED={seed} breaks a promise: {breach}"));
        for (kind, times) in desk.recorded {
            *recorded.entry(kind).or_insert(0) += times;
        }
        add(&mut refused, desk.refused);
    }
    for kind in 0..life::KINDS.len() {
        add(&mut refused, undisturbed(kind, 1).refused);
    }
    if is_whole {
        expect_file!["../services/tranche/assets/refused.txt"].assert_eq(&measured(&refused));
        let missing = missing(&recorded, &refused);
        assert!(missing.is_empty(), "not reached:\n{missing}");
    }
}

fn add(all: &mut Refused, some: Refused) {
    for (code, commands) in some {
        all.entry(code).or_default().extend(commands);
    }
}

/// What `tranche explain` says about who can be answered with a code: a line each. Every command shares
/// the refusals that are called after commands.
fn measured(refused: &Refused) -> String {
    let mut lines = String::new();
    for (code, commands) in refused.iter().filter(|(code, _)| !code.starts_with("command.")) {
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        let _ = writeln!(lines, "{code} {}", commands.join(" "));
    }
    lines
}

fn missing(recorded: &BTreeMap<String, u64>, refused: &Refused) -> String {
    let mut missing = String::new();
    for (source, prefix) in life::deciders() {
        for kind in event_kinds(source, prefix) {
            let times = recorded.get(&kind).copied().unwrap_or(0);
            if times < RECORDED_MIN {
                let _ = writeln!(missing, "event {kind}: {times} times");
            }
        }
    }
    for (code, _) in domain::catalogue::refusals() {
        let elsewhere = ELSEWHERE.iter().any(|(known, _)| *known == code);
        if elsewhere == refused.contains_key(&code) {
            let _ = writeln!(missing, "code {code}: listed elsewhere {elsewhere}");
        }
    }
    missing
}

/// The stored names in the source of a decider.
fn event_kinds(source: &str, category: &str) -> Vec<String> {
    let marks = source.split("serde(rename = \"").skip(1);
    let names = marks.filter_map(|rest| rest.split('"').next());
    names.filter(|name| name.starts_with(&format!("{category}."))).map(str::to_owned).collect()
}

/// The same content in another order of members and with other white space.
fn rewritten(value: &Value, dice: &mut Dice) -> String {
    let space = [" ", "\n", "\t", ""][dice.index(4)];
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{space}{}{space}:{}",
                        Value::from(key.as_str()),
                        rewritten(value, dice)
                    )
                })
                .collect();
            let turn = if parts.is_empty() { 0 } else { dice.index(parts.len()) };
            parts.rotate_left(turn);
            format!("{{{}{space}}}", parts.join(","))
        }
        Value::Array(values) => {
            let parts: Vec<String> = values.iter().map(|value| rewritten(value, dice)).collect();
            format!("[{}{space}]", parts.join(&format!("{space},")))
        }
        other => other.to_string(),
    }
}

#[test]
fn the_order_of_members_and_white_space_do_not_change_the_hash_of_a_command() {
    let dice = &mut Dice::of_seed(7);
    let mut read = 0;
    for kind in 0..life::KINDS.len() {
        for step in life::life(kind, "1", Dice::of_seed(7), true) {
            let Ok(first) = Parsed::read(&step.command, &step.payload) else { continue };
            let again = rewritten(&step.data().expect("JSON"), dice);
            let again = Parsed::read(&step.command, again.as_bytes());
            assert_eq!(again.map(|parsed| parsed.hash), Ok(first.hash), "{}", step.command);
            read += 1;
        }
    }
    assert!(read > 300, "{read}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Zeros are undisturbed choices, so a failure shrinks to the few that matter.
    #[test]
    fn whatever_several_people_choose_every_promise_holds(choices in prop::collection::vec(any::<u32>(), 10..1_500)) {
        let steps_max = choices.len() / 3;
        let kept = disturbed(&mut Dice::of_list(choices), 8, steps_max).map(|_| ());
        prop_assert!(kept.is_ok(), "{:?}", kept);
    }
}
