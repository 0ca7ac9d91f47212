//! Counting and timing, in integers: rates per second, medians, ratios in percent.

use std::time::{Duration, Instant};

/// What one contender did in its turn.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// How many things were done.
    pub done: u64,
    /// In how long.
    pub took: Duration,
    /// Time of each thing, sorted, in microseconds (a sample when there are very many).
    pub latencies_us: Vec<u64>,
}

impl Turn {
    /// Things per second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.done.saturating_mul(1_000_000) / micros
    }

    /// The latency that `percent` of the things stayed within, in microseconds.
    #[must_use]
    pub fn percentile_us(&self, percent: usize) -> Option<u64> {
        let last = self.latencies_us.len().checked_sub(1)?;
        self.latencies_us.get(last * percent / 100).copied()
    }

    /// Puts the work of several clients together.
    #[must_use]
    pub fn join(turns: Vec<Self>, took: Duration) -> Self {
        let done = turns.iter().map(|turn| turn.done).sum();
        let mut latencies_us: Vec<u64> =
            turns.into_iter().flat_map(|turn| turn.latencies_us).collect();
        latencies_us.sort_unstable();
        Self { done, took, latencies_us }
    }
}

/// The turn with the median rate: machines are noisy, so every contender has several turns.
///
/// # Panics
/// When there were no turns.
#[must_use]
pub fn median(mut turns: Vec<Turn>) -> Turn {
    turns.sort_by_key(Turn::rate);
    let middle = turns.len() / 2;
    turns.swap_remove(middle)
}

/// `part` of `whole`, in percent.
#[must_use]
pub fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100) / whole.max(1)
}

/// Runs `work` until the time is over and counts; `work` does one thing at a time.
pub fn repeat(limit: Duration, mut work: impl FnMut(u64)) -> Turn {
    let start = Instant::now();
    let mut latencies_us = Vec::new();
    let mut done = 0;
    while start.elapsed() < limit {
        let began = Instant::now();
        work(done);
        latencies_us.push(micros(began));
        done += 1;
    }
    latencies_us.sort_unstable();
    Turn { done, took: start.elapsed(), latencies_us }
}

/// Microseconds since `began`.
#[must_use]
pub fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A number with thin groups of three, as people read it.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_percentiles_are_of_what_was_counted() {
        let turn = Turn { done: 500, took: Duration::from_millis(250), latencies_us: (1..=100).collect() };
        assert_eq!((turn.rate(), turn.percentile_us(50), turn.percentile_us(99)), (2_000, Some(50), Some(99)));
        assert_eq!((percent(1, 3), grouped(1_234_567).as_str(), grouped(12).as_str()), (33, "1 234 567", "12"));
    }
}
