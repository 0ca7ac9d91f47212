//! The ground floor: values that know nothing of grants.

pub mod actor;
pub mod canonical;
pub mod compute;
pub mod ids;
pub mod law;
pub mod money;
pub(crate) mod payload;
pub mod refusal;
pub mod sampling;
pub mod sealed;
pub(crate) mod text;
pub mod time;
