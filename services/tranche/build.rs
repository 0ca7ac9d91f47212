//! Names the shapes of the state that this build keeps in its snapshots: the hash of the sources
//! that define them. A snapshot of other sources is discarded, never converted.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};

const SOURCES: [&str; 5] = [
    "../../domain/src",
    "../../projections/src",
    "src/engine/receipts.rs",
    "src/engine/snapshot.rs",
    "src/engine/state.rs",
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let mut hash = Sha256::new();
    for sources in SOURCES {
        println!("cargo:rerun-if-changed={sources}");
        add(&mut hash, &root.join(sources))?;
    }
    println!("cargo:rustc-env=TRANCHE_SHAPES={}", HEXLOWER.encode(&hash.finalize()));
    Ok(())
}

fn add(hash: &mut Sha256, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| add(hash, path));
    }
    let content = fs::read(path)?;
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update(content.len().to_le_bytes());
    hash.update(content);
    Ok(())
}
