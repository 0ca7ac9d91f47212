//! Decides how the proposals of a round are judged: experts without conflicts of interest, individual
//! reports, consensus, and one ranking that follows from them by the call's rules.

use crate::command::Entry;
use crate::ids::{ActorId, CallId, EvaluationId, Key, ProposalId, StreamKey};
use crate::rejection::{Kind, Reason, Rule};
use crate::rules::Comparator;
use crate::world::{At, Decider};
use imbl::{OrdMap, OrdSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most proposals that one appointment may name.
pub const PROPOSALS_MAX: usize = crate::call::PROPOSALS_PER_ROUND_MAX;
/// The most scores of one report: one per criterion.
pub const SCORES_MAX: usize = 20;

/// What happens to an evaluation. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "evaluation.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A round is to be evaluated.
    #[serde(rename = "evaluation.Opened")]
    Opened { call: CallId, cut_off: Key, stage: Key },
    /// An expert is to evaluate these proposals.
    #[serde(rename = "evaluation.ExpertAppointed")]
    ExpertAppointed { expert: ActorId, proposals: Vec<ProposalId> },
    /// A conflict of interest became known; what the expert did to the proposal is void.
    #[serde(rename = "evaluation.ConflictDeclared")]
    ConflictDeclared {
        expert: ActorId,
        kind: ConflictKind,
        learnt: String,
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
    /// The panel ranked the round.
    #[serde(rename = "evaluation.Ranked")]
    Ranked { ranking: Vec<Place>, ties: Vec<Tie> },
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
    pub criterion: Key,
    /// In tenths of a point.
    pub tenths: u32,
}

/// A place in the ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tie {
    /// The comparator of the rules that decided.
    pub comparator: Comparator,
    /// What it saw.
    pub evidence: String,
    /// The proposals that were equal, in order of their ids.
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
    pub cut_off: Option<Key>,
    /// Its stage.
    pub stage: Option<Key>,
    /// Who evaluates what.
    pub experts: OrdMap<ActorId, OrdSet<ProposalId>>,
    /// Known conflicts: expert, then proposal.
    pub conflicts: OrdMap<ActorId, OrdMap<ProposalId, ConflictKind>>,
    /// Valid reports: proposal, then expert.
    pub reports: OrdMap<ProposalId, OrdMap<ActorId, Report>>,
    /// Number of reports ever submitted.
    pub reports_submitted: u32,
    /// Valid consensus by proposal.
    pub consensus: OrdMap<ProposalId, Consensus>,
    /// The ranking; empty until there is one.
    pub ranking: Vec<Place>,
    /// Who ranked.
    pub ranked_by: Option<ActorId>,
}

/// An individual report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its number in this evaluation.
    pub number: u32,
    /// Its scores.
    pub scores: Vec<Score>,
}

/// A consensus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consensus {
    /// Who wrote it.
    pub rapporteur: ActorId,
    /// Its scores.
    pub scores: Vec<Score>,
    /// What a minority held.
    pub dissent: Option<String>,
}

/// Why an evaluation says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The round has not closed.
    #[error("cut-off {0} has not closed: there is no round to evaluate")]
    RoundNotClosed(Key),
    /// The rules foresee no evaluation.
    #[error("the rules of the call foresee no evaluation")]
    NoEvaluation,
    /// No such stage.
    #[error("the rules know no stage {0}")]
    NoStage(Key),
    /// The stage before is not ranked.
    #[error("stage {0} comes first and has not been ranked")]
    StageBefore(Key),
    /// Two evaluations of one stage of one round.
    #[error("evaluation {0} is for the same stage of the same round")]
    OpenedAlready(EvaluationId),
    /// Too many, none, or one twice.
    #[error("a list of proposals has 1 to {PROPOSALS_MAX} different entries")]
    BadList,
    /// A proposal of another round.
    #[error("proposal {0} is not in this evaluation")]
    NotInRound(ProposalId),
    /// In conflict.
    #[error("{expert} has a conflict of interest with {proposal}")]
    InConflict { expert: ActorId, proposal: ProposalId },
    /// Known already.
    #[error("this conflict of interest has been declared already")]
    DeclaredAlready,
    /// A conflict of somebody else.
    #[error("an expert declares their own conflicts of interest only")]
    NotOwnConflict,
    /// Not appointed.
    #[error("{expert} is not appointed to {proposal}")]
    NotAppointed { expert: ActorId, proposal: ProposalId },
    /// After the consensus.
    #[error("the experts have reached consensus on {0} already")]
    ConsensusReached(ProposalId),
    /// Not each criterion once.
    #[error("each criterion is scored once: {0}")]
    BadCriteria(String),
    /// Off the scale.
    #[error("{tenths} tenths on {criterion} is not on the scale: 0 to {max} by {step}")]
    OffTheScale { criterion: Key, tenths: u32, max: u32, step: u32 },
    /// Too few valid reports.
    #[error("{proposal} has {valid} valid reports; the rules ask for {needed}")]
    NoQuorum { proposal: ProposalId, valid: usize, needed: u32 },
    /// A proposal without consensus.
    #[error("there is no consensus on {0}")]
    NoConsensus(ProposalId),
    /// A proposal whose eligibility is open.
    #[error("proposal {0} has not been checked for admissibility and eligibility")]
    NotChecked(ProposalId),
    /// The rules cannot tell them apart.
    #[error("no rule tells {0} apart: the panel must order them, with a reason")]
    Unresolved(String),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = EvaluationId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::RoundNotClosed(_)
            | Self::OpenedAlready(_)
            | Self::NotInRound(_)
            | Self::NotChecked(_) => Rule::ours("one evaluation per round (design.md, 5)"),
            Self::NoEvaluation | Self::NoStage(_) | Self::StageBefore(_) => {
                Rule::of("rules document", "evaluation.stages")
            }
            Self::BadList => Rule::ours("every input has a limit"),
            Self::InConflict { .. } | Self::DeclaredAlready | Self::NotOwnConflict => {
                Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 61: conflict of interests")
            }
            Self::NotAppointed { .. } | Self::ConsensusReached(_) => {
                Rule::ours("individual reports, then consensus (design.md, 5)")
            }
            Self::BadCriteria(_) => Rule::of("rules document", "evaluation.stages.criteria"),
            Self::OffTheScale { .. } => Rule::of("rules document", "evaluation.scale"),
            Self::NoQuorum { .. } | Self::NoConsensus(_) => {
                Rule::of("rules document", "evaluation.experts_min")
            }
            Self::Unresolved(_) => Rule::of("rules document", "evaluation.tie_break"),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotAppointed { .. } | Self::InConflict { .. } | Self::NotOwnConflict => {
                Kind::Forbidden
            }
            Self::OpenedAlready(_) | Self::ConsensusReached(_) | Self::DeclaredAlready => {
                Kind::Conflict
            }
            Self::BadList | Self::BadCriteria(_) | Self::OffTheScale { .. } => Kind::Malformed,
            _ => Kind::Rule,
        }
    }
}

impl Decider for Evaluation {
    type Id = EvaluationId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        if self.ranked_by.is_some() { "ranked" } else { "open" }
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
                ..
            } => {
                self.void(expert, proposal, *kind);
                if *void_consensus {
                    self.consensus.remove(proposal);
                }
                if *void_ranking {
                    self.ranking.clear();
                    self.ranked_by = None;
                }
            }
            Event::ReportSubmitted { expert, number, proposal, scores } => {
                let report = Report { number: *number, scores: scores.clone() };
                self.reports.entry(proposal.clone()).or_default().insert(expert.clone(), report);
                self.reports_submitted = self.reports_submitted.max(*number);
            }
            Event::ConsensusReached { dissent, proposal, rapporteur, scores, .. } => {
                let consensus = Consensus {
                    rapporteur: rapporteur.clone(),
                    scores: scores.clone(),
                    dissent: dissent.clone(),
                };
                self.consensus.insert(proposal.clone(), consensus);
            }
            Event::Ranked { ranking, .. } => {
                self.ranking.clone_from(ranking);
                self.ranked_by = Some(at.actor.id.clone());
            }
        }
    }
}

impl Evaluation {
    fn void(&mut self, expert: &ActorId, proposal: &ProposalId, kind: ConflictKind) {
        self.conflicts.entry(expert.clone()).or_default().insert(proposal.clone(), kind);
        if let Some(appointed) = self.experts.get_mut(expert) {
            appointed.remove(proposal);
        }
        if let Some(reports) = self.reports.get_mut(proposal) {
            reports.remove(expert);
        }
    }
}

/// The commands.
pub const COMMANDS: &[Entry] = &[];
