//! All facts at one position of the log, each folded once.

use crate::fold::Fold;
use domain::Commit;
use domain::kernel::canonical::Sha256Hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Makes [`Views`] of the table of folds.
macro_rules! make_set {
    ($($field:ident: $type:ty;)*) => {
        /// What every view rests on, at one position of the log. Cloning costs nothing; a clone never changes.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct Views {
            /// The last commit that has been folded.
            pub position: u64,
            /// When it was recorded.
            pub recorded_at: Timestamp,
            /// The latest instant at which anything folded was true.
            pub effective_max: Timestamp,
            $(#[doc = concat!("The fold `", stringify!($field), "`.")] pub $field: $type,)*
        }

        impl Views {
            /// Folds a commit in.
            pub fn apply(&mut self, commit: &Commit) {
                for event in &commit.events {
                    self.effective_max = self.effective_max.max(event.effective_at);
                    $(self.$field.apply(commit, event);)*
                }
                self.position = commit.position;
                self.recorded_at = self.recorded_at.max(commit.recorded_at);
            }

            /// Gives the digest of every fold, by name: equal states have equal digests.
            ///
            /// # Errors
            /// When a fold holds a number that has no canonical form.
            pub fn digests(&self) -> Result<BTreeMap<&'static str, Sha256Hex>, serde_json::Error> {
                Ok(BTreeMap::from([$((stringify!($field), self.$field.digest()?)),*]))
            }
        }
    };
}

crate::folds::table!(make_set);

/// Folds commits from nothing.
pub fn fold<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Views {
    let mut views = Views::default();
    for commit in commits {
        views.apply(commit);
    }
    views
}
