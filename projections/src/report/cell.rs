//! One value of a table: what it may be, what its parts add up to, and how it stands in JSON.

use super::digits;
use domain::kernel::actor::Confidence;
use domain::kernel::compute::ComputeTime;
use domain::kernel::money::{Money, MoneyError, Rate};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words or names.
    Text(String),
    /// A number of things.
    Count(u64),
    /// `units` divided by ten to the power of `decimals`.
    Decimal {
        /// All digits.
        units: i64,
        /// How many of them are behind the point.
        decimals: u8,
    },
    /// An amount of money.
    Money(Money),
    /// Compute time.
    Compute(ComputeTime),
    /// A moment.
    Instant(Timestamp),
    /// A day.
    Date(Date),
    /// A share.
    Rate(Rate),
    /// How sure the row is.
    Confidence(Confidence),
    /// There is a value, and it is not known. Never shown as zero.
    Unknown,
    /// There is no value.
    Empty,
}

/// What stands for a sum beyond the largest amount.
const OUT_OF_RANGE: &str = "out of range";

impl Cell {
    /// Adds a cell of the same column.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Money(left), Self::Money(right)) => match left.plus(right) {
                Ok(sum) => Self::Money(sum),
                // All parts are known; the sum is more than an amount can be.
                Err(MoneyError::OutOfRange) => Self::text(OUT_OF_RANGE),
                Err(_) => Self::Unknown,
            },
            (Self::Text(why), _) => Self::Text(why),
            (Self::Count(left), Self::Count(right)) => Self::Count(left.saturating_add(right)),
            _ => Self::Unknown,
        }
    }

    /// The amount, or that it is not known.
    #[must_use]
    pub fn known(amount: Option<Money>) -> Self {
        amount.map_or(Self::Unknown, Self::Money)
    }

    /// The value, or nothing.
    #[must_use]
    pub fn maybe(value: Option<impl Into<Self>>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }

    /// Words or names.
    #[must_use]
    pub fn text(text: impl std::fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// A number of things.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Yes or no.
    #[must_use]
    pub fn yes(yes: bool) -> Self {
        Self::text(if yes { "yes" } else { "no" })
    }
}

macro_rules! cells {
    ($($type:ty => $cell:expr;)*) => {$(
        impl From<$type> for Cell {
            fn from(value: $type) -> Self {
                let make: fn($type) -> Self = $cell;
                make(value)
            }
        }
    )*};
}

cells! {
    &str => |text| Self::Text(text.to_owned());
    String => Self::Text;
    u64 => Self::Count;
    Money => Self::Money;
    ComputeTime => Self::Compute;
    Timestamp => Self::Instant;
    Date => Self::Date;
    Rate => Self::Rate;
    Confidence => Self::Confidence;
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Count(count) => count.serialize(serializer),
            Self::Decimal { units, decimals } => {
                digits::decimal(*units, *decimals, false).serialize(serializer)
            }
            Self::Money(money) => money.serialize(serializer),
            Self::Compute(time) => time.serialize(serializer),
            Self::Instant(instant) => instant.serialize(serializer),
            Self::Date(date) => date.serialize(serializer),
            Self::Rate(rate) => rate.serialize(serializer),
            Self::Confidence(confidence) => confidence.serialize(serializer),
            Self::Unknown | Self::Empty => serializer.serialize_none(),
        }
    }
}
