//! The few requests that we make of NATS, as JSON over its core protocol: for the log, and for who
//! keeps something beside it on the same servers.

use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::{
    Client, ConnectOptions, Event, HeaderMap, Message, Request, StatusCode, Subscriber,
};
use bytes::Bytes;
use futures_core::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{ANSWER_WAIT, CONNECT_WAIT, Options, READ_WAIT, RETRY_PAUSE, Sequence, message};
use crate::Error;

/// How often the connection is tried, so that a dead one is found.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// The server's codes for "not now": it was not done, and may be soon.
const NOT_NOW: &[u64] = &[
    10004, // The cluster is incomplete.
    10008, // JetStream is not available.
    10009, // This server does not lead.
    10118, // The stream is offline.
];

/// What JetStream answered instead of doing it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub struct Refused {
    /// The server's code, as in its table of errors; 0 when it gave none.
    #[serde(default)]
    pub err_code: u64,
    #[serde(default)]
    description: String,
}

/// The state of the stream, by its leader.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) config: Map<String, Value>,
    pub(super) state: State,
    #[serde(default)]
    pub(super) cluster: Option<Cluster>,
}

#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub(super) messages: u64,
    pub(super) last_seq: Sequence,
    /// What the server found damaged when it started, and cut off with all that came after it.
    #[serde(default)]
    pub(super) lost: Option<Lost>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Lost {
    #[serde(default)]
    pub(super) bytes: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    #[serde(default)]
    pub(super) leader: Option<String>,
    #[serde(default)]
    pub(super) replicas: Vec<Peer>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Peer {
    pub(super) name: String,
}

/// What came back for a range of messages.
pub(super) enum Batch {
    /// At least one message, the first of them the one that was asked for, without a gap.
    Messages(Vec<Message>),
    /// The server that answered does not have the message.
    NotThere,
    /// It has later messages, but not this one.
    Missing,
}

/// A connection, and the name of one stream. Clones use the same connection.
#[derive(Clone)]
pub struct Wire {
    client: Client,
    /// How often the connection was lost.
    losses: watch::Receiver<u64>,
    pub(super) stream: String,
}

impl Wire {
    /// Connects to the servers of a log.
    ///
    /// # Errors
    /// When none of them answers, or a file of the options cannot be read.
    pub async fn connect(options: &Options) -> Result<Wire, Error> {
        let hosts = options.servers.join(", ");
        let failed = |why: &dyn std::fmt::Display| Error::Unavailable(format!("{hosts}: {why}"));
        let (lost, losses) = watch::channel(0_u64);
        let connect = connect_options(options).await?.event_callback(move |event| {
            if matches!(event, Event::Disconnected) {
                lost.send_modify(|losses| *losses += 1);
            }
            ready(())
        });
        let connect = connect.connect(&options.servers);
        let client = match timeout(CONNECT_WAIT, connect).await {
            Ok(connected) => connected.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&format!("no connection in {CONNECT_WAIT:?}"))),
        };
        Ok(Wire { client, losses, stream: options.stream.clone() })
    }

    /// The same connection for another stream.
    #[must_use]
    pub fn for_stream(&self, stream: String) -> Wire {
        Wire { stream, ..self.clone() }
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The client, for what the log itself does not do: subscriptions, and publishing unheard.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn server(&self) -> async_nats::ServerInfo {
        self.client.server_info()
    }

    /// The only subject of the stream.
    pub(super) fn subject(&self) -> String {
        format!("{}.log", self.stream)
    }

    /// Where the server tells the headers of each message that it has stored.
    pub(super) fn notices_subject(&self) -> String {
        format!("{}.stored", self.stream)
    }

    pub(super) async fn notices(&self) -> Result<Subscriber, Error> {
        self.subscribe(self.notices_subject()).await
    }

    /// One question and its answer, tried once, for [`ANSWER_WAIT`] at most.
    ///
    /// # Errors
    /// When no answer came: nobody knows whether the question did.
    pub async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, Error> {
        self.ask_within(ANSWER_WAIT, subject, headers, payload).await
    }

    /// As [`Wire::ask`], with another limit.
    ///
    /// # Errors
    /// When no answer came: nobody knows whether the question did.
    pub async fn ask_within(
        &self,
        limit: Duration,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, Error> {
        self.check_connection()?;
        let request = Request::new().headers(headers).payload(payload).timeout(Some(limit));
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        tokio::select! {
            // The limit of the client itself does not count the wait for room in its queue.
            answer = timeout(limit, self.client.send_request(subject, request)) => match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(Error::Unavailable(error.to_string())),
                Err(_) => Err(Error::Unavailable(format!("no answer in {limit:?}"))),
            },
            // An answer goes to the connection that the question came by.
            _ = losses.changed() => Err(Error::Unavailable("the connection was lost".to_owned())),
        }
    }

    /// A request to the JetStream API about the stream, such as `STREAM.INFO`, tried again while the
    /// answer is that there is none now.
    ///
    /// # Errors
    /// When no answer came in [`READ_WAIT`].
    pub async fn api(&self, what: &str, body: &Value) -> Result<Result<Value, Refused>, Error> {
        let subject = format!("$JS.API.{what}.{}", self.stream);
        until(READ_WAIT, || async {
            let body = Bytes::from(body.to_string());
            let answer = self.ask(subject.clone(), HeaderMap::new(), body).await?;
            match parsed(&answer.payload)? {
                Err(refused) if NOT_NOW.contains(&refused.err_code) => {
                    Err(Error::Unavailable(refused.to_string()))
                }
                answered => Ok(answered),
            }
        })
        .await
    }

    /// The state of the stream; what was lost of it only in full, which takes the server a while.
    pub(super) async fn info(&self, is_full: bool) -> Result<Result<Info, Refused>, Error> {
        match self.api("STREAM.INFO", &json!({ "deleted_details": is_full })).await? {
            Ok(info) => {
                serde_json::from_value(info).map(Ok).map_err(|error| not_understood(&error))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Reads messages from `from` on, as many as fit; of one server, which may be behind the others.
    pub(super) async fn batch(
        &self,
        from: Sequence,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Batch, Error> {
        self.check_connection()?;
        let request = json!({
            "seq": from,
            "next_by_subj": self.subject(),
            "batch": messages_max,
            "max_bytes": bytes_max,
        });
        let mut answers =
            self.ask_many(format!("$JS.API.DIRECT.GET.{}", self.stream), &request).await?;
        let mut messages = Vec::new();
        loop {
            let message = next(&mut answers).await?;
            match message.status {
                None | Some(StatusCode::OK) => (),
                // The end of the batch; and "no such message", when nothing is left from there on.
                Some(status) if matches!(status.as_u16(), 204 | 404) => break,
                Some(status) => {
                    let what = message.description.unwrap_or_default();
                    return Err(Error::Unavailable(format!("reading failed: {status} {what}")));
                }
            }
            let sequence = message::sequence(&message).ok_or_else(|| {
                Error::Unavailable("a server answered without a number".to_owned())
            })?;
            if sequence != from + messages.len() as u64 {
                let is_first = messages.is_empty();
                return Ok(if is_first { Batch::Missing } else { Batch::Messages(messages) });
            }
            messages.push(message);
        }
        Ok(if messages.is_empty() { Batch::NotThere } else { Batch::Messages(messages) })
    }

    /// A question that many may answer, or one in many parts.
    ///
    /// # Errors
    /// When it could not be sent.
    pub async fn ask_many(&self, subject: String, body: &Value) -> Result<Subscriber, Error> {
        let inbox = self.client.new_inbox();
        let answers = self.subscribe(inbox.clone()).await?;
        let body = Bytes::from(body.to_string());
        let asked = self.client.publish_with_reply(subject, inbox, body);
        in_time(asked).await?.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(answers)
    }

    async fn subscribe(&self, subject: String) -> Result<Subscriber, Error> {
        let subscribed = in_time(self.client.subscribe(subject)).await?;
        subscribed.map_err(|error| Error::Unavailable(error.to_string()))
    }

    /// Without a connection the client would keep a request and send it later, when nobody waits.
    fn check_connection(&self) -> Result<(), Error> {
        match self.client.connection_state() {
            Connection::Connected => Ok(()),
            _ => Err(Error::Unavailable("no NATS server is connected".to_owned())),
        }
    }
}

async fn connect_options(options: &Options) -> Result<ConnectOptions, Error> {
    let file = |path: &std::path::Path, error: std::io::Error| {
        Error::Unavailable(format!("{}: {error}", path.display()))
    };
    let mut connect = ConnectOptions::new()
        .name("tranche")
        .connection_timeout(CONNECT_WAIT)
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let pause = RETRY_PAUSE * u32::try_from(attempts).unwrap_or(u32::MAX).min(100);
            pause.min(RECONNECT_PAUSE_MAX)
        });
    if let Some(path) = &options.credentials {
        connect = connect.credentials_file(path).await.map_err(|error| file(path, error))?;
    }
    if let Some(path) = &options.nkey {
        let seed = std::fs::read_to_string(path).map_err(|error| file(path, error))?;
        connect = connect.nkey(seed.trim().to_owned());
    }
    if let Some(path) = &options.ca {
        connect = connect.add_root_certificates(path.clone());
    }
    Ok(connect)
}

/// Tries until it is not for unavailability that it fails, for `limit` at most and once at least.
///
/// # Errors
/// That of the last try.
pub async fn until<T, F>(limit: Duration, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match attempt().await {
            Err(Error::Unavailable(_)) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
}

/// The next message of a subscription, which must come in [`ANSWER_WAIT`].
///
/// # Errors
/// When it does not.
pub async fn next(messages: &mut Subscriber) -> Result<Message, Error> {
    let ended = || Error::Unavailable("the connection is closed".to_owned());
    in_time(next_forever(messages)).await?.ok_or_else(ended)
}

/// The next message of a subscription; none when the client is closed.
pub async fn next_forever(messages: &mut Subscriber) -> Option<Message> {
    poll_fn(|context| Pin::new(&mut *messages).poll_next(context)).await
}

async fn in_time<T>(doing: impl Future<Output = T>) -> Result<T, Error> {
    let late = |_| Error::Unavailable(format!("no answer in {ANSWER_WAIT:?}"));
    timeout(ANSWER_WAIT, doing).await.map_err(late)
}

/// Reads an answer of JetStream.
///
/// # Errors
/// When it is not understood.
pub fn parsed(payload: &[u8]) -> Result<Result<Value, Refused>, Error> {
    let answer: Value = serde_json::from_slice(payload).map_err(|error| not_understood(&error))?;
    match answer.get("error") {
        Some(error) => {
            let refused = Refused::deserialize(error).map_err(|error| not_understood(&error))?;
            Ok(Err(refused))
        }
        None => Ok(Ok(answer)),
    }
}

fn not_understood(error: &serde_json::Error) -> Error {
    Error::Unavailable(format!("a server answered what is not understood: {error}"))
}
