//! Reading what comes with a request: headers and parameters, each with a limit, each named when it
//! cannot be read.

use super::problem::Problem;
use crate::moment::{DateZone, When};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName};
use domain::{Role, World};
use jiff::Timestamp;
use projections::AsOf;
use serde::Deserialize;
use std::str::FromStr;

/// The longest moment in a header or an address.
const MOMENT_CHARS_MAX: usize = 64;

/// A header as text, if it is there once.
pub fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::header(name, "is given more than once"));
    }
    let text = value.to_str().map_err(|_| Problem::header(name, "is not plain ASCII text"))?;
    Ok(Some(text.trim()))
}

/// A header that is of some type.
pub fn parsed<T: FromStr>(headers: &HeaderMap, name: &'static str) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    let text = header(headers, name)?;
    text.map(str::parse).transpose().map_err(|error| Problem::header(name, error))
}

/// A role by its name; or what is wrong.
pub fn role(name: &str) -> Result<Role, String> {
    name.parse().map_err(|_| {
        let name: String = name.chars().take(40).collect();
        format!("there is no role {name:?}; see /openapi.json")
    })
}

/// Parameters that ask for the past; where there are no others, all that may stand in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Only what was true by then.
    pub as_of: Option<String>,
    /// Only what was recorded by then.
    pub known_at: Option<String>,
    /// Only the log up to here.
    pub at_position: Option<String>,
    /// The call in whose zone a date alone is meant.
    pub call: Option<String>,
    /// The zone in which it is meant.
    pub zone: Option<String>,
}

impl Moment {
    /// The moment asked for; `world` knows the zones of the calls.
    pub fn read(&self, world: &World) -> Result<AsOf, Problem> {
        let zones = zones(world, self.call.as_deref(), self.zone.as_deref())?;
        let at = |name, text: &Option<String>| {
            text.as_deref().map(|text| moment(name, text, &zones)).transpose()
        };
        Ok(AsOf {
            as_of: at("as_of", &self.as_of)?,
            known_at: at("known_at", &self.known_at)?,
            position: number("at_position", self.at_position.as_deref())?,
        })
    }
}

/// The zones in which a date alone is meant: of a call, the named one, or those of all calls.
pub fn zones(
    world: &World,
    call: Option<&str>,
    zone: Option<&str>,
) -> Result<Vec<String>, Problem> {
    let place = match (call, zone) {
        (None, None) => DateZone::Calls,
        (Some(_), Some(_)) => return Err(Problem::query("zone", "does not go with call")),
        (Some(call), None) => {
            DateZone::Call(call.parse().map_err(|error| Problem::query("call", error))?)
        }
        (None, Some(zone)) => {
            domain::kernel::time::zone(zone).map_err(|error| Problem::query("zone", error))?;
            DateZone::Zone(zone.to_owned())
        }
    };
    place.zones(world).map_err(|error| Problem::own("http.not_found", error.to_string()))
}

/// A moment: an instant, or a date or a time in a zone.
pub fn moment(name: &str, text: &str, zones: &[String]) -> Result<Timestamp, Problem> {
    when(name, text)?.instant_in(zones).map_err(|error| Problem::query(name, error))
}

/// Where a stretch of time begins: a date is the beginning of that day.
pub fn beginning(name: &str, text: &str, zones: &[String]) -> Result<Timestamp, Problem> {
    when(name, text)?.beginning_in(zones).map_err(|error| Problem::query(name, error))
}

fn when(name: &str, text: &str) -> Result<When, Problem> {
    if text.len() > MOMENT_CHARS_MAX {
        return Err(Problem::query(name, format!("is longer than {MOMENT_CHARS_MAX} characters")));
    }
    // A plus sign in an address is a space, unless it was written as %2B.
    let offset = text.split_once('T').filter(|(_, time)| time.contains(' '));
    let repaired = offset.and_then(|_| text.replace(' ', "+").parse().ok().map(When::Instant));
    match repaired {
        Some(when) => Ok(when),
        None => text.parse().map_err(|error: String| Problem::query(name, error)),
    }
}

/// A position or another whole number of an address, at most 2^53 - 1.
pub fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let limit = domain::kernel::canonical::INTEGER_MAX;
    let digits =
        !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    match number.filter(|number| *number <= limit) {
        Some(number) => Ok(Some(number)),
        None => Err(Problem::query(name, format_args!("is a whole number from 0 to {limit}"))),
    }
}

/// A yes or no of an address.
pub fn yes(name: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("false" | "0") => Ok(false),
        Some("" | "true" | "1") => Ok(true),
        Some(_) => Err(Problem::query(name, "is true or false")),
    }
}

/// Tells whether the request takes a media type, and how gladly; 0 is not at all. An absent `Accept`
/// takes all. Weights are in thousandths, as HTTP gives them. Why this is our own code: ADR/0028.
fn accepts(headers: &HeaderMap, media: &str) -> u32 {
    let lines: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    if lines.is_empty() {
        return 1_000;
    }
    let family = media.split('/').next().unwrap_or_default();
    let mut best: Option<(u32, u32)> = None;
    for range in lines.into_iter().flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let precise = match name.split_once('/') {
            _ if name.eq_ignore_ascii_case(media) => 3,
            Some((one, "*")) if one.eq_ignore_ascii_case(family) => 2,
            Some(("*", "*")) => 1,
            // Old clients in Java write it so.
            None if name == "*" => 1,
            _ => continue,
        };
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1_000, |weight| thousandths(weight).unwrap_or(0));
        if best.is_none_or(|(known, _)| precise > known) {
            best = Some((precise, weight));
        }
    }
    best.map_or(0, |(_, weight)| weight)
}

fn thousandths(weight: &str) -> Option<u32> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let whole = if whole.is_empty() && !fraction.is_empty() { "0" } else { whole };
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction = format!("{fraction:0<3}");
    Some((whole * 1_000 + fraction.get(..3)?.parse::<u32>().ok()?).min(1_000))
}

/// The media type, of those on offer in the order of our preference, that the request likes best.
pub fn choose(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let mut best: Option<(u32, &'static str)> = None;
    for media in offered {
        let weight = accepts(headers, media);
        if weight > best.map_or(0, |(known, _)| known) {
            best = Some((weight, media));
        }
    }
    best.map(|(_, media)| media).ok_or_else(|| {
        Problem::own("http.not_acceptable", format!("this is given as {}", offered.join(" or ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_date_alone_is_the_end_of_that_day_there() {
        let zone = &["Europe/Luxembourg".to_owned()];
        let at = moment("as_of", "2024-12-10", zone).unwrap();
        assert_eq!(at.to_string(), "2024-12-10T22:59:59.999999Z");
        let at = moment("as_of", "2024-12-10T17:00:00 01:00", zone).unwrap();
        assert_eq!(at.to_string(), "2024-12-10T16:00:00Z");
        for bad in ["", "yesterday", "2024-13-01", "99999-01-01"] {
            assert_eq!(moment("as_of", bad, zone).unwrap_err().code(), "http.bad_query", "{bad}");
        }
        assert!(moment("as_of", "2024-12-10", &["Mars/Base".to_owned()]).is_err());
    }

    #[test]
    fn numbers_in_addresses_are_bounded() {
        assert_eq!(number("from", Some("9007199254740991")).unwrap(), Some(9_007_199_254_740_991));
        for bad in ["9007199254740992", "-1", "+1", "1e3", "", " 1", "0x1", "99999999999999999999"]
        {
            assert!(number("from", Some(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_media_type_is_the_one_liked_best() {
        let offered = &["application/json", "text/csv"];
        let chosen = |accept| choose(&headers(&[("accept", accept)]), offered);
        assert_eq!(choose(&HeaderMap::new(), offered).unwrap(), "application/json");
        assert_eq!(chosen("*/*").unwrap(), "application/json");
        assert_eq!(chosen("text/csv").unwrap(), "text/csv");
        assert_eq!(chosen("application/json;q=0.5, text/*").unwrap(), "text/csv");
        assert_eq!(chosen("text/csv;q=0, */*;q=0.1").unwrap(), "application/json");
        assert_eq!(chosen("image/png").unwrap_err().code(), "http.not_acceptable");
        // Among equals the choice is ours, and parameters do not matter.
        assert_eq!(chosen("text/csv, application/json").unwrap(), "application/json");
        assert_eq!(chosen("text/csv;charset=utf-8").unwrap(), "text/csv");
        assert_eq!(chosen("TEXT/CSV;Q=0.9, application/json;q=0.8").unwrap(), "text/csv");
        // What is no media type spoils nothing.
        assert_eq!(chosen("?, text/csv").unwrap(), "text/csv");
        let java = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";
        assert_eq!(chosen(java).unwrap(), "application/json");
        let lines = headers(&[("accept", "image/png"), ("accept", "text/csv")]);
        assert_eq!(choose(&lines, offered).unwrap(), "text/csv");
    }
}
