//! `tranche verify`: everything that a log can be checked for, and all that is wrong with it.

use super::document::DocumentsArgs;
use super::failure::Failure;
use super::out::{Out, counted, progress};
use super::source::{Place, Source, each_entry, must_exist};
use super::witness::QuorumArgs;
use clap::Args;
use domain::Commit;
use domain::canonical::Sha256Hex;
use domain::commit::CommitId;
use domain::documents;
use domain::ids::{CommandId, StreamId};
use domain::invariants::Invariants;
use eventlog::tlog::Checkpoint;
use eventlog::tlog::note::Note;
use eventlog::{Position, sqlite};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tranche::documents::check::Census;
use tranche::engine::{self, SnapshotCheck};
use tranche::pack;
use tranche::proof::{self, Check, Found, Shelf, keys};

/// What `tranche verify` is told.
#[derive(Args)]
pub struct VerifyArgs {
    /// A checkpoint that was kept elsewhere: the log must contain what it is about
    #[arg(long, value_name = "FILE", requires = "public")]
    checkpoint: Vec<PathBuf>,
    /// The public keys that checkpoints are signed with, a line each
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    #[command(flatten)]
    quorum: QuorumArgs,
    #[command(flatten)]
    documents: DocumentsArgs,
    /// A pack of `tranche audit pack` instead of a log; its own keys are trusted without --public
    #[arg(long, value_name = "FILE", conflicts_with_all = ["checkpoint", "witness"])]
    pack: Option<PathBuf>,
}

/// What was checked, and what was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Signed checkpoints that the log fits to.
    checkpoints: usize,
    commits: u64,
    /// Documents that the log names, if they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<usize>,
    events: u64,
    findings: Vec<Finding>,
    head: Position,
    snapshots: usize,
    streams: usize,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// The commit, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    what: String,
}

/// Checks the log, or a pack without its log.
pub async fn verify(source: &Source, args: &VerifyArgs, json: bool) -> Result<(), Failure> {
    if let Some(path) = &args.pack {
        return verify_pack(path, args.public.as_deref(), json);
    }
    let mut report = Report::default();
    let is_readable = check_rows(&source.required()?, &mut report)?;
    if is_readable {
        check_commits(source, args, &mut report).await?;
        check_snapshots(source, &mut report).await?;
    }
    let mut out = Out::stdout();
    if json {
        out.json(&report)?;
    } else {
        for Finding { position, what } in &report.findings {
            match position {
                Some(position) => out.line(format_args!("position {position}: {what}"))?,
                None => out.line(format_args!("{what}"))?,
            }
        }
        let Report { checkpoints, commits, events, head, snapshots, streams, .. } = &report;
        let documents = report.documents.map(|count| format!(", {}", counted(count, "document")));
        let documents = documents.unwrap_or_default();
        let counted_u64 =
            |count: &u64, what| counted(usize::try_from(*count).unwrap_or(usize::MAX), what);
        let (commits, events) = (counted_u64(commits, "commit"), counted_u64(events, "event"));
        let (streams, snapshots) = (counted(*streams, "stream"), counted(*snapshots, "snapshot"));
        out.line(format_args!(
            "last position {head}: {}",
            if is_readable {
                let fits = match checkpoints {
                    0 => String::new(),
                    count => format!(", {}", counted(*count, "signed checkpoint")),
                };
                format!("checked {commits}, {events}, {streams}, {snapshots}{fits}{documents}")
            } else {
                "the commits were not checked, since rows are damaged".to_owned()
            }
        ))?;
    }
    out.finish()?;
    match (report.findings.len(), is_readable) {
        (0, _) => Ok(()),
        (count, false) => Err(Failure::Corrupt(counted(count, "finding"))),
        (count, true) => Err(Failure::Found(counted(count, "finding"))),
    }
}

fn verify_pack(path: &Path, public: Option<&Path>, json: bool) -> Result<(), Failure> {
    let known = public.map(keys::read_verifiers).transpose()?;
    let file = std::fs::File::open(path).map_err(|error| Failure::file(path, error))?;
    let checked = pack::check::check(file, known.as_deref());
    let checked =
        checked.map_err(|error| Failure::Corrupt(format!("{}: {error}", path.display())))?;
    let mut out = Out::stdout();
    if json {
        out.json(&checked)?;
    } else {
        for finding in &checked.findings {
            out.line(format_args!("{finding}"))?;
        }
        let commits = counted(checked.commits, "commit");
        let (files, documents) =
            (counted(checked.files, "file"), counted(checked.documents, "document"));
        let (scope, size) = (&checked.scope, checked.size);
        out.line(format_args!(
            "pack of {scope}: checked {files}, {commits}, {documents}, a checkpoint of {size}"
        ))?;
        for key in checked.keys.iter().filter(|_| known.is_none()) {
            out.line(format_args!("signed by a key of the pack itself, not checked: {key}"))?;
        }
    }
    out.finish()?;
    match checked.findings.len() {
        0 => Ok(()),
        count => Err(Failure::Found(counted(count, "finding"))),
    }
}

/// Checks what is stored before anything is read as a commit. Says whether it can be read.
fn check_rows(place: &Place, report: &mut Report) -> Result<bool, Failure> {
    let Place::Directory(dir) = place else { return Ok(true) };
    must_exist(dir)?;
    let rows = sqlite::check(dir)?;
    report.head = rows.head;
    let damages =
        rows.damages.iter().map(|damage| Finding { position: None, what: damage.to_string() });
    report.findings.extend(damages);
    Ok(rows.damages.is_empty())
}

async fn check_commits(
    source: &Source,
    args: &VerifyArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut tree = tree(source, args)?;
    let documents = args.documents.open().await?;
    let log = source.open_to_read().await?;
    report.head = log.head().await?;
    let bar = progress("verifying", report.head);
    let census = documents.is_some().then(Census::default);
    let mut checker = Checker { census, ..Checker::default() };
    each_entry(&*log, 1, report.head, |position, entry| {
        bar.inc(1);
        report.commits += 1;
        for what in checker.check(position, entry) {
            report.findings.push(Finding { position: Some(position), what });
        }
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    // Once more, since what is recorded about the tree stands behind what it is about.
    tree.expect_all(std::mem::take(&mut checker.recorded.checkpoints));
    each_entry(&*log, 1, report.head, |_, entry| {
        tree.take(entry);
        Ok(())
    })
    .await?;
    let (found, held) = tree.finish();
    report.checkpoints = held;
    report.findings.extend(found.into_iter().map(|found| Finding {
        position: match found {
            Found::Entry(position) => Some(position),
            Found::Root { position, .. } => position,
            Found::Shorter { .. } => None,
        },
        what: found.to_string(),
    }));
    if let (Some(store), Some(census)) = (&documents, &checker.census) {
        let found = census.check(store).await?.into_iter();
        report.findings.extend(found.map(|finding| Finding {
            position: Some(finding.position),
            what: finding.to_string(),
        }));
        report.documents = Some(census.hashes().len());
    }
    report.events = checker.events;
    report.streams = checker.versions.len();
    Ok(())
}

/// What the tree of the log must fit to: what was signed and kept here, and what the caller has kept.
fn tree(source: &Source, args: &VerifyArgs) -> Result<Check, Failure> {
    let kept = match source.required()? {
        Place::Directory(dir) => Some(dir.join(proof::DIRECTORY)).filter(|dir| dir.exists()),
        _ => None,
    };
    let kept = kept.map(|dir| Shelf::open(&dir)).transpose()?;
    let known = args.public.as_deref().map(keys::read_verifiers).transpose()?;
    let mut notes = Vec::new();
    if let Some(shelf) = &kept {
        notes.extend(
            shelf.checkpoint()?.map(|note| ("the checkpoint of this log".to_owned(), note)),
        );
    }
    let quorum = args.quorum.read()?;
    if quorum.is_some() && args.checkpoint.is_empty() {
        let what = "--witness is about a --checkpoint, and there is none";
        return Err(Failure::Usage(what.to_owned()));
    }
    for path in &args.checkpoint {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
        let wrong = |error| Failure::Found(format!("{}: {error}", path.display()));
        let (name, note) = (path.display().to_string(), Note::parse(&text).map_err(wrong)?);
        quorum.as_ref().map_or(Ok(()), |quorum| quorum.check(&name, &note))?;
        notes.push((name, note));
    }
    let mut check = Check::new(kept);
    for (name, note) in notes {
        // Without keys, what is kept here is held against the log all the same.
        let checkpoint = match &known {
            Some(known) => Checkpoint::open(&note, known, known[0].name()),
            None => Checkpoint::parse(&note.text),
        };
        check.expect_all([checkpoint.map_err(|error| Failure::Found(format!("{name}: {error}")))?]);
    }
    Ok(check)
}

/// Each snapshot is what a replay gives, and none holds more than the log.
async fn check_snapshots(source: &Source, report: &mut Report) -> Result<(), Failure> {
    let Some(dir) = source.required()?.snapshots() else { return Ok(()) };
    match engine::check_snapshots(source.open_to_read().await?, dir).await {
        Ok(SnapshotCheck { compared, findings }) => {
            report.snapshots = compared;
            let findings = findings.into_iter();
            report.findings.extend(findings.map(|(position, what)| Finding { position, what }));
        }
        Err(error) => {
            let what = format!("the snapshots were not checked: {error}");
            report.findings.push(Finding { position: None, what });
        }
    }
    Ok(())
}

/// What is known of the log so far. Nothing here is shared with the code that writes it.
#[derive(Default)]
struct Checker {
    recorded_at: Option<Timestamp>,
    versions: BTreeMap<StreamId, u64>,
    commands: BTreeMap<CommandId, Position>,
    invariants: Invariants,
    recorded: proof::Recorded,
    /// The documents that are named, if they are to be looked for.
    census: Option<Census>,
    events: u64,
}

impl Checker {
    fn check(&mut self, position: Position, entry: &[u8]) -> Vec<String> {
        let commit = match Commit::decode(entry) {
            Ok(commit) => commit,
            Err(error) => return vec![error.to_string()],
        };
        let mut found = Vec::new();
        self.check_form(position, entry, &commit, &mut found);
        self.check_time(&commit, &mut found);
        self.check_command(position, &commit, &mut found);
        self.check_versions(&commit, &mut found);
        self.check_documents(entry, &commit, &mut found);
        found.extend(self.invariants.apply(&commit));
        found.extend(self.recorded.check(&commit));
        self.events += commit.events.len() as u64;
        found
    }

    fn check_form(
        &self,
        position: Position,
        entry: &[u8],
        commit: &Commit,
        found: &mut Vec<String>,
    ) {
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
    }

    /// The rules of a call are what their digest says, and what is named is remembered.
    fn check_documents(&mut self, entry: &[u8], commit: &Commit, found: &mut Vec<String>) {
        match documents::rules(commit, entry) {
            Ok(rules) => {
                found.extend(rules.iter().filter(|rules| !rules.is_whole()).map(|rules| {
                    let (stream, recorded) = (&rules.stream, rules.recorded);
                    let actual = Sha256Hex::of(&rules.bytes);
                    format!(
                        "{stream} records rules with the digest {recorded}, and they have {actual}"
                    )
                }));
            }
            Err(error) => found.push(format!("its rules cannot be read: {error}")),
        }
        if let Some(Err(error)) = self.census.as_mut().map(|census| census.take(commit)) {
            found.push(format!("what it names cannot be read: {error}"));
        }
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

    fn findings(commits: &[Commit]) -> Vec<String> {
        let mut checker = Checker::default();
        (1..)
            .zip(commits)
            .flat_map(|(position, commit)| checker.check(position, &commit.encode().unwrap()))
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
        let found = Checker::default().check(1, &bytes);
        assert_eq!(found, ["its bytes are not in canonical form"]);
    }

    #[test]
    fn what_is_no_commit_is_found_and_the_rest_is_still_checked() {
        let mut checker = Checker::default();
        assert!(checker.check(1, b"{}")[0].starts_with("not a commit: "));
        let second = history().remove(1);
        let found = checker.check(2, &second.encode().unwrap());
        assert!(found.contains(&"fund-F is at version 2, not 1".to_owned()), "{found:?}");
    }
}
