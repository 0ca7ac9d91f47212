//! Holds what is known of an allocation of compute time: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::compute::ComputeTime;
use crate::kernel::ids::{
    AccessMode, ActorId, AllocationId, CallId, HolderKey, MachineAccount, OfferKey, PartitionKey,
    PeriodKey, SystemId,
};
use imbl::OrdMap;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        mode: AccessMode,
        months: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferKey>,
        place: ComputePlace,
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
        place: ComputePlace,
        starts: Date,
        time: ComputeTime,
    },
    /// Time was granted without a request: a prize, a contract, a published award.
    #[serde(rename = "allocation.GrantedDirectly")]
    GrantedDirectly {
        basis: String,
        ends: Date,
        holder: HolderKey,
        places: Vec<ComputePlace>,
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
    Provisioned { account: MachineAccount },
    /// What was used in a period: as reported, and in the unit of the award.
    #[serde(rename = "allocation.UsageRecorded")]
    UsageRecorded { period: PeriodKey, reported: ComputeTime, source: Sha256Hex, time: ComputeTime },
    /// A period was reported wrongly; the new figures replace the earlier ones.
    #[serde(rename = "allocation.UsageCorrected")]
    UsageCorrected {
        period: PeriodKey,
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
#[schemars(rename = "Place")]
pub struct ComputePlace {
    /// Version of the table at that time.
    pub conversion: u32,
    /// The partition.
    pub partition: PartitionKey,
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
    pub holder: Option<HolderKey>,
    /// What was granted.
    pub award: Option<Award>,
    /// Its account on the machine.
    pub account: Option<MachineAccount>,
    /// What was used, by period, in seconds of the award's unit.
    pub usage: OrdMap<PeriodKey, i64>,
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

phases! {
    /// The phases of an allocation.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Phase {
        /// Waits for the technical check.
        #[default]
        Requested = "requested",
        /// Waits for the decision.
        Checked = "checked",
        /// Waits for its account.
        Awarded = "awarded",
        /// Runs.
        Provisioned = "provisioned",
        /// Is over; the final report is due.
        Ended = "ended",
        /// Is over and reported.
        Reported = "reported",
        /// Was turned down.
        Rejected = "rejected",
        /// Was taken back.
        Withdrawn = "withdrawn",
    }
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
    pub mode: AccessMode,
    /// For how long.
    pub months: u32,
    /// Out of which offer, if out of one.
    pub offer: Option<OfferKey>,
    /// Where.
    pub place: ComputePlace,
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
    pub places: Vec<ComputePlace>,
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

impl Decider for Allocation {
    type Id = AllocationId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        self.phase
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

    fn count(&mut self, period: &PeriodKey, seconds: i64) {
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
