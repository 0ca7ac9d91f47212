//! Decides what a machine offers: its partitions, how their units convert, and how much compute time
//! a call may give away on them; awards never exceed an offer.

use crate::decide::prelude::*;
use crate::facts::system::{Event, Machine, NewPartition, Offer, Partition, Phase};
use crate::kernel::compute::{ComputeError, Conversion, SECONDS_MAX};

/// The most partitions that a machine may have.
pub const PARTITIONS_MAX: usize = 32;

refusals! {
    Rejection of "system"

    under OURS, "a partition has one name and one machine (rules.md#one-machine)" => {
        PartitionCount(usize) = "a machine has 1 to {PARTITIONS_MAX} partitions; got {0}";
        NoNodes(PartitionKey) = "partition {0} has no nodes";
        PartitionTaken { partition: PartitionKey, system: SystemId }
            = "a partition {partition} exists already on {system}";
    }

    under "Reg. (EU) 2021/1173", "Art. 17: the Union's share of access time, at most half" => {
        ShareTooLarge(Rate) = "the Union's share of access time is at most one half; got {0}";
    }

    under OURS, "a partition has one name and one machine (rules.md#one-machine)" => {
        NoPartition { partition: PartitionKey, system: SystemId } = "{system} has no partition {partition}";
    }

    under OURS, "units convert exactly, by a versioned table (rules.md#units)" => {
        ConversionVersion { partition: PartitionKey, expected: u32, got: u32 }
            = "the next conversion of {partition} is version {expected}; got {got}";
        NoConversion { partition: PartitionKey, from: Unit, to: Unit }
            = "{partition} has no conversion from {from}-hours to {to}-hours";
        NotWhole(String) = "{0}";
    }

    under "access call", "offer: total, minimum and maximum per project" => {
        OfferExists { offer: OfferKey, partition: PartitionKey }
            = "offer {offer} of {partition} exists already; amend it";
        NoOffer { offer: OfferKey, partition: PartitionKey } = "{partition} is not part of an offer {offer}";
        OfferLimits
            = "an offer is 1 to {SECONDS_MAX} seconds, with 0 <= minimum <= maximum <= offer";
        BelowAwarded { offer: OfferKey, awarded: i64, seconds: i64 }
            = "{awarded} seconds of offer {offer} are awarded; it cannot become {seconds}";
        BelowMinimum { asked: ComputeTime, min: ComputeTime, offer: OfferKey }
            = "{asked} is below the minimum of offer {offer}, {min}";
        AboveMaximum { asked: ComputeTime, max: ComputeTime, offer: OfferKey }
            = "{asked} is above the maximum of offer {offer}, {max}";
        OfferExceeded { asked: ComputeTime, left: ComputeTime, offer: OfferKey }
            = "{asked} is more than the {left} left of offer {offer}";
    }

    under OURS, "a partition has one name and one machine (rules.md#one-machine)" => {
        OutOfService(SystemId) = "{0} is out of service";
    }
}

impl Machine {
    /// The offer of a partition to a call.
    ///
    /// # Errors
    /// [`Rejection::NoOffer`].
    pub fn offer(&self, offer: &OfferKey, partition: &PartitionKey) -> Result<&Offer, Refusal> {
        self.offers.get(offer).and_then(|parts| parts.get(partition)).ok_or_else(|| {
            let (offer, partition) = (offer.clone(), partition.clone());
            Refusal::from(Rejection::NoOffer { offer, partition }).at("/offer")
        })
    }
}

impl Partition {
    /// The same time in another unit, by a version of the table.
    ///
    /// # Errors
    /// [`Rejection::NoConversion`], [`Rejection::NotWhole`], or out of range.
    pub fn convert(
        &self,
        version: u32,
        time: &ComputeTime,
        to: Unit,
    ) -> Result<ComputeTime, Refusal> {
        let none = || ComputeError::NoConversion {
            from: time.unit,
            to,
            partition: time.partition.clone(),
        };
        let conversion = self.conversions.get(&version).ok_or_else(none);
        conversion.and_then(|found| found.convert(time, to)).map_err(|error| match error {
            ComputeError::NoConversion { from, to, partition } => {
                Rejection::NoConversion { partition, from, to }.into()
            }
            ComputeError::NotWhole { .. } => Rejection::NotWhole(error.to_string()).into(),
            ComputeError::Units(..) | ComputeError::OutOfRange => error.into(),
        })
    }
}

/// A partition of a machine in service.
///
/// # Errors
/// No such machine or partition, or out of service.
pub fn in_service<'a>(
    world: &'a World,
    id: &SystemId,
    partition: &PartitionKey,
) -> Result<&'a Partition, Refusal> {
    if world.find(&world.systems, id)?.retired {
        return Err(Refusal::from(Rejection::OutOfService(id.clone())).at("/system"));
    }
    find_partition(world, id, partition)
}

/// A partition of a machine, in service or not.
///
/// # Errors
/// No such machine or partition.
pub fn find_partition<'a>(
    world: &'a World,
    id: &SystemId,
    partition: &PartitionKey,
) -> Result<&'a Partition, Refusal> {
    let system = world.find(&world.systems, id)?;
    system.partitions.get(partition).ok_or_else(|| {
        let (partition, system) = (partition.clone(), id.clone());
        Rejection::NoPartition { partition, system }.into()
    })
}

/// The machine that has a partition of this name.
#[must_use]
pub fn owner<'a>(world: &'a World, partition: &PartitionKey) -> Option<&'a SystemId> {
    let mut systems = world.systems.iter();
    systems.find(|(_, system)| system.partitions.contains_key(partition)).map(|(id, _)| id)
}

/// What an award or an extension wants to take from an offer.
#[derive(Clone, Debug)]
pub struct Draw<'a> {
    /// For which allocation.
    pub allocation: &'a AllocationId,
    /// The machine.
    pub system: &'a SystemId,
    /// The offer.
    pub offer: &'a OfferKey,
    /// How much.
    pub time: &'a ComputeTime,
    /// What the project has from it already, in seconds of the offer's unit.
    pub held: i64,
}

/// Takes from an offer: within what is left of it, and within its limits per project.
///
/// # Errors
/// No offer, not convertible, below the minimum, above the maximum, or more than is left.
pub fn draw(world: &World, wish: &Draw<'_>) -> Result<(NewEvent, i64), Refusal> {
    let partition = &wish.time.partition;
    let found = in_service(world, wish.system, partition)?;
    let offer = world.find(&world.systems, wish.system)?.offer(wish.offer, partition)?;
    let asked = found.convert(found.version(), wish.time, offer.unit)?;
    let of = |seconds| ComputeTime { seconds, ..asked.clone() };
    let total = of(asked.seconds + wish.held);
    if total.seconds < offer.min_seconds {
        let (min, offer) = (of(offer.min_seconds), wish.offer.clone());
        let below = Rejection::BelowMinimum { asked: total, min, offer };
        return Err(Refusal::from(below).at("/time/seconds"));
    }
    if let Some(max) = offer.max_seconds.filter(|max| total.seconds > *max) {
        let (max, offer) = (of(max), wish.offer.clone());
        let above = Rejection::AboveMaximum { asked: total, max, offer };
        return Err(Refusal::from(above).at("/time/seconds"));
    }
    let left = of(offer.seconds - offer.awarded);
    if asked.seconds > left.seconds {
        let offer = wish.offer.clone();
        let exceeded = Rejection::OfferExceeded { asked, left, offer };
        return Err(Refusal::from(exceeded).at("/time/seconds"));
    }
    let event = Event::OfferDrawn {
        allocation: wish.allocation.clone(),
        offer: wish.offer.clone(),
        partition: partition.clone(),
        seconds: asked.seconds,
    };
    Ok((NewEvent::on(wish.system, event), asked.seconds))
}

commands! {
    |it| it.system, Phase;

    Register "system.register" "Register a machine and its partitions"
        by [AccessOfficer, ProgrammeOfficer] in [new]
        under "Reg. (EU) 2021/1173", "Art. 17: the Union's share of access time, at most half";
    SetConversion "system.set_conversion" "Set how the units of a partition convert"
        by [SiteSupport, AccessOfficer] in [InService]
        under OURS, "units convert exactly, by a versioned table (rules.md#units)";
    MakeOffer "system.offer" "Offer compute time of a partition to a call"
        by [AccessOfficer, ProgrammeOfficer] in [InService]
        under "access call", "offer: total, minimum and maximum per project";
    AmendOffer "system.amend_offer" "Change an offer, never below what is awarded"
        by [AccessOfficer, ProgrammeOfficer] in [InService]
        under "access call", "offer: total, minimum and maximum per project";
    Retire "system.retire" "Take a machine out of service"
        by [AccessOfficer, ProgrammeOfficer] in [InService]
        under OURS, "a partition has one name and one machine (rules.md#one-machine)";
}

/// Registers a machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Where it stands.
    pub country: Country,
    /// Its partitions.
    #[schemars(length(min = 1, max = 32))]
    pub partitions: Vec<NewPartition>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteKey>,
    /// The machine.
    pub system: SystemId,
    /// The Union's share of its access time, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union_share: Option<Rate>,
}

impl Decide for Register {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        if self.partitions.is_empty() || self.partitions.len() > PARTITIONS_MAX {
            let count = Rejection::PartitionCount(self.partitions.len());
            return Err(Refusal::from(count).at("/partitions"));
        }
        for (index, new) in self.partitions.iter().enumerate() {
            check_text("gpu", new.gpu.as_deref().unwrap_or_default())
                .map_err(|refusal| refusal.at(format!("/partitions/{index}/gpu")))?;
            if new.nodes == 0 {
                let empty = Refusal::from(Rejection::NoNodes(new.partition.clone()));
                return Err(empty.at(format!("/partitions/{index}/nodes")));
            }
            let earlier = &self.partitions[..index];
            let twice = earlier.iter().any(|other| other.partition == new.partition);
            let taken = if twice { Some(&self.system) } else { owner(world, &new.partition) };
            if let Some(system) = taken.cloned() {
                let partition = new.partition.clone();
                let refusal = Refusal::from(Rejection::PartitionTaken { partition, system });
                return Err(refusal.at(format!("/partitions/{index}/partition")));
            }
        }
        if let Some(share) = self.union_share {
            let (num, den) = share.parts();
            if u64::from(num) * 2 > u64::from(den) {
                return Err(Refusal::from(Rejection::ShareTooLarge(share)).at("/union_share"));
            }
        }
        let event = Event::Registered {
            country: self.country,
            partitions: self.partitions.clone(),
            site: self.site.clone(),
            union_share: self.union_share,
        };
        Ok(vec![NewEvent::on(&self.system, event)])
    }
}

/// Sets how the units of a partition convert from now on. Earlier awards keep their version.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConversion {
    /// Cores that the site counts per node, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores_per_node: Option<u32>,
    /// GPUs that the site counts per node.
    pub gpus_per_node: u32,
    /// The partition.
    pub partition: PartitionKey,
    /// The machine.
    pub system: SystemId,
    /// The next version of the partition's table.
    pub version: u32,
}

impl Decide for SetConversion {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let found = find_partition(world, &self.system, &self.partition)
            .map_err(|refusal| refusal.at("/partition"))?;
        let (expected, got) = (found.version() + 1, self.version);
        if got != expected {
            let partition = self.partition.clone();
            let wrong = Rejection::ConversionVersion { partition, expected, got };
            return Err(Refusal::from(wrong).at("/version"));
        }
        let event = Event::ConversionSet {
            conversion: Conversion {
                cores_per_node: self.cores_per_node,
                gpus_per_node: self.gpus_per_node,
            },
            partition: self.partition.clone(),
            version: self.version,
        };
        Ok(vec![NewEvent::on(&self.system, event)])
    }
}

fn check_limits(seconds: i64, min_seconds: i64, max_seconds: Option<i64>) -> Result<(), Refusal> {
    let max = max_seconds.unwrap_or(seconds);
    let ordered = 0 <= min_seconds && min_seconds <= max && max <= seconds;
    if ordered && (1..=SECONDS_MAX).contains(&seconds) {
        Ok(())
    } else {
        Err(Refusal::from(Rejection::OfferLimits).at("/seconds"))
    }
}

/// Offers compute time of a partition to a call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeOffer {
    /// The most that a project gets, if limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<i64>,
    /// The least that a project gets.
    #[serde(default)]
    pub min_seconds: i64,
    /// The offer, for example `Regular-2025`; one offer may span partitions of many machines.
    pub offer: OfferKey,
    /// The partition.
    pub partition: PartitionKey,
    /// How much, in seconds of the unit.
    pub seconds: i64,
    /// The machine.
    pub system: SystemId,
    /// The unit of all three figures.
    pub unit: Unit,
}

impl Decide for MakeOffer {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let found = find_partition(world, &self.system, &self.partition)
            .map_err(|refusal| refusal.at("/partition"))?;
        if world.find(&world.systems, &self.system)?.offer(&self.offer, &self.partition).is_ok() {
            let (offer, partition) = (self.offer.clone(), self.partition.clone());
            return Err(Refusal::from(Rejection::OfferExists { offer, partition }).at("/offer"));
        }
        check_limits(self.seconds, self.min_seconds, self.max_seconds)?;
        // An offer in a unit that the partition does not have could never be drawn on.
        let one = ComputeTime { partition: self.partition.clone(), seconds: 0, unit: self.unit };
        found.convert(found.version(), &one, Unit::Node).map_err(|refusal| refusal.at("/unit"))?;
        let event = Event::Offered {
            max_seconds: self.max_seconds,
            min_seconds: self.min_seconds,
            offer: self.offer.clone(),
            partition: self.partition.clone(),
            seconds: self.seconds,
            unit: self.unit,
        };
        Ok(vec![NewEvent::on(&self.system, event)])
    }
}

/// Changes an offer: the figures replace the earlier ones.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendOffer {
    /// The most that a project gets, if limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<i64>,
    /// The least that a project gets.
    #[serde(default)]
    pub min_seconds: i64,
    /// The offer.
    pub offer: OfferKey,
    /// The partition.
    pub partition: PartitionKey,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// How much, in seconds of the offer's unit.
    pub seconds: i64,
    /// The machine.
    pub system: SystemId,
}

impl Decide for AmendOffer {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let offer =
            world.find(&world.systems, &self.system)?.offer(&self.offer, &self.partition)?;
        check_limits(self.seconds, self.min_seconds, self.max_seconds)?;
        if self.seconds < offer.awarded {
            let (awarded, seconds) = (offer.awarded, self.seconds);
            let below = Rejection::BelowAwarded { offer: self.offer.clone(), awarded, seconds };
            return Err(Refusal::from(below).at("/seconds"));
        }
        let event = Event::OfferAmended {
            max_seconds: self.max_seconds,
            min_seconds: self.min_seconds,
            offer: self.offer.clone(),
            partition: self.partition.clone(),
            reason: self.reason.clone(),
            seconds: self.seconds,
        };
        Ok(vec![NewEvent::on(&self.system, event)])
    }
}

/// Takes a machine out of service: it gives no more time; what runs on it is still accounted for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retire {
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// The machine.
    pub system: SystemId,
}

impl Decide for Retire {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.system, Event::Retired { reason: self.reason.clone() })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::actor::Role;
    use crate::testing::{Scenario, given};

    const GPU: &str = r#"{"partition":"LUMI-G","nodes":2560,"gpus_per_node":4,"gpu":"MI250X"}"#;
    const CPU: &str = r#"{"partition":"LUMI-C","nodes":1536,"gpus_per_node":0}"#;

    fn register(scenario: Scenario, system: &str, partitions: &str, share: &str) -> Scenario {
        let payload = format!(
            r#"{{"system":"{system}","country":"FI","partitions":[{partitions}],"union_share":"{share}"}}"#
        );
        scenario.by(Role::AccessOfficer).when("system.register", &payload)
    }

    fn lumi() -> Scenario {
        let both = format!("{GPU},{CPU}");
        register(given(), "LUMI", &both, "1/2").recorded(&["system.Registered"])
    }

    fn offer(scenario: Scenario, figures: &str) -> Scenario {
        let payload =
            format!(r#"{{"system":"LUMI","offer":"Regular-2025","partition":"LUMI-G",{figures}}}"#);
        scenario.by(Role::AccessOfficer).when("system.offer", &payload)
    }

    #[test]
    fn a_partition_has_one_name_over_all_machines() {
        let scenario = register(lumi(), "LUMI-AI", GPU, "1/2").refused("system.partition_taken");
        let scenario = scenario.at("/partitions/0/partition");
        let twice = format!("{GPU},{GPU}").replace("LUMI-G", "X");
        register(scenario, "LUMI-AI", &twice, "1/2")
            .refused("system.partition_taken")
            .at("/partitions/1/partition");
    }

    #[test]
    fn a_machine_has_partitions_and_they_have_nodes() {
        register(given(), "LUMI", "", "1/2").refused("system.partition_count").at("/partitions");
        let empty = GPU.replace("2560", "0");
        register(given(), "LUMI", &empty, "1/2")
            .refused("system.no_nodes")
            .at("/partitions/0/nodes");
    }

    #[test]
    fn the_union_has_at_most_half_of_the_access_time() {
        register(given(), "LUMI", GPU, "51/100")
            .refused("system.share_too_large")
            .at("/union_share");
        register(given(), "LUMI", GPU, "35/100").then(&["system.Registered"]);
    }

    #[test]
    fn conversion_tables_follow_each_other() {
        let set = |scenario: Scenario, version: u32| {
            let payload = format!(
                r#"{{"system":"LUMI","partition":"LUMI-G","version":{version},"gpus_per_node":8}}"#
            );
            scenario.by(Role::SiteSupport).when("system.set_conversion", &payload)
        };
        let scenario = set(lumi(), 1).refused("system.conversion_version").at("/version");
        let scenario = set(scenario, 2).recorded(&["system.ConversionSet"]);
        let key: PartitionKey = "LUMI-G".parse().unwrap();
        let partition = find_partition(&scenario.world, &"LUMI".parse().unwrap(), &key).unwrap();
        let nodes = ComputeTime::hours(key, Unit::Node, 1);
        let gpu_hours =
            |version| partition.convert(version, &nodes, Unit::Gpu).map(|time| time.seconds / 3600);
        assert_eq!((gpu_hours(1), gpu_hours(2)), (Ok(4), Ok(8)));
        assert_eq!(gpu_hours(3).unwrap_err().code, "system.no_conversion");
        assert_eq!(partition.version(), 2);
    }

    #[test]
    fn an_unknown_partition_is_named() {
        lumi()
            .by(Role::SiteSupport)
            .when(
                "system.set_conversion",
                r#"{"system":"LUMI","partition":"LUMI-D","version":2,"gpus_per_node":8}"#,
            )
            .refused("system.no_partition")
            .at("/partition");
    }

    #[test]
    fn an_offer_has_limits_that_an_award_can_meet() {
        for figures in [
            r#""unit":"node","seconds":0"#,
            r#""unit":"node","seconds":10,"min_seconds":11"#,
            r#""unit":"node","seconds":10,"min_seconds":-1"#,
            r#""unit":"node","seconds":10,"max_seconds":11"#,
            r#""unit":"node","seconds":10,"min_seconds":6,"max_seconds":5"#,
            r#""unit":"node","seconds":10000000000001"#,
        ] {
            offer(lumi(), figures).refused("system.offer_limits");
        }
        offer(lumi(), r#""unit":"core","seconds":10"#).refused("system.no_conversion").at("/unit");
    }

    #[test]
    fn an_offer_is_made_once_and_then_amended() {
        let scenario = offer(lumi(), r#""unit":"node","seconds":10"#).recorded(&["system.Offered"]);
        let scenario =
            offer(scenario, r#""unit":"node","seconds":20"#).refused("system.offer_exists");
        let amend = |scenario: Scenario, offer: &str| {
            let payload = format!(
                r#"{{"system":"LUMI","offer":"{offer}","partition":"LUMI-G","seconds":20,"reason":"more"}}"#
            );
            scenario.when("system.amend_offer", &payload)
        };
        let scenario = amend(scenario, "Extreme-2025").refused("system.no_offer").at("/offer");
        let scenario = amend(scenario, "Regular-2025").recorded(&["system.OfferAmended"]);
        let system = scenario.world.systems.get(&"LUMI".parse::<SystemId>().unwrap()).unwrap();
        let found = system.offer(&"Regular-2025".parse().unwrap(), &"LUMI-G".parse().unwrap());
        assert_eq!(found.map(|found| (found.seconds, found.awarded)), Ok((20, 0)));
    }

    #[test]
    fn a_retired_machine_offers_nothing() {
        let scenario = lumi()
            .when("system.retire", r#"{"system":"LUMI","reason":"replaced"}"#)
            .recorded(&["system.Retired"]);
        offer(scenario, r#""unit":"node","seconds":10"#).refused("command.wrong_state");
    }
}
