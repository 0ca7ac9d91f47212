use super::*;
use crate::facts::schemas;
use std::collections::BTreeSet;

type Places = BTreeSet<(String, String)>;

/// Where in a schema there is a hash: the pointers, with `*` for what may be there many times.
fn walk(schema: &Value, definitions: &Value, at: &str, open: &[&str], found: &mut Vec<String>) {
    if !schema.is_object() {
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        if name == "Sha256" {
            found.push(at.to_owned());
        } else if !open.contains(&name) {
            let open = [open, &[name]].concat();
            walk(&definitions[name], definitions, at, &open, found);
        }
    }
    // A hash that somebody writes without the type.
    if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("{64}")) {
        found.push(at.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(field, definitions, &format!("{at}/{name}"), open, found);
    }
    for key in ["items", "additionalProperties"] {
        walk(&schema[key], definitions, &format!("{at}/*"), open, found);
    }
    for key in ["allOf", "anyOf", "oneOf", "prefixItems"] {
        for side in schema[key].as_array().into_iter().flatten() {
            walk(side, definitions, at, open, found);
        }
    }
}

fn listed(fields: &[Field]) -> Places {
    fields.iter().map(|field| (field.event.to_owned(), field.pointer.to_owned())).collect()
}

#[test]
fn every_hash_in_an_event_is_known_to_name_a_document_or_something_else() {
    let mut places = Places::new();
    for schemas::EventSchema { event, schema, .. } in schemas::all() {
        let mut found = Vec::new();
        walk(&schema, &schema["$defs"], "", &[], &mut found);
        places.extend(found.into_iter().map(|pointer| (event.clone(), pointer)));
    }
    let (documents, others) = (listed(FIELDS), listed(OTHERS));
    assert_eq!(documents.len() + others.len(), FIELDS.len() + OTHERS.len(), "a field twice");
    assert_eq!(documents.intersection(&others).next(), None);
    let known: Places = documents.union(&others).cloned().collect();
    assert_eq!(places, known, "on the left: what the schemas say; on the right: FIELDS and OTHERS");
}

#[test]
fn hashes_are_found_where_they_are_and_nowhere_else() {
    let [one, two] = [Sha256Hex::of(b"1"), Sha256Hex::of(b"2")];
    let value =
        serde_json::json!({"a": [{"h": one}, {"other": two}, {"h": two}], "b": one, "c": "x"});
    let at = |pointer| {
        let mut found = Vec::new();
        hashes(&value, pointer, String::new(), &mut |field, hash| found.push((field, hash)));
        found
    };
    assert_eq!(at("/a/*/h"), [("/a/0/h".to_owned(), one), ("/a/2/h".to_owned(), two)]);
    assert_eq!(at("/b"), [("/b".to_owned(), one)]);
    for nothing in ["/c", "/d", "/b/h", "/a/h"] {
        assert_eq!(at(nothing), [], "{nothing}");
    }
}
