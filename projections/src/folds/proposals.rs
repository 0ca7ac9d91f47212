//! What became of each proposal, and what views show of its content.

use crate::fold::{Fold, LARGE, confidence};
use domain::facts::commit::Recorded;
use domain::facts::proposal;
use domain::facts::proposal::{Content, Phase};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{
    CallId, Country, CutOffKey, GrantId, ProjectKind, ProposalId, SectorKey, StreamKey,
};
use domain::kernel::money::Money;
use domain::{Commit, Event};
use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The proposals by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proposals(pub(crate) OrdMap<ProposalId, Arc<Proposal>>);

/// What views show of the content of a proposal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub acronym: String,
    pub country: Option<Country>,
    pub experimental: bool,
    pub kind: Option<ProjectKind>,
    pub partners: Vec<Country>,
    pub requested: Option<Money>,
    pub sectors: Vec<SectorKey>,
}

impl From<&Content> for Profile {
    fn from(content: &Content) -> Self {
        Self {
            acronym: content.acronym.clone(),
            country: content.country,
            experimental: content.experimental,
            kind: content.kind.clone(),
            partners: content.partners.clone(),
            requested: content.requested,
            sectors: content.sectors.clone(),
        }
    }
}

/// One proposal. What was hidden by a filter on the past is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub award: Option<Award>,
    pub call: Option<CallId>,
    /// The least sure of what led to where it is.
    pub confidence: Option<Confidence>,
    pub content: Option<Arc<Profile>>,
    /// The cut-off into whose round it goes or went.
    pub cut_off: Option<CutOffKey>,
    pub phase: Phase,
    pub received_at: Option<Timestamp>,
    /// A change since the submission.
    pub revision: Option<Arc<Profile>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Award {
    pub at: Timestamp,
    pub confidence: Option<Confidence>,
    pub grant: GrantId,
    pub source: Option<String>,
    pub union: Option<Money>,
}

fn profile(content: &Content) -> Arc<Profile> {
    Arc::new(content.into())
}

impl Fold for Proposals {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        use proposal::Event as E;
        let Event::Proposal(inner) = &event.event else { return };
        let Some(id) = ProposalId::of_stream(&event.stream) else { return };
        let it = Arc::make_mut(self.0.entry(id).or_default());
        it.confidence = it.confidence.max(confidence(commit));
        match inner {
            E::Drafted { call, content, .. } => {
                it.call = Some(call.clone());
                it.content = Some(profile(content));
            }
            E::Revised { content } if it.received_at.is_none() => {
                it.content = Some(profile(content));
            }
            E::Revised { content } => it.revision = Some(profile(content)),
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
