//! Why a grant says no.

use crate::decide::prelude::*;
use crate::facts::grant::Party;

refusals! {
    Rejection of "grant"

    under OURS, "an award comes before its grant (rules.md#award-first)" => {
        NotAwarded { proposal: StreamId, phase: &'static str }
            = "{proposal} is {phase}; only an awarded proposal becomes a grant";
        OtherGrant(StreamId) = "{0} was awarded as another grant";
    }

    under MGA, "Art. 7: the coordinator acts for all" => {
        NotApplicant = "only the applicant acts for the consortium" as Forbidden;
    }

    under MGA, "Art. 39 and 44: entry into force and amendments" => {
        InForce = "the grant agreement is in force: it changes by amendment";
        NoAgreement = "there is no grant agreement to change";
    }

    under OURS, "a key names one thing for ever (rules.md#keys)" => {
        KeyUsed { what: &'static str, key: String } = "{what} {key} exists already" as Conflict;
        UnknownKey { what: &'static str, key: String } = "there is no {what} {key}";
    }

    under OURS, "a budget adds up (rules.md#budget)" => {
        Negative(Money) = "{0} is less than nothing";
    }

    under "Rules document of the call", "funding.ceilings: the Union's share of each cost item" => {
        NotFunded(ItemKey) = "the rules of the call fund no item {0}";
    }

    under OURS, "a budget adds up (rules.md#budget)" => {
        DoesNotAddUp { item: String, parts: Money, total: Money }
            = "the parts of {item} add up to {parts}, not to {total}";
    }

    under "Rules document of the call", "funding.ceilings: the Union's share of each cost item" => {
        CeilingExceeded { item: String, union: Money, ceiling: Rate, total: Money }
            = "{union} is more than {ceiling} of the {total} for {item}";
    }

    under MGA, "Art. 7-9: coordinator, beneficiaries and other participants" => {
        OneCoordinator(usize) = "a consortium has one coordinator, not {0}";
        PartnerFunded(BeneficiaryKey) = "{0} takes part without funding";
    }

    under OURS, "a budget adds up (rules.md#budget)" => {
        SharesDiffer { beneficiaries: Money, items: Money }
            = "beneficiaries receive {beneficiaries} of the Union, items cost it {items}";
    }

    under MGA, "Art. 39 and 44: entry into force and amendments" => {
        NoBudget = "the grant has no budget";
        SumsDiffer { union: Money, total: Money, asked_union: Money, asked_total: Money }
            = "{union} of {total} is agreed, not {asked_union} of {asked_total}";
    }

    under MGA, "Art. 21: reporting" => {
        Backwards { from: Date, to: Date } = "{to} lies before {from}";
    }

    under "Council Reg. (EU) 2021/1173", "Art. 10: the hosting agreement precedes the acquisition" => {
        NoHostingAgreement = "the hosting agreement comes before the procurement";
        HostingAgreed = "the hosting agreement is concluded already";
    }

    under MGA, "Art. 39 and 44: entry into force and amendments" => {
        NotAccepted = "the coordinator signs before the authority";
    }

    under OURS, "two parties are two people (rules.md#two-people)" => {
        SamePerson(&'static str) = "this needs someone other than the person who {0}" as Forbidden;
    }

    under FR, "Art. 111: budgetary commitment before legal commitment" => {
        NotCommitted(GrantId) = "no fund has committed money to {0}";
        SeveralFunds(GrantId) = "several funds have committed money to {0}: name one";
    }

    under "Rules document of the call", "funding.matched: the states match the Union at signature" => {
        NotMatched { union: Money, signed: Money }
            = "participating states have signed for {signed}, the Union would sign for {union}";
    }

    under MGA, "Art. 32: termination" => {
        OtherParty(Party) = "the {0} terminates for itself only" as Forbidden;
    }

    under OURS, "a key names one thing for ever (rules.md#keys)" => {
        Decided { what: &'static str, key: String } = "{what} {key} is decided already" as Conflict;
    }

    under MGA, "Art. 21: reporting" => {
        PeriodTaken { report: ReportKey, to: Date } = "report {report} covers days up to {to} already";
        MoreThanClaimed { item: ItemKey, accepted: Money, claimed: Money }
            = "{accepted} is more than the {claimed} claimed for {item}";
    }

    under MGA, "Art. 22: payments to the coordinator's account" => {
        NoAccount(GrantId) = "no bank account of {0} is confirmed";
        AccountWaits(AccountKey)
            = "account {0} waits for the accounting officer: until then nothing is paid, and no \
               other is named";
    }

    under OURS, "an account is named by a key, not by its number (rules.md#account-keys)" => {
        AccountNumber
            = "this is the number of a bank account; name it by its key in the books of the \
               authority";
    }

    under MGA, "Art. 22: payments to the coordinator's account" => {
        PaymentOrdered(PaymentId)
            = "payment {0} is authorised to the account before: carry it out or reject it first";
        BeforeNaming(Timestamp)
            = "the account is named since {0}; no decision on it is older";
        AccountConfirmed(AccountKey) = "payments already go to account {0}";
        AccountNotWaiting { account: AccountKey, document: Sha256Hex }
            = "no account {account} with the form {document} waits to be decided";
    }

    under MGA, "Art. 22: final payment" => {
        NoFinalReport = "the final report has not been assessed";
        PaymentOpen(PaymentId) = "payment {0} is not finished";
        NotSettled { paid: Money, due: Money } = "{paid} is paid, {due} is due";
        InsuranceHeld(Money) = "the mutual insurance still withholds {0}";
    }
}
