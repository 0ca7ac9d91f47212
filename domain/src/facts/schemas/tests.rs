//! What a schema says, and what every schema must say.

use super::*;
use crate::facts::event::CATEGORIES;

#[test]
fn every_event_has_a_schema_that_names_it_and_stands_alone() {
    let newest = newest();
    assert!(newest.len() > 100, "{}", newest.len());
    for EventSchema { event, version, schema } in &newest {
        assert_eq!(schema["$id"], id(event, *version));
        let has_fields = schema["type"] == "object" || schema["$ref"].is_string();
        assert!(has_fields, "{event}: an event without fields ends with `{{}}`, or cannot be read");
        for name in references(schema) {
            assert!(schema["$defs"][&name].is_object(), "{event}: {name}");
        }
    }
}

#[test]
fn every_upcaster_is_of_an_event_of_its_decider_and_no_version_is_left_out() {
    let newest: BTreeSet<String> = newest().into_iter().map(|schema| schema.event).collect();
    for category in CATEGORIES {
        let table = upcasters(category);
        for step in table {
            let event = step.event;
            assert!(event.starts_with(&format!("{category}.")), "{event} is of another decider");
            assert!(newest.contains(event), "there is no event {event}");
            let versions: Vec<_> =
                table.iter().filter(|other| other.event == event).map(|step| step.from).collect();
            assert!(
                versions.iter().copied().eq((1..).take(versions.len())),
                "{event}: {versions:?}"
            );
            let schema: Value = serde_json::from_str(step.schema).unwrap();
            assert_eq!(schema["$id"], id(event, step.from), "the schema of another version");
        }
    }
}

#[test]
fn a_shape_has_no_sentences_and_its_objects_are_closed() {
    let mut schema = json!({
        "description": "x", "type": "object", "required": ["b", "a"],
        "properties": {
            "title": { "title": "Text", "type": "string", "description": "y" },
            "b": { "type": "array", "items": { "type": "object", "properties": {} } },
            "c": { "type": "object", "additionalProperties": { "type": "string", "title": "z" } },
        },
    });
    shape(&mut schema);
    let expected = json!({
        "type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": {
            "title": { "type": "string" },
            "b": { "type": "array", "items": {
                "type": "object", "properties": {}, "additionalProperties": false } },
            "c": { "type": "object", "additionalProperties": { "type": "string" } },
        },
    });
    assert_eq!(schema, expected);
}
