//! The demonstration: the real AI Factories call, played through real commands with the clock of that
//! time. Playing it twice into the same log changes nothing: every command keeps its id.

mod documents;
pub mod facts;
mod player;
mod round;
mod story;

pub use documents::documents;
pub use player::{DemoError, Milestone};

use crate::clock::Clock;
use crate::engine::{Engine, EngineOptions};
use jiff::Timestamp;
use player::Player;
use std::sync::Arc;

/// The id of the first command: by it a log is known to hold the demo.
const FIRST_COMMAND: &str = "demo/0001";

/// When the story begins: the launch of the AI Grand Challenge.
///
/// # Panics
/// Never: a literal instant.
#[must_use]
pub fn begins() -> Timestamp {
    "2023-11-16T08:00:00Z".parse().expect("a literal instant")
}

/// Plays the story into the log of an engine that has a manual clock, and tells its milestones. Into a
/// log that holds all of it or its beginning, only what is missing is recorded.
///
/// # Errors
/// When the log holds something else, or fails.
pub async fn play(engine: &Engine) -> Result<Vec<Milestone>, DemoError> {
    let first = engine.reader().read_commit(1).await?;
    if first.as_ref().is_some_and(|stored| stored.commit.command_id.as_str() != FIRST_COMMAND) {
        return Err(DemoError::OtherLog);
    }
    let known = first.is_some();
    let mut player = Player::new(engine.clone());
    story::tell(&mut player).await?;
    if known {
        // What is refused now is refused for what came later: the story is told from its beginning.
        return rehearse().await;
    }
    Ok(player.milestones)
}

/// The milestones of the story, played into memory.
async fn rehearse() -> Result<Vec<Milestone>, DemoError> {
    let (clock, _) = Clock::manual(begins());
    let log = Arc::new(eventlog::Memory::new());
    let engine = Engine::open(log, clock, EngineOptions::default()).await?;
    let mut player = Player::new(engine.clone());
    story::tell(&mut player).await?;
    engine.stop().await;
    Ok(player.milestones)
}
