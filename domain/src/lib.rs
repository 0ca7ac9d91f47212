//! The rules. Pure and synchronous: no clock, no randomness, no input or output, no floats. Time, ids
//! and the actor arrive with the command.
//!
//! Read in this order: [`command`] (what is declared), [`commit`] (what is stored), [`world`] (decide,
//! commit, apply), then any decider: one file each, always sentence, `Event`, state, `Rejection`,
//! `Decider`, rules, commands, tests.

pub mod command;
pub mod commit;
pub mod schemas;
pub mod upcast;
pub mod world;

pub mod call;
pub mod evaluation;
pub mod prize;
pub mod proposal;
pub mod round;

pub mod allocation;
pub mod system;

pub mod audit;
pub mod checkpoint;
pub mod claim;
pub mod fund;
pub mod grant;
pub mod payment;
pub mod pledge;
pub mod process;
pub mod react;
pub mod statement;
pub mod timer;

pub mod canonical;
pub mod compute;
pub mod documents;
pub mod ids;
pub mod invariants;
pub mod money;
pub mod rules;
pub mod sampling;

mod payload;
pub mod rejection;
mod text;
pub mod time;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use command::{Actor, Evidence, Meta, Parsed, Role};
pub use commit::Commit;
pub use rejection::Refusal;
pub use world::{Event, World};
