//! The command line from outside: the real program, in a directory of its own.

mod input;
pub mod program;
mod transcript;
