//! For tests: given - when - then, and worlds to begin from.

#[cfg(test)]
pub(crate) mod grant;
#[cfg(test)]
pub(crate) mod round;
mod scenario;

pub use scenario::{Scenario, given};
