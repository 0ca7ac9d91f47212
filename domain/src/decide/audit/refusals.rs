//! Why an audit engagement says no.

use crate::decide::prelude::*;
use crate::facts::audit::FindingStanding;
use crate::kernel::sampling::{NoSize, SAMPLE_MAX};

/// The longest time for an answer, in days.
pub const ANSWER_DAYS_MAX: u32 = 365;

refusals! {
    Rejection of "audit"

    under MGA, "Art. 25: contradictory procedure" => {
        AnswerDays(u32) = "the auditee must have 1 to {ANSWER_DAYS_MAX} days to answer; got {0}";
    }

    under "ISA 530", "para. 6-8: design, size and selection of samples" => {
        Backwards { from: Date, to: Date } = "{to} lies before {from}";
        NotPositive(Money)
            = "the tolerable error must be more than nothing, and the expected error not \
               negative; got {0}";
    }

    under "ISSAI 100", "para. 51: follow-up of findings" => {
        Negative(Money) = "an amount may not be negative; got {0}";
    }

    under OURS, "neither side can steer a sample (rules.md#sample)" => {
        OtherNonce { committed: Sha256Hex, got: Sha256Hex }
            = "the SHA-256 of this nonce is {got}, not {committed}, which was committed to";
        OtherCheckpoint { size: u64, committed: u64, root: Sha256Hex }
            = "the first checkpoint after position {committed}, where the nonce was committed \
               to, is of {size} commits with root {root}";
        NoCheckpoint { committed: u64 }
            = "no checkpoint was recorded after position {committed}, where the nonce was \
               committed to; ask for one (checkpoint.request)";
    }

    under "ISA 500", "para. 9: completeness of information" => {
        Incomplete { place: String, population: Money, control: Money }
            = "the population is not complete: {place} has {control}, its items add up to \
               {population}";
    }

    under "ISA 530", "para. 6-8: design, size and selection of samples" => {
        Empty = "there is nothing to draw from in this period";
        NoSize(NoSize) = "{0}";
        TooLarge(usize)
            = "{0} items would be drawn, the most is {SAMPLE_MAX}: narrow the scope or raise \
               what is tolerable";
    }

    under OURS, "neither side can steer a sample (rules.md#sample)" => {
        NotDrawn { committed: u64 }
            = "a checkpoint was recorded after position {committed}, where the nonce was \
               committed to, so the sample can be known: draw it first (audit.draw)";
    }

    under "ISA 530", "para. 6-8: design, size and selection of samples" => {
        NotInSample(String) = "{0} is not in the sample";
    }

    under FR, "Art. 36: segregation of duties" => {
        ActedOn { actor: String, step: &'static str, position: u64, payment: PaymentId }
            = "{actor} {step} at position {position}: another auditor must audit payment \
               {payment}" as Forbidden;
    }

    under OURS, "a key names one thing for ever (rules.md#keys)" => {
        FindingExists(FindingKey) = "finding {0} exists already";
        NoFinding(FindingKey) = "there is no finding {0}";
    }

    under "ISSAI 100", "para. 51: follow-up of findings" => {
        OtherStage { finding: FindingKey, stage: FindingStanding } = "finding {finding} is {stage}";
    }

    under MGA, "Art. 25: contradictory procedure" => {
        OwnFinding = "the auditor who raised it does not answer it" as Forbidden;
        NotAuditee
            = "a coordinator answers for their own grant only, and this finding names none" as Forbidden;
        Answered(FindingKey) = "finding {0} has been answered";
        NotHeard { finding: FindingKey, answer_by: Timestamp }
            = "the auditee has not answered {finding} and has time until {answer_by}";
    }

    under "ISSAI 100", "para. 51: follow-up of findings" => {
        NotCarriedOut(PaymentId) = "payment {0} has not been carried out";
        Itself(PaymentId) = "payment {0} is what the finding is about";
        CorrectionExceeded { asked: Money, left: Money }
            = "{asked} is more than the {left} left to correct";
        NotCorrected { finding: FindingKey, left: Money } = "{left} of finding {finding} is not corrected";
        NotSettled { finding: FindingKey, stage: FindingStanding } = "finding {finding} is {stage}";
    }

    under "ISA 530", "para. 6-8: design, size and selection of samples" => {
        NotTested(String) = "{0} of the sample has not been tested";
    }
}
