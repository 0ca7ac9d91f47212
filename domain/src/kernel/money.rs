//! Money: integer cents of a currency, and the exact arithmetic that the rules need.
//!
//! Written `EUR 55043220.29`. Products pass through `i128`; no value is ever a float.

use crate::kernel::canonical::INTEGER_MAX;
use crate::kernel::text::as_text;
use std::fmt;
use std::str::FromStr;

/// The largest amount, in cents: about 90 thousand billion, the largest exact JSON integer.
pub const CENTS_MAX: i64 = INTEGER_MAX as i64;

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");
}

/// An amount of one currency. The default is zero euro.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    currency: Currency,
    cents: i64,
}

/// What is wrong with an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not of the form `EUR 12.34`.
    #[error("an amount is written like \"EUR 1234.56\", with at most two decimals; got {0:?}")]
    Malformed(String),
    /// Beyond [`CENTS_MAX`].
    #[error("an amount may not exceed {CENTS_MAX} cents")]
    OutOfRange,
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    Currencies(Currency, Currency),
}

impl Money {
    /// No euro.
    pub const ZERO: Self = Self::cents(0);

    /// So many euro cents. For amounts that come from outside use [`FromStr`] or [`Money::new`].
    #[must_use]
    pub const fn cents(cents: i64) -> Self {
        Self { currency: Currency::EUR, cents }
    }

    /// So many whole euro; for literals, at most nine digits before a million millions.
    #[must_use]
    pub const fn euro(euro: i64) -> Self {
        Self::cents(euro * 100)
    }

    /// So many cents of a currency.
    ///
    /// # Errors
    /// Beyond [`CENTS_MAX`].
    pub fn new(currency: Currency, cents: i128) -> Result<Self, MoneyError> {
        let cents = i64::try_from(cents).map_err(|_| MoneyError::OutOfRange)?;
        if cents.abs() > CENTS_MAX {
            Err(MoneyError::OutOfRange)
        } else {
            Ok(Self { currency, cents })
        }
    }

    /// The amount in cents.
    #[must_use]
    pub const fn in_cents(self) -> i64 {
        self.cents
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// More than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.cents > 0
    }

    /// Less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.cents < 0
    }

    /// Sum.
    ///
    /// # Errors
    /// Two currencies, or beyond [`CENTS_MAX`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.currency, i128::from(self.cents) + i128::from(other.cents))
    }

    /// Difference; may be negative.
    ///
    /// # Errors
    /// As [`Money::plus`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.currency, i128::from(self.cents) - i128::from(other.cents))
    }

    /// The amount, if it is in euro: comparing and folding take one currency for granted, and every
    /// appropriation, envelope and agreement is in euro.
    ///
    /// # Errors
    /// Another currency.
    pub fn in_euro(self) -> Result<Self, MoneyError> {
        Self::ZERO.plus(self)
    }

    /// For folds of accepted events, whose sums `decide` has bounded: saturates at [`CENTS_MAX`]
    /// and ignores a second currency instead of failing, since a fold may not fail.
    pub fn add(&mut self, other: Self) {
        *self = self.plus(other).unwrap_or(*self);
    }

    /// The counterpart of [`Money::add`].
    pub fn subtract(&mut self, other: Self) {
        *self = self.minus(other).unwrap_or(*self);
    }

    /// Whether `self` is at most `rate` of `whole`: `self x den <= whole x num`, exactly.
    #[must_use]
    pub fn within(self, rate: Rate, whole: Self) -> bool {
        self.currency == whole.currency
            && i128::from(self.cents) * i128::from(rate.den)
                <= i128::from(whole.cents) * i128::from(rate.num)
    }

    /// `rate` of the amount, rounded towards zero, so that a share never exceeds its ceiling.
    #[must_use]
    pub fn share(self, rate: Rate) -> Self {
        let cents = i128::from(self.cents) * i128::from(rate.num) / i128::from(rate.den);
        Self::new(self.currency, cents).unwrap_or(self)
    }

    /// Splits by weights so that the parts add up exactly (largest remainder; ties go to the
    /// earlier part). No parts when all weights are zero.
    #[must_use]
    pub fn split(self, weights: &[u64]) -> Vec<Self> {
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        if total == 0 {
            return Vec::new();
        }
        let products: Vec<i128> =
            weights.iter().map(|weight| i128::from(self.cents) * i128::from(*weight)).collect();
        let mut parts: Vec<i128> =
            products.iter().map(|product| product.div_euclid(total)).collect();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(products[*index].rem_euclid(total)));
        let missing = i128::from(self.cents) - parts.iter().sum::<i128>();
        let missing = usize::try_from(missing).unwrap_or(0);
        for index in order.into_iter().take(missing) {
            parts[index] += 1;
        }
        parts.into_iter().map(|cents| Self::new(self.currency, cents).unwrap_or(self)).collect()
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::Currencies(self.currency, other.currency))
        }
    }
}

impl Default for Money {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.cents < 0 { "-" } else { "" };
        let cents = self.cents.unsigned_abs();
        write!(f, "{} {sign}{}.{:02}", self.currency, cents / 100, cents % 100)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let malformed = || MoneyError::Malformed(text.chars().take(40).collect());
        let (code, number) = text.split_once(' ').ok_or_else(malformed)?;
        let currency = code.parse().map_err(|()| malformed())?;
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
        let numeric =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric(whole) || !numeric(fraction) || fraction.len() != 2 {
            return Err(malformed());
        }
        let whole: i128 = whole.parse().map_err(|_| MoneyError::OutOfRange)?;
        let fraction: i128 = fraction.parse().map_err(|_| malformed())?;
        let cents = whole.checked_mul(100).ok_or(MoneyError::OutOfRange)? + fraction;
        Self::new(currency, if negative { -cents } else { cents })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Currency {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| ())?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(()) }
    }
}

/// A share as a reduced fraction, written `1/2`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    num: u32,
    den: u32,
}

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self { num: 0, den: 1 };
    /// One half: the ceiling of Reg. (EU) 2021/1173, Art. 12a.
    pub const HALF: Self = Self { num: 1, den: 2 };
    /// The whole.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num/den`, reduced; `None` when it is not between 0 and 1.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Option<Self> {
        if den == 0 || num > den {
            return None;
        }
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self { num: num / a, den: den / a })
    }

    /// So many percent; `None` above 100.
    #[must_use]
    pub const fn percent(percent: u32) -> Option<Self> {
        Self::new(percent, 100)
    }

    /// Numerator and denominator.
    #[must_use]
    pub const fn parts(self) -> (u32, u32) {
        (self.num, self.den)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('/')
            .and_then(|(num, den)| Self::new(num.parse().ok()?, den.parse().ok()?))
            .ok_or_else(|| {
                format!("a rate is a fraction between 0 and 1 like \"1/2\"; got {text:?}")
            })
    }
}

as_text!(Money, "Money", r"^[A-Z]{3} -?[0-9]{1,15}(\.[0-9]{2})?$", "EUR 55043220.29");

as_text!(Rate, "Rate", r"^[0-9]{1,9}/[0-9]{1,9}$", "1/2");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_read_and_written_to_the_cent() {
        for (text, cents) in
            [("EUR 0.00", 0), ("EUR 55043220.29", 5_504_322_029), ("EUR -0.05", -5)]
        {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.in_cents(), money.to_string().as_str()), (cents, text));
        }
        assert_eq!("EUR 12".parse::<Money>().unwrap(), Money::euro(12));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in [
            "",
            "12.00",
            "eur 1.00",
            "EUR 1.5",
            "EUR 1.234",
            "EUR 1,00",
            "EUR +1.00",
            "EUR  1.00",
            "EUR 1e3",
            "EUR .",
        ] {
            assert!(matches!(text.parse::<Money>(), Err(MoneyError::Malformed(_))), "{text}");
        }
        assert_eq!("EUR 90071992547410.00".parse::<Money>(), Err(MoneyError::OutOfRange));
        let huge = format!("EUR {}.00", "9".repeat(60));
        assert_eq!(huge.parse::<Money>(), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn currencies_do_not_mix() {
        let usd = "USD 1.00".parse::<Money>().unwrap();
        assert!(matches!(Money::euro(1).plus(usd), Err(MoneyError::Currencies(..))));
    }

    #[test]
    fn half_of_an_odd_cent_is_rounded_down_for_the_union() {
        assert_eq!(Money::cents(101).share(Rate::HALF), Money::cents(50));
        assert!(Money::cents(50).within(Rate::HALF, Money::cents(101)));
        assert!(!Money::cents(51).within(Rate::HALF, Money::cents(101)));
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_fair(cents in 0_i64..1_000_000_000, weights in prop::collection::vec(0_u64..1000, 1..12)) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            let total: u64 = weights.iter().sum();
            let parts = Money::cents(cents).split(&weights);
            prop_assert_eq!(parts.iter().map(|part| part.in_cents()).sum::<i64>(), cents);
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = i128::from(cents) * i128::from(*weight);
                let got = i128::from(part.in_cents()) * i128::from(total);
                prop_assert!((exact - got).abs() <= i128::from(total));
            }
        }

        #[test]
        fn text_round_trips(cents in -CENTS_MAX..=CENTS_MAX) {
            let money = Money::cents(cents);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
