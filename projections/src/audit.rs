//! What an auditor draws from, checks, asks for and takes along.

pub mod extent;
pub mod hledger;
pub mod postings;
mod workbench;

pub use domain::facts::audit::Population as Kind;
pub use postings::Lines;
pub use workbench::{Incomplete, Row, Stratum, Workbench};

use crate::folds::audits::Audits;
use domain::kernel::canonical::Sha256Hex;
use domain::kernel::ids::AuditId;
use domain::kernel::sampling;
use domain::kernel::sampling::Item;

/// Why a sample is not what anybody draws.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum Differs {
    #[error("there is no sample")]
    NoSample,
    #[error("{0}")]
    Incomplete(#[from] Incomplete),
    #[error("the nonce is not the one that was committed to")]
    Nonce,
    #[error("the seed is {seed}, checkpoint and nonce give {expected}")]
    Seed { seed: Sha256Hex, expected: Sha256Hex },
    #[error("the population has {count} items of {cents} cents and digest {digest} here")]
    Population { count: usize, cents: i128, digest: Sha256Hex },
    #[error("the items are others: {expected:?} is drawn here")]
    Items { expected: Vec<String> },
}

impl Audits {
    /// Whether an engagement has its sample.
    #[must_use]
    pub fn is_drawn(&self, id: &AuditId) -> bool {
        self.audits.get(id).is_some_and(|audit| audit.sample.is_some())
    }

    /// Draws the sample of an engagement again, from a fold of the log before it was drawn.
    ///
    /// # Errors
    /// The first thing that is another.
    pub fn check(&self, id: &AuditId, bench: &Workbench) -> Result<(), Differs> {
        let audit = self.audits.get(id).ok_or(Differs::NoSample)?;
        let (Some(plan), Some(sample)) = (&audit.plan, &audit.sample) else {
            return Err(Differs::NoSample);
        };
        if audit.commitment.map(|(it, _)| it) != Some(Sha256Hex::of(&sample.nonce.0)) {
            return Err(Differs::Nonce);
        }
        let expected = sampling::seed(sample.checkpoint.root, sample.nonce);
        if expected != sample.seed {
            return Err(Differs::Seed { seed: sample.seed, expected });
        }
        let rows = bench.population(plan.population)?;
        let mine = rows.into_iter().filter(|row| plan.covers(&row.item, &row.grant));
        let items: Vec<Item> = mine.map(|row| row.item).collect();
        let (count, cents) = (items.len(), sampling::total(&items));
        let digest = sampling::digest(&items);
        if digest != sample.population_sha256 || cents != i128::from(sample.total.in_cents()) {
            return Err(Differs::Population { count, cents, digest });
        }
        let book = sample.total.in_cents();
        let size = plan.method.size(book, plan.assurance).unwrap_or(0);
        let drawn = plan.method.draw(&items, size, sample.seed);
        if drawn == sample.items {
            return Ok(());
        }
        Err(Differs::Items { expected: drawn.into_iter().map(|one| one.item).collect() })
    }
}
