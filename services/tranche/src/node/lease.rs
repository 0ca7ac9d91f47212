//! The writer's lease at work: a task that keeps it, and a log that appends only while it is ours.

use async_trait::async_trait;
use bytes::Bytes;
use eventlog::nats::{LEASE_TURN, Lease, Standing};
use eventlog::{Error, Group, Log, Nats, Position};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Takes turns with the lease until it is told to give it back.
pub(super) struct Keeper {
    pub standing: watch::Receiver<Standing>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Keeper {
    pub fn start(mut lease: Lease) -> Keeper {
        let (told, standing) = watch::channel(Standing::Theirs(None));
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut turns = interval(LEASE_TURN);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut is_forbidden = false;
            loop {
                tokio::select! {
                    _ = &mut stopped => break,
                    _ = turns.tick() => (),
                }
                match lease.turn().await {
                    Ok(standing) => tell(&told, standing),
                    // One that was ours ends at its moment by itself.
                    Err(error) => {
                        if matches!(error, Error::Forbidden(_)) && !is_forbidden {
                            is_forbidden = true;
                            tracing::warn!(%error, "this instance cannot write the log");
                        }
                        tracing::debug!(%error, "the lease");
                        if !is_ours(&told.borrow()) {
                            tell(&told, Standing::Theirs(None));
                        }
                    }
                }
            }
            tell(&told, Standing::Theirs(None));
            lease.release().await;
        });
        Keeper { standing, stop, task }
    }

    /// Gives the lease back.
    pub async fn release(self) {
        // The task has ended already if it panicked, and has said so itself.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

fn tell(told: &watch::Sender<Standing>, standing: Standing) {
    told.send_if_modified(|known| {
        let is_news = *known != standing;
        *known = standing;
        is_news
    });
}

/// Whether the lease is ours at this moment.
pub(super) fn is_ours(standing: &Standing) -> bool {
    matches!(standing, Standing::Ours(until) if Instant::now() < *until)
}

/// Waits until the lease is ours.
pub(super) async fn won(standing: &mut watch::Receiver<Standing>) {
    // Without a keeper it will never be.
    if standing.wait_for(is_ours).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until the lease is not ours any more.
pub(super) async fn lost(standing: &mut watch::Receiver<Standing>) {
    loop {
        let until = match &*standing.borrow_and_update() {
            Standing::Ours(until) => *until,
            Standing::Theirs(_) => return,
        };
        tokio::select! {
            changed = standing.changed() => if changed.is_err() { return },
            () = sleep_until(until) => if !is_ours(&standing.borrow()) { return },
        }
    }
}

/// A log that is appended to only while the lease is ours. A process that stood still wakes up
/// without it, and asks nobody before it knows; what it had sent before is refused by the mark of
/// who took over.
pub(super) struct Guarded {
    pub log: Arc<Nats>,
    pub standing: watch::Receiver<Standing>,
    /// Told when the log was taken over from us.
    pub is_fenced: watch::Sender<bool>,
}

#[async_trait]
impl Log for Guarded {
    async fn append(&self, head: Position, entries: Vec<Bytes>) -> Result<Position, Error> {
        if !is_ours(&self.standing.borrow()) {
            return Err(Error::Unavailable("this instance has lost the writer's lease".to_owned()));
        }
        let appended = self.log.append(head, entries).await;
        if appended == Err(Error::Fenced) {
            self.is_fenced.send_replace(true);
        }
        appended
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        self.log.read(from, bytes_max).await
    }

    async fn head(&self) -> Result<Position, Error> {
        self.log.head().await
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.log.wait_for(position).await
    }
}
