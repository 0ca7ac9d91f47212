//! 5: double entry balances in every sub-ledger after every commit (design.md, 10). The ledger is held
//! against its own journal, the budget against the cash, both against the view `budget`, and all of it
//! against a program that we did not write: hledger.

use crate::desk::Desk;
use crate::life::{self, Dice};
use domain::Commit;
use domain::facts::commit::Recorded;
use projections::ledger::{Ledger, Transfer};
use projections::report::Cell;
use projections::{Projection, Query, Views};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folds stored commits in order and reports the first that puts the books out of balance.
#[derive(Default)]
pub struct Books {
    ledger: Ledger,
    /// By account, in cents: the sum of the journal.
    sums: BTreeMap<String, i128>,
    /// For hledger.
    journal: String,
    transactions: usize,
}

impl Books {
    pub fn check(&mut self, commit: &Commit) -> Result<(), String> {
        let mut moves = false;
        for event in &commit.events {
            let transfers = self.ledger.transfers(event).ok_or_else(|| {
                format!("5: position {}: an amount is not known", commit.position)
            })?;
            moves |= !transfers.is_empty();
            self.book(commit, event, &transfers);
            self.ledger.apply(commit, event);
        }
        if moves {
            self.balance().map_err(|what| format!("5: position {}: {what}", commit.position))?;
        }
        Ok(())
    }

    fn book(&mut self, commit: &Commit, event: &Recorded, transfers: &[Transfer]) {
        if transfers.is_empty() {
            return;
        }
        let day = commit.recorded_at.strftime("%Y-%m-%d");
        let (kind, position) = (event.event.kind(), commit.position);
        let _ = writeln!(self.journal, "\n{day} ({position}) {kind} {}", event.stream);
        self.transactions += 1;
        for Transfer { from, to, amount } in transfers {
            let cents = i128::from(amount.in_cents());
            for (account, cents) in [(from, -cents), (to, cents)] {
                *self.sums.entry(account.clone()).or_default() += cents;
                let _ = writeln!(self.journal, "    {account}  {}", euro(cents));
            }
        }
    }

    fn balance(&self) -> Result<(), String> {
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for (account, cents) in &self.sums {
            let balance = i128::from(self.ledger.balance(account).in_cents());
            if balance != *cents {
                return Err(format!("{account} is {balance}, its journal adds up to {cents}"));
            }
            *sums.entry(sub_ledger(account)).or_default() += cents;
        }
        if let Some((name, cents)) = sums.iter().find(|(_, cents)| **cents != 0) {
            return Err(format!("{name} adds up to {cents} cents"));
        }
        let sides = self.ledger.sides();
        if let Some((name, sides)) = sides.iter().find(|(_, sides)| sides.debit != sides.credit) {
            return Err(format!("{name}: {sides:?}"));
        }
        self.paid_is_cash()
    }

    /// What the budget says is paid to a grant is what the cash was spent on.
    fn paid_is_cash(&self) -> Result<(), String> {
        let mut paid: BTreeMap<(&str, &str), i128> = BTreeMap::new();
        for (account, cents) in &self.sums {
            let parts: Vec<&str> = account.split(':').collect();
            let (ledger, sign) = match parts[..] {
                ["Budget", fund, "Paid", grant] => ((fund, grant), 1),
                ["Cash", fund, "Pre-financing" | "Cost" | "Recovered", grant] => {
                    ((fund, grant), -1)
                }
                _ => continue,
            };
            *paid.entry(ledger).or_default() += sign * cents;
        }
        match paid.iter().find(|(_, cents)| **cents != 0) {
            Some((grant, cents)) => Err(format!("budget and cash of {grant:?}: {cents} cents")),
            None => Ok(()),
        }
    }

    /// Whether the rungs of every line add up to what the budget says.
    pub fn agree(&self, views: &Views) -> Result<(), String> {
        if self.ledger != views.ledger {
            return Err("5: the view is another than its fold".to_owned());
        }
        let (budget, ledger) = (lines(views, "budget"), lines(views, "ledger"));
        for (line, sums) in &budget {
            let zeros = BTreeMap::new();
            let rungs = ledger.get(line).unwrap_or(&zeros);
            let of = |names: &[&str]| -> i128 {
                names.iter().map(|name| rungs.get(name).copied().unwrap_or(0)).sum()
            };
            for (sum, rungs) in [
                ("appropriation", of(&["appropriation"])),
                ("committed", of(&["global", "individual", "legal", "paid"])),
                ("individual", of(&["individual", "legal", "paid"])),
                ("legal", of(&["legal", "paid"])),
                ("paid", of(&["paid"])),
                ("open", of(&["open"])),
                ("left", of(&["available"])),
            ] {
                if sums[sum] != rungs {
                    let budget = sums[sum];
                    return Err(format!("5: {line:?}: {sum} is {budget}, the rungs say {rungs}"));
                }
            }
        }
        if let Some(line) = ledger.keys().find(|line| !budget.contains_key(*line)) {
            return Err(format!("5: the budget has no line {line:?}"));
        }
        Ok(())
    }
}

/// By fund, line and source: cents by column.
fn lines(views: &Views, view: &str) -> BTreeMap<Vec<String>, BTreeMap<&'static str, i128>> {
    let report = views.report(view, &Query::default()).expect("a view");
    let table = report.table("lines").expect("a table").clone();
    let row = |row: &Vec<Cell>| {
        let cents = table.columns.iter().zip(row).filter_map(|(column, cell)| match cell {
            Cell::Money(amount) => Some((column.key, i128::from(amount.in_cents()))),
            _ => None,
        });
        (row[..3].iter().map(Cell::to_text).collect(), cents.collect())
    };
    table.rows.iter().map(row).collect()
}

/// `National`, or the first two parts of the name.
fn sub_ledger(account: &str) -> String {
    let parts = if account.starts_with("National") { 1 } else { 2 };
    account.split(':').take(parts).collect::<Vec<_>>().join(":")
}

fn euro(cents: i128) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("EUR {sign}{}.{:02}", cents / 100, cents % 100)
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name)
}

/// What hledger answers, in lines.
fn hledger(journal: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("hledger");
    let output = command.arg("-f").arg(journal).args(arguments).output();
    let output = output.expect("hledger is not installed: run tests/run, which installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "hledger {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Hledger reads the journal strictly, finds that every transaction balances, and has our balances.
fn read_by_hledger(books: &Books, name: &str) {
    let mut journal = "decimal-mark .\ncommodity EUR 1000.00\n".to_owned();
    for account in books.sums.keys() {
        let _ = writeln!(journal, "account {account}");
    }
    journal.push_str(&books.journal);
    let path = target(&format!("{name}.journal"));
    std::fs::write(&path, journal).expect("target/ can be written");
    hledger(&path, &["check", "--strict"]);
    let row = |account: &str, balance: String| format!("\"{account}\",\"{balance}\"");
    let balances = ["balance", "--flat", "--no-total", "--output-format=csv"];
    let theirs = hledger(&path, &balances);
    let ours = books.ledger.balances();
    let ours = ours.map(|(account, money)| row(account, euro(money.in_cents().into())));
    // Their order is of parts, ours of whole names.
    let sorted = |lines: Vec<String>| {
        let mut lines: Vec<String> = lines.into_iter().skip(1).collect();
        lines.sort();
        lines
    };
    let head = std::iter::once(String::new());
    assert_eq!(sorted(theirs), sorted(head.chain(ours).collect()));
    // Sub-ledgers of which nothing remains are not told: none of them has anything.
    for depth in ["--depth=1", "--depth=2"] {
        let kinds = if depth == "--depth=1" { "." } else { "^(Budget|Cash):" };
        let sums = hledger(&path, &[&balances[..], &[depth, kinds]].concat());
        assert_eq!(sums.len(), 1, "only the head of the table: {sums:?}");
    }
}

#[test]
fn the_books_of_the_call_balance_after_every_commit_and_agree_with_its_budget() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("history/0.1.0.jsonl");
    let (mut books, mut views) = (Books::default(), Views::default());
    for line in std::fs::read_to_string(path).expect("a history").lines() {
        let commit = Commit::decode(line.as_bytes()).expect("a stored commit");
        books.check(&commit).unwrap_or_else(|breach| panic!("{breach}"));
        views.apply(&commit);
        books.agree(&views).unwrap_or_else(|breach| panic!("{}: {breach}", commit.position));
    }
    assert!(books.transactions > 20, "{} transactions", books.transactions);
    read_by_hledger(&books, "call");
}

#[test]
fn a_whole_life_has_the_same_books_in_hledger() {
    let mut desk = Desk::new();
    for kind in 0..life::KINDS.len() {
        for step in life::life(kind, &kind.to_string(), Dice::of_seed(3), true) {
            let _ = desk.give(&step).unwrap_or_else(|breach| panic!("{breach}"));
        }
    }
    desk.audit().unwrap_or_else(|breach| panic!("{breach}"));
    let names = ["Carried", "Legal", "Bank", "Insurance", "Cost", "Recovered", "Counted"];
    for name in names {
        let is_there = desk.books.sums.keys().any(|account| account.contains(name));
        assert!(is_there, "no money went through {name}");
    }
    read_by_hledger(&desk.books, "life");
}

/// How hledger reads the exported postings: a line is half a transaction, so each stands for itself.
const RULES: &str = "\
skip 1
fields id,number,account,year,period,date,line,header,description,source,cents,unit,sign,reversal
account1 (%account)
if %sign D
 amount %unit %cents
if %sign C
 amount %unit -%cents
";

/// The postings that `tranche audit export postings` writes, read by hledger, have the balances that it finds
/// in the journal; an entry balances, has each line once, and is undone line by line.
#[test]
fn the_exported_postings_are_the_same_books() {
    let mut desk = Desk::new();
    for step in life::life(0, "1", Dice::of_seed(3), true) {
        let _ = desk.give(&step).unwrap_or_else(|breach| panic!("{breach}"));
    }
    let mut postings = projections::audit::postings::Postings::default();
    for entry in &desk.entries {
        let commit = Commit::decode(entry).expect("a stored commit");
        commit.events.iter().for_each(|event| postings.apply(&commit, event));
    }
    let lines = postings.lines("UTC").expect("a zone");
    let column = |name: &str| lines.fields.iter().position(|field| *field == name).unwrap();
    let [id, number, sign, amount] =
        ["Journal_ID", "Journal_Line_Number", "Credit_Debit_Indicator", "Functional_Amount"]
            .map(column);
    let mut entries: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
    lines.rows.iter().for_each(|row| entries.entry(&row[id]).or_default().push(row));
    for rows in entries.values() {
        let numbers: Vec<&str> = rows.iter().map(|row| &*row[number]).collect();
        let expected: Vec<String> = (1..=rows.len()).map(|line| line.to_string()).collect();
        assert_eq!(numbers, expected);
        let sum = |side: &str| -> i64 {
            let own = rows.iter().filter(|row| row[sign] == side);
            own.map(|row| row[amount].replace('.', "").parse::<i64>().unwrap()).sum()
        };
        assert_eq!(sum("D"), sum("C"));
    }
    let (reversal, undoes) = (column("Reversal_Indicator"), column("Reversal_Journal_ID"));
    let reversals: Vec<_> = lines.rows.iter().filter(|row| row[reversal] == "1").collect();
    assert!(!reversals.is_empty(), "the bank returns a payment");
    for row in &reversals {
        let undone = &entries[&*row[undoes]];
        assert!(undone.iter().all(|line| line[reversal] == "2"));
        let same = |line: &&&Vec<String>| {
            line[column("GL_Account_Number")] == row[column("GL_Account_Number")]
                && line[column("Functional_Amount")] == row[column("Functional_Amount")]
        };
        assert_ne!(undone.iter().find(same).unwrap()[sign], row[sign], "the other way round");
    }
    let approver = column("Approved_User_ID");
    let paid = |row: &&Vec<String>| row[column("JE_Header_Description")] == "payment.execute";
    let mut paid = lines.rows.iter().filter(paid).peekable();
    assert!(paid.peek().is_some() && paid.all(|row| row[approver] == "xena"));
    let marked = lines.rows.iter().filter(|row| row[reversal] == "2").count();
    assert_eq!(marked, reversals.len());

    let (csv, rules) = (target("postings.csv"), target("postings.rules"));
    std::fs::write(&csv, lines.to_csv()).expect("target/ can be written");
    std::fs::write(&rules, RULES).expect("target/ can be written");
    let balances = ["balance", "--flat", "--no-total", "--output-format=csv"];
    let by_rules = [&["--rules-file", rules.to_str().unwrap()][..], &balances].concat();
    let mut theirs = hledger(&csv, &by_rules).split_off(1);
    theirs.sort();
    let ours = desk.books.ledger.balances();
    let ours =
        ours.map(|(name, money)| format!("\"{name}\",\"{}\"", euro(money.in_cents().into())));
    let mut ours: Vec<String> = ours.collect();
    ours.sort();
    assert_eq!(theirs, ours);
}

#[test]
fn books_that_do_not_balance_are_found() {
    let mut books = Books::default();
    books.sums.insert("Cash:F:Bank".to_owned(), -5);
    assert_eq!(books.balance(), Err("Cash:F:Bank is 0, its journal adds up to -5".to_owned()));
    let mut books = Books::default();
    books.sums.insert("Budget:F:Paid:G".to_owned(), 0);
    assert_eq!(books.balance(), Ok(()));
    books.sums.insert("Budget:F:Paid:G".to_owned(), 5);
    assert_eq!(books.paid_is_cash(), Err("budget and cash of (\"F\", \"G\"): 5 cents".to_owned()));
}
