//! The rules of public grants. Pure and synchronous: no clock, no randomness, no input or output, no
//! floats. Time, ids and the actor arrive with the command.
//!
//! The floors, from the ground up; a file imports from its own floor and from those below:
//!
//! 1. [`kernel`]: money, time, names, canonical JSON, saying no.
//! 2. [`rulebook`]: the rules documents of calls, which are data.
//! 3. [`facts`]: what is stored for ever, and what it adds up to. One file for each kind of stream.
//! 4. [`decide`]: what may happen. One file of the same name for each kind of stream.
//! 5. [`catalogue`]: every command; reads one by name, decides it and makes its commit.
//! 6. [`process`]: what follows from a commit.

pub mod catalogue;
pub mod decide;
pub mod facts;
pub mod kernel;
pub mod process;
pub mod rulebook;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use decide::command::{Meta, Parsed};
pub use facts::commit::Commit;
pub use facts::event::Event;
pub use facts::world::World;
pub use kernel::actor::{Actor, Evidence, Role};
pub use kernel::refusal::Refusal;
