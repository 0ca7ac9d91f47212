//! Everything that was recorded, in order: who did what to which stream, and from which source.

use crate::projection::{AsOf, Projection, Query};
use crate::report::{Cell, Kind, Report, Table};
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
    rows: Vector<Row>,
    words: Vector<Arc<str>>,
    /// Number of each word.
    numbers: Numbers,
}

/// Hashed with fixed keys: no randomness, and not stored.
type Numbers = GenericHashMap<
    Arc<str>,
    u32,
    BuildHasherDefault<DefaultHasher>,
    imbl::shared_ptr::DefaultSharedPtr,
>;

/// A row; names but that of the stream are numbers of words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    position: u64,
    recorded_at: Timestamp,
    effective_at: Timestamp,
    actor: u32,
    role: Role,
    command: u32,
    stream: StreamId,
    kind: u32,
    evidence: Option<(Confidence, u32)>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    rows: Vector<Row>,
    words: Vector<Arc<str>>,
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

    fn word(&self, number: u32) -> &str {
        usize::try_from(number).ok().and_then(|index| self.words.get(index)).map_or("", |word| word)
    }

    fn matches(&self, row: &Row, query: &Query) -> bool {
        query.moment.knows(row.position, row.recorded_at)
            && query.moment.was_true(row.effective_at)
            && query.role.is_none_or(|role| role == row.role)
            && query.stream.as_ref().is_none_or(|it| *it == row.stream)
            && query.category.as_ref().is_none_or(|it| it == row.stream.category())
            && query.actor.as_ref().is_none_or(|actor| actor.as_str() == self.word(row.actor))
    }
}

impl Projection for Timeline {
    const NAME: &'static str = "timeline";
    const SUMMARY: &'static str = "Everything that was recorded, in order, with who and from where";
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

    fn report(&self, query: &Query) -> Report {
        let mut table = Table::new(
            "events",
            "",
            &[
                ("position", "Position", Kind::Count),
                ("recorded_at", "Recorded", Kind::Instant),
                ("effective_at", "True since", Kind::Instant),
                ("actor", "Who", Kind::Text),
                ("role", "Role", Kind::Text),
                ("command", "Command", Kind::Text),
                ("stream", "Stream", Kind::Text),
                ("type", "Event", Kind::Text),
                ("source", "Source", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        );
        let limit = query.limit.unwrap_or(usize::MAX);
        let newest = self.rows.iter().rev().filter(|row| self.matches(row, query));
        let mut rows: Vec<&Row> = newest.take(limit).collect();
        rows.reverse();
        for row in rows {
            table.push([
                row.position.into(),
                row.recorded_at.into(),
                row.effective_at.into(),
                self.word(row.actor).into(),
                Cell::text(row.role),
                self.word(row.command).into(),
                Cell::text(&row.stream),
                self.word(row.kind).into(),
                Cell::maybe(row.evidence.map(|(_, source)| self.word(source))),
                Cell::maybe(row.evidence.map(|(confidence, _)| confidence)),
            ]);
        }
        Report::new(Self::NAME, "Timeline").with(table)
    }
}
