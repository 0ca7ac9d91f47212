//! Rules documents: those that come with the program are right, and a broken one says all at once.

use crate::rulebook::{SHIPPED, parse, shipped};
use expect_test::expect;

#[test]
fn every_document_that_comes_with_the_program_is_right() {
    for (name, text) in SHIPPED {
        match parse(text) {
            Ok(document) => {
                assert_eq!(document.id.as_str(), *name);
                assert_eq!(document.mistakes(), Vec::new());
                let json = serde_json::to_string(&document).unwrap();
                assert_eq!(serde_json::from_str::<super::Document>(&json).unwrap(), document);
            }
            Err(mistakes) => panic!("{name}: {mistakes:#?}"),
        }
    }
}

fn list(text: &str) -> String {
    let mistakes = parse(text).unwrap_err();
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

/// A shipped document with some lines changed.
fn changed(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = shipped(name).unwrap().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is in {name}");
        text = text.replacen(from, to, 1);
    }
    text
}

#[test]
fn a_broken_document_lists_all_its_mistakes() {
    let text = changed(
        "ai-factory-antennas",
        &[
            ("zone = \"Europe/Brussels\"", "zone = \"Europe/Atlantis\"\ncolour = \"blue\""),
            ("countries = []", "countries = [\"Finland\"]"),
            ("experts_min = 3", "experts_min = 0"),
            ("weight_hundredths = 100", "weight_hundredths = 0"),
            ("threshold_tenths = 30", "threshold_tenths = 33"),
            ("threshold_tenths = 100", "threshold_tenths = 160"),
            ("criterion = \"impact\"", "criterion = \"beauty\""),
            ("personnel = \"1/2\"", "personnel = \"3/2\""),
            ("insurance = \"1/20\"", "insurance = 0.05"),
            ("payment_days = 90 ", "#"),
            ("source = \"timing\"", "source = \"hearsay\""),
            ("years = 5", "years = 0"),
        ],
    );
    expect![[r#"
        line 9: zone: no time zone is called "Europe/Atlantis" (IANA names like "Europe/Luxembourg")
        line 10: colour: is not a field of a rules document here
        line 20: eligibility.countries[0]: a country is two capital letters like "FI"; got "Finland"
        line 45: evaluation.experts_min: somebody must evaluate
        line 51: evaluation.tie_break[2].criterion: no stage has a criterion beauty
        line 63: evaluation.stages[0].threshold_tenths: is above the highest sum, 150
        line 68: evaluation.stages[0].criteria[0].threshold_tenths: 33 is not a number of steps of 5
        line 69: evaluation.stages[0].criteria[0].weight_hundredths: a weight of nothing
        line 91: funding.ceilings.personnel: a rate is a fraction between 0 and 1 like "1/2"; got "3/2"
        line 95: payments.payment_days: is missing
        line 97: payments.insurance: a rate is a fraction between 0 and 1 like "1/2"; got "0.05"
        line 109: deadlines.source: hearsay is not a key of legal
        line 112: retention.years: records are kept for at least a year
    "#]].assert_eq(&list(&text));
}

#[test]
fn a_syntax_error_has_its_line_and_does_not_hide_the_rest() {
    let text = changed(
        "playground",
        &[("version = 1", "version = = 1"), ("months = [1, 2, 3]", "months = []")],
    );
    expect![[r#"
        line 8: extra `=`, expected nothing
        line 8: unexpected key or value, expected newline, `#`
        line 40: access.months: names no duration
    "#]]
    .assert_eq(&list(&text));
}

#[test]
fn a_call_has_the_sections_that_its_kind_needs() {
    let text = changed("playground", &[("kind = \"access\"", "kind = \"grant\"")]);
    expect![[r#"
        evaluation: is missing: a call of kind grant needs it
        funding: is missing: a call of kind grant needs it
        payments: is missing: a call of kind grant needs it
    "#]]
    .assert_eq(&list(&text));
}

#[test]
fn a_minimum_above_the_maximum_is_a_mistake() {
    let text = changed("fast-lane", &[("months =", "min_gpu_hours = 50001\nmonths =")]);
    expect![[r#"
        line 39: access.max_gpu_hours: is less than the minimum, or nothing
    "#]]
    .assert_eq(&list(&text));
}

#[test]
fn a_wrong_shape_does_not_hide_wrong_values_beside_it_and_makes_none() {
    let text = changed(
        "ai-factory-antennas",
        &[
            ("countries = []", "countries = [\"FI\", \"Finland\", \"FI\"]"),
            ("experts_min = 3", "experts_min = 0"),
            ("step_tenths = 5", "step_tenths = \"5\""),
            ("weight_hundredths = 100", "weight_hundredths = 0"),
            ("payment_days = 90 ", "#"),
            ("prefinancing_days =", "prefinancing_days = 0 #"),
            ("report_days =", "report_days = 99999999999 #"),
            ("sign_days =", "sign_days = 0 #"),
        ],
    );
    expect![[r#"
        line 19: eligibility.countries: a country is here twice
        line 19: eligibility.countries[1]: a country is two capital letters like "FI"; got "Finland"
        line 44: evaluation.experts_min: somebody must evaluate
        line 58: evaluation.scale.step_tenths: is "5", not an integer
        line 68: evaluation.stages[0].criteria[0].weight_hundredths: a weight of nothing
        line 94: payments.payment_days: is missing
        line 98: payments.prefinancing_days: a time limit has at least one day
        line 105: deadlines.report_days: is 99999999999, more than 4294967295
        line 107: deadlines.sign_days: a time limit has at least one day
    "#]]
    .assert_eq(&list(&text));
    let text = changed(
        "playground",
        &[("months = [1, 2, 3]", "months = []\nholidays = [\"Sunday\", \"2026-12-24\", \"May\"]")],
    );
    expect![[r#"
        line 40: access.months: names no duration
        line 41: access.holidays[0]: is "Sunday", not a date like "2026-12-24"
        line 41: access.holidays[2]: is "May", not a date like "2026-12-24"
    "#]]
    .assert_eq(&list(&text));
}

#[test]
fn whatever_stands_in_for_a_wrong_shape_can_be_read() {
    let empty = "id = \"x\"\nversion = 1\ntitle = \"t\"\nzone = \"UTC\"\nkind = \"access\"\n\
        legal = {}\naccess = {}\nevaluation = {}\neligibility = {}\ndeadlines = {}\nfunding = {}\n\
        payments = {}\nretention = {}\nsubmission = {}\n";
    for mistake in parse(empty).unwrap_err() {
        let of_legal = mistake.path == "legal" && mistake.message == "names no source";
        assert!(mistake.message == "is missing" || of_legal, "{mistake}");
    }
}

#[test]
fn a_slip_in_the_syntax_makes_nothing_missing_or_unknown() {
    for (from, to) in [
        ("[retention]", "[retention"),
        ("[evaluation]", "evaluation]"),
        ("title = \"", "title = "),
        ("id = \"", "id \""),
        ("experts_min = 3", "experts_min = "),
        ("countries = []", "countries = ["),
        ("[legal]", "[legal]]"),
        ("annexes = \"Horizon", "annexes Horizon"),
        ("[[evaluation.stages.criteria]]", "[evaluation.stages.criteria]]"),
        ("[evaluation.scale]", "[evaluation.scale"),
        ("key = \"impact\"", "key = \"impact"),
    ] {
        let mistakes = parse(&changed("ai-factory-antennas", &[(from, to)])).unwrap_err();
        assert!(!mistakes.is_empty(), "{to}");
        assert!(mistakes.len() <= 2, "{to}: {mistakes:#?}");
        for mistake in mistakes {
            assert!(mistake.path.is_empty(), "{to}: {mistake}");
        }
    }
}
