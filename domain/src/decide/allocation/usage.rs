//! The second half of an allocation: what is used of it, until its final report.

use crate::decide::allocation::checks::{
    access_rules, check_applicant, check_other_person, check_time, draw, granted,
};
use crate::decide::allocation::refusals::Rejection;
use crate::decide::prelude::*;
use crate::decide::system;
use crate::facts::allocation::{Allocation, Award, Event};
use crate::kernel::time;
use jiff::ToSpan;

/// The reported time in the unit of the award, by the table that was in force at the award.
fn in_unit_of(
    world: &World,
    award: &Award,
    reported: &ComputeTime,
) -> Result<ComputeTime, Refusal> {
    reported.check()?;
    let place = award.places.iter().find(|place| place.partition == reported.partition);
    let place = place.ok_or_else(|| {
        let nowhere = Rejection::NotGranted(reported.partition.clone());
        Refusal::from(nowhere).at("/time/partition")
    })?;
    let partition = system::find_partition(world, &place.system, &place.partition)?;
    let converted = partition.convert(place.conversion, reported, award.time.unit)?;
    Ok(ComputeTime { partition: award.time.partition.clone(), ..converted })
}

/// The event that explains why `used` is more than `awarded`; none when it is not, or when it is
/// explained already.
fn explain_overrun(
    world: &World,
    state: &Allocation,
    awarded: &ComputeTime,
    used: i64,
    reason: Option<&str>,
) -> Result<Option<Event>, Refusal> {
    let of = |seconds| ComputeTime { seconds, ..awarded.clone() };
    let used = of(used);
    used.check()?;
    let by = of(used.seconds - awarded.seconds);
    if by.seconds <= 0 || state.overrun.as_ref().is_some_and(|known| known.by == by.seconds) {
        return Ok(None);
    }
    let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
        let awarded = awarded.clone();
        let silent = Rejection::OverrunWithoutReason { used, awarded };
        return Err(Refusal::from(silent).at("/reason"));
    };
    let borne = match &state.request {
        Some(request) => access_rules(world, &request.call)?.0.overrun_tolerance,
        None => Rate::ZERO,
    };
    let tolerance = of(share(awarded.seconds, borne));
    Ok(Some(Event::Overrun { by, reason: reason.to_owned(), tolerance }))
}

/// `rate` of so many seconds, rounded down.
fn share(seconds: i64, rate: Rate) -> i64 {
    let (num, den) = rate.parts();
    i64::try_from(i128::from(seconds) * i128::from(num) / i128::from(den)).unwrap_or(0)
}

/// Records what was used in one period.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordUsage {
    /// The allocation.
    pub allocation: AllocationId,
    /// The period, for example `2025-04`; each is recorded once.
    pub period: PeriodKey,
    /// Why more is used than awarded; needed only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub reason: Option<String>,
    /// Hash of the accounting record that says so.
    pub source: Sha256Hex,
    /// What was used in this period alone, in any unit that converts exactly.
    pub time: ComputeTime,
}

impl Attached for RecordUsage {
    fn document(&self) -> &impl Written {
        &self.source
    }
}

impl Decide for RecordUsage {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_text("reason", self.reason.as_deref().unwrap_or_default())?;
        let state = world.find(&world.allocations, &self.allocation)?;
        if state.usage.contains_key(&self.period) {
            let twice = Rejection::PeriodRecorded(self.period.clone());
            return Err(Refusal::from(twice).at("/period"));
        }
        let award = granted(state, &self.allocation)?;
        let time = in_unit_of(world, award, &self.time)?;
        let used = state.used.saturating_add(time.seconds);
        let overrun = explain_overrun(world, state, &award.time, used, self.reason.as_deref())?;
        let event = Event::UsageRecorded {
            period: self.period.clone(),
            reported: self.time.clone(),
            source: self.source,
            time,
        };
        let events = std::iter::once(event).chain(overrun);
        Ok(events.map(|event| NewEvent::on(&self.allocation, event)).collect())
    }
}

/// Corrects what was recorded for a period.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectUsage {
    /// The allocation.
    pub allocation: AllocationId,
    /// The period.
    pub period: PeriodKey,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// Hash of the corrected accounting record, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Sha256Hex>,
    /// What was used in this period after all.
    pub time: ComputeTime,
}

impl Decide for CorrectUsage {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let state = world.find(&world.allocations, &self.allocation)?;
        let Some(was) = state.usage.get(&self.period).copied() else {
            let none = Rejection::NoSuchPeriod(self.period.clone());
            return Err(Refusal::from(none).at("/period"));
        };
        let award = granted(state, &self.allocation)?;
        let time = in_unit_of(world, award, &self.time)?;
        if time.seconds == was {
            return Ok(Vec::new());
        }
        let used = (state.used - was).saturating_add(time.seconds);
        let overrun = explain_overrun(world, state, &award.time, used, Some(&self.reason))?;
        let event = Event::UsageCorrected {
            period: self.period.clone(),
            reason: self.reason.clone(),
            reported: self.time.clone(),
            source: self.source,
            was: ComputeTime { seconds: was, ..time.clone() },
            time,
        };
        let events = std::iter::once(event).chain(overrun);
        Ok(events.map(|event| NewEvent::on(&self.allocation, event)).collect())
    }
}

/// Gives more time, a later end, or both.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The allocation.
    pub allocation: AllocationId,
    /// The new last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Date>,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// How much on top, in a unit that converts exactly to that of the award.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<ComputeTime>,
}

impl Meets<needs::OtherPerson> for Extend {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let state = world.allocations.get(&self.allocation);
        state.map_or(Ok(()), |state| check_other_person(state, &meta.actor))
    }
}

impl Decide for Extend {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let state = world.find(&world.allocations, &self.allocation)?;
        let award = granted(state, &self.allocation)?;
        if self.time.is_none() && self.ends.is_none() {
            return Err(Rejection::NothingToExtend.into());
        }
        if let Some(asked) = self.ends.filter(|ends| *ends <= award.ends) {
            let now = award.ends;
            return Err(Refusal::from(Rejection::NotLater { now, asked }).at("/ends"));
        }
        let mut drawn = None;
        let mut added = None;
        let mut awarded = award.time.clone();
        if let Some(time) = &self.time {
            check_time(time)?;
            let more = self.in_unit(world, award, time)?;
            awarded = awarded.plus(&more)?;
            if let Some(request) = &state.request {
                let held = award.drawn.unwrap_or(0);
                drawn = draw(world, &self.allocation, request, time, held)?;
            }
            added = Some(more);
        }
        let overrun = explain_overrun(world, state, &awarded, state.used, Some(&self.reason))?;
        let event = Event::Extended {
            added,
            drawn: drawn.as_ref().map(|(_, seconds)| *seconds),
            ends: self.ends,
            reason: self.reason.clone(),
        };
        let mut events = vec![NewEvent::on(&self.allocation, event)];
        events.extend(overrun.map(|event| NewEvent::on(&self.allocation, event)));
        events.extend(drawn.map(|(event, _)| event));
        Ok(events)
    }
}

impl Extend {
    /// More of a pool is given in the pool's own unit; more of a partition in any of its units.
    fn in_unit(
        &self,
        world: &World,
        award: &Award,
        time: &ComputeTime,
    ) -> Result<ComputeTime, Refusal> {
        if time.same_unit(&award.time).is_ok() {
            Ok(time.clone())
        } else {
            in_unit_of(world, award, time)
        }
    }
}

/// Ends an allocation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The allocation.
    pub allocation: AllocationId,
    /// Why before its last day; needed only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub reason: Option<String>,
}

impl Decide for End {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("reason", self.reason.as_deref().unwrap_or_default())?;
        let state = world.find(&world.allocations, &self.allocation)?;
        let award = granted(state, &self.allocation)?;
        let (days, zone) = report_terms(world, state)?;
        let on = meta.effective().to_zoned(time::zone(zone)?).date();
        // It may be recorded later than it was true, but it does not end on a day before it began.
        if meta.effective_at.is_some() && on < award.starts {
            let (starts, latest) = (award.starts, award.ends);
            let period = Rejection::Period { starts, ends: on, latest };
            return Err(Refusal::from(period).at("/effective_at"));
        }
        let silent = self.reason.as_deref().is_none_or(|reason| reason.trim().is_empty());
        if on < award.ends && silent {
            let early = Rejection::EarlyWithoutReason(award.ends);
            return Err(Refusal::from(early).at("/reason"));
        }
        let report_by = days
            .map(|days| on.checked_add(i64::from(days.min(36_500)).days()))
            .transpose()
            .map_err(|_| time::TimeError::OutOfRange)?;
        let left = (award.time.seconds - state.used).max(0);
        let event = Event::Ended {
            on,
            reason: self.reason.clone(),
            report_by,
            unused: ComputeTime { seconds: left, ..award.time.clone() },
        };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

/// Days to the final report, and the zone of the dates: of the call, or UTC without one.
fn report_terms<'a>(
    world: &'a World,
    state: &Allocation,
) -> Result<(Option<u32>, &'a str), Refusal> {
    match &state.request {
        Some(request) => {
            let (access, zone) = access_rules(world, &request.call)?;
            Ok((Some(access.final_report_days), zone))
        }
        None => Ok((None, "UTC")),
    }
}

/// Hands in the final report. Late is recorded as late, not refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FinalReport {
    /// The allocation.
    pub allocation: AllocationId,
    /// Hash of the report.
    pub sha256: Sha256Hex,
    /// What came out of it.
    #[schemars(length(max = 2000))]
    pub summary: String,
}

impl Attached for FinalReport {
    fn document(&self) -> &impl Written {
        &self.sha256
    }
}

impl Decide for FinalReport {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("summary", &self.summary)?;
        let state = world.find(&world.allocations, &self.allocation)?;
        check_applicant(state, &meta.actor)?;
        let (_, zone) = report_terms(world, state)?;
        let day = meta.received_at.to_zoned(time::zone(zone)?).date();
        let late = state.report_by.is_some_and(|due| day > due);
        let (sha256, summary) = (self.sha256, self.summary.clone());
        Ok(vec![NewEvent::on(&self.allocation, Event::FinalReported { late, sha256, summary })])
    }
}
