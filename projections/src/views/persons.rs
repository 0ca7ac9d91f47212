//! What is kept about people, by opaque id: what is sealed, and what was erased lawfully, when and why. It
//! shows no personal data, since the log holds none in clear.

use crate::projection::{LARGE, Projection};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::facts::personal;
use domain::facts::subject::{Basis, Contact, Event};
use domain::kernel::ids::{CaseKey, HoldKey, StreamKey, SubjectId};
use domain::kernel::sealed::Purpose;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Persons(OrdMap<SubjectId, Person>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Person {
    holds: OrdSet<HoldKey>,
    kept: OrdMap<Purpose, Kept>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    since: Timestamp,
    erased: Option<(Basis, CaseKey)>,
}

impl Person {
    fn apply(&mut self, event: &Event, since: Timestamp) {
        match event {
            Event::Registered { contact, expertise } => {
                self.seal(Some(contact), expertise.is_some(), since);
            }
            Event::Corrected { contact, expertise, .. } => {
                self.seal(contact.as_deref(), expertise.is_some(), since);
            }
            Event::HoldSet { hold, .. } => {
                self.holds.insert(hold.clone());
            }
            Event::HoldLifted { hold, .. } => {
                self.holds.remove(hold);
            }
            Event::Erased { basis, case, purposes, .. } => {
                for purpose in purposes {
                    let erased = Some((*basis, case.clone()));
                    self.kept.insert(*purpose, Kept { since, erased });
                }
            }
            Event::OpeningRequested { .. }
            | Event::OpeningApproved { .. }
            | Event::Opened { .. } => {}
        }
    }

    fn seal(&mut self, contact: Option<&Contact>, expertise: bool, since: Timestamp) {
        let purposes = contact.map(|_| Purpose::Contact).into_iter();
        for purpose in purposes.chain(expertise.then_some(Purpose::Expertise)) {
            self.kept.insert(purpose, Kept { since, erased: None });
        }
    }
}

impl Projection for Persons {
    const NAME: &'static str = "persons";
    const SUMMARY: &'static str =
        "What is kept about people, by opaque id, and what was erased lawfully";
    const EVERY: u64 = LARGE;

    fn apply(&mut self, _: &Commit, event: &Recorded) {
        if let domain::Event::Subject(inner) = &event.event
            && let Some(id) = SubjectId::of_stream(&event.stream)
        {
            self.0.entry(id).or_default().apply(inner, event.effective_at);
        }
    }

    fn report(&self, _: &Query) -> Report {
        let mut table = Table::new(
            "persons",
            "People",
            &[
                ("person", "Person", Kind::Text),
                ("purpose", "Purpose", Kind::Text),
                ("state", "State", Kind::Text),
                ("since", "Since", Kind::Instant),
                ("basis", "Basis", Kind::Text),
                ("case", "Case", Kind::Text),
                ("holds", "Holds", Kind::Count),
            ],
        );
        for (id, person) in &self.0 {
            for (purpose, Kept { since, erased }) in &person.kept {
                let state = if erased.is_some() { personal::ERASED } else { "sealed" };
                let basis = erased.as_ref().map(|(basis, _)| <&str>::from(basis));
                table.push([
                    Cell::text(id),
                    Cell::text(purpose),
                    state.into(),
                    (*since).into(),
                    Cell::maybe(basis),
                    Cell::maybe(erased.as_ref().map(|(_, case)| case.as_str())),
                    Cell::Count(person.holds.len() as u64),
                ]);
            }
        }
        Report::new(Self::NAME, "What is kept about people").with(table)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{report, rows};

    #[test]
    fn what_was_erased_lawfully_is_shown_with_its_date_and_its_basis() {
        let sealed = |purpose: &str| {
            format!(
                r#"{{"ciphertext":"{}","commitment":"H","nonce":"{}","person":"p1","purpose":"{purpose}"}}"#,
                "00".repeat(80),
                "00".repeat(24)
            )
        };
        let one = sealed("contact");
        let registered = format!(
            r#"{{"contact":{{"affiliation":{one},"email":{one},"name":{one}}},"expertise":{}}}"#,
            sealed("expertise")
        );
        let lines = [
            ("2024-09-20", "subject-p1", "Registered", registered.as_str()),
            ("2024-10-01", "subject-p1", "HoldSet", r#"{"case":"c","ground":"audit","hold":"H1"}"#),
            (
                "2024-11-01",
                "subject-p1",
                "Erased",
                r#"{"basis":"consent_withdrawn","case":"E-1","commitments":["H"],"purposes":["expertise"]}"#,
            ),
        ];
        let now = report("persons", &lines, None);
        assert_eq!(
            rows(&now, "persons"),
            [
                "p1|contact|sealed|2024-09-20T12:00:00Z|||1",
                "p1|expertise|erased lawfully|2024-11-01T12:00:00Z|consent_withdrawn|E-1|1",
            ]
        );
        let then = report("persons", &lines, Some("2024-09-30"));
        assert_eq!(rows(&then, "persons")[1], "p1|expertise|sealed|2024-09-20T12:00:00Z|||0");
    }
}
