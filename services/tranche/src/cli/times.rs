//! A point in time in a flag.

use super::failure::Failure;
use super::out::say;
use jiff::Timestamp;
use tranche::moment::{MomentError, When};

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
