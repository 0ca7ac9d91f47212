//! A lease: of several processes that could do a work, one does it, and another takes it up when that
//! one is gone.
//!
//! The lease of a role is the last message on a subject of its own, with the name of its holder, who
//! writes it again several times in its length. Each message says which one it follows, so that the
//! server refuses the second of two. No clocks are compared: the holder counts from before it asked, the
//! others from when they saw the answer's message, so the holder stops first. Clocks that run at other
//! speeds, or a process that stands still in the middle of a write, can still make two: a lease only
//! keeps them from disturbing each other. What keeps the log is [`Nats::take_over`](super::Nats::take_over).

use std::time::Duration;

use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::message;
use super::settings::{STREAM_EXISTS, STREAM_NOT_FOUND};
use super::store::WRONG_LAST_SEQUENCE;
use super::wire::Wire;
use crate::log::Error;
use crate::remote::Sequence;

/// The time that a lease lasts after it was last written.
pub const LEASE: Duration = Duration::from_secs(2);
/// The time between two looks at it; its holder writes it again at each.
pub const LEASE_TURN: Duration = Duration::from_millis(250);
/// How long one request about it may take.
const LEASE_WAIT: Duration = Duration::from_millis(500);
/// The longest name of a holder, in bytes.
const HOLDER_BYTES_MAX: usize = 256;
/// The server stores the message only if the last sequence of its subject is this.
const EXPECTED_SUBJECT_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";

/// Who does the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// We do, until this moment unless it is renewed before.
    Ours(Instant),
    /// The holder of this name, or nobody now.
    Theirs(Option<String>),
}

/// One process's view of the lease of a role.
pub struct Lease {
    wire: Wire,
    subject: String,
    holder: String,
    replicas: usize,
    may_take: bool,
    known: Known,
}

enum Known {
    Nothing,
    Ours {
        sequence: Sequence,
        until: Instant,
    },
    /// Since when we see this message.
    Theirs {
        sequence: Sequence,
        since: Instant,
    },
}

/// What became of a write.
enum Written {
    At(Sequence),
    Refused,
}

impl Lease {
    /// Makes the lease of a role beside a log. `holder` names this process among all, and others see it.
    #[must_use]
    pub fn new(log: &Wire, replicas: usize, role: &str, mut holder: String) -> Lease {
        let subject = format!("{}.lease.{role}", log.stream());
        let wire = log.for_stream(format!("{}-lease", log.stream()));
        holder.truncate(holder.floor_char_boundary(HOLDER_BYTES_MAX));
        Lease { wire, subject, holder, replicas, may_take: true, known: Known::Nothing }
    }

    /// Never takes the lease if `is_so`, and only tells who has it.
    #[must_use]
    pub fn only_looking(self, is_so: bool) -> Lease {
        Lease { may_take: !is_so, ..self }
    }

    /// Renews the lease if it is ours, and takes it if it is free or its holder has been silent for
    /// [`LEASE`]. To be called every [`LEASE_TURN`].
    ///
    /// # Errors
    /// When the servers do not answer. A lease that is ours stays so until its moment.
    pub async fn turn(&mut self) -> Result<Standing, Error> {
        let asked = Instant::now();
        match self.known {
            Known::Ours { sequence, until } => match self.write(sequence, &self.holder).await {
                Ok(Written::At(sequence)) => Ok(self.ours(sequence, asked)),
                Ok(Written::Refused) => self.look(Some(until)).await,
                // Until its moment nobody else has it.
                Err(_) if Instant::now() < until => Ok(Standing::Ours(until)),
                Err(error) => {
                    self.known = Known::Nothing;
                    Err(error)
                }
            },
            Known::Nothing | Known::Theirs { .. } => self.look(None).await,
        }
    }

    /// Gives the lease back, so that another need not wait for its end.
    pub async fn release(&mut self) {
        if let Known::Ours { sequence, .. } = self.known {
            // Without an answer it ends by itself.
            let _ = self.write(sequence, "").await;
        }
        self.known = Known::Nothing;
    }

    fn ours(&mut self, sequence: Sequence, asked: Instant) -> Standing {
        let until = asked + LEASE;
        self.known = Known::Ours { sequence, until };
        Standing::Ours(until)
    }

    /// Who has it. `until` is known of a lease that was ours a moment ago.
    async fn look(&mut self, until: Option<Instant>) -> Result<Standing, Error> {
        let Some((sequence, holder)) = self.last().await? else { return self.take(0).await };
        if holder.is_empty() {
            return self.take(sequence).await;
        }
        if holder == self.holder {
            // Ours, by a write whose answer was lost.
            return match until {
                Some(until) => {
                    self.known = Known::Ours { sequence, until };
                    Ok(Standing::Ours(until))
                }
                None => self.take(sequence).await,
            };
        }
        let since = match &self.known {
            Known::Theirs { sequence: seen, since } if *seen == sequence => *since,
            _ => Instant::now(),
        };
        if since.elapsed() >= LEASE {
            return self.take(sequence).await;
        }
        self.known = Known::Theirs { sequence, since };
        Ok(Standing::Theirs(Some(holder)))
    }

    async fn take(&mut self, after: Sequence) -> Result<Standing, Error> {
        if !self.may_take {
            return Ok(Standing::Theirs(None));
        }
        let asked = Instant::now();
        match self.write(after, &self.holder).await? {
            Written::At(sequence) => Ok(self.ours(sequence, asked)),
            // Somebody was faster, and is seen at the next turn.
            Written::Refused => Ok(Standing::Theirs(None)),
        }
    }

    /// The last message and the holder that it names: nobody, if it is empty.
    async fn last(&mut self) -> Result<Option<(Sequence, String)>, Error> {
        let asked = self.wire.ask_last(LEASE_WAIT, &self.subject).await;
        let Ok(answer) = asked else {
            // Perhaps there is no stream: it is made by the first who needs it, and kept in memory.
            if self.may_take {
                self.prepare().await?;
            }
            return Err(asked.err().unwrap_or(Error::Unavailable("no answer".to_owned())));
        };
        match answer.status {
            None | Some(StatusCode::OK) => (),
            Some(StatusCode::NOT_FOUND) => return Ok(None),
            Some(status) => {
                let what = answer.description.unwrap_or_default();
                return Err(Error::Unavailable(format!("the lease: {status} {what}")));
            }
        }
        let sequence = message::sequence(&answer)
            .ok_or_else(|| Error::Unavailable("a server answered without a number".to_owned()))?;
        let holder = String::from_utf8_lossy(&answer.payload).into_owned();
        Ok(Some((sequence, holder)))
    }

    async fn write(&self, after: Sequence, holder: &str) -> Result<Written, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_SUBJECT_SEQUENCE, after.to_string().as_str());
        let payload = Bytes::copy_from_slice(holder.as_bytes());
        let subject = self.subject.clone();
        match self.wire.ask_jetstream(LEASE_WAIT, subject, headers, payload).await? {
            Ok(answer) => answer["seq"].as_u64().map(Written::At).ok_or_else(|| {
                Error::Unavailable("a server acknowledged without a number".to_owned())
            }),
            Err(no) if WRONG_LAST_SEQUENCE.contains(&no.err_code) => Ok(Written::Refused),
            Err(no) => Err(Error::Unavailable(format!("the lease: {no}"))),
        }
    }

    async fn prepare(&self) -> Result<(), Error> {
        match self.wire.api("STREAM.INFO", &Value::Null).await? {
            Err(no) if no.err_code == STREAM_NOT_FOUND => (),
            _ => return Ok(()),
        }
        match self.wire.api("STREAM.CREATE", &self.settings()).await? {
            Err(no) if no.err_code != STREAM_EXISTS => {
                Err(Error::Unavailable(format!("stream {}: {no}", self.wire.stream())))
            }
            _ => Ok(()),
        }
    }

    /// In memory: a lease that is lost with all servers is free again, and nothing else depends on it.
    fn settings(&self) -> Value {
        let subjects = self.subject.rsplit_once('.').map_or("", |(subjects, _)| subjects);
        json!({
            "name": self.wire.stream(),
            "subjects": [format!("{subjects}.*")],
            "storage": "memory",
            "num_replicas": self.replicas,
            "retention": "limits",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "max_msg_size": HOLDER_BYTES_MAX * 4,
            "allow_direct": true,
        })
    }
}
