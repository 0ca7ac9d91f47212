//! Keeps what has been published about money, with date and source. Published figures for one thing
//! disagree over time; none is corrected, each is a claim of its day.

use crate::decide::command::{Command, Decision, Declaration, Entry, Meta, NewEvent, entry};
use crate::decide::texts::{check_reason, check_text};
use crate::facts::claim::{Event, Figures};
use crate::facts::stream::NEW;
use crate::facts::world::World;
use crate::kernel::actor::Role;
use crate::kernel::ids::{ClaimId, StreamId, StreamKey};
use crate::kernel::money::Money;
use crate::kernel::refusal::{Reason, Refusal, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a claim is not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// No source.
    #[error("a published figure carries its source (evidence)")]
    NoSource,
    /// No figure.
    #[error("a claim has at least one figure")]
    NoFigure,
    /// A negative figure.
    #[error("{0} is less than nothing")]
    Negative(Money),
    /// The known parts exceed the total.
    #[error("the parts add up to {parts}, more than the total of {total}")]
    PartsExceedTotal { parts: Money, total: Money },
}

impl Reason for Rejection {
    const CATEGORY: &'static str = ClaimId::CATEGORY;

    fn rule(&self) -> Rule {
        Rule::ours("published facts keep their source; an unknown amount stays unknown")
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

/// The commands of a claim.
pub const COMMANDS: &[Entry] = &[entry::<Publish>(), entry::<Withdraw>()];

const KEEPERS: &[Role] = &[Role::ProgrammeOfficer, Role::AuthorisingOfficer, Role::Auditor];

/// Records what was published.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The claim.
    pub claim: ClaimId,
    /// What was published.
    pub figures: Figures,
}

impl Command for Publish {
    const DECLARATION: Declaration = Declaration {
        name: "claim.publish",
        summary: "Record a figure that was published, with its source",
        roles: KEEPERS,
        from: &[NEW],
        needs: &[],
        rule: Rule::of("Reg. (EU, Euratom) 2024/2509", "Art. 38: publication of recipients"),
    };

    fn subject(&self) -> StreamId {
        self.claim.stream()
    }

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

impl Command for Withdraw {
    const DECLARATION: Declaration = Declaration {
        name: "claim.withdraw",
        summary: "Record that a published figure was taken back",
        roles: KEEPERS,
        from: &["published"],
        needs: &[],
        rule: Rule::ours("a correction is a new event"),
    };

    fn subject(&self) -> StreamId {
        self.claim.stream()
    }

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
