//! The OpenAPI 3.1 document, made from the declarations of the commands and the table of views: what
//! is not declared is not documented, and what is declared cannot be forgotten.

use super::{BODY_BYTES_MAX, views};
use domain::command::{Declaration, Entry, Role};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use strum::IntoEnumIterator as _;

/// The document, built once.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

fn role_names() -> Vec<Role> {
    Role::iter().collect()
}

const POSITION_MAX: u64 = domain::canonical::INTEGER_MAX;

fn document() -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for entry in domain::world::COMMANDS.iter().flat_map(|table| table.iter()) {
        let schema = lift(entry, &mut schemas);
        let path = format!("/commands/{}", entry.declaration.name);
        paths.insert(path, json!({ "post": operation(entry.declaration, &schema) }));
    }
    schemas.extend(own_schemas());
    paths.extend(reading());
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
            "parameters": parameters(),
            "responses": responses(),
            "headers": headers(),
        },
    })
}

fn tags() -> Vec<Value> {
    let mut tags: Vec<Value> = domain::world::CATEGORIES
        .iter()
        .map(|category| json!({ "name": category, "description": format!("Commands of a {category}.") }))
        .collect();
    tags.extend([
        json!({ "name": "read", "description": "Views, the log, streams." }),
        json!({ "name": "about", "description": "The program itself." }),
    ]);
    tags
}

/// Moves the schema of a payload and its definitions into the components. A definition that means
/// something else elsewhere gets the category of the command in front of its name.
fn lift(entry: &Entry, schemas: &mut Map<String, Value>) -> String {
    let name = entry.declaration.name;
    let mut root = (entry.schema)().to_value();
    let definitions = match root.as_object_mut() {
        Some(object) => {
            object.remove("$schema");
            object.remove("$defs")
        }
        None => None,
    };
    let definitions = match definitions {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    let category = name.split('.').next().unwrap_or(name);
    let renamed: Map<String, Value> = definitions
        .iter()
        .map(|(key, value)| {
            let mut moved = value.clone();
            repoint(&mut moved, &|to| to.to_owned());
            let same = schemas.get(key).is_none_or(|known| *known == moved);
            let to = if same { key.clone() } else { format!("{category}.{key}") };
            (key.clone(), Value::String(to))
        })
        .collect();
    let to = |key: &str| renamed.get(key).and_then(Value::as_str).unwrap_or(key).to_owned();
    for (key, mut value) in definitions {
        repoint(&mut value, &to);
        schemas.insert(to(&key), value);
    }
    repoint(&mut root, &to);
    schemas.insert(name.to_owned(), root);
    name.to_owned()
}

/// Makes references to `$defs` references to the components.
fn repoint(value: &mut Value, to: &dyn Fn(&str) -> String) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(key) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/components/schemas/{}", to(key));
            }
            object.values_mut().for_each(|member| repoint(member, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repoint(item, to)),
        _ => {}
    }
}

/// Every status that a command may answer with.
const COMMAND_PROBLEMS: &[(&str, &str)] = &[
    ("400", "Malformed"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
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
    let names = [
        "IdempotencyKey",
        "IfMatch",
        "Actor",
        "Role",
        "OnBehalfOf",
        "EffectiveAt",
        "Source",
        "Confidence",
        "CorrelationId",
        "CausationId",
        "DryRun",
    ];
    let parameters: Vec<Value> = names.iter().map(|name| parameter(name)).collect();
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

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Names this request in the answer and in the server's own log.",
            "schema": { "type": "string" },
        },
        "Position": {
            "description": "The position of the log that the answer rests on.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "IdempotencyKey": {
            "description": "The id of the command: the one that was sent, or the one that was made.",
            "schema": { "type": "string" },
        },
        "Replayed": {
            "description": "Present and true when this command id had been decided before.",
            "schema": { "type": "string", "const": "true" },
        },
        "RetryAfter": {
            "description": "Seconds after which it is worth another try.",
            "schema": { "type": "integer" },
        },
    })
}

fn responses() -> Value {
    let problem = |description: &str| {
        json!({
            "description": description,
            "headers": { "Request-Id": header("RequestId") },
            "content": { "application/problem+json": { "schema": schema("Problem") } },
        })
    };
    let mut again =
        problem("Nothing was acknowledged. Send it again with the same Idempotency-Key.");
    again["headers"]["Retry-After"] = header("RetryAfter");
    json!({
        "Malformed": problem("It cannot be read: the field or header at fault is named."),
        "Forbidden": problem("This role or person may not."),
        "NotFound": problem("No such thing."),
        "MethodNotAllowed": problem("Not with this method."),
        "NotAcceptable": problem("Not in a media type that the request accepts."),
        "Conflict": problem("Not in this state, or a command id with other content."),
        "VersionChanged": problem("If-Match names an older version: read it again."),
        "TooLarge": problem("The body is longer than its limit."),
        "MediaType": problem("The body of a command is application/json."),
        "Rule": problem("A rule says no: it is named."),
        "Internal": problem("A fault of this program. Nothing was acknowledged."),
        "Timeout": problem("It took longer than the request may wait."),
        "Unavailable": again,
    })
}

fn parameters() -> Value {
    let moment = json!({
        "type": "string", "minLength": 10, "maxLength": 64,
        "pattern": r"^\d{4}-\d{2}-\d{2}([T ].*)?$",
    });
    let token = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" });
    let id = json!({ "type": "string", "pattern": "^[A-Za-z0-9_./:-]{1,128}$" });
    let position = json!({ "type": "integer", "minimum": 0, "maximum": POSITION_MAX });
    let of = |place: &str, name: &str, schema: &Value, required: bool, description: &str| {
        json!({
            "in": place, "name": name, "schema": schema, "required": required,
            "description": description,
        })
    };
    json!({
        "IdempotencyKey": of("header", "Idempotency-Key", &id, false,
            "The id of the command, for ever. The same id and content gives the stored answer, the \
             same id and other content is refused. A UUIDv7 is made when it is absent."),
        "IfMatch": of("header", "If-Match",
            &json!({ "type": "string", "pattern": "^\"(0|[1-9][0-9]{0,14})\"$" }), false,
            "The version that the stream of the command must have, in quotes."),
        "Actor": of("header", "Tranche-Actor", &token, true, "Who acts: an opaque id."),
        "Role": of("header", "Tranche-Role",
            &json!({ "type": "string", "enum": role_names() }), true, "In which role."),
        "OnBehalfOf": of("header", "Tranche-On-Behalf-Of", &token, false, "For whom, as a stand-in."),
        "EffectiveAt": of("header", "Tranche-Effective-At",
            &json!({ "type": "string", "format": "date-time" }), false,
            "When it was true, if that was earlier than now."),
        "Source": of("header", "Tranche-Source",
            &json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" }),
            false, "Where the fact comes from: a key of the list of sources."),
        "Confidence": of("header", "Tranche-Confidence",
            &json!({ "type": "string", "enum": ["published", "unconfirmed", "derived", "fixture"] }),
            false, "How sure; only with Tranche-Source, and `published` unless said."),
        "CorrelationId": of("header", "Tranche-Correlation-Id", &id, false, "The conversation."),
        "CausationId": of("header", "Tranche-Causation-Id", &id, false, "What led to it."),
        "DryRun": of("query", "dry_run", &json!({ "type": "boolean" }), false,
            "Decide, answer what would be recorded, and record nothing."),
        "AsOf": of("query", "as_of", &moment, false,
            "Only what was true by then. A date alone is the end of that day in the zone."),
        "KnownAt": of("query", "known_at", &moment, false, "Only what was recorded by then."),
        "AtPosition": of("query", "at_position", &position, false, "Only the log up to here."),
        "WaitFor": of("query", "wait_for", &position, false,
            "Wait, for at most 10 s, until the log has this position."),
        "Zone": of("query", "zone", &json!({ "type": "string", "maxLength": 64 }), false,
            "The zone of a date alone, by IANA name; Europe/Luxembourg unless said."),
        "From": of("query", "from", &position, false, "From this position, 1 unless said."),
        "Limit": of("query", "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": POSITION_MAX }), false,
            "At most so many commits; all up to the end of the log unless said."),
        "LastEventId": of("header", "Last-Event-ID", &position, false,
            "Resume a text/event-stream after this position."),
        "Rows": of("query", "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": views::ROWS_MAX }), false,
            "At most so many rows of what has a row per event, the newest."),
        "ByActor": of("query", "actor", &token, false, "Only what this person did, or has to do."),
        "ByRole": of("query", "role",
            &json!({ "type": "string", "enum": role_names() }), false, "The same for a role."),
        "OfStream": of("query", "stream",
            &json!({ "type": "string", "pattern": "^[a-z]+-[A-Za-z0-9_-]{1,64}$" }), false,
            "Only this stream."),
        "OfCategory": of("query", "category",
            &json!({ "type": "string", "enum": domain::world::CATEGORIES }), false,
            "Only streams of this category."),
        "Position": of("path", "position",
            &json!({ "type": "integer", "minimum": 1, "maximum": POSITION_MAX }), true, "Its place."),
        "Stream": of("path", "stream",
            &json!({ "type": "string", "pattern": "^[a-z]+-[A-Za-z0-9_-]{1,64}$" }), true,
            "Its name: `category-id`."),
        "Code": of("path", "code", &json!({ "type": "string", "enum": super::about::codes() }), true,
            "The code of a problem."),
        "View": of("path", "view",
            &json!({ "type": "string", "enum": projections::names().collect::<Vec<_>>() }), true,
            "Its name."),
        "Command": of("path", "command", &json!({ "type": "string", "enum":
            super::commands::names().collect::<Vec<_>>() }), true, "Its name."),
    })
}

fn own_schemas() -> Map<String, Value> {
    let rule = json!({
        "type": "object", "required": ["document", "clause"],
        "properties": { "document": { "type": "string" }, "clause": { "type": "string" } },
    });
    let problem = json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string", "format": "uri-reference" },
            "code": { "type": "string", "description": "Stable: one of GET /problems." },
            "rule": rule,
            "errors": { "type": "array", "items": {
                "type": "object", "required": ["pointer", "detail"],
                "properties": {
                    "pointer": { "type": "string", "format": "json-pointer" },
                    "detail": { "type": "string" },
                },
            } },
        },
    });
    let schemas = [
        ("Problem", problem),
        ("Receipt", super::commands::receipt_schema()),
        (
            "Report",
            json!({
                "type": "object",
                "required": ["as_of", "notes", "position", "tables", "title", "view"],
                "properties": {
                    "as_of": { "type": "object" },
                    "notes": { "type": "array", "items": { "type": "string" } },
                    "position": { "type": "integer" },
                    "tables": { "type": "array", "items": { "type": "object" } },
                    "title": { "type": "string" },
                    "view": { "type": "string" },
                },
            }),
        ),
        (
            "Stream",
            json!({
                "type": "object", "required": ["stream", "version", "phase", "position"],
                "properties": {
                    "stream": { "type": "string" },
                    "version": { "type": "integer" },
                    "phase": { "type": "string" },
                    "position": { "type": "integer" },
                },
            }),
        ),
        (
            "Commit",
            json!({
                "type": "object",
                "description": "One commit in canonical JSON (RFC 8785): the bytes that are hashed.",
                "required": ["actor", "command", "command_id", "events", "position", "recorded_at"],
                "properties": { "position": { "type": "integer" }, "events": { "type": "array" } },
            }),
        ),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A GET.
struct Get {
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    media: &'static [(&'static str, Option<&'static str>)],
    problems: &'static [(&'static str, &'static str)],
}

const JSON: &str = "application/json";
const BAD: (&str, &str) = ("400", "Malformed");
const MISSING: (&str, &str) = ("404", "NotFound");
const NOT_READY: (&str, &str) = ("503", "Unavailable");

const GETS: &[Get] = &[
    Get {
        path: "/views",
        id: "views.list",
        tag: "read",
        summary: "The views by name",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/views/{view}",
        id: "views.read",
        tag: "read",
        summary: "What a view answers, as of any moment; also as text/csv (its first table)",
        parameters: &[
            "View",
            "AsOf",
            "KnownAt",
            "AtPosition",
            "WaitFor",
            "Zone",
            "ByActor",
            "ByRole",
            "OfStream",
            "OfCategory",
            "Rows",
        ],
        media: &[(JSON, Some("Report")), ("text/csv", None)],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY, ("504", "Timeout")],
    },
    Get {
        path: "/log",
        id: "log.read",
        tag: "read",
        summary: "The commits, one per line, byte for byte as they are hashed; as text/event-stream \
                  it goes on with those to come, and Last-Event-ID resumes",
        parameters: &["From", "Limit", "LastEventId"],
        media: &[("application/jsonl", None), ("text/event-stream", None)],
        problems: &[BAD, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/log/{position}",
        id: "log.commit",
        tag: "read",
        summary: "One commit, byte for byte as it is hashed",
        parameters: &["Position"],
        media: &[(JSON, Some("Commit"))],
        problems: &[BAD, MISSING, NOT_READY],
    },
    Get {
        path: "/streams/{stream}",
        id: "streams.read",
        tag: "read",
        summary: "The version and the phase of a stream",
        parameters: &["Stream"],
        media: &[(JSON, Some("Stream"))],
        problems: &[BAD, MISSING],
    },
    Get {
        path: "/commands",
        id: "commands.list",
        tag: "about",
        summary: "What is declared about every command",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/commands/{command}",
        id: "commands.read",
        tag: "about",
        summary: "What is declared about one command, with the JSON Schema of its payload",
        parameters: &["Command"],
        media: &[(JSON, None)],
        problems: &[MISSING],
    },
    Get {
        path: "/problems",
        id: "problems.list",
        tag: "about",
        summary: "Every code that a problem can have",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/problems/{code}",
        id: "problems.read",
        tag: "about",
        summary: "What a code means",
        parameters: &["Code"],
        media: &[(JSON, None), ("text/html", None)],
        problems: &[MISSING],
    },
    Get {
        path: "/openapi.json",
        id: "openapi",
        tag: "about",
        summary: "This document",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/metrics",
        id: "metrics",
        tag: "about",
        summary: "Figures for Prometheus",
        parameters: &[],
        media: &[("text/plain", None)],
        problems: &[],
    },
    Get {
        path: "/healthz",
        id: "healthz",
        tag: "about",
        summary: "Whether the process lives",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/readyz",
        id: "readyz",
        tag: "about",
        summary: "Whether the log answers and the writer works",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[NOT_READY],
    },
];

fn reading() -> Map<String, Value> {
    GETS.iter().map(|get| (get.path.to_owned(), json!({ "get": get.operation() }))).collect()
}

impl Get {
    fn operation(&self) -> Value {
        let content: Map<String, Value> = self
            .media
            .iter()
            .map(|(media, name)| {
                let shape = match (name, *media) {
                    (Some(name), _) => schema(name),
                    (None, JSON) => json!({}),
                    (None, _) => json!({ "type": "string" }),
                };
                ((*media).to_owned(), json!({ "schema": shape }))
            })
            .collect();
        let mut responses = refused(self.problems);
        responses.insert(
            "200".to_owned(),
            json!({
                "description": self.summary,
                "headers": { "Request-Id": header("RequestId") },
                "content": content,
            }),
        );
        if self.id == "views.read" {
            let unchanged = json!({ "description": "It is as If-None-Match says." });
            responses.insert("304".to_owned(), unchanged);
        }
        json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": self.parameters.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
            "responses": responses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem;
    use super::*;

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
        let known = role_names();
        for table in domain::world::COMMANDS {
            for role in table.iter().flat_map(|entry| entry.declaration.roles) {
                assert!(known.contains(role), "{role}");
            }
        }
        assert!(known.len() >= 16);
    }

    #[test]
    fn statuses_of_the_document_are_those_of_refusals() {
        use domain::rejection::Kind;
        for kind in [Kind::Malformed, Kind::Forbidden, Kind::NotFound, Kind::Conflict, Kind::Rule] {
            let status = problem::status(kind).as_u16().to_string();
            assert!(COMMAND_PROBLEMS.iter().any(|(known, _)| *known == status), "{status}");
        }
    }
}
