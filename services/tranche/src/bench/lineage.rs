//! The why of figures on a long log: some thousand grants of some funds, and their payments.

use super::measure::Turn;
use super::reading::Entries;
use domain::command::{Actor, Role};
use domain::commit::{CommitId, Recorded};
use domain::ids::{Key, StreamId};
use domain::money::Money;
use domain::{Commit, Event, claim, fund, payment};
use jiff::{Timestamp, ToSpan};
use projections::lineage::{Figure, Index};
use projections::{History, Query};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

const FUNDS: u64 = 4;
const LINES: u64 = 10;
const COMMITMENTS: u64 = 1_000;
const GRANTS: u64 = 10_000;
/// So many figures of each kind are asked for in a turn.
const QUESTIONS: u64 = 100;

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
        let commit = Arc::new(commit(number));
        history.apply(&commit);
        indexing.time(|| index.apply(&commit));
        log.0.push(commit.encode().unwrap_or_default().into());
    }
    let took = std::time::Duration::from_nanos(indexing.latencies.iter().sum());
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
fn commit(number: u64) -> Commit {
    let (stream, event) = happened(number);
    let id = format!("bench/{number}").parse().expect("a literal and a number");
    let now = super::workload::first_instant() + i64::try_from(number).unwrap_or(0).minutes();
    recorded(number + 1, now, id, (stream.parse().expect("a literal and a number"), event))
}

fn happened(number: u64) -> (String, Event) {
    use fund::Event as E;
    let key = |text: String| -> Key { text.parse().expect("a literal and a number") };
    let euro = |many: i64| Money::new(domain::money::Currency::EUR, i128::from(many) * 100);
    let euro = |many: i64| euro(many).unwrap_or_default();
    let line = |commitment: u64| key(format!("L{}", commitment / FUNDS % LINES));
    let stream = |commitment: u64| format!("fund-{}", fund_of(commitment));
    let source = key("S".to_owned());
    let after = number.checked_sub(COMMITMENTS + 2 * GRANTS);
    let Some(after) = after else {
        return if number < COMMITMENTS {
            let event = E::GloballyCommitted {
                amount: euro(1_000_000),
                call: format!("C{}", number / 5).parse().expect("a literal and a number"),
                commitment: key(format!("K{number}")),
                line: line(number),
                round: Some(key(format!("R{}", number % 5))),
                source,
            };
            (stream(number), event.into())
        } else {
            let step = number - COMMITMENTS;
            let (grant, commitment) = (step / 2, step / 2 % COMMITMENTS);
            let to = format!("G{grant}").parse().expect("a literal and a number");
            let amount = euro(50_000);
            let event = if step % 2 == 0 {
                E::IndividuallyCommitted {
                    amount,
                    commitment: key(format!("K{commitment}")),
                    grant: to,
                }
            } else {
                E::LegallyCommitted { amount, grant: to }
            };
            (stream(commitment), event.into())
        };
    };
    let (round, step) = (after / 8, after % 8);
    let (grant, payment) = (round % GRANTS, format!("payment-P{round}"));
    let commitment = grant % COMMITMENTS;
    let amount = euro(i64::try_from(round % 97).unwrap_or(0) + 1);
    let to: domain::ids::GrantId = format!("G{grant}").parse().expect("a literal and a number");
    match step {
        0 => {
            let fund = fund_of(commitment).parse().expect("a literal and a number");
            let kind = payment::Kind::Interim;
            let order = payment::Order {
                amount,
                clause: None,
                fund,
                grant: to,
                kind,
                net: amount,
                report: None,
            };
            (payment, payment::Event::Initiated(order).into())
        }
        1 => (payment, payment::Event::Verified {}.into()),
        2 => (payment, payment::Event::Authorised {}.into()),
        3 => {
            let end_to_end_id = format!("E{round}");
            (payment, payment::Event::Executed { booked_on: None, end_to_end_id }.into())
        }
        4 => {
            let payment = format!("P{round}").parse().expect("a literal and a number");
            (stream(commitment), E::Paid { amount, grant: to, payment }.into())
        }
        5 => {
            let (commitment, reason) = (key(format!("K{commitment}")), "more".to_owned());
            let event = E::GlobalCommitmentIncreased { amount, commitment, reason };
            (stream(grant % COMMITMENTS), event.into())
        }
        _ => {
            let figures = claim::Figures {
                about: format!("grant-G{grant}").parse().expect("a literal and a number"),
                national: None,
                published: jiff::civil::date(2025, 3, 12),
                regional: None,
                rrf: None,
                total: Some(amount),
                union: None,
                what: "announced".parse().expect("a literal"),
            };
            (format!("claim-X{number}"), claim::Event::Published(figures).into())
        }
    }
}

fn recorded(
    position: u64,
    now: Timestamp,
    command_id: domain::ids::CommandId,
    (stream, event): (StreamId, Event),
) -> Commit {
    let role = Role::AuthorisingOfficer;
    let schema_version = event.schema_version();
    let event = Recorded { effective_at: now, event, schema_version, stream, version: position };
    Commit {
        actor: Actor { id: "bench".parse().expect("a literal id"), on_behalf_of: None, role },
        causation_id: None,
        command: "bench.do".into(),
        command_hash: domain::canonical::Sha256Hex::of(b""),
        commit_id: CommitId::derive(now, &command_id, position),
        command_id,
        correlation_id: None,
        decided_on: BTreeMap::new(),
        events: vec![event],
        evidence: None,
        position,
        received_at: now,
        recorded_at: now,
    }
}
