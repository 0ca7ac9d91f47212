//! What became of each proposal: the part that the views `pipeline`, `portfolio` and `register` share.
//! Each keeps of the content only what it shows (`C`).

use crate::projection::confidence;
use domain::Commit;
use domain::Event;
use domain::facts::commit::Recorded;
use domain::facts::proposal;
use domain::facts::proposal::{Content, Phase};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CutOffKey, GrantId, ProposalId, StreamKey};
use domain::kernel::money::Money;
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The proposals by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Proposals<C: Clone>(pub OrdMap<ProposalId, Arc<Proposal<C>>>);

/// One proposal. What was hidden by a filter on the past is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proposal<C> {
    pub award: Option<Award>,
    pub call: Option<CallId>,
    /// The least sure of what led to where it is.
    pub confidence: Option<Confidence>,
    pub content: Option<C>,
    /// The cut-off into whose round it goes or went.
    pub cut_off: Option<CutOffKey>,
    pub phase: Phase,
    pub received_at: Option<Timestamp>,
    /// A change since the submission.
    pub revision: Option<C>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Award {
    pub at: Timestamp,
    pub confidence: Option<Confidence>,
    pub grant: GrantId,
    pub source: Option<String>,
    pub union: Option<Money>,
}

impl<C: Clone + Default + for<'a> From<&'a Content>> Proposals<C> {
    /// Takes an event in, if it is about a proposal.
    pub fn apply(&mut self, commit: &Commit, event: &Recorded) {
        use proposal::Event as E;
        let Event::Proposal(inner) = &event.event else { return };
        let Some(id) = ProposalId::of_stream(&event.stream) else { return };
        let it = Arc::make_mut(self.0.entry(id).or_default());
        it.confidence = it.confidence.max(confidence(commit));
        match inner {
            E::Drafted { call, content, .. } => {
                it.call = Some(call.clone());
                it.content = Some(content.into());
            }
            E::Revised { content } if it.received_at.is_none() => {
                it.content = Some(content.into());
            }
            E::Revised { content } => it.revision = Some(content.into()),
            E::Submitted(submission) => {
                it.content = it.revision.take().or_else(|| it.content.take());
                it.cut_off = Some(submission.cut_off.clone());
                it.received_at = Some(submission.received_at);
                it.phase = Phase::Submitted;
            }
            E::Withdrawn { .. } => it.phase = Phase::Withdrawn,
            E::Admitted { cut_off } => {
                it.cut_off = Some(cut_off.clone());
                it.phase = Phase::Admitted;
            }
            E::Admissible { .. } => {}
            E::Inadmissible { .. } => it.phase = Phase::Inadmissible,
            E::Eligible { .. } => it.phase = Phase::Eligible,
            E::Ineligible { .. } => it.phase = Phase::Ineligible,
            E::Awarded { cut_off, grant, union } => {
                let evidence = commit.evidence.as_ref();
                it.award = Some(Award {
                    at: event.effective_at,
                    confidence: evidence.map(|evidence| evidence.confidence),
                    grant: grant.clone(),
                    source: evidence.map(|evidence| evidence.source.clone()),
                    union: *union,
                });
                it.cut_off = Some(cut_off.clone());
                it.phase = Phase::Awarded;
            }
            E::Reserved { cut_off, .. } => {
                it.cut_off = Some(cut_off.clone());
                it.phase = Phase::Reserved;
            }
            E::Rejected { cut_off, .. } => {
                it.cut_off = Some(cut_off.clone());
                it.phase = Phase::Rejected;
            }
        }
    }
}
