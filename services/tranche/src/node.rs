//! One of several instances on one log in NATS: it follows the log, shows it, and forwards commands to
//! the one that writes. Of those that may write, one holds the writer's lease; when it is silent for
//! the length of a lease, another takes the log over, whoever still has an append on its way, and goes
//! on where the log ends (ADR/0012).
//!
//! ```text
//!            the lease is ours: take over, catch up
//!  follows ------------------------------------------> writes
//!          <------------------------------------------
//!            the lease is lost, or the log was taken over
//! ```

mod figures;
mod forward;
mod lease;

use crate::clock::Clock;
use crate::engine::{
    self, Engine, OpenError, ReadError, Reader, Receipt, Request, Shown, SubmitError, follow,
};
use crate::relay::{self, Relay};
use crate::roles::{Role, Roles};
use eventlog::nats::{LEASE_TURN, Lease, Standing};
use eventlog::{Log, Nats};
use figures::NodeFigures;
pub use forward::{FORWARD_WAIT, FORWARDED_MAX, RETRY_WITHOUT_WRITER};
use lease::{Guarded, Keeper};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a follower waits until it shows what another has recorded for it, before it answers.
pub const SHOWN_WAIT: Duration = Duration::from_secs(2);
/// How long to wait for an instance that decides: longer than it takes until the work of one that died
/// is taken up.
pub const READY_WAIT: Duration = Duration::from_secs(6);
/// How long to wait before the log is taken over once more after that failed.
const TAKE_OVER_AGAIN: Duration = Duration::from_millis(200);

/// How an instance runs.
#[derive(Clone)]
pub struct NodeOptions {
    /// What it does.
    pub roles: Roles,
    /// On how many servers the lease is kept.
    pub replicas: usize,
    /// The clock for its decisions.
    pub clock: Clock,
    /// How its engine runs while it writes.
    pub engine: engine::EngineOptions,
}

/// A handle of a running instance; its clones are one instance.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<Nats>,
    reader: Reader,
    clock: Clock,
    figures: NodeFigures,
    /// The engine, while this instance writes.
    engine: watch::Receiver<Option<Engine>>,
    standing: watch::Receiver<Standing>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Node {
    /// Reads the log and goes on following it, or writing it.
    ///
    /// # Errors
    /// When the log cannot be read to its end.
    pub async fn open(log: Nats, options: NodeOptions) -> Result<Self, OpenError> {
        let log = Arc::new(log);
        let read: Arc<dyn Log> = Arc::clone(&log) as Arc<dyn Log>;
        let mut engine = options.engine.clone();
        let mut figures = NodeFigures::new(engine.metrics.take())?;
        engine.metrics = Some(figures.engine.clone());
        let shown = Shown::open(&read, &engine).await?;
        let reader = shown.reader(&read, &tokio::runtime::Handle::current());
        let may_write = options.roles.has(Role::Writer);
        let lease =
            Lease::new(log.wire(), options.replicas, "writer", name()).only_looking(!may_write);
        let keeper = Keeper::start(lease);
        let standing = keeper.standing.clone();
        let (stop, stopped) = watch::channel(false);
        let (engines, here) = watch::channel(None);
        let worker = Worker {
            log: Arc::clone(&log),
            read,
            clock: options.clock.clone(),
            options: engine,
            figures: figures.clone(),
            engines,
            standing: standing.clone(),
            stopped,
        };
        if options.roles.has(Role::Relay) {
            let metrics = relay::Metrics::new()?;
            figures.relay = Some(metrics.clone());
            let relay = Relay::new(log.wire(), options.replicas, Arc::clone(&log) as _, metrics);
            tokio::spawn(run_relay(relay, stop.subscribe()));
        }
        let task = Mutex::new(Some(tokio::spawn(worker.run(shown, keeper))));
        let clock = options.clock;
        let shared = Shared { log, reader, clock, figures, engine: here, standing, stop, task };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Gives a command: to the engine here, or to the instance that writes. It is shown here when this
    /// returns, unless that takes longer than [`SHOWN_WAIT`].
    ///
    /// # Errors
    /// As [`Engine::submit`]; [`SubmitError::Unavailable`] too when no instance writes.
    pub async fn submit(&self, request: Request) -> Result<Receipt, SubmitError> {
        let shared = &*self.shared;
        if let Some(engine) = self.engine() {
            return match engine.submit(request).await {
                // It goes on elsewhere.
                Err(SubmitError::Stopping) if !*shared.stop.borrow() => {
                    Err(SubmitError::Unavailable {
                        reason: "this instance has stopped writing".into(),
                        retry_after: RETRY_WITHOUT_WRITER,
                    })
                }
                answered => answered,
            };
        }
        let done = forward::forward(shared.log.wire(), &request, shared.clock.now()).await;
        shared.figures.forwarded(&done);
        let receipt = done?;
        if let Some(position) = receipt.position {
            // What is recorded stays recorded, seen here or not.
            let _ = timeout(SHOWN_WAIT, shared.reader.wait_for(position)).await;
        }
        Ok(receipt)
    }

    /// The engine, while this instance writes.
    #[must_use]
    pub fn engine(&self) -> Option<Engine> {
        self.shared.engine.borrow().clone()
    }

    /// Waits until this instance writes, for so long at most.
    pub async fn writing(&self, wait: Duration) -> Option<Engine> {
        let mut engine = self.shared.engine.clone();
        let writes = timeout(wait, engine.wait_for(Option::is_some)).await;
        writes.ok()?.ok()?.clone()
    }

    /// Waits until this instance writes, or another one answers, for [`READY_WAIT`] at most.
    pub async fn ready(&self) {
        let wire = self.shared.log.wire();
        let somebody_decides = async {
            while self.engine().is_none() && !forward::is_heard(wire).await {
                sleep(LEASE_TURN).await;
            }
        };
        // Who asks nevertheless is told that nobody decides.
        let _ = timeout(READY_WAIT, somebody_decides).await;
    }

    /// Who decides: `here`, or the name of another instance; `None` when nobody does now.
    #[must_use]
    pub fn writer(&self) -> Option<String> {
        match &*self.shared.standing.borrow() {
            Standing::Ours(_) => self.engine().map(|_| "here".to_owned()),
            Standing::Theirs(holder) => holder.clone(),
        }
    }

    /// What readers see.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.shared.reader.clone()
    }

    /// The clock for its decisions.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock.clone()
    }

    /// The last position that is known to be in the log, without asking it.
    #[must_use]
    pub fn known_head(&self) -> u64 {
        self.shared.log.known_head()
    }

    /// Sets the figures that the engine keeps while this instance writes, and nobody while it follows.
    pub fn observe(&self) {
        let figures = &self.shared.figures.engine;
        figures.durable(self.known_head());
        figures.shown(self.shared.reader.now().position());
    }

    /// Makes its figures known to a registry.
    ///
    /// # Errors
    /// When the registry has figures of these names.
    pub fn register(&self, registry: &prometheus::Registry) -> Result<(), prometheus::Error> {
        self.shared.figures.register(registry)
    }

    /// Decides what is in the queue if it writes, gives the lease back, and ends.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let task = self.shared.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // If it panicked, it has said so itself.
            let _ = task.await;
        }
    }
}

/// Relays until the instance stops. A relay that cannot go on says so here and in its figures, and
/// holds nobody up.
async fn run_relay(relay: Relay, mut stopped: watch::Receiver<bool>) {
    let stop = async move {
        // An error says that the instance is gone, which is the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    if let Err(error) = relay::run(&relay, stop).await {
        tracing::error!(%error, "events are no longer relayed");
    }
}

/// Names this process among all, and tells a person where it is.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.unwrap_or_else(|_| "host".to_owned());
    format!("{}/{}/{}", host.trim(), std::process::id(), uuid::Uuid::now_v7().simple())
}

/// What runs beside the handles.
struct Worker {
    log: Arc<Nats>,
    read: Arc<dyn Log>,
    clock: Clock,
    options: engine::EngineOptions,
    figures: NodeFigures,
    engines: watch::Sender<Option<Engine>>,
    standing: watch::Receiver<Standing>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self, mut shown: Shown, keeper: Keeper) {
        while self.follow(&mut shown).await {
            match self.take_over(&mut shown).await {
                Ok(()) => match self.write(shown).await {
                    Some(back) => shown = back,
                    // A thread of the engine has panicked: another instance goes on.
                    None => break,
                },
                Err(error) => {
                    tracing::warn!(%error, "the log could not be taken over; trying again");
                    sleep(TAKE_OVER_AGAIN).await;
                }
            }
        }
        keeper.release().await;
    }

    /// Follows until the lease is ours. False: it is told to stop, or can never write again.
    async fn follow(&mut self, shown: &mut Shown) -> bool {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => false,
            () = lease::won(&mut self.standing) => true,
            error = follow(&self.read, shown) => {
                // A newer program writes this log. What we show stays true, and gets old.
                tracing::error!(%error, "the log cannot be followed any more");
                false
            }
        }
    }

    /// From here on nobody else can append, and everything that is recorded is known.
    async fn take_over(&self, shown: &mut Shown) -> Result<(), ReadError> {
        let head = self.log.take_over().await?;
        shown.catch_up(&*self.read, head).await
    }

    /// Writes until the lease is lost, the log is taken over, or it stops.
    async fn write(&mut self, shown: Shown) -> Option<Shown> {
        let (fenced, mut is_fenced) = watch::channel(false);
        let guarded = Guarded {
            log: Arc::clone(&self.log),
            standing: self.standing.clone(),
            is_fenced: fenced,
        };
        let engine = Engine::start(shown, Arc::new(guarded), self.clock.clone(), &self.options);
        let engine = engine
            .inspect_err(|error| tracing::error!(%error, "the engine cannot be started"))
            .ok()?;
        tracing::info!("this instance writes the log");
        self.figures.writes(true);
        self.engines.send_replace(Some(engine.clone()));
        let answering = self.answer(engine.clone()).await;
        tokio::select! {
            () = lease::lost(&mut self.standing) => (),
            _ = is_fenced.wait_for(|fenced| *fenced) => (),
            _ = self.stopped.wait_for(|stopped| *stopped) => (),
        }
        self.engines.send_replace(None);
        self.figures.writes(false);
        answering.iter().for_each(JoinHandle::abort);
        tracing::info!("this instance no longer writes the log");
        if *self.stopped.borrow() {
            engine.stop().await;
            return None;
        }
        engine.end().await
    }

    /// Answers the commands of other instances.
    async fn answer(&self, engine: Engine) -> Option<JoinHandle<()>> {
        let wire = self.log.wire().clone();
        let wishes = wire.client().subscribe(forward::subject(&wire)).await;
        let wishes = wishes.inspect_err(|error| {
            tracing::error!(%error, "no commands of other instances can be heard");
        });
        Some(tokio::spawn(forward::answer(wire, wishes.ok()?, engine)))
    }
}
