//! Holds the hosting contract of a grant.

use crate::kernel::ids::{FundId, ProcurementKey, SupplierKey};
use crate::kernel::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The signed contract of a procurement. What is absent was not published: unknown, not nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The fund that pays.
    pub fund: FundId,
    /// Paid by participating states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<Money>,
    /// Of which procurement.
    pub procurement: ProcurementKey,
    /// With whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<SupplierKey>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Paid by the Union.
    pub union: Money,
}
