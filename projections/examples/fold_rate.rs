//! How fast the views take events, compared with reading them: `cargo run --release --example
//! fold_rate -p projections`.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    reason = "a measurement needs a clock"
)]

#[path = "../src/testing/sample.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod sample;

use domain::Commit;
use jiff::{Timestamp, ToSpan};
use projections::{AsOf, History, Query, Views};
use sample::{Pick, TEMPLATES};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVENTS: u64 = 200_000;

/// Like a real log: two events per commit, all templates in turn, many streams, one event in
/// fifty recorded late.
fn encoded(position: u64, start: Timestamp) -> Vec<u8> {
    let recorded_at = start + (position as i64).seconds();
    let pick = |index: u64| {
        let number = position * 2 + index;
        let late = if number.is_multiple_of(50) { 3_600 } else { 0 };
        Pick {
            template: usize::try_from(number * 31 % 9_973).unwrap_or(0) % TEMPLATES.len(),
            a: u8::try_from(number % 9).unwrap_or(0) + 1,
            b: u8::try_from(number / 9 % 9).unwrap_or(0) + 1,
            n: 100,
            effective_at: recorded_at - late.seconds(),
        }
    };
    // Few streams in the samples become many.
    let bytes = sample::encoded(position, recorded_at, &[pick(0), pick(1)]);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let group = position % 1_000;
    for_streams(&text, group).into_bytes()
}

fn for_streams(text: &str, group: u64) -> String {
    let mut text = text.to_owned();
    for category in ["proposal-P", "grant-G", "payment-Y", "pledge-L", "allocation-N", "timer-T"] {
        text = text.replace(
            &format!("\"stream\":\"{category}"),
            &format!("\"stream\":\"{category}{group}x"),
        );
    }
    text
}

fn rate(what: &str, events: u64, took: Duration) {
    let nanoseconds = took.as_nanos() / u128::from(events.max(1));
    let line = format!("{what:<28} {nanoseconds:>6} ns/event");
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes());
}

fn main() {
    let start: Timestamp = Timestamp::UNIX_EPOCH + 480_000.hours();
    let stored: Vec<Vec<u8>> = (1..=EVENTS / 2).map(|position| encoded(position, start)).collect();

    let clock = Instant::now();
    let decoded = stored.iter().filter_map(|bytes| Commit::decode(bytes).ok()).map(Arc::new);
    let commits: Vec<Arc<Commit>> = decoded.collect();
    rate("decode", EVENTS, clock.elapsed());
    let events = commits.iter().map(|commit| commit.events.len() as u64).sum();

    let clock = Instant::now();
    let mut views = Views::default();
    commits.iter().for_each(|commit| views.apply(commit));
    rate("views", events, clock.elapsed());

    let clock = Instant::now();
    let mut history = History::default();
    commits.iter().for_each(|commit| history.apply(commit));
    rate("views and history", events, clock.elapsed());

    each_view(&commits, events);

    for (name, moment) in [
        ("budget as of half", AsOf { position: Some(EVENTS / 4), ..AsOf::NOW }),
        (
            "budget true by half",
            AsOf { as_of: Some(start + (EVENTS as i64 / 4).seconds()), ..AsOf::NOW },
        ),
    ] {
        let clock = Instant::now();
        let _ = history.report("budget", &Query::at(moment), &commits);
        rate(name, 1, clock.elapsed());
    }
}

fn each_view(commits: &[Arc<Commit>], events: u64) {
    use projections::Fold;
    use projections::folds::*;
    fn one<F: Fold>(name: &str, commits: &[Arc<Commit>], events: u64) {
        let clock = Instant::now();
        let mut view = F::default();
        for commit in commits {
            for event in &commit.events {
                view.apply(commit, event);
            }
        }
        rate(name, events, clock.elapsed());
    }
    one::<books::Books>("books", commits, events);
    one::<claims::Claims>("claims", commits, events);
    one::<compute::Compute>("compute", commits, events);
    one::<calendar::Calendar>("calendar", commits, events);
    one::<tasks::Tasks>("tasks", commits, events);
    one::<ledger::Ledger>("ledger", commits, events);
    one::<journal::Journal>("journal", commits, events);
    one::<payees::Payees>("payees", commits, events);
    one::<calls::Calls>("calls", commits, events);
    one::<proposals::Proposals>("proposals", commits, events);
    one::<ranking::Ranking>("ranking", commits, events);
    one::<timeline::Timeline>("timeline", commits, events);
}
