//! A log that misbehaves as its contract allows, for simulations. One seed gives one sequence of
//! faults.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::log::{Error, Group, Log, Position};

/// The longest delay of an answer, in turns that other tasks get first.
const DELAY_TURNS_MAX: u64 = 8;

/// Sets how often each fault happens, in calls per thousand.
///
/// The first three are alternatives, and happen to one append at most one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// An append that fails and stores nothing.
    pub fail_before: u16,
    /// An append that stores its group and then says that the log is unavailable.
    pub lose_acknowledgement: u16,
    /// An append before which a rival's entry is stored, if there is a rival.
    pub rival: u16,
    /// A read, a look at the head, or a wait that fails.
    pub fail_read: u16,
    /// An answer that other tasks overtake.
    pub delay: u16,
}

/// A log in front of another, which it lets down by the odds.
pub struct Faulty {
    inner: Arc<dyn Log>,
    odds: Odds,
    dice: Mutex<SplitMix64>,
    is_cut: watch::Sender<bool>,
    rival: Option<Box<dyn Fn(Position) -> Bytes + Send + Sync>>,
}

impl Faulty {
    /// Wraps `inner`. Equal seeds and equal calls in the same order give equal faults.
    pub fn new(inner: Arc<dyn Log>, seed: u64, odds: Odds) -> Faulty {
        let dice = Mutex::new(SplitMix64(seed));
        Faulty { inner, odds, dice, is_cut: watch::Sender::new(false), rival: None }
    }

    /// Adds a rival writer, whose entry for a position is what `entry` returns.
    #[must_use]
    pub fn with_rival(mut self, entry: impl Fn(Position) -> Bytes + Send + Sync + 'static) -> Self {
        self.rival = Some(Box::new(entry));
        self
    }

    /// Cuts the line: every call fails, and so does every wait in progress, until [`Faulty::heal`].
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Ends a cut.
    pub fn heal(&self) {
        self.is_cut.send_replace(false);
    }

    /// Rolls for one call: the fault, from 0 to 999, and the turns by which its answer is late.
    ///
    /// Every call takes three numbers whatever the odds, so that odds can be changed one at a time
    /// and the rest stays as it was.
    fn roll(&self) -> (u16, u64) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, delay, turns) = (dice.per_mille(), dice.per_mille(), dice.next());
        let turns = if delay < self.odds.delay { 1 + turns % DELAY_TURNS_MAX } else { 0 };
        (fault, turns)
    }

    fn check_line(&self) -> Result<(), Error> {
        if *self.is_cut.borrow() { Err(fault("the line is cut")) } else { Ok(()) }
    }

    /// What every call but `append` begins with.
    async fn begin_read(&self) -> Result<(), Error> {
        let (roll, turns) = self.roll();
        delay(turns).await;
        self.check_line()?;
        if roll < self.odds.fail_read { Err(fault("a read failed")) } else { Ok(()) }
    }
}

#[async_trait]
impl Log for Faulty {
    async fn append(
        &self,
        expected_head: Position,
        entries: Vec<Bytes>,
    ) -> Result<Position, Error> {
        let (roll, turns) = self.roll();
        self.check_line()?;
        let Odds { fail_before, lose_acknowledgement, rival, .. } = self.odds;
        let mut limit = fail_before;
        if roll < limit {
            delay(turns).await;
            return Err(fault("an append failed before it was stored"));
        }
        limit = limit.saturating_add(lose_acknowledgement);
        let is_acknowledgement_lost = roll < limit;
        limit = limit.saturating_add(rival);
        if let Some(rival) =
            self.rival.as_ref().filter(|_| !is_acknowledgement_lost && roll < limit)
        {
            let head = self.inner.head().await?;
            self.inner.append(head, vec![rival(head + 1)]).await?;
        }
        let result = self.inner.append(expected_head, entries).await;
        delay(turns).await;
        if is_acknowledgement_lost && result.is_ok() {
            return Err(fault("an acknowledgement was lost"));
        }
        result
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        self.begin_read().await?;
        self.inner.read(from, bytes_max).await
    }

    async fn head(&self) -> Result<Position, Error> {
        self.begin_read().await?;
        self.inner.head().await
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.begin_read().await?;
        let mut line = self.is_cut.subscribe();
        tokio::select! {
            reached = self.inner.wait_for(position) => reached,
            _ = line.wait_for(|is_cut| *is_cut) => Err(fault("the line was cut")),
        }
    }
}

fn fault(what: &str) -> Error {
    Error::Unavailable(format!("{what} (a fault of the simulation)"))
}

async fn delay(turns: u64) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// The generator of Steele, Lea and Flood: tiny, and good enough for dice.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn per_mille(&mut self) -> u16 {
        u16::try_from(self.next() % 1_000).expect("a remainder of 1000 is below 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, Factory};
    use crate::memory::Memory;
    use crate::tail::tail;

    const ALL_FAULTS: Odds = Odds {
        fail_before: 200,
        lose_acknowledgement: 200,
        rival: 100,
        fail_read: 200,
        delay: 300,
    };

    fn faulty(seed: u64, odds: Odds) -> (Memory, Faulty) {
        let memory = Memory::new();
        let faulty = Faulty::new(Arc::new(memory.clone()), seed, odds)
            .with_rival(|position| Bytes::from(format!("rival at {position}")));
        (memory, faulty)
    }

    struct Late;

    #[async_trait]
    impl Factory for Late {
        async fn open(&self, _name: &str) -> Result<Arc<dyn Log>, Error> {
            Ok(Arc::new(faulty(1, Odds { delay: 500, ..Odds::default() }).1))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_faulty_log_without_faults_keeps_the_contract() {
        contract::run(&Late).await;
    }

    /// Appends 200 entries as a careful writer does, and returns what it was told on the way.
    async fn write_carefully(log: &Faulty) -> Vec<Result<Position, Error>> {
        let mut told = Vec::new();
        for number in 0..200_u32 {
            let entry = Bytes::from(format!("entry {number}"));
            'stored: loop {
                let Ok(head) = log.head().await else { continue };
                let answer = log.append(head, vec![entry.clone()]).await;
                told.push(answer.clone());
                match answer {
                    Ok(_) => break 'stored,
                    Err(Error::Conflict { .. }) => continue,
                    Err(_) => (),
                }
                // Unknown, so find out by reading.
                loop {
                    let Ok(groups) = log.read(head + 1, 1).await else { continue };
                    match groups.first() {
                        Some(group) if group.entries[0] == entry => break 'stored,
                        _ => break,
                    }
                }
            }
        }
        told
    }

    #[tokio::test]
    async fn a_writer_that_reads_after_errors_stores_each_entry_once_and_in_order() {
        for seed in 0..20 {
            let (memory, log) = faulty(seed, ALL_FAULTS);
            write_carefully(&log).await;
            let groups = memory.read(1, usize::MAX).await.unwrap();
            let entries = groups.iter().flat_map(|group| &group.entries);
            let ours: Vec<_> = entries.filter(|entry| entry.starts_with(b"entry")).collect();
            let expected: Vec<_> = (0..200).map(|number| format!("entry {number}")).collect();
            assert_eq!(ours, expected.iter().map(String::as_bytes).collect::<Vec<_>>(), "{seed}");
        }
    }

    #[tokio::test]
    async fn one_seed_gives_one_sequence_of_faults_and_another_gives_another() {
        let [first, again, other] = &[5, 5, 6].map(|seed| faulty(seed, ALL_FAULTS).1);
        let first = write_carefully(first).await;
        assert_eq!(first, write_carefully(again).await);
        assert_ne!(first, write_carefully(other).await);
        let faults = |what: &str| {
            first
                .iter()
                .filter_map(|told| told.as_ref().err())
                .filter(|error| error.to_string().contains(what))
                .count()
        };
        assert!(faults("before it was stored") > 20, "{first:?}");
        assert!(faults("acknowledgement was lost") > 20, "{first:?}");
        assert!(faults("the head is at") > 5, "{first:?}");
    }

    #[tokio::test]
    async fn a_cut_line_fails_every_call_and_wait_and_a_tail_goes_on_after_it() {
        let (memory, log) = faulty(3, Odds::default());
        let log = Arc::new(log);
        let mut tail = tail(log.clone(), 1);
        log.append(0, vec![Bytes::from_static(b"before")]).await.unwrap();
        assert_eq!(tail.next_group().await.unwrap().first, 1);

        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait_for(2).await }
        });
        tokio::task::yield_now().await;
        log.cut();
        assert!(matches!(waiting.await.unwrap(), Err(Error::Unavailable(_))));
        assert!(log.append(1, vec![Bytes::from_static(b"lost")]).await.is_err());
        assert!(log.read(1, 1).await.is_err());
        assert!(log.head().await.is_err());
        assert!(tail.next_group().await.is_err());

        memory.append(1, vec![Bytes::from_static(b"meanwhile")]).await.unwrap();
        log.heal();
        assert_eq!(tail.next_group().await.unwrap().first, 2);
    }
}
