//! Decides what becomes of an awarded proposal: hosting agreement, procurement, grant agreement,
//! amendments, reports and closure. The Union's share of a cost never passes its ceiling.

use crate::canonical::Sha256Hex;
use crate::command::{
    Actor, Command, Decision, Declaration, Entry, Meta, NEW, NewEvent, Role, entry,
};
use crate::fund;
use crate::ids::{
    AccountKey, ActorId, CallId, Country, FundId, GrantId, Key, ProposalId, StreamId, StreamKey,
};
use crate::money::{Money, Rate};
use crate::payment;
use crate::rejection::{Kind, Reason, Refusal, Rule};
use crate::rules;
use crate::text::check_reason;
use crate::world::{At, Decider, World};
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod account;
pub mod agreement;
pub mod budget;
mod change;
#[cfg(test)]
pub(crate) mod fixture;
pub mod hosting;
pub mod report;

use account::Accounts;
pub use agreement::Agreement;
use budget::sum;
pub use budget::{Beneficiary, Budget, Cost, Item, Part};
pub use change::Change;
pub use hosting::Contract;
pub use report::{Report, ReportKind};

/// What happens to a grant. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "grant.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// An awarded proposal began to become a grant.
    #[serde(rename = "grant.Prepared")]
    Prepared(Box<Origin>),
    /// Its budget was set; one that was set before is replaced.
    #[serde(rename = "grant.BudgetSet")]
    BudgetSet(Budget),
    /// The hosting agreement was concluded.
    #[serde(rename = "grant.HostingAgreed")]
    HostingAgreed {
        document: Sha256Hex,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed_on: Option<Date>,
    },
    /// A procurement was launched.
    #[serde(rename = "grant.ProcurementStarted")]
    ProcurementStarted { procurement: Key, tender: String },
    /// The contract of a procurement was signed.
    #[serde(rename = "grant.ContractSigned")]
    ContractSigned(Contract),
    /// The coordinator signed the grant agreement.
    #[serde(rename = "grant.Accepted")]
    Accepted {},
    /// The authority signed the grant agreement, which entered into force.
    #[serde(rename = "grant.Signed")]
    Signed(Agreement),
    /// The consortium asked for an amendment.
    #[serde(rename = "grant.AmendmentRequested")]
    AmendmentRequested { amendment: Key, change: Change, reason: String },
    /// The authority agreed: the agreement as it now stands.
    #[serde(rename = "grant.Amended")]
    Amended { amendment: Key, budget: Budget, ends: Date, reason: String, starts: Date },
    /// The authority did not agree.
    #[serde(rename = "grant.AmendmentRefused")]
    AmendmentRefused { amendment: Key, reason: String },
    /// The grant was suspended.
    #[serde(rename = "grant.Suspended")]
    Suspended { reason: String },
    /// The suspension was lifted.
    #[serde(rename = "grant.Resumed")]
    Resumed { reason: String },
    /// The grant was terminated; what was accepted can still be paid or recovered.
    #[serde(rename = "grant.Terminated")]
    Terminated { by: Party, reason: String },
    /// Somebody said to which bank account it is to be paid.
    #[serde(rename = "grant.AccountNamed")]
    AccountNamed { account: AccountKey, document: Sha256Hex, reason: String },
    /// Another person found the account to be the coordinator's: payments go there from here on.
    #[serde(rename = "grant.AccountConfirmed")]
    AccountConfirmed { account: AccountKey, document: Sha256Hex, reason: String },
    /// Another person did not: payments go where they went before.
    #[serde(rename = "grant.AccountRefused")]
    AccountRefused { account: AccountKey, document: Sha256Hex, reason: String },
    /// A report came in.
    #[serde(rename = "grant.ReportSubmitted")]
    ReportSubmitted {
        claimed: Vec<Cost>,
        document: Sha256Hex,
        from: Date,
        kind: ReportKind,
        report: Key,
        to: Date,
    },
    /// A report was assessed; what is not in `accepted` was not accepted.
    #[serde(rename = "grant.ReportAssessed")]
    ReportAssessed { accepted: Vec<Cost>, comments: String, report: Key },
    /// Everything is paid and nothing more will happen.
    #[serde(rename = "grant.Closed")]
    Closed {},
}

/// Where a grant comes from, and the rules that it keeps for its whole life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Who speaks for the consortium: who applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applicant: Option<ActorId>,
    /// The call.
    pub call: CallId,
    /// Where the coordinator or host is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The fund, when one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// The proposal.
    pub proposal: ProposalId,
    /// The rules.
    pub rules: Terms,
    /// Title.
    pub title: String,
}

/// The parts of the call's rules document that a grant is bound by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Time limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlines: Option<rules::Deadlines>,
    /// What the Union pays of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<rules::Funding>,
    /// How money is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<rules::Payments>,
}

/// One side of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Party {
    /// The beneficiaries, through their coordinator.
    Consortium,
    /// The granting authority.
    Authority,
}

/// One grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Who signed for the consortium.
    pub accepted_by: Option<Actor>,
    /// The bank account that it is paid to.
    #[serde(default, skip_serializing_if = "Accounts::is_empty")]
    pub accounts: Accounts,
    /// The grant agreement, once it is in force.
    pub agreement: Option<Agreement>,
    /// Amendments: who asked for what; those that were decided have no change left.
    pub amendments: OrdMap<Key, (Actor, Option<Change>)>,
    /// The budget.
    pub budget: Option<Budget>,
    /// Legally committed, by fund.
    pub commitments: OrdMap<FundId, Money>,
    /// The hosting agreement.
    pub hosting: Option<Sha256Hex>,
    /// Where it comes from.
    pub origin: Option<Origin>,
    /// Procurements and their contracts.
    pub procurements: OrdMap<Key, Option<Contract>>,
    /// Reports.
    pub reports: OrdMap<Key, Report>,
    /// What stopped it, if anything did.
    pub stopped: Option<Stop>,
}

/// What stopped a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// For a time.
    Suspended,
    /// Before its end.
    Terminated,
    /// At its end.
    Closed,
}

/// Why a grant says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The proposal was not awarded.
    #[error("{proposal} is {phase}; only an awarded proposal becomes a grant")]
    NotAwarded { proposal: StreamId, phase: &'static str },
    /// The proposal was awarded as another grant.
    #[error("{0} was awarded as another grant")]
    OtherGrant(StreamId),
    /// Someone else's grant.
    #[error("only the applicant acts for the consortium")]
    NotApplicant,
    /// The agreement is signed.
    #[error("the grant agreement is in force: it changes by amendment")]
    InForce,
    /// No agreement yet.
    #[error("there is no grant agreement to change")]
    NoAgreement,
    /// A key that is in use.
    #[error("{what} {key} exists already")]
    KeyUsed { what: &'static str, key: Key },
    /// A key that is not there.
    #[error("there is no {what} {key}")]
    UnknownKey { what: &'static str, key: Key },
    /// Less than nothing.
    #[error("{0} is less than nothing")]
    Negative(Money),
    /// An item that the rules do not fund.
    #[error("the rules of the call fund no item {0}")]
    NotFunded(Key),
    /// The parts are not the whole.
    #[error("the parts of {item} add up to {parts}, not to {total}")]
    DoesNotAddUp { item: Key, parts: Money, total: Money },
    /// More than the Union may pay of it.
    #[error("{union} is more than {ceiling} of the {total} for {item}")]
    CeilingExceeded { item: Key, union: Money, ceiling: Rate, total: Money },
    /// None or several.
    #[error("a consortium has one coordinator, not {0}")]
    OneCoordinator(usize),
    /// Money for someone who takes part without.
    #[error("{0} takes part without funding")]
    PartnerFunded(Key),
    /// Two sums of the same money.
    #[error("beneficiaries receive {beneficiaries} of the Union, items cost it {items}")]
    SharesDiffer { beneficiaries: Money, items: Money },
    /// No budget yet.
    #[error("the grant has no budget")]
    NoBudget,
    /// Not what the budget or agreement says.
    #[error("{union} of {total} is agreed, not {asked_union} of {asked_total}")]
    SumsDiffer { union: Money, total: Money, asked_union: Money, asked_total: Money },
    /// The end comes first.
    #[error("{to} lies before {from}")]
    Backwards { from: Date, to: Date },
    /// Procurement before the hosting agreement.
    #[error("the hosting agreement comes before the procurement")]
    NoHostingAgreement,
    /// A second hosting agreement.
    #[error("the hosting agreement is concluded already")]
    HostingAgreed,
    /// The coordinator has not signed.
    #[error("the coordinator signs before the authority")]
    NotAccepted,
    /// One person on both sides.
    #[error("another person must do this than the one who {0}")]
    SamePerson(&'static str),
    /// Nothing is committed in the budget.
    #[error("no fund has committed money to {0}")]
    NotCommitted(GrantId),
    /// Several funds, and none was named.
    #[error("several funds have committed money to {0}: name one")]
    SeveralFunds(GrantId),
    /// The states have not signed for their half.
    #[error("participating states have signed for {signed}, the Union would sign for {union}")]
    NotMatched { union: Money, signed: Money },
    /// A decision for the other side.
    #[error("the {0} terminates for itself only")]
    OtherParty(Party),
    /// Decided or assessed already.
    #[error("{what} {key} is decided already")]
    Decided { what: &'static str, key: Key },
    /// Two reports on one day.
    #[error("report {report} covers days up to {to} already")]
    PeriodTaken { report: Key, to: Date },
    /// More accepted than claimed.
    #[error("{accepted} is more than the {claimed} claimed for {item}")]
    MoreThanClaimed { item: Key, accepted: Money, claimed: Money },
    /// Nowhere to pay to.
    #[error("no bank account of {0} is confirmed")]
    NoAccount(GrantId),
    /// Two people have not seen it yet.
    #[error(
        "account {0} waits for the accounting officer: until then nothing is paid, and no other is named"
    )]
    AccountWaits(AccountKey),
    /// A number where a key belongs.
    #[error(
        "this is the number of a bank account; name it by its key in the books of the authority"
    )]
    AccountNumber,
    /// The money may have left for the account before.
    #[error("payment {0} is authorised to the account before: carry it out or reject it first")]
    PaymentOrdered(crate::ids::PaymentId),
    /// Older than what it decides on.
    #[error("the account is named since {0}; no decision on it is older")]
    BeforeNaming(jiff::Timestamp),
    /// The account that payments go to already.
    #[error("payments go to account {0} already")]
    AccountConfirmed(AccountKey),
    /// Not what waits.
    #[error("no account {account} with the form {document} waits to be decided")]
    AccountNotWaiting { account: AccountKey, document: Sha256Hex },
    /// Not at its end.
    #[error("the final report has not been assessed")]
    NoFinalReport,
    /// Money is on its way.
    #[error("payment {0} is not finished")]
    PaymentOpen(crate::ids::PaymentId),
    /// Paid too much or too little.
    #[error("{paid} is paid, {due} is due")]
    NotSettled { paid: Money, due: Money },
    /// The insurance still holds money.
    #[error("the mutual insurance still withholds {0}")]
    InsuranceHeld(Money),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = GrantId::CATEGORY;

    fn rule(&self) -> Rule {
        const HOSTING: &str = "Council Reg. (EU) 2021/1173";
        const FINANCIAL_REGULATION: &str = "Reg. (EU, Euratom) 2024/2509";
        const AGREEMENT: &str = "EU model grant agreement";
        const RULES: &str = "Rules document of the call";
        match self {
            Self::NotAwarded { .. } | Self::OtherGrant(_) => {
                Rule::ours("an award comes before its grant")
            }
            Self::NotApplicant => Rule::of(AGREEMENT, "Art. 7: the coordinator acts for all"),
            Self::KeyUsed { .. } | Self::UnknownKey { .. } | Self::Decided { .. } => {
                Rule::ours("a key names one thing for ever")
            }
            Self::Negative(_) | Self::DoesNotAddUp { .. } | Self::SharesDiffer { .. } => {
                Rule::ours("a budget adds up (design.md, 10.4)")
            }
            Self::NotFunded(_) | Self::CeilingExceeded { .. } => {
                Rule::of(RULES, "funding.ceilings: the Union's share of each cost item")
            }
            Self::NotMatched { .. } => {
                Rule::of(RULES, "funding.matched: the states match the Union at signature")
            }
            Self::NoHostingAgreement | Self::HostingAgreed => {
                Rule::of(HOSTING, "Art. 10: the hosting agreement precedes the acquisition")
            }
            Self::NotCommitted(_) | Self::SeveralFunds(_) => Rule::of(
                FINANCIAL_REGULATION,
                "Art. 111: budgetary commitment before legal commitment",
            ),
            Self::SamePerson(_) => Rule::ours("two parties are two people (design.md, 10.6)"),
            Self::OneCoordinator(_) | Self::PartnerFunded(_) => {
                Rule::of(AGREEMENT, "Art. 7-9: coordinator, beneficiaries and other participants")
            }
            Self::InForce
            | Self::NoAgreement
            | Self::NoBudget
            | Self::SumsDiffer { .. }
            | Self::NotAccepted => {
                Rule::of(AGREEMENT, "Art. 39 and 44: entry into force and amendments")
            }
            Self::OtherParty(_) => Rule::of(AGREEMENT, "Art. 32: termination"),
            Self::Backwards { .. } | Self::PeriodTaken { .. } | Self::MoreThanClaimed { .. } => {
                Rule::of(AGREEMENT, "Art. 21: reporting")
            }
            Self::NoAccount(_)
            | Self::AccountWaits(_)
            | Self::AccountConfirmed(_)
            | Self::PaymentOrdered(_)
            | Self::BeforeNaming(_)
            | Self::AccountNotWaiting { .. } => {
                Rule::of(AGREEMENT, "Art. 22: payments to the coordinator's account")
            }
            Self::AccountNumber => Rule::ours("an account is named by a key, not by its number"),
            Self::NoFinalReport
            | Self::PaymentOpen(_)
            | Self::NotSettled { .. }
            | Self::InsuranceHeld(_) => Rule::of(AGREEMENT, "Art. 22: final payment"),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotApplicant | Self::SamePerson(_) | Self::OtherParty(_) => Kind::Forbidden,
            Self::KeyUsed { .. } | Self::Decided { .. } => Kind::Conflict,
            _ => Kind::Rule,
        }
    }
}

impl Grant {
    /// Whether nothing is to be paid or recovered any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.stopped == Some(Stop::Closed)
    }
}

impl Decider for Grant {
    type Id = GrantId;
    type Event = Event;

    fn phase(&self) -> &'static str {
        match self.stopped {
            Some(Stop::Suspended) => "suspended",
            Some(Stop::Terminated) => "terminated",
            Some(Stop::Closed) => "closed",
            None if !self.commitments.is_empty() => "active",
            None if self.hosting.is_some() => "hosting_agreed",
            None => "preparation",
        }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Prepared(origin) => self.origin = Some((**origin).clone()),
            Event::BudgetSet(budget) => {
                // A signature is for one budget.
                self.accepted_by = None;
                self.budget = Some(budget.clone());
            }
            Event::HostingAgreed { document, .. } => self.hosting = Some(*document),
            Event::ProcurementStarted { procurement, .. } => {
                self.procurements.insert(procurement.clone(), None);
            }
            Event::ContractSigned(contract) => {
                self.commitments.entry(contract.fund.clone()).or_default().add(contract.union);
                self.procurements.insert(contract.procurement.clone(), Some(contract.clone()));
            }
            Event::Accepted {} => self.accepted_by = Some(at.actor.clone()),
            Event::Signed(agreement) => {
                self.commitments.entry(agreement.fund.clone()).or_default().add(agreement.union);
                self.agreement = Some(agreement.clone());
            }
            Event::AmendmentRequested { amendment, change, .. } => {
                let asked = (at.actor.clone(), Some(change.clone()));
                self.amendments.insert(amendment.clone(), asked);
            }
            Event::Amended { amendment, budget, ends, starts, .. } => {
                self.settle_amendment(amendment);
                self.budget = Some(budget.clone());
                if let Some(agreement) = &mut self.agreement {
                    (agreement.starts, agreement.ends) = (*starts, *ends);
                }
            }
            Event::AmendmentRefused { amendment, .. } => self.settle_amendment(amendment),
            Event::AccountNamed { account, document, .. } => {
                self.accounts.name(account, *document, at);
            }
            Event::AccountConfirmed { .. } => self.accounts.confirm(at),
            Event::AccountRefused { .. } => self.accounts.waiting = None,
            Event::Suspended { .. } => self.stopped = Some(Stop::Suspended),
            Event::Resumed { .. } => self.stopped = None,
            Event::Terminated { .. } => self.stopped = Some(Stop::Terminated),
            Event::ReportSubmitted { claimed, from, kind, report, to, .. } => {
                let new = Report {
                    accepted: None,
                    claimed: claimed.clone(),
                    from: *from,
                    kind: *kind,
                    submitted_by: at.actor.clone(),
                    to: *to,
                };
                self.reports.insert(report.clone(), new);
            }
            Event::ReportAssessed { accepted, report, .. } => {
                if let Some(report) = self.reports.get_mut(report) {
                    report.accepted = Some(accepted.clone());
                }
            }
            Event::Closed {} => self.stopped = Some(Stop::Closed),
        }
    }
}

impl Grant {
    /// At most this is paid by the Union: the agreement and the contracts.
    #[must_use]
    pub fn union(&self) -> Money {
        sum(self.commitments.values().copied())
    }

    /// What the Union owes for accepted costs, never more than it committed.
    #[must_use]
    pub fn due(&self) -> Money {
        sum(self.reports.values().map(Report::accepted_union)).min(self.union())
    }

    /// Whether the final report has been assessed.
    #[must_use]
    pub fn final_assessed(&self) -> bool {
        let mut finals = self.reports.values().filter(|report| report.kind == ReportKind::Final);
        finals.any(|report| report.accepted.is_some())
    }

    /// The rules that it is bound by; none before its first event.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.origin.as_ref().map(|origin| origin.rules.clone()).unwrap_or_default()
    }

    fn settle_amendment(&mut self, amendment: &Key) {
        if let Some((_, change)) = self.amendments.get_mut(amendment) {
            *change = None;
        }
    }

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
    fn paying_fund(
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
fn check_award(world: &World, grant: &Grant) -> Result<(), Refusal> {
    let Some(origin) = &grant.origin else { return Ok(()) };
    let call = world.find(&world.calls, &origin.call)?;
    let round = world.proposals.get(&origin.proposal).and_then(|one| one.cut_off.as_ref());
    round.map_or(Ok(()), |round| call.check_unquestioned(round))
}

fn check_dates(from: Date, to: Date) -> Result<(), Refusal> {
    if to < from { Err(Rejection::Backwards { from, to }.into()) } else { Ok(()) }
}

/// Every fund whose individual commitment to a grant has not been released in full.
fn committed_funds<'a>(
    world: &'a World,
    grant: &'a GrantId,
) -> impl Iterator<Item = (&'a FundId, &'a fund::Individual)> {
    world.funds.iter().filter_map(move |(id, fund)| {
        let individual = fund.grants.get(grant)?;
        individual.amount.is_positive().then_some((id, individual))
    })
}

fn check_other_person(meta: &Meta, other: &Actor, step: &'static str) -> Result<(), Refusal> {
    if meta.actor.may_be(other) { Err(Rejection::SamePerson(step).into()) } else { Ok(()) }
}

/// The commands of a grant.
pub const COMMANDS: &[Entry] = &[
    entry::<Prepare>(),
    entry::<agreement::SetBudget>(),
    entry::<hosting::ConcludeHostingAgreement>(),
    entry::<hosting::StartProcurement>(),
    entry::<hosting::SignContract>(),
    entry::<agreement::Accept>(),
    entry::<agreement::Sign>(),
    entry::<agreement::RequestAmendment>(),
    entry::<agreement::DecideAmendment>(),
    entry::<account::NameAccount>(),
    entry::<account::DecideAccount>(),
    entry::<Suspend>(),
    entry::<Resume>(),
    entry::<Terminate>(),
    entry::<report::SubmitReport>(),
    entry::<report::AssessReport>(),
    entry::<Close>(),
];

const APPLICANT: &[Role] = &[Role::Applicant];

/// Begins to turn an awarded proposal into a grant, under the rules of its call.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// The fund, when it is not the one of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundId>,
    /// The grant.
    pub grant: GrantId,
    /// The proposal.
    pub proposal: ProposalId,
}

impl Command for Prepare {
    const DECLARATION: Declaration = Declaration {
        name: "grant.prepare",
        summary: "Begin to turn an awarded proposal into a grant",
        roles: &[Role::ProgrammeOfficer, Role::System],
        from: &[NEW],
        needs: &[],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 203: grants follow an award"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let (id, stream) = (&self.proposal, self.proposal.stream());
        let proposal = world.find(&world.proposals, id)?;
        let phase = world.phase(&stream);
        let Some(call) = proposal.call.as_ref().filter(|_| phase == "awarded") else {
            let refusal = Refusal::from(Rejection::NotAwarded { proposal: stream, phase });
            return Err(refusal.at("/proposal"));
        };
        if proposal.grant.as_ref() != Some(&self.grant) {
            return Err(Refusal::from(Rejection::OtherGrant(stream)).at("/grant"));
        }
        let opened = world.find(&world.calls, call)?;
        let rules = opened.rules.as_ref().map(|rules| Terms {
            deadlines: Some(rules.deadlines.clone()),
            funding: rules.funding.clone(),
            payments: rules.payments.clone(),
        });
        let budget = opened.budget.as_ref().map(|budget| budget.fund.clone());
        let origin = Origin {
            applicant: proposal.applicant.clone(),
            call: call.clone(),
            country: proposal.content.country,
            fund: self.fund.clone().or(budget),
            proposal: id.clone(),
            rules: rules.unwrap_or_default(),
            title: proposal.content.title.clone(),
        };
        Ok(vec![NewEvent::on(&self.grant, Event::Prepared(Box::new(origin)))])
    }
}

/// Suspends a grant: nothing is paid meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Suspend {
    const DECLARATION: Declaration = Declaration {
        name: "grant.suspend",
        summary: "Suspend the grant; nothing is paid meanwhile",
        roles: &[Role::AuthorisingOfficer],
        from: &["active"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 31: suspension"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.grant, Event::Suspended { reason: self.reason.clone() })])
    }
}

/// Lifts the suspension of a grant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Resume {
    const DECLARATION: Declaration = Declaration {
        name: "grant.resume",
        summary: "Lift the suspension",
        roles: &[Role::AuthorisingOfficer],
        from: &["suspended"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 31: suspension"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.grant, Event::Resumed { reason: self.reason.clone() })])
    }
}

/// Terminates a grant before its end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terminate {
    /// On whose initiative.
    pub by: Party,
    /// The grant.
    pub grant: GrantId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Command for Terminate {
    const DECLARATION: Declaration = Declaration {
        name: "grant.terminate",
        summary: "Terminate the grant before its end",
        roles: &[Role::Applicant, Role::AuthorisingOfficer],
        from: &["preparation", "hosting_agreed", "active", "suspended"],
        needs: &[],
        rule: Rule::of("EU model grant agreement", "Art. 32: termination"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        if meta.actor.role == Role::Applicant {
            world.find(&world.grants, &self.grant)?.check_applicant(meta)?;
            if self.by != Party::Consortium {
                let refusal = Refusal::from(Rejection::OtherParty(Party::Consortium));
                return Err(refusal.at("/by"));
            }
        }
        let event = Event::Terminated { by: self.by, reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&self.grant, event)])
    }
}

/// Closes a grant that is settled, and releases what was never paid.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The grant.
    pub grant: GrantId,
}

impl Command for Close {
    const DECLARATION: Declaration = Declaration {
        name: "grant.close",
        summary: "Close a settled grant and release the unpaid rest",
        roles: &[Role::AuthorisingOfficer],
        from: &["active", "terminated"],
        needs: &[],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 114: decommitment of the rest"),
    };

    fn subject(&self) -> StreamId {
        self.grant.stream()
    }

    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let grant = world.find(&world.grants, &self.grant)?;
        grant.accounts.check_none_waits()?;
        if !grant.commitments.is_empty() && !grant.final_assessed() {
            return Err(Rejection::NoFinalReport.into());
        }
        let standing = payment::Standing::of(world, &self.grant);
        if let Some(open) = standing.open() {
            return Err(Rejection::PaymentOpen(open.clone()).into());
        }
        let (paid, due, withheld) = (standing.paid()?, grant.due(), standing.withheld()?);
        if paid != due {
            return Err(Rejection::NotSettled { paid, due }.into());
        }
        if withheld.is_positive() {
            return Err(Rejection::InsuranceHeld(withheld).into());
        }
        let mut events = vec![NewEvent::on(&self.grant, Event::Closed {})];
        for (fund, individual) in committed_funds(world, &self.grant) {
            let amount = individual.amount.minus(individual.paid)?;
            if amount.is_positive() {
                let (grant, reason) = (self.grant.clone(), "the grant is closed".to_owned());
                events.push(NewEvent::on(
                    fund,
                    fund::Event::GrantDecommitted { amount, grant, reason },
                ));
            }
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::*;
    use crate::command::Role;

    #[test]
    fn only_an_awarded_proposal_becomes_a_grant_and_only_its_own() {
        let drafted = drafted().by(Role::System).when("grant.prepare", PREPARE);
        drafted.refused("grant.not_awarded").at("/proposal");
        let other = awarded().when("grant.prepare", r#"{"grant":"H","proposal":"P"}"#);
        other.refused("grant.other_grant").at("/grant");
    }

    #[test]
    fn a_grant_keeps_the_rules_fund_and_applicant_of_its_call() {
        let scenario = awarded().when("grant.prepare", PREPARE).recorded(&["grant.Prepared"]);
        let grant = the_grant(&scenario);
        let origin = grant.origin.as_ref().unwrap();
        assert_eq!(origin.fund.as_ref().unwrap().as_str(), "F");
        assert_eq!(origin.applicant.as_ref().unwrap().as_str(), "applicant");
        assert_eq!(grant.terms().payments.unwrap().prefinancing_max.to_string(), "7/10");
        scenario.when("grant.prepare", PREPARE).refused("command.exists");
    }

    #[test]
    fn nothing_happens_to_a_suspended_grant_until_it_is_resumed() {
        let reason = r#"{"grant":"G","reason":"audit"}"#;
        let suspended = signed().done("grant.suspend", reason);
        suspended
            .when("grant.close", r#"{"grant":"G"}"#)
            .refused("command.wrong_state")
            .when("grant.resume", reason)
            .then(&["grant.Resumed"]);
    }

    #[test]
    fn the_applicant_terminates_for_the_consortium_only() {
        let scenario = signed()
            .by(Role::Applicant)
            .when("grant.terminate", r#"{"grant":"G","by":"authority","reason":"insolvency"}"#);
        scenario
            .refused("grant.other_party")
            .at("/by")
            .when("grant.terminate", r#"{"grant":"G","by":"consortium","reason":"insolvency"}"#)
            .then(&["grant.Terminated"]);
    }

    #[test]
    fn someone_else_does_not_act_for_the_consortium() {
        let stranger = budgeted().by_person("stranger", Role::Applicant);
        stranger.when("grant.accept", GRANT).refused("grant.not_applicant");
    }

    #[test]
    fn a_grant_that_was_never_signed_can_be_given_up_and_frees_its_money() {
        let ended = budgeted()
            .by(Role::AuthorisingOfficer)
            .done("grant.terminate", r#"{"grant":"G","by":"authority","reason":"no match"}"#)
            .when("grant.close", GRANT)
            .recorded(&["grant.Closed", "fund.GrantDecommitted"]);
        assert_eq!(commitment(&ended).amount, crate::money::Money::ZERO);
    }

    #[test]
    fn a_grant_closes_when_all_that_is_due_is_paid() {
        let close = |scenario: crate::testing::Scenario| {
            scenario.by(Role::AuthorisingOfficer).when("grant.close", GRANT)
        };
        let scenario = close(signed()).refused("grant.no_final_report");
        let scenario =
            close(assessed(reported(scenario, "R", "final", 2000, 1000), "R", 1600, 800))
                .refused("grant.not_settled");
        let scenario = initiated(scenario, "B", "balance", 800, r#""report":"R""#);
        let scenario = close(scenario).refused("grant.payment_open");
        let scenario =
            close(paid(scenario, "B")).recorded(&["grant.Closed", "fund.GrantDecommitted"]);
        assert_eq!(
            serde_json::to_value(&scenario.commits.last().unwrap().events[1].event).unwrap()["data"]
                ["amount"],
            "EUR 700.00"
        );
    }

    #[test]
    fn a_grant_does_not_close_while_the_insurance_holds_money() {
        let clause = r#""clause":"Art. 22.2""#;
        let ahead = paid(initiated(signed(), "PF", "pre_financing", 700, clause), "PF");
        let spent = assessed(reported(ahead, "R", "final", 1400, 700), "R", 1400, 700);
        let scenario = spent.by(Role::AuthorisingOfficer).when("grant.close", GRANT);
        let scenario = scenario.refused("grant.insurance_held");
        // Nothing is left to pay, but what was withheld is paid out.
        let released = paid(initiated(scenario, "B", "balance", 0, r#""report":"R""#), "B");
        assert_eq!(released.commits.last().unwrap().events.len(), 1);
        let payment = the_payment(&released, "B");
        assert_eq!(payment.order.as_ref().unwrap().net, crate::money::Money::euro(50));
        released
            .by(Role::AuthorisingOfficer)
            .when("grant.close", GRANT)
            .then(&["grant.Closed", "fund.GrantDecommitted"]);
    }
}
