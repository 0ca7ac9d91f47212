//! The JSON Schema of every type of event in every version: of its `data`. The newest is made from the
//! code, those of before are kept beside their upcasters. All are committed in `domain/schemas`.
//!
//! A schema holds no sentences: those may be mended, a shape may not. Objects are closed: what a schema
//! does not name is not in the data.

use crate::facts::event::{event_schemas, upcasters};
use crate::facts::{event, upcast};
use crate::kernel::canonical;
use crate::kernel::ids::{LABEL, is_label};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

/// Words for people, which are no part of a shape.
const SENTENCES: &[&str] = &["$schema", "description", "examples", "title"];

/// A type of event in one version.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSchema {
    /// The type.
    pub event: String,
    /// The version.
    pub version: u32,
    /// The schema of its data.
    pub schema: Value,
}

impl EventSchema {
    /// Where it is kept, from `domain/schemas`: `category/Event.v1.json`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.v{}.json", self.event.replacen('.', "/", 1), self.version)
    }
}

/// The text of its file.
impl fmt::Display for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#}", self.schema)
    }
}

/// The name of a schema, wherever it is kept.
#[must_use]
pub fn id(event: &str, version: u32) -> String {
    format!("urn:tranche:event:{event}:{version}")
}

/// The newest version of every type of event, in the order of the deciders and their events.
#[must_use]
pub fn newest() -> Vec<EventSchema> {
    let mut found = Vec::new();
    for (category, schema) in event_schemas() {
        let mut schema = schema.to_value();
        let definitions = schema["$defs"].take();
        for choice in schema["oneOf"].as_array().into_iter().flatten() {
            let Some(event) = choice["properties"]["type"]["const"].as_str() else { continue };
            let version = upcast::newest(upcasters(category), event);
            let data = choice["properties"]["data"].clone();
            let schema = alone(data, &definitions, id(event, version));
            found.push(EventSchema { event: event.to_owned(), version, schema });
        }
    }
    found
}

/// Whether there is such a type of event.
pub fn is_known(event: &str) -> bool {
    static EVENTS: LazyLock<BTreeSet<String>> =
        LazyLock::new(|| newest().into_iter().map(|schema| schema.event).collect());
    EVENTS.contains(event)
}

/// Every version of every type of event, those of before first.
#[must_use]
pub fn all() -> Vec<EventSchema> {
    let steps = event::CATEGORIES.iter().flat_map(|category| upcasters(category));
    let before = steps.map(|step| EventSchema {
        event: step.event.to_owned(),
        version: step.from,
        schema: serde_json::from_str(step.schema).unwrap_or_default(),
    });
    before.chain(newest()).collect()
}

/// A schema that needs no other, with the definitions that it uses.
fn alone(mut schema: Value, definitions: &Value, id: String) -> Value {
    let mut used = Map::new();
    let mut open = references(&schema);
    while let Some(name) = open.pop() {
        if !used.contains_key(&name) {
            let definition = definitions[&name].clone();
            open.extend(references(&definition));
            used.insert(name, definition);
        }
    }
    let mut used: Map<_, _> = used.into_iter().map(|(name, one)| (shape_name(name), one)).collect();
    used.values_mut().chain([&mut schema]).for_each(refer_to_shapes);
    used.values_mut().for_each(shape);
    shape(&mut schema);
    if let Some(members) = schema.as_object_mut() {
        members.insert("$id".to_owned(), id.into());
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        if !used.is_empty() {
            members.insert("$defs".to_owned(), Value::Object(used));
        }
    }
    // In canonical order, whatever maps the build uses.
    let sorted = canonical::to_bytes(&schema).and_then(|bytes| serde_json::from_slice(&bytes));
    sorted.unwrap_or(schema)
}

fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|reference| reference.strip_prefix("#/$defs/"));
            own.map(str::to_owned)
                .into_iter()
                .chain(members.values().flat_map(references))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Names a definition by its shape: all labels are alike, whatever they name.
fn shape_name(name: String) -> String {
    if is_label(&name) { LABEL.to_owned() } else { name }
}

fn refer_to_shapes(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && reference.strip_prefix("#/$defs/").is_some_and(is_label)
            {
                *reference = format!("#/$defs/{LABEL}");
            }
            members.values_mut().for_each(refer_to_shapes);
        }
        Value::Array(items) => items.iter_mut().for_each(refer_to_shapes),
        _ => {}
    }
}

/// Leaves what says which data is right.
fn shape(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    members.retain(|key, _| !SENTENCES.contains(&key.as_str()));
    if let Some(required) = members.get_mut("required").and_then(Value::as_array_mut) {
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    if members.get("type").is_some_and(|kind| kind == "object") {
        members.entry("additionalProperties").or_insert(json!(false));
    }
    for (key, member) in members.iter_mut() {
        match (key.as_str(), member) {
            // Names of fields may be any word.
            ("properties" | "patternProperties", Value::Object(fields)) => {
                fields.values_mut().for_each(shape);
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(sides)) => {
                sides.iter_mut().for_each(shape);
            }
            ("additionalProperties" | "items" | "not" | "propertyNames", member) => shape(member),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
