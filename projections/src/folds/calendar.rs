//! The open cut-offs and pending timers.

use crate::fold::{Fold, LARGE, confidence};
use domain::facts::commit::Recorded;
use domain::facts::{call, timer};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey, StreamKey, TimerId};
use domain::kernel::time::LocalTime;
use domain::{Commit, Event};
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The open timers and cut-offs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calendar {
    pub(crate) cut_offs: OrdMap<CallId, OrdMap<CutOffKey, (Timestamp, Option<Confidence>)>>,
    pub(crate) timers: OrdMap<TimerId, (Timestamp, String, Option<Confidence>)>,
}

impl Fold for Calendar {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let sure = confidence(commit);
        match &event.event {
            Event::Timer(inner) => {
                if let Some(id) = TimerId::of_stream(&event.stream) {
                    self.timer(id, inner, sure);
                }
            }
            Event::Call(inner) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.call(&id, inner, sure);
                }
            }
            _ => {}
        }
    }
}

impl Calendar {
    fn timer(&mut self, id: TimerId, event: &timer::Event, sure: Option<Confidence>) {
        match event {
            timer::Event::Set { due, wish } => {
                self.timers.insert(id, (*due, wish.command.clone(), sure));
            }
            timer::Event::Fired { .. } | timer::Event::Cancelled { .. } => {
                self.timers.remove(&id);
            }
            timer::Event::Acknowledged { .. } => {}
        }
    }

    fn call(&mut self, id: &CallId, event: &call::Event, sure: Option<Confidence>) {
        use call::Event as E;
        match event {
            E::Opened { cut_offs, .. } => {
                for cut_off in cut_offs {
                    self.cut_off(id, &cut_off.key, &cut_off.at, sure);
                }
            }
            E::CutOffAdded { at, cut_off, .. } | E::CutOffMoved { at, cut_off, .. } => {
                self.cut_off(id, cut_off, at, sure);
            }
            E::CutOffCancelled { cut_off, .. } | E::CutOffClosed { cut_off, .. } => {
                if let Some(open) = self.cut_offs.get_mut(id) {
                    open.remove(cut_off);
                }
            }
            E::Closed { .. } => {
                self.cut_offs.remove(id);
            }
            E::AdmittedAfterClosing { .. }
            | E::ReexaminationDue { .. }
            | E::Reexamined { .. }
            | E::BudgetRaised { .. }
            | E::RoundAwarded { .. }
            | E::ReserveActivated { .. }
            | E::Exhausted { .. } => {}
        }
    }

    fn cut_off(
        &mut self,
        call: &CallId,
        key: &CutOffKey,
        at: &LocalTime,
        sure: Option<Confidence>,
    ) {
        if let Ok(instant) = at.instant() {
            let cut_offs = self.cut_offs.entry(call.clone()).or_default();
            cut_offs.insert(key.clone(), (instant, sure));
        }
    }
}
