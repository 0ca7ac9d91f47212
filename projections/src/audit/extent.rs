//! What of a log belongs to a call, a round, a grant or a period: for a pack that is handed to somebody who
//! is not to have everything.
//!
//! A stream of its own, such as a proposal or a payment, belongs wholly or not at all. Of a stream that many
//! share, such as a fund, those events belong that name something that does. A commit belongs with all of its
//! events, since it cannot be proved in parts. What names what is read from the names of fields, so an event
//! that is added later and names a grant is not forgotten.

use domain::facts::commit::Recorded;
use domain::kernel::ids::{CallId, CutOffKey, GrantId, StreamKey};
use domain::{Commit, Event};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole log.
    All,
    /// A call with all of its rounds.
    Call(CallId),
    /// One round of a call.
    Round(CallId, CutOffKey),
    /// A grant, its proposal and its payments.
    Grant(GrantId),
    /// What was recorded, or true, from one instant to another, both included.
    Period(Timestamp, Timestamp),
}

/// As it is written on the command line.
impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all"),
            Self::Call(call) => write!(out, "call:{call}"),
            Self::Round(call, round) => write!(out, "round:{call}/{round}"),
            Self::Grant(grant) => write!(out, "grant:{grant}"),
            Self::Period(from, to) => write!(out, "period:{from}..{to}"),
        }
    }
}

/// Categories of streams that belong as a whole when they name something that does.
const OWN: &[&str] =
    &["proposal", "grant", "payment", "pledge", "allocation", "claim", "timer", "process"];

/// The category of what a field, or a column of a view, names.
#[must_use]
pub fn category_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "allocation" => "allocation",
        "call" => "call",
        "claim" => "claim",
        "evaluation" => "evaluation",
        "grant" => "grant",
        "payment" => "payment",
        "pledge" | "part_of" => "pledge",
        "admitted" | "group" | "proposal" | "proposals" | "questioned" | "reserve" | "winner" => {
            "proposal"
        }
        _ => return None,
    })
}

/// Fields, and columns, that name a round.
#[must_use]
pub fn is_round(field: &str) -> bool {
    matches!(field, "cut_off" | "round")
}

/// What an event, or all events of a stream, name: streams as `category-id`, and rounds.
#[derive(Clone, Debug, Default)]
struct Named {
    things: BTreeSet<String>,
    rounds: BTreeSet<String>,
}

impl Named {
    fn of(event: &Recorded) -> Self {
        let mut named = Self::default();
        // What cannot be written as JSON was not read from it.
        let value = serde_json::to_value(&event.event).unwrap_or_default();
        named.walk("", &value);
        if let Some(commitment) = value["data"]["commitment"].as_str() {
            // A name in its fund only.
            named.things.insert(commitment_of(event.stream.id(), commitment));
        }
        named.things.insert(event.stream.to_string());
        named
    }

    fn walk(&mut self, field: &str, value: &Value) {
        match value {
            Value::String(text) => self.note(field, text),
            Value::Array(items) => items.iter().for_each(|item| self.walk(field, item)),
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| self.walk(name, value));
            }
            _ => {}
        }
    }

    fn note(&mut self, field: &str, text: &str) {
        if field == "about" || field == "stream" {
            self.things.insert(text.to_owned());
        } else if is_round(field) {
            self.rounds.insert(text.to_owned());
        } else if let Some(category) = category_of(field) {
            self.things.insert(format!("{category}-{text}"));
        }
    }

    fn join(&mut self, other: Self) {
        self.things.extend(other.things);
        self.rounds.extend(other.rounds);
    }
}

fn commitment_of(fund: &str, commitment: &str) -> String {
    format!("commitment-{fund}:{commitment}")
}

/// There is nothing that the scope could be about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExtent {
    /// No such call.
    #[error("scope: call {0} does not exist at that moment")]
    Call(CallId),
    /// No such round.
    #[error("scope: call {call} has no round {round:?} at that moment; there are {known}")]
    Round {
        /// The call.
        call: CallId,
        /// What was asked for.
        round: CutOffKey,
        /// The rounds that it has.
        known: String,
    },
    /// No such grant.
    #[error("scope: grant {0} does not exist at that moment")]
    Grant(GrantId),
    /// It ends before it begins.
    #[error("scope: the period {0} ends before it begins")]
    Period(Scope),
}

/// A fold of a log: what each stream names.
#[derive(Clone, Debug, Default)]
pub struct Links {
    streams: BTreeMap<String, Named>,
    /// Of each global commitment: calls and rounds that it is for.
    commitments: BTreeMap<String, Named>,
    /// The rounds of each call.
    rounds: BTreeMap<String, BTreeSet<String>>,
}

impl Links {
    /// Takes an event in.
    pub fn apply(&mut self, event: &Recorded) {
        let named = Named::of(event);
        let stream = event.stream.to_string();
        if let Event::Call(_) = event.event {
            self.rounds.entry(stream.clone()).or_default().extend(rounds_of(event));
        }
        if event.stream.category() == "fund"
            && named.things.iter().any(|it| it.starts_with("call-"))
        {
            let of_fund = named.things.iter().filter(|thing| thing.starts_with("commitment-"));
            for commitment in of_fund {
                self.commitments.entry(commitment.clone()).or_default().join(named.clone());
            }
        }
        let category = event.stream.category();
        if OWN.contains(&category) || category == "evaluation" || category == "call" {
            self.streams.entry(stream).or_default().join(named);
        }
    }

    /// Finds what belongs to a scope.
    ///
    /// # Errors
    /// [`NoExtent`], when there is no such thing.
    pub fn extent(&self, scope: &Scope) -> Result<Extent, NoExtent> {
        let mut extent = Extent { scope: scope.clone(), ..Extent::default() };
        match scope {
            Scope::All => {}
            Scope::Period(from, to) if from > to => return Err(NoExtent::Period(scope.clone())),
            Scope::Period(..) => {}
            Scope::Call(call) => {
                self.known_call(call)?;
                extent.calls.insert(call.stream().to_string());
                self.of_call(&mut extent, |_| true);
            }
            Scope::Round(call, round) => {
                self.known_call(call)?;
                let stream = call.stream().to_string();
                let known = self.rounds.get(&stream).cloned().unwrap_or_default();
                if !known.contains(round.as_str()) {
                    let known = known.into_iter().collect::<Vec<_>>().join(", ");
                    let (call, round) = (call.clone(), round.clone());
                    return Err(NoExtent::Round { call, round, known });
                }
                extent.calls.insert(stream);
                extent.rounds.insert(round.to_string());
                self.of_call(&mut extent, |named| named.rounds.contains(round.as_str()));
            }
            Scope::Grant(grant) => {
                let stream = grant.stream().to_string();
                let Some(named) = self.streams.get(&stream) else {
                    return Err(NoExtent::Grant(grant.clone()));
                };
                let calls = named.things.iter().filter(|thing| thing.starts_with("call-"));
                extent.calls.extend(calls.cloned());
                extent.members.insert(stream);
            }
        }
        self.close(&mut extent.members);
        if let Scope::Grant(_) = scope {
            let of_proposals = extent.members.iter().filter_map(|member| self.streams.get(member));
            extent.rounds.extend(of_proposals.flat_map(|named| named.rounds.clone()));
        }
        Ok(extent)
    }

    fn known_call(&self, call: &CallId) -> Result<(), NoExtent> {
        let is_known = self.streams.contains_key(call.stream().as_str());
        if is_known { Ok(()) } else { Err(NoExtent::Call(call.clone())) }
    }

    fn of_call(&self, extent: &mut Extent, is_wanted: impl Fn(&Named) -> bool) {
        let own = self.streams.iter().filter(|(stream, _)| !stream.starts_with("call-"));
        for (name, named) in own.chain(&self.commitments) {
            let is_of_call = extent.calls.iter().any(|call| named.things.contains(call));
            if is_of_call && is_wanted(named) {
                extent.members.insert(name.clone());
            }
        }
    }

    /// Adds the streams that name a member, until there is none that is not one.
    fn close(&self, members: &mut BTreeSet<String>) {
        loop {
            let is_own = |stream: &str| OWN.iter().any(|own| category(stream) == *own);
            let names = |named: &Named| !named.things.is_disjoint(members);
            let more = self.streams.iter().filter(|(stream, _)| !members.contains(*stream));
            let more = more.filter(|(stream, named)| is_own(stream) && names(named));
            let more: Vec<String> = more.map(|(stream, _)| stream.clone()).collect();
            if more.is_empty() {
                return;
            }
            members.extend(more);
        }
    }
}

fn category(stream: &str) -> &str {
    stream.split_once('-').map_or(stream, |(category, _)| category)
}

/// The rounds that a call has: those of its calendar have a key of their own.
fn rounds_of(event: &Recorded) -> BTreeSet<String> {
    let value = serde_json::to_value(&event.event).unwrap_or_default();
    let calendar = value["data"]["cut_offs"].as_array().into_iter().flatten();
    let keys = calendar.filter_map(|cut_off| cut_off["key"].as_str().map(str::to_owned));
    keys.chain(Named::of(event).rounds).collect()
}

/// What belongs to a scope.
#[derive(Clone, Debug)]
pub struct Extent {
    scope: Scope,
    /// The calls of which what is not about another round belongs.
    calls: BTreeSet<String>,
    /// Those rounds; all, when there is none.
    rounds: BTreeSet<String>,
    /// Streams, and global commitments, that belong wholly.
    members: BTreeSet<String>,
}

impl Default for Extent {
    fn default() -> Self {
        let (calls, rounds, members) = Default::default();
        Self { scope: Scope::All, calls, rounds, members }
    }
}

impl Extent {
    /// What it is of.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether it is of the whole log.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.scope == Scope::All
    }

    /// Whether it is of a period.
    #[must_use]
    pub fn is_period(&self) -> bool {
        matches!(self.scope, Scope::Period(..))
    }

    /// Whether a commit belongs.
    #[must_use]
    pub fn holds(&self, commit: &Commit) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Period(from, to) => {
                let within = |instant: Timestamp| (*from..=*to).contains(&instant);
                within(commit.recorded_at)
                    || commit.events.iter().any(|event| within(event.effective_at))
            }
            _ => commit.events.iter().any(|event| self.holds_event(event)),
        }
    }

    fn holds_event(&self, event: &Recorded) -> bool {
        let named = Named::of(event);
        let is_of_round = self.rounds.is_empty() || !self.rounds.is_disjoint(&named.rounds);
        if self.calls.contains(event.stream.as_str()) {
            return is_of_round || named.rounds.is_empty() || self.names_member(&named);
        }
        let is_of_call = !matches!(self.scope, Scope::Grant(_))
            && !self.calls.is_disjoint(&named.things)
            && is_of_round;
        is_of_call || self.names_member(&named)
    }

    fn names_member(&self, named: &Named) -> bool {
        !self.members.is_disjoint(&named.things)
    }

    /// Whether a row of a view is about the scope and nothing else, by the names and texts of its cells.
    /// Of a period, and of all, every row is.
    #[must_use]
    pub fn shows<'a>(&self, cells: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        if matches!(self.scope, Scope::All | Scope::Period(..)) {
            return true;
        }
        let (mut is_of_call, mut round, mut is_member) = (false, None, false);
        for (column, text) in cells {
            if is_round(column) {
                round = Some(text);
            } else if column == "about" || column == "stream" {
                is_member |= self.members.contains(text);
            } else if let Some(category) = category_of(column) {
                let thing = format!("{category}-{text}");
                is_of_call |= self.calls.contains(&thing);
                is_member |= self.members.contains(&thing);
            }
        }
        let is_of_round =
            self.rounds.is_empty() || round.is_some_and(|round| self.rounds.contains(round));
        let is_of_call = is_of_call && is_of_round && !matches!(self.scope, Scope::Grant(_));
        is_of_call || is_member
    }
}

#[cfg(test)]
mod tests;
