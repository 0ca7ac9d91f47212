//! Lines for other programs: every posting of the ledger, or a population, with their control totals.

use super::Row;
use crate::fold::Fold;
use crate::folds::ledger::{Ledger, Transfer};
use crate::query::journal::ZONE;
use domain::facts::commit::Recorded;
use domain::facts::{call, payment};
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{ActorId, PaymentId, StreamKey};
use domain::kernel::money::Money;
use domain::kernel::{canonical, time};
use domain::{Commit, Event};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The fields of a posting: of the table GL_Details of ISO 21378:2019 those that it asks for at its first
/// level and we have, in its order, and with them what a reversal and a clock time need. The names are facts
/// from secondary sources, which ADR 0017 lists: the text of the standard is sold, and was not read.
const GL_DETAILS: [&str; 20] = [
    "Journal_ID",
    "Journal_Number",
    "GL_Account_Number",
    "Fiscal_Year",
    "Accounting_Period",
    "Effective_Date",
    "Journal_Line_Number",
    "JE_Header_Description",
    "JE_Line_Description",
    "Source_Code",
    "Functional_Amount",
    "Functional_Currency_Code",
    "Credit_Debit_Indicator",
    "Reversal_Indicator",
    "Reversal_Journal_ID",
    "Created_User_ID",
    "Created_Date",
    "Created_Time",
    "Approved_User_ID",
    "Approved_Date",
];
/// The line undoes another.
const UNDOES: &str = "1";
/// The line is undone by another.
const UNDONE: &str = "2";

const ITEM: [&str; 11] = [
    "item", "kind", "fund", "grant", "account", "source", "country", "round", "paid_at", "amount",
    "currency",
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
    /// The zone of their days, if they have any.
    pub zone: Option<String>,
}

/// A fold of the postings of a log up to a moment. A journal entry is a commit, and each transfer in it two
/// lines.
#[derive(Clone, Debug, Default)]
pub struct Postings {
    ledger: Ledger,
    lines: Vec<PostingLine>,
    entry: Arc<Entry>,
    /// Which payments were ordered by whom, and when.
    authorised: BTreeMap<PaymentId, Act>,
    /// Which payments were carried out by which entry.
    executed: BTreeMap<PaymentId, Arc<Entry>>,
    /// The zones of the calls.
    zones: BTreeSet<String>,
}

/// Who did something, and when.
#[derive(Clone, Debug)]
struct Act {
    by: ActorId,
    at: Timestamp,
}

/// The journal entry of a commit.
#[derive(Clone, Debug, Default)]
struct Entry {
    id: String,
    position: u64,
    /// Where its lines begin among all lines.
    first: usize,
    /// Which entry it undoes.
    undoes: Option<String>,
    /// Who ordered the payment that it carries out.
    approved: Option<Act>,
}

/// Half of a transfer.
#[derive(Clone, Debug)]
struct PostingLine {
    entry: Arc<Entry>,
    number: usize,
    account: String,
    sign: &'static str,
    amount: Money,
    effective_at: Timestamp,
    command: String,
    event: String,
    source: String,
    created: Act,
    is_undone: bool,
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
        if self.entry.position != commit.position {
            let (id, position) = (commit.commit_id.to_string(), commit.position);
            let first = self.lines.len();
            self.entry = Arc::new(Entry { id, position, first, ..Entry::default() });
        }
        if let Event::Call(call::Event::Opened { rules, .. }) = &event.event {
            self.zones.insert(rules.zone.clone());
        }
        if let Some(payment) = PaymentId::of_stream(&event.stream) {
            self.payment(payment, commit, event);
        }
        for Transfer { from, to, amount } in self.ledger.transfers(event).unwrap_or_default() {
            // Less than nothing from one account to another is as much from that one to this.
            let (debit, credit) = if amount.is_negative() { (from, to) } else { (to, from) };
            self.post(commit, event, (debit, "D"), amount);
            self.post(commit, event, (credit, "C"), amount);
        }
        self.ledger.apply(commit, event);
    }

    fn payment(&mut self, payment: PaymentId, commit: &Commit, event: &Recorded) {
        match &event.event {
            Event::Payment(payment::Event::Authorised {}) => {
                let (by, at) = (commit.actor.id.clone(), event.effective_at);
                self.authorised.insert(payment, Act { by, at });
            }
            Event::Payment(payment::Event::Executed { .. }) => {
                Arc::make_mut(&mut self.entry).approved = self.authorised.remove(&payment);
                self.executed.insert(payment, self.entry.clone());
            }
            // What the bank returns undoes the entry that carried it out, with all its lines.
            Event::Payment(payment::Event::Returned { .. }) => {
                let Some(undone) = self.executed.remove(&payment) else { return };
                let since = self.lines[undone.first..].iter_mut();
                let own = since.take_while(|line| line.entry.position == undone.position);
                own.for_each(|line| line.is_undone = true);
                Arc::make_mut(&mut self.entry).undoes = Some(undone.id.clone());
            }
            _ => {}
        }
    }

    fn post(
        &mut self,
        commit: &Commit,
        event: &Recorded,
        (account, sign): (String, &'static str),
        amount: Money,
    ) {
        self.lines.push(PostingLine {
            entry: self.entry.clone(),
            number: self.lines.len() - self.entry.first + 1,
            account,
            sign,
            amount,
            effective_at: event.effective_at,
            command: commit.command.to_string(),
            event: format!("{} {}", event.event.kind(), event.stream),
            source: event.stream.category().to_owned(),
            created: Act { by: commit.actor.id.clone(), at: commit.recorded_at },
            is_undone: false,
        });
    }

    /// The zone of the books: that of all calls, or where the calls differ, or there are none, Luxembourg's.
    #[must_use]
    pub fn zone(&self) -> &str {
        match self.zones.first() {
            Some(zone) if self.zones.len() == 1 => zone,
            _ => ZONE,
        }
    }

    /// All lines, in the order of the log. The days on which money moved and was approved are those of the
    /// zone; when a line was created is in UTC.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn lines(self, zone: &str) -> Result<Lines, time::TimeError> {
        let place = time::zone(zone)?;
        let sum = |sign: &str| {
            let own = self.lines.iter().filter(|line| line.sign == sign);
            own.map(|line| i128::from(line.amount.in_cents()).abs()).sum()
        };
        let sums = BTreeMap::from([("debit", sum("D")), ("credit", sum("C"))]);
        let rows = self.lines.iter().map(|line| line.row(&place)).collect();
        Ok(Lines { fields: GL_DETAILS.to_vec(), rows, sums, zone: Some(zone.to_owned()) })
    }
}

impl PostingLine {
    fn row(&self, zone: &TimeZone) -> Vec<String> {
        let Entry { id, position, undoes, approved, .. } = &*self.entry;
        let day = |instant: Timestamp| instant.to_zoned(zone.clone()).date();
        let (effective, created) =
            (day(self.effective_at), self.created.at.to_zoned(TimeZone::UTC));
        let reversal = match (undoes, self.is_undone) {
            (Some(_), _) => UNDOES,
            (None, true) => UNDONE,
            (None, false) => "",
        };
        let row: [String; GL_DETAILS.len()] = [
            id.clone(),
            position.to_string(),
            self.account.clone(),
            format!("{:04}", effective.year()),
            format!("M{}", effective.month()),
            effective.to_string(),
            self.number.to_string(),
            self.command.clone(),
            self.event.clone(),
            self.source.clone(),
            decimal(i128::from(self.amount.in_cents()).abs()),
            self.amount.currency().to_string(),
            self.sign.to_owned(),
            reversal.to_owned(),
            undoes.clone().unwrap_or_default(),
            self.created.by.to_string(),
            created.date().to_string(),
            created.strftime("%H:%M:%S").to_string(),
            approved.as_ref().map(|act| act.by.to_string()).unwrap_or_default(),
            approved.as_ref().map(|act| day(act.at).to_string()).unwrap_or_default(),
        ];
        row.into()
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
                or_empty(row.account.as_ref().map(ToString::to_string)),
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
        Self { fields: ITEM.to_vec(), rows: rows.iter().map(line).collect(), sums, zone: None }
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
        if let Some(zone) = &self.zone {
            text.push_str(&format!("zone,{zone}\r\n"));
        }
        text + &format!("sha256,{}\r\n", Sha256Hex::of(written.as_bytes()))
    }
}
