//! Checks that several commands of an allocation share.

use crate::decide;
use crate::decide::allocation::refusals::Rejection;
use crate::decide::prelude::*;
use crate::decide::system::Draw;
use crate::facts::allocation::{Allocation, Award, Request};
use crate::facts::system;
use crate::kernel::time;
use crate::rulebook::{Access, CountedFrom};

/// The rules of access of a call, and the zone of its dates.
pub(crate) fn access_rules<'a>(
    world: &'a World,
    call: &CallId,
) -> Result<(&'a Access, &'a str), Refusal> {
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
pub(crate) fn decide_by(
    world: &World,
    call: &CallId,
    meta: &Meta,
) -> Result<Option<Timestamp>, Refusal> {
    let (access, zone) = access_rules(world, call)?;
    let from = counted_from(world, call, access, meta);
    let (Some(days), Some(from)) = (access.decision_working_days, from) else { return Ok(None) };
    let day = from.to_zoned(time::zone(zone)?).date();
    let due = time::add_working_days(day, days, &access.holidays)?;
    Ok(Some(time::end_of_day(due, zone)?))
}

/// Amount and duration within what the call gives.
pub(crate) fn check_access(
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
pub(crate) fn check_time(asked: &ComputeTime) -> Result<(), Refusal> {
    asked.check()?;
    if asked.seconds == 0 {
        return Err(Refusal::from(Rejection::Nothing).at("/time/seconds"));
    }
    Ok(())
}

pub(crate) fn is_person(actor: &Actor, id: &ActorId) -> bool {
    actor.id == *id || actor.on_behalf_of.as_ref() == Some(id)
}

pub(crate) fn check_applicant(state: &Allocation, actor: &Actor) -> Result<(), Refusal> {
    match &state.request {
        Some(request) if actor.role == Role::Applicant && !is_person(actor, &request.applicant) => {
            Err(Rejection::NotTheApplicant(request.applicant.clone()).into())
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_other_person(state: &Allocation, actor: &Actor) -> Result<(), Refusal> {
    match &state.request {
        Some(request) if is_person(actor, &request.applicant) => {
            Err(Rejection::OwnRequest(request.applicant.clone()).into())
        }
        _ => Ok(()),
    }
}

/// What has been granted; every phase that asks for it comes after the award.
pub(crate) fn granted<'a>(state: &'a Allocation, id: &AllocationId) -> Result<&'a Award, Refusal> {
    state.award.as_ref().ok_or_else(|| Common::NotFound(format!("award of {id}")).into())
}

/// Takes from the offer of a request, if it has one.
pub(crate) fn draw(
    world: &World,
    allocation: &AllocationId,
    request: &Request,
    time: &ComputeTime,
    held: i64,
) -> Result<Option<(NewEvent, i64)>, Refusal> {
    let Some(offer) = &request.offer else { return Ok(None) };
    let system = &request.place.system;
    decide::system::draw(world, &Draw { allocation, system, offer, time, held }).map(Some)
}
