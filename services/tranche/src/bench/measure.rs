//! Counting and timing, in integers: rates per second, medians, ratios in percent.

use crate::digits;
use std::time::{Duration, Instant};

/// What one contender did in its turn.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// How many things were done.
    pub done: u64,
    /// In how long.
    pub took: Duration,
    /// Time of each thing, sorted, in nanoseconds; empty when single things were not timed.
    pub latencies: Vec<u64>,
}

impl Turn {
    /// Does one thing and times it.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.count(began);
        result
    }

    /// Counts a thing that is done now.
    pub fn count(&mut self, began: Instant) {
        self.latencies.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.done += 1;
    }

    /// Things per second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.done.saturating_mul(1_000_000) / micros
    }

    /// The latency that `percent` of the things stayed within, in nanoseconds.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<u64> {
        let last = self.latencies.len().checked_sub(1)?;
        self.latencies.get(last * percent / 100).copied()
    }

    /// Puts the work of several clients together.
    #[must_use]
    pub fn join(turns: Vec<Self>, took: Duration) -> Self {
        let done = turns.iter().map(|turn| turn.done).sum();
        let mut latencies: Vec<u64> = turns.into_iter().flat_map(|turn| turn.latencies).collect();
        latencies.sort_unstable();
        Self { done, took, latencies }
    }
}

/// The middle of some numbers; zero of none.
#[must_use]
pub fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

/// The median of the percentages of each turn: a machine that is slow in one turn is slow for both.
#[must_use]
pub fn percent(part: &[u64], whole: &[u64]) -> u64 {
    let each = part.iter().zip(whole);
    median(each.map(|(part, whole)| part.saturating_mul(100) / (*whole).max(1)).collect())
}

/// A number in groups of three, as people read it.
#[must_use]
pub fn grouped(number: u64) -> String {
    digits::grouped(number, ' ')
}

/// A length of time in the unit that leaves few digits.
#[must_use]
pub fn short(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..10_000_000 => format!("{} us", grouped(nanos / 1_000)),
        _ => format!("{} ms", grouped(nanos / 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_percentiles_are_of_what_was_counted() {
        let took = Duration::from_millis(250);
        let turn = Turn { done: 500, took, latencies: (1..=100).collect() };
        assert_eq!(turn.rate(), 2_000);
        assert_eq!((turn.percentile(50), turn.percentile(99)), (Some(50), Some(99)));
        assert_eq!(Turn::default().percentile(50), None);
    }

    #[test]
    fn the_work_of_clients_adds_up() {
        let of = |latencies: Vec<u64>| Turn {
            done: latencies.len() as u64,
            took: Duration::ZERO,
            latencies,
        };
        let joined = Turn::join(vec![of(vec![3, 9]), of(vec![1])], Duration::from_secs(1));
        assert_eq!((joined.done, joined.rate(), joined.latencies), (3, 3, vec![1, 3, 9]));
    }

    #[test]
    fn a_ratio_is_taken_turn_by_turn() {
        assert_eq!(percent(&[50, 100, 10], &[100, 200, 100]), 50);
        assert_eq!(percent(&[1], &[0]), 100);
        assert_eq!(median(vec![3, 1, 2]), 2);
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!((grouped(1_234_567).as_str(), grouped(12).as_str()), ("1 234 567", "12"));
        assert_eq!(short(950), "950 ns");
        assert_eq!(short(1_500_000), "1 500 us");
        assert_eq!(short(25_000_000), "25 ms");
    }
}
