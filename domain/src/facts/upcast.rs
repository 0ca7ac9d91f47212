//! What makes an old event new. A type of event is at version 1, and one higher for each [`Upcaster`]
//! that its decider lists; stored data of an older version goes through all that are left on the way
//! to the newest. Used at the one place where stored events enter ([`crate::commit`]); see ADR/0016.

use serde_json::Value;

/// One step: takes data of a type of event from one version to the next.
///
/// It stands in the table of the event's decider ([`crate::facts::stream::Decider::UPCASTERS`]):
///
/// ```ignore
/// Upcaster {
///     event: "claim.Withdrawn",
///     from: 1,
///     schema: include_str!("../../schemas/claim/Withdrawn.v1.json"),
///     up: |mut data| {
///         if let Some(data) = data.as_object_mut() {
///             data.insert("reason".to_owned(), "not given".into());
///         }
///         data
///     },
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Upcaster {
    /// The type of the event.
    pub event: &'static str,
    /// The version that it reads; it writes the next.
    pub from: u32,
    /// The JSON Schema of the version that it reads, as it was committed.
    pub schema: &'static str,
    /// Makes the data. It looks at nothing else, and does not panic: what it does not find it leaves,
    /// and the reading of the newest version says what is missing.
    pub up: fn(Value) -> Value,
}

/// Finds the upcasters of a category.
pub(crate) type Tables = fn(category: &str) -> &'static [Upcaster];

/// The step from a version that the next one can read as it is: something was added that may be absent.
#[must_use]
pub fn same(data: Value) -> Value {
    data
}

/// The newest version of a type of event.
#[must_use]
pub fn newest(table: &[Upcaster], event: &str) -> u32 {
    table.iter().filter(|step| step.event == event).fold(1, |newest, _| newest + 1)
}

/// Takes data that is at `version` to the newest.
#[must_use]
pub fn lift(table: &[Upcaster], event: &str, version: u32, data: Value) -> Value {
    let steps = table.iter().filter(|step| step.event == event && step.from >= version);
    steps.fold(data, |data, step| (step.up)(data))
}

#[cfg(test)]
mod tests;
