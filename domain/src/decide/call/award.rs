//! Decides the award of a round: one decision over the call, every proposal of the round and the fund.
//! These are commands of a call; its events and rejections are in `call.rs`.

use crate::decide::call::refusals::Rejection;
use crate::decide::fund;
use crate::decide::fund::{CommitGlobally, CommitIndividually};
use crate::decide::prelude::*;
use crate::decide::texts::check_round_reason;
use crate::facts::call::{
    Budget, Call, CutOffStatus, Event, Funded, PROPOSALS_PER_ROUND_MAX, Rejected, Round,
    RoundDecision,
};
use crate::facts::evaluation::RankPlace;
use crate::facts::fund::Fund;
use crate::facts::proposal;
use crate::facts::proposal::Phase;

/// Decides a round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwardRound {
    /// The call.
    pub call: CallId,
    /// Key of the global commitment to draw on; made in this decision if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<CommitmentKey>,
    /// The cut-off whose round it is.
    pub cut_off: CutOffKey,
    /// What is funded.
    #[schemars(length(max = 50))]
    pub funded: Vec<Funded>,
    /// What is rejected, each with its reason.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub rejected: Vec<Rejected>,
    /// The reserve list, in the order of the ranking.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub reserve: Vec<ProposalId>,
    /// The Union's total for the round; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union: Option<Money>,
}

impl Decide for AwardRound {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        self.check_lists()?;
        let call = world.find(&world.calls, &self.call)?;
        let round = call.round(&self.cut_off)?;
        if round.decision.is_some() {
            return Err(Rejection::RoundDecided(self.cut_off.clone()).into());
        }
        self.check_members(world, round)?;
        if call.document()?.evaluation.is_some() {
            self.check_ranking(final_ranking(world, &self.call, call, &self.cut_off)?)?;
        }
        for (index, award) in self.funded.iter().enumerate() {
            check_award(world, award).map_err(|refusal| refusal.at(format!("/funded/{index}")))?;
        }
        let money = self.money(world, call)?;
        let awarded = Event::RoundAwarded {
            commitment: self.commitment.clone(),
            cut_off: self.cut_off.clone(),
            funded: self.funded.clone(),
            rejected: self.rejected.clone(),
            reserve: self.reserve.clone(),
            union: self.union,
        };
        let mut events = vec![NewEvent::on(&self.call, awarded)];
        events.extend(self.outcomes());
        events.extend(money);
        Ok(events)
    }
}

impl AwardRound {
    fn check_lists(&self) -> Result<(), Refusal> {
        check_list("funded", &self.funded, PROPOSALS_PER_ROUND_MAX)?;
        check_list("rejected", &self.rejected, PROPOSALS_PER_ROUND_MAX)?;
        check_list("reserve", &self.reserve, PROPOSALS_PER_ROUND_MAX)?;
        for (index, rejected) in self.rejected.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/rejected/{index}/reason"));
            check_round_reason(&rejected.reason).map_err(at)?;
        }
        let mut grants = BTreeSet::new();
        match self.funded.iter().find(|award| !grants.insert(&award.grant)) {
            Some(award) => Err(Rejection::GrantExists(award.grant.clone()).into()),
            None => Ok(()),
        }
    }

    fn named(&self) -> impl Iterator<Item = &ProposalId> {
        let funded = self.funded.iter().map(|award| &award.proposal);
        let rejected = self.rejected.iter().map(|rejected| &rejected.proposal);
        funded.chain(&self.reserve).chain(rejected)
    }

    /// Every eligible proposal of the round is named once, and nothing else.
    fn check_members(&self, world: &World, round: &Round) -> Result<(), Refusal> {
        let mut named = BTreeSet::new();
        for proposal in self.named() {
            if !named.insert(proposal) {
                return Err(Rejection::NamedTwice(proposal.clone()).into());
            }
            if !round.admitted.contains(proposal) {
                let (proposal, cut_off) = (proposal.clone(), self.cut_off.clone());
                return Err(Rejection::NotInRound { proposal, cut_off }.into());
            }
        }
        for proposal in &round.admitted {
            let phase = world.find(&world.proposals, proposal)?.phase;
            match (phase, named.contains(proposal)) {
                (Phase::Eligible, true) => {}
                (Phase::Eligible, false) => {
                    return Err(Rejection::LeftOut(proposal.clone()).into());
                }
                (Phase::Admitted, _) => {
                    return Err(Rejection::NotChecked(proposal.clone()).into());
                }
                (_, false) => {}
                (phase, true) => {
                    let (proposal, phase) = (proposal.clone(), phase.into());
                    return Err(Rejection::NotEligible { proposal, phase }.into());
                }
            }
        }
        Ok(())
    }

    /// Nothing below a threshold is funded or reserved, and nothing is passed over without a reason.
    fn check_ranking(&self, ranking: &[RankPlace]) -> Result<(), Refusal> {
        let place = |proposal: &ProposalId| {
            ranking
                .iter()
                .find(|place| place.passed && place.proposal == *proposal)
                .ok_or_else(|| Refusal::from(Rejection::BelowThreshold(proposal.clone())))
        };
        let mut last: Option<&RankPlace> = None;
        for (index, award) in self.funded.iter().enumerate() {
            let found = place(&award.proposal)
                .map_err(|refusal| refusal.at(format!("/funded/{index}/proposal")))?;
            last = last.into_iter().chain([found]).max_by_key(|place| place.rank);
        }
        let mut rank = 0;
        for (index, reserved) in self.reserve.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/reserve/{index}"));
            let found = place(reserved).map_err(at)?;
            if found.rank < rank {
                return Err(at(Rejection::ReserveOutOfOrder(reserved.clone()).into()));
            }
            rank = found.rank;
        }
        let Some(last) = last else { return Ok(()) };
        let skipped = ranking
            .iter()
            .find(|place| place.rank < last.rank && self.reserve.contains(&place.proposal));
        match skipped {
            Some(skipped) => Err(Rejection::PassedOver {
                skipped: skipped.proposal.clone(),
                funded: last.proposal.clone(),
            }
            .into()),
            None => Ok(()),
        }
    }

    /// The global commitment, if it is new, and an individual one for each known amount.
    fn money(&self, world: &World, call: &Call) -> Result<Vec<NewEvent>, Refusal> {
        let mut sum = Money::ZERO;
        for amount in self.funded.iter().filter_map(|award| award.union) {
            sum = sum.plus(amount)?;
        }
        if self.union.is_none() && !sum.is_positive() && self.commitment.is_none() {
            return Ok(Vec::new());
        }
        let at_union = |rejection: Rejection| Refusal::from(rejection).at("/union");
        if let Some(union) = self.union {
            union.in_euro().map_err(|error| Refusal::from(error).at("/union"))?;
            if !union.is_positive() {
                return Err(at_union(Rejection::NotPositive(union)));
            }
            if sum > union {
                return Err(at_union(Rejection::PartsExceedTotal { sum, union }));
            }
        }
        let budget = call.budget.as_ref().ok_or(Rejection::NoBudget)?;
        let (asked, left) = (self.union.unwrap_or(sum), budget.envelope.minus(call.awarded)?);
        if asked > left {
            return Err(at_union(Rejection::EnvelopeExceeded { asked, left }));
        }
        let key = self.commitment.as_ref().ok_or(Rejection::NoCommitment);
        let key = key.map_err(|rejection| Refusal::from(rejection).at("/commitment"))?;
        let fund = world.find(&world.funds, &budget.fund)?;
        let mut events = Vec::new();
        let mut left = match self.union {
            Some(amount) if !fund.commitments.contains_key(key) => {
                let wish = CommitGlobally {
                    amount,
                    call: self.call.clone(),
                    commitment: key.clone(),
                    fund: budget.fund.clone(),
                    line: budget.line.clone(),
                    round: Some(self.cut_off.clone()),
                    source: budget.source.clone(),
                };
                events.push(fund::commit_globally(world, &wish)?);
                amount
            }
            _ => rest_of(fund, budget, key, (&self.call, &self.cut_off), asked)?,
        };
        for award in &self.funded {
            let Some(amount) = award.union else { continue };
            let wish = CommitIndividually {
                amount,
                commitment: key.clone(),
                fund: budget.fund.clone(),
                grant: award.grant.clone(),
            };
            events.push(fund::individual_within(fund, &wish, left)?);
            left = left.minus(amount)?;
        }
        Ok(events)
    }

    fn outcomes(&self) -> Vec<NewEvent> {
        let cut_off = || self.cut_off.clone();
        let mut events = Vec::new();
        for Funded { grant, proposal, union } in &self.funded {
            let (grant, union) = (grant.clone(), *union);
            let event = proposal::Event::Awarded { cut_off: cut_off(), grant, union };
            events.push(NewEvent::on(proposal, event));
        }
        for (place, proposal) in (1..).zip(&self.reserve) {
            let event = proposal::Event::Reserved { cut_off: cut_off(), place };
            events.push(NewEvent::on(proposal, event));
        }
        for Rejected { proposal, reason } in &self.rejected {
            let event = proposal::Event::Rejected { cut_off: cut_off(), reason: reason.clone() };
            events.push(NewEvent::on(proposal, event));
        }
        events
    }
}

impl Call {
    /// The round of a cut-off that has closed.
    ///
    /// # Errors
    /// No such cut-off, or not closed, or cancelled.
    pub fn round(&self, key: &CutOffKey) -> Result<&Round, Refusal> {
        let rejection = match &self.cut_off(key)?.status {
            CutOffStatus::Closed(round) => return Ok(round),
            CutOffStatus::Open => Rejection::CutOffOpen(key.clone()),
            CutOffStatus::Cancelled => Rejection::CutOffCancelled(key.clone()),
        };
        Err(Refusal::from(rejection).at("/cut_off"))
    }

    /// The decision on a round, unless a conflict of interest that was learnt since puts it in question.
    ///
    /// # Errors
    /// [`Rejection::ReexaminationDue`].
    pub fn check_unquestioned(&self, cut_off: &CutOffKey) -> Result<(), Refusal> {
        let decision = self.round(cut_off)?.decision.as_ref();
        if decision.is_some_and(|decision| !decision.questioned.is_empty()) {
            return Err(Rejection::ReexaminationDue(cut_off.clone()).into());
        }
        Ok(())
    }
}

/// The ranking of the last stage of a round.
fn final_ranking<'a>(
    world: &'a World,
    id: &CallId,
    call: &Call,
    cut_off: &CutOffKey,
) -> Result<&'a [RankPlace], Refusal> {
    let stages = call.document()?.evaluation.as_ref().map(|evaluation| &evaluation.stages);
    let stage = stages.and_then(|stages| stages.last()).map(|stage| &stage.key);
    let ranked = world.evaluations.values().find(|evaluation| {
        evaluation.call.as_ref() == Some(id)
            && evaluation.cut_off.as_ref() == Some(cut_off)
            && evaluation.stage.as_ref() == stage
            && evaluation.ranked_by.is_some()
    });
    match ranked {
        Some(evaluation) => Ok(&evaluation.ranking),
        None => Err(Rejection::NotRanked(cut_off.clone()).into()),
    }
}

/// A grant id that is free, and an amount that is not more than was asked for.
fn check_award(world: &World, award: &Funded) -> Result<(), Refusal> {
    check_grant(world, &award.grant)?;
    let Some(asked) = award.union else { return Ok(()) };
    asked.in_euro()?;
    if !asked.is_positive() {
        return Err(Rejection::NotPositive(asked).into());
    }
    match world.find(&world.proposals, &award.proposal)?.content.requested {
        Some(requested) if asked > requested => {
            let proposal = award.proposal.clone();
            Err(Rejection::MoreThanRequested { asked, requested, proposal }.into())
        }
        _ => Ok(()),
    }
}

fn check_grant(world: &World, grant: &GrantId) -> Result<(), Refusal> {
    let taken = world.version(&grant.stream()) > 0
        || world.proposals.values().any(|proposal| proposal.grant.as_ref() == Some(grant));
    if taken { Err(Rejection::GrantExists(grant.clone()).into()) } else { Ok(()) }
}

/// What is left of a global commitment that was made for this round, out of the line and source of
/// the call's envelope; at least `asked`.
fn rest_of(
    fund: &Fund,
    budget: &Budget,
    commitment: &CommitmentKey,
    (call, cut_off): (&CallId, &CutOffKey),
    asked: Money,
) -> Result<Money, Refusal> {
    let global = fund.global(commitment)?;
    let other_round = global.round.as_ref().is_some_and(|round| round != cut_off);
    let other_line = global.line != budget.line || global.source != budget.source;
    if global.call != *call || other_round || other_line {
        let refusal = Refusal::from(Rejection::OtherCommitment(commitment.clone()));
        return Err(refusal.at("/commitment"));
    }
    let left = global.amount.minus(global.individual)?;
    if asked > left {
        let commitment = commitment.clone();
        return Err(fund::Rejection::GlobalCommitmentExceeded { asked, left, commitment }.into());
    }
    Ok(left)
}

/// Awards the next proposal of a reserve list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateReserve {
    /// The call.
    pub call: CallId,
    /// Key of the global commitment to draw on; that of the round when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<CommitmentKey>,
    /// The grant that it becomes.
    pub grant: GrantId,
    /// The proposal.
    pub proposal: ProposalId,
    /// What the Union gives; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union: Option<Money>,
}

impl Decide for ActivateReserve {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let call = world.find(&world.calls, &self.call)?;
        let proposal = world.find(&world.proposals, &self.proposal)?;
        let refuse = |rejection: Rejection| Refusal::from(rejection).at("/proposal");
        let not_in_reserve = || refuse(Rejection::NotInReserve(self.proposal.clone()));
        if proposal.call.as_ref() != Some(&self.call) || proposal.phase != Phase::Reserved {
            return Err(not_in_reserve());
        }
        let cut_off = proposal.cut_off.as_ref().ok_or_else(not_in_reserve)?;
        call.check_unquestioned(cut_off)?;
        let decision = call.round(cut_off)?.decision.as_ref().ok_or_else(not_in_reserve)?;
        let waits = |id: &&ProposalId| {
            world.proposals.get(*id).is_some_and(|other| other.phase == Phase::Reserved)
        };
        let next = decision.reserve.iter().find(waits).ok_or_else(not_in_reserve)?;
        if *next != self.proposal {
            let (asked, next) = (self.proposal.clone(), next.clone());
            return Err(refuse(Rejection::NotNextInReserve { asked, next }));
        }
        let award = Funded {
            grant: self.grant.clone(),
            proposal: self.proposal.clone(),
            union: self.union,
        };
        check_award(world, &award)?;
        let money = self.money(world, call, cut_off, decision)?;
        let activated = Event::ReserveActivated {
            commitment: self.commitment_of(decision).cloned(),
            cut_off: cut_off.clone(),
            grant: self.grant.clone(),
            proposal: self.proposal.clone(),
            union: self.union,
        };
        let awarded = proposal::Event::Awarded {
            cut_off: cut_off.clone(),
            grant: self.grant.clone(),
            union: self.union,
        };
        let first = [NewEvent::on(&self.call, activated), NewEvent::on(&self.proposal, awarded)];
        Ok(first.into_iter().chain(money).collect())
    }
}

impl ActivateReserve {
    fn commitment_of<'a>(&'a self, decision: &'a RoundDecision) -> Option<&'a CommitmentKey> {
        self.commitment.as_ref().or(decision.commitment.as_ref())
    }

    fn money(
        &self,
        world: &World,
        call: &Call,
        cut_off: &CutOffKey,
        decision: &RoundDecision,
    ) -> Result<Option<NewEvent>, Refusal> {
        let Some(asked) = self.union else { return Ok(None) };
        let budget = call.budget.as_ref().ok_or(Rejection::NoBudget)?;
        let left = budget.envelope.minus(call.awarded)?;
        let commitment = self.commitment_of(decision);
        // The total of the round has been taken from the envelope already.
        let counted = decision.union.is_some() && commitment == decision.commitment.as_ref();
        if !counted && asked > left {
            let refusal = Refusal::from(Rejection::EnvelopeExceeded { asked, left });
            return Err(refusal.at("/union"));
        }
        let key = commitment.ok_or(Rejection::NoCommitment)?;
        let fund = world.find(&world.funds, &budget.fund)?;
        let rest = rest_of(fund, budget, key, (&self.call, cut_off), asked)?;
        let wish = CommitIndividually {
            amount: asked,
            commitment: key.clone(),
            fund: budget.fund.clone(),
            grant: self.grant.clone(),
        };
        fund::individual_within(fund, &wish, rest).map(Some)
    }
}

/// Says what became of a decision that a late conflict of interest put in question. The decision
/// stands or its grants are terminated: it is not made again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reexamine {
    /// The call.
    pub call: CallId,
    /// The cut-off whose round it is.
    pub cut_off: CutOffKey,
    /// What came of it, and why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Reexamine {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        if call.check_unquestioned(&self.cut_off).is_ok() {
            call.round(&self.cut_off)?;
            return Err(Rejection::NothingToReexamine(self.cut_off.clone()).into());
        }
        // It is held against a ranking in which nobody in conflict had a part.
        final_ranking(world, &self.call, call, &self.cut_off)?;
        let event =
            Event::Reexamined { cut_off: self.cut_off.clone(), reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

#[cfg(test)]
mod tests;
