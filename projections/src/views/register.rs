//! The published awards: which proposal of which country, in which round, when, how much, from which
//! source (Reg. (EU, Euratom) 2024/2509, Art. 38).

use crate::folds::proposals::Proposals;
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::ids::CutOffKey;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Register;

impl View for Register {
    type Facts = Proposals;

    const NAME: &'static str = "register";
    const SUMMARY: &'static str = "The published awards with their sources";

    fn report(proposals: &Proposals, _: &Query) -> Report {
        let mut table = Table::new(
            "awards",
            "Awards",
            &[
                ("call", "Call", Kind::Text),
                ("round", "Round", Kind::Text),
                ("proposal", "Proposal", Kind::Text),
                ("acronym", "Acronym", Kind::Text),
                ("country", "Country", Kind::Text),
                ("grant", "Grant", Kind::Text),
                ("awarded_at", "Awarded", Kind::Instant),
                ("union", "Union", Kind::Money),
                ("source", "Source", Kind::Text),
                ("confidence", "", Kind::Confidence),
            ],
        )
        .named_by(&["call", "round", "proposal"]);
        let awarded = proposals.0.iter().filter_map(|(id, it)| Some((id, it, it.award.as_ref()?)));
        let mut awarded: Vec<_> = awarded.collect();
        awarded.sort_by_key(|(id, it, award)| (&it.call, award.at, &it.cut_off, *id));
        for (id, proposal, award) in awarded {
            let name = proposal.content.as_ref();
            let country = name.and_then(|name| name.country);
            table.push([
                proposal.call.as_ref().map_or(Cell::Unknown, Cell::text),
                Cell::maybe(proposal.cut_off.as_ref().map(CutOffKey::as_str)),
                Cell::text(id),
                name.map_or(Cell::Unknown, |name| name.acronym.as_str().into()),
                country.map_or(Cell::Unknown, Cell::text),
                Cell::text(&award.grant),
                award.at.into(),
                Cell::known(award.union),
                Cell::maybe(award.source.as_deref()),
                Cell::maybe(award.confidence),
            ]);
        }
        Report::new(Self::NAME, "Register of awards").with(table)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{report, rows};

    #[test]
    fn an_award_is_listed_with_its_source_and_an_unknown_amount_stays_unknown() {
        let lines = [
            (
                "2024-09-20",
                "proposal-P1",
                "Drafted",
                r#"{"applicant":"a","call":"C","content":{"acronym":"LUMI","country":"FI","title":"t"}}"#,
            ),
            (
                "2024-09-20",
                "proposal-P2",
                "Drafted",
                r#"{"applicant":"a","call":"C","content":{"acronym":"NOT","title":"t"}}"#,
            ),
            ("2024-12-10", "proposal-P1", "?Awarded", r#"{"cut_off":"R1","grant":"G1"}"#),
            (
                "2024-12-10",
                "proposal-P3",
                "Awarded",
                r#"{"cut_off":"R1","grant":"G3","union":"EUR 5"}"#,
            ),
        ];
        let now = report("register", &lines, None);
        assert_eq!(
            rows(&now, "awards"),
            [
                "unknown|R1|P3|unknown|unknown|G3|2024-12-10T12:00:00Z|5.00|src|",
                "C|R1|P1|LUMI|FI|G1|2024-12-10T12:00:00Z|unknown|src|(fixture)",
            ]
        );
        assert!(rows(&report("register", &lines, Some("2024-12-09")), "awards").is_empty());
    }
}
