//! The clock of an engine: that of the system, or one that a test or a demonstration moves by hand.

use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest sleep until a timer is due: the system's clock may be set, or the machine may sleep,
/// while we do.
const SLEEP_MAX: Duration = Duration::from_secs(60);

type Listener = Box<dyn Fn() -> bool + Send>;

/// Where an engine takes the time from. Its clones are one clock.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<Hands>),
}

/// Two locks: a listener may look at the clock.
struct Hands {
    now: Mutex<Timestamp>,
    listeners: Mutex<Vec<Listener>>,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until somebody moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> (Self, ManualClock) {
        let hands = Arc::new(Hands { now: Mutex::new(start), listeners: Mutex::default() });
        (Self(Source::Manual(Arc::clone(&hands))), ManualClock(hands))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(hands) => *lock(&hands.now),
        }
    }

    /// The hands, when this clock is moved by hand.
    pub(crate) fn by_hand(&self) -> Option<ManualClock> {
        match &self.0 {
            Source::System => None,
            Source::Manual(hands) => Some(ManualClock(Arc::clone(hands))),
        }
    }

    /// How long to sleep until `due`; `None` when only [`ManualClock::set`] can end the sleep.
    pub(crate) fn sleep_until(&self, due: Timestamp) -> Option<Duration> {
        match &self.0 {
            Source::System => {
                let left = Duration::try_from(due.duration_since(Timestamp::now()));
                // A microsecond more, so that the cut of `recorded_at` does not wake us too early.
                Some(left.map_or(Duration::ZERO, |left| left + Duration::from_micros(1)))
                    .map(|left| left.min(SLEEP_MAX))
            }
            Source::Manual(_) => None,
        }
    }

    /// Calls `listener` after every move of a manual clock, for as long as it returns true.
    pub(crate) fn on_move(&self, listener: impl Fn() -> bool + Send + 'static) {
        if let Source::Manual(hands) = &self.0 {
            lock(&hands.listeners).push(Box::new(listener));
        }
    }
}

/// The hands of a manual clock.
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

impl ManualClock {
    /// Moves the clock, also backwards: the log's own time never goes back.
    pub fn set(&self, now: Timestamp) {
        *lock(&self.0.now) = now;
        lock(&self.0.listeners).retain(|listener| listener());
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *lock(&self.0.now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_tells_its_listeners_until_they_are_gone() {
        let start = "2024-09-10T08:00:00Z".parse().unwrap();
        let later = "2024-09-11T08:00:00Z".parse().unwrap();
        let (clock, hands) = Clock::manual(start);
        let (heard, hearing) = std::sync::mpsc::channel();
        clock.on_move(move || heard.send(()).is_ok());
        hands.set(later);
        assert_eq!((clock.now(), hearing.try_recv()), (later, Ok(())));
        drop(hearing);
        hands.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn the_system_clock_does_not_sleep_for_what_is_past() {
        let past = "2024-09-10T08:00:00Z".parse().unwrap();
        assert_eq!(Clock::system().sleep_until(past), Some(Duration::ZERO));
        let (manual, _hands) = Clock::manual(past);
        assert_eq!(manual.sleep_until(past), None);
    }
}
