//! The demonstration: the real AI Factories call, played through real commands with the clock of that
//! time. Playing it twice into the same log changes nothing: every command keeps its id.

pub mod facts;
mod player;
mod round;
mod story;

pub use player::{DemoError, Milestone};

use crate::engine::Engine;
use jiff::Timestamp;
use player::Player;

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

/// Plays the story into the log of an engine that has a manual clock, and tells its milestones.
///
/// # Errors
/// When the log holds something else, or fails.
pub async fn play(engine: &Engine) -> Result<Vec<Milestone>, DemoError> {
    let first = engine.reader().read_commit(1).await?;
    if first.is_some_and(|stored| stored.commit.command_id.as_str() != FIRST_COMMAND) {
        return Err(DemoError::OtherLog);
    }
    let mut player = Player::new(engine.clone());
    story::tell(&mut player).await?;
    Ok(player.milestones)
}
