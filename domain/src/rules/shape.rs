//! The shape of a rules document against the schema of its type. Unlike serde it does not stop at the
//! first mistake: unknown, missing and mistyped fields are all named.

use super::{Document, Mistake};
use crate::ids::{Country, Key};
use crate::money::Rate;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

/// What is wrong with the shape, and which sections cannot be read because of it.
#[derive(Default)]
pub(super) struct Shape {
    pub mistakes: Vec<Mistake>,
    pub unreadable: BTreeSet<String>,
}

/// Walks a document along its schema. Unknown fields are removed, so that the rest can be read.
pub(super) fn check(root: &mut Map<String, Value>) -> Shape {
    let schema = Value::from(schemars::schema_for!(Document));
    let mut walk = Walk { schema: &schema, found: Shape::default() };
    walk.object(&schema, root, "");
    walk.found
}

struct Walk<'a> {
    schema: &'a Value,
    found: Shape,
}

impl<'a> Walk<'a> {
    fn say(&mut self, path: &str, message: impl Into<String>) {
        let section = path.split(['.', '[']).next().unwrap_or_default();
        self.found.unreadable.insert(section.to_owned());
        let message = message.into();
        self.found.mistakes.push(Mistake { line: None, path: path.to_owned(), message });
    }

    fn value(&mut self, schema: &'a Value, value: &mut Value, path: &str) {
        if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")) {
            match (text_check(name), &*value) {
                (Some(check), Value::String(text)) => {
                    if let Some(message) = check(text) {
                        self.say(path, message);
                    }
                }
                _ => self.value(&self.schema["$defs"][name], value, path),
            }
        } else if let Some(choices) = schema["anyOf"].as_array() {
            // An optional field; TOML has no null, so it is what is not null.
            if let Some(choice) = choices.iter().find(|choice| choice["type"] != "null") {
                self.value(choice, value, path);
            }
        } else if let Some(choices) = schema["oneOf"].as_array() {
            self.choice(choices, value, path);
        } else if let Some(choices) = schema["enum"].as_array() {
            self.one_of(choices.iter().collect(), value, path);
        } else {
            self.typed(schema, value, path);
        }
    }

    /// One of some words, or one of some objects that a word in `by` tells apart.
    fn choice(&mut self, choices: &'a [Value], value: &mut Value, path: &str) {
        let tag = |choice: &'a Value| &choice["properties"]["by"]["const"];
        if choices.iter().all(|choice| tag(choice).is_null()) {
            let words = choices.iter().flat_map(|choice| match &choice["enum"] {
                Value::Array(words) => words.iter().collect(),
                _ => vec![&choice["const"]],
            });
            return self.one_of(words.collect(), value, path);
        }
        match choices.iter().find(|choice| *tag(choice) == value["by"]) {
            Some(choice) => self.value(choice, value, path),
            None => {
                let path = format!("{path}.by");
                self.one_of(choices.iter().map(tag).collect(), &value["by"], &path);
            }
        }
    }

    fn one_of(&mut self, words: Vec<&Value>, value: &Value, path: &str) {
        if !words.contains(&value) {
            let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
            self.say(path, format!("is {value}, not one of {}", words.join(", ")));
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
            }
            (Some("integer"), Value::Number(number)) => {
                if schema["minimum"].as_i64().is_some_and(|min| number.as_i64() < Some(min)) {
                    self.say(path, format!("is {number}, less than {}", schema["minimum"]));
                }
            }
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(kind), other) => {
                let message = format!("is {}, not {}", kind_of(other), with_article(kind));
                self.say(path, message);
            }
        }
    }

    fn object(&mut self, schema: &'a Value, object: &mut Map<String, Value>, path: &str) {
        let below =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !object.contains_key(name) {
                self.say(&below(name), "is missing");
            }
        }
        let mut unknown = Vec::new();
        for (name, value) in object.iter_mut() {
            let path = below(name);
            if let Some(property) = schema["properties"].get(name) {
                self.value(property, value, &path);
            } else if let Some(item) = map_item(schema) {
                if let Err(error) = name.parse::<Key>() {
                    self.say(&path, error.to_string());
                }
                self.value(item, value, &path);
            } else {
                unknown.push(name.clone());
            }
        }
        for name in unknown {
            object.remove(&name);
            let message = "is not a field of a rules document here".to_owned();
            self.found.mistakes.push(Mistake { line: None, path: below(&name), message });
        }
    }
}

/// The schema of the values of a map with free keys, all of which are [`Key`]s.
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
        "Key" => Some(parsed::<Key>),
        "Rate" => Some(parsed::<Rate>),
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
