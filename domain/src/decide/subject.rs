//! Decides what is kept about a natural person, and when it goes: sealed contact data, legal holds, erasure
//! as far as the law lets it, and the opening of sealed data, which takes two people.

use crate::decide::command::{Command, Decision, Declaration, Entry, Meta, Need, NewEvent, entry};
use crate::decide::texts::check_list;
use crate::facts::personal::{OPAQUE_DIGITS_MIN, Retention, is_opaque, subject};
use crate::facts::stream::NEW;
use crate::facts::subject::{Basis, Contact, Event, Ground, Opening, Subject};
use crate::facts::world::World;
use crate::kernel::actor::Role;
use crate::kernel::ids::{ActorId, IdError, Key, StreamId, StreamKey, SubjectId};
use crate::kernel::refusal;
use crate::kernel::refusal::{Reason, Refusal, Rule};
use crate::kernel::sealed::{Purpose, Sealed};

use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Why data about a person is not taken, erased or opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "fields are the figures of the sentence")]
pub enum Rejection {
    /// It could be a name.
    #[error(
        "the id of a person is opaque: p and at least {OPAQUE_DIGITS_MIN} hexadecimal digits of a random number"
    )]
    NotOpaque,
    /// Sealed for something else.
    #[error("a value here is sealed for {person} and {purpose}")]
    OtherSeal { person: String, purpose: Purpose },
    /// It would have to be erased key by key.
    #[error("what comes at once for one purpose is sealed with one new key")]
    OtherKey,
    /// Data of the past comes back.
    #[error("the data about {0} has been erased")]
    Erased(String),
    /// Nothing in it.
    #[error("there is nothing to correct")]
    NothingNew,
    /// A key that is in use.
    #[error("{0} is the key of another one")]
    KeyTaken(Key),
    /// A key that is not there.
    #[error("there is no {0}")]
    NoKey(Key),
    /// Too many.
    #[error("there are {ENTRIES_MAX} already")]
    TooMany,
    /// Nothing of it is kept.
    #[error("of this person nothing is kept for {0}")]
    NothingKept(Purpose),
    /// No purpose, or one twice.
    #[error("name each purpose once, and at least one")]
    BadList,
    /// On hold.
    #[error("hold {0} keeps the data until it is lifted")]
    OnHold(Key),
    /// There is no date yet.
    #[error("{0} has not ended, and the data is kept for years after")]
    StillNeeded(StreamId),
    /// Too early.
    #[error("the data is kept until {until}, for {because}")]
    NotBefore { until: Timestamp, because: StreamId },
    /// One person.
    #[error("another person than the one who asked approves an opening")]
    OwnOpening,
    /// Not theirs.
    #[error("whoever asked for an opening uses it")]
    OtherOpening,
    /// Not approved.
    #[error("opening {0} has not been approved")]
    NotApproved(Key),
    /// Approved before.
    #[error("opening {0} has been approved already")]
    ApprovedAlready(Key),
    /// Too late.
    #[error("opening {opening} could be used until {until}")]
    Lapsed { opening: Key, until: Timestamp },
    /// Once.
    #[error("opening {0} has been used")]
    Used(Key),
}

impl Reason for Rejection {
    const CATEGORY: &'static str = SubjectId::CATEGORY;

    fn rule(&self) -> Rule {
        match self {
            Self::NotOpaque | Self::OtherSeal { .. } | Self::OtherKey => SEALED,
            Self::Erased(_) | Self::NothingNew | Self::NothingKept(_) => Rule::of(
                "Reg. (EU) 2018/1725",
                "Art. 4(1): minimisation, accuracy, storage limitation",
            ),
            Self::KeyTaken(_) | Self::NoKey(_) => Rule::ours("a key names one thing for ever"),
            Self::TooMany | Self::BadList => Rule::ours("every input has a limit"),
            Self::OnHold(_) | Self::StillNeeded(_) | Self::NotBefore { .. } => Rule::of(
                "Reg. (EU) 2018/1725",
                "Art. 19(3)(b) and (e): legal obligation, legal claims",
            ),
            Self::OwnOpening
            | Self::OtherOpening
            | Self::NotApproved(_)
            | Self::ApprovedAlready(_)
            | Self::Lapsed { .. }
            | Self::Used(_) => TWO_PEOPLE,
        }
    }

    fn kind(&self) -> refusal::Kind {
        match self {
            Self::OwnOpening | Self::OtherOpening | Self::NotApproved(_) => {
                refusal::Kind::Forbidden
            }
            Self::KeyTaken(_) | Self::ApprovedAlready(_) | Self::Used(_) => refusal::Kind::Conflict,
            Self::NotOpaque | Self::BadList | Self::NothingNew => refusal::Kind::Malformed,
            _ => refusal::Kind::Rule,
        }
    }
}

const SEALED: Rule = Rule::ours("personal data is sealed before it is recorded (ADR 0021)");

const TWO_PEOPLE: Rule =
    Rule::ours("opening sealed data is a recorded act of two people (ADR 0021)");

const ERASURE: Rule = Rule::of("Reg. (EU) 2018/1725", "Art. 19: right to erasure");

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

    fn opening(&self, key: &Key) -> Result<&Opening, Refusal> {
        let missing = || Refusal::from(Rejection::NoKey(key.clone())).at("/opening");
        self.openings.get(key).ok_or_else(missing)
    }
}

/// The person behind a registration, as actor.
pub(crate) fn person(id: &SubjectId) -> Result<ActorId, Refusal> {
    let malformed = |error: IdError| refusal::Common::Malformed(error.to_string()).into();
    id.as_str().parse().map_err(malformed)
}

/// Each once, at least one.
fn check_purposes(purposes: &[Purpose]) -> Result<(), Refusal> {
    check_list("purposes", purposes, PURPOSES_MAX)?;
    let once = purposes.iter().collect::<std::collections::BTreeSet<_>>().len() == purposes.len();
    if purposes.is_empty() || !once {
        return Err(Refusal::from(Rejection::BadList).at("/purposes"));
    }
    Ok(())
}

const OFFICER: &[Role] = &[Role::ProgrammeOfficer];

const HOLDERS: &[Role] = &[Role::AuthorisingOfficer, Role::Auditor];

const OPENERS: &[Role] = &[Role::ProgrammeOfficer, Role::Auditor];

const REGISTERED: &[&str] = &["registered"];

/// The commands about a person.
pub const COMMANDS: &[Entry] = &[
    entry::<Register>(),
    entry::<Correct>(),
    entry::<SetHold>(),
    entry::<LiftHold>(),
    entry::<Erase>(),
    entry::<RequestOpening>(),
    entry::<ApproveOpening>(),
    entry::<Open>(),
];

/// Declares a command about a person: its type, name, sentence, roles, phases, needs, rule, and fields
/// beside the person.
macro_rules! command {
    (
        $(#[doc = $doc:literal])* $type:ident, $name:literal, $summary:literal, $roles:expr, $from:expr,
        $needs:expr, $rule:expr, { $($(#[$meta:meta])* $field:ident: $kind:ty,)* },
        |$this:ident, $world:ident, $with:ident| $decide:block
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            /// The person: an opaque id.
            pub subject: SubjectId,
            $($(#[$meta])* pub $field: $kind,)*
        }

        impl Command for $type {
            const DECLARATION: Declaration = Declaration {
                name: $name,
                summary: $summary,
                roles: $roles,
                from: $from,
                needs: $needs,
                rule: $rule,
            };

            fn subject(&self) -> StreamId {
                self.subject.stream()
            }

            fn decide(&self, $world: &World, $with: &Meta) -> Decision {
                let $this = self;
                $decide
            }
        }
    };
}

command! {
    /// Makes a person known.
    Register, "subject.register", "Register a person: every value is sealed before it is recorded", OFFICER,
    &[NEW], &[], SEALED,
    {
        /// How to reach the person.
        contact: Contact,
        /// What the person knows, if they agree to be found by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expertise: Option<Sealed>,
    },
    |this, _world, _meta| {
        check_opaque(this.subject.as_str()).map_err(|refusal| refusal.at("/subject"))?;
        Subject::default().check(&this.subject, Some(&this.contact), this.expertise.as_ref())?;
        let (contact, expertise) = (Box::new(this.contact.clone()), this.expertise.clone().map(Box::new));
        Ok(vec![NewEvent::on(&this.subject, Event::Registered { contact, expertise })])
    }
}

command! {
    /// Replaces values by right ones.
    Correct, "subject.correct", "Replace data about a person: the keys of the old values go", OFFICER,
    REGISTERED, &[], Rule::of("Reg. (EU) 2018/1725", "Art. 18: right to rectification"),
    {
        /// How to reach the person, if that was wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Contact>,
        /// What the person knows, if that was wrong or missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expertise: Option<Sealed>,
    },
    |this, world, _meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        if this.contact.is_none() && this.expertise.is_none() {
            return Err(Rejection::NothingNew.into());
        }
        subject.check(&this.subject, this.contact.as_ref(), this.expertise.as_ref())?;
        if let Some(hold) = subject.holds.iter().next() {
            return Err(Rejection::OnHold(hold.clone()).into());
        }
        let new = this.contact.iter().map(|_| Purpose::Contact);
        let new = new.chain(this.expertise.iter().map(|_| Purpose::Expertise));
        let replaced = new.filter_map(|purpose| subject.live.get(&purpose).copied()).collect();
        let contact = this.contact.clone().map(Box::new);
        let expertise = this.expertise.clone().map(Box::new);
        Ok(vec![NewEvent::on(&this.subject, Event::Corrected { contact, expertise, replaced })])
    }
}

command! {
    /// Keeps everything about a person.
    SetHold, "subject.set_hold", "Set a legal hold: nothing about the person is erased while it lasts", HOLDERS,
    REGISTERED, &[], Rule::of("Reg. (EU) 2018/1725", "Art. 19(3)(e): legal claims"),
    {
        /// The file of the case.
        case: Key,
        /// Why.
        ground: Ground,
        /// The hold.
        hold: Key,
    },
    |this, world, _meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        if subject.holds.contains(&this.hold) {
            return Err(Refusal::from(Rejection::KeyTaken(this.hold.clone())).at("/hold"));
        }
        if subject.holds.len() >= ENTRIES_MAX {
            return Err(Rejection::TooMany.into());
        }
        let (case, ground, hold) = (this.case.clone(), this.ground, this.hold.clone());
        Ok(vec![NewEvent::on(&this.subject, Event::HoldSet { case, ground, hold })])
    }
}

command! {
    /// Ends a hold.
    LiftHold, "subject.lift_hold", "Lift a legal hold", HOLDERS, REGISTERED, &[],
    Rule::of("Reg. (EU) 2018/1725", "Art. 19(3)(e): legal claims"),
    {
        /// The file that says why.
        case: Key,
        /// The hold.
        hold: Key,
    },
    |this, world, _meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        if !subject.holds.contains(&this.hold) {
            return Err(Refusal::from(Rejection::NoKey(this.hold.clone())).at("/hold"));
        }
        let (case, hold) = (this.case.clone(), this.hold.clone());
        Ok(vec![NewEvent::on(&this.subject, Event::HoldLifted { case, hold })])
    }
}

command! {
    /// Erases what is kept about a person.
    Erase, "subject.erase", "Erase data about a person for ever, unless it must be kept; contact data takes all along",
    OFFICER, REGISTERED, &[], ERASURE,
    {
        /// Why it is lawful.
        basis: Basis,
        /// The file of the request or the review.
        case: Key,
        /// What for it was kept.
        #[schemars(length(min = 1, max = 3))]
        purposes: Vec<Purpose>,
    },
    |this, world, meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        check_purposes(&this.purposes)?;
        let kept = |purpose: &Purpose| subject.live.contains_key(purpose);
        if let Some(purpose) = this.purposes.iter().find(|purpose| !kept(purpose)) {
            return Err(Refusal::from(Rejection::NothingKept(*purpose)).at("/purposes"));
        }
        if let Some(hold) = subject.holds.iter().next() {
            return Err(Rejection::OnHold(hold.clone()).into());
        }
        let of_person = this.purposes.contains(&Purpose::Contact);
        if of_person {
            match Retention::of(world, &person(&this.subject)?) {
                Retention::Open(stream) => return Err(Rejection::StillNeeded(stream).into()),
                Retention::Until(until, because) if meta.recorded_at < until => {
                    return Err(Rejection::NotBefore { until, because }.into());
                }
                Retention::Until(..) | Retention::Free => {}
            }
        }
        let mut purposes: Vec<Purpose> =
            if of_person { subject.live.keys().copied().collect() } else { this.purposes.clone() };
        purposes.sort_unstable();
        let keys = purposes.iter().filter_map(|purpose| subject.live.get(purpose).copied());
        let (basis, case, commitments) = (this.basis, this.case.clone(), keys.collect());
        Ok(vec![NewEvent::on(&this.subject, Event::Erased { basis, case, commitments, purposes })])
    }
}

command! {
    /// Asks to open sealed data.
    RequestOpening, "subject.request_opening", "Ask to open sealed data about a person", OPENERS, REGISTERED, &[],
    TWO_PEOPLE,
    {
        /// The file of the case.
        case: Key,
        /// Why.
        ground: Ground,
        /// The opening.
        opening: Key,
        /// What is to be opened.
        #[schemars(length(min = 1, max = 3))]
        purposes: Vec<Purpose>,
    },
    |this, world, _meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        check_purposes(&this.purposes)?;
        if subject.openings.contains_key(&this.opening) {
            return Err(Refusal::from(Rejection::KeyTaken(this.opening.clone())).at("/opening"));
        }
        if subject.openings.len() >= ENTRIES_MAX {
            return Err(Rejection::TooMany.into());
        }
        let (case, ground) = (this.case.clone(), this.ground);
        let (opening, purposes) = (this.opening.clone(), this.purposes.clone());
        let event = Event::OpeningRequested { case, ground, opening, purposes };
        Ok(vec![NewEvent::on(&this.subject, event)])
    }
}

command! {
    /// Agrees that sealed data is opened.
    ApproveOpening, "subject.approve_opening", "Approve that another person opens sealed data, for seven days",
    HOLDERS, REGISTERED, &[Need::OtherPerson], TWO_PEOPLE,
    {
        /// The opening.
        opening: Key,
    },
    |this, world, meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        let asked = subject.opening(&this.opening)?;
        if asked.by.may_be(&meta.actor) {
            return Err(Rejection::OwnOpening.into());
        }
        if asked.until.is_some() {
            return Err(Rejection::ApprovedAlready(this.opening.clone()).into());
        }
        let hours = OPENING_DAYS_MAX.saturating_mul(24);
        let until = meta.recorded_at.checked_add(hours.hours());
        let until = until.map_err(|_| crate::kernel::time::TimeError::OutOfRange)?;
        let opening = this.opening.clone();
        Ok(vec![NewEvent::on(&this.subject, Event::OpeningApproved { opening, until })])
    }
}

command! {
    /// Opens sealed data.
    Open, "subject.open", "Record that sealed data is opened: once, by who asked, before it is shown", OPENERS,
    REGISTERED, &[], TWO_PEOPLE,
    {
        /// The opening.
        opening: Key,
    },
    |this, world, meta| {
        let subject = world.find(&world.subjects, &this.subject)?;
        let asked = subject.opening(&this.opening)?;
        if asked.by.id != meta.actor.id {
            return Err(Rejection::OtherOpening.into());
        }
        let opening = this.opening.clone();
        match asked.until {
            None => Err(Rejection::NotApproved(opening).into()),
            Some(_) if asked.is_used => Err(Rejection::Used(opening).into()),
            Some(until) if meta.recorded_at > until => Err(Rejection::Lapsed { opening, until }.into()),
            Some(_) => Ok(vec![NewEvent::on(&this.subject, Event::Opened { opening })]),
        }
    }
}

#[cfg(test)]
mod tests;
