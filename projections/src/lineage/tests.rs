//! The lineage of every figure against the slow and simple way: the whole log, one event after another.

use super::{Figure, Fold, Index, Lineage};
use crate::history::{Facts, History};
use crate::query::{AsOf, Query};
use crate::report::Cell;
use crate::testing::given;
use crate::tests::{history, hour, moment, small};
use crate::views::budget::Budget;
use crate::views::ledger::Ledger;
use crate::{View, Views};
use domain::Commit;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

type Commits = Vec<Arc<Commit>>;

/// For each figure, the places of the events that changed it.
type Places = BTreeMap<Figure, Vec<(u64, usize)>>;

/// Folds everything and looks at everything after every event.
fn brute<V: View<Facts: Facts>>(
    commits: &Commits,
    query: &Query,
) -> (BTreeMap<Figure, Cell>, Places) {
    let mut facts = V::Facts::default();
    let (mut shown, mut places) = (BTreeMap::new(), Places::new());
    for commit in commits {
        for (index, event) in commit.events.iter().enumerate() {
            if !query.moment.admits(commit, event) {
                continue;
            }
            facts.apply(commit, event);
            let next = Figure::all(&V::report(&facts, query));
            for figure in shown.keys().chain(next.keys()) {
                let place = (commit.position, index);
                let found = places.entry(figure.clone()).or_default();
                if shown.get(figure) != next.get(figure) && found.last() != Some(&place) {
                    found.push(place);
                }
            }
            shown = next;
        }
    }
    (shown, places)
}

fn folded(commits: &Commits) -> (History, Index) {
    let (mut history, mut index) = (small(History::default()), Index::default());
    for commit in commits {
        history.apply(commit);
        index.apply(commit);
    }
    (history, index)
}

fn places(lineage: &Lineage) -> Vec<(u64, usize)> {
    lineage.contributions.iter().map(|it| (it.commit.position, it.event)).collect()
}

/// Every figure of a view at a moment: its lineage by the index is that of the slow way, and adds up.
fn agrees<V: View<Facts: Facts>>(commits: &Commits, moment: AsOf) -> Result<usize, TestCaseError> {
    let (history, index) = folded(commits);
    let query = Query::at(moment);
    let (figures, expected) = brute::<V>(commits, &query);
    for (figure, cell) in &figures {
        let candidates = |figure: &Figure| index.candidates(V::NAME, figure);
        let pointer = figure.to_string();
        let lineage =
            history.lineage::<V>((&query, &pointer), &candidates, commits).expect("in memory");
        prop_assert_eq!(&lineage.figure, figure);
        prop_assert_eq!(&lineage.value, cell, "{}", pointer);
        prop_assert!(lineage.fold == Fold::Scope, "{}: the scope is too small", pointer);
        prop_assert_eq!(&places(&lineage), &expected[figure], "{}", pointer);
        prop_assert!(lineage.is_complete && lineage.opening.is_none());
        match cell {
            Cell::Money(_) => prop_assert_eq!(lineage.sum(), Some(cell.clone()), "{}", pointer),
            Cell::Count(count) => {
                let units = i64::try_from(*count).expect("small");
                prop_assert_eq!(lineage.sum(), Some(Cell::Decimal { units, decimals: 0 }));
            }
            _ => {}
        }
        // The window on the whole view tells the same.
        let window =
            history.lineage::<V>((&query, &pointer), &|_| None, commits).expect("in memory");
        prop_assert_eq!(&places(&window), &expected[figure], "{}", pointer);
    }
    Ok(figures.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_lineage_of_every_figure_is_that_of_the_slow_way(commits in history(), moment in moment()) {
        agrees::<Budget>(&commits, moment)?;
        agrees::<Ledger>(&commits, moment)?;
    }

    #[test]
    fn the_differences_between_two_moments_are_those_of_their_reports_and_add_up(
        commits in history(), one in 0_u64..130, other in 0_u64..130, is_effective in any::<bool>(),
    ) {
        let (history, _) = folded(&commits);
        let (first, second) = (hour(one.min(other) as i64), hour(one.max(other) as i64));
        let at = |instant| Query::at(if is_effective {
            AsOf { as_of: Some(instant), ..AsOf::NOW }
        } else {
            AsOf { known_at: Some(instant), ..AsOf::NOW }
        });
        let (from, to) = (at(first), at(second));
        let diff = history.difference::<Budget>((&from, &to), &commits).expect("in memory");
        let fixed = Query { now: to.instant(), ..Query::default() };
        let report = |query: &Query| {
            let facts = history.as_of(&query.moment, &commits).expect("in memory");
            Figure::all(&Budget::report(&facts, &fixed))
        };
        let (old, new) = (report(&from), report(&to));
        let changed = old.keys().chain(new.keys()).filter(|it| old.get(it) != new.get(it));
        let changed: std::collections::BTreeSet<&Figure> = changed.collect();
        prop_assert_eq!(diff.changes.iter().map(|it| &it.figure).collect::<Vec<_>>(),
            changed.into_iter().collect::<Vec<_>>());
        for change in &diff.changes {
            prop_assert_eq!(change.before.as_ref(), old.get(&change.figure));
            prop_assert_eq!(change.after.as_ref(), new.get(&change.figure));
            prop_assert!(is_effective || !change.causes.is_empty(), "{}", change.figure);
            prop_assert!(is_effective || diff.untold.is_none());
            if !change.causes.is_empty() {
                let amounts = change.causes.iter().filter_map(|cause| cause.amount.clone());
                let sum = amounts.reduce(super::figure::sum);
                let expected = super::figure::difference(change.before.as_ref(), change.after.as_ref());
                prop_assert!(sum == expected || expected.is_none(), "{}", change.figure);
            }
        }
    }
}

const VOTED: given::GivenLine<'_> = (
    "2024-01-01",
    "fund-F",
    "AppropriationVoted",
    r#"{"amount":"EUR 2000","line":"L","source":"DEP"}"#,
);

fn raised(count: usize) -> Commits {
    let committed =
        r#"{"amount":"EUR 1","call":"C","commitment":"K","line":"L","round":"1","source":"DEP"}"#;
    let more = r#"{"amount":"EUR 1","commitment":"K","reason":"more"}"#;
    let mut lines = vec![VOTED, ("2024-01-02", "fund-F", "GloballyCommitted", committed)];
    lines.resize(count, ("2024-01-03", "fund-F", "GlobalCommitmentIncreased", more));
    given::commits(&lines)
}

fn why(commits: &Commits, pointer: &str, moment: AsOf) -> Result<Lineage, super::WhyError> {
    let (history, index) = folded(commits);
    let candidates = |figure: &Figure| index.candidates("budget", figure);
    let query = Query::at(moment);
    history.why("budget", (&query, pointer), &candidates, commits).map(|found| found.unwrap())
}

#[test]
fn a_figure_is_named_by_its_row_by_a_number_or_by_its_place_in_the_report() {
    let commits = raised(4);
    let by_name = why(&commits, "/lines/F:L:DEP/committed", AsOf::NOW).unwrap();
    assert_eq!(by_name.value, Cell::Money("EUR 3".parse().unwrap()));
    assert_eq!(places(&by_name), [(1, 0), (2, 0), (3, 0), (4, 0)]);
    for pointer in
        ["/lines/0/committed", "/tables/2/rows/0/committed", "/tables/lines/rows/0/committed"]
    {
        assert_eq!(why(&commits, pointer, AsOf::NOW).unwrap(), by_name, "{pointer}");
    }
    let total = why(&commits, "/tables/2/totals/committed", AsOf::NOW).unwrap();
    assert_eq!((&total.value, places(&total)), (&by_name.value, places(&by_name)));
    assert_eq!(total.figure.to_string(), "/lines/totals/committed");
    let past =
        why(&commits, "/lines/0/committed", AsOf { position: Some(2), ..AsOf::NOW }).unwrap();
    assert_eq!(places(&past), [(1, 0), (2, 0)]);
}

#[test]
fn a_pointer_that_leads_nowhere_is_told_which_part_is_wrong() {
    let commits = raised(4);
    for (pointer, said) in [
        ("", "expected /table/row/column"),
        ("lines/0/paid", "expected /table/row/column"),
        ("/lines/0", "expected /table/row/column"),
        ("/nothing/0/paid", "no table is called"),
        ("/lines/1/paid", "no row \"1\""),
        ("/lines/F:L:RRF/paid", "no row"),
        ("/lines/0/nothing", "no column \"nothing\""),
    ] {
        let error = why(&commits, pointer, AsOf::NOW).unwrap_err().to_string();
        assert!(error.contains(said), "{pointer}: {error}");
    }
}

#[test]
fn of_a_long_lineage_the_end_is_told_and_the_rest_is_one_sum() {
    let commits = raised(super::PROBES_MAX + 10);
    let mut lineage = why(&commits, "/commitments/F:K/committed", AsOf::NOW).unwrap();
    assert_eq!((lineage.fold, lineage.is_complete), (Fold::Scope, false));
    assert_eq!(lineage.contributions.len(), super::PROBES_MAX);
    assert_eq!(lineage.opening, Some(Cell::Money("EUR 9".parse().unwrap())));
    assert_eq!(lineage.sum().as_ref(), Some(&lineage.value));
    lineage.keep(3);
    assert_eq!(lineage.contributions.len(), 3);
    assert_eq!(lineage.sum().as_ref(), Some(&lineage.value));
    assert_eq!(lineage.opening, lineage.contributions[0].before);
}

#[test]
fn an_index_comes_back_from_its_stored_form() {
    let (_, index) = folded(&raised(20));
    let stored = serde_json::to_string(&index).unwrap();
    assert_eq!(serde_json::from_str::<Index>(&stored).unwrap(), index);
    assert!(stored.contains(r#""line:F:L:DEP":[1]"#), "{stored}");
    assert!(!Views::default().report("budget", &Query::default()).unwrap().tables.is_empty());
}
