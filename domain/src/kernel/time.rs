//! Time: an instant, plus the zone in which a call states it. The zone rules are those compiled in,
//! so that the same log gives the same instants on every machine.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moment on a clock on the wall of a place, such as 4 November 2024 17:00 in Luxembourg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalTime {
    /// Date and time without offset, for example `2024-11-04T17:00:00`.
    #[schemars(example = "2027-01-29T17:00:00")]
    pub local: DateTime,
    /// The IANA name of the zone, for example `Europe/Luxembourg`.
    #[schemars(length(max = 64), example = "Europe/Luxembourg")]
    pub zone: String,
}

/// What is wrong with a local time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// No such zone.
    #[error("no time zone is called {0:?} (IANA names like \"Europe/Luxembourg\")")]
    Zone(String),
    /// Skipped or repeated by a change of the clocks.
    #[error("{0} in {1} happens twice or never: the clocks change then")]
    Ambiguous(DateTime, String),
    /// Beyond the calendar.
    #[error("that date is out of range")]
    OutOfRange,
}

impl LocalTime {
    /// The instant: 17:00 in Brussels is 16:00 UTC in winter and 15:00 UTC in summer.
    ///
    /// # Errors
    /// An unknown zone, or a time that the clocks skip or repeat: a cut-off must name one instant.
    pub fn instant(&self) -> Result<Timestamp, TimeError> {
        zone(&self.zone)?
            .to_ambiguous_zoned(self.local)
            .unambiguous()
            .map(|zoned| zoned.timestamp())
            .map_err(|_| TimeError::Ambiguous(self.local, self.zone.clone()))
    }
}

/// The zone of that name.
///
/// # Errors
/// [`TimeError::Zone`].
pub fn zone(name: &str) -> Result<TimeZone, TimeError> {
    TimeZone::get(name).map_err(|_| TimeError::Zone(name.chars().take(64).collect()))
}

/// The last microsecond of a day in a zone: what a date alone means in a question about the past.
///
/// # Errors
/// An unknown zone or a date beyond the calendar.
pub fn end_of_day(date: Date, zone_name: &str) -> Result<Timestamp, TimeError> {
    let next = date.tomorrow().map_err(|_| TimeError::OutOfRange)?;
    let midnight = next.to_zoned(zone(zone_name)?).map_err(|_| TimeError::OutOfRange)?.timestamp();
    midnight.checked_sub(1.microsecond()).map_err(|_| TimeError::OutOfRange)
}

/// An instant cut to whole microseconds, the resolution of the log.
#[must_use]
pub fn to_microsecond(instant: Timestamp) -> Timestamp {
    let options =
        jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc);
    instant.round(options).unwrap_or(instant)
}

/// The date `days` working days after `from` (Monday to Friday, without the given holidays).
///
/// # Errors
/// A date beyond the calendar.
pub fn add_working_days(from: Date, days: u32, holidays: &[Date]) -> Result<Date, TimeError> {
    let mut date = from;
    let mut left = days;
    while left > 0 {
        date = date.tomorrow().map_err(|_| TimeError::OutOfRange)?;
        let weekend = date.weekday().to_monday_one_offset() > 5;
        if !weekend && !holidays.contains(&date) {
            left -= 1;
        }
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str, zone: &str) -> LocalTime {
        LocalTime { local: text.parse().unwrap(), zone: zone.to_owned() }
    }

    #[test]
    fn five_in_the_afternoon_in_brussels_depends_on_the_season() {
        let winter = local("2024-11-04T17:00:00", "Europe/Luxembourg").instant().unwrap();
        let summer = local("2025-08-21T17:00:00", "Europe/Brussels").instant().unwrap();
        assert_eq!(winter.to_string(), "2024-11-04T16:00:00Z");
        assert_eq!(summer.to_string(), "2025-08-21T15:00:00Z");
    }

    #[test]
    fn a_time_that_happens_twice_or_never_is_refused() {
        for text in ["2025-03-30T02:30:00", "2025-10-26T02:30:00"] {
            let result = local(text, "Europe/Brussels").instant();
            assert!(matches!(result, Err(TimeError::Ambiguous(..))), "{text}");
        }
        assert!(matches!(
            local("2025-01-01T00:00:00", "Mars/Base").instant(),
            Err(TimeError::Zone(_))
        ));
    }

    #[test]
    fn a_date_means_the_end_of_that_day_there() {
        let end = end_of_day("2024-12-31".parse().unwrap(), "Europe/Luxembourg").unwrap();
        assert_eq!(end.to_string(), "2024-12-31T22:59:59.999999Z");
    }

    #[test]
    fn working_days_skip_weekends_and_holidays() {
        let friday = "2026-01-30".parse().unwrap();
        let holiday = "2026-02-02".parse().unwrap();
        assert_eq!(add_working_days(friday, 2, &[holiday]).unwrap().to_string(), "2026-02-04");
    }
}
