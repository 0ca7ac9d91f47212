//! The same over HTTP: commands, views, the log, and one page. What is refused is an RFC 9457 problem;
//! what may be asked is described by `/openapi.json`, made from the declarations.
//!
//! There is no login in this version: the caller says who it is. So the server belongs on loopback, or
//! behind something that knows who is asking.

mod about;
mod assets;
mod commands;
mod connections;
mod documents;
mod envelope;
mod exports;
mod format;
mod log;
mod openapi;
mod page;
pub(crate) mod problem;
mod problems;
mod proofs;
mod request;
mod sankey;
mod views;
mod why;

use crate::desk::Desk;
use crate::documents::Documents;
use crate::engine::Reader;
use crate::ids;
use crate::proof::{Keeping, Prover};
use crate::vault::{self, Vault};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
pub use connections::{CONNECTIONS_MAX, HEAD_MAX, Limits};
pub use documents::{DOCUMENT_MAX, DOCUMENTS_AT_ONCE};
use problem::Problem;
use prometheus::{
    HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry, exponential_buckets,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// The longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The most callers that may read the log at once.
pub const LOG_READERS_MAX: usize = 256;
/// How long a request may wait for a position.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a caller may take for the body of a command.
pub const BODY_MAX: Duration = Duration::from_secs(30);
/// How far the views may be behind the log while we call ourselves ready, in commits.
pub const LAG_MAX: u64 = 10_000;
/// How long requests may take to end when the server stops.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What every answer carries. The page needs its own style sheet, script and fetches, nothing else.
const ALWAYS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// What all requests share.
struct Shared {
    desk: Desk,
    reader: Reader,
    registry: Registry,
    lag: IntGaugeVec,
    requests: HistogramVec,
    connections: connections::ConnectionFigures,
    uptime: IntGauge,
    started: Instant,
    stopping: Stopping,
    streams: Arc<Semaphore>,
    is_loopback: bool,
    calendar: Mutex<Option<Arc<page::calendar::Calendar>>>,
    /// The tree of the log, if this instance has keys to sign it with.
    prover: OnceLock<Arc<Prover>>,
    /// Seals personal data; without it such commands are refused.
    vault: Option<Arc<Vault>>,
    /// The documents beside the log, if this instance keeps them.
    documents: OnceLock<Documents>,
    /// A place for each document that is held in memory.
    moving: Semaphore,
}

/// Tells long answers that the server stops.
#[derive(Clone)]
struct Stopping(watch::Receiver<bool>);

impl Stopping {
    fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    async fn wait(&mut self) {
        // An error says that the server is gone, which is the same.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// A server that has its address and does not answer yet.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    others: Router,
    is_for_operators: bool,
    limits: Limits,
    keeping: Option<Keeping>,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(desk: impl Into<Desk>, address: SocketAddr) -> std::io::Result<Self> {
        Self::on(TcpListener::bind(address).await?, desk)
    }

    /// Serves on an address that has been taken.
    ///
    /// # Errors
    /// When the operating system does not say which.
    pub fn on(listener: TcpListener, desk: impl Into<Desk>) -> std::io::Result<Self> {
        let is_loopback = listener.local_addr()?.ip().is_loopback();
        let (stop, stopping) = watch::channel(false);
        let shared = Shared::new(desk.into(), Stopping(stopping), is_loopback)
            .map_err(std::io::Error::other)?;
        Ok(Self {
            listener,
            shared: Arc::new(shared),
            stop,
            others: Router::new(),
            is_for_operators: false,
            limits: Limits::default(),
            keeping: None,
        })
    }

    /// Answers other addresses too, bare: what a measurement compares with.
    #[must_use]
    pub(crate) fn beside(self, others: Router) -> Self {
        Self { others, ..self }
    }

    /// Answers only what operators ask: whether it lives, whether it is ready, and its figures.
    #[must_use]
    pub fn for_operators_only(self) -> Self {
        Self { is_for_operators: true, ..self }
    }

    /// Serves proofs, and verifies everything while it runs.
    #[must_use]
    pub fn keeping(self, keeping: Keeping) -> Self {
        if let Some(prover) = &keeping.prover {
            self.shared.prover.get_or_init(|| Arc::clone(prover));
        }
        Self { keeping: Some(keeping), ..self }
    }

    /// With the keys of personal data.
    ///
    /// # Panics
    /// When the server answers already.
    #[must_use]
    pub fn with_vault(mut self, vault: Option<Arc<Vault>>) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("nobody has asked it anything");
        shared.vault = vault;
        self
    }

    /// Keeps documents, and those that a command carries, before it is decided.
    #[must_use]
    pub fn with_documents(self, documents: Documents) -> Self {
        self.shared.documents.get_or_init(|| documents);
        self
    }

    /// With other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The address it has.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is done; then ends what has begun, for at most [`DRAIN_MAX`], and
    /// stops the engine, if there is one here, which writes its snapshot.
    ///
    /// # Errors
    /// When the figures of verification cannot be made.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let Self { listener, shared, stop, others, is_for_operators, limits, keeping } = self;
        let desk = shared.desk.clone();
        let kept = keeping.map(|keeping| keeping.start(&desk, &shared.registry));
        let kept = kept.transpose().map_err(std::io::Error::other)?;
        let (stopping, connections) = (shared.stopping.clone(), shared.connections.clone());
        let ours = if is_for_operators { operators(Router::new()) } else { everything() };
        let router = others.merge(finished(ours, shared));
        let server = connections::serve(listener, router, limits, connections, stopping);
        drained(server, shutdown, stop).await;
        drop(kept);
        desk.stop().await;
        Ok(())
    }
}

/// Answers these addresses alone, with the limits of the server, until `shutdown` is done; then ends what
/// has begun, for at most [`DRAIN_MAX`].
pub(crate) async fn serve_routes(
    listener: TcpListener,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let figures =
        connections::ConnectionFigures::new(&Registry::new()).map_err(std::io::Error::other)?;
    let limits = Limits::default();
    let server = connections::serve(listener, routes, limits, figures, Stopping(stopping));
    drained(server, shutdown, stop).await;
    Ok(())
}

/// Runs a server until `shutdown` is done, and for at most [`DRAIN_MAX`] more.
async fn drained(
    server: impl Future<Output = ()>,
    shutdown: impl Future<Output = ()>,
    stop: watch::Sender<bool>,
) {
    let overdue = async move {
        shutdown.await;
        stop.send_replace(true);
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        () = server => {}
        () = overdue => tracing::warn!("some requests did not end in time and were cut off"),
    }
}

/// Done when the process is told to stop: SIGTERM, or SIGINT (Ctrl-C).
///
/// # Errors
/// When signals cannot be heard.
pub fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The OpenAPI document, as `/openapi.json` gives it.
#[must_use]
pub fn openapi() -> &'static str {
    &openapi::DOCUMENT
}

impl Shared {
    fn new(desk: Desk, stopping: Stopping, is_loopback: bool) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        desk.register(&registry)?;
        let buckets = exponential_buckets(0.000_25, 2.0, 16)?;
        let options =
            HistogramOpts::new("tranche_http_request_seconds", "Time to answer a request");
        let requests = HistogramVec::new(options.buckets(buckets), &["method", "route", "status"])?;
        let uptime = IntGauge::new("tranche_uptime_seconds", "Time since the server started")?;
        let lag = IntGaugeVec::new(
            Opts::new(
                "tranche_lag_commits",
                "How far the views of this instance are behind the log",
            ),
            &["role", "projection"],
        )?;
        registry.register(Box::new(lag.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(uptime.clone()))?;
        Ok(Self {
            reader: desk.reader(),
            desk,
            lag,
            connections: connections::ConnectionFigures::new(&registry)?,
            registry,
            requests,
            uptime,
            started: Instant::now(),
            stopping,
            streams: Arc::new(Semaphore::new(LOG_READERS_MAX)),
            is_loopback,
            calendar: Mutex::default(),
            prover: OnceLock::new(),
            vault: None,
            documents: OnceLock::new(),
            moving: Semaphore::new(DOCUMENTS_AT_ONCE),
        })
    }
}

impl Shared {
    /// Destroys the keys that the log says are to be gone. When one cannot be destroyed, the one who looks
    /// after the keys tries again ([`vault::keep_swept`]).
    async fn sweep(&self) {
        let Some(vault) = self.vault.clone() else { return };
        vault::sweep(vault, self.reader.now()).await;
    }

    /// All views are folded together, so one number is that of each; it is told for each, so that an
    /// alarm can name one and goes on to work when they are not.
    fn observe_lag(&self) {
        self.desk.observe();
        let shown = self.reader.now().position();
        let lag = i64::try_from(self.desk.known_head().saturating_sub(shown));
        let is_here = self.desk.writer().is_some_and(|writer| writer == "here");
        let (role, other) = if is_here { ("writer", "web") } else { ("web", "writer") };
        for view in projections::names() {
            self.lag.with_label_values(&[role, view]).set(lag.unwrap_or(i64::MAX));
            // An error says that there is nothing to remove.
            let _ = self.lag.remove_label_values(&[other, view]);
        }
    }
}

type Routes = Router<Arc<Shared>>;

fn everything() -> Routes {
    let routes = Router::new()
        .route("/", get(page::handler::show))
        .route("/assets/{name}", get(assets::serve))
        .route("/commands", get(commands::list))
        .route("/commands/{name}", post(commands::submit).get(commands::one))
        .route("/views", get(views::list))
        .route("/views/{view}", get(views::one))
        .route("/views/{view}/why", get(why::why))
        .route("/views/{view}/diff", get(why::diff))
        .route("/exports/{what}", get(exports::one))
        .route("/exports/{what}/totals", get(exports::totals))
        .route("/log", get(log::read))
        .route("/log/{position}", get(log::one))
        .route("/checkpoint", get(proofs::checkpoint))
        .route("/tile/{*path}", get(proofs::tile))
        .route("/proofs/{position}", get(proofs::proof))
        .route("/documents/{sha256}", get(documents::read).put(documents::keep))
        .route("/streams/{stream}", get(views::stream))
        .route("/problems", get(problems::list))
        .route("/problems/{code}", get(problems::one))
        .route("/openapi.json", get(about::document))
        .route("/asyncapi.json", get(about::events));
    operators(routes)
}

fn operators(routes: Routes) -> Routes {
    routes
        .route("/metrics", get(about::metrics))
        .route("/healthz", get(about::alive))
        .route("/readyz", get(about::ready))
}

fn finished(routes: Routes, shared: Arc<Shared>) -> Router {
    routes
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), around))
        .with_state(shared)
}

async fn nothing_here() -> Problem {
    Problem::own("http.not_found", "nothing is at this address; see /openapi.json")
}

/// Refuses a position that the log does not have, as the command line does.
fn within(position: u64, head: u64) -> Result<(), Problem> {
    if position <= head {
        return Ok(());
    }
    Err(Problem::own("http.not_found", format!("position {position}: the log ends at {head}")))
}

/// Names the route of a request as a label of figures: by its first part, which no caller makes up.
fn label(route: Option<&str>) -> &str {
    let Some(route) = route else { return "other" };
    match route.split('/').nth(1) {
        None | Some("") => "page",
        Some(first) => first,
    }
}

/// Around every request: its name, its time, the headers of every answer, and problems in one form.
async fn around(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = ids::fresh();
    let (method, route) = (request.method().clone(), request.extensions().get().cloned());
    let mut response = if shared.is_loopback && !is_ours(request.headers()) {
        let detail = "the server listens on loopback: call it localhost or 127.0.0.1";
        Problem::own("http.wrong_host", detail).into_response()
    } else {
        match envelope::only_known(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    if let Some(problem) = problem_of(&response) {
        let instance = format!("urn:uuid:{id}");
        let mut written = match response.extensions().get::<page::Asked>() {
            Some(page::Asked) => page::refused(&problem, &instance),
            None => problem.response(Some(instance)),
        };
        if problem.status().is_server_error() {
            tracing::warn!(%id, code = problem.code(), detail = problem.detail(), "problem");
        }
        std::mem::swap(response.headers_mut(), written.headers_mut());
        written.headers_mut().extend(std::mem::take(response.headers_mut()));
        response = written;
    }
    finish(response.headers_mut(), &id);
    let status = response.status();
    let labels =
        [method_label(&method), label(route.as_ref().map(MatchedPath::as_str)), status.as_str()];
    shared.requests.with_label_values(&labels).observe(started.elapsed().as_secs_f64());
    response
}

/// The problem of an answer: one of ours, or one that the router made without a body.
fn problem_of(response: &Response) -> Option<Arc<Problem>> {
    if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
        return Some(Arc::clone(problem));
    }
    let bare =
        response.headers().get("content-type").is_none_or(|media| media != "application/json");
    let status = response.status();
    let own = |code, detail| Some(Arc::new(Problem::own(code, detail)));
    match status.as_u16() {
        405 => {
            let allow = response.headers().get(ALLOW).cloned();
            let detail = "this address is not used with this method";
            Some(Arc::new(Problem::own("http.method_not_allowed", detail).allowing(allow)))
        }
        400 if bare => own("http.bad_path", "a part of the address cannot be read"),
        _ if status.is_server_error() && bare => own("http.internal", "something went wrong here"),
        _ => None,
    }
}

fn finish(headers: &mut HeaderMap, id: &uuid::Uuid) {
    for (name, value) in ALWAYS {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    if let Ok(value) =
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    {
        headers.insert(REQUEST_ID, value);
    }
}

/// Whether the caller means us: a page of another site can make its own name lead to loopback, and
/// would then be taken for us by the browser.
fn is_ours(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return !headers.contains_key(HOST);
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_never_holds_what_a_caller_made_up() {
        assert_eq!(label(Some("/")), "page");
        assert_eq!(label(Some("/views/{view}")), "views");
        assert_eq!(label(None), "other");
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "other");
    }

    #[test]
    fn only_loopback_names_are_ours() {
        let host = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(value));
            is_ours(&headers)
        };
        for good in
            ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "LOCALHOST"]
        {
            assert!(host(good), "{good}");
        }
        for bad in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            assert!(!host(bad), "{bad}");
        }
    }
}
