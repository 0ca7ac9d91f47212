//! Certificates, and connections without them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::super::server::ONE_NODE_SECURE;
use super::*;

/// How long a server may take to be ready, or to close a connection.
const AT_LAST: Duration = Duration::from_secs(30);

fn openssl(dir: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(dir).output().expect("openssl");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes `NAME.pem` and `NAME.key`, signed by the authority in the directory, for so many days from now.
fn certificate(dir: &Path, name: &str, days: i32) -> [PathBuf; 2] {
    let [pem, key, request] = ["pem", "key", "csr"].map(|end| format!("{name}.{end}"));
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    let curve = "ec_paramgen_curve:P-256";
    openssl(dir, &["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", &key]);
    openssl(dir, &["req", "-new", "-key", &key, "-subj", "/CN=test", "-out", &request]);
    let sign = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    let days = days.to_string();
    let what = ["-in", &request, "-days", &days, "-extfile", "names", "-out", &pem];
    openssl(dir, &[&sign[..], &what].concat());
    [dir.join(pem), dir.join(key)]
}

/// Opens a log, which a server that has just started may not let us yet.
async fn open_at_last(url: &str) -> Nats {
    let deadline = Instant::now() + AT_LAST;
    loop {
        match open(url).await {
            Ok(log) => return log,
            Err(error) => assert!(Instant::now() < deadline, "{url}: {error}"),
        }
    }
}

/// What is wrong, said before anybody would have stopped waiting.
async fn refusal(url: &str) -> String {
    let began = Instant::now();
    let error = open(url).await.err().expect(url).to_string();
    assert!(began.elapsed() < CONNECT_WAIT, "{url}: {error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_certificate_has_expired_is_refused() {
    let mut server = Server::start_secure();
    let url = server.secure_url("tranche", "operator");
    drop(open_at_last(&url).await);
    for (days, is_good) in [(-1, false), (1, true)] {
        server.kill();
        certificate(&server.keys(), "server", days);
        server.start_again();
        if is_good {
            open_at_last(&url).await;
        } else {
            let error = refusal(&url).await;
            assert!(error.contains("certificate: Expired"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_certificates_of_its_clients_gets_ours() {
    let settings = format!(
        "{ONE_NODE_SECURE}\ntls {{ cert_file: $TRANCHE_NATS_CERT, key_file: $TRANCHE_NATS_KEY, \
         ca_file: $TRANCHE_NATS_CA, verify: true }}"
    );
    let server = Server::start_secure_with(&settings);
    let other = Server::start_secure();
    let url = server.secure_url("tranche", "operator");
    let with =
        |[cert, key]: &[PathBuf; 2]| format!("{url}&cert={}&key={}", cert.display(), key.display());
    let ours = certificate(&server.keys(), "client", 1);
    let log = open_at_last(&with(&ours)).await;
    assert_eq!(log.append(0, entries(&["a"])).await, Ok(1));

    let mixed = [ours[0].clone(), certificate(&server.keys(), "mixed", 1)[1].clone()];
    for (url, words) in [
        (url.clone(), "CertificateRequired"),
        (with(&certificate(&other.keys(), "client", 1)), "UnknownCA"),
        (with(&certificate(&server.keys(), "late", -1)), "CertificateExpired"),
        (with(&mixed), "could not add certificate or key"),
    ] {
        let error = refusal(&url).await;
        assert!(error.contains(words), "{words}: {error}");
    }
    let swapped = refusal(&with(&[ours[1].clone(), ours[0].clone()])).await;
    assert!(swapped.contains("client.key: there is no PEM block"), "{swapped}");
    std::fs::set_permissions(&ours[1], std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let open_key = refusal(&with(&ours)).await;
    assert!(open_key.contains("client.key: its mode is 644"), "{open_key}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_plain_text_is_not_heard() {
    let server = Server::start_secure();
    let log = open_at_last(&server.secure_url("tranche", "operator")).await;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    stream.set_read_timeout(Some(AT_LAST)).unwrap();
    let said = "CONNECT {\"verbose\":false}\r\nPUB tranche.log 1\r\na\r\nPING\r\n";
    (&stream).write_all(said.as_bytes()).unwrap();
    let mut heard = Vec::new();
    // It may close the connection in any way.
    let _ = (&stream).read_to_end(&mut heard);
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("INFO ") && !heard.contains("PONG"), "{heard}");
    assert_eq!(log.head().await, Ok(0));
    // An address that does not insist on encryption gets it, and does not trust just anybody.
    let careless = server.secure_url("tranche", "operator").replace("tls://", "nats://");
    assert_eq!(open_at_last(&careless).await.head().await, Ok(0));
    let (start, end) = careless.split_once("ca=").unwrap();
    let error = refusal(&format!("{start}{}", end.split_once('&').unwrap().1)).await;
    assert!(error.contains("certificate"), "{error}");
}
