//! Lines for other programs: every posting of the ledger, or a population, with their control totals.

use super::Row;
use crate::ledger::{Ledger, Transfer};
use crate::projection::Projection;
use domain::Commit;
use domain::canonical::{self, Sha256Hex};
use domain::commit::Recorded;
use std::collections::BTreeMap;

/// The names of the fields of a posting: those of the table `GL_Detail` of the AICPA's Audit Data Standard,
/// which ISO 21378 covers too, under names that are only in its paid text.
const POSTING: [&str; 11] = [
    "Journal_ID",
    "Journal_ID_Line_Number",
    "JE_Header_Description",
    "Source",
    "Effective_Date",
    "GL_Account_Number",
    "Amount",
    "Amount_Credit_Debit_Indicator",
    "Amount_Currency",
    "Entered_By",
    "Entered_Date",
];

const ITEM: [&str; 10] = [
    "item", "kind", "fund", "grant", "source", "country", "round", "paid_at", "amount", "currency",
];

/// Lines with named fields; all are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The names of the fields.
    pub fields: Vec<&'static str>,
    /// The lines.
    pub rows: Vec<Vec<String>>,
    /// What they add up to, by the name of each sum, in cents.
    pub sums: BTreeMap<&'static str, i128>,
}

/// A fold of the postings of a log up to a moment.
#[derive(Clone, Debug, Default)]
pub struct Postings {
    ledger: Ledger,
    lines: Vec<Vec<String>>,
    debit: i128,
    credit: i128,
}

/// An amount in euro without its currency.
fn decimal(cents: i128) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// A text that no spreadsheet takes for a formula.
fn plain(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok() || text.replace('.', "").parse::<i64>().is_ok();
    if text.starts_with(['+', '-']) && !is_number { format!("'{text}") } else { text.to_owned() }
}

impl Postings {
    /// Takes an event in.
    pub fn apply(&mut self, commit: &Commit, event: &Recorded) {
        let transfers = self.ledger.transfers(event).unwrap_or_default();
        for (number, Transfer { from, to, amount }) in transfers.iter().enumerate() {
            let cents = i128::from(amount.in_cents());
            for (line, account, sign) in [(1, to, "D"), (2, from, "C")] {
                self.lines.push(vec![
                    format!("{}-{}", commit.position, event.stream),
                    (2 * number + line).to_string(),
                    event.event.kind().to_owned(),
                    event.stream.to_string(),
                    event.effective_at.to_string(),
                    account.clone(),
                    decimal(cents),
                    sign.to_owned(),
                    amount.currency().to_string(),
                    commit.actor.id.to_string(),
                    commit.recorded_at.to_string(),
                ]);
            }
            self.debit += cents;
            self.credit += cents;
        }
        self.ledger.apply(commit, event);
    }

    /// All lines, in the order of the log.
    #[must_use]
    pub fn lines(self) -> Lines {
        let sums = BTreeMap::from([("debit", self.debit), ("credit", self.credit)]);
        Lines { fields: POSTING.to_vec(), rows: self.lines, sums }
    }
}

impl Lines {
    /// A population, a line for each item.
    #[must_use]
    pub fn of_population(rows: &[Row]) -> Self {
        let or_empty = |known: Option<String>| known.unwrap_or_default();
        let line = |row: &Row| {
            vec![
                row.item.name.clone(),
                row.kind.clone(),
                row.fund.to_string(),
                row.grant.to_string(),
                or_empty(row.source.as_ref().map(ToString::to_string)),
                or_empty(row.country.map(|country| country.to_string())),
                or_empty(row.round.as_ref().map(ToString::to_string)),
                or_empty(row.item.at.map(|at| at.to_string())),
                decimal(row.item.cents.into()),
                "EUR".to_owned(),
            ]
        };
        let sum = rows.iter().map(|row| i128::from(row.item.cents)).sum();
        let sums = BTreeMap::from([("amount", sum)]);
        Self { fields: ITEM.to_vec(), rows: rows.iter().map(line).collect(), sums }
    }

    /// RFC 4180, one header line.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = self.fields.join(",") + "\r\n";
        for row in &self.rows {
            // Identifiers, decimals and instants hold no comma or quote, but may begin like a formula.
            let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }

    /// One object on each line, its members in canonical order.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let object: BTreeMap<&str, &String> = self.fields.iter().copied().zip(row).collect();
            // Texts always have a canonical form.
            let bytes = canonical::to_bytes(&object).unwrap_or_default();
            text.push_str(&String::from_utf8_lossy(&bytes));
            text.push('\n');
        }
        text
    }

    /// The control totals of what was written: its lines, its sums and its digest.
    #[must_use]
    pub fn totals(&self, written: &str) -> String {
        let mut text = format!("control,value\r\nlines,{}\r\n", self.rows.len());
        for (name, cents) in &self.sums {
            text.push_str(&format!("{name}_eur,{}\r\n", decimal(*cents)));
        }
        text + &format!("sha256,{}\r\n", Sha256Hex::of(written.as_bytes()))
    }
}
