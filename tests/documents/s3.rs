//! Documents in S3, on a server of its protocol that keeps objects as files (`s3s-fs`) and holds every
//! signature against its key. It is none of those that an office would run: they are in no registry of ours.

use super::{ABC, CORRUPT, Store, keeps_checks_and_collects, said};
use crate::cli::program::{Scratch, command};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const BUCKET: &str = "papers";
const KEY: &str = "tranche";
const SECRET: &str = "a-secret-of-this-test";
/// The call makes no sense.
const USAGE: i32 = 2;
/// A server is not there, or says no.
const UNAVAILABLE: i32 = 4;

/// A server, and the directory in which its buckets are.
struct Server {
    address: SocketAddr,
    scratch: Scratch,
    tls: bool,
    _tasks: Runtime,
}

impl Server {
    fn start() -> Self {
        Self::with(Scratch::new(), None)
    }

    fn with(scratch: Scratch, tls: Option<TlsAcceptor>) -> Self {
        let root = scratch.path().join("objects");
        std::fs::create_dir_all(root.join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(&root).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let tasks = Runtime::new().unwrap();
        let listener = tasks.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let is_encrypted = tls.is_some();
        tasks.spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let (service, tls) = (service.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(line, service).await,
                        Some(tls) => {
                            if let Ok(line) = tls.accept(line).await {
                                answer(line, service).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, scratch, tls: is_encrypted, _tasks: tasks }
    }

    /// One that encrypts, with a certificate of its own authority.
    fn encrypted() -> Self {
        let scratch = Scratch::new();
        let dir = scratch.path();
        made(
            dir,
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
        );
        std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        made(dir, "req -newkey rsa:2048 -nodes -keyout s3.key -out s3.csr -subj /CN=s3");
        made(
            dir,
            "x509 -req -in s3.csr -CA ca.pem -CAkey ca.key -out s3.pem -days 2 -extfile names",
        );
        let certificate = CertificateDer::from_pem_file(dir.join("s3.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join("s3.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::with(scratch, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn place(&self, name: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("s3://{name}?endpoint={scheme}://{}&region=eu-west-1", self.address)
    }

    /// The store, with the keys of the server.
    fn store(&self, name: &str) -> Store {
        self.store_with(name, SECRET)
    }

    fn store_with(&self, name: &str, secret: &str) -> Store {
        let keys = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", secret)];
        let environment = keys.map(|(name, value)| (name, value.to_owned())).to_vec();
        Store { place: self.place(name), environment }
    }
}

async fn answer(line: impl AsyncRead + AsyncWrite + Unpin + 'static, service: S3Service) {
    // How a connection ends is the client's affair.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(line), service).await;
}

#[track_caller]
fn made(dir: &Path, args: &str) {
    let output =
        command("openssl", dir).args(args.split(' ')).output().expect("openssl; see tests/run");
    assert!(output.status.success(), "{args}: {}", said(&output));
}

#[test]
fn a_bucket_keeps_documents_checks_them_and_collects_what_nobody_names() {
    let server = Server::start();
    keeps_checks_and_collects(&server.store(BUCKET));
}

#[test]
fn two_stores_share_a_bucket_under_prefixes_and_see_nothing_of_each_other() {
    let server = Server::start();
    keeps_checks_and_collects(&server.store("papers/of/one"));
    let file = server.scratch.path().join(format!("objects/{BUCKET}/of/one/sha256/ba/{ABC}"));
    assert_eq!(std::fs::read(file).unwrap(), b"abc");
    keeps_checks_and_collects(&server.store("papers/of/two"));
}

#[test]
fn over_tls_it_works_when_the_authority_is_known_and_not_otherwise() {
    let server = Server::encrypted();
    let mut store = server.store(BUCKET);
    let scratch = Scratch::new();
    let stranger = store.fails(scratch.path(), &["document", "list"], UNAVAILABLE);
    assert!(stranger.contains("certificate"), "{stranger}");
    let ca = server.scratch.path().join("ca.pem").to_str().unwrap().to_owned();
    store.environment.push(("SSL_CERT_FILE", ca));
    keeps_checks_and_collects(&store);
}

#[test]
fn what_the_server_changed_is_never_handed_out() {
    let (server, scratch) = (Server::start(), Scratch::new());
    let (store, dir) = (server.store(BUCKET), scratch.path());
    std::fs::write(dir.join("abc"), "abc").unwrap();
    store.done(dir, &["document", "add", "abc"]);
    let object = server.scratch.path().join(format!("objects/{BUCKET}/sha256/ba/{ABC}"));
    std::fs::write(&object, "abd").unwrap();
    store.fails(dir, &["document", "get", ABC], CORRUPT);
    let mended = store.done(dir, &["document", "add", "abc"]);
    assert!(mended.contains("something else was there in its name"), "{mended}");
    assert_eq!(store.done(dir, &["document", "get", ABC]), "abc");
    // What lies about under other names is not ours, and one byte too many is not read.
    std::fs::write(object.with_file_name("readme"), "x").unwrap();
    assert_eq!(store.done(dir, &["document", "list"]).lines().count(), 1);
    std::fs::File::create(&object).unwrap().set_len(32 * 1024 * 1024 + 1).unwrap();
    let large = store.fails(dir, &["document", "get", ABC], CORRUPT);
    assert!(large.contains("more than"), "{large}");
}

#[test]
fn an_address_that_leads_nowhere_is_named_and_shows_no_secret() {
    let (server, scratch) = (Server::start(), Scratch::new());
    let dir = scratch.path();
    let list = |store: &Store, code| store.fails(dir, &["document", "list"], code);
    let missing = list(&server.store("others"), UNAVAILABLE);
    assert!(missing.contains("s3://others"), "{missing}");
    let forged = list(&server.store_with(BUCKET, "another"), UNAVAILABLE);
    assert!(forged.contains("s3://papers") && !forged.contains("another"), "{forged}");
    for (place, part) in [
        ("s3://", "expected s3://BUCKET"),
        ("s3://?region=eu-west-1", "expected s3://BUCKET"),
        ("s3://papers?colour=blue", "expected s3://BUCKET"),
        ("s3://papers/a//b", "a//b"),
        ("s3://AKIA:secret@papers", "the environment"),
        ("s3://papers?secret_access_key=secret", "the environment"),
    ] {
        let wrong = list(&Store::at(place), USAGE);
        assert!(wrong.contains(part), "{place}: {wrong}");
        assert!(!wrong.contains("AKIA") && !wrong.contains("=secret"), "{wrong}");
    }
}
