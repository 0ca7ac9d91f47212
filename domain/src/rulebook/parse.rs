//! Reads a rules document and finds all its mistakes at once: syntax, then the shape of every section
//! against the schema of [`Document`], then what the sections that could be read say.

use super::check::{OPTIONAL, Parts};
use super::document::{Document, Mistake};
use super::shape;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
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
    let root = to_json(text, table.get_ref(), "", &mut lines);
    let mut found = mistakes_in(&root);
    for mistake in &mut found {
        mistake.line = nearest(&lines, &mistake.path);
    }
    let end = not_closed(&mut mistakes);
    let slips = mistakes.iter().filter_map(|mistake| mistake.line);
    let slips: Vec<Slip<'_>> = slips.map(|line| Slip::at(text, line, end)).collect();
    mistakes.retain(|mistake| !slips.iter().any(|slip| slip.repeats(mistake)));
    found.retain(|mistake| slips.iter().all(|slip| !slip.hides(text, mistake)));
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

/// An array that is not closed swallows all that comes after it: one mistake and not hundreds. Returns
/// where it is.
fn not_closed(mistakes: &mut Vec<Mistake>) -> Option<usize> {
    let unclosed = |mistake: &Mistake| mistake.message.starts_with("unclosed array");
    if !mistakes.iter().any(unclosed) {
        return None;
    }
    let first = mistakes.iter().find(|mistake| mistake.message.contains("array"))?.line?;
    mistakes.retain(|mistake| mistake.line.is_none_or(|line| line < first));
    let message = "the array before this is not closed, expected `]`".to_owned();
    mistakes.push(Mistake { line: Some(first), path: String::new(), message });
    Some(first)
}

/// A mistake in the syntax, and what was not understood because of it.
struct Slip<'a> {
    /// From here.
    line: usize,
    /// To here, but not this line.
    end: usize,
    /// The section that it stands in.
    section: &'a str,
    /// Whether that section itself was not understood.
    is_header: bool,
}

impl<'a> Slip<'a> {
    /// A slip on a line; what comes after `nothing_from` has not been read at all.
    fn at(text: &'a str, line: usize, nothing_from: Option<usize>) -> Self {
        let is_header = |line: &str| line.starts_with('[') || line.ends_with(']');
        let before: Vec<&str> = text.lines().take(line).map(str::trim).collect();
        let own = before.last().copied().unwrap_or_default();
        let header = before.iter().rfind(|line| line.starts_with('[')).copied().unwrap_or_default();
        let is_header = is_header(own) && !own.contains('=');
        let header = if is_header { own } else { header };
        let next = text.lines().skip(line).position(|line| line.trim().starts_with('['));
        let end = match next {
            _ if nothing_from.is_some_and(|from| from <= line) => usize::MAX,
            _ if !is_header => line + 1,
            Some(after) => line + after + 1,
            None => usize::MAX,
        };
        Self { line, end, section: header.trim_matches(['[', ']', ' ']), is_header }
    }

    /// After a header that was not understood, keys seem to stand in another section once more.
    fn repeats(&self, mistake: &Mistake) -> bool {
        self.is_header && mistake.line > Some(self.line) && mistake.message == "duplicate key"
    }

    fn hides(&self, text: &str, mistake: &Mistake) -> bool {
        let top = |path: &'_ str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
        let is_missing = mistake.message.starts_with(shape::MISSING) && says(text, &mistake.path);
        // A list that lost what is on this line is not empty because of it.
        is_missing
            || mistake.path == self.section
            || mistake.line.is_some_and(|line| (self.line..self.end).contains(&line))
            || (self.is_header && top(self.section) == top(&mistake.path))
            || refers(mistake, self.section)
    }
}

/// All mistakes of a document in JSON, in the order of their places.
#[must_use]
pub fn check(document: &Map<String, Value>) -> Vec<Mistake> {
    let mut mistakes = mistakes_in(document);
    mistakes.sort_by(|a, b| a.path.cmp(&b.path));
    mistakes.dedup();
    mistakes
}

/// What is wrong with the shape of a document, and with what it says.
fn mistakes_in(root: &Map<String, Value>) -> Vec<Mistake> {
    let with = |stand_in: usize| {
        let mut root = root.clone();
        let mut shape = shape::check(&mut root, stand_in);
        let values = read(&root, &mut shape).mistakes();
        (shape, values)
    };
    let (mut shape, mut values) = with(0);
    if !shape.is_empty() {
        for stand_in in 1..shape::STAND_INS {
            let (_, others) = with(stand_in);
            values.retain(|mistake| others.contains(mistake));
        }
        values.retain(|mistake| !shape.iter().any(|other| follows(mistake, &other.path)));
    }
    shape.append(&mut values);
    shape
}

/// Whether a mistake may be a consequence of a wrong shape elsewhere.
fn follows(mistake: &Mistake, wrong: &str) -> bool {
    let below = mistake.path.strip_prefix(wrong);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        || refers(mistake, wrong)
}

/// Whether a mistake is about a name that may be the one that cannot be read.
fn refers(mistake: &Mistake, wrong: &str) -> bool {
    let to = |names: &str, reference: &str| {
        wrong.starts_with(names) && mistake.path.ends_with(reference) && mistake.path != wrong
    };
    to("evaluation.stages", ".criterion") || to("legal", ".source")
}

/// Whether the name of a field is anywhere in the text.
fn says(text: &str, path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
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

/// Reads the sections.
fn read(root: &Map<String, Value>, found: &mut Vec<Mistake>) -> Parts {
    Parts {
        access: get(root, "access", found),
        deadlines: get(root, "deadlines", found),
        eligibility: get(root, "eligibility", found),
        evaluation: get(root, "evaluation", found),
        funding: get(root, "funding", found),
        kind: get(root, "kind", found),
        legal: get(root, "legal", found),
        payments: get(root, "payments", found),
        present: OPTIONAL.iter().copied().filter(|name| root.contains_key(*name)).collect(),
        retention: get(root, "retention", found),
        submission: get(root, "submission", found),
        title: get(root, "title", found),
        version: get(root, "version", found),
        zone: get(root, "zone", found),
    }
}

fn get<T: DeserializeOwned>(
    root: &Map<String, Value>,
    name: &str,
    found: &mut Vec<Mistake>,
) -> Option<T> {
    let value = root.get(name)?;
    match serde_path_to_error::deserialize(value) {
        Ok(read) => Some(read),
        Err(error) => {
            let path = format!("{name}.{}", error.path()).trim_end_matches("..").to_owned();
            found.push(Mistake { line: None, path, message: error.inner().to_string() });
            None
        }
    }
}
