//! What may happen: for each kind of stream its refusals, its commands and their rules. It may change
//! every week; what was decided stays as it is.
//!
//! Read [`command`] (what is declared), then any file: always refusals, rules, commands, tests.

pub mod command;
pub mod documents;
pub mod needs;
mod prelude;
pub mod standing;
pub mod tables;
pub mod texts;

pub mod allocation;
pub mod audit;
pub mod call;
pub mod checkpoint;
pub mod claim;
pub mod evaluation;
pub mod fund;
pub mod grant;
pub mod payment;
pub mod pledge;
pub mod prize;
pub mod process;
pub mod proposal;
pub mod statement;
pub mod subject;
pub mod system;
pub mod timer;
