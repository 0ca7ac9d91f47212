//! Decides who gets compute time, and accounts for it: used <= awarded, or an overrun says by how
//! much and why. Amounts of different units meet only through the machine's conversion table.

pub(crate) mod checks;
pub mod refusals;
pub mod usage;

use crate::decide::allocation::checks::{
    SITE, access_rules, check_access, check_applicant, check_other_person, check_time, decide_by,
    granted, is_person,
};
pub(crate) use crate::decide::allocation::refusals::{
    ACCESS_RULES, AWARD, CHECK_FIRST, OWN, Rejection,
};
use crate::decide::command::{Command, Decision, Declaration, Entry, Meta, Need, NewEvent, entry};
use crate::decide::system::Draw;
use crate::decide::texts::{check_list, check_reason, check_text};
use crate::facts::allocation::{Event, Place, Request};
use crate::facts::call;
use crate::facts::stream::NEW;
use crate::facts::world::World;
use crate::kernel::actor::Role;
use crate::kernel::compute::{ComputeTime, Unit};
use crate::kernel::ids::{ActorId, AllocationId, CallId, Key, StreamId, StreamKey, SystemId};
use crate::kernel::refusal::{Refusal, Rule};
use crate::kernel::time;
use crate::{decide, facts};
use jiff::ToSpan;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most partitions that a pool may span.
pub const POOL_MAX: usize = 16;

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
    decide::system::draw(world, &Draw { allocation, system, offer, time, held }).map(Some)
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
            decide::system::in_service(world, &place.system, &place.partition)?;
        }
        let event = Event::Provisioned { account: self.account.clone() };
        Ok(vec![NewEvent::on(&self.allocation, event)])
    }
}

#[cfg(test)]
mod tests;
