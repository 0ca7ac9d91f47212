//! The envelope of a command over HTTP: which header or parameter holds what of it, for the reading and for
//! the document.

use super::problem::Problem;
use super::request::{self, header, parsed};
use crate::engine::Envelope;
use axum::http::{HeaderMap, HeaderName};
use domain::Role;
use domain::kernel::actor::{Actor, Confidence, Evidence};
use domain::kernel::ids::{ActorId, CommandId};
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

/// So much of a name that a caller made up is said again.
const NAME_CHARS_MAX: usize = 64;
/// The longest source.
const SOURCE_CHARS_MAX: usize = 200;

/// What our own headers begin with.
const OURS: &str = "Tranche-";

/// A header or parameter.
pub struct Part {
    /// The name in the document.
    pub key: &'static str,
    /// The name in the request.
    pub name: &'static str,
    /// What it may hold.
    pub schema: fn() -> Value,
    /// Its meaning.
    pub about: &'static str,
}

/// All parts, in the order of the document.
pub const PARTS: [Part; 11] = [
    Part {
        key: "IdempotencyKey",
        name: "Idempotency-Key",
        schema: command_id,
        about: "The id of the command, for ever. The same id and content gives the stored answer, the \
            same id and other content is refused. A UUIDv7 is made when it is absent.",
    },
    Part {
        key: "IfMatch",
        name: "If-Match",
        schema: || json!({ "type": "string", "pattern": "^\"(0|[1-9][0-9]{0,14})\"$" }),
        about: "The version that the stream of the command must have, in quotes.",
    },
    Part { key: "Actor", name: "Tranche-Actor", schema: token, about: "Who acts: an opaque id." },
    Part { key: "Role", name: "Tranche-Role", schema: role, about: "In which role." },
    Part {
        key: "OnBehalfOf",
        name: "Tranche-On-Behalf-Of",
        schema: token,
        about: "For whom, as a stand-in.",
    },
    Part {
        key: "EffectiveAt",
        name: "Tranche-Effective-At",
        schema: || json!({ "type": "string", "format": "date-time" }),
        about: "When it was true, if that was earlier than now.",
    },
    Part {
        key: "Source",
        name: "Tranche-Source",
        schema: || {
            json!({
                "type": "string", "minLength": 1, "maxLength": SOURCE_CHARS_MAX,
                "pattern": "^[!-~]+$",
            })
        },
        about: "Where the fact comes from: a key of the list of sources.",
    },
    Part {
        key: "Confidence",
        name: "Tranche-Confidence",
        schema: || {
            let words = ["published", "unconfirmed", "derived", "fixture"];
            json!({ "type": "string", "enum": words })
        },
        about: "How sure; only with Tranche-Source, and `published` unless said.",
    },
    Part {
        key: "CorrelationId",
        name: "Tranche-Correlation-Id",
        schema: command_id,
        about: "The conversation.",
    },
    Part {
        key: "CausationId",
        name: "Tranche-Causation-Id",
        schema: command_id,
        about: "What led to it.",
    },
    Part {
        key: "DryRun",
        name: "dry_run",
        schema: || json!({ "type": "boolean" }),
        about: "Decide, answer what would be recorded, and record nothing.",
    },
];

impl Part {
    /// Where it stands: everything but the dry run is a header.
    pub fn place(&self) -> &'static str {
        if self.name == "dry_run" { "query" } else { "header" }
    }

    /// Whether no command goes without it.
    pub fn is_required(&self) -> bool {
        matches!(self.key, "Actor" | "Role")
    }
}

/// The schema of an id of a command.
fn command_id() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_./:-]{1,128}$" })
}

/// The schema of an id of a person or of a thing.
pub fn token() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" })
}

/// The schema of a role.
pub fn role() -> Value {
    json!({ "type": "string", "enum": Role::iter().collect::<Vec<_>>() })
}

/// The headers of ours that a request may have.
fn known() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|part| part.name).filter(|name| name.starts_with(OURS))
}

/// Refuses headers that begin like ours and are none: a slip in a name would change what is recorded.
pub fn only_known(headers: &HeaderMap) -> Result<(), Problem> {
    let is_ours =
        |name: &str| name.get(..OURS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(OURS));
    let is_known = |name: &str| known().any(|known| known.eq_ignore_ascii_case(name));
    let mut names = headers.keys().map(HeaderName::as_str);
    match names.find(|name| is_ours(name) && !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            let names = known().collect::<Vec<_>>().join(", ");
            let why = format!("is no header of this program; there are {names}");
            Err(Problem::header(&name, why))
        }
    }
}

/// Reads the id that the command was given, if it was given one: it is wanted before the rest.
pub fn id(headers: &HeaderMap) -> Result<Option<CommandId>, Problem> {
    parsed(headers, "idempotency-key")
}

/// Reads the rest.
pub fn read(
    headers: &HeaderMap,
    (command_id, dry_run): (CommandId, bool),
) -> Result<Envelope, Problem> {
    let actor = actor(headers)?;
    domain::process::react::check_outside(&actor, &command_id)?;
    Ok(Envelope {
        expected_version: expected_version(headers)?,
        correlation_id: parsed(headers, "tranche-correlation-id")?,
        causation_id: parsed(headers, "tranche-causation-id")?,
        effective_at: parsed(headers, "tranche-effective-at")?,
        evidence: evidence(headers)?,
        dry_run,
        ..Envelope::new(actor, command_id)
    })
}

/// Who acts, as the request says.
fn actor(headers: &HeaderMap) -> Result<Actor, Problem> {
    let id: Option<ActorId> = parsed(headers, "tranche-actor")?;
    let id = id.ok_or_else(|| Problem::header("Tranche-Actor", "is missing: say who acts"))?;
    let role = header(headers, "tranche-role")?
        .ok_or_else(|| Problem::header("Tranche-Role", "is missing: say in which role"))?;
    let role = request::role(role).map_err(|what| Problem::header("Tranche-Role", what))?;
    Ok(Actor { id, on_behalf_of: parsed(headers, "tranche-on-behalf-of")?, role })
}

/// Where the fact comes from, as the request says.
fn evidence(headers: &HeaderMap) -> Result<Option<Evidence>, Problem> {
    let confidence = header(headers, "tranche-confidence")?;
    let Some(source) = header(headers, "tranche-source")? else {
        return match confidence {
            Some(_) => Err(Problem::header("Tranche-Confidence", "goes with Tranche-Source only")),
            None => Ok(None),
        };
    };
    if source.is_empty() || source.chars().count() > SOURCE_CHARS_MAX {
        let limit = format!("is 1 to {SOURCE_CHARS_MAX} characters");
        return Err(Problem::header("Tranche-Source", limit));
    }
    let confidence = match confidence {
        None | Some("published") => Confidence::Published,
        Some("unconfirmed") => Confidence::Unconfirmed,
        Some("derived") => Confidence::Derived,
        Some("fixture") => Confidence::Fixture,
        Some(_) => {
            let words = "is one of published, unconfirmed, derived, fixture";
            return Err(Problem::header("Tranche-Confidence", words));
        }
    };
    Ok(Some(Evidence { confidence, note: None, source: source.to_owned() }))
}

/// The version that the caller saw: `If-Match: "7"`.
fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = header(headers, "if-match")? else { return Ok(None) };
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let number = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let version = number.and_then(|digits| digits.parse().ok());
    match version {
        Some(version) => Ok(Some(version)),
        None => Err(Problem::header("If-Match", "is one version in quotes, like \"7\"")),
    }
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
    fn a_version_is_one_number_in_quotes() {
        assert_eq!(expected_version(&headers(&[("if-match", "\"7\"")])).unwrap(), Some(7));
        for bad in ["7", "\"\"", "\"-1\"", "\"+1\"", "W/\"7\"", "*", "\"1\", \"2\""] {
            let mut map = HeaderMap::new();
            map.insert("if-match", HeaderValue::from_str(bad).unwrap());
            assert!(expected_version(&map).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_twice_is_refused() {
        let twice = headers(&[("tranche-actor", "a"), ("tranche-actor", "b")]);
        assert_eq!(actor(&twice).unwrap_err().code(), "http.bad_header");
    }

    #[test]
    fn a_confidence_without_a_source_is_refused() {
        assert!(evidence(&headers(&[("tranche-confidence", "fixture")])).is_err());
        let both = headers(&[("tranche-source", "evertiq1"), ("tranche-confidence", "derived")]);
        assert_eq!(evidence(&both).unwrap().unwrap().confidence, Confidence::Derived);
    }
}
