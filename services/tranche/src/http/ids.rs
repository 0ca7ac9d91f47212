//! Names for requests, and for commands whose sender gave none: UUIDv7, so that they sort by time.

use domain::kernel::ids::CommandId;
use jiff::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keyed by the operating system's randomness, once per process.
static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A UUIDv7 that no request had before. Its random part is a keyed hash of a counter, so it need not
/// ask the operating system each time.
#[must_use]
pub fn fresh() -> uuid::Uuid {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let (high, low) = (RANDOM.hash_one((count, 0_u8)), RANDOM.hash_one((count, 1_u8)));
    let mut random = [0; 10];
    random[..8].copy_from_slice(&high.to_be_bytes());
    random[8..].copy_from_slice(&low.to_be_bytes()[..2]);
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid()
}

/// The id of a command whose sender gave none.
#[must_use]
pub fn command_id() -> Option<CommandId> {
    fresh().to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_differ() {
        let (one, two) = (fresh(), fresh());
        assert_ne!(one, two);
        assert_eq!(one.get_version_num(), 7);
        assert_eq!(command_id().map(|id| id.as_str().len()), Some(36));
    }
}
