//! Journal tests (ISA 240, para. 33): entries that look like those of somebody who goes round controls. A
//! hit is a question and not a finding. Each names position, event, people and the figure.

mod benford;

use crate::projection::{LARGE, Projection, Query};
use crate::report::{Cell, Kind, Report, Table};
use domain::command::Actor;
use domain::commit::Recorded;
use domain::ids::{CallId, GrantId, PaymentId, StreamId, StreamKey};
use domain::money::Money;
use domain::{Commit, Event, Role, call, fund, grant, payment, pledge, time};
use imbl::{OrdMap, Vector};
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The zone of office hours where no call says another.
const ZONE: &str = "Europe/Luxembourg";

/// Every entry about money, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    entries: Vector<Arc<Entry>>,
    orders: OrdMap<PaymentId, (Money, GrantId)>,
    calls: OrdMap<GrantId, CallId>,
    zones: OrdMap<CallId, Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    position: u64,
    recorded_at: Timestamp,
    effective_at: Timestamp,
    actor: Actor,
    stream: StreamId,
    /// The type of the event.
    kind: Arc<str>,
    amount: Option<Money>,
    /// Whose call's office hours count, if it is known.
    zone: Option<Arc<str>>,
}

/// What is asked of the entries: each test by its parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tests {
    /// `back_dated`: recorded more than so many days after it was true.
    pub back_dated_days: u32,
    /// `below_threshold`: less than a threshold, by at most so many thousandths of it.
    pub below_permille: u32,
    /// The thresholds of `below_threshold`: those of record keeping (Reg. 2024/2509, Art. 133) and of audit
    /// certificates (Digital Europe, Horizon Europe).
    pub thresholds: Vec<Money>,
    /// `after_hours`: recorded before this hour of the day, or
    pub office_from: i8,
    /// from this hour on, or on a Saturday or Sunday.
    pub office_to: i8,
    /// `reversed`: undone within so many days.
    pub reversed_days: u32,
    /// `round`: a multiple of this.
    pub round: Money,
    /// The zone of office hours, instead of that of each call.
    pub zone: Option<String>,
}

impl Default for Tests {
    fn default() -> Self {
        Self {
            back_dated_days: 30,
            below_permille: 50,
            thresholds: [60_000, 325_000, 430_000].map(Money::euro).to_vec(),
            office_from: 7,
            office_to: 20,
            reversed_days: 30,
            round: Money::euro(100_000),
            zone: None,
        }
    }
}

/// One entry that a test picks.
struct Hit<'a> {
    test: &'static str,
    entry: &'a Entry,
    /// Others that had a part in it.
    with: Option<String>,
    figure: String,
}

impl Projection for Journal {
    const NAME: &'static str = "journal";
    const SUMMARY: &'static str = "Journal tests: entries that an auditor asks about";
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        self.remember(event);
        let Some((amount, grant)) = self.amount(event) else { return };
        let call = grant.and_then(|grant| self.calls.get(&grant));
        let zone = call.and_then(|call| self.zones.get(call)).cloned();
        self.entries.push_back(Arc::new(Entry {
            position: commit.position,
            recorded_at: commit.recorded_at,
            effective_at: event.effective_at,
            actor: commit.actor.clone(),
            stream: event.stream.clone(),
            kind: event.event.kind().into(),
            amount,
            zone,
        }));
    }

    fn report(&self, query: &Query) -> Report {
        self.asked(&Tests::default(), query)
    }
}

impl Journal {
    fn remember(&mut self, event: &Recorded) {
        match &event.event {
            Event::Call(call::Event::Opened { rules, .. }) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.zones.insert(id, rules.zone.as_str().into());
                }
            }
            Event::Grant(grant::Event::Prepared(origin)) => {
                if let Some(id) = GrantId::of_stream(&event.stream) {
                    self.calls.insert(id, origin.call.clone());
                }
            }
            Event::Payment(payment::Event::Initiated(order)) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.orders.insert(id, (order.amount, order.grant.clone()));
                }
            }
            _ => {}
        }
    }

    /// The amount of an entry and its grant, as far as it has them; `None` when it is not about money.
    fn amount(&self, event: &Recorded) -> Option<(Option<Money>, Option<GrantId>)> {
        use fund::Event as F;
        use pledge::Event as P;
        Some(match &event.event {
            Event::Payment(_) => {
                let order = self.orders.get(&PaymentId::of_stream(&event.stream)?);
                (order.map(|order| order.0), order.map(|order| order.1.clone()))
            }
            Event::Fund(inner) => match inner {
                F::AppropriationVoted { amount, .. }
                | F::AppropriationIncreased { amount, .. }
                | F::CarriedIn { amount, .. }
                | F::CarriedOver { amount, .. }
                | F::GloballyCommitted { amount, .. }
                | F::GlobalCommitmentIncreased { amount, .. }
                | F::GlobalDecommitted { amount, .. } => (Some(*amount), None),
                F::IndividuallyCommitted { amount, grant, .. }
                | F::LegallyCommitted { amount, grant }
                | F::Paid { amount, grant, .. }
                | F::Returned { amount, grant, .. }
                | F::GrantDecommitted { amount, grant, .. } => (Some(*amount), Some(grant.clone())),
            },
            Event::Pledge(inner) => match inner {
                P::Made(promise) => (Some(promise.amount), promise.grant.clone()),
                P::Raised { amount, .. }
                | P::Signed { amount, .. }
                | P::Reported { amount }
                | P::Certified { amount, .. }
                | P::Counted { amount } => (Some(*amount), None),
                P::Withdrawn { .. } => (None, None),
            },
            _ => return None,
        })
    }

    /// The entries that an amount is first told by: payments when they are asked for.
    fn told(&self) -> impl Iterator<Item = (&Entry, Money)> {
        let first = self.entries.iter().filter(|entry| {
            let is_payment = entry.kind.starts_with("payment.");
            let booked = matches!(&*entry.kind, "fund.Paid" | "fund.Returned");
            !booked && (!is_payment || &*entry.kind == "payment.Initiated")
        });
        first.filter_map(|entry| Some((&**entry, entry.amount?)))
    }

    /// The answer to tests with these parameters.
    #[must_use]
    pub fn asked(&self, tests: &Tests, query: &Query) -> Report {
        let mut table = Table::new(
            "hits",
            "Entries to ask about",
            &[
                ("test", "Test", Kind::Text),
                ("position", "Position", Kind::Count),
                ("recorded_at", "Recorded", Kind::Instant),
                ("stream", "Stream", Kind::Text),
                ("type", "Event", Kind::Text),
                ("actor", "Who", Kind::Text),
                ("with", "With", Kind::Text),
                ("amount", "Amount", Kind::Money),
                ("figure", "Figure", Kind::Text),
            ],
        );
        let hits = self.hits(tests);
        let hits = hits.iter().filter(|hit| {
            query.stream.as_ref().is_none_or(|it| *it == hit.entry.stream)
                && query.category.as_ref().is_none_or(|it| hit.entry.stream.category() == it)
                && query.actor.as_ref().is_none_or(|it| *it == hit.entry.actor.id)
                && query.role.is_none_or(|role| role == hit.entry.actor.role)
        });
        for hit in hits.take(query.limit.unwrap_or(usize::MAX)) {
            table.push([
                hit.test.into(),
                hit.entry.position.into(),
                hit.entry.recorded_at.into(),
                Cell::text(&hit.entry.stream),
                Cell::text(&hit.entry.kind),
                Cell::text(&hit.entry.actor.id),
                Cell::maybe(hit.with.clone()),
                Cell::maybe(hit.entry.amount),
                hit.figure.as_str().into(),
            ]);
        }
        let amounts: Vec<i64> = self.told().map(|(_, amount)| amount.in_cents()).collect();
        let (digits, benford) = benford::tables(&amounts);
        Report::new(Self::NAME, "Journal tests")
            .with(table)
            .with(digits)
            .with(benford)
            .note("A hit is a question, not a finding.")
            .note(format!("{} entries about money.", self.entries.len()))
            .note(tests.words())
            .note("Not tested: an account changed before a payment. No event names an account.")
    }

    fn hits(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let mut hits = self.same_user();
        hits.extend(self.back_dated(tests));
        hits.extend(self.amounts(tests));
        hits.extend(self.after_hours(tests));
        hits.extend(self.reversed(tests));
        hits
    }

    /// One person in two steps of one payment.
    fn same_user(&self) -> Vec<Hit<'_>> {
        let steps =
            ["payment.Initiated", "payment.Verified", "payment.Authorised", "payment.Executed"];
        let mut chains: BTreeMap<&StreamId, Vec<&Entry>> = BTreeMap::new();
        let mut hits = Vec::new();
        for entry in self.entries.iter().filter(|entry| steps.contains(&&*entry.kind)) {
            let chain = chains.entry(&entry.stream).or_default();
            if let Some(before) = chain.iter().find(|it| it.actor.may_be(&entry.actor)) {
                let (with, figure) = (before.actor.id.to_string(), before.position);
                let figure = format!("did {} at position {figure}", before.kind);
                hits.push(Hit { test: "same_user", entry, with: Some(with), figure });
            }
            chain.push(entry);
        }
        hits
    }

    fn back_dated(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let hit = |entry: &'_ Arc<Entry>| {
            let days = days(entry.effective_at, entry.recorded_at);
            (days > i64::from(tests.back_dated_days)).then(|| format!("{days} days"))
        };
        let found = self.entries.iter().filter_map(|entry| Some((entry, hit(entry)?)));
        found.map(|(entry, figure)| Hit { test: "back_dated", entry, with: None, figure }).collect()
    }

    fn amounts(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let mut hits = Vec::new();
        for (entry, amount) in self.told() {
            let cents = i128::from(amount.in_cents());
            for threshold in &tests.thresholds {
                let limit = i128::from(threshold.in_cents());
                let gap = limit - cents;
                if gap > 0 && gap * 1_000 <= limit * i128::from(tests.below_permille) {
                    let figure = format!("below {threshold}");
                    hits.push(Hit { test: "below_threshold", entry, with: None, figure });
                }
            }
            let round = i128::from(tests.round.in_cents());
            if round > 0 && cents > 0 && cents % round == 0 {
                let figure = format!("{} times {}", cents / round, tests.round);
                hits.push(Hit { test: "round", entry, with: None, figure });
            }
        }
        hits
    }

    /// One hit for each commit of a person.
    fn after_hours(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let (mut hits, mut seen) = (Vec::new(), BTreeSet::new());
        for entry in self.entries.iter().filter(|entry| entry.actor.role != Role::System) {
            let zone = tests.zone.as_deref().or(entry.zone.as_deref()).unwrap_or(ZONE);
            let Ok(place) = time::zone(zone) else { continue };
            let local = entry.recorded_at.to_zoned(place);
            let weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
            let inside = (tests.office_from..tests.office_to).contains(&local.hour());
            if (weekend || !inside) && seen.insert(entry.position) {
                let figure = local.strftime("%A %H:%M").to_string() + " " + zone;
                hits.push(Hit { test: "after_hours", entry, with: None, figure });
            }
        }
        hits
    }

    /// A payment that the bank returned soon after.
    fn reversed(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let mut done: BTreeMap<&StreamId, &Entry> = BTreeMap::new();
        let mut hits = Vec::new();
        for entry in &self.entries {
            match &*entry.kind {
                "payment.Executed" => {
                    done.insert(&entry.stream, entry);
                }
                "payment.Returned" => {
                    if let Some(before) = done.get(&entry.stream) {
                        let days = days(before.effective_at, entry.effective_at);
                        if days <= i64::from(tests.reversed_days) {
                            let with = Some(before.actor.id.to_string());
                            let figure = format!("{days} days after position {}", before.position);
                            hits.push(Hit { test: "reversed", entry, with, figure });
                        }
                    }
                }
                _ => {}
            }
        }
        hits
    }
}

impl Tests {
    fn words(&self) -> String {
        let thresholds: Vec<String> = self.thresholds.iter().map(ToString::to_string).collect();
        format!(
            "Back-dated: by more than {} days. Below a threshold: by at most {} thousandths of {}. After \
             hours: outside {}:00 to {}:00, or at a weekend. Reversed: within {} days. Round: multiples of \
             {}.",
            self.back_dated_days,
            self.below_permille,
            thresholds.join(", "),
            self.office_from,
            self.office_to,
            self.reversed_days,
            self.round
        )
    }
}

/// Whole days from one instant to another, rounded towards zero.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs() / SignedDuration::from_hours(24).as_secs()
}

#[cfg(test)]
mod tests;
