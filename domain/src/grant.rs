//! Decides what becomes of an awarded proposal: hosting agreement, procurement, grant agreement,
//! amendments, reports and closure. The Union's share of a cost never passes its ceiling.

use crate::canonical::Sha256Hex;
use crate::command::{Actor, Entry};
use crate::ids::{CallId, Country, FundId, GrantId, Key, ProposalId, StreamId, StreamKey};
use crate::money::{Money, Rate};
use crate::rejection::{Reason, Rule};
use crate::rules;
use crate::world::{At, Decider};
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most cost items in a budget or a report.
pub const ITEMS_MAX: usize = 50;
/// The most beneficiaries of a grant.
pub const BENEFICIARIES_MAX: usize = 100;

/// What happens to a grant. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The call.
    pub call: CallId,
    /// Where the coordinator or host is.
    pub country: Country,
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

/// What the action costs, and who gets the Union's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Who takes part; their Union shares add up to those of the items.
    #[schemars(length(min = 1, max = 100))]
    pub beneficiaries: Vec<Beneficiary>,
    /// The cost items.
    #[schemars(length(min = 1, max = 50))]
    pub items: Vec<Item>,
}

/// One cost item of a budget: `union + national + other == total`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its key in the rules, for example `operating`.
    pub item: Key,
    /// Paid by participating states.
    pub national: Money,
    /// Paid by others: regions, own means.
    pub other: Money,
    /// What it costs.
    pub total: Money,
    /// Paid by the Union.
    pub union: Money,
}

/// Someone who takes part in a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beneficiary {
    /// Its key.
    pub beneficiary: Key,
    /// Where it is.
    pub country: Country,
    /// As what it takes part.
    pub role: Part,
    /// Its part of the Union's money.
    pub union: Money,
}

/// As what someone takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Speaks and receives for all; there is one.
    Coordinator,
    /// Party to the agreement.
    Beneficiary,
    /// Linked to a beneficiary.
    AffiliatedEntity,
    /// Takes part without funding.
    AssociatedPartner,
}

/// The signed grant agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Last day of the action.
    pub ends: Date,
    /// The fund that pays.
    pub fund: FundId,
    /// First day of the action.
    pub starts: Date,
    /// What the action costs.
    pub total: Money,
    /// At most this is paid by the Union.
    pub union: Money,
}

/// The signed contract of a procurement. What is absent was not published: unknown, not nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The fund that pays.
    pub fund: FundId,
    /// Paid by participating states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<Money>,
    /// Of which procurement.
    pub procurement: Key,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Key>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Paid by the Union.
    pub union: Money,
}

/// What an amendment changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Change {
    /// Money moves between items or beneficiaries; the sums of the agreement stay.
    Budget {
        /// The new budget.
        budget: Budget,
    },
    /// Other first or last day.
    Dates {
        /// Last day.
        ends: Date,
        /// First day.
        starts: Date,
    },
    /// Someone joins, with a share taken from another.
    AddBeneficiary {
        /// Who.
        beneficiary: Beneficiary,
        /// Who gives the share.
        from: Key,
    },
    /// Someone leaves, and their share passes on.
    RemoveBeneficiary {
        /// Who.
        beneficiary: Key,
        /// Who takes the share over.
        to: Key,
    },
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

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// At the end of a reporting period.
    Periodic,
    /// At the end of the action.
    Final,
}

/// What was spent on one cost item, and the Union's part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Key of the item.
    pub item: Key,
    /// What it cost.
    pub total: Money,
    /// The Union's part.
    pub union: Money,
}

/// One grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Who signed for the consortium.
    pub accepted_by: Option<Actor>,
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

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was accepted, once it was assessed.
    pub accepted: Option<Vec<Cost>>,
    /// What was claimed.
    pub claimed: Vec<Cost>,
    /// First day of its period.
    pub from: Date,
    /// Which.
    pub kind: ReportKind,
    /// Who submitted it.
    pub submitted_by: Actor,
    /// Last day of its period.
    pub to: Date,
}

/// Why a grant says no.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// The proposal was not awarded.
    #[error("{proposal} is {phase}; only an awarded proposal becomes a grant")]
    NotAwarded { proposal: StreamId, phase: &'static str },
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
            Self::NotAwarded { .. } => Rule::ours("an award comes before its grant"),
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
            Self::NoFinalReport
            | Self::PaymentOpen(_)
            | Self::NotSettled { .. }
            | Self::InsuranceHeld(_) => Rule::of(AGREEMENT, "Art. 22: final payment"),
        }
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
    fn settle_amendment(&mut self, amendment: &Key) {
        if let Some((_, change)) = self.amendments.get_mut(amendment) {
            *change = None;
        }
    }
}
/// The commands of a grant.
pub const COMMANDS: &[Entry] = &[];
