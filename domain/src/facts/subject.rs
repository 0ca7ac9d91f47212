//! Holds what is known of a person: the events, stored for ever, and what they add up to.

use crate::facts::stream::{At, Decider, phases};
use crate::kernel::actor::Actor;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{CaseKey, HoldKey, OpeningKey, SubjectId};
use crate::kernel::sealed::{Purpose, Sealed};
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the data about a person. Stored for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "type", content = "data")]
#[strum(prefix = "subject.")]
#[expect(missing_docs, reason = "fields say by name and type what they are")]
pub enum Event {
    /// A person became known.
    #[serde(rename = "subject.Registered")]
    Registered {
        contact: Box<Contact>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expertise: Option<Box<Sealed>>,
    },
    /// New values replace old ones, whose keys go.
    #[serde(rename = "subject.Corrected")]
    Corrected {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Box<Contact>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expertise: Option<Box<Sealed>>,
        replaced: Vec<Sha256Hex>,
    },
    /// Nothing may be erased while it lasts.
    #[serde(rename = "subject.HoldSet")]
    HoldSet { case: CaseKey, ground: Ground, hold: HoldKey },
    /// It ended.
    #[serde(rename = "subject.HoldLifted")]
    HoldLifted { case: CaseKey, hold: HoldKey },
    /// The data of these purposes is erased: whoever keeps the keys with these commitments destroys them.
    #[serde(rename = "subject.Erased")]
    Erased { basis: Basis, case: CaseKey, commitments: Vec<Sha256Hex>, purposes: Vec<Purpose> },
    /// Somebody asks to open sealed data.
    #[serde(rename = "subject.OpeningRequested")]
    OpeningRequested { case: CaseKey, ground: Ground, opening: OpeningKey, purposes: Vec<Purpose> },
    /// Another person agrees.
    #[serde(rename = "subject.OpeningApproved")]
    OpeningApproved { opening: OpeningKey, until: Timestamp },
    /// It is opened now, once.
    #[serde(rename = "subject.Opened")]
    Opened { opening: OpeningKey },
}

/// How to reach a person. Every value is sealed with the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Where the person works.
    pub affiliation: Sealed,
    /// The address for mail.
    pub email: Sealed,
    /// The name.
    pub name: Sealed,
}

/// Why sealed data is opened or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// The person asks what is kept about them.
    AccessRequest,
    /// An audit is going on.
    Audit,
    /// Somebody is accused of an irregularity.
    Investigation,
    /// A court decides.
    Litigation,
    /// The person is to be contracted, informed or paid.
    Operation,
}

/// Why data is erased: Reg. (EU) 2018/1725, Art. 19(1), (a) to (e).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Basis {
    /// (a) It is no longer necessary.
    NoLongerNecessary,
    /// (b) The consent was withdrawn.
    ConsentWithdrawn,
    /// (c) The person objects, and nothing overrides it.
    Objection,
    /// (d) It was unlawful to have it.
    Unlawful,
    /// (e) A law asks for it.
    LegalObligation,
}

/// What is kept about one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Commitments of keys that are to be gone.
    pub dead: OrdSet<Sha256Hex>,
    /// What was erased.
    pub erased: OrdMap<Purpose, Erasure>,
    /// Legal holds.
    pub holds: OrdSet<HoldKey>,
    /// Commitments of the keys that open what is kept.
    pub live: OrdMap<Purpose, Sha256Hex>,
    /// Openings that were asked for.
    pub openings: OrdMap<OpeningKey, Opening>,
}

/// A lawful erasure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub basis: Basis,
    /// The file of it.
    pub case: CaseKey,
}

/// An opening of sealed data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Who asked.
    pub by: Actor,
    /// Whether it was used.
    pub is_used: bool,
    /// What is to be opened.
    pub purposes: Vec<Purpose>,
    /// Until when it may be used, once somebody else agreed.
    pub until: Option<Timestamp>,
}

phases! {
    /// Where it is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        Erased = "erased",
        Registered = "registered",
    }
}

impl Decider for Subject {
    type Id = SubjectId;
    type Event = Event;
    type Phase = Phase;

    fn phase(&self) -> Phase {
        if self.is_erased() { Phase::Erased } else { Phase::Registered }
    }

    fn evolve(&mut self, event: &Event, at: &At<'_>) {
        match event {
            Event::Registered { contact, expertise } => {
                self.keep(Some(contact), expertise.as_deref());
            }
            Event::Corrected { contact, expertise, replaced } => {
                self.keep(contact.as_deref(), expertise.as_deref());
                self.dead.extend(replaced.iter().copied());
            }
            Event::HoldSet { hold, .. } => {
                self.holds.insert(hold.clone());
            }
            Event::HoldLifted { hold, .. } => {
                self.holds.remove(hold);
            }
            Event::Erased { basis, case, commitments, purposes } => {
                for purpose in purposes {
                    self.live.remove(purpose);
                    let erasure = Erasure { at: at.recorded_at, basis: *basis, case: case.clone() };
                    self.erased.insert(*purpose, erasure);
                }
                self.dead.extend(commitments.iter().copied());
            }
            Event::OpeningRequested { opening, purposes, .. } => {
                let (by, purposes) = (at.actor.clone(), purposes.clone());
                let asked = Opening { by, is_used: false, purposes, until: None };
                self.openings.insert(opening.clone(), asked);
            }
            Event::OpeningApproved { opening, until } => {
                if let Some(found) = self.openings.get_mut(opening) {
                    found.until = Some(*until);
                }
            }
            Event::Opened { opening } => {
                if let Some(found) = self.openings.get_mut(opening) {
                    found.is_used = true;
                }
            }
        }
    }
}

impl Subject {
    fn keep(&mut self, contact: Option<&Contact>, expertise: Option<&Sealed>) {
        for sealed in contact.map(|contact| &contact.name).into_iter().chain(expertise) {
            self.live.insert(sealed.purpose, sealed.commitment);
            self.erased.remove(&sealed.purpose);
        }
    }

    /// Whether nobody can tell any more who it is.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.erased.contains_key(&Purpose::Contact)
    }
}
