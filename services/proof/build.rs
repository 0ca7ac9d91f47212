//! Names what the figures of a pack are made of: the hash of the sources that fold and show them. Figures that
//! other sources made are not compared.

mod sources;

/// The facts with the values and the rules documents in them, and all that makes figures of them. Not what decides
/// (`decide`, `catalogue.rs`, `process`): a rule that changes, or its prose, changes no figure of what is recorded.
/// Who may do what the inbox asks for is the one exception; the version of the release, which `made_by` names too,
/// covers that.
const SOURCES: &[&str] = &[
    "../../domain/src/facts",
    "../../domain/src/facts.rs",
    "../../domain/src/kernel",
    "../../domain/src/rulebook",
    "../../projections/src",
];

fn main() -> std::io::Result<()> {
    println!("cargo:rustc-env=TRANCHE_FIGURES={}", sources::hash(SOURCES)?);
    Ok(())
}
