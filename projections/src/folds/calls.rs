//! The calendar of each call, and how far its rounds are.

use crate::fold::{Fold, LARGE, confidence};
use domain::facts::call;
use domain::facts::commit::Recorded;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey, StreamKey};
use domain::kernel::time::LocalTime;
use domain::{Commit, Event};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    pub(crate) calls: OrdMap<CallId, Arc<Call>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) confidence: Option<Confidence>,
    pub(crate) cut_offs: OrdMap<CutOffKey, CutOff>,
    pub(crate) opens_until: Option<LocalTime>,
    pub(crate) state: CallState,
    pub(crate) title: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallState {
    #[default]
    Open,
    Exhausted,
    Closed,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CutOff {
    pub(crate) admitted: u64,
    pub(crate) at: Option<LocalTime>,
    pub(crate) confidence: Option<Confidence>,
    pub(crate) funded: u64,
    pub(crate) rejected: u64,
    pub(crate) reserve: u64,
    pub(crate) state: CutOffState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CutOffState {
    #[default]
    Open,
    Cancelled,
    Closed,
    Decided,
}

impl Fold for Calls {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        if let Event::Call(inner) = &event.event
            && let Some(id) = CallId::of_stream(&event.stream)
        {
            let call = Arc::make_mut(self.calls.entry(id).or_default());
            call.apply(inner, confidence(commit));
        }
    }
}

impl Call {
    fn apply(&mut self, event: &call::Event, sure: Option<Confidence>) {
        use call::Event as E;
        self.confidence = self.confidence.max(sure);
        let number = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
        match event {
            E::Opened { cut_offs, opens_until, title, .. } => {
                self.title = Some(title.clone());
                self.opens_until.clone_from(opens_until);
                for cut_off in cut_offs {
                    self.cut_off(&cut_off.key, sure).at = Some(cut_off.at.clone());
                }
            }
            E::CutOffAdded { at, cut_off, .. } | E::CutOffMoved { at, cut_off, .. } => {
                let cut_off = self.cut_off(cut_off, sure);
                cut_off.at = Some(at.clone());
                cut_off.state = CutOffState::Open;
            }
            E::CutOffCancelled { cut_off, .. } => {
                self.cut_off(cut_off, sure).state = CutOffState::Cancelled;
            }
            E::CutOffClosed { admitted, at, cut_off } => {
                let cut_off = self.cut_off(cut_off, sure);
                cut_off.at = Some(at.clone());
                cut_off.admitted = number(admitted.len());
                cut_off.state = CutOffState::Closed;
            }
            E::AdmittedAfterClosing { cut_off, .. } => self.cut_off(cut_off, sure).admitted += 1,
            E::ReexaminationDue { .. } | E::Reexamined { .. } => {}
            E::RoundAwarded { cut_off, funded, rejected, reserve, .. } => {
                let cut_off = self.cut_off(cut_off, sure);
                cut_off.funded = number(funded.len());
                cut_off.rejected = number(rejected.len());
                cut_off.reserve = number(reserve.len());
                cut_off.state = CutOffState::Decided;
            }
            E::ReserveActivated { cut_off, .. } => {
                let cut_off = self.cut_off(cut_off, sure);
                cut_off.funded += 1;
                cut_off.reserve = cut_off.reserve.saturating_sub(1);
            }
            E::BudgetRaised { .. } => self.state = CallState::Open,
            E::Exhausted { .. } => self.state = CallState::Exhausted,
            E::Closed { .. } => self.state = CallState::Closed,
        }
    }

    fn cut_off(&mut self, key: &CutOffKey, sure: Option<Confidence>) -> &mut CutOff {
        let it = self.cut_offs.entry(key.clone()).or_default();
        it.confidence = it.confidence.max(sure);
        it
    }
}
