//! The hash of source files: it names the shapes that a build folds. Two build scripts use it.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Hashes files, and all that is in directories, named from the directory of the crate that is built.
/// Cargo is told to build again when one of them changes.
pub fn hash(sources: &[&str]) -> io::Result<String> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let mut hash = Sha256::new();
    for sources in sources {
        println!("cargo:rerun-if-changed={sources}");
        add(&mut hash, &root.join(sources))?;
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
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
