//! What the operations of the document have in common: headers, answers, parameters, shapes.

use crate::components::lift;
use crate::engine::Receipt;
use crate::export::What;
use crate::http::envelope::{PARTS, Part, role, token};
use crate::http::views::ROWS_MAX;
use projections::query::journal::{PARAMETERS, Parameter};
use schemars::schema_for;
use serde_json::{Map, Value, json};
use strum::VariantNames as _;

const POSITION_MAX: u64 = domain::kernel::canonical::INTEGER_MAX;

pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

pub(super) fn headers() -> Value {
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

pub(super) fn responses() -> Value {
    let problem = |description: &str| {
        json!({
            "description": description,
            "headers": { "Request-Id": header("RequestId") },
            "content": { "application/problem+json": { "schema": super::schema("Problem") } },
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
        "TooSlow": problem("The body did not come in time. Nothing was recorded."),
        "TooLarge": problem("The body is longer than its limit."),
        "MediaType": problem("The body of a command is application/json."),
        "Rule": problem("A rule says no: it is named."),
        "Damaged": problem("What is kept is not what was put there, or a fault of this program."),
        "Internal": problem("A fault of this program. Nothing was acknowledged."),
        "Timeout": problem("It took longer than the request may wait."),
        "Unavailable": again,
    })
}

/// Where something is, its name, its schema, whether it must be there, and what it is.
fn of(place: &str, name: &str, schema: &Value, required: bool, description: &str) -> Value {
    json!({
        "in": place, "name": name, "schema": schema, "required": required,
        "description": description,
    })
}

fn stream() -> Value {
    json!({ "type": "string", "pattern": "^[a-z]+-[A-Za-z0-9_-]{1,64}$" })
}

/// All parameters.
pub(super) fn parameters() -> Value {
    let mut all = of_commands();
    for more in [of_reading(), of_asking(), of_journal()] {
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
    }
    all
}

fn of_commands() -> Value {
    let parameter = |part: &Part| {
        let (schema, required) = ((part.schema)(), part.is_required());
        (part.key.to_owned(), of(part.place(), part.name, &schema, required, part.about))
    };
    Value::Object(PARTS.iter().map(parameter).collect())
}

fn moment() -> Value {
    json!({
        "type": "string", "minLength": 10, "maxLength": 64,
        "pattern": r"^\d{4}-\d{2}-\d{2}([T ].*)?$",
    })
}

/// What a why, a difference and a search in the log are asked with.
fn of_asking() -> Value {
    let moment = moment();
    let position = json!({ "type": "integer", "minimum": 0, "maximum": POSITION_MAX });
    let name = json!({ "type": "string", "maxLength": 64 });
    json!({
        "Pointer": of("query", "pointer", &json!({ "type": "string", "maxLength": 1_024 }), true,
            "The figure: /TABLE/ROW/COLUMN, where the row is its name, its number from 0, or `totals`; or \
             its place in the JSON of the view."),
        "Newest": of("query", "newest",
            &json!({ "type": "integer", "minimum": 1, "maximum": crate::why::SHOWN_MAX }), false,
            "The newest so many events that changed it, 100 unless said; earlier ones are one sum."),
        "Earlier": of("query", "from", &moment, false,
            "The earlier moment; before everything unless said."),
        "Later": of("query", "to", &moment, false, "The later moment; now unless said."),
        "Clock": of("query", "clock", &json!({ "type": "string", "enum": ["recorded", "effective"] }),
            false, "The clock of both: what was recorded by then, unless said, or what was true by then."),
        "EarlierPosition": of("query", "from_position", &position, false,
            "The earlier moment as a position of the log; not with from or to."),
        "LaterPosition": of("query", "to_position", &position, false, "The later one."),
        "WhoseActor": of("query", "actor", &token(), false,
            "Only commits of this person, or for them by a stand-in."),
        "WhoseRole": of("query", "role", &role(), false, "Only commits in this role."),
        "OfCommand": of("query", "command", &name, false, "Only commits of this command."),
        "OfType": of("query", "type", &name, false, "Only commits with an event of this type."),
        "Since": of("query", "since", &moment, false,
            "Only what was recorded at this moment or later; a date alone is the beginning of that day."),
        "Until": of("query", "until", &moment, false, "The same, at this moment or earlier."),
        "TrueSince": of("query", "true_since", &moment, false,
            "Only commits with an event that was true at this moment or later."),
        "TrueUntil": of("query", "true_until", &moment, false, "The same, at this moment or earlier."),
        "ScopeCall": of("query", "call", &token(), false,
            "Only what is about this call: on it, naming it, or on a stream that began by naming it, and \
             so on from these."),
        "ScopeGrant": of("query", "grant", &token(), false, "The same for a grant; not with call."),
    })
}

/// Stands in the list of an operation for all that the journal tests can be asked.
pub(super) const OF_JOURNAL: &str = "(the parameters of the journal tests)";

/// Gives the names of the parameters that a name in the list of an operation stands for.
pub(super) fn named(name: &str) -> Vec<String> {
    match name {
        OF_JOURNAL => PARAMETERS.iter().map(component).collect(),
        _ => vec![name.to_owned()],
    }
}

/// Names a parameter of the journal tests among the components: `AccountDays`.
fn component(parameter: &Parameter) -> String {
    let words = parameter.name.split('_').filter_map(|word| {
        let (first, rest) = word.split_at_checked(1)?;
        Some(first.to_uppercase() + rest)
    });
    words.collect()
}

fn of_journal() -> Value {
    let parameters = PARAMETERS.iter().map(|parameter| {
        let what = format!("Of the journal tests alone. {}.", parameter.text);
        let (name, schema) = (parameter.name, parameter.schema());
        (component(parameter), of("query", name, &schema, false, &what))
    });
    Value::Object(parameters.collect())
}

fn of_reading() -> Value {
    let moment = moment();
    let position = json!({ "type": "integer", "minimum": 0, "maximum": POSITION_MAX });
    json!({
        "AsOf": of("query", "as_of", &moment, false,
            "Only what was true by then. A date alone is the end of that day in the zone."),
        "KnownAt": of("query", "known_at", &moment, false, "Only what was recorded by then."),
        "AtPosition": of("query", "at_position", &position, false, "Only the log up to here."),
        "WaitFor": of("query", "wait_for", &position, false,
            "Wait, for at most 10 s, until the log has this position."),
        "Zone": of("query", "zone", &json!({ "type": "string", "maxLength": 64 }), false,
            "The zone of a date or time alone, by IANA name; that of the calls unless said, where they \
             agree."),
        "Call": of("query", "call", &token(), false,
            "The call in whose zone a date or time alone is meant; not with zone."),
        "From": of("query", "from", &position, false, "From this position, 1 unless said."),
        "Limit": of("query", "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": POSITION_MAX }), false,
            "At most so many commits; all up to the end of the log unless said."),
        "LastEventId": of("header", "Last-Event-ID", &position, false,
            "Resume a text/event-stream after this position."),
        "Rows": of("query", "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": ROWS_MAX }), false,
            "At most so many rows of what has a row per event, the newest."),
        "ByActor": of("query", "actor", &token(), false, "Only what this person did, or has to do."),
        "ByRole": of("query", "role", &role(), false, "The same for a role."),
        "OfStream": of("query", "stream", &stream(), false,
            "Only this stream."),
        "OfCategory": of("query", "category",
            &json!({ "type": "string", "enum": domain::facts::event::CATEGORIES }), false,
            "Only streams of this category."),
        "Exported": of("path", "what",
            &json!({ "type": "string", "enum": What::VARIANTS }), true, "What is exported."),
        "Position": of("path", "position",
            &json!({ "type": "integer", "minimum": 1, "maximum": POSITION_MAX }), true, "Its place."),
        "TilePath": of("path", "path",
            &json!({ "type": "string", "pattern": "^(entries|[0-9]{1,2})(/x[0-9]{3})*/[0-9]{3}(\\.p/[0-9]{1,3})?$" }),
            true, "Which tile: its level or `entries`, its index, and its width if it is not full."),
        "Document": of("path", "sha256", &json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }), true,
            "The SHA-256 of its bytes."),
        "Stream": of("path", "stream", &stream(), true,
            "Its name: `category-id`."),
        "Code": of("path", "code", &json!({ "type": "string", "enum": crate::refusals::codes() }), true,
            "The code of a problem."),
        "View": of("path", "view",
            &json!({ "type": "string", "enum": projections::names().collect::<Vec<_>>() }), true,
            "Its name."),
        "Command": of("path", "command", &json!({ "type": "string", "enum":
            crate::http::commands::names().collect::<Vec<_>>() }), true, "Its name."),
    })
}

pub(super) fn schemas() -> Map<String, Value> {
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
    let mut receipt = schema_for!(Receipt).to_value();
    let mut shared = Map::new();
    lift(&mut receipt, &mut shared, &str::to_owned);
    let schemas = [
        ("Problem", problem),
        ("Receipt", receipt),
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
        ("Kept", kept()),
        ("Why", why()),
        ("Difference", difference()),
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
        ("Commit", commit()),
    ];
    shared.extend(schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    shared
}

fn commit() -> Value {
    json!({
        "type": "object",
        "description": "One commit in canonical JSON (RFC 8785): the bytes that are hashed.",
        "required": ["actor", "command", "command_id", "events", "position", "recorded_at"],
        "properties": { "position": { "type": "integer" }, "events": { "type": "array" } },
    })
}

/// What became of a document.
fn kept() -> Value {
    json!({
        "type": "object", "required": ["bytes", "put", "sha256"],
        "properties": {
            "bytes": { "type": "integer" },
            "put": { "type": "string", "enum": ["already", "mended", "new"] },
            "sha256": { "type": "string" },
        },
    })
}

fn why() -> Value {
    json!({
        "type": "object",
        "required": ["as_of", "complete", "contributions", "folded", "from", "pointer", "value", "view"],
        "properties": {
            "as_of": { "type": "object" },
            "complete": { "type": "boolean", "description": "Whether nothing else ever changed it." },
            "contributions": { "type": "array", "items": { "type": "object" } },
            "folded": { "type": "object" },
            "from": { "type": "integer", "description": "All from this position on are told." },
            "opening": { "description": "What it was before the first of them." },
            "pointer": { "type": "string" },
            "sum": { "description": "Of opening and contributions: the figure." },
            "value": { "description": "The figure." },
            "view": { "type": "string" },
        },
    })
}

fn difference() -> Value {
    json!({
        "type": "object", "required": ["changes", "events", "from", "to", "view"],
        "properties": {
            "changes": { "type": "array", "items": { "type": "object" } },
            "events": { "type": "integer" },
            "from": { "type": "object" },
            "to": { "type": "object" },
            "untold": { "type": "string", "description": "Why causes are missing." },
            "view": { "type": "string" },
        },
    })
}
