//! One test binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod audit;
mod bad_input;
mod books;
mod browser;
mod cli;
mod client;
mod copy;
mod demo;
mod desk;
mod documents;
#[cfg(feature = "nats")]
mod faults;
mod fuzz;
mod golden;
mod histories;
mod http;
mod invariants;
mod kill;
#[cfg(feature = "kurrent")]
mod kurrent;
mod life;
#[cfg(feature = "nats")]
mod nats;
mod needs;
mod often;
mod pack;
mod personal;
mod proof;
mod properties;
#[cfg(feature = "nats")]
mod relay;
#[cfg(feature = "nats")]
mod roles;
mod schemas;
mod simulation;
mod stamps;
mod strangers;
mod tidy;
mod tls;
mod why;
mod witness;
