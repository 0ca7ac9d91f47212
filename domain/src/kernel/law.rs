//! Names the documents that most rules stand in.

/// A rule of Tranche itself: the clause names its entry in `ADR/rules.md`.
pub const OURS: &str = "Tranche";
/// The Financial Regulation.
pub const FR: &str = "Reg. (EU, Euratom) 2024/2509";
/// The model grant agreement of the Commission.
pub const MGA: &str = "EU model grant agreement";
/// The data protection regulation of the Union's institutions.
pub const EUDPR: &str = "Reg. (EU) 2018/1725";
/// The rules document that the call was opened with.
pub const RULES: &str = "rules document";
