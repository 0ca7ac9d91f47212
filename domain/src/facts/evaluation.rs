//! Holds what is known of an evaluation: its events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::facts::upcast::Upcaster;
use crate::kernel::ids::{
    ActorId, CallId, CriterionKey, CutOffKey, EvaluationId, ProposalId, StageKey,
};
use crate::kernel::sealed::Sealed;
use crate::rulebook::Comparator;
use imbl::{OrdMap, OrdSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to an evaluation. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "evaluation.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A round is to be evaluated.
    #[serde(rename = "evaluation.Opened")]
    Opened { call: CallId, cut_off: CutOffKey, stage: StageKey },
    /// An expert is to evaluate these proposals.
    #[serde(rename = "evaluation.ExpertAppointed")]
    ExpertAppointed { expert: ActorId, proposals: Vec<ProposalId> },
    /// A conflict of interest became known; what the expert did to the proposal is void.
    #[serde(rename = "evaluation.ConflictDeclared")]
    ConflictDeclared {
        expert: ActorId,
        kind: ConflictKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        learnt: Option<Box<Sealed>>,
        proposal: ProposalId,
        void_consensus: bool,
        void_ranking: bool,
        void_reports: Vec<u32>,
    },
    /// An expert's individual evaluation report.
    #[serde(rename = "evaluation.ReportSubmitted")]
    ReportSubmitted { expert: ActorId, number: u32, proposal: ProposalId, scores: Vec<Score> },
    /// The experts agreed, or a majority did.
    #[serde(rename = "evaluation.ConsensusReached")]
    ConsensusReached {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dissent: Option<String>,
        proposal: ProposalId,
        rapporteur: ActorId,
        reports: Vec<u32>,
        scores: Vec<Score>,
    },
    /// A proposal that was received in time came into the round after it was ranked.
    #[serde(rename = "evaluation.Reopened")]
    Reopened { proposal: ProposalId },
    /// The panel ranked the round.
    #[serde(rename = "evaluation.Ranked")]
    Ranked { ranking: Vec<RankPlace>, ties: Vec<Tie> },
}

/// What kind of conflict of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Took part in the proposal.
    Involved,
    /// Employed by an applicant in the last three years.
    #[serde(rename = "employed_3_years")]
    Employed3Years,
    /// Close family or personal ties.
    Family,
    /// Stands to gain or to lose.
    Gain,
    /// Anything else that casts doubt.
    Other,
}

/// A score on a criterion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Why.
    #[schemars(length(max = 2000))]
    pub comment: String,
    /// The criterion.
    pub criterion: CriterionKey,
    /// In tenths of a point.
    pub tenths: u32,
}

/// A place in the ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Place")]
pub struct RankPlace {
    /// Whether it passed every threshold. Those that did not come last; their order means nothing.
    pub passed: bool,
    /// The proposal.
    pub proposal: ProposalId,
    /// 1..n.
    pub rank: u32,
    /// Sum of unweighted scores, in tenths.
    pub total_tenths: u32,
    /// Sum of score times weight, in thousandths of a point.
    pub weighted_thousandths: u64,
}

/// How one place among proposals of equal rank was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tie {
    /// The comparator of the rules that decided.
    pub comparator: Comparator,
    /// What it saw.
    pub evidence: String,
    /// The proposals that were equal, in order of their ids; of many the first ones, since the totals
    /// of the ranking show them all.
    pub group: Vec<ProposalId>,
    /// The one that goes first.
    pub winner: ProposalId,
}

/// One evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Its call; there from the first event on.
    pub call: Option<CallId>,
    /// Its round.
    pub cut_off: Option<CutOffKey>,
    /// Its stage.
    pub stage: Option<StageKey>,
    /// Who evaluates what.
    pub experts: OrdMap<ActorId, OrdSet<ProposalId>>,
    /// Known conflicts: expert, then proposal.
    pub conflicts: OrdMap<ActorId, OrdMap<ProposalId, ConflictKind>>,
    /// Valid reports: proposal, then expert.
    pub reports: OrdMap<ProposalId, OrdMap<ActorId, ExpertReport>>,
    /// Number of reports ever submitted.
    pub reports_submitted: u32,
    /// Valid consensus by proposal.
    pub consensus: OrdMap<ProposalId, Consensus>,
    /// The ranking; empty until there is one.
    pub ranking: Vec<RankPlace>,
    /// Who ranked.
    pub ranked_by: Option<ActorId>,
    /// For whom, if for anybody.
    #[serde(default)]
    pub ranked_for: Option<ActorId>,
}

/// An individual report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpertReport {
    /// Its number in this evaluation.
    pub number: u32,
    /// For whom the expert stood in, if for anybody.
    #[serde(default)]
    pub on_behalf_of: Option<ActorId>,
    /// Its scores.
    pub scores: Vec<Score>,
}

/// A consensus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consensus {
    /// Who wrote it.
    pub rapporteur: ActorId,
    /// For whom, if for anybody.
    #[serde(default)]
    pub on_behalf_of: Option<ActorId>,
    /// Its scores.
    pub scores: Vec<Score>,
    /// What a minority held.
    pub dissent: Option<String>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Ranked = "ranked",
        Open = "open",
    }
}

impl Decider for Evaluation {
    type Id = EvaluationId;
    type Event = Event;
    type Phase = Phase;

    const UPCASTERS: &'static [Upcaster] = &[Upcaster {
        event: "evaluation.ConflictDeclared",
        from: 1,
        schema: include_str!("../../schemas/evaluation/ConflictDeclared.v1.json"),
        // It was free text about a person, in clear, and no rule or view reads it.
        up: |mut data| {
            if let Some(data) = data.as_object_mut() {
                data.remove("learnt");
            }
            data
        },
    }];

    fn phase(&self) -> Phase {
        if self.ranked_by.is_some() { Phase::Ranked } else { Phase::Open }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Opened { call, cut_off, stage } => {
                self.call = Some(call.clone());
                self.cut_off = Some(cut_off.clone());
                self.stage = Some(stage.clone());
            }
            Event::ExpertAppointed { expert, proposals } => {
                let appointed = self.experts.entry(expert.clone()).or_default();
                appointed.extend(proposals.iter().cloned());
            }
            Event::ConflictDeclared {
                expert,
                kind,
                proposal,
                void_consensus,
                void_ranking,
                void_reports,
                ..
            } => {
                self.void(expert, proposal, *kind, void_reports);
                if *void_consensus {
                    self.consensus.remove(proposal);
                }
                if *void_ranking {
                    self.unrank();
                }
            }
            Event::Reopened { .. } => self.unrank(),
            Event::ReportSubmitted { expert, number, proposal, scores } => {
                let report = ExpertReport {
                    number: *number,
                    on_behalf_of: at.actor.on_behalf_of.clone(),
                    scores: scores.clone(),
                };
                self.reports.entry(proposal.clone()).or_default().insert(expert.clone(), report);
                self.reports_submitted = self.reports_submitted.max(*number);
            }
            Event::ConsensusReached { dissent, proposal, rapporteur, scores, .. } => {
                let consensus = Consensus {
                    rapporteur: rapporteur.clone(),
                    on_behalf_of: at.actor.on_behalf_of.clone(),
                    scores: scores.clone(),
                    dissent: dissent.clone(),
                };
                self.consensus.insert(proposal.clone(), consensus);
            }
            Event::Ranked { ranking, .. } => {
                self.ranking.clone_from(ranking);
                self.ranked_by = Some(at.actor.id.clone());
                self.ranked_for.clone_from(&at.actor.on_behalf_of);
            }
        }
    }
}

impl Evaluation {
    fn unrank(&mut self) {
        self.ranking.clear();
        self.ranked_by = None;
        self.ranked_for = None;
    }

    fn void(&mut self, expert: &ActorId, proposal: &ProposalId, kind: ConflictKind, void: &[u32]) {
        self.conflicts.entry(expert.clone()).or_default().insert(proposal.clone(), kind);
        if let Some(appointed) = self.experts.get_mut(expert) {
            appointed.remove(proposal);
        }
        if let Some(reports) = self.reports.get_mut(proposal) {
            let is_void = |one: &(&ActorId, &ExpertReport)| void.contains(&one.1.number);
            let void: Vec<ActorId> =
                reports.iter().filter(is_void).map(|one| one.0.clone()).collect();
            for by in void.iter().chain([expert]) {
                reports.remove(by);
            }
        }
    }
}

impl Evaluation {
    /// Whether a person took part in it, or would have without a conflict.
    #[must_use]
    pub fn has_part(&self, person: &ActorId) -> bool {
        self.experts.contains_key(person)
            || self.conflicts.contains_key(person)
            || self.consensus.values().any(|one| one.rapporteur == *person)
            || [&self.ranked_by, &self.ranked_for].into_iter().flatten().any(|id| id == person)
    }

    pub(crate) fn declared(&self, expert: &ActorId, proposal: &ProposalId) -> bool {
        self.conflicts.get(expert).is_some_and(|known| known.contains_key(proposal))
    }

    /// Whether a person had a part in a proposal here, themselves or through somebody who stood in:
    /// what falls with a conflict of theirs.
    pub(crate) fn part_of(&self, person: &ActorId, proposal: &ProposalId) -> Part {
        let is = |by: &ActorId, on_behalf_of: &Option<ActorId>| {
            by == person || on_behalf_of.as_ref() == Some(person)
        };
        let theirs = |one: &(&ActorId, &ExpertReport)| is(one.0, &one.1.on_behalf_of);
        let reports: Vec<u32> =
            self.valid_reports(proposal).filter(theirs).map(|(_, report)| report.number).collect();
        // The others agreed with that expert in the room: they have to agree again without.
        let consensus = self
            .consensus
            .get(proposal)
            .is_some_and(|known| is(&known.rapporteur, &known.on_behalf_of) || !reports.is_empty());
        let ranked_by = self.ranked_by.as_ref();
        let ranking = ranked_by.is_some_and(|chair| consensus || is(chair, &self.ranked_for));
        Part { reports, consensus, ranking }
    }

    pub(crate) fn valid_reports(
        &self,
        proposal: &ProposalId,
    ) -> impl Iterator<Item = (&ActorId, &ExpertReport)> {
        self.reports.get(proposal).into_iter().flatten()
    }
}

/// What rests on a person who turns out to be in conflict.
pub(crate) struct Part {
    pub(crate) reports: Vec<u32>,
    pub(crate) consensus: bool,
    pub(crate) ranking: bool,
}
