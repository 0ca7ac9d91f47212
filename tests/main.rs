//! One test binary.

mod cli;
mod demo;
mod invariants;
mod tidy;
