//! The why of figures on a long log: some thousand grants of some funds, and their payments.

use super::measure::Turn;
use super::reading::Entries;
use domain::Commit;
use jiff::ToSpan;
use projections::lineage::{Figure, Index};
use projections::{History, Query};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FUNDS: u64 = 4;
const LINES: u64 = 10;
const COMMITMENTS: u64 = 1_000;
const GRANTS: u64 = 10_000;
/// So many figures of each kind are asked for in a turn, or as many as take so long.
const QUESTIONS: u64 = 100;
const TURN: Duration = Duration::from_secs(5);

/// One kind of figure.
#[derive(Debug)]
pub struct Asked {
    /// Which.
    pub name: &'static str,
    /// Events in the log.
    pub events: usize,
    /// How many commits were folded for each, sorted.
    pub folded: Vec<usize>,
    /// Each turn has many questions.
    pub turns: Vec<Turn>,
}

/// The kinds: a name, the view, and the pointer to one of them.
type KindOf = (&'static str, &'static str, fn(u64) -> String);

const KINDS: [KindOf; 9] = [
    ("budget, paid to a grant", "budget", |n| {
        format!("/grants/{}:G{n}/paid", fund_of(n % COMMITMENTS))
    }),
    ("budget, committed", "budget", |n| {
        format!("/commitments/{}:K{}/committed", fund_of(n % COMMITMENTS), n % COMMITMENTS)
    }),
    ("budget, open on a commitment", "budget", |n| {
        format!("/commitments/{}:K{}/open", fund_of(n % COMMITMENTS), n % COMMITMENTS)
    }),
    ("budget, union of a call", "budget", |n| format!("/calls/C{}/union", n % (COMMITMENTS / 5))),
    ("budget, committed on a line", "budget", |n| format!("/lines/{}/committed", line_of(n))),
    ("budget, paid on a line", "budget", |n| format!("/lines/{}/paid", line_of(n))),
    ("budget, all that is paid", "budget", |_| "/lines/totals/paid".to_owned()),
    ("ledger, an account of a grant", "ledger", |n| {
        format!("/accounts/Budget:{}:Paid:G{n}/debit", fund_of(n % COMMITMENTS))
    }),
    ("ledger, a bank account", "ledger", |n| format!("/accounts/Cash:F{}:Bank/credit", n % FUNDS)),
];

fn fund_of(commitment: u64) -> String {
    format!("F{}", commitment % FUNDS)
}

fn line_of(number: u64) -> String {
    let commitment = number % COMMITMENTS;
    format!("{}:L{}:S", fund_of(commitment), commitment / FUNDS % LINES)
}

/// Asks for the why of random figures on a log of so many events.
#[must_use]
pub fn whys(events: usize, turns: usize, tell: &dyn Fn(&str)) -> Vec<Asked> {
    tell(&format!("a log of {events} events about payments is made"));
    let (mut log, mut history) = (Entries::default(), History::default());
    let mut index = Index::default();
    let mut indexing = Turn::default();
    for number in 0..events as u64 {
        let entry = entry(number);
        let commit = Arc::new(Commit::decode(&entry).expect("an entry of ours"));
        history.apply(&commit);
        indexing.time(|| index.apply(&commit));
        log.0.push(entry.into());
    }
    let took = Duration::from_nanos(indexing.latencies.iter().sum());
    let indexing = Turn::join(vec![indexing], took);
    let made =
        Asked { name: "making the index", events, folded: Vec::new(), turns: vec![indexing] };
    let kinds = KINDS.iter().map(|(name, view, pointer)| {
        tell(&format!("the why of: {name}"));
        let mut asked = Asked { name, events, folded: Vec::new(), turns: Vec::new() };
        for turn in 0..turns as u64 {
            let start = Instant::now();
            let mut timed = Turn::default();
            for question in 0..QUESTIONS {
                if start.elapsed() >= TURN {
                    break;
                }
                let number = (turn * QUESTIONS + question).wrapping_mul(11_400_714_819_323_198_485);
                let pointer = pointer(number % GRANTS);
                let candidates = |figure: &Figure| index.candidates(view, figure);
                let query = Query::default();
                let why = timed.time(|| history.why(view, (&query, &pointer), &candidates, &log));
                // A short log does not have everything.
                if let Ok(Some(why)) = why {
                    assert!(why.sum().is_none_or(|sum| sum == why.value), "{pointer} adds up");
                    asked.folded.push(why.folded);
                }
            }
            asked.turns.push(Turn::join(vec![timed], start.elapsed()));
        }
        asked.folded.sort_unstable();
        asked
    });
    kinds.chain([made]).collect()
}

/// First the commitments and grants, then the payments, step by step, with raised commitments and
/// published figures between them.
fn entry(number: u64) -> Vec<u8> {
    let (stream, kind, data) = match number.checked_sub(COMMITMENTS + 2 * GRANTS) {
        None => committed(number),
        Some(after) => paid(number, after / 8, after % 8),
    };
    let now = super::workload::first_instant() + i64::try_from(number).unwrap_or(0).minutes();
    let commit = json!({
        "actor": { "id": "bench", "role": "authorising_officer" },
        "command": "bench.do",
        "command_hash": "0".repeat(64),
        "command_id": format!("bench/{number}"),
        "commit_id": "0191dbf2-3c00-7a1b-8000-000000000000",
        "decided_on": {},
        "events": [{
            "data": data, "effective_at": now, "schema_version": 1, "stream": stream, "type": kind,
            "version": number + 1,
        }],
        "position": number + 1,
        "received_at": now,
        "recorded_at": now,
    });
    commit.to_string().into_bytes()
}

type Happened = (String, &'static str, Value);

fn committed(number: u64) -> Happened {
    let fund = |commitment: u64| format!("fund-{}", fund_of(commitment));
    if number < COMMITMENTS {
        let data = json!({
            "amount": "EUR 1000000.00", "call": format!("C{}", number / 5),
            "commitment": format!("K{number}"), "line": format!("L{}", number / FUNDS % LINES),
            "round": format!("R{}", number % 5), "source": "S",
        });
        return (fund(number), "fund.GloballyCommitted", data);
    }
    let step = number - COMMITMENTS;
    let (grant, commitment) = (step / 2, step / 2 % COMMITMENTS);
    let (amount, to) = ("EUR 50000.00", format!("G{grant}"));
    if step.is_multiple_of(2) {
        let data = json!({ "amount": amount, "commitment": format!("K{commitment}"), "grant": to });
        (fund(commitment), "fund.IndividuallyCommitted", data)
    } else {
        (fund(commitment), "fund.LegallyCommitted", json!({ "amount": amount, "grant": to }))
    }
}

fn paid(number: u64, round: u64, step: u64) -> Happened {
    let (grant, payment) = (round % GRANTS, format!("payment-P{round}"));
    let commitment = grant % COMMITMENTS;
    let (amount, to) = (format!("EUR {}.00", round % 97 + 1), format!("G{grant}"));
    let fund = format!("fund-{}", fund_of(commitment));
    match step {
        0 => {
            let data = json!({
                "amount": amount, "fund": fund_of(commitment), "grant": to, "kind": "interim",
                "net": amount,
            });
            (payment, "payment.Initiated", data)
        }
        1 => (payment, "payment.Verified", json!({})),
        2 => (payment, "payment.Authorised", json!({})),
        3 => (payment, "payment.Executed", json!({ "end_to_end_id": format!("E{round}") })),
        4 => {
            let payment = format!("P{round}");
            (fund, "fund.Paid", json!({ "amount": amount, "grant": to, "payment": payment }))
        }
        5 => {
            let commitment = format!("K{commitment}");
            let data = json!({ "amount": amount, "commitment": commitment, "reason": "more" });
            (fund, "fund.GlobalCommitmentIncreased", data)
        }
        _ => {
            let data = json!({
                "about": format!("grant-{to}"), "published": "2025-03-12", "total": amount,
                "what": "announced",
            });
            (format!("claim-X{number}"), "claim.Published", data)
        }
    }
}
