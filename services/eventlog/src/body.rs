//! The body of a group as the stores keep it: its entries with one newline between each two. And
//! its checksum.

use bytes::Bytes;

use crate::log::{ENTRY_BYTES_MAX, Error, Group, Position, body_bytes};

/// Checks the limits, and puts the entries together.
pub(crate) fn join(entries: &[Bytes]) -> Result<String, Error> {
    let mut body = Vec::with_capacity(body_bytes(entries)?);
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            body.push(b'\n');
        }
        body.extend_from_slice(entry);
    }
    Ok(String::from_utf8(body).expect("the limits of a group say that entries are UTF-8"))
}

/// The checksum of a group: of its first position in decimal, a newline, and the body.
///
/// The position is in it so that a sound body in a wrong place is found too.
pub(crate) fn checksum(first: Position, body: &[u8]) -> u32 {
    let mut crc32 = crc32fast::Hasher::new();
    crc32.update(format!("{first}\n").as_bytes());
    crc32.update(body);
    crc32.finalize()
}

/// Says what is wrong with a stored body that claims these positions and this checksum.
pub(crate) fn check(
    first: Position,
    last: Position,
    crc32: i64,
    body: &[u8],
) -> Result<(), String> {
    if first == 0 || last < first {
        return Err("its positions are not in order".to_owned());
    }
    let computed = checksum(first, body);
    if i64::from(computed) != crc32 {
        return Err(format!("crc32 is {computed}, and {crc32} was stored"));
    }
    let claimed = (last - first).saturating_add(1);
    let (mut count, mut bad) = (0_u64, None);
    for entry in lines(body) {
        if entry.is_empty() || entry.len() > ENTRY_BYTES_MAX {
            bad.get_or_insert(count);
        }
        count += 1;
    }
    if count != claimed {
        return Err(format!("it holds {count} entries instead of {claimed}"));
    }
    match bad {
        Some(index) => Err(format!("entry {index} is empty or too long")),
        None => Ok(()),
    }
}

/// What is between the newlines.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', body).chain([body.len()]);
    ends.scan(0, |start, end| Some(&body[std::mem::replace(start, end + 1)..end]))
}

/// Makes the group of a body that passed its check. The entries share its memory.
pub(crate) fn group(first: Position, body: &Bytes) -> Group {
    let entries = lines(body).map(|entry| body.slice_ref(entry));
    Group { first, entries: entries.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_is_between_newlines() {
        for body in ["", "a", "a\nbc", "\n", "a\n", "\na", "a\n\nb", "\n\n"] {
            let expected: Vec<&[u8]> = body.as_bytes().split(|byte| *byte == b'\n').collect();
            assert_eq!(lines(body.as_bytes()).collect::<Vec<_>>(), expected, "{body:?}");
        }
    }
}
