//! The vault: seals personal data before a command is read, opens it, and destroys keys when the log says
//! so (ADR 0021). Its directory lies outside the log and outside the back-ups of the log.

mod cipher;
mod store;
#[cfg(test)]
mod tests;

use crate::engine::{Published, Reader};
use cipher::Key;
use data_encoding::HEXLOWER;
use domain::decide::command::Entry as Declared;
use domain::decide::texts::check_text;
use domain::facts::personal::Processing;
use domain::facts::stream::Map;
use domain::kernel::ids::{ActorId, CommandId, StreamId};
use domain::kernel::refusal::Common;
use domain::kernel::sealed::{Purpose, Sealed};
use domain::{Refusal, World, decide, facts, kernel};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use zeroize::Zeroizing;

/// How long until a key that could not be destroyed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// What can go wrong with personal data at the edge. No message repeats any of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to seal with.
    #[error(
        "{command} brings personal data ({field}), which is sealed before it is recorded: name the \
         directory of its keys (--keys DIR)"
    )]
    NoVault {
        /// The command.
        command: &'static str,
        /// Where in the payload.
        field: &'static str,
    },
    /// The payload is not what it should be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file of keys.
    #[error("{}: {error}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The keys are not where they are safe.
    #[error("{0}")]
    Place(String),
    /// The system has no random numbers, or a ciphertext is not what its key made.
    #[error("{0}")]
    Cipher(&'static str),
}

/// Whoever could bring what was sealed elsewhere could bring a clear text that only looks sealed.
const NOT_CLEAR: &str = "a text in clear: it is sealed here, and nowhere before";

/// The JSON Schema of the payload of a command as it is sent: a text where it will be sealed.
#[must_use]
pub fn schema(entry: &Declared) -> Value {
    let mut schema = (entry.schema)().to_value();
    let Some(sealed) = schema.pointer_mut("/$defs/Sealed") else { return schema };
    *sealed = serde_json::json!({
        "type": "string",
        "minLength": 1,
        "maxLength": kernel::sealed::CLEAR_BYTES_MAX,
        "description": "In clear. It is sealed before anything else is done with it, for which the keys \
            are needed (--keys); it takes at most 8000 bytes of UTF-8.",
    });
    // What only a sealed value is made of is not a part of it any more.
    loop {
        let text = schema.to_string();
        let Some(definitions) = schema.pointer_mut("/$defs").and_then(Value::as_object_mut) else {
            break;
        };
        let before = definitions.len();
        definitions.retain(|name, _| text.contains(&format!("\"#/$defs/{name}\"")));
        if definitions.len() == before {
            break;
        }
    }
    schema
}

/// Seals and opens, with the keys of one directory.
#[derive(Debug)]
pub struct Vault {
    store: Store,
}

/// Whether the keys of an act of sealing are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are: the command is to be recorded.
    Yes,
    /// They are not: it is only rehearsed.
    No,
}

/// Seals what a command brings of personal data: its payload is what is read, hashed, recorded and sent
/// from here on. The same command sent again is sealed to the same bytes.
///
/// # Errors
/// When there is personal data and no vault, a text is empty or too long, or a key cannot be kept.
pub fn seal<'a>(
    vault: Option<&Vault>,
    command: &'static str,
    payload: &'a [u8],
    (id, keep): (&CommandId, Keep),
) -> Result<Cow<'a, [u8]>, Error> {
    if facts::personal::brought_by(command).next().is_none() {
        return Ok(Cow::Borrowed(payload));
    }
    let mut data = facts::personal::read(payload)?;
    let mut keys = BTreeMap::new();
    for line in facts::personal::brought_by(command) {
        let clear = match data.pointer(line.field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(clear)) => Zeroizing::new(clear.clone()),
            Some(_) => {
                return Err(Error::Refused(
                    Refusal::from(Common::Malformed(NOT_CLEAR.to_owned())).at(line.field),
                ));
            }
        };
        check(line, &clear)?;
        let (person, stream) = place(line, &data)?;
        decide::subject::check_opaque(person.as_str())
            .map_err(|refusal| Error::Refused(refusal.at(line.person)))?;
        let Some(vault) = vault else {
            return Err(Error::NoVault { command, field: line.field });
        };
        if let Entry::Vacant(missing) = keys.entry(line.purpose) {
            missing.insert(match keep {
                Keep::Yes => vault.store.key((&person, line.purpose), id)?,
                Keep::No => Key::new()?,
            });
        }
        let sealed = keys[&line.purpose].seal((&person, line.purpose), (&stream, line), &clear)?;
        if let Some(field) = data.pointer_mut(line.field) {
            *field = serde_json::to_value(sealed)
                .map_err(|error| Refusal::from(Common::Malformed(error.to_string())))?;
        }
    }
    Ok(Cow::Owned(data.to_string().into_bytes()))
}

fn check(line: &Processing, clear: &str) -> Result<(), Error> {
    let at = |refusal: Refusal| Error::Refused(refusal.at(line.field));
    if clear.trim().is_empty() {
        return Err(at(Common::NoReason(line.field).into()));
    }
    check_text(line.field, clear).map_err(at)
}

/// Whom it is about, and on which stream it will be.
fn place(line: &Processing, data: &Value) -> Result<(ActorId, StreamId), Error> {
    let text = |field: &str| data.pointer(field).and_then(Value::as_str).unwrap_or_default();
    let missing = |field: &'static str| {
        let refusal = Refusal::from(Common::Malformed("an identifier is missing".to_owned()));
        Error::Refused(refusal.at(field))
    };
    let person = text(line.person).parse().map_err(|_| missing(line.person))?;
    let category = line.event.split('.').next().unwrap_or_default();
    let stream = format!("{category}-{}", text(line.stream)).parse();
    Ok((person, stream.map_err(|_| missing(line.stream))?))
}

impl Vault {
    /// Opens the directory of the keys, and makes it if it is missing. `data` is the directory of the
    /// log, if it has one.
    ///
    /// # Errors
    /// When others could read it, or when it would be copied along with the log.
    pub fn open(dir: &Path, data: Option<&Path>) -> Result<Self, Error> {
        Ok(Self { store: Store::open(dir, data)? })
    }

    /// The clear text; `None` when its key is gone or was never here.
    ///
    /// # Errors
    /// When a key cannot be read, or the ciphertext is not what its key made for this place.
    pub fn open_value(
        &self,
        sealed: &Sealed,
        stream: &StreamId,
        line: &Processing,
    ) -> Result<Option<Zeroizing<String>>, Error> {
        for (path, key) in self.store.keys_of(&sealed.person)?.keys {
            if store::purpose_of(&path) == Some(sealed.purpose)
                && key.commitment(&sealed.person, sealed.purpose)? == sealed.commitment
            {
                return key.open(sealed, stream, line).map(Some);
            }
        }
        Ok(None)
    }

    /// Destroys every key that the log says is to be gone. Called when that is durable, and at every
    /// start, so that what a crash has left is made up for. Says how many there were.
    ///
    /// # Errors
    /// When a key cannot be destroyed, or a file is none; all others are destroyed.
    pub fn sweep(&self, world: &World) -> Result<usize, Error> {
        let (mut destroyed, mut wrong) = (0, None);
        for person in self.store.people()? {
            if facts::personal::subject(world, &person).is_none() {
                continue;
            }
            let found = match self.store.keys_of(&person) {
                Ok(found) => found,
                Err(error) => {
                    wrong = wrong.or(Some(error));
                    continue;
                }
            };
            wrong = wrong.or(found.wrong);
            for (path, key) in found.keys {
                let Some(purpose) = store::purpose_of(&path) else { continue };
                if facts::personal::is_dead(world, &person, &key.commitment(&person, purpose)?) {
                    match self.store.destroy(&path) {
                        Ok(()) => destroyed += 1,
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
            }
        }
        wrong.map_or(Ok(destroyed), Err)
    }

    /// How many keys there are for a purpose of a person.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn count(&self, person: &ActorId, purpose: Purpose) -> Result<usize, Error> {
        let keys = self.store.keys_of(person)?.keys;
        Ok(keys.iter().filter(|(path, _)| store::purpose_of(path) == Some(purpose)).count())
    }
}

/// Destroys what the log says, off the threads that answer. What goes wrong is told to the operator.
pub(crate) async fn sweep(vault: Arc<Vault>, shown: Arc<Published>) -> bool {
    let swept = tokio::task::spawn_blocking(move || vault.sweep(shown.world())).await;
    match swept {
        Ok(Ok(destroyed)) => {
            if destroyed > 0 {
                tracing::info!(destroyed, "keys of erased data");
            }
            true
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "a key that is to be gone could not be destroyed; trying again");
            false
        }
        Err(_) => false,
    }
}

/// Looks after the keys as long as there is something to read: at once, and whenever the log grows,
/// whoever writes it.
pub async fn keep_swept(vault: Arc<Vault>, reader: Reader) {
    let mut seen = None;
    loop {
        let shown = reader.now();
        let people = shown.world().subjects.clone();
        let is_old = seen.as_ref().is_some_and(|seen: &Map<_, _>| seen.ptr_eq(&people));
        if is_old || sweep(Arc::clone(&vault), Arc::clone(&shown)).await {
            seen = Some(people);
        } else {
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        if reader.wait_for(shown.position() + 1).await.is_err() {
            return;
        }
    }
}

/// An id for a person, which says nothing: `p` and 32 hexadecimal digits of a random number.
///
/// # Errors
/// When the system has no random numbers.
pub fn opaque_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::Cipher(cipher::NO_RANDOM))?;
    Ok(format!("p{}", HEXLOWER.encode(&bytes)))
}
