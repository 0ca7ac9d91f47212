//! Real NATS servers for tests, with the settings of `deploy/nats`: one node, or a cluster of three,
//! on the loopback address unless told otherwise. Each has a directory of its own, and is killed when
//! it is dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contract::Scratch;

/// The settings that we tell people to use.
pub const ONE_NODE: &str = include_str!("../../../../deploy/nats/one-node.conf");
/// The settings of each server of a cluster.
pub const THREE_NODES: &str = include_str!("../../../../deploy/nats/three-nodes.conf");

/// The same with encryption and roles.
pub const ONE_NODE_SECURE: &str = include_str!("../../../../deploy/nats/one-node-secure.conf");
/// The settings of each server of a cluster with encryption and roles.
pub const THREE_NODES_SECURE: &str =
    include_str!("../../../../deploy/nats/three-nodes-secure.conf");
/// The file that both of them include.
pub const SECURE: &str = include_str!("../../../../deploy/nats/secure.conf");

/// How long a server may take until it answers, and a cluster until it has a leader.
const READY_WAIT: Duration = Duration::from_secs(30);
/// How long one question to a server may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Where ports for servers are looked for, and how many there are.
const FIRST_PORT: u16 = 17_000;
const PORTS: u16 = 15_000;
const PAUSE: Duration = Duration::from_millis(50);

/// Where a server of a cluster runs.
#[derive(Clone, Debug)]
pub struct ServerPlace {
    /// Gives the address that it listens on.
    pub host: Ipv4Addr,
    /// The command that runs it, such as one that enters a network of its own first; usually empty.
    pub through: Vec<String>,
}

impl ServerPlace {
    fn here() -> ServerPlace {
        ServerPlace { host: Ipv4Addr::LOCALHOST, through: Vec::new() }
    }
}

/// A NATS server in a process of its own.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    place: ServerPlace,
    port: u16,
    config: PathBuf,
    log: PathBuf,
    store: PathBuf,
    variables: Vec<(String, String)>,
    /// Whether it answers whoever comes, without a login.
    is_open: bool,
    // Last, so that the process ends before its directory goes.
    _scratch: Option<Scratch>,
}

impl Server {
    /// Starts a server of one node, and waits until it answers.
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start.
    pub fn start() -> Server {
        Server::start_with(ONE_NODE)
    }

    /// Starts a server of one node with settings in place of [`ONE_NODE`].
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start.
    pub fn start_with(settings: &str) -> Server {
        Server::start_in(Scratch::new(), settings, true)
    }

    /// Starts a server of one node with settings that let nobody in without a login, and waits until it
    /// listens.
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start.
    pub fn start_closed(settings: &str) -> Server {
        Server::start_in(Scratch::new(), settings, false)
    }

    /// Starts a server of one node with encryption and roles, and keys of its own.
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start, or there is no openssl or Python.
    pub fn start_secure() -> Server {
        Server::start_secure_with(ONE_NODE_SECURE)
    }

    /// Does the same with settings in place of [`ONE_NODE_SECURE`].
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start, or there is no openssl or Python.
    pub fn start_secure_with(settings: &str) -> Server {
        let scratch = Scratch::new();
        // First, since it takes a while, and a free port may not stay so.
        make_keys(scratch.path());
        Server::start_in(scratch, settings, false)
    }

    fn start_in(scratch: Scratch, settings: &str, is_open: bool) -> Server {
        let dir = scratch.path();
        let mut server = Server::prepare(dir, "one", ServerPlace::here(), free_port(), settings);
        server.is_open = is_open;
        if dir.join("keys").exists() {
            server.secure(dir);
        }
        server._scratch = Some(scratch);
        server.start_again();
        server
    }

    fn prepare(dir: &Path, name: &str, place: ServerPlace, port: u16, settings: &str) -> Server {
        let (config, log) = (dir.join(format!("{name}.conf")), dir.join(format!("{name}.log")));
        fs::write(&config, settings).expect("tests can write to their directory");
        let store = dir.join(name);
        let variables = vec![
            ("TRANCHE_NATS_NAME", name.to_owned()),
            ("TRANCHE_NATS_HOST", place.host.to_string()),
            ("TRANCHE_NATS_PORT", port.to_string()),
            ("TRANCHE_NATS_STORE", store.display().to_string()),
        ];
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Server {
            child: None,
            place,
            port,
            config,
            log,
            store,
            variables,
            is_open: true,
            _scratch: None,
        }
    }

    /// Starts a stopped server on its port and its store, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        self.spawn();
        if self.is_open { self.wait_until_ready() } else { self.wait_until_listening() }
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let program = program();
        let log = File::options().create(true).append(true).open(&self.log);
        let through = self.place.through.iter().map(AsRef::as_ref);
        let mut words = through.chain([program.as_os_str()]);
        let child = Command::new(words.next().expect("at least the program"))
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("tests can write to their directory"))
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}: run deploy/nats/install first", program.display())
            });
        self.child = Some(child);
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_WAIT;
        while self.request("$JS.API.INFO", &json!({})).is_none() {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "nats-server does not answer ({ended:?}):\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(PAUSE);
        }
    }

    /// Kills the server at once, as a crash would.
    ///
    /// # Panics
    /// If the system does not let us.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Gives a stopped server other settings for its next start.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn replace_settings(&self, settings: &str) {
        fs::write(&self.config, settings).expect("tests can write to their directory");
    }

    /// Gives the log lines of the server.
    ///
    /// # Panics
    /// If that cannot be read.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("tests can read their directory")
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Gives the address that it listens on.
    pub fn host(&self) -> Ipv4Addr {
        self.place.host
    }

    /// Gives the port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives the directory with its files.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Puts the included files beside its own, and tells it where the keys are.
    fn secure(&mut self, dir: &Path) {
        let included = [
            ("secure.conf", SECURE),
            ("one-node.conf", ONE_NODE),
            ("three-nodes.conf", THREE_NODES),
        ];
        for (name, text) in included {
            fs::write(dir.join(name), text).expect("tests can write to their directory");
        }
        let env = fs::read_to_string(dir.join("keys/env")).expect("there are keys");
        for (name, value) in env.lines().filter_map(|line| line.split_once('=')) {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    fn wait_until_listening(&mut self) {
        let deadline = Instant::now() + READY_WAIT;
        while TcpStream::connect((self.place.host, self.port)).is_err() {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "nats-server does not listen ({ended:?}):\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(PAUSE);
        }
    }

    /// Gives the address of a stream on a server with encryption, for a role.
    pub fn secure_url(&self, stream: &str, role: &str) -> String {
        let keys = self.keys();
        let (keys, port) = (keys.display(), self.port);
        let api = if role == "follower" { "&api=tranche.api" } else { "" };
        format!(
            "tls://127.0.0.1:{port}/{stream}?replicas=1&ca={keys}/ca.pem&nkey={keys}/{role}.nkey{api}"
        )
    }

    /// Gives the directory of the keys that a server with encryption was started with.
    pub fn keys(&self) -> PathBuf {
        self.config.with_file_name("keys")
    }

    /// Gives the address of a stream on this server alone.
    pub fn url(&self, stream: &str) -> String {
        format!("nats://{}:{}/{stream}?replicas=1", self.place.host, self.port)
    }

    /// Asks the server something as a client of few words. No answer is `None`, so is "not now".
    pub fn request(&self, subject: &str, body: &Value) -> Option<Value> {
        let stream = TcpStream::connect((self.place.host, self.port)).ok()?;
        stream.set_read_timeout(Some(ANSWER_WAIT)).ok()?;
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        lines.next()?.ok()?;
        let body = body.to_string();
        write!(
            &stream,
            "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true}}\r\n\
             SUB _INBOX.test 1\r\nPUB {subject} _INBOX.test {}\r\n{body}\r\n",
            body.len()
        )
        .ok()?;
        loop {
            let line = lines.next()?.ok()?;
            match line.split(' ').next()? {
                // Its headers say that nobody listens.
                "HMSG" => return None,
                "MSG" => return serde_json::from_str(&lines.next()?.ok()?).ok(),
                _ => (),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three servers that keep streams together.
#[derive(Debug)]
pub struct Cluster {
    /// The servers, called `one`, `two` and `three`.
    pub servers: Vec<Server>,
    _scratch: Scratch,
}

impl Cluster {
    /// Starts three servers, and waits until they keep a stream together.
    ///
    /// # Panics
    /// If there is no nats-server, or the cluster does not come about.
    pub fn start() -> Cluster {
        Cluster::start_at(
            Scratch::new(),
            [ServerPlace::here(), ServerPlace::here(), ServerPlace::here()],
        )
    }

    /// Starts three servers, each somewhere, with a directory of its name for its files.
    ///
    /// # Panics
    /// If there is no nats-server, or the cluster does not come about.
    pub fn start_at(scratch: Scratch, places: [ServerPlace; 3]) -> Cluster {
        let mut cluster = Cluster::prepare(scratch, places, THREE_NODES);
        for server in &mut cluster.servers {
            server.spawn();
        }
        cluster.wait_until_ready();
        cluster
    }

    /// Starts three servers with encryption and roles, and keys of their own, and does not wait until
    /// they have found each other.
    ///
    /// # Panics
    /// If there is no nats-server, or they do not start, or there is no openssl or Python.
    pub fn start_secure() -> Cluster {
        let scratch = Scratch::new();
        make_keys(scratch.path());
        let places = [ServerPlace::here(), ServerPlace::here(), ServerPlace::here()];
        let mut cluster = Cluster::prepare(scratch, places, THREE_NODES_SECURE);
        for server in &mut cluster.servers {
            server.secure(cluster._scratch.path());
            server.is_open = false;
        }
        // They share the files that are included: none may be written again while one is read.
        cluster.servers.iter_mut().for_each(Server::spawn);
        for server in &mut cluster.servers {
            server.wait_until_listening();
        }
        cluster
    }

    fn prepare(scratch: Scratch, places: [ServerPlace; 3], settings: &str) -> Cluster {
        // All at once, so that they differ.
        let listeners: Vec<_> = (0..6).map(|_| listener()).collect();
        let ports: Vec<u16> = listeners.iter().map(port_of).collect();
        drop(listeners);
        let (clients, routes) = ports.split_at(3);
        let all = places.iter().zip(routes);
        let all = all.map(|(place, port)| format!("nats://{}:{port}", place.host));
        let all = format!("[{}]", all.collect::<Vec<_>>().join(", "));
        let mut servers = Vec::new();
        let named = ["one", "two", "three"].into_iter().zip(places);
        for ((name, place), (client, route)) in named.zip(clients.iter().zip(routes)) {
            let mut server = Server::prepare(scratch.path(), name, place, *client, settings);
            server.variables.push(("TRANCHE_NATS_CLUSTER_PORT".to_owned(), route.to_string()));
            server.variables.push(("TRANCHE_NATS_ROUTES".to_owned(), all.clone()));
            servers.push(server);
        }
        Cluster { servers, _scratch: scratch }
    }

    fn wait_until_ready(&mut self) {
        for server in &mut self.servers {
            server.wait_until_ready();
        }
        let probe = json!({
            "name": "probe", "subjects": ["probe"], "storage": "memory", "num_replicas": 3,
        });
        let deadline = Instant::now() + READY_WAIT;
        loop {
            let made = self.servers[0].request("$JS.API.STREAM.CREATE.probe", &probe);
            if made.is_some_and(|made| made["config"].is_object()) {
                break;
            }
            assert!(Instant::now() < deadline, "the cluster does not come about");
            thread::sleep(PAUSE);
        }
        let deleted = self.servers[0].request("$JS.API.STREAM.DELETE.probe", &json!({}));
        assert!(deleted.is_some(), "the cluster has made a stream and does not delete it");
    }

    /// Starts all stopped servers, which may need each other to answer.
    ///
    /// # Panics
    /// If they do not start.
    pub fn start_all_again(&mut self) {
        let stopped = |server: &&mut Server| server.child.is_none();
        self.servers.iter_mut().filter(stopped).for_each(Server::spawn);
        self.servers.iter_mut().for_each(Server::wait_until_ready);
    }

    /// Gives the address of a stream on all three.
    pub fn url(&self, stream: &str) -> String {
        let address = |server: &Server| format!("{}:{}", server.place.host, server.port);
        let hosts: Vec<_> = self.servers.iter().map(address).collect();
        format!("nats://{}/{stream}?replicas=3", hosts.join(","))
    }

    /// Finds the index of the server that leads a stream now.
    pub fn leader(&self, stream: &str) -> Option<usize> {
        let info = self.info(stream)?;
        let leader = info["cluster"]["leader"].as_str()?;
        self.servers.iter().position(|server| server.variables[0].1 == leader)
    }

    /// Tells whether all three say that they have all of a stream.
    pub fn is_caught_up(&self, stream: &str) -> bool {
        let is_current = |replica: &Value| replica["current"] == true && replica["lag"].is_null();
        self.info(stream).is_some_and(|info| {
            let replicas = info["cluster"]["replicas"].as_array();
            replicas.is_some_and(|all| all.len() == 2 && all.iter().all(is_current))
        })
    }

    fn info(&self, stream: &str) -> Option<Value> {
        let subject = format!("$JS.API.STREAM.INFO.{stream}");
        let mut running = self.servers.iter().filter(|server| server.child.is_some());
        running.find_map(|server| server.request(&subject, &json!({})))
    }
}

/// Asks the server for its version.
///
/// # Panics
/// If there is no nats-server.
pub fn version() -> String {
    let output = Command::new(program()).arg("--version").output().expect("a nats-server");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The program that `deploy/nats/install` has put under `target/`, or the one that
/// `TRANCHE_NATS_SERVER` names.
fn program() -> PathBuf {
    let installed = "../../target/test-tools/nats/bin/nats-server";
    std::env::var_os("TRANCHE_NATS_SERVER")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(installed), PathBuf::from)
}

/// Makes keys for the loopback address, as an operator would.
fn make_keys(dir: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats/keys");
    let made = Command::new(script).arg(dir.join("keys")).arg("127.0.0.1").output();
    let made = made.expect("deploy/nats/keys can be run");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn free_port() -> u16 {
    port_of(&listener())
}

/// A port below those that the system gives to connections: one of these could take it before the
/// server does.
fn listener() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let from = u16::try_from(std::process::id() * 61 % u32::from(PORTS)).unwrap_or(0);
    let port = || {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        FIRST_PORT + from.wrapping_add(number) % PORTS
    };
    let mut listeners =
        (0..PORTS).filter_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, port())).ok());
    listeners.next().expect("the system has free ports")
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound listener has an address").port()
}
