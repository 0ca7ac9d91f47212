//! Histories for tests.

pub(crate) mod given;
pub(crate) mod sample;
