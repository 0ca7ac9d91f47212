//! No field of an event holds personal data in clear, by its name or by its kind; and what is sealed is declared.

use domain::facts::personal::{Processing, REGISTER};
use domain::facts::schemas;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Words that a field about a person has in its name. Such a field is sealed.
const PERSONAL_WORDS: &[&str] = &[
    "address",
    "affiliation",
    "birth",
    "contact",
    "email",
    "expertise",
    "gender",
    "holder",
    "iban",
    "learnt",
    "mail",
    "name",
    "nationality",
    "passport",
    "phone",
    "surname",
];

/// Fields with such a word that are about no person, each with the reason.
const NOT_PERSONAL: &[(&str, &str)] =
    &[("/rules/evaluation/stages/criteria/name", "the name of a criterion")];

/// Texts that anyone may write anything into: what each is for. None is for data about a person; a form
/// says so. A new one has to be sealed, or listed here with its purpose.
const FREE_TEXT: &[(&str, &str)] = &[
    ("reason", "why an office decided"),
    ("title", "what it is called"),
    ("comment", "what a report says about a proposal"),
    ("comments", "what an assessment says about a report"),
    ("dissent", "what a minority of experts held about a proposal"),
    ("evidence", "what a comparator saw"),
    ("text", "a question of the rules"),
    ("name", "the name of a criterion"),
    ("zone", "the IANA name of a zone"),
    ("acronym", "what a proposal is called"),
    ("what", "what a figure is for, or what is wrong"),
    ("rule", "the rule that was broken"),
    ("note", "what a test of an item showed"),
    ("answer", "what an office answers to a finding"),
    ("conclusion", "the conclusion of an audit"),
    ("item", "an item of a sample"),
    ("summary", "what compute time was used for"),
    ("purpose", "what compute time is for"),
    ("basis", "why time was granted directly"),
    ("tender", "the number of a tender"),
    ("clause", "the clause of an agreement"),
    ("end_to_end_id", "the name of a payment at the bank"),
    ("description", "what the bank says about an entry: of legal persons, see ADR 0021"),
    ("code", "the code of a refusal"),
    ("message", "the sentence of a refusal"),
    ("command", "the name of a command"),
    ("data", "the payload of a command, sealed where it has to be"),
    ("how", "what became of a parked reaction"),
    ("gpu", "the model of a processor"),
    ("key", "the public key of a log"),
];

/// The places of a schema that hold text or anything, as pointers without indices, and those that are sealed.
fn places(schema: &Value, definitions: &Value, at: &str, found: &mut BTreeSet<(String, bool)>) {
    let is_sealed = schema["$ref"] == "#/$defs/Sealed";
    if is_sealed {
        found.insert((at.to_owned(), true));
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return places(&definitions[name], definitions, at, found);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let is_fixed = ["enum", "const", "format", "pattern"].iter().any(|key| !schema[key].is_null());
    let is_any = schema == &json!(true) || schema == &json!({});
    if is_any || kinds.contains(&json!("string")) && !is_fixed {
        found.insert((at.to_owned(), false));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        places(field, definitions, &format!("{at}/{name}"), found);
    }
    for key in ["oneOf", "anyOf", "allOf", "prefixItems"] {
        for side in schema[key].as_array().into_iter().flatten() {
            places(side, definitions, at, found);
        }
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            places(&schema[key], definitions, at, found);
        }
    }
}

/// What is wrong with the fields of an event, and where its sealed ones are.
fn audit(event: &str, schema: &Value) -> (Vec<String>, BTreeSet<String>) {
    let mut found = BTreeSet::new();
    places(schema, &schema["$defs"], "", &mut found);
    let (mut wrong, mut sealed) = (Vec::new(), BTreeSet::new());
    for (place, is_sealed) in found {
        let name = place.rsplit('/').next().unwrap_or_default();
        let words: Vec<&str> = place.split(['/', '_']).collect();
        if is_sealed {
            sealed.insert(place);
        } else if PERSONAL_WORDS.iter().any(|word| words.contains(word))
            && !NOT_PERSONAL.iter().any(|(known, _)| *known == place)
        {
            wrong.push(format!("{event}{place}: by its name it is about a person: seal it"));
        } else if !FREE_TEXT.iter().any(|(known, _)| *known == name) {
            wrong.push(format!("{event}{place}: free text: seal it, or say what it is for"));
        }
    }
    (wrong, sealed)
}

#[test]
fn every_field_about_a_person_is_sealed_and_in_the_register_of_processing() {
    let (mut wrong, mut sealed) = (Vec::new(), BTreeSet::new());
    for schema in schemas::newest() {
        let (found, places) = audit(&schema.event, &schema.schema);
        wrong.extend(found);
        sealed.extend(places.into_iter().map(|place| (schema.event.clone(), place)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let line = |line: &Processing| (line.event.to_owned(), line.field.to_owned());
    let register: BTreeSet<_> = REGISTER.iter().map(line).collect();
    assert_eq!(sealed, register, "left: what is sealed; right: domain::facts::personal::REGISTER");
    assert_eq!(register.len(), REGISTER.len(), "each once");
    for line in REGISTER {
        assert!(domain::catalogue::entry(line.command).is_some(), "{}", line.command);
    }
}

#[test]
fn the_free_text_of_before_would_be_found() {
    let before = include_str!("../../domain/schemas/evaluation/ConflictDeclared.v1.json");
    let (wrong, sealed) =
        audit("evaluation.ConflictDeclared", &serde_json::from_str(before).unwrap());
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].starts_with("evaluation.ConflictDeclared/learnt: "), "{wrong:?}");
    assert!(sealed.is_empty());
}

#[test]
fn a_field_about_a_person_that_is_not_sealed_is_found() {
    let with = |field: Value| {
        json!({ "type": "object", "properties": { "z": { "type": "object",
        "properties": field } }, "$defs": { "Sealed": { "type": "object" }, "Text": { "type": "string" } } })
    };
    let wrong = |field: Value| audit("a.B", &with(field)).0;
    let text = json!({ "type": "string" });
    for name in ["email", "account_holder", "iban", "learnt"] {
        assert_eq!(wrong(json!({ (name): text })).len(), 1, "{name}");
        assert_eq!(wrong(json!({ (name): { "$ref": "#/$defs/Text" } })).len(), 1, "{name}");
        let maybe = json!({ "anyOf": [{ "$ref": "#/$defs/Sealed" }, { "type": "null" }] });
        assert!(wrong(json!({ (name): maybe })).is_empty(), "{name}");
    }
    assert_eq!(wrong(json!({ "remark": { "type": ["string", "null"] } })).len(), 1);
    assert_eq!(wrong(json!({ "remarks": { "type": "array", "items": text } })).len(), 1);
    assert_eq!(wrong(json!({ "anything": true })).len(), 1);
    assert!(wrong(json!({ "reason": text })).is_empty());
}
