//! What can go wrong at any step: the wrong person, a cent too much, an id of something else, twice,
//! never, too early, too late, or not JSON at all.

use super::{Dice, Step, eur, merge};
use domain::kernel::actor::Role;
use jiff::ToSpan;
use serde_json::{Value, json};

/// The ways in which a step is spoilt.
pub const WAYS: u64 = 18;

/// A spoilt step: none when it is left out, two when it is done twice. Ids come from `others`.
pub fn spoil(mut step: Step, dice: &mut Dice, others: &[Step]) -> Vec<Step> {
    let way = dice.below(WAYS);
    let other = if others.is_empty() { step.clone() } else { dice.pick(others).clone() };
    match way {
        0 => return Vec::new(),
        1 => return vec![step.clone(), step],
        2 => step.actor.role = *dice.pick(ROLES),
        3 => step.actor.id = other.actor.id,
        4 => step.actor.on_behalf_of = Some(other.actor.id),
        5 => {
            let later = step.at.checked_add(1.hour()).expect("near");
            let earlier = step.at.checked_sub(hours(dice.below(12_000))).expect("near");
            step.effective_at = Some(if dice.one_in(4) { later } else { earlier });
        }
        6 => step.received_at = step.at.checked_sub(hours(dice.below(2_000))).ok(),
        7 => garble(&mut step.payload, dice),
        8 => step.command = other.command,
        9 => step.payload = other.payload,
        _ => {
            if let Some(mut data) = step.data() {
                change(&mut data, way, dice, &other);
                step.set(&data);
            }
        }
    }
    vec![step]
}

const ROLES: &[Role] = &[
    Role::ProgrammeOfficer,
    Role::GoverningBoard,
    Role::Applicant,
    Role::Expert,
    Role::AuthorisingOfficer,
    Role::AccountingOfficer,
    Role::Auditor,
    Role::System,
];

fn hours(count: u64) -> jiff::Span {
    i64::try_from(count).expect("few").hours()
}

/// Cuts, doubles or overwrites bytes.
pub fn garble(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.index(bytes.len());
    match dice.below(4) {
        0 => bytes.truncate(at),
        1 => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
        2 => {
            let tail = bytes[at..].to_vec();
            bytes.extend(tail);
        }
        _ => bytes.insert(at, *dice.pick(b"{}[]\",:0\\\xff\x00e-")),
    }
}

fn change(data: &mut Value, way: u64, dice: &mut Dice, other: &Step) {
    match way {
        10 => merge(data, json!({ "unexpected": true })),
        11 => on_leaf(data, dice, |_, _| Value::Null),
        12 => on_leaf(data, dice, |_, dice| dice.pick(&nonsense()).clone()),
        13 | 14 => on_amount(data, dice, |cents, dice| cents + *dice.pick(&[-1, 1])),
        15 => on_amount(data, dice, |cents, dice| {
            cents.saturating_mul(*dice.pick(&[0, 2, 10, 1_000_000, -1]))
        }),
        16 => on_leaf(data, dice, |value, dice| match value.as_str() {
            Some(text) => text.replace("EUR", ["USD", "CHF", "eur"][dice.index(3)]).into(),
            None => json!(u64::MAX),
        }),
        // An id of another life, or of another thing in this one.
        _ => {
            let theirs = other.data().unwrap_or_default();
            if let (Value::Object(mine), Value::Object(theirs)) = (data, theirs) {
                let keys: Vec<String> =
                    mine.keys().filter(|key| theirs.contains_key(*key)).cloned().collect();
                if !keys.is_empty() {
                    let key = dice.pick(&keys);
                    mine.insert(key.clone(), theirs[key].clone());
                }
            }
        }
    }
}

fn nonsense() -> Vec<Value> {
    vec![
        json!(""),
        json!("x".repeat(2_100)),
        json!(-1),
        json!(1.5),
        json!(i64::MAX),
        json!([]),
        json!({}),
        json!("EUR 90071992547409.91"),
        json!("2025-02-30"),
        json!("\u{0}\u{feff}é"),
        json!(true),
    ]
}

/// Pointers to every value that holds no other.
fn leaves(data: &Value, at: String, found: &mut Vec<String>) {
    match data {
        Value::Object(members) => {
            for (key, value) in members {
                leaves(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                leaves(value, format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at),
    }
}

fn on_leaf(data: &mut Value, dice: &mut Dice, change: impl Fn(&Value, &mut Dice) -> Value) {
    let mut found = Vec::new();
    leaves(data, String::new(), &mut found);
    if let Some(value) =
        (!found.is_empty()).then(|| dice.pick(&found)).and_then(|at| data.pointer_mut(at))
    {
        *value = change(value, dice);
    }
}

fn on_amount(data: &mut Value, dice: &mut Dice, change: impl Fn(i64, &mut Dice) -> i64) {
    let mut found = Vec::new();
    leaves(data, String::new(), &mut found);
    let cents = |value: &Value| {
        let digits = value.as_str()?.strip_prefix("EUR ")?.replace('.', "");
        digits.parse::<i64>().ok()
    };
    found.retain(|at| {
        data.pointer(at).is_some_and(|value| cents(value).is_some() || value.is_i64())
    });
    let Some(value) =
        (!found.is_empty()).then(|| dice.pick(&found)).and_then(|at| data.pointer_mut(at))
    else {
        return;
    };
    *value = match (cents(value), value.as_i64()) {
        (Some(amount), _) => {
            let amount = change(amount, dice);
            let text = eur(amount.abs());
            if amount < 0 { text.replace(' ', " -").into() } else { text.into() }
        }
        (None, Some(number)) => json!(change(number, dice)),
        (None, None) => return,
    };
}
