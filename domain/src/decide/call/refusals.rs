//! Why a call says no.

use crate::decide::prelude::*;

/// The most cut-offs that a call may have.
pub const CUT_OFFS_MAX: usize = 200;

refusals! {
    Rejection of "call"

    under OURS, "rules are data (rules.md#rules-are-data)" => {
        BadRules { count: usize, list: String }
            = "the rules document has {count} mistakes: {list}" as Malformed;
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        TooManyCutOffs = "a call has at most {CUT_OFFS_MAX} cut-offs" as Malformed;
    }

    under OURS, "the calendar of cut-offs (rules.md#calendar)" => {
        CutOffTwice(CutOffKey) = "cut-off {0} has the same key or the same instant as another one";
        NoCutOff(CutOffKey) = "the call has no cut-off {0}" as NotFound;
        CutOffInThePast { cut_off: CutOffKey, at: Timestamp, now: Timestamp }
            = "cut-off {cut_off} would lie at {at}, and it is {now}";
        CutOffAfterEnd(CutOffKey) = "cut-off {0} lies after the end of the call";
        CutOffClosed(CutOffKey) = "cut-off {0} has closed; it does not open again" as Conflict;
        CutOffCancelled(CutOffKey) = "cut-off {0} was cancelled" as Conflict;
        CutOffNotDue { cut_off: CutOffKey, at: Timestamp, now: Timestamp }
            = "cut-off {cut_off} closes at {at}, and it is {now}";
        CutOffOpen(CutOffKey) = "cut-off {0} has not closed yet";
    }

    under OURS, "commitments add up (rules.md#add-up)" => {
        NotPositive(Money) = "an amount must be more than nothing; got {0}";
        NoBudget = "the call has no budget";
    }

    under OURS, "a round is decided once and whole (rules.md#whole-round)" => {
        RoundDecided(CutOffKey) = "the round of cut-off {0} has been decided already" as Conflict;
    }

    under FR, "Art. 61: conflict of interests" => {
        ReexaminationDue(CutOffKey)
            = "a conflict of interest was learnt after cut-off {0} was decided: it is to be \
               reexamined";
        NothingToReexamine(CutOffKey) = "nothing of the decision on cut-off {0} is to be reexamined";
    }

    under OURS, "a round is decided once and whole (rules.md#whole-round)" => {
        NamedTwice(ProposalId) = "proposal {0} is named twice";
    }

    under OURS, "the calendar of cut-offs (rules.md#calendar)" => {
        NotInRound { proposal: ProposalId, cut_off: CutOffKey }
            = "proposal {proposal} is not in the round of cut-off {cut_off}";
    }

    under RULES, "submission.questions, eligibility.questions" => {
        NotChecked(ProposalId)
            = "proposal {0} has not been checked for admissibility and eligibility";
        NotEligible { proposal: ProposalId, phase: &'static str }
            = "proposal {proposal} is {phase}; only eligible proposals are decided on";
    }

    under OURS, "a round is decided once and whole (rules.md#whole-round)" => {
        LeftOut(ProposalId) = "the decision leaves out {0}, which is eligible";
    }

    under RULES, "evaluation" => {
        NotRanked(CutOffKey) = "the round of cut-off {0} has not been ranked by its panel";
        BelowThreshold(ProposalId) = "proposal {0} did not pass every threshold";
        PassedOver { skipped: ProposalId, funded: ProposalId }
            = "proposal {skipped} ranks above {funded}: fund it, or reject it with a reason";
        ReserveOutOfOrder(ProposalId)
            = "the reserve list is in the order of the ranking; {0} is out of place";
        NotNextInReserve { asked: ProposalId, next: ProposalId }
            = "{next} is next on the reserve list, not {asked}";
        NotInReserve(ProposalId) = "proposal {0} is not on the reserve list";
    }

    under OURS, "a round is decided once and whole (rules.md#whole-round)" => {
        GrantExists(GrantId) = "grant {0} exists already" as Conflict;
    }

    under OURS, "commitments add up (rules.md#add-up)" => {
        MoreThanRequested { asked: Money, requested: Money, proposal: ProposalId }
            = "{asked} is more than the {requested} that {proposal} asked for";
        EnvelopeExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} left of the call's envelope";
        PartsExceedTotal { sum: Money, union: Money }
            = "the known amounts add up to {sum}, more than the round's total of {union}";
    }

    under FR, "Art. 112(4): global commitments" => {
        NoCommitment = "an award of money draws on a global commitment: give its key";
        OtherCommitment(CommitmentKey)
            = "global commitment {0} was made for another call, round, line or source";
    }
}
