//! What was funded, by country, type and sector: is the portfolio balanced, and whom does it leave out?

use crate::folds::proposals::Proposals;
use crate::projection::{LARGE, Projection};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::facts::proposal::Content;
use domain::kernel::ids::{CallId, Country, ProjectKind, SectorKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The Member States of the Union (EL is Greece).
const MEMBER_STATES: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The proposals; those that were awarded are counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portfolio {
    proposals: Proposals<Profile>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Profile {
    country: Option<Country>,
    experimental: bool,
    kind: Option<ProjectKind>,
    partners: Vec<Country>,
    sectors: Vec<SectorKey>,
}

impl From<&Content> for Profile {
    fn from(content: &Content) -> Self {
        Self {
            country: content.country,
            experimental: content.experimental,
            kind: content.kind.clone(),
            partners: content.partners.clone(),
            sectors: content.sectors.clone(),
        }
    }
}

/// A count by call and by what is counted; `None` is not known.
type Counts = BTreeMap<(Option<CallId>, Option<String>), u64>;

impl Projection for Portfolio {
    const NAME: &'static str = "portfolio";
    const SUMMARY: &'static str = "What was funded, by country, type, sector and partners";
    const EVERY: u64 = LARGE;

    fn apply(&mut self, commit: &Commit, event: &Recorded) {
        self.proposals.apply(commit, event);
    }

    fn report(&self, _: &Query) -> Report {
        let country = |profile: &Profile| vec![profile.country.map(|it| it.to_string())];
        let kind = |profile: &Profile| vec![profile.kind.as_ref().map(ToString::to_string)];
        let sectors = |it: &Profile| it.sectors.iter().map(|it| Some(it.to_string())).collect();
        let partners = |it: &Profile| it.partners.iter().map(|it| Some(it.to_string())).collect();
        Report::new(Self::NAME, "Portfolio")
            .with(self.calls())
            .with(self.by("countries", "By country of the applicant", "Country", country))
            .with(self.by("types", "By type", "Type", kind))
            .with(self.by("sectors", "By sector (a proposal may serve several)", "Sector", sectors))
            .with(self.by("partners", "By country of the partners", "Country", partners))
    }
}

impl Portfolio {
    fn funded(&self) -> impl Iterator<Item = (&Option<CallId>, Option<&Profile>)> {
        let funded = self.proposals.0.values().filter(|it| it.award.is_some());
        funded.map(|it| (&it.call, it.content.as_ref()))
    }

    fn calls(&self) -> Table {
        let mut table = Table::new(
            "calls",
            "By call",
            &[
                ("call", "Call", Kind::Text),
                ("funded", "Funded", Kind::Count),
                ("member_states", "Member States", Kind::Count),
                ("other_states", "Other states", Kind::Count),
                ("with_partners", "States with partners", Kind::Count),
                ("experimental", "Experimental", Kind::Count),
                ("country_unknown", "Country unknown", Kind::Count),
            ],
        );
        let mut calls: BTreeMap<&Option<CallId>, Vec<Option<&Profile>>> = BTreeMap::new();
        for (call, profile) in self.funded() {
            calls.entry(call).or_default().push(profile);
        }
        for (call, profiles) in calls {
            let known = || profiles.iter().flatten();
            let countries: BTreeSet<Country> = known().filter_map(|it| it.country).collect();
            let (members, others): (Vec<&Country>, Vec<&Country>) =
                countries.iter().partition(|it| MEMBER_STATES.contains(&it.to_string().as_str()));
            let partners = known().flat_map(|it| &it.partners).copied();
            let all: BTreeSet<Country> = partners.chain(countries.iter().copied()).collect();
            let unknown = profiles.iter().filter(|it| it.is_none_or(|it| it.country.is_none()));
            table.push([
                call.as_ref().map_or(Cell::Unknown, Cell::text),
                Cell::count(profiles.len()),
                Cell::count(members.len()),
                Cell::count(others.len()),
                Cell::count(all.len()),
                Cell::count(known().filter(|it| it.experimental).count()),
                Cell::count(unknown.count()),
            ]);
        }
        table
    }

    fn by(
        &self,
        key: &'static str,
        title: &str,
        what: &'static str,
        of: impl Fn(&Profile) -> Vec<Option<String>>,
    ) -> Table {
        let mut counts = Counts::new();
        for (call, profile) in self.funded() {
            for name in profile.map_or_else(|| vec![None], &of) {
                *counts.entry((call.clone(), name)).or_default() += 1;
            }
        }
        let columns = [
            ("call", "Call", Kind::Text),
            ("name", what, Kind::Text),
            ("funded", "Funded", Kind::Count),
        ];
        let mut table = Table::new(key, title, &columns);
        for ((call, name), count) in counts {
            table.push([
                call.map_or(Cell::Unknown, Cell::text),
                name.map_or(Cell::Unknown, Cell::from),
                count.into(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{report, rows};

    fn draft(number: usize, content: &str) -> [String; 4] {
        let data = format!(
            r#"{{"applicant":"a","call":"C","content":{{"acronym":"A{number}","title":"t",{content}}}}}"#
        );
        ["2024-10-01".to_owned(), format!("proposal-P{number}"), "Drafted".to_owned(), data]
    }

    fn awarded(number: usize) -> [String; 4] {
        let data = format!(r#"{{"cut_off":"R1","grant":"G{number}"}}"#);
        ["2024-12-10".to_owned(), format!("proposal-P{number}"), "Awarded".to_owned(), data]
    }

    fn at(lines: &[[String; 4]], table: &str) -> Vec<String> {
        let lines: Vec<_> = lines
            .iter()
            .map(|[at, stream, kind, data]| (&**at, &**stream, &**kind, &**data))
            .collect();
        rows(&report("portfolio", &lines, None), table)
    }

    #[test]
    fn nineteen_factories_are_in_sixteen_member_states() {
        // The published list: seven, six and six; Germany, Spain and Poland twice.
        let countries = [
            "FI", "ES", "IT", "LU", "DE", "EL", "SE", "AT", "BG", "FR", "DE", "PL", "SI", "CZ",
            "LT", "NL", "PL", "RO", "ES",
        ];
        let drafts = countries.iter().zip(1..);
        let lines: Vec<[String; 4]> = drafts
            .flat_map(|(country, number)| {
                [draft(number, &format!(r#""country":"{country}""#)), awarded(number)]
            })
            .collect();
        assert_eq!(at(&lines, "calls"), ["C|19|16|0|16|0|0"]);
        assert!(at(&lines, "countries").contains(&"C|DE|2".to_owned()));
    }

    #[test]
    fn only_what_was_funded_counts_and_the_unknown_is_said() {
        let lines = [
            draft(
                1,
                r#""country":"FI","experimental":true,"partners":["NO","EE"],"sectors":["health","energy"],"type":"new""#,
            ),
            awarded(1),
            draft(2, r#""country":"CH","sectors":["health"]"#),
            awarded(2),
            draft(3, r#""sectors":[]"#),
            awarded(3),
            draft(4, r#""country":"SE","sectors":["health"],"type":"new""#),
        ];
        assert_eq!(at(&lines, "calls"), ["C|3|1|1|4|1|1"]);
        assert_eq!(at(&lines, "sectors"), ["C|energy|1", "C|health|2"]);
        assert_eq!(at(&lines, "types"), ["C|unknown|2", "C|new|1"]);
        assert_eq!(at(&lines, "partners"), ["C|EE|1", "C|NO|1"]);
    }
}
