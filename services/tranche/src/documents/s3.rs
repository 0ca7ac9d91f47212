//! Documents in a bucket of S3, under the same names as files.
//!
//! `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`. Who may do this is said in the environment, as for
//! other programs (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, or the identity of the machine), and never in
//! the address. Whoever runs the store makes the bucket. What fails for a moment is tried again by the
//! client, within [`WAIT`].

use super::{DOCUMENT_BYTES_MAX, Error, Store, Stored, path};
use async_trait::async_trait;
use bytes::Bytes;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::time::Duration;
use tokio::time::timeout;

/// How long one document may take to come or go, and a list.
const WAIT: Duration = Duration::from_secs(60);
const FORM: &str = "expected s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]";

pub(super) struct Bucket {
    store: AmazonS3,
    /// Between the bucket and the name of a document; may be empty.
    prefix: Path,
    place: String,
}

impl Bucket {
    /// # Errors
    /// When the address makes no sense, or there is no such bucket for us: what is missing from a bucket
    /// that nobody has would look like documents that are missing.
    pub(super) async fn open(place: &str) -> Result<Self, Error> {
        let rest = place.strip_prefix("s3://").unwrap_or(place);
        let (name, options) = rest.split_once('?').unwrap_or((rest, ""));
        if name.contains('@') || options.to_ascii_lowercase().contains("key") {
            // Not said again: it may hold a key.
            let what = "s3://: keys come from the environment, not from the address";
            return Err(Error::Address(what.to_owned()));
        }
        let wrong = |what: &dyn Display| Error::Address(format!("{place}: {what}"));
        let (bucket, prefix) = name.split_once('/').unwrap_or((name, ""));
        if bucket.is_empty() {
            return Err(wrong(&FORM));
        }
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_checksum_algorithm(Checksum::SHA256);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            builder = match option.split_once('=') {
                Some(("endpoint", url)) => {
                    builder.with_endpoint(url).with_allow_http(url.starts_with("http://"))
                }
                Some(("region", name)) => builder.with_region(name),
                _ => return Err(wrong(&FORM)),
            };
        }
        eventlog::tls::agree();
        let store = builder.build().map_err(|error| wrong(&error))?;
        let prefix = Path::parse(prefix).map_err(|error| wrong(&error))?;
        let bucket = Self { store, prefix, place: format!("s3://{name}") };
        bucket.within(bucket.first()).await?;
        Ok(bucket)
    }

    /// Any object: whether the bucket is there, and may be listed.
    async fn first(&self) -> Result<Option<ObjectMeta>, Error> {
        let mut list = self.store.list(Some(&self.prefix));
        let first = poll_fn(|cx| list.as_mut().poll_next(cx)).await;
        first.transpose().map_err(|error| self.failed(error))
    }

    fn failed(&self, why: impl Display) -> Error {
        Error::Unavailable(format!("{}: {why}", self.place))
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout(WAIT, work).await {
            Ok(done) => done,
            Err(_) => Err(self.failed(format!("no answer in {WAIT:?}"))),
        }
    }

    fn path(&self, sha256: Sha256Hex) -> Path {
        self.prefix.parts().chain(Path::from(path(sha256)).parts()).collect()
    }

    /// What it is, unless somebody else put it there.
    fn stored(&self, meta: &ObjectMeta) -> Result<Option<Stored>, Error> {
        let name = meta.location.filename().unwrap_or_default();
        let Ok(sha256) = name.parse() else { return Ok(None) };
        if self.path(sha256) != meta.location {
            return Ok(None);
        }
        let put_at = Timestamp::from_second(meta.last_modified.timestamp());
        let put_at = put_at.map_err(|error| self.failed(error))?;
        Ok(Some(Stored { sha256, bytes: meta.size, put_at }))
    }
}

/// What is there, if it is.
fn found<T>(answer: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Store for Bucket {
    /// S3 acknowledges what is stored, whole. The client says its SHA-256 once more, and the server checks it.
    async fn put(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error> {
        self.within(async {
            let put = self.store.put(&self.path(sha256), bytes.into()).await;
            put.map(drop).map_err(|error| self.failed(error))
        })
        .await
    }

    /// An object knows when it was written, so it is written again.
    async fn touch(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error> {
        self.put(sha256, bytes).await
    }

    async fn get(&self, sha256: Sha256Hex) -> Result<Option<Bytes>, Error> {
        self.within(async {
            let got = self.store.get_opts(&self.path(sha256), GetOptions::default()).await;
            let Some(got) = found(got).map_err(|error| self.failed(error))? else {
                return Ok(None);
            };
            if got.meta.size > DOCUMENT_BYTES_MAX as u64 {
                let found = format!("has more than {DOCUMENT_BYTES_MAX} bytes");
                return Err(Error::Changed { sha256, found });
            }
            got.bytes().await.map(Some).map_err(|error| self.failed(error))
        })
        .await
    }

    async fn exists(&self, sha256: Sha256Hex) -> Result<bool, Error> {
        self.within(async {
            let head = found(self.store.head(&self.path(sha256)).await);
            head.map(|head| head.is_some()).map_err(|error| self.failed(error))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Stored>, Error> {
        self.within(async {
            let mut list = self.store.list(Some(&self.prefix));
            let mut all = Vec::new();
            while let Some(meta) = poll_fn(|cx| list.as_mut().poll_next(cx)).await {
                let meta = meta.map_err(|error| self.failed(error))?;
                all.extend(self.stored(&meta)?);
            }
            Ok(all)
        })
        .await
    }

    async fn remove(&self, sha256: Sha256Hex) -> Result<(), Error> {
        self.within(async {
            let gone = found(self.store.delete(&self.path(sha256)).await);
            gone.map(drop).map_err(|error| self.failed(error))
        })
        .await
    }
}
