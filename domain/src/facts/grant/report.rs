//! Holds the reports of a grant.

use crate::facts::grant::budget::{Cost, sum};
use crate::kernel::actor::Actor;
use crate::kernel::money::Money;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// At the end of a reporting period.
    Periodic,
    /// At the end of the action.
    Final,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodReport {
    /// What was accepted, once it was assessed.
    pub accepted: Option<Vec<Cost>>,
    /// What was claimed.
    pub claimed: Vec<Cost>,
    /// First day of its period.
    pub from: Date,
    /// Which.
    pub kind: ReportKind,
    /// Who submitted it.
    pub submitted_by: Actor,
    /// Last day of its period.
    pub to: Date,
}

impl PeriodReport {
    /// The Union's part of what was accepted.
    #[must_use]
    pub fn accepted_union(&self) -> Money {
        sum(self.accepted.iter().flatten().map(|cost| cost.union))
    }
}
