//! Checks texts and lists: a reason says something, and everything has a limit.

use crate::facts::call::ROUND_REASON_BYTES_MAX;
use crate::kernel::refusal::{Common, Refusal};

/// Refuses a reason that says nothing, or more than fits.
///
/// # Errors
/// Names the field.
pub fn check_reason(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::from(Common::NoReason(field)).at(format!("/{field}")));
    }
    check_text(field, text)
}

/// Refuses a reason of a ranking or an award that says nothing, or more than fits into one commit with
/// those of all other proposals.
///
/// # Errors
/// Names the field and the limit.
pub fn check_round_reason(text: &str) -> Result<(), Refusal> {
    check_reason("reason", text)?;
    let bytes = serde_json::to_string(text).map_or(usize::MAX, |json| json.len() - 2);
    if bytes > ROUND_REASON_BYTES_MAX {
        let (field, limit) = ("reason", ROUND_REASON_BYTES_MAX);
        return Err(Refusal::from(Common::TooLong { field, limit }).at("/reason"));
    }
    Ok(())
}

/// The longest free text in a command, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// Refuses a text that is longer than [`TEXT_CHARS_MAX`].
///
/// # Errors
/// Names the field and the limit.
pub fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > TEXT_CHARS_MAX {
        let refusal = Refusal::from(Common::TooLong { field, limit: TEXT_CHARS_MAX });
        return Err(refusal.at(format!("/{field}")));
    }
    Ok(())
}

/// Refuses a list that is longer than its limit.
///
/// # Errors
/// Names the field and the limit.
pub fn check_list<T>(field: &'static str, list: &[T], limit: usize) -> Result<(), Refusal> {
    if list.len() > limit {
        return Err(Refusal::from(Common::TooMany { field, limit }).at(format!("/{field}")));
    }
    Ok(())
}
