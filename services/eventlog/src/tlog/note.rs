//! Text that is signed by one or more keys: c2sp.org/signed-note, with Ed25519.

use super::{Error, shown};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// The longest note, in bytes.
pub const BYTES_MAX: usize = 64 << 10;
/// The most signatures of a note. The format asks for 16 at least.
pub const SIGNATURES_MAX: usize = 64;

const FORMAT: &str = "signed note";
const MARK: &str = "— ";
const SECRET_PREFIX: &str = "PRIVATE+KEY+";
/// What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410).
const SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Tells kinds of signatures apart, by the byte that goes into the id of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// Ed25519 over the text.
    Ed25519 = 0x01,
    /// Ed25519 over `cosignature/v1`, a time and the text: c2sp.org/tlog-cosignature.
    Cosignature = 0x04,
}

/// A text with its signatures, none of them verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text that is signed, with its last newline.
    pub text: String,
    /// In the order of the note.
    pub signatures: Vec<NoteSignature>,
}

/// One line of signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key; with the name it tells which key it is.
    pub id: u32,
    /// The bytes behind the id.
    pub bytes: Vec<u8>,
}

/// A key that is known and trusted, of either algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: u32,
    algorithm: Algorithm,
    key: VerifyingKey,
}

/// A secret key. Its bytes are overwritten when it is dropped.
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

/// Whether a name may be that of a key.
fn is_name(name: &str) -> bool {
    let is_bad = |char: char| char.is_whitespace() || char.is_control() || char == '+';
    !name.is_empty() && !name.contains(is_bad)
}

impl Note {
    /// Makes a note of a text, without a signature yet.
    ///
    /// # Errors
    /// When it does not end with a newline, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Note, Error> {
        let text = text.into();
        check_text(&text)?;
        Ok(Note { text, signatures: Vec::new() })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(note: &str) -> Result<Note, Error> {
        let wrong = |what: &str| Error::format(FORMAT, what);
        if note.len() > BYTES_MAX {
            return Err(wrong(&format!("longer than {BYTES_MAX} bytes")));
        }
        let at = note.rfind("\n\n").ok_or_else(|| wrong("no empty line before signatures"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        check_text(text)?;
        let signatures = parse_signatures(lines)?;
        if signatures.is_empty() {
            return Err(wrong("no signature"));
        }
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// Signs the text, besides those who have.
    pub fn sign(&mut self, signer: &Signer) {
        // There is always a place for those whose text it is.
        let signature = signer.sign(&self.text, 0);
        self.replace(signature);
    }

    /// Adds a signature, in the place of one by the same key. It is not verified here.
    ///
    /// # Errors
    /// [`Error::Format`] when there are as many as may be.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), Error> {
        let is_known = self.signatures.iter().any(|one| one.is_like(&signature));
        if !is_known && self.signatures.len() >= SIGNATURES_MAX {
            return Err(Error::format(FORMAT, format!("more than {SIGNATURES_MAX} signatures")));
        }
        self.replace(signature);
        Ok(())
    }

    fn replace(&mut self, signature: NoteSignature) {
        self.signatures.retain(|one| !one.is_like(&signature));
        self.signatures.push(signature);
    }

    /// Finds the known keys that have signed it, in their order.
    ///
    /// # Errors
    /// [`Error::Signature`] when a signature of a known key is wrong, or none is there.
    pub fn verified<'a>(&self, known: &'a [Verifier]) -> Result<Vec<&'a Verifier>, Error> {
        let mut by = Vec::new();
        for key in known {
            let mut own = self.signatures.iter();
            let mut own =
                own.by_ref().filter(|one| (one.name.as_str(), one.id) == key.identity()).peekable();
            if own.peek().is_none() {
                continue;
            }
            for signature in own {
                key.verify(&self.text, signature)?;
            }
            by.push(key);
        }
        if by.is_empty() {
            let names: Vec<_> = self.signatures.iter().map(|one| one.name.as_str()).collect();
            let names = shown(&names.join(", "));
            return Err(Error::Signature(format!("no known key has signed (signed by {names})")));
        }
        Ok(by)
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    let is_control = |char: char| char < ' ' && char != '\n';
    if !text.ends_with('\n') {
        return Err(Error::format(FORMAT, "the text does not end with a newline"));
    }
    if text.contains(is_control) {
        return Err(Error::format(FORMAT, "the text has a control character"));
    }
    Ok(())
}

/// Reads lines of signatures, which a witness answers with.
///
/// # Errors
/// [`Error::Format`].
pub fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, Error> {
    let wrong = |line: &str| Error::format(FORMAT, format!("{} is not a signature", shown(line)));
    if !lines.is_empty() && !lines.ends_with('\n') {
        return Err(Error::format(FORMAT, "the last line does not end"));
    }
    let mut signatures = Vec::new();
    for line in lines.split_terminator('\n') {
        let (name, blob) = line
            .strip_prefix(MARK)
            .and_then(|rest| rest.split_once(' '))
            .filter(|(name, _)| is_name(name))
            .ok_or_else(|| wrong(line))?;
        let blob = BASE64_STANDARD.decode(blob).map_err(|_| wrong(line))?;
        let (id, bytes) = blob.split_first_chunk().ok_or_else(|| wrong(line))?;
        let (name, id, bytes) = (name.to_owned(), u32::from_be_bytes(*id), bytes.to_owned());
        signatures.push(NoteSignature { name, id, bytes });
        if signatures.len() > SIGNATURES_MAX {
            let what = format!("more than {SIGNATURES_MAX} signatures");
            return Err(Error::format(FORMAT, what));
        }
    }
    Ok(signatures)
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(out, "{signature}"))
    }
}

impl NoteSignature {
    /// Whether both are of one key.
    fn is_like(&self, other: &NoteSignature) -> bool {
        (&self.name, self.id) == (&other.name, other.id)
    }
}

/// The line, without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.id.to_be_bytes()[..], &self.bytes].concat();
        write!(out, "{MARK}{} {}", self.name, BASE64_STANDARD.encode(blob))
    }
}

impl Verifier {
    fn new(name: &str, algorithm: Algorithm, key: VerifyingKey) -> Verifier {
        let id = Sha256::new().chain_update(name).chain_update([b'\n', algorithm as u8]);
        let hash: [u8; 32] = id.chain_update(key.as_bytes()).finalize().into();
        let id = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        Verifier { name: name.to_owned(), id, algorithm, key }
    }

    /// Reads a key of the form `NAME+ID+BASE64`.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(vkey: &str) -> Result<Verifier, Error> {
        let wrong = |what: &str| Error::format("verifier key", what);
        let mut parts = vkey.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("not of the form NAME+ID+KEY"));
        };
        if !is_name(name) {
            return Err(wrong("a name with a space or nothing"));
        }
        let key = BASE64_STANDARD.decode(key).map_err(|_| wrong("the key is not Base64"))?;
        let (algorithm, key) = match key.split_first() {
            Some((0x01, key)) => (Algorithm::Ed25519, key),
            Some((0x04, key)) => (Algorithm::Cosignature, key),
            _ => return Err(wrong("an algorithm other than Ed25519 and cosignature/v1")),
        };
        let key = key.try_into().map_err(|_| wrong("the key has not 32 bytes"))?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| wrong("no point of the curve"))?;
        let verifier = Verifier::new(name, algorithm, key);
        if format!("{:08x}", verifier.id) != id {
            return Err(wrong("the id is not that of name and key"));
        }
        Ok(verifier)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells what its signatures say.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its id as in [`Verifier::parse`]: eight hexadecimal digits.
    pub fn id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// Its public key as a PEM file, for programs that know no notes: RFC 8410 in RFC 7468.
    pub fn to_pem(&self) -> String {
        let der = BASE64_STANDARD.encode([SPKI, self.key.as_bytes()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
    }

    fn identity(&self) -> (&str, u32) {
        (&self.name, self.id)
    }

    /// Tells whether a signature is of this key, by its name and id.
    pub fn is_of(&self, signature: &NoteSignature) -> bool {
        self.identity() == (signature.name.as_str(), signature.id)
    }

    /// Checks a signature of this key over a text, and gives its time in seconds since 1970 if it says
    /// one.
    ///
    /// # Errors
    /// [`Error::Signature`].
    pub fn verify(&self, text: &str, signature: &NoteSignature) -> Result<Option<u64>, Error> {
        let wrong = || Error::Signature(format!("that of {} is wrong", self.name));
        let (time, bytes) = match self.algorithm {
            Algorithm::Ed25519 => (None, &signature.bytes[..]),
            Algorithm::Cosignature => {
                let (time, rest) = signature.bytes.split_first_chunk().ok_or_else(wrong)?;
                (Some(u64::from_be_bytes(*time)), rest)
            }
        };
        let bytes = Signature::from_slice(bytes).map_err(|_| wrong())?;
        let message = message(self.algorithm, text, time.unwrap_or_default());
        self.key.verify_strict(message.as_bytes(), &bytes).map_err(|_| wrong())?;
        Ok(time)
    }
}

/// What is really signed.
fn message(algorithm: Algorithm, text: &str, time: u64) -> String {
    match algorithm {
        Algorithm::Ed25519 => text.to_owned(),
        Algorithm::Cosignature => format!("cosignature/v1\ntime {time}\n{text}"),
    }
}

/// The form that [`Verifier::parse`] reads.
impl fmt::Display for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm as u8][..], self.key.as_bytes()].concat();
        write!(out, "{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(key))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Signer {
    /// Makes a key from 32 bytes that nobody else knows.
    ///
    /// # Errors
    /// [`Error::Format`] when the name may not be that of a key.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Signer, Error> {
        if !is_name(name) {
            return Err(Error::format("key", "a name is not empty and has no space and no +"));
        }
        let key = SigningKey::from_bytes(seed);
        Ok(Signer { verifier: Verifier::new(name, algorithm, key.verifying_key()), key })
    }

    /// Reads a secret key of the form `PRIVATE+KEY+NAME+ID+BASE64`. No error shows any of it.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn parse(text: &str) -> Result<Signer, Error> {
        let wrong = |what: &str| Error::format("secret key", what);
        let rest = text.trim().strip_prefix(SECRET_PREFIX);
        let rest = rest.ok_or_else(|| wrong("not of the form PRIVATE+KEY+NAME+ID+KEY"))?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("not of the form PRIVATE+KEY+NAME+ID+KEY"));
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| wrong("the key is not Base64"))?;
        let (algorithm, seed) = match key.split_first() {
            Some((0x01, seed)) => (Algorithm::Ed25519, seed),
            Some((0x04, seed)) => (Algorithm::Cosignature, seed),
            _ => return Err(wrong("an algorithm other than Ed25519 and cosignature/v1")),
        };
        let seed = seed.try_into().map_err(|_| wrong("the key has not 32 bytes"))?;
        let signer = Signer::from_seed(name, algorithm, seed)?;
        if format!("{:08x}", signer.verifier.id) != id {
            return Err(wrong("the id is not that of name and key"));
        }
        Ok(signer)
    }

    /// Writes the form that [`Signer::parse`] reads: a secret.
    pub fn secret(&self) -> String {
        let Verifier { name, id, algorithm, .. } = &self.verifier;
        let key = [&[*algorithm as u8][..], self.key.as_bytes()].concat();
        format!("{SECRET_PREFIX}{name}+{id:08x}+{}", BASE64_STANDARD.encode(key))
    }

    /// Its public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a text. The time, in seconds since 1970, is said by cosignatures only.
    pub fn sign(&self, text: &str, time: u64) -> NoteSignature {
        let Verifier { name, id, algorithm, .. } = &self.verifier;
        let signature = self.key.sign(message(*algorithm, text, time).as_bytes());
        let bytes = match algorithm {
            Algorithm::Ed25519 => signature.to_vec(),
            Algorithm::Cosignature => [&time.to_be_bytes()[..], &signature.to_bytes()].concat(),
        };
        NoteSignature { name: name.clone(), id: *id, bytes }
    }
}

/// Its public half only.
impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.verifier, out)
    }
}
