//! The archive: POSIX ustar, whose bytes depend on nothing but what is put in.

use domain::kernel::canonical::Sha256Hex;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// SHA-256 of every other file, as `sha256sum` writes and checks it.
pub const MANIFEST: &str = "MANIFEST";

/// Passes bytes on and hashes them.
pub struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T> Hashing<T> {
    /// Hashes from here on.
    pub fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// The hash of all that was passed.
    pub fn finish(self) -> (T, Sha256Hex) {
        (self.inner, Sha256Hex(self.hash.finalize().into()))
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hash.update(&bytes[..read]);
        Ok(read)
    }
}

/// An archive that is being written.
pub struct Archive<W: Write> {
    tar: tar::Builder<Hashing<W>>,
    /// Seconds since 1970 that every file has as its time.
    mtime: u64,
    manifest: String,
    files: usize,
}

impl<W: Write> Archive<W> {
    /// Begins an archive; every file in it gets this time, in seconds since 1970.
    pub fn new(to: W, mtime: u64) -> Self {
        let tar = tar::Builder::new(Hashing::new(to));
        Self { tar, mtime, manifest: String::new(), files: 0 }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put_from(name, bytes.len() as u64, bytes).map(drop)
    }

    /// Adds a file of `size` bytes that are read, and gives their hash.
    ///
    /// # Errors
    /// When it cannot be read, has another size, or cannot be written.
    pub fn put_from(&mut self, name: &str, size: u64, from: impl Read) -> io::Result<Sha256Hex> {
        let digest = self.append(name, size, from)?;
        // A text never fails to be written to.
        let _ = writeln!(self.manifest, "{digest}  {name}");
        self.files += 1;
        Ok(digest)
    }

    fn append(&mut self, name: &str, size: u64, from: impl Read) -> io::Result<Sha256Hex> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.mtime);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut from = Hashing::new(from.take(size));
        self.tar.append(&header, &mut from)?;
        let (from, digest) = from.finish();
        match from.limit() {
            0 => Ok(digest),
            left => Err(io::Error::other(format!("{name}: {left} bytes shorter than it was"))),
        }
    }

    /// How many files there are, the manifest not counted.
    pub fn files(&self) -> usize {
        self.files
    }

    /// Ends it with the manifest, and gives the SHA-256 of the whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<(W, Sha256Hex)> {
        let manifest = std::mem::take(&mut self.manifest);
        self.append(MANIFEST, manifest.len() as u64, manifest.as_bytes())?;
        Ok(self.tar.into_inner()?.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(mtime: u64) -> (Vec<u8>, Sha256Hex) {
        let mut archive = Archive::new(Vec::new(), mtime);
        archive.put("a", b"one").unwrap();
        archive.put("b/c", b"").unwrap();
        assert_eq!(archive.files(), 2);
        archive.finish().unwrap()
    }

    #[test]
    fn the_same_files_are_the_same_bytes() {
        let (bytes, digest) = made(7);
        assert_eq!(made(7), (bytes.clone(), digest));
        assert_eq!(digest, Sha256Hex::of(&bytes));
        assert_ne!(made(8).0, bytes);
        assert_eq!(bytes.len() % 512, 0);
    }

    #[test]
    fn a_file_that_ends_early_is_noticed() {
        let mut archive = Archive::new(Vec::new(), 0);
        let error = archive.put_from("a", 4, &b"one"[..]).unwrap_err();
        assert!(error.to_string().contains("a: 1 bytes shorter"), "{error}");
    }
}
