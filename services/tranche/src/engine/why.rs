//! Where figures come from, and what changed between two moments: asked of what is shown and of the log,
//! by the index that is kept of it.

use super::published::ReadError;
use super::reader::{Reader, Source};
use projections::Query;
use projections::lineage::{Diff, Figure, Lineage, WhyError};
use std::sync::Arc;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The pointer leads nowhere.
    #[error(transparent)]
    Pointer(#[from] projections::lineage::PointerError),
}

impl Reader {
    /// Tells where a figure of a view comes from; `None` when there is no such view.
    ///
    /// # Errors
    /// When the log cannot be read, or the pointer leads to no figure at that moment.
    pub async fn why(
        &self,
        view: &str,
        query: Query,
        pointer: &str,
    ) -> Result<Option<Lineage>, AskError> {
        let (reader, view, pointer) = (self.clone(), view.to_owned(), pointer.to_owned());
        let asked = self.runtime.spawn_blocking(move || {
            let shown = reader.now();
            reader.index.catch_up(shown.position(), &reader.log, &reader.runtime)?;
            let candidates = |figure: &Figure| reader.index.kept().index.candidates(&view, figure);
            let source = reader.source();
            let lineage = shown.history.why(&view, (&query, &pointer), &candidates, &source);
            lineage.map_err(|error| match error {
                WhyError::Source(error) => AskError::Read(error.into()),
                WhyError::Pointer(error) => AskError::Pointer(error),
            })
        });
        asked.await.map_err(|_| ReadError::Stopped)?
    }

    /// Tells what changed in a view between two moments; `None` when there is no such view.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn diff(
        &self,
        view: &str,
        (from, to): (Query, Query),
    ) -> Result<Option<Diff>, ReadError> {
        let (reader, view) = (self.clone(), view.to_owned());
        let asked = self.runtime.spawn_blocking(move || {
            reader.now().history.diff(&view, (&from, &to), &reader.source())
        });
        Ok(asked.await.map_err(|_| ReadError::Stopped)??)
    }

    fn source(&self) -> Source {
        Source { log: Arc::clone(&self.log), runtime: self.runtime.clone() }
    }
}
