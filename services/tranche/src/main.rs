//! The `tranche` program.

mod cli;

use std::process::ExitCode;

/// A commit is made on one thread and dropped on another. ADR/0010 says what led to it, and what was not
/// measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
