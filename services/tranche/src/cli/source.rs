//! The log that a call of the program works on: `--data DIR` or `--log URL`.

use super::failure::Failure;
use super::out::progress;
use clap::Args;
use eventlog::{Log, Memory, Position, READ_BYTES, Sqlite};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::desk::Desk;
use tranche::engine::{Engine, EngineOptions, Follower, OnProgress};
#[cfg(feature = "nats")]
use tranche::node::{self, Node};
use tranche::roles::{Role, Roles};
use tranche::vault::Vault;
use tranche_proof::{DIRECTORY, Shelf};

/// The heading in the help of every sub-command.
const HEADING: &str = "Log and keys";

/// Says which log is meant.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// Uses the log in this directory, or makes it; beside --log, keeps snapshots there
    #[arg(long, global = true, value_name = "DIR", help_heading = HEADING)]
    data: Option<PathBuf>,

    /// Uses the log at this URL: sqlite:DIR, nats://HOST[:PORT][,HOST[:PORT]]/STREAM, esdb: or
    /// kurrentdb: in the same form, or memory: for a log that is lost at the end
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING)]
    log: Option<String>,

    /// Seals personal data with the keys in this directory; keep it out of the log's back-ups
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = HEADING,
        env = "TRANCHE_KEYS",
        hide_env_values = true
    )]
    keys: Option<PathBuf>,
}

/// Where a log is.
#[derive(Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// A directory with an embedded log.
    Directory(PathBuf),
    /// A stream of NATS JetStream.
    #[cfg(feature = "nats")]
    Nats {
        /// Which one.
        stream: Box<eventlog::nats::Options>,
        /// A directory of this machine for snapshots; without one there are none.
        data: Option<PathBuf>,
    },
    /// A stream of EventStoreDB.
    #[cfg(feature = "kurrent")]
    Kurrent {
        /// Which one.
        stream: Box<eventlog::kurrent::Options>,
        /// A directory of this machine for snapshots; without one there are none.
        data: Option<PathBuf>,
    },
    /// Nowhere: gone at the end.
    Memory,
}

impl Source {
    /// The log at a URL.
    pub fn at(url: &str) -> Self {
        Self { data: None, log: Some(url.to_owned()), keys: None }
    }

    /// Where the log is; `None` when the call does not say.
    pub fn place(&self) -> Result<Option<LogPlace>, Failure> {
        match (&self.data, &self.log) {
            (data, Some(url)) => parse(url, data.as_deref()).map(Some),
            (Some(dir), None) => Ok(Some(LogPlace::Directory(dir.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// Where the log is.
    pub fn required(&self) -> Result<LogPlace, Failure> {
        self.place()?.ok_or_else(|| {
            Failure::Usage("which log? --data DIR, or --log URL (see --help)".to_owned())
        })
    }

    /// The keys of personal data, if the call says where they are.
    pub fn vault(&self) -> Result<Option<Vault>, Failure> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let data = match self.place()? {
            Some(LogPlace::Directory(dir)) => Some(dir),
            _ => self.data.clone(),
        };
        Ok(Some(Vault::open(keys, data.as_deref())?))
    }

    /// The log, to read it beside its writer or without one.
    pub async fn open_to_read(&self) -> Result<Arc<dyn Log>, Failure> {
        match self.required()? {
            LogPlace::Directory(dir) => {
                must_exist(&dir)?;
                Ok(Arc::new(Sqlite::open_read_only(&dir)?))
            }
            #[cfg(feature = "nats")]
            LogPlace::Nats { stream, .. } => {
                Ok(Arc::new(eventlog::Nats::open_read_only(&stream).await?))
            }
            #[cfg(feature = "kurrent")]
            LogPlace::Kurrent { stream, .. } => {
                Ok(Arc::new(eventlog::Kurrent::open_read_only(&stream).await?))
            }
            LogPlace::Memory => Ok(Arc::new(Memory::default())),
        }
    }

    /// The same, but nothing is checked before it is read: for whoever reads all of it anyway, or needs
    /// few of its entries soon.
    pub async fn open_unchecked(&self) -> Result<Arc<dyn Log>, Failure> {
        match self.required()? {
            LogPlace::Directory(dir) => {
                must_exist(&dir)?;
                Ok(Arc::new(Sqlite::open_unchecked(&dir)?))
            }
            _ => self.open_to_read().await,
        }
    }

    /// The tree that is kept beside an embedded log, if there is one.
    pub fn kept_tree(&self) -> Result<Option<Shelf>, Failure> {
        let LogPlace::Directory(dir) = self.required()? else { return Ok(None) };
        let dir = dir.join(DIRECTORY);
        Ok(if dir.exists() { Some(Shelf::open(&dir)?) } else { None })
    }

    /// The folds of the log, beside its writer or without one.
    pub async fn follow(&self) -> Result<Follower, Failure> {
        let snapshots = self.required()?.snapshots();
        let progress = Some(on_progress("reading"));
        Ok(Follower::open(self.open_to_read().await?, snapshots, progress).await?)
    }

    /// Takes commands as they would be decided now, and records nothing: beside the log's writer or
    /// without one.
    pub async fn rehearse(&self, clock: Clock) -> Result<Desk, Failure> {
        let options = self.required()?.options();
        let engine = Engine::rehearse(self.open_to_read().await?, clock, options).await?;
        Ok(Desk::Alone(engine))
    }
}

impl LogPlace {
    /// Takes commands for the log, which is made if it is missing: decides them here, or hands them to
    /// the instance that writes.
    pub async fn desk(&self, clock: Clock, roles: &Roles) -> Result<Desk, Failure> {
        match self {
            #[cfg(feature = "nats")]
            Self::Nats { stream, .. } => self.node(stream, clock, roles).await.map(Desk::Node),
            _ if roles.has(Role::Writer) && !roles.has(Role::Relay) => {
                self.engine(clock).await.map(Desk::Alone)
            }
            _ => {
                let what =
                    "one process has this log to itself, and writes it; a nats: log is shared";
                Err(Failure::Usage(format!("--roles {roles}: {what}")))
            }
        }
    }

    /// Decides commands for the log here, and nowhere else.
    pub async fn engine_alone(&self, clock: Clock) -> Result<(Desk, Engine), Failure> {
        match self {
            #[cfg(feature = "nats")]
            Self::Nats { stream, .. } => {
                let node = self.node(stream, clock, &Roles::writing()).await?;
                match node.writing(eventlog::nats::LEASE * 2).await {
                    Some(engine) => Ok((Desk::Node(node), engine)),
                    None => {
                        let writer = node.writer().unwrap_or_else(|| "nobody".to_owned());
                        node.stop().await;
                        let what = format!("{writer} writes the log, and goes on to");
                        Err(eventlog::Error::Unavailable(what).into())
                    }
                }
            }
            _ => {
                let engine = self.engine(clock).await?;
                Ok((Desk::Alone(engine.clone()), engine))
            }
        }
    }

    /// Opens the log itself to write, and makes it if it is missing.
    pub async fn open_to_write(&self) -> Result<Arc<dyn Log>, Failure> {
        match self {
            Self::Directory(dir) => Ok(Arc::new(Sqlite::open(dir)?)),
            #[cfg(feature = "nats")]
            Self::Nats { stream, .. } => {
                let log = eventlog::Nats::open(stream).await?;
                warn_of_late_syncs(log.durability());
                Ok(Arc::new(log))
            }
            #[cfg(feature = "kurrent")]
            Self::Kurrent { stream, .. } => Ok(Arc::new(eventlog::Kurrent::open(stream).await?)),
            Self::Memory => Ok(Arc::new(Memory::default())),
        }
    }

    /// An engine on a log that only this process writes.
    async fn engine(&self, clock: Clock) -> Result<Engine, Failure> {
        Ok(Engine::open(self.open_to_write().await?, clock, self.options()).await?)
    }

    #[cfg(feature = "nats")]
    async fn node(
        &self,
        stream: &eventlog::nats::Options,
        clock: Clock,
        roles: &Roles,
    ) -> Result<Node, Failure> {
        let may_write = roles.has(Role::Writer);
        let log = if may_write {
            eventlog::Nats::open(stream).await?
        } else {
            eventlog::Nats::open_read_only(stream).await?
        };
        warn_of_late_syncs(log.durability());
        let (roles, replicas, engine) = (roles.clone(), stream.replicas, self.options());
        let options = node::NodeOptions { roles, replicas, clock, engine };
        Ok(Node::open(log, options).await?)
    }

    fn options(&self) -> EngineOptions {
        let progress = Some(on_progress("reading"));
        EngineOptions { snapshots: self.snapshots(), progress, ..EngineOptions::default() }
    }

    /// Where its snapshots are.
    pub fn snapshots(&self) -> Option<PathBuf> {
        match self {
            Self::Directory(dir) => Some(dir.join("snapshots")),
            #[cfg(feature = "nats")]
            Self::Nats { data, .. } => data.as_ref().map(|dir| dir.join("snapshots")),
            #[cfg(feature = "kurrent")]
            Self::Kurrent { data, .. } => data.as_ref().map(|dir| dir.join("snapshots")),
            Self::Memory => None,
        }
    }
}

/// The clock of the machine, or one that stands where the caller has put it.
pub fn clock(start: Option<Timestamp>) -> Clock {
    start.map_or_else(Clock::system, |start| Clock::manual(start).0)
}

/// A bar for the reading of history.
pub fn on_progress(what: &'static str) -> OnProgress {
    let bar = progress(what, 0);
    Arc::new(move |progress| {
        bar.set_length(progress.head);
        bar.set_position(progress.position);
        if progress.position >= progress.head {
            bar.finish_and_clear();
        }
    })
}

fn parse(url: &str, data: Option<&Path>) -> Result<LogPlace, Failure> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "nats" | "tls" => return nats(url, data),
        "esdb" | "esdb+discover" | "kurrentdb" | "kurrentdb+discover" => return kurrent(url, data),
        _ => (),
    }
    if data.is_some() {
        let what = "both say where the log is; together they are for logs on servers only";
        return Err(Failure::Usage(format!("--data and --log {url}: {what}")));
    }
    match scheme {
        "sqlite" if !rest.is_empty() => {
            Ok(LogPlace::Directory(rest.strip_prefix("//").unwrap_or(rest).into()))
        }
        "memory" => Ok(LogPlace::Memory),
        _ => Err(Failure::Usage(format!(
            "--log {url}: expected sqlite:DIR, nats://HOST/STREAM, esdb://HOST/STREAM or memory:"
        ))),
    }
}

#[cfg(not(all(feature = "nats", feature = "kurrent")))]
fn not_built(feature: &str, logs: &str) -> Failure {
    let how = format!("build it with --features {feature}");
    let what = format!("this program was built without {logs} logs; {how}");
    eventlog::Error::Unavailable(what).into()
}

/// A directory for the snapshots of a log elsewhere, where there is no log.
#[cfg(any(feature = "nats", feature = "kurrent"))]
fn cache(data: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(dir) = data.filter(|dir| dir.join("log.sqlite").exists()) {
        let dir = dir.display();
        let what = "holds an embedded log; snapshots of another log need a directory of their own";
        return Err(Failure::Usage(format!("--data {dir}: {what}")));
    }
    Ok(data.map(Path::to_owned))
}

#[cfg(feature = "nats")]
fn nats(url: &str, data: Option<&Path>) -> Result<LogPlace, Failure> {
    let stream = url.parse().map_err(|error: eventlog::nats::BadUrl| {
        // The error shows the address without what may be a password.
        Failure::Usage(format!("--log {error}"))
    })?;
    Ok(LogPlace::Nats { stream: Box::new(stream), data: cache(data)? })
}

#[cfg(not(feature = "nats"))]
fn nats(_: &str, _: Option<&Path>) -> Result<LogPlace, Failure> {
    Err(not_built("nats", "nats:"))
}

#[cfg(feature = "kurrent")]
fn kurrent(url: &str, data: Option<&Path>) -> Result<LogPlace, Failure> {
    let stream = url.parse().map_err(|error: eventlog::kurrent::BadUrl| {
        // As above.
        Failure::Usage(format!("--log {error}"))
    })?;
    Ok(LogPlace::Kurrent { stream: Box::new(stream), data: cache(data)? })
}

#[cfg(not(feature = "kurrent"))]
fn kurrent(_: &str, _: Option<&Path>) -> Result<LogPlace, Failure> {
    Err(not_built("kurrent", "esdb: and kurrentdb:"))
}

/// Nobody but the operator can know it when the servers do not tell.
#[cfg(feature = "nats")]
fn warn_of_late_syncs(durability: &eventlog::nats::Durability) {
    if !durability.is_known() {
        tracing::warn!(%durability, "whether NATS syncs before it acknowledges is not known");
    }
}

/// Says so before SQLite does, since a reader cannot make a log.
pub fn must_exist(dir: &Path) -> Result<(), Failure> {
    if dir.join("log.sqlite").is_file() {
        return Ok(());
    }
    Err(Failure::NotFound(format!("there is no log in {} (no log.sqlite)", dir.display())))
}

/// Hands over the stored bytes of the entries `from..=to`, in order.
pub async fn each_entry(
    log: &dyn Log,
    from: Position,
    to: Position,
    mut take: impl FnMut(Position, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next = from.max(1);
    while next <= to {
        let groups = log.read(next, READ_BYTES).await?;
        let Some(last) = groups.last().map(eventlog::Group::last) else { break };
        let entries = groups.iter().flat_map(eventlog::Group::iter);
        for (position, entry) in entries.take_while(|(position, _)| *position <= to) {
            take(position, entry)?;
        }
        next = last + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;

    #[test]
    fn a_log_has_a_url() {
        let parse = |url| parse(url, None).unwrap();
        assert_eq!(parse("sqlite:data"), LogPlace::Directory("data".into()));
        assert_eq!(parse("sqlite:///srv/log"), LogPlace::Directory("/srv/log".into()));
        assert_eq!(parse("memory:"), LogPlace::Memory);
    }

    #[test]
    fn a_wrong_url_is_a_mistake() {
        for url in ["", "sqlite:", "file:x", "data"] {
            assert_eq!(parse(url, None).unwrap_err().exit(), Exit::Usage, "{url}");
        }
    }

    #[test]
    fn one_log_has_one_place() {
        for url in ["sqlite:data", "memory:"] {
            let error = parse(url, Some(Path::new("other"))).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{url}");
        }
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn a_program_without_nats_says_how_to_get_it() {
        let error = parse("nats://localhost/tranche", None).unwrap_err();
        assert_eq!(error.exit(), Exit::Unavailable);
        assert!(error.to_string().contains("--features nats"), "{error}");
    }

    #[cfg(not(feature = "kurrent"))]
    #[test]
    fn a_program_without_kurrent_says_how_to_get_it() {
        for url in ["esdb://localhost/tranche", "kurrentdb://x/y", "esdb+discover://x/y"] {
            let error = parse(url, None).unwrap_err();
            assert_eq!(error.exit(), Exit::Unavailable);
            assert!(error.to_string().contains("--features kurrent"), "{error}");
        }
    }

    #[cfg(feature = "kurrent")]
    #[test]
    fn a_stream_of_events_has_snapshots_where_it_is_told_and_no_password_is_repeated() {
        let url = "esdb+discover://one/tranche?tls=false";
        assert_eq!(parse(url, None).unwrap().snapshots(), None);
        let place = parse(url, Some(Path::new("cache"))).unwrap();
        assert_eq!(place.snapshots(), Some("cache/snapshots".into()));
        for url in ["esdb:x", "kurrentdb://localhost", "esdb://me:secret@x/tranche", "esdb://x/a?b"]
        {
            let error = parse(url, None).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_stream_has_snapshots_in_a_directory_that_is_named_and_nowhere_else() {
        let url = "nats://one,two:4223/tranche?replicas=1";
        assert_eq!(parse(url, None).unwrap().snapshots(), None);
        let place = parse(url, Some(Path::new("cache"))).unwrap();
        assert_eq!(place.snapshots(), Some("cache/snapshots".into()));
        let scratch = eventlog::contract::Scratch::new();
        std::fs::write(scratch.path().join("log.sqlite"), "").unwrap();
        let error = parse(url, Some(scratch.path())).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_wrong_address_of_a_stream_is_a_mistake_and_no_password_is_repeated() {
        for url in
            ["nats:x", "nats://localhost:4222", "nats://me:secret@x/tranche", "tls://x/a?b=c"]
        {
            let error = parse(url, None).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
