//! Expected values: the test vectors of the auditors' guidance, and tables that others have printed.

use super::*;

fn item(name: &str, euro: i64) -> Item {
    Item { name: name.to_owned(), cents: euro * 100, at: None }
}

fn hash(byte: u8) -> Sha256Hex {
    Sha256Hex([byte; 32])
}

#[test]
fn the_first_factors_are_those_of_the_printed_tables() {
    let four = |assurance: Assurance| -> Vec<i128> {
        assurance.factors().iter().map(|factor| rounded(factor * 10_000, SCALE)).collect()
    };
    assert_eq!(four(Assurance::High)[..6], [29_957, 47_439, 62_958, 77_537, 91_535, 105_130]);
    assert_eq!(four(Assurance::Medium)[..3], [23_026, 38_897, 53_223]);
    assert_eq!(four(Assurance::Low)[..3], [16_094, 29_943, 42_790]);
}

#[test]
fn a_thousand_million_with_two_percent_takes_150_items_and_250_with_an_expected_error() {
    let billion = 100_000_000_000;
    let size = |expected| monetary_size(billion, billion / 50, expected, Assurance::High);
    assert_eq!(size(0), Some(150));
    assert_eq!(size(billion / 200), Some(250));
    assert_eq!(size(billion / 80), None);
}

#[test]
fn two_errors_project_to_the_printed_limit() {
    let tested = [(50, true), (90, true), (100, false)].map(|(audited, _)| Tested {
        book: 100,
        audited,
        top: false,
    });
    let found = project(100_000_000_000, 150, Assurance::High, &tested).unwrap();
    assert_eq!(found.likely, 400_000_000);
    assert_eq!(found.basic, 1_997_154_849);
    assert_eq!(found.allowance, 286_172_689);
    assert_eq!(found.limit, 2_683_327_538);
}

#[test]
fn errors_of_the_top_count_as_they_are_and_understatements_apart() {
    let tested = [
        Tested { book: 10_000, audited: 9_000, top: true },
        Tested { book: 100, audited: 130, top: false },
    ];
    let found = project(20_000, 4, Assurance::Medium, &tested).unwrap();
    assert_eq!((found.top, found.likely, found.under), (1_000, 1_000, 30));
    assert!(found.projected.is_empty());
    // Nothing is left that was not looked at.
    let all = project(10_100, 4, Assurance::Medium, &tested).unwrap();
    assert_eq!((all.basic, all.limit), (0, 1_000));
}

#[test]
fn more_errors_than_factors_have_no_limit() {
    let tested = [Tested { book: 2, audited: 1, top: false }; ERRORS_MAX + 1];
    assert!(project(1_000, 100, Assurance::High, &tested[1..]).is_some());
    assert_eq!(project(1_000, 100, Assurance::High, &tested), None);
}

#[test]
fn the_largest_amounts_do_not_overflow() {
    let most = crate::kernel::money::CENTS_MAX;
    assert_eq!(monetary_size(most, most, 0, Assurance::High), Some(3));
    let tested = [Tested { book: most / 2, audited: 0, top: false }];
    let found = project(most, 1, Assurance::High, &tested).unwrap();
    assert_eq!(found.likely, i128::from(most));
}

#[test]
fn attributes_take_as_many_as_the_poisson_tables_say() {
    let rate = |text: &str| text.parse::<Rate>().unwrap();
    let size =
        |tolerable, expected| attribute_size(rate(tolerable), rate(expected), Assurance::High);
    // 2.9957 / 0.05 and 4.7439 / 0.05; the binomial tables print 59 and 93.
    assert_eq!(size("1/20", "0/1"), Some(60));
    assert_eq!(size("1/20", "1/100"), Some(95));
    assert_eq!(size("0/1", "0/1"), None);
    assert_eq!(size("1/100", "1/100"), None);
    assert_eq!(attribute_limit(60, 0, Assurance::High), Some(49_929));
    assert_eq!(attribute_limit(0, 0, Assurance::High), None);
}

#[test]
fn large_items_are_all_taken_and_every_interval_hits_once() {
    let items: Vec<Item> = (0..100)
        .map(|number| item(&format!("P{number}"), if number == 7 { 5_000 } else { 50 }))
        .collect();
    let drawn = monetary(&items, 20, seed(hash(1), hash(2)));
    assert_eq!(drawn.iter().filter(|one| one.top).count(), 1);
    assert_eq!(drawn[0].item, "P7");
    // The interval is 9 950 / 20 = 497.5; of the other 4 950 it fits 9 times and a bit.
    assert!([10, 11].contains(&drawn.len()), "{}", drawn.len());
    let mut names: Vec<&String> = drawn.iter().map(|one| &one.item).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), drawn.len());
}

#[test]
fn another_seed_draws_another_sample_and_the_order_of_the_items_does_not_matter() {
    let mut items: Vec<Item> =
        (0..200).map(|number| item(&format!("P{number}"), 1 + number)).collect();
    let first = monetary(&items, 30, seed(hash(1), hash(2)));
    assert_ne!(first, monetary(&items, 30, seed(hash(1), hash(3))));
    let (digest_before, by_item) = (digest(&items), attribute(&items, 30, hash(4)));
    items.reverse();
    assert_eq!(first, monetary(&items, 30, seed(hash(1), hash(2))));
    assert_eq!(by_item, attribute(&items, 30, hash(4)));
    assert_eq!(digest_before, digest(&items));
    assert_eq!(attribute(&items, 1_000, hash(4)).len(), 200);
}

#[test]
fn every_euro_has_the_same_chance() {
    // Of 3 and 1, one is drawn; over many seeds three in four times the first.
    let items = [item("a", 3), item("b", 1), item("c", 3), item("d", 1)];
    let mut large = 0;
    for number in 0_u32..2_000 {
        let seed = Sha256Hex::of(&number.to_be_bytes());
        let drawn = monetary(&items, 1, seed);
        assert_eq!(drawn.len(), 1);
        large += u32::from(drawn[0].book == Money::euro(3));
    }
    // 1 500 expected, with a standard deviation of 19.4.
    assert!((1_420..1_580).contains(&large), "{large}");
}

#[test]
fn nothing_has_no_sample() {
    assert!(monetary(&[], 3, hash(0)).is_empty());
    assert!(attribute(&[], 3, hash(0)).is_empty());
    assert_eq!(monetary_size(0, 1, 0, Assurance::High), None);
    assert_eq!(project(0, 0, Assurance::High, &[]), None);
}
