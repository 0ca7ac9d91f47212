//! The ranking of each evaluation: places, totals, what decided between equals, and the outcome.
//! Scores are never public; those of a demonstration are marked as fixtures.

use crate::folds::ranking::{Evaluation, Outcome, Ranked, Ranking as Facts};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::actor::Confidence;
use domain::kernel::ids::{EvaluationId, ProposalId};
use domain::rulebook::Comparator;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Ranking;

impl View for Ranking {
    type Facts = Facts;
    const NAME: &'static str = "ranking";
    const SUMMARY: &'static str = "Places, totals, ties and outcome of each evaluation";

    fn report(facts: &Facts, _: &Query) -> Report {
        Report::new(Self::NAME, "Ranking")
            .with(facts.places())
            .with(facts.ties())
            .with(facts.scores())
            .note("Total: sum of the scores. Weighted: sum of score times weight.")
            .note("The order of proposals that did not pass means nothing.")
    }
}

impl Evaluation {
    /// The least sure of what a place rests on.
    fn confidence(&self, ranked: &Ranked, proposal: &ProposalId) -> Option<Confidence> {
        let consensus = self.consensus.get(proposal).and_then(|it| it.confidence);
        consensus.into_iter().chain(ranked.confidence).max()
    }
}

impl Facts {
    fn ranked(&self) -> impl Iterator<Item = (&EvaluationId, &Evaluation, &Ranked)> {
        self.evaluations.iter().filter_map(|(id, it)| Some((id, &**it, it.ranked.as_ref()?)))
    }

    fn places(&self) -> Table {
        let mut table = Table::new(
            "places",
            "",
            &[
                ("call", "Call", Kind::Text),
                ("round", "Round", Kind::Text),
                ("evaluation", "Evaluation", Kind::Text),
                ("rank", "Rank", Kind::Count),
                ("proposal", "Proposal", Kind::Text),
                ("total", "Total", Kind::Decimal),
                ("weighted", "Weighted", Kind::Decimal),
                ("passed", "Passed", Kind::Text),
                ("decided_by", "Tie decided by", Kind::Text),
                ("outcome", "Outcome", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["evaluation", "proposal"]);
        for (id, evaluation, ranked) in self.ranked() {
            for place in &ranked.places {
                let tie = ranked.ties.iter().find(|tie| tie.winner == place.proposal);
                let outcome = self.outcomes.get(&place.proposal).map(|outcome| match outcome {
                    Outcome::Funded => "funded",
                    Outcome::Reserve => "reserve",
                    Outcome::Rejected => "rejected",
                });
                table.push([
                    evaluation.call.as_ref().map_or(Cell::Unknown, Cell::text),
                    evaluation.cut_off.as_ref().map_or(Cell::Unknown, Cell::text),
                    Cell::text(id),
                    u64::from(place.rank).into(),
                    Cell::text(&place.proposal),
                    tenths(place.total_tenths),
                    thousandths(place.weighted_thousandths),
                    Cell::yes(place.passed),
                    Cell::maybe(tie.map(|tie| comparator(&tie.comparator))),
                    Cell::maybe(outcome),
                    Cell::maybe(evaluation.confidence(ranked, &place.proposal)),
                ]);
            }
        }
        table
    }

    fn ties(&self) -> Table {
        let mut table = Table::new(
            "ties",
            "Ties",
            &[
                ("evaluation", "Evaluation", Kind::Text),
                ("winner", "First", Kind::Text),
                ("among", "Among", Kind::Text),
                ("comparator", "Decided by", Kind::Text),
                ("evidence", "It saw", Kind::Text),
            ],
        )
        .named_by(&["evaluation", "winner", "among"]);
        for (id, _, ranked) in self.ranked() {
            for tie in &ranked.ties {
                let among: Vec<&str> = tie.group.iter().map(ProposalId::as_str).collect();
                table.push([
                    Cell::text(id),
                    Cell::text(&tie.winner),
                    among.join(", ").into(),
                    comparator(&tie.comparator).into(),
                    tie.evidence.as_str().into(),
                ]);
            }
        }
        table
    }

    fn scores(&self) -> Table {
        let mut table = Table::new(
            "scores",
            "Consensus scores",
            &[
                ("evaluation", "Evaluation", Kind::Text),
                ("proposal", "Proposal", Kind::Text),
                ("criterion", "Criterion", Kind::Text),
                ("score", "Score", Kind::Decimal),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["evaluation", "proposal", "criterion"]);
        for (id, evaluation) in &self.evaluations {
            for (proposal, consensus) in &evaluation.consensus {
                for (criterion, score) in &consensus.scores {
                    table.push([
                        Cell::text(id),
                        Cell::text(proposal),
                        Cell::text(criterion),
                        tenths(*score),
                        Cell::maybe(consensus.confidence),
                    ]);
                }
            }
        }
        table
    }
}

fn tenths(tenths: u32) -> Cell {
    Cell::Decimal { units: i64::from(tenths), decimals: 1 }
}

fn thousandths(thousandths: u64) -> Cell {
    Cell::Decimal { units: i64::try_from(thousandths).unwrap_or(i64::MAX), decimals: 3 }
}

fn comparator(comparator: &Comparator) -> String {
    match comparator {
        Comparator::Coverage => "coverage".to_owned(),
        Comparator::Criterion { criterion } => format!("criterion {criterion}"),
        Comparator::GenderBalance => "gender balance".to_owned(),
        Comparator::GeographicalDiversity => "geographical diversity".to_owned(),
        Comparator::SmeShare => "share of SMEs".to_owned(),
        Comparator::PanelOrder => "order of the panel".to_owned(),
        Comparator::SubmittedFirst => "submitted first".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    const DAY: &str = "2024-12-01";

    fn history() -> Vec<GivenLine<'static>> {
        vec![
            (DAY, "evaluation-E", "Opened", r#"{"call":"C","cut_off":"R1","stage":"S"}"#),
            (
                DAY,
                "evaluation-E",
                "?ConsensusReached",
                r#"{"proposal":"P1","rapporteur":"x","reports":[1],"scores":[{"comment":"c","criterion":"impact","tenths":45}]}"#,
            ),
            (
                DAY,
                "evaluation-E",
                "ConsensusReached",
                r#"{"proposal":"P2","rapporteur":"x","reports":[2],"scores":[{"comment":"c","criterion":"impact","tenths":45}]}"#,
            ),
            (
                DAY,
                "evaluation-E",
                "Ranked",
                r#"{"ranking":[{"passed":true,"proposal":"P2","rank":1,"total_tenths":135,"weighted_thousandths":14250},{"passed":true,"proposal":"P1","rank":2,"total_tenths":135,"weighted_thousandths":14250}],"ties":[{"comparator":{"by":"criterion","criterion":"impact"},"evidence":"4.5 = 4.5","group":["P1","P2"],"winner":"P2"}]}"#,
            ),
            ("2024-12-10", "proposal-P2", "Awarded", r#"{"cut_off":"R1","grant":"G2"}"#),
            ("2024-12-10", "proposal-P1", "Reserved", r#"{"cut_off":"R1","place":1}"#),
        ]
    }

    #[test]
    fn a_place_says_what_decided_and_whether_its_scores_are_invented() {
        let now = report("ranking", &history(), None);
        assert_eq!(
            rows(&now, "places"),
            [
                "C|R1|E|1|P2|13.5|14.250|yes|criterion impact|funded|",
                "C|R1|E|2|P1|13.5|14.250|yes||reserve|(fixture)",
            ]
        );
        assert_eq!(rows(&now, "ties"), ["E|P2|P1, P2|criterion impact|4.5 = 4.5"]);
        assert_eq!(rows(&now, "scores")[0], "E|P1|impact|4.5|(fixture)");
        let before = report("ranking", &history(), Some("2024-12-05"));
        assert!(rows(&before, "places")[0].ends_with("criterion impact||"));
    }

    #[test]
    fn a_conflict_voids_the_ranking() {
        let mut lines = history();
        lines.push((DAY, "evaluation-E", "ConflictDeclared", r#"{"expert":"x","kind":"involved","learnt":"l","proposal":"P1","void_consensus":true,"void_ranking":true,"void_reports":[1]}"#));
        let now = report("ranking", &lines, None);
        assert!(rows(&now, "places").is_empty());
        assert_eq!(rows(&now, "scores"), ["E|P2|impact|4.5|"]);
    }
}
