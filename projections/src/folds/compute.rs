//! Compute time: what systems offer, and what was asked for, awarded and used.

use crate::fold::Fold;
use domain::facts::allocation::{ComputePlace, Phase};
use domain::facts::commit::Recorded;
use domain::facts::{allocation, prize, system};
use domain::kernel::compute::{ComputeTime, Unit};
use domain::kernel::ids::{
    AccessMode, AllocationId, CallId, ContestantKey, Country, OfferKey, PartitionKey, PeriodKey,
    PrizeId, StreamKey, SystemId,
};
use domain::{Commit, Event};
use imbl::OrdMap;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Machines with their offers, allocations, and the hours of prizes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compute {
    pub(crate) allocations: OrdMap<AllocationId, Arc<Allocation>>,
    pub(crate) prizes: OrdMap<PrizeId, Arc<Prize>>,
    pub(crate) systems: OrdMap<SystemId, Arc<Machine>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) country: Option<Country>,
    /// By partition, then offer.
    pub(crate) offers: OrdMap<PartitionKey, OrdMap<OfferKey, Offer>>,
    pub(crate) retired: bool,
}

/// An offer; what was offered is unknown while only draws on it are seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) drawn: i64,
    pub(crate) offered: Option<(i64, Option<Unit>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Allocation {
    pub(crate) awarded: Option<ComputeTime>,
    pub(crate) call: Option<CallId>,
    pub(crate) ends: Option<Date>,
    pub(crate) holder: Option<String>,
    pub(crate) mode: Option<AccessMode>,
    pub(crate) overrun: bool,
    pub(crate) phase: Phase,
    pub(crate) places: Vec<ComputePlace>,
    pub(crate) requested: Option<ComputeTime>,
    /// By period.
    pub(crate) usage: OrdMap<PeriodKey, ComputeTime>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prize {
    pub(crate) extra: OrdMap<ContestantKey, ComputeTime>,
    pub(crate) offered: Option<ComputeTime>,
    pub(crate) parts: OrdMap<ContestantKey, ComputeTime>,
}

impl Fold for Compute {
    fn apply(&mut self, _: &Commit, event: &Recorded) {
        match &event.event {
            Event::System(inner) => {
                if let Some(id) = SystemId::of_stream(&event.stream) {
                    Arc::make_mut(self.systems.entry(id).or_default()).apply(inner);
                }
            }
            Event::Allocation(inner) => {
                if let Some(id) = AllocationId::of_stream(&event.stream) {
                    Arc::make_mut(self.allocations.entry(id).or_default()).apply(inner);
                }
            }
            Event::Prize(inner) => {
                if let Some(id) = PrizeId::of_stream(&event.stream) {
                    Arc::make_mut(self.prizes.entry(id).or_default()).apply(inner);
                }
            }
            _ => {}
        }
    }
}

impl Machine {
    fn apply(&mut self, event: &system::Event) {
        use system::Event as E;
        match event {
            E::Registered { country, .. } => self.country = Some(*country),
            E::Offered { offer, partition, seconds, unit, .. } => {
                self.offer(partition, offer).offered = Some((*seconds, Some(*unit)));
            }
            E::OfferAmended { offer, partition, seconds, .. } => {
                let offer = self.offer(partition, offer);
                offer.offered = Some((*seconds, offer.offered.and_then(|(_, unit)| unit)));
            }
            E::OfferDrawn { offer, partition, seconds, .. } => {
                let offer = self.offer(partition, offer);
                offer.drawn = offer.drawn.saturating_add(*seconds);
            }
            E::OfferReturned { offer, partition, seconds, .. } => {
                let offer = self.offer(partition, offer);
                offer.drawn = offer.drawn.saturating_sub(*seconds);
            }
            E::Retired { .. } => self.retired = true,
            E::ConversionSet { .. } => {}
        }
    }

    fn offer(&mut self, partition: &PartitionKey, offer: &OfferKey) -> &mut Offer {
        self.offers.entry(partition.clone()).or_default().entry(offer.clone()).or_default()
    }
}

impl Allocation {
    fn apply(&mut self, event: &allocation::Event) {
        use allocation::Event as E;
        match event {
            E::Requested { applicant, call, mode, place, time, .. } => {
                self.call = Some(call.clone());
                self.holder = Some(applicant.to_string());
                self.mode = Some(mode.clone());
                self.places = vec![place.clone()];
                self.requested = Some(time.clone());
            }
            E::Checked { .. } => self.phase = Phase::Checked,
            E::Awarded { ends, place, time, .. } => {
                self.awarded = Some(time.clone());
                self.ends = Some(*ends);
                self.places = vec![place.clone()];
                self.phase = Phase::Awarded;
            }
            E::GrantedDirectly { ends, holder, places, time, .. } => {
                self.awarded = Some(time.clone());
                self.ends = Some(*ends);
                self.holder = Some(holder.to_string());
                self.places.clone_from(places);
                self.phase = Phase::Awarded;
            }
            E::Rejected { .. } => self.phase = Phase::Rejected,
            E::Withdrawn { .. } => self.phase = Phase::Withdrawn,
            E::Provisioned { .. } => self.phase = Phase::Provisioned,
            E::UsageRecorded { period, time, .. } | E::UsageCorrected { period, time, .. } => {
                self.usage.insert(period.clone(), time.clone());
            }
            E::Overrun { .. } => self.overrun = true,
            E::Extended { added, ends, .. } => {
                self.ends = ends.or(self.ends);
                if let (Some(awarded), Some(added)) = (&mut self.awarded, added) {
                    *awarded = awarded.plus(added).unwrap_or_else(|_| awarded.clone());
                }
            }
            E::Ended { on, .. } => {
                self.ends = Some(*on);
                self.phase = Phase::Ended;
            }
            E::FinalReported { .. } => self.phase = Phase::Reported,
        }
    }

    /// What was used, when anything says in which unit.
    pub(crate) fn used(&self) -> Option<ComputeTime> {
        let like = self.awarded.as_ref().or_else(|| self.usage.values().next());
        let like = like?;
        let alike = self.usage.values().filter(|time| like.same_unit(time).is_ok());
        let seconds = alike.map(|time| time.seconds).fold(0, i64::saturating_add);
        Some(ComputeTime { seconds, ..like.clone() })
    }

    pub(crate) fn left(&self) -> Option<ComputeTime> {
        let (awarded, used) = (self.awarded.as_ref()?, self.used()?);
        Some(ComputeTime { seconds: awarded.seconds.saturating_sub(used.seconds), ..used })
    }

    pub(crate) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Requested | Phase::Checked | Phase::Awarded | Phase::Provisioned => false,
            Phase::Ended | Phase::Reported | Phase::Rejected | Phase::Withdrawn => true,
        }
    }
}

impl Prize {
    fn apply(&mut self, event: &prize::Event) {
        use prize::Event as E;
        match event {
            E::Opened { compute, .. } => self.offered.clone_from(compute),
            E::Awarded { split } => {
                let part =
                    |part: &prize::Part| Some((part.contestant.clone(), part.compute.clone()?));
                self.parts.extend(split.iter().filter_map(part));
            }
            E::ExtraAwarded { compute, contestant } => {
                self.extra.insert(contestant.clone(), compute.clone());
            }
            E::Ranked { .. } => {}
        }
    }
}
