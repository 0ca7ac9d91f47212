//! What funds, awards and pledges say about money.

use crate::fold::{Fold, confidence};
use domain::facts::commit::Recorded;
use domain::facts::{call, fund, grant, pledge};
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{
    BudgetLine, CallId, CommitmentKey, Country, CutOffKey, FundId, FundSource, GrantId, PledgeId,
    ProposalId, StreamKey,
};
use domain::kernel::money::Money;
use domain::{Commit, Event};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A round of a call, by its cut-off; none for what was committed beside rounds.
type RoundOf<'a> = (&'a CallId, Option<&'a CutOffKey>);

/// Figures as they were recorded; sums are made when asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    pub(crate) funds: OrdMap<FundId, Fund>,
    pub(crate) calls: OrdMap<CallId, Arc<Call>>,
    pub(crate) grants: OrdMap<GrantId, Arc<Grant>>,
    pub(crate) pledges: OrdMap<PledgeId, Arc<Pledge>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fund {
    /// Appropriations by line, then source.
    pub lines: OrdMap<BudgetLine, OrdMap<FundSource, Appropriation>>,
    pub commitments: OrdMap<CommitmentKey, Arc<Global>>,
    pub grants: OrdMap<GrantId, Arc<Individual>>,
}

/// What a line has from a source, and the least sure of what says so. So in every row below: one mark
/// for all that the row rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Appropriation {
    pub amount: Money,
    pub confidence: Option<Confidence>,
}

/// A global commitment. What it is for is unknown while the event that says so is hidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Global {
    pub purpose: Option<Purpose>,
    pub amount: Money,
    pub decommitted: Money,
    pub confidence: Option<Confidence>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Purpose {
    pub call: CallId,
    pub line: BudgetLine,
    pub round: Option<CutOffKey>,
    pub source: FundSource,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Individual {
    pub commitment: Option<CommitmentKey>,
    pub amount: Money,
    pub legal: Money,
    pub paid: Money,
    pub decommitted: Money,
    pub confidence: Option<Confidence>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Of its envelope.
    pub confidence: Option<Confidence>,
    pub title: Option<String>,
    pub envelope: Option<Money>,
    /// Whether its rules give money; calls for access to compute time give none.
    pub gives_money: bool,
    /// By cut-off.
    pub rounds: OrdMap<CutOffKey, Round>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub confidence: Option<Confidence>,
    /// What each funded proposal gets from the Union, when known.
    pub funded: OrdMap<ProposalId, Option<Money>>,
    /// What the Union gives to all of them, when decided as one sum.
    pub union: Option<Money>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub call: Option<CallId>,
    pub round: Option<CutOffKey>,
    pub country: Option<Country>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pledge {
    /// Of what is promised.
    pub confidence: Option<Confidence>,
    pub promise: Option<pledge::Promise>,
    pub steps: Steps,
    pub withdrawn: bool,
}

/// How far a contribution has come; each amount is the sum of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steps {
    pub promised: Money,
    pub signed: Money,
    pub reported: Money,
    pub certified: Money,
    pub counted: Money,
}

/// What became of some commitments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub committed: Money,
    pub individual: Money,
    pub legal: Money,
    pub paid: Money,
    pub decommitted: Money,
    /// Of all of them.
    pub confidence: Option<Confidence>,
}

impl Fold for Books {
    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let sure = confidence(commit);
        match &event.event {
            Event::Fund(inner) => {
                if let Some(id) = FundId::of_stream(&event.stream) {
                    self.funds.entry(id).or_default().apply(inner, sure);
                }
            }
            Event::Call(inner) => {
                if let Some(id) = CallId::of_stream(&event.stream) {
                    self.apply_call(&id, inner, sure);
                }
            }
            Event::Grant(inner) => {
                if let Some(id) = GrantId::of_stream(&event.stream) {
                    self.apply_grant(id, inner);
                }
            }
            Event::Pledge(inner) => {
                if let Some(id) = PledgeId::of_stream(&event.stream) {
                    Arc::make_mut(self.pledges.entry(id).or_default()).apply(inner, sure);
                }
            }
            _ => {}
        }
    }
}

impl Books {
    fn apply_call(&mut self, id: &CallId, event: &call::Event, sure: Option<Confidence>) {
        use call::Event as E;
        match event {
            E::Opened { budget, rules, title, .. } => {
                let call = self.call(id);
                call.gives_money = budget.is_some() || rules.funding.is_some();
                call.title = Some(title.clone());
                call.envelope = budget.as_ref().map(|budget| budget.envelope);
                call.confidence = call.confidence.max(sure);
            }
            E::BudgetRaised { by, .. } => {
                let call = self.call(id);
                call.confidence = call.confidence.max(sure);
                if let Some(envelope) = &mut call.envelope {
                    envelope.add(*by);
                }
            }
            E::RoundAwarded { cut_off, funded, union, .. } => {
                for award in funded {
                    self.place(&award.grant, id, cut_off);
                }
                let round = self.round(id, cut_off);
                round.confidence = round.confidence.max(sure);
                round.union = *union;
                round.funded.extend(funded.iter().map(|it| (it.proposal.clone(), it.union)));
            }
            E::ReserveActivated { cut_off, grant, proposal, union, .. } => {
                self.place(grant, id, cut_off);
                let round = self.round(id, cut_off);
                round.confidence = round.confidence.max(sure);
                round.funded.insert(proposal.clone(), *union);
                // A sum that was decided for the others grows by what is known, or is unknown.
                round.union = round.union.and_then(|sum| sum.plus((*union)?).ok());
            }
            E::CutOffAdded { .. }
            | E::CutOffMoved { .. }
            | E::CutOffCancelled { .. }
            | E::CutOffClosed { .. }
            | E::AdmittedAfterClosing { .. }
            | E::ReexaminationDue { .. }
            | E::Reexamined { .. }
            | E::Exhausted { .. }
            | E::Closed { .. } => {}
        }
    }

    fn call(&mut self, id: &CallId) -> &mut Call {
        Arc::make_mut(self.calls.entry(id.clone()).or_default())
    }

    fn round(&mut self, id: &CallId, cut_off: &CutOffKey) -> &mut Round {
        self.call(id).rounds.entry(cut_off.clone()).or_default()
    }

    fn place(&mut self, grant: &GrantId, call: &CallId, cut_off: &CutOffKey) {
        let grant = Arc::make_mut(self.grants.entry(grant.clone()).or_default());
        (grant.call, grant.round) = (Some(call.clone()), Some(cut_off.clone()));
    }

    fn apply_grant(&mut self, id: GrantId, event: &grant::Event) {
        use grant::Event as E;
        match event {
            E::Prepared(origin) => {
                let grant = Arc::make_mut(self.grants.entry(id).or_default());
                grant.call = Some(origin.call.clone());
                grant.country = origin.country.or(grant.country);
            }
            // What these change about money is in the funds and pledges.
            E::BudgetSet(_)
            | E::HostingAgreed { .. }
            | E::ProcurementStarted { .. }
            | E::ContractSigned(_)
            | E::Accepted {}
            | E::Signed(_)
            | E::AmendmentRequested { .. }
            | E::Amended { .. }
            | E::AmendmentRefused { .. }
            | E::AccountNamed { .. }
            | E::AccountConfirmed { .. }
            | E::AccountRefused { .. }
            | E::Suspended { .. }
            | E::Resumed { .. }
            | E::Terminated { .. }
            | E::ReportSubmitted { .. }
            | E::ReportAssessed { .. }
            | E::Closed {} => {}
        }
    }

    /// Every round of every call that has an award, a commitment or a pledge. `None`: the call as a
    /// whole.
    pub(crate) fn rounds(&self) -> std::collections::BTreeSet<(CallId, Option<CutOffKey>)> {
        let awarded = self.calls.iter().flat_map(|(id, call)| {
            call.rounds.keys().map(|cut_off| (id.clone(), Some(cut_off.clone())))
        });
        let committed = self.funds.values().flat_map(|fund| fund.commitments.values());
        let committed = committed.filter_map(|global| global.purpose.as_ref());
        let committed = committed.map(|purpose| (purpose.call.clone(), purpose.round.clone()));
        let pledged = self.families().filter_map(|family| self.round_of(family));
        awarded.chain(committed).chain(pledged).collect()
    }

    /// For which call and round a pledge is: its own words, or else those of its grant.
    pub(crate) fn round_of(&self, pledge: &Pledge) -> Option<(CallId, Option<CutOffKey>)> {
        let promise = pledge.promise.as_ref()?;
        let grant = promise.grant.as_ref().and_then(|grant| self.grants.get(grant));
        let round = promise.round.clone().or_else(|| grant.and_then(|grant| grant.round.clone()));
        Some((promise.call.clone(), round))
    }

    /// The pledges that are no parts of others.
    pub(crate) fn families(&self) -> impl Iterator<Item = &Pledge> {
        let whole = |pledge: &&Arc<Pledge>| {
            pledge.promise.as_ref().is_some_and(|promise| promise.part_of.is_none())
        };
        self.pledges.values().filter(whole).filter(|pledge| !pledge.withdrawn).map(|it| &**it)
    }

    /// The sums of the parts of each umbrella.
    pub(crate) fn parts(&self) -> BTreeMap<&PledgeId, Steps> {
        let mut parts: BTreeMap<&PledgeId, Steps> = BTreeMap::new();
        for pledge in self.pledges.values().filter(|pledge| !pledge.withdrawn) {
            let umbrella = pledge.promise.as_ref().and_then(|promise| promise.part_of.as_ref());
            if let Some(umbrella) = umbrella {
                parts.entry(umbrella).or_default().add(&pledge.steps);
            }
        }
        parts
    }

    /// What is committed for each round of each call, and how sure that is, whatever the grants draw on it.
    pub(crate) fn committed(&self) -> BTreeMap<RoundOf<'_>, (Money, Option<Confidence>)> {
        let mut committed: BTreeMap<_, (Money, Option<Confidence>)> = BTreeMap::new();
        for global in self.funds.values().flat_map(|fund| fund.commitments.values()) {
            if let Some(purpose) = &global.purpose {
                let round = (&purpose.call, purpose.round.as_ref());
                let (sum, sure) = committed.entry(round).or_default();
                sum.add(global.amount);
                *sure = (*sure).max(global.confidence);
            }
        }
        committed
    }

    /// The sums of the commitments whose purpose is so, and of the grants that draw on them.
    pub(crate) fn sums(&self, of: impl Fn(&Purpose) -> bool) -> Option<Sums> {
        let mut sums: Option<Sums> = None;
        for fund in self.funds.values() {
            if let Some(some) = fund.sums(&of) {
                sums.get_or_insert_default().add(&some);
            }
        }
        sums
    }
}

impl Round {
    /// What the Union gives, as decided.
    pub fn decided(&self) -> Option<Money> {
        self.union.or_else(|| self.funded.values().copied().sum_known())
    }
}

impl Pledge {
    fn apply(&mut self, event: &pledge::Event, sure: Option<Confidence>) {
        use pledge::Event as E;
        if matches!(event, E::Made(_) | E::Raised { .. }) {
            self.confidence = self.confidence.max(sure);
        }
        match event {
            E::Made(promise) => {
                self.steps.promised.add(promise.amount);
                self.promise = Some(promise.clone());
            }
            E::Raised { amount, .. } => self.steps.promised.add(*amount),
            E::Signed { amount, .. } => self.steps.signed.add(*amount),
            E::Reported { amount } => self.steps.reported.add(*amount),
            E::Certified { amount, .. } => self.steps.certified.add(*amount),
            E::Counted { amount } => self.steps.counted.add(*amount),
            E::Withdrawn { .. } => self.withdrawn = true,
        }
    }

    /// Whether it is a match of the Union's money. Regional money is shown apart, and the Recovery
    /// and Resilience Facility is Union money itself.
    pub fn matches(&self) -> bool {
        self.promise.as_ref().is_some_and(|promise| match promise.kind {
            pledge::PledgeKind::Cash | pledge::PledgeKind::InKind => true,
            pledge::PledgeKind::Regional | pledge::PledgeKind::Rrf => false,
        })
    }
}

impl Steps {
    fn with(&mut self, other: &Self, change: impl Fn(&mut Money, Money)) {
        change(&mut self.promised, other.promised);
        change(&mut self.signed, other.signed);
        change(&mut self.reported, other.reported);
        change(&mut self.certified, other.certified);
        change(&mut self.counted, other.counted);
    }

    pub fn add(&mut self, other: &Self) {
        self.with(other, |mine, theirs| mine.add(theirs));
    }

    /// An umbrella and its parts: a step may have been recorded on the one, on the others, or on
    /// both, and is the same money.
    pub fn cover(&mut self, parts: &Self) {
        self.with(parts, |mine, theirs| *mine = (*mine).max(theirs));
    }

    pub fn subtract(&mut self, other: &Self) {
        self.with(other, |mine, theirs| mine.subtract(theirs));
    }
}

impl Fund {
    fn apply(&mut self, event: &fund::Event, sure: Option<Confidence>) {
        use fund::Event as E;
        match event {
            E::AppropriationVoted { amount, line, source }
            | E::AppropriationIncreased { amount, line, source, .. }
            | E::CarriedIn { amount, line, source, .. } => {
                self.line(line, source, sure).add(*amount);
            }
            E::CarriedOver { amount, line, source, .. } => {
                self.line(line, source, sure).subtract(*amount);
            }
            E::GloballyCommitted { amount, call, commitment, line, round, source } => {
                let (call, line) = (call.clone(), line.clone());
                let (round, source) = (round.clone(), source.clone());
                let global = self.global(commitment, sure);
                global.amount.add(*amount);
                global.purpose = Some(Purpose { call, line, round, source });
            }
            E::GlobalCommitmentIncreased { amount, commitment, .. } => {
                self.global(commitment, sure).amount.add(*amount);
            }
            E::GlobalDecommitted { amount, commitment, .. } => {
                let global = self.global(commitment, sure);
                global.amount.subtract(*amount);
                global.decommitted.add(*amount);
            }
            E::IndividuallyCommitted { amount, commitment, grant } => {
                let individual = self.individual(grant, sure);
                individual.amount.add(*amount);
                individual.commitment = Some(commitment.clone());
            }
            E::LegallyCommitted { amount, grant } => {
                self.individual(grant, sure).legal.add(*amount);
            }
            E::Paid { amount, grant, .. } => self.individual(grant, sure).paid.add(*amount),
            E::Returned { amount, grant, .. } => {
                self.individual(grant, sure).paid.subtract(*amount);
            }
            E::GrantDecommitted { amount, grant, .. } => {
                let individual = self.individual(grant, sure);
                individual.amount.subtract(*amount);
                individual.legal = individual.legal.min(individual.amount);
                individual.decommitted.add(*amount);
            }
        }
    }

    fn line(
        &mut self,
        line: &BudgetLine,
        source: &FundSource,
        sure: Option<Confidence>,
    ) -> &mut Money {
        let sources = self.lines.entry(line.clone()).or_default();
        let it = sources.entry(source.clone()).or_default();
        it.confidence = it.confidence.max(sure);
        &mut it.amount
    }

    fn global(&mut self, commitment: &CommitmentKey, sure: Option<Confidence>) -> &mut Global {
        let it = Arc::make_mut(self.commitments.entry(commitment.clone()).or_default());
        it.confidence = it.confidence.max(sure);
        it
    }

    fn individual(&mut self, grant: &GrantId, sure: Option<Confidence>) -> &mut Individual {
        let it = Arc::make_mut(self.grants.entry(grant.clone()).or_default());
        it.confidence = it.confidence.max(sure);
        it
    }
}

impl Sums {
    /// Globally committed, less what was decommitted and what was paid (RAL).
    pub fn open(&self) -> Money {
        let mut open = self.committed;
        open.subtract(self.paid);
        open
    }

    pub fn add(&mut self, other: &Self) {
        self.committed.add(other.committed);
        self.individual.add(other.individual);
        self.legal.add(other.legal);
        self.paid.add(other.paid);
        self.decommitted.add(other.decommitted);
        self.confidence = self.confidence.max(other.confidence);
    }
}

impl Fund {
    /// Every line and source with its appropriation, which is unknown while only commitments of it
    /// are seen.
    pub fn all_lines(&self) -> BTreeMap<(&BudgetLine, &FundSource), Option<Appropriation>> {
        let purposes = self.commitments.values().filter_map(|global| global.purpose.as_ref());
        let committed = purposes.map(|purpose| ((&purpose.line, &purpose.source), None));
        let voted = self.lines.iter().flat_map(|(line, sources)| {
            sources.iter().map(move |(source, it)| ((line, source), Some(*it)))
        });
        committed.chain(voted).collect()
    }

    /// The sums of the grants that draw on each global commitment.
    pub fn drawn(&self) -> BTreeMap<&CommitmentKey, Sums> {
        let mut drawn: BTreeMap<&CommitmentKey, Sums> = BTreeMap::new();
        for individual in self.grants.values() {
            if let Some(commitment) = &individual.commitment {
                drawn.entry(commitment).or_default().add(&individual.sums());
            }
        }
        drawn
    }

    /// The sums of each budget line and source.
    pub fn sums_by_line(&self) -> BTreeMap<(&BudgetLine, &FundSource), Sums> {
        let drawn = self.drawn();
        let mut by_line: BTreeMap<_, Sums> = BTreeMap::new();
        for (key, global) in &self.commitments {
            let Some(purpose) = &global.purpose else { continue };
            let sums = by_line.entry((&purpose.line, &purpose.source)).or_default();
            sums.committed.add(global.amount);
            sums.decommitted.add(global.decommitted);
            sums.confidence = sums.confidence.max(global.confidence);
            if let Some(drawn) = drawn.get(key) {
                sums.add(drawn);
            }
        }
        by_line
    }

    /// `None` when there is no such commitment.
    pub fn sums(&self, of: impl Fn(&Purpose) -> bool) -> Option<Sums> {
        let mine = |global: &Global| global.purpose.as_ref().is_some_and(&of);
        let mut sums: Option<Sums> = None;
        for global in self.commitments.values().filter(|global| mine(global)) {
            let sums = sums.get_or_insert_default();
            sums.committed.add(global.amount);
            sums.decommitted.add(global.decommitted);
            sums.confidence = sums.confidence.max(global.confidence);
        }
        let sums = sums.as_mut()?;
        for individual in self.grants.values() {
            let global = individual.commitment.as_ref().and_then(|key| self.commitments.get(key));
            if global.is_some_and(|global| mine(global)) {
                sums.add(&individual.sums());
            }
        }
        Some(*sums)
    }
}

impl Individual {
    pub fn sums(&self) -> Sums {
        let Self { amount: individual, legal, paid, confidence, .. } = *self;
        Sums { individual, legal, paid, confidence, ..Sums::default() }
    }
}

/// Sums in which one unknown part makes the whole unknown.
pub(crate) trait SumKnown {
    fn sum_known(self) -> Option<Money>;
}

impl<I: Iterator<Item = Option<Money>>> SumKnown for I {
    fn sum_known(mut self) -> Option<Money> {
        let first = self.next()??;
        self.try_fold(first, |sum, part| sum.plus(part?).ok())
    }
}
