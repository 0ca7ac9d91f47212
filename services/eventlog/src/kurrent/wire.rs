//! The requests that we make of the database, each with a limit, and a client that stays alive.
//!
//! The client of the crate connects by a task of its own. That task ends for good when it finds no server,
//! it does not look for another leader when the old one is gone, and it does not end when the client is
//! dropped. So a connection that failed is replaced as a whole, with the runtime that its task is on.
//! The limits of the crate are only told to the server, hence those here.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, Credentials, Error as Failure, EventData,
    ExpectedRevision, ReadStreamOptions, RecordedEvent, StreamPosition,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::options::Options;
use crate::log::Error;
use crate::remote::{ANSWER_WAIT, CONNECT_WAIT, RETRY_PAUSE, Sequence};

/// How often the crate looks for a server before it gives up; its first look is the second.
const LOOKS: usize = 2;

/// A connection, and the name of one stream.
pub(super) struct Wire {
    settings: ClientSettings,
    hosts: String,
    credentials: Option<Credentials>,
    pub(super) stream: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

struct Connection {
    client: Client,
    /// Taken when it is dropped.
    tasks: Option<Runtime>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.take() {
            tasks.shutdown_background();
        }
    }
}

/// Which events of a stream.
pub(super) enum Range {
    /// The last one.
    Last,
    /// So many from one on, and no more once there are so many bytes.
    From { sequence: Sequence, events_max: usize, bytes_max: usize },
}

impl Wire {
    /// Reads the files of the options. Connecting comes with the first request.
    pub(super) fn new(options: &Options) -> Result<Wire, Error> {
        let credentials = options.credentials.as_deref().map(credentials).transpose()?;
        if let Some(ca) = &options.ca {
            check_certificates(ca)?;
        }
        Ok(Wire {
            settings: settings(options)?,
            hosts: options.servers.join(", "),
            credentials,
            stream: options.stream.clone(),
            connection: Mutex::new(None),
        })
    }

    /// Appends one event behind the last, which must be this one (0: none yet), and returns its number.
    pub(super) async fn append(
        &self,
        stream: &str,
        last: Sequence,
        event: EventData,
    ) -> Result<Sequence, Failure> {
        let expected = match last.checked_sub(1) {
            Some(revision) => ExpectedRevision::Exact(revision),
            None => ExpectedRevision::NoStream,
        };
        let mut options = AppendToStreamOptions::default()
            .expected_revision(expected)
            .requires_leader(true)
            .deadline(ANSWER_WAIT);
        if let Some(credentials) = &self.credentials {
            options = options.authenticated(credentials.clone());
        }
        let append = async |client: Client| client.append_to_stream(stream, &options, event).await;
        self.ask(append).await.map(|written| written.next_expected_version.saturating_add(1))
    }

    /// Whether there is an event of this number.
    pub(super) async fn has(&self, sequence: Sequence) -> Result<bool, Failure> {
        let one = Range::From { sequence, events_max: 1, bytes_max: 1 };
        self.events(&self.stream, one).await.map(|events| !events.is_empty())
    }

    /// Reads events in order; none of a stream that is not there.
    pub(super) async fn events(
        &self,
        stream: &str,
        range: Range,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let mut options = ReadStreamOptions::default().requires_leader(true);
        if let Some(credentials) = &self.credentials {
            options = options.authenticated(credentials.clone());
        }
        let (options, bytes_max) = match range {
            Range::Last => (options.position(StreamPosition::End).max_count(1), 1),
            Range::From { sequence, events_max, bytes_max } => {
                let from = StreamPosition::Position(sequence.saturating_sub(1));
                (options.position(from).max_count(events_max), bytes_max)
            }
        };
        let read = self.ask(async |client: Client| client.read_stream(stream, &options).await);
        let (mut events, mut bytes) = (Vec::<RecordedEvent>::new(), 0_usize);
        let mut answers = match read.await {
            Err(Failure::ResourceNotFound) => return Ok(events),
            answers => answers?,
        };
        while bytes < bytes_max {
            let next = match timeout(ANSWER_WAIT, answers.next()).await {
                Err(_) => Err(Failure::DeadlineExceeded),
                Ok(Err(Failure::ResourceNotFound)) => Ok(None),
                Ok(next) => next,
            };
            let next = next.inspect_err(|failure| self.forget_if_lost(failure, None))?;
            let Some(event) = next.and_then(|next| next.event) else { break };
            bytes = bytes.saturating_add(event.data.len().max(1));
            events.push(event);
        }
        Ok(events)
    }

    /// One question, tried once, for [`ANSWER_WAIT`] at most.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = self.connection()?;
        let answer = timeout(ANSWER_WAIT, question(connection.client.clone())).await;
        let answer = answer.unwrap_or(Err(Failure::DeadlineExceeded));
        answer.inspect_err(|failure| self.forget_if_lost(failure, Some(&connection)))
    }

    fn connection(&self) -> Result<Arc<Connection>, Failure> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*slot {
            return Ok(connection.clone());
        }
        let tasks = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tasks = tasks.map_err(|error| Failure::InitializationError(error.to_string()))?;
        let client = Client::with_runtime_handle(tasks.handle().clone(), self.settings.clone());
        let connection = Arc::new(Connection { client: client?, tasks: Some(tasks) });
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// The next request connects anew if this is how a connection fails.
    fn forget_if_lost(&self, failure: &Failure, failed: Option<&Arc<Connection>>) {
        let is_lost = matches!(
            failure,
            Failure::ConnectionClosed | Failure::GrpcConnectionError(_) | Failure::ServerError(_)
        );
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |current: &Arc<Connection>| failed.is_none_or(|one| Arc::ptr_eq(one, current));
        if is_lost && slot.as_ref().is_some_and(is_it) {
            *slot = None;
        }
    }

    /// What the caller is told when there was no answer, or one that is of no use.
    pub(super) fn unavailable(&self, failure: &Failure) -> Error {
        let why = match failure {
            Failure::DeadlineExceeded => format!("no answer in {ANSWER_WAIT:?}"),
            Failure::ConnectionClosed => "no connection".to_owned(),
            Failure::AccessDenied => {
                format!("stream {}: who is logged in may not do this", self.stream)
            }
            // The transport's words end in the metadata of an answer that nobody gave.
            Failure::GrpcConnectionError(_) => "no server of the protocol answers".to_owned(),
            Failure::ServerError(said) if said.contains("MetadataMap") => {
                "no server of the protocol answers".to_owned()
            }
            other => other.to_string(),
        };
        Error::Unavailable(format!("{}: {why}", self.hosts))
    }
}

/// The settings of the crate, which takes them from a text. User and password are not in it, since the
/// crate would not decode them.
fn settings(options: &Options) -> Result<ClientSettings, Error> {
    let scheme = if options.discover { "esdb+discover" } else { "esdb" };
    let ca = options.ca.as_ref().map(|path| encoded(&path.to_string_lossy()));
    let ca = ca.map(|path| format!("&tlsCAFile={path}")).unwrap_or_default();
    let text = format!(
        "{scheme}://{}?tls={}&maxDiscoverAttempts={LOOKS}&discoveryInterval={}&gossipTimeout={}\
         &nodePreference=leader&connectionName=tranche{ca}",
        options.servers.join(","),
        options.tls,
        RETRY_PAUSE.as_millis(),
        CONNECT_WAIT.as_millis(),
    );
    text.parse().map_err(|error: eventstore::ClientSettingsParseError| {
        Error::Unavailable(format!("{}: {}", options.servers.join(", "), error.message()))
    })
}

/// A value as it stands in the query of an address.
fn encoded(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte);
    let one =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(one).collect()
}

fn credentials(path: &Path) -> Result<Credentials, Error> {
    let bad = |why: &str| Error::Unavailable(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error.to_string()))?;
    let line = text.trim_end_matches(['\r', '\n']);
    let is_one_line = !line.contains(['\r', '\n']);
    match line.split_once(':').filter(|(user, _)| !user.is_empty() && is_one_line) {
        Some((user, password)) => Ok(Credentials::new(user.to_owned(), password.to_owned())),
        None => Err(bad("one line is expected, user:password")),
    }
}

/// The crate would panic over a file that it cannot use, in a task where nobody sees it.
fn check_certificates(path: &Path) -> Result<(), Error> {
    let bad = |why: &str| Error::Unavailable(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error.to_string()))?;
    let holds = text.contains("-----BEGIN CERTIFICATE-----");
    if holds { Ok(()) } else { Err(bad("it holds no certificate (PEM)")) }
}
