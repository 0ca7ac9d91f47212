//! The steps of a tie-break.

use crate::kernel::ids::CriterionKey;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// One step of a tie-break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "by", deny_unknown_fields)]
pub enum Comparator {
    /// First what covers aspects of the call that higher-ranked proposals do not: sequential.
    Coverage,
    /// The higher score on a criterion.
    Criterion {
        /// Its key.
        criterion: CriterionKey,
    },
    /// The more balanced gender of named researchers (the smaller distance from one half).
    GenderBalance,
    /// First from states that are not funded higher up: sequential.
    GeographicalDiversity,
    /// The larger share of small and medium enterprises in the budget.
    SmeShare,
    /// An order that the panel decided and recorded with its reason.
    PanelOrder,
    /// The earlier submission (first come, first served).
    SubmittedFirst,
}

// Not derived: a tagged enum that serde reads knows no place in a payload, and takes arrays for objects.
impl<'de> Deserialize<'de> for Comparator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { by, criterion } = Fields::deserialize(deserializer)?;
        match (by, criterion) {
            (By::Coverage, None) => Ok(Self::Coverage),
            (By::Criterion, Some(criterion)) => Ok(Self::Criterion { criterion }),
            (By::GenderBalance, None) => Ok(Self::GenderBalance),
            (By::GeographicalDiversity, None) => Ok(Self::GeographicalDiversity),
            (By::SmeShare, None) => Ok(Self::SmeShare),
            (By::PanelOrder, None) => Ok(Self::PanelOrder),
            (By::SubmittedFirst, None) => Ok(Self::SubmittedFirst),
            (By::Criterion, None) => Err(D::Error::missing_field("criterion")),
            (_, Some(_)) => Err(D::Error::custom("only `by` = `criterion` has a `criterion`")),
        }
    }
}

/// The fields of every comparator.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    by: By,
    criterion: Option<CriterionKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Coverage,
    Criterion,
    GenderBalance,
    GeographicalDiversity,
    SmeShare,
    PanelOrder,
    SubmittedFirst,
}
