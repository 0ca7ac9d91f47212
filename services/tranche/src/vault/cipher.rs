//! The wire format of sealed values. A key of 32 random bytes gives, by HKDF-SHA-256, a key to encrypt with,
//! a key that nonces are made with, and a commitment. The nonce is a keyed hash of what is sealed and of its
//! place, so that nothing is ever sealed twice with one nonce, and the same wish gives the same bytes.

use super::Error;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use domain::facts::personal::Processing;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::{ActorId, StreamId};
use domain::kernel::sealed::{
    BLOCK_BYTES, Ciphertext, FORMAT, Nonce, Purpose, Sealed, associated_data, key_info,
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The length of a key, in bytes.
pub const KEY_BYTES: usize = 32;
/// What is said when there are no random numbers.
pub const NO_RANDOM: &str = "the system has no random numbers";
/// The end of the clear text; zeros follow (ISO/IEC 7816-4).
const END: u8 = 0x80;
const OTHER: &str = "a sealed value is not what its key made for this place";

/// A key as it is kept. It is wiped when it is dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }
}

/// What a key is used as.
struct Derived {
    encrypt: Zeroizing<[u8; 32]>,
    nonce: Zeroizing<[u8; 32]>,
    commitment: Sha256Hex,
}

impl Key {
    /// One that nobody else knows.
    pub fn new() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| Error::Cipher(NO_RANDOM))?;
        Ok(Self(bytes))
    }

    /// One that was kept.
    pub fn of(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes to keep.
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn derive(&self, person: &ActorId, purpose: Purpose) -> Result<Derived, Error> {
        let mut all = Zeroizing::new([0; 96]);
        let info = key_info(person, purpose);
        Hkdf::<Sha256>::new(Some(FORMAT.as_bytes()), &*self.0)
            .expand(&info, &mut *all)
            .map_err(|_| Error::Cipher(OTHER))?;
        let part = |from: usize| {
            let mut bytes = Zeroizing::new([0; 32]);
            bytes.copy_from_slice(&all[from..from + 32]);
            bytes
        };
        Ok(Derived { encrypt: part(0), nonce: part(32), commitment: Sha256Hex(*part(64)) })
    }

    /// What the log knows the key by.
    pub fn commitment(&self, person: &ActorId, purpose: Purpose) -> Result<Sha256Hex, Error> {
        Ok(self.derive(person, purpose)?.commitment)
    }

    /// Seals a text for one place.
    pub fn seal(
        &self,
        (person, purpose): (&ActorId, Purpose),
        (stream, line): (&StreamId, &Processing),
        clear: &str,
    ) -> Result<Sealed, Error> {
        let keys = self.derive(person, purpose)?;
        let aad = associated_data((person, purpose), (stream, line.event, line.field));
        let padded = pad(clear);
        // HMAC-SHA-256, which is what HKDF extracts with. The associated data holds no zero byte, and the
        // padded text has a length that is told by its own end.
        let message = Zeroizing::new([aad.as_slice(), &[0], padded.as_slice()].concat());
        let (mac, _) = Hkdf::<Sha256>::extract(Some(&*keys.nonce), &message);
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&mac[..24]);
        let cipher = XChaCha20Poly1305::new(&(*keys.encrypt).into());
        let payload = Payload { msg: &padded, aad: &aad };
        let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload);
        Ok(Sealed {
            ciphertext: Ciphertext(ciphertext.map_err(|_| Error::Cipher(OTHER))?),
            commitment: keys.commitment,
            nonce: Nonce(nonce),
            person: person.clone(),
            purpose,
        })
    }

    /// Opens a value in its place. The commitment is checked first.
    pub fn open(
        &self,
        sealed: &Sealed,
        stream: &StreamId,
        line: &Processing,
    ) -> Result<Zeroizing<String>, Error> {
        let keys = self.derive(&sealed.person, sealed.purpose)?;
        if keys.commitment != sealed.commitment {
            return Err(Error::Cipher(OTHER));
        }
        let place = (stream, line.event, line.field);
        let aad = associated_data((&sealed.person, sealed.purpose), place);
        let cipher = XChaCha20Poly1305::new(&(*keys.encrypt).into());
        let payload = Payload { msg: &sealed.ciphertext.0, aad: &aad };
        let padded = cipher.decrypt(&XNonce::from(sealed.nonce.0), payload);
        let padded = Zeroizing::new(padded.map_err(|_| Error::Cipher(OTHER))?);
        let end = padded.iter().rposition(|byte| *byte != 0).filter(|end| padded[*end] == END);
        let text = &padded[..end.ok_or(Error::Cipher(OTHER))?];
        let text = std::str::from_utf8(text).map_err(|_| Error::Cipher(OTHER))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

fn pad(clear: &str) -> Zeroizing<Vec<u8>> {
    let length = (clear.len() / BLOCK_BYTES + 1) * BLOCK_BYTES;
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(clear.as_bytes());
    padded.push(END);
    padded.resize(length, 0);
    padded
}
