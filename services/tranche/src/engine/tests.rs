//! The engine as its callers see it, on a log in memory, in SQLite, and on one that fails.

mod decisions;
mod faults;
mod restarts;
mod timers;

use super::*;
use crate::clock::ManualClock;
use domain::decide::command::Parsed;
use domain::kernel::actor::{Actor, Confidence, Evidence};
use domain::{Commit, Role};
use eventlog::Memory;

pub(super) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn start() -> Timestamp {
    instant("2024-09-10T08:00:00Z")
}

pub(super) fn request(role: Role, id: &str, command: &str, payload: &str) -> Request {
    let parsed = Parsed::read(command, payload.as_bytes()).unwrap();
    let actor = Actor { id: "someone".parse().unwrap(), on_behalf_of: None, role };
    Request::new(parsed, actor, id.parse().unwrap())
}

/// The publication of a figure: a stream of its own for each `claim`.
pub(super) fn publish(id: &str, claim: &str) -> Request {
    let figures = r#"{"about":"grant-A","published":"2025-03-12","what":"w","total":"EUR 10"}"#;
    let payload = format!(r#"{{"claim":"{claim}","figures":{figures}}}"#);
    let evidence =
        Evidence { confidence: Confidence::Fixture, note: None, source: "test".to_owned() };
    let mut request = request(Role::Auditor, id, "claim.publish", &payload);
    request.envelope.evidence = Some(evidence);
    request
}

pub(super) fn withdraw(id: &str, claim: &str) -> Request {
    let payload = format!(r#"{{"claim":"{claim}","reason":"r"}}"#);
    request(Role::Auditor, id, "claim.withdraw", &payload)
}

/// A timer that sets a reaction aside.
pub(super) fn set_timer(id: &str, timer: &str, due: &str, reaction: &str) -> Request {
    let inner = r#"{"command":"a.b","data":{}}"#;
    let data = format!(
        r#"{{"process":"p","reaction":"{reaction}","code":"c","message":"m","wish":{inner}}}"#
    );
    let wish = format!(r#"{{"command":"process.park","data":{data}}}"#);
    let payload = format!(r#"{{"timer":"{timer}","due":"{due}","wish":{wish}}}"#);
    request(Role::ProgrammeOfficer, id, "timer.set", &payload)
}

/// An engine with a manual clock.
pub(super) async fn open(log: &Arc<dyn Log>, options: EngineOptions) -> (Engine, ManualClock) {
    let (clock, hands) = Clock::manual(start());
    (Engine::open(Arc::clone(log), clock, options).await.unwrap(), hands)
}

pub(super) async fn memory() -> (Engine, ManualClock, Arc<dyn Log>) {
    let log: Arc<dyn Log> = Arc::new(Memory::new());
    let (engine, hands) = open(&log, EngineOptions::default()).await;
    (engine, hands, log)
}

pub(super) async fn commits(engine: &Engine) -> Vec<Arc<Commit>> {
    let stored = engine.reader().read_commits(1, usize::MAX).await.unwrap();
    stored.into_iter().map(|stored| stored.commit).collect()
}

/// The names of the recorded commands, in order.
pub(super) async fn commands(engine: &Engine) -> Vec<String> {
    commits(engine).await.iter().map(|commit| commit.command.to_string()).collect()
}

pub(super) fn refused(result: Result<Receipt, SubmitError>) -> String {
    match result {
        Err(SubmitError::Refused(refusal)) => refusal.code.into_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Live folds are what a replay from the first commit gives.
pub(super) async fn is_true_to_its_log(engine: &Engine, log: &Arc<dyn Log>) {
    let report = replay(Arc::clone(log), None).await.unwrap();
    let now = engine.now();
    assert_eq!((report.commits, report.digests), (now.position(), now.digests().unwrap()));
}
