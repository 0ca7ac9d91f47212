//! Benford's law: how often each first digit stands in amounts that nobody made up.

use crate::report::{Cell, Kind, Table};

/// The share of each first digit in thousand millionths: `log10(1 + 1/d)`. They add up to one.
const SHARES: [i128; 9] = [
    301_029_996,
    176_091_259,
    124_938_737,
    96_910_013,
    79_181_246,
    66_946_790,
    57_991_947,
    51_152_522,
    45_757_490,
];
const SCALE: i128 = 1_000_000_000;

/// The critical values of chi-squared with eight degrees of freedom, in thousandths, and how sure they
/// are (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4).
const CRITICAL: [(&str, i64); 3] = [("90%", 13_362), ("95%", 15_507), ("99%", 20_090)];

/// Fewer amounts say nothing: the rarest digit would be expected less than five times.
pub(super) const AMOUNTS_MIN: usize = 110;

/// How often each digit comes first, of amounts that are not nothing.
fn counts(cents: &[i64]) -> [i128; 9] {
    let mut counts = [0; 9];
    for cents in cents {
        let mut digit = cents.unsigned_abs();
        while digit >= 10 {
            digit /= 10;
        }
        if let Some(index) = usize::try_from(digit).ok().and_then(|digit| digit.checked_sub(1)) {
            counts[index] += 1;
        }
    }
    counts
}

/// Chi-squared in thousandths, rounded down.
fn chi_squared(counts: &[i128; 9]) -> i64 {
    let total: i128 = counts.iter().sum();
    if total == 0 {
        return 0;
    }
    let part = |(count, share): (&i128, &i128)| {
        let gap = count * SCALE - total * share;
        gap * gap / (total * share) * 1_000 / SCALE
    };
    i64::try_from(counts.iter().zip(&SHARES).map(part).sum::<i128>()).unwrap_or(i64::MAX)
}

/// The digits, and what they come to.
pub(super) fn tables(cents: &[i64]) -> (Table, Table) {
    let counts = counts(cents);
    let total: i128 = counts.iter().sum();
    let mut digits = Table::new(
        "digits",
        "First digits of amounts",
        &[
            ("digit", "Digit", Kind::Count),
            ("found", "Found", Kind::Count),
            ("expected", "Expected", Kind::Decimal),
        ],
    )
    .named_by(&["digit"]);
    for (digit, (count, share)) in (1_u64..).zip(counts.iter().zip(&SHARES)) {
        let tenths = i64::try_from((total * share * 10 + SCALE / 2) / SCALE).unwrap_or(i64::MAX);
        let found = u64::try_from(*count).unwrap_or(u64::MAX);
        digits.push([digit.into(), found.into(), Cell::Decimal { units: tenths, decimals: 1 }]);
    }
    let mut result = Table::new(
        "benford",
        "Benford: chi-squared with eight degrees of freedom",
        &[
            ("amounts", "Amounts", Kind::Count),
            ("chi_squared", "Chi-squared", Kind::Decimal),
            ("assurance", "Assurance", Kind::Text),
            ("critical", "Critical value", Kind::Decimal),
            ("differs", "Differs", Kind::Text),
        ],
    );
    let found = chi_squared(&counts);
    let is_enough = total >= i128::try_from(AMOUNTS_MIN).unwrap_or(i128::MAX);
    for (assurance, critical) in CRITICAL {
        result.push([
            u64::try_from(total).unwrap_or(u64::MAX).into(),
            Cell::Decimal { units: found, decimals: 3 },
            assurance.into(),
            Cell::Decimal { units: critical, decimals: 3 },
            if is_enough { Cell::yes(found > critical) } else { "too few amounts".into() },
        ]);
    }
    (digits, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        assert_eq!(SHARES.iter().sum::<i128>(), SCALE);
    }

    #[test]
    fn first_digits_are_counted_and_nothing_has_none() {
        assert_eq!(counts(&[0, 7, -19, 100, 999]), [2, 0, 0, 0, 0, 0, 1, 0, 1]);
    }

    #[test]
    fn even_digits_differ_and_powers_of_two_do_not() {
        // 100 each of 900: (100 - 900 p)^2 / 900 p, summed in Python: 361.528.
        assert_eq!(chi_squared(&[100; 9]) / 10, 36_152);
        let powers: Vec<i64> = (0..53).map(|power| 1_i64 << power).collect();
        assert!(chi_squared(&counts(&powers)) < 15_507);
        assert_eq!(chi_squared(&[0; 9]), 0);
    }
}
