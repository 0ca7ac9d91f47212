//! What a declaration can need beside role and phase. The catalogue checks it with every command, in one
//! place: a need that is declared and not met does not compile, and no rule checks it again.

use crate::facts::world::World;
use crate::kernel::canonical::Sha256Hex;
use crate::kernel::refusal::Refusal;
use crate::rulebook;

use crate::decide::command::Meta;

/// Another person than those who did the earlier steps.
pub struct OtherPerson;
/// As many people as the rules document asks for.
pub struct Quorum;
/// A document: its digest, or all of it.
pub struct Document;

/// Implemented by a command for each need that its declaration names.
pub trait Meets<Need> {
    /// Refuses the command where the need is not met. What is missing otherwise is no matter of this
    /// check: the command's own rules say so.
    ///
    /// # Errors
    /// The need is not met.
    fn check(&self, world: &World, meta: &Meta) -> Result<(), Refusal>;
}

/// What stands for a document in a payload.
pub trait Written {}
impl Written for Sha256Hex {}
impl Written for rulebook::Document {}

/// A command whose payload cannot be read without its document.
pub trait Attached {
    /// The document.
    fn document(&self) -> &impl Written;
}

impl<C: Attached> Meets<Document> for C {
    fn check(&self, _: &World, _: &Meta) -> Result<(), Refusal> {
        Ok(())
    }
}
