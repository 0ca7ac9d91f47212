//! Plays commands by named roles with the clock of that time, and keeps the milestones of the story.

use crate::engine::{Engine, OpenError, ReadError, Receipt, Request, SubmitError};
use domain::kernel::actor::{Actor, Confidence, Evidence, Role};
use domain::{Parsed, Refusal};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use projections::Cell;
use serde_json::Value;

/// A person of the story: an opaque id, as in real life, and the role in which they act.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a>(pub &'a str, pub Role);

/// Runs calls.
pub const OFFICER: Person<'_> = Person("officer-1", Role::ProgrammeOfficer);
/// Decides.
pub const BOARD: Person<'_> = Person("governing-board", Role::GoverningBoard);
/// Makes commitments.
pub const AUTHORISING: Person<'_> = Person("authorising-1", Role::AuthorisingOfficer);
/// Runs access calls.
pub const ACCESS: Person<'_> = Person("access-1", Role::AccessOfficer);

/// A moment of the story that is worth a line.
#[derive(Clone, Debug)]
pub struct Milestone {
    /// When.
    pub at: Timestamp,
    /// The commit that recorded it; `None` when the engine refused.
    pub position: Option<u64>,
    /// What happened.
    pub text: String,
}

/// What can go wrong while the story is told.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The engine could not take a command.
    #[error("{command}: {error}")]
    Submit {
        /// The command.
        command: String,
        /// Why.
        error: SubmitError,
    },
    /// The engine does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The engine took what it had to refuse: the story would be false.
    #[error("{0} was accepted, and had to be refused")]
    NotRefused(String),
    /// The log holds something else already.
    #[error("the log is not empty and does not hold the demo: play it into another directory")]
    OtherLog,
}

/// Tells the story to an engine with a manual clock.
pub struct Player {
    engine: Engine,
    told: u32,
    /// The milestones so far.
    pub milestones: Vec<Milestone>,
}

impl Player {
    /// Starts at the beginning.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, told: 0, milestones: Vec::new() }
    }

    /// Lets time pass until `local` in Luxembourg; timers that fall due on the way fire at their instant.
    ///
    /// # Errors
    /// When the log fails.
    pub async fn until(&mut self, local: &str) -> Result<(), DemoError> {
        let instant = luxembourg(local);
        let told = |error| DemoError::Submit { command: format!("wait until {local}"), error };
        self.engine.advance_to(instant).await.map_err(told)
    }

    /// Gives a command that must be accepted.
    ///
    /// # Errors
    /// When it is refused or the log fails.
    pub async fn tell(
        &mut self,
        who: Person<'_>,
        command: &str,
        data: Value,
        evidence: Evidence,
    ) -> Result<Receipt, DemoError> {
        let answer = self.give(who, command, &data, evidence).await;
        let receipt =
            answer.map_err(|error| DemoError::Submit { command: command.to_owned(), error })?;
        self.engine
            .settle()
            .await
            .map_err(|error| DemoError::Submit { command: "settle".to_owned(), error })?;
        Ok(receipt)
    }

    /// Gives a command that must be refused; the refusal is part of the story.
    ///
    /// # Errors
    /// When it is accepted or the log fails.
    pub async fn tell_in_vain(
        &mut self,
        who: Person<'_>,
        command: &str,
        data: Value,
        evidence: Evidence,
    ) -> Result<Refusal, DemoError> {
        match self.give(who, command, &data, evidence).await {
            Err(SubmitError::Refused(refusal)) => Ok(refusal),
            Ok(_) => Err(DemoError::NotRefused(command.to_owned())),
            Err(error) => Err(DemoError::Submit { command: command.to_owned(), error }),
        }
    }

    /// Adds a line to the story, marked when it rests on less than a published source.
    pub fn milestone(
        &mut self,
        position: Option<u64>,
        confidence: Confidence,
        text: impl Into<String>,
    ) {
        let at = self.engine.clock().now();
        let mut text = text.into();
        let mark = Cell::from(confidence).to_text();
        if !mark.is_empty() {
            text = format!("{text} {mark}");
        }
        self.milestones.push(Milestone { at, position, text });
    }

    async fn give(
        &mut self,
        who: Person<'_>,
        command: &str,
        data: &Value,
        evidence: Evidence,
    ) -> Result<Receipt, SubmitError> {
        self.told += 1;
        let parsed = Parsed::read(command, data.to_string().as_bytes())?;
        let actor = Actor { id: token(who.0), on_behalf_of: None, role: who.1 };
        let request = Request {
            evidence: Some(evidence),
            ..Request::new(parsed, actor, token(&format!("demo/{:04}", self.told)))
        };
        self.engine.submit(request).await
    }
}

fn token<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the names of the story are identifiers")
}

/// An instant on the wall clock of Luxembourg, where the call's times are stated.
fn luxembourg(local: &str) -> Timestamp {
    let local: DateTime = local.parse().expect("the times of the story are times");
    let zone = TimeZone::get("Europe/Luxembourg").expect("a zone that is compiled in");
    local.to_zoned(zone).expect("a time that exists").timestamp()
}
