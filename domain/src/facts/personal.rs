//! Data about natural persons: what is sealed, for which purpose, and for how long it is kept. Pure: a
//! rule never reads a sealed value, and no key comes here. Keys and clear text are at the edge (ADR 0021).

use crate::facts::commit::Recorded;
use crate::facts::payment::Payment;
use crate::facts::subject::{Erasure, Opening, Subject};
use crate::facts::world::World;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{
    ActorId, CallId, CutOffKey, HoldKey, OpeningKey, StreamId, StreamKey, SubjectId,
};
use crate::kernel::refusal::Refusal;
use crate::kernel::sealed::{Purpose, Sealed};
use crate::kernel::time;
use imbl::OrdMap;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// How many hexadecimal digits of a random number follow the `p` of a person's id, at least.
pub const OPAQUE_DIGITS_MIN: usize = 16;

/// What is said in the place of data whose key was destroyed by the law.
pub const ERASED: &str = "erased lawfully";

/// How long a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// As long as the rules of the calls say in whose rounds the person took part ([`Retention::of`]).
    WithTheRound,
    /// Until the consent is withdrawn.
    WithConsent,
}

/// A line of the register of processing (Reg. (EU) 2018/1725, Art. 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Processing {
    /// The type of event that holds the value.
    pub event: &'static str,
    /// Where in its data, and in the payload of the command, as a JSON pointer.
    pub field: &'static str,
    /// The command that brings it.
    pub command: &'static str,
    /// Where in the payload the id of the person is.
    pub person: &'static str,
    /// Where in the payload the id of the stream is.
    pub stream: &'static str,
    /// What for.
    pub purpose: Purpose,
    /// Why that is lawful.
    pub basis: &'static str,
    /// Until when.
    pub kept: Kept,
    /// Who gets to see it.
    pub recipients: &'static str,
}

const PUBLIC_TASK: &str = "Reg. (EU) 2018/1725, Art. 5(1)(a): task in the public interest";

const CONSENT: &str = "Reg. (EU) 2018/1725, Art. 5(1)(d): consent";

const LEGAL_DUTY: &str =
    "Reg. (EU) 2018/1725, Art. 5(1)(b): legal obligation, Reg. (EU, Euratom) 2024/2509, Art. 61";

const STAFF: &str = "the programme's staff; ECA, OLAF and EPPO on request";

const fn of_subject(
    (event, command): (&'static str, &'static str),
    field: &'static str,
    purpose: Purpose,
) -> Processing {
    let (basis, kept) = match purpose {
        Purpose::Expertise => (CONSENT, Kept::WithConsent),
        Purpose::Contact | Purpose::Conflict => (PUBLIC_TASK, Kept::WithTheRound),
    };
    let (person, stream, recipients) = ("/subject", "/subject", STAFF);
    Processing { event, field, command, person, stream, purpose, basis, kept, recipients }
}

const REGISTER_IT: (&str, &str) = ("subject.Registered", "subject.register");

const CORRECT_IT: (&str, &str) = ("subject.Corrected", "subject.correct");

/// The register of processing: every sealed field of every event, and nothing else (a test compares it
/// with the schemas).
pub const REGISTER: &[Processing] = &[
    of_subject(REGISTER_IT, "/contact/affiliation", Purpose::Contact),
    of_subject(REGISTER_IT, "/contact/email", Purpose::Contact),
    of_subject(REGISTER_IT, "/contact/name", Purpose::Contact),
    of_subject(REGISTER_IT, "/expertise", Purpose::Expertise),
    of_subject(CORRECT_IT, "/contact/affiliation", Purpose::Contact),
    of_subject(CORRECT_IT, "/contact/email", Purpose::Contact),
    of_subject(CORRECT_IT, "/contact/name", Purpose::Contact),
    of_subject(CORRECT_IT, "/expertise", Purpose::Expertise),
    Processing {
        event: "evaluation.ConflictDeclared",
        field: "/learnt",
        command: "evaluation.declare_conflict",
        person: "/expert",
        stream: "/evaluation",
        purpose: Purpose::Conflict,
        basis: LEGAL_DUTY,
        kept: Kept::WithTheRound,
        recipients: STAFF,
    },
];

/// The lines of the register that a command brings values for.
pub fn brought_by(command: &str) -> impl Iterator<Item = &'static Processing> {
    REGISTER.iter().filter(move |line| line.command == command)
}

/// Whether an event is about a person, or was caused by them.
#[must_use]
pub fn concerns(
    commit: &crate::facts::commit::Commit,
    recorded: &Recorded,
    person: &ActorId,
) -> bool {
    fn names(value: &serde_json::Value, person: &str) -> bool {
        match value {
            serde_json::Value::String(text) => text == person,
            serde_json::Value::Array(items) => items.iter().any(|item| names(item, person)),
            serde_json::Value::Object(members) => members.values().any(|item| names(item, person)),
            _ => false,
        }
    }
    let is_subject =
        SubjectId::of_stream(&recorded.stream).is_some_and(|id| id.as_str() == person.as_str());
    is_subject
        || commit.actor.id == *person
        || commit.actor.on_behalf_of.as_ref() == Some(person)
        || serde_json::to_value(&recorded.event).is_ok_and(|data| names(&data, person.as_str()))
}

/// What a used opening lets its holder see.
#[must_use]
pub fn opened(world: &World, id: &SubjectId, opening: &OpeningKey) -> Vec<Purpose> {
    let found = world.subjects.get(id).and_then(|subject| subject.openings.get(opening));
    found.filter(|opening| opening.is_used).map(|found| found.purposes.clone()).unwrap_or_default()
}

/// What is kept about a person, and until when: computed from the log, never stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// What was erased lawfully.
    pub erased: OrdMap<Purpose, Erasure>,
    /// Legal holds.
    pub holds: Vec<HoldKey>,
    /// What can still be opened.
    pub kept: Vec<Purpose>,
    /// Openings that were asked for.
    pub openings: OrdMap<OpeningKey, Opening>,
    /// Until when contact data is kept.
    pub retention: Retention,
    /// The person.
    pub subject: SubjectId,
}

impl Facts {
    /// The facts about a person who is registered.
    #[must_use]
    pub fn of(world: &World, id: &SubjectId) -> Option<Self> {
        let subject = world.subjects.get(id)?;
        Some(Self {
            erased: subject.erased.clone(),
            holds: subject.holds.iter().cloned().collect(),
            kept: subject.live.keys().copied().collect(),
            openings: subject.openings.clone(),
            retention: Retention::of(world, &id.as_str().parse().ok()?),
            subject: id.clone(),
        })
    }
}

/// For a person to read.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for purpose in &self.kept {
            writeln!(f, "  {purpose}: sealed")?;
        }
        for (purpose, Erasure { at, basis, case }) in &self.erased {
            let basis: &str = basis.into();
            writeln!(f, "  {purpose}: {ERASED} {at}, {basis}, case {case}")?;
        }
        for hold in &self.holds {
            writeln!(f, "  on hold: {hold}")?;
        }
        match &self.retention {
            Retention::Free => writeln!(f, "  took part in nothing: no date of retention"),
            Retention::Until(until, because) => writeln!(f, "  kept until {until}, for {because}"),
            Retention::Open(stream) => writeln!(f, "  kept: {stream} has not ended"),
        }
    }
}

/// Whether a command ends keys when it is recorded.
#[must_use]
pub fn ends_keys(command: &str) -> bool {
    matches!(command, "subject.correct" | "subject.erase")
}

/// Reads the payload of a command as data, as strictly as the command itself would be read.
///
/// # Errors
/// When it is not JSON that a payload may be.
pub fn read(payload: &[u8]) -> Result<serde_json::Value, Refusal> {
    crate::kernel::payload::read(payload)
}

/// The sealed values of a commit: where each is, and what it is. An event of before has none.
#[must_use]
pub fn sealed_in(
    commit: &crate::facts::commit::Commit,
) -> Vec<(StreamId, &'static Processing, Sealed)> {
    let mut found = Vec::new();
    for recorded in &commit.events {
        let lines = || REGISTER.iter().filter(|line| line.event == recorded.event.kind());
        if lines().next().is_none() {
            continue;
        }
        let data = serde_json::to_value(&recorded.event).unwrap_or_default();
        for line in lines() {
            let value = data["data"].pointer(line.field).cloned();
            if let Some(sealed) = value.and_then(|value| serde_json::from_value(value).ok()) {
                found.push((recorded.stream.clone(), line, sealed));
            }
        }
    }
    found
}

/// Whether the text is opaque: `p` and the digits of a random number.
#[must_use]
pub fn is_opaque(id: &str) -> bool {
    let digits = id.strip_prefix('p').unwrap_or_default();
    digits.len() >= OPAQUE_DIGITS_MIN
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The registration of a person, if there is one.
#[must_use]
pub fn subject<'a>(world: &'a World, person: &ActorId) -> Option<&'a Subject> {
    let id: SubjectId = person.as_str().parse().ok()?;
    world.subjects.get(&id).map(|found| &**found)
}

/// Whether the log says that a key is to be destroyed: whoever keeps it destroys it when that is durable,
/// and looks again at every start.
#[must_use]
pub fn is_dead(world: &World, person: &ActorId, commitment: &Sha256Hex) -> bool {
    subject(world, person).is_some_and(|found| found.is_erased() || found.dead.contains(commitment))
}

/// Until when data about a person is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// The person took part in nothing.
    Free,
    /// Until this instant, for this stream.
    Until(Timestamp, StreamId),
    /// Something has not ended yet, so there is no date.
    Open(StreamId),
}

impl Retention {
    /// Computed, never stored: the longest that any round asks for in which the person took part. A
    /// round asks for the years of its call's rules after the last payment of its grants, or after its
    /// decision when that is later; and for ever until they have ended.
    #[must_use]
    pub fn of(world: &World, person: &ActorId) -> Self {
        let took_part = world.evaluations.values().filter(|one| one.has_part(person));
        let rounds = took_part.filter_map(|one| Some((one.call.as_ref()?, one.cut_off.as_ref()?)));
        rounds
            .map(|(call, cut_off)| Self::of_round(world, call, cut_off))
            .max()
            .unwrap_or(Self::Free)
    }

    fn of_round(world: &World, id: &CallId, cut_off: &CutOffKey) -> Self {
        let open = || Self::Open(id.stream());
        let Some(call) = world.calls.get(id) else { return open() };
        let (Ok(round), Ok(rules)) = (call.round(cut_off), call.document()) else { return open() };
        let Some(decision) = &round.decision else { return open() };
        let (mut last, mut because) = (decision.decided_at, id.stream());
        for funded in &decision.funded {
            let stream = funded.grant.stream();
            let ended = world.grants.get(&funded.grant).is_some_and(|grant| grant.has_ended());
            if !ended {
                return Self::Open(stream);
            }
            let of_grant = |one: &&Arc<Payment>| {
                one.order.as_ref().is_some_and(|order| order.grant == funded.grant)
            };
            let paid = world.payments.values().filter(of_grant).filter_map(|one| one.paid_at).max();
            if let Some(paid) = paid.filter(|paid| *paid > last) {
                (last, because) = (paid, stream);
            }
        }
        let years = i64::from(rules.retention.years);
        let zone = time::zone(&rules.zone);
        let end = zone.ok().and_then(|zone| last.to_zoned(zone).checked_add(years.years()).ok());
        end.map_or_else(open, |end| Self::Until(end.timestamp(), because))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sealed::Ciphertext;

    #[test]
    fn an_opaque_id_says_nothing() {
        assert!(is_opaque("p0123456789abcdef"));
        for id in ["maria-rossi", "p", "p0123456789ABCDEF", "0123456789abcdef", "p0123456789abcde"]
        {
            assert!(!is_opaque(id), "{id}");
        }
    }

    #[test]
    fn a_refused_ciphertext_is_not_repeated() {
        let text = r#"{"ciphertext":"Maria Rossi","commitment":"x","nonce":"x","person":"p","purpose":"contact"}"#;
        let error = serde_json::from_str::<Sealed>(text).unwrap_err().to_string();
        assert!(!error.contains("Maria"), "{error}");
        for bytes in [0, 16, 79, 81, 8_145] {
            assert!("00".repeat(bytes).parse::<Ciphertext>().is_err(), "{bytes}");
        }
        for bytes in [80, 144, 8_080] {
            assert!("00".repeat(bytes).parse::<Ciphertext>().is_ok(), "{bytes}");
        }
    }
}
