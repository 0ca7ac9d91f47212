//! Decides who gets compute time, and accounts for it: used <= awarded, or an overrun says by how
//! much and why. Amounts of different units meet only through the machine's conversion table.

use crate::call;
use crate::canonical::Sha256Hex;
use crate::command::{
    Actor, Command, Decision, Declaration, Entry, Meta, NEW, Need, NewEvent, Role, check_list,
    check_text, entry,
};
use crate::compute::{ComputeTime, Unit};
use crate::ids::{ActorId, AllocationId, CallId, Key, StreamId, StreamKey, SystemId};
use crate::rejection::{Kind, Reason, Refusal, Rule};
use crate::rules::{Access, CountedFrom};
use crate::system::{self, Draw};
use crate::text::check_reason;
use crate::time;
use crate::world::{At, Decider, World};
use imbl::OrdMap;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod usage;

/// The most partitions that a pool may span.
pub const POOL_MAX: usize = 16;

/// What happens to an allocation. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "allocation.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// Somebody asked for compute time under a call.
    #[serde(rename = "allocation.Requested")]
    Requested {
        applicant: ActorId,
        call: CallId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decide_by: Option<Timestamp>,
        mode: Key,
        months: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<Key>,
        place: Place,
        purpose: String,
        time: ComputeTime,
    },
    /// The site said whether the machine can do it.
    #[serde(rename = "allocation.Checked")]
    Checked { comment: String, feasible: bool },
    /// A request was granted. `drawn`: taken from its offer, in seconds of the offer's unit.
    #[serde(rename = "allocation.Awarded")]
    Awarded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drawn: Option<i64>,
        ends: Date,
        place: Place,
        starts: Date,
        time: ComputeTime,
    },
    /// Time was granted without a request: a prize, a contract, a published award.
    #[serde(rename = "allocation.GrantedDirectly")]
    GrantedDirectly {
        basis: String,
        ends: Date,
        holder: Key,
        places: Vec<Place>,
        starts: Date,
        time: ComputeTime,
    },
    /// A request was turned down.
    #[serde(rename = "allocation.Rejected")]
    Rejected { reason: String },
    /// The applicant took the request back.
    #[serde(rename = "allocation.Withdrawn")]
    Withdrawn { reason: String },
    /// The site opened the account.
    #[serde(rename = "allocation.Provisioned")]
    Provisioned { account: Key },
    /// What was used in a period: as reported, and in the unit of the award.
    #[serde(rename = "allocation.UsageRecorded")]
    UsageRecorded { period: Key, reported: ComputeTime, source: Sha256Hex, time: ComputeTime },
    /// A period was reported wrongly; the new figures replace the earlier ones.
    #[serde(rename = "allocation.UsageCorrected")]
    UsageCorrected {
        period: Key,
        reason: String,
        reported: ComputeTime,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Sha256Hex>,
        time: ComputeTime,
        was: ComputeTime,
    },
    /// More is used than awarded: by how much in all, how much of it the rules bear, and why.
    #[serde(rename = "allocation.Overrun")]
    Overrun { by: ComputeTime, reason: String, tolerance: ComputeTime },
    /// More time, or longer. `drawn` as in the award.
    #[serde(rename = "allocation.Extended")]
    Extended {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        added: Option<ComputeTime>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drawn: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<Date>,
        reason: String,
    },
    /// It is over.
    #[serde(rename = "allocation.Ended")]
    Ended {
        on: Date,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report_by: Option<Date>,
        unused: ComputeTime,
    },
    /// The final report came.
    #[serde(rename = "allocation.FinalReported")]
    FinalReported { late: bool, sha256: Sha256Hex, summary: String },
}

/// A partition of a machine, with the version of its conversion table that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Version of the table at that time.
    pub conversion: u32,
    /// The partition.
    pub partition: Key,
    /// The machine.
    pub system: SystemId,
}

/// One grant of compute time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// Where it is in its life.
    pub phase: Phase,
    /// What was asked for; absent when it was granted directly.
    pub request: Option<Request>,
    /// The answer of the site.
    pub feasible: Option<bool>,
    /// Who has it, when it was granted directly.
    pub holder: Option<Key>,
    /// What was granted.
    pub award: Option<Award>,
    /// Its account on the machine.
    pub account: Option<Key>,
    /// What was used, by period, in seconds of the award's unit.
    pub usage: OrdMap<Key, i64>,
    /// The sum of all periods.
    pub used: i64,
    /// The explanation, while more is used than awarded.
    pub overrun: Option<Overrun>,
    /// The day on which it ended.
    pub ended: Option<Date>,
    /// The day until which the final report is due, when the call sets one.
    pub report_by: Option<Date>,
    /// Whether the final report came late.
    pub late: Option<bool>,
}

/// The phases of an allocation.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// Waits for the technical check.
    #[default]
    Requested,
    /// Waits for the decision.
    Checked,
    /// Waits for its account.
    Awarded,
    /// Runs.
    Provisioned,
    /// Is over; the final report is due.
    Ended,
    /// Is over and reported.
    Reported,
    /// Was turned down.
    Rejected,
    /// Was taken back.
    Withdrawn,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// By whom.
    pub applicant: ActorId,
    /// Under which call.
    pub call: CallId,
    /// The decision is due then, when the call says so.
    pub decide_by: Option<Timestamp>,
    /// The access mode, for example `Playground`.
    pub mode: Key,
    /// For how long.
    pub months: u32,
    /// Out of which offer, if out of one.
    pub offer: Option<Key>,
    /// Where.
    pub place: Place,
    /// How much.
    pub time: ComputeTime,
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Award {
    /// How much; its partition is the name of the pool when there are several places.
    pub time: ComputeTime,
    /// First day.
    pub starts: Date,
    /// Last day.
    pub ends: Date,
    /// Where it can be used.
    pub places: Vec<Place>,
    /// Taken from the request's offer, in seconds of the offer's unit.
    pub drawn: Option<i64>,
}

/// Why more is used than awarded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overrun {
    /// By how much in all, in seconds of the award's unit.
    pub by: i64,
    /// Why.
    pub reason: String,
    /// How much of it the rules bear without a new decision.
    pub tolerance: i64,
}

/// Why an allocation says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// Somebody else asks.
    #[error("only {0}, or someone on behalf of {0}, may do this")]
    NotTheApplicant(ActorId),
    /// Decides about the own request.
    #[error("{0} made this request and may not decide about it")]
    OwnRequest(ActorId),
    /// The call is about something else.
    #[error("call {0} gives no compute time")]
    NoAccess(CallId),
    /// The call takes no requests any more.
    #[error("call {0} takes no more requests")]
    CallNotOpen(CallId),
    /// Nothing at all.
    #[error("an amount of compute time must be more than nothing")]
    Nothing,
    /// Below the call's minimum.
    #[error("{asked} is less than the {min} GPU-hours that the call asks for at least")]
    TooLittle { asked: ComputeTime, min: i64 },
    /// Above the call's maximum.
    #[error("{asked} is more than the {max} GPU-hours that the call gives at most")]
    TooMuch { asked: ComputeTime, max: i64 },
    /// Not one of the call's durations.
    #[error("{asked} months are not among the durations of the call: {allowed}")]
    Months { asked: u32, allowed: String },
    /// The machine cannot do it.
    #[error("the technical check found it not feasible")]
    NotFeasible,
    /// More than was asked for.
    #[error("{asked} is more than the {requested} requested")]
    MoreThanRequested { asked: ComputeTime, requested: ComputeTime },
    /// Ends before it starts, or runs longer than asked for.
    #[error("it may run from {starts} to {latest} at the latest; got {ends}")]
    Period { starts: Date, ends: Date, latest: Date },
    /// One machine or one pool, not both and not neither.
    #[error("time is granted on one system or on a pool of partitions: give one of the two")]
    SystemOrPool,
    /// A pool that could be taken for a partition.
    #[error("{0} is the name of a partition; a pool needs a name of its own")]
    PoolName(Key),
    /// The account belongs to another allocation.
    #[error("account {account} belongs to {allocation}")]
    AccountTaken { account: Key, allocation: AllocationId },
    /// Used where nothing was granted.
    #[error("nothing is granted on partition {0}")]
    NotGranted(Key),
    /// Reported twice.
    #[error("usage of {0} is recorded already; correct it")]
    PeriodRecorded(Key),
    /// Not reported yet.
    #[error("no usage of {0} is recorded")]
    NoSuchPeriod(Key),
    /// More used than awarded, and nobody says why.
    #[error("used {used} of {awarded}: an overrun needs a reason")]
    OverrunWithoutReason { used: ComputeTime, awarded: ComputeTime },
    /// Neither more time nor a later end.
    #[error("an extension gives more time, a later end, or both")]
    NothingToExtend,
    /// An end that is no later.
    #[error("it ends on {now} already; {asked} is no extension")]
    NotLater { now: Date, asked: Date },
    /// Ended before its time, and nobody says why.
    #[error("it runs until {0}: an earlier end needs a reason")]
    EarlyWithoutReason(Date),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = AllocationId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::NotTheApplicant(_) | Self::OwnRequest(_) => OWN,
            Self::NoAccess(_) | Self::TooLittle { .. } | Self::TooMuch { .. } => {
                Rule::of(ACCESS_RULES, "access: min_gpu_hours, max_gpu_hours")
            }
            Self::Months { .. } | Self::Period { .. } | Self::NotLater { .. } => {
                Rule::of(ACCESS_RULES, "access: months")
            }
            Self::CallNotOpen(_) => Rule::of(ACCESS_RULES, "deadlines: opening and closing"),
            Self::NotFeasible => CHECK_FIRST,
            Self::MoreThanRequested { .. } | Self::NothingToExtend => AWARD,
            Self::SystemOrPool | Self::PoolName(_) | Self::NotGranted(_) => {
                Rule::ours("compute time belongs to partitions (design.md, 5)")
            }
            Self::AccountTaken { .. } => Rule::ours("one account, one allocation"),
            Self::Nothing
            | Self::PeriodRecorded(_)
            | Self::NoSuchPeriod(_)
            | Self::OverrunWithoutReason { .. }
            | Self::EarlyWithoutReason(_) => USED_WITHIN_AWARD,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotTheApplicant(_) | Self::OwnRequest(_) => Kind::Forbidden,
            Self::AccountTaken { .. } | Self::PeriodRecorded(_) => Kind::Conflict,
            Self::NoSuchPeriod(_) => Kind::NotFound,
            _ => Kind::Rule,
        }
    }
}

const ACCESS_RULES: &str = "rules document of the call";
const OWN: Rule = Rule::ours("nobody decides about an own request");
const AWARD: Rule = Rule::of(ACCESS_RULES, "access: award within request and offer");
const CHECK_FIRST: Rule = Rule::of(ACCESS_RULES, "access: technical check before award");
const USED_WITHIN_AWARD: Rule =
    Rule::ours("used <= awarded, or an overrun says by how much and why (design.md, 10.11)");

impl Decider for Allocation {
    type Id = AllocationId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        self.phase.into()
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Requested { .. } => self.asked(event),
            Event::Checked { feasible, .. } => {
                self.feasible = Some(*feasible);
                self.phase = Phase::Checked;
            }
            Event::Awarded { drawn, ends, place, starts, time } => {
                let places = vec![place.clone()];
                let (time, starts, ends) = (time.clone(), *starts, *ends);
                self.award = Some(Award { time, starts, ends, places, drawn: *drawn });
                self.phase = Phase::Awarded;
            }
            Event::GrantedDirectly { ends, holder, places, starts, time, .. } => {
                self.holder = Some(holder.clone());
                let (time, places) = (time.clone(), places.clone());
                self.award =
                    Some(Award { time, starts: *starts, ends: *ends, places, drawn: None });
                self.phase = Phase::Awarded;
            }
            Event::Rejected { .. } => self.phase = Phase::Rejected,
            Event::Withdrawn { .. } => self.phase = Phase::Withdrawn,
            Event::Provisioned { account } => {
                self.account = Some(account.clone());
                self.phase = Phase::Provisioned;
            }
            Event::UsageRecorded { period, time, .. }
            | Event::UsageCorrected { period, time, .. } => self.count(period, time.seconds),
            Event::Overrun { by, reason, tolerance } => {
                let (by, tolerance) = (by.seconds, tolerance.seconds);
                self.overrun = Some(Overrun { by, reason: reason.clone(), tolerance });
            }
            Event::Extended { added, drawn, ends, .. } => {
                self.extend(added.as_ref(), *drawn, *ends);
            }
            Event::Ended { on, report_by, .. } => {
                self.ended = Some(*on);
                self.report_by = *report_by;
                self.phase = Phase::Ended;
            }
            Event::FinalReported { late, .. } => {
                self.late = Some(*late);
                self.phase = Phase::Reported;
            }
        }
    }
}

impl Allocation {
    fn asked(&mut self, event: &Event) {
        let Event::Requested {
            applicant, call, decide_by, mode, months, offer, place, time, ..
        } = event
        else {
            return;
        };
        self.request = Some(Request {
            applicant: applicant.clone(),
            call: call.clone(),
            decide_by: *decide_by,
            mode: mode.clone(),
            months: *months,
            offer: offer.clone(),
            place: place.clone(),
            time: time.clone(),
        });
    }

    fn count(&mut self, period: &Key, seconds: i64) {
        let was = self.usage.insert(period.clone(), seconds).unwrap_or(0);
        self.used += seconds - was;
        self.forget_overrun();
    }

    fn extend(&mut self, added: Option<&ComputeTime>, drawn: Option<i64>, ends: Option<Date>) {
        if let Some(award) = &mut self.award {
            award.time.seconds += added.map_or(0, |time| time.seconds);
            award.drawn = award.drawn.map(|sum| sum + drawn.unwrap_or(0));
            award.ends = ends.unwrap_or(award.ends);
        }
        self.forget_overrun();
    }

    /// What is within the award again needs no explanation any more.
    fn forget_overrun(&mut self) {
        if self.award.as_ref().is_none_or(|award| self.used <= award.time.seconds) {
            self.overrun = None;
        }
    }
}

/// The rules of access of a call, and the zone of its dates.
fn access_rules<'a>(world: &'a World, call: &CallId) -> Result<(&'a Access, &'a str), Refusal> {
    let rules = world.find(&world.calls, call)?.rules.as_ref();
    let found = rules.and_then(|rules| Some((rules.access.as_ref()?, rules.zone.as_str())));
    found.ok_or_else(|| Refusal::from(Rejection::NoAccess(call.clone())).at("/call"))
}

/// The instant from which working days to the decision count: the submission, or the first cut-off
/// that it makes.
fn counted_from(world: &World, call: &CallId, access: &Access, meta: &Meta) -> Option<Timestamp> {
    match access.counted_from {
        CountedFrom::Submission => Some(meta.received_at),
        CountedFrom::CutOff => {
            let next = world.calls.get(call)?.cut_off_for(meta.received_at);
            next.map(|(_, cut_off)| cut_off.instant)
        }
    }
}

/// The end of the working day until which the call promises a decision, if it promises one.
fn decide_by(world: &World, call: &CallId, meta: &Meta) -> Result<Option<Timestamp>, Refusal> {
    let (access, zone) = access_rules(world, call)?;
    let from = counted_from(world, call, access, meta);
    let (Some(days), Some(from)) = (access.decision_working_days, from) else { return Ok(None) };
    let day = from.to_zoned(time::zone(zone)?).date();
    let due = time::add_working_days(day, days, &access.holidays)?;
    Ok(Some(time::end_of_day(due, zone)?))
}

/// Amount and duration within what the call gives.
fn check_access(
    access: &Access,
    partition: &system::Partition,
    asked: &ComputeTime,
    months: u32,
) -> Result<(), Refusal> {
    if access.min_gpu_hours > 0 || access.max_gpu_hours.is_some() {
        let asked = partition.convert(partition.version(), asked, Unit::Gpu)?;
        let hours = |limit: i64| limit.saturating_mul(3600);
        if asked.seconds < hours(access.min_gpu_hours) {
            let little = Rejection::TooLittle { asked, min: access.min_gpu_hours };
            return Err(Refusal::from(little).at("/time/seconds"));
        }
        if let Some(max) = access.max_gpu_hours.filter(|max| asked.seconds > hours(*max)) {
            return Err(Refusal::from(Rejection::TooMuch { asked, max }).at("/time/seconds"));
        }
    }
    if !access.months.contains(&months) {
        let allowed: Vec<String> = access.months.iter().map(ToString::to_string).collect();
        let wrong = Rejection::Months { asked: months, allowed: allowed.join(", ") };
        return Err(Refusal::from(wrong).at("/months"));
    }
    Ok(())
}

/// More than nothing, and in range.
fn check_time(asked: &ComputeTime) -> Result<(), Refusal> {
    asked.check()?;
    if asked.seconds == 0 {
        return Err(Refusal::from(Rejection::Nothing).at("/time/seconds"));
    }
    Ok(())
}

fn is_person(actor: &Actor, id: &ActorId) -> bool {
    actor.id == *id || actor.on_behalf_of.as_ref() == Some(id)
}

fn check_applicant(state: &Allocation, actor: &Actor) -> Result<(), Refusal> {
    match &state.request {
        Some(request) if actor.role == Role::Applicant && !is_person(actor, &request.applicant) => {
            Err(Rejection::NotTheApplicant(request.applicant.clone()).into())
        }
        _ => Ok(()),
    }
}

fn check_other_person(state: &Allocation, actor: &Actor) -> Result<(), Refusal> {
    match &state.request {
        Some(request) if is_person(actor, &request.applicant) => {
            Err(Rejection::OwnRequest(request.applicant.clone()).into())
        }
        _ => Ok(()),
    }
}

/// What has been granted; every phase that asks for it comes after the award.
fn granted<'a>(state: &'a Allocation, id: &AllocationId) -> Result<&'a Award, Refusal> {
    state
        .award
        .as_ref()
        .ok_or_else(|| crate::rejection::Common::NotFound(format!("award of {id}")).into())
}

/// The commands of an allocation.
pub const COMMANDS: &[Entry] = &[
    entry::<Ask>(),
    entry::<Check>(),
    entry::<MakeAward>(),
    entry::<GrantDirectly>(),
    entry::<Reject>(),
    entry::<Withdraw>(),
    entry::<Provision>(),
    entry::<usage::RecordUsage>(),
    entry::<usage::CorrectUsage>(),
    entry::<usage::Extend>(),
    entry::<usage::End>(),
    entry::<usage::FinalReport>(),
];

const DECIDERS: &[Role] = &[Role::AccessOfficer, Role::GoverningBoard];
const SITE: &[Role] = &[Role::SiteSupport];

/// Asks for compute time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The allocation.
    pub allocation: AllocationId,
    /// Who asks.
    pub applicant: ActorId,
    /// Under which call.
    pub call: CallId,
    /// The access mode, for example `Playground`.
    pub mode: Key,
    /// For how long.
    pub months: u32,
    /// Out of which offer of the machine, if the call has offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Key>,
    /// What for.
    #[schemars(length(max = 2000))]
    pub purpose: String,
    /// The machine.
    pub system: SystemId,
    /// How much of which partition.
    pub time: ComputeTime,
}

impl Command for Ask {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.request",
        summary: "Ask for compute time under a call",
        roles: &[Role::Applicant],
        from: &[NEW],
        needs: &[],
        rule: Rule::of(ACCESS_RULES, "access: min_gpu_hours, max_gpu_hours, months"),
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("purpose", &self.purpose)?;
        if !is_person(&meta.actor, &self.applicant) {
            let other = Rejection::NotTheApplicant(self.applicant.clone());
            return Err(Refusal::from(other).at("/applicant"));
        }
        let (access, _) = access_rules(world, &self.call)?;
        let call = world.find(&world.calls, &self.call)?;
        let over = call.end()?.is_some_and(|end| meta.received_at > end);
        if over || call.phase != call::Phase::Open {
            return Err(Refusal::from(Rejection::CallNotOpen(self.call.clone())).at("/call"));
        }
        check_time(&self.time)?;
        let partition = system::in_service(world, &self.system, &self.time.partition)?;
        check_access(access, partition, &self.time, self.months)?;
        if let Some(offer) = &self.offer {
            world.find(&world.systems, &self.system)?.offer(offer, &self.time.partition)?;
        }
        let event = Event::Requested {
            applicant: self.applicant.clone(),
            call: self.call.clone(),
            decide_by: decide_by(world, &self.call, meta)?,
            mode: self.mode.clone(),
            months: self.months,
            offer: self.offer.clone(),
            place: Place {
                conversion: partition.version(),
                partition: self.time.partition.clone(),
                system: self.system.clone(),
            },
            purpose: self.purpose.clone(),
            time: self.time.clone(),
        };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

/// Says whether the machine can do it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The allocation.
    pub allocation: AllocationId,
    /// What there is to say.
    #[schemars(length(max = 2000))]
    pub comment: String,
    /// Whether it can.
    pub feasible: bool,
}

impl Command for Check {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.check",
        summary: "Record the technical check; a later check replaces an earlier one",
        roles: SITE,
        from: &["requested", "checked"],
        needs: &[Need::OtherPerson],
        rule: CHECK_FIRST,
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("comment", &self.comment)?;
        check_other_person(world.find(&world.allocations, &self.allocation)?, &meta.actor)?;
        let event = Event::Checked { comment: self.comment.clone(), feasible: self.feasible };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

/// Grants a request, in whole or in part.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeAward {
    /// The allocation.
    pub allocation: AllocationId,
    /// Last day.
    pub ends: Date,
    /// First day.
    pub starts: Date,
    /// How much, of the partition that was asked for.
    pub time: ComputeTime,
}

impl Command for MakeAward {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.award",
        summary: "Grant a request that passed the technical check",
        roles: DECIDERS,
        from: &["checked"],
        needs: &[Need::OtherPerson],
        rule: AWARD,
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let state = world.find(&world.allocations, &self.allocation)?;
        let request =
            state.request.as_ref().ok_or_else(|| Refusal::from(Rejection::NotFeasible))?;
        check_other_person(state, &meta.actor)?;
        if state.feasible != Some(true) {
            return Err(Rejection::NotFeasible.into());
        }
        check_time(&self.time)?;
        if self.time.partition != request.place.partition {
            let nowhere = Rejection::NotGranted(self.time.partition.clone());
            return Err(Refusal::from(nowhere).at("/time/partition"));
        }
        let place = &request.place;
        let partition = system::in_service(world, &place.system, &place.partition)?;
        let asked = partition.convert(place.conversion, &self.time, request.time.unit)?;
        if asked.seconds > request.time.seconds {
            let requested = request.time.clone();
            let more = Rejection::MoreThanRequested { asked, requested };
            return Err(Refusal::from(more).at("/time/seconds"));
        }
        check_period(self.starts, self.ends, request.months)?;
        let drawn = draw(world, &self.allocation, request, &self.time, 0)?;
        let event = Event::Awarded {
            drawn: drawn.as_ref().map(|(_, seconds)| *seconds),
            ends: self.ends,
            place: Place { conversion: partition.version(), ..place.clone() },
            starts: self.starts,
            time: self.time.clone(),
        };
        let mut events = vec![NewEvent::on(&self.allocation, event)];
        events.extend(drawn.map(|(event, _)| event));
        Ok(events)
    }
}

/// Takes from the offer of a request, if it has one.
fn draw(
    world: &World,
    allocation: &AllocationId,
    request: &Request,
    time: &ComputeTime,
    held: i64,
) -> Result<Option<(NewEvent, i64)>, Refusal> {
    let Some(offer) = &request.offer else { return Ok(None) };
    let system = &request.place.system;
    system::draw(world, &Draw { allocation, system, offer, time, held }).map(Some)
}

/// A period that does not end before it starts, nor later than so many months after.
fn check_period(starts: Date, ends: Date, months: u32) -> Result<(), Refusal> {
    let latest = starts
        .checked_add(i64::from(months.min(1_200)).months())
        .map_err(|_| time::TimeError::OutOfRange)?;
    if starts <= ends && ends <= latest {
        Ok(())
    } else {
        Err(Refusal::from(Rejection::Period { starts, ends, latest }).at("/ends"))
    }
}

/// A partition of a pool.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolMember {
    /// The partition.
    pub partition: Key,
    /// The machine.
    pub system: SystemId,
}

/// Grants time without a request: a prize, a contract, a published award.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantDirectly {
    /// The allocation.
    pub allocation: AllocationId,
    /// On what it rests: the prize or the contract.
    #[schemars(length(min = 1, max = 2000))]
    pub basis: String,
    /// Last day.
    pub ends: Date,
    /// Who gets it.
    pub holder: Key,
    /// The partitions of the pool whose name is the partition of `time`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub pool: Vec<PoolMember>,
    /// First day.
    pub starts: Date,
    /// The machine, unless it is a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemId>,
    /// How much of which partition or pool.
    pub time: ComputeTime,
}

impl GrantDirectly {
    fn places(&self, world: &World) -> Result<Vec<Place>, Refusal> {
        check_list("pool", &self.pool, POOL_MAX)?;
        let members = match (&self.system, self.pool.as_slice()) {
            (Some(system), []) => {
                let (system, partition) = (system.clone(), self.time.partition.clone());
                vec![PoolMember { partition, system }]
            }
            (None, [_, ..]) if system::owner(world, &self.time.partition).is_some() => {
                let name = Rejection::PoolName(self.time.partition.clone());
                return Err(Refusal::from(name).at("/time/partition"));
            }
            (None, [_, ..]) => self.pool.clone(),
            _ => return Err(Refusal::from(Rejection::SystemOrPool).at("/pool")),
        };
        let mut places = Vec::with_capacity(members.len());
        for PoolMember { partition: key, system: id } in members {
            let partition = system::in_service(world, &id, &key)?;
            let conversion = partition.version();
            // Time in a unit that a member does not have could never be used there.
            let one = ComputeTime { partition: key.clone(), seconds: 0, unit: self.time.unit };
            partition.convert(conversion, &one, Unit::Node)?;
            places.push(Place { conversion, partition: key, system: id });
        }
        Ok(places)
    }
}

impl Command for GrantDirectly {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.grant_directly",
        summary: "Grant time that was won or contracted, without a request",
        roles: &[Role::AccessOfficer, Role::GoverningBoard, Role::ProgrammeOfficer],
        from: &[NEW],
        needs: &[],
        rule: Rule::of("prize or contract", "named in `basis`"),
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("basis", &self.basis)?;
        check_time(&self.time)?;
        let places = self.places(world)?;
        if self.ends < self.starts {
            let (starts, ends) = (self.starts, self.ends);
            let period = Rejection::Period { starts, ends, latest: Date::MAX };
            return Err(Refusal::from(period).at("/ends"));
        }
        let event = Event::GrantedDirectly {
            basis: self.basis.clone(),
            ends: self.ends,
            holder: self.holder.clone(),
            places,
            starts: self.starts,
            time: self.time.clone(),
        };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

/// Turns a request down.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// The allocation.
    pub allocation: AllocationId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Reject {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.reject",
        summary: "Turn a request down, with the reason",
        roles: DECIDERS,
        from: &["requested", "checked"],
        needs: &[Need::OtherPerson],
        rule: AWARD,
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        check_other_person(world.find(&world.allocations, &self.allocation)?, &meta.actor)?;
        let event = Event::Rejected { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

/// Takes a request back, or an award that has no account yet.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The allocation.
    pub allocation: AllocationId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Withdraw {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.withdraw",
        summary: "Take a request back; what an award took returns to its offer",
        roles: &[Role::Applicant],
        from: &["requested", "checked", "awarded"],
        needs: &[],
        rule: OWN,
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let state = world.find(&world.allocations, &self.allocation)?;
        check_applicant(state, &meta.actor)?;
        let event = Event::Withdrawn { reason: self.reason.clone() };
        let mut events = vec![NewEvent::on(&self.allocation, event)];
        if let Some(request) = &state.request
            && let Some(offer) = &request.offer
            && let Some(seconds) = state.award.as_ref().and_then(|award| award.drawn)
        {
            let back = system::Event::OfferReturned {
                allocation: self.allocation.clone(),
                offer: offer.clone(),
                partition: request.place.partition.clone(),
                seconds,
            };
            events.push(NewEvent::on(&request.place.system, back));
        }
        Ok(events)
    }
}

/// Says that the account is open.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// Its account on the machine.
    pub account: Key,
    /// The allocation.
    pub allocation: AllocationId,
}

impl Command for Provision {
    const DECLARATION: Declaration = Declaration {
        name: "allocation.provision",
        summary: "Record the account that was opened for an award",
        roles: SITE,
        from: &["awarded"],
        needs: &[],
        rule: Rule::ours("one account, one allocation"),
    };

    fn subject(&self) -> StreamId {
        self.allocation.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let mut others = world.allocations.iter();
        let taken = others.find(|(_, other)| other.account.as_ref() == Some(&self.account));
        if let Some((allocation, _)) = taken {
            let (account, allocation) = (self.account.clone(), allocation.clone());
            let refusal = Refusal::from(Rejection::AccountTaken { account, allocation });
            return Err(refusal.at("/account"));
        }
        let state = world.find(&world.allocations, &self.allocation)?;
        for place in &granted(state, &self.allocation)?.places {
            system::in_service(world, &place.system, &place.partition)?;
        }
        let event = Event::Provisioned { account: self.account.clone() };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

#[cfg(test)]
mod tests;
