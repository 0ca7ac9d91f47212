//! Finds parts of a call, or says which is missing.

use crate::decide::call::refusals::Rejection;
use crate::decide::prelude::*;
use crate::facts::call::{Call, CutOff};
use crate::rulebook::Document;

impl Call {
    /// The rules that it opened with.
    ///
    /// # Errors
    /// When it has not opened.
    pub fn document(&self) -> Result<&Document, Refusal> {
        self.rules.as_deref().ok_or_else(|| Common::NotFound("the rules document".into()).into())
    }

    /// A cut-off by key.
    ///
    /// # Errors
    /// [`Rejection::NoCutOff`].
    pub fn cut_off(&self, key: &CutOffKey) -> Result<&CutOff, Refusal> {
        let found = self.cut_offs.get(key);
        found.ok_or_else(|| Refusal::from(Rejection::NoCutOff(key.clone())).at("/cut_off"))
    }

    /// When it stops taking proposals.
    ///
    /// # Errors
    /// Never: the time was accepted when it opened.
    pub fn end(&self) -> Result<Option<Timestamp>, Refusal> {
        Ok(self.opens_until.as_ref().map(LocalTime::instant).transpose()?)
    }
}
