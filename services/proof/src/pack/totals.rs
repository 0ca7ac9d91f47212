//! The control totals of the figures of a pack, added up again from its tables; and the CSV of a table, which
//! must be its JSON written otherwise. Both need no commits and no view, so they hold whatever made the pack.

use super::figures::written;
use super::shown;
use csv::{Terminator, WriterBuilder};
use domain::kernel::money::{Currency, Money};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the index says of a table, or what was found.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    rows: u64,
    sums: BTreeMap<String, String>,
}

/// The figures that were read.
#[derive(Default)]
pub(super) struct Totals {
    findings: Vec<String>,
    /// By view and table.
    said: BTreeMap<String, Sums>,
    found: BTreeMap<String, Sums>,
    /// What a CSV must be; `None` when that cannot be said.
    made: BTreeMap<String, Option<Vec<u8>>>,
    csv: BTreeMap<String, Vec<u8>>,
}

impl Totals {
    /// Takes a file in, by its name below `figures/`.
    pub fn take(&mut self, name: &str, bytes: &[u8]) {
        if let Some(table) = name.strip_suffix(".csv") {
            self.csv.insert(table.to_owned(), bytes.to_vec());
            return;
        }
        let Some(view) = name.strip_suffix(".json") else {
            return self.findings.push(format!("figures/{} is no figure", shown(name)));
        };
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            return self.findings.push(format!("figures/{} is not JSON", shown(name)));
        };
        if view == "index" {
            for view in list(&value["views"]) {
                for table in list(&view["tables"]) {
                    let sums = serde_json::from_value(table["sums"].clone()).unwrap_or_default();
                    let rows = table["rows"].as_u64().unwrap_or(u64::MAX);
                    let name = format!("{}.{}", text(&view["view"]), text(&table["table"]));
                    self.said.insert(name, Sums { rows, sums });
                }
            }
            return;
        }
        for table in list(&value["tables"]) {
            let name = format!("{view}.{}", text(&table["key"]));
            self.found.insert(name.clone(), added(table));
            if !list(&table["rows"]).is_empty() {
                self.made.insert(name, csv(table));
            }
        }
    }

    /// What does not agree.
    pub fn finish(mut self) -> Vec<String> {
        for (name, said) in &self.said {
            if self.found.get(name) != Some(said) {
                let what = format!(
                    "figures/{}: its control totals are not those of the index",
                    shown(name)
                );
                self.findings.push(what);
            }
        }
        for name in self.found.keys().filter(|name| !self.said.contains_key(*name)) {
            self.findings.push(format!("figures/{}: the index does not have it", shown(name)));
        }
        for (name, bytes) in &self.csv {
            match self.made.remove(name) {
                None => self.findings.push(format!("figures/{}: a CSV of no table", shown(name))),
                Some(Some(made)) if made != *bytes => {
                    self.findings
                        .push(format!("figures/{}: CSV and JSON do not agree", shown(name)));
                }
                Some(_) => {}
            }
        }
        let missing = self.made.into_keys();
        self.findings
            .extend(missing.map(|name| format!("figures/{}: it has no CSV", shown(&name))));
        self.findings
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn added(table: &Value) -> Sums {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut money: BTreeMap<(&str, String), i128> = BTreeMap::new();
    let rows = list(&table["rows"]);
    for column in list(&table["columns"]) {
        let key = text(&column["key"]);
        for cell in rows.iter().filter_map(|row| row.get(key)) {
            if let (Some(count), true) = (cell.as_u64(), key != "position") {
                let sum = counts.entry(key).or_default();
                *sum = sum.saturating_add(count);
            }
            if column["kind"] == "money"
                && let Ok(amount) = serde_json::from_value::<Money>(cell.clone())
            {
                let sum = money.entry((key, amount.currency().to_string())).or_default();
                *sum = sum.saturating_add(i128::from(amount.in_cents()));
            }
        }
    }
    let counts = counts.into_iter().map(|(key, sum)| (key.to_owned(), sum));
    Sums { rows: rows.len() as u64, sums: written(counts, money) }
}

/// A table as CSV; not when it has a share, which JSON writes otherwise.
fn csv(table: &Value) -> Option<Vec<u8>> {
    let columns = list(&table["columns"]);
    let columns: Vec<_> =
        columns.iter().map(|column| (text(&column["key"]), text(&column["kind"]))).collect();
    if columns.iter().any(|(_, kind)| *kind == "rate") {
        return None;
    }
    let header = columns.iter().map(|(key, kind)| match *kind {
        "money" => format!("{key}_eur"),
        "compute" => format!("{key}_seconds"),
        _ => (*key).to_owned(),
    });
    let mut out = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    out.write_record(header).ok()?;
    for row in list(&table["rows"]) {
        let cells = columns.iter().map(|(key, kind)| cell(kind, row.get(*key)));
        out.write_record(cells).ok()?;
    }
    out.into_inner().ok()
}

fn cell(kind: &str, value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Null) => "unknown".to_owned(),
        Some(Value::String(text)) if kind == "money" => {
            let euro = format!("{} ", Currency::EUR);
            text.strip_prefix(&euro).unwrap_or(text).to_owned()
        }
        Some(Value::String(text)) => {
            let is_risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            if is_risky && kind != "decimal" { format!("'{text}") } else { text.clone() }
        }
        Some(Value::Object(time)) => time.get("seconds").map(Value::to_string).unwrap_or_default(),
        Some(other) => other.to_string(),
    }
}
