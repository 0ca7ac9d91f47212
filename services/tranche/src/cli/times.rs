//! Points in time as people write them: a date, a time on a wall, or an instant.

use super::failure::Failure;
use super::out::say;
use domain::time::{LocalTime, end_of_day};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use std::fmt;
use std::str::FromStr;

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
    /// The instant that is meant, in this zone.
    pub fn instant(self, flag: &'static str, zone: &str) -> Result<Timestamp, Failure> {
        match self {
            Self::Instant(instant) => Ok(instant),
            Self::Day(date) => end_of_day(date, zone),
            Self::Wall(local) => LocalTime { local, zone: zone.to_owned() }.instant(),
        }
        .map_err(|error| Failure::Usage(format!("{flag} {self}: {error}")))
    }
}

/// The instant that a flag means, which is said aloud when it depended on the zone. When there are
/// several zones, it must be the same in all.
pub fn instant_in(
    flag: &'static str,
    when: Option<When>,
    zones: &[String],
) -> Result<Option<Timestamp>, Failure> {
    let Some(when) = when else { return Ok(None) };
    if let When::Instant(instant) = when {
        return Ok(Some(instant));
    }
    let mut known: Option<(&str, Timestamp)> = None;
    for zone in zones {
        let instant = when.instant(flag, zone)?;
        if let Some((other, first)) = known.filter(|(_, first)| *first != instant) {
            return Err(Failure::Usage(format!(
                "{flag} {when} is {first} in {other} and {instant} in {zone}: the zones of the calls \
                 differ; name a call (--call, where there is one) or give an instant"
            )));
        }
        known = known.or(Some((zone, instant)));
    }
    if let Some((_, instant)) = known {
        say(format_args!("{flag} {when} in {} is {instant}", zones.join(" and ")));
    }
    Ok(known.map(|(_, instant)| instant))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> String {
        let when: When = text.parse().unwrap();
        when.instant("--as-of", "Europe/Luxembourg").unwrap().to_string()
    }

    #[test]
    fn a_date_alone_is_the_end_of_that_day_in_the_zone() {
        assert_eq!(instant("2024-12-31"), "2024-12-31T22:59:59.999999Z");
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
        let zones =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let day = Some("2024-12-31".parse().unwrap());
        let same = zones(&["Europe/Brussels", "Europe/Luxembourg"]);
        let instant = instant_in("--as-of", day, &same).unwrap().unwrap();
        assert_eq!(instant.to_string(), "2024-12-31T22:59:59.999999Z");
        let differ = zones(&["Europe/Helsinki", "Europe/Luxembourg"]);
        let failure = instant_in("--as-of", day, &differ).unwrap_err().to_string();
        for part in ["21:59:59.999999Z in Europe/Helsinki", "in Europe/Luxembourg", "--call"] {
            assert!(failure.contains(part), "{failure}");
        }
        let exact = Some("2024-12-31T17:00:00Z".parse().unwrap());
        assert!(instant_in("--as-of", exact, &differ).unwrap().is_some());
    }

    #[test]
    fn a_time_that_happens_twice_is_refused_by_the_name_of_its_flag() {
        let when: When = "2025-10-26T02:30:00".parse().unwrap();
        let failure = when.instant("--as-of", "Europe/Luxembourg").unwrap_err();
        assert!(failure.to_string().starts_with("--as-of 2025-10-26T02:30:00: "), "{failure}");
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_that_are_taken() {
        for text in ["", "yesterday", "2024-13-01", "2024-12-31T25:00", "31.12.2024", "20241231"] {
            assert_eq!(text.parse::<When>(), Err(format!("expected {FORMS}")), "{text:?}");
        }
    }
}
