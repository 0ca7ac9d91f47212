//! Names the shapes of the state that this build keeps in its snapshots: the hash of the sources
//! that define them. A snapshot of other sources is discarded, never converted.

#[path = "../proof/sources.rs"]
mod sources;

const SOURCES: [&str; 5] = [
    "../../domain/src",
    "../../projections/src",
    "src/engine/receipts.rs",
    "src/engine/snapshot.rs",
    "src/engine/state.rs",
];

fn main() -> std::io::Result<()> {
    println!("cargo:rustc-env=TRANCHE_SHAPES={}", sources::hash(&SOURCES)?);
    Ok(())
}
