//! How long a server is waited for, and trying again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::log::Error;

/// The time that connecting may take.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// The time that one request waits for its answer. A server that syncs at each write may need a while.
pub const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// For how long an append is tried again, with the same message id, before the log is unavailable.
/// The last try may end [`ANSWER_WAIT`] later.
pub const APPEND_WAIT: Duration = Duration::from_secs(5);
/// For how long a read or a look at the head is tried again. The last try may end [`ANSWER_WAIT`]
/// later.
pub const READ_WAIT: Duration = Duration::from_secs(3);
/// The pause before something is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The time between two looks at the head by a waiting reader, in case a notice of a group was lost.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Tries until it is not for unavailability that it fails, for `limit` at most and once at least.
///
/// # Errors
/// That of the last try.
pub async fn until<T, F>(limit: Duration, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match attempt().await {
            Err(Error::Unavailable(_)) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
}
