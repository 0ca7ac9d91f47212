//! What is kept about people, by opaque id, and what was erased.

use crate::fold::{Fold, LARGE};
use domain::Commit;
use domain::facts::commit::Recorded;
use domain::facts::subject::{Basis, Contact, Event};
use domain::kernel::ids::{CaseKey, HoldKey, StreamKey, SubjectId};
use domain::kernel::sealed::Purpose;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Persons(pub(crate) OrdMap<SubjectId, Person>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) holds: OrdSet<HoldKey>,
    pub(crate) kept: OrdMap<Purpose, Kept>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) since: Timestamp,
    pub(crate) erased: Option<(Basis, CaseKey)>,
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

impl Fold for Persons {
    const EVERY: u64 = LARGE;

    fn apply(&mut self, _: &Commit, event: &Recorded) {
        if let domain::Event::Subject(inner) = &event.event
            && let Some(id) = SubjectId::of_stream(&event.stream)
        {
            self.0.entry(id).or_default().apply(inner, event.effective_at);
        }
    }
}
