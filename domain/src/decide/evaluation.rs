//! Decides how the proposals of a round are judged: experts without conflicts of interest, individual
//! reports, consensus, and one ranking that follows from them by the call's rules.

mod ranking;

use crate::decide::evaluation::ranking::{Entrant, PanelOrder, rank};
use crate::decide::prelude::*;
use crate::decide::subject::check_not_erased;
use crate::decide::texts::check_round_reason;
use crate::facts::call::Round;
use crate::facts::evaluation::{ConflictKind, Evaluation, Event, Part, Phase, RankPlace, Score};
use crate::facts::{call, proposal};
use crate::kernel::sealed::{Purpose, Sealed};
use crate::rulebook;
use crate::rulebook::Stage;
use imbl::OrdSet;
use std::sync::Arc;

/// The most proposals that one appointment may name.
pub const PROPOSALS_MAX: usize = call::PROPOSALS_PER_ROUND_MAX;

/// The most scores of one report: one per criterion.
pub const SCORES_MAX: usize = 20;

refusals! {
    Rejection of "evaluation"

    under RULES, "evaluation.stages" => {
        NoEvaluation = "the rules of the call have no evaluation";
        NoStage(StageKey) = "the rules have no stage {0}";
        StageBefore(StageKey) = "stage {0} comes first and has not been ranked";
    }

    under OURS, "one evaluation per round (rules.md#one-evaluation)" => {
        OpenedAlready(EvaluationId)
            = "evaluation {0} is for the same stage of the same round" as Conflict;
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        BadList
            = "a list of proposals must have 1 to {PROPOSALS_MAX} entries, each once" as Malformed;
    }

    under OURS, "one evaluation per round (rules.md#one-evaluation)" => {
        NotInRound(ProposalId) = "proposal {0} is not in this evaluation";
    }

    under FR, "Art. 61: conflict of interests" => {
        InConflict { expert: ActorId, proposal: ProposalId }
            = "{expert} has a conflict of interest with {proposal}" as Forbidden;
        DeclaredAlready = "this conflict of interest has been declared already" as Conflict;
        NotOwnConflict = "an expert declares their own conflicts of interest only" as Forbidden;
    }

    under OURS, "individual reports, then consensus (rules.md#consensus)" => {
        NotAppointed { expert: ActorId, proposal: ProposalId }
            = "{expert} is not appointed to {proposal}" as Forbidden;
        ConsensusReached(ProposalId)
            = "the experts have reached consensus on {0} already" as Conflict;
    }

    under RULES, "evaluation.stages.criteria" => {
        BadCriteria(String) = "each criterion is scored once: {0}" as Malformed;
    }

    under RULES, "evaluation.scale" => {
        OffTheScale { criterion: CriterionKey, tenths: u32, max: u32, step: u32 }
            = "{tenths} tenths on {criterion} is not on the scale: 0 to {max} by {step}" as Malformed;
    }

    under RULES, "evaluation.experts_min" => {
        NoQuorum { proposal: ProposalId, valid: usize, needed: u32 }
            = "{proposal} has {valid} valid reports; the rules ask for {needed}";
        NoConsensus(ProposalId) = "there is no consensus on {0}";
    }

    under OURS, "one evaluation per round (rules.md#one-evaluation)" => {
        NotChecked(ProposalId)
            = "proposal {0} has not been checked for admissibility and eligibility";
    }

    under RULES, "evaluation.tie_break" => {
        Unresolved(String)
            = "the rules leave {0} tied: the panel must put them in order and say why";
    }
}

impl Evaluation {
    /// The call, the round and the stage that it is for, with their rules.
    fn context<'a>(&self, world: &'a World) -> Result<Context<'a>, Refusal> {
        let missing = || Refusal::from(Common::NotFound("the evaluation's round".into()));
        let id = self.call.clone().ok_or_else(missing)?;
        let cut_off = self.cut_off.clone().ok_or_else(missing)?;
        let stage = self.stage.as_ref().ok_or_else(missing)?;
        Context::of(world, id, cut_off, stage)
    }
}

/// Whoever applies is in conflict without saying so; and a conflict with a proposal that was declared
/// at any stage binds at every other.
fn in_conflict(world: &World, person: &ActorId, proposal: &ProposalId) -> bool {
    let applicant = world.proposals.get(proposal).and_then(|one| one.applicant.as_ref());
    applicant == Some(person)
        || world.evaluations.values().any(|one| one.declared(person, proposal))
}

/// The actor, and for whom the actor stands in, are both without conflict.
fn check_no_conflict(
    world: &World,
    (actor, on_behalf_of): (&ActorId, Option<&ActorId>),
    proposal: &ProposalId,
) -> Result<(), Refusal> {
    let mut people = [Some(actor), on_behalf_of].into_iter().flatten();
    match people.find(|person| in_conflict(world, person, proposal)) {
        None => Ok(()),
        Some(expert) => {
            let (expert, proposal) = (expert.clone(), proposal.clone());
            Err(Rejection::InConflict { expert, proposal }.into())
        }
    }
}

/// Who acts, and for whom.
fn people(meta: &Meta) -> (&ActorId, Option<&ActorId>) {
    (&meta.actor.id, meta.actor.on_behalf_of.as_ref())
}

/// Takes back the rankings of a round that a proposal comes into after them: it was received in time,
/// so it belongs to this round (rules.md#received) and is judged like the others.
#[must_use]
pub fn reopen(
    world: &World,
    call: &CallId,
    cut_off: &CutOffKey,
    proposal: &ProposalId,
) -> Vec<NewEvent> {
    let ranked = world.evaluations.iter().filter(|(_, one)| {
        one.call.as_ref() == Some(call)
            && one.cut_off.as_ref() == Some(cut_off)
            && one.ranked_by.is_some()
    });
    ranked.map(|(id, _)| NewEvent::on(id, Event::Reopened { proposal: proposal.clone() })).collect()
}

/// One stage of one round, and its rules.
struct Context<'a> {
    id: CallId,
    cut_off: CutOffKey,
    round: &'a Round,
    rules: &'a rulebook::Evaluation,
    /// Place of the stage among the stages.
    index: usize,
    stage: &'a Stage,
}

impl<'a> Context<'a> {
    fn of(
        world: &'a World,
        id: CallId,
        cut_off: CutOffKey,
        stage: &StageKey,
    ) -> Result<Self, Refusal> {
        let call = world.find(&world.calls, &id)?;
        let round = call.round(&cut_off)?;
        let rules = call.document()?.evaluation.as_ref().ok_or(Rejection::NoEvaluation)?;
        let found = rules.stages.iter().enumerate().find(|(_, known)| known.key == *stage);
        let (index, stage) =
            found.ok_or_else(|| Refusal::from(Rejection::NoStage(stage.clone())).at("/stage"))?;
        Ok(Self { id, cut_off, round, rules, index, stage })
    }

    /// The ranking of the stage before, if there is one.
    fn before(&self, world: &'a World) -> Result<Option<&'a [RankPlace]>, Refusal> {
        let Some(before) = self.index.checked_sub(1).map(|index| &self.rules.stages[index].key)
        else {
            return Ok(None);
        };
        let found = world.evaluations.values().find(|other| {
            other.call.as_ref() == Some(&self.id)
                && other.cut_off.as_ref() == Some(&self.cut_off)
                && other.stage.as_ref() == Some(before)
                && other.ranked_by.is_some()
        });
        let found = found.ok_or_else(|| Rejection::StageBefore(before.clone()))?;
        Ok(Some(&found.ranking))
    }

    /// The proposals of the round that passed the stage before.
    fn proposals(&self, world: &'a World) -> Result<Vec<&'a ProposalId>, Refusal> {
        let before = self.before(world)?;
        let passed = |id: &ProposalId| {
            before.is_none_or(|places| {
                places.iter().any(|place| place.passed && place.proposal == *id)
            })
        };
        Ok(self.round.admitted.iter().filter(|id| passed(id)).collect())
    }

    fn check_member(&self, world: &World, proposal: &ProposalId) -> Result<(), Refusal> {
        if self.proposals(world)?.contains(&proposal) {
            return Ok(());
        }
        Err(Rejection::NotInRound(proposal.clone()).into())
    }

    /// Each criterion of the stage once, on the scale.
    fn check_scores(&self, scores: &[Score]) -> Result<(), Refusal> {
        let at = |refusal: Refusal| refusal.at("/scores");
        check_list("scores", scores, SCORES_MAX)?;
        for criterion in &self.stage.criteria {
            let times = scores.iter().filter(|score| score.criterion == criterion.key).count();
            if times != 1 {
                let message = format!("{} is scored {times} times", criterion.key);
                return Err(at(Rejection::BadCriteria(message).into()));
            }
        }
        let (max, step) = (self.rules.scale.max_tenths, self.rules.scale.step_tenths);
        for Score { comment, criterion, tenths } in scores {
            check_text("comment", comment).map_err(at)?;
            if !self.stage.criteria.iter().any(|known| known.key == *criterion) {
                let message = format!("{criterion} is not a criterion of this stage");
                return Err(at(Rejection::BadCriteria(message).into()));
            }
            if *tenths > max || step == 0 || !tenths.is_multiple_of(step) {
                let (criterion, tenths) = (criterion.clone(), *tenths);
                return Err(at(Rejection::OffTheScale { criterion, tenths, max, step }.into()));
            }
        }
        Ok(())
    }
}

commands! {
    |it| it.evaluation, Phase;

    Open "evaluation.open" "Open the evaluation of the round of a closed cut-off"
        by [ProgrammeOfficer] in [new] under RULES, "evaluation.stages";
    Appoint "evaluation.appoint" "Appoint an expert to proposals"
        by [ProgrammeOfficer] in [Open] under RULES, "evaluation.experts_min";
    DeclareConflict "evaluation.declare_conflict"
        "Declare a conflict of interest: what the expert did to the proposal is void"
        by [ProgrammeOfficer, Expert, Rapporteur, PanelChair] in [Open, Ranked]
        under FR, "Art. 61: conflict of interests";
    SubmitReport "evaluation.submit_report"
        "Submit your individual evaluation report on a proposal"
        by [Expert] in [Open] under RULES, "evaluation.stages.criteria";
    SubmitConsensus "evaluation.submit_consensus"
        "Record the scores that the experts agreed on, with any dissent"
        by [Rapporteur] in [Open] needs [Quorum] under RULES, "evaluation.experts_min";
    Rank "evaluation.rank" "Rank the round by the call's rules"
        by [PanelChair] in [Open]
        under RULES, "evaluation.stages, evaluation.tie_break";
}

/// Opens the evaluation of a round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The call.
    pub call: CallId,
    /// The cut-off whose round it is.
    pub cut_off: CutOffKey,
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// The stage of the rules, for example `full`.
    pub stage: StageKey,
}

impl Decide for Open {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let context = Context::of(world, self.call.clone(), self.cut_off.clone(), &self.stage)?;
        context.before(world)?;
        let same = world.evaluations.iter().find(|(_, other)| {
            other.call.as_ref() == Some(&self.call)
                && other.cut_off.as_ref() == Some(&self.cut_off)
                && other.stage.as_ref() == Some(&self.stage)
        });
        if let Some((id, _)) = same {
            return Err(Rejection::OpenedAlready(id.clone()).into());
        }
        let event = Event::Opened {
            call: self.call.clone(),
            cut_off: self.cut_off.clone(),
            stage: self.stage.clone(),
        };
        Ok(vec![NewEvent::on(&self.evaluation, event)])
    }
}

/// Appoints an expert to proposals.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Appoint {
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// The expert: an opaque id.
    pub expert: ActorId,
    /// What the expert evaluates.
    #[schemars(length(min = 1, max = 50))]
    pub proposals: Vec<ProposalId>,
}

impl Decide for Appoint {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let evaluation = world.find(&world.evaluations, &self.evaluation)?;
        let different: OrdSet<&ProposalId> = self.proposals.iter().collect();
        let count = self.proposals.len();
        if count == 0 || count > PROPOSALS_MAX || different.len() < count {
            return Err(Refusal::from(Rejection::BadList).at("/proposals"));
        }
        let members = evaluation.context(world)?.proposals(world)?;
        for (index, proposal) in self.proposals.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/proposals/{index}"));
            if !members.contains(&proposal) {
                return Err(at(Rejection::NotInRound(proposal.clone()).into()));
            }
            check_no_conflict(world, (&self.expert, None), proposal).map_err(at)?;
        }
        let known = evaluation.experts.get(&self.expert);
        if known.is_some_and(|known| self.proposals.iter().all(|one| known.contains(one))) {
            return Ok(Vec::new());
        }
        let (expert, proposals) = (self.expert.clone(), self.proposals.clone());
        Ok(vec![NewEvent::on(&self.evaluation, Event::ExpertAppointed { expert, proposals })])
    }
}

/// Declares a conflict of interest, whenever it is learnt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareConflict {
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// The expert: an opaque id.
    pub expert: ActorId,
    /// What kind of conflict.
    pub kind: ConflictKind,
    /// How it became known, sealed: it is about a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<Sealed>,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Decide for DeclareConflict {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        if let Some(learnt) = &self.learnt {
            let checked = learnt.check(self.expert.as_str(), Purpose::Conflict);
            let checked = checked.and_then(|()| check_not_erased(world, learnt));
            checked.map_err(|refusal| refusal.at("/learnt"))?;
        }
        let evaluation = world.find(&world.evaluations, &self.evaluation)?;
        let (actor, on_behalf_of) = people(meta);
        let own = *actor == self.expert || on_behalf_of == Some(&self.expert);
        if meta.actor.role != Role::ProgrammeOfficer && !own {
            return Err(Refusal::from(Rejection::NotOwnConflict).at("/expert"));
        }
        let context = evaluation.context(world)?;
        // Of the round and not of the stage: nothing keeps a conflict from being declared.
        if !context.round.admitted.contains(&self.proposal) {
            let other = Rejection::NotInRound(self.proposal.clone());
            return Err(Refusal::from(other).at("/proposal"));
        }
        if evaluation.declared(&self.expert, &self.proposal) {
            return Err(Rejection::DeclaredAlready.into());
        }
        let (mut events, mut void) = (Vec::new(), false);
        // Every stage of the round, this one first.
        let of_round = |one: &(&EvaluationId, &Arc<Evaluation>)| {
            *one.0 != self.evaluation
                && one.1.call.as_ref() == Some(&context.id)
                && one.1.cut_off.as_ref() == Some(&context.cut_off)
                && !one.1.declared(&self.expert, &self.proposal)
        };
        let others = world.evaluations.iter().filter(of_round).map(|(id, one)| (id, &**one));
        for (id, one) in std::iter::once((&self.evaluation, evaluation)).chain(others) {
            let part = one.part_of(&self.expert, &self.proposal);
            void |= part.ranking;
            // A sealed value is bound to its stream, so it stands in one event only.
            let learnt = self.learnt.as_ref().filter(|_| *id == self.evaluation);
            events.push(NewEvent::on(id, self.declared(part, learnt)));
        }
        if void && context.round.decision.is_some() {
            let (cut_off, proposal) = (context.cut_off.clone(), self.proposal.clone());
            let due = call::Event::ReexaminationDue { cut_off, proposal };
            events.push(NewEvent::on(&context.id, due));
        }
        Ok(events)
    }
}

impl DeclareConflict {
    fn declared(&self, part: Part, learnt: Option<&Sealed>) -> Event {
        Event::ConflictDeclared {
            expert: self.expert.clone(),
            kind: self.kind,
            learnt: learnt.cloned().map(Box::new),
            proposal: self.proposal.clone(),
            void_consensus: part.consensus,
            void_ranking: part.ranking,
            void_reports: part.reports,
        }
    }
}

fn count_is_at_least(count: usize, least: u32) -> bool {
    u32::try_from(count).is_ok_and(|count| count >= least)
}

/// An expert's individual evaluation report; again before the consensus replaces it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitReport {
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// The proposal.
    pub proposal: ProposalId,
    /// A score on each criterion.
    #[schemars(length(max = 20))]
    pub scores: Vec<Score>,
}

impl Decide for SubmitReport {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let evaluation = world.find(&world.evaluations, &self.evaluation)?;
        let expert = &meta.actor.id;
        check_no_conflict(world, people(meta), &self.proposal)?;
        let appointed = evaluation.experts.get(expert);
        if !appointed.is_some_and(|appointed| appointed.contains(&self.proposal)) {
            let (expert, proposal) = (expert.clone(), self.proposal.clone());
            return Err(Rejection::NotAppointed { expert, proposal }.into());
        }
        if evaluation.consensus.contains_key(&self.proposal) {
            return Err(Rejection::ConsensusReached(self.proposal.clone()).into());
        }
        evaluation.context(world)?.check_scores(&self.scores)?;
        let event = Event::ReportSubmitted {
            expert: expert.clone(),
            number: evaluation.reports_submitted + 1,
            proposal: self.proposal.clone(),
            scores: self.scores.clone(),
        };
        Ok(vec![NewEvent::on(&self.evaluation, event)])
    }
}

/// The scores that the experts agreed on; not an average.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitConsensus {
    /// What a minority held, when they did not all agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub dissent: Option<String>,
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// The proposal.
    pub proposal: ProposalId,
    /// A score on each criterion.
    #[schemars(length(max = 20))]
    pub scores: Vec<Score>,
}

impl Meets<needs::Quorum> for SubmitConsensus {
    fn check(&self, world: &World, _: &Meta) -> Result<(), Refusal> {
        let Some(evaluation) = world.evaluations.get(&self.evaluation) else { return Ok(()) };
        let Ok(context) = evaluation.context(world) else { return Ok(()) };
        let valid = evaluation.valid_reports(&self.proposal).count();
        let needed = context.rules.experts_min;
        if count_is_at_least(valid, needed) {
            return Ok(());
        }
        Err(Rejection::NoQuorum { proposal: self.proposal.clone(), valid, needed }.into())
    }
}

impl Decide for SubmitConsensus {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        if let Some(dissent) = &self.dissent {
            check_text("dissent", dissent)?;
        }
        let evaluation = world.find(&world.evaluations, &self.evaluation)?;
        let context = evaluation.context(world)?;
        context.check_member(world, &self.proposal).map_err(|refusal| refusal.at("/proposal"))?;
        let rapporteur = meta.actor.id.clone();
        check_no_conflict(world, people(meta), &self.proposal)?;
        let reports: Vec<u32> =
            evaluation.valid_reports(&self.proposal).map(|(_, report)| report.number).collect();
        context.check_scores(&self.scores)?;
        let event = Event::ConsensusReached {
            dissent: self.dissent.clone(),
            proposal: self.proposal.clone(),
            rapporteur,
            reports,
            scores: self.scores.clone(),
        };
        Ok(vec![NewEvent::on(&self.evaluation, event)])
    }
}

/// Ranks the round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// The evaluation.
    pub evaluation: EvaluationId,
    /// What the panel decided on ties that no other rule decides.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub ties: Vec<PanelOrder>,
}

impl Decide for Rank {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_list("ties", &self.ties, PROPOSALS_MAX)?;
        for (index, order) in self.ties.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/ties/{index}"));
            check_round_reason(&order.reason).map_err(at)?;
            check_list("proposals", &order.proposals, PROPOSALS_MAX).map_err(at)?;
        }
        let evaluation = world.find(&world.evaluations, &self.evaluation)?;
        let context = evaluation.context(world)?;
        let mut entrants = Vec::new();
        for id in context.proposals(world)? {
            let proposal = world.find(&world.proposals, id)?;
            match proposal.phase {
                proposal::Phase::Eligible => {}
                proposal::Phase::Admitted => return Err(Rejection::NotChecked(id.clone()).into()),
                _ => continue,
            }
            check_no_conflict(world, people(meta), id)?;
            let consensus = evaluation.consensus.get(id);
            let consensus = consensus.ok_or_else(|| Rejection::NoConsensus(id.clone()))?;
            let scores = consensus.scores.iter();
            entrants.push(Entrant {
                proposal: id.clone(),
                content: &proposal.content,
                received_at: proposal
                    .submission
                    .as_ref()
                    .map_or(meta.received_at, |one| one.received_at),
                scores: scores.map(|score| (score.criterion.clone(), score.tenths)).collect(),
            });
        }
        let (ranking, ties) =
            rank(context.rules, context.stage, &entrants, &self.ties).map_err(|equal| {
                let names: Vec<&str> = equal.iter().map(ProposalId::as_str).collect();
                Refusal::from(Rejection::Unresolved(names.join(", "))).at("/ties")
            })?;
        Ok(vec![NewEvent::on(&self.evaluation, Event::Ranked { ranking, ties })])
    }
}

#[cfg(test)]
mod tests;
