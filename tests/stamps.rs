//! Timestamps of checkpoints, by an authority of this test: openssl makes it, signs with it and verifies.

use crate::cli::program::{Scratch, command, tranche};
use crate::tls::{self, Front, HERE};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Output;

const REPLY_TYPE: &str = "application/timestamp-reply";
/// What `openssl ts -reply` reads. The section that is used is an argument.
const AUTHORITY: &str = "\
[tsa]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[picky]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha512
ess_cert_id_alg = sha256
";

fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(error))
}

#[track_caller]
fn ended(dir: &Path, args: &[&str], code: i32) -> String {
    let output = tranche(dir, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    said(&output)
}

fn openssl(dir: &Path, args: &str) -> Output {
    command("openssl", dir).args(args.split(' ')).output().expect("openssl; see tests/run")
}

#[track_caller]
fn made(dir: &Path, args: &str) {
    let output = openssl(dir, args);
    assert!(output.status.success(), "{args}: {}", said(&output));
}

/// A log with a key, and an authority with its CA.
pub fn authority() -> Scratch {
    let scratch = Scratch::new();
    let dir = scratch.path();
    ended(dir, &["--data", "log", "demo", "--once"], 0);
    let public = ended(dir, &["proof", "key", "demo.example/log", "--to", "key"], 0);
    std::fs::write(dir.join("public"), public).unwrap();
    std::fs::write(dir.join("tsa.cnf"), AUTHORITY).unwrap();
    std::fs::write(dir.join("serial"), "01\n").unwrap();
    std::fs::write(dir.join("usage"), "extendedKeyUsage = critical,timeStamping\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    made(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=CA -days 3650"));
    made(dir, &format!("req {key} -keyout tsa.key -out tsa.csr -subj /CN=Authority"));
    made(
        dir,
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 3650 -extfile usage",
    );
    scratch
}

fn reply(dir: &Path, query: &str, reply: &str, section: &str) {
    made(
        dir,
        &format!("ts -reply -config tsa.cnf -section {section} -queryfile {query} -out {reply}"),
    );
}

/// Has the authority stamp the newest checkpoint, and keeps that.
pub fn stamped(dir: &Path) {
    let stamp = ["--data", "log", "proof", "timestamp", "--key", "key"];
    ended(dir, &[&stamp[..], &["--request-out", "asked.tsq"]].concat(), 0);
    reply(dir, "asked.tsq", "asked.tsr", "tsa");
    ended(dir, &[&stamp[..], &["--reply", "asked.tsr"]].concat(), 0);
}

/// Whether openssl takes a reply for a file.
fn is_good(dir: &Path, reply: &str, data: &str) -> bool {
    let verify = format!("ts -verify -data {data} -in {reply} -CAfile ca.pem");
    openssl(dir, &verify).status.success()
}

/// The files of the timestamps with this end, in order.
fn kept(dir: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("log/proof/stamps")).unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == end));
    found.sort();
    found
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn place(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).expect("it is in it")
}

#[test]
fn a_timestamp_is_verified_by_openssl_and_every_changed_bit_is_refused() {
    let scratch = authority();
    let dir = scratch.path();
    let stamp = ["--data", "log", "proof", "timestamp", "--key", "key"];
    ended(dir, &[&stamp[..], &["--request-out", "one.tsq"]].concat(), 0);
    // Another program reads the request as RFC 3161 has it.
    let read = said(&openssl(dir, "ts -query -in one.tsq -text"));
    for part in ["Version: 1", "Hash Algorithm: sha256", "Certificate required: yes", "Nonce: 0x"] {
        assert!(read.contains(part), "{read}");
    }
    reply(dir, "one.tsq", "one.tsr", "tsa");
    let told = ended(dir, &[&stamp[..], &["--reply", "one.tsr"]].concat(), 0);
    // The commands that it prints are the documented ones.
    let commands: Vec<_> =
        told.lines().filter_map(|line| line.trim().strip_prefix("openssl ")).collect();
    assert_eq!(commands.len(), 2, "{told}");
    for line in commands {
        made(dir, &line.replace("CA.pem", "ca.pem"));
    }

    let (note, tsr) = (kept(dir, "checkpoint").remove(0), kept(dir, "tsr").remove(0));
    let note = std::fs::read(note).unwrap();
    let tsr = std::fs::read(tsr).unwrap();
    assert_eq!(tsr, std::fs::read(dir.join("one.tsr")).unwrap(), "byte for byte");
    let query = std::fs::read(dir.join("one.tsq")).unwrap();
    std::fs::write(dir.join("note"), &note).unwrap();
    assert!(is_good(dir, "one.tsr", "note"));
    for at in [0, note.len() / 2, note.len() - 2] {
        std::fs::write(dir.join("changed"), flipped(&note, at)).unwrap();
        assert!(!is_good(dir, "one.tsr", "changed"), "bit of the checkpoint at {at}");
    }
    let (digest, nonce) = (&query[24..56], &query[58..66]);
    // From the hash to the nonce, the time between them; and in the signature, which is at the end. The
    // envelope around has bits that say nothing, such as the version of CMS: openssl passes over 13 of 876.
    let (from, to) = (place(&tsr, digest), place(&tsr, nonce) + nonce.len());
    assert!(place(&tsr, b"\x18\x0f20") > from, "the time is among them");
    for at in (from..to).chain([tsr.len() - 1, tsr.len() - 30]) {
        std::fs::write(dir.join("changed.tsr"), flipped(&tsr, at)).unwrap();
        assert!(!is_good(dir, "changed.tsr", "note"), "bit of the token at {at}");
        if [from, to - 1].contains(&at) {
            let args = [&stamp[..], &["--reply", "changed.tsr"]].concat();
            assert!(ended(dir, &args, 1).contains("not about this"), "{at}");
        }
    }
    // A reply to somebody else's request.
    made(dir, "ts -query -data note -sha256 -cert -out foreign.tsq");
    reply(dir, "foreign.tsq", "foreign.tsr", "tsa");
    let args = [&stamp[..], &["--reply", "foreign.tsr"]].concat();
    assert!(ended(dir, &args, 1).contains("no request with its hash and nonce"));
    reply(dir, "one.tsq", "refused.tsr", "picky");
    let args = [&stamp[..], &["--reply", "refused.tsr"]].concat();
    assert!(ended(dir, &args, 1).contains("the authority refused: status 2"));
    let args = [&stamp[..], &["--reply", "note"]].concat();
    assert!(ended(dir, &args, 1).contains("the reply of the authority"));
    assert_eq!(kept(dir, "tsr").len(), 1, "nothing else was kept");
}

/// Answers so many requests over HTTP, each as it is told.
fn serve(dir: PathBuf, how: Vec<&'static str>) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for how in how {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            // The head ends so, and a request of ours is 69 bytes long.
            let is_whole = |got: &[u8]| {
                let head = got.windows(4).position(|window| window == b"\r\n\r\n");
                head.is_some_and(|head| got.len() >= head + 4 + 69)
            };
            while !is_whole(&got) {
                let mut some = [0; 1024];
                let read = stream.read(&mut some).unwrap();
                assert!(read > 0, "the request ends early");
                got.extend_from_slice(&some[..read]);
            }
            let head = String::from_utf8_lossy(&got[..got.len() - 69]).to_ascii_lowercase();
            assert!(head.starts_with("post /stamp?a=b http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/timestamp-query\r\n"), "{head}");
            if how == "fresh" {
                std::fs::write(dir.join("got.tsq"), &got[got.len() - 69..]).unwrap();
                reply(&dir, "got.tsq", "got.tsr", "tsa");
            }
            let body = std::fs::read(dir.join("got.tsr")).unwrap();
            let (status, kind) = match how {
                "broken" => ("500 Broken", REPLY_TYPE),
                "page" => ("200 OK", "text/html"),
                _ => ("200 OK", REPLY_TYPE),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    (address, thread)
}

#[test]
fn an_authority_is_asked_over_http_and_an_old_reply_is_not_taken_for_a_new_one() {
    let scratch = authority();
    let dir = scratch.path();
    let (address, thread) = serve(dir.to_owned(), vec!["fresh", "again", "broken", "page"]);
    let url = format!("http://{address}/stamp?a=b");
    let ask = ["--data", "log", "proof", "timestamp", "--key", "key", "--tsa", &url];
    assert!(ended(dir, &ask, 0).contains("stamped at 20"));
    let tsr = kept(dir, "tsr").remove(0);
    let (note, query) = (tsr.with_extension("checkpoint"), tsr.with_extension("tsq"));
    assert!(is_good(dir, tsr.to_str().unwrap(), note.to_str().unwrap()));
    let verify =
        format!("ts -verify -queryfile {} -in {} -CAfile ca.pem", query.display(), tsr.display());
    made(dir, &verify);
    // The same reply once more: it answers a request that was made, and not this one.
    assert!(ended(dir, &ask, 1).contains("its nonce is not that of the request"));
    assert!(ended(dir, &ask, 4).contains("answered 500"));
    assert!(ended(dir, &ask, 4).contains("text/html"));
    thread.join().unwrap();
    ended(dir, &ask, 4);
    let other = ["--data", "log", "proof", "timestamp", "--key", "key", "--tsa", "ftp://a.example"];
    assert!(ended(dir, &other, 2).contains("it does not begin with https:// or http://"));
}

#[test]
fn over_tls_an_authority_is_asked_when_its_certificate_is_believed_and_not_otherwise() {
    let scratch = authority();
    let dir = scratch.path();
    let (address, thread) = serve(dir.to_owned(), vec!["fresh"]);
    let (front, elsewhere) = (Front::of(address, HERE), Front::of(address, "DNS:tsa.example"));
    let ask = |front: &Front, authorities: &Path, code| {
        let url = front.url("/stamp?a=b");
        let ask = ["--data", "log", "proof", "timestamp", "--key", "key", "--tsa", &url];
        tls::ended(dir, authorities, &ask, code)
    };
    // Of the same name, of another name, with the wrong name, and none at all.
    for authorities in [elsewhere.authority(), dir.join("ca.pem")] {
        let unknown = ask(&front, &authorities, 4);
        assert!(unknown.contains("is not believed: no authority that is known here"), "{unknown}");
    }
    let misnamed = ask(&elsewhere, &elsewhere.authority(), 4);
    assert!(misnamed.contains("is not believed: certificate not valid for name"), "{misnamed}");
    let none = ask(&front, &dir.join("no-such-file"), 4);
    assert!(none.contains("no authority of certificates is known here"), "{none}");
    // Without TLS nothing is asked of a server that has it.
    let plain = front.url("/stamp?a=b").replacen("https", "http", 1);
    let plain = ["--data", "log", "proof", "timestamp", "--key", "key", "--tsa", &plain];
    tls::ended(dir, &front.authority(), &plain, 4);
    assert!(ask(&front, &front.authority(), 0).contains("stamped at 20"));
    thread.join().unwrap();
}
