//! What a report looks like as text, JSON and CSV.

use super::*;
use domain::kernel::actor::Confidence;
use domain::kernel::compute::{ComputeTime, Unit};
use domain::kernel::money::Money;
use expect_test::{Expect, expect};

#[test]
fn a_sum_beyond_the_largest_amount_says_so_and_is_not_called_unknown() {
    let sum_of = |amounts: &[Cell]| {
        let columns = [("fund", "Fund", Kind::Text), ("union", "Union", Kind::Money)];
        let mut table = Table::new("funds", "", &columns);
        for amount in amounts {
            table.push(["F".into(), amount.clone()]);
        }
        table.total();
        Report::new("x", "X").with(table).to_text(usize::MAX)
    };
    let max: Cell = Money::cents(domain::kernel::money::CENTS_MAX).into();
    let last = |text: String| text.trim_end().lines().next_back().unwrap().to_owned();
    assert!(last(sum_of(&[max.clone(), max.clone(), max])).ends_with("out of range"));
    assert!(last(sum_of(&[Cell::Unknown, Money::euro(1).into()])).ends_with("unknown"));
}

fn report() -> Report {
    let mut table = Table::new(
        "rounds",
        "By round",
        &[
            ("round", "Round", Kind::Text),
            ("count", "Factories", Kind::Count),
            ("union", "Union", Kind::Money),
            ("national", "National", Kind::Money),
            ("time", "Time", Kind::Compute),
            ("sure", "", Kind::Confidence),
        ],
    );
    let hours = |hours| ComputeTime::hours("LUMI-G".parse().unwrap(), Unit::Gpu, hours);
    table.push([
        "1".into(),
        7_u64.into(),
        Money::euro(750_000_000).into(),
        Money::cents(-5).into(),
        hours(1_500_000).into(),
        Confidence::Fixture.into(),
    ]);
    table.push([
        "=1+1, \"a\nlong\" name of a round".into(),
        1_234_u64.into(),
        "PLN 340.00".parse::<Money>().unwrap().into(),
        Cell::Unknown,
        ComputeTime { seconds: 3_661, ..hours(0) }.into(),
        Confidence::Published.into(),
    ]);
    table.push(["3".into(), 1_u64.into(), Money::euro(1).into(), Money::euro(2).into()]);
    table.total();
    Report { position: 12, ..Report::new("budget", "Budget") }.with(table).note("A note.")
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

#[test]
fn figures_are_grouped_aligned_and_never_cut() {
    check(
        &report().to_text(90),
        &expect![[r#"
        Budget
        at position 12, amounts in EUR

        By round
        Round                    Factories           Union  National             Time
        -----------------------  ---------  --------------  --------  ---------------  ---------
        1                                7  750 000 000.00     -0.05  1 500 000 GPU-h  (fixture)
        =1+1, "a long" name of…      1 234      PLN 340.00   unknown    1:01:01 GPU-h
        3                                1            1.00      2.00
        -----------------------  ---------  --------------  --------  ---------------  ---------
        Total                        1 242         unknown   unknown                   (fixture)

        A note.
    "#]],
    );
}

#[test]
fn what_is_unknown_is_null_and_what_does_not_apply_is_absent() {
    let json = serde_json::to_value(&report().tables[0]).unwrap();
    let rows = serde_json::to_string_pretty(&json["rows"]).unwrap();
    check(
        &rows,
        &expect![[r#"
        [
          {
            "count": 7,
            "national": "EUR -0.05",
            "round": "1",
            "sure": "fixture",
            "time": {
              "partition": "LUMI-G",
              "seconds": 5400000000,
              "unit": "gpu"
            },
            "union": "EUR 750000000.00"
          },
          {
            "count": 1234,
            "national": null,
            "round": "=1+1, \"a\nlong\" name of a round",
            "sure": "published",
            "time": {
              "partition": "LUMI-G",
              "seconds": 3661,
              "unit": "gpu"
            },
            "union": "PLN 340.00"
          },
          {
            "count": 1,
            "national": "EUR 2.00",
            "round": "3",
            "union": "EUR 1.00"
          }
        ]"#]],
    );
    let totals = serde_json::to_string(&json["totals"]).unwrap();
    check(
        &totals,
        &expect![[
            r#"{"count":1242,"national":null,"round":"Total","sure":"fixture","union":null}"#
        ]],
    );
}

#[test]
fn no_text_in_a_csv_is_a_formula() {
    check(
        &report().to_csv().replace("\r\n", "|\n"),
        &expect![[r#"
        round,count,union_eur,national_eur,time_seconds,sure|
        1,7,750000000.00,-0.05,5400000000,fixture|
        "'=1+1, ""a
        long"" name of a round",1234,PLN 340.00,unknown,3661,published|
        3,1,1.00,2.00,,|
    "#]],
    );
}

#[test]
fn a_moment_of_the_past_is_named() {
    let as_of = AsOf { as_of: Some("2024-12-31T22:59:59Z".parse().unwrap()), ..AsOf::NOW };
    let empty = Table::new("t", "Empty", &[("a", "A", Kind::Text)]);
    let report = Report { as_of, ..Report::new("budget", "Budget") }.with(empty);
    check(
        &report.to_text(80),
        &expect![[r#"
        Budget
        at position 0, true by 2024-12-31T22:59:59Z

        Empty
          nothing
    "#]],
    );
}
