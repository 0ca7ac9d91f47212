//! The requests of the protocol that the adapter makes, answered from a database in memory.

use super::database::{Database, DatabaseState, Event, Expected, Fault};
use super::server::Lines;
use gossip::member_info::VNodeState;
use std::sync::Arc;
use streams::append_req::Content;
use streams::append_req::options::ExpectedStreamRevision;
use streams::append_resp::{Success, WrongExpectedVersion, success, wrong_expected_version};
use streams::read_req::options::stream_options::RevisionOption;
use streams::read_req::options::{CountOption, ReadDirection, StreamOption};
use streams::read_resp::read_event::RecordedEvent;
use streams::{append_resp, read_resp};
use tests::protocol::event_store::client::{
    StreamIdentifier, Uuid, gossip, server_features, streams, uuid,
};
use tokio_stream::{Iter, Stream};
use tonic::{Code, Request, Response, Status, Streaming};

/// What one member answers.
#[derive(Clone)]
pub struct Service {
    /// What it answers from.
    pub database: Database,
    /// The connections that it may cut.
    pub lines: Arc<Lines>,
    /// The port of this member.
    pub port: u16,
}

/// A status with what clients look at beside its code.
fn exception(code: Code, words: &str, headers: &[(&'static str, String)]) -> Status {
    let mut status = Status::new(code, words);
    for (name, value) in headers {
        status.metadata_mut().insert(*name, value.parse().expect("ASCII"));
    }
    status
}

fn name(stream: Option<StreamIdentifier>) -> String {
    String::from_utf8(stream.unwrap_or_default().stream_name).unwrap_or_default()
}

impl Service {
    /// The state, if the request may be answered from it here.
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let state = self.database.lock();
        let header = |name| request.metadata().get(name).and_then(|value| value.to_str().ok());
        if state.authorization.is_some_and(|wanted| header("authorization") != Some(wanted)) {
            return Err(Status::unauthenticated("Access Denied"));
        }
        if header("requires-leader") == Some("true") && state.leader != self.port {
            let leader = [
                ("exception", "not-leader".to_owned()),
                ("leader-endpoint-host", "127.0.0.1".to_owned()),
                ("leader-endpoint-port", state.leader.to_string()),
            ];
            return Err(exception(Code::NotFound, "Leader info available", &leader));
        }
        Ok(())
    }

    /// What goes wrong before the event is stored, if anything; what will after it.
    async fn before(&self) -> Result<Option<Fault>, Status> {
        let fault = {
            let mut state = self.database.lock();
            state.tries += 1;
            (!state.faults.is_empty()).then(|| state.faults.remove(0))
        };
        match fault {
            Some(Fault::LoseRequest) => Err(self.cut().await),
            Some(Fault::Refuse(words)) => Err(Status::unavailable(words)),
            fault => Ok(fault),
        }
    }

    /// Cuts every line. Nobody hears what is answered after it.
    async fn cut(&self) -> Status {
        self.lines.cut();
        std::future::pending().await
    }
}

fn check_stream(state: &DatabaseState, stream: &str) -> Result<(), Status> {
    if state.tombstones.iter().any(|gone| gone == stream) {
        let headers = [("exception", "stream-deleted".to_owned())];
        return Err(exception(Code::FailedPrecondition, "it is deleted", &headers));
    }
    Ok(())
}

fn answer(
    appended: Result<u64, super::database::Wrong>,
    expected: Expected,
) -> streams::AppendResp {
    let result = match appended {
        Ok(revision) => append_resp::Result::Success(Success {
            current_revision_option: Some(success::CurrentRevisionOption::CurrentRevision(
                revision,
            )),
            position_option: Some(success::PositionOption::NoPosition(Default::default())),
        }),
        Err(wrong) => {
            use wrong_expected_version::{CurrentRevisionOption, ExpectedRevisionOption};
            let current = match wrong.0.checked_sub(1) {
                Some(last) => CurrentRevisionOption::CurrentRevision(last),
                None => CurrentRevisionOption::CurrentNoStream(Default::default()),
            };
            let expected = match expected {
                Expected::Any => ExpectedRevisionOption::ExpectedAny(Default::default()),
                Expected::Some => ExpectedRevisionOption::ExpectedStreamExists(Default::default()),
                Expected::Count(0) => ExpectedRevisionOption::ExpectedNoStream(Default::default()),
                Expected::Count(count) => ExpectedRevisionOption::ExpectedRevision(count - 1),
            };
            append_resp::Result::WrongExpectedVersion(WrongExpectedVersion {
                current_revision_option: Some(current),
                expected_revision_option: Some(expected),
                ..WrongExpectedVersion::default()
            })
        }
    };
    streams::AppendResp { result: Some(result) }
}

fn recorded(stream: &str, revision: u64, event: &Event) -> streams::ReadResp {
    let event = RecordedEvent {
        id: Some(Uuid { value: Some(uuid::Value::String(event.id.clone())) }),
        stream_identifier: Some(StreamIdentifier { stream_name: stream.as_bytes().to_vec() }),
        stream_revision: revision,
        metadata: event.properties.clone().into_iter().collect(),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
        ..RecordedEvent::default()
    };
    let event = read_resp::ReadEvent { event: Some(event), ..read_resp::ReadEvent::default() };
    streams::ReadResp { content: Some(read_resp::Content::Event(event)) }
}

type Answers<T> = Iter<std::vec::IntoIter<Result<T, Status>>>;
type None<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl streams::streams_server::Streams for Service {
    type ReadStream = Answers<streams::ReadResp>;
    type BatchAppendStream = None<streams::BatchAppendResp>;

    async fn append(
        &self,
        request: Request<Streaming<streams::AppendReq>>,
    ) -> Result<Response<streams::AppendResp>, Status> {
        self.admit(&request)?;
        let mut parts = request.into_inner();
        let (mut options, mut event) = (None, None);
        while let Some(part) = parts.message().await? {
            match part.content {
                Some(Content::Options(one)) if options.is_none() => options = Some(one),
                Some(Content::ProposedMessage(one)) if event.is_none() => event = Some(one),
                _ => return Err(Status::unimplemented("one event, after its options")),
            }
        }
        let (Some(options), Some(event)) = (options, event) else {
            return Err(Status::invalid_argument("options and an event are expected"));
        };
        let (stream, event) = (name(options.stream_identifier), Event::from(event));
        let expected = match options.expected_stream_revision {
            Some(ExpectedStreamRevision::Revision(last)) => Expected::Count(last + 1),
            Some(ExpectedStreamRevision::NoStream(_)) => Expected::Count(0),
            Some(ExpectedStreamRevision::StreamExists(_)) => Expected::Some,
            Some(ExpectedStreamRevision::Any(_)) | None => Expected::Any,
        };
        let fault = self.before().await?;
        let appended = {
            let mut state = self.database.lock();
            check_stream(&state, &stream)?;
            let limit = state.append_bytes_max;
            if event.data.len() > limit {
                let words = format!("Maximum Append Size of {limit} exceeded.");
                return Err(Status::invalid_argument(words));
            }
            if let Some(Fault::Overtake(rival)) = &fault {
                state.append(&stream, Expected::Any, rival.as_ref().clone()).ok();
            }
            state.append(&stream, expected, event)
        };
        match fault {
            Some(Fault::LoseAnswer) => return Err(self.cut().await),
            Some(Fault::Delay(wait)) => tokio::time::sleep(wait).await,
            _ => (),
        }
        Ok(Response::new(answer(appended, expected)))
    }

    async fn read(
        &self,
        request: Request<streams::ReadReq>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        self.admit(&request)?;
        let options = request.into_inner().options.unwrap_or_default();
        let (Some(StreamOption::Stream(of)), Some(CountOption::Count(most))) =
            (options.stream_option, options.count_option)
        else {
            return Err(Status::unimplemented("no $all, no subscription"));
        };
        let stream = name(of.stream_identifier);
        let state = self.database.lock();
        check_stream(&state, &stream)?;
        let events = state.streams.get(&stream).map_or(&[][..], Vec::as_slice);
        if events.is_empty() {
            let missing = read_resp::StreamNotFound {
                stream_identifier: Some(StreamIdentifier { stream_name: stream.into_bytes() }),
            };
            let content = Some(read_resp::Content::StreamNotFound(missing));
            let answers = vec![Ok(streams::ReadResp { content })];
            return Ok(Response::new(tokio_stream::iter(answers)));
        }
        let from = match of.revision_option {
            Some(RevisionOption::Revision(revision)) => revision,
            Some(RevisionOption::End(_)) => u64::MAX,
            Some(RevisionOption::Start(_)) | None => 0,
        };
        let gone = state.scavenged.get(&stream).copied().unwrap_or(0);
        let numbered = (0_u64..).zip(events).filter(|(revision, _)| *revision >= gone);
        let numbered: Vec<_> = if options.read_direction == ReadDirection::Forwards as i32 {
            numbered.filter(|(revision, _)| *revision >= from).collect()
        } else {
            let mut before: Vec<_> = numbered.filter(|(revision, _)| *revision <= from).collect();
            before.reverse();
            before
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let answers = numbered.into_iter().take(most);
        let mut answers: Vec<_> =
            answers.map(|(revision, event)| Ok(recorded(&stream, revision, event))).collect();
        // As a server does that speaks to a client of today; who reads events passes over it.
        let last = read_resp::Content::LastStreamPosition(events.len() as u64 - 1);
        answers.push(Ok(streams::ReadResp { content: Some(last) }));
        Ok(Response::new(tokio_stream::iter(answers)))
    }

    async fn delete(
        &self,
        _: Request<streams::DeleteReq>,
    ) -> Result<Response<streams::DeleteResp>, Status> {
        Err(Status::unimplemented("nobody asks for it"))
    }

    async fn tombstone(
        &self,
        _: Request<streams::TombstoneReq>,
    ) -> Result<Response<streams::TombstoneResp>, Status> {
        Err(Status::unimplemented("nobody asks for it"))
    }

    async fn batch_append(
        &self,
        _: Request<Streaming<streams::BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        Err(Status::unimplemented("nobody asks for it"))
    }
}

#[tonic::async_trait]
impl server_features::server_features_server::ServerFeatures for Service {
    async fn get_supported_methods(
        &self,
        _: Request<tests::protocol::event_store::client::Empty>,
    ) -> Result<Response<server_features::SupportedMethods>, Status> {
        Ok(Response::new(server_features::SupportedMethods {
            methods: Vec::new(),
            event_store_server_version: "0.0.0".to_owned(),
        }))
    }
}

#[tonic::async_trait]
impl gossip::gossip_server::Gossip for Service {
    async fn read(
        &self,
        _: Request<tests::protocol::event_store::client::Empty>,
    ) -> Result<Response<gossip::ClusterInfo>, Status> {
        let leader = self.database.lock().leader;
        let member = |port: u16, state: VNodeState| gossip::MemberInfo {
            state: state as i32,
            is_alive: true,
            http_end_point: Some(gossip::EndPoint {
                address: "127.0.0.1".to_owned(),
                port: port.into(),
            }),
            ..gossip::MemberInfo::default()
        };
        let mut members = vec![member(leader, VNodeState::Leader)];
        if leader != self.port {
            members.push(member(self.port, VNodeState::Follower));
        }
        Ok(Response::new(gossip::ClusterInfo { members }))
    }
}
