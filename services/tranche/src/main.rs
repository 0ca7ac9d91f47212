//! The `tranche` program.

mod cli;

use std::process::ExitCode;

/// A commit is made on one thread and dropped on another, which this allocator does at half the cost
/// of the system's (ADR/measurements.md has what it comes to).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
