//! Connections: so many at once, each with so long to say what it wants. One that says nothing, or says
//! it a byte a minute, would otherwise be kept for ever.

use super::Stopping;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::{IntCounter, IntGauge, Registry};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections that are open at once. The next one waits until another is closed.
pub const CONNECTIONS_MAX: usize = 2_048;
/// How long a caller may take for the head of a request, and how long a connection may be idle.
pub const HEAD_MAX: Duration = Duration::from_secs(30);
/// How long to wait when the system has no connection to give, for want of open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// How many may call, and how slowly.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Time for the head of a request.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: CONNECTIONS_MAX, head: HEAD_MAX }
    }
}

/// What is counted about connections.
#[derive(Clone)]
pub(super) struct ConnectionFigures {
    open: IntGauge,
    full: IntCounter,
    slow: IntCounter,
}

impl ConnectionFigures {
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let figures = Self {
            open: IntGauge::new("tranche_http_connections", "Connections that are open")?,
            full: IntCounter::new(
                "tranche_http_connections_full_total",
                "Times that as many connections were open as may be, so that a caller must wait",
            )?,
            slow: IntCounter::new(
                "tranche_http_connections_slow_total",
                "Connections closed since the head of a request did not come in time",
            )?,
        };
        registry.register(Box::new(figures.open.clone()))?;
        registry.register(Box::new(figures.full.clone()))?;
        registry.register(Box::new(figures.slow.clone()))?;
        Ok(figures)
    }
}

/// An open connection, counted until it is dropped.
struct Open {
    open: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.open.dec();
    }
}

/// Answers until told to stop, and then until every open connection has its answer.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    figures: ConnectionFigures,
    mut stopping: Stopping,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places, &figures) => accepted,
            () = stopping.wait() => break,
        };
        let Some((stream, open)) = accepted else { continue };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let (mut stopping, slow) = (stopping.clone(), figures.slow.clone());
        tokio::spawn(async move {
            let _open = open;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // A caller that went away is no fault of ours.
            if ended.is_err_and(|error| error.is_timeout()) {
                slow.inc();
            }
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    // It is never closed, so there is no error.
    let _ = places.acquire_many(all).await;
}

/// The next connection, when there is a place for it. `None`: try again.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    figures: &ConnectionFigures,
) -> Option<(TcpStream, Open)> {
    if places.available_permits() == 0 {
        figures.full.inc();
    }
    let permit = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // An answer is one small packet: waiting for more to send would only delay it.
            let _ = stream.set_nodelay(true);
            figures.open.inc();
            Some((stream, Open { open: figures.open.clone(), _permit: permit }))
        }
        Err(error) if is_of_the_caller(&error) => None,
        Err(error) => {
            tracing::error!(%error, "no connection can be accepted");
            tokio::time::sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

/// The caller was gone before we had its connection.
fn is_of_the_caller(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
