//! The few requests that we make of NATS, as JSON over its core protocol: for the log, and for who
//! keeps something beside it on the same servers.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::{
    Client, ClientError, Event, HeaderMap, Message, Request, RequestErrorKind, ServerError,
    StatusCode, Subscriber,
};
use bytes::Bytes;
use futures_core::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout};

use super::options::Options;
use super::{login, message};
use crate::log::Error;
pub use crate::remote::until;
use crate::remote::{ANSWER_WAIT, Batch, CONNECT_WAIT, READ_WAIT, Sequence};

/// After so long without an answer of use another server is tried: ours may be cut off from the others,
/// or without JetStream, and would keep us for ever.
const LEAVE_AFTER: Duration = Duration::from_secs(3);
/// How many refusals of a server are kept for those who wait for an answer.
const DENIALS_MAX: usize = 64;

/// What the client says when the servers do not let us in.
const NOT_LET_IN: &str = "authorization violation";

/// The server's codes for "not now": it was not done, and may be soon.
const NOT_NOW: &[u64] = &[
    10004, // The cluster is incomplete.
    10008, // JetStream is not available.
    10009, // This server does not lead.
    10118, // The stream is offline.
];

/// An error that JetStream answered.
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
    pub(super) state: StreamState,
    #[serde(default)]
    pub(super) cluster: Option<Cluster>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamState {
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

/// A connection, and the name of one stream. Clones use the same connection.
#[derive(Clone)]
pub struct Wire {
    client: Client,
    /// How often the connection was lost.
    losses: watch::Receiver<u64>,
    /// What a server says that the credentials do not allow.
    denials: broadcast::Sender<String>,
    /// Why the servers do not let us in, while they do not.
    refusal: Arc<Mutex<Option<String>>>,
    /// Since when JetStream has not answered on a subject.
    useless_since: Arc<Mutex<BTreeMap<String, Instant>>>,
    api: String,
    pub(super) stream: String,
}

impl Wire {
    /// Connects to the servers of a log.
    ///
    /// # Errors
    /// When none of them answers, or a file of the options cannot be read.
    pub async fn connect(options: &Options) -> Result<Wire, Error> {
        #[cfg(any(feature = "kurrent", feature = "tls"))]
        crate::tls::agree();
        let hosts = options.servers.join(", ");
        let failed = |why: &dyn std::fmt::Display| Error::Unavailable(format!("{hosts}: {why}"));
        let (lost, losses) = watch::channel(0_u64);
        let (denials, _) = broadcast::channel(DENIALS_MAX);
        let told = denials.clone();
        let refusal: Arc<Mutex<Option<String>>> = Arc::default();
        let (refused, user) = (Arc::clone(&refusal), options.clone());
        let connect = login::connect_options(options).await?.event_callback(move |event| {
            match event {
                Event::Connected => set(&refused, None),
                // Told at each attempt to connect again.
                Event::ClientError(ClientError::Other(what)) if what == NOT_LET_IN => {
                    set(&refused, Some(login::not_let_in(&user)));
                }
                Event::Disconnected => lost.send_modify(|losses| *losses += 1),
                // Nobody may be waiting.
                Event::ServerError(ServerError::Other(what)) => drop(told.send(what)),
                _ => (),
            }
            ready(())
        });
        let connect = connect.connect(&options.servers);
        let client = match timeout(CONNECT_WAIT, connect).await {
            Ok(connected) => connected.map_err(|error| failed(&login::why(options, &error)))?,
            Err(_) => return Err(failed(&format!("no connection in {CONNECT_WAIT:?}"))),
        };
        let (api, stream) = (options.api.clone(), options.stream.clone());
        let useless_since = Arc::default();
        Ok(Wire { client, losses, denials, refusal, useless_since, api, stream })
    }

    /// Gives the same connection for another stream.
    #[must_use]
    pub fn for_stream(&self, stream: String) -> Wire {
        Wire { stream, ..self.clone() }
    }

    /// Gives the name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Makes the subject of a request to the JetStream API about the stream.
    #[must_use]
    pub fn api_subject(&self, what: &str) -> String {
        format!("{}.{what}.{}", self.api, self.stream)
    }

    /// Gives the client, for subscriptions and for publishing without an answer.
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

    /// Asks once, and waits [`ANSWER_WAIT`] at most for the answer.
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

    /// Asks once, and waits for the answer as long as the caller says.
    ///
    /// # Errors
    /// When no answer came: nobody knows whether the question did.
    pub async fn ask_within(
        &self,
        wait: Duration,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, Error> {
        self.check_connection()?;
        let request = Request::new().headers(headers).payload(payload).timeout(Some(wait));
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        let asking = self.client.send_request(subject.clone(), request);
        tokio::select! {
            // The limit of the client itself does not count the wait for room in its queue.
            answer = timeout(wait, asking) => match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                    Err(Error::Unavailable("nobody is there to answer".to_owned()))
                }
                Ok(Err(error)) => Err(Error::Unavailable(error.to_string())),
                Err(_) => Err(Error::Unavailable(format!("no answer in {wait:?}"))),
            },
            // An answer goes to the connection that the question came by.
            _ = losses.changed() => Err(Error::Unavailable("the connection was lost".to_owned())),
            denied = self.denied(&subject) => Err(denied),
        }
    }

    /// Comes when a server says that we may not publish on a subject: it then drops the message, and
    /// no answer comes.
    async fn denied(&self, subject: &str) -> Error {
        let mut denials = self.denials.subscribe();
        let named = format!("Publish to \"{subject}\"");
        loop {
            match denials.recv().await {
                Ok(what) if what.contains(&named) => {
                    return Error::Forbidden(format!("publish on {subject}"));
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => (),
                Err(broadcast::error::RecvError::Closed) => return pending().await,
            }
        }
    }

    /// Sends a request to the JetStream API about the stream, such as `STREAM.INFO`, again while the
    /// answer is that there is none now.
    ///
    /// # Errors
    /// When no answer came in [`READ_WAIT`].
    pub async fn api(&self, what: &str, body: &Value) -> Result<Result<Value, Refused>, Error> {
        let subject = self.api_subject(what);
        until(READ_WAIT, || async {
            // Some requests must have no body at all.
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let body = Bytes::from(body);
            self.ask_jetstream(ANSWER_WAIT, subject.clone(), HeaderMap::new(), body).await
        })
        .await
    }

    /// Asks the leader of a stream, or of all of JetStream, once.
    ///
    /// # Errors
    /// When no answer came, or the answer was that there is none now.
    pub async fn ask_jetstream(
        &self,
        wait: Duration,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Result<Value, Refused>, Error> {
        let asked = self.ask_within(wait, subject.clone(), headers, payload).await;
        let answer = asked.and_then(|answer| match parsed(&answer.payload)? {
            Err(refused) if NOT_NOW.contains(&refused.err_code) => {
                Err(Error::Unavailable(refused.to_string()))
            }
            answered => Ok(answered),
        });
        self.note(&subject, &answer).await;
        answer
    }

    /// Asks the servers of a stream for the last message of a subject.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn ask_last(&self, wait: Duration, of: &str) -> Result<Message, Error> {
        let subject = format!("{}.{of}", self.api_subject("DIRECT.GET"));
        let answer = self.ask_within(wait, subject.clone(), HeaderMap::new(), Bytes::new()).await;
        self.note(&subject, &answer).await;
        answer
    }

    /// Takes note of whether a subject is answered. When one has not been for [`LEAVE_AFTER`], another
    /// server is asked from then on.
    async fn note<T>(&self, subject: &str, answer: &Result<T, Error>) {
        let is_of_use = !matches!(answer, Err(Error::Unavailable(_)));
        if self.is_to_be_left(subject, is_of_use) {
            // Without a client there is nothing to leave.
            let _ = in_time(self.client.force_reconnect()).await;
        }
    }

    fn is_to_be_left(&self, subject: &str, is_of_use: bool) -> bool {
        let mut since = self.useless_since.lock().unwrap_or_else(PoisonError::into_inner);
        if is_of_use {
            since.remove(subject);
            return false;
        }
        let began = *since.entry(subject.to_owned()).or_insert_with(Instant::now);
        let is_late = began.elapsed() >= LEAVE_AFTER;
        if is_late {
            // Another server has the same time.
            since.clear();
        }
        is_late
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
    pub(super) async fn get(
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
        let subject = self.api_subject("DIRECT.GET");
        tokio::select! {
            batch = self.batch_of(subject.clone(), from, &request) => batch,
            denied = self.denied(&subject) => Err(denied),
        }
    }

    async fn batch_of(
        &self,
        subject: String,
        from: Sequence,
        request: &Value,
    ) -> Result<Batch, Error> {
        let mut answers = self.ask_many(subject, request).await?;
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
            messages.push(message::read(sequence, &message).map_err(Error::Corrupt)?);
        }
        Ok(if messages.is_empty() { Batch::NotThere } else { Batch::Messages(messages) })
    }

    /// Asks a question that many may answer, or one in many parts.
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
            _ => {
                let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
                let why = refusal.iter().map(|why| format!(": {why}")).collect::<String>();
                Err(Error::Unavailable(format!("no NATS server is connected{why}")))
            }
        }
    }
}

fn set(place: &Mutex<Option<String>>, what: Option<String>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = what;
}

/// Waits for the next message of a subscription, [`ANSWER_WAIT`] at most.
///
/// # Errors
/// When it does not.
pub async fn next(messages: &mut Subscriber) -> Result<Message, Error> {
    let ended = || Error::Unavailable("the connection is closed".to_owned());
    in_time(next_forever(messages)).await?.ok_or_else(ended)
}

/// Waits for the next message of a subscription; none when the client is closed.
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
