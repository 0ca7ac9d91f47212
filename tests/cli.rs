//! The command line from outside: the real program, in a directory of its own.

mod input;
mod program;
mod transcript;
