//! Holds what is known of a grant: its events, stored for ever, and what they add up to.

pub mod account;
pub mod agreement;
pub mod budget;
pub mod change;
pub mod hosting;
pub mod report;

use crate::facts::grant::account::Accounts;
use crate::facts::grant::agreement::Agreement;
use crate::facts::grant::budget::{Budget, Cost, sum};
use crate::facts::grant::change::Change;
use crate::facts::grant::hosting::Contract;
use crate::facts::grant::report::{PeriodReport, ReportKind};
use crate::facts::stream::{At, Decider, phases};
use crate::kernel::actor::Actor;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{
    AccountKey, ActorId, AmendmentKey, CallId, Country, FundId, GrantId, ProcurementKey,
    ProposalId, ReportKey,
};
use crate::kernel::money::Money;
use crate::rulebook;
use imbl::OrdMap;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    ProcurementStarted { procurement: ProcurementKey, tender: String },
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
    AmendmentRequested { amendment: AmendmentKey, change: Change, reason: String },
    /// The authority agreed: the agreement as it now stands.
    #[serde(rename = "grant.Amended")]
    Amended { amendment: AmendmentKey, budget: Budget, ends: Date, reason: String, starts: Date },
    /// The authority did not agree.
    #[serde(rename = "grant.AmendmentRefused")]
    AmendmentRefused { amendment: AmendmentKey, reason: String },
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
        report: ReportKey,
        to: Date,
    },
    /// A report was assessed; what is not in `accepted` was not accepted.
    #[serde(rename = "grant.ReportAssessed")]
    ReportAssessed { accepted: Vec<Cost>, comments: String, report: ReportKey },
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
    pub deadlines: Option<rulebook::Deadlines>,
    /// What the Union pays of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<rulebook::Funding>,
    /// How money is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<rulebook::Payments>,
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
    pub amendments: OrdMap<AmendmentKey, (Actor, Option<Change>)>,
    /// The budget.
    pub budget: Option<Budget>,
    /// Legally committed, by fund.
    pub commitments: OrdMap<FundId, Money>,
    /// The hosting agreement.
    pub hosting: Option<Sha256Hex>,
    /// Where it comes from.
    pub origin: Option<Origin>,
    /// Procurements and their contracts.
    pub procurements: OrdMap<ProcurementKey, Option<Contract>>,
    /// Reports.
    pub reports: OrdMap<ReportKey, PeriodReport>,
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

impl Grant {
    /// Whether nothing is to be paid or recovered any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.stopped == Some(Stop::Closed)
    }
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Suspended = "suspended",
        Terminated = "terminated",
        Closed = "closed",
        Active = "active",
        HostingAgreed = "hosting_agreed",
        Preparation = "preparation",
    }
}

impl Decider for Grant {
    type Id = GrantId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        match self.stopped {
            Some(Stop::Suspended) => Phase::Suspended,
            Some(Stop::Terminated) => Phase::Terminated,
            Some(Stop::Closed) => Phase::Closed,
            None if !self.commitments.is_empty() => Phase::Active,
            None if self.hosting.is_some() => Phase::HostingAgreed,
            None => Phase::Preparation,
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
                let new = PeriodReport {
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
        sum(self.reports.values().map(PeriodReport::accepted_union)).min(self.union())
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

    fn settle_amendment(&mut self, amendment: &AmendmentKey) {
        if let Some((_, change)) = self.amendments.get_mut(amendment) {
            *change = None;
        }
    }
}
