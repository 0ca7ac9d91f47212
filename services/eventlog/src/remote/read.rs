//! Reading: which message holds a position, and messages in order.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::handle::Remote;
use super::message::{Link, Sequence, Stored, Tip};
use super::store::{Batch, Store};
use super::waits::{READ_WAIT, until};
use crate::log::{Damage, Error, Group, Position};

/// The most messages of one request.
const BATCH_MESSAGES_MAX: usize = 1_000;
/// The most bytes of one request, headers and all, so that a server need not hold more for us.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// How many places of readers are remembered. One that is forgotten is searched for again.
const LINKS_MAX: usize = 256;

/// Where to begin: the message, and what it must be if that is known.
struct Start {
    sequence: Sequence,
    must_be: Option<(Position, Uuid)>,
}

impl<S: Store> Remote<S> {
    pub(crate) async fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Group>, Error> {
        let from = from.max(1);
        let mut tip = self.tip();
        if from > tip.position {
            tip = self.refresh().await?;
        }
        if from > tip.position {
            return Ok(Vec::new());
        }
        let mut start = self.locate(from, &tip).await?;
        loop {
            let (groups, next) = self.read_from(&start, from, bytes_max).await?;
            // Marks alone are no groups, and what is asked for comes behind them.
            if !groups.is_empty() {
                return Ok(groups);
            }
            start = next;
        }
    }

    /// Groups from a message on, and where the next ones begin. No groups: there were marks only.
    async fn read_from(
        &self,
        start: &Start,
        from: Position,
        bytes_max: usize,
    ) -> Result<(Vec<Group>, Start), Error> {
        let messages = self.batch(start.sequence, BATCH_MESSAGES_MAX, bytes_max).await?;
        let (mut groups, mut bytes, mut must_be) = (Vec::<Group>::new(), 0_usize, start.must_be);
        let mut end = None;
        for stored in messages {
            bytes = bytes.saturating_add(stored.body.len());
            if bytes > bytes_max && !groups.is_empty() {
                break;
            }
            if let Some((first, after)) = must_be {
                stored.check_order(first, after).map_err(Error::Corrupt)?;
            }
            if stored.is_mark() {
                must_be = Some((stored.first, stored.id));
                end = Some(stored);
                continue;
            }
            if groups.is_empty() && !(stored.first..=stored.last).contains(&from) {
                let what =
                    format!("it holds {}..{}, and should hold {from}", stored.first, stored.last);
                return Err(Error::Corrupt(Damage { place: stored.place, what }));
            }
            must_be = Some((stored.last + 1, stored.id));
            groups.push(stored.group().trimmed(from));
            end = Some(stored);
        }
        // A batch has at least one message.
        let sequence = end.as_ref().map_or(start.sequence, |end| end.sequence + 1);
        if let Some(end) = end {
            self.advance(end.tip());
            self.remember(from, end.last + 1, end.next());
        }
        Ok((groups, Start { sequence, must_be }))
    }

    /// The head, by the leader of the stream; and what is new at it, checked.
    pub(crate) async fn refresh(&self) -> Result<Tip, Error> {
        let known = self.tip();
        let last = self.store.last().await?;
        let sequence = last.sequence;
        if sequence < known.sequence {
            let ends = match sequence {
                0 => "is empty".to_owned(),
                _ => format!("ends at {}", S::place(sequence)),
            };
            return Err(Error::Unavailable(format!(
                "{} {ends}, and {} was acknowledged: the server that leads it is behind, or has lost \
                 messages",
                self.store.name(),
                S::place(known.sequence)
            )));
        }
        if sequence == known.sequence {
            if let Some(stored) = last.stored.filter(|stored| stored.id != known.id) {
                let what = format!("it was group {}, and is {}", known.id, stored.id);
                return Err(Error::Corrupt(Damage { place: stored.place, what }));
            }
        } else {
            let stored = match last.stored {
                Some(stored) => stored,
                None => self.message(sequence).await?,
            };
            if sequence == known.sequence + 1 {
                stored.check_order(known.position + 1, known.id).map_err(Error::Corrupt)?;
            } else if stored.first <= known.position {
                let what =
                    format!("it begins at {}, and {} is before it", stored.first, known.position);
                return Err(Error::Corrupt(Damage { place: stored.place, what }));
            }
            self.see(&stored);
            self.advance(stored.tip());
        }
        // Meanwhile others of this handle may have seen more.
        Ok(self.tip())
    }

    /// One message that is known to be in the stream.
    pub(super) async fn message(&self, sequence: Sequence) -> Result<Stored, Error> {
        let mut batch = self.batch(sequence, 1, 1).await?;
        batch
            .pop()
            .ok_or_else(|| Error::Unavailable(format!("{} did not come", S::place(sequence))))
    }

    /// Messages from one on that is known to be in the stream: at least that one.
    ///
    /// The server that answers may be behind the leader for a moment, and then another answers or
    /// it catches up.
    async fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Stored>, Error> {
        let bytes_max = bytes_max.clamp(1, BATCH_BYTES_MAX);
        let is_missing = AtomicBool::new(false);
        let read = until(READ_WAIT, || async {
            match self.store.batch(from, messages_max, bytes_max).await? {
                Batch::Messages(messages) => return Ok(messages),
                Batch::NotThere => (),
                Batch::Missing => is_missing.store(true, Ordering::Relaxed),
            }
            Err(Error::Unavailable(format!("{} is not to be had", S::place(from))))
        });
        let stored = match read.await {
            Err(Error::Unavailable(_)) if is_missing.load(Ordering::Relaxed) => {
                let what = "it is missing, and later ones are there".to_owned();
                return Err(Error::Corrupt(Damage { place: S::place(from), what }));
            }
            read => read?,
        };
        stored.iter().for_each(|one| self.see(one));
        Ok(stored)
    }

    /// Takes note of a mark.
    fn see(&self, stored: &Stored) {
        if stored.is_mark() {
            self.reign.see(stored);
        }
    }

    /// Finds the message that holds a position up to the tip: where a reader stopped it is known, and
    /// else it is searched for by halves.
    async fn locate(&self, from: Position, tip: &Tip) -> Result<Start, Error> {
        let (known, link) = self.link(from);
        if known == from {
            return Ok(Start { sequence: link.sequence, must_be: Some((from, link.after)) });
        }
        let (mut low, mut high) = (link.sequence, tip.sequence);
        while low < high {
            let middle = low + (high - low) / 2;
            let stored = self.message(middle).await?;
            if stored.last < from {
                low = middle + 1;
            } else if stored.first > from {
                high = middle.saturating_sub(1);
            } else {
                (low, high) = (middle, middle);
            }
        }
        Ok(Start { sequence: low.min(tip.sequence), must_be: None })
    }

    /// The last remembered message that begins at or before a position.
    fn link(&self, from: Position) -> (Position, Link) {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, link) = links.range(..=from).next_back().expect("the first is always there");
        (*known, *link)
    }

    /// Moves a reader's place from `from` to the message that begins at `next`.
    fn remember(&self, from: Position, next: Position, link: Link) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if from > 1 {
            links.remove(&from);
        }
        links.insert(next, link);
        if links.len() > LINKS_MAX {
            // Of the old ones, but not the first, where every search may begin.
            let oldest = links.keys().copied().nth(1);
            oldest.map(|oldest| links.remove(&oldest));
        }
    }
}
