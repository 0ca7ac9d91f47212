//! Documents in an object store of NATS: the objects of a bucket, under the same names as files.
//!
//! How many servers keep them, and when they sync, is said in the address and by their settings
//! (`deploy/nats`, ADR/0011): an acknowledged document is on more than half of the replicas.

use super::{DOCUMENT_BYTES_MAX, Error, Store, Stored, path};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::object_store::{Config, GetErrorKind, ObjectInfo, ObjectStore};
use async_nats::jetstream::{self, Context};
use async_trait::async_trait;
use bytes::Bytes;
use domain::kernel::canonical::Sha256Hex;
use eventlog::nats::{Options, Wire};
use jiff::Timestamp;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long one document may take to come or go, and a list.
const WAIT: Duration = Duration::from_secs(60);
/// There is no such stream.
const NOT_FOUND: u64 = 10059;

pub(super) struct Bucket {
    context: Context,
    name: String,
    place: String,
    replicas: usize,
    found: OnceCell<ObjectStore>,
}

impl Bucket {
    pub(super) async fn open(place: &str) -> Result<Self, Error> {
        let options: Options = place.parse().map_err(|error: eventlog::nats::BadUrl| {
            // The error shows the address without what may be a password.
            Error::Address(error.to_string())
        })?;
        let wire = Wire::connect(&options).await;
        let wire = wire.map_err(|error| Error::Unavailable(error.to_string()))?;
        let context = jetstream::with_prefix(wire.client().clone(), &options.api);
        let (name, replicas) = (options.stream, options.replicas);
        let place = format!("{}/{name}", options.servers.join(","));
        Ok(Self { context, name, place, replicas, found: OnceCell::new() })
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

    /// The bucket, if it is there.
    async fn bucket(&self) -> Result<Option<&ObjectStore>, Error> {
        if let Some(found) = self.found.get() {
            return Ok(Some(found));
        }
        if let Err(error) = self.context.get_stream(format!("OBJ_{}", self.name)).await {
            return match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code().0 == NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(self.failed(error)),
            };
        }
        let open = || self.context.get_object_store(&self.name);
        let found = self.found.get_or_try_init(open).await;
        found.map(Some).map_err(|error| self.failed(error))
    }

    /// The bucket, which is made if it is missing.
    async fn made(&self) -> Result<&ObjectStore, Error> {
        if let Some(found) = self.bucket().await? {
            return Ok(found);
        }
        let config = Config {
            bucket: self.name.clone(),
            description: Some("documents of tranche, by their SHA-256".to_owned()),
            num_replicas: self.replicas,
            // No limit.
            max_bytes: -1,
            ..Config::default()
        };
        let make = || self.context.create_object_store(config);
        let found = self.found.get_or_try_init(make).await;
        found.map_err(|error| self.failed(error))
    }

    fn stored(&self, info: &ObjectInfo) -> Result<Option<Stored>, Error> {
        let name = info.name.rsplit('/').next().unwrap_or_default();
        let Ok(sha256) = name.parse() else { return Ok(None) };
        if path(sha256) != info.name {
            return Ok(None);
        }
        let put_at = info.modified.map_or(0, |then| then.unix_timestamp());
        let put_at = Timestamp::from_second(put_at).map_err(|error| self.failed(error))?;
        Ok(Some(Stored { sha256, bytes: info.size as u64, put_at }))
    }
}

#[async_trait]
impl Store for Bucket {
    async fn put(&self, sha256: Sha256Hex, bytes: Bytes) -> Result<(), Error> {
        self.within(async {
            let bucket = self.made().await?;
            let put = bucket.put(path(sha256).as_str(), &mut &*bytes).await;
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
            let Some(bucket) = self.bucket().await? else { return Ok(None) };
            let object = match bucket.get(path(sha256)).await {
                Ok(object) => object,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.failed(error)),
            };
            let mut bytes = Vec::new();
            let mut limited = object.take(DOCUMENT_BYTES_MAX as u64 + 1);
            match limited.read_to_end(&mut bytes).await {
                Ok(_) => Ok(Some(bytes.into())),
                // The client has its own digest of the object.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    Err(Error::Changed { sha256, found: format!("cannot be read: {error}") })
                }
                Err(error) => Err(self.failed(error)),
            }
        })
        .await
    }

    async fn exists(&self, sha256: Sha256Hex) -> Result<bool, Error> {
        self.within(async {
            let Some(bucket) = self.bucket().await? else { return Ok(false) };
            match bucket.info(path(sha256)).await {
                Ok(info) => Ok(!info.deleted),
                Err(error) if error.kind() == jetstream::object_store::InfoErrorKind::NotFound => {
                    Ok(false)
                }
                Err(error) => Err(self.failed(error)),
            }
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Stored>, Error> {
        use tokio_stream::Stream as _;
        self.within(async {
            let Some(bucket) = self.bucket().await? else { return Ok(Vec::new()) };
            let mut list = bucket.list().await.map_err(|error| self.failed(error))?;
            let mut found = Vec::new();
            while let Some(info) = poll_fn(|cx| Pin::new(&mut list).poll_next(cx)).await {
                let info = info.map_err(|error| self.failed(error))?;
                found.extend(self.stored(&info)?);
            }
            Ok(found)
        })
        .await
    }

    async fn remove(&self, sha256: Sha256Hex) -> Result<(), Error> {
        self.within(async {
            let Some(bucket) = self.bucket().await? else { return Ok(()) };
            if !self.exists(sha256).await? {
                return Ok(());
            }
            bucket.delete(path(sha256)).await.map_err(|error| self.failed(error))
        })
        .await
    }
}
