//! Encryption, logins and roles, with the files of `deploy/nats`.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use async_nats::{Event, HeaderMap, ServerError};
use tokio::sync::mpsc;

use super::super::login;
use super::super::server::{ONE_NODE_SECURE, SECURE};
use super::*;

/// A server with the streams that an operator makes, and one entry.
async fn server() -> Server {
    prepared(Server::start_secure()).await
}

async fn prepared(server: Server) -> Server {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match open(&server.secure_url("tranche", "operator")).await {
            Ok(log) => {
                assert_eq!(log.append(0, entries(&["a"])).await, Ok(1));
                make(
                    log.wire(),
                    "STREAM.CREATE",
                    "tranche-lease",
                    &json!({
                        "name": "tranche-lease", "subjects": ["tranche.lease.*"],
                        "storage": "memory", "allow_direct": true,
                    }),
                )
                .await;
                make(
                    log.wire(),
                    "STREAM.CREATE",
                    "tranche-events",
                    &json!({
                        "name": "tranche-events", "subjects": ["tranche.events.>"],
                        "storage": "memory", "allow_direct": true,
                    }),
                )
                .await;
                for (name, filter) in [("ledger", "payment"), ("portal", "call")] {
                    let place = format!("tranche-events.{name}");
                    let filter = format!("tranche.events.{filter}.>");
                    let config = json!({
                        "durable_name": name, "ack_policy": "explicit", "filter_subject": filter,
                    });
                    let body = json!({ "stream_name": "tranche-events", "config": config });
                    make(log.wire(), "CONSUMER.DURABLE.CREATE", &place, &body).await;
                }
                return server;
            }
            Err(Error::Unavailable(_)) if Instant::now() < deadline => (),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn make(wire: &Wire, what: &str, place: &str, body: &Value) {
    let made = wire.for_stream(place.to_owned()).api(what, body).await;
    assert!(matches!(made, Ok(Ok(_))), "{what}.{place}: {made:?}");
}

async fn role(server: &Server, role: &str) -> Nats {
    open(&server.secure_url("tranche", role)).await.unwrap()
}

async fn wire(server: &Server, role: &str) -> Wire {
    Wire::connect(&options(&server.secure_url("tranche", role))).await.unwrap()
}

async fn messages(server: &Server, stream: &str) -> u64 {
    let wire = wire(server, "operator").await.for_stream(stream.to_owned());
    wire.api("STREAM.INFO", &Value::Null).await.unwrap().unwrap()["state"]["messages"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_reads_and_cannot_append() {
    let server = server().await;
    let (writer, follower) = (role(&server, "writer").await, role(&server, "follower").await);
    assert!(writer.durability().is_known() && follower.durability().is_known());
    let began = Instant::now();
    let refused = follower.append(1, entries(&["b"])).await;
    assert_eq!(refused, Err(Error::Forbidden("publish on tranche.log".to_owned())));
    assert!(began.elapsed() < APPEND_WAIT, "it is said, not waited for");
    let (waits, appended) =
        tokio::join!(follower.wait_for(2), writer.append(1, entries(&["b", "c"])),);
    assert_eq!((waits, appended), (Ok(3), Ok(3)));
    assert_eq!(follower.read(1, usize::MAX).await, writer.read(1, usize::MAX).await);
    assert_eq!(follower.read(1, usize::MAX).await.unwrap().len(), 2);
}

/// JetStream answers on whatever subject the question names, and would store the answer in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_writer_can_make_the_server_write_for_him() {
    let server = server().await;
    let questions = [
        ("follower", "tranche.api.STREAM.INFO.tranche"),
        ("follower", "tranche.api.DIRECT.GET.tranche"),
        ("follower", "$SYS.REQ.SERVER.PING.JSZ"),
        ("ledger", "$JS.API.CONSUMER.MSG.NEXT.tranche-events.ledger"),
        ("portal", "$JS.API.CONSUMER.MSG.NEXT.tranche-events.portal"),
    ];
    for subject in ["tranche.events.payment.P-1.Paid", "tranche.events.call.C-1.Opened"] {
        let wire = wire(&server, "operator").await;
        wire.ask(subject.to_owned(), HeaderMap::default(), Bytes::from("{}")).await.unwrap();
    }
    for (role, subject) in questions {
        let client = wire(&server, role).await;
        for target in ["tranche.log", "tranche.lease.writer", "tranche.events.call.X.Y"] {
            let body = Bytes::from_static(b"{\"seq\":1,\"batch\":1,\"no_wait\":true}");
            client.client().publish_with_reply(subject, target, body).await.unwrap();
        }
        client.client().flush().await.unwrap();
    }
    // In the account of the log it works, with the relay as with any other: so the relay is trusted, and
    // so this test would see it.
    let relay = wire(&server, "relay").await;
    let question = "$JS.API.STREAM.INFO.tranche";
    relay.client().publish_with_reply(question, "tranche.log", Bytes::new()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while messages(&server, "tranche").await < 2 {
        assert!(Instant::now() < deadline, "the answer to the relay is not stored");
    }
    for (stream, expected) in [("tranche", 2), ("tranche-lease", 0), ("tranche-events", 2)] {
        assert_eq!(messages(&server, stream).await, expected, "{stream}");
    }
}

/// What each role may publish: of what it and others need, what is not refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_publish_what_it_needs_and_no_more() {
    const SUBJECTS: [&str; 14] = [
        "tranche.log",
        "tranche.command",
        "tranche.lease.writer",
        "tranche.lease.relay",
        "tranche.events.call.C-1.Opened",
        "$JS.API.STREAM.INFO.tranche",
        "tranche.api.STREAM.INFO.tranche",
        "$JS.API.STREAM.UPDATE.tranche",
        "$JS.API.STREAM.DELETE.tranche",
        "$JS.API.STREAM.PURGE.tranche",
        "$JS.API.STREAM.MSG.DELETE.tranche",
        "$JS.API.CONSUMER.CREATE.tranche",
        "$JS.API.CONSUMER.MSG.NEXT.tranche-events.ledger",
        "$JS.API.CONSUMER.MSG.NEXT.tranche-events.portal",
    ];
    let server = server().await;
    let mut table = String::new();
    for role in ["writer", "relay", "follower", "ledger", "portal"] {
        table += &format!("{role}\n");
        let refused = refused(&server, role, &SUBJECTS).await;
        for subject in SUBJECTS.iter().filter(|subject| !refused.contains(&subject.to_string())) {
            table += &format!("  {subject}\n");
        }
    }
    assert_eq!(
        table,
        "writer
  tranche.log
  tranche.command
  tranche.lease.writer
  tranche.events.call.C-1.Opened
  $JS.API.STREAM.INFO.tranche
relay
  tranche.events.call.C-1.Opened
  $JS.API.STREAM.INFO.tranche
follower
  tranche.command
  tranche.api.STREAM.INFO.tranche
ledger
  $JS.API.CONSUMER.MSG.NEXT.tranche-events.ledger
portal
  $JS.API.CONSUMER.MSG.NEXT.tranche-events.portal
"
    );
}

/// On which subjects the server refuses a role's messages. The last one is refused to all, and ends it.
async fn refused(server: &Server, role: &str, subjects: &[&str]) -> Vec<String> {
    let options = options(&server.secure_url("tranche", role));
    let (told, mut tells) = mpsc::unbounded_channel();
    let connect = login::connect_options(&options).await.unwrap().event_callback(move |event| {
        if let Event::ServerError(ServerError::Other(what)) = event {
            told.send(what).unwrap();
        }
        std::future::ready(())
    });
    let client = connect.connect(&options.servers).await.unwrap();
    for subject in subjects.iter().chain(&["the.end"]) {
        client.publish(subject.to_string(), Bytes::new()).await.unwrap();
    }
    let mut refused = Vec::new();
    while let Some(what) = tells.recv().await {
        let subject = what.split('"').nth(1).expect("the subject").to_owned();
        if subject == "the.end" {
            break;
        }
        refused.push(subject);
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_gets_its_categories_only() {
    let server = server().await;
    let relay = wire(&server, "relay").await;
    for subject in ["tranche.events.payment.P-1.Paid", "tranche.events.call.C-1.Opened"] {
        relay.ask(subject.to_owned(), HeaderMap::default(), Bytes::from(subject)).await.unwrap();
    }
    for (role, expected) in [
        ("ledger", "tranche.events.payment.P-1.Paid"),
        ("portal", "tranche.events.call.C-1.Opened"),
    ] {
        let consumer = wire(&server, role).await;
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.tranche-events.{role}");
        let mut answers =
            consumer.ask_many(next, &json!({ "batch": 2, "no_wait": true })).await.unwrap();
        let message = wire::next(&mut answers).await.unwrap();
        assert_eq!(message.payload, expected);
        let end = wire::next(&mut answers).await.unwrap();
        assert!(end.status.is_some(), "{end:?}");
        let acknowledge = message.reply.expect("where to acknowledge").to_string();
        let answer = consumer.ask(acknowledge, HeaderMap::default(), Bytes::from("+ACK")).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_login_is_said_at_once_by_its_name() {
    let server = server().await;
    let (url, keys) = (server.secure_url("tranche", "writer"), server.keys());
    let path = |name: &str| keys.join(name).display().to_string();
    let write = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(keys.join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(keys.join(name), mode).unwrap();
    };
    let seed = std::fs::read_to_string(keys.join("writer.nkey")).unwrap();
    write("garbage.nkey", "garbage", 0o600);
    write("typo.nkey", &seed.replacen("SU", "SUAA", 1)[..58], 0o600);
    write("open.nkey", &seed, 0o644);
    write("group.nkey", &seed, 0o640);
    write("garbage.pem", "garbage", 0o600);
    let other = Server::start_secure();
    let other_keys = other.keys();
    let nkey = |name: &str| url.replace(&path("writer.nkey"), &path(name));
    let ca = |file: &str| url.replace(&path("ca.pem"), file);
    assert!(open(&nkey("group.nkey")).await.is_ok());
    for (url, words) in [
        (nkey("none.nkey"), "none.nkey: No such file"),
        (nkey("garbage.nkey"), "garbage.nkey: it is not the seed"),
        (nkey("typo.nkey"), "typo.nkey: it is not a valid key"),
        (nkey("open.nkey"), "open.nkey: its mode is 644"),
        (ca(&path("none.pem")), "ca="),
        (ca(&path("garbage.pem")), "garbage.pem: there is no PEM block"),
        (ca(&other_keys.join("ca.pem").display().to_string()), "certificate"),
        (url.replace("127.0.0.1", "localhost"), "not valid for name"),
        (
            url.replace(
                &path("writer.nkey"),
                &other_keys.join("writer.nkey").display().to_string(),
            ),
            "the server does not know this user",
        ),
        (url.split_once("&nkey").unwrap().0.to_owned(), "authorization violation"),
    ] {
        let began = Instant::now();
        let error = open(&url).await.err().expect(&url).to_string();
        assert!(error.contains(words), "{url}: {error}");
        assert!(!error.contains(seed.trim()) && !error.contains("garbage\n"), "{error}");
        assert!(began.elapsed() < CONNECT_WAIT, "{url}: {error}");
    }
    // A plain server, where the address wants encryption.
    let plain = Server::start();
    let error = open(&plain.url("tranche").replace("nats://", "tls://")).await.err().unwrap();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_with_encryption_between_them_keep_a_log() {
    let cluster = Cluster::start_secure();
    let url = |role: &str| {
        let url = cluster.servers[0].secure_url("tranche", role);
        let others: Vec<_> =
            cluster.servers.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        let first = format!("127.0.0.1:{}", cluster.servers[0].port());
        url.replace(&first, &others.join(",")).replace("replicas=1", "replicas=3")
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let operator = loop {
        match open(&url("operator")).await {
            Ok(log) => break log,
            // Until there are three and one leads.
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(operator.durability().servers.len(), 3);
    let (writer, follower) = (open(&url("writer")).await, open(&url("follower")).await);
    let (writer, follower) = (writer.unwrap(), follower.unwrap());
    assert_eq!(writer.append(0, entries(&["a", "b"])).await, Ok(2));
    assert_eq!(follower.wait_for(2).await, Ok(2));
    assert_eq!(follower.read(1, usize::MAX).await.unwrap().len(), 1);
    let refused = follower.append(2, entries(&["c"])).await;
    assert_eq!(refused, Err(Error::Forbidden("publish on tranche.log".to_owned())));
}

/// Appends with the writer's key, and does all else with the follower's, from its account.
struct ByRole(Server);

#[async_trait]
impl Factory for ByRole {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        let url = |role: &str| self.0.secure_url(name, role);
        drop(open(&url("operator")).await?);
        let writer = open(&url("writer")).await?;
        let reader = Nats::open_read_only(&options(&url("follower"))).await?;
        Ok(Arc::new(Beside { writer: Box::new(writer), reader: Box::new(reader) }))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_and_a_follower_keep_the_contract_over_encrypted_connections() {
    // The suite has a log for each case: the same permissions, for logs of any name.
    let names = [(".tranche\"", ".*\""), ("\"tranche.log\"", "\"*.log\"")];
    let names = [&names[..], &[("\"tranche.stored\"", "\"*.stored\"")]].concat();
    let any = names.iter().fold(SECURE.to_owned(), |text, (from, to)| text.replace(from, to));
    let server = Server::start_secure_with(&ONE_NODE_SECURE.replace("include secure.conf", &any));
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = open(&server.secure_url("first", "operator")).await {
        assert!(Instant::now() < deadline, "{error}");
    }
    contract::run(&ByRole(server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_hear_of_new_groups_looks_by_itself_and_complains_once() {
    let deaf = SECURE.replace(r#"["tranche.stored", "_INBOX.>"]"#, r#"["_INBOX.>"]"#);
    let settings = ONE_NODE_SECURE.replace("include secure.conf", &deaf);
    let server = prepared(Server::start_secure_with(&settings)).await;
    let complaints = || server.said().matches("Subscription Violation").count();
    let (writer, follower) = (role(&server, "writer").await, role(&server, "follower").await);
    assert_eq!(follower.wait_for(1).await, Ok(1));
    for last in 2..5 {
        let texts = [last.to_string()];
        let (waits, appended) =
            tokio::join!(follower.wait_for(last), writer.append(last - 1, entries(&[&texts[0]])));
        assert_eq!((waits, appended), (Ok(last), Ok(last)));
    }
    assert_eq!(complaints(), 1, "{}", server.said());
}

fn keys(args: &[&Path]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats/keys");
    Command::new(script).args(args).output().expect("deploy/nats/keys can be run")
}

#[test]
fn keys_are_never_made_over_others_nor_inside_the_repository() {
    let scratch = contract::Scratch::new();
    let (dir, host) = (scratch.path().join("keys"), Path::new("127.0.0.1"));
    let files = || {
        let names = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = names.map(|path| (std::fs::read(&path).unwrap(), path)).collect();
        files.sort();
        files
    };
    assert!(keys(&[&dir, host]).status.success());
    let before = files();
    assert_eq!(before.len(), 11, "{before:?}");
    let refused = |args: &[&Path], code: i32, words: &str| {
        let output = keys(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    };
    refused(&[&dir, host], 1, "is there already");
    assert!(files() == before, "other keys");
    let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys");
    refused(&[&inside, host], 2, "is in the repository");
    refused(&[&scratch.path().join("new"), Path::new("a/b")], 2, "no host: a/b");
    refused(&[&dir], 2, "usage");
    assert!(!inside.exists());
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 1, "nothing half made is left");
}
