//! Names the shapes that the figures of a pack are folded from: the hash of the sources that define
//! them. Figures that other sources made are not compared.

mod sources;

const SOURCES: &[&str] = &["../../domain/src", "../../projections/src"];

fn main() -> std::io::Result<()> {
    println!("cargo:rustc-env=TRANCHE_FIGURES={}", sources::hash(SOURCES)?);
    Ok(())
}
