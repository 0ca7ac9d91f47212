//! What an amendment of the grant agreement changes.

use crate::facts::grant::budget::{Beneficiary, Budget};
use crate::kernel::ids::BeneficiaryKey;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What an amendment changes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Change {
    /// Money moves between items or beneficiaries; the sums of the agreement stay.
    Budget {
        /// The new budget.
        budget: Budget,
    },
    /// Other first or last day.
    Dates {
        /// Last day.
        ends: Date,
        /// First day.
        starts: Date,
    },
    /// Someone joins, with a share taken from another.
    AddBeneficiary {
        /// Who.
        beneficiary: Beneficiary,
        /// Who gives the share.
        from: BeneficiaryKey,
    },
    /// Someone leaves, and their share passes on.
    RemoveBeneficiary {
        /// Who.
        beneficiary: BeneficiaryKey,
        /// Who takes the share over.
        to: BeneficiaryKey,
    },
}

// Not derived: a tagged enum that serde reads knows no place in a payload, and takes arrays for objects.
impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { beneficiary, budget, ends, from, kind, starts, to } =
            Fields::deserialize(deserializer)?;
        let fields = match (kind, beneficiary, budget, ends, from, starts, to) {
            (ChangeKind::Budget, None, Some(budget), None, None, None, None) => {
                return Ok(Self::Budget { budget });
            }
            (ChangeKind::Dates, None, None, Some(ends), None, Some(starts), None) => {
                return Ok(Self::Dates { ends, starts });
            }
            (
                ChangeKind::AddBeneficiary,
                Some(Who::New(new)),
                None,
                None,
                Some(from),
                None,
                None,
            ) => {
                return Ok(Self::AddBeneficiary { beneficiary: new, from });
            }
            (
                ChangeKind::RemoveBeneficiary,
                Some(Who::Known(old)),
                None,
                None,
                None,
                None,
                Some(to),
            ) => {
                return Ok(Self::RemoveBeneficiary { beneficiary: old, to });
            }
            (ChangeKind::Budget, ..) => "`budget` has `budget`",
            (ChangeKind::Dates, ..) => "`dates` has `ends` and `starts`",
            (ChangeKind::AddBeneficiary, ..) => {
                "`add_beneficiary` has `beneficiary`, an object, and `from`"
            }
            (ChangeKind::RemoveBeneficiary, ..) => {
                "`remove_beneficiary` has `beneficiary`, a key, and `to`"
            }
        };
        Err(D::Error::custom(format_args!("a change of kind {fields}, and no other fields")))
    }
}

/// The fields of every kind of change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    beneficiary: Option<Who>,
    budget: Option<Budget>,
    ends: Option<Date>,
    from: Option<BeneficiaryKey>,
    kind: ChangeKind,
    starts: Option<Date>,
    to: Option<BeneficiaryKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeKind {
    Budget,
    Dates,
    AddBeneficiary,
    RemoveBeneficiary,
}

/// Someone who joins, or the key of someone who leaves.
enum Who {
    Known(BeneficiaryKey),
    New(Beneficiary),
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WhoVisitor;

        impl<'de> Visitor<'de> for WhoVisitor {
            type Value = Who;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a beneficiary or the key of one")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Who, E> {
                key.parse().map(Who::Known).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Who, A::Error> {
                Beneficiary::deserialize(MapAccessDeserializer::new(members)).map(Who::New)
            }
        }

        deserializer.deserialize_any(WhoVisitor)
    }
}
