//! Checks everything that the entries of a log can be checked for. They are read once; what can
//! be said of one entry alone is found on threads beside that which holds them together.

use crate::documents::Census;
use crate::{Check, Found, Recorded};
use bytes::Bytes;
use domain::Commit;
use domain::facts::commit::CommitId;
use domain::facts::documents;
use domain::facts::invariants::Invariants;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{CommandId, StreamId};
use eventlog::scan::{blocking, decoders, in_order};
use eventlog::tlog::Hash;
use eventlog::tlog::note::Verifier;
use eventlog::{Log, Position};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The commit, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What.
    pub what: String,
}

/// What was checked, and what was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The documents that are named, if that was asked for.
    pub census: Option<Census>,
    /// Checkpoints that the log fits to: those that the check came with, and those recorded in the log.
    pub checkpoints: usize,
    /// Entries.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// What is wrong: first with single commits, in their order, then with the tree.
    pub findings: Vec<Finding>,
    /// Keys of checkpoints that do not count any more, and from which position on.
    pub retired: Vec<(Verifier, Position)>,
    /// Streams.
    pub streams: usize,
}

/// Checks all entries up to a position, and their tree, and takes a census of the documents that they name,
/// if there is one; `tell` hears now and then how far it is. It takes
/// 32 bytes of memory for each entry, since what is recorded about the tree stands behind what it is about.
///
/// # Errors
/// When the log cannot be read.
pub async fn entries(
    log: Arc<dyn Log>,
    head: Position,
    (mut tree, census): (Check, Option<Census>),
    tell: impl Fn(Position) + Send + 'static,
) -> Result<Checked, eventlog::Error> {
    blocking(move |runtime| {
        let mut checked = Checked::default();
        let mut checker = Checker { census, ..Checker::default() };
        let mut leaves: Vec<Hash> = Vec::new();
        let seen = |position, entry: &Bytes| Ok::<_, eventlog::Error>(look(position, entry));
        // To decode a commit and encode it again takes several times as long as all the rest.
        in_order((&*log, runtime), 0..head, decoders() + 1, seen, |chunk| {
            for seen in chunk {
                checked.commits += 1;
                leaves.push(seen.leaf);
                let position = Some(checked.commits);
                let found = checker.take(checked.commits, seen).into_iter();
                checked.findings.extend(found.map(|what| Finding { position, what }));
            }
            tell(checked.commits);
        })?;
        tree.expect_recorded(std::mem::take(&mut checker.recorded.checkpoints));
        leaves.into_iter().for_each(|leaf| tree.take_hash(leaf));
        let (found, held) = tree.finish();
        checked.findings.extend(found.into_iter().map(Finding::from));
        (checked.checkpoints, checked.events) = (held, checker.events);
        (checked.census, checked.streams) = (checker.census, checker.versions.len());
        checked.retired = checker.recorded.retired;
        Ok(checked)
    })
    .await
}

impl From<Found> for Finding {
    fn from(found: Found) -> Self {
        let position = match found {
            Found::Entry(position) => Some(position),
            Found::Root { position, .. } => position,
            Found::Shorter { .. } | Found::Kept { .. } | Found::Damaged { .. } => None,
        };
        Self { position, what: found.to_string() }
    }
}

/// What one entry says, without any other.
struct Seen {
    leaf: Hash,
    /// None, when it is no commit.
    commit: Option<Commit>,
    found: Vec<String>,
}

fn look(position: Position, entry: &[u8]) -> Seen {
    let leaf = Hash::leaf(entry);
    match Commit::decode(entry) {
        Ok(commit) => {
            let mut found = check_form(position, entry, &commit);
            found.extend(check_rules(entry, &commit));
            Seen { leaf, found, commit: Some(commit) }
        }
        Err(error) => Seen { leaf, commit: None, found: vec![error.to_string()] },
    }
}

fn check_form(position: Position, entry: &[u8], commit: &Commit) -> Vec<String> {
    let mut found = Vec::new();
    if commit.position != position {
        found.push(format!("it says that its position is {}", commit.position));
    }
    match commit.is_canonical(entry) {
        Ok(true) => {}
        Ok(false) => found.push("its bytes are not in canonical form".to_owned()),
        Err(error) => found.push(format!("it has no canonical form: {error}")),
    }
    if commit.events.is_empty() {
        found.push("it has no events".to_owned());
    }
    let expected = CommitId::derive(commit.recorded_at, &commit.command_id, commit.position);
    if commit.commit_id != expected {
        found.push(format!("its commit_id is {}, not {expected}", commit.commit_id));
    }
    found
}

/// The rules of a call are what their digest says.
fn check_rules(entry: &[u8], commit: &Commit) -> Vec<String> {
    match documents::rules(commit, entry) {
        Ok(rules) => {
            let changed = rules.iter().filter(|rules| !rules.is_whole());
            let told = changed.map(|rules| {
                let (stream, recorded) = (&rules.stream, rules.recorded);
                let actual = Sha256Hex::of(&rules.bytes);
                format!("{stream} records rules with the digest {recorded}, and they have {actual}")
            });
            told.collect()
        }
        Err(error) => vec![format!("its rules cannot be read: {error}")],
    }
}

/// What is known of the log so far. Nothing here is shared with the code that writes it.
#[derive(Default)]
struct Checker {
    recorded_at: Option<Timestamp>,
    versions: BTreeMap<StreamId, u64>,
    commands: BTreeMap<CommandId, Position>,
    invariants: Invariants,
    recorded: Recorded,
    /// The documents that are named, if they are to be looked for.
    census: Option<Census>,
    events: u64,
}

impl Checker {
    fn take(&mut self, position: Position, Seen { commit, mut found, .. }: Seen) -> Vec<String> {
        let Some(commit) = commit else { return found };
        self.check_time(&commit, &mut found);
        self.check_command(position, &commit, &mut found);
        self.check_versions(&commit, &mut found);
        found.extend(self.invariants.apply(&commit));
        found.extend(self.recorded.check(&commit));
        if let Some(Err(error)) = self.census.as_mut().map(|census| census.take(&commit)) {
            found.push(format!("what it names cannot be read: {error}"));
        }
        self.events += commit.events.len() as u64;
        found
    }

    fn check_time(&mut self, commit: &Commit, found: &mut Vec<String>) {
        let recorded_at = commit.recorded_at;
        if let Some(before) = self.recorded_at.filter(|before| recorded_at <= *before) {
            found.push(format!("recorded at {recorded_at}, not after {before}"));
        }
        if commit.received_at > recorded_at {
            found.push(format!("received at {}, after it was recorded", commit.received_at));
        }
        self.recorded_at = self.recorded_at.max(Some(recorded_at));
    }

    fn check_command(&mut self, position: Position, commit: &Commit, found: &mut Vec<String>) {
        let id = &commit.command_id;
        if let Some(first) = self.commands.get(id) {
            found.push(format!("command id {id} was recorded at position {first} already"));
        } else {
            self.commands.insert(id.clone(), position);
        }
    }

    fn check_versions(&mut self, commit: &Commit, found: &mut Vec<String>) {
        let mut before: BTreeMap<StreamId, u64> = BTreeMap::new();
        for recorded in &commit.events {
            let stream = &recorded.stream;
            let version = self.versions.entry(stream.clone()).or_default();
            before.entry(stream.clone()).or_insert(*version);
            let (category, _) = recorded.event.kind().split_once('.').unwrap_or_default();
            if category != stream.category() {
                found.push(format!("{} is on stream {stream}", recorded.event.kind()));
            }
            if recorded.version != *version + 1 {
                let expected = *version + 1;
                found.push(format!("{stream} is at version {}, not {expected}", recorded.version));
            }
            // What follows is held against what is stored, so that one gap is one finding.
            *version = recorded.version;
        }
        if commit.decided_on != before {
            let (decided_on, before) = (&commit.decided_on, &before);
            found.push(format!("decided on {decided_on:?}, when the streams were at {before:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::testing::given;

    const VOTE: &str = r#"{"amount":"EUR 5.00","fund":"F","line":"L","source":"S"}"#;
    const MORE: &str =
        r#"{"amount":"EUR 1.00","fund":"F","line":"L","reason":"more","source":"S"}"#;

    fn history() -> Vec<Commit> {
        let officer = given().by(domain::Role::GoverningBoard);
        officer
            .done("fund.vote_appropriation", VOTE)
            .done("fund.increase_appropriation", MORE)
            .commits
    }

    fn check(checker: &mut Checker, position: Position, entry: &[u8]) -> Vec<String> {
        checker.take(position, look(position, entry))
    }

    fn findings(commits: &[Commit]) -> Vec<String> {
        let mut checker = Checker::default();
        (1..)
            .zip(commits)
            .flat_map(|(position, commit)| check(&mut checker, position, &commit.encode().unwrap()))
            .collect()
    }

    /// What is found after the second commit was changed.
    fn after(change: impl FnOnce(&mut Commit)) -> Vec<String> {
        let mut commits = history();
        change(&mut commits[1]);
        findings(&commits)
    }

    #[test]
    fn a_history_that_the_rules_made_is_sound() {
        assert_eq!(findings(&history()), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_position_spoils_the_commit_id_too() {
        let found = after(|commit| commit.position = 7);
        assert_eq!(found[0], "it says that its position is 7");
        assert!(found[1].starts_with("its commit_id is "), "{found:?}");
    }

    #[test]
    fn a_commit_id_that_does_not_follow_is_found() {
        let other = history()[0].commit_id;
        let found = after(|commit| commit.commit_id = other);
        assert!(found[0].starts_with("its commit_id is "), "{found:?}");
    }

    #[test]
    fn time_that_stands_still_is_found() {
        let before = history()[0].recorded_at;
        let found = after(|commit| {
            commit.recorded_at = before;
            commit.received_at = before;
            commit.commit_id = CommitId::derive(before, &commit.command_id, commit.position);
        });
        assert_eq!(found, [format!("recorded at {before}, not after {before}")]);
    }

    #[test]
    fn a_command_that_is_received_after_it_is_recorded_is_found() {
        let later = "2030-01-01T00:00:00Z".parse().unwrap();
        let found = after(|commit| commit.received_at = later);
        assert_eq!(found, ["received at 2030-01-01T00:00:00Z, after it was recorded"]);
    }

    #[test]
    fn a_command_that_is_recorded_twice_is_found() {
        let id = history()[0].command_id.clone();
        let found = after(|commit| {
            commit.commit_id = CommitId::derive(commit.recorded_at, &id, commit.position);
            commit.command_id = id.clone();
        });
        assert_eq!(found, [format!("command id {id} was recorded at position 1 already")]);
    }

    #[test]
    fn a_gap_in_a_stream_is_found() {
        let found = after(|commit| commit.events[0].version = 3);
        assert_eq!(found, ["fund-F is at version 3, not 2"]);
    }

    #[test]
    fn versions_that_were_not_those_of_the_streams_are_found() {
        let found = after(|commit| commit.decided_on.clear());
        assert_eq!(found, ["decided on {}, when the streams were at {fund-F: 1}"]);
    }

    #[test]
    fn an_event_on_a_stream_of_another_kind_is_found() {
        let found = after(|commit| {
            let stream: StreamId = "call-F".parse().unwrap();
            commit.decided_on = BTreeMap::from([(stream.clone(), 0)]);
            commit.events[0].version = 1;
            commit.events[0].stream = stream;
        });
        assert!(found.contains(&"fund.AppropriationIncreased is on stream call-F".to_owned()));
    }

    #[test]
    fn bytes_that_are_not_canonical_are_found() {
        let commit = history().remove(0);
        let mut bytes = b" ".to_vec();
        bytes.extend(commit.encode().unwrap());
        let found = check(&mut Checker::default(), 1, &bytes);
        assert_eq!(found, ["its bytes are not in canonical form"]);
    }

    #[test]
    fn what_is_no_commit_is_found_and_the_rest_is_still_checked() {
        let mut checker = Checker::default();
        assert!(check(&mut checker, 1, b"{}")[0].starts_with("not a commit: "));
        let second = history().remove(1);
        let found = check(&mut checker, 2, &second.encode().unwrap());
        assert!(found.contains(&"fund-F is at version 2, not 1".to_owned()), "{found:?}");
    }
}
