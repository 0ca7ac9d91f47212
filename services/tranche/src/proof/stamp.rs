//! Timestamps of checkpoints by an authority that is not ours: RFC 3161 over the SHA-256 of the bytes of
//! the signed note. We check that a reply is about our note and answers our request. Whether its
//! signature is good is for a program that is not ours either: `openssl ts -verify` (ADR/0019).
//!
//! Beside the tree, in `stamps/`, where `NAME` is the size, the hash and the nonce, shortened:
//!
//! | file | holds |
//! |---|---|
//! | `NAME.checkpoint` | the bytes that are stamped |
//! | `NAME.tsq` | the request, DER |
//! | `NAME.tsr` | the reply, DER, byte for byte |

use super::ProofError;
use data_encoding::HEXLOWER;
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use eventlog::tlog::Checkpoint;
use eventlog::tlog::note::Note;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};
use tranche_proof::Shelf;

/// The content type of a request over HTTP.
pub const QUERY_TYPE: &str = "application/timestamp-query";
/// The content type of a reply over HTTP.
pub const REPLY_TYPE: &str = "application/timestamp-reply";
/// The longest reply, in bytes: certificates make most of it.
pub const REPLY_BYTES_MAX: usize = 64 << 10;
/// The directory in that of the tree.
const DIRECTORY: &str = "stamps";
/// So many bytes of hash and nonce are in a name.
const NAMED_BYTES: usize = 8;

const DIGEST_BYTES: usize = 32;
const NONCE_BYTES: usize = 8;
/// `TimeStampReq` up to the hash: version 1 and a `messageImprint` of SHA-256. Its length is always the
/// same, since those of hash and nonce are.
const QUERY_BEGIN: &[u8] = &[
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
/// What announces the nonce.
const QUERY_NONCE: &[u8] = &[0x02, 0x08];
/// `certReq`: the reply carries the certificate of who signed it.
const QUERY_END: &[u8] = &[0x01, 0x01, 0xff];

const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const OID_TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// Files, or the system's random numbers.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The reply is not one.
    #[error("the reply of the authority: {0}")]
    Form(String),
    /// The authority said no.
    #[error("the authority refused: status {status}{text}")]
    Refused {
        /// `PKIStatus`, such as 2 for a rejection.
        status: u64,
        /// What it says, after a colon.
        text: String,
    },
    /// The reply is about something else.
    #[error("the reply is not about this: {0}")]
    Other(String),
}

impl From<tranche_proof::Error> for StampError {
    fn from(error: tranche_proof::Error) -> Self {
        Self::Proof(error.into())
    }
}

/// What an authority is asked: a hash, and a number that was never used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    digest: [u8; DIGEST_BYTES],
    nonce: [u8; NONCE_BYTES],
}

/// What a reply says, its signature not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The SHA-256 that it is about.
    pub digest: Vec<u8>,
    /// The number of the request, as in DER.
    pub nonce: Vec<u8>,
    /// When, as the authority says.
    pub time: Timestamp,
}

impl Query {
    /// Asks for these bytes.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| ProofError::Keys(error.to_string()))?;
        // A positive number of exactly these bytes: 62 bits of it are random.
        nonce[0] = nonce[0] & 0x7f | 0x40;
        Ok(Self { digest: Sha256::digest(bytes).into(), nonce })
    }

    /// As RFC 3161 has it, in DER.
    pub fn to_der(&self) -> Vec<u8> {
        [QUERY_BEGIN, &self.digest, QUERY_NONCE, &self.nonce, QUERY_END].concat()
    }

    /// Reads what [`Query::to_der`] wrote; `None` for any other request.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let rest = der.strip_prefix(QUERY_BEGIN)?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.strip_prefix(QUERY_NONCE)?.split_first_chunk()?;
        (rest == QUERY_END).then_some(Self { digest: *digest, nonce: *nonce })
    }

    /// Checks that a reply is about the same hash and number.
    ///
    /// # Errors
    /// [`StampError::Other`].
    pub fn check(&self, stamp: &Stamp) -> Result<(), StampError> {
        if stamp.digest != self.digest {
            return Err(StampError::Other("its hash (messageImprint) is another".to_owned()));
        }
        if stamp.nonce != self.nonce {
            return Err(StampError::Other("its nonce is not that of the request".to_owned()));
        }
        Ok(())
    }
}

fn form(what: impl std::fmt::Display) -> StampError {
    StampError::Form(what.to_string())
}

/// The elements in a value.
fn elements(value: &[u8]) -> Result<Vec<AnyRef<'_>>, StampError> {
    let mut reader = SliceReader::new(value).map_err(form)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader).map_err(form)?);
    }
    Ok(found)
}

/// The elements in a sequence.
fn sequence<'a>(any: Option<&AnyRef<'a>>, what: &str) -> Result<Vec<AnyRef<'a>>, StampError> {
    match any.filter(|any| any.header().tag() == Tag::Sequence) {
        Some(any) => elements(any.value()),
        None => Err(form(format_args!("no sequence {what}"))),
    }
}

/// The value of an element with this tag.
fn value<'a>(any: Option<&AnyRef<'a>>, tag: Tag, what: &str) -> Result<&'a [u8], StampError> {
    any.filter(|any| any.header().tag() == tag)
        .map(|any| any.value())
        .ok_or_else(|| form(format_args!("no {what}")))
}

/// What is in `[0] EXPLICIT`.
fn explicit<'a>(any: Option<&AnyRef<'a>>, what: &str) -> Result<AnyRef<'a>, StampError> {
    let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let inside = elements(value(any, tag, what)?)?;
    inside.first().copied().ok_or_else(|| form(format_args!("nothing in {what}")))
}

impl Stamp {
    /// Reads a reply: `TimeStampResp`, in it CMS signed data, in it `TSTInfo`.
    ///
    /// # Errors
    /// [`StampError::Form`], or [`StampError::Refused`].
    pub fn read(reply: &[u8]) -> Result<Self, StampError> {
        if reply.len() > REPLY_BYTES_MAX {
            return Err(form(format_args!("longer than {REPLY_BYTES_MAX} bytes")));
        }
        let all = elements(reply)?;
        let response = sequence(all.first(), "TimeStampResp")?;
        if all.len() != 1 {
            return Err(form("more than a TimeStampResp"));
        }
        granted(&sequence(response.first(), "status")?)?;
        let token = sequence(response.get(1), "timeStampToken")?;
        if value(token.first(), Tag::ObjectIdentifier, "contentType")? != OID_SIGNED_DATA {
            return Err(form("the token is not signed data"));
        }
        let signed = explicit(token.get(1), "content")?;
        let signed = sequence(Some(&signed), "SignedData")?;
        let content = sequence(signed.get(2), "encapContentInfo")?;
        if value(content.first(), Tag::ObjectIdentifier, "eContentType")? != OID_TST_INFO {
            return Err(form("what is signed is no TSTInfo"));
        }
        let info = explicit(content.get(1), "eContent")?;
        let info = elements(value(Some(&info), Tag::OctetString, "eContent")?)?;
        let info = sequence(info.first(), "TSTInfo")?;
        let imprint = sequence(info.get(2), "messageImprint")?;
        let algorithm = sequence(imprint.first(), "hashAlgorithm")?;
        if value(algorithm.first(), Tag::ObjectIdentifier, "hashAlgorithm")? != OID_SHA256 {
            return Err(StampError::Other("its hash is no SHA-256".to_owned()));
        }
        let digest = value(imprint.get(1), Tag::OctetString, "hashedMessage")?.to_vec();
        let time = time(value(info.get(4), Tag::GeneralizedTime, "genTime")?)?;
        // Of what may follow, only the nonce is an integer.
        let nonce = info.iter().skip(5).find(|any| any.header().tag() == Tag::Integer);
        let nonce = nonce.map(|any| any.value().to_vec()).unwrap_or_default();
        Ok(Self { digest, nonce, time })
    }
}

/// 0 is granted, 1 is granted with changes.
fn granted(status: &[AnyRef<'_>]) -> Result<(), StampError> {
    let number = value(status.first(), Tag::Integer, "status")?;
    if number.len() > size_of::<u64>() {
        return Err(form("a status that nobody knows"));
    }
    let number = number.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    if number <= 1 {
        return Ok(());
    }
    let texts = sequence(status.get(1), "statusString").unwrap_or_default();
    let texts = texts.iter().map(|text| String::from_utf8_lossy(text.value()).into_owned());
    let text = texts.collect::<Vec<_>>().join("; ");
    let text = if text.is_empty() { text } else { format!(": {text}") };
    Err(StampError::Refused { status: number, text })
}

/// `YYYYMMDDhhmmss[.f]Z`.
fn time(value: &[u8]) -> Result<Timestamp, StampError> {
    let wrong = || form("genTime is no time in UTC");
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
    let text = text.and_then(|text| text.strip_suffix('Z')).ok_or_else(wrong)?;
    let (digits, fraction) = text.split_at_checked(14).ok_or_else(wrong)?;
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let iso = format!(
        "{}-{}-{}T{}:{}:{}{fraction}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14),
    );
    iso.parse().map_err(|_| wrong())
}

/// A request that was made and kept.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What is asked.
    pub query: Query,
    /// The bytes that are stamped.
    pub checkpoint: PathBuf,
    /// The request.
    pub request: PathBuf,
}

/// A timestamp that was checked and kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The request, with its note.
    pub begun: Begun,
    /// The reply.
    pub reply: PathBuf,
    /// When, as the authority says.
    pub time: Timestamp,
}

/// Makes a request for a note, and keeps both.
///
/// # Errors
/// When they cannot be kept.
pub fn begin(shelf: &Shelf, note: &Note) -> Result<Begun, StampError> {
    let size = Checkpoint::parse(&note.text).map_err(ProofError::from)?.size;
    let bytes = note.to_string();
    let query = Query::new(bytes.as_bytes())?;
    let name = format!("{DIRECTORY}/{size}{}", name_end(&query.digest, &query.nonce));
    shelf.put(&format!("{name}.checkpoint"), bytes.as_bytes(), true)?;
    shelf.put(&format!("{name}.tsq"), &query.to_der(), true)?;
    let path = |end| shelf.dir().join(format!("{name}.{end}"));
    Ok(Begun { query, checkpoint: path("checkpoint"), request: path("tsq") })
}

/// Checks a reply against the request that it answers, and keeps it beside that. Without a request, that
/// is looked for among those that were made.
///
/// # Errors
/// When it is no reply, or does not answer the request.
pub fn finish(shelf: &Shelf, begun: Option<Begun>, reply: &[u8]) -> Result<Kept, StampError> {
    let stamp = Stamp::read(reply)?;
    let begun = begun.map_or_else(|| asked(shelf, &stamp), Ok)?;
    begun.query.check(&stamp)?;
    let bytes = read(&begun.checkpoint)?;
    if <[u8; DIGEST_BYTES]>::from(Sha256::digest(&bytes)) != begun.query.digest {
        let path = begun.checkpoint.display();
        return Err(StampError::Other(format!("{path} is not what was to be stamped")));
    }
    let path = begun.request.with_extension("tsr");
    let name = path.strip_prefix(shelf.dir()).unwrap_or(&path).to_string_lossy().into_owned();
    shelf.put(&name, reply, true)?;
    Ok(Kept { begun, reply: path, time: stamp.time })
}

/// The bytes of a timestamp as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The signed note that is stamped.
    pub checkpoint: Vec<u8>,
    /// The reply, DER.
    pub reply: Vec<u8>,
}

/// Reads what was stamped and the reply, of every timestamp of a checkpoint with this text, in the order of
/// their names.
///
/// # Errors
/// When they cannot be read.
pub fn stamps(shelf: &Shelf, text: &str) -> Result<Vec<Stamped>, StampError> {
    let dir = shelf.dir().join(DIRECTORY);
    let failure = |error| StampError::Proof(ProofError::file(&dir, error));
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failure)?,
    };
    let paths = entries.map(|entry| entry.map(|it| fs::DirEntry::path(&it)));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failure)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "tsr"));
    paths.sort();
    let mut found = Vec::new();
    for reply in paths {
        let checkpoint = read(&reply.with_extension("checkpoint"))?;
        let after = checkpoint.strip_prefix(text.as_bytes());
        if after.is_some_and(|after| after.starts_with(b"\n")) {
            found.push(Stamped { checkpoint, reply: read(&reply)? });
        }
    }
    Ok(found)
}

/// The request with the hash and the nonce of a reply.
fn asked(shelf: &Shelf, stamp: &Stamp) -> Result<Begun, StampError> {
    let dir = shelf.dir().join(DIRECTORY);
    let failure = |error| StampError::Proof(ProofError::file(&dir, error));
    let end = format!("{}.tsq", name_end(&stamp.digest, &stamp.nonce));
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries.map_err(failure)?),
    };
    for entry in entries.into_iter().flatten() {
        let request = entry.map_err(failure)?.path();
        if request.to_string_lossy().ends_with(&end) {
            let query = Query::from_der(&read(&request)?)
                .ok_or_else(|| form(format_args!("{} is no request", request.display())))?;
            return Ok(Begun { query, checkpoint: request.with_extension("checkpoint"), request });
        }
    }
    let what = format!("no request with its hash and nonce is in {}", dir.display());
    Err(StampError::Other(what))
}

fn name_end(digest: &[u8], nonce: &[u8]) -> String {
    let hex = |bytes: &[u8]| HEXLOWER.encode(&bytes[..bytes.len().min(NAMED_BYTES)]);
    format!("-{}-{}", hex(digest), hex(nonce))
}

fn read(path: &Path) -> Result<Vec<u8>, StampError> {
    fs::read(path).map_err(|error| StampError::Proof(ProofError::file(path, error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written_and_no_other() {
        let query = Query::new(b"text").unwrap();
        let der = query.to_der();
        assert_eq!(der.len(), 2 + usize::from(QUERY_BEGIN[1]));
        assert_eq!(Query::from_der(&der), Some(query.clone()));
        assert_ne!(Query::new(b"text").unwrap().nonce, query.nonce);
        assert_eq!(Query::from_der(&der[1..]), None);
        assert_eq!(Query::from_der(&[&der[..], &[0]].concat()), None);
    }

    #[test]
    fn times_are_read_as_der_has_them() {
        let read = |text: &str| time(text.as_bytes()).map(|time| time.to_string()).ok();
        assert_eq!(read("20261126020304Z").as_deref(), Some("2026-11-26T02:03:04Z"));
        assert_eq!(read("20261126020304.25Z").as_deref(), Some("2026-11-26T02:03:04.25Z"));
        for bad in ["20261126020304", "2026112602030Z", "20261326020304Z", "é0261126020304Z", "Z"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let refused: &[u8] = &[0x30, 0x09, 0x30, 0x07, 0x02, 0x01, 0x02, 0x30, 0x02, 0x0c, 0x00];
        assert!(matches!(Stamp::read(refused), Err(StampError::Refused { status: 2, .. })));
        let granted_nothing: &[u8] = &[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
        for bad in [&b""[..], b"text", &[0x30], &[0x30, 0x80, 0, 0], granted_nothing] {
            assert!(matches!(Stamp::read(bad), Err(StampError::Form(_))), "{bad:?}");
        }
        assert!(Stamp::read(&vec![0; REPLY_BYTES_MAX + 1]).is_err());
    }
}
