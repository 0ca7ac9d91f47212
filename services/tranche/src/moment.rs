//! Points in time as people write them: a date, a time on a wall, or an instant; and the zone in which
//! the first two are meant. The command line, the address of a view and the page read them here, so that
//! the same question gets the same answer everywhere.

use domain::World;
use domain::kernel::ids::CallId;
use domain::kernel::time::{LocalTime, TimeError, end_of_day};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The zone of a date when no call has opened: the seat of the first authority that uses Tranche.
const ZONE: &str = "Europe/Luxembourg";

/// A point in time that may still need a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The end of that day, in a zone.
    Day(Date),
    /// What a clock on a wall shows, in a zone.
    Wall(DateTime),
    /// An instant.
    Instant(Timestamp),
}

const FORMS: &str = "a date like 2024-12-31 (the end of that day), a time like \
                     2024-12-31T17:00:00, or an instant like 2024-12-31T16:00:00Z";

/// Why it is not known which instant is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// There is no such call.
    #[error("call {0} does not exist")]
    NoCall(CallId),
    /// The calls state their times in zones in which this is not the same instant.
    #[error(
        "{when} is {first} in {zone} and {second} in {other}: the zones of the calls differ; name a \
         call or a zone, or give an instant"
    )]
    Differ {
        /// What was written.
        when: When,
        /// One zone.
        zone: String,
        /// The instant there.
        first: Timestamp,
        /// Another zone.
        other: String,
        /// The instant there.
        second: Timestamp,
    },
    /// There is no such zone, or no such time in it.
    #[error("{0}: {1}")]
    Time(When, TimeError),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The date last: jiff reads a date out of a longer text too.
        let instant = || text.parse().ok().map(Self::Instant);
        let wall = || text.contains(['T', 't', ' ']).then(|| text.parse().ok().map(Self::Wall))?;
        let day = || (text.len() == 10).then(|| text.parse().ok().map(Self::Day))?;
        instant().or_else(wall).or_else(day).ok_or_else(|| format!("expected {FORMS}"))
    }
}

impl When {
    /// The instant that is meant. When there are several zones, it must be the same in all.
    ///
    /// # Errors
    /// No such zone, no such time in it, or different instants.
    pub fn instant_in(self, zones: &[String]) -> Result<Timestamp, MomentError> {
        let in_zone = |zone: &String| {
            match self {
                Self::Instant(instant) => Ok(instant),
                Self::Day(date) => end_of_day(date, zone),
                Self::Wall(local) => LocalTime { local, zone: zone.clone() }.instant(),
            }
            .map_err(|error| MomentError::Time(self, error))
        };
        let home = ZONE.to_owned();
        let (zone, others) = zones.split_first().unwrap_or((&home, &[]));
        let first = in_zone(zone)?;
        for other in others {
            let second = in_zone(other)?;
            if second != first {
                let (zone, other) = (zone.clone(), other.clone());
                return Err(MomentError::Differ { when: self, zone, first, other, second });
            }
        }
        Ok(first)
    }
}

impl When {
    /// The same, but of a date alone the beginning of that day: where a stretch of time begins.
    ///
    /// # Errors
    /// As above.
    pub fn beginning_in(self, zones: &[String]) -> Result<Timestamp, MomentError> {
        let Self::Day(date) = self else { return self.instant_in(zones) };
        let Ok(day_before) = date.yesterday() else { return Ok(Timestamp::MIN) };
        let end = Self::Day(day_before).instant_in(zones)?;
        // The end of a day is its last microsecond.
        Ok(end.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(end))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => write!(f, "{date}"),
            Self::Wall(local) => write!(f, "{local}"),
            Self::Instant(instant) => write!(f, "{instant}"),
        }
    }
}

/// In which zone a date is meant, as far as that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DateZone {
    /// In that of all calls.
    #[default]
    Calls,
    /// In that of this call.
    Call(CallId),
    /// In this one.
    Zone(String),
}

impl DateZone {
    /// The zones, by name; never none.
    ///
    /// # Errors
    /// [`MomentError::NoCall`].
    pub fn zones(&self, world: &World) -> Result<Vec<String>, MomentError> {
        let zone_of = |id: &CallId| Some(world.calls.get(id)?.rules.as_ref()?.zone.clone());
        match self {
            Self::Zone(zone) => Ok(vec![zone.clone()]),
            Self::Call(id) => {
                zone_of(id).map(|zone| vec![zone]).ok_or_else(|| MomentError::NoCall(id.clone()))
            }
            Self::Calls => {
                let zones: BTreeSet<String> = world.calls.keys().filter_map(zone_of).collect();
                let zones: Vec<String> = zones.into_iter().collect();
                Ok(if zones.is_empty() { vec![ZONE.to_owned()] } else { zones })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn instant(text: &str) -> String {
        let when: When = text.parse().unwrap();
        when.instant_in(&zones(&["Europe/Luxembourg"])).unwrap().to_string()
    }

    #[test]
    fn a_date_alone_is_the_end_of_that_day_in_the_zone() {
        assert_eq!(instant("2024-12-31"), "2024-12-31T22:59:59.999999Z");
    }

    #[test]
    fn where_a_stretch_begins_a_date_alone_is_the_beginning_of_that_day() {
        let beginning = |text: &str| {
            let when: When = text.parse().unwrap();
            when.beginning_in(&zones(&["Europe/Luxembourg"])).unwrap().to_string()
        };
        assert_eq!(beginning("2024-12-31"), "2024-12-30T23:00:00Z");
        assert_eq!(beginning("2024-12-31T17:00:00"), "2024-12-31T16:00:00Z");
    }

    #[test]
    fn a_time_on_the_wall_is_read_in_the_zone() {
        assert_eq!(instant("2025-08-21T17:00:00"), "2025-08-21T15:00:00Z");
        assert_eq!(instant("2025-08-21T17:00"), "2025-08-21T15:00:00Z");
    }

    #[test]
    fn an_instant_needs_no_zone() {
        assert_eq!(instant("2024-12-31T17:00:00+01:00"), "2024-12-31T16:00:00Z");
    }

    #[test]
    fn calls_in_several_zones_do_unless_they_mean_different_instants() {
        let day: When = "2024-12-31".parse().unwrap();
        let instant = day.instant_in(&zones(&["Europe/Brussels", "Europe/Luxembourg"])).unwrap();
        assert_eq!(instant.to_string(), "2024-12-31T22:59:59.999999Z");
        let differ = zones(&["Europe/Helsinki", "Europe/Luxembourg"]);
        let error = day.instant_in(&differ).unwrap_err().to_string();
        for part in ["21:59:59.999999Z in Europe/Helsinki", "in Europe/Luxembourg", "name a call"] {
            assert!(error.contains(part), "{error}");
        }
        let exact: When = "2024-12-31T17:00:00Z".parse().unwrap();
        assert!(exact.instant_in(&differ).is_ok());
    }

    #[test]
    fn a_time_that_happens_twice_and_a_zone_that_does_not_exist_are_refused() {
        let when: When = "2025-10-26T02:30:00".parse().unwrap();
        let error = when.instant_in(&zones(&["Europe/Luxembourg"])).unwrap_err().to_string();
        assert!(error.starts_with("2025-10-26T02:30:00: "), "{error}");
        assert!(when.instant_in(&zones(&["Mars/Base"])).is_err());
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_that_are_taken() {
        for text in ["", "yesterday", "2024-13-01", "2024-12-31T25:00", "31.12.2024", "20241231"] {
            assert_eq!(text.parse::<When>(), Err(format!("expected {FORMS}")), "{text:?}");
        }
    }
}
