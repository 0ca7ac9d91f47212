//! What changed in a view between two moments, and by which events.

use super::figure::{Figure, difference};
use crate::history::{CommitSource, Facts, History, SourceError};
use crate::query::{AsOf, Query};
use crate::report::{Cell, Report};
use crate::view::View;
use domain::Commit;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// At most so many cells are looked at, over all events, to find what changed each. Beyond it, the
/// changes are told without their causes.
pub const LOOKS_MAX: usize = 20_000_000;
/// At most so many commits are read for it.
pub const COMMITS_MAX: usize = 50_000;

/// One event that changed a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What it added, when the figure is an amount or a count.
    pub amount: Option<Cell>,
    /// The commit.
    pub commit: Arc<Commit>,
    /// Which of its events, from 0.
    pub event: usize,
}

/// One figure that is another one now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which one.
    pub figure: Figure,
    /// What it was; `None` when there was none.
    pub before: Option<Cell>,
    /// What it is; `None` when there is none any more.
    pub after: Option<Cell>,
    /// What changed it, in the order of the log. Empty where it is not told.
    pub causes: Vec<Cause>,
}

/// What changed between two moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The earlier moment, with the last position that it considers.
    pub from: (AsOf, u64),
    /// The later one.
    pub to: (AsOf, u64),
    /// By figure.
    pub changes: Vec<Change>,
    /// So many events count at the later moment that did not at the earlier one.
    pub events: usize,
    /// Why the causes are not told, if they are not.
    pub untold: Option<&'static str>,
}

const TOO_MANY: &str = "too many events and figures between the moments to tell each cause: ask \
                        about a shorter time, or for the why of one figure";
const OTHER_ORDER: &str = "events that became true out of the order in which they were recorded: the \
                           why of such a figure tells its causes";

impl History {
    pub(crate) fn difference<V: View<Facts: Facts>>(
        &self,
        (from, to): (&Query, &Query),
        source: &dyn CommitSource,
    ) -> Result<Diff, SourceError> {
        let (mut facts, later): (V::Facts, V::Facts) =
            (self.as_of(&from.moment, source)?, self.as_of(&to.moment, source)?);
        // What depends on the instant of asking is asked at the later one both times.
        let query = self.fixed(to, source)?;
        let (before, after) = (V::report(&facts, &query), V::report(&later, &query));
        let (old, new) = (Figure::all(&before), Figure::all(&after));
        let mut causes = Causes::default();
        let ends = (self.last_known(&from.moment, source)?, self.last_known(&to.moment, source)?);
        let events = self.between((&from.moment, &to.moment), ends, source)?;
        let mut untold = events.is_none().then_some(TOO_MANY);
        let events = events.unwrap_or_default();
        if events.len().saturating_mul(old.len().max(new.len())) > LOOKS_MAX {
            untold = Some(TOO_MANY);
        } else {
            let mut shown = before;
            for (commit, event) in &events {
                facts.apply(commit, &commit.events[*event]);
                let next = V::report(&facts, &query);
                causes.compare(&shown, &next, (commit, *event));
                shown = next;
            }
        }
        let names: BTreeSet<&Figure> = old.keys().chain(new.keys()).collect();
        let changed = names.into_iter().filter(|figure| old.get(figure) != new.get(figure));
        let mut changes = Vec::new();
        for figure in changed {
            let (before, after) = (old.get(figure).cloned(), new.get(figure).cloned());
            let (mut causes, last) = causes.0.remove(figure).unwrap_or_default();
            if untold != Some(TOO_MANY) && last != after {
                causes.clear();
                untold = Some(OTHER_ORDER);
            }
            changes.push(Change { figure: figure.clone(), before, after, causes });
        }
        let (from, to) = ((from.moment, ends.0), (to.moment, ends.1));
        Ok(Diff { from, to, changes, events: events.len(), untold })
    }

    /// The events that count at the later moment and not at the earlier one; `None`: too many to tell.
    #[expect(clippy::type_complexity, reason = "a list of pairs that may be missing")]
    fn between(
        &self,
        (from, to): (&AsOf, &AsOf),
        (first, last): (u64, u64),
        source: &dyn CommitSource,
    ) -> Result<Option<Vec<(Arc<Commit>, usize)>>, SourceError> {
        // Without another moment of truth, all that the earlier one knows counts in both.
        let after = if from.as_of == to.as_of { first } else { 0 };
        let end = AsOf { position: Some(last), ..*to };
        let ranges = self.ranges_later(after, from, &end);
        let many: u64 = ranges.iter().map(|(first, last)| last + 1 - first).sum();
        if usize::try_from(many).is_ok_and(|many| many > COMMITS_MAX) {
            return Ok(None);
        }
        let mut events = Vec::new();
        for (first, last) in ranges {
            for commit in source.read(first, last)? {
                let counts = |event: &usize| {
                    let event = &commit.events[*event];
                    to.admits(&commit, event) && !from.admits(&commit, event)
                };
                events.extend(
                    (0..commit.events.len()).filter(counts).map(|it| (Arc::clone(&commit), it)),
                );
            }
        }
        Ok(Some(events))
    }
}

/// What changed each figure so far, and what it is.
#[derive(Default)]
struct Causes(BTreeMap<Figure, (Vec<Cause>, Option<Cell>)>);

impl Causes {
    fn compare(&mut self, before: &Report, after: &Report, (commit, event): (&Arc<Commit>, usize)) {
        if before.tables == after.tables {
            return;
        }
        let (old, new) = (Figure::all(before), Figure::all(after));
        let names: BTreeSet<&Figure> = old.keys().chain(new.keys()).collect();
        for figure in names {
            let (before, after) = (old.get(figure), new.get(figure));
            if before != after {
                let (causes, last) = self.0.entry(figure.clone()).or_default();
                let amount = difference(before, after);
                causes.push(Cause { amount, commit: Arc::clone(commit), event });
                *last = after.cloned();
            }
        }
    }
}
