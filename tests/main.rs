//! One test binary.

mod cli;
mod tidy;
