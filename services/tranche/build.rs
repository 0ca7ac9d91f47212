//! Names the shapes of the state that this build keeps in its snapshots: the hash of the sources
//! that define them. A snapshot of other sources is discarded, never converted.

#[path = "../proof/sources.rs"]
mod sources;

/// What is stored, and the folds that make it: the facts with the values and the rules documents in them, the
/// folds, the index of figures, and what the engine adds. Not what decides (`decide`, `catalogue.rs`, `process`)
/// and not what only shows (`views`, `report`, `query`): a rule or a view that changes, or its prose, leaves what
/// was folded as it is, so it discards no snapshot.
const SOURCES: &[&str] = &[
    "../../domain/src/facts",
    "../../domain/src/facts.rs",
    "../../domain/src/kernel",
    "../../domain/src/rulebook",
    "../../projections/src/fold.rs",
    "../../projections/src/folds",
    "../../projections/src/folds.rs",
    "../../projections/src/lineage/index.rs",
    "../../projections/src/set.rs",
    "src/engine/receipts.rs",
    "src/engine/snapshot.rs",
    "src/engine/state.rs",
];

fn main() -> std::io::Result<()> {
    println!("cargo:rustc-env=TRANCHE_SHAPES={}", sources::hash(SOURCES)?);
    Ok(())
}
