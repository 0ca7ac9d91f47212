//! Reads the payload of a command, in one pass, and says where it is wrong.
//!
//! Serde alone takes an array where a struct is declared, and keeps the last of two equal keys of a
//! map. What stands between it and the reader of JSON here refuses both, and what canonical JSON would
//! refuse later; and when an error comes back through it, it notes the place. A payload that is right
//! pays next to nothing for that.
//!
//! What serde derives for an internally tagged enum (`#[serde(tag = …)]`) reads around this: in a payload
//! such an enum is read by hand.

use crate::kernel::canonical::INTEGER_MAX;
use crate::kernel::refusal::{Common, Refusal};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// The longest message about a payload, in characters: it may quote the payload.
const MESSAGE_CHARS_MAX: usize = 500;

/// Reads a payload.
///
/// # Errors
/// Names what is wrong and where, as a JSON pointer (RFC 6901): a field that is missing at the object
/// that lacks it, all else at the value at fault.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Refusal> {
    let mut path = Path::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    T::deserialize(Strict { inner: &mut reader, path: &mut path })
        .and_then(|payload| reader.end().map(|()| payload))
        .map_err(|error| refusal(json, &error, &path))
}

#[cold]
fn refusal(json: &[u8], error: &serde_json::Error, path: &Path) -> Refusal {
    let mut message = error.to_string();
    if error.is_data() {
        // The pointer says where, and holds for payloads that no person wrote, too.
        let position = format!(" at line {} column {}", error.line(), error.column());
        message.truncate(message.strip_suffix(&position).unwrap_or(&message).len());
    }
    if let Err(error) = std::str::from_utf8(json)
        && message.starts_with("invalid unicode code point")
    {
        message = format!("a payload is UTF-8, and byte {} of it is not", error.valid_up_to() + 1);
    }
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(end);
        message.push('…');
    }
    Refusal::from(Common::Malformed(message)).at(path.pointer())
}

/// The place of an error, from the inside out: it is noted on the way back.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn pointer(&self) -> String {
        let escape = |segment: &String| segment.replace('~', "~0").replace('/', "~1");
        self.0.iter().rev().map(|segment| format!("/{}", escape(segment))).collect()
    }
}

/// A deserializer, or a seed that is handed one.
struct Strict<'p, T> {
    inner: T,
    path: &'p mut Path,
}

macro_rules! forward {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! watch {
    ($($method:ident($($arg:ident: $type:ty),*) as $shape:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* Watch { visitor, path: self.path, shape: Shape::$shape })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
        deserialize_ignored_any
    }

    watch! {
        deserialize_any() as Any;
        deserialize_i64() as Any;
        deserialize_i128() as Any;
        deserialize_u64() as Any;
        deserialize_u128() as Any;
        deserialize_f32() as Any;
        deserialize_f64() as Any;
        deserialize_option() as Any;
        deserialize_unit_struct(name: &'static str) as Any;
        deserialize_seq() as Array;
        deserialize_tuple(len: usize) as Array;
        deserialize_tuple_struct(name: &'static str, len: usize) as Array;
        deserialize_map() as Map;
    }

    /// Only an object is a struct.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Watch { visitor, path: self.path, shape: Shape::Struct })
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Only a string is a variant: serde_json would take `{"variant": null}`, too.
    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(Choice { visitor, variants })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Strict { inner: deserializer, path: self.path })
    }
}

/// What is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Any,
    Array,
    Map,
    Struct,
}

/// A visitor who is handed only strict deserializers.
struct Watch<'p, V> {
    visitor: V,
    path: &'p mut Path,
    shape: Shape,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Any => self.visitor.expecting(f),
            Shape::Array => f.write_str("an array"),
            Shape::Map | Shape::Struct => f.write_str("an object"),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        if value.unsigned_abs() > INTEGER_MAX {
            return Err(E::invalid_value(Unexpected::Signed(value), &EXACT));
        }
        self.visitor.visit_i64(value)
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        if value > INTEGER_MAX {
            return Err(E::invalid_value(Unexpected::Unsigned(value), &EXACT));
        }
        self.visitor.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Float(value), &EXACT))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.visitor.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.visitor.visit_borrowed_str(value)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<V::Value, E> {
        self.visitor.visit_string(value)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict { inner, path: self.path })
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items { inner, path: self.path, index: 0 })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        // A struct knows by itself which fields it has read.
        let seen = (self.shape != Shape::Struct).then(BTreeSet::new);
        let mut members = Members { inner, path: &mut *self.path, key: None, seen };
        let value = self.visitor.visit_map(&mut members);
        if value.is_err()
            && let Some(key) = members.key
        {
            self.path.0.push(key.into_owned());
        }
        value
    }
}

const EXACT: &str = "a whole number of at most 2^53 - 1";

/// The elements of an array.
struct Items<'p, A> {
    inner: A,
    path: &'p mut Path,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let index = self.index;
        self.index += 1;
        self.inner.next_element_seed(Item { seed, path: &mut *self.path, index })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// An element that exists: an error behind the last one is of the array.
struct Item<'p, S> {
    seed: S,
    path: &'p mut Path,
    index: usize,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Item<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let value = self.seed.deserialize(Strict { inner, path: &mut *self.path });
        if value.is_err() {
            self.path.0.push(self.index.to_string());
        }
        value
    }
}

/// The members of an object.
struct Members<'de, 'p, A> {
    inner: A,
    path: &'p mut Path,
    /// Of the member that is being read.
    key: Option<Cow<'de, str>>,
    seen: Option<BTreeSet<Cow<'de, str>>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, '_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(Name { inner: seed, key: &mut self.key })?;
        if let (Some(seen), Some(key)) = (&mut self.seen, &self.key)
            && !seen.insert(key.clone())
        {
            return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.inner.next_value_seed(Strict { inner: seed, path: &mut *self.path })?;
        self.key = None;
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A key that is remembered when it is read: the seed, the deserializer and the visitor of it.
struct Name<'k, 'de, T> {
    inner: T,
    key: &'k mut Option<Cow<'de, str>>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<'_, 'de, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Name { inner, key: self.key })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Name<'_, 'de, D> {
    type Error = D::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(Name { inner: visitor, key: self.key })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_any(Choice { visitor, variants })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Name<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_str<E: Error>(self, key: &str) -> Result<V::Value, E> {
        *self.key = Some(Cow::Owned(key.to_owned()));
        self.inner.visit_str(key)
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<V::Value, E> {
        *self.key = Some(Cow::Borrowed(key));
        self.inner.visit_borrowed_str(key)
    }
}

/// The name of a variant.
struct Choice<V> {
    visitor: V,
    variants: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of `{}`", self.variants.join("`, `"))
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(name))
    }
}

#[cfg(test)]
mod tests;
