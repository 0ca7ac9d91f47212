//! TLS in front of a server of a test: openssl makes its authority and its certificate.

use crate::cli::program::{Scratch, command, directory};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The name of the certificate of a server that is asked at loopback.
pub const HERE: &str = "IP:127.0.0.1";

/// Decrypts what comes for a server that does not. It ends with the value.
pub struct Front {
    address: SocketAddr,
    scratch: Scratch,
    tasks: Option<Runtime>,
}

impl Front {
    /// Stands before a server, with a certificate for this name by an authority of its own.
    pub fn of(server: SocketAddr, name: &str) -> Self {
        let scratch = Scratch::new();
        let acceptor = acceptor(scratch.path(), name);
        let tasks = Runtime::new().expect("a runtime");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("its address");
        tasks.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((line, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), line, server));
            }
        });
        Self { address, scratch, tasks: Some(tasks) }
    }

    /// The address that is asked.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The file of the authority that made the certificate.
    pub fn authority(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Also on a thread of another runtime, which may not wait.
        if let Some(tasks) = self.tasks.take() {
            tasks.shutdown_background();
        }
    }
}

async fn pass_on(acceptor: TlsAcceptor, line: TcpStream, server: SocketAddr) {
    // Who does not believe the certificate goes away before the server hears of it.
    let Ok(mut line) = acceptor.accept(line).await else { return };
    let Ok(mut behind) = TcpStream::connect(server).await else { return };
    // How a connection ends is the affair of those who talk.
    let _ = copy_bidirectional(&mut line, &mut behind).await;
}

fn acceptor(dir: &Path, name: &str) -> TlsAcceptor {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    made(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    std::fs::write(dir.join("names"), format!("subjectAltName={name}\n")).expect("a file");
    made(dir, &format!("req {key} -keyout server.key -out server.csr -subj /CN=server"));
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial";
    made(dir, &format!("{sign} -out server.pem -days 2 -extfile names"));
    let certificate = CertificateDer::from_pem_file(dir.join("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits");
    TlsAcceptor::from(Arc::new(config))
}

#[track_caller]
fn made(dir: &Path, args: &str) {
    let output = command("openssl", dir).args(args.split(' ')).output();
    let output = output.expect("openssl; see tests/run");
    assert!(output.status.success(), "{args}: {}", said(&output));
}

fn said(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    format!("{out}{error}")
}

/// Runs the program, which knows these authorities alone and ends with this code, and gives what it said.
#[track_caller]
pub fn ended(dir: &Path, authorities: &Path, args: &[&str], code: i32) -> String {
    let mut command = command(directory().join("tranche"), dir);
    let output = command.env("SSL_CERT_FILE", authorities).args(args).output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    said(&output)
}
