//! The documents that a log names, and where each of them lies.

use domain::Commit;
use domain::facts::documents;
use domain::facts::documents::Named;
use domain::kernel::canonical::Sha256Hex;
use eventlog::Position;
use std::collections::BTreeSet;

/// The documents that a log names, in the order in which it does.
#[derive(Debug, Default)]
pub struct Census {
    named: Vec<(Position, Named)>,
}

impl Census {
    /// Takes in what a commit names.
    ///
    /// # Errors
    /// When the commit has no JSON form.
    pub fn take(&mut self, commit: &Commit) -> Result<(), serde_json::Error> {
        let named = documents::named(commit)?;
        self.named.extend(named.into_iter().map(|named| (commit.position, named)));
        Ok(())
    }

    /// Lists everything that is named, with the positions.
    #[must_use]
    pub fn named(&self) -> &[(Position, Named)] {
        &self.named
    }

    /// Lists the hashes of all that is named.
    #[must_use]
    pub fn hashes(&self) -> BTreeSet<Sha256Hex> {
        self.named.iter().map(|(_, named)| named.sha256).collect()
    }
}

/// Tells where a document is in every store and pack: `sha256/ab/` and its whole name.
#[must_use]
pub fn path(sha256: Sha256Hex) -> String {
    let name = sha256.to_string();
    format!("sha256/{}/{name}", &name[..2])
}
