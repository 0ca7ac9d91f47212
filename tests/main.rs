//! One test binary.

mod bad_input;
mod cli;
mod client;
mod demo;
mod desk;
mod invariants;
mod kill;
mod life;
mod properties;
mod simulation;
mod tidy;
