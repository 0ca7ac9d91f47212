//! Everything that was recorded, one row for each event.

use crate::fold::Fold;
use crate::query::{AsOf, Query};
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::StreamId;
use domain::{Commit, Role};
use imbl::{GenericHashMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

/// One row per event. Words that come again and again are kept once; the name of a stream is that of
/// the event, shared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Timeline {
    pub(crate) rows: Vector<Row>,
    pub(crate) words: Vector<Arc<str>>,
    /// Number of each word.
    pub(crate) numbers: Numbers,
}

/// Hashed with fixed keys: no randomness, and not stored.
pub(crate) type Numbers = GenericHashMap<
    Arc<str>,
    u32,
    BuildHasherDefault<DefaultHasher>,
    imbl::shared_ptr::DefaultSharedPtr,
>;

/// A row; names but that of the stream are numbers of words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) effective_at: Timestamp,
    pub(crate) actor: u32,
    pub(crate) role: Role,
    pub(crate) command: u32,
    pub(crate) stream: StreamId,
    pub(crate) kind: u32,
    pub(crate) evidence: Option<(Confidence, u32)>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) rows: Vector<Row>,
    pub(crate) words: Vector<Arc<str>>,
}

impl From<Timeline> for Stored {
    fn from(Timeline { rows, words, .. }: Timeline) -> Self {
        Self { rows, words }
    }
}

impl From<Stored> for Timeline {
    fn from(Stored { rows, words }: Stored) -> Self {
        let numbers = words.iter().cloned().zip(0_u32..).collect();
        Self { rows, words, numbers }
    }
}

impl Timeline {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let word: Arc<str> = word.into();
        self.words.push_back(Arc::clone(&word));
        self.numbers.insert(word, number);
        number
    }

    pub(crate) fn word(&self, number: u32) -> &str {
        usize::try_from(number).ok().and_then(|index| self.words.get(index)).map_or("", |word| word)
    }

    pub(crate) fn matches(&self, row: &Row, query: &Query) -> bool {
        query.moment.knows(row.position, row.recorded_at)
            && query.moment.was_true(row.effective_at)
            && query.role.is_none_or(|role| role == row.role)
            && query.stream.as_ref().is_none_or(|it| *it == row.stream)
            && query.category.as_ref().is_none_or(|it| it == row.stream.category())
            && query.actor.as_ref().is_none_or(|actor| actor.as_str() == self.word(row.actor))
    }
}

impl Fold for Timeline {
    const EVERY: u64 = u64::MAX;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let actor = self.number(commit.actor.id.as_str());
        let command = self.number(&commit.command);
        let kind = self.number(event.event.kind());
        let evidence = commit.evidence.as_ref();
        let evidence = evidence.map(|it| (it.confidence, self.number(&it.source)));
        self.rows.push_back(Row {
            position: commit.position,
            recorded_at: commit.recorded_at,
            effective_at: event.effective_at,
            actor,
            role: commit.actor.role,
            command,
            stream: event.stream.clone(),
            kind,
            evidence,
        });
    }

    fn narrowed(&self, moment: &AsOf) -> Option<Self> {
        let mut narrowed = Self::default();
        let mut renumbered: Vec<Option<u32>> = vec![None; self.words.len()];
        let query = Query::at(*moment);
        for row in self.rows.iter().filter(|row| self.matches(row, &query)) {
            // Words get their numbers in the order in which a fold would have met them.
            let mut renumber = |number: u32| {
                let slot = usize::try_from(number).ok().and_then(|at| renumbered.get_mut(at));
                let Some(slot) = slot else { return number };
                *slot.get_or_insert_with(|| narrowed.number(self.word(number)))
            };
            let (actor, command) = (renumber(row.actor), renumber(row.command));
            let kind = renumber(row.kind);
            let evidence = row.evidence.map(|(confidence, source)| (confidence, renumber(source)));
            narrowed.rows.push_back(Row { actor, command, kind, evidence, ..row.clone() });
        }
        Some(narrowed)
    }
}
