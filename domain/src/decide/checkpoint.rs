//! Keeps the signed checkpoints of the log in the log itself, at least daily and whenever one is asked
//! for: from then on nobody who has a later commit can be shown another history before it. Whether root
//! and signature are right is nothing that a rule can see, who knows no log: `tranche verify` computes
//! both anew (ADR 0018).
//!
//! Keys are known by the log, too. A new one signs beside a known one first, so that whoever trusts the
//! old key sees the new one come. A key that was lost is retired by a person.

use crate::decide::prelude::*;
use crate::facts::checkpoint::{Event, Phase, this_log};
use imbl::OrdSet;

/// The most keys that sign at once.
pub const KEYS_MAX: usize = 8;

/// The longest public key, in bytes: name, id and 33 bytes in Base64.
pub const KEY_BYTES_MAX: usize = 256;

/// The longest note of a checkpoint, in bytes.
pub const NOTE_BYTES_MAX: usize = 8192;

refusals! {
    Rejection of "checkpoint"

    under "c2sp.org/tlog-checkpoint", "append-only: what was signed stays true" => {
        NotNewer { size: u64, newest: u64 }
            = "a checkpoint of {newest} commits is recorded; one of {size} says nothing new";
        BeyondLog { size: u64, head: u64 }
            = "the log has {head} commits, the checkpoint is of {size}";
        OtherNote { size: u64, origin: String }
            = "the note is no checkpoint of {size} commits by the log {origin:?}";
        Keys
            = "1 to {KEYS_MAX} keys as NAME+ID+KEY, all of one name, in at most {KEY_BYTES_MAX} \
               bytes each";
        NoKnownKey = "none of the keys is known here; a new key signs beside a known one first";
        Retired(String) = "the key {0} was retired";
        UnknownKey(String) = "{0} is not a key that signs";
        TooLong(usize) = "a note has at most {NOTE_BYTES_MAX} bytes, this one has {0}";
    }
}

commands! {
    |_it| this_log(), Phase;

    Request "checkpoint.request" "Ask for a signed checkpoint of the log now"
        by [Auditor, AuthorisingOfficer, AccountingOfficer, ProgrammeOfficer, GoverningBoard]
        in [new, Kept] under "c2sp.org/tlog-checkpoint", "append-only: what was signed stays true";
    Record "checkpoint.record" "Record a signed checkpoint of the log"
        by [System] in [new, Kept]
        under "c2sp.org/tlog-checkpoint", "append-only: what was signed stays true";
    RetireKey "checkpoint.retire_key" "Let a key that signs checkpoints not count any more"
        by [AuthorisingOfficer] in [Kept]
        under "c2sp.org/tlog-checkpoint", "append-only: what was signed stays true";
}

/// Asks for a checkpoint now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for Request {
    fn decide(&self, _: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        Ok(vec![NewEvent::on(&this_log(), Event::Requested { reason: self.reason.clone() })])
    }
}

/// Records what was signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The public keys that have signed it, as `NAME+ID+KEY`.
    pub keys: Vec<String>,
    /// The signed note, c2sp.org/tlog-checkpoint.
    pub note: String,
    /// The root of the tree.
    pub root: Sha256Hex,
    /// How many commits it covers.
    pub size: u64,
}

impl Record {
    fn name(&self) -> Option<&str> {
        let names = self.keys.iter().map(|key| Some(key.split_once('+')?.0));
        let names: Option<Vec<&str>> = names.collect();
        let (first, rest) = names.as_deref()?.split_first()?;
        let is_short = self.keys.iter().all(|key| key.len() <= KEY_BYTES_MAX);
        let are_few = self.keys.len() <= KEYS_MAX;
        let is_one = !first.is_empty() && rest.iter().all(|name| name == first);
        (is_short && are_few && is_one).then_some(first)
    }
}

impl Decide for Record {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        let (size, head) = (self.size, world.position);
        let before = world.checkpoints.get(&this_log()).map(|state| (**state).clone());
        let before = before.unwrap_or_default();
        let at = |rejection, place: &str| Err(Refusal::from(rejection).at(place));
        if size > head {
            return at(Rejection::BeyondLog { size, head }, "/size");
        }
        let newest = before.newest_size();
        if size <= newest {
            return at(Rejection::NotNewer { size, newest }, "/size");
        }
        if self.note.len() > NOTE_BYTES_MAX {
            return at(Rejection::TooLong(self.note.len()), "/note");
        }
        let Some(origin) = self.name() else { return at(Rejection::Keys, "/keys") };
        if !self.note.starts_with(&format!("{origin}\n{size}\n")) {
            return at(Rejection::OtherNote { size, origin: origin.to_owned() }, "/note");
        }
        if let Some(key) = self.keys.iter().find(|key| before.retired.contains_key(*key)) {
            return at(Rejection::Retired(key.clone()), "/keys");
        }
        let (known, new): (Vec<_>, Vec<_>) =
            self.keys.iter().partition(|key| before.keys.contains(*key));
        if known.is_empty() && !before.keys.is_empty() {
            return at(Rejection::NoKnownKey, "/keys");
        }
        let new: OrdSet<_> = new.into_iter().cloned().collect();
        let mut events: Vec<_> = new.into_iter().map(|key| Event::KeyAdded { key }).collect();
        events.push(Event::Recorded { note: self.note.clone(), root: self.root, size });
        Ok(events.into_iter().map(|event| NewEvent::on(&this_log(), event)).collect())
    }
}

/// Lets a key not count any more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireKey {
    /// The public key.
    pub key: String,
    /// Why.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

impl Decide for RetireKey {
    fn decide(&self, world: &World, _: &Meta) -> Decision {
        check_reason("reason", &self.reason)?;
        let state = world.find(&world.checkpoints, &this_log())?;
        if !state.keys.contains(&self.key) {
            return Err(Refusal::from(Rejection::UnknownKey(self.key.clone())).at("/key"));
        }
        let event = Event::KeyRetired { key: self.key.clone(), reason: self.reason.clone() };
        Ok(vec![NewEvent::on(&this_log(), event)])
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::actor::Role;
    use crate::testing::{Scenario, given};

    fn record(size: u64, keys: &[&str]) -> String {
        let root = format!("{size:064x}");
        let note = format!("log.example\n{size}\nROOT\n\n- log.example SIGNATURE\n");
        serde_json::json!({ "keys": keys, "note": note, "root": root, "size": size }).to_string()
    }

    const OLD: &str = "log.example+00000001+AAAA";
    const NEW: &str = "log.example+00000002+BBBB";

    /// Somebody has asked for one, and it was recorded.
    fn recorded() -> Scenario {
        let asked = given().by(Role::Auditor).done("checkpoint.request", r#"{"reason":"visit"}"#);
        let signed = asked.by(Role::System).when("checkpoint.record", &record(1, &[OLD]));
        signed.then(&["checkpoint.KeyAdded", "checkpoint.Recorded"])
    }

    #[test]
    fn a_checkpoint_is_newer_and_of_commits_that_are_there() {
        let log = recorded();
        let log = log.when("checkpoint.record", &record(1, &[OLD])).refused("checkpoint.not_newer");
        let log =
            log.when("checkpoint.record", &record(3, &[OLD])).refused("checkpoint.beyond_log");
        log.at("/size")
            .when("checkpoint.record", &record(2, &[OLD]))
            .then(&["checkpoint.Recorded"]);
    }

    #[test]
    fn a_new_key_signs_beside_a_known_one_first() {
        let log = recorded();
        let log =
            log.when("checkpoint.record", &record(2, &[NEW])).refused("checkpoint.no_known_key");
        let both = log.when("checkpoint.record", &record(2, &[NEW, OLD]));
        let both = both.then(&["checkpoint.KeyAdded", "checkpoint.Recorded"]);
        both.when("checkpoint.record", &record(3, &[NEW])).then(&["checkpoint.Recorded"]);
    }

    #[test]
    fn a_retired_key_never_comes_back_and_a_lost_one_can_be_replaced() {
        let retire = serde_json::json!({ "key": OLD, "reason": "lost" }).to_string();
        let log = recorded().by(Role::AuthorisingOfficer).done("checkpoint.retire_key", &retire);
        let log = log.when("checkpoint.retire_key", &retire).refused("checkpoint.unknown_key");
        let log = log.by(Role::System);
        let log =
            log.when("checkpoint.record", &record(2, &[NEW, OLD])).refused("checkpoint.retired");
        let log = log.when("checkpoint.record", &record(2, &[NEW]));
        log.then(&["checkpoint.KeyAdded", "checkpoint.Recorded"]);
    }

    #[test]
    fn note_and_keys_are_of_one_log() {
        let log = recorded();
        let other = record(2, &[OLD]).replace("\"note\":\"log.example", "\"note\":\"other.example");
        let log =
            log.when("checkpoint.record", &other).refused("checkpoint.other_note").at("/note");
        let mixed = record(2, &[OLD, "other.example+00000003+CCCC"]);
        for keys in [&record(2, &[])[..], &mixed, &record(2, &["no key"])] {
            let refused = recorded().when("checkpoint.record", keys);
            refused.refused("checkpoint.keys").at("/keys");
        }
        let long = record(2, &[OLD]).replace("SIGNATURE", &"S".repeat(super::NOTE_BYTES_MAX));
        log.when("checkpoint.record", &long).refused("checkpoint.too_long");
    }
}
