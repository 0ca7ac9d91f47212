//! Decides what is kept about a natural person, and when it goes: sealed contact data, legal holds, erasure
//! as far as the law lets it, and the opening of sealed data, which takes two people.

use crate::decide::prelude::*;
use crate::facts::personal::{OPAQUE_DIGITS_MIN, Retention, is_opaque, subject};
use crate::facts::subject::{Basis, Contact, Event, Ground, Opening, Phase, Subject};
use crate::kernel::sealed::{Purpose, Sealed};
use jiff::ToSpan;

impl Sealed {
    /// Is it about this person, and for this purpose?
    ///
    /// # Errors
    /// When it is not: somebody moved it.
    pub fn check(&self, person: &str, purpose: Purpose) -> Result<(), Refusal> {
        if self.person.as_str() == person && self.purpose == purpose {
            return Ok(());
        }
        let (person, purpose) = (person.to_owned(), purpose);
        Err(Rejection::OtherSeal { person, purpose }.into())
    }
}

/// Refuses an id of a person that could be a name.
///
/// # Errors
/// When it is not opaque.
pub fn check_opaque(id: &str) -> Result<(), Refusal> {
    if is_opaque(id) { Ok(()) } else { Err(Rejection::NotOpaque.into()) }
}

/// Refuses a value about a person whose data has been erased: it would come back.
///
/// # Errors
/// When it has been.
pub fn check_not_erased(world: &World, sealed: &Sealed) -> Result<(), Refusal> {
    match subject(world, &sealed.person).is_some_and(Subject::is_erased) {
        true => Err(Rejection::Erased(sealed.person.to_string()).into()),
        false => Ok(()),
    }
}

/// The most purposes that a command may name: each once.
pub const PURPOSES_MAX: usize = 3;

/// The most holds on one person, and the most openings that were asked for.
pub const ENTRIES_MAX: usize = 1_000;

/// How long an approved opening may be used, in days.
pub const OPENING_DAYS_MAX: i64 = 7;

refusals! {
    Rejection of "subject"

    under OURS, "personal data is sealed before it is recorded (rules.md#sealed)" => {
        NotOpaque
            = "the id of a person is opaque: p and at least {OPAQUE_DIGITS_MIN} hexadecimal \
               digits of a random number" as Malformed;
        OtherSeal { person: String, purpose: Purpose }
            = "a value here is sealed for {person} and {purpose}";
        OtherKey = "values that come together for one purpose must be sealed with one new key";
    }

    under EUDPR, "Art. 4(1): minimisation, accuracy, storage limitation" => {
        Erased(String) = "the data about {0} has been erased";
        NothingNew = "there is nothing to correct" as Malformed;
    }

    under OURS, "a key names one thing for ever (rules.md#keys)" => {
        KeyTaken(String) = "the key {0} is already in use" as Conflict;
        NoKey(String) = "nothing has the key {0}";
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        TooMany = "this person already has {ENTRIES_MAX} of them, which is the limit";
    }

    under EUDPR, "Art. 4(1): minimisation, accuracy, storage limitation" => {
        NothingKept(Purpose) = "nothing about this person is kept for {0}";
    }

    under OURS, "every input has a limit (rules.md#limits)" => {
        BadList = "name each purpose once, and at least one" as Malformed;
    }

    under EUDPR, "Art. 19(3)(b) and (e): legal obligation, legal claims" => {
        OnHold(HoldKey) = "hold {0} keeps the data until it is lifted";
        StillNeeded(StreamId)
            = "{0} has not ended, and the data is kept for some years after its end";
        NotBefore { until: Timestamp, because: StreamId }
            = "the data is kept until {until}, for {because}";
    }

    under OURS, "opening sealed data is a recorded act of two people (rules.md#opening)" => {
        OwnOpening
            = "an opening is approved by someone other than the person who asked for it" as Forbidden;
        OtherOpening = "only the person who asked for an opening can use it" as Forbidden;
        NotApproved(OpeningKey) = "opening {0} has not been approved" as Forbidden;
        ApprovedAlready(OpeningKey) = "opening {0} has been approved already" as Conflict;
        Lapsed { opening: OpeningKey, until: Timestamp } = "opening {opening} could be used until {until}";
        Used(OpeningKey) = "opening {0} has been used" as Conflict;
    }
}

impl Subject {
    /// What is sealed with one key that nothing was sealed with before.
    fn check_new(
        &self,
        sealed: &[(&'static str, &Sealed)],
        person: &str,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let first = sealed.first().map(|(_, sealed)| sealed.commitment);
        for (field, sealed) in sealed {
            sealed.check(person, purpose).map_err(|refusal| refusal.at(*field))?;
            let is_old = self.dead.contains(&sealed.commitment)
                || self.live.values().any(|known| *known == sealed.commitment);
            if Some(sealed.commitment) != first || is_old {
                return Err(Refusal::from(Rejection::OtherKey).at(*field));
            }
        }
        Ok(())
    }

    fn check(
        &self,
        id: &SubjectId,
        contact: Option<&Contact>,
        expertise: Option<&Sealed>,
    ) -> Result<(), Refusal> {
        if let Some(Contact { affiliation, email, name }) = contact {
            let fields = [
                ("/contact/affiliation", affiliation),
                ("/contact/email", email),
                ("/contact/name", name),
            ];
            self.check_new(&fields, id.as_str(), Purpose::Contact)?;
        }
        if let Some(sealed) = expertise {
            self.check_new(&[("/expertise", sealed)], id.as_str(), Purpose::Expertise)?;
        }
        Ok(())
    }

    fn opening(&self, key: &OpeningKey) -> Result<&Opening, Refusal> {
        let missing = || Refusal::from(Rejection::NoKey(key.to_string())).at("/opening");
        self.openings.get(key).ok_or_else(missing)
    }
}

/// The person behind a registration, as actor.
pub(crate) fn person(id: &SubjectId) -> Result<ActorId, Refusal> {
    let malformed = |error: IdError| Common::Malformed(error.to_string()).into();
    id.as_str().parse().map_err(malformed)
}

/// Each once, at least one.
fn check_purposes(purposes: &[Purpose]) -> Result<(), Refusal> {
    check_list("purposes", purposes, PURPOSES_MAX)?;
    let once = purposes.iter().collect::<BTreeSet<_>>().len() == purposes.len();
    if purposes.is_empty() || !once {
        return Err(Refusal::from(Rejection::BadList).at("/purposes"));
    }
    Ok(())
}

commands! {
    |it| it.subject, Phase;

    Register "subject.register" "Register a person: every value is sealed before it is recorded"
        by [ProgrammeOfficer] in [new]
        under OURS, "personal data is sealed before it is recorded (rules.md#sealed)";
    Correct "subject.correct" "Replace data about a person: the keys of the old values go"
        by [ProgrammeOfficer] in [Registered] under EUDPR, "Art. 18: right to rectification";
    SetHold "subject.set_hold"
        "Set a legal hold: nothing about the person is erased while it lasts"
        by [AuthorisingOfficer, Auditor] in [Registered] under EUDPR, "Art. 19(3)(e): legal claims";
    LiftHold "subject.lift_hold" "Lift a legal hold"
        by [AuthorisingOfficer, Auditor] in [Registered] under EUDPR, "Art. 19(3)(e): legal claims";
    Erase "subject.erase"
        "Erase data about a person for ever, unless it must be kept; contact data takes all along"
        by [ProgrammeOfficer] in [Registered] under EUDPR, "Art. 19: right to erasure";
    RequestOpening "subject.request_opening" "Ask to open sealed data about a person"
        by [ProgrammeOfficer, Auditor] in [Registered]
        under OURS, "opening sealed data is a recorded act of two people (rules.md#opening)";
    ApproveOpening "subject.approve_opening"
        "Approve that another person opens sealed data, for seven days"
        by [AuthorisingOfficer, Auditor] in [Registered] needs [OtherPerson]
        under OURS, "opening sealed data is a recorded act of two people (rules.md#opening)";
    Open "subject.open" "Record that sealed data is opened: once, by who asked, before it is shown"
        by [ProgrammeOfficer, Auditor] in [Registered]
        under OURS, "opening sealed data is a recorded act of two people (rules.md#opening)";
}

/// Makes a person known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// How to reach the person.
    pub contact: Contact,
    /// What the person knows, if they agree to be found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expertise: Option<Sealed>,
}

impl Decide for Register {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_opaque(self.subject.as_str()).map_err(|refusal| refusal.at("/subject"))?;
        Subject::default().check(&self.subject, Some(&self.contact), self.expertise.as_ref())?;
        let (contact, expertise) =
            (Box::new(self.contact.clone()), self.expertise.clone().map(Box::new));
        Ok(vec![NewEvent::on(&self.subject, Event::Registered { contact, expertise })])
    }
}

/// Replaces values by right ones.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correct {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// How to reach the person, if that was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// What the person knows, if that was wrong or missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expertise: Option<Sealed>,
}

impl Decide for Correct {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        if self.contact.is_none() && self.expertise.is_none() {
            return Err(Rejection::NothingNew.into());
        }
        subject.check(&self.subject, self.contact.as_ref(), self.expertise.as_ref())?;
        if let Some(hold) = subject.holds.iter().next() {
            return Err(Rejection::OnHold(hold.clone()).into());
        }
        let new = self.contact.iter().map(|_| Purpose::Contact);
        let new = new.chain(self.expertise.iter().map(|_| Purpose::Expertise));
        let replaced = new.filter_map(|purpose| subject.live.get(&purpose).copied()).collect();
        let contact = self.contact.clone().map(Box::new);
        let expertise = self.expertise.clone().map(Box::new);
        Ok(vec![NewEvent::on(&self.subject, Event::Corrected { contact, expertise, replaced })])
    }
}

/// Keeps everything about a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHold {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// The file of the case.
    pub case: CaseKey,
    /// Why.
    pub ground: Ground,
    /// The hold.
    pub hold: HoldKey,
}

impl Decide for SetHold {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        if subject.holds.contains(&self.hold) {
            return Err(Refusal::from(Rejection::KeyTaken(self.hold.to_string())).at("/hold"));
        }
        if subject.holds.len() >= ENTRIES_MAX {
            return Err(Rejection::TooMany.into());
        }
        let (case, ground, hold) = (self.case.clone(), self.ground, self.hold.clone());
        Ok(vec![NewEvent::on(&self.subject, Event::HoldSet { case, ground, hold })])
    }
}

/// Ends a hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftHold {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// The file that says why.
    pub case: CaseKey,
    /// The hold.
    pub hold: HoldKey,
}

impl Decide for LiftHold {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        if !subject.holds.contains(&self.hold) {
            return Err(Refusal::from(Rejection::NoKey(self.hold.to_string())).at("/hold"));
        }
        let (case, hold) = (self.case.clone(), self.hold.clone());
        Ok(vec![NewEvent::on(&self.subject, Event::HoldLifted { case, hold })])
    }
}

/// Erases what is kept about a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// Why it is lawful.
    pub basis: Basis,
    /// The file of the request or the review.
    pub case: CaseKey,
    /// What for it was kept.
    #[schemars(length(min = 1, max = 3))]
    pub purposes: Vec<Purpose>,
}

impl Decide for Erase {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        check_purposes(&self.purposes)?;
        let kept = |purpose: &Purpose| subject.live.contains_key(purpose);
        if let Some(purpose) = self.purposes.iter().find(|purpose| !kept(purpose)) {
            return Err(Refusal::from(Rejection::NothingKept(*purpose)).at("/purposes"));
        }
        if let Some(hold) = subject.holds.iter().next() {
            return Err(Rejection::OnHold(hold.clone()).into());
        }
        let of_person = self.purposes.contains(&Purpose::Contact);
        if of_person {
            match Retention::of(world, &person(&self.subject)?) {
                Retention::Open(stream) => return Err(Rejection::StillNeeded(stream).into()),
                Retention::Until(until, because) if meta.recorded_at < until => {
                    return Err(Rejection::NotBefore { until, because }.into());
                }
                Retention::Until(..) | Retention::Free => {}
            }
        }
        let mut purposes: Vec<Purpose> =
            if of_person { subject.live.keys().copied().collect() } else { self.purposes.clone() };
        purposes.sort_unstable();
        let keys = purposes.iter().filter_map(|purpose| subject.live.get(purpose).copied());
        let (basis, case, commitments) = (self.basis, self.case.clone(), keys.collect());
        Ok(vec![NewEvent::on(&self.subject, Event::Erased { basis, case, commitments, purposes })])
    }
}

/// Asks to open sealed data.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestOpening {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// The file of the case.
    pub case: CaseKey,
    /// Why.
    pub ground: Ground,
    /// The opening.
    pub opening: OpeningKey,
    /// What is to be opened.
    #[schemars(length(min = 1, max = 3))]
    pub purposes: Vec<Purpose>,
}

impl Decide for RequestOpening {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        check_purposes(&self.purposes)?;
        if subject.openings.contains_key(&self.opening) {
            return Err(Refusal::from(Rejection::KeyTaken(self.opening.to_string())).at("/opening"));
        }
        if subject.openings.len() >= ENTRIES_MAX {
            return Err(Rejection::TooMany.into());
        }
        let (case, ground) = (self.case.clone(), self.ground);
        let (opening, purposes) = (self.opening.clone(), self.purposes.clone());
        let event = Event::OpeningRequested { case, ground, opening, purposes };
        Ok(vec![NewEvent::on(&self.subject, event)])
    }
}

/// Agrees that sealed data is opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveOpening {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// The opening.
    pub opening: OpeningKey,
}

impl Meets<needs::OtherPerson> for ApproveOpening {
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal> {
        let subject = world.subjects.get(&self.subject);
        match subject.and_then(|subject| subject.openings.get(&self.opening)) {
            Some(asked) if asked.by.may_be(&meta.actor) => Err(Rejection::OwnOpening.into()),
            _ => Ok(()),
        }
    }
}

impl Decide for ApproveOpening {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        let asked = subject.opening(&self.opening)?;
        if asked.until.is_some() {
            return Err(Rejection::ApprovedAlready(self.opening.clone()).into());
        }
        let hours = OPENING_DAYS_MAX.saturating_mul(24);
        let until = meta.recorded_at.checked_add(hours.hours());
        let until = until.map_err(|_| crate::kernel::time::TimeError::OutOfRange)?;
        let opening = self.opening.clone();
        Ok(vec![NewEvent::on(&self.subject, Event::OpeningApproved { opening, until })])
    }
}

/// Opens sealed data.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The person: an opaque id.
    pub subject: SubjectId,
    /// The opening.
    pub opening: OpeningKey,
}

impl Decide for Open {
    fn decide(&self, world: &World, meta: &Meta) -> Decision {
        let subject = world.find(&world.subjects, &self.subject)?;
        let asked = subject.opening(&self.opening)?;
        if asked.by.id != meta.actor.id {
            return Err(Rejection::OtherOpening.into());
        }
        let opening = self.opening.clone();
        match asked.until {
            None => Err(Rejection::NotApproved(opening).into()),
            Some(_) if asked.is_used => Err(Rejection::Used(opening).into()),
            Some(until) if meta.recorded_at > until => {
                Err(Rejection::Lapsed { opening, until }.into())
            }
            Some(_) => Ok(vec![NewEvent::on(&self.subject, Event::Opened { opening })]),
        }
    }
}

#[cfg(test)]
mod tests;
