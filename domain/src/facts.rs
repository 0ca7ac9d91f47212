//! What is stored for ever: the events of each kind of stream and the state that they add up to.
//!
//! Nothing here judges: what is stored has happened. A shape that is stored changes only as a new
//! version with its upcaster (see `CONTRIBUTING.md`). Read [`commit`] (what is stored), then
//! [`stream`], any kind of stream, and [`world`].

pub mod commit;
pub mod documents;
pub mod event;
pub mod invariants;
pub mod personal;
pub mod schemas;
pub mod stored;
pub mod stream;
pub mod upcast;
pub mod world;

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
