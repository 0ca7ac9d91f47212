//! What a pack or an export is of: a scope as it is said, and what belongs to it.

use super::moment::Moment;
use crate::cli::failure::Failure;
use crate::cli::source::{Source, each_entry};
use crate::cli::times::{MomentArgs, instant_in};
use domain::World;
use jiff::Timestamp;
use projections::audit::extent::{Extent, Links, NoExtent, Scope};
use std::str::FromStr;
use tranche::engine::decode;
use tranche::moment::When;
use tranche_proof::pack::figures::People;

/// A scope whose dates still need a zone.
#[derive(Clone, Debug)]
pub enum Asked {
    Known(Scope),
    Period(When, When),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "all, call:ID, round:CALL/ROUND, grant:ID or period:FROM..TO";
        let wrong = |error: &dyn std::fmt::Display| format!("{error}; expected {FORMS}");
        let id = |error: domain::kernel::ids::IdError| wrong(&error);
        let (kind, of) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self::Known(match kind {
            "all" if text == "all" => Scope::All,
            "call" => Scope::Call(of.parse().map_err(id)?),
            "grant" => Scope::Grant(of.parse().map_err(id)?),
            "round" => {
                let (call, round) =
                    of.split_once('/').ok_or_else(|| wrong(&"a round is CALL/ROUND"))?;
                Scope::Round(call.parse().map_err(id)?, round.parse().map_err(id)?)
            }
            "period" => {
                let (from, to) =
                    of.split_once("..").ok_or_else(|| wrong(&"a period is FROM..TO"))?;
                let time = |text: &str| text.parse::<When>().map_err(|error| wrong(&error));
                return Ok(Self::Period(time(from)?, time(to)?));
            }
            _ => return Err(format!("expected {FORMS}")),
        }))
    }
}

impl Asked {
    /// The scope, with its dates in the zones in which the other times of the question are meant.
    pub fn of_world(&self, asked: &MomentArgs, world: &World) -> Result<Scope, Failure> {
        let (from, to) = match self {
            Self::Known(scope) => return Ok(scope.clone()),
            Self::Period(from, to) => (*from, *to),
        };
        let zones = asked.zones(world)?;
        let from = from.beginning_in(&zones)?;
        let to = instant_in("--scope", Some(to), &zones)?.unwrap_or(Timestamp::MAX);
        Ok(Scope::Period(from, to))
    }
}

/// Finds what belongs to the scope, and the people in the log up to the moment.
pub async fn extent(
    source: &Source,
    scope: Scope,
    moment: &Moment,
) -> Result<(Extent, People), Failure> {
    let log = source.open_to_read().await?;
    let (mut links, mut people) = (Links::default(), People::default());
    let asked = moment.asked();
    let is_linked = !matches!(scope, Scope::All | Scope::Period(..));
    each_entry(&*log, 1, moment.position, |position, entry| {
        let commit = decode(position, entry)?;
        people.apply(&commit);
        if !is_linked {
            return Ok(());
        }
        let events = commit.events.iter().filter(|event| asked.was_true(event.effective_at));
        events.for_each(|event| links.apply(event));
        Ok(())
    })
    .await?;
    Ok((links.extent(&scope)?, people))
}

impl From<NoExtent> for Failure {
    fn from(error: NoExtent) -> Self {
        match error {
            NoExtent::Period(_) => Self::Usage(error.to_string()),
            _ => Self::NotFound(error.to_string()),
        }
    }
}
