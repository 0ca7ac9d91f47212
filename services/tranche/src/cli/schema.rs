//! The fields of a command, read from the JSON Schema of its payload: for help, for an example, and
//! for `--set field=value`.

use super::failure::Failure;
use super::rules;
use serde_json::{Map, Value, json};
use std::path::Path;

/// A field of a payload, for a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What goes in, for example `Money` or `list of Key`.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is.
    pub about: String,
    /// How a value looks.
    pub example: Option<Value>,
}

/// How deep a schema is followed: schemas may refer to themselves, help text ends.
const DEPTH_MAX: u8 = 6;

/// The fields of the payload that `schema` describes, those that must be there first.
pub fn fields(schema: &Value) -> Vec<Field> {
    let required = required(schema);
    let mut fields: Vec<Field> = properties(schema)
        .map(|(name, node)| Field {
            name: name.clone(),
            kind: kind(schema, node),
            required: required.contains(&name.as_str()),
            about: about(schema, node),
            example: if is_document(node) { None } else { example(schema, node, 0) },
        })
        .collect();
    fields.sort_by_key(|field| !field.required);
    fields
}

/// The fields that take a rules document, which is too long for an example: it comes from a file.
pub fn documents(schema: &Value) -> impl Iterator<Item = &str> {
    properties(schema).filter(|(_, node)| is_document(node)).map(|(name, _)| name.as_str())
}

fn is_document(node: &Value) -> bool {
    reference(node) == Some("Document")
}

/// A payload with an example in every field that must be there, but for [`documents`].
pub fn sample(schema: &Value) -> Value {
    example(schema, schema, 0).unwrap_or_else(|| json!({}))
}

/// Puts the value of `field=value` into a payload, as the kind of value that the field takes. The
/// field may be a path such as `budget.0.amount`; a list may be written as `a,b,c`; `@FILE` takes the
/// JSON of a file, or a rules document in TOML.
pub fn set(payload: &mut Value, schema: &Value, assignment: &str) -> Result<(), Failure> {
    let (path, text) = assignment
        .split_once('=')
        .ok_or_else(|| Failure::Usage(format!("--set {assignment}: expected field=value")))?;
    let mut place = payload;
    let mut node = schema;
    for step in path.split('.') {
        node = resolve(schema, node);
        (place, node) = match node["type"].as_str() {
            Some("array") => (element(place, step, path)?, &node["items"]),
            _ => (member(place, step, path)?, child(node, step)),
        };
    }
    if let Some(file) = text.strip_prefix('@') {
        *place = from_file(Path::new(file))?;
        return Ok(());
    }
    *place = value(schema, node, text)
        .map_err(|expected| Failure::Usage(format!("--set {path}: expected {expected}")))?;
    Ok(())
}

fn from_file(path: &Path) -> Result<Value, Failure> {
    if path.extension().is_some_and(|extension| extension == "toml") {
        return rules::document(path);
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", path.display())))
}

fn member<'a>(place: &'a mut Value, step: &str, path: &str) -> Result<&'a mut Value, Failure> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    let members = place
        .as_object_mut()
        .ok_or_else(|| Failure::Usage(format!("--set {path}: {step:?} is not in an object")))?;
    Ok(members.entry(step).or_insert(Value::Null))
}

fn element<'a>(place: &'a mut Value, step: &str, path: &str) -> Result<&'a mut Value, Failure> {
    if place.is_null() {
        *place = json!([]);
    }
    let wrong =
        || Failure::Usage(format!("--set {path}: {step:?} is not the next place of a list"));
    let list = place.as_array_mut().ok_or_else(wrong)?;
    let index: usize = step.parse().map_err(|_| wrong())?;
    if index == list.len() {
        list.push(Value::Null);
    }
    list.get_mut(index).ok_or_else(wrong)
}

/// The value that a text stands for where the schema wants `node`, or what it wants.
fn value(root: &Value, node: &Value, text: &str) -> Result<Value, String> {
    let resolved = resolve(root, node);
    match resolved["type"].as_str() {
        Some("string") => Ok(text.into()),
        Some("array") if !text.trim_start().starts_with('[') => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| value(root, &resolved["items"], item))
            .collect(),
        Some(_) => serde_json::from_str(text).map_err(|_| kind(root, node)),
        // Choices, and fields that are not in the schema: the command says what it thinks of them.
        None if choices(resolved).is_empty() => {
            Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
        }
        None => Ok(text.into()),
    }
}

/// Follows references, and takes the other side of "or null".
fn resolve<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    let mut node = node;
    for _ in 0..DEPTH_MAX {
        if let Some(name) = reference(node) {
            node = &root["$defs"][name];
        } else if let Some(other) = not_null(node) {
            node = other;
        } else {
            break;
        }
    }
    node
}

fn reference(node: &Value) -> Option<&str> {
    node["$ref"].as_str()?.strip_prefix("#/$defs/")
}

fn not_null(node: &Value) -> Option<&Value> {
    let sides = node["anyOf"].as_array()?;
    let mut others = sides.iter().filter(|side| side["type"] != "null");
    let first = others.next()?;
    (others.next().is_none() && sides.len() > 1).then_some(first)
}

fn properties(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node["properties"].as_object().into_iter().flatten()
}

fn child<'a>(node: &'a Value, step: &str) -> &'a Value {
    let named = &node["properties"][step];
    if named.is_null() { &node["additionalProperties"] } else { named }
}

fn required(node: &Value) -> Vec<&str> {
    node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The words that an enumeration takes.
fn choices(node: &Value) -> Vec<&str> {
    let constants = node["oneOf"].as_array().into_iter().flatten().map(|side| &side["const"]);
    let listed = node["enum"].as_array().into_iter().flatten();
    constants.chain(listed).filter_map(Value::as_str).collect()
}

fn kind(root: &Value, node: &Value) -> String {
    if let Some(other) = not_null(node) {
        return kind(root, other);
    }
    let resolved = resolve(root, node);
    let choices = choices(resolved);
    if !choices.is_empty() {
        return choices.join(" | ");
    }
    if resolved["type"] == "array" {
        return format!("list of {}", kind(root, &resolved["items"]));
    }
    if let Some(name) = reference(node) {
        return name.to_owned();
    }
    let of = match &resolved["type"] {
        // `["integer", "null"]`: a field that may be absent.
        Value::Array(types) => types.iter().find(|of| *of != "null").and_then(Value::as_str),
        of => of.as_str(),
    };
    match (of, resolved["format"].as_str()) {
        (Some("string"), Some(format)) => format.to_owned(),
        (Some("string"), None) => match resolved["maxLength"].as_u64() {
            Some(limit) => format!("text, at most {limit}"),
            None => "text".to_owned(),
        },
        (Some("object"), _) if resolved["additionalProperties"].is_object() => {
            format!("map to {}", kind(root, &resolved["additionalProperties"]))
        }
        (Some(of), _) => of.to_owned(),
        (None, _) => "any".to_owned(),
    }
}

fn about(root: &Value, node: &Value) -> String {
    let text = node["description"].as_str().or_else(|| resolve(root, node)["description"].as_str());
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn example(root: &Value, node: &Value, depth: u8) -> Option<Value> {
    let resolved = resolve(root, node);
    let first = |node: &Value| node["examples"].as_array().and_then(|list| list.first()).cloned();
    if let Some(example) = first(node).or_else(|| first(resolved)) {
        return Some(example);
    }
    if depth > DEPTH_MAX {
        return None;
    }
    if let Some(choice) = choices(resolved).first() {
        return Some((*choice).into());
    }
    if let Some(side) = resolved["oneOf"].as_array().and_then(|sides| sides.first()) {
        return example(root, side, depth + 1);
    }
    if !resolved["const"].is_null() {
        return Some(resolved["const"].clone());
    }
    match resolved["type"].as_str()? {
        "object" => {
            let required = required(resolved);
            let needed = properties(resolved).filter(|(name, _)| required.contains(&name.as_str()));
            let members =
                needed.filter(|(_, member)| !is_document(member)).map(|(name, member)| {
                    (name.clone(), example(root, member, depth + 1).unwrap_or(Value::Null))
                });
            Some(Value::Object(members.collect()))
        }
        "array" => Some(example(root, &resolved["items"], depth + 1).into_iter().collect()),
        "integer" => Some(resolved["minimum"].as_i64().unwrap_or(1).max(1).into()),
        "boolean" => Some(true.into()),
        "string" => Some(match resolved["format"].as_str() {
            Some("date-time") => "2024-09-10T08:00:00Z".into(),
            Some("date") => "2024-09-10".into(),
            _ => "text".into(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["amount", "keys"],
            "properties": {
                "amount": { "$ref": "#/$defs/Money" },
                "count": { "type": ["integer", "null"] },
                "keys": { "type": "array", "items": { "$ref": "#/$defs/Key" } },
                "mode": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }] },
                "rows": { "type": "array", "items": {
                    "type": "object", "properties": { "pages": { "type": "integer" } } } },
            },
            "$defs": {
                "Key": { "type": "string", "examples": ["LUMI-G"] },
                "Mode": { "oneOf": [{ "const": "fast" }, { "const": "slow" }] },
                "Money": { "type": "string", "examples": ["EUR 12.34"] },
            },
        })
    }

    fn after(assignments: &[&str]) -> Result<String, String> {
        let mut payload = Value::Null;
        for assignment in assignments {
            set(&mut payload, &schema(), assignment).map_err(|failure| failure.to_string())?;
        }
        Ok(payload.to_string())
    }

    #[test]
    fn a_value_becomes_what_the_field_takes() {
        let payload = after(&["amount=EUR 10", "keys=a, b", "count=7", "mode=slow"]);
        let expected = r#"{"amount":"EUR 10","count":7,"keys":["a","b"],"mode":"slow"}"#;
        assert_eq!(payload.as_deref(), Ok(expected));
    }

    #[test]
    fn a_path_leads_into_lists_and_objects() {
        let payload = after(&["rows.0.pages=3", "rows.1.pages=4"]);
        assert_eq!(payload.as_deref(), Ok(r#"{"rows":[{"pages":3},{"pages":4}]}"#));
    }

    #[test]
    fn a_wrong_assignment_names_the_field_and_what_it_takes() {
        assert_eq!(after(&["amount"]).unwrap_err(), "--set amount: expected field=value");
        assert_eq!(
            after(&["rows.0.pages=many"]).unwrap_err(),
            "--set rows.0.pages: expected integer"
        );
        assert_eq!(
            after(&["rows.5.pages=1"]).unwrap_err(),
            "--set rows.5.pages: \"5\" is not the next place of a list"
        );
        assert_eq!(
            after(&["amount=EUR 1", "amount.cents=1"]).unwrap_err(),
            "--set amount.cents: \"cents\" is not in an object"
        );
    }

    #[test]
    fn fields_that_must_be_there_come_first_with_kind_and_example() {
        let fields = fields(&schema());
        let lines: Vec<_> = fields
            .iter()
            .map(|field| format!("{} {} {}", field.name, field.kind, field.required))
            .collect();
        let expected = [
            "amount Money true",
            "keys list of Key true",
            "count integer false",
            "mode fast | slow false",
            "rows list of object false",
        ];
        assert_eq!(lines, expected);
        assert_eq!(sample(&schema()), json!({ "amount": "EUR 12.34", "keys": ["LUMI-G"] }));
    }

    #[test]
    fn the_sample_of_every_command_can_be_read() {
        let document = domain::rulebook::shipped("playground")
            .and_then(|text| serde_json::to_value(domain::rulebook::parse(text).unwrap()).ok());
        for entry in domain::catalogue::COMMANDS.iter().flat_map(|table| table.iter()) {
            let name = entry.declaration.name;
            let schema = (entry.schema)().to_value();
            for field in fields(&schema) {
                assert!(!field.about.is_empty(), "{name}: {} says nothing", field.name);
                assert_ne!(field.kind, "any", "{name}: {} takes anything", field.name);
            }
            let mut sample = sample(&schema);
            for field in documents(&schema) {
                sample[field] = document.clone().unwrap();
            }
            let read = domain::Parsed::read(name, sample.to_string().as_bytes());
            assert!(read.is_ok(), "{name}: {}\n{sample:#}", read.unwrap_err());
        }
    }
}
