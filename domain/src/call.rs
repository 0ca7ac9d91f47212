//! Decides when a call takes proposals: it opens with its rules, keeps a calendar of cut-offs, and each
//! cut-off closes at its instant over exactly the proposals received by then. Awards are in `round.rs`.

use crate::canonical::{self, Sha256Hex};
use crate::command::{
    Command, Decision, Declaration, Entry, Meta, NEW, Need, NewEvent, Role, check_text, entry,
};
use crate::ids::{CallId, FundId, GrantId, Key, ProposalId, StreamId, StreamKey, TimerId};
use crate::money::Money;
use crate::proposal;
use crate::rejection::{Common, Kind, Reason, Refusal, Rule};
use crate::round::{ActivateReserve, AwardRound, Reexamine};
use crate::rules::Document;
use crate::text::check_reason;
use crate::time::LocalTime;
use crate::timer;
use crate::world::{At, Decider, World};
use imbl::OrdMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most cut-offs that a call may have.
pub const CUT_OFFS_MAX: usize = 200;
/// The most proposals that one round can take: their ranking and their award are one commit each, which
/// has room for so many with the longest ids and reasons.
pub const PROPOSALS_PER_ROUND_MAX: usize = 50;
/// The longest reason in a ranking or an award, in bytes of JSON: there is one for every proposal, and
/// an award writes it twice, into the call and into the proposal.
pub const ROUND_REASON_BYTES_MAX: usize = 250;

/// What happens to a call. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "call.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// It opened, with the rules that it keeps.
    #[serde(rename = "call.Opened")]
    Opened {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<Budget>,
        cut_offs: Vec<CutOffAt>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens_until: Option<LocalTime>,
        rules: Arc<Document>,
        rules_sha256: Sha256Hex,
        title: String,
    },
    /// A cut-off was added to the calendar.
    #[serde(rename = "call.CutOffAdded")]
    CutOffAdded { at: LocalTime, cut_off: Key, reason: String },
    /// A cut-off was moved.
    #[serde(rename = "call.CutOffMoved")]
    CutOffMoved { at: LocalTime, cut_off: Key, from: LocalTime, reason: String },
    /// A cut-off was cancelled: its proposals fall to the next.
    #[serde(rename = "call.CutOffCancelled")]
    CutOffCancelled { cut_off: Key, reason: String },
    /// A cut-off closed over the proposals that were received by its instant.
    #[serde(rename = "call.CutOffClosed")]
    CutOffClosed { admitted: Vec<ProposalId>, at: LocalTime, cut_off: Key },
    /// A proposal that was received in time was recorded only after its cut-off had closed.
    #[serde(rename = "call.AdmittedAfterClosing")]
    AdmittedAfterClosing { cut_off: Key, proposal: ProposalId },
    /// The envelope was raised.
    #[serde(rename = "call.BudgetRaised")]
    BudgetRaised { by: Money, reason: String },
    /// A round was decided.
    #[serde(rename = "call.RoundAwarded")]
    RoundAwarded {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<Key>,
        cut_off: Key,
        funded: Vec<Funded>,
        rejected: Vec<Rejected>,
        reserve: Vec<ProposalId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
    /// A proposal of the reserve list was awarded after all.
    #[serde(rename = "call.ReserveActivated")]
    ReserveActivated {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<Key>,
        cut_off: Key,
        grant: GrantId,
        proposal: ProposalId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        union: Option<Money>,
    },
    /// What the decision of a round rested on is void: a conflict of interest was learnt after it.
    #[serde(rename = "call.ReexaminationDue")]
    ReexaminationDue { cut_off: Key, proposal: ProposalId },
    /// The decision of a round was looked at again.
    #[serde(rename = "call.Reexamined")]
    Reexamined { cut_off: Key, reason: String },
    /// The money is used up: no more proposals are taken.
    #[serde(rename = "call.Exhausted")]
    Exhausted { reason: String },
    /// No more proposals are taken, for good.
    #[serde(rename = "call.Closed")]
    Closed { reason: String },
}

/// Where the money of a call comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What the call may award in all.
    pub envelope: Money,
    /// The fund.
    pub fund: FundId,
    /// Its budget line.
    pub line: Key,
    /// Whose money.
    pub source: Key,
}

/// A line of the calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CutOffAt {
    /// When it closes, in the call's zone.
    pub at: LocalTime,
    /// Its key, for example `R1`.
    pub key: Key,
}

/// An award.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Funded {
    /// The grant that it becomes.
    pub grant: GrantId,
    /// The proposal.
    pub proposal: ProposalId,
    /// What the Union gives; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union: Option<Money>,
}

/// A rejection with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// The proposal.
    pub proposal: ProposalId,
    /// Why.
    #[schemars(length(min = 1, max = 250))]
    pub reason: String,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where it is in its life.
    pub phase: Phase,
    /// Full name.
    pub title: String,
    /// The rules that it opened with; there from the first event on.
    pub rules: Option<Arc<Document>>,
    /// Digest of their canonical JSON.
    pub rules_sha256: Option<Sha256Hex>,
    /// When it stops taking proposals.
    pub opens_until: Option<LocalTime>,
    /// Where the money comes from; the envelope includes later increases.
    pub budget: Option<Budget>,
    /// Union money awarded so far, as far as it is known.
    pub awarded: Money,
    /// The calendar, cancelled cut-offs included.
    pub cut_offs: OrdMap<Key, CutOff>,
}

/// Where a call is in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// Takes proposals.
    #[default]
    Open,
    /// Takes none: the money is used up.
    Exhausted,
    /// Takes none, for good.
    Closed,
}

/// One cut-off and its round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutOff {
    /// When it closes or closed.
    pub at: LocalTime,
    /// The same as an instant.
    pub instant: Timestamp,
    /// What became of it.
    pub status: CutOffStatus,
}

/// What became of a cut-off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutOffStatus {
    /// Not yet closed.
    Open,
    /// Will not take place.
    Cancelled,
    /// Closed over these proposals.
    Closed(Arc<Round>),
}

/// What a closed cut-off holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The proposals in it.
    pub admitted: Vec<ProposalId>,
    /// The decision on them, once there is one.
    pub decision: Option<RoundDecision>,
}

/// The decision on a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundDecision {
    /// The global commitment that it draws on.
    pub commitment: Option<Key>,
    /// When it was taken.
    pub decided_at: Timestamp,
    /// Union total as decided.
    pub union: Option<Money>,
    /// Awards, reserve activations included.
    pub funded: Vec<Funded>,
    /// Reserve list in rank order, without those activated.
    pub reserve: Vec<ProposalId>,
    /// Rejections.
    pub rejected: Vec<ProposalId>,
    /// Proposals in which a conflict of interest was learnt since; the decision is to be looked at again.
    pub questioned: Vec<ProposalId>,
}

/// Why a call says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The rules document has mistakes.
    #[error("the rules document has {count} mistakes: {list}")]
    BadRules { count: usize, list: String },
    /// More cut-offs than a calendar holds.
    #[error("a call has at most {CUT_OFFS_MAX} cut-offs")]
    TooManyCutOffs,
    /// Two cut-offs of one key or one instant.
    #[error("cut-off {0} has the key or the instant of another")]
    CutOffTwice(Key),
    /// No such cut-off.
    #[error("the call has no cut-off {0}")]
    NoCutOff(Key),
    /// A cut-off of the past.
    #[error("cut-off {cut_off} would lie at {at}, and it is {now}")]
    CutOffInThePast { cut_off: Key, at: Timestamp, now: Timestamp },
    /// A cut-off after the end of the call.
    #[error("cut-off {0} lies after the end of the call")]
    CutOffAfterEnd(Key),
    /// It closed, and a closed cut-off never opens again.
    #[error("cut-off {0} has closed; it does not open again")]
    CutOffClosed(Key),
    /// It was cancelled.
    #[error("cut-off {0} was cancelled")]
    CutOffCancelled(Key),
    /// Its instant has not come.
    #[error("cut-off {cut_off} closes at {at}, and it is {now}")]
    CutOffNotDue { cut_off: Key, at: Timestamp, now: Timestamp },
    /// It has not closed.
    #[error("cut-off {0} has not closed yet")]
    CutOffOpen(Key),
    /// Zero or less.
    #[error("an amount must be more than nothing; got {0}")]
    NotPositive(Money),
    /// The call gives no money that we know of.
    #[error("the call has no budget")]
    NoBudget,
    /// The round was decided already.
    #[error("the round of cut-off {0} has been decided already")]
    RoundDecided(Key),
    /// A conflict of interest was learnt after the decision.
    #[error(
        "a conflict of interest was learnt after cut-off {0} was decided: it is to be reexamined"
    )]
    ReexaminationDue(Key),
    /// Nothing to look at again.
    #[error("nothing of the decision on cut-off {0} is to be reexamined")]
    NothingToReexamine(Key),
    /// A proposal in two lists, or twice in one.
    #[error("proposal {0} is named twice")]
    NamedTwice(ProposalId),
    /// A proposal of another round.
    #[error("proposal {proposal} is not in the round of cut-off {cut_off}")]
    NotInRound { proposal: ProposalId, cut_off: Key },
    /// Not yet checked.
    #[error("proposal {0} has not been checked for admissibility and eligibility")]
    NotChecked(ProposalId),
    /// Not to be decided.
    #[error("proposal {proposal} is {phase}: there is nothing to decide on it")]
    NotEligible { proposal: ProposalId, phase: &'static str },
    /// An eligible proposal was left out.
    #[error("the decision leaves out {0}, which is eligible")]
    LeftOut(ProposalId),
    /// The panel has not ranked the round.
    #[error("the round of cut-off {0} has not been ranked by its panel")]
    NotRanked(Key),
    /// Below a threshold.
    #[error("proposal {0} did not pass every threshold")]
    BelowThreshold(ProposalId),
    /// Passed over without a reason.
    #[error("proposal {skipped} ranks above {funded}: fund it, or reject it with a reason")]
    PassedOver { skipped: ProposalId, funded: ProposalId },
    /// The reserve list is not in rank order.
    #[error("the reserve list is in the order of the ranking; {0} is out of place")]
    ReserveOutOfOrder(ProposalId),
    /// Not the first of the reserve list.
    #[error("{next} is next on the reserve list, not {asked}")]
    NotNextInReserve { asked: ProposalId, next: ProposalId },
    /// Not on the reserve list.
    #[error("proposal {0} is not on the reserve list")]
    NotInReserve(ProposalId),
    /// A grant id in use.
    #[error("grant {0} exists already")]
    GrantExists(GrantId),
    /// More than was asked for.
    #[error("{asked} is more than the {requested} that {proposal} asked for")]
    MoreThanRequested { asked: Money, requested: Money, proposal: ProposalId },
    /// More than the envelope.
    #[error("{asked} is more than the {left} left of the call's envelope")]
    EnvelopeExceeded { asked: Money, left: Money },
    /// The parts are more than the whole.
    #[error("the known amounts make {sum}, more than the round's total of {union}")]
    PartsExceedTotal { sum: Money, union: Money },
    /// Money without a commitment to draw on.
    #[error("money is awarded out of a global commitment: name its key")]
    NoCommitment,
    /// A commitment for something else.
    #[error("global commitment {0} was made for another call, round, line or source")]
    OtherCommitment(Key),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = CallId::CATEGORY;

    fn rule(&self) -> Rule {
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        match self {
            Self::BadRules { .. } => Rule::ours("rules are data (design.md, 5)"),
            Self::TooManyCutOffs => Rule::ours("every input has a limit"),
            Self::CutOffTwice(_)
            | Self::NoCutOff(_)
            | Self::CutOffInThePast { .. }
            | Self::CutOffAfterEnd(_)
            | Self::CutOffClosed(_)
            | Self::CutOffCancelled(_)
            | Self::CutOffNotDue { .. }
            | Self::CutOffOpen(_)
            | Self::NotInRound { .. } => Rule::ours("the calendar of cut-offs (design.md, 10.8)"),
            Self::NotChecked(_) | Self::NotEligible { .. } => {
                Rule::of("rules document", "submission.questions, eligibility.questions")
            }
            Self::NotRanked(_)
            | Self::BelowThreshold(_)
            | Self::PassedOver { .. }
            | Self::ReserveOutOfOrder(_)
            | Self::NotNextInReserve { .. }
            | Self::NotInReserve(_) => Rule::of("rules document", "evaluation"),
            Self::ReexaminationDue(_) | Self::NothingToReexamine(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 61: conflict of interests")
            }
            Self::RoundDecided(_)
            | Self::NamedTwice(_)
            | Self::LeftOut(_)
            | Self::GrantExists(_) => {
                Rule::ours("a round is decided once and whole (design.md, 2)")
            }
            Self::NotPositive(_)
            | Self::NoBudget
            | Self::MoreThanRequested { .. }
            | Self::EnvelopeExceeded { .. }
            | Self::PartsExceedTotal { .. } => Rule::ours("commitments add up (design.md, 10.2)"),
            Self::NoCommitment | Self::OtherCommitment(_) => {
                Rule::of(FINANCIAL_REGULATION, "Art. 112(4): global commitments")
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoCutOff(_) => Kind::NotFound,
            Self::BadRules { .. } | Self::TooManyCutOffs => Kind::Malformed,
            Self::CutOffClosed(_)
            | Self::CutOffCancelled(_)
            | Self::RoundDecided(_)
            | Self::GrantExists(_) => Kind::Conflict,
            _ => Kind::Rule,
        }
    }
}

impl Decider for Call {
    type Id = CallId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        self.phase.into()
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Opened { budget, cut_offs, opens_until, rules, rules_sha256, title } => {
                self.budget.clone_from(budget);
                self.opens_until.clone_from(opens_until);
                self.rules = Some(Arc::clone(rules));
                self.rules_sha256 = Some(*rules_sha256);
                self.title.clone_from(title);
                for cut_off in cut_offs {
                    self.put(&cut_off.key, &cut_off.at, CutOffStatus::Open);
                }
            }
            Event::CutOffAdded { at, cut_off, .. } | Event::CutOffMoved { at, cut_off, .. } => {
                self.put(cut_off, at, CutOffStatus::Open);
            }
            Event::CutOffCancelled { cut_off, .. } => {
                if let Some(found) = self.cut_offs.get_mut(cut_off) {
                    found.status = CutOffStatus::Cancelled;
                }
            }
            Event::CutOffClosed { admitted, at, cut_off } => {
                let round = Round { admitted: admitted.clone(), decision: None };
                self.put(cut_off, at, CutOffStatus::Closed(Arc::new(round)));
            }
            Event::AdmittedAfterClosing { cut_off, proposal } => {
                self.change_round(cut_off, |round| round.admitted.push(proposal.clone()));
            }
            Event::BudgetRaised { by, .. } => {
                if let Some(budget) = &mut self.budget {
                    budget.envelope.add(*by);
                }
                self.phase = Phase::Open;
            }
            Event::RoundAwarded { commitment, cut_off, funded, rejected, reserve, union } => {
                self.awarded.add(known_total(*union, funded));
                let decision = RoundDecision {
                    commitment: commitment.clone(),
                    decided_at: at.effective_at,
                    union: *union,
                    funded: funded.clone(),
                    reserve: reserve.clone(),
                    rejected: rejected.iter().map(|one| one.proposal.clone()).collect(),
                    questioned: Vec::new(),
                };
                self.change_round(cut_off, |round| round.decision = Some(decision));
            }
            Event::ReserveActivated { commitment, cut_off, grant, proposal, union } => {
                let (grant, proposal) = (grant.clone(), proposal.clone());
                let award = Funded { grant, proposal, union: *union };
                self.activate(cut_off, commitment.as_ref(), award);
            }
            Event::ReexaminationDue { cut_off, proposal } => {
                self.change_decision(cut_off, |made| made.questioned.push(proposal.clone()));
            }
            Event::Reexamined { cut_off, .. } => {
                self.change_decision(cut_off, |made| made.questioned.clear());
            }
            Event::Exhausted { .. } => self.phase = Phase::Exhausted,
            Event::Closed { .. } => self.phase = Phase::Closed,
        }
    }
}

/// The Union total of a decision: as decided, or else what is known of its parts.
fn known_total(union: Option<Money>, funded: &[Funded]) -> Money {
    union.unwrap_or_else(|| {
        let mut sum = Money::ZERO;
        funded.iter().filter_map(|one| one.union).for_each(|amount| sum.add(amount));
        sum
    })
}

impl Call {
    fn put(&mut self, key: &Key, at: &LocalTime, status: CutOffStatus) {
        // An accepted cut-off names one instant; the zone rules are compiled in.
        let instant = at.instant().unwrap_or_default();
        self.cut_offs.insert(key.clone(), CutOff { at: at.clone(), instant, status });
    }

    fn change_round(&mut self, cut_off: &Key, change: impl FnOnce(&mut Round)) {
        if let Some(CutOff { status: CutOffStatus::Closed(round), .. }) =
            self.cut_offs.get_mut(cut_off)
        {
            change(Arc::make_mut(round));
        }
    }

    fn change_decision(&mut self, cut_off: &Key, change: impl FnOnce(&mut RoundDecision)) {
        self.change_round(cut_off, |round| {
            if let Some(decision) = &mut round.decision {
                change(decision);
            }
        });
    }

    fn activate(&mut self, cut_off: &Key, commitment: Option<&Key>, award: Funded) {
        let union = award.union.unwrap_or_default();
        let mut counted = false;
        self.change_decision(cut_off, |decision| {
            counted = decision.union.is_some() && decision.commitment.as_ref() == commitment;
            decision.reserve.retain(|other| *other != award.proposal);
            decision.funded.push(award);
        });
        // Out of a commitment whose total was decided, the amount has been counted already.
        if !counted {
            self.awarded.add(union);
        }
    }

    /// The rules that it opened with.
    ///
    /// # Errors
    /// When it has not opened.
    pub fn document(&self) -> Result<&Document, Refusal> {
        self.rules.as_deref().ok_or_else(|| Common::NotFound("the rules document".into()).into())
    }

    /// A cut-off by key.
    ///
    /// # Errors
    /// [`Rejection::NoCutOff`].
    pub fn cut_off(&self, key: &Key) -> Result<&CutOff, Refusal> {
        let found = self.cut_offs.get(key);
        found.ok_or_else(|| Refusal::from(Rejection::NoCutOff(key.clone())).at("/cut_off"))
    }

    /// The cut-off for what is received at an instant: the first that is not before it.
    #[must_use]
    pub fn cut_off_for(&self, received_at: Timestamp) -> Option<(&Key, &CutOff)> {
        self.cut_offs
            .iter()
            .filter(|(_, one)| one.status != CutOffStatus::Cancelled)
            .filter(|(_, one)| received_at <= one.instant)
            .min_by_key(|(_, one)| one.instant)
    }

    /// When it stops taking proposals.
    ///
    /// # Errors
    /// Never: the time was accepted when it opened.
    pub fn end(&self) -> Result<Option<Timestamp>, Refusal> {
        Ok(self.opens_until.as_ref().map(LocalTime::instant).transpose()?)
    }
}

/// The commands of a call.
pub const COMMANDS: &[Entry] = &[
    entry::<Open>(),
    entry::<AmendCalendar>(),
    entry::<CloseCutOff>(),
    entry::<AwardRound>(),
    entry::<ActivateReserve>(),
    entry::<Reexamine>(),
    entry::<RaiseBudget>(),
    entry::<AnnounceExhausted>(),
    entry::<Close>(),
];

const OFFICER: &[Role] = &[Role::ProgrammeOfficer];

/// Opens a call with its rules, its calendar and its budget.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Where the money comes from; absent when no money is given or known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The call.
    pub call: CallId,
    /// The calendar, which can be amended.
    #[schemars(length(max = 200))]
    pub cut_offs: Vec<CutOffAt>,
    /// When it stops taking proposals, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_until: Option<LocalTime>,
    /// The rules that it keeps.
    pub rules: Document,
    /// Full name.
    #[schemars(length(min = 1, max = 2000))]
    pub title: String,
}

impl Command for Open {
    const DECLARATION: Declaration = Declaration {
        name: "call.open",
        summary: "Open a call with its rules, calendar and budget",
        roles: OFFICER,
        from: &[NEW],
        needs: &[Need::Document],
        rule: Rule::ours("a call keeps the rules that it opened with (design.md, 5)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_text("title", &self.title)?;
        check_rules(&self.rules)?;
        if let Some(budget) = &self.budget {
            self.check_budget(world, budget)?;
        }
        let end = self.opens_until.as_ref().map(LocalTime::instant).transpose();
        let end = end.map_err(|error| Refusal::from(error).at("/opens_until"))?;
        let instants = self.check_calendar(end, meta)?;
        let opened = Event::Opened {
            budget: self.budget.clone(),
            cut_offs: self.cut_offs.clone(),
            opens_until: self.opens_until.clone(),
            rules: Arc::new(self.rules.clone()),
            rules_sha256: canonical::digest(&self.rules)
                .map_err(|error| Common::Malformed(error.to_string()))?,
            title: self.title.clone(),
        };
        let mut events = vec![NewEvent::on(&self.call, opened)];
        for (cut_off, instant) in self.cut_offs.iter().zip(instants) {
            events.push(set_timer(&self.call, &cut_off.key, instant)?);
        }
        Ok(events)
    }
}

impl Open {
    /// An envelope that holds what was committed ahead of the opening, out of a line that has an
    /// appropriation. It may be larger than that: the appropriations of later years are yet to be
    /// voted, and what is committed never exceeds what was.
    fn check_budget(&self, world: &World, budget: &Budget) -> Result<(), Refusal> {
        let at = |refusal: Refusal| refusal.at("/budget/envelope");
        budget.envelope.in_euro().map_err(|error| at(error.into()))?;
        if !budget.envelope.is_positive() {
            return Err(at(Rejection::NotPositive(budget.envelope).into()));
        }
        let fund = world.find(&world.funds, &budget.fund);
        let fund = fund.map_err(|refusal| refusal.at("/budget/fund"))?;
        let line = fund.available(&budget.line, &budget.source);
        line.map_err(|refusal| refusal.at("/budget/line"))?;
        let (asked, left) = (fund.committed_to(&self.call), budget.envelope);
        if asked > left {
            Err(at(Rejection::EnvelopeExceeded { asked, left }.into()))
        } else {
            Ok(())
        }
    }

    /// The instants of the cut-offs, all different, in the future and before the end.
    fn check_calendar(
        &self,
        end: Option<Timestamp>,
        meta: &Meta,
    ) -> Result<Vec<Timestamp>, Refusal> {
        if self.cut_offs.len() > CUT_OFFS_MAX {
            return Err(Refusal::from(Rejection::TooManyCutOffs).at("/cut_offs"));
        }
        let mut instants: Vec<Timestamp> = Vec::with_capacity(self.cut_offs.len());
        for (index, cut_off) in self.cut_offs.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(format!("/cut_offs/{index}"));
            let instant = cut_off.at.instant().map_err(|error| at(error.into()))?;
            let before = &self.cut_offs[..index];
            if instants.contains(&instant) || before.iter().any(|other| other.key == cut_off.key) {
                return Err(at(Rejection::CutOffTwice(cut_off.key.clone()).into()));
            }
            check_instant(&cut_off.key, instant, end, meta).map_err(at)?;
            instants.push(instant);
        }
        Ok(instants)
    }
}

/// Refuses a rules document with mistakes, and lists them all.
///
/// # Errors
/// [`Rejection::BadRules`].
pub fn check_rules(rules: &Document) -> Result<(), Refusal> {
    let mistakes = rules.mistakes();
    if mistakes.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let (count, list) = (list.len(), list.join("; "));
    Err(Refusal::from(Rejection::BadRules { count, list }).at("/rules"))
}

fn check_instant(
    cut_off: &Key,
    at: Timestamp,
    end: Option<Timestamp>,
    meta: &Meta,
) -> Result<(), Refusal> {
    // By the clock of the log: a calendar cannot be made for a past that has had its receipts.
    let now = meta.recorded_at;
    if at <= now {
        return Err(Rejection::CutOffInThePast { cut_off: cut_off.clone(), at, now }.into());
    }
    if end.is_some_and(|end| at > end) {
        return Err(Rejection::CutOffAfterEnd(cut_off.clone()).into());
    }
    Ok(())
}

/// The timer of a cut-off: `<call>-<key>`. A key that is not alphanumeric goes in by digest, since
/// cut-off `B-C` of call `A` and cut-off `C` of call `A-B` must not share a timer.
///
/// # Errors
/// Never: the name is made of the letters of an id.
pub fn timer_of(call: &CallId, cut_off: &Key) -> Result<TimerId, Refusal> {
    let (call, key) = (call.as_str(), cut_off.as_str());
    let mut name = format!("{call}-{key}");
    if name.len() > crate::ids::ID_BYTES_MAX || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let digest = Sha256Hex::of(format!("{call}\n{key}").as_bytes()).to_string();
        let start: String = call.chars().take(40).collect();
        name = format!("{start}-x{}", &digest[..16]);
    }
    name.parse().map_err(|error| Common::Malformed(format!("{error}")).into())
}

fn set_timer(call: &CallId, cut_off: &Key, instant: Timestamp) -> Result<NewEvent, Refusal> {
    let wish = CloseCutOff { call: call.clone(), cut_off: cut_off.clone() };
    timer::set(&timer_of(call, cut_off)?, instant, &wish)
}

/// Adds, moves or cancels a cut-off that has not closed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendCalendar {
    /// When it closes; absent: it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<LocalTime>,
    /// The call.
    pub call: CallId,
    /// The cut-off, known or new.
    pub cut_off: Key,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for AmendCalendar {
    const DECLARATION: Declaration = Declaration {
        name: "call.amend_calendar",
        summary: "Add, move or cancel a cut-off that has not closed",
        roles: OFFICER,
        from: &["open", "exhausted"],
        needs: &[],
        rule: Rule::ours("cut-offs are a calendar, never a formula (design.md, 5)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let known = call.cut_offs.get(&self.cut_off);
        let key = || self.cut_off.clone();
        match known.map(|known| &known.status) {
            Some(CutOffStatus::Closed(_)) => return Err(Rejection::CutOffClosed(key()).into()),
            Some(CutOffStatus::Cancelled) if self.at.is_none() => return Ok(Vec::new()),
            Some(CutOffStatus::Cancelled) => return Err(Rejection::CutOffCancelled(key()).into()),
            Some(CutOffStatus::Open) | None => {}
        }
        // Once its instant has passed a cut-off has closed by right, even if its timer is late.
        if known.is_some_and(|known| known.instant <= meta.recorded_at) {
            return Err(Rejection::CutOffClosed(key()).into());
        }
        match (&self.at, known) {
            (None, None) => Err(Refusal::from(Rejection::NoCutOff(key())).at("/cut_off")),
            (None, Some(_)) => {
                let cancelled =
                    Event::CutOffCancelled { cut_off: key(), reason: self.reason.clone() };
                let timer = timer::cancel(&timer_of(&self.call, &self.cut_off)?, &self.reason);
                Ok(vec![NewEvent::on(&self.call, cancelled), timer])
            }
            (Some(at), Some(known)) if *at == known.at => Ok(Vec::new()),
            (Some(at), known) => self.put(call, at, known, meta),
        }
    }
}

impl AmendCalendar {
    fn put(&self, call: &Call, at: &LocalTime, known: Option<&CutOff>, meta: &Meta) -> Decision {
        let refuse = |refusal: Refusal| refusal.at("/at");
        let instant = at.instant().map_err(|error| refuse(error.into()))?;
        check_instant(&self.cut_off, instant, call.end()?, meta).map_err(refuse)?;
        let clash = |other: (&Key, &CutOff)| {
            *other.0 != self.cut_off
                && other.1.instant == instant
                && other.1.status != CutOffStatus::Cancelled
        };
        if call.cut_offs.iter().any(clash) {
            return Err(refuse(Rejection::CutOffTwice(self.cut_off.clone()).into()));
        }
        let (at, cut_off, reason) = (at.clone(), self.cut_off.clone(), self.reason.clone());
        let event = match known {
            Some(known) => Event::CutOffMoved { at, cut_off, from: known.at.clone(), reason },
            None if call.cut_offs.len() >= CUT_OFFS_MAX => {
                return Err(Rejection::TooManyCutOffs.into());
            }
            None => Event::CutOffAdded { at, cut_off, reason },
        };
        Ok(vec![NewEvent::on(&self.call, event), set_timer(&self.call, &self.cut_off, instant)?])
    }
}

/// Closes a cut-off at its instant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseCutOff {
    /// The call.
    pub call: CallId,
    /// The cut-off.
    pub cut_off: Key,
}

impl Command for CloseCutOff {
    const DECLARATION: Declaration = Declaration {
        name: "call.close_cut_off",
        summary: "Close a cut-off over the proposals received by its instant",
        roles: &[Role::System],
        from: &["open", "exhausted", "closed"],
        needs: &[],
        rule: Rule::ours("received by the cut-off, in the round (design.md, 10.8)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let call = world.find(&world.calls, &self.call)?;
        let cut_off = call.cut_off(&self.cut_off)?;
        match cut_off.status {
            CutOffStatus::Open => {}
            CutOffStatus::Closed(_) => {
                return Err(Rejection::CutOffClosed(self.cut_off.clone()).into());
            }
            CutOffStatus::Cancelled => {
                return Err(Rejection::CutOffCancelled(self.cut_off.clone()).into());
            }
        }
        let (at, now) = (cut_off.instant, meta.recorded_at);
        if now < at {
            let cut_off = self.cut_off.clone();
            return Err(Rejection::CutOffNotDue { cut_off, at, now }.into());
        }
        let admitted = received_by(world, &self.call, at);
        let closed = Event::CutOffClosed {
            admitted: admitted.clone(),
            at: cut_off.at.clone(),
            cut_off: self.cut_off.clone(),
        };
        let mut events = vec![NewEvent::on(&self.call, closed)];
        for proposal in &admitted {
            let event = proposal::Event::Admitted { cut_off: self.cut_off.clone() };
            events.push(NewEvent::on(proposal, event));
        }
        for event in &mut events {
            event.effective_at = Some(at);
        }
        Ok(events)
    }
}

/// The submitted proposals of a call that were received by an instant, in order of receipt.
fn received_by(world: &World, call: &CallId, instant: Timestamp) -> Vec<ProposalId> {
    let mut found: Vec<(Timestamp, &ProposalId)> = world
        .proposals
        .iter()
        .filter(|(_, proposal)| proposal.phase == proposal::Phase::Submitted)
        .filter(|(_, proposal)| proposal.call.as_ref() == Some(call))
        .filter_map(|(id, proposal)| Some((proposal.submission.as_ref()?.received_at, id)))
        .filter(|(received_at, _)| *received_at <= instant)
        .collect();
    found.sort();
    found.into_iter().map(|(_, id)| id.clone()).collect()
}

/// Raises the envelope of a call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaiseBudget {
    /// By how much.
    pub by: Money,
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for RaiseBudget {
    const DECLARATION: Declaration = Declaration {
        name: "call.raise_budget",
        summary: "Raise the envelope of a call",
        roles: &[Role::GoverningBoard],
        from: &["open", "exhausted"],
        needs: &[],
        rule: Rule::ours("the envelope is never overspent (design.md, 4)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let budget = call.budget.as_ref().ok_or(Rejection::NoBudget)?;
        if !self.by.is_positive() {
            return Err(Refusal::from(Rejection::NotPositive(self.by)).at("/by"));
        }
        budget.envelope.plus(self.by)?;
        let event = Event::BudgetRaised { by: self.by, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

/// Says that the money is used up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceExhausted {
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for AnnounceExhausted {
    const DECLARATION: Declaration = Declaration {
        name: "call.announce_exhausted",
        summary: "Say that the money of a call is used up and take no more proposals",
        roles: OFFICER,
        from: &["open"],
        needs: &[],
        rule: Rule::ours("a call takes proposals while funds last (design.md, 5)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let event = Event::Exhausted { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}

/// Closes a call for good.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The call.
    pub call: CallId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Close {
    const DECLARATION: Declaration = Declaration {
        name: "call.close",
        summary: "Close a call for good, when no cut-off is still to come",
        roles: OFFICER,
        from: &["open", "exhausted"],
        needs: &[],
        rule: Rule::ours("the calendar of cut-offs (design.md, 10.8)"),
    };

    fn subject(&self) -> StreamId {
        self.call.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let call = world.find(&world.calls, &self.call)?;
        let open = |one: &(&Key, &CutOff)| one.1.status == CutOffStatus::Open;
        if let Some((key, _)) = call.cut_offs.iter().find(open) {
            return Err(Rejection::CutOffOpen(key.clone()).into());
        }
        let event = Event::Closed { reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.call, event)])
    }
}
#[cfg(test)]
mod tests;
