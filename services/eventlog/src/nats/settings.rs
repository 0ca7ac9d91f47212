//! The settings of stream and servers: what a log needs, and refusing what would break its promises.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::message::{FORMAT, HEADERS_BYTES_MAX};
use super::wire::{Info, Refused, Wire, next_forever};
use crate::log::{Damage, Error, GROUP_BYTES_MAX, Place, Setting};
use crate::remote::{READ_WAIT, until};

/// The oldest server: the first that sends many messages for one request.
pub const SERVER_VERSION_MIN: (u64, u64) = (2, 11);
/// The time that servers may take to tell their settings when a log is opened.
pub const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// For how long a server must know the ids of messages, so that a second try is stored once.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// There is no such stream.
pub(super) const STREAM_NOT_FOUND: u64 = 10059;
/// The stream is there, with other settings; or another process has just made it.
pub(super) const STREAM_EXISTS: u64 = 10058;
/// A server on its own cannot keep replicas; and a cluster has not enough servers.
const NO_REPLICAS: [u64; 2] = [10074, 10005];

/// What every server is asked about itself. Only accounts that import it get an answer: see
/// `deploy/nats`.
const SERVERS_SUBJECT: &str = "$SYS.REQ.SERVER.PING.JSZ";

/// When a server syncs what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it acknowledges.
    Always,
    /// So long after it has acknowledged, at the latest. A loss of power loses what is not synced.
    Every(Duration),
    /// It did not say: the account may not ask, or the server was away.
    Unknown,
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sync::Always => write!(f, "always"),
            Sync::Every(interval) => write!(f, "every {} s", interval.as_secs()),
            Sync::Unknown => write!(f, "unknown"),
        }
    }
}

/// On which servers a group is when it is acknowledged, and whether on their disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// Every server that keeps the stream. A group is acknowledged by more than half of them.
    pub servers: BTreeMap<String, Sync>,
}

impl Durability {
    /// Tells whether every server has said that it syncs before it acknowledges.
    pub fn is_known(&self) -> bool {
        self.servers.values().all(|sync| *sync == Sync::Always)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, quorum) = (self.servers.len(), self.servers.len() / 2 + 1);
        write!(f, "acknowledged by {quorum} of {all}; sync_interval")?;
        for (index, (server, sync)) in self.servers.iter().enumerate() {
            write!(f, "{} {server}: {sync}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// Makes the settings of the stream of a log, as the JSON that `nats stream add --config` reads.
pub fn stream_settings(stream: &str, replicas: usize) -> Value {
    let mut settings = Map::new();
    settings.insert("name".to_owned(), json!(stream));
    settings.insert("num_replicas".to_owned(), json!(replicas));
    let window = u64::try_from(DUPLICATE_WINDOW.as_nanos()).unwrap_or(u64::MAX);
    settings.insert("duplicate_window".to_owned(), json!(window));
    settings.insert("metadata".to_owned(), json!({ FORMAT_KEY: FORMAT }));
    for (name, value) in exact_settings(stream) {
        if !value.is_null() {
            settings.insert(name.to_owned(), value);
        }
    }
    Value::Object(settings)
}

const FORMAT_KEY: &str = "eventlog-format";

/// The settings that must be just so. `null` stands for a setting that must not be there.
fn exact_settings(stream: &str) -> Vec<(&'static str, Value)> {
    vec![
        // One order for everything, and nothing beside it.
        ("subjects", json!([format!("{stream}.log")])),
        ("mirror", Value::Null),
        ("sources", Value::Null),
        ("subject_transform", Value::Null),
        ("first_seq", Value::Null),
        // On disk, before it is acknowledged.
        ("storage", json!("file")),
        ("no_ack", json!(false)),
        ("persist_mode", Value::Null),
        // For ever: nothing expires, nothing makes room, nobody deletes.
        ("retention", json!("limits")),
        ("discard", json!("new")),
        ("discard_new_per_subject", json!(false)),
        ("max_age", json!(0)),
        ("max_msgs", json!(-1)),
        ("max_bytes", json!(-1)),
        ("max_msgs_per_subject", json!(-1)),
        ("deny_delete", json!(true)),
        ("deny_purge", json!(true)),
        ("allow_rollup_hdrs", json!(false)),
        ("allow_msg_ttl", json!(false)),
        ("subject_delete_marker_ttl", Value::Null),
        ("allow_msg_counter", json!(false)),
        ("allow_msg_schedules", json!(false)),
        // Appends and reads are possible.
        ("max_msg_size", json!(-1)),
        ("sealed", json!(false)),
        ("allow_direct", json!(true)),
        (
            "republish",
            json!({
                "src": format!("{stream}.log"),
                "dest": format!("{stream}.stored"),
                "headers_only": true,
            }),
        ),
    ]
}

/// Makes the stream if it is missing and may be made, and checks it and its servers.
pub(super) async fn prepare(
    wire: &Wire,
    replicas: usize,
    may_create: bool,
) -> Result<Durability, Error> {
    let mut wrong = wrong_in_server(wire);
    let info = match wire.info(true).await? {
        Err(no) if no.err_code == STREAM_NOT_FOUND && !wrong.is_empty() => {
            return Err(refused(wire, wrong));
        }
        Err(no) if no.err_code == STREAM_NOT_FOUND && may_create => create(wire, replicas).await?,
        answer => answer.map_err(|refused| unavailable(wire, &refused))?,
    };
    if let Some(lost) = &info.state.lost {
        let bytes = lost.bytes;
        let what = format!(
            "the server that leads it has found damage on its disk, and dropped {bytes} bytes at the \
             end of the stream; it says so until its next start"
        );
        return Err(Error::Corrupt(Damage { place: Place::Stream, what }));
    }
    wrong.extend(wrong_in_stream(&info.config, &wire.stream, replicas));
    let durability = Durability { servers: ask_servers(wire, &info).await? };
    wrong.extend(durability.servers.iter().filter_map(|(server, sync)| match sync {
        Sync::Every(_) => {
            Some(setting(&format!("sync_interval of server {server}"), sync, &"always"))
        }
        Sync::Always | Sync::Unknown => None,
    }));
    if wrong.is_empty() { Ok(durability) } else { Err(refused(wire, wrong)) }
}

async fn create(wire: &Wire, replicas: usize) -> Result<Info, Error> {
    let answer = wire.api("STREAM.CREATE", &stream_settings(&wire.stream, replicas)).await?;
    match answer {
        Err(no) if NO_REPLICAS.contains(&no.err_code) => {
            let few = "a single server takes ?replicas=1";
            let found = format!("not possible here: {no}; {few}");
            return Err(refused(wire, vec![setting("num_replicas", &found, &replicas)]));
        }
        Err(no) if no.err_code != STREAM_EXISTS => return Err(unavailable(wire, &no)),
        // Read again in any case: the answer to a creation does not tell the servers.
        Ok(_) | Err(_) => (),
    }
    // Another process may have made it a moment ago, and not every server knows it yet.
    until(READ_WAIT, || async {
        wire.info(true).await?.map_err(|refused| unavailable(wire, &refused))
    })
    .await
}

fn wrong_in_server(wire: &Wire) -> Vec<Setting> {
    let server = wire.server();
    let mut wrong = Vec::new();
    let (major, minor) = SERVER_VERSION_MIN;
    let mut numbers = server.version.split('.').map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < SERVER_VERSION_MIN {
        let wanted = format!("{major}.{minor} or later");
        wrong.push(setting("the version of the server", &server.version, &wanted));
    }
    let payload_min = GROUP_BYTES_MAX + HEADERS_BYTES_MAX;
    if server.max_payload < payload_min {
        let wanted = format!("{payload_min} or more");
        wrong.push(setting("max_payload of the server", &server.max_payload, &wanted));
    }
    wrong
}

pub(super) fn wrong_in_stream(
    config: &Map<String, Value>,
    stream: &str,
    replicas: usize,
) -> Vec<Setting> {
    let found = |name: &str| config.get(name).unwrap_or(&Value::Null);
    let at_least = |name: &str, least: u128| {
        let enough = found(name).as_u64().is_some_and(|value| u128::from(value) >= least);
        (!enough).then(|| setting(name, found(name), &format!("{least} or more")))
    };
    let mut wrong = Vec::new();
    for (name, wanted) in exact_settings(stream) {
        if !is_same(found(name), &wanted) {
            wrong.push(setting(name, shown(found(name)), shown(&wanted)));
        }
    }
    wrong.extend(at_least("num_replicas", replicas as u128));
    wrong.extend(at_least("duplicate_window", DUPLICATE_WINDOW.as_nanos()));
    let format = &found("metadata")[FORMAT_KEY];
    if format != FORMAT {
        let name = format!("metadata.{FORMAT_KEY}");
        wrong.push(setting(&name, shown(format), &json!(FORMAT)));
    }
    wrong
}

/// Servers leave out what is empty, false, or the default.
fn is_same(found: &Value, wanted: &Value) -> bool {
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || text == "default",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    };
    found == wanted || (nothing(found) && nothing(wanted))
}

fn shown(value: &Value) -> &dyn fmt::Display {
    if value.is_null() { &"absent" } else { value }
}

fn setting(name: &str, found: &dyn fmt::Display, wanted: &dyn fmt::Display) -> Setting {
    Setting { name: name.to_owned(), found: found.to_string(), wanted: wanted.to_string() }
}

fn refused(wire: &Wire, wrong: Vec<Setting>) -> Error {
    Error::Settings { store: format!("the NATS stream {}", wire.stream), wrong }
}

fn unavailable(wire: &Wire, refused: &Refused) -> Error {
    Error::Unavailable(format!("stream {}: {refused}", wire.stream))
}

/// Asks the servers that keep the stream when they sync. No stream tells it, and only servers whose
/// system account lets ours ask will answer.
async fn ask_servers(wire: &Wire, info: &Info) -> Result<BTreeMap<String, Sync>, Error> {
    let mut servers = BTreeMap::new();
    let cluster = info.cluster.iter();
    let keepers = cluster.flat_map(|cluster| {
        let followers = cluster.replicas.iter().map(|peer| &peer.name);
        cluster.leader.iter().chain(followers).cloned()
    });
    servers.extend(keepers.map(|name| (name, Sync::Unknown)));
    if servers.is_empty() {
        servers.insert(wire.server().server_name, Sync::Unknown);
    }
    let mut answers = wire.ask_many(SERVERS_SUBJECT.to_owned(), &json!({})).await?;
    let deadline = Instant::now() + SETTINGS_WAIT;
    while servers.values().any(|sync| *sync == Sync::Unknown) {
        let Ok(Some(answer)) = timeout_at(deadline, next_forever(&mut answers)).await else {
            break;
        };
        if answer.status.is_some() {
            // Nobody may answer.
            break;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(&answer.payload) else { continue };
        if let Some(sync) = answer["server"]["name"].as_str().and_then(|name| servers.get_mut(name))
        {
            *sync = sync_of(&answer["data"]["config"]);
        }
    }
    Ok(servers)
}

fn sync_of(config: &Value) -> Sync {
    match (config["sync_always"].as_bool(), config["sync_interval"].as_u64()) {
        (Some(true), _) => Sync::Always,
        (_, Some(nanos)) => Sync::Every(Duration::from_nanos(nanos)),
        (_, None) => Sync::Unknown,
    }
}
