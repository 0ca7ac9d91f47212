//! The AsyncAPI 3.0 document: what goes over NATS besides the log. Made from the declarations of the
//! events and commands, as the OpenAPI document is; a consumer receives the events and may generate its
//! code from it.

use crate::relay::message::{ALWAYS, CONTENT_TYPE, PREFIX, SOMETIMES};
use domain::facts::event::upcasters;
use domain::facts::schemas::id;
use domain::facts::upcast::newest;
use domain::kernel::actor::{Actor, Evidence};
use schemars::schema_for;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The document, built once.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// The parts of the document that grow with each declaration.
#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

fn document() -> Value {
    let mut parts = Parts::default();
    for (category, schema) in domain::facts::event::event_schemas() {
        parts.events(category, schema.to_value());
    }
    parts.commands();
    let Parts { channels, operations, messages, schemas } = parts;
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tranche",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What an instance with the role `relay` publishes: every event of the log \
                once and in order, as a CloudEvent 1.0 in binary mode. It is stored in the stream \
                `{stream}-events`; message n is event n of the log. And how an instance hands a \
                command to the one that writes.",
            "license": { "name": "EUPL-1.2" },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": { "nats": { "host": "localhost:4222", "protocol": "nats" } },
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas },
    })
}

impl Parts {
    /// A channel for the events of a category, and a message for each.
    fn events(&mut self, category: &str, schema: Value) {
        let headers = || json!({ "$ref": "#/components/schemas/EventHeaders" });
        self.schemas.entry("EventHeaders").or_insert_with(event_headers);
        let schema = self.lift(category, schema);
        let mut kinds = Vec::new();
        for choice in schema["oneOf"].as_array().into_iter().flatten() {
            let Some(kind) = choice["properties"]["type"]["const"].as_str() else { continue };
            let version = newest(upcasters(category), kind);
            let of_kind = json!({ "properties": {
                "ce-schemaversion": {
                    "description": format!("Here {}; an older message has an older one.", id(kind, version)),
                },
                "ce-type": { "const": kind },
            } });
            let message = json!({
                "name": kind,
                "summary": choice["description"],
                "contentType": CONTENT_TYPE,
                "headers": { "allOf": [headers(), of_kind] },
                "payload": choice["properties"]["data"],
            });
            self.messages.insert(kind.to_owned(), without_null(message));
            kinds.push(kind.to_owned());
        }
        let names: Vec<_> =
            kinds.iter().filter_map(|kind| Some(kind.split_once('.')?.1.to_owned())).collect();
        let channel = json!({
            "address": format!("{{stream}}.events.{category}.{{id}}.{{type}}"),
            "description": format!("The events of each {category}."),
            "messages": named(&kinds),
            "parameters": {
                "stream": stream(),
                "id": { "description": format!("Which {category}.") },
                "type": { "description": "The type, without the category.", "enum": names },
            },
        });
        self.channels.insert(category.to_owned(), channel);
        let operation = json!({
            "action": "receive",
            "summary": format!("Learn what happened to each {category}"),
            "channel": { "$ref": format!("#/channels/{category}") },
        });
        self.operations.insert(format!("receive.{category}"), operation);
    }

    /// The channel of the commands, with its answers.
    fn commands(&mut self) {
        let common = command_fields();
        let common = self.lift("command", common);
        self.schemas.insert("Command".to_owned(), common);
        let mut kinds = Vec::new();
        for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
            let name = entry.declaration.name;
            let data = self.lift(name, (entry.schema)().to_value());
            self.schemas.insert(name.to_owned(), data);
            let of_kind = json!({ "properties": {
                "command": { "const": name },
                "data": { "$ref": format!("#/components/schemas/{name}") },
            } });
            let message = json!({
                "name": name,
                "summary": entry.declaration.summary,
                "contentType": CONTENT_TYPE,
                "payload": { "allOf": [{ "$ref": "#/components/schemas/Command" }, of_kind] },
            });
            self.messages.insert(name.to_owned(), message);
            kinds.push(name.to_owned());
        }
        self.schemas.insert("Answer".to_owned(), answer());
        let message = json!({
            "name": "answer",
            "contentType": CONTENT_TYPE,
            "payload": { "$ref": "#/components/schemas/Answer" },
        });
        self.messages.insert("answer".to_owned(), message);
        let channel = json!({
            "address": "{stream}.command",
            "description": "For instances only: who may publish here acts as anybody.",
            "messages": named(&kinds),
            "parameters": { "stream": stream() },
        });
        self.channels.insert("command".to_owned(), channel);
        let answers = json!({ "address": null, "messages": named(&["answer".to_owned()]) });
        self.channels.insert("answer".to_owned(), answers);
        let operation = json!({
            "action": "send",
            "summary": "Hand a command to the instance that writes",
            "channel": { "$ref": "#/channels/command" },
            "reply": { "channel": { "$ref": "#/channels/answer" } },
        });
        self.operations.insert("command".to_owned(), operation);
    }

    /// Moves the definitions of a schema into the components, under the name of their owner.
    fn lift(&mut self, owner: &str, mut schema: Value) -> Value {
        repoint(&mut schema, owner);
        let Some(object) = schema.as_object_mut() else { return schema };
        object.remove("$schema");
        if let Some(Value::Object(definitions)) = object.remove("$defs") {
            let moved =
                definitions.into_iter().map(|(key, value)| (format!("{owner}.{key}"), value));
            self.schemas.extend(moved);
        }
        schema
    }
}

fn repoint(value: &mut Value, owner: &str) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(key) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/components/schemas/{owner}.{key}");
            }
            object.values_mut().for_each(|member| repoint(member, owner));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repoint(item, owner)),
        _ => {}
    }
}

fn named(kinds: &[String]) -> Map<String, Value> {
    let reference = |kind: &String| json!({ "$ref": format!("#/components/messages/{kind}") });
    kinds.iter().map(|kind| (kind.clone(), reference(kind))).collect()
}

fn without_null(mut message: Value) -> Value {
    if let Some(object) = message.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    message
}

fn stream() -> Value {
    json!({ "description": "The name of the log's stream.", "default": "tranche" })
}

fn event_headers() -> Value {
    let header = |(name, about): &(&str, &str)| {
        (format!("{PREFIX}{name}"), json!({ "type": "string", "description": about }))
    };
    let properties: Map<String, Value> = ALWAYS.iter().chain(SOMETIMES).map(header).collect();
    let required: Vec<_> = ALWAYS.iter().map(|(name, _)| format!("{PREFIX}{name}")).collect();
    json!({
        "type": "object",
        "description": "Values are percent-encoded where they are not printable ASCII.",
        "required": required,
        "properties": properties,
    })
}

/// The fields of a command as it travels, but for what is particular to each.
pub(crate) fn command_fields() -> Value {
    let id = json!({ "type": "string", "pattern": "^[A-Za-z0-9_./:-]{1,128}$" });
    let instant = json!({ "type": "string", "format": "date-time" });
    let (mut actor, mut evidence) =
        (schema_for!(Actor).to_value(), schema_for!(Evidence).to_value());
    let mut definitions = Map::new();
    for schema in [&mut actor, &mut evidence].into_iter().filter_map(Value::as_object_mut) {
        schema.remove("$schema");
        if let Some(Value::Object(moved)) = schema.remove("$defs") {
            definitions.extend(moved);
        }
    }
    json!({
        "$defs": definitions,
        "type": "object",
        "required": ["actor", "command", "command_id", "data", "received_at", "wait_ms"],
        "properties": {
            "actor": actor,
            "causation_id": id,
            "command": { "type": "string" },
            "command_id": id,
            "correlation_id": id,
            "data": { "type": "object" },
            "dry_run": { "type": "boolean" },
            "effective_at": instant,
            "evidence": evidence,
            "expected_version": { "type": "integer", "minimum": 0 },
            "received_at": instant,
            "wait_ms": { "type": "integer", "minimum": 0 },
        },
    })
}

/// What became of a command.
pub(crate) fn answer() -> Value {
    let number = json!({ "type": ["integer", "null"], "minimum": 1 });
    let done = json!({
        "type": "object",
        "required": ["commit_id", "events", "position", "recorded_at", "replayed", "streams"],
        "properties": {
            "commit_id": { "type": ["string", "null"] },
            "events": { "type": "array", "items": { "type": "string" } },
            "position": number,
            "recorded_at": { "type": "string", "format": "date-time" },
            "replayed": { "type": "boolean" },
            "streams": { "type": "array", "items": { "type": "array" } },
        },
    });
    let unavailable = json!({
        "type": "object",
        "required": ["reason", "retry_after_ms"],
        "properties": {
            "reason": { "type": "string" },
            "retry_after_ms": { "type": "integer", "minimum": 0 },
        },
    });
    let one = |name: &str, schema: Value| json!({ "type": "object", "required": [name], "properties": { name: schema } });
    json!({ "oneOf": [
        one("done", done),
        one("refused", json!({ "type": "object" })),
        one("unavailable", unavailable),
        { "const": "busy" },
    ] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Commit;

    const HISTORY: &str = include_str!("../../../tests/history/0.1.0.jsonl");

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_event_that_ever_was_and_every_command_has_its_message() {
        let document = document();
        for category in domain::facts::event::CATEGORIES {
            let messages = document["channels"][category]["messages"].as_object().unwrap();
            assert!(!messages.is_empty(), "{category}");
        }
        for line in HISTORY.lines() {
            for recorded in &Commit::decode(line.as_bytes()).unwrap().events {
                let (category, kind) = (recorded.stream.category(), recorded.event.kind());
                let message = &document["channels"][category]["messages"][kind];
                assert!(message.is_object(), "{kind}");
            }
        }
        for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
            let name = entry.declaration.name;
            assert!(document["channels"]["command"]["messages"][name].is_object(), "{name}");
        }
    }
}
