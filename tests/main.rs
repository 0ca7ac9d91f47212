//! One test binary.

mod bad_input;
mod browser;
mod cli;
mod client;
mod demo;
mod desk;
mod http;
mod invariants;
mod kill;
mod life;
mod properties;
mod simulation;
mod tidy;
