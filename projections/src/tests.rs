//! What holds for every view.

use crate::sample::{self, Pick, TEMPLATES};
use crate::{AsOf, History, Query, Views, digests_as_of, fold, names};
use domain::Commit;
use domain::kernel::money::Money;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use std::sync::Arc;

pub(crate) fn hour(hour: i64) -> Timestamp {
    let start: Timestamp = "2024-09-10T08:00:00Z".parse().unwrap();
    start + hour.hours()
}

/// Up to three events; most are true when they are recorded, some were true long before.
fn picks(category: &str) -> impl Strategy<Value = Vec<(usize, u8, u8, u16, u64)>> + use<> {
    let late = prop_oneof![4 => Just(0_u64), 1 => 0_u64..300];
    let of = |template: &usize| TEMPLATES[*template].0.starts_with(category);
    let template = prop::sample::select((0..TEMPLATES.len()).filter(of).collect::<Vec<_>>());
    prop::collection::vec((template, 1_u8..4, 1_u8..4, 1_u16..1000, late), 1..4)
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Arc<Commit>>> {
    history_of("")
}

/// All events are of a category.
fn history_of(category: &str) -> impl Strategy<Value = Vec<Arc<Commit>>> + use<> {
    prop::collection::vec(picks(category), 1..120).prop_map(|commits| {
        let commits = (1_u64..).zip(commits).map(|(position, picks)| {
            let at = |late: u64| hour(position as i64 - late.min(position) as i64);
            let pick =
                |&(template, a, b, n, late): &_| Pick { template, a, b, n, effective_at: at(late) };
            let picks: Vec<Pick> = picks.iter().map(pick).collect();
            Arc::new(sample::commit(position, at(0), &picks))
        });
        commits.collect()
    })
}

pub(crate) fn moment() -> impl Strategy<Value = AsOf> {
    let axis = || prop_oneof![Just(None), (0_u64..130).prop_map(Some)];
    (axis(), axis(), axis()).prop_map(|(position, known, as_of)| AsOf {
        as_of: as_of.map(|at| hour(at as i64)),
        known_at: known.map(|at| hour(at as i64)),
        position,
    })
}

/// The slow and simple way: from nothing, every event through the filter.
fn naive(commits: &[Arc<Commit>], moment: &AsOf) -> Views {
    let mut views = Views::default();
    for commit in commits {
        let mut filtered = Commit::clone(commit);
        filtered.events.retain(|event| moment.admits(commit, event));
        views.apply(&filtered);
    }
    views
}

pub(crate) fn small(mut history: History) -> History {
    history.scale(4, 3, 5, 10);
    history
}

/// The lines of the ledger; those without commitments are left out.
fn ladder(views: &Views) -> Vec<Vec<crate::Cell>> {
    let report = views.report("ledger", &Query::default()).unwrap();
    let lines = report.table("lines").unwrap().rows.iter().cloned();
    lines.filter(|row| row[5..].iter().any(is_something)).collect()
}

/// What the budget sums up from the top of the ladder, as what stands on each rung.
fn budget_as_ladder(views: &Views) -> Vec<Vec<crate::Cell>> {
    let report = views.report("budget", &Query::default()).unwrap();
    let lines = report.table("lines").unwrap().rows.iter();
    let rungs = lines.map(|row| {
        let [fund, line, source, appropriation, sums @ .., open, left, _] = &row[..] else {
            panic!("the budget has other columns: {row:?}");
        };
        let mut cells = vec![fund, line, source, appropriation, left];
        let between: Vec<crate::Cell> =
            sums.windows(2).map(|pair| less(&pair[0], &pair[1])).collect();
        cells.extend(&between);
        cells.extend([&sums[sums.len() - 1], open]);
        cells.into_iter().cloned().collect::<Vec<_>>()
    });
    rungs.filter(|row| row[5..].iter().any(is_something)).collect()
}

fn is_something(cell: &crate::Cell) -> bool {
    *cell != crate::Cell::Money(Money::ZERO)
}

fn less(whole: &crate::Cell, part: &crate::Cell) -> crate::Cell {
    match (whole, part) {
        (crate::Cell::Money(whole), crate::Cell::Money(part)) => whole.minus(*part).unwrap().into(),
        other => panic!("two amounts, not {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_past_is_as_a_fold_of_what_was_then(
        commits in history(),
        moments in prop::collection::vec(moment(), 8),
        resumed_at in 0_usize..120,
    ) {
        let mut from_start = small(History::default());
        commits.iter().for_each(|commit| from_start.apply(commit));
        let (before, after) = commits.split_at(resumed_at.min(commits.len()));
        let mut resumed = small(History::resume(fold(before.iter().map(|commit| &**commit))));
        after.iter().for_each(|commit| resumed.apply(commit));
        for moment in &moments {
            let expected = naive(&commits, moment).digests().unwrap();
            prop_assert_eq!(&digests_as_of(&from_start, moment, &commits), &expected);
            prop_assert_eq!(&digests_as_of(&resumed, moment, &commits), &expected);
        }
    }

    #[test]
    fn stored_views_go_on_as_if_never_stored(commits in history(), cut in 0_usize..120) {
        let (before, after) = commits.split_at(cut.min(commits.len()));
        let views = fold(before.iter().map(|commit| &**commit));
        let stored = serde_json::to_vec(&views).unwrap();
        let mut again: Views = serde_json::from_slice(&stored).unwrap();
        prop_assert_eq!(&again, &views);
        after.iter().for_each(|commit| again.apply(commit));
        let whole = fold(commits.iter().map(|commit| &**commit));
        prop_assert_eq!(again.digests().unwrap(), whole.digests().unwrap());
    }

    #[test]
    fn the_ledger_balances_after_every_commit_whatever_happened(commits in history()) {
        let mut views = Views::default();
        for commit in &commits {
            views.apply(commit);
            for (name, sides) in views.ledger.sides() {
                prop_assert_eq!(sides.debit, sides.credit, "{} at {}", name, commit.position);
            }
        }
    }

    #[test]
    fn the_ledger_agrees_with_the_budget_in_any_order(commits in history_of("fund-")) {
        let views = fold(commits.iter().map(|commit| &**commit));
        prop_assert_eq!(ladder(&views), budget_as_ladder(&views));
    }

    #[test]
    fn every_view_answers_any_history(commits in history()) {
        let views = fold(commits.iter().map(|commit| &**commit));
        for name in names() {
            let report = views.report(name, &Query::default()).unwrap();
            for table in &report.tables {
                for row in table.rows.iter().chain(&table.totals) {
                    prop_assert_eq!(row.len(), table.columns.len(), "{} {}", name, table.key);
                }
            }
            prop_assert!(!report.to_text(100).is_empty());
        }
    }
}

#[test]
fn a_clone_is_not_changed_by_what_follows() {
    let pick = |n| Pick { template: 0, a: 1, b: 1, n, effective_at: hour(0) };
    let mut views = Views::default();
    views.apply(&sample::commit(1, hour(1), &[pick(5)]));
    let (kept, digests) = (views.clone(), views.digests().unwrap());
    views.apply(&sample::commit(2, hour(2), &[pick(7)]));
    assert_eq!(kept.digests().unwrap(), digests);
    assert_ne!(views.digests().unwrap(), digests);
}

#[test]
fn a_question_about_a_recent_moment_reads_no_log() {
    struct Nothing;
    impl crate::CommitSource for Nothing {
        fn read(&self, from: u64, _: u64) -> Result<Vec<Arc<Commit>>, crate::SourceError> {
            Err(crate::SourceError::Missing(from))
        }
    }
    let mut history = History::default();
    for position in 1..=2_000_u64 {
        let at = hour(position as i64);
        let pick = Pick { template: 0, a: 1, b: 1, n: 1, effective_at: at };
        history.apply(&Arc::new(sample::commit(position, at, &[pick])));
    }
    let moment = AsOf { as_of: Some(hour(1_900)), ..AsOf::NOW };
    let report = history.report("budget", &Query::at(moment), &Nothing).unwrap().unwrap();
    let lines = report.table("lines").unwrap();
    assert_eq!(lines.rows[0][3], crate::Cell::Money(Money::euro(1_900)));
    let old = AsOf { position: Some(200), ..AsOf::NOW };
    assert!(matches!(
        history.report("budget", &Query::at(old), &Nothing),
        Err(crate::SourceError::Missing(1))
    ));
}

#[test]
fn the_samples_have_every_category_of_event() {
    for category in domain::facts::event::CATEGORIES {
        let prefix = format!("{category}-");
        let known = TEMPLATES.iter().any(|(stream, ..)| stream.starts_with(&prefix));
        assert!(known, "add samples of the events of {category} to sample.rs");
    }
}

#[test]
fn every_sample_is_read_and_every_view_takes_it_alone() {
    for template in 0..TEMPLATES.len() {
        let pick = Pick { template, a: 1, b: 1, n: 1, effective_at: hour(0) };
        let views = fold(&[sample::commit(1, hour(1), &[pick])]);
        for name in names() {
            assert!(views.report(name, &Query::default()).is_some(), "{name}");
        }
    }
}
