//! The `tranche` program.
fn main() {}
