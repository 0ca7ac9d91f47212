//! Documents in a bucket that speaks the protocol of S3, under the same names as files.
//!
//! `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`; the keys come from the environment (`AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`), never from the address. Whoever runs the store makes the bucket.

use super::{DOCUMENT_BYTES_MAX, Error, Store, Stored, path};
use async_trait::async_trait;
use bytes::Bytes;
use domain::canonical::Sha256Hex;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::time::Duration;
use tokio::time::timeout;

/// How long one document may take to come or go, and a list.
const WAIT: Duration = Duration::from_secs(60);

pub(super) struct Bucket {
    store: AmazonS3,
    prefix: Option<String>,
    place: String,
}

impl Bucket {
    pub(super) fn open(place: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Address(format!("{place}: {what}"));
        let rest = place.strip_prefix("s3://").unwrap_or(place);
        let (name, options) = rest.split_once('?').unwrap_or((rest, ""));
        if name.contains('@') {
            // Not said again: it may hold a key.
            return Err(Error::Address("s3://: no keys in an address".to_owned()));
        }
        let (bucket, prefix) = name.split_once('/').unwrap_or((name, ""));
        if bucket.is_empty() {
            return Err(wrong("expected s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]"));
        }
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            builder = match option.split_once('=') {
                Some(("endpoint", url)) => {
                    builder.with_endpoint(url).with_allow_http(url.starts_with("http://"))
                }
                Some(("region", name)) => builder.with_region(name),
                _ => return Err(wrong("the options are endpoint= and region=")),
            };
        }
        // The one that encrypts, unless another client of this program has chosen it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = builder.build().map_err(|error| wrong(&error.to_string()))?;
        let prefix = Some(prefix.trim_matches('/').to_owned()).filter(|prefix| !prefix.is_empty());
        Ok(Self { store, prefix, place: format!("s3://{name}") })
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
        match &self.prefix {
            Some(prefix) => Path::from(format!("{prefix}/{}", path(sha256))),
            None => Path::from(path(sha256)),
        }
    }

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
    /// S3 acknowledges what is stored, whole.
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
            let prefix = self.prefix.as_deref().map(Path::from);
            let mut list = self.store.list(prefix.as_ref());
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
