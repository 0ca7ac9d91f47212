//! The shape of a rules document against the schema of its type. Unlike serde it does not stop at the
//! first mistake: unknown, missing and mistyped fields are all named. What has a wrong shape gets a
//! stand-in, so that what stands beside it can be read and checked too.

use super::document::{Document, Mistake};
use crate::kernel::ids::{Country, ItemKey, is_label};
use crate::kernel::money::Rate;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::str::FromStr;

/// What is said of a field that is not there.
pub(super) const MISSING: &str = "is missing";

const UNKNOWN: &str = "is not a field of a rules document here";

/// So many different stand-ins there are. What is wrong with all of them is not wrong because of them.
pub(super) const STAND_INS: usize = 3;

/// Rates that stand in.
const RATES: [&str; STAND_INS] = ["0/1", "1/2", "1/1"];

/// How deep stand-ins are put together: deeper than the schema is.
const DEPTH_MAX: usize = 8;

/// Walks a document along its schema, and says what is wrong. Afterwards it can be read: unknown fields
/// and top-level fields of a wrong shape are gone, and stand-ins are in the place of all else that has
/// a wrong shape.
pub(super) fn check(root: &mut Map<String, Value>, stand_in: usize) -> Vec<Mistake> {
    let schema = Value::from(schemars::schema_for!(Document));
    let mut walk = Walk { schema: &schema, mistakes: Vec::new(), stand_in, count: 0 };
    walk.object(&schema, root, "");
    let is_wrong = |name: &str| walk.mistakes.iter().any(|mistake| mistake.path == name);
    root.retain(|name, _| !is_wrong(name));
    walk.mistakes
}

struct Walk<'a> {
    schema: &'a Value,
    mistakes: Vec<Mistake>,
    stand_in: usize,
    /// How many stand-ins there are: no two are alike, or they would be one twice.
    count: usize,
}

impl<'a> Walk<'a> {
    fn say(&mut self, path: &str, message: impl Into<String>) {
        let message = message.into();
        self.mistakes.push(Mistake { line: None, path: path.to_owned(), message });
    }

    /// Something of the right shape: the least there is.
    fn stand_in(&mut self, schema: &Value, depth: usize) -> Value {
        self.count += 1;
        let (n, count) = (self.stand_in, self.count);
        if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")) {
            return match name {
                "Country" => json!(country(count)),
                name if is_label(name) => json!(format!("stand-in-{count}")),
                "Rate" => json!(RATES[n]),
                _ if depth == DEPTH_MAX => Value::Null,
                _ => {
                    let whole = self.schema;
                    self.stand_in(&whole["$defs"][name], depth + 1)
                }
            };
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        for choices in ["anyOf", "oneOf", "enum"].map(|name| schema[name].as_array()) {
            let Some(choices) = choices.filter(|choices| !choices.is_empty()) else { continue };
            let choice = &choices[(n + count) % choices.len()];
            return if choice.is_object() { self.stand_in(choice, depth) } else { choice.clone() };
        }
        match schema["type"].as_str() {
            Some("object") => {
                let required = schema["required"].as_array().into_iter().flatten();
                let fields = required.filter_map(Value::as_str).map(|name| {
                    let value = self.stand_in(&schema["properties"][name], depth + 1);
                    (name.to_owned(), value)
                });
                Value::Object(fields.collect())
            }
            Some("array") => json!([]),
            Some("boolean") => json!(n == 0),
            // Nothing, the unit, and more than anything.
            Some("integer") => json!([0, 1, 1_000_000 + count][n]),
            _ if schema["format"] == "date" => json!(format!("{:04}-01-01", count % 9_999 + 1)),
            _ => json!(format!("stand-in {count}")),
        }
    }

    /// Says it, and puts a stand-in there.
    fn replace(&mut self, schema: &Value, value: &mut Value, path: &str, message: String) {
        self.say(path, message);
        *value = self.stand_in(schema, 0);
    }

    fn value(&mut self, schema: &'a Value, value: &mut Value, path: &str) {
        if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")) {
            match (text_check(name), &*value) {
                (Some(check), Value::String(text)) => {
                    if let Some(message) = check(text) {
                        self.replace(schema, value, path, message);
                    }
                }
                (Some(_), other) => {
                    let message = format!("is {}, not a string", kind_of(other));
                    self.replace(schema, value, path, message);
                }
                _ => self.value(&self.schema["$defs"][name], value, path),
            }
        } else if let Some(choices) = schema["anyOf"].as_array() {
            // An optional field; TOML has no null, so it is what is not null.
            if let Some(choice) = choices.iter().find(|choice| choice["type"] != "null") {
                self.value(choice, value, path);
            }
        } else if let Some(choices) = schema["oneOf"].as_array() {
            self.choice(schema, choices, value, path);
        } else if let Some(choices) = schema["enum"].as_array() {
            self.one_of(schema, choices.iter().collect(), value, path);
        } else {
            self.typed(schema, value, path);
        }
    }

    /// One of some words, or one of some objects that a word in `by` tells apart.
    fn choice(&mut self, schema: &'a Value, choices: &'a [Value], value: &mut Value, path: &str) {
        let tag = |choice: &'a Value| &choice["properties"]["by"]["const"];
        if choices.iter().all(|choice| tag(choice).is_null()) {
            let words = choices.iter().flat_map(|choice| match &choice["enum"] {
                Value::Array(words) => words.iter().collect(),
                _ => vec![&choice["const"]],
            });
            return self.one_of(schema, words.collect(), value, path);
        }
        match choices.iter().find(|choice| *tag(choice) == value["by"]) {
            Some(choice) => self.value(choice, value, path),
            None => {
                let words = words(choices.iter().map(tag));
                let path = format!("{path}.by");
                let message = match value.get("by") {
                    Some(by) => format!("is {by}, not one of {words}"),
                    None => format!("is missing: one of {words}"),
                };
                self.replace(schema, value, &path, message);
            }
        }
    }

    fn one_of(&mut self, schema: &'a Value, known: Vec<&Value>, value: &mut Value, path: &str) {
        if !known.contains(&&*value) {
            let message = format!("is {value}, not one of {}", words(known.into_iter()));
            self.replace(schema, value, path, message);
        }
    }

    fn typed(&mut self, schema: &'a Value, value: &mut Value, path: &str) {
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find_map(Value::as_str),
            kind => kind.as_str(),
        };
        match (kind, &mut *value) {
            (Some("object"), Value::Object(object)) => self.object(schema, object, path),
            (Some("array"), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&schema["items"], item, &format!("{path}[{index}]"));
                }
            }
            (Some("string"), Value::String(text)) => {
                let (min, max) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
                let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                if length < min.unwrap_or(0) || length > max.unwrap_or(u64::MAX) {
                    let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
                    self.say(path, format!("has {length} characters, not {min} to {max}"));
                }
                if schema["format"] == "date" && text.parse::<Date>().is_err() {
                    let message = format!("is {text:?}, not a date like \"2026-12-24\"");
                    self.replace(schema, value, path, message);
                }
            }
            (Some("integer"), Value::Number(number)) => {
                let max = (schema["format"] == "uint32").then_some(i64::from(u32::MAX));
                if schema["minimum"].as_i64().is_some_and(|min| number.as_i64() < Some(min)) {
                    let message = format!("is {number}, less than {}", schema["minimum"]);
                    self.replace(schema, value, path, message);
                } else if let Some(max) = max.filter(|max| number.as_i64() > Some(*max)) {
                    let message = format!("is {number}, more than {max}");
                    self.replace(schema, value, path, message);
                }
            }
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(kind), other) => {
                let message = format!("is {}, not {}", kind_of(other), with_article(kind));
                self.replace(schema, value, path, message);
            }
        }
    }

    fn object(&mut self, schema: &'a Value, object: &mut Map<String, Value>, path: &str) {
        let below =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let required = schema["required"].as_array().into_iter().flatten();
        let mut missing = Vec::new();
        for name in required.filter_map(Value::as_str) {
            if !object.contains_key(name) {
                self.say(&below(name), MISSING);
                // A section that is missing says nothing, so nothing is said about it.
                if !path.is_empty() {
                    let value = self.stand_in(&schema["properties"][name], 0);
                    missing.push((name.to_owned(), value));
                }
            }
        }
        let mut gone = Vec::new();
        for (name, value) in object.iter_mut() {
            let path = below(name);
            if let Some(property) = schema["properties"].get(name) {
                self.value(property, value, &path);
            } else if let Some(item) = map_item(schema) {
                self.value(item, value, &path);
                if let Err(error) = name.parse::<ItemKey>() {
                    self.say(&path, error.to_string());
                    gone.push(name.clone());
                }
            } else {
                self.say(&path, UNKNOWN);
                gone.push(name.clone());
            }
        }
        for name in gone {
            object.remove(&name);
        }
        object.extend(missing);
    }
}

fn country(count: usize) -> String {
    let letter = |number: usize| u8::try_from(number % 26).map_or('Z', |at| char::from(b'A' + at));
    [letter(count / 26), letter(count)].into_iter().collect()
}

fn words<'a>(words: impl Iterator<Item = &'a Value>) -> String {
    words.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// The schema of the values of a map with free keys, all of which are labels, and judged alike.
fn map_item(schema: &Value) -> Option<&Value> {
    let pattern = schema["patternProperties"].as_object().and_then(|all| all.values().next());
    pattern.or_else(|| Some(&schema["additionalProperties"]).filter(|item| item.is_object()))
}

/// How a type that is written as text judges a text: why not, if not.
fn text_check(name: &str) -> Option<fn(&str) -> Option<String>> {
    fn parsed<T: FromStr>(text: &str) -> Option<String>
    where
        T::Err: Display,
    {
        text.parse::<T>().err().map(|error| error.to_string())
    }
    match name {
        "Country" => Some(parsed::<Country>),
        "Rate" => Some(parsed::<Rate>),
        // Labels are all judged alike.
        name if is_label(name) => Some(parsed::<ItemKey>),
        _ => None,
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {}", if kind == "object" { "table" } else { kind })
        .replace("an table", "a table")
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Object(_) => "a table".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        other => other.to_string(),
    }
}
