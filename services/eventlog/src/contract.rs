//! The contract of [`Log`] as tests, for every adapter: here, and outside with the feature
//! `testing`.

mod appends;
mod limits;
mod reads;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::log::{Error, Group, Log, Position};

/// How long one case may take on a slow machine before it counts as hanging.
const CASE_MAX: Duration = Duration::from_secs(60);

/// Makes the logs that the suite tries.
#[async_trait]
pub trait Factory: Send + Sync {
    /// Opens a log of this name, empty the first time. The suite never has two of one name open.
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error>;

    /// Whether [`Factory::open`] finds again what an earlier log of that name stored.
    fn persists(&self) -> bool {
        false
    }
}

/// A handle that appends beside one that only reads, as one log: so that the suite tries both kinds.
pub struct Beside {
    /// Appends.
    pub writer: Box<dyn Log>,
    /// Does everything else.
    pub reader: Box<dyn Log>,
}

#[async_trait]
impl Log for Beside {
    async fn append(&self, head: Position, entries: Vec<Bytes>) -> Result<Position, Error> {
        self.writer.append(head, entries).await
    }

    async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        self.reader.read(from, bytes_max).await
    }

    async fn head(&self) -> Result<Position, Error> {
        self.reader.head().await
    }

    async fn wait_for(&self, position: Position) -> Result<Position, Error> {
        self.reader.wait_for(position).await
    }
}

/// What a case says: nothing, or which promise was broken.
type Verdict = Result<(), Box<dyn std::error::Error + Send + Sync>>;
type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// A case: a sentence about the contract, and the code that tries it.
struct Case {
    name: &'static str,
    try_it: for<'a> fn(&'a dyn Factory, &'a str) -> Running<'a>,
}

macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        &[$(Case {
            name: stringify!($name),
            try_it: |factory, name| Box::pin($module::$name(factory, name)),
        }),+]
    };
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+).into());
        }
    };
}
use ensure;

const CASES: &[Case] = cases![
    reads::a_new_log_is_empty,
    appends::appended_groups_read_back_as_they_were,
    appends::a_wrong_expected_head_is_a_conflict_and_changes_nothing,
    appends::of_concurrent_appenders_exactly_one_wins_each_head,
    appends::a_dropped_append_is_stored_whole_or_not_at_all,
    limits::entries_that_are_not_one_line_of_text_are_refused,
    limits::entries_and_groups_over_a_limit_are_refused,
    limits::the_largest_entries_and_groups_are_stored,
    limits::limits_are_checked_before_the_head,
    limits::any_text_reads_back_as_it_was,
    reads::a_read_from_the_middle_of_a_group_is_trimmed,
    reads::a_read_is_bounded_and_always_gets_on,
    reads::waiting_ends_when_the_head_is_reached,
    reads::a_tail_sees_every_entry_once_and_in_order,
    reads::a_tail_can_start_in_the_middle,
    appends::a_reopened_log_holds_what_was_acknowledged,
];

/// Tries the whole contract, and panics with the list of cases that failed.
pub async fn run(factory: &dyn Factory) {
    let mut failed = Vec::new();
    for case in CASES {
        let verdict = tokio::time::timeout(CASE_MAX, (case.try_it)(factory, case.name)).await;
        match verdict {
            Ok(Ok(())) => (),
            Ok(Err(why)) => failed.push(format!("{}: {why}", case.name)),
            Err(_) => failed.push(format!("{}: it hangs", case.name)),
        }
    }
    let (count, all) = (failed.len(), CASES.len());
    assert!(failed.is_empty(), "{count} of {all} cases failed:\n{}", failed.join("\n"));
}

/// Entries of these texts.
fn entries(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// `count` entries with different texts that tell where they should be.
fn numbered(first: Position, count: usize) -> Vec<Bytes> {
    (first..).take(count).map(|position| Bytes::from(format!("{{\"n\":{position}}}"))).collect()
}

/// Everything in the log.
async fn all(log: &dyn Log) -> Result<Vec<Group>, Error> {
    rest(log, 1).await
}

/// Everything from a position on: one answer may have less of it, from a replica that is behind.
async fn rest(log: &dyn Log, from: Position) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::<Group>::new();
    loop {
        let from = groups.last().map_or(from, |group| group.last() + 1);
        let more = log.read(from, 1 << 20).await?;
        if more.is_empty() {
            return Ok(groups);
        }
        groups.extend(more);
    }
}

/// A directory for one test, empty at first and removed in the end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a directory that no other test has.
    ///
    /// # Panics
    /// If the system's directory for temporary files cannot be written.
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("eventlog-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // A process of the same number may have been killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("tests can write to the temporary directory");
        Scratch(path)
    }

    /// Gives the place where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in the system's directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
