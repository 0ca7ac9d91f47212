//! A message of the stream: its number, and what makes it one of a log.

use bytes::Bytes;
use uuid::Uuid;

use crate::body;
use crate::log::{Damage, Group, Place, Position};

/// The number of a message in its stream, from 1.
pub(crate) type Sequence = u64;

/// The last message: its number, the last position it holds, and its group. Zeros when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) id: Uuid,
}

/// A message, and the group that it must follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) sequence: Sequence,
    pub(super) after: Uuid,
}

/// A group in the stream, checked; or a mark.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) place: Place,
    pub(crate) sequence: Sequence,
    pub(crate) first: Position,
    pub(crate) last: Position,
    pub(crate) id: Uuid,
    pub(crate) after: Uuid,
    pub(crate) body: Bytes,
}

/// What a message says about itself.
pub(crate) struct Claims {
    pub(crate) first: Position,
    pub(crate) last: Position,
    pub(crate) crc32: u64,
    pub(crate) id: Uuid,
    pub(crate) after: Uuid,
}

impl Stored {
    /// Checks everything that a message says about itself, and names what is wrong.
    pub(crate) fn check(
        sequence: Sequence,
        place: Place,
        claims: &Claims,
        body: Bytes,
    ) -> Result<Stored, Damage> {
        let damage = |what| Damage { place, what };
        let Claims { first, last, crc32, id, after } = *claims;
        let crc32 = i64::try_from(crc32).unwrap_or(-1);
        let is_mark = body.is_empty() && last.checked_add(1) == Some(first);
        if is_mark && i64::from(body::checksum(first, b"")) != crc32 {
            return Err(damage("the checksum of a mark is wrong".to_owned()));
        }
        if !is_mark {
            body::check(first, last, crc32, &body).map_err(damage)?;
        }
        if str::from_utf8(&body).is_err() {
            return Err(damage("its body is not text".to_owned()));
        }
        Ok(Stored { place, sequence, first, last, id, after, body })
    }

    pub(super) fn tip(&self) -> Tip {
        Tip { sequence: self.sequence, position: self.last, id: self.id }
    }

    /// Whether it is a mark (see [`Remote::take_over`](super::handle::Remote::take_over)): it holds no
    /// entries, and begins where the next group does.
    pub(super) fn is_mark(&self) -> bool {
        self.last < self.first
    }

    pub(super) fn group(&self) -> Group {
        body::group(self.first, &self.body)
    }

    /// The message after this one.
    pub(super) fn next(&self) -> Link {
        Link { sequence: self.sequence + 1, after: self.id }
    }

    /// Checks that the group begins at a position and follows a group.
    pub(super) fn check_order(&self, first: Position, after: Uuid) -> Result<(), Damage> {
        let damage = |what| Err(Damage { place: self.place, what });
        if self.first != first {
            return damage(format!("it begins at {}, and should at {first}", self.first));
        }
        if self.after != after {
            return damage(format!(
                "it follows group {}, but the message before it is group {after}: the stream has \
                 lost messages and taken others",
                self.after
            ));
        }
        Ok(())
    }
}
