//! Holds what is known of a machine: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::compute::{Conversion, Unit};
use crate::kernel::ids::{AllocationId, Country, OfferKey, PartitionKey, SiteKey, SystemId};
use crate::kernel::money::Rate;
use imbl::OrdMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a machine. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "system.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A machine came into service.
    #[serde(rename = "system.Registered")]
    Registered {
        country: Country,
        partitions: Vec<NewPartition>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        site: Option<SiteKey>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union_share: Option<Rate>,
    },
    /// The units of a partition convert otherwise from now on.
    #[serde(rename = "system.ConversionSet")]
    ConversionSet { conversion: Conversion, partition: PartitionKey, version: u32 },
    /// Compute time of a partition was offered to a call.
    #[serde(rename = "system.Offered")]
    Offered {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_seconds: Option<i64>,
        min_seconds: i64,
        offer: OfferKey,
        partition: PartitionKey,
        seconds: i64,
        unit: Unit,
    },
    /// An offer was changed; the figures replace the earlier ones.
    #[serde(rename = "system.OfferAmended")]
    OfferAmended {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_seconds: Option<i64>,
        min_seconds: i64,
        offer: OfferKey,
        partition: PartitionKey,
        reason: String,
        seconds: i64,
    },
    /// An award took from an offer; seconds of the offer's unit.
    #[serde(rename = "system.OfferDrawn")]
    OfferDrawn { allocation: AllocationId, offer: OfferKey, partition: PartitionKey, seconds: i64 },
    /// What an award had taken came back unused.
    #[serde(rename = "system.OfferReturned")]
    OfferReturned {
        allocation: AllocationId,
        offer: OfferKey,
        partition: PartitionKey,
        seconds: i64,
    },
    /// The machine went out of service.
    #[serde(rename = "system.Retired")]
    Retired { reason: String },
}

/// A partition as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartition {
    /// Cores that the site counts per node, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores_per_node: Option<u32>,
    /// Model of the GPUs, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub gpu: Option<String>,
    /// GPUs that the site counts per node; 0 in a CPU partition.
    pub gpus_per_node: u32,
    /// Number of nodes.
    #[schemars(range(min = 1))]
    pub nodes: u32,
    /// Its name, unique over all machines.
    pub partition: PartitionKey,
}

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Where it stands; absent only before it is registered.
    pub country: Option<Country>,
    /// Who runs it.
    pub site: Option<SiteKey>,
    /// The Union's share of its access time.
    pub union_share: Option<Rate>,
    /// Its partitions by name.
    pub partitions: OrdMap<PartitionKey, Partition>,
    /// What is offered: by offer, then partition.
    pub offers: OrdMap<OfferKey, OrdMap<PartitionKey, Offer>>,
    /// Out of service.
    pub retired: bool,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Number of nodes.
    pub nodes: u32,
    /// Model of the GPUs, if any.
    pub gpu: Option<String>,
    /// Every conversion that was ever in force, by version 1..n; the last is in force.
    pub conversions: OrdMap<u32, Conversion>,
}

/// Compute time that a call may give away on a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// In which unit it is stated.
    pub unit: Unit,
    /// How much, in seconds of the unit.
    pub seconds: i64,
    /// The least that a project gets.
    pub min_seconds: i64,
    /// The most that a project gets, if limited.
    pub max_seconds: Option<i64>,
    /// What awards have taken and not returned.
    pub awarded: i64,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Retired = "retired",
        InService = "in_service",
    }
}

impl Decider for Machine {
    type Id = SystemId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        if self.retired { Phase::Retired } else { Phase::InService }
    }

    fn evolve(&mut self, event: &Event, _: &At<'_>) {
        match event {
            Event::Registered { country, partitions, site, union_share } => {
                self.country = Some(*country);
                self.site.clone_from(site);
                self.union_share = *union_share;
                let parts =
                    partitions.iter().map(|new| (new.partition.clone(), Partition::from(new)));
                self.partitions = parts.collect();
            }
            Event::ConversionSet { conversion, partition, version } => {
                if let Some(found) = self.partitions.get_mut(partition) {
                    found.conversions.insert(*version, *conversion);
                }
            }
            Event::Offered { max_seconds, min_seconds, offer, partition, seconds, unit } => {
                let new = Offer {
                    unit: *unit,
                    seconds: *seconds,
                    min_seconds: *min_seconds,
                    max_seconds: *max_seconds,
                    awarded: 0,
                };
                self.offers.entry(offer.clone()).or_default().insert(partition.clone(), new);
            }
            Event::OfferAmended { max_seconds, min_seconds, offer, partition, seconds, .. } => {
                self.change_offer(offer, partition, |found| {
                    found.seconds = *seconds;
                    found.min_seconds = *min_seconds;
                    found.max_seconds = *max_seconds;
                });
            }
            Event::OfferDrawn { offer, partition, seconds, .. } => {
                self.change_offer(offer, partition, |found| found.awarded += seconds);
            }
            Event::OfferReturned { offer, partition, seconds, .. } => {
                self.change_offer(offer, partition, |found| found.awarded -= seconds);
            }
            Event::Retired { .. } => self.retired = true,
        }
    }
}

impl From<&NewPartition> for Partition {
    fn from(new: &NewPartition) -> Self {
        let conversion =
            Conversion { cores_per_node: new.cores_per_node, gpus_per_node: new.gpus_per_node };
        Self { nodes: new.nodes, gpu: new.gpu.clone(), conversions: OrdMap::unit(1, conversion) }
    }
}

impl Machine {
    fn change_offer(
        &mut self,
        offer: &OfferKey,
        partition: &PartitionKey,
        change: impl FnOnce(&mut Offer),
    ) {
        if let Some(found) = self.offers.get_mut(offer).and_then(|parts| parts.get_mut(partition)) {
            change(found);
        }
    }
}

impl Partition {
    /// The version of the conversion in force.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.conversions.get_max().map_or(0, |(version, _)| *version)
    }
}
