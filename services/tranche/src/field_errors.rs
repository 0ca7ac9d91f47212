//! All that is wrong with a payload that was refused. A payload is refused at its first mistake; a rules
//! document in it is checked as a whole, as `tranche rules check` does, so that whoever wrote it need
//! not come once for each.

use domain::decide::command::Entry;
use domain::kernel::refusal::RefusalKind;
use domain::{Refusal, rulebook};
use serde::Serialize;
use serde_json::Value;

/// Where a rules document is in the payloads that carry one.
const RULES: &str = "/rules";

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// What is wrong with it.
    pub detail: String,
    /// Where it is, as a JSON pointer into the body.
    pub pointer: String,
}

impl FieldError {
    /// The field that a refusal names, if it names one.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Option<Self> {
        let pointer = refusal.field.clone()?;
        Some(Self { detail: refusal.message.clone(), pointer })
    }
}

/// The refusal of a payload, with every field that is known to be at fault.
#[must_use]
pub fn all(command: &str, payload: &[u8], mut refusal: Refusal) -> (Refusal, Vec<FieldError>) {
    let own = FieldError::of(&refusal);
    let mut errors = match domain::catalogue::entry(command) {
        Some(entry) if refusal.kind == RefusalKind::Malformed && carries_rules(entry) => {
            in_rules(payload)
        }
        _ => Vec::new(),
    };
    let count = errors.len();
    match own {
        Some(own)
            if own.pointer.starts_with(RULES)
                && errors.iter().any(|error| error.pointer.starts_with(&own.pointer)) =>
        {
            refusal.message = match count {
                1 => "the rules document has a mistake".to_owned(),
                _ => format!("the rules document has {count} mistakes"),
            };
        }
        Some(own) => errors.insert(0, own),
        None => {}
    }
    (refusal, errors)
}

fn carries_rules(entry: &Entry) -> bool {
    let schema = (entry.schema)().to_value();
    schema["properties"]["rules"]["$ref"] == "#/$defs/Document"
}

fn in_rules(payload: &[u8]) -> Vec<FieldError> {
    let Ok(mut payload) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let Value::Object(document) = payload["rules"].take() else { return Vec::new() };
    let mistakes = rulebook::check(&document);
    let document = Value::Object(document);
    let error = |mistake: rulebook::Mistake| FieldError {
        pointer: format!("{RULES}{}", pointer(&document, &mistake.path)),
        detail: mistake.message,
    };
    mistakes.into_iter().map(error).collect()
}

/// A path such as `evaluation.stages[0].key` as a JSON pointer (RFC 6901). A name that is in the document
/// may hold what else parts names.
fn pointer(document: &Value, path: &str) -> String {
    let (mut rest, mut place, mut pointer) = (path, document, String::new());
    while !rest.is_empty() {
        let is_name = |name: &&String| {
            rest.strip_prefix(name.as_str())
                .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
        };
        let known = place.as_object().into_iter().flat_map(|members| members.keys());
        let name = match known.filter(is_name).max_by_key(|name| name.len()) {
            Some(name) => name.as_str(),
            None => rest.split(['.', '[', ']']).next().unwrap_or(rest),
        };
        let after = &rest[name.len()..];
        place = place.as_array().map_or_else(
            || &place[name],
            |list| name.parse().ok().and_then(|at: usize| list.get(at)).unwrap_or(&Value::Null),
        );
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        rest = after.trim_start_matches(']');
        rest = rest.strip_prefix(['.', '[']).unwrap_or(rest);
        if after == rest {
            break;
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(payload: &Value) -> (Refusal, Vec<FieldError>) {
        let payload = payload.to_string();
        let refusal = domain::Parsed::read("call.open", payload.as_bytes()).unwrap_err();
        all("call.open", payload.as_bytes(), refusal)
    }

    fn pointers(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|error| error.pointer.as_str()).collect()
    }

    fn opening() -> Value {
        let rules = rulebook::parse(rulebook::shipped("playground").unwrap()).unwrap();
        json!({ "call": "C", "cut_offs": [], "rules": rules, "title": "T" })
    }

    #[test]
    fn every_mistake_of_a_rules_document_is_named_at_its_place() {
        let mut payload = opening();
        payload["rules"]["version"] = json!("one");
        payload["rules"]["zone"] = json!("Mars/Base");
        payload["rules"]["submission"]["questions"][0]["key"] = json!("a/b");
        payload["rules"]["retention"] = json!({ "years": 0, "a.b/c": 1 });
        let (refusal, errors) = refused(&payload);
        let mut pointers = pointers(&errors);
        pointers.sort_unstable();
        let expected = [
            "/rules/retention/a.b~1c",
            "/rules/retention/years",
            "/rules/submission/questions/0/key",
            "/rules/version",
            "/rules/zone",
        ];
        assert_eq!(pointers, expected, "{errors:#?}");
        assert_eq!(refusal.message, "the rules document has 5 mistakes");
    }

    #[test]
    fn a_mistake_beside_the_rules_hides_none_in_them() {
        let mut payload = opening();
        payload["call"] = json!("a b");
        payload["rules"]["version"] = json!(0);
        let (refusal, errors) = refused(&payload);
        assert_eq!(pointers(&errors), ["/call", "/rules/version"]);
        assert_ne!(refusal.message, "the rules document has a mistake");
    }

    #[test]
    fn a_field_that_is_missing_beside_the_rules_is_said_too() {
        let mut payload = opening();
        payload["rules"]["version"] = json!(0);
        payload.as_object_mut().unwrap().remove("title");
        assert_eq!(pointers(&refused(&payload).1), ["", "/rules/version"]);
    }

    #[test]
    fn what_only_the_reader_of_payloads_sees_is_said_too() {
        let mut payload = opening();
        payload["rules"]["version"] = json!(9_007_199_254_740_993_u64);
        payload["rules"]["zone"] = json!("Mars/Base");
        let (_, errors) = refused(&payload);
        assert!(pointers(&errors).contains(&"/rules/version"), "{errors:#?}");
        assert!(pointers(&errors).contains(&"/rules/zone"), "{errors:#?}");
    }

    #[test]
    fn a_refusal_of_another_command_stays_as_it_is() {
        let refusal = domain::Parsed::read("claim.withdraw", br#"{"claim":"a b"}"#).unwrap_err();
        let (same, errors) = all("claim.withdraw", br#"{"claim":"a b"}"#, refusal.clone());
        assert_eq!((same, pointers(&errors)), (refusal, vec!["/claim"]));
    }
}
