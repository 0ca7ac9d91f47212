//! A point in time in a flag, and the moment that the flags of a question mean.

use super::failure::Failure;
use super::words::say;
use clap::Args;
use domain::World;
use domain::kernel::ids::CallId;
use jiff::Timestamp;
use projections::AsOf;
use tranche::moment::{DateZone, MomentError, When};

/// As of when, on both clocks.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct MomentArgs {
    /// Takes only what was true by this time; a date counts to its end
    #[arg(long, value_name = "TIME")]
    as_of: Option<When>,
    /// Takes only what had been recorded by this time
    #[arg(long, value_name = "TIME")]
    known_at: Option<When>,
    /// Takes only what was recorded up to this position
    #[arg(long, value_name = "N")]
    at_position: Option<u64>,
    /// Reads dates and times in the zone of this call; needed if the zones of calls differ
    #[arg(long, value_name = "ID")]
    call: Option<CallId>,
    /// Reads dates and times in this zone, by its IANA name
    #[arg(long, value_name = "NAME", conflicts_with = "call")]
    zone: Option<String>,
}

impl MomentArgs {
    /// Everything up to a position.
    pub fn at(position: Option<u64>) -> Self {
        Self { at_position: position, ..Self::default() }
    }

    /// The moment, with its times in the zones of the calls of a world.
    pub fn of_world(&self, world: &World) -> Result<AsOf, Failure> {
        let head = world.position;
        if let Some(position) = self.at_position.filter(|position| *position > head) {
            return Err(Failure::NotFound(format!("position {position}: the log ends at {head}")));
        }
        let zones = self.zones(world)?;
        let as_of = instant_in("--as-of", self.as_of, &zones)?;
        let known_at = instant_in("--known-at", self.known_at, &zones)?;
        Ok(AsOf { as_of, known_at, position: self.at_position })
    }

    /// The zone that was asked for, by its name or by a call.
    pub fn zone(&self, world: &World) -> Result<Option<String>, Failure> {
        let is_asked = self.zone.is_some() || self.call.is_some();
        if is_asked { Ok(self.zones(world)?.into_iter().next()) } else { Ok(None) }
    }

    /// The zones in which its times are meant.
    pub fn zones(&self, world: &World) -> Result<Vec<String>, Failure> {
        if let Some(zone) = &self.zone {
            domain::kernel::time::zone(zone)
                .map_err(|error| Failure::Usage(format!("--zone: {error}")))?;
        }
        let place = match (&self.call, &self.zone) {
            (Some(call), _) => DateZone::Call(call.clone()),
            (None, Some(zone)) => DateZone::Zone(zone.clone()),
            (None, None) => DateZone::Calls,
        };
        Ok(place.zones(world)?)
    }
}

/// The instant that a flag means, which is said aloud when it depended on the zone.
pub fn instant_in(
    flag: &'static str,
    when: Option<When>,
    zones: &[String],
) -> Result<Option<Timestamp>, Failure> {
    let Some(when) = when else { return Ok(None) };
    let instant = when.instant_in(zones).map_err(|error| match error {
        MomentError::Differ { .. } => {
            Failure::Usage(format!("{flag} {error} (--call or --zone, where there are these)"))
        }
        error => Failure::Usage(format!("{flag} {error}")),
    })?;
    if !matches!(when, When::Instant(_)) {
        say(format_args!("{flag} {when} in {} is {instant}", zones.join(" and ")));
    }
    Ok(Some(instant))
}

impl From<MomentError> for Failure {
    fn from(error: MomentError) -> Self {
        match error {
            MomentError::NoCall(_) => Self::NotFound(error.to_string()),
            error => Self::Usage(error.to_string()),
        }
    }
}
