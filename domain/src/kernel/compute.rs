//! Compute time: integer seconds of a unit of a partition. Raw numbers of different units never meet.

use crate::kernel::ids::PartitionKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest amount of compute time, in seconds of its unit: about 2.8 billion hours.
pub const SECONDS_MAX: i64 = 10_000_000_000_000;

/// What is counted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A whole node.
    Node,
    /// One GPU as the site counts it.
    Gpu,
    /// One core.
    Core,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Node => "node",
            Self::Gpu => "GPU",
            Self::Core => "core",
        })
    }
}

/// Seconds of a unit of a partition (or of a named pool of partitions).
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct ComputeTime {
    /// The partition, for example `LUMI-G`.
    pub partition: PartitionKey,
    /// Seconds of the unit.
    #[schemars(range(min = 0, max = 10_000_000_000_000_i64))]
    pub seconds: i64,
    /// The unit.
    pub unit: Unit,
}

/// Why two amounts of compute time do not meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// Another unit or partition.
    #[error("{0} and {1} are different units or partitions: convert them first")]
    Units(String, String),
    /// Negative or beyond [`SECONDS_MAX`].
    #[error("compute time is between 0 and {SECONDS_MAX} seconds")]
    OutOfRange,
    /// The partition does not have both units.
    #[error("{partition} has no conversion from {from}-hours to {to}-hours")]
    NoConversion {
        /// From this unit.
        from: Unit,
        /// To this unit.
        to: Unit,
        /// Of this partition.
        partition: PartitionKey,
    },
    /// Not a whole number of seconds of the other unit.
    #[error(
        "{time} is no whole number of {to}-seconds: give it in {to}-seconds or in a finer unit"
    )]
    NotWhole {
        /// The time.
        time: String,
        /// The other unit.
        to: Unit,
    },
}

/// What the nodes of a partition consist of, and so how its units convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// Cores that the site counts per node; unknown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores_per_node: Option<u32>,
    /// GPUs that the site counts per node; none in a CPU partition.
    pub gpus_per_node: u32,
}

impl Conversion {
    fn per_node(self, unit: Unit) -> Option<u32> {
        match unit {
            Unit::Node => Some(1),
            Unit::Gpu => Some(self.gpus_per_node),
            Unit::Core => self.cores_per_node,
        }
        .filter(|count| *count > 0)
    }

    /// The same time in another unit of the partition, exactly: never rounded.
    ///
    /// # Errors
    /// The partition has no such unit, the result is not whole, or out of range.
    pub fn convert(self, time: &ComputeTime, to: Unit) -> Result<ComputeTime, ComputeError> {
        time.check()?;
        if time.unit == to {
            return Ok(time.clone());
        }
        let (Some(have), Some(want)) = (self.per_node(time.unit), self.per_node(to)) else {
            let partition = time.partition.clone();
            return Err(ComputeError::NoConversion { from: time.unit, to, partition });
        };
        let product = i128::from(time.seconds) * i128::from(want);
        if product % i128::from(have) != 0 {
            return Err(ComputeError::NotWhole { time: time.to_string(), to });
        }
        let seconds = i64::try_from(product / i128::from(have));
        let seconds = seconds.map_err(|_| ComputeError::OutOfRange)?;
        let converted = ComputeTime { partition: time.partition.clone(), seconds, unit: to };
        converted.check().map(|()| converted)
    }
}

impl ComputeTime {
    /// So many whole hours.
    #[must_use]
    pub fn hours(partition: PartitionKey, unit: Unit, hours: i64) -> Self {
        Self { partition, seconds: hours * 3600, unit }
    }

    /// Refuses what is negative or too large.
    ///
    /// # Errors
    /// [`ComputeError::OutOfRange`].
    pub fn check(&self) -> Result<(), ComputeError> {
        if (0..=SECONDS_MAX).contains(&self.seconds) {
            Ok(())
        } else {
            Err(ComputeError::OutOfRange)
        }
    }

    /// Sum of the same unit of the same partition.
    ///
    /// # Errors
    /// Other unit or partition, or out of range.
    pub fn plus(&self, other: &Self) -> Result<Self, ComputeError> {
        self.same_unit(other)?;
        let sum = Self { seconds: self.seconds.saturating_add(other.seconds), ..self.clone() };
        sum.check().map(|()| sum)
    }

    /// Difference of the same unit of the same partition, never below nothing.
    ///
    /// # Errors
    /// Other unit or partition, or out of range.
    pub fn minus(&self, other: &Self) -> Result<Self, ComputeError> {
        self.same_unit(other)?;
        let difference =
            Self { seconds: self.seconds.saturating_sub(other.seconds), ..self.clone() };
        difference.check().map(|()| difference)
    }

    /// Whether both count the same unit of the same partition.
    ///
    /// # Errors
    /// When they do not.
    pub fn same_unit(&self, other: &Self) -> Result<(), ComputeError> {
        if self.unit == other.unit && self.partition == other.partition {
            Ok(())
        } else {
            Err(ComputeError::Units(
                format!("{}-hours of {}", self.unit, self.partition),
                format!("{}-hours of {}", other.unit, other.partition),
            ))
        }
    }
}

impl fmt::Display for ComputeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, rest) = (self.seconds / 3600, self.seconds % 3600);
        write!(f, "{hours}")?;
        if rest != 0 {
            write!(f, ":{:02}:{:02}", rest / 60, rest % 60)?;
        }
        write!(f, " {}-h of {}", self.unit, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_do_not_mix() {
        let key: PartitionKey = "LUMI-G".parse().unwrap();
        let nodes = ComputeTime::hours(key.clone(), Unit::Node, 10);
        let gpus = ComputeTime::hours(key, Unit::Gpu, 10);
        assert!(matches!(nodes.plus(&gpus), Err(ComputeError::Units(..))));
        assert_eq!(nodes.plus(&nodes).unwrap().seconds, 72_000);
        assert_eq!(nodes.to_string(), "10 node-h of LUMI-G");
    }

    #[test]
    fn conversions_are_exact_or_refused() {
        let gpu4 = Conversion { cores_per_node: Some(32), gpus_per_node: 4 };
        let key: PartitionKey = "Leonardo Booster".parse().unwrap();
        let nodes = ComputeTime::hours(key.clone(), Unit::Node, 4_500);
        // The award letter of 2025: 4 500 node-hours are 144 000 local core-hours.
        assert_eq!(gpu4.convert(&nodes, Unit::Core).unwrap().seconds, 144_000 * 3_600);
        let gpus = gpu4.convert(&nodes, Unit::Gpu).unwrap();
        assert_eq!(gpus.seconds, 18_000 * 3_600);
        assert_eq!(gpu4.convert(&gpus, Unit::Node).unwrap(), nodes);
        let odd = ComputeTime { partition: key, seconds: 5, unit: Unit::Gpu };
        assert!(matches!(gpu4.convert(&odd, Unit::Node), Err(ComputeError::NotWhole { .. })));
        assert_eq!(gpu4.convert(&odd, Unit::Core).unwrap().seconds, 40);
    }

    #[test]
    fn a_partition_without_gpus_has_no_gpu_hours() {
        let cpu = Conversion { cores_per_node: None, gpus_per_node: 0 };
        let nodes = ComputeTime::hours("LUMI-C".parse().unwrap(), Unit::Node, 1);
        for unit in [Unit::Gpu, Unit::Core] {
            let refused = cpu.convert(&nodes, unit);
            assert!(matches!(refused, Err(ComputeError::NoConversion { .. })));
        }
    }
}
