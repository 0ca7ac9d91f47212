//! The `tranche` library: the engine and everything around it.

pub mod asyncapi;
pub mod bench;
pub mod clock;
mod components;
pub mod cqrs;
pub mod demo;
pub mod desk;
mod digits;
pub mod documents;
pub mod engine;
pub mod export;
pub mod field_errors;
pub mod http;
pub mod ids;
pub mod moment;
#[cfg(feature = "nats")]
pub mod node;
pub mod post;
pub mod proof;
pub mod refusals;
pub mod relay;
pub mod roles;
pub mod vault;
pub mod why;
pub mod witness;
