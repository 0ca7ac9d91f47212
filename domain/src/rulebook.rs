//! Rules documents: what a call is opened with. They are data (TOML), and a document says all its
//! mistakes at once.

mod check;
mod comparator;
mod document;
mod parse;
mod shape;

pub use comparator::Comparator;
pub use document::{
    Access, CallKind, CountedFrom, Criterion, Deadlines, Document, Eligibility, Evaluation,
    Funding, Mistake, Payments, Question, Retention, SHIPPED, Scale, Selection, Stage, Submission,
    shipped,
};
pub use parse::{check, parse};

#[cfg(test)]
mod tests;
