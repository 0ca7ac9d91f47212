//! The consensus and ranking of each evaluation, and what became of the proposals.

use crate::fold::Fold;
use domain::facts::commit::Recorded;
use domain::facts::evaluation::{RankPlace, Score, Tie};
use domain::facts::{evaluation, proposal};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{CallId, CriterionKey, CutOffKey, EvaluationId, ProposalId, StreamKey};
use domain::{Commit, Event};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The evaluations, and what became of the proposals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    pub(crate) evaluations: OrdMap<EvaluationId, Arc<Evaluation>>,
    pub(crate) outcomes: OrdMap<ProposalId, Outcome>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    pub(crate) call: Option<CallId>,
    pub(crate) consensus: OrdMap<ProposalId, Arc<Consensus>>,
    pub(crate) cut_off: Option<CutOffKey>,
    pub(crate) ranked: Option<Ranked>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Consensus {
    pub(crate) confidence: Option<Confidence>,
    pub(crate) scores: Vec<(CriterionKey, u32)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ranked {
    pub(crate) confidence: Option<Confidence>,
    pub(crate) places: Vec<RankPlace>,
    pub(crate) ties: Vec<Tie>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Funded,
    Reserve,
    Rejected,
}

impl Fold for Ranking {
    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Evaluation(inner) => {
                if let Some(id) = EvaluationId::of_stream(&event.stream) {
                    let confidence = commit.evidence.as_ref().map(|it| it.confidence);
                    Arc::make_mut(self.evaluations.entry(id).or_default()).apply(inner, confidence);
                }
            }
            Event::Proposal(inner) => {
                if let Some(id) = ProposalId::of_stream(&event.stream) {
                    self.apply_proposal(id, inner);
                }
            }
            _ => {}
        }
    }
}

impl Evaluation {
    fn apply(&mut self, event: &evaluation::Event, confidence: Option<Confidence>) {
        use evaluation::Event as E;
        match event {
            E::Opened { call, cut_off, .. } => {
                (self.call, self.cut_off) = (Some(call.clone()), Some(cut_off.clone()));
            }
            E::ConsensusReached { proposal, scores, .. } => {
                let score = |score: &Score| (score.criterion.clone(), score.tenths);
                let scores = scores.iter().map(score).collect();
                let consensus = Consensus { confidence, scores };
                self.consensus.insert(proposal.clone(), Arc::new(consensus));
            }
            E::ConflictDeclared { proposal, void_consensus, void_ranking, .. } => {
                if *void_consensus {
                    self.consensus.remove(proposal);
                }
                if *void_ranking {
                    self.ranked = None;
                }
            }
            E::Reopened { .. } => self.ranked = None,
            E::Ranked { ranking, ties } => {
                let (places, ties) = (ranking.clone(), ties.clone());
                self.ranked = Some(Ranked { confidence, places, ties });
            }
            E::ExpertAppointed { .. } | E::ReportSubmitted { .. } => {}
        }
    }
}

impl Ranking {
    fn apply_proposal(&mut self, id: ProposalId, event: &proposal::Event) {
        use proposal::Event as E;
        match event {
            E::Awarded { .. } => self.outcomes.insert(id, Outcome::Funded),
            E::Reserved { .. } => self.outcomes.insert(id, Outcome::Reserve),
            E::Rejected { .. } => self.outcomes.insert(id, Outcome::Rejected),
            E::Drafted { .. }
            | E::Revised { .. }
            | E::Submitted(_)
            | E::Withdrawn { .. }
            | E::Admitted { .. }
            | E::Admissible { .. }
            | E::Inadmissible { .. }
            | E::Eligible { .. }
            | E::Ineligible { .. } => None,
        };
    }
}
