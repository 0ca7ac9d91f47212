//! The log over EventStoreDB, on a server of its protocol: the contract, what can go wrong on the way, and
//! the real program. Not on a KurrentDB, which no registry of ours has: see ADR 0014.

mod adapter;
mod database;
mod faults;
mod program;
pub mod server;
mod service;
