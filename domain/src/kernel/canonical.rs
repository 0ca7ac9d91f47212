//! Canonical JSON (RFC 8785) of anything serialisable: the only bytes that enter the log or a hash.
//!
//! Two things are refused instead of normalised: floating point numbers, because no amount may
//! ever pass through one, and integers beyond 2^53 - 1, because other JSON readers lose them.

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::io;

/// The largest integer that every JSON reader keeps exactly (RFC 8785, section 3.2.2.3).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Room for most commits, so that it is made once: bytes, open members and open objects.
const USUAL_BYTES: usize = 1_024;

const USUAL_MEMBERS: usize = 32;

const USUAL_DEPTH: usize = 8;

/// Canonical bytes of `value`.
///
/// # Errors
/// When the value holds a float, an integer beyond [`INTEGER_MAX`], a raw fragment or a key twice.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(USUAL_BYTES);
    let spans = Vec::with_capacity(USUAL_MEMBERS);
    let formatter = Canonical { out: &mut out, spans, frames: Vec::with_capacity(USUAL_DEPTH) };
    value.serialize(&mut Serializer::with_formatter(io::sink(), formatter))?;
    Ok(out)
}

/// SHA-256 of the canonical bytes.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Sha256Hex, serde_json::Error> {
    Ok(Sha256Hex::of(&to_bytes(value)?))
}

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Hex(pub [u8; 32]);

impl Sha256Hex {
    /// Digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // One piece: commits are encoded all the time, and every piece costs.
        f.write_str(std::str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Sha256Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Sha256Hex {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MESSAGE: &str = "a SHA-256 digest is 64 lower-case hexadecimal digits";
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(MESSAGE);
        }
        let nibble = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(MESSAGE),
        };
        let mut digest = [0; 32];
        for (index, pair) in bytes.chunks_exact(2).enumerate() {
            digest[index] = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(digest))
    }
}

crate::kernel::text::as_text!(
    Sha256Hex,
    "Sha256",
    "^[0-9a-f]{64}$",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
);

/// Writes into `out` and ignores the writer that serde_json offers: the members of an object are
/// put in order when it closes, which needs the bytes already written.
struct Canonical<'a> {
    out: &'a mut Vec<u8>,
    spans: Vec<Member>,
    frames: Vec<Frame>,
}

#[derive(Clone, Copy)]
struct Member {
    start: usize,
    key_end: usize,
    end: usize,
    /// Whether the bytes of the key sort as its UTF-16 code units do.
    is_plain: bool,
}

struct Frame {
    first_span: usize,
    start: usize,
}

impl Canonical<'_> {
    fn key(&self, member: Member) -> &[u8] {
        &self.out[member.start..member.key_end]
    }

    fn compare(&self, left: Member, right: Member) -> Ordering {
        let are_plain = left.is_plain && right.is_plain;
        let (left, right) = (self.key(left), self.key(right));
        if are_plain {
            // The closing quote sorts before every letter but after '!', so it is left out.
            return left[..left.len() - 1].cmp(&right[..right.len() - 1]);
        }
        let units = |key: &[u8]| -> Vec<u16> {
            let text: String = serde_json::from_slice(key).unwrap_or_default();
            text.encode_utf16().collect()
        };
        units(left).cmp(&units(right))
    }

    /// Sorts the members of the object that closes; does nothing when they came in order.
    fn close(&mut self, frame: &Frame) -> io::Result<()> {
        let members = &self.spans[frame.first_span..];
        let sorted = members.windows(2).all(|w| self.compare(w[0], w[1]) == Ordering::Less);
        if !sorted {
            let mut order = members.to_vec();
            order.sort_by(|left, right| self.compare(*left, *right));
            if order.windows(2).any(|w| self.compare(w[0], w[1]) == Ordering::Equal) {
                return refuse("the same key twice in one object");
            }
            let mut object = Vec::with_capacity(self.out.len() - frame.start);
            object.push(b'{');
            for (index, member) in order.iter().enumerate() {
                if index > 0 {
                    object.push(b',');
                }
                object.extend_from_slice(&self.out[member.start..member.end]);
            }
            self.out.truncate(frame.start);
            self.out.extend_from_slice(&object);
        }
        self.spans.truncate(frame.first_span);
        Ok(())
    }

    fn integer(&mut self, magnitude: u128, value: impl itoa::Integer) -> io::Result<()> {
        if magnitude > u128::from(INTEGER_MAX) {
            return refuse("an integer beyond 2^53 - 1");
        }
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        Ok(())
    }
}

fn refuse<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("canonical JSON refuses {what}")))
}

impl Formatter for Canonical<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn write_bool<W: ?Sized + io::Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn write_i8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i8) -> io::Result<()> {
        self.integer(value.unsigned_abs().into(), value)
    }

    fn write_i16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i16) -> io::Result<()> {
        self.integer(value.unsigned_abs().into(), value)
    }

    fn write_i32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i32) -> io::Result<()> {
        self.integer(value.unsigned_abs().into(), value)
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i64) -> io::Result<()> {
        self.integer(value.unsigned_abs().into(), value)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i128) -> io::Result<()> {
        self.integer(value.unsigned_abs(), value)
    }

    fn write_u8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u8) -> io::Result<()> {
        self.integer(value.into(), value)
    }

    fn write_u16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u16) -> io::Result<()> {
        self.integer(value.into(), value)
    }

    fn write_u32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u32) -> io::Result<()> {
        self.integer(value.into(), value)
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u64) -> io::Result<()> {
        self.integer(value.into(), value)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u128) -> io::Result<()> {
        self.integer(value, value)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        refuse("floating point numbers")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        refuse("floating point numbers")
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        refuse("numbers of arbitrary precision")
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b'"');
        Ok(())
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b'"');
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.out.extend_from_slice(fragment.as_bytes());
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        // serde_json's own escapes are those of RFC 8785, section 3.2.2.2.
        serde_json::ser::CompactFormatter.write_char_escape(self.out, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b'[');
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b']');
        Ok(())
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            self.out.push(b',');
        }
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.frames.push(Frame { first_span: self.spans.len(), start: self.out.len() });
        self.out.push(b'{');
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(frame) = self.frames.pop() {
            self.close(&frame)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            self.out.push(b',');
        }
        let start = self.out.len();
        self.spans.push(Member { start, key_end: start, end: start, is_plain: false });
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(member) = self.spans.last_mut() {
            member.key_end = self.out.len();
            let key = &self.out[member.start..member.key_end];
            member.is_plain = key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b':');
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.out.len();
        if let Some(member) = self.spans.last_mut() {
            member.end = end;
        }
        Ok(())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        refuse("raw fragments")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn text(value: &Value) -> String {
        String::from_utf8(to_bytes(value).unwrap()).unwrap()
    }

    #[test]
    fn members_are_ordered_by_utf16_code_units_as_in_the_rfc() {
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            text(&value),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn a_key_that_is_the_start_of_another_comes_first() {
        assert_eq!(
            text(&json!({"a!": 1, "a": 2, "ab": {"d": [], "c": {}}})),
            r#"{"a":2,"a!":1,"ab":{"c":{},"d":[]}}"#
        );
    }

    #[test]
    fn floats_and_large_integers_are_refused() {
        assert!(to_bytes(&1.5).is_err());
        assert!(to_bytes(&(INTEGER_MAX + 1)).is_err());
        assert!(to_bytes(&-(1_i64 << 53)).is_err());
        assert!(to_bytes(&INTEGER_MAX).is_ok());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53) + 1..(1_i64 << 53)).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_implementation(value in any_json()) {
            prop_assert_eq!(text(&value), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
