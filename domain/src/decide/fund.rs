//! Decides what public money is available, and that it is never committed or paid twice:
//! legal <= individual <= global commitments <= appropriations, per budget line and source.

use crate::decide::prelude::*;
use crate::decide::standing;
use crate::facts::call::CutOffStatus;
use crate::facts::fund::{Event, Fund, Global, Individual, Phase};
use crate::facts::grant;

refusals! {
    Rejection of "fund"

    under OURS, "commitments add up (rules.md#add-up)" => {
        NotPositive(Money) = "an amount must be more than nothing; got {0}";
    }

    under FR, "Art. 110-112: commitments within appropriations" => {
        NoAppropriation { line: BudgetLine, source_key: FundSource }
            = "no appropriation has been voted on line {line} from {source_key}";
    }

    under OURS, "commitments add up (rules.md#add-up)" => {
        CommitmentExists(CommitmentKey) = "global commitment {0} exists already";
    }

    under FR, "Art. 112(4): global commitments" => {
        NoCommitment(CommitmentKey) = "there is no global commitment {0}";
        UnknownRound { call: CallId, round: CutOffKey }
            = "call {call} has no round {round} to commit money for";
    }

    under FR, "Art. 112(3): recipient and amount are known" => {
        UnknownGrant(GrantId)
            = "no proposal was awarded as grant {0}: money is committed to a known recipient";
        GrantClosed(GrantId) = "grant {0} is closed: nothing more is committed to it";
    }

    under FR, "Art. 112(4): global commitments" => {
        OtherCall { commitment: CommitmentKey, call: CallId, grant: GrantId }
            = "commitment {commitment} was made for call {call}, of which {grant} is no grant";
    }

    under FR, "Art. 111: budgetary commitment before legal commitment" => {
        NoIndividualCommitment(GrantId) = "nothing is committed individually to grant {0}";
    }

    under FR, "Art. 112(4): global commitments" => {
        OtherCommitment { grant: GrantId, commitment: CommitmentKey }
            = "grant {grant} draws on commitment {commitment} already";
    }

    under FR, "Art. 110-112: commitments within appropriations" => {
        AppropriationExceeded { asked: Money, left: Money, line: BudgetLine, source_key: FundSource }
            = "{asked} is more than the {left} left of the appropriation on line {line} from \
               {source_key}";
    }

    under FR, "Art. 112(4): global commitments" => {
        EnvelopeExceeded { asked: Money, left: Money, call: CallId }
            = "{asked} is more than the {left} left of the envelope of call {call}";
        GlobalCommitmentExceeded { asked: Money, left: Money, commitment: CommitmentKey }
            = "{asked} is more than the {left} left of global commitment {commitment}";
    }

    under FR, "Art. 111: budgetary commitment before legal commitment" => {
        IndividualCommitmentExceeded { asked: Money, left: Money, grant: GrantId }
            = "{asked} is more than the {left} left of the individual commitment to {grant}";
    }

    under FR, "Art. 116: payments within the legal commitment" => {
        LegalCommitmentExceeded { asked: Money, left: Money, grant: GrantId }
            = "{asked} is more than the {left} left of the legal commitment to {grant}";
        MoreThanPaid { asked: Money, left: Money, grant: GrantId }
            = "{asked} is more than the {left} that was paid to {grant}";
    }

    under OURS, "commitments add up (rules.md#add-up)" => {
        SameFund = "a fund cannot carry over to itself";
    }
}

impl Fund {
    /// What is left of an appropriation.
    ///
    /// # Errors
    /// [`Rejection::NoAppropriation`].
    pub fn available(&self, line: &BudgetLine, source: &FundSource) -> Result<Money, Refusal> {
        let found = self.lines.get(line).and_then(|sources| sources.get(source));
        let found = found.ok_or_else(|| Rejection::NoAppropriation {
            line: line.clone(),
            source_key: source.clone(),
        })?;
        Ok(found.appropriated.minus(found.committed)?)
    }

    /// A global commitment by key.
    ///
    /// # Errors
    /// [`Rejection::NoCommitment`].
    pub fn global(&self, commitment: &CommitmentKey) -> Result<&Global, Refusal> {
        self.commitments
            .get(commitment)
            .ok_or_else(|| Rejection::NoCommitment(commitment.clone()).into())
    }

    /// The individual commitment to a grant.
    ///
    /// # Errors
    /// [`Rejection::NoIndividualCommitment`].
    pub fn individual(&self, grant: &GrantId) -> Result<&Individual, Refusal> {
        self.grants
            .get(grant)
            .ok_or_else(|| Rejection::NoIndividualCommitment(grant.clone()).into())
    }

    fn check_available(
        &self,
        line: &BudgetLine,
        source: &FundSource,
        asked: Money,
    ) -> Result<(), Refusal> {
        let left = self.available(line, source)?;
        if asked > left {
            let (line, source_key) = (line.clone(), source.clone());
            return Err(Rejection::AppropriationExceeded { asked, left, line, source_key }.into());
        }
        Ok(())
    }
}

fn positive(amount: Money) -> Result<Money, Refusal> {
    let amount = amount.in_euro().map_err(|error| Refusal::from(error).at("/amount"))?;
    if amount.is_positive() {
        Ok(amount)
    } else {
        Err(Refusal::from(Rejection::NotPositive(amount)).at("/amount"))
    }
}

/// Reserves money for a call or a round. For commands of other deciders that commit globally.
///
/// The call need not have opened: it opens on the strength of the financing decision, which is what
/// this commitment records (Art. 110 and 112). Once it has opened, a round must be in its calendar.
///
/// # Errors
/// Not positive, a key in use, no such round, or more than the appropriation.
pub fn commit_globally(world: &World, wish: &CommitGlobally) -> Result<NewEvent, Refusal> {
    let fund = world.find(&world.funds, &wish.fund)?;
    positive(wish.amount)?;
    if fund.commitments.contains_key(&wish.commitment) {
        return Err(Rejection::CommitmentExists(wish.commitment.clone()).into());
    }
    if let (Some(call), Some(round)) = (world.calls.get(&wish.call), &wish.round) {
        let held = call.cut_offs.get(round).map(|one| &one.status);
        if held.is_none_or(|status| *status == CutOffStatus::Cancelled) {
            let (call, round) = (wish.call.clone(), round.clone());
            return Err(Refusal::from(Rejection::UnknownRound { call, round }).at("/round"));
        }
    }
    fund.check_available(&wish.line, &wish.source, wish.amount)?;
    Ok(NewEvent::on(
        &wish.fund,
        Event::GloballyCommitted {
            amount: wish.amount,
            call: wish.call.clone(),
            commitment: wish.commitment.clone(),
            line: wish.line.clone(),
            round: wish.round.clone(),
            source: wish.source.clone(),
        },
    ))
}

/// A call that draws on this fund is not committed beyond its envelope.
fn check_envelope(world: &World, id: &FundId, call: &CallId, asked: Money) -> Result<(), Refusal> {
    let budget = world.calls.get(call).and_then(|call| call.budget.as_ref());
    let Some(budget) = budget.filter(|budget| budget.fund == *id) else { return Ok(()) };
    let committed = world.find(&world.funds, id)?.committed_to(call);
    let left = budget.envelope.minus(committed)?;
    if asked > left {
        return Err(Rejection::EnvelopeExceeded { asked, left, call: call.clone() }.into());
    }
    Ok(())
}

fn is_closed(world: &World, grant: &GrantId) -> bool {
    world.grants.get(grant).is_some_and(|known| known.phase() == grant::Phase::Closed)
}

/// The call of a grant: of one that has begun, or of an award that waits for its preparation, since
/// the commitment precedes the signature and not the award.
fn call_of<'a>(world: &'a World, grant: &GrantId) -> Result<&'a CallId, Refusal> {
    if is_closed(world, grant) {
        return Err(Rejection::GrantClosed(grant.clone()).into());
    }
    let origin = world.grants.get(grant).and_then(|known| known.origin.as_ref());
    let awarded = || {
        let mut proposals = world.proposals.values();
        proposals.find(|one| one.grant.as_ref() == Some(grant))?.call.as_ref()
    };
    let call = origin.map(|origin| &origin.call).or_else(awarded);
    call.ok_or_else(|| Rejection::UnknownGrant(grant.clone()).into())
}

/// Turns part of a global commitment into an individual one.
///
/// # Errors
/// No such commitment or grant, one of another call, not positive, or more than is left of it.
pub fn commit_individually(world: &World, wish: &CommitIndividually) -> Result<NewEvent, Refusal> {
    let fund = world.find(&world.funds, &wish.fund)?;
    let global = fund.global(&wish.commitment)?;
    let call = call_of(world, &wish.grant).map_err(|refusal| refusal.at("/grant"))?;
    if *call != global.call {
        let (commitment, call) = (wish.commitment.clone(), global.call.clone());
        let other = Rejection::OtherCall { commitment, call, grant: wish.grant.clone() };
        return Err(Refusal::from(other).at("/commitment"));
    }
    individual_within(fund, wish, global.amount.minus(global.individual)?)
}

/// The rule of [`commit_individually`] against a given rest: a round's award commits globally and
/// individually in one decision, when the global commitment is not yet in the world.
///
/// # Errors
/// Not positive, another commitment, or more than `left`.
pub fn individual_within(
    fund: &Fund,
    wish: &CommitIndividually,
    left: Money,
) -> Result<NewEvent, Refusal> {
    let asked = positive(wish.amount)?;
    if let Some(individual) = fund.grants.get(&wish.grant)
        && individual.commitment != wish.commitment
    {
        let (grant, commitment) = (wish.grant.clone(), individual.commitment.clone());
        return Err(Rejection::OtherCommitment { grant, commitment }.into());
    }
    if asked > left {
        let commitment = wish.commitment.clone();
        return Err(Rejection::GlobalCommitmentExceeded { asked, left, commitment }.into());
    }
    Ok(NewEvent::on(
        &wish.fund,
        Event::IndividuallyCommitted {
            amount: asked,
            commitment: wish.commitment.clone(),
            grant: wish.grant.clone(),
        },
    ))
}

/// Books a signed agreement against its individual commitment.
///
/// # Errors
/// Not positive, nothing committed, or more than is left of the individual commitment.
pub fn commit_legally(
    world: &World,
    fund: &FundId,
    grant: &GrantId,
    amount: Money,
) -> Result<NewEvent, Refusal> {
    let individual = world.find(&world.funds, fund)?.individual(grant)?;
    let asked = positive(amount)?;
    let left = individual.amount.minus(individual.legal)?;
    if asked > left {
        let grant = grant.clone();
        return Err(Rejection::IndividualCommitmentExceeded { asked, left, grant }.into());
    }
    Ok(NewEvent::on(fund, Event::LegallyCommitted { amount, grant: grant.clone() }))
}

/// Books a payment against the legal commitment.
///
/// # Errors
/// Not positive, or more than is left of the legal commitment.
pub fn pay(
    world: &World,
    fund: &FundId,
    grant: &GrantId,
    payment: &PaymentId,
    amount: Money,
) -> Result<NewEvent, Refusal> {
    let individual = world.find(&world.funds, fund)?.individual(grant)?;
    let asked = positive(amount)?;
    let left = individual.legal.minus(individual.paid)?;
    if asked > left {
        return Err(Rejection::LegalCommitmentExceeded { asked, left, grant: grant.clone() }.into());
    }
    let (grant, payment) = (grant.clone(), payment.clone());
    Ok(NewEvent::on(fund, Event::Paid { amount, grant, payment }))
}

/// Books money that came back.
///
/// # Errors
/// Not positive, or more than was paid.
pub fn take_back(
    world: &World,
    fund: &FundId,
    grant: &GrantId,
    payment: &PaymentId,
    amount: Money,
) -> Result<NewEvent, Refusal> {
    let individual = world.find(&world.funds, fund)?.individual(grant)?;
    let asked = positive(amount)?;
    if asked > individual.paid {
        let (left, grant) = (individual.paid, grant.clone());
        return Err(Rejection::MoreThanPaid { asked, left, grant }.into());
    }
    let (grant, payment) = (grant.clone(), payment.clone());
    Ok(NewEvent::on(fund, Event::Returned { amount, grant, payment }))
}

commands! {
    |it| it.fund, Phase;

    VoteAppropriation "fund.vote_appropriation"
        "Vote an appropriation on a budget line from a source"
        by [GoverningBoard] in [new, Open] under FR, "Art. 7: appropriations are entered first";
    IncreaseAppropriation "fund.increase_appropriation"
        "Raise an appropriation by an amending budget"
        by [GoverningBoard] in [Open] under FR, "Art. 44: amending budgets";
    CarryOver "fund.carry_over" "Carry unused appropriation over to the fund of a later year"
        by [AuthorisingOfficer] in [Open]
        under "Delegated Reg. (EU) 2019/887", "Art. 6: unused appropriations re-entered";
    CommitGlobally "fund.commit_globally" "Make a global commitment for a call or a round"
        by [AuthorisingOfficer] in [Open] under FR, "Art. 112(4): global commitments";
    IncreaseCommitment "fund.increase_commitment" "Raise a global commitment"
        by [AuthorisingOfficer] in [Open] under FR, "Art. 112(4): global commitments";
    CommitIndividually "fund.commit_individually" "Commit money to one grant whose amount is known"
        by [AuthorisingOfficer] in [Open] under FR, "Art. 112(3): individual commitments";
    DecommitGlobal "fund.decommit_global" "Release the unused rest of a global commitment"
        by [AuthorisingOfficer] in [Open] under FR, "Art. 114: decommitment";
    DecommitGrant "fund.decommit_grant"
        "Release what no agreement or contract holds of a grant's commitment"
        by [AuthorisingOfficer] in [Open] under FR, "Art. 114: decommitment";
}

/// Votes an appropriation; makes the fund if it is the first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoteAppropriation {
    /// The amount.
    pub amount: Money,
    /// The fund.
    pub fund: FundId,
    /// The budget line.
    pub line: BudgetLine,
    /// Whose money: a programme or a state.
    pub source: FundSource,
}

impl Decide for VoteAppropriation {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let amount = positive(self.amount)?;
        if let Some(fund) = world.funds.get(&self.fund)
            && let Some(line) = fund.lines.get(&self.line).and_then(|l| l.get(&self.source))
        {
            line.appropriated.plus(amount)?;
        }
        let event = Event::AppropriationVoted {
            amount,
            line: self.line.clone(),
            source: self.source.clone(),
        };
        Ok(vec![NewEvent::on(&self.fund, event)])
    }
}

/// Raises an appropriation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncreaseAppropriation {
    /// By how much.
    pub amount: Money,
    /// The fund.
    pub fund: FundId,
    /// The budget line.
    pub line: BudgetLine,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
    /// Whose money.
    pub source: FundSource,
}

impl Decide for IncreaseAppropriation {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let amount = positive(self.amount)?;
        check_reason("reason", &self.reason)?;
        let fund = world.find(&world.funds, &self.fund)?;
        fund.available(&self.line, &self.source)?.plus(amount)?;
        let event = Event::AppropriationIncreased {
            amount,
            line: self.line.clone(),
            reason: self.reason.clone(),
            source: self.source.clone(),
        };
        Ok(vec![NewEvent::on(&self.fund, event)])
    }
}

/// Moves unused appropriation to the fund of a later year.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CarryOver {
    /// How much.
    pub amount: Money,
    /// The fund it leaves.
    pub fund: FundId,
    /// The budget line.
    pub line: BudgetLine,
    /// Whose money.
    pub source: FundSource,
    /// The fund it enters.
    pub to: FundId,
}

impl Decide for CarryOver {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let amount = positive(self.amount)?;
        if self.fund == self.to {
            return Err(Refusal::from(Rejection::SameFund).at("/to"));
        }
        let fund = world.find(&world.funds, &self.fund)?;
        fund.check_available(&self.line, &self.source, amount)?;
        if let Some(to) = world.funds.get(&self.to)
            && let Some(line) = to.lines.get(&self.line).and_then(|l| l.get(&self.source))
        {
            line.appropriated.plus(amount)?;
        }
        let (line, source) = (self.line.clone(), self.source.clone());
        let out = Event::CarriedOver {
            amount,
            line: line.clone(),
            source: source.clone(),
            to: self.to.clone(),
        };
        let into = Event::CarriedIn { amount, from: self.fund.clone(), line, source };
        Ok(vec![NewEvent::on(&self.fund, out), NewEvent::on(&self.to, into)])
    }
}

/// Reserves money for a call or a round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitGlobally {
    /// How much.
    pub amount: Money,
    /// For which call.
    pub call: CallId,
    /// Key of the commitment in this fund.
    pub commitment: CommitmentKey,
    /// The fund.
    pub fund: FundId,
    /// The budget line.
    pub line: BudgetLine,
    /// For which round, if for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<CutOffKey>,
    /// Whose money.
    pub source: FundSource,
}

impl Decide for CommitGlobally {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let committed = commit_globally(world, self)?;
        check_envelope(world, &self.fund, &self.call, self.amount)?;
        Ok(vec![committed])
    }
}

/// Raises a global commitment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncreaseCommitment {
    /// By how much.
    pub amount: Money,
    /// Key of the commitment.
    pub commitment: CommitmentKey,
    /// The fund.
    pub fund: FundId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for IncreaseCommitment {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let amount = positive(self.amount)?;
        check_reason("reason", &self.reason)?;
        let fund = world.find(&world.funds, &self.fund)?;
        let global = fund.global(&self.commitment)?;
        fund.check_available(&global.line, &global.source, amount)?;
        check_envelope(world, &self.fund, &global.call, amount)?;
        let (commitment, reason) = (self.commitment.clone(), self.reason.clone());
        let event = Event::GlobalCommitmentIncreased { amount, commitment, reason };
        Ok(vec![NewEvent::on(&self.fund, event)])
    }
}

/// Turns part of a global commitment into an individual one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitIndividually {
    /// How much.
    pub amount: Money,
    /// Out of which global commitment.
    pub commitment: CommitmentKey,
    /// The fund.
    pub fund: FundId,
    /// To which grant.
    pub grant: GrantId,
}

impl Decide for CommitIndividually {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        Ok(vec![commit_individually(world, self)?])
    }
}

/// Releases the unused rest of a global commitment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecommitGlobal {
    /// How much.
    pub amount: Money,
    /// Key of the commitment.
    pub commitment: CommitmentKey,
    /// The fund.
    pub fund: FundId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for DecommitGlobal {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let asked = positive(self.amount)?;
        check_reason("reason", &self.reason)?;
        let global = world.find(&world.funds, &self.fund)?.global(&self.commitment)?;
        let left = global.amount.minus(global.individual)?;
        let commitment = self.commitment.clone();
        if asked > left {
            return Err(Rejection::GlobalCommitmentExceeded { asked, left, commitment }.into());
        }
        let event =
            Event::GlobalDecommitted { amount: asked, commitment, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.fund, event)])
    }
}

/// Releases what no agreement or contract holds of a grant's commitment, back to its global commitment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecommitGrant {
    /// How much.
    pub amount: Money,
    /// The fund.
    pub fund: FundId,
    /// Of which grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for DecommitGrant {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let asked = positive(self.amount)?;
        check_reason("reason", &self.reason)?;
        let individual = world.find(&world.funds, &self.fund)?.individual(&self.grant)?;
        let left = individual.amount.minus(self.held(world, individual)?)?;
        let grant = self.grant.clone();
        if asked > left {
            return Err(Rejection::IndividualCommitmentExceeded { asked, left, grant }.into());
        }
        let event = Event::GrantDecommitted { amount: asked, grant, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.fund, event)])
    }
}

impl DecommitGrant {
    /// What an agreement or a contract holds stays until the grant is closed: it may still fall due.
    /// Closing releases the rest; later only a payment that the bank returned leaves something.
    fn held(&self, world: &World, individual: &Individual) -> Result<Money, Refusal> {
        if !is_closed(world, &self.grant) {
            return Ok(individual.legal.max(individual.paid));
        }
        let standing = standing::Standing::of(world, &self.grant);
        Ok(individual.paid.plus(standing.in_flight(Some(&self.fund))?)?)
    }
}

#[cfg(test)]
mod tests;
