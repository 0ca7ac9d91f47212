//! Why a grant says no.

use crate::facts::grant::Party;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{AccountKey, GrantId, Key, StreamId, StreamKey};
use crate::kernel::money::{Money, Rate};
use crate::kernel::refusal::{Kind, Reason, Rule};
use jiff::civil::Date;

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
    PaymentOrdered(crate::kernel::ids::PaymentId),
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
    PaymentOpen(crate::kernel::ids::PaymentId),
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
