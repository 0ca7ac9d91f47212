//! The stream of the events as a stranger reads it, and what should be in it by the history.

use super::{AT_LAST, PAUSE};
use async_nats::{Client, HeaderMap};
use eventlog::nats::wire;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// A message without what NATS itself adds, its values decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.body)
    }
}

/// What the history says should be there.
pub fn expected(stream: &str, lines: &[&str]) -> Vec<Message> {
    let mut messages = Vec::new();
    for line in lines {
        let commit: Value = serde_json::from_str(line).expect("a commit");
        let events = commit["events"].as_array().expect("events");
        for (index, event) in (1..).zip(events) {
            let body = event["data"].to_string();
            // The bytes of the log themselves.
            assert!(line.contains(&format!("{{\"data\":{body},\"effective_at\"")), "{body}");
            messages.push(message(stream, &commit, index, event, body));
        }
    }
    messages
}

fn message(stream: &str, commit: &Value, index: usize, event: &Value, body: String) -> Message {
    let of = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let count = commit["events"].as_array().map_or(0, Vec::len);
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", format!("{}/{index}", text(&commit["commit_id"]))),
        ("ce-source", format!("tranche:{stream}")),
        ("ce-datacontenttype", "application/json".to_owned()),
        ("ce-eventindex", index.to_string()),
        ("ce-eventcount", count.to_string()),
        ("ce-type", of(&event["type"])),
        ("ce-subject", of(&event["stream"])),
        ("ce-streamversion", of(&event["version"])),
        ("ce-schemaversion", of(&event["schema_version"])),
        ("ce-effectiveat", of(&event["effective_at"])),
        ("ce-time", of(&commit["recorded_at"])),
        ("ce-receivedat", of(&commit["received_at"])),
        ("ce-position", of(&commit["position"])),
        ("ce-commitid", of(&commit["commit_id"])),
        ("ce-command", of(&commit["command"])),
        ("ce-commandid", of(&commit["command_id"])),
        ("ce-actor", of(&commit["actor"]["id"])),
        ("ce-actorrole", of(&commit["actor"]["role"])),
        ("Nats-Msg-Id", format!("{}/{index}", commit["position"])),
    ];
    for (name, value) in [
        ("ce-onbehalfof", &commit["actor"]["on_behalf_of"]),
        ("ce-causationid", &commit["causation_id"]),
        ("ce-correlationid", &commit["correlation_id"]),
        ("ce-evidencesource", &commit["evidence"]["source"]),
        ("ce-evidenceconfidence", &commit["evidence"]["confidence"]),
    ] {
        headers.extend(value.as_str().map(|value| (name, value.to_owned())));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let (of_stream, of_type) = (text(&event["stream"]), text(&event["type"]));
    let (category, id) = of_stream.split_once('-').expect("a category");
    let (_, name) = of_type.split_once('.').expect("a category");
    Message { subject: format!("{stream}.events.{category}.{id}.{name}"), headers, body }
}

fn decoded(value: &str) -> String {
    assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value:?}");
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("hexadecimal"));
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).expect("text")
}

fn read(subject: String, headers: &HeaderMap, body: &[u8]) -> Message {
    let mut known = BTreeMap::new();
    for (name, values) in headers.iter() {
        let name = name.to_string();
        if name == "Nats-Msg-Id" || !name.starts_with("Nats-") {
            assert_eq!(values.len(), 1, "{name}");
            known.insert(name, decoded(values[0].as_str()));
        }
    }
    Message { subject, headers: known, body: String::from_utf8(body.to_vec()).expect("text") }
}

/// The stream, seen by a client that is not ours.
pub struct Events {
    client: Client,
    log: String,
}

impl Events {
    pub async fn connect(url: &str, log: &str) -> Self {
        let hosts = url.trim_start_matches("nats://").split('/').next().expect("hosts");
        let hosts: Vec<_> = hosts.split(',').collect();
        let client = async_nats::connect(hosts).await.expect("a connection");
        Self { client, log: log.to_owned() }
    }

    /// Asks until somebody answers.
    async fn ask(&self, subject: &str, body: &Value) -> async_nats::Message {
        let deadline = Instant::now() + AT_LAST;
        loop {
            let body = body.to_string().into();
            match self.client.request(subject.to_owned(), body).await {
                Ok(message) => return message,
                Err(error) => assert!(Instant::now() < deadline, "{subject}: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn info(&self, stream: &str) -> Value {
        let answer = self.ask(&format!("$JS.API.STREAM.INFO.{stream}"), &json!({})).await;
        serde_json::from_slice(&answer.payload).expect("JSON")
    }

    /// How many messages were ever stored; none without a stream.
    pub async fn count(&self) -> u64 {
        let info = self.info(&format!("{}-events", self.log)).await;
        info["state"]["last_seq"].as_u64().unwrap_or(0)
    }

    /// The head of the log, by the header of its last message.
    pub async fn log_head(&self) -> usize {
        let subject = format!("$JS.API.DIRECT.GET.{}.{}.log", self.log, self.log);
        let last = self.ask(&subject, &Value::Null).await;
        let headers = last.headers.expect("headers");
        headers.get("Eventlog-Last").expect("a position").as_str().parse().expect("a number")
    }

    pub async fn until(&self, is_there: impl Fn(u64) -> bool) {
        let deadline = Instant::now() + AT_LAST;
        loop {
            let count = self.count().await;
            if is_there(count) {
                return;
            }
            assert!(Instant::now() < deadline, "there are still {count} messages");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One message, or none.
    pub async fn message(&self, sequence: u64) -> Option<Message> {
        let subject = format!("$JS.API.DIRECT.GET.{}-events", self.log);
        let found = self.ask(&subject, &json!({ "seq": sequence })).await;
        let headers = found.headers?;
        let subject = headers.get("Nats-Subject")?.to_string();
        Some(read(subject, &headers, &found.payload))
    }

    /// All messages in order, from the first to the last of which the leader knows.
    pub async fn all(&self) -> Vec<Message> {
        let deadline = Instant::now() + AT_LAST;
        let mut messages = Vec::new();
        for sequence in 1..=self.count().await {
            loop {
                // The server that answers may be behind.
                if let Some(message) = self.message(sequence).await {
                    messages.push(message);
                    break;
                }
                assert!(Instant::now() < deadline, "message {sequence} is not there");
                tokio::time::sleep(PAUSE).await;
            }
        }
        messages
    }

    /// What a consumer gets that asks for some subjects.
    pub async fn consumed(&self, filter: &str) -> Vec<Message> {
        let inbox = self.client.new_inbox();
        let mut messages = self.client.subscribe(inbox.clone()).await.expect("a subscription");
        let stream = format!("{}-events", self.log);
        let config = json!({
            "deliver_subject": inbox, "filter_subject": filter,
            "ack_policy": "none", "deliver_policy": "all", "replay_policy": "instant",
        });
        let wish = json!({ "stream_name": stream, "config": config });
        let made = self.ask(&format!("$JS.API.CONSUMER.CREATE.{stream}"), &wish).await;
        let made: Value = serde_json::from_slice(&made.payload).expect("JSON");
        assert!(made["config"].is_object(), "{made}");
        let mut consumed = Vec::new();
        loop {
            let message = wire::next(&mut messages).await.expect("a message");
            let headers = message.headers.expect("headers");
            consumed.push(read(message.subject.to_string(), &headers, &message.payload));
            // The last token says how many are to come.
            if message.reply.is_some_and(|reply| reply.ends_with(".0")) {
                return consumed;
            }
        }
    }

    /// A batch of the relay's kind, and what the server says to it.
    pub async fn batch(&self, after: u64, ids: &[String; 2]) -> Value {
        let batch = self.client.new_inbox();
        self.publish(&batch, after, &ids[0]).await;
        let mut headers = headers(&batch, 2, &ids[1]);
        headers.insert("Nats-Batch-Commit", "1");
        let subject = format!("{}.events.x", self.log);
        let answer = self.client.request_with_headers(subject, headers, "".into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    }

    /// The beginning of a batch whose sender is gone.
    pub async fn broken_off(&self, after: u64, ids: &[String; 2]) {
        self.publish(&self.client.new_inbox(), after, &ids[0]).await;
    }

    async fn publish(&self, batch: &str, after: u64, id: &str) {
        let mut headers = headers(batch, 1, id);
        headers.insert("Nats-Expected-Last-Sequence", after.to_string().as_str());
        let subject = format!("{}.events.x", self.log);
        self.client.publish_with_headers(subject, headers, "".into()).await.expect("it is sent");
    }
}

fn headers(batch: &str, number: usize, id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    headers.insert("Nats-Batch-Id", batch);
    headers.insert("Nats-Batch-Sequence", number.to_string().as_str());
    headers
}
