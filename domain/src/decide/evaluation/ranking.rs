//! One ranking from consensus scores, whatever the order in which they came: thresholds on unweighted
//! scores, order by the weighted total, and ties by the comparators of the rules, one place at a time,
//! because coverage and diversity depend on what ranks above.

use crate::decide::prelude::*;
use crate::facts::call::ROUND_REASON_BYTES_MAX;
use crate::facts::evaluation::{RankPlace, Tie};
use crate::facts::proposal::Content;
use crate::rulebook::{Comparator, Evaluation, Selection, Stage};
use std::cmp::Ordering;

/// An order that the panel decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelOrder {
    /// The proposals, the best first.
    #[schemars(length(min = 1, max = 50))]
    pub proposals: Vec<ProposalId>,
    /// Why.
    #[schemars(length(min = 1, max = 250))]
    pub reason: String,
}

/// How the evidence of an order begins that the panel decided.
const PANEL: &str = "the panel: ";

/// The most proposals that a tie names: as many ties as proposals are one commit.
const TIE_GROUP_MAX: usize = 8;

/// What is ranked: a proposal with its consensus scores.
#[derive(Clone, Debug)]
pub(super) struct Entrant<'a> {
    pub proposal: ProposalId,
    pub content: &'a Content,
    pub received_at: Timestamp,
    /// Score in tenths by criterion.
    pub scores: Vec<(CriterionKey, u32)>,
}

/// Ranks. The error holds the proposals that no rule tells apart.
pub(super) fn rank(
    rules: &Evaluation,
    stage: &Stage,
    entrants: &[Entrant<'_>],
    panel: &[PanelOrder],
) -> Result<(Vec<RankPlace>, Vec<Tie>), Vec<ProposalId>> {
    let mut scored: Vec<Scored<'_>> = entrants.iter().map(|one| Scored::of(stage, one)).collect();
    scored.sort_by(|a, b| {
        b.passed.cmp(&a.passed).then_with(|| {
            let primary = if a.passed { a.primary(b, rules.selection) } else { Ordering::Equal };
            let total = b.weighted.cmp(&a.weighted);
            primary.then(total).then_with(|| a.entrant.proposal.cmp(&b.entrant.proposal))
        })
    });
    let mut race = Race { rules, panel, above: Vec::new(), ties: Vec::new() };
    let passed = scored.iter().take_while(|one| one.passed).count();
    let (passed, failed) = scored.split_at(passed);
    for group in passed.chunk_by(|a, b| a.primary(b, rules.selection) == Ordering::Equal) {
        race.order(group)?;
    }
    let places = (1..).zip(race.above.into_iter().chain(failed));
    let places = places.map(|(rank, one)| RankPlace {
        passed: one.passed,
        proposal: one.entrant.proposal.clone(),
        rank,
        total_tenths: one.total,
        weighted_thousandths: one.weighted,
    });
    Ok((places.collect(), race.ties))
}

#[derive(Clone, Copy)]
struct Scored<'a> {
    entrant: &'a Entrant<'a>,
    passed: bool,
    total: u32,
    weighted: u64,
}

impl<'a> Scored<'a> {
    fn of(stage: &Stage, entrant: &'a Entrant<'a>) -> Self {
        let (mut total, mut weighted, mut passed) = (0_u32, 0_u64, true);
        for criterion in &stage.criteria {
            let tenths = entrant.score(&criterion.key);
            total = total.saturating_add(tenths);
            weighted += u64::from(tenths) * u64::from(criterion.weight_hundredths);
            passed &= tenths >= criterion.threshold_tenths;
        }
        Self { entrant, passed: passed && total >= stage.threshold_tenths, total, weighted }
    }

    /// What ranks before any tie-break: the weighted total, or the order of arrival.
    fn primary(&self, other: &Self, selection: Selection) -> Ordering {
        match selection {
            Selection::Ranked => other.weighted.cmp(&self.weighted),
            Selection::FirstComeFirstServed | Selection::Technical => {
                self.entrant.received_at.cmp(&other.entrant.received_at)
            }
        }
    }
}

impl Entrant<'_> {
    fn score(&self, criterion: &CriterionKey) -> u32 {
        self.scores.iter().find(|(key, _)| key == criterion).map_or(0, |(_, tenths)| *tenths)
    }

    fn countries(&self) -> BTreeSet<Country> {
        self.content.country.iter().chain(&self.content.partners).copied().collect()
    }
}

struct Race<'a> {
    rules: &'a Evaluation,
    panel: &'a [PanelOrder],
    above: Vec<&'a Scored<'a>>,
    ties: Vec<Tie>,
}

impl<'a> Race<'a> {
    /// Puts the proposals of one total in order: the best, then the best of the rest, and so on.
    fn order(&mut self, group: &'a [Scored<'a>]) -> Result<(), Vec<ProposalId>> {
        let mut left: Vec<&Scored<'_>> = group.iter().collect();
        while left.len() > 1 {
            let mut best = left.clone();
            let mut decided = None;
            for comparator in &self.rules.tie_break {
                let kept = self.keep_best(comparator, &best);
                if kept.len() < best.len() {
                    decided = Some((comparator, self.evidence(comparator, &best, kept[0])));
                    best = kept;
                }
                if best.len() == 1 {
                    break;
                }
            }
            let (Some((comparator, evidence)), [winner]) = (decided, &best[..]) else {
                return Err(ids(&best));
            };
            let winner = *winner;
            let mut group = ids(&left);
            group.truncate(TIE_GROUP_MAX);
            self.ties.push(Tie {
                comparator: comparator.clone(),
                evidence: clip(evidence),
                group,
                winner: winner.entrant.proposal.clone(),
            });
            self.above.push(winner);
            left.retain(|one| one.entrant.proposal != winner.entrant.proposal);
        }
        self.above.extend(left);
        Ok(())
    }

    fn keep_best(&self, by: &Comparator, group: &[&'a Scored<'a>]) -> Vec<&'a Scored<'a>> {
        let standing = |one: &Scored<'_>| self.standing(by, group, one.entrant);
        let best = group.iter().map(|one| standing(one)).min();
        group.iter().copied().filter(|one| Some(standing(one)) == best).collect()
    }

    /// How a proposal stands by a comparator: the smaller is the better.
    fn standing(&self, by: &Comparator, group: &[&Scored<'_>], one: &Entrant<'_>) -> Fraction {
        match by {
            Comparator::Coverage => Fraction::number(i128::from(self.new_aspects(one).is_empty())),
            Comparator::Criterion { criterion } => {
                Fraction::number(-i128::from(one.score(criterion)))
            }
            Comparator::GenderBalance => {
                Fraction::of(one.content.women_share, |num, den| ((2 * num - den).abs(), 2 * den))
            }
            Comparator::GeographicalDiversity => {
                Fraction::number(-count(self.new_countries(one).len()))
            }
            Comparator::SmeShare => Fraction::of(one.content.sme_share, |num, den| (-num, den)),
            Comparator::SubmittedFirst => Fraction::number(one.received_at.as_nanosecond()),
            Comparator::PanelOrder => {
                let place = self.panel_order(group).and_then(|order| {
                    order.proposals.iter().position(|proposal| *proposal == one.proposal)
                });
                Fraction(place.map(|place| (count(place), 1)))
            }
        }
    }

    fn panel_order(&self, group: &[&Scored<'_>]) -> Option<&PanelOrder> {
        let orders = |order: &&PanelOrder| {
            group.iter().all(|one| order.proposals.contains(&one.entrant.proposal))
        };
        self.panel.iter().find(orders)
    }

    fn new_aspects(&self, one: &Entrant<'_>) -> Vec<AspectKey> {
        let covered = |key: &&AspectKey| {
            self.above.iter().any(|above| above.entrant.content.covers.contains(key))
        };
        one.content.covers.iter().filter(|key| !covered(key)).cloned().collect()
    }

    fn new_countries(&self, one: &Entrant<'_>) -> BTreeSet<Country> {
        let mut countries = one.countries();
        for above in &self.above {
            for country in above.entrant.countries() {
                countries.remove(&country);
            }
        }
        countries
    }

    /// What a comparator saw in the one that goes first.
    fn evidence(&self, by: &Comparator, group: &[&Scored<'_>], winner: &Scored<'_>) -> String {
        let one = winner.entrant;
        let share = |share: Option<Rate>| {
            share.map_or_else(|| "an unknown share".to_owned(), |share| share.to_string())
        };
        match by {
            Comparator::Coverage => format!("covers {} first", list(&self.new_aspects(one))),
            Comparator::Criterion { criterion } => {
                format!("{} tenths on {criterion}", one.score(criterion))
            }
            Comparator::GenderBalance => {
                format!("{} of the named researchers are women", share(one.content.women_share))
            }
            Comparator::GeographicalDiversity => {
                let countries: Vec<Country> = self.new_countries(one).into_iter().collect();
                format!("{} new countries: {}", countries.len(), list(&countries))
            }
            Comparator::SmeShare => {
                format!("{} of the budget goes to SMEs", share(one.content.sme_share))
            }
            Comparator::SubmittedFirst => format!("received at {}", one.received_at),
            Comparator::PanelOrder => self
                .panel_order(group)
                .map_or_else(String::new, |order| format!("{PANEL}{}", order.reason)),
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Evidence as long as a reason may be: a list of what is covered can be longer.
fn clip(mut evidence: String) -> String {
    let most = ROUND_REASON_BYTES_MAX + PANEL.len();
    if evidence.len() > most {
        evidence.truncate(evidence.floor_char_boundary(most - "…".len()));
        evidence.push('…');
    }
    evidence
}

fn count(number: usize) -> i128 {
    i128::try_from(number).unwrap_or(i128::MAX)
}

/// In order of the ids, so that the record does not depend on the order of arrival.
fn ids(group: &[&Scored<'_>]) -> Vec<ProposalId> {
    let ids: BTreeSet<&ProposalId> = group.iter().map(|one| &one.entrant.proposal).collect();
    ids.into_iter().cloned().collect()
}

/// An exact fraction to compare by; what is not known comes last.
#[derive(Clone, Copy, Debug)]
struct Fraction(Option<(i128, i128)>);

impl Fraction {
    fn number(number: i128) -> Self {
        Self(Some((number, 1)))
    }

    fn of(rate: Option<Rate>, key: impl Fn(i128, i128) -> (i128, i128)) -> Self {
        Self(rate.map(|rate| {
            let (num, den) = rate.parts();
            key(i128::from(num), i128::from(den))
        }))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Some((a, b)), Some((c, d))) => (a * d).cmp(&(c * b)),
            (known, other) => other.is_some().cmp(&known.is_some()),
        }
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rulebook::{parse, shipped};
    use proptest::prelude::*;

    fn rules(name: &str) -> Evaluation {
        parse(shipped(name).unwrap()).unwrap().evaluation.unwrap()
    }

    fn content(covers: &str, countries: &str, women: Option<u32>) -> Content {
        let mut countries = countries.split_whitespace().map(|code| code.parse().unwrap());
        Content {
            country: countries.next(),
            partners: countries.collect(),
            covers: covers.split_whitespace().map(|key| key.parse().unwrap()).collect(),
            women_share: women.and_then(Rate::percent),
            ..Content::default()
        }
    }

    fn entrant<'a>(id: &str, scores: [u32; 3], content: &'a Content) -> Entrant<'a> {
        let criteria = ["excellence", "impact", "implementation"];
        let scores = criteria.iter().zip(scores).map(|(key, one)| (key.parse().unwrap(), one));
        Entrant {
            proposal: id.parse().unwrap(),
            content,
            received_at: Timestamp::UNIX_EPOCH,
            scores: scores.collect(),
        }
    }

    fn order(rules: &Evaluation, entrants: &[Entrant<'_>]) -> (String, String) {
        let stage = rules.stages.last().unwrap();
        let (places, ties) = rank(rules, stage, entrants, &[]).unwrap();
        let order: Vec<&str> = places.iter().map(|place| place.proposal.as_str()).collect();
        let ties: Vec<String> =
            ties.iter().map(|tie| format!("{}: {}", tie.winner, tie.evidence)).collect();
        (order.join(" "), ties.join("; "))
    }

    #[test]
    fn weights_count_for_the_order_and_not_for_thresholds() {
        let (same, rules) = (content("", "FI", None), rules("horizon-two-stage"));
        let entrants = [
            entrant("excellent", [50, 30, 30], &same),
            entrant("useful", [30, 45, 30], &same),
            entrant("weak", [25, 50, 50], &same),
        ];
        assert_eq!(order(&rules, &entrants).0, "useful excellent weak");
        let places = rank(&rules, &rules.stages[1], &entrants, &[]).unwrap().0;
        let weak = places.last().unwrap();
        assert!(!weak.passed && weak.weighted_thousandths > places[0].weighted_thousandths);
    }

    #[test]
    fn coverage_depends_on_what_ranks_above() {
        let rules = rules("ai-factories");
        let (health, robots) = (content("health", "FI", None), content("robots", "FI", None));
        let entrants = [
            entrant("A", [50, 50, 50], &health),
            entrant("B", [45, 40, 45], &health),
            entrant("C", [40, 45, 45], &robots),
        ];
        let (order, ties) = order(&rules, &entrants);
        assert_eq!(order, "A C B");
        assert_eq!(ties, "C: covers robots first");
    }

    #[test]
    fn countries_count_once() {
        let rules = rules("ai-factories");
        let contents =
            [content("", "FI SE NO", None), content("", "FI SE", None), content("", "PT", None)];
        let entrants = [
            entrant("A", [40, 40, 40], &contents[0]),
            entrant("B", [40, 40, 40], &contents[1]),
            entrant("C", [40, 40, 40], &contents[2]),
        ];
        let (order, ties) = order(&rules, &entrants);
        assert_eq!(order, "A C B");
        assert_eq!(ties, "A: 3 new countries: FI, NO, SE; C: 1 new countries: PT");
    }

    #[test]
    fn an_unknown_share_comes_after_every_known_one() {
        let rules = rules("ai-factories");
        let contents = [content("", "FI", None), content("", "FI", Some(90))];
        let entrants =
            [entrant("A", [40, 40, 40], &contents[0]), entrant("B", [40, 40, 40], &contents[1])];
        assert_eq!(order(&rules, &entrants).0, "B A");
    }

    #[test]
    fn first_come_is_first_served_among_those_that_pass() {
        let same = content("", "FI", None);
        let rules =
            Evaluation { selection: Selection::FirstComeFirstServed, ..rules("ai-factories") };
        let late = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
        let entrants = [
            Entrant { received_at: late, ..entrant("best", [50, 50, 50], &same) },
            entrant("first", [35, 35, 35], &same),
            entrant("failed", [20, 50, 50], &same),
        ];
        assert_eq!(order(&rules, &entrants).0, "first best failed");
    }

    #[test]
    fn what_no_rule_tells_apart_waits_for_the_panel() {
        let (same, rules) = (content("", "FI", None), rules("ai-factories"));
        let entrants = [entrant("A", [40, 40, 40], &same), entrant("B", [40, 40, 40], &same)];
        let unresolved = rank(&rules, &rules.stages[0], &entrants, &[]).unwrap_err();
        assert_eq!(unresolved.len(), 2);
        let proposals = vec!["B".parse().unwrap(), "A".parse().unwrap()];
        let panel = [PanelOrder { proposals, reason: "portfolio".to_owned() }];
        let (places, ties) = rank(&rules, &rules.stages[0], &entrants, &panel).unwrap();
        assert_eq!(places[0].proposal.as_str(), "B");
        assert_eq!(ties[0].evidence, "the panel: portfolio");
    }

    proptest! {
        #[test]
        fn the_ranking_does_not_depend_on_the_order_of_arrival(
            drawn in prop::collection::vec((0_u32..5, 0_u32..5, 0_u32..5, 0_usize..4, 0_u32..3), 1..12),
            shuffle in any::<prop::sample::Index>(),
        ) {
            let rules = rules("ai-factories");
            let covers = ["", "health", "robots", "health robots"];
            let countries = ["FI", "FI SE", "PT", "ES PT"];
            let contents: Vec<Content> = drawn.iter()
                .map(|one| content(covers[one.3], countries[(one.3 + 1) % 4], Some(one.4 * 30)))
                .collect();
            let half = |points: u32| 30 + points * 5 - 5 * u32::from(points == 4) * 4;
            let entrants: Vec<Entrant<'_>> = drawn.iter().zip(&contents).enumerate()
                .map(|(i, (one, content))| {
                    entrant(&format!("P{i:02}"), [half(one.0), half(one.1), half(one.2)], content)
                })
                .collect();
            let order: Vec<ProposalId> = entrants.iter().map(|one| one.proposal.clone()).rev().collect();
            let panel = [PanelOrder { proposals: order, reason: "drawn".to_owned() }];
            let mut other = entrants.clone();
            let middle = shuffle.index(other.len());
            other.rotate_left(middle);
            other[middle..].reverse();
            let first = rank(&rules, &rules.stages[0], &entrants, &panel).unwrap();
            prop_assert_eq!(&first, &rank(&rules, &rules.stages[0], &other, &panel).unwrap());
            let ranks: Vec<u32> = first.0.iter().map(|place| place.rank).collect();
            prop_assert!(ranks.iter().copied().eq(1..=u32::try_from(entrants.len()).unwrap()));
            prop_assert!(first.0.is_sorted_by_key(|place| !place.passed), "who failed comes last");
            let passed = first.0.iter().filter(|place| place.passed);
            prop_assert!(passed.is_sorted_by(|a, b| a.weighted_thousandths >= b.weighted_thousandths));
        }
    }
}
