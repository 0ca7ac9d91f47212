//! Populations and the journal as lines for other programs: what the command line writes and HTTP answers.

use domain::Commit;
use domain::facts::commit::Recorded;
use domain::kernel::time::TimeError;
use projections::audit::postings::Postings;
use projections::audit::{Incomplete, Kind, Lines, Workbench};

/// What is exported.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum What {
    /// Payments that were carried out.
    Payments,
    /// Commitments to grants, as they stand.
    Commitments,
    /// Every posting of the ledger, two lines each.
    Postings,
}

/// A fold of a log up to a moment, for one export.
#[derive(Debug)]
pub enum Export {
    /// Of a population.
    Population(Kind, Box<Workbench>),
    /// Of the journal.
    Postings(Box<Postings>),
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum NoLines {
    /// The population does not add up to the ledger.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// There is no such zone.
    #[error(transparent)]
    Zone(#[from] TimeError),
}

impl Export {
    /// Begins.
    #[must_use]
    pub fn new(what: What) -> Self {
        match what {
            What::Payments => Self::Population(Kind::Payments, Box::default()),
            What::Commitments => Self::Population(Kind::Commitments, Box::default()),
            What::Postings => Self::Postings(Box::default()),
        }
    }

    /// Takes an event in.
    pub fn apply(&mut self, commit: &Commit, event: &Recorded) {
        match self {
            Self::Population(_, bench) => bench.apply(commit, event),
            Self::Postings(journal) => journal.apply(commit, event),
        }
    }

    /// The lines. Days are those of the zone, or when none is asked for, of the books.
    ///
    /// # Errors
    /// [`NoLines`].
    pub fn lines(self, zone: Option<&str>) -> Result<Lines, NoLines> {
        match self {
            Self::Population(kind, bench) => Ok(Lines::of_population(&bench.population(kind)?)),
            Self::Postings(journal) => {
                let zone = zone.unwrap_or(journal.zone()).to_owned();
                Ok(journal.lines(&zone)?)
            }
        }
    }
}
