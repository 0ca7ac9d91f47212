//! The why of a figure: every event that changed it, in order, with what it added; and what changed
//! between two moments, by which events.
//!
//! A figure is one cell of one table, named by its row and column. Its lineage is made by folding the
//! view again and looking at the figure after every event: nothing is told that the view itself would not
//! say. What makes it quick is the [`Index`]: it knows which commits a figure can rest on, so that no
//! others are read (see [`scope`]). At the end the fold must show the figure that the view shows; if a
//! scope were wrong, that is noticed, and the whole view is folded instead.

mod diff;
mod figure;
mod index;
mod scope;
#[cfg(test)]
mod tests;

pub use diff::{Cause, Change, Diff};
pub use figure::{Figure, PointerError};
pub use index::Index;

use crate::history::{CommitSource, Facts, History, SourceError};
use crate::query::{AsOf, Query};
use crate::report::Cell;
use crate::view::View;
use domain::Commit;
use std::sync::Arc;

/// A figure that rests on at most so many commits is folded from these alone, from the first on.
pub const SCOPE_MAX: usize = 20_000;
/// At most so many of the newest events of such a fold are told apart; earlier ones are one sum.
pub const PROBES_MAX: usize = 2_000;
/// Of a figure that rests on more commits, so many of the newest are told apart.
pub const WINDOW: usize = 100;
/// The same for a figure of a view without an index.
pub const REPLAY_MAX: u64 = 1_000;

/// Why there is no lineage.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The log cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no such figure.
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

/// Which commits were folded for a lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// All those that the figure can rest on, found by the index.
    Scope,
    /// The newest of those, on the whole view.
    Window,
    /// The newest of all, on the whole view.
    Replay,
}

/// One event that changed a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// What it added to an amount or a count, unknown and absent taken as nothing.
    pub amount: Option<Cell>,
    /// The figure before it; `None` when there was none.
    pub before: Option<Cell>,
    /// The figure after it.
    pub after: Option<Cell>,
    /// The commit.
    pub commit: Arc<Commit>,
    /// Which of its events, from 0.
    pub event: usize,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Lineage {
    /// Which one.
    pub figure: Figure,
    /// What it is.
    pub value: Cell,
    /// What it was before the first of these contributions; `None` when there was none.
    pub opening: Option<Cell>,
    /// Whether these are all that ever changed it. Otherwise what came before is in `opening`.
    pub is_complete: bool,
    /// All events from this position on that changed it are told.
    pub from: u64,
    /// What changed it, in the order of the log.
    pub contributions: Vec<Contribution>,
    /// How it was found.
    pub fold: Fold,
    /// How many commits were folded.
    pub folded: usize,
}

/// What to fold, from where.
struct Plan<V: View<Facts: Facts>> {
    base: V::Facts,
    commits: Vec<Arc<Commit>>,
    from: u64,
    fold: Fold,
    probes: usize,
}

/// Which commits a figure can rest on; `None` when that is not known of its view.
pub type Candidates<'a> = &'a dyn Fn(&Figure) -> Option<Vec<u64>>;

impl History {
    pub(crate) fn lineage<V: View<Facts: Facts>>(
        &self,
        (query, pointer): (&Query, &str),
        candidates: Candidates<'_>,
        source: &dyn CommitSource,
    ) -> Result<Lineage, WhyError> {
        let moment = &query.moment;
        let view: V::Facts = self.as_of(moment, source)?;
        let query = self.fixed(query, source)?;
        let (figure, value) = Figure::find::<V>(&view, &query, pointer)?;
        let last = self.last_known(moment, source)?;
        let mut scope = candidates(&figure);
        if let Some(positions) = &mut scope {
            positions.truncate(positions.partition_point(|position| *position <= last));
        }
        if let Some(positions) = scope.as_ref().filter(|positions| positions.len() <= SCOPE_MAX) {
            let plan = Plan::<V> {
                base: V::Facts::default(),
                commits: source.pick(positions)?,
                from: 1,
                fold: Fold::Scope,
                probes: PROBES_MAX,
            };
            let lineage = plan.trace(&query, &figure, &value);
            if lineage.ends_with(&value) {
                return Ok(lineage);
            }
        }
        let plan = self.window::<V>(scope.as_deref(), last, moment, source)?;
        Ok(plan.trace(&query, &figure, &value))
    }

    /// The newest commits that matter, and the whole view before them.
    fn window<V: View<Facts: Facts>>(
        &self,
        scope: Option<&[u64]>,
        last: u64,
        moment: &AsOf,
        source: &dyn CommitSource,
    ) -> Result<Plan<V>, SourceError> {
        let admitted =
            |commit: &Arc<Commit>| commit.events.iter().any(|event| moment.admits(commit, event));
        let (commits, from, fold) = match scope {
            Some(positions) => {
                let mut rest = positions;
                let mut found: Vec<Arc<Commit>> = Vec::new();
                // What was recorded late or is not true yet does not fill the window.
                while found.len() < WINDOW
                    && !rest.is_empty()
                    && positions.len() - rest.len() < SCOPE_MAX
                {
                    let chunk = rest.len().saturating_sub(WINDOW);
                    let mut older = source.pick(&rest[chunk..])?;
                    older.retain(admitted);
                    older.append(&mut found);
                    (found, rest) = (older, &rest[..chunk]);
                }
                let from = rest.last().map_or(1, |position| position + 1);
                (found, from, Fold::Window)
            }
            None => {
                let from = last.saturating_sub(REPLAY_MAX - 1).max(1);
                (if last == 0 { Vec::new() } else { source.read(from, last)? }, from, Fold::Replay)
            }
        };
        let base = if from == 1 {
            V::Facts::default()
        } else {
            self.as_of(&AsOf { position: Some(from - 1), ..*moment }, source)?
        };
        Ok(Plan { base, commits, from, fold, probes: usize::MAX })
    }

    /// The last position within what a moment knows.
    fn last_known(&self, moment: &AsOf, source: &dyn CommitSource) -> Result<u64, SourceError> {
        let head = self.views().position;
        let last = moment.position.map_or(head, |limit| limit.min(head));
        let Some(known_at) = moment.known_at.filter(|at| *at < self.views().recorded_at) else {
            return Ok(last);
        };
        let (mut low, mut high) = (0, last);
        while low < high {
            // Positions and recorded instants grow together.
            let middle = low + (high - low).div_ceil(2);
            let is_known = source.pick(&[middle])?.iter().all(|it| it.recorded_at <= known_at);
            (low, high) = if is_known { (middle, high) } else { (low, middle - 1) };
        }
        Ok(low)
    }
}

impl<V: View<Facts: Facts>> Plan<V> {
    fn trace(self, query: &Query, figure: &Figure, value: &Cell) -> Lineage {
        let Self { base: mut facts, commits, from, fold, probes } = self;
        let moment = &query.moment;
        let events: Vec<(&Arc<Commit>, usize)> = commits
            .iter()
            .flat_map(|commit| (0..commit.events.len()).map(move |event| (commit, event)))
            .filter(|(commit, event)| moment.admits(commit, &commit.events[*event]))
            .collect();
        let (summed, told) = events.split_at(events.len().saturating_sub(probes));
        for (commit, event) in summed {
            facts.apply(commit, &commit.events[*event]);
        }
        let row = figure.row_for_good();
        let shown = |facts: &V::Facts| figure.in_table(&V::table(facts, figure.table, query, row)?);
        let mut before = shown(&facts);
        let opening = before.clone();
        let mut contributions = Vec::new();
        for (commit, event) in told {
            facts.apply(commit, &commit.events[*event]);
            let after = shown(&facts);
            if after != before {
                let amount = figure::difference(before.as_ref(), after.as_ref());
                let commit = Arc::clone(commit);
                contributions.push(Contribution {
                    amount,
                    before: std::mem::replace(&mut before, after.clone()),
                    after,
                    commit,
                    event: *event,
                });
            }
        }
        let from =
            if summed.is_empty() { from } else { told.first().map_or(from, |it| it.0.position) };
        Lineage {
            figure: figure.clone(),
            value: value.clone(),
            opening,
            is_complete: from == 1 && summed.is_empty(),
            from,
            contributions,
            fold,
            folded: commits.len(),
        }
    }
}

impl Lineage {
    /// Keeps the newest `limit` contributions; the others are in the opening.
    pub fn keep(&mut self, limit: usize) {
        let Some(cut) = self.contributions.len().checked_sub(limit).filter(|cut| *cut > 0) else {
            return;
        };
        let cut_off = self.contributions.drain(..cut).next_back();
        self.is_complete = false;
        if let Some(last) = cut_off {
            self.from = last.commit.position;
            self.opening = last.after;
        }
    }

    fn ends_with(&self, value: &Cell) -> bool {
        let end = self.contributions.last().map_or(&self.opening, |last| &last.after);
        end.as_ref().unwrap_or(&Cell::Empty) == value
    }

    /// What the opening and the contributions add up to, when the figure is an amount or a count. It is
    /// the figure.
    #[must_use]
    pub fn sum(&self) -> Option<Cell> {
        let amounts = self.contributions.iter().map(|it| it.amount.clone());
        let opening = figure::difference(None, self.opening.as_ref());
        std::iter::once(opening).chain(amounts).flatten().reduce(figure::sum)
    }
}

/// Makes the questions after the why of a figure, and after what changed, of the table of views.
macro_rules! make_lineage {
    ($($view:ty;)*) => {
        impl History {
            /// Where a figure of a view comes from (see [`crate::lineage`]); `None` when there is no such view.
            ///
            /// # Errors
            /// When the log cannot be read, or the pointer leads nowhere.
            pub fn why(
                &self,
                name: &str,
                asked: (&Query, &str),
                candidates: Candidates<'_>,
                source: &dyn CommitSource,
            ) -> Result<Option<Lineage>, WhyError> {
                $(if name == <$view as View>::NAME {
                    return self.lineage::<$view>(asked, candidates, source).map(Some);
                })*
                Ok(None)
            }

            /// What changed in a view between two moments; `None` when there is no such view.
            ///
            /// # Errors
            /// When the log cannot be read.
            pub fn diff(
                &self,
                name: &str,
                moments: (&Query, &Query),
                source: &dyn CommitSource,
            ) -> Result<Option<Diff>, SourceError> {
                $(if name == <$view as View>::NAME {
                    return self.difference::<$view>(moments, source).map(Some);
                })*
                Ok(None)
            }
        }
    };
}

crate::views::table!(make_lineage);
