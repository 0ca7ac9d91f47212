//! Holds the signed agreement of a grant.

use crate::kernel::ids::FundId;
use crate::kernel::money::Money;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The signed grant agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Last day of the action.
    pub ends: Date,
    /// The fund that pays.
    pub fund: FundId,
    /// First day of the action.
    pub starts: Date,
    /// What the action costs.
    pub total: Money,
    /// At most this is paid by the Union.
    pub union: Money,
}
