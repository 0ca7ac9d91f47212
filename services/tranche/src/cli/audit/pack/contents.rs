//! What is in a pack, file by file, in their order.

use super::{PackArgs, readme};
use crate::cli::audit::moment::Moment;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::source::{Source, each_entry};
use domain::kernel::canonical;
use domain::kernel::canonical::Sha256Hex;
use eventlog::Position;
use eventlog::tlog::tile::Tile;
use eventlog::tlog::{Proof, Tree};
use projections::audit::extent::Extent;
use projections::audit::hledger::Journal;
use projections::{Query, VIEWS};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use tranche::documents::{self, Documents};
use tranche::engine::Reader;
use tranche::proof::{Prover, stamp};
use tranche_proof::pack::archive::Archive;
use tranche_proof::pack::figures::{self, People, Rows};
use tranche_proof::pack::names::{DocumentState, Indexed, Names};
use tranche_proof::pack::{FORMAT, LINES, MADE_BY, name};

/// Checks proofs with the packages of Go's checksum database.
const SUMDB: &str = include_str!("../../../../assets/pack/sumdb.go");

/// The figures that the commands of the README make anew from the commits; all others rest on the manifest.
const RECOMPUTED: &[&str] = &[
    "budget.claims: the amounts are those of a claim that was published",
    "budget.commitments: call, round, committed_eur",
    "budget.grants: paid_eur, decommitted_eur; individual_eur and legal_eur where nothing was decommitted",
    "budget.rounds: union_eur",
    "ledger.accounts: balances, from the journal",
    "pipeline.proposals: call, round, state",
    "ranking.places: round, rank, proposal, total, weighted, passed, outcome, where the ranking is in a commit here",
    "register.awards: round, grant",
    "timeline.events: everything but source and confidence; of people only that a name is always the same person",
];
/// Of a period, whose commits do not tell what was before it.
const RECOMPUTED_OF_PERIOD: &[&str] = &[
    "ledger.accounts: balances, from the journal",
    "timeline.events: everything but source and confidence; of people only that a name is always the same person",
];

/// A pack that is being filled.
pub struct Contents<'a> {
    pub archive: Archive<Out>,
    pub moment: &'a Moment,
    pub extent: &'a Extent,
    pub people: Option<&'a People>,
    pub prover: &'a Prover,
    pub documents: Option<Documents>,
    pub args: &'a PackArgs,
}

/// Holds what was made.
pub struct Done {
    pub commits: usize,
    pub files: usize,
    pub missing: usize,
    /// Documents that the commits name, when no store was named.
    pub not_included: usize,
    pub sha256: Sha256Hex,
}

/// What the commits of a pack name.
#[derive(Default)]
struct Found {
    positions: BTreeSet<Position>,
    journal: Journal,
    names: Names,
    /// Of the whole log: commits that wait for their file to be full.
    lines: Vec<u8>,
}

impl Contents<'_> {
    /// Writes everything.
    pub async fn write(mut self, source: &Source, reader: &Reader) -> Result<(Out, Done), Failure> {
        let readme = readme::readme(self.moment, self.extent, self.people.is_some());
        self.put("README.md", readme.as_bytes())?;
        self.put("checkpoint", self.moment.note.to_string().as_bytes())?;
        for key in &self.moment.keys {
            let id = key.id();
            self.put(&format!("keys/{id}.vkey"), format!("{key}\n").as_bytes())?;
            self.put(&format!("keys/{id}.pem"), key.to_pem().as_bytes())?;
        }
        self.put("check/sumdb.go", SUMDB.as_bytes())?;
        let stamps = self.stamps()?;
        let found = self.commits(source).await?;
        if self.extent.is_all() {
            self.tiles().await?;
        }
        for (hash, document) in &found.names.rules {
            self.put(&format!("rules/{hash}.json"), document)?;
        }
        let missing = self.documents(&found.names.documents).await?;
        let hidden = self.figures(reader, &found).await?;
        self.put("books/ledger.journal", found.journal.to_text().as_bytes())?;
        let commits = found.positions.len();
        let not_included = if self.documents.is_none() { found.names.documents.len() } else { 0 };
        let left_out = self.left_out(commits, (missing, not_included), &hidden, stamps);
        self.scope(&found, &left_out)?;
        let files = self.archive.files() + 1;
        let (out, sha256) = self.archive.finish().map_err(|error| failed(self.args, error))?;
        Ok((out, Done { commits, files, missing, not_included, sha256 }))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.archive.put(name, bytes).map_err(|error| failed(self.args, error))
    }

    /// Commits with their proofs, or the whole log; and what they name.
    async fn commits(&mut self, source: &Source) -> Result<Found, Failure> {
        let log = source.open_to_read().await?;
        let (mut found, asked) = (Found::default(), self.moment.asked());
        let size = self.moment.checkpoint.size;
        // The whole log is as long as the checkpoint says: its root is made of all of it.
        let last = if self.extent.is_all() { size } else { self.moment.position };
        each_entry(&*log, 1, last, |position, entry| {
            let commit = tranche::engine::decode(position, entry)?;
            let is_told = |at| position <= self.moment.position && asked.was_true(at);
            let is_true = commit.events.iter().any(|event| is_told(event.effective_at));
            let belongs = is_true && self.extent.holds(&commit);
            for event in commit.events.iter().filter(|event| is_told(event.effective_at)) {
                found.journal.apply(&commit, event, belongs);
            }
            if self.extent.is_all() {
                self.prover.check_entry(position, entry)?;
                self.line(position, entry, &mut found)?;
            } else if belongs {
                self.prover.check_entry(position, entry)?;
                self.put(&name("commits", position, "json"), entry)?;
                let path = self.prover.inclusion(position - 1, size)?;
                let checkpoint = self.moment.note.clone();
                let proof = Proof { index: position - 1, path, checkpoint };
                self.put(&name("proofs", position, "tlog-proof"), proof.to_string().as_bytes())?;
            }
            if belongs {
                found.positions.insert(position);
                let named = found.names.take(&commit, entry, is_told);
                named.map_err(|what| Failure::Corrupt(format!("position {position}: {what}")))?;
            }
            Ok(())
        })
        .await?;
        if found.positions.is_empty() {
            let scope = self.extent.scope();
            let what = format!("scope: no commit of {scope} is known at that moment");
            return Err(Failure::NotFound(what));
        }
        Ok(found)
    }

    /// A line of the whole log.
    fn line(&mut self, position: Position, entry: &[u8], found: &mut Found) -> Result<(), Failure> {
        found.lines.extend_from_slice(entry);
        found.lines.push(b'\n');
        if position.is_multiple_of(LINES) || position == self.moment.checkpoint.size {
            let first = (position - 1) / LINES * LINES + 1;
            self.put(&name("commits", first, "jsonl"), &std::mem::take(&mut found.lines))?;
        }
        Ok(())
    }

    async fn tiles(&mut self) -> Result<(), Failure> {
        for tile in Tile::all(self.moment.checkpoint.size) {
            let bytes = self.prover.tile(tile).await?;
            let missing = || Failure::Corrupt(format!("{tile} is not to be had from the log"));
            self.put(&tile.to_string(), &bytes.ok_or_else(missing)?)?;
        }
        Ok(())
    }

    /// The timestamps of the checkpoint; says how many.
    fn stamps(&mut self) -> Result<usize, Failure> {
        let stamps = stamp::stamps(self.prover.shelf(), &self.moment.note.text)?;
        for (number, stamped) in (1..).zip(&stamps) {
            self.put(&format!("stamps/{number}.checkpoint"), &stamped.checkpoint)?;
            self.put(&format!("stamps/{number}.tsr"), &stamped.reply)?;
        }
        if let Some(path) = &self.args.ca {
            let ca = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
            let refused = |why| Failure::Usage(format!("--ca {}: {why}", path.display()));
            if !is_certificate(&ca) {
                return Err(refused("not a certificate in PEM, and nothing else"));
            }
            if stamps.is_empty() {
                return Err(refused("no authority has stamped this checkpoint"));
            }
            self.put("stamps/ca.pem", &ca)?;
        }
        Ok(stamps.len())
    }

    /// The documents that are there; says how many are not.
    async fn documents(
        &mut self,
        named: &BTreeMap<Sha256Hex, BTreeSet<Position>>,
    ) -> Result<usize, Failure> {
        let (mut index, mut missing) = (Vec::new(), 0);
        for (&sha256, named_by) in named {
            let named_by = named_by.clone();
            let found = match &self.documents {
                Some(store) => Some(store.get(sha256).await?),
                None => None,
            };
            let state = match found {
                None => DocumentState::NotIncluded,
                Some(None) => {
                    missing += 1;
                    DocumentState::Missing
                }
                Some(Some(bytes)) => {
                    self.put(&format!("documents/{}", documents::path(sha256)), &bytes)?;
                    DocumentState::Here
                }
            };
            index.push(Indexed { named_by, sha256, state });
        }
        self.put("documents/index.json", &canonical::to_bytes(&index)?)?;
        Ok(missing)
    }

    /// The views; says which have nothing about the scope.
    async fn figures(
        &mut self,
        reader: &Reader,
        found: &Found,
    ) -> Result<Vec<&'static str>, Failure> {
        let rows = Rows {
            extent: self.extent,
            positions: &found.positions,
            journal: &found.journal,
            people: self.people,
        };
        let (mut views, mut hidden) = (Vec::new(), Vec::new());
        for (view, _) in VIEWS {
            let report = reader.report(view, Query::at(self.moment.asked())).await?;
            let Some(report) = report else { continue };
            let figures = rows.of(report)?;
            for (name, bytes) in figures.files {
                self.put(&name, &bytes)?;
            }
            match figures.summary {
                Some(summary) => views.push(summary),
                None => hidden.push(*view),
            }
        }
        let index = figures::index(self.moment.asked(), &views)?;
        self.put("figures/index.json", &index)?;
        Ok(hidden)
    }

    /// What the reader of the pack must know is not in it.
    fn left_out(
        &self,
        commits: usize,
        (missing, not_included): (usize, usize),
        hidden: &[&str],
        stamps: usize,
    ) -> Vec<String> {
        let mut left_out = Vec::new();
        let (size, position) = (self.moment.checkpoint.size, self.moment.position);
        if !self.extent.is_all() {
            let others = size.saturating_sub(commits as u64);
            left_out.push(format!(
                "{others} of the {size} commits under the checkpoint: they are not about the scope, \
                 or came later"
            ));
            left_out.push(
                "rows of views that are not about the scope alone, and the totals of tables; \
                 figures/index.json counts them"
                    .to_owned(),
            );
            left_out.push(
                "accounts of the ledger on which other commits have posted too: no figure of theirs \
                 is in figures/ledger.accounts.csv"
                    .to_owned(),
            );
        } else if position < size {
            left_out.push(format!(
                "nothing of the log; figures and books are as of position {position}, before its end"
            ));
        }
        if !hidden.is_empty() {
            left_out.push(format!("views with no row about the scope: {}", hidden.join(", ")));
        }
        if not_included > 0 {
            left_out.push(format!(
                "{not_included} documents: not asked for, only their hashes are here"
            ));
        } else if missing > 0 {
            left_out.push(format!("{missing} documents that are not in the store that was given"));
        }
        if stamps == 0 {
            left_out.push("timestamps: no authority has stamped this checkpoint".to_owned());
        }
        if self.people.is_some() {
            left_out.push("the ids of people in figures; those in commits are opaque".to_owned());
        }
        left_out
    }

    fn scope(&mut self, found: &Found, left_out: &[String]) -> Result<(), Failure> {
        let Moment { as_of, position, recorded_at, checkpoint, .. } = self.moment;
        let value = json!({
            "as_of": as_of,
            "checkpoint": {
                "origin": checkpoint.origin,
                "root": checkpoint.root.to_string(),
                "size": checkpoint.size,
            },
            "commits": found.positions.len(),
            "first": found.positions.first(),
            "format": FORMAT,
            "last": found.positions.last(),
            "left_out": left_out,
            "made_by": MADE_BY,
            "recomputed_by_readme": if self.extent.is_period() { RECOMPUTED_OF_PERIOD } else { RECOMPUTED },
            "people": if self.people.is_some() { "pseudonyms" } else { "ids" },
            "position": position,
            "recorded_at": recorded_at,
            "scope": self.extent.scope().to_string(),
            "transactions": found.journal.transactions(),
        });
        self.put("scope.json", &canonical::to_bytes(&value)?)
    }
}

/// Whether it is certificates in PEM, which anybody may see, with comments between them at most.
fn is_certificate(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    let mut labels = text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")).peekable();
    labels.peek().is_some() && labels.all(|label| label == "CERTIFICATE-----")
}

fn failed(args: &PackArgs, error: io::Error) -> Failure {
    Failure::file(&args.to, error)
}
