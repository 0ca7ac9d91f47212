//! Servers that know no user, only an operator: who signs for the accounts, which sign for their users
//! (JWT). What `nsc` would sign is signed here, and real servers judge it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;

use super::super::server::ONE_NODE;
use super::*;
use crate::contract::Scratch;

/// How long a server may take until it lets us in.
const AT_LAST: Duration = Duration::from_secs(30);
const SERVERS: &str = "$SYS.REQ.SERVER.PING.JSZ";
/// What a follower asks, without the prefix of the API.
const ASKED: [&str; 3] =
    ["STREAM.INFO.tranche", "DIRECT.GET.tranche", "DIRECT.GET.tranche-lease.tranche.lease.writer"];

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// What one key says of another, signed.
fn token(issuer: &KeyPair, subject: &KeyPair, end: u64, nats: &Value) -> String {
    let encoded = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({
        "jti": subject.public_key(), "name": "test", "iat": now() - 60, "exp": end,
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats,
    });
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A server with the accounts of `secure.conf` that write and that follow, and one that nobody knows.
struct Site {
    server: Server,
    files: Scratch,
    writers: KeyPair,
    web: KeyPair,
    strangers: KeyPair,
}

/// What an account offers to those for whom it has signed.
fn export(subject: &str, kind: &str) -> Value {
    let mut offer = json!({ "name": subject, "subject": subject, "type": kind, "token_req": true });
    if kind == "service" {
        offer["response_type"] = json!("Stream");
    }
    offer
}

/// What an account takes of another, under a name of its own, with what the other has signed.
fn import(from: &KeyPair, to: &KeyPair, subject: &str, local: &str, kind: &str) -> Value {
    let offer = json!({ "subject": subject, "kind": kind, "type": "activation", "version": 2 });
    json!({
        "name": subject, "subject": subject, "local_subject": local, "type": kind,
        "account": from.public_key(), "token": token(from, to, 0, &offer),
    })
}

/// The claims of an account: at `storage` 0 it has no JetStream, at -1 as much as there is.
fn account(exports: &[Value], imports: &[Value], storage: i64) -> Value {
    json!({
        "type": "account", "version": 2, "exports": exports, "imports": imports,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1,
            "leaf": -1, "wildcards": true, "mem_storage": storage, "disk_storage": storage,
            "streams": storage, "consumer": storage,
        },
    })
}

impl Site {
    fn start() -> Site {
        let operator = KeyPair::new_operator();
        let [system, writers, web, strangers] = [(); 4].map(|()| KeyPair::new_account());
        let service = |subject: &str| format!("$JS.API.{subject}");
        let mut exports: Vec<_> =
            ASKED.iter().map(|asked| export(&service(asked), "service")).collect();
        exports.push(export("tranche.command", "service"));
        exports.push(export("tranche.stored", "stream"));
        // Who signs for these imports decides who has them.
        let follows = |account: &KeyPair, signer: &KeyPair| {
            let take = |subject: &str, local: &str, kind: &str| {
                let mut taken = import(signer, account, subject, local, kind);
                taken["account"] = json!(writers.public_key());
                taken
            };
            let mut imports: Vec<_> = ASKED
                .iter()
                .map(|asked| take(&service(asked), &format!("tranche.api.{asked}"), "service"))
                .collect();
            imports.push(take("tranche.command", "tranche.command", "service"));
            imports.push(take("tranche.stored", "tranche.stored", "stream"));
            imports
        };
        let servers = |account: &KeyPair| import(&system, account, SERVERS, SERVERS, "service");
        let of_web = [vec![servers(&web)], follows(&web, &writers)].concat();
        let accounts = [
            (&system, account(&[export(SERVERS, "service")], &[], 0)),
            (&writers, account(&exports, &[servers(&writers)], -1)),
            (&web, account(&[], &of_web, 0)),
            // It signs for itself.
            (&strangers, account(&[], &follows(&strangers, &strangers), 0)),
        ];
        let claims = json!({
            "type": "operator", "version": 2, "system_account": system.public_key(),
        });
        let (open, _) = ONE_NODE.split_once("system_account").expect("what it is locked with");
        let mut settings = format!(
            "{open}operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{\n",
            token(&operator, &operator, 0, &claims),
            system.public_key()
        );
        for (key, claims) in accounts {
            let token = token(&operator, key, 0, &claims);
            settings += &format!("  {}: {token}\n", key.public_key());
        }
        let server = Server::start_closed(&(settings + "}\n"));
        Site { server, files: Scratch::new(), writers, web, strangers }
    }

    /// Makes the `.creds` file of a user, signed by an account: what it may publish and hear, until when.
    fn user(&self, account: &KeyPair, may: Option<(&[&str], &[&str])>, end: u64) -> PathBuf {
        let user = KeyPair::new_user();
        let mut claims =
            json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        if let Some((publish, subscribe)) = may {
            claims["pub"] = json!({ "allow": publish });
            claims["sub"] = json!({ "allow": subscribe });
        }
        let path = self.files.path().join(format!("{}.creds", user.public_key()));
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            token(account, &user, end, &claims),
            user.seed().unwrap()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    fn operator(&self) -> PathBuf {
        self.user(&self.writers, None, 0)
    }

    fn writer(&self, end: u64) -> PathBuf {
        let publish = ["tranche.log", "$JS.API.STREAM.INFO.tranche", "$JS.API.DIRECT.GET.tranche"];
        let may = (&[&publish[..], &[SERVERS]].concat()[..], &["tranche.stored", "_INBOX.>"][..]);
        self.user(&self.writers, Some(may), end)
    }

    fn follower(&self, account: &KeyPair) -> PathBuf {
        let asked = ASKED.map(|asked| format!("tranche.api.{asked}"));
        let publish: Vec<_> =
            asked.iter().map(String::as_str).chain(["tranche.command", SERVERS]).collect();
        self.user(account, Some((&publish, &["tranche.stored", "_INBOX.>"])), 0)
    }

    fn url(&self, credentials: &Path) -> String {
        format!("{}&credentials={}", self.server.url("tranche"), credentials.display())
    }

    async fn open(&self, url: &str) -> Nats {
        let deadline = Instant::now() + AT_LAST;
        loop {
            match open(url).await {
                Ok(log) => return log,
                Err(error) => {
                    let said = self.server.said();
                    assert!(Instant::now() < deadline, "{error}: {said}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_lets_in_and_its_permissions_hold() {
    let site = Site::start();
    drop(site.open(&site.url(&site.operator())).await);
    let writer = site.open(&site.url(&site.writer(0))).await;
    let follows = |account| site.url(&site.follower(account)) + "&api=tranche.api";
    let follower = site.open(&follows(&site.web)).await;
    assert!(writer.durability().is_known() && follower.durability().is_known());
    let (waits, appended) =
        tokio::join!(follower.wait_for(2), writer.append(0, entries(&["a", "b"])));
    assert_eq!((waits, appended), (Ok(2), Ok(2)));
    assert_eq!(follower.read(1, usize::MAX).await, writer.read(1, usize::MAX).await);
    let forbidden = Err(Error::Forbidden("publish on tranche.log".to_owned()));
    assert_eq!(follower.append(2, entries(&["c"])).await, forbidden);

    // Neither a user of an account that takes what the writers have not signed for, nor one of an
    // account for which the operator has not signed.
    let unsigned = site.url(&site.user(&KeyPair::new_account(), None, 0));
    for url in [follows(&site.strangers), unsigned] {
        let error = open(&url).await.err().expect(&url).to_string();
        assert!(error.contains(".creds: the server does not know this user"), "{error}");
    }
    assert!(site.server.said().contains("activation token doesn't match account"));
    assert_eq!(writer.head().await, Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_has_expired_says_so() {
    let site = Site::start();
    drop(site.open(&site.url(&site.operator())).await);
    let path = site.writer(now() - 30);
    let error = open(&site.url(&path)).await.err().unwrap().to_string();
    assert!(error.contains(&format!("credentials={}: its JWT expired 3", path.display())));

    // One that is in when it ends.
    let path = site.writer(now() + 5);
    let log = site.open(&site.url(&path)).await;
    assert_eq!(log.append(0, entries(&["a"])).await, Ok(1));
    let deadline = Instant::now() + AT_LAST;
    loop {
        match log.head().await {
            Err(error) if error.to_string().contains(": its JWT expired") => break,
            told => assert!(Instant::now() < deadline, "{told:?}"),
        }
    }
    // With a new JWT in its place, it is let in when it starts again.
    std::fs::copy(site.writer(0), &path).unwrap();
    assert_eq!(site.open(&site.url(&path)).await.head().await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_that_cannot_be_used_is_named() {
    let site = Site::start();
    let file = |name: &str, text: &[u8]| {
        let path = site.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let good = std::fs::read_to_string(site.operator()).unwrap();
    let open_to_all = file("all.creds", good.as_bytes());
    std::fs::set_permissions(&open_to_all, PermissionsExt::from_mode(0o604)).unwrap();
    let forged = good.replacen(".ey", ".fy", 1);
    for (path, words) in [
        (site.files.path().join("none.creds"), "none.creds: No such file"),
        (site.files.path().to_owned(), "it is not a file"),
        (file("bytes.creds", &[0xff; 8]), "bytes.creds: stream did not contain valid UTF-8"),
        (file("empty.creds", b""), "empty.creds: it is no .creds file"),
        (file("half.creds", &good.as_bytes()[..100]), "half.creds: it is no .creds file"),
        (file("forged.creds", forged.as_bytes()), "forged.creds: the server does not know"),
        (open_to_all, "all.creds: its mode is 604"),
    ] {
        let error = open(&site.url(&path)).await.err().expect(words).to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(good.lines().all(|line| line.len() < 50 || !error.contains(line)), "{error}");
    }
}
