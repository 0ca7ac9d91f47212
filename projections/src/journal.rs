//! Journal tests (ISA 240, para. 33): entries that look like those of somebody who goes round controls. A
//! hit is a question and not a finding. Each names position, event, people and the figure.

mod benford;

use crate::projection::{LARGE, Projection, Query};
use crate::report::{Cell, Kind, Report, Table};
use domain::facts::commit::Recorded;
use domain::facts::{call, fund, grant, payment, pledge};
use domain::kernel::actor::Actor;
use domain::kernel::ids::{AccountKey, ActorId, CallId, GrantId, PaymentId, StreamId, StreamKey};
use domain::kernel::money::Money;
use domain::kernel::time;
use domain::{Commit, Event, Role};
use imbl::{OrdMap, OrdSet, Vector};
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

/// The zone of office hours and of the books where the calls do not say one.
pub(crate) const ZONE: &str = "Europe/Luxembourg";
const CONFIRMED: &str = "grant.AccountConfirmed";

/// Every entry about money, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    accounts: OrdMap<GrantId, Arc<Account>>,
    /// The grants for which an account was ever confirmed.
    users: OrdMap<String, OrdSet<GrantId>>,
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
    /// Of an order to pay: where it goes, as that was confirmed.
    payee: Option<Arc<Confirmed>>,
    grant: Option<GrantId>,
}

/// The bank account of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    applicant: Option<ActorId>,
    /// Who named the one that waits, at which position.
    named: Option<(Actor, u64)>,
    confirmed: Option<Arc<Confirmed>>,
    /// Whether there was an order that names no account.
    had_none: bool,
}

/// An account that was confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Confirmed {
    account: AccountKey,
    by: Actor,
    named: Option<(Actor, u64)>,
    position: u64,
    recorded_at: Timestamp,
    /// Where the grant was paid to before.
    replaces: Option<Replaces>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Replaces {
    Account(AccountKey),
    /// Orders of before named none.
    Unknown,
}

/// What is asked of the entries: each test by its parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// `account_changed`: a payment asked for within so many days after its bank account took the place of
    /// another. Both days are those of recording, by the clock of the writer.
    pub account_days: u32,
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
            account_days: 30,
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
        self.remember(commit, event);
        let Some((amount, grant)) = self.amount(event) else { return };
        let call = grant.as_ref().and_then(|grant| self.calls.get(grant));
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
            payee: self.payee(&event.event),
            grant,
        }));
    }

    fn report(&self, query: &Query) -> Report {
        self.asked(&query.tests.clone().unwrap_or_default(), query)
    }
}

impl Journal {
    fn remember(&mut self, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Call(call::Event::Opened { rules, .. }) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.zones.insert(id, rules.zone.as_str().into());
                }
            }
            Event::Grant(inner) => {
                if let Some(id) = GrantId::of_stream(&event.stream) {
                    self.grant(id, inner, commit);
                }
            }
            Event::Payment(payment::Event::Initiated(order)) => {
                if let Some(id) = PaymentId::of_stream(&event.stream) {
                    self.orders.insert(id, (order.amount, order.grant.clone()));
                }
                if order.payee.is_none() && order.kind != payment::Kind::Recovery {
                    self.account(order.grant.clone()).had_none = true;
                }
            }
            _ => {}
        }
    }

    fn grant(&mut self, id: GrantId, event: &grant::Event, commit: &Commit) {
        use grant::Event as E;
        match event {
            E::Prepared(origin) => {
                self.calls.insert(id.clone(), origin.call.clone());
                self.account(id).applicant.clone_from(&origin.applicant);
            }
            E::AccountNamed { .. } => {
                self.account(id).named = Some((commit.actor.clone(), commit.position));
            }
            E::AccountConfirmed { account, .. } => {
                let users = self.users.entry(same(account)).or_default();
                users.insert(id.clone());
                self.account(id).confirm(account, commit);
            }
            _ => {}
        }
    }

    fn account(&mut self, grant: GrantId) -> &mut Account {
        Arc::make_mut(self.accounts.entry(grant).or_default())
    }

    /// Where an order to pay goes.
    fn payee(&self, event: &Event) -> Option<Arc<Confirmed>> {
        let Event::Payment(payment::Event::Initiated(order)) = event else { return None };
        let confirmed = self.accounts.get(&order.grant)?.confirmed.as_ref()?;
        let is_this = order.payee.as_ref()?.confirmed_at == confirmed.position;
        is_this.then(|| confirmed.clone())
    }

    /// Another grant that is paid to an account, or was, and is not known to be of the same applicant.
    fn shared(&self, account: &AccountKey, grant: &GrantId) -> Option<&GrantId> {
        let applicant =
            |grant: &GrantId| self.accounts.get(grant).and_then(|it| it.applicant.clone());
        let own = applicant(grant);
        let is_other =
            |user: &&GrantId| *user != grant && (own.is_none() || applicant(user) != own);
        self.users.get(&same(account))?.iter().find(is_other)
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

impl Account {
    fn confirm(&mut self, account: &AccountKey, commit: &Commit) {
        let before = self.confirmed.take().map(|before| Replaces::Account(before.account.clone()));
        self.confirmed = Some(Arc::new(Confirmed {
            account: account.clone(),
            by: commit.actor.clone(),
            named: self.named.take(),
            position: commit.position,
            recorded_at: commit.recorded_at,
            replaces: before.or_else(|| self.had_none.then_some(Replaces::Unknown)),
        }));
    }
}

impl Tests {
    /// The names of the parameters, each with what it is.
    pub const PARAMETERS: [(&'static str, &'static str); 9] = [
        ("account_days", "Account changed: at most so many days before a payment was asked for."),
        ("back_dated_days", "Back-dated: recorded more than so many days after it was true."),
        ("below_permille", "Below a threshold: by at most so many thousandths of it."),
        ("office_from", "After hours: before this hour of the day."),
        ("office_to", "After hours: from this hour of the day on."),
        ("office_zone", "The zone of office hours, by IANA name; that of each call unless said."),
        ("reversed_days", "Reversed: undone within so many days."),
        ("round", "Round: a multiple of this amount."),
        ("thresholds", "The thresholds, with commas between them."),
    ];

    /// Sets a parameter by its name.
    ///
    /// # Errors
    /// When there is no such parameter, or this is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
            text.parse().map_err(|error: T::Err| error.to_string())
        }
        let hour = |text: &str| match read::<i8>(text)? {
            hour @ 0..=24 => Ok(hour),
            other => Err(format!("{other} is no hour of a day")),
        };
        let euro = |text: &str| match read::<Money>(text)? {
            amount if amount.in_euro().is_ok() && !amount.is_negative() => Ok(amount),
            other => Err(format!("{other} is no amount in euro from 0 on")),
        };
        match name {
            "account_days" => self.account_days = read(text)?,
            "back_dated_days" => self.back_dated_days = read(text)?,
            "below_permille" => self.below_permille = read(text)?,
            "office_from" => self.office_from = hour(text)?,
            "office_to" => self.office_to = hour(text)?,
            "office_zone" => {
                time::zone(text).map_err(|error| error.to_string())?;
                self.zone = Some(text.to_owned());
            }
            "reversed_days" => self.reversed_days = read(text)?,
            "round" => self.round = euro(text)?,
            "thresholds" => {
                self.thresholds = text.split(',').map(euro).collect::<Result<_, _>>()?;
            }
            _ => return Err("the journal has no such parameter".to_owned()),
        }
        Ok(())
    }

    fn words(&self) -> String {
        let thresholds: Vec<String> = self.thresholds.iter().map(ToString::to_string).collect();
        format!(
            "Back-dated: by more than {} days. Below a threshold: by at most {} thousandths of {}. After \
             hours: outside {}:00 to {}:00, or at a weekend, in {}. Reversed: within {} days. Round: multiples of \
             {}. Account changed: at most {} days before the payment was asked for. Account shared: with a grant \
             of another applicant.",
            self.back_dated_days,
            self.below_permille,
            thresholds.join(", "),
            self.office_from,
            self.office_to,
            self.zone.as_deref().unwrap_or("the zone of each call"),
            self.reversed_days,
            self.round,
            self.account_days
        )
    }
}

/// Keys that differ in case alone are one.
fn same(account: &AccountKey) -> String {
    account.as_str().to_ascii_uppercase()
}

/// Whole days from one instant to another, rounded towards zero.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs() / SignedDuration::from_hours(24).as_secs()
}

#[cfg(test)]
mod tests;
