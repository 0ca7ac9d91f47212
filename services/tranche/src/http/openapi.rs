//! The OpenAPI 3.1 document, made from the declarations of the commands and the table of views: what
//! is not declared is not documented, and what is declared cannot be forgotten.

mod parts;
mod reading;

use super::BODY_BYTES_MAX;
use super::envelope::PARTS;
use crate::components::{lift, repoint};
use domain::decide::command::{Declaration, Entry};
use parts::header;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The document, built once.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

fn document() -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
        let schema = payload(entry, &mut schemas);
        let path = format!("/commands/{}", entry.declaration.name);
        paths.insert(path, json!({ "post": operation(entry.declaration, &schema) }));
    }
    schemas.extend(parts::schemas());
    paths.extend(reading::paths());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Tranche",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An event-sourced workflow engine for public grants",
            "description": "A command is a wish; what is accepted becomes one commit of the log. \
                Views answer as of any moment of the past. There is no login in this version: the \
                caller says who it is in `Tranche-Actor` and `Tranche-Role`, so the server listens \
                on loopback unless told otherwise.",
            "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parts::parameters(),
            "responses": parts::responses(),
            "headers": parts::headers(),
        },
    })
}

fn tags() -> Vec<Value> {
    let mut tags: Vec<Value> = domain::facts::event::CATEGORIES
        .iter()
        .map(|category| json!({ "name": category, "description": format!("Commands of a {category}.") }))
        .collect();
    tags.extend([
        json!({ "name": "read", "description": "Views, the log, streams." }),
        json!({ "name": "proof", "description": "The Merkle tree of the log, in the formats of C2SP." }),
        json!({ "name": "about", "description": "The program itself." }),
    ]);
    tags
}

/// Puts the schema of a payload and its definitions among the components. A definition that means
/// something else elsewhere gets the category of the command in front of its name.
fn payload(entry: &Entry, schemas: &mut Map<String, Value>) -> String {
    let name = entry.declaration.name;
    let mut root = crate::vault::schema(entry);
    let category = name.split('.').next().unwrap_or(name);
    let definitions = root["$defs"].as_object().into_iter().flatten();
    let renamed: BTreeMap<String, String> = definitions
        .map(|(key, value)| {
            let mut moved = value.clone();
            repoint(&mut moved, &str::to_owned);
            let same = schemas.get(key).is_none_or(|known| *known == moved);
            (key.clone(), if same { key.clone() } else { format!("{category}.{key}") })
        })
        .collect();
    lift(&mut root, schemas, &|key| renamed.get(key).map_or(key, String::as_str).to_owned());
    schemas.insert(name.to_owned(), root);
    name.to_owned()
}

/// Every status that a command may answer with.
const COMMAND_PROBLEMS: &[(&str, &str)] = &[
    ("400", "Malformed"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
    ("408", "TooSlow"),
    ("409", "Conflict"),
    ("412", "VersionChanged"),
    ("413", "TooLarge"),
    ("415", "MediaType"),
    ("422", "Rule"),
    ("500", "Internal"),
    ("503", "Unavailable"),
];

fn operation(declaration: &Declaration, schema: &str) -> Value {
    let roles: Vec<&str> = declaration.roles.iter().map(Into::into).collect();
    let category = declaration.name.split('.').next().unwrap_or_default();
    let parameters: Vec<Value> = PARTS.iter().map(|part| parameter(part.key)).collect();
    let mut responses = refused(COMMAND_PROBLEMS);
    responses.insert("200".to_owned(), receipt("Decided before, true already, or a dry run."));
    responses.insert("201".to_owned(), receipt("Accepted: one commit of the log."));
    json!({
        "operationId": declaration.name,
        "tags": [category],
        "summary": declaration.summary,
        "description": format!(
            "May be given by: {}. In the states: {}. Rule: {}.",
            roles.join(", "), declaration.from.join(", "), declaration.rule,
        ),
        "x-roles": roles,
        "x-states": declaration.from,
        "x-needs": declaration.needs,
        "x-rule": declaration.rule,
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "description": format!("At most {BODY_BYTES_MAX} bytes."),
            "content": { "application/json": { "schema": {
                "$ref": format!("#/components/schemas/{schema}")
            } } },
        },
        "responses": responses,
    })
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn refused(statuses: &[(&str, &str)]) -> Map<String, Value> {
    let reference = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
    statuses.iter().map(|(status, name)| ((*status).to_owned(), reference(name))).collect()
}

fn receipt(description: &str) -> Value {
    json!({
        "description": description,
        "headers": {
            "Request-Id": header("RequestId"),
            "Tranche-Position": header("Position"),
            "Idempotency-Key": header("IdempotencyKey"),
            "Idempotent-Replayed": header("Replayed"),
        },
        "content": { "application/json": { "schema": schema("Receipt") } },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{envelope, problem};
    use super::*;
    use crate::engine::Receipt;
    use jiff::Timestamp;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    found.push(reference.clone());
                }
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
    fn a_receipt_of_nothing_is_one_of_the_document() {
        let receipt = Receipt::nothing("c1".parse().unwrap(), Timestamp::UNIX_EPOCH);
        let receipt = serde_json::to_value(receipt).unwrap();
        let written: Vec<&String> = receipt.as_object().unwrap().keys().collect();
        assert_eq!(document()["components"]["schemas"]["Receipt"]["required"], json!(written));
    }

    #[test]
    fn every_command_is_one_path_with_its_roles_and_rule() {
        let document = document();
        for name in super::super::commands::names() {
            let post = &document["paths"][format!("/commands/{name}")]["post"];
            assert_eq!(post["operationId"], name);
            assert!(!post["x-roles"].as_array().unwrap().is_empty(), "{name}");
            assert!(post["x-rule"]["clause"].is_string(), "{name}");
        }
    }

    #[test]
    fn a_role_header_takes_every_role_that_a_command_takes() {
        let schema = envelope::role();
        let known = schema["enum"].as_array().unwrap();
        for table in domain::catalogue::COMMANDS {
            for role in table.iter().flat_map(|entry| entry.declaration.roles) {
                assert!(known.contains(&json!(role)), "{role}");
            }
        }
        assert!(known.len() >= 16);
    }

    #[test]
    fn statuses_of_the_document_are_those_of_refusals() {
        use domain::kernel::refusal::RefusalKind;
        for kind in [
            RefusalKind::Malformed,
            RefusalKind::Forbidden,
            RefusalKind::NotFound,
            RefusalKind::Conflict,
            RefusalKind::Rule,
        ] {
            let status = problem::status(kind).as_u16().to_string();
            assert!(COMMAND_PROBLEMS.iter().any(|(known, _)| *known == status), "{status}");
        }
    }
}
