//! Reads a rules document and finds all its mistakes at once: syntax, then the shape of every section
//! against the schema of [`Document`], then what the sections that could be read say.

use super::check::{OPTIONAL, Parts};
use super::shape::{self, Shape};
use super::{Document, Mistake};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a rules document.
///
/// # Errors
/// All mistakes that can be seen, in the order of the lines.
pub fn parse(text: &str) -> Result<Document, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = errors
        .iter()
        .map(|error| Mistake {
            line: error.span().map(|span| line_of(text, span.start)),
            path: String::new(),
            message: error.message().replace('\n', ", "),
        })
        .collect();
    let mut lines = BTreeMap::new();
    let mut root = to_json(text, table.get_ref(), "", &mut lines);
    let Shape { mistakes: mut found, unreadable } = shape::check(&mut root);
    let parts = read(&root, &unreadable, &mut found);
    found.extend(parts.mistakes());
    for mistake in &mut found {
        mistake.line = nearest(&lines, &mistake.path);
    }
    // What stands on a line with a syntax error has not been understood.
    found.retain(|one| one.line.is_none() || mistakes.iter().all(|other| other.line != one.line));
    mistakes.append(&mut found);
    if mistakes.is_empty() {
        match serde_json::from_value(Value::Object(root)) {
            Ok(document) => return Ok(document),
            Err(error) => mistakes.push(Mistake {
                line: None,
                path: String::new(),
                message: error.to_string(),
            }),
        }
    }
    mistakes.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
    mistakes.dedup();
    Err(mistakes)
}

/// The line of a path, or of the nearest thing around it.
fn nearest(lines: &BTreeMap<String, usize>, path: &str) -> Option<usize> {
    let mut path = path;
    loop {
        if let Some(line) = lines.get(path) {
            return Some(*line);
        }
        path = &path[..path.rfind(['.', '['])?];
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The table as JSON, noting the line of every path on the way.
fn to_json(
    text: &str,
    table: &DeTable<'_>,
    path: &str,
    lines: &mut BTreeMap<String, usize>,
) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in table {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        lines.insert(path.clone(), line_of(text, key.span().start));
        object.insert(name.to_string(), value_to_json(text, value, &path, lines));
    }
    object
}

fn value_to_json(
    text: &str,
    value: &Spanned<DeValue<'_>>,
    path: &str,
    lines: &mut BTreeMap<String, usize>,
) -> Value {
    match value.get_ref() {
        DeValue::String(string) => Value::from(string.as_ref()),
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        // What is not a number of ours stays as text, so that its shape is the mistake.
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::from(integer.as_str()), Value::from),
        DeValue::Float(float) => Value::from(float.as_str()),
        DeValue::Table(table) => Value::Object(to_json(text, table, path, lines)),
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), line_of(text, item.span().start));
                value_to_json(text, item, &path, lines)
            })
            .collect(),
    }
}

/// Reads the sections whose shape is right.
fn read(root: &Map<String, Value>, bad: &BTreeSet<String>, found: &mut Vec<Mistake>) -> Parts {
    Parts {
        access: get(root, "access", bad, found),
        deadlines: get(root, "deadlines", bad, found),
        eligibility: get(root, "eligibility", bad, found),
        evaluation: get(root, "evaluation", bad, found),
        funding: get(root, "funding", bad, found),
        kind: get(root, "kind", bad, found),
        legal: get(root, "legal", bad, found),
        payments: get(root, "payments", bad, found),
        present: OPTIONAL.iter().copied().filter(|name| root.contains_key(*name)).collect(),
        retention: get(root, "retention", bad, found),
        submission: get(root, "submission", bad, found),
        title: get(root, "title", bad, found),
        version: get(root, "version", bad, found),
        zone: get(root, "zone", bad, found),
    }
}

fn get<T: DeserializeOwned>(
    root: &Map<String, Value>,
    name: &str,
    unreadable: &BTreeSet<String>,
    found: &mut Vec<Mistake>,
) -> Option<T> {
    let value = root.get(name).filter(|_| !unreadable.contains(name))?;
    match serde_path_to_error::deserialize(value) {
        Ok(read) => Some(read),
        Err(error) => {
            let path = format!("{name}.{}", error.path()).trim_end_matches("..").to_owned();
            found.push(Mistake { line: None, path, message: error.inner().to_string() });
            None
        }
    }
}
