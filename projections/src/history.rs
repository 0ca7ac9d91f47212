//! Answers about the past: the newest kept clone that lies wholly within the moment asked for, plus
//! a fold of those commits after it that can matter.
//!
//! Events may be recorded late and be true early, so a moment is not a position. Three facts make
//! a question cheap all the same: clones of a view cost nothing and are kept every so many commits;
//! of every [`GRAIN`] commits the range of their instants is kept, so that those which cannot
//! contribute are not read; the newest commits stay in memory.

use crate::fold::Fold;
use crate::query::{AsOf, Query};
use crate::set::Views;
use domain::Commit;
use domain::facts::commit::Recorded;
use imbl::Vector;
use jiff::Timestamp;
use std::cmp::Ordering;
use std::sync::Arc;

/// The range of instants is kept for every so many commits.
pub const GRAIN: u64 = 64;
/// So many of the newest commits stay in memory.
pub const RECENT_MAX: usize = 1_024;
/// When more clones of a view than this are kept, every second one is dropped.
pub const CLONES_MAX: usize = 4_096;
/// At most so many commits are read at once.
pub const READ_MAX: u64 = READ_STEP as u64;
const READ_STEP: usize = 4_096;

/// Where the commits of the past are read: the log.
pub trait CommitSource {
    /// The commits from one position to another, both included, in order.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn read(&self, from: u64, to: u64) -> Result<Vec<Arc<Commit>>, SourceError>;

    /// The commits of some positions, which grow.
    ///
    /// # Errors
    /// When the log cannot be read, or has no such commit.
    fn pick(&self, positions: &[u64]) -> Result<Vec<Arc<Commit>>, SourceError> {
        let one = |position: &u64| {
            self.read(*position, *position)?.pop().ok_or(SourceError::Missing(*position))
        };
        positions.iter().map(one).collect()
    }
}

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The log says no.
    #[error("the log cannot be read: {0}")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log has a hole.
    #[error("the log gave no commit {0}")]
    Missing(u64),
}

/// All commits in memory: for tests, demonstrations and small logs.
impl CommitSource for Vec<Arc<Commit>> {
    fn read(&self, from: u64, to: u64) -> Result<Vec<Arc<Commit>>, SourceError> {
        Ok(self.iter().filter(|one| (from..=to).contains(&one.position)).cloned().collect())
    }
}

/// What is known of up to [`GRAIN`] commits without reading them.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u64,
    last: u64,
    recorded_min: Timestamp,
    effective_min: Timestamp,
    effective_max: Timestamp,
}

impl Block {
    fn of(commit: &Commit) -> Self {
        let effective_min = commit.events.iter().map(|event| event.effective_at).min();
        let effective_max = commit.events.iter().map(|event| event.effective_at).max();
        Self {
            first: commit.position,
            last: commit.position,
            recorded_min: commit.recorded_at,
            effective_min: effective_min.unwrap_or(Timestamp::MAX),
            effective_max: effective_max.unwrap_or(Timestamp::MIN),
        }
    }

    fn join(&mut self, next: &Self) {
        self.last = next.last;
        self.recorded_min = self.recorded_min.min(next.recorded_min);
        self.effective_min = self.effective_min.min(next.effective_min);
        self.effective_max = self.effective_max.max(next.effective_max);
    }
}

/// A clone of a fold, with the latest instants of all that it has folded.
#[derive(Clone, Debug)]
struct Mark<F> {
    position: u64,
    recorded_max: Timestamp,
    effective_max: Timestamp,
    fold: F,
}

/// The kept clones of one fold.
#[derive(Clone, Debug)]
pub struct Kept<F: Clone> {
    every: u64,
    clones_max: usize,
    marks: Vector<Mark<F>>,
}

impl<F: Fold> Default for Kept<F> {
    fn default() -> Self {
        Self { every: F::EVERY, clones_max: CLONES_MAX, marks: Vector::new() }
    }
}

impl<F: Fold> Kept<F> {
    /// Keeps a clone when it is time for one.
    pub(crate) fn keep(&mut self, fold: &F, views: &Views) {
        if views.position.is_multiple_of(self.every) {
            self.push(fold, views);
        }
    }

    /// Tests keep clones more often, and fewer of them.
    #[cfg(test)]
    pub(crate) fn scale(&mut self, every: u64, clones_max: usize) {
        (self.every, self.clones_max) = (every, clones_max);
    }

    pub(crate) fn push(&mut self, fold: &F, views: &Views) {
        self.marks.push_back(Mark {
            position: views.position,
            recorded_max: views.recorded_at,
            effective_max: views.effective_max,
            fold: fold.clone(),
        });
        if self.marks.len() > self.clones_max {
            self.every = self.every.saturating_mul(2);
            let every = self.every;
            self.marks.retain(|mark| mark.position.is_multiple_of(every));
        }
    }

    /// The newest clone of which every event counts. The latest instants only grow, so those that
    /// do are a prefix.
    fn newest(&self, moment: &AsOf) -> Option<&Mark<F>> {
        self.last(|mark| within(moment, mark.position, mark.recorded_max, mark.effective_max))
    }

    /// The newest clone up to a position.
    fn until(&self, position: u64) -> Option<&Mark<F>> {
        self.last(|mark| mark.position <= position)
    }

    /// The last clone of those, a prefix, that are so.
    fn last(&self, is_so: impl Fn(&Mark<F>) -> bool) -> Option<&Mark<F>> {
        let (mut low, mut high) = (0, self.marks.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_so(&self.marks[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1).map(|index| &self.marks[index])
    }
}

fn within(moment: &AsOf, position: u64, recorded_max: Timestamp, effective_max: Timestamp) -> bool {
    moment.knows(position, recorded_max) && moment.was_true(effective_max)
}

/// Finds a fold and its clones by type; implemented by the table of folds.
pub trait InViews: Fold {
    /// The fold itself.
    fn of(views: &Views) -> &Self;
    /// Its clones.
    fn kept(kept: &AllKept) -> &Kept<Self>;
}

/// What a view rests on: a fold, or a pair of folds at one position.
pub trait Facts: Clone + Default + PartialEq {
    /// Finds them as they are now.
    fn now(views: &Views) -> Self;

    /// Finds the newest kept clone of which every event counts, with its position.
    fn newest(kept: &AllKept, moment: &AsOf) -> Option<(Self, u64)>;

    /// Gives them as of a moment, when they keep enough to tell by themselves.
    fn narrowed(&self, moment: &AsOf) -> Option<Self>;

    /// Takes one event in.
    fn apply(&mut self, commit: &Commit, event: &Recorded);
}

impl<F: InViews> Facts for F {
    fn now(views: &Views) -> Self {
        F::of(views).clone()
    }

    fn newest(kept: &AllKept, moment: &AsOf) -> Option<(Self, u64)> {
        F::kept(kept).newest(moment).map(|mark| (mark.fold.clone(), mark.position))
    }

    fn narrowed(&self, moment: &AsOf) -> Option<Self> {
        Fold::narrowed(self, moment)
    }

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        Fold::apply(self, commit, event);
    }
}

impl<A: InViews, B: InViews> Facts for (A, B) {
    fn now(views: &Views) -> Self {
        (A::of(views).clone(), B::of(views).clone())
    }

    /// Clones are kept at multiples of powers of two, so that those of the rarer fold have partners.
    fn newest(kept: &AllKept, moment: &AsOf) -> Option<(Self, u64)> {
        let (first, second) = (A::kept(kept), B::kept(kept));
        let (mut one, mut other) = (first.newest(moment)?, second.newest(moment)?);
        loop {
            match one.position.cmp(&other.position) {
                Ordering::Less => other = second.until(one.position)?,
                Ordering::Greater => one = first.until(other.position)?,
                Ordering::Equal => {
                    return Some(((one.fold.clone(), other.fold.clone()), one.position));
                }
            }
        }
    }

    fn narrowed(&self, moment: &AsOf) -> Option<Self> {
        Fold::narrowed(&self.0, moment).zip(Fold::narrowed(&self.1, moment))
    }

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        Fold::apply(&mut self.0, commit, event);
        Fold::apply(&mut self.1, commit, event);
    }
}

/// The views now and at any moment of the past. Cloning costs nothing, so readers take a clone and
/// never wait for the writer.
#[derive(Clone, Debug)]
pub struct History {
    views: Views,
    /// The position before the first block: what was folded before this history began.
    before: u64,
    blocks: Vector<Block>,
    recent: Vector<Arc<Commit>>,
    kept: AllKept,
    grain: u64,
    recent_max: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            views: Views::default(),
            before: 0,
            blocks: Vector::new(),
            recent: Vector::new(),
            kept: AllKept::default(),
            grain: GRAIN,
            recent_max: RECENT_MAX,
        }
    }
}

impl History {
    /// Goes on from stored views. Questions about moments before them read the log from its start.
    #[must_use]
    pub fn resume(views: Views) -> Self {
        let mut kept = AllKept::default();
        kept.push(&views);
        Self { before: views.position, views, kept, ..Self::default() }
    }

    /// Tests meet every limit with few commits.
    #[cfg(test)]
    pub(crate) fn scale(&mut self, every: u64, clones_max: usize, grain: u64, recent_max: usize) {
        self.kept.scale(every, clones_max);
        (self.grain, self.recent_max) = (grain, recent_max);
    }

    /// The views now.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Takes the next commit in.
    pub fn apply(&mut self, commit: &Arc<Commit>) {
        self.views.apply(commit);
        let block = Block::of(commit);
        match self.blocks.back_mut() {
            Some(last) if !last.last.is_multiple_of(self.grain) => last.join(&block),
            _ => self.blocks.push_back(block),
        }
        self.recent.push_back(Arc::clone(commit));
        if self.recent.len() > self.recent_max {
            self.recent.pop_front();
        }
        self.kept.keep(&self.views);
    }

    /// Gives the facts as of a moment.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn as_of<F: Facts>(
        &self,
        moment: &AsOf,
        source: &dyn CommitSource,
    ) -> Result<F, SourceError> {
        let head = F::now(&self.views);
        let Views { position, recorded_at, effective_max, .. } = self.views;
        if within(moment, position, recorded_at, effective_max) {
            return Ok(head);
        }
        if let Some(narrowed) = head.narrowed(moment) {
            return Ok(narrowed);
        }
        let (mut facts, after) = F::newest(&self.kept, moment).unwrap_or_default();
        for (from, to) in self.ranges(after, moment) {
            self.read(from, to, source, |commit| {
                for event in commit.events.iter().filter(|event| moment.admits(commit, event)) {
                    facts.apply(commit, event);
                }
            })?;
        }
        Ok(facts)
    }

    /// The question with the instant by which something is late. At an earlier position it is that of the
    /// commit there: what was shown then is shown again, whatever came after.
    pub(crate) fn fixed(
        &self,
        query: &Query,
        source: &dyn CommitSource,
    ) -> Result<Query, SourceError> {
        let head = self.views.position;
        let recorded_at = match (query.instant(), query.moment.position) {
            (None, Some(position)) if position < head => {
                let commit = source.pick(&[position].map(|it| it.max(1)))?.pop();
                commit.filter(|_| position > 0).map(|commit| commit.recorded_at)
            }
            (instant, _) => instant.or((head > 0).then_some(self.views.recorded_at)),
        };
        Ok(Query { now: recorded_at, ..query.clone() })
    }

    /// The positions after `after` that can matter, as ranges of at most [`READ_MAX`].
    fn ranges(&self, after: u64, moment: &AsOf) -> Vec<(u64, u64)> {
        self.ranges_of(after, moment, |_| true)
    }

    /// Those after `after` that can hold events within `to` and not within `from`.
    pub(crate) fn ranges_later(&self, after: u64, from: &AsOf, to: &AsOf) -> Vec<(u64, u64)> {
        self.ranges_of(after, to, |block| {
            // The last instant of recording is not kept: the first one says as much, but for one block.
            let is_known = from.knows(block.first, block.recorded_min)
                && from.position.is_none_or(|limit| block.last <= limit)
                && from.known_at.is_none();
            !(is_known && from.was_true(block.effective_max))
        })
    }

    fn ranges_of(
        &self,
        after: u64,
        moment: &AsOf,
        is_wanted: impl Fn(&Block) -> bool,
    ) -> Vec<(u64, u64)> {
        let end = moment.position.map_or(self.views.position, |at| at.min(self.views.position));
        let unknown = (1..=self.before)
            .step_by(READ_STEP)
            .map(|first| (first, self.before.min(first + READ_MAX - 1)));
        let from_block = self.blocks.binary_search_by_key(&(after + 1), |block| block.last);
        let from_block = from_block.unwrap_or_else(|next| next);
        // Instants of recording only grow along the log, those of truth need not.
        let known = self.blocks.focus().narrow(from_block..).into_iter();
        let known = known.take_while(|block| moment.knows(block.first, block.recorded_min));
        let known = known.filter(|block| moment.was_true(block.effective_min));
        let known = known.filter(|block| is_wanted(block));
        let known = known.map(|block| (block.first, block.last));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (first, last) in unknown.chain(known) {
            let (first, last) = (first.max(after + 1), last.min(end));
            match ranges.last_mut() {
                _ if first > last => {}
                Some((from, to)) if *to + 1 == first && last - *from < READ_MAX => *to = last,
                _ => ranges.push((first, last)),
            }
        }
        ranges
    }

    fn read(
        &self,
        from: u64,
        to: u64,
        source: &dyn CommitSource,
        mut fold: impl FnMut(&Commit),
    ) -> Result<(), SourceError> {
        let kept_from = self.recent.front().map_or(u64::MAX, |commit| commit.position);
        let mut next = from;
        if from < kept_from {
            for commit in source.read(from, to.min(kept_from - 1))? {
                if commit.position != next {
                    return Err(SourceError::Missing(next));
                }
                fold(&commit);
                next += 1;
            }
        }
        if next < kept_from.min(to + 1) {
            return Err(SourceError::Missing(next));
        }
        let skip = usize::try_from(next.saturating_sub(kept_from)).unwrap_or(usize::MAX);
        for commit in self.recent.iter().skip(skip).take_while(|commit| commit.position <= to) {
            fold(commit);
        }
        Ok(())
    }
}

/// Makes the kept clones of the table of folds.
macro_rules! make_history {
    ($($field:ident: $type:ty;)*) => {
        /// The kept clones of every fold.
        #[derive(Clone, Debug, Default)]
        pub struct AllKept {
            $($field: Kept<$type>,)*
        }

        impl AllKept {
            fn keep(&mut self, views: &Views) {
                $(self.$field.keep(&views.$field, views);)*
            }

            #[cfg(test)]
            fn scale(&mut self, every: u64, clones_max: usize) {
                $(self.$field.scale(every, clones_max);)*
            }

            fn push(&mut self, views: &Views) {
                $(self.$field.push(&views.$field, views);)*
            }
        }

        $(impl InViews for $type {
            fn of(views: &Views) -> &Self {
                &views.$field
            }

            fn kept(kept: &AllKept) -> &Kept<Self> {
                &kept.$field
            }
        })*

        /// The digest of every fold as of a moment.
        #[cfg(test)]
        pub(crate) fn digests_as_of(
            history: &History,
            moment: &AsOf,
            source: &dyn CommitSource,
        ) -> std::collections::BTreeMap<&'static str, domain::kernel::canonical::Sha256Hex> {
            let digest = "a fold has a digest";
            std::collections::BTreeMap::from([$((
                stringify!($field),
                history.as_of::<$type>(moment, source).expect("in memory").digest().expect(digest),
            )),*])
        }
    };
}

crate::folds::table!(make_history);
