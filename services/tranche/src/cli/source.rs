//! The log that a call of the program works on: `--data DIR` or `--log URL`.

use super::failure::Failure;
use super::out::progress;
use clap::Args;
use domain::Commit;
use eventlog::{Log, Memory, Position, Sqlite};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tranche::clock::Clock;
use tranche::engine::{Engine, Follower, OnProgress, Options};

/// How much one read of the log asks for, in bytes.
const READ_BYTES: usize = 1 << 20;

/// Which log.
#[derive(Args, Debug)]
pub struct Source {
    /// Directory of the embedded log; made by the first command that writes
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "log")]
    data: Option<PathBuf>,

    /// The log by URL: sqlite:DIR, or memory: for one that is gone at the end
    #[arg(long, global = true, value_name = "URL")]
    log: Option<String>,
}

/// Where a log is.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory with an embedded log.
    Directory(PathBuf),
    /// Nowhere: gone at the end.
    Memory,
}

impl Source {
    /// Where the log is; `None` when the call does not say.
    pub fn place(&self) -> Result<Option<Place>, Failure> {
        match (&self.data, &self.log) {
            (Some(dir), _) => Ok(Some(Place::Directory(dir.clone()))),
            (None, Some(url)) => parse(url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Where the log is.
    pub fn required(&self) -> Result<Place, Failure> {
        self.place()?.ok_or_else(|| {
            Failure::Usage("which log? --data DIR, or --log URL (see --help)".to_owned())
        })
    }

    /// The log, to read it beside its writer or without one.
    pub fn open_to_read(&self) -> Result<Arc<dyn Log>, Failure> {
        match self.required()? {
            Place::Directory(dir) => {
                must_exist(&dir)?;
                Ok(Arc::new(Sqlite::open_read_only(&dir)?))
            }
            Place::Memory => Ok(Arc::new(Memory::default())),
        }
    }

    /// The folds of the log, beside its writer or without one.
    pub async fn follow(&self) -> Result<Follower, Failure> {
        let snapshots = self.required()?.snapshots();
        let progress = Some(on_progress("reading"));
        Ok(Follower::open(self.open_to_read()?, snapshots, progress).await?)
    }
}

impl Place {
    /// Opens the log to write, and makes it if it is missing.
    pub fn open_to_write(&self) -> Result<Arc<dyn Log>, Failure> {
        match self {
            Self::Directory(dir) => Ok(Arc::new(Sqlite::open(dir)?)),
            Self::Memory => Ok(Arc::new(Memory::default())),
        }
    }

    /// Where its snapshots are.
    pub fn snapshots(&self) -> Option<PathBuf> {
        match self {
            Self::Directory(dir) => Some(dir.join("snapshots")),
            Self::Memory => None,
        }
    }
}

/// Starts an engine on the open log of a place.
pub async fn engine_on(log: Arc<dyn Log>, place: &Place, clock: Clock) -> Result<Engine, Failure> {
    let progress = Some(on_progress("reading"));
    let options = Options { snapshots: place.snapshots(), progress, ..Options::default() };
    Ok(Engine::open(log, clock, options).await?)
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

fn parse(url: &str) -> Result<Place, Failure> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "sqlite" if !rest.is_empty() => {
            Ok(Place::Directory(rest.strip_prefix("//").unwrap_or(rest).into()))
        }
        "memory" => Ok(Place::Memory),
        "nats" | "esdb" | "kurrentdb" => Err(eventlog::Error::Unavailable(format!(
            "this version has no adapter for {scheme}: logs; it has sqlite:DIR and memory:"
        ))
        .into()),
        _ => Err(Failure::Usage(format!("--log {url}: expected sqlite:DIR or memory:"))),
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

/// The commit in an entry.
pub fn decode(position: Position, entry: &[u8]) -> Result<Commit, Failure> {
    Commit::decode(entry).map_err(|error| Failure::Corrupt(format!("position {position}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;

    #[test]
    fn a_log_has_a_url() {
        assert_eq!(parse("sqlite:data").unwrap(), Place::Directory("data".into()));
        assert_eq!(parse("sqlite:///srv/log").unwrap(), Place::Directory("/srv/log".into()));
        assert_eq!(parse("memory:").unwrap(), Place::Memory);
    }

    #[test]
    fn a_log_without_adapter_is_unavailable_and_a_wrong_url_is_a_mistake() {
        for url in ["nats://localhost:4222", "esdb://localhost:2113", "kurrentdb://x"] {
            assert_eq!(parse(url).unwrap_err().exit(), Exit::Unavailable, "{url}");
        }
        for url in ["", "sqlite:", "file:x", "data"] {
            assert_eq!(parse(url).unwrap_err().exit(), Exit::Usage, "{url}");
        }
    }
}
