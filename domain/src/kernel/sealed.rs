//! Defines sealed personal data: what is stored, its limits, and what its seal is bound to.

use crate::kernel::canonical::Sha256Hex;
use crate::kernel::ids::{ActorId, StreamId};
use crate::kernel::text::as_text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What every derivation and every associated datum begins with: names this format for ever.
pub const FORMAT: &str = "tranche/sealed/v1";

/// Clear text is padded to a multiple of so many bytes, so that a length tells little.
pub const BLOCK_BYTES: usize = 64;

/// The tag of XChaCha20-Poly1305, in bytes.
pub const TAG_BYTES: usize = 16;

/// The longest clear text, in bytes of UTF-8.
pub const CLEAR_BYTES_MAX: usize = 8_000;

/// The longest ciphertext, in bytes: padded, with its tag.
pub const CIPHER_BYTES_MAX: usize =
    CLEAR_BYTES_MAX / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES + TAG_BYTES;

/// What personal data is kept for. A purpose has keys of its own, so it can end alone.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumIter,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// To contract, inform and pay an expert, and to show later who evaluated.
    Contact,
    /// To find an expert for a proposal.
    Expertise,
    /// To show why an expert did not evaluate a proposal.
    Conflict,
}

/// A value that only the holder of its key can read. It is sealed before it is hashed or recorded, so
/// that destroying the key erases it everywhere and breaks no proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// XChaCha20-Poly1305 of the padded clear text.
    pub ciphertext: Ciphertext,
    /// Of the key: another key cannot have it, so a ciphertext has one meaning.
    pub commitment: Sha256Hex,
    /// Its nonce.
    pub nonce: Nonce,
    /// The person: an opaque id.
    pub person: ActorId,
    /// What it is kept for.
    pub purpose: Purpose,
}

/// What a ciphertext is bound to: moved to another person, purpose, stream, event or field, it does not
/// open. One line each, since none of them can hold a line feed.
#[must_use]
pub fn associated_data(
    (person, purpose): (&ActorId, Purpose),
    (stream, event, field): (&StreamId, &str, &str),
) -> Vec<u8> {
    format!("{FORMAT}\n{person}\n{purpose}\n{stream}\n{event}\n{field}").into_bytes()
}

/// What the keys of a purpose of a person are derived for: the `info` of HKDF.
#[must_use]
pub fn key_info(person: &ActorId, purpose: Purpose) -> Vec<u8> {
    format!("{FORMAT}\n{person}\n{purpose}").into_bytes()
}

/// The bytes of a sealed value, as lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Ciphertext(pub Vec<u8>);

/// A nonce of XChaCha20-Poly1305, as 48 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 24]);

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn read_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(nibble(&pair[0])? << 4 | nibble(&pair[1])?))
        .collect()
}

// The texts that are refused here may be somebody's name: no message repeats them.

impl FromStr for Ciphertext {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = read_hex(text).filter(|bytes| {
            (BLOCK_BYTES + TAG_BYTES..=CIPHER_BYTES_MAX).contains(&bytes.len())
                && (bytes.len() - TAG_BYTES).is_multiple_of(BLOCK_BYTES)
        });
        bytes.map(Self).ok_or("a ciphertext is hexadecimal digits of whole blocks and a tag")
    }
}

impl FromStr for Nonce {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = read_hex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a nonce is 48 lower-case hexadecimal digits")
    }
}

impl fmt::Display for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

as_text!(
    Ciphertext,
    "Ciphertext",
    "^([0-9a-f]{128})+[0-9a-f]{32}$",
    concat!(
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    )
);

as_text!(Nonce, "Nonce", "^[0-9a-f]{48}$", "000000000000000000000000000000000000000000000000");
