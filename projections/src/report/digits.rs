//! The digits of numbers, exact.

/// Digits in groups of three.
pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Writes `units` divided by ten to the power of `decimals`.
pub(super) fn decimal(units: i64, decimals: u8, group: bool) -> String {
    let power = 10_u64.saturating_pow(u32::from(decimals));
    let (whole, rest) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
    let sign = if units < 0 { "-" } else { "" };
    let whole = whole.to_string();
    let whole = if group { grouped(&whole) } else { whole };
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{rest:0width$}", width = usize::from(decimals))
}
