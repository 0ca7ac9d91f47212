//! Decides who gets compute time, and accounts for it: used <= awarded, or an overrun says by how
//! much and why. Amounts of different units meet only through the machine's conversion table.

pub(crate) mod checks;
pub mod refusals;
pub mod usage;

use crate::decide::allocation::checks::{
    access_rules, check_access, check_applicant, check_other_person, check_time, decide_by, draw,
    granted, is_person,
};
pub(crate) use crate::decide::allocation::refusals::Rejection;
use crate::decide::allocation::usage::{CorrectUsage, End, Extend, FinalReport, RecordUsage};
use crate::decide::prelude::*;
use crate::facts::allocation::{ComputePlace, Event, Phase};
use crate::facts::call;
use crate::kernel::time;
use crate::{decide, facts};
use jiff::ToSpan;

/// The most partitions that a pool may span.
pub const POOL_MAX: usize = 16;

commands! {
    |it| it.allocation, Phase;

    Ask "allocation.request" "Ask for compute time under a call"
        by [Applicant] in [new]
        under "rules document of the call", "access: min_gpu_hours, max_gpu_hours, months";
    Check "allocation.check" "Record the technical check; a later check replaces an earlier one"
        by [SiteSupport] in [Requested, Checked] needs [OtherPerson]
        under "rules document of the call", "access: technical check before award";
    MakeAward "allocation.award" "Grant a request that passed the technical check"
        by [AccessOfficer, GoverningBoard] in [Checked] needs [OtherPerson]
        under "rules document of the call", "access: award within request and offer";
    GrantDirectly "allocation.grant_directly"
        "Grant time that was won or contracted, without a request"
        by [AccessOfficer, GoverningBoard, ProgrammeOfficer] in [new]
        under "prize or contract", "named in `basis`";
    Reject "allocation.reject" "Turn a request down, with the reason"
        by [AccessOfficer, GoverningBoard] in [Requested, Checked] needs [OtherPerson]
        under "rules document of the call", "access: award within request and offer";
    Withdraw "allocation.withdraw" "Take a request back; what an award took returns to its offer"
        by [Applicant] in [Requested, Checked, Awarded]
        under OURS, "nobody decides about an own request (rules.md#own-request)";
    Provision "allocation.provision" "Record the account that was opened for an award"
        by [SiteSupport] in [Awarded] under OURS, "one account, one allocation (rules.md#one-allocation)";
    RecordUsage "allocation.record_usage" "Record what was used in a period"
        by [SiteSupport] in [Provisioned, Ended] needs [Document]
        under OURS, "used <= awarded, or an overrun says by how much and why (rules.md#used)";
    CorrectUsage "allocation.correct_usage" "Correct what was recorded for a period"
        by [SiteSupport] in [Provisioned, Ended, Reported]
        under OURS, "used <= awarded, or an overrun says by how much and why (rules.md#used)";
    Extend "allocation.extend" "Give an allocation more time, a later end, or both"
        by [AccessOfficer, GoverningBoard] in [Awarded, Provisioned] needs [OtherPerson]
        under "rules document of the call", "access: award within request and offer";
    End "allocation.end" "End an allocation; the final report is due from here"
        by [SiteSupport, AccessOfficer, System] in [Awarded, Provisioned]
        under "rules document of the call", "access: final_report_days";
    FinalReport "allocation.final_report" "Hand in the final report"
        by [Applicant, AccessOfficer] in [Ended] needs [Document]
        under "rules document of the call", "access: final_report_days";
}

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
    pub mode: AccessMode,
    /// For how long.
    pub months: u32,
    /// Out of which offer of the machine, if the call has offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferKey>,
    /// What for.
    #[schemars(length(max = 2000))]
    pub purpose: String,
    /// The machine.
    pub system: SystemId,
    /// How much of which partition.
    pub time: ComputeTime,
}

impl Decide for Ask {
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
        let partition = decide::system::in_service(world, &self.system, &self.time.partition)?;
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
            place: ComputePlace {
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

impl Meets<needs::OtherPerson> for Check {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let state = world.allocations.get(&self.allocation);
        state.map_or(Ok(()), |state| check_other_person(state, &meta.actor))
    }
}

impl Decide for Check {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_text("comment", &self.comment)?;
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

impl Meets<needs::OtherPerson> for MakeAward {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let state = world.allocations.get(&self.allocation);
        state.map_or(Ok(()), |state| check_other_person(state, &meta.actor))
    }
}

impl Decide for MakeAward {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let state = world.find(&world.allocations, &self.allocation)?;
        let request =
            state.request.as_ref().ok_or_else(|| Refusal::from(Rejection::NotFeasible))?;
        if state.feasible != Some(true) {
            return Err(Rejection::NotFeasible.into());
        }
        check_time(&self.time)?;
        if self.time.partition != request.place.partition {
            let nowhere = Rejection::NotGranted(self.time.partition.clone());
            return Err(Refusal::from(nowhere).at("/time/partition"));
        }
        let place = &request.place;
        let partition = decide::system::in_service(world, &place.system, &place.partition)?;
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
            place: ComputePlace { conversion: partition.version(), ..place.clone() },
            starts: self.starts,
            time: self.time.clone(),
        };
        let mut events = vec![NewEvent::on(&self.allocation, event)];
        events.extend(drawn.map(|(event, _)| event));
        Ok(events)
    }
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
    pub partition: PartitionKey,
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
    pub holder: HolderKey,
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
    fn places(&self, world: &World) -> Result<Vec<ComputePlace>, Refusal> {
        check_list("pool", &self.pool, POOL_MAX)?;
        let members = match (&self.system, self.pool.as_slice()) {
            (Some(system), []) => {
                let (system, partition) = (system.clone(), self.time.partition.clone());
                vec![PoolMember { partition, system }]
            }
            (None, [_, ..]) if decide::system::owner(world, &self.time.partition).is_some() => {
                let name = Rejection::PoolName(self.time.partition.clone());
                return Err(Refusal::from(name).at("/time/partition"));
            }
            (None, [_, ..]) => self.pool.clone(),
            _ => return Err(Refusal::from(Rejection::SystemOrPool).at("/pool")),
        };
        let mut places = Vec::with_capacity(members.len());
        for PoolMember { partition: key, system: id } in members {
            let partition = decide::system::in_service(world, &id, &key)?;
            let conversion = partition.version();
            // Time in a unit that a member does not have could never be used there.
            let one = ComputeTime { partition: key.clone(), seconds: 0, unit: self.time.unit };
            partition.convert(conversion, &one, Unit::Node)?;
            places.push(ComputePlace { conversion, partition: key, system: id });
        }
        Ok(places)
    }
}

impl Decide for GrantDirectly {
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

impl Meets<needs::OtherPerson> for Reject {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let state = world.allocations.get(&self.allocation);
        state.map_or(Ok(()), |state| check_other_person(state, &meta.actor))
    }
}

impl Decide for Reject {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
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

impl Decide for Withdraw {
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
            let back = facts::system::Event::OfferReturned {
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
    pub account: MachineAccount,
    /// The allocation.
    pub allocation: AllocationId,
}

impl Decide for Provision {
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
            decide::system::in_service(world, &place.system, &place.partition)?;
        }
        let event = Event::Provisioned { account: self.account.clone() };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

#[cfg(test)]
mod tests;
