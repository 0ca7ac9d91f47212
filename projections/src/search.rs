//! Which commits of the log somebody looks for: by whom, on what, under which command, when on either
//! clock, and about which call or grant.

use domain::facts::commit::Recorded;
use domain::kernel::ids::{ActorId, StreamId};
use domain::{Commit, Role};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a commit must be. What is absent does not restrict. A commit is found when one of its events is
/// all that is asked of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Who acted, or for whom somebody acted.
    pub actor: Option<ActorId>,
    /// In which role.
    pub role: Option<Role>,
    /// The name of the command.
    pub command: Option<String>,
    /// Recorded at this instant or later, and at this or earlier.
    pub recorded: (Option<Timestamp>, Option<Timestamp>),
    /// An event on this stream.
    pub stream: Option<StreamId>,
    /// An event on a stream of this category.
    pub category: Option<String>,
    /// An event of this type.
    pub kind: Option<String>,
    /// An event that was true at this instant or later, and at this or earlier.
    pub effective: (Option<Timestamp>, Option<Timestamp>),
    /// An event of this call or grant, given as its stream: on it, naming it, on a stream whose first event
    /// named it (its proposals, payments, pledges), and so on from these.
    pub scope: Option<StreamId>,
}

/// A search on its way through a log.
#[derive(Clone, Debug, Default)]
pub struct Searching {
    search: Search,
    /// The streams that belong to the scope.
    members: BTreeSet<StreamId>,
    /// The streams that were named, and of which no event has come.
    unseen: BTreeSet<StreamId>,
}

impl Search {
    /// Whether everything is asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all commits must be taken in order from the first one on, even where those found begin
    /// later.
    #[must_use]
    pub fn needs_all(&self) -> bool {
        self.scope.is_some()
    }

    /// Begins.
    #[must_use]
    pub fn begin(self) -> Searching {
        let members = self.scope.iter().cloned().collect();
        let unseen = self.scope.iter().chain(&self.stream).cloned().collect();
        Searching { search: self, members, unseen }
    }

    /// Whether nothing later can be found: instants of recording only grow.
    #[must_use]
    pub fn is_over(&self, commit: &Commit) -> bool {
        self.recorded.1.is_some_and(|last| commit.recorded_at > last)
    }

    fn wants_commit(&self, commit: &Commit) -> bool {
        let actor = &commit.actor;
        let is_actor = |id: &ActorId| {
            *id == actor.id || actor.on_behalf_of.as_ref().is_some_and(|it| it == id)
        };
        self.actor.as_ref().is_none_or(is_actor)
            && self.role.is_none_or(|role| role == actor.role)
            && self.command.as_ref().is_none_or(|name| *name == commit.command)
            && is_within(commit.recorded_at, self.recorded)
    }

    fn wants_event(&self, event: &Recorded) -> bool {
        self.stream.as_ref().is_none_or(|stream| *stream == event.stream)
            && self.category.as_ref().is_none_or(|category| category == event.stream.category())
            && self.kind.as_ref().is_none_or(|kind| kind == event.event.kind())
            && is_within(event.effective_at, self.effective)
    }
}

fn is_within(instant: Timestamp, (first, last): (Option<Timestamp>, Option<Timestamp>)) -> bool {
    first.is_none_or(|first| first <= instant) && last.is_none_or(|last| instant <= last)
}

impl Searching {
    /// What is looked for.
    #[must_use]
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// A stream that was named, and is on none of the commits so far.
    #[must_use]
    pub fn unseen(&self) -> Option<&StreamId> {
        self.unseen.first()
    }

    /// Takes the next commit, and says whether it is looked for.
    pub fn takes(&mut self, commit: &Commit) -> bool {
        if !self.unseen.is_empty() {
            let has = |stream: &StreamId| commit.events.iter().any(|it| it.stream == *stream);
            self.unseen.retain(|stream| !has(stream));
        }
        let is_scoped = self.search.scope.is_some();
        let wants_commit = self.search.wants_commit(commit);
        if !is_scoped && !wants_commit {
            return false;
        }
        let mut is_found = false;
        for event in &commit.events {
            let is_in_scope = !is_scoped || self.admits(event);
            is_found |= wants_commit && is_in_scope && self.search.wants_event(event);
        }
        is_found
    }

    fn admits(&mut self, event: &Recorded) -> bool {
        if self.members.contains(&event.stream) {
            return true;
        }
        let data = serde_json::to_value(&event.event).unwrap_or_default();
        let is_named = self.names("", &data);
        if is_named && event.version == 1 {
            self.members.insert(event.stream.clone());
        }
        is_named
    }

    /// Whether some data names a stream of the scope: in full, or by its id in a field that is called as its
    /// category.
    fn names(&self, field: &str, value: &Value) -> bool {
        let is_member = |name: &str| {
            name.parse::<StreamId>().is_ok_and(|stream| self.members.contains(&stream))
        };
        match value {
            Value::String(text) => is_member(text) || is_member(&format!("{field}-{text}")),
            Value::Array(values) => values.iter().any(|value| self.names(field, value)),
            Value::Object(members) => members.iter().any(|(name, value)| self.names(name, value)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given::{GivenLine, commits};

    const LINES: [GivenLine<'_>; 6] = [
        (
            "2024-01-01",
            "fund-F",
            "AppropriationVoted",
            r#"{"amount":"EUR 9","line":"L","source":"S"}"#,
        ),
        (
            "2024-02-01",
            "fund-F",
            "GloballyCommitted",
            r#"{"amount":"EUR 5","call":"C","commitment":"K","line":"L","source":"S"}"#,
        ),
        ("2024-03-01", "pledge-P", "Made", r#"{"amount":"EUR 5","call":"C","kind":"cash"}"#),
        ("2024-04-01", "pledge-P", "Reported", r#"{"amount":"EUR 1"}"#),
        ("2024-05-01", "pledge-Q", "Made", r#"{"amount":"EUR 5","call":"D","kind":"cash"}"#),
        ("2024-06-01", "fund-F", "LegallyCommitted", r#"{"amount":"EUR 5","grant":"C"}"#),
    ];

    fn found(search: Search) -> Vec<u64> {
        let mut searching = search.begin();
        let commits = commits(&LINES);
        commits.iter().filter(|it| searching.takes(it)).map(|it| it.position).collect()
    }

    #[test]
    fn a_scope_is_what_names_it_and_the_streams_that_began_by_naming_it() {
        let scope = |name: &str| Search { scope: name.parse().ok(), ..Search::default() };
        assert_eq!(found(scope("call-C")), [2, 3, 4]);
        assert_eq!(found(scope("grant-C")), [6], "a grant is no call");
        assert_eq!(found(scope("call-X")), [0_u64; 0]);
        let both = Search { kind: Some("pledge.Made".to_owned()), ..scope("call-C") };
        assert_eq!(found(both), [3]);
    }

    #[test]
    fn every_restriction_restricts() {
        let any = Search::default;
        assert_eq!(found(any()), [1, 2, 3, 4, 5, 6]);
        assert_eq!(found(Search { actor: "nobody".parse().ok(), ..any() }), [0_u64; 0]);
        assert_eq!(found(Search { actor: "someone".parse().ok(), ..any() }).len(), 6);
        assert_eq!(found(Search { role: Some(Role::GoverningBoard), ..any() }), [0_u64; 0]);
        assert_eq!(found(Search { role: Some(Role::ProgrammeOfficer), ..any() }).len(), 6);
        assert_eq!(found(Search { command: Some("test.do".to_owned()), ..any() }).len(), 6);
        assert_eq!(found(Search { command: Some("test.other".to_owned()), ..any() }), [0_u64; 0]);
        assert_eq!(found(Search { stream: "pledge-P".parse().ok(), ..any() }), [3, 4]);
        assert_eq!(found(Search { category: Some("pledge".to_owned()), ..any() }), [3, 4, 5]);
        assert_eq!(found(Search { kind: Some("fund.GloballyCommitted".to_owned()), ..any() }), [2]);
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let (first, last) = (at("2024-03-01T12:00:00Z"), at("2024-05-01T11:59:59Z"));
        assert_eq!(found(Search { effective: (first, None), ..any() }), [3, 4, 5, 6]);
        assert_eq!(found(Search { effective: (first, last), ..any() }), [3, 4]);
        let (first, last) = (at("2026-01-01T00:02:00Z"), at("2026-01-01T00:03:00Z"));
        assert_eq!(found(Search { recorded: (first, last), ..any() }), [2, 3]);
    }
}
