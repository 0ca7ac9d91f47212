//! How figures are written for people: thousands apart by a narrow space that does not break.

use domain::kernel::money::{Currency, Money};
use jiff::civil::Date;

/// A narrow space that does not break.
const THIN: char = '\u{202f}';
const MILLION_CENTS: i64 = 100_000_000;

/// Digits in groups of three.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(THIN);
        }
        text.push(digit);
    }
    text
}

/// Euro to the cent: `EUR 1 485 000 000.00`.
#[must_use]
pub fn cents_exact(cents: i64) -> String {
    exact(Money::cents(cents))
}

/// An amount to the cent, in its currency.
#[must_use]
pub fn exact(money: Money) -> String {
    format!("{}{THIN}{}", money.currency(), without_currency(money))
}

/// An amount to the cent, where a heading says the currency.
#[must_use]
pub fn without_currency(money: Money) -> String {
    let cents = money.in_cents();
    let sign = if cents < 0 { "\u{2212}" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100)
}

/// Millions of euro with one decimal, rounded half up: `EUR 1 485.0 M`. What is less than
/// EUR 50 000 but not nothing is written out, so that nothing that exists looks like nothing.
#[must_use]
pub fn cents_short(cents: i64) -> String {
    let tenth = MILLION_CENTS / 10;
    if cents != 0 && cents.abs() < tenth / 2 {
        return cents_exact(cents);
    }
    let sign = if cents < 0 { "\u{2212}" } else { "" };
    let tenths = (cents.unsigned_abs() + tenth.unsigned_abs() / 2) / tenth.unsigned_abs();
    let currency = Currency::EUR;
    format!("{currency}{THIN}{sign}{}.{}{THIN}M", grouped(tenths / 10), tenths % 10)
}

/// A day in words: `10 December 2024`.
#[must_use]
pub fn day_long(date: Date) -> String {
    date.strftime("%-d %B %Y").to_string()
}

/// A day in short: `10 Dec 2024`.
#[must_use]
pub fn day_short(date: Date) -> String {
    date.strftime("%-d\u{a0}%b\u{a0}%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(THIN, "_")
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(plain(&grouped(0)), "0");
        assert_eq!(plain(&grouped(999)), "999");
        assert_eq!(plain(&grouped(8_800_000)), "8_800_000");
    }

    #[test]
    fn tables_show_cents_and_tiles_show_millions() {
        assert_eq!(plain(&cents_exact(5_504_322_029)), "EUR_55_043_220.29");
        assert_eq!(plain(&cents_short(5_504_322_029)), "EUR_55.0_M");
        assert_eq!(plain(&cents_short(148_500_000_000)), "EUR_1_485.0_M");
        assert_eq!(plain(&cents_exact(-5)), "EUR_\u{2212}0.05");
    }

    #[test]
    fn a_small_amount_never_looks_like_nothing() {
        assert_eq!(plain(&cents_short(0)), "EUR_0.0_M");
        assert_eq!(plain(&cents_short(1)), "EUR_0.01");
        assert_eq!(plain(&cents_short(5_000_000)), "EUR_0.1_M");
    }
}
