//! Keeps what has been published about money, with date and source. Published figures for one thing
//! disagree over time; none is corrected, each is a claim of its day.

use crate::decide::prelude::*;
use crate::facts::claim::{Event, Figures, Phase};

refusals! {
    Rejection of "claim"

    under OURS, "published facts keep their source; an unknown amount stays unknown (rules.md#sources)" => {
        NoSource = "a published figure carries its source (evidence)";
        NoFigure = "a claim has at least one figure";
        Negative(Money) = "an amount may not be negative; got {0}";
        PartsExceedTotal { parts: Money, total: Money }
            = "the parts add up to {parts}, more than the total of {total}";
    }
}

impl Figures {
    fn check(&self) -> Result<(), Refusal> {
        let parts = [self.union, self.national, self.regional, self.rrf];
        let known: Vec<Money> = parts.into_iter().flatten().collect();
        if known.is_empty() && self.total.is_none() {
            return Err(Rejection::NoFigure.into());
        }
        if let Some(negative) = known.iter().chain(&self.total).find(|money| money.is_negative()) {
            return Err(Rejection::Negative(*negative).into());
        }
        let Some(total) = self.total else { return Ok(()) };
        let sum = known.into_iter().try_fold(Money::ZERO, Money::plus)?;
        if sum > total {
            return Err(Rejection::PartsExceedTotal { parts: sum, total }.into());
        }
        Ok(())
    }
}

commands! {
    |it| it.claim, Phase;

    Publish "claim.publish" "Record a figure that was published, with its source"
        by [ProgrammeOfficer, AuthorisingOfficer, Auditor] in [new]
        under FR, "Art. 38: publication of recipients";
    Withdraw "claim.withdraw" "Record that a published figure was taken back"
        by [ProgrammeOfficer, AuthorisingOfficer, Auditor] in [Published]
        under OURS, "a correction is a new event (rules.md#correction)";
}

/// Records what was published.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The claim.
    pub claim: ClaimId,
    /// What was published.
    pub figures: Figures,
}

impl Decide for Publish {
    fn decide(&self, _: &World, meta: &Meta) -> Decision {
        if meta.evidence.is_none() {
            return Err(Refusal::from(Rejection::NoSource).at("/evidence"));
        }
        check_text("what", &self.figures.what)?;
        self.figures.check().map_err(|refusal| refusal.at("/figures"))?;
        Ok(vec![NewEvent::on(&self.claim, Event::Published(self.figures.clone()))])
    }
}

/// Records that the publisher took a figure back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The claim.
    pub claim: ClaimId,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Withdraw {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&self.claim, Event::Withdrawn { reason: self.reason.clone() })])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::given;

    #[test]
    fn a_figure_without_a_source_is_refused() {
        given()
            .by(Role::Auditor)
            .when("claim.publish", r#"{"claim":"A","figures":{"about":"grant-A","published":"2025-03-12","what":"announced","total":"EUR 150000000"}}"#)
            .refused("claim.no_source")
            .at("/evidence");
    }

    #[test]
    fn parts_may_not_exceed_the_total() {
        given()
            .by(Role::Auditor)
            .with_source("recursive")
            .when("claim.publish", r#"{"claim":"A","figures":{"about":"grant-A","published":"2025-03-12","what":"announced","total":"EUR 10","union":"EUR 6","national":"EUR 6"}}"#)
            .refused("claim.parts_exceed_total");
    }

    #[test]
    fn a_claim_can_be_taken_back_once() {
        let taken = given()
            .by(Role::Auditor)
            .with_source("recursive")
            .when("claim.publish", r#"{"claim":"A","figures":{"about":"grant-A","published":"2025-03-12","what":"announced","total":"EUR 10"}}"#)
            .recorded(&["claim.Published"])
            .when("claim.withdraw", r#"{"claim":"A","reason":"typing error"}"#)
            .recorded(&["claim.Withdrawn"]);
        taken
            .when("claim.withdraw", r#"{"claim":"A","reason":"again"}"#)
            .refused("command.wrong_state");
    }
}
