//! `tranche log copy`: a log into another one, byte for byte and group for group, whatever keeps them.
//!
//! The digest is SHA-256 over every entry from position 1, each followed by a line feed. That is what
//! `tranche export` writes, so `sha256sum` of an exported log gives the same.

use crate::cli::failure::Failure;
use crate::cli::out::{Out, progress};
use crate::cli::source::{LogPlace, Source};
use crate::cli::words::counted;
use bytes::Bytes;
use clap::Args;
use domain::kernel::canonical::Sha256Hex;
use eventlog::{Error, Group, Log, Position, READ_BYTES};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fmt;

/// Holds the arguments of `tranche log copy`.
#[derive(Args, Debug)]
pub struct CopyArgs {
    /// Reads the log at this URL (see --log), while others may write it
    from: String,
    /// Writes the log at this URL, and makes it if it is missing
    to: String,
}

/// What was copied, and what both logs hold now.
#[derive(Debug, Serialize)]
struct Copied {
    /// Entries that the target did not hold before.
    entries: u64,
    /// In how many groups they were appended.
    groups: u64,
    /// The last position of the copy: the head of the source when the copying began.
    head: Position,
    /// The head of the source at the end.
    source_head: Position,
    /// Digest of the source up to `head`, taken while it was copied.
    source_sha256: Sha256Hex,
    /// How many groups of the source were too large for the target, and came in parts.
    split: u64,
    /// Digest of the target up to `head`, read back after the copying.
    target_sha256: Sha256Hex,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: u64, what| counted(usize::try_from(count).unwrap_or(usize::MAX), what);
        let (entries, groups) = (count(self.entries, "commit"), count(self.groups, "group"));
        write!(f, "last position {}: copied {entries} in {groups}", self.head)?;
        if self.split > 0 {
            write!(f, "; {} of the source had to be split", count(self.split, "group"))?;
        }
        write!(f, "\nsource  sha256 {}", self.source_sha256)?;
        write!(f, "\ntarget  sha256 {}  (read back)", self.target_sha256)?;
        if self.source_head > self.head {
            let head = self.source_head;
            write!(f, "\nthe source is at {head} by now; the same call copies the rest")?;
        }
        Ok(())
    }
}

/// Copies a log into one that is empty or holds its beginning.
pub async fn copy(source: &Source, args: &CopyArgs, json: bool) -> Result<(), Failure> {
    if source.place()?.is_some() {
        let what = "log copy names both logs itself: FROM and TO, without --data and --log";
        return Err(Failure::Usage(what.to_owned()));
    }
    let (from, to) = (Source::at(&args.from), Source::at(&args.to));
    let (from_place, to_place) = (from.required()?, to.required()?);
    if [&from_place, &to_place].contains(&&LogPlace::Memory) {
        return Err(Failure::Usage("a log in memory is gone at the end: no copy".to_owned()));
    }
    if is_same(&from_place, &to_place) {
        return Err(Failure::Usage(format!("{} is both FROM and TO", args.from)));
    }
    let from = from.open_to_read().await?;
    // Before the target's: of one log under two names, the target is never the shorter one.
    let head = from.head().await?;
    let to = to_place.open_to_write().await?;
    let copied = run(&*from, &*to, head).await?;
    let mut out = Out::stdout();
    if json {
        out.json(&copied)?;
    } else {
        out.line(format_args!("{copied}"))?;
    }
    out.finish()?;
    check(&*from, &*to, &copied).await
}

fn is_same(from: &LogPlace, to: &LogPlace) -> bool {
    let real = |place: &LogPlace| match place {
        LogPlace::Directory(dir) => dir.canonicalize().ok(),
        _ => None,
    };
    from == to || real(from).is_some_and(|dir| Some(dir) == real(to))
}

async fn run(from: &dyn Log, to: &dyn Log, head: Position) -> Result<Copied, Failure> {
    let mut digest = Sha256::new();
    let held = to.head().await?;
    if let Some(position) = compare(from, to, head.min(held), &mut digest).await? {
        let what = "the target holds another log: they differ at position";
        return Err(Failure::Conflict(format!("{what} {position}; nothing was changed")));
    }
    if held > head {
        return Err(Failure::Conflict(format!(
            "the target is longer: it ends at {held}, the source at {head}; nothing was changed"
        )));
    }
    let (mut groups, mut split) = (0, 0);
    let mut source = Reader::new(from, held + 1, head);
    let bar = progress("copying", head);
    bar.set_position(held);
    while let Some(group) = source.group().await? {
        group.entries.iter().for_each(|entry| add(&mut digest, entry));
        let last = group.last();
        let parts = append(to, group).await?;
        groups += parts;
        split += u64::from(parts > 1);
        bar.set_position(last);
    }
    bar.finish_and_clear();
    Ok(Copied {
        entries: head - held,
        groups,
        head,
        source_head: from.head().await?,
        source_sha256: Sha256Hex(digest.finalize().into()),
        split,
        target_sha256: read_back(to, head).await?,
    })
}

fn add(digest: &mut Sha256, entry: &[u8]) {
    digest.update(entry);
    digest.update(b"\n");
}

/// Reads both logs up to a position, adds the source to its digest, and returns the first position at
/// which they differ.
async fn compare(
    from: &dyn Log,
    to: &dyn Log,
    last: Position,
    digest: &mut Sha256,
) -> Result<Option<Position>, Failure> {
    let (mut source, mut target) = (Reader::new(from, 1, last), Reader::new(to, 1, last));
    let bar = progress("comparing", last);
    for position in 1..=last {
        let (ours, theirs) = (source.entry().await?, target.entry().await?);
        if ours != theirs {
            bar.finish_and_clear();
            return Ok(Some(position));
        }
        ours.iter().for_each(|entry| add(digest, entry));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(None)
}

/// Appends a group, in parts if the target does not take it whole, and returns in how many.
async fn append(to: &dyn Log, group: Group) -> Result<u64, Failure> {
    let mut waiting = vec![group];
    let mut parts = 0;
    while let Some(mut part) = waiting.pop() {
        match to.append(part.first - 1, part.entries.clone()).await {
            Ok(_) => parts += 1,
            Err(Error::TooLarge { .. }) if part.entries.len() > 1 => {
                let half = part.entries.len() / 2;
                let entries = part.entries.split_off(half);
                let first = part.last() + 1;
                waiting.extend([Group { first, entries }, part]);
            }
            Err(Error::Conflict { actual, .. }) => {
                let first = part.first;
                return Err(Failure::Conflict(format!(
                    "somebody else writes to the target: it ends at {actual}, and the copy was \
                     about to write position {first}; nothing of either was lost"
                )));
            }
            Err(error @ Error::TooLarge { .. }) => {
                let first = part.first;
                return Err(Failure::Usage(format!("position {first}, by itself: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(parts)
}

async fn read_back(to: &dyn Log, head: Position) -> Result<Sha256Hex, Failure> {
    let mut digest = Sha256::new();
    let mut target = Reader::new(to, 1, head);
    let bar = progress("reading back", head);
    while let Some(entry) = target.entry().await? {
        add(&mut digest, &entry);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Sha256Hex(digest.finalize().into()))
}

/// Fails if the digests differ, and looks for the place.
async fn check(from: &dyn Log, to: &dyn Log, copied: &Copied) -> Result<(), Failure> {
    if copied.source_sha256 == copied.target_sha256 {
        return Ok(());
    }
    let found = compare(from, to, copied.head, &mut Sha256::new()).await?;
    Err(Failure::Corrupt(match found {
        Some(position) => format!("position {position}: the target is not what was copied"),
        None => "the digests differed, and now both logs read the same".to_owned(),
    }))
}

/// Reads the entries up to a position that the log must reach, as groups or one by one.
struct Reader<'a> {
    log: &'a dyn Log,
    groups: VecDeque<Group>,
    entries: VecDeque<Bytes>,
    next: Position,
    last: Position,
}

impl<'a> Reader<'a> {
    fn new(log: &'a dyn Log, next: Position, last: Position) -> Self {
        Self { log, groups: VecDeque::new(), entries: VecDeque::new(), next, last }
    }

    /// The next group, without what is behind the last position; `None` at the end.
    async fn group(&mut self) -> Result<Option<Group>, Failure> {
        if self.next > self.last {
            return Ok(None);
        }
        if self.groups.is_empty() {
            self.groups = self.log.read(self.next, READ_BYTES).await?.into();
        }
        let group = self.groups.pop_front().filter(|group| group.first == self.next);
        let mut group = group.ok_or_else(|| {
            Failure::Corrupt(format!("position {} is missing before {}", self.next, self.last))
        })?;
        let left = usize::try_from(self.last - self.next + 1).unwrap_or(usize::MAX);
        group.entries.truncate(left);
        self.next = group.last() + 1;
        Ok(Some(group))
    }

    /// The next entry; `None` at the end.
    async fn entry(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.entries.is_empty()
            && let Some(group) = self.group().await?
        {
            self.entries = group.entries.into();
        }
        Ok(self.entries.pop_front())
    }
}

#[cfg(test)]
mod tests;
