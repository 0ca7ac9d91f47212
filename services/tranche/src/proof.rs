//! The Merkle tree of a log, kept beside it: it grows with the log, signs checkpoints of it, and proves
//! that a commit is in it. Strangers check that with programs that are not ours (ADR/0018).
//!
//! The tree is a cache of the log, but for the newest checkpoint: what was signed once must stay true.
//! So a log that does not fit to it is not served.

mod keeper;
pub mod keys;
pub mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use keeper::verify_once;
pub use keeper::{Keeping, NotRecorded, OpenAgain, Opening, record};

use bytes::Bytes;
use eventlog::tlog::note::{Note, NoteSignature, Signer, Verifier};
use eventlog::tlog::tile::{self, Kind, Tile, Tiles, WIDTH};
use eventlog::tlog::{self, Builder, Checkpoint, Hash, Proof, Tree};
use eventlog::{Log, Position, READ_BYTES};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::runtime::Handle;
use tranche_proof::{Check, Found, Shelf, hex_name};

/// Where the newest checkpoint that a witness has cosigned is kept, under the SHA-256 of its key.
const COSIGNED: &str = "cosigned";
/// After so many leaves the open tiles above them are kept: then at most 16 of their hashes must be made
/// again when the tree is opened.
const KEPT_OPEN_EVERY: u64 = 16 * WIDTH;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// A text or a proof is wrong.
    #[error(transparent)]
    Tlog(#[from] tlog::Error),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file of keys.
    #[error("{0}")]
    Keys(String),
    /// The log ends before what was signed.
    #[error(
        "the log ends at position {head}, and a checkpoint of {size} commits was signed: commits are \
         missing, as after an old back-up was restored"
    )]
    Shorter {
        /// The last position of the log.
        head: Position,
        /// What was signed.
        size: u64,
    },
    /// The log is another one than was signed.
    #[error("the log is not the one that was signed: {0}")]
    Rewritten(Found),
    /// What is published is not the beginning of the log.
    #[error("{dir} was left as it is: {what}")]
    Published {
        /// Where it is.
        dir: PathBuf,
        /// Why not.
        what: String,
    },
    /// The signed checkpoint is of another log, or by another key.
    #[error("the checkpoint that was signed here is not by the keys that are given: {0}")]
    OtherKeys(String),
}

impl From<tranche_proof::Error> for ProofError {
    fn from(error: tranche_proof::Error) -> Self {
        match error {
            tranche_proof::Error::Tlog(error) => Self::Tlog(error),
            tranche_proof::Error::File { path, error } => Self::File { path, error },
            tranche_proof::Error::Keys(what) => Self::Keys(what),
        }
    }
}

impl ProofError {
    pub(crate) fn file(path: &Path, error: std::io::Error) -> Self {
        ProofError::File { path: path.to_owned(), error }
    }
}

/// The tree of a log, with its keys. It grows when it is told to catch up.
pub struct Prover {
    log: Arc<dyn Log>,
    shelf: Shelf,
    /// None when it only proves what was signed before.
    signers: Vec<Signer>,
    /// Never none; those of the signers, if there are any.
    keys: Vec<Verifier>,
    grown: RwLock<Builder>,
    signed: Mutex<Option<(Checkpoint, Note)>>,
}

impl Prover {
    /// Reads the tree in a directory, goes on with it up to the end of the log, and checks that the log
    /// is still what was signed.
    ///
    /// # Errors
    /// [`ProofError::Shorter`] and [`ProofError::Rewritten`] when it is not; others when
    /// something cannot be read.
    pub async fn open(
        log: Arc<dyn Log>,
        dir: &Path,
        keys: Vec<Signer>,
    ) -> Result<Self, ProofError> {
        let verifiers = keys.iter().map(|key| key.verifier().clone()).collect();
        Self::open_with(log, dir, keys, verifiers).await
    }

    /// The same for somebody who has only the public keys: it proves what was signed, and signs nothing.
    ///
    /// # Errors
    /// As of [`Prover::open`].
    pub async fn open_public(
        log: Arc<dyn Log>,
        dir: &Path,
        keys: Vec<Verifier>,
    ) -> Result<Self, ProofError> {
        Self::open_with(log, dir, Vec::new(), keys).await
    }

    async fn open_with(
        log: Arc<dyn Log>,
        dir: &Path,
        signers: Vec<Signer>,
        keys: Vec<Verifier>,
    ) -> Result<Self, ProofError> {
        if keys.is_empty() {
            return Err(ProofError::Keys("there is no key of the log".to_owned()));
        }
        let shelf = Shelf::open(dir)?;
        let signed = shelf.checkpoint()?;
        let signed = signed.map(|note| opened(note, &keys)).transpose()?;
        let head = log.head().await?;
        let kept = shelf.kept_open();
        let kept = |tile: Tile| {
            let is_it =
                |one: &&(Tile, Vec<Hash>)| (one.0.kind, one.0.index) == (tile.kind, tile.index);
            kept.iter().find(is_it).map(|(_, hashes)| hashes.clone()).unwrap_or_default()
        };
        let grown = Builder::resume(shelf.size(head), |tile| shelf.read(tile), kept);
        let is_readable = grown.is_ok();
        let grown = RwLock::new(grown.unwrap_or_default());
        let signed = Mutex::new(signed);
        let mut prover = Self { log, shelf, signers, keys, grown, signed };
        if is_readable {
            prover.catch_up().await?;
        }
        if !is_readable || prover.check_signed().is_err() {
            prover.again().await?;
            prover.check_signed()?;
        }
        prover.keep_leaves()?;
        Ok(prover)
    }

    /// Makes all tiles again from the log, if that is what was signed.
    async fn again(&mut self) -> Result<(), ProofError> {
        if let Some(found) = self.check().await?.first_root() {
            return Err(ProofError::Rewritten(found));
        }
        self.shelf.clear()?;
        *self.grown.write().unwrap_or_else(PoisonError::into_inner) = Builder::default();
        self.catch_up().await.map(drop)
    }

    /// Reads the whole log and holds it against the newest checkpoint and the hashes that were kept.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn check(&self) -> Result<Check, ProofError> {
        let mut check = Check::new(Some(self.shelf.clone()));
        check.expect_all(self.newest().map(|(checkpoint, _)| checkpoint));
        Ok(check.take_log(Arc::clone(&self.log), self.log.head().await?).await?)
    }

    fn check_signed(&self) -> Result<(), ProofError> {
        let Some((Checkpoint { size, root, .. }, _)) = self.newest() else { return Ok(()) };
        let head = self.size();
        if head < size {
            return Err(ProofError::Shorter { head, size });
        }
        let found = self.root(size)?;
        let (position, after, later) = (None, 0, None);
        let other = Found::Root { size, expected: root, found, position, after, later };
        if found == root { Ok(()) } else { Err(ProofError::Rewritten(other)) }
    }

    /// Takes in what the log has and the tree has not, and gives the size of the tree.
    ///
    /// # Errors
    /// When the log cannot be read, or a tile not be written.
    pub async fn catch_up(&self) -> Result<u64, ProofError> {
        let head = self.log.head().await?;
        while self.size() < head {
            let groups = self.log.read(self.size() + 1, READ_BYTES).await?;
            if groups.is_empty() {
                break;
            }
            for (position, entry) in groups.iter().flat_map(eventlog::Group::iter) {
                self.take(position, entry)?;
            }
        }
        Ok(self.size())
    }

    fn take(&self, position: Position, entry: &Bytes) -> Result<(), ProofError> {
        // Hashed before the lock is taken, since readers wait for it.
        let leaf = Hash::leaf(entry);
        let mut grown = self.grown.write().unwrap_or_else(PoisonError::into_inner);
        if position == grown.size() + 1 {
            grown.push(leaf, |tile, hashes| {
                self.shelf.write(tile, hashes)?;
                match tile.kind {
                    Kind::Hashes(0) => self.shelf.drop_leaves(tile.index, hashes),
                    _ => Ok(()),
                }
            })?;
            if grown.size().is_multiple_of(KEPT_OPEN_EVERY) {
                self.shelf.keep_open(grown.open_above())?;
            }
        }
        Ok(())
    }

    /// The tile of leaves that is not full, if there are any in it.
    fn open_leaves(&self) -> Option<(Tile, Vec<Hash>)> {
        let grown = self.grown.read().unwrap_or_else(PoisonError::into_inner);
        let (index, width) = (grown.size() / WIDTH, grown.size() % WIDTH);
        let tile = Tile { kind: Kind::Hashes(0), index, width };
        let hashes = grown.open(tile).filter(|hashes| !hashes.is_empty())?;
        Some((tile, hashes.to_vec()))
    }

    /// Keeps the hashes of the newest leaves, which are in no full tile yet: if one of their commits is
    /// changed later, they tell which.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_leaves(&self) -> Result<(), ProofError> {
        match self.open_leaves() {
            Some((tile, hashes)) => Ok(self.shelf.keep_leaves(tile, &hashes)?),
            None => Ok(()),
        }
    }

    /// The number of commits in the tree.
    pub fn size(&self) -> u64 {
        self.grown.read().unwrap_or_else(PoisonError::into_inner).size()
    }

    /// The name of the log, which is that of its keys.
    pub fn origin(&self) -> &str {
        self.keys[0].name()
    }

    /// The public keys.
    pub fn verifiers(&self) -> &[Verifier] {
        &self.keys
    }

    /// The directory of the tree.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    fn newest(&self) -> Option<(Checkpoint, Note)> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest checkpoint, signed if the tree has grown since the last one. What is returned is on
    /// the disk, or a larger one by another process is, so that nothing is ever signed that contradicts it.
    ///
    /// # Errors
    /// When it cannot be kept; [`ProofError::Keys`] when it is to be signed and there are only
    /// public keys.
    pub fn checkpoint(&self) -> Result<(Checkpoint, Note), ProofError> {
        self.keep_leaves()?;
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, root) = {
            let grown = self.grown.read().unwrap_or_else(PoisonError::into_inner);
            (grown.size(), grown.root())
        };
        // A key that has come since signs too, also when no commit has.
        let has_signed = |note: &Note, key: &Signer| {
            note.signatures.iter().any(|signature| key.verifier().is_of(signature))
        };
        if let Some(newest) = signed.as_ref().filter(|(newest, note)| {
            newest.size == size && self.signers.iter().all(|key| has_signed(note, key))
        }) {
            return Ok(newest.clone());
        }
        let checkpoint = Checkpoint { origin: self.origin().to_owned(), size, root };
        if self.signers.is_empty() {
            return Err(ProofError::Keys(format!(
                "no key to sign {size} commits with: --key FILE"
            )));
        }
        let mut note = Note::new(checkpoint.to_string())?;
        self.signers.iter().for_each(|key| note.sign(key));
        let _locked = self.shelf.locked()?;
        let kept = self.shelf.checkpoint()?;
        let known = kept.as_ref().map(|kept| Checkpoint::parse(&kept.text)).transpose()?;
        if known.is_none_or(|known| known.size <= size) {
            add_signatures(&mut note, kept)?;
            self.shelf.keep_checkpoint(&note)?;
        }
        *signed = Some((checkpoint.clone(), note.clone()));
        Ok((checkpoint, note))
    }

    /// The size of the newest checkpoint that the witness with these keys has cosigned for us; 0 when
    /// there is none. The witness itself may know a newer one.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn cosigned_size(&self, witness: &[Verifier]) -> Result<u64, ProofError> {
        let mut newest = 0;
        for key in witness {
            let Some(note) = self.shelf.note(&cosigned_path(key))? else { continue };
            if !tlog::cosign::cosigned(&note, witness).is_empty() {
                newest = newest.max(Checkpoint::parse(&note.text)?.size);
            }
        }
        Ok(newest)
    }

    /// The newest checkpoint that any witness has cosigned, of no more than what is in the tree.
    ///
    /// # Errors
    /// When what was kept cannot be read, or is not by our keys.
    pub fn newest_cosigned(&self) -> Result<Option<(Checkpoint, Note)>, ProofError> {
        let notes = self.shelf.notes(COSIGNED)?.into_iter();
        let notes = notes.map(|note| opened(note, &self.keys)).collect::<Result<Vec<_>, _>>()?;
        let size = self.size();
        let fitting = notes.into_iter().filter(|(checkpoint, _)| checkpoint.size <= size);
        Ok(fitting.max_by_key(|(checkpoint, note)| (checkpoint.size, note.signatures.len())))
    }

    /// Keeps a checkpoint with the cosignatures of a witness, and gives it with those of all others
    /// that have cosigned the same.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn keep_cosigned(&self, mut note: Note, witness: &[Verifier]) -> Result<Note, ProofError> {
        for key in witness.iter().filter(|key| note.signatures.iter().any(|one| key.is_of(one))) {
            self.shelf.put(&cosigned_path(key), note.to_string().as_bytes(), true)?;
        }
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        // Another process may have signed more in the meantime, or brought another cosignature.
        let _locked = self.shelf.locked()?;
        let kept = self.shelf.checkpoint()?.filter(|kept| kept.text == note.text);
        if kept.is_none() {
            return Ok(note);
        }
        add_signatures(&mut note, kept)?;
        self.shelf.keep_checkpoint(&note)?;
        if let Some((_, newest)) = signed.as_mut().filter(|(_, newest)| newest.text == note.text) {
            newest.clone_from(&note);
        }
        Ok(note)
    }

    /// That the commit at a position is in the log, as of the newest checkpoint; `None` when it is not.
    ///
    /// # Errors
    /// When a tile cannot be read.
    pub fn proof(&self, position: Position) -> Result<Option<Proof>, ProofError> {
        let newest = if self.signers.is_empty() { self.newest() } else { Some(self.checkpoint()?) };
        let Some((head, checkpoint)) = newest else { return Ok(None) };
        let Some(index) = position.checked_sub(1).filter(|index| *index < head.size) else {
            return Ok(None);
        };
        let path = self.inclusion(index, head.size)?;
        Ok(Some(Proof { index, path, checkpoint }))
    }

    /// The same proof, if the commit that is stored is still what was hashed: to anything else it would not
    /// lead. What `proof` makes it of are hashes alone.
    ///
    /// # Errors
    /// When a tile or the log cannot be read; [`ProofError::Rewritten`] when the commit was changed.
    pub async fn proof_of_stored(
        self: &Arc<Self>,
        position: Position,
    ) -> Result<Option<Proof>, ProofError> {
        let (prover, runtime) = (Arc::clone(self), Handle::current());
        // Signing writes to the disk, so it is done beside the threads that answer.
        let done = tokio::task::spawn_blocking(move || {
            let Some(proof) = prover.proof(position)? else { return Ok(None) };
            let groups = runtime.block_on(prover.log.read(position, 1))?;
            let entry = groups.first().and_then(|group| group.entries.first());
            let head = position - 1;
            let entry = entry.ok_or(ProofError::Shorter { head, size: position })?;
            prover.check_entry(position, entry)?;
            Ok(Some(proof))
        });
        done.await.map_err(|error| ended(&error))?
    }

    /// A stored commit is what was hashed.
    ///
    /// # Errors
    /// [`ProofError::Rewritten`] when it is not; and those of reading a tile.
    pub fn check_entry(&self, position: Position, entry: &[u8]) -> Result<(), ProofError> {
        let index = position.checked_sub(1).ok_or(tlog::Error::Outside(0, 0))?;
        if self.subtree(0, index)? == Hash::leaf(entry) {
            return Ok(());
        }
        Err(ProofError::Rewritten(Found::Entry(position)))
    }

    /// The bytes of a tile or of a bundle of entries; `None` when the tree does not have it yet.
    ///
    /// # Errors
    /// When the log or a tile cannot be read; [`ProofError::Rewritten`] when a commit is not
    /// what was hashed.
    pub async fn tile(&self, tile: Tile) -> Result<Option<Bytes>, ProofError> {
        if !tile.is_in(self.size()) {
            return Ok(None);
        }
        if tile.kind != Kind::Entries {
            return Ok(Some(tile::encode(&self.hashes(tile)?).into()));
        }
        let (first, count) = (tile.index * WIDTH + 1, usize::try_from(tile.width).unwrap_or(0));
        let mut entries: Vec<Bytes> = Vec::with_capacity(count);
        while entries.len() < count {
            let groups = self.log.read(first + entries.len() as u64, READ_BYTES).await?;
            if groups.is_empty() {
                return Ok(None);
            }
            entries.extend(groups.into_iter().flat_map(|group| group.entries));
        }
        entries.truncate(count);
        let hashes = self.hashes(Tile { kind: Kind::Hashes(0), ..tile })?;
        let mut pairs = (first..).zip(entries.iter().zip(&hashes));
        if let Some((position, _)) = pairs.find(|(_, (entry, hash))| Hash::leaf(entry) != **hash) {
            return Err(ProofError::Rewritten(Found::Entry(position)));
        }
        Ok(Some(tile::encode_bundle(&entries).into()))
    }

    /// Writes the tree of a checkpoint for plain file hosting: checkpoint, tiles and bundles, under their
    /// paths.
    ///
    /// # Errors
    /// When something cannot be read or written; [`ProofError::Published`], and nothing is written, when
    /// what is published there already is not a beginning of it.
    pub async fn publish(
        &self,
        dir: &Path,
        head: &Checkpoint,
        note: &Note,
    ) -> Result<(), ProofError> {
        let target = Shelf::open(dir)?;
        let refused = |what: String| ProofError::Published { dir: dir.to_owned(), what };
        let before = target.checkpoint().map_err(|error| refused(error.to_string()))?;
        if let Some(before) = before {
            let opened = opened(before, &self.keys).map_err(|error| refused(error.to_string()))?;
            self.check_published(&opened.0, head.size).map_err(|error| match error {
                ProofError::Tlog(error) => refused(error.to_string()),
                ProofError::Published { what, .. } => refused(what),
                other => other,
            })?;
        }
        for tile in Tile::all(head.size) {
            if let Some(bytes) = self.tile(tile).await? {
                target.put(&tile.to_string(), &bytes, false)?;
            }
        }
        // Last, so that whoever sees it finds what it is about.
        Ok(target.keep_checkpoint(note)?)
    }

    /// What is published already is the beginning of what is to be.
    fn check_published(&self, before: &Checkpoint, size: u64) -> Result<(), ProofError> {
        let published = before.size;
        let wrong = |what| Err(ProofError::Published { dir: PathBuf::new(), what });
        if published > size {
            return wrong(format!("{published} commits are published, and these are only {size}"));
        }
        if self.root(published)? != before.root {
            let what = "and the first of this log are others: it is another history";
            return wrong(format!("{published} commits are published, {what}"));
        }
        Ok(())
    }

    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, ProofError> {
        let grown = self.grown.read().unwrap_or_else(PoisonError::into_inner);
        match grown.open(tile) {
            Some(hashes) => Ok(hashes.to_vec()),
            None => Ok(self.shelf.read(tile)?),
        }
    }
}

impl Tree for Prover {
    type Error = ProofError;

    fn subtree(&self, height: u32, index: u64) -> Result<Hash, ProofError> {
        Tiles(|tile| self.hashes(tile)).subtree(height, index)
    }
}

fn cosigned_path(key: &Verifier) -> String {
    format!("{COSIGNED}/{}", hex_name(&key.to_string()))
}

/// What else has signed the same text signs it still.
fn add_signatures(note: &mut Note, kept: Option<Note>) -> Result<(), ProofError> {
    let same = kept.filter(|kept| kept.text == note.text);
    for signature in same.into_iter().flat_map(|kept| kept.signatures) {
        let is_like = |one: &NoteSignature| (&one.name, one.id) == (&signature.name, signature.id);
        if !note.signatures.iter().any(is_like) {
            note.add(signature)?;
        }
    }
    Ok(())
}

/// A thread of ours panicked, or the runtime goes down.
fn ended(error: &tokio::task::JoinError) -> ProofError {
    eventlog::Error::Unavailable(format!("the tree could not be worked on: {error}")).into()
}

/// A checkpoint that one of these keys has signed.
fn opened(note: Note, keys: &[Verifier]) -> Result<(Checkpoint, Note), ProofError> {
    let origin = keys.first().map(Verifier::name).unwrap_or_default();
    let checkpoint = Checkpoint::open(&note, keys, origin)
        .map_err(|error| ProofError::OtherKeys(error.to_string()))?;
    Ok((checkpoint, note))
}
