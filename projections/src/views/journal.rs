//! Journal tests (ISA 240, para. 33): entries that look like those of somebody who goes round controls. A
//! hit is a question and not a finding. Each names position, event, people and the figure.

use crate::folds::journal::{Confirmed, Entry, Journal as Facts, Replaces};
use crate::query::Query;
use crate::query::journal::{Tests, ZONE};
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::Role;
use domain::kernel::actor::Actor;
use domain::kernel::ids::{StreamId, StreamKey};
use domain::kernel::money::Money;
use domain::kernel::time;
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Journal;

mod benford;

const CONFIRMED: &str = "grant.AccountConfirmed";

/// One entry that a test picks.
struct Hit<'a> {
    test: &'static str,
    entry: &'a Entry,
    /// Others that had a part in it.
    with: Option<String>,
    figure: String,
}

impl View for Journal {
    type Facts = Facts;
    const NAME: &'static str = "journal";
    const SUMMARY: &'static str = "Journal tests: entries that an auditor asks about";

    fn report(facts: &Facts, query: &Query) -> Report {
        facts.asked(&query.tests.clone().unwrap_or_default(), query)
    }
}

impl Facts {
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
        Report::new(Journal::NAME, "Journal tests")
            .with(table)
            .with(digits)
            .with(benford)
            .note("A hit is a question, not a finding.")
            .note(format!("{} entries about money.", self.entries.len()))
            .note(tests.words())
    }

    fn hits(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let mut hits = self.same_user();
        hits.extend(self.back_dated(tests));
        hits.extend(self.amounts(tests));
        hits.extend(self.after_hours(tests));
        hits.extend(self.reversed(tests));
        hits.extend(self.accounts(tests));
        hits
    }

    /// One person in two steps of one payment. Where it goes is named by somebody else than who does a step,
    /// and confirmed by somebody else than who asks, checks or authorises.
    fn same_user(&self) -> Vec<Hit<'_>> {
        let steps =
            ["payment.Initiated", "payment.Verified", "payment.Authorised", "payment.Executed"];
        let mut chains: BTreeMap<&StreamId, Vec<(&str, &Actor, u64)>> = BTreeMap::new();
        let mut hits = Vec::new();
        for entry in self.entries.iter().filter(|entry| steps.contains(&&*entry.kind)) {
            let chain = chains.entry(&entry.stream).or_default();
            if let Some(payee) = &entry.payee {
                chain.push((CONFIRMED, &payee.by, payee.position));
                let named = payee.named.as_ref();
                chain.extend(named.map(|(by, position)| ("grant.AccountNamed", by, *position)));
            }
            let is_executed = &*entry.kind == "payment.Executed";
            let mut before = chain.iter().filter(|(step, ..)| !(is_executed && *step == CONFIRMED));
            if let Some((step, by, place)) = before.find(|(_, by, _)| by.may_be(&entry.actor)) {
                let (with, figure) = (by.id.to_string(), format!("did {step} at position {place}"));
                hits.push(Hit { test: "same_user", entry, with: Some(with), figure });
            }
            chain.push((&entry.kind, &entry.actor, entry.position));
        }
        hits
    }

    /// A payment to an account that took the place of another not long before, and one to an account that
    /// somebody else is paid to as well.
    fn accounts(&self, tests: &Tests) -> Vec<Hit<'_>> {
        let mut hits = Vec::new();
        for entry in &self.entries {
            let Some(payee) = &entry.payee else { continue };
            let days = days(payee.recorded_at, entry.recorded_at);
            let replaced = payee.replaces.as_ref();
            if let Some(before) = replaced.filter(|_| days <= i64::from(tests.account_days)) {
                let before = match before {
                    Replaces::Account(account) => account.as_str(),
                    Replaces::Unknown => "an account that no order names",
                };
                let Confirmed { account, position, named, by, .. } = &**payee;
                let hands = named.iter().map(|(by, _)| by).chain([by]);
                let with = hands.map(|by| by.id.to_string()).collect::<Vec<_>>().join(", ");
                let figure =
                    format!("{days} days after {before} became {account} at position {position}");
                hits.push(Hit { test: "account_changed", entry, with: Some(with), figure });
            }
            let other = entry.grant.as_ref().and_then(|grant| self.shared(&payee.account, grant));
            if let Some(other) = other {
                let figure = format!("{} is the account of {} too", payee.account, other.stream());
                hits.push(Hit { test: "account_shared", entry, with: None, figure });
            }
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
            let is_comparable = |other: &&Money| other.currency() == amount.currency();
            for threshold in tests.thresholds.iter().filter(is_comparable) {
                let limit = i128::from(threshold.in_cents());
                let gap = limit - cents;
                if gap > 0 && gap * 1_000 <= limit * i128::from(tests.below_permille) {
                    let figure = format!("below {threshold}");
                    hits.push(Hit { test: "below_threshold", entry, with: None, figure });
                }
            }
            let round = Some(&tests.round).filter(is_comparable);
            let round = round.map_or(0, |round| i128::from(round.in_cents()));
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
            let zone = tests.office_zone.as_deref().or(entry.zone.as_deref()).unwrap_or(ZONE);
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

/// Whole days from one instant to another, rounded towards zero.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs() / SignedDuration::from_hours(24).as_secs()
}

#[cfg(test)]
mod tests;
