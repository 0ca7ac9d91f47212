//! The why of a figure and the difference between two moments as answers, for the command line and over
//! HTTP: what changed, by whom, under which command and rules, on which documents, and how to prove it.

use domain::facts::commit::Recorded;
use domain::kernel::actor::{Actor, Evidence};
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{CallId, CommandId, CommitmentKey, RulesId, StreamId, StreamKey};
use domain::kernel::refusal::Rule;
use domain::{Commit, World};
use jiff::Timestamp;
use projections::lineage::{Cause, Diff, Fold, Lineage};
use projections::{AsOf, Cell, Query};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// So many contributions are shown unless said otherwise, the newest.
pub const SHOWN_USUAL: usize = 100;
/// The most that one may ask for: see `projections::lineage`.
pub const SHOWN_MAX: usize = projections::lineage::PROBES_MAX;

/// Where a figure comes from.
#[derive(Debug, Serialize)]
pub struct Why {
    /// The moment that was asked for.
    pub as_of: AsOf,
    /// Whether these contributions are all that ever changed the figure.
    pub complete: bool,
    /// What changed it, in the order of the log.
    pub contributions: Vec<Step>,
    /// How many commits were read for it, and which.
    pub folded: Folded,
    /// Every event from this position on that changed it is among the contributions.
    pub from: u64,
    /// What it was before the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Cell>,
    /// Its name, which stays the same when rows come and go.
    pub pointer: String,
    /// What opening and contributions add up to: the figure, when it is an amount or a count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<Cell>,
    /// The figure.
    pub value: Cell,
    /// Of which view.
    pub view: String,
}

/// Which commits were folded.
#[derive(Debug, Serialize)]
pub struct Folded {
    /// How many.
    pub commits: usize,
    /// `scope`: all that the figure can rest on; `window`: the newest of these; `replay`: the newest of all.
    pub which: &'static str,
}

/// One event that changed a figure.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Who did it, in which role, and for whom.
    pub actor: Actor,
    /// What the figure was after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cell>,
    /// What it added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Cell>,
    /// What the figure was before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cell>,
    /// Under which command.
    pub command: Command,
    /// The hashes that the event names, by their place in its data: of documents, rules, reports.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, Sha256Hex>,
    /// When it was true.
    pub effective_at: Timestamp,
    /// The event.
    pub event: Happened,
    /// Where the fact comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The commit.
    pub position: u64,
    /// The command that proves it to a stranger.
    pub proof: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The rules of its call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// The command of a commit.
#[derive(Debug, Serialize)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Its name.
    pub name: String,
    /// The rule that it carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

/// What happened.
#[derive(Debug, Serialize)]
pub struct Happened {
    /// Which event of its commit, from 0.
    pub number: usize,
    /// Its stream.
    pub stream: StreamId,
    /// Its type.
    pub r#type: &'static str,
    /// Its place in the stream.
    pub version: u64,
}

/// The rules document that a call opened with.
#[derive(Debug, Serialize)]
pub struct Rules {
    /// The call.
    pub call: CallId,
    /// The short name of the document.
    pub id: RulesId,
    /// SHA-256 of its canonical JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hex>,
    /// Its version.
    pub version: u32,
}

/// What changed between two moments.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// By figure.
    pub changes: Vec<Changed>,
    /// So many events count at the later moment that did not at the earlier one.
    pub events: usize,
    /// The earlier moment.
    pub from: End,
    /// The later one.
    pub to: End,
    /// Why causes are missing, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<&'static str>,
    /// Of which view.
    pub view: String,
}

/// One end of a difference.
#[derive(Debug, Serialize)]
pub struct End {
    /// The moment that was asked for.
    pub as_of: AsOf,
    /// The last commit that was considered.
    pub position: u64,
}

/// A figure that is another one now.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// What it is; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cell>,
    /// What it was; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cell>,
    /// What changed it, in the order of the log.
    pub by: Vec<Step>,
    /// Its name.
    pub pointer: String,
}

impl Why {
    /// The answer, with the newest `limit` contributions.
    #[must_use]
    pub fn of(view: &str, as_of: AsOf, mut lineage: Lineage, limit: usize, world: &World) -> Self {
        lineage.keep(limit);
        let sum = lineage.sum();
        let step = |it: &projections::lineage::Contribution| Step {
            amount: it.amount.clone(),
            before: it.before.clone(),
            after: it.after.clone(),
            ..Step::of(&it.commit, it.event, world)
        };
        Self {
            as_of,
            complete: lineage.is_complete,
            contributions: lineage.contributions.iter().map(step).collect(),
            folded: Folded {
                commits: lineage.folded,
                which: match lineage.fold {
                    Fold::Scope => "scope",
                    Fold::Window => "window",
                    Fold::Replay => "replay",
                },
            },
            from: lineage.from,
            opening: lineage.opening,
            pointer: lineage.figure.to_string(),
            sum,
            value: lineage.value,
            view: view.to_owned(),
        }
    }
}

impl Difference {
    /// The answer.
    #[must_use]
    pub fn of(view: &str, diff: Diff, world: &World) -> Self {
        let end = |(as_of, position)| End { as_of, position };
        let step = |cause: &Cause| Step {
            amount: cause.amount.clone(),
            ..Step::of(&cause.commit, cause.event, world)
        };
        let changes = diff.changes.into_iter().map(|change| Changed {
            by: change.causes.iter().map(step).collect(),
            pointer: change.figure.to_string(),
            before: change.before,
            after: change.after,
        });
        Self {
            changes: changes.collect(),
            events: diff.events,
            from: end(diff.from),
            to: end(diff.to),
            untold: diff.untold,
            view: view.to_owned(),
        }
    }
}

impl Step {
    fn of(commit: &Commit, number: usize, world: &World) -> Self {
        let event = &commit.events[number];
        let stored = serde_json::to_value(&event.event).unwrap_or_default();
        let data = stored.get("data").unwrap_or(&Value::Null);
        let mut documents = BTreeMap::new();
        hashes(data, &mut String::new(), &mut documents);
        let rule = domain::catalogue::entry(&commit.command).map(|it| it.declaration.rule.clone());
        Self {
            actor: commit.actor.clone(),
            after: None,
            amount: None,
            before: None,
            command: Command {
                id: commit.command_id.clone(),
                name: commit.command.to_string(),
                rule,
            },
            documents,
            effective_at: event.effective_at,
            event: Happened {
                number,
                stream: event.stream.clone(),
                r#type: event.event.kind(),
                version: event.version,
            },
            evidence: commit.evidence.clone(),
            position: commit.position,
            proof: format!("tranche proof commit {}", commit.position),
            recorded_at: commit.recorded_at,
            rules: call_of(event, data, world).and_then(|call| rules_of(call, world)),
        }
    }
}

/// One end of a difference as it is asked for: an instant, or a position of the log.
pub type DiffEnd = (Option<Timestamp>, Option<u64>);

/// The two moments of a difference, on the clock of truth or on that of recording. Without a beginning it
/// is before everything, without an end it is now.
///
/// # Errors
/// When the first is later than the second.
pub fn moments(
    (from, to): (DiffEnd, DiffEnd),
    is_effective: bool,
) -> Result<(Query, Query), &'static str> {
    let is_later =
        |from: Option<_>, to: Option<_>| from.zip(to).is_some_and(|(from, to)| from > to);
    if is_later(from.0, to.0) || from.1.zip(to.1).is_some_and(|(from, to)| from > to) {
        return Err("from is later than to");
    }
    let at = |(instant, position): DiffEnd| match (instant, is_effective) {
        (Some(instant), true) => AsOf { as_of: Some(instant), ..AsOf::NOW },
        (known_at, _) => AsOf { known_at, position, ..AsOf::NOW },
    };
    let from = if from == (None, None) { (None, Some(0)) } else { from };
    Ok((Query::at(at(from)), Query::at(at(to))))
}

/// Every hash in the data of an event, by its JSON pointer.
fn hashes(data: &Value, place: &mut String, found: &mut BTreeMap<String, Sha256Hex>) {
    let length = place.len();
    let mut inside = |name: &str, value: &Value| {
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::String(text) => {
                if let Ok(hash) = text.parse() {
                    found.insert(place.clone(), hash);
                }
            }
            other => hashes(other, place, found),
        }
        place.truncate(length);
    };
    match data {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| inside(name, value));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| inside(&at.to_string(), value));
        }
        _ => {}
    }
}

/// The call that an event is about: it names it, or its grant or proposal comes from it.
fn call_of(event: &Recorded, data: &Value, world: &World) -> Option<CallId> {
    fn named<T: std::str::FromStr>(data: &Value, name: &str) -> Option<T> {
        data.get(name)?.as_str()?.parse().ok()
    }
    let stream = &event.stream;
    let of_grant = |id| Some(world.grants.get(&id)?.origin.as_ref()?.call.clone());
    let of_proposal = |id| world.proposals.get(&id)?.call.clone();
    let by_payment = |id| of_grant(world.payments.get(&id)?.order.as_ref()?.grant.clone());
    let by_pledge = |id| Some(world.pledges.get(&id)?.promise.as_ref()?.call.clone());
    let by_commitment = |id| {
        let key: CommitmentKey = named(data, "commitment")?;
        Some(world.funds.get(&id)?.commitments.get(&key)?.call.clone())
    };
    CallId::of_stream(stream)
        .or_else(|| named(data, "call"))
        .or_else(|| domain::kernel::ids::GrantId::of_stream(stream).and_then(of_grant))
        .or_else(|| domain::kernel::ids::ProposalId::of_stream(stream).and_then(of_proposal))
        .or_else(|| domain::kernel::ids::PaymentId::of_stream(stream).and_then(by_payment))
        .or_else(|| domain::kernel::ids::PledgeId::of_stream(stream).and_then(by_pledge))
        .or_else(|| named(data, "grant").and_then(of_grant))
        .or_else(|| domain::kernel::ids::FundId::of_stream(stream).and_then(by_commitment))
}

/// A call keeps the rules that it opened with, so those of now are those of then.
fn rules_of(call: CallId, world: &World) -> Option<Rules> {
    let state = world.calls.get(&call)?;
    let rules = state.rules.as_ref()?;
    let (id, version) = (rules.id.clone(), rules.version);
    Some(Rules { sha256: state.rules_sha256, id, version, call })
}
