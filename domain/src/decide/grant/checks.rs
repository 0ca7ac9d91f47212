//! Checks that several commands of a grant share.

use crate::decide::grant::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::fund;
use crate::facts::grant::Grant;

impl Grant {
    pub(crate) fn check_applicant(&self, meta: &Meta) -> Result<(), Refusal> {
        let applicant = self.origin.as_ref().and_then(|origin| origin.applicant.as_ref());
        let me = [Some(&meta.actor.id), meta.actor.on_behalf_of.as_ref()];
        if applicant.is_none() || me.contains(&applicant) {
            Ok(())
        } else {
            Err(Rejection::NotApplicant.into())
        }
    }

    /// The fund that pays: the one named, or the grant's own, or the only one that has committed.
    pub(crate) fn paying_fund(
        &self,
        world: &World,
        id: &GrantId,
        named: Option<&FundId>,
    ) -> Result<FundId, Refusal> {
        let own = self.origin.as_ref().and_then(|origin| origin.fund.as_ref());
        if let Some(fund) = named.or(own) {
            return Ok(fund.clone());
        }
        let mut funds = committed_funds(world, id);
        match (funds.next(), funds.next()) {
            (Some((fund, _)), None) => Ok(fund.clone()),
            (None, _) => Err(Rejection::NotCommitted(id.clone()).into()),
            _ => Err(Rejection::SeveralFunds(id.clone()).into()),
        }
    }
}

/// No agreement and no contract on an award that a late conflict of interest put in question.
pub(crate) fn check_award(world: &World, grant: &Grant) -> Result<(), Refusal> {
    let Some(origin) = &grant.origin else { return Ok(()) };
    let call = world.find(&world.calls, &origin.call)?;
    let round = world.proposals.get(&origin.proposal).and_then(|one| one.cut_off.as_ref());
    round.map_or(Ok(()), |round| call.check_unquestioned(round))
}

pub(crate) fn check_dates(from: Date, to: Date) -> Result<(), Refusal> {
    if to < from { Err(Rejection::Backwards { from, to }.into()) } else { Ok(()) }
}

/// Every fund whose individual commitment to a grant has not been released in full.
pub(crate) fn committed_funds<'a>(
    world: &'a World,
    grant: &'a GrantId,
) -> impl Iterator<Item = (&'a FundId, &'a fund::Individual)> {
    world.funds.iter().filter_map(move |(id, fund)| {
        let individual = fund.grants.get(grant)?;
        individual.amount.is_positive().then_some((id, individual))
    })
}

pub(crate) fn check_other_person(
    meta: &Meta,
    other: &Actor,
    step: &'static str,
) -> Result<(), Refusal> {
    if meta.actor.may_be(other) { Err(Rejection::SamePerson(step).into()) } else { Ok(()) }
}
