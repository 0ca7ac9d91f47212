//! Which event moves what.

use crate::Fold;
use crate::folds::ledger::Ledger;
use crate::testing::given::{GivenLine, commits, report, rows};

const VOTED: GivenLine<'_> =
    fund("2024-01-01", "AppropriationVoted", r#"{"amount":"EUR 2000","line":"L","source":"DEP"}"#);
const COMMITTED: GivenLine<'_> = fund(
    "2024-01-02",
    "GloballyCommitted",
    r#"{"amount":"EUR 1000","call":"C","commitment":"K","line":"L","source":"DEP"}"#,
);
const INDIVIDUAL: GivenLine<'_> = fund(
    "2024-01-03",
    "IndividuallyCommitted",
    r#"{"amount":"EUR 500","commitment":"K","grant":"G"}"#,
);
const LEGAL: GivenLine<'_> =
    fund("2024-01-04", "LegallyCommitted", r#"{"amount":"EUR 400","grant":"G"}"#);
const PAID: GivenLine<'_> =
    fund("2024-01-05", "Paid", r#"{"amount":"EUR 300","grant":"G","payment":"P"}"#);
const LADDER: [GivenLine<'_>; 5] = [VOTED, COMMITTED, INDIVIDUAL, LEGAL, PAID];

const fn fund<'a>(at: &'a str, kind: &'a str, data: &'a str) -> GivenLine<'a> {
    (at, "fund-F", kind, data)
}

/// The accounts after a history, each with its balance.
fn balances(lines: &[GivenLine<'_>]) -> Vec<String> {
    let mut ledger = Ledger::default();
    for commit in commits(lines) {
        commit.events.iter().for_each(|event| ledger.apply(&commit, event));
        for (name, sides) in ledger.sides() {
            assert_eq!(sides.debit, sides.credit, "{name} at {}", commit.position);
        }
    }
    ledger.balances().map(|(account, balance)| format!("{account} {balance}")).collect()
}

fn after(events: &[GivenLine<'_>], account: &str) -> Vec<String> {
    let all = balances(events);
    all.into_iter().filter(|line| line.contains(account)).collect()
}

fn ladder(then: GivenLine<'_>) -> Vec<String> {
    balances(&[&LADDER[..], &[then]].concat())
}

#[test]
fn what_is_voted_raised_and_carried_in_is_available_until_it_is_carried_over() {
    let more = r#"{"amount":"EUR 30","line":"L","reason":"r","source":"DEP"}"#;
    let lines = [
        VOTED,
        fund("2024-02-01", "AppropriationIncreased", more),
        fund(
            "2024-02-02",
            "CarriedIn",
            r#"{"amount":"EUR 5","from":"E","line":"L","source":"DEP"}"#,
        ),
        fund(
            "2024-02-03",
            "CarriedOver",
            r#"{"amount":"EUR 100","line":"L","source":"DEP","to":"H"}"#,
        ),
    ];
    let expected = [
        "Budget:F:Available:L:DEP EUR 1935.00",
        "Budget:F:Carried:L:DEP EUR 95.00",
        "Budget:F:Voted:L:DEP EUR -2030.00",
    ];
    assert_eq!(balances(&lines), expected);
    let now = report("ledger", &lines, None);
    let line = "L|DEP|1 935.00|1 935.00|0.00|0.00|0.00|0.00|0.00";
    assert_eq!(rows(&now, "lines")[0], format!("F|{line}"));
}

#[test]
fn every_step_moves_money_down_the_ladder() {
    assert_eq!(
        balances(&LADDER),
        [
            "Budget:F:Available:L:DEP EUR 1000.00",
            "Budget:F:Global:K EUR 500.00",
            "Budget:F:Individual:G EUR 100.00",
            "Budget:F:Legal:G EUR 100.00",
            "Budget:F:Paid:G EUR 300.00",
            "Budget:F:Voted:L:DEP EUR -2000.00",
        ]
    );
    let now = report("ledger", &LADDER, None);
    let line = "2 000.00|1 000.00|500.00|100.00|100.00|300.00|700.00";
    let expected = [format!("F|L|DEP|{line}"), format!("Total|||{line}")];
    assert_eq!(rows(&now, "lines"), expected);
    let trial = rows(&now, "accounts");
    assert_eq!(trial[4], "Budget:F:Paid:G|L|DEP|300.00|");
    assert_eq!(trial[5], "Budget:F:Voted:L:DEP|L|DEP||2 000.00");
    assert_eq!(trial[6], "Total|||2 000.00|2 000.00");
    assert_eq!(rows(&now, "ledgers")[0], "Budget:F|2 000.00|2 000.00|0.00");
}

#[test]
fn a_global_commitment_is_raised_from_what_is_available_and_released_to_it() {
    let raise = r#"{"amount":"EUR 70","commitment":"K","reason":"r"}"#;
    let raised = ladder(fund("2024-02-01", "GlobalCommitmentIncreased", raise));
    let pair = |available, global| {
        [
            format!("Budget:F:Available:L:DEP EUR {available}"),
            format!("Budget:F:Global:K EUR {global}"),
        ]
    };
    assert_eq!(raised[..2], pair("930.00", "570.00"));
    let decommitted = ladder(fund("2024-02-01", "GlobalDecommitted", raise));
    assert_eq!(decommitted[..2], pair("1070.00", "430.00"));
}

#[test]
fn what_is_released_from_a_grant_is_first_what_is_not_signed_for() {
    let data = r#"{"amount":"EUR 150","grant":"G","reason":"r"}"#;
    assert_eq!(
        ladder(fund("2024-02-01", "GrantDecommitted", data))[1..4],
        [
            "Budget:F:Global:K EUR 650.00",
            "Budget:F:Legal:G EUR 50.00",
            "Budget:F:Paid:G EUR 300.00"
        ]
    );
}

#[test]
fn a_payment_that_returns_is_unpaid_again() {
    let data = r#"{"amount":"EUR 300","grant":"G","payment":"P"}"#;
    assert_eq!(
        ladder(fund("2024-02-01", "Returned", data))[2..4],
        ["Budget:F:Individual:G EUR 100.00", "Budget:F:Legal:G EUR 400.00"]
    );
}

#[test]
fn a_commitment_whose_line_is_not_seen_stands_apart_until_it_is() {
    let raise = r#"{"amount":"EUR 70","commitment":"K","reason":"r"}"#;
    let raise = fund("2024-01-01", "GlobalCommitmentIncreased", raise);
    assert_eq!(
        balances(&[raise]),
        ["Budget:F:Global:K EUR 70.00", "Budget:F:Unknown line:K EUR -70.00"]
    );
    let seen = balances(&[raise, VOTED, COMMITTED]);
    assert_eq!(
        seen,
        [
            "Budget:F:Available:L:DEP EUR 930.00",
            "Budget:F:Global:K EUR 1070.00",
            "Budget:F:Voted:L:DEP EUR -2000.00",
        ]
    );
    let trial = rows(&report("ledger", &[raise], None), "accounts");
    assert_eq!(trial[0], "Budget:F:Global:K|unknown|unknown|70.00|");
}

#[test]
fn a_grant_whose_commitment_is_not_seen_stands_apart_until_it_is() {
    let release = r#"{"amount":"EUR 50","grant":"G","reason":"r"}"#;
    let release = fund("2024-01-01", "GrantDecommitted", release);
    let unknown = "Budget:F:Unknown commitment:G EUR 50.00";
    assert_eq!(balances(&[LEGAL, release]).last().unwrap(), unknown);
    assert_eq!(after(&[LEGAL, release, INDIVIDUAL], "Unknown"), [""; 0]);
}

const ORDER: &str = r#""fund":"F","grant":"G""#;

fn initiated(payment: &'static str, kind: &str, amount: u32, net: u32) -> [String; 4] {
    let data = format!(r#"{{"amount":"EUR {amount}",{ORDER},"kind":"{kind}","net":"EUR {net}"}}"#);
    ["2024-03-01".to_owned(), format!("payment-{payment}"), "Initiated".to_owned(), data]
}

/// The cash after payments that were executed, and some of them returned.
fn cash(payments: &[(&'static str, &str, u32, u32, bool)]) -> Vec<String> {
    let executed = r#"{"end_to_end_id":"E"}"#;
    let mut lines: Vec<[String; 4]> = Vec::new();
    for &(payment, kind, amount, net, returned) in payments {
        let stream = format!("payment-{payment}");
        lines.push(initiated(payment, kind, amount, net));
        let then =
            |kind: &str, data: &str| ["2024-03-02", &stream, kind, data].map(ToOwned::to_owned);
        lines.push(then("Executed", executed));
        lines.extend(returned.then(|| then("Returned", r#"{"reason":"r"}"#)));
    }
    let lines: Vec<GivenLine<'_>> =
        lines.iter().map(|[a, b, c, d]| (&**a, &**b, &**c, &**d)).collect();
    balances(&lines)
}

#[test]
fn the_insurance_keeps_a_part_of_the_pre_financing_and_releases_it_with_the_balance() {
    let prefinancing = ("P1", "pre_financing", 700, 650, false);
    let expected = [
        "Cash:F:Bank EUR -650.00",
        "Cash:F:Insurance:G EUR -50.00",
        "Cash:F:Pre-financing:G EUR 700.00",
    ];
    assert_eq!(cash(&[prefinancing]), expected);
    let rest = [("P2", "interim", 100, 100, false), ("P3", "balance", 200, 250, false)];
    let all = cash(&[&[prefinancing], &rest[..]].concat());
    let expected = [
        "Cash:F:Bank EUR -1000.00",
        "Cash:F:Cost:G EUR 300.00",
        "Cash:F:Pre-financing:G EUR 700.00",
    ];
    assert_eq!(all, expected);
}

#[test]
fn money_that_is_recovered_or_returned_is_in_the_bank_again() {
    let recovery = ("P", "recovery", 80, 80, false);
    assert_eq!(cash(&[recovery]), ["Cash:F:Bank EUR 80.00", "Cash:F:Recovered:G EUR -80.00"]);
    assert_eq!(cash(&[("P", "recovery", 80, 80, true)]), [""; 0]);
    assert_eq!(cash(&[("P", "pre_financing", 700, 650, true)]), [""; 0]);
}

#[test]
fn a_payment_that_is_not_carried_out_moves_nothing() {
    let [at, stream, kind, data] = initiated("P", "interim", 80, 80);
    let asked = (&*at, &*stream, &*kind, &*data);
    let rejected = ("2024-03-02", &*stream, "Rejected", r#"{"reason":"r"}"#);
    assert_eq!(balances(&[asked]), [""; 0]);
    assert_eq!(balances(&[asked, rejected]), [""; 0]);
}

#[test]
fn a_payment_whose_amount_is_not_seen_moves_nothing_and_is_counted() {
    let executed = ("2024-03-02", "payment-P", "Executed", r#"{"end_to_end_id":"E"}"#);
    assert_eq!(balances(&[executed]), [""; 0]);
    let notes = report("ledger", &[executed], None).notes;
    assert_eq!(notes.last().unwrap(), "Left out, because no amount to be booked is known: 1.");
}

#[test]
fn what_cannot_be_added_leaves_the_books_in_balance() {
    let vote = |amount| format!(r#"{{"amount":"{amount}","line":"L","source":"DEP"}}"#);
    let (most, foreign) = (vote("EUR 90071992547409.91"), vote("SEK 5"));
    let at = |data| fund("2024-01-01", "AppropriationVoted", data);
    let all = balances(&[at(&most), at(&most), at(&foreign)]);
    let expected = [
        "Budget:F:Available:L:DEP EUR 90071992547409.91",
        "Budget:F:Voted:L:DEP EUR -90071992547409.91",
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_pledge_goes_up_its_ladder_and_comes_down_when_it_is_withdrawn() {
    let pledge = |kind, data| ("2024-01-01", "pledge-D", kind, data);
    let made = r#"{"amount":"EUR 100","call":"C","kind":"cash","state":"FI"}"#;
    let lines = [
        pledge("Made", made),
        pledge("Raised", r#"{"amount":"EUR 20","reason":"r"}"#),
        pledge("Signed", r#"{"amount":"EUR 90"}"#),
        pledge("Reported", r#"{"amount":"EUR 70"}"#),
        pledge("Certified", r#"{"amount":"EUR 40"}"#),
        pledge("Counted", r#"{"amount":"EUR 30"}"#),
    ];
    assert_eq!(after(&lines, "State"), ["National:D:State EUR -120.00"]);
    let now = report("ledger", &lines, None);
    assert_eq!(rows(&now, "pledges"), ["D|30.00|20.00|30.00|10.00|30.00"]);
    let withdrawn = pledge("Withdrawn", r#"{"reason":"r"}"#);
    assert_eq!(balances(&[&lines[..], &[withdrawn]].concat()), [""; 0]);
}

#[test]
fn an_appropriation_that_is_carried_on_whole_is_nothing_and_not_unknown() {
    let carried_in = r#"{"amount":"EUR 7","from":"E","line":"L","source":"DEP"}"#;
    let carried_over = r#"{"amount":"EUR 7","line":"L","source":"DEP","to":"N"}"#;
    let lines = [
        fund("2024-01-01", "CarriedIn", carried_in),
        COMMITTED,
        fund("2024-01-03", "CarriedOver", carried_over),
    ];
    let now = report("ledger", &lines, None);
    assert_eq!(rows(&now, "lines")[0], "F|L|DEP|0.00|-1 000.00|1 000.00|0.00|0.00|0.00|1 000.00");
    assert_eq!(after(&lines, "Carried"), [""; 0]);
}
